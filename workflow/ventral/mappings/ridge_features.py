"""The nested cross-validation of `ventral.mappings.ridge` from few features instead of a Gram matrix.

With fewer features p than stimuli n, the matrix of second moments X^T X (p, p) is smaller than the Gram matrix. Each
fit leaves out one fold or two. For each set of training stimuli, the means of features and responses are subtracted
(the free intercept). Their second moments are decomposed once, as V diag(v) V^T. The coefficients at penalty a are then
V diag(1 / (v + a)) V^T X^T Y. The errors are exactly those of the fits.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.held_out import FLOAT32_FROM, TARGETS_AT_ONCE, row_blocks
from ventral.mappings.ridge import NestedRidge, checked, nested_ridge_graphs
from ventral.running.parallel import computed

# Cost of the eigendecomposition of a (p, p) matrix, in p^3 multiplications and additions; measured.
DECOMPOSITION = 6
# Share of the time of the n x n form that float32 saves, with its checks; measured.
FLOAT32_SAVES = 0.25
# Rows of features that are copied at a time.
FEATURE_ROWS_AT_ONCE = 4096
# Rows and columns of a Gram matrix that one task computes.
GRAM_ROWS_AT_ONCE = 512


def nested_ridge_features(
    features: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike
) -> NestedRidge:
    """Compute `nested_ridge` from features, by the faster of the two forms.

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
        raise ValueError(f"features have shape {features.shape}; it must be ({len(responses)}, p), as in responses")
    if not np.isfinite(features).all():
        raise ValueError("features have values that are not finite")
    graphs = cheaper_graphs(gram_graph(features), features, features.shape[1], list(penalties), responses, [folds])
    (result,) = computed(*graphs)
    return result


def gram_graph(features: NDArray[np.float64]) -> Delayed:
    """Return the computation of X X^T (n, n) from X (n, p) as a Dask graph, with a task for each pair of row blocks."""
    features, n = delayed(features, pure=False), len(features)
    pairs = list(combinations_with_replacement(row_blocks(n, GRAM_ROWS_AT_ONCE), 2))
    products = [delayed(_products, pure=False)(features, rows, columns) for rows, columns in pairs]
    return delayed(_symmetric, pure=False)(products, pairs, n)


