"""The folds of one split, as tests refit them."""

from ventral.targets.splits import make_splits


def make_folds(split, columns, n_stimuli, n_folds, seed, source):
    """The folds of a split that a config names in one word."""
    return make_splits([split], columns, n_stimuli, n_folds, seed, source)[split].folds
