"""The section of the cluster's health."""
