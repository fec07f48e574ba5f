"""What `evaluate.py` measures with: conditions and metrics know the network, `metrics` and `statistics` do not."""
