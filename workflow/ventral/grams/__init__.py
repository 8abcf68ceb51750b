"""What is kept of a representation: inner products between stimuli."""
