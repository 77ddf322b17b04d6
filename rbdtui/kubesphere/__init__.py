"""What KubeSphere is: its chart, the values that a plan gives it, its images."""
