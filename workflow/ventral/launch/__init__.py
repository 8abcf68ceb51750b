"""What is checked when a run starts."""
