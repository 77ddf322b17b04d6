"""The steps that bring KubeSphere to a cluster that stands."""
