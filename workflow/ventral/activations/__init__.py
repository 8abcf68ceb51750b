"""Extraction of the features of all layers in one forward pass."""
