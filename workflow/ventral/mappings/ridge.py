"""Exact nested cross-validation of ridge regression from one Gram matrix.

Let K (n, n) be the Gram matrix of all stimuli, a a penalty, and

    A = K + a I,    P = A^-1 - A^-1 1 1^T A^-1 / (1^T A^-1 1).

Ridge regression with a free intercept that is fitted without the stimuli S predicts those stimuli with the errors

    e_S = (P_SS)^-1 (P Y)_S,

without a refit. This is the block form of the leave-one-out identity (Golub, Heath and Wahba 1979, Technometrics
21:215). Cawley and Talbot (2007, JMLR 8:841) have the identity with an intercept. S = fold i gives the outer errors. S
= folds i and j together gives the errors of each of the two folds as inner fold, with the other as outer fold. So every
fit of a nested cross-validation at one penalty needs one inverse, and one small inverse for each pair of folds. All
splits share the one inverse.

Inner errors only choose the penalty, and are computed in float32 where float32 is precise enough. A correction in
float64 measures the precision at each penalty. If rounding could decide between two penalties, the errors of both are
computed again in float64. Predictions at the chosen penalties always have the precision of float64. They are solved in
float64, or from the float32 inverse by iterative refinement (Wilkinson 1963, Rounding Errors in Algebraic Processes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.held_out import (
    PROBED_FOLDS,
    PROBED_TARGETS,
    REFINED,
    REFINED_PROBES,
    TARGETS_AT_ONCE,
    Choice,
    contiguous,
    cross,
    first_choice,
    held_out_errors,
    in_standard_deviations,
    inverse_in,
    inverted,
    largest_relative_error,
    precise_inverse,
    settled,
    solved_errors,
    solver,
    spread,
)
from ventral.running.devices import is_tensor
from ventral.running.parallel import computed

# Inverses are kept until the penalties are chosen if all fit into this many bytes; otherwise they are computed again.
KEPT_BYTES = 2**29
# With as many targets, products for inner errors are in float32, even if the inverse is in float64.
MANY_TARGETS = 256


@dataclass(frozen=True)
class NestedRidge:
    """Held-out predictions of a nested cross-validation.

    Attributes
    ----------
    predictions : (n, targets) array
        Predicted response to each stimulus by the fit on the other outer folds, at the penalty chosen there.
    penalty : (folds, targets) array
        Penalty chosen for each target by the inner cross-validation of each outer fold.
    candidate : (folds, targets) integer array
        Index of the penalty among the candidates.
    """

    predictions: NDArray[np.float64]
    penalty: NDArray[np.float64]
    candidate: NDArray[np.intp]


def nested_ridge(
    gram: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike
) -> NestedRidge:
    """Predict every target for every stimulus by ridge regression, with penalties chosen within the training parts.

    Tensors of torch are computed with on their device, and the results are tensors there.

    The inner folds of an outer fold are the other outer folds. The penalty with the smallest sum of squared errors over
    the inner folds is chosen for each target, and the earlier of equals. The fit on all inner folds predicts the outer
    fold. The intercept is not penalised. The result equals refitting scikit-learn's ``Ridge(alpha=penalty)`` for every
    outer fold, inner fold and penalty, up to rounding.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors, K = X X^T. The intercept absorbs any centring of the features.
    responses : (n, targets) or (n,) array
        Finite values. Fit a target with missing stimuli on its own stimuli.
    folds : sequence of integer arrays
        Rows of each outer fold; three folds at least, each row in exactly one fold.
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
    if is_tensor(gram) or is_tensor(responses):
        from ventral.mappings.ridge_on_device import nested_ridge_of_tensors

        return nested_ridge_of_tensors(gram, responses, folds, penalties)
    responses, folds, penalties = checked(responses, folds, penalties)
    gram = checked_gram(gram, len(responses))
    (result,) = computed(*nested_ridge_graphs([(gram, penalty) for penalty in penalties], responses, [folds]))
    return result


