"""What stands around every section: frame, keys, messages, palette, help."""
