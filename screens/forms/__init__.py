"""Sections that are forms, each declared in a file of its own."""
