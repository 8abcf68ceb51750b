"""What the scores say of areas, layers and models, and how surely."""
