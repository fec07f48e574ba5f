"""What `evaluate.py` measures with. `bench` and `ways` alone know the network; the formulas know songs and numbers."""
