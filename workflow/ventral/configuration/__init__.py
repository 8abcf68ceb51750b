"""What the user said, checked and completed."""
