"""The report for whoever owns the cluster, and the bundle of logs for whoever helps with it."""
