"""What rbdtui takes for its work, measured side by side with its peers: ``python -m benchmarks run``."""
