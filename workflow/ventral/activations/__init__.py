"""Features of all layers, from one forward pass."""
