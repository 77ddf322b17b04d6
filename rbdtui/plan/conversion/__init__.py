"""A Rainbond 3.6 that stands, carried from level 1 to level 2 of its page on minimal high availability."""
