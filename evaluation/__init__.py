"""What `evaluate.py` measures with. `bench`, `ways`, `token` know the network; the formulas know songs and numbers."""
