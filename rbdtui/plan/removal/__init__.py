"""What takes an installation back: what is left on hosts, whose it is, and the steps that remove it."""
