"""Everything that happens on another machine: the only part that knows SSH."""
