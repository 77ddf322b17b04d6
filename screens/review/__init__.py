"""The section between plan and run."""
