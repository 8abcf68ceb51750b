"""Published stimuli and recordings, as a user would write them in the config."""
