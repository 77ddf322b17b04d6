"""What is seen before a site is open."""
