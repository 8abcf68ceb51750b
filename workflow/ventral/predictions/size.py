"""Predict the size of a store of predictions, for a message before it is made."""

BYTES = 8


def bytes_of_predictions(n_stimuli: int, n_neuroids: int, n_layers: int, n_mappings: int, n_splits: int) -> int:
    """Return the bytes of predictions and responses before compression, which saves little."""
    return BYTES * n_stimuli * n_neuroids * (1 + n_layers * n_mappings * n_splits)
