"""Rainbond's own volumes on their way to another StorageClass."""
