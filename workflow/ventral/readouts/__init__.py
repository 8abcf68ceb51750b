"""Readouts of layers that predict recorded neurons for new stimuli: fitting, model cards, loading and use."""
