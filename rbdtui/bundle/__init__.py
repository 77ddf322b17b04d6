"""The directory of offline packages: what is in it, and whether that is enough for this plan."""
