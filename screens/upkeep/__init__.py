"""The section of the upkeep."""
