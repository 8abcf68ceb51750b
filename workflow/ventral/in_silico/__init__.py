"""Experiments on fitted readouts: stimuli that drive neurons, tuning, and the experiments that tell models apart."""
