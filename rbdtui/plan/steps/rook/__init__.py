"""The steps that bring Ceph to a cluster that stands: Rook's chart, the cluster on the named disks, its classes."""
