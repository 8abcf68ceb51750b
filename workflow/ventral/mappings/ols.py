"""Ordinary least squares for layers with fewer features than stimuli."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import varies


class NotDefinedError(ValueError):
    """An error for a result that is not defined; the message gives the reason."""


def ols_predictions(features: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Predict every target for every stimulus by ordinary least squares with an intercept, fitted without its fold.

    If a feature is a linear combination of others, to the precision of its type, the weights are not unique. The
    predictions are still unique if the held-out stimuli obey the same combinations. Such a prediction is an estimable
    function (Searle 1971, Linear Models, chapter 5). Otherwise an error is raised; no solution, such as the shortest,
    is preferred.

    Parameters
    ----------
    features : (n, p) array
        All features of the representation.
    responses : (n, targets) array
        Finite values.
    folds : sequence of integer arrays
        Rows of each fold; each row in one fold at most. Rows in no fold are part of every fit, and their predictions
        are NaN.

    Returns
    -------
    (n, targets) array

    Raises
    ------
    NotDefinedError
        If a training part has at least as many features as stimuli, or its features do not determine the prediction of
        a held-out stimulus.
    """
    features, responses = np.asarray(features), np.asarray(responses, dtype=np.float64)
    n, p = features.shape
    fewest = n - max(map(len, folds))
    if p >= fewest:
        raise NotDefinedError(
            f"least squares needs fewer features than training stimuli: {p} features, {fewest} stimuli"
        )
    precision = np.finfo(features.dtype if features.dtype.kind == "f" else float).eps
    features = features.astype(np.float64)
    predictions = np.full(responses.shape, np.nan)
    for fold in folds:
        training = np.setdiff1d(np.arange(n), fold)
        mean, deviations = responses[training].mean(axis=0), _scaled(features, training, precision)
        predictions[fold] = mean + _solved(
            deviations[training], responses[training] - mean, deviations[fold], n * precision
        )
    return predictions


def _scaled(features: NDArray, training: NDArray, precision: float) -> NDArray[np.float64]:
    """Return the features minus their training means, scaled to mean square 1; constant features become 0."""
    deviations = features - features[training].mean(axis=0)
    deviations[:, ~varies(np.abs(deviations).max(axis=0), np.abs(features).max(axis=0), 4 * precision)] = 0
    size = np.sqrt(np.mean(deviations**2, axis=0))
    return np.divide(deviations, size, out=deviations, where=size > 0)


def _solved(features: NDArray, responses: NDArray, held_out: NDArray, tolerance: float) -> NDArray[np.float64]:
    """Return the predictions (m, targets) for held-out features (m, p), from a QR factorisation with column pivoting.

    Parameters
    ----------
    features : (n, p) array
    responses : (n, targets) array
    held_out : (m, p) array
    tolerance : float
        Smallest diagonal entry of R, relative to the largest, for a feature that is not a combination of earlier ones.
    """
    from scipy.linalg import qr, solve_triangular

    Q, R, order = qr(features, mode="economic", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diag(R))
    rank = int((diagonal > tolerance * diagonal[0]).sum())
    R, rest, Q = R[:rank, :rank], R[:rank, rank:], Q[:, :rank]
    independent, dependent = held_out[:, order[:rank]], held_out[:, order[rank:]]
    error = np.abs(dependent - independent @ solve_triangular(R, rest, check_finite=False))
    if error.size and error.max() > np.sqrt(tolerance):
        raise NotDefinedError(
            f"least squares is not determined: the {len(order)} features have rank {rank} on {len(features)} training "
            f"stimuli, and a higher rank with the held-out stimuli"
        )
    return independent @ solve_triangular(R, Q.T @ responses, check_finite=False)