def nested_ridge_graphs(
    candidates: Sequence[tuple[NDArray | Delayed, float | Delayed]],
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
) -> list[Delayed]:
    """Return the computation of `nested_ridge` as Dask graphs, one for each split.

    The results do not depend on the workers, because the tasks and the order of comparisons do not.

    Parameters
    ----------
    candidates : sequence of pairs
        Gram matrix (n, n) and penalty of each candidate, each a value or delayed. Most candidates share the matrix.
    responses : (n, targets) array
        Finite.
    splits : sequence of sequences of integer arrays
        Outer folds of each split, as `checked` returns them.
    """
    order = np.concatenate(splits[0])
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    in_order = {id(gram): delayed(_centred_in_order, pure=False, nout=2)(gram, order) for gram, _ in candidates}
    penalties = [penalty for _, penalty in candidates]
    candidates = [
        (centred, delayed(np.divide, pure=False)(penalty, scale))
        for gram, penalty in candidates
        for centred, scale in [in_order[id(gram)]]
    ]
    ordered, size = in_standard_deviations(responses[order])
    products = np.float32 if ordered.shape[1] >= MANY_TARGETS else None
    ordered = delayed(ordered, pure=False)
    inverses = [delayed(precise_inverse, pure=False)(gram, penalty) for gram, penalty in candidates]
    kept = inverses if len(candidates) * len(order) ** 2 * 4 <= KEPT_BYTES else [None] * len(candidates)
    results = []
    for folds in splits:
        # One object: Dask would search every list of folds for graphs, in every task.
        folds = delayed([place[fold] for fold in folds], pure=False, traverse=False)
        inner = [
            delayed(_inner_errors, pure=False)(inverse, gram, penalty, ordered, folds, products)
            for inverse, (gram, penalty) in zip(inverses, candidates, strict=True)
        ]
        first = delayed(first_choice, pure=False)(inner)
        exact = [
            delayed(_inner_errors_of_close, pure=False)(inverse, gram, penalty, ordered, folds, first, m)
            for m, (inverse, (gram, penalty)) in enumerate(zip(kept, candidates, strict=True))
        ]
        choice = delayed(settled, pure=False)(first, exact)
        parts = [
            delayed(_outer_errors, pure=False)(inverse, gram, penalty, ordered, folds, choice, m)
            for m, (inverse, (gram, penalty)) in enumerate(zip(kept, candidates, strict=True))
        ]
        results.append(delayed(_assembled, pure=False)(parts, responses, size, order, choice, penalties))
    return results


def nested_errors(
    gram: NDArray, responses: NDArray, splits: Sequence[Sequence[NDArray]], penalties: Sequence[float]
) -> list[tuple[NDArray, NDArray, NDArray]]:
    """Return the inner errors and choices of `nested_ridge` from one Gram matrix, for each split.

    All numbers are float64, because errors of different Gram matrices are compared.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors.
    responses : (n, targets) array
        Finite.
    splits : sequence of sequences of integer arrays
        Outer folds of each split.
    penalties : (m,) sequence
        Positive candidates.

    Returns
    -------
    list of (inner, predictions, penalty)
        Sums of squared errors over the inner folds (folds, targets) of standardised responses at the penalty chosen;
        predictions (n, targets); and the penalty (folds, targets).
    """
    centred, scale = _centred_in_order(gram, np.arange(len(gram)))
    ordered, size = in_standard_deviations(responses)
    best = [None] * len(splits)
    for penalty in penalties:
        inverse = inverse_in(np.float64, centred, penalty / scale)
        for s, folds in enumerate(splits):
            inner, _ = _inner_errors(inverse, centred, penalty / scale, ordered, folds)
            errors = np.empty(ordered.shape)
            for fold in folds:
                (errors[fold],) = solved_errors(inverse, [fold], ordered)
            if best[s] is None:
                best[s] = inner, errors, np.full(inner.shape, float(penalty))
                continue
            wins = inner < best[s][0]
            for i, fold in enumerate(folds):
                best[s][1][np.ix_(fold, wins[i])] = errors[np.ix_(fold, wins[i])]
            best[s][0][wins], best[s][2][wins] = inner[wins], penalty
    return [(inner, responses - errors * size, penalty) for inner, errors, penalty in best]


def checked(
    responses: ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike
) -> tuple[NDArray[np.float64], list[NDArray[np.intp]], NDArray[np.float64]]:
    """Return the arguments as arrays of the right shape, or raise ValueError as `nested_ridge` does."""
    responses, penalties = checked_values(responses, penalties)
    return responses, checked_folds(folds, len(responses)), penalties


