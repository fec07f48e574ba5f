"""What `evaluate.py` measures with. `context`, `ways`, `token` know the network; the formulas know songs and numbers."""
