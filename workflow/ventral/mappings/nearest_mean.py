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


def accuracies_of_shuffles(
    units: NDArray, codes: NDArray[np.intp], folds: Sequence[NDArray], orders: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the balanced accuracy of `nearest_mean_predictions` in each fold, for labels in other orders.

    Parameters
    ----------
    units : (n, p) array
        Patterns that are learned and predicted.
    codes : (n,) integer array
        Number of the label of each stimulus. Every label occurs outside of every fold.
    folds : sequence of integer arrays
        Held-out rows of each fold.
    orders : (shuffles, n) integer array
        Order of the labels in each shuffle, which keeps the labels of each fold in the fold.

    Returns
    -------
    (folds, shuffles) array
        NaN where a pattern has no variance.
    """
    shuffled, n_labels = codes[orders], codes.max() + 1
    members = (shuffled[:, None] == np.arange(n_labels)[:, None]).astype(float)
    accuracies = np.full((len(folds), len(orders)), np.nan)
    for k, fold in enumerate(folds):
        rest = np.delete(np.arange(len(codes)), fold)
        of_rest = members[:, :, rest].reshape(-1, len(rest))
        means = unit_columns((of_rest @ units[rest] / of_rest.sum(axis=1, keepdims=True)).T)[0]
        patterns, varying = unit_columns(units[fold].T)
        if varying.all():
            nearest = (means.T @ patterns).reshape(len(orders), n_labels, len(fold)).argmax(axis=1)
            counts = np.bincount(codes[fold], minlength=n_labels)
            right = (nearest == shuffled[:, fold]) / counts[shuffled[:, fold]]
            accuracies[k] = right.sum(axis=1) / np.count_nonzero(counts)
    return accuracies
