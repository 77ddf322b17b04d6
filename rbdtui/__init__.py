"""Plan, validate, install and watch a highly available Rainbond cluster on bare Linux servers."""

__version__ = "0.1.0"
