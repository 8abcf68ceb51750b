"""Exact ridge regression that is fitted on one training set and predicts one test set.

The penalty of a target is chosen by folds within the training set, or on a validation set. A and P are those of
`ventral.mappings.ridge` for the training stimuli. The errors of a fold S of the training set are (P_SS)^-1 (P Y)_S, so
one inverse serves all folds at one penalty. Predictions for validation or test stimuli are

    K_oT c + b,    c = A^-1 (Y - mean of Y),

from one Cholesky factor in float64, with K centred by the training stimuli. The training part of the Gram matrix is
never copied. A is filled in blocks of rows from the given matrix, and its factor or inverse overwrites A. So each task
holds one matrix (n, n) besides the given matrix.

With fewer features than training stimuli, the fits of `ventral.mappings.ridge_features` may take less time.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import ArrayLike, NDArray

from ventral.mappings import lapack
from ventral.mappings.held_out import (
    FLOAT32_FROM,
    PROBED_FOLDS,
    PROBED_TARGETS,
    REFINED,
    REFINED_PROBES,
    ROWS_AT_ONCE,
    TARGETS_AT_ONCE,
    Choice,
    contiguous,
    cross,
    first_choice,
    float32_inverse,
    in_standard_deviations,
    inverse_in,
    largest_relative_error,
    penalised,
    refined_errors,
    row_blocks,
    settled,
    spread,
    squared_errors,
)
from ventral.mappings.ridge import checked_gram, checked_values
from ventral.mappings.ridge_features import DECOMPOSITION, FEATURE_ROWS_AT_ONCE, FLOAT32_SAVES, FeatureFit
from ventral.running.devices import is_tensor
from ventral.running.parallel import computed

logger = logging.getLogger(__name__)

# Fits that need more memory than this are announced in the log.
STATED_FROM = 2**30
# Number of targets times folds that are refined at a time, so that their arrays are small beside a matrix (n, n).
REFINED_AT_ONCE = 256


@dataclass(frozen=True)
class TestSetRidge:
    """Predictions of a test set.

    Attributes
    ----------
    predictions : (n_test, targets) array
        In the order of the test rows.
    penalty : (targets,) array
        Penalty chosen for each target.
    candidate : (targets,) integer array
        Index of the penalty among the candidates.
    """

    predictions: NDArray[np.float64]
    penalty: NDArray[np.float64]
    candidate: NDArray[np.intp]


@dataclass(frozen=True)
class Memory:
    """Bytes that a computation needs, once and for each task that runs at once."""

    shared: int
    per_task: int


def test_set_ridge(
    gram: ArrayLike,
    responses: ArrayLike,
    training: ArrayLike,
    test: ArrayLike,
    inner: Sequence[ArrayLike],
    penalties: ArrayLike,
) -> TestSetRidge:
    """Predict every target for the test stimuli by ridge regression on the training stimuli.

    Tensors of torch are computed with on their device, and the results are tensors there.

    The penalty with the smallest sum of squared errors over the inner folds, or the validation stimuli, is chosen for
    each target. The earlier of equals is chosen. The fit on all training stimuli predicts the test stimuli; validation
    stimuli only choose the penalty. The intercept is not penalised. The result equals scikit-learn's
    ``Ridge(alpha=penalty)``, refitted for every inner fold and penalty, up to rounding.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the feature vectors of all stimuli, K = X X^T. The intercept absorbs any centring.
    responses : (n, targets) or (n,) array
        Finite values. Those of test stimuli are not used.
    training, test : integer arrays
        Rows without repeats; no row is in both. Rows in neither are not used.
    inner : sequence of integer arrays
        Two or more arrays are a partition of the training rows into inner folds. One array has the validation rows,
        none of which is in `training` or `test`.
    penalties : (m,) array
        Positive candidates, in the units of the Gram matrix.

    Returns
    -------
    TestSetRidge

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, sets of rows are not as described, or a penalty is not positive.
    """
    if is_tensor(gram) or is_tensor(responses):
        from ventral.mappings.ridge_on_device import test_set_ridge_of_tensors

        return test_set_ridge_of_tensors(gram, responses, training, test, inner, penalties)
    responses, penalties = checked_values(responses, penalties)
    gram = checked_gram(gram, len(responses))
    training, test, inner = checked_sets(training, test, inner, len(responses))
    candidates = [(gram, penalty) for penalty in penalties]
    (result,) = computed(test_set_ridge_graph(candidates, responses, training, test, inner))
    return result


def test_set_ridge_graph(
    candidates: Sequence[tuple[NDArray | Delayed, float | Delayed]],
    responses: NDArray,
    training: NDArray,
    test: NDArray,
    inner: Sequence[NDArray],
) -> Delayed:
    """Return the computation of `test_set_ridge` as a Dask graph.

    The result does not depend on the workers, because the tasks and the order of comparisons do not.

    Parameters
    ----------
    candidates : sequence of pairs
        Gram matrix (n, n) and penalty of each candidate, each a value or delayed. Most candidates share the matrix.
    responses : (n, targets) array
        Finite.
    training, test, inner
        As `checked_sets` returns them.
    """
    order = training if len(inner) == 1 else np.concatenate(inner)
    grams = {id(gram): delayed(TrainingGram, pure=False)(gram, order) for gram, _ in candidates}
    fits = [(grams[id(gram)], penalty) for gram, penalty in candidates]
    mean, (ordered, size) = responses[order].mean(axis=0), in_standard_deviations(responses[order])
    ordered = delayed(ordered, pure=False)
    if len(inner) == 1:
        errors_at, held_out = _validation_errors, (inner[0], delayed((responses[inner[0]] - mean) / size, pure=False))
    else:
        errors_at, held_out = _fold_errors, (np.split(np.arange(len(order)), np.cumsum([*map(len, inner)])[:-1]),)
    errors = [delayed(errors_at, pure=False)(gram, penalty, ordered, *held_out) for gram, penalty in fits]
    first = delayed(first_choice, pure=False)(errors)
    exact = [
        delayed(_errors_of_close, pure=False)(gram, penalty, ordered, held_out[0], first, errors[m], m)
        for m, (gram, penalty) in enumerate(fits)
    ]
    choice = delayed(settled, pure=False)(first, exact)[0]
    parts = [
        delayed(_predictions, pure=False)(gram, penalty, ordered, test, choice, m)
        for m, (gram, penalty) in enumerate(fits)
    ]
    penalties = [penalty for _, penalty in candidates]
    return delayed(_assembled, pure=False)(parts, mean, size, len(test), choice, penalties)


def test_set_feature_graph(
    features: NDArray | Delayed,
    penalties: Sequence[float | Delayed],
    responses: NDArray,
    training: NDArray,
    test: NDArray,
    inner: Sequence[NDArray],
) -> Delayed:
    """Return the computation by matrices (p, p) as a Dask graph.

    Parameters
    ----------
    features : (n, p) array
        X, given or delayed.
    penalties : sequence of floats
        Each given or delayed.
    responses, training, test, inner
        As for `test_set_ridge_graph`.
    """
    features, values = delayed(features, pure=False), delayed(responses, pure=False)
    errors = [
        delayed(_feature_errors, pure=False)(features, values, np.setdiff1d(training, held), held, penalties)
        for held in inner
    ]
    choice = delayed(_smallest, pure=False)(errors)
    return delayed(_feature_predictions, pure=False)(features, values, training, test, penalties, choice)


def cheaper_test_set_graph(
    gram: NDArray | Delayed,
    features: NDArray | Delayed | None,
    n_features: int,
    penalties: Sequence[float | Delayed],
    responses: NDArray,
    training: NDArray,
    test: NDArray,
    inner: Sequence[NDArray],
) -> Delayed:
    """Return the computation by the faster of the two forms; log the memory that a large one needs.

    Parameters
    ----------
    gram : (n, n) array
        Given or delayed.
    features : (n, p) array or None
        All features, given or delayed, if they are available.
    n_features : int
        Number of features, p.
    penalties, responses, training, test, inner
        As for `test_set_feature_graph`.
    """
    by_features = features is not None and few_enough(
        n_features, len(training), [len(held) for held in inner], responses.shape[1], len(penalties)
    )
    memory = bytes_needed(
        len(training), len(responses), n_features if by_features else None, responses.shape[1], max(map(len, inner))
    )
    if memory.shared + memory.per_task > STATED_FROM:
        logger.info(
            "ridge on %d training stimuli and %d test stimuli, by %s: needs %.1f GiB, and %.1f GiB for each task",
            len(training),
            len(test),
            f"{n_features} features" if by_features else "the Gram matrix",
            memory.shared / 2**30,
            memory.per_task / 2**30,
        )
    if by_features:
        return test_set_feature_graph(features, penalties, responses, training, test, inner)
    return test_set_ridge_graph([(gram, penalty) for penalty in penalties], responses, training, test, inner)


def few_enough(p: int, n: int, inner_sizes: Sequence[int], n_targets: int, n_penalties: int) -> bool:
    """Tell whether matrices (p, p) are faster than matrices (n, n), by their numbers of multiplications.

    Parameters
    ----------
    p, n : int
        Numbers of features and training stimuli.
    inner_sizes : sequence of int
        Number of stimuli in each inner fold, or in the validation set alone.
    n_targets, n_penalties : int
    """
    features = (len(inner_sizes) + 1) * (p**2 * n + DECOMPOSITION * p**3 + 2 * p * (n + p) * n_targets)
    features += n_penalties * 2 * sum(inner_sizes) * p * n_targets
    prediction = n**3 / 3 + 2 * n**2 * n_targets
    inverse = n**3 * (1 - FLOAT32_SAVES * (n >= FLOAT32_FROM)) + sum(size**3 / 3 for size in inner_sizes)
    errors = prediction if len(inner_sizes) == 1 else inverse + 2 * n**2 * n_targets
    return p < n and features < n_penalties * (errors + prediction)


def bytes_needed(n_training: int, n_stimuli: int, n_features: int | None, n_targets: int, largest_inner: int) -> Memory:
    """Return the memory that a computation needs, its inputs included.

    Parameters
    ----------
    n_training, n_stimuli : int
        Numbers of training stimuli, and of all stimuli of the Gram matrix or the features.
    n_features : int or None
        Number of features for the form by features; None for the form by the Gram matrix.
    n_targets : int
    largest_inner : int
        Number of stimuli in the largest inner fold, or in the validation set.
    """
    targets = min(n_targets, TARGETS_AT_ONCE)
    # Given and standardised responses, and the temporary arrays of standardising.
    responses = n_targets * (n_stimuli + 4 * n_training)
    if n_features is None:
        task = n_training**2 + 2 * largest_inner**2 + n_training * (3 * targets + 4 * ROWS_AT_ONCE)
        return Memory(8 * (n_stimuli**2 + responses), 8 * task)
    rows = max(FEATURE_ROWS_AT_ONCE, largest_inner)
    task = 5 * n_features**2 + 3 * rows * (n_features + targets) + n_training * targets
    return Memory(8 * (n_stimuli * n_features + responses), 8 * task)


def checked_sets(
    training: ArrayLike, test: ArrayLike, inner: Sequence[ArrayLike], n: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[NDArray[np.intp]]]:
    """Return the sets of rows of n stimuli as index arrays, or raise ValueError as `test_set_ridge` does."""
    training, test = _checked_rows("training", training, n), _checked_rows("test", test, n)
    inner = [_checked_rows(f"inner set {k}", rows, n) for k, rows in enumerate(inner)]
    if np.intersect1d(training, test).size:
        raise ValueError(f"row {np.intersect1d(training, test)[0]} is in training and in test")
    if not inner:
        raise ValueError("inner is empty; it must hold two or more folds of the training rows, or validation rows")
    if len(inner) == 1:
        for name, rows in (("training", training), ("test", test)):
            if np.intersect1d(rows, inner[0]).size:
                raise ValueError(f"validation row {np.intersect1d(rows, inner[0])[0]} is in {name}")
    elif not np.array_equal(np.sort(np.concatenate(inner)), np.sort(training)):
        raise ValueError(f"inner folds must hold each of the {len(training)} training rows exactly once")
    return training, test, inner


def _checked_rows(name: str, rows: ArrayLike, n: int) -> NDArray[np.intp]:
    rows = np.asarray(rows).ravel()
    if not len(rows):
        raise ValueError(f"{name} is empty")
    if rows.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integer rows, got {rows.dtype}")
    if rows.min() < 0 or rows.max() >= n or len(np.unique(rows)) < len(rows):
        raise ValueError(f"{name} must hold rows from 0 to {n - 1} without repeats")
    return rows.astype(np.intp)


class TrainingGram:
    """The Gram matrix of training stimuli with centred features, whose rows are computed from a given matrix on demand.

    As in `ventral.mappings.ridge`, the matrix is divided by its mean eigenvalue, `scale`. In the direction of the mean,
    on which P does not depend, the matrix has this mean eigenvalue, 1.

    Parameters
    ----------
    gram : (n, n) array
        Gram matrix of all stimuli, with features that are not centred.
    rows : (t,) integer array
        Training stimuli.
    """

    # This makes NumPy leave products with this matrix to its own methods.
    __array_ufunc__ = None

    def __init__(self, gram: NDArray, rows: NDArray) -> None:
        self.gram, self.rows, self.columns = gram, rows, contiguous(rows)
        self.row_means = np.concatenate([self._given(rows[block]).mean(axis=1) for block in row_blocks(len(rows))])
        self.mean = self.row_means.mean()
        scale = float((gram[rows, rows] - 2 * self.row_means + self.mean).mean())
        self.scale = scale if scale > 0 else 1.0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, block: slice) -> NDArray[np.float64]:
        return self.between(self.rows[block], self.row_means[block]) + 1 / len(self)

    def __matmul__(self, columns: NDArray) -> NDArray[np.float64]:
        return np.concatenate([self[block] @ columns for block in row_blocks(len(self))])

    def __rmatmul__(self, rows: NDArray) -> NDArray[np.float64]:
        return np.concatenate([rows @ self[block].T for block in row_blocks(len(self))], axis=1)

    def between(self, others: NDArray, means: NDArray | None = None) -> NDArray[np.float64]:
        """Return centred products (others, t) of other stimuli of the given matrix with the training stimuli."""
        result = self._given(others)
        means = result.mean(axis=1) if means is None else means
        result -= means[:, None]
        result -= self.row_means - self.mean
        result /= self.scale
        return result

    def _given(self, others: NDArray) -> NDArray[np.float64]:
        return np.array(self.gram[cross(contiguous(others), self.columns)], dtype=np.float64)


def _fold_errors(gram: TrainingGram, penalty: float, responses, folds) -> tuple[NDArray, float]:
    """Return the sums of squared errors (1, targets) over inner folds at one penalty, and their uncertainty."""
    found = _float32_fold_errors(gram, penalty / gram.scale, responses, folds)
    return (_float64_fold_errors(gram, penalty / gram.scale, responses, folds), 0.0) if found is None else found


def _float32_fold_errors(gram: TrainingGram, penalty: float, responses, folds) -> tuple[NDArray, float] | None:
    """Return errors and the largest relative error of a sample of them; None if too imprecise."""
    inverse = float32_inverse(gram, penalty)
    if inverse is None:
        return None
    try:
        squares = squared_errors(inverse, responses, folds)
    except np.linalg.LinAlgError:
        # A block of P may be too ill-conditioned for float32 even if P itself is not.
        return None
    targets, probed = spread(responses.shape[1], PROBED_TARGETS), spread(len(folds), PROBED_FOLDS)
    groups = [((k,), responses[:, targets]) for k in probed]
    exact = refined_errors(inverse, gram, penalty, folds, groups, REFINED_PROBES, None)
    if exact is None:
        return None
    off = max(largest_relative_error(squares[[k]][:, targets], errors) for k, errors in zip(probed, exact, strict=True))
    return squares.sum(axis=0, keepdims=True), off


def _float64_fold_errors(gram: TrainingGram, penalty: float, responses, folds) -> NDArray[np.float64]:
    return squared_errors(inverse_in(np.float64, gram, penalty), responses, folds).sum(axis=0, keepdims=True)


def _validation_errors(gram: TrainingGram, penalty: float, responses, validation, measured) -> tuple[NDArray, float]:
    """Return the sums of squared errors (1, targets) of validation stimuli at one penalty, in float64."""
    errors = measured - _predicted(gram, penalty, responses, validation)
    return np.einsum("ij,ij->j", errors, errors)[None], 0.0


def _errors_of_close(gram: TrainingGram, penalty, responses, folds, choice: Choice, found, m: int) -> NDArray:
    """Return the errors (1, targets) of one candidate in float64; inf if it is not close to the best."""
    errors, off = found
    close = choice.close[m]
    if off > 0 and close.any():
        errors = errors.copy()
        errors[close] = _precise_fold_errors(gram, penalty / gram.scale, responses[:, close[0]], folds)[0]
    return np.where(close, errors, np.inf)


def _precise_fold_errors(gram: TrainingGram, penalty: float, responses, folds) -> NDArray[np.float64]:
    """Return the sums of squared errors (1, targets) in float64, by refinement where that takes less time."""
    refined = None
    if len(folds) * responses.shape[1] * 6 <= len(gram):
        refined = _refined_fold_errors(gram, penalty, responses, folds)
    return _float64_fold_errors(gram, penalty, responses, folds) if refined is None else refined


def _refined_fold_errors(gram: TrainingGram, penalty: float, responses, folds) -> NDArray[np.float64] | None:
    inverse = float32_inverse(gram, penalty)
    if inverse is None:
        return None
    result = np.zeros((1, responses.shape[1]))
    for block in row_blocks(responses.shape[1], max(REFINED_AT_ONCE // len(folds), 1)):
        groups = [((k,), responses[:, block]) for k in range(len(folds))]
        errors = refined_errors(inverse, gram, penalty, folds, groups, REFINED, None)
        if errors is None:
            return None
        result[:, block] = sum(np.square(of_fold).sum(axis=0) for (of_fold,) in errors)
    return result


def _predicted(gram: TrainingGram, penalty: float, responses: NDArray, others: NDArray) -> NDArray[np.float64]:
    """Return predictions (others, targets) of the fit on all training stimuli, of responses of mean 0."""
    factored = penalised(np.float64, gram, penalty / gram.scale)
    lapack.factorise(factored)
    result = np.empty((len(others), responses.shape[1]))
    for block in row_blocks(responses.shape[1], TARGETS_AT_ONCE):
        coefficients = lapack.solve(factored, responses[:, block])
        for rows in row_blocks(len(others)):
            result[rows, block] = gram.between(others[rows]) @ coefficients
    return result


def _predictions(gram: TrainingGram, penalty: float, responses, test, choice: NDArray, m: int) -> tuple | None:
    """Return the targets that chose a candidate, and their predictions; None if no target did."""
    targets = np.flatnonzero(choice == m)
    return (targets, _predicted(gram, penalty, responses[:, targets], test)) if len(targets) else None


def _assembled(parts, mean: NDArray, size: NDArray, n_test: int, choice: NDArray, penalties) -> TestSetRidge:
    predictions = np.empty((n_test, len(choice)))
    for targets, values in filter(None, parts):
        predictions[:, targets] = mean[targets] + values * size[targets]
    return TestSetRidge(predictions, np.array(penalties)[choice], choice)


def _feature_errors(features, responses, training, held, penalties) -> NDArray[np.float64]:
    """Return the sums of squared errors (m, targets) of held-out stimuli at each penalty."""
    result = np.empty((len(penalties), responses.shape[1]))
    for block, m, errors in FeatureFit(features, responses, training).squared_errors(held, penalties):
        result[m, block] = errors.sum(axis=0)
    return result


def _smallest(errors: Sequence[NDArray]) -> NDArray[np.intp]:
    return sum(errors).argmin(axis=0)


def _feature_predictions(features, responses, training, test, penalties, choice: NDArray) -> TestSetRidge:
    penalty = np.array(penalties)[choice]
    return TestSetRidge(FeatureFit(features, responses, training).predict(test, penalty), penalty, choice)
