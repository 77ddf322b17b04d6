"""Rainbond of the simulated cluster: its operator, what its containers do, and what listens on gateways."""
