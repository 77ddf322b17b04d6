"""The upkeep of a cluster that stands: what there is of it, and what its recipes are started with."""
