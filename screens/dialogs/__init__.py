"""Questions and pages in front of a screen."""
