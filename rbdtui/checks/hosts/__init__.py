"""Checks of what servers are, each over the facts of all of them."""
