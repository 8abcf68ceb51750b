"""Sets of stimuli, which are read from files or rendered."""
