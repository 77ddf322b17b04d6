"""Real servers of services that a cluster uses, to be checked against: one file for each."""
