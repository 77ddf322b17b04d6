"""Sections of cluster.yaml that not every profile has: one file for each, and a field of `ClusterSpec`."""
