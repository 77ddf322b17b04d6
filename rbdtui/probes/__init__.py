"""Repeated health questions, with hysteresis, over the same SSH connections."""
