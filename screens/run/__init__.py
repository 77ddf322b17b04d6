"""The section of the run."""
