"""Errors of ridge regression on held-out stimuli, from one inverse at one penalty.

`ventral.mappings.ridge` states the identity and defines A and P. This module computes P, in float32 where float32 is
precise enough, and errors in float64. It also chooses among penalties by errors of either precision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ventral.mappings import lapack

# With fewer stimuli, float64 takes less time than float32 with its checks.
FLOAT32_FROM = 768
# Largest relative error of A^-1 A v, with the inverse in float32, for which iterative refinement still converges.
LARGEST_DEFECT = 0.02
# Targets, and folds or pairs of folds, on which the error of float32 is measured.
PROBED_TARGETS, PROBED_FOLDS = 8, 3
# Two errors are different if they differ by this multiple of the error of float32.
MARGIN = 10.0
# Residuals, as a share of the targets, at which refinement ends: for predictions, and for the probes of float32.
REFINED, REFINED_PROBES = 1e-9, 1e-6
MOST_REFINEMENTS = 12
# Number of targets in a block of products, such that the block stays in the processor's cache.
TARGETS_AT_ONCE = 1024
# Rows that are copied at a time from one matrix (n, n) to another.
ROWS_AT_ONCE = 256


def in_standard_deviations(responses: NDArray) -> tuple[NDArray, NDArray]:
    """Return responses with mean 0 and standard deviation 1, and their divisors; constant responses become 0."""
    centred = responses - responses.mean(axis=0)
    size = centred.std(axis=0)
    size[size == 0] = 1
    return centred / size, size


def precise_inverse(gram: NDArray, penalty: float) -> NDArray:
    """Return P (n, n) at one penalty, in float32 where that is precise enough to be refined, else in float64."""
    inverse = float32_inverse(gram, penalty)
    return inverse_in(np.float64, gram, penalty) if inverse is None else inverse


def float32_inverse(gram: NDArray, penalty: float) -> NDArray | None:
    """Return P (n, n) at one penalty in float32, or None where it is too imprecise to be refined or saves no time."""
    if len(gram) < FLOAT32_FROM:
        return None
    try:
        inverse = inverse_in(np.float32, gram, penalty)
    except np.linalg.LinAlgError:
        return None
    return inverse if _defect(inverse, gram, penalty) <= LARGEST_DEFECT else None


def inverse_in(dtype: type, gram: NDArray, penalty: float) -> NDArray:
    """Return P (n, n) at one penalty, in a given precision."""
    inverse, n = penalised(dtype, gram, penalty), len(gram)
    # The sum of row 0 is the eigenvalue of 1, common to all rows.
    mean_direction = gram[:1].sum() + penalty
    lapack.invert(inverse)
    inverse -= 1.0 / (n * mean_direction)
    return inverse


def penalised(dtype: type, gram: NDArray, penalty: float) -> NDArray:
    """Return A = K + a I (n, n) at one penalty, from a Gram matrix of centred features that gives its rows."""
    n = len(gram)
    result = np.empty((n, n), dtype=dtype)
    for rows in row_blocks(n):
        result[rows] = gram[rows]
    result[np.diag_indices(n)] += penalty
    return result


def row_blocks(n: int, size: int = ROWS_AT_ONCE) -> list[slice]:
    """Return blocks of n rows, each of `size` rows but the last."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _defect(inverse: NDArray, gram: NDArray, penalty: float) -> float:
    """Return the relative error of random vectors after multiplication by A and then by its computed inverse."""
    vectors = np.random.default_rng(0).standard_normal((len(gram), 4))
    vectors -= vectors.mean(axis=0)
    applied = gram @ vectors + penalty * vectors
    back = inverse @ applied.astype(inverse.dtype)
    return float(np.max(np.linalg.norm(back - vectors, axis=0) / np.linalg.norm(vectors, axis=0)))