def checked_values(responses: ArrayLike, penalties: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return responses (n, targets) and penalties (m,), or raise ValueError as `nested_ridge` does."""
    responses = np.asarray(responses, dtype=np.float64)
    if responses.ndim == 1:
        responses = responses[:, None]
    penalties = np.asarray(penalties, dtype=np.float64).ravel()
    if not np.isfinite(responses).all():
        column = int(np.flatnonzero(~np.isfinite(responses).all(axis=0))[0])
        raise ValueError(
            f"responses of target {column} are not all finite; fit a target with missing stimuli on those it has"
        )
    if not (penalties.size and np.isfinite(penalties).all() and (penalties > 0).all()):
        raise ValueError(f"penalties must be positive and finite, at least one; got {penalties}")
    return responses, penalties


def checked_gram(gram: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the Gram matrix of n stimuli as an array, or raise ValueError as `nested_ridge` does."""
    gram = np.asarray(gram, dtype=np.float64)
    if gram.shape != (n, n):
        raise ValueError(f"gram has shape {gram.shape}; with {n} stimuli in responses it must be ({n}, {n})")
    if not np.isfinite(gram).all():
        raise ValueError("gram has values that are not finite")
    return gram


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


def _centred_in_order(gram: NDArray, order: NDArray) -> tuple[NDArray, float]:
    """Return the Gram matrix (n, n) of centred features in the order of the folds, and its divisor.

    The matrix is divided by its mean eigenvalue, because its units may exceed the range of float32. Centred features
    leave 1 in the null space of K, where A^-1 has the eigenvalue 1/a. With a small a, that eigenvalue would swamp all
    others. P does not depend on K in that direction, so the mean eigenvalue is filled in there.
    """
    gram = np.asarray(gram, dtype=np.float64)[np.ix_(order, order)]
    n = len(gram)
    row_means = gram.mean(axis=0)
    gram -= row_means[:, None]
    gram -= row_means[None, :] - row_means.mean()
    scale = float(np.trace(gram)) / n
    scale = scale if scale > 0 else 1.0
    gram /= scale
    gram += 1 / n
    return gram, scale


def _inner_errors(
    inverse: NDArray,
    gram: NDArray,
    penalty: float,
    responses: NDArray,
    folds: Sequence[NDArray],
    products: type | None = None,
):
    """Return the sums of squared errors of the inner folds at one penalty, and their relative uncertainty.

    Products with the responses are in the precision `products`, or by default in that of the inverse.

    Returns
    -------
    inner : (folds, targets) array
        For each outer fold, the sum over all stimuli of the other folds.
    error : float
        Largest relative error on a sample of targets and pairs of folds; 0 for float64.
    """
    held = [contiguous(fold) for fold in folds]
    try:
        own = [inverted(inverse[cross(rows, rows)]) for rows in held]
        pairs = [_Pair.of(inverse, held, own, i, j) for i, j in combinations(range(len(folds)), 2)]
    except np.linalg.LinAlgError:
        if inverse.dtype == np.float64:
            raise
        # A block of P may be too ill-conditioned for float32 even if P itself is not.
        return _inner_errors(inverse_in(np.float64, gram, penalty), gram, penalty, responses, folds, products)
    products = products or inverse.dtype
    multiplied, own = inverse.astype(products, copy=False), [part.astype(products, copy=False) for part in own]
    rounded = [pair.astype(products) for pair in pairs]
    squares = np.empty((len(pairs), 2, responses.shape[1]))
    for start in range(0, responses.shape[1], TARGETS_AT_ONCE):
        block = slice(start, start + TARGETS_AT_ONCE)
        projected = multiplied @ responses[:, block].astype(products)
        projected = [projected[rows] for rows in held]
        alone = [inverted @ values for inverted, values in zip(own, projected, strict=True)]
        for pair, of_pair in zip(rounded, squares, strict=True):
            for errors, sums in zip(pair.errors(alone[pair.i], projected[pair.j]), of_pair, strict=True):
                sums[block] = np.einsum("ij,ij->j", errors, errors)
    inner = np.zeros((len(folds), responses.shape[1]))
    for pair, (of_i, of_j) in zip(pairs, squares, strict=True):
        inner[pair.i] += of_j
        inner[pair.j] += of_i
    if products == np.float64:
        return inner, 0.0
    return inner, _relative_error(squares, pairs, inverse, gram, penalty, responses, folds)


@dataclass(frozen=True)
class _Pair:
    """Two folds i and j, with the blocks that apply (P_SS)^-1 for S = i and j together, eliminating i first."""

    i: int
    j: int
    own: NDArray
    across: NDArray
    coupling: NDArray
    rest: NDArray

    @classmethod
    def of(cls, inverse: NDArray, held: Sequence, own: Sequence[NDArray], i: int, j: int) -> "_Pair":
        across = inverse[cross(held[j], held[i])]
        coupling = own[i] @ across.T
        rest = inverted(inverse[cross(held[j], held[j])] - across @ coupling)
        return cls(i, j, own[i], across, coupling, rest)

    def astype(self, dtype: type) -> "_Pair":
        """Return the pair with blocks of another precision."""
        blocks = (self.own, self.across, self.coupling, self.rest)
        return _Pair(self.i, self.j, *(block.astype(dtype, copy=False) for block in blocks))

    def errors(self, alone: NDArray, projected: NDArray) -> tuple[NDArray, NDArray]:
        """Return errors of both folds by fits without both, given errors of i by fits without i, and (P Y) of j."""
        of_j = self.rest @ (projected - self.across @ alone)
        return alone - self.coupling @ of_j, of_j

    def solve(self, of_i: NDArray, of_j: NDArray) -> tuple[NDArray, NDArray]:
        """Return (P_SS)^-1 times a right side, both in two parts for i and j."""
        return self.errors(self.own @ of_i, of_j)


def _relative_error(squares: NDArray, pairs: Sequence[_Pair], inverse, gram, penalty, responses, folds) -> float:
    """Return the largest relative error of squared errors (pairs, 2, targets), on a sample of them."""
    # Rounding matters most for the best predicted target, so the sample goes from the smallest errors to the largest.
    targets = np.argsort(squares.sum(axis=(0, 1)))[spread(responses.shape[1], PROBED_TARGETS)]
    probed = spread(len(pairs), PROBED_FOLDS)
    wanted = {(pairs[k].i, pairs[k].j): targets for k in probed}
    solvers = [pairs[k].solve for k in probed]
    exact = _exact_errors(inverse, gram, penalty, responses, folds, wanted, REFINED_PROBES, solvers)
    return max(largest_relative_error(squares[k][:, targets], errors) for k, errors in zip(probed, exact, strict=True))


def _exact_errors(
    inverse, gram, penalty, responses, folds, wanted: Mapping, tolerance: float = REFINED, solvers=None
) -> list[Sequence[NDArray]]:
    """Return the errors of both folds of pairs in float64, by fits without both, for some targets of each pair.

    Parameters
    ----------
    wanted : mapping
        Targets (c,) of each pair of folds (i, j).
    tolerance, solvers
        As for `held_out_errors`.
    """
    if inverse.dtype != np.float64:
        groups = [(pair, responses[:, some]) for pair, some in wanted.items()]
        return held_out_errors(inverse, gram, penalty, folds, groups, tolerance, solvers)
    # One product with the inverse serves all pairs.
    every = np.unique(np.concatenate(list(wanted.values())))
    projected = inverse @ responses[:, every]
    solvers = solvers or (solver(inverse, [folds[k] for k in pair]) for pair in wanted)
    return [
        solve(*(projected[cross(contiguous(folds[k]), np.searchsorted(every, some))] for k in pair))
        for solve, (pair, some) in zip(solvers, wanted.items(), strict=True)
    ]


def _inner_errors_of(inverse, gram, penalty, responses, folds, targets: Sequence[NDArray]) -> list[NDArray]:
    """Return the sums of squared errors of inner folds in float64, for some targets of each outer fold."""
    # Targets of both outer folds share the fit without both.
    pairs = {(i, j): np.union1d(targets[i], targets[j]) for i, j in combinations(range(len(folds)), 2)}
    pairs = {pair: wanted for pair, wanted in pairs.items() if len(wanted)}
    errors = _exact_errors(inverse, gram, penalty, responses, folds, pairs)
    inner = [np.zeros(len(some)) for some in targets]
    for (i, j), (of_i, of_j) in zip(pairs, errors, strict=True):
        inner[i] += np.square(of_j).sum(axis=0)[np.searchsorted(pairs[i, j], targets[i])]
        inner[j] += np.square(of_i).sum(axis=0)[np.searchsorted(pairs[i, j], targets[j])]
    return inner


def _inner_errors_of_close(inverse, gram, penalty, responses, folds, choice: Choice, m: int) -> NDArray:
    """Return the inner errors (folds, targets) of one candidate in float64; inf if it is not close to the best.

    An inverse that was not kept is computed again, here and for the outer errors.
    """
    result = np.full(choice.candidate.shape, np.inf)
    targets = [np.flatnonzero(of_fold) for of_fold in choice.close[m]]
    if any(len(some) for some in targets):
        inverse = precise_inverse(gram, penalty) if inverse is None else inverse
        inner = _inner_errors_of(inverse, gram, penalty, responses, folds, targets)
        for i, (some, errors) in enumerate(zip(targets, inner, strict=True)):
            result[i, some] = errors
    return result


def _outer_errors(inverse, gram, penalty, responses, folds, choice: NDArray, m: int) -> list[tuple]:
    """Return, for each outer fold, its rows, the targets that chose a candidate, and their errors in float64."""
    chosen = [(k, np.flatnonzero(of_fold == m)) for k, of_fold in enumerate(choice)]
    chosen = [(k, targets) for k, targets in chosen if len(targets)]
    if not chosen:
        return []
    inverse = precise_inverse(gram, penalty) if inverse is None else inverse
    groups = [((k,), responses[:, targets]) for k, targets in chosen]
    errors = held_out_errors(inverse, gram, penalty, folds, groups)
    return [(folds[k], targets, of_fold) for (k, targets), (of_fold,) in zip(chosen, errors, strict=True)]


def _assembled(parts, responses: NDArray, size, order: NDArray, choice: NDArray, penalties) -> NestedRidge:
    predictions = responses.copy()
    for part in parts:
        for rows, targets, errors in part:
            predictions[np.ix_(order[rows], targets)] -= errors * size[targets]
    return NestedRidge(predictions, np.array(penalties)[choice], choice)
