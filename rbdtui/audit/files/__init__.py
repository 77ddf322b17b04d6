"""Readers of the files of a Rainbond 3.6 host: data with lines, and problems with theirs; none raises on any text."""
