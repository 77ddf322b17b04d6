"""The section of who does what."""
