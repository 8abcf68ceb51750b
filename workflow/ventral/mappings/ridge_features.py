"""The nested cross-validation of `ventral.mappings.ridge` from few features instead of a Gram matrix.

With p features and n stimuli, p < n, the matrix of second moments X^T X (p, p) is the smaller of the two. For each set
of stimuli that some fit is made without, one fold or two, that of the others is decomposed once, V diag(v) V^T, after
the features' and responses' means over these others are taken off (the free intercept); the coefficients at every
penalty a are then V diag(1 / (v + a)) V^T X^T Y. The errors are those of the fits themselves, nothing is approximated.
"""

from collections.abc import Sequence
from itertools import combinations

import dask
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.ridge import FLOAT32_FROM, TARGETS_AT_ONCE, NestedRidge, checked, nested_ridge_graphs

# Multiplications and additions that an eigendecomposition of a (p, p) matrix takes the time of, in p^3, measured.
DECOMPOSITION = 6
# What float32 saves of the n x n form, what it needs besides included, measured.
FLOAT32_SAVES = 0.25


def nested_ridge_features(
    features: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike
) -> NestedRidge:
    """Do as `nested_ridge` does, given the features, by whichever of the two forms takes less time.

    Parameters
    ----------
    features : (n, p) array
        X.
    responses, folds, penalties
        As for `ventral.mappings.ridge.nested_ridge`.

    Returns
    -------
    NestedRidge

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, folds are not a partition, or a penalty is not positive.
    """
    features = np.asarray(features, dtype=np.float64)
    responses, folds, penalties = checked(responses, folds, penalties)
    if features.ndim != 2 or len(features) != len(responses):
        raise ValueError(f"features have shape {features.shape}; with {len(responses)} stimuli ({len(responses)}, p)")
    if not np.isfinite(features).all():
        raise ValueError("features have values that are not finite")
    gram = delayed(np.matmul, pure=False)(features, features.T)
    graphs = cheaper_graphs(gram, features, features.shape[1], list(penalties), responses, [folds])
    (result,) = dask.compute(*graphs)
    return result


def few_enough(p: int, fold_sizes: Sequence[int], n_targets: int, n_penalties: int) -> bool:
    """Say whether the p x p form takes less time than the n x n form, by their numbers of multiplications."""
    n, k = sum(fold_sizes), len(fold_sizes)
    size = n / k
    pairs = k * (k - 1) / 2
    features = (pairs + k) * (p**2 * n + DECOMPOSITION * p**3 + 2 * p * n * n_targets)
    features += n_penalties * (2 * pairs + k) * 2 * size * p * n_targets
    gram = n**3 + pairs * (5 * size**3 + 6 * size**2 * n_targets) + 2 * n**2 * n_targets
    return features < n_penalties * gram * (1 - FLOAT32_SAVES * (n >= FLOAT32_FROM))


def nested_ridge_feature_graphs(
    features: NDArray | Delayed,
    penalties: Sequence[float | Delayed],
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
) -> list[Delayed]:
    """Return the computation as a Dask graph, a result for each split.

    Parameters
    ----------
    features : (n, p) array
        Given or delayed.
    penalties : sequence of floats
        Each given or delayed.
    responses, splits
        As for `ventral.mappings.ridge.nested_ridge_graphs`.
    """
    features, values = delayed(features, pure=False), delayed(responses, pure=False)
    results = []
    for folds in splits:
        inner = [
            delayed(_inner_errors, pure=False)(features, values, folds[i], folds[j], penalties)
            for i, j in combinations(range(len(folds)), 2)
        ]
        choice = delayed(_choice, pure=False)(inner, len(folds))
        outer = [
            delayed(_outer_predictions, pure=False)(features, values, fold, penalties, choice, i)
            for i, fold in enumerate(folds)
        ]
        results.append(delayed(_assembled, pure=False)(outer, folds, choice, penalties))
    return results


