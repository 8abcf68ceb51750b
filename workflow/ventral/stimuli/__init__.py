"""Sets of stimuli, which are read from files, rendered or synthesised."""
