"""Carrying a plan out: its own process, a journal that is the truth, and clients that read it."""