def cheaper_graphs(
    gram: NDArray | Delayed,
    features: NDArray | Delayed | None,
    n_features: int,
    penalties: Sequence[float | Delayed],
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
) -> list[Delayed]:
    """Return the computation in whichever of the two forms takes less time, a result for each split.

    Parameters
    ----------
    gram : (n, n) array
        Given or delayed.
    features : (n, p) array or None
        All features, given or delayed, where they are at hand.
    n_features : int
        p.
    penalties, responses, splits
        As for `nested_ridge_feature_graphs`.
    """
    if features is not None and all(
        few_enough(n_features, [len(fold) for fold in folds], responses.shape[1], len(penalties)) for folds in splits
    ):
        return nested_ridge_feature_graphs(features, penalties, responses, splits)
    return nested_ridge_graphs([(gram, penalty) for penalty in penalties], responses, splits)


class _Fit:
    """Ridge regression on all stimuli but some, at any penalty."""

    def __init__(self, features: NDArray, responses: NDArray, held: NDArray) -> None:
        training = np.setdiff1d(np.arange(len(features)), held)
        self.features, self.training, self.held = np.asarray(features, dtype=np.float64), training, held
        self.mean = self.features[training].mean(axis=0)
        centred = self.features[training] - self.mean
        values, self.vectors = np.linalg.eigh(centred.T @ centred)
        # Moments have no negative eigenvalues but by rounding.
        self.values = np.maximum(values, 0)
        self.projected = centred @ self.vectors
        self.held_projected = (self.features[held] - self.mean) @ self.vectors
        self.responses = responses

    def moments(self, block: slice | NDArray) -> tuple[NDArray, NDArray]:
        """Return V^T X^T Y (p, targets), and the means of Y, of some targets."""
        values = self.responses[self.training][:, block]
        mean = values.mean(axis=0)
        return self.projected.T @ (values - mean), mean


def _inner_errors(features, responses, first, second, penalties) -> NDArray:
    """Return the sums of squared errors (m, 2, targets) of two folds, of the fits without both."""
    fit = _Fit(features, responses, np.concatenate([first, second]))
    result = np.empty((len(penalties), 2, responses.shape[1]))
    for start in range(0, responses.shape[1], TARGETS_AT_ONCE):
        block = slice(start, start + TARGETS_AT_ONCE)
        moments, mean = fit.moments(block)
        centred = responses[fit.held][:, block] - mean
        for m, penalty in enumerate(penalties):
            errors = centred - fit.held_projected @ (moments / (fit.values + penalty)[:, None])
            for k, part in enumerate((errors[: len(first)], errors[len(first) :])):
                result[m, k, block] = np.einsum("ij,ij->j", part, part)
    return result


def _choice(inner: Sequence[NDArray], n_folds: int) -> NDArray[np.intp]:
    """Return the place of the penalty with the smallest inner error (folds, targets)."""
    total = np.zeros((len(inner[0]), n_folds, inner[0].shape[2]))
    for (i, j), errors in zip(combinations(range(n_folds), 2), inner, strict=True):
        total[:, i] += errors[:, 1]
        total[:, j] += errors[:, 0]
    return total.argmin(axis=0)


def _outer_predictions(features, responses, fold, penalties, choice: NDArray, i: int) -> NDArray:
    fit = _Fit(features, responses, fold)
    moments, mean = fit.moments(slice(None))
    penalty = np.array(penalties)[choice[i]]
    return mean + fit.held_projected @ (moments / (fit.values[:, None] + penalty))


def _assembled(outer: Sequence[NDArray], folds, choice: NDArray, penalties) -> NestedRidge:
    predictions = np.empty((sum(map(len, folds)), choice.shape[1]))
    for fold, of_fold in zip(folds, outer, strict=True):
        predictions[fold] = of_fold
    return NestedRidge(predictions, np.array(penalties)[choice], choice)
