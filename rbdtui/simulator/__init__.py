"""Simulated servers behind real SSH on loopback, for the demo, for screens and for load."""
