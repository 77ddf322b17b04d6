"""The plan while it is edited: plain values, their undo, the file that keeps them, and what others wrote meanwhile."""