def held_out_errors(
    inverse: NDArray, gram: NDArray, penalty: float, folds, groups, tolerance: float = REFINED, solvers=None
) -> list[list[NDArray]]:
    """Return the errors of held-out stimuli in float64, of fits without them.

    Parameters
    ----------
    inverse : (n, n) array
        P, in float32 or float64.
    gram, penalty
        Gram matrix and penalty that belong to `inverse`.
    folds : sequence of integer arrays
        Rows of each fold.
    groups : sequence of pairs
        Numbers of one fold or two folds to hold out, as a tuple, and targets (n, c) to predict for their rows.
    tolerance : float
        Largest residuals allowed, as a share of the targets.
    solvers : sequence of functions, optional
        Solver for P_SS of each group, S being the rows of the group; takes the right side in parts, one for each fold.

    Returns
    -------
    list of lists of (rows, c) arrays
        Errors of each fold of each group.
    """
    n_targets = sum(values.shape[1] for _, values in groups)
    if inverse.dtype == np.float64 or n_targets * 6 > len(gram):
        if inverse.dtype == np.float32:
            # With many targets, a new inverse takes less time than refinement.
            inverse = inverse_in(np.float64, gram, penalty)
        return [solved_errors(inverse, [folds[k] for k in members], values) for members, values in groups]
    refined = refined_errors(inverse, gram, penalty, folds, groups, tolerance, solvers)
    if refined is None:
        return held_out_errors(inverse_in(np.float64, gram, penalty), gram, penalty, folds, groups)
    return refined


def refined_errors(
    inverse: NDArray, gram: NDArray, penalty: float, folds, groups, tolerance: float, solvers
) -> list[list[NDArray]] | None:
    """Return the held-out errors by iterative refinement of the dual coefficients; None without convergence.

    Targets are rows here, because products of few rows with a symmetric matrix are faster than those of few columns.
    """
    blocks = [contiguous(fold) for fold in folds]
    try:
        solvers = solvers or [solver(inverse, [folds[k] for k in members]) for members, _ in groups]
    except np.linalg.LinAlgError:
        # A block of P may be too ill-conditioned for float32 even if P itself is not.
        return None
    responses = np.concatenate([values.T for _, values in groups])
    ends = np.cumsum([0, *(values.shape[1] for _, values in groups)])
    parts = [
        (slice(start, stop), [blocks[k] for k in members], solve)
        for (members, _), solve, (start, stop) in zip(groups, solvers, pairwise(ends), strict=True)
    ]
    held = np.zeros(responses.shape, dtype=bool)
    for of_group, members, _ in parts:
        for rows in members:
            held[of_group, rows] = True
    n_training = (~held).sum(axis=1, keepdims=True)
    training = np.where(held, 0, responses)
    size = np.linalg.norm(training, axis=1, keepdims=True)
    size[size == 0] = 1
    coefficients = np.zeros(responses.shape)
    # The intercept is the mean residual of the training part.
    unexplained, intercept = responses, training.sum(axis=1, keepdims=True) / n_training
    for _ in range(MOST_REFINEMENTS):
        residual = np.where(held, 0, unexplained - intercept)
        length = np.linalg.norm(residual, axis=1, keepdims=True)
        if (length <= tolerance * size).all():
            # Held-out stimuli have coefficients 0, so their residuals are the errors.
            errors = unexplained - intercept
            return [[errors[of_group, rows].T for rows in members] for of_group, members, _ in parts]
        length[length == 0] = 1
        change = (residual / length).astype(inverse.dtype) @ inverse
        for of_group, members, solve in parts:
            solved = solve(*(change[of_group, rows].T for rows in members))
            for rows, of_rows in zip(members, solved, strict=True):
                change[of_group] -= of_rows.T @ inverse[rows]
        change = np.where(held, 0, change * length)
        coefficients += np.where(held, 0, change - change.sum(axis=1, keepdims=True) / n_training)
        unexplained = responses - coefficients @ gram - penalty * coefficients
        intercept = np.where(held, 0, unexplained).sum(axis=1, keepdims=True) / n_training
    return None


