"""Readouts of layers that predict recorded neurons for new stimuli: made, described, loaded and used."""
