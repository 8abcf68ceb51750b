"""Prediction targets, held-out stimuli and ceilings."""
