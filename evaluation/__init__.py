"""What `evaluate.py` measures with: formulas over songs, the predictors to beat, a judge of regions. No Keras here."""
