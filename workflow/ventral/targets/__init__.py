"""What is predicted, and on which held-out stimuli."""
