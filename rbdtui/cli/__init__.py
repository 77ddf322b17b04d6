"""The command line: verbs, exit codes, JSON."""