def solved_errors(inverse: NDArray, members: Sequence[NDArray], values: NDArray) -> list[NDArray]:
    """Return the held-out errors of each of some folds, held out together, from P in float64."""
    return solver(inverse, members)(*(inverse[contiguous(fold)] @ values for fold in members))


def solver(inverse: NDArray, members: Sequence[NDArray]) -> Callable:
    """Return a function that solves for P_SS, S being some folds together, given the right side by fold."""
    rows = np.concatenate(members)
    factored = np.array(inverse[cross(contiguous(rows), contiguous(rows))], order="C")
    lapack.factorise(factored)
    ends = np.cumsum([len(fold) for fold in members])[:-1]
    return lambda *parts: np.split(lapack.solve(factored, np.concatenate(parts)), ends)


def squared_errors(inverse: NDArray, responses: NDArray, folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return the sums of squared errors (folds, targets) of each fold by the fit without that fold, from P (n, n)."""
    result = np.empty((len(folds), responses.shape[1]))
    for k, fold in enumerate(folds):
        solve = solver(inverse, [fold])
        for block in row_blocks(responses.shape[1], TARGETS_AT_ONCE):
            (errors,) = solve(inverse[contiguous(fold)] @ responses[:, block].astype(inverse.dtype))
            result[k, block] = np.einsum("ij,ij->j", errors, errors)
    return result


def spread(count: int, number: int) -> NDArray[np.intp]:
    """Return `number` of `count` indices, evenly spaced from first to last; all indices if there are fewer."""
    return np.unique(np.linspace(0, count - 1, number).astype(int))


def largest_relative_error(squares: NDArray, errors: Sequence[NDArray]) -> float:
    """Return the largest relative error of sums of squares (parts, targets), given each part's errors in float64."""
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.abs(squares / [np.square(part).sum(axis=0) for part in errors] - 1)
    return float(np.nanmax(relative, initial=0.0))


@dataclass(frozen=True)
class Choice:
    """Candidate (folds, targets) with the smallest inner error, and those that may be as good (m, folds, targets)."""

    candidate: NDArray[np.intp]
    close: NDArray[np.bool_]


def first_choice(inner: Sequence[tuple[NDArray, float]]) -> Choice:
    """Choose among candidates by their errors (folds, targets), given the relative uncertainty of these errors."""
    errors = np.stack([errors for errors, _ in inner])
    candidate = errors.argmin(axis=0)
    off = MARGIN * np.array([error for _, error in inner])[:, None, None]
    smallest = errors.min(axis=0)
    close = errors * (1 - off) <= smallest * (1 + np.take_along_axis(off[..., 0], candidate, axis=0))
    # Errors in float64 are certain, so they need no second look.
    uncertain = (close.sum(axis=0) > 1) & np.any(off > 0)
    return Choice(candidate, close & uncertain)


def settled(choice: Choice, exact: Sequence[NDArray]) -> NDArray[np.intp]:
    """Return the candidate (folds, targets) given each candidate's errors in float64, inf where it is not close."""
    exact = np.stack(exact)
    return np.where(np.isfinite(exact).any(axis=0), exact.argmin(axis=0), choice.candidate)


def contiguous(rows: NDArray) -> NDArray | slice:
    """Return consecutive rows as a slice, whose block needs no copy; other rows unchanged."""
    in_order = len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))
    return slice(int(rows[0]), int(rows[0]) + len(rows)) if in_order else rows


def cross(rows, columns):
    """Return the index of the block of some rows and columns of a matrix."""
    return (rows, columns) if isinstance(rows, slice) or isinstance(columns, slice) else np.ix_(rows, columns)


def inverted(matrix: NDArray) -> NDArray:
    """Return the inverse of a symmetric positive definite matrix."""
    result = np.array(matrix, order="C")
    lapack.invert(result)
    return result
