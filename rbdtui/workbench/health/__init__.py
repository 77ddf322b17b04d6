"""The health of a cluster as tables."""
