"""cluster.yaml: its shape, how it is read and edited, and the rules that need nothing but the file."""
