"""Exact nested cross-validation of ridge regression from one Gram matrix.

Let K (n, n) be the Gram matrix of all stimuli, a a penalty, and

    A = K + a I,    P = A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1).

Ridge regression with a free intercept that is fitted without the stimuli S predicts those stimuli with the errors

    e_S = (P_SS)^-1 (P Y)_S,

with no refit: the block form of the leave-one-out identity (Golub, Heath and Wahba 1979, Technometrics 21:215; with an
intercept, Cawley and Talbot 2007, JMLR 8:841). S = fold i gives the outer errors. S = folds i and j together gives
the errors of inner fold j within outer fold i, and of inner fold i within outer fold j. So one inverse and one small
Cholesky factor for each pair of folds serve every fit of a nested cross-validation at one penalty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import dask
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import ArrayLike, NDArray

from ventral import lapack

TARGETS_PER_TASK = 8192


@dataclass(frozen=True)
class NestedRidge:
    """Held-out predictions of a nested cross-validation.

    Attributes
    ----------
    predictions : (n, targets) array
        What each stimulus was predicted to evoke by the fit on the other outer folds, at the penalty chosen there.
    penalty : (folds, targets) array
        The penalty chosen for each target by the inner cross-validation of each outer fold.
    """

    predictions: NDArray[np.float64]
    penalty: NDArray[np.float64]


def nested_ridge(
    gram: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike
) -> NestedRidge:
    """Predict every target for every stimulus by ridge regression, penalty chosen per target within the training part.

    The inner folds of an outer fold are the other outer folds; the penalty with the smallest sum of squared errors
    over all their stimuli is chosen (the earlier of equals), and the fit on all of them predicts the outer fold. The
    intercept is not penalised. Equal to refitting scikit-learn's ``Ridge(alpha=penalty)`` for every outer fold, inner
    fold and penalty, up to rounding.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors, K = X X^T, of any centring: the intercept absorbs it.
    responses : (n, targets) or (n,) array
        Finite values; a target with missing stimuli is to be fitted on the stimuli it has.
    folds : sequence of integer arrays
        Rows of each outer fold; three folds at least, each row in exactly one.
    penalties : (m,) array
        Positive candidates, in the units of the Gram matrix.

    Returns
    -------
    NestedRidge

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, folds are not a partition, or a penalty is not positive.
    """
    gram, responses, folds, penalties = _checked(gram, responses, folds, penalties)
    (result,) = dask.compute(nested_ridge_graph(gram, responses, folds, penalties))
    return result


def nested_ridge_graph(
    gram: NDArray | Delayed, responses: NDArray, folds: Sequence[NDArray], penalties: NDArray | Delayed
) -> Delayed:
    """Return the computation of `nested_ridge` as a Dask graph, one task a penalty and block of targets.

    The tasks and the order in which their results are compared do not depend on the workers, so neither do the
    results.

    Parameters
    ----------
    gram : (n, n) array, or a delayed one
        As for `nested_ridge`.
    responses, folds
        As for `nested_ridge`, checked already.
    penalties : (m,) array
        As for `nested_ridge`, or a sequence of delayed scalars.
    """
    order = np.concatenate(folds)
    bounds = np.cumsum([0, *map(len, folds)])
    ordered = delayed(_centred_in_order, pure=False)(gram, order)
    blocks = []
    for start in range(0, responses.shape[1], TARGETS_PER_TASK):
        block = np.asfortranarray(responses[order, start : start + TARGETS_PER_TASK], dtype=np.float64)
        block = delayed(block - block.mean(axis=0), pure=False)
        best = None
        for penalty in penalties:
            candidate = delayed(_errors_at_penalty, pure=False)(ordered, block, bounds, penalty)
            best = candidate if best is None else delayed(_better, pure=False)(best, candidate, bounds)
        blocks.append(best)
    return delayed(_assembled, pure=False)(blocks, responses, order)


def _checked(gram, responses, folds, penalties):
    gram = np.asarray(gram, dtype=np.float64)
    responses = np.asarray(responses, dtype=np.float64)
    if responses.ndim == 1:
        responses = responses[:, None]
    penalties = np.asarray(penalties, dtype=np.float64).ravel()
    n = len(responses)
    if gram.shape != (n, n):
        raise ValueError(f"gram has shape {gram.shape}; with {n} stimuli in responses it must be ({n}, {n})")
    if not np.isfinite(gram).all():
        raise ValueError("gram has values that are not finite")
    if not np.isfinite(responses).all():
        column = int(np.flatnonzero(~np.isfinite(responses).all(axis=0))[0])
        raise ValueError(
            f"responses of target {column} are not all finite; fit a target with missing stimuli on those it has"
        )
    if not (penalties.size and np.isfinite(penalties).all() and (penalties > 0).all()):
        raise ValueError(f"penalties must be positive and finite, at least one; got {penalties}")
    return gram, responses, checked_folds(folds, n), penalties


def checked_folds(folds: Sequence[ArrayLike], n: int) -> list[NDArray[np.intp]]:
    """Return the folds as index arrays, or raise ValueError if they do not hold each of n stimuli exactly once."""
    folds = [np.asarray(fold).ravel() for fold in folds]
    if len(folds) < 3:
        raise ValueError(f"nested cross-validation needs at least 3 folds, got {len(folds)}")
    for k, fold in enumerate(folds):
        if not len(fold):
            raise ValueError(f"fold {k} is empty")
        if fold.dtype.kind not in "iu":
            raise ValueError(f"fold {k} must hold integer rows, got {fold.dtype}")
    rows = np.concatenate(folds)
    if len(rows) != n or not np.array_equal(np.sort(rows), np.arange(n)):
        raise ValueError(f"folds must hold each of the {n} stimuli exactly once")
    return folds


def _centred_in_order(gram: NDArray, order: NDArray) -> NDArray:
    """Return the Gram matrix (n, n) in the order of the folds, features centred, with the mean direction filled.

    Centred features leave 1 in the null space of K, so that A^-1 has the eigenvalue 1/a there, which swamps the rest
    when a is small. P does not depend on what K is in that direction: the mean eigenvalue is put there instead.
    """
    gram = np.asarray(gram, dtype=np.float64)[np.ix_(order, order)]
    n = len(gram)
    row_means = gram.mean(axis=0)
    gram -= row_means[:, None]
    gram -= row_means[None, :] - row_means.mean()
    gram += np.trace(gram) / n**2
    return np.asfortranarray(gram)


def _errors_at_penalty(gram: NDArray, responses: NDArray, bounds: NDArray, penalty: float):
    """Return errors of every outer fold and sums of squared errors of its inner folds, at one penalty.

    Parameters
    ----------
    gram : (n, n) array
        From `_centred_in_order`.
    responses : (n, targets) array
        Centred, in the same order, Fortran-ordered.
    bounds : (folds + 1,) array
        Fold i is the rows bounds[i]:bounds[i + 1].
    penalty : float
        The ridge penalty.

    Returns
    -------
    penalty, errors (n, targets), inner squared errors (folds, targets)
    """
    n = len(gram)
    projected = gram.copy(order="F")
    # The sum of row 0 is the eigenvalue of 1, common to all rows.
    mean_direction = gram[:, 0].sum() + penalty
    projected[np.diag_indices(n)] += penalty
    lapack.cholesky(projected)
    lapack.invert_from_cholesky(projected)
    projected -= 1.0 / (n * mean_direction)
    residuals = lapack.multiply_symmetric(projected, responses)

    folds = [slice(start, stop) for start, stop in pairwise(bounds)]
    factors, whitened = [], []
    errors = np.empty_like(residuals)
    for fold in folds:
        factor = projected[fold, fold].copy(order="F")
        lapack.cholesky(factor)
        solution = residuals[fold].copy(order="F")
        lapack.solve_triangular(factor, solution)
        factors.append(factor)
        whitened.append(solution.copy(order="F"))
        lapack.solve_triangular(factor, solution, transpose=True)
        errors[fold] = solution

    inner = np.zeros((len(folds), responses.shape[1]))
    for i, first in enumerate(folds):
        for j in range(i + 1, len(folds)):
            second = folds[j]
            # Block elimination of fold i from the system of folds i and j together.
            coupling = projected[second, first].T.copy(order="F")
            lapack.solve_triangular(factors[i], coupling)
            schur = projected[second, second].copy(order="F")
            lapack.subtract_gram(schur, coupling)
            lapack.cholesky(schur)
            errors_second = np.asfortranarray(residuals[second] - coupling.T @ whitened[i])
            lapack.solve_triangular(schur, errors_second)
            lapack.solve_triangular(schur, errors_second, transpose=True)
            errors_first = np.asfortranarray(whitened[i] - coupling @ errors_second)
            lapack.solve_triangular(factors[i], errors_first, transpose=True)
            inner[i] += np.einsum("ij,ij->j", errors_second, errors_second)
            inner[j] += np.einsum("ij,ij->j", errors_first, errors_first)
    return np.full(inner.shape, penalty), errors, inner


def _better(best, candidate, bounds: NDArray):
    """Keep, for each outer fold and target, the penalty with the smaller inner error."""
    penalty, errors, inner = best
    wins = candidate[2] < inner
    rows = np.repeat(wins, np.diff(bounds), axis=0)
    return (
        np.where(wins, candidate[0], penalty),
        np.where(rows, candidate[1], errors),
        np.where(wins, candidate[2], inner),
    )


def _assembled(blocks, responses: NDArray, order: NDArray) -> NestedRidge:
    predictions = np.empty(responses.shape)
    predictions[order] = responses[order] - np.concatenate([errors for _, errors, _ in blocks], axis=1)
    return NestedRidge(predictions, np.concatenate([penalty for penalty, _, _ in blocks], axis=1))
