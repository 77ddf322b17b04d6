"""A run as it is watched: its matrix, its times, its logs, and earlier ones."""