def few_enough(p: int, fold_sizes: Sequence[int], n_targets: int, n_penalties: int) -> bool:
    """Tell whether the p x p form is faster than the n x n form, by their numbers of multiplications."""
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
    """Return the computation by the p x p form as Dask graphs, one for each split.

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


def nested_ridge_in_turn(
    features: NDArray, responses: NDArray, folds: Sequence[NDArray], penalties: Sequence[float]
) -> NestedRidge:
    """Compute the result of `nested_ridge_feature_graphs` for one split, without Dask.

    Small fits within a task use this function, because a graph would take as long as the fit itself.

    Parameters
    ----------
    features : (n, p) array
    responses : (n, targets) array
        Finite.
    folds : sequence of integer arrays
        Rows of each outer fold.
    penalties : (m,) sequence
        Positive candidates.
    """
    pairs = combinations(folds, 2)
    choice = _choice([_inner_errors(features, responses, *pair, penalties) for pair in pairs], len(folds))
    outer = [_outer_predictions(features, responses, fold, penalties, choice, i) for i, fold in enumerate(folds)]
    return _assembled(outer, folds, choice, penalties)


def cheaper_graphs(
    gram: NDArray | Delayed,
    features: NDArray | Delayed | None,
    n_features: int,
    penalties: Sequence[float | Delayed],
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
) -> list[Delayed]:
    """Return the computation by the faster of the two forms as Dask graphs, one for each split.

    Parameters
    ----------
    gram : (n, n) array
        Given or delayed.
    features : (n, p) array or None
        All features, given or delayed, if they are available.
    n_features : int
        Number of features, p.
    penalties, responses, splits
        As for `nested_ridge_feature_graphs`.
    """
    if features is not None and all(
        few_enough(n_features, [len(fold) for fold in folds], responses.shape[1], len(penalties)) for folds in splits
    ):
        return nested_ridge_feature_graphs(features, penalties, responses, splits)
    return nested_ridge_graphs([(gram, penalty) for penalty in penalties], responses, splits)


class FeatureFit:
    """Ridge regression on some stimuli at any penalty, from features (n, p) and responses (n, targets).

    Training features are copied in blocks of rows, so only the features and matrices (p, p) are kept in memory.
    """

    def __init__(self, features: NDArray, responses: NDArray, training: NDArray) -> None:
        self.features, self.responses, self.training = features, responses, training
        self.mean = sum(self._block(rows).sum(axis=0) for rows in self._blocks()) / len(training)
        moments = np.zeros((features.shape[1], features.shape[1]))
        for rows in self._blocks():
            centred = self._block(rows) - self.mean
            moments += centred.T @ centred
        values, self.vectors = np.linalg.eigh(moments)
        # Moments have negative eigenvalues only by rounding.
        self.values = np.maximum(values, 0)

    def moments(self, targets: slice | NDArray) -> tuple[NDArray, NDArray]:
        """Return V^T X^T Y (p, targets), and the means of Y, of some targets."""
        values = self.responses[:, targets][self.training]
        mean = values.mean(axis=0)
        values -= mean
        moments = np.zeros((len(self.values), values.shape[1]))
        for rows in self._blocks():
            moments += (self._block(rows) - self.mean).T @ values[rows]
        return self.vectors.T @ moments, mean

    def project(self, rows: NDArray) -> NDArray:
        """Return the features of some stimuli (rows, p) along the eigenvectors."""
        return (np.asarray(self.features[rows], dtype=np.float64) - self.mean) @ self.vectors

    def predict(self, rows: NDArray, penalties: NDArray) -> NDArray:
        """Return predictions (rows, targets) at a penalty for each target, of all targets."""
        projected = self.project(rows)
        result = np.empty((len(rows), self.responses.shape[1]))
        for block in row_blocks(self.responses.shape[1], TARGETS_AT_ONCE):
            moments, mean = self.moments(block)
            result[:, block] = mean + projected @ (moments / (self.values[:, None] + penalties[block]))
        return result

    def squared_errors(self, rows: NDArray, penalties: Sequence[float]) -> Iterator[tuple[slice, int, NDArray]]:
        """Yield the targets of a block, the index of a penalty, and the squared errors (rows, block)."""
        projected = self.project(rows)
        for block in row_blocks(self.responses.shape[1], TARGETS_AT_ONCE):
            moments, mean = self.moments(block)
            centred = self.responses[:, block][rows] - mean
            for m, penalty in enumerate(penalties):
                errors = centred - projected @ (moments / (self.values + penalty)[:, None])
                yield block, m, np.square(errors, out=errors)

    def _blocks(self) -> list[slice]:
        return row_blocks(len(self.training), FEATURE_ROWS_AT_ONCE)

    def _block(self, rows: slice) -> NDArray[np.float64]:
        return np.asarray(self.features[self.training[rows]], dtype=np.float64)


def _products(features: NDArray, rows: slice, columns: slice) -> NDArray[np.float64]:
    return features[rows] @ features[columns].T


def _symmetric(products: Sequence[NDArray], pairs: Sequence[tuple[slice, slice]], n: int) -> NDArray[np.float64]:
    """Return the symmetric matrix (n, n) with the given blocks on and above the diagonal."""
    matrix = np.empty((n, n))
    for (rows, columns), block in zip(pairs, products, strict=True):
        matrix[rows, columns], matrix[columns, rows] = block, block.T
    return matrix


def _inner_errors(features, responses, first, second, penalties) -> NDArray:
    """Return the sums of squared errors (m, 2, targets) of two folds, of the fits without both."""
    held = np.concatenate([first, second])
    fit = FeatureFit(features, responses, np.setdiff1d(np.arange(len(features)), held))
    result = np.empty((len(penalties), 2, responses.shape[1]))
    for block, m, errors in fit.squared_errors(held, penalties):
        result[m, :, block] = errors[: len(first)].sum(axis=0), errors[len(first) :].sum(axis=0)
    return result


def _choice(inner: Sequence[NDArray], n_folds: int) -> NDArray[np.intp]:
    """Return the index of the penalty with the smallest inner error (folds, targets)."""
    total = np.zeros((len(inner[0]), n_folds, inner[0].shape[2]))
    for (i, j), errors in zip(combinations(range(n_folds), 2), inner, strict=True):
        total[:, i] += errors[:, 1]
        total[:, j] += errors[:, 0]
    return total.argmin(axis=0)


def _outer_predictions(features, responses, fold, penalties, choice: NDArray, i: int) -> NDArray:
    fit = FeatureFit(features, responses, np.setdiff1d(np.arange(len(features)), fold))
    return fit.predict(fold, np.array(penalties)[choice[i]])


def _assembled(outer: Sequence[NDArray], folds, choice: NDArray, penalties) -> NestedRidge:
    predictions = np.empty((sum(map(len, folds)), choice.shape[1]))
    for fold, of_fold in zip(folds, outer, strict=True):
        predictions[fold] = of_fold
    return NestedRidge(predictions, np.array(penalties)[choice], choice)
