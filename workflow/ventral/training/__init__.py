"""Training of networks on stimuli or recordings."""
