"""Classification by the label whose mean pattern correlates best with a pattern (Meyers et al. 2008, J Neurophysiol).

Meyers EM, Freedman DJ, Kreiman G, et al. (2008). Journal of Neurophysiology 100:1407.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import unit_columns


def nearest_mean_predictions(
    units: NDArray, tested: NDArray, labels: ArrayLike, folds: Sequence[NDArray]
) -> NDArray[np.str_]:
    """Return the label whose mean pattern, without a stimulus's fold, has the highest Pearson's r with its pattern.

    Parameters
    ----------
    units : (n, p) array
        Patterns whose means over the stimuli of a label are learned.
    tested : (conditions, n, p) array
        Patterns of the same stimuli in each condition, whose labels are predicted.
    labels : (n,) array
        Label of each stimulus.
    folds : sequence of integer arrays
        Held-out rows of each fold.

    Returns
    -------
    (conditions, n) array of str
        '' for a pattern without variance, and for stimuli outside all folds. Labels without a stimulus outside a fold
        are not predicted there.
    """
    names, codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    members = codes[:, None] == np.arange(len(names))
    predictions = np.full(tested.shape[:2], "", dtype=names.dtype)
    for fold in folds:
        rest = members.copy()
        rest[fold] = False
        counts = rest.sum(axis=0)
        known = np.flatnonzero(counts)
        means = (rest[:, known].T @ units) / counts[known, None]
        # Rows are patterns here; `unit_columns` takes columns.
        means = unit_columns(means.T)[0]
        for condition, patterns in enumerate(tested):
            scaled, varying = unit_columns(patterns[fold].T)
            nearest = names[known[(scaled.T @ means).argmax(axis=1)]]
            predictions[condition, fold] = np.where(varying, nearest, "")
    return predictions
