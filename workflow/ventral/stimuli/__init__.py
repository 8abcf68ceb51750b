"""Sets of images: read, or rendered."""
