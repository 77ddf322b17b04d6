"""Repeated health questions with hysteresis: what of the cluster works, seen from the jump host and from its nodes."""
