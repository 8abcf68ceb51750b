"""Models: their families, networks, layers and checkpoints."""
