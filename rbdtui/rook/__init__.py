"""What Rook and its Ceph are: the chart of its operator, its images, the objects of a plan, and how it stands."""
