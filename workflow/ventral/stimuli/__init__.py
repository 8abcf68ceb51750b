"""Sets of stimuli: read, or rendered."""
