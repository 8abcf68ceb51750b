"""Probabilities of labels by multinomial logistic regression, from a representation's Gram matrix alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import scaled_gram

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# Candidates of C, the inverse of the penalty on squared weights.
COSTS = (0.1, 1.0, 10.0, 100.0, 1000.0)
N_INNER = 3
MOST_ITERATIONS = 1000
# Eigenvalues below this share of the largest are rounding.
ROUNDING = 1e-10
# Lowest probability in the logarithm of the loss.
LOWEST = 1e-12


def label_probabilities(
    gram: NDArray, labels: ArrayLike, folds: Sequence[NDArray], costs: NDArray | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of each label for each stimulus, by a fit without the stimulus's fold.

    All features are centred, and scaled by one factor, such that the mean squared distance of stimuli from their mean
    is 1. Features enter by the principal components of the Gram matrix, which give the same fit. Within the stimuli of
    each fit, three inner folds choose the C with the lowest cross-entropy; the smallest of equals is chosen.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    labels : (n,) array
        Label of each stimulus. Every label occurs outside of every fold.
    folds : sequence of integer arrays
        Held-out rows of each fold.
    costs : (folds,) array, optional
        C of each fit, where it was chosen before.

    Returns
    -------
    probabilities : (n, labels) array
        Labels in sorted order. NaN where a stimulus is in no fold, or if the features do not differ between stimuli.
    costs : (folds,) array
        Chosen C of each fit.
    """
    codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]
    probabilities = np.full((len(codes), codes.max() + 1), np.nan)
    given, costs = costs, np.full(len(folds), np.nan)
    kernel = scaled_gram(gram)
    if not kernel.any():
        return probabilities, costs
    features = principal_components(kernel)
    for k, fold in enumerate(folds):
        rest = np.delete(np.arange(len(codes)), fold)
        costs[k] = _chosen_cost(features[rest], codes[rest]) if given is None or np.isnan(given[k]) else given[k]
        probabilities[fold] = _fitted(features[rest], codes[rest], costs[k]).predict_proba(features[fold])
    return probabilities, costs


def principal_components(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return features (n, rank) whose inner products are a Gram matrix (n, n)."""
    from scipy.linalg import eigh

    values, vectors = eigh(kernel)
    kept = values > ROUNDING * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])


def _chosen_cost(features: NDArray, codes: NDArray) -> float:
    fold_of = _dealt(codes, N_INNER)
    losses = np.zeros(len(COSTS))
    for inner in range(N_INNER):
        held_out, rest = fold_of == inner, fold_of != inner
        # A label with a single stimulus is in one inner fold alone.
        held_out &= np.isin(codes, codes[rest])
        if not held_out.any() or len(np.unique(codes[rest])) < 2:
            continue
        for k, cost in enumerate(COSTS):
            classifier = _fitted(features[rest], codes[rest], cost)
            columns = np.searchsorted(classifier.classes_, codes[held_out])
            given = classifier.predict_proba(features[held_out])[np.arange(held_out.sum()), columns]
            losses[k] -= np.log(np.maximum(given, LOWEST)).sum()
    return COSTS[losses.round(9).argmin()]


def _dealt(codes: NDArray, n_folds: int) -> NDArray[np.intp]:
    """Return the inner fold (n,) of each stimulus, with the stimuli of one label spread evenly, in their order."""
    folds = np.empty(len(codes), dtype=np.intp)
    folds[np.argsort(codes, kind="stable")] = np.arange(len(codes)) % n_folds
    return folds


def _fitted(features: NDArray, codes: NDArray, cost: float) -> "LogisticRegression":
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=cost, max_iter=MOST_ITERATIONS).fit(features, codes)
