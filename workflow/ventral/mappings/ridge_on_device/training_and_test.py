# ruff: noqa: PT028
"""Ridge regression for one training and one test set on a device: `ventral.mappings.ridge_test_set` in torch.

Let P = W^T W - 1 1^T fill, with W from one Cholesky factor. The coefficients are c = W^T (W Y). A fold S of the
training set needs only P_SS, so P itself is never computed. With few features, matrices (p, p) are used instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ventral.mappings import held_out
from ventral.mappings.held_out import FLOAT32_FROM
from ventral.mappings.ridge_on_device.candidates import (
    Candidate,
    candidates_of,
    checked_tensors,
    on_cpu,
    refuse_failed,
)
from ventral.mappings.ridge_on_device.matrices import (
    centre_and_fill,
    in_standard_deviations,
    penalised,
    replace_by_inverse_factor,
)
from ventral.mappings.ridge_on_device.memory import Blocks, Needs, within_memory
from ventral.mappings.ridge_on_device.refinement import Factored, Group, dual_coefficients, is_precise, refined_fit
from ventral.mappings.ridge_test_set import TestSetRidge, checked_sets
from ventral.running.devices import has_fast_float64, whole_float32

# Test stimuli whose products with the training stimuli are formed at a time.
ROWS_AT_ONCE = 4096


def test_set_ridge_of_tensors(
    gram: Tensor | ArrayLike,
    responses: Tensor | ArrayLike,
    training: ArrayLike,
    test: ArrayLike,
    inner: Sequence[ArrayLike],
    penalties: ArrayLike,
) -> TestSetRidge:
    """Compute `ventral.mappings.ridge_test_set.test_set_ridge` on the device of the given tensors.

    Returns
    -------
    TestSetRidge
        Results as tensors on that device.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, sets of rows are not as described, or a penalty is not positive.
    InputError
        If the device has too little memory for one penalty at a time.
    """
    gram, responses, penalties = checked_tensors(gram, responses, penalties)
    sets = checked_sets(on_cpu(training), on_cpu(test), [on_cpu(held) for held in inner], len(responses))
    return test_set_ridge_on_device(gram, responses, *sets, penalties)


@torch.no_grad()
def test_set_ridge_on_device(
    gram: Tensor | Sequence[Tensor],
    responses: Tensor,
    training: NDArray,
    test: NDArray,
    inner: Sequence[NDArray],
    penalties: NDArray,
    *,
    features: Tensor | None = None,
    memory_bytes: int | None = None,
    fast_float64: bool | None = None,
) -> TestSetRidge:
    """Return the result of `ventral.mappings.ridge_test_set.test_set_ridge`, on the device of the responses.

    Parameters
    ----------
    gram : (n, n) tensor, or sequence of them
        Inner products of the stimuli's feature vectors: one matrix for all candidates, or one for each.
    responses : (n, targets) float64 tensor
        Finite in the rows of training and validation stimuli; others are not read.
    training, test, inner
        As `ventral.mappings.ridge_test_set.checked_sets` returns them.
    penalties : (m,) array
        Positive candidates, in the units of the Gram matrix.
    features : (n, p) tensor, optional
        All features, if they are available. Matrices (p, p) are used if they are faster.
    memory_bytes : int, optional
        Memory for which blocks are planned; the default is most of the free memory.
    fast_float64 : bool, optional
        Compute everything in float64; the default is `ventral.running.devices.has_fast_float64` of the device.

    Returns
    -------
    TestSetRidge
        Results as tensors on the device.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is not positive definite to working precision, at a penalty.
    InputError
        If the device has too little memory for one penalty at a time.
    """
    device = responses.device
    if fast_float64 is None:
        fast_float64 = has_fast_float64(device)
    penalties = np.asarray(penalties, dtype=np.float64)
    order = training if len(inner) == 1 else np.concatenate(inner)
    sizes = [len(held) for held in inner]
    if features is not None and few_enough(features.shape[1], len(order), sizes, responses.shape[1]):
        needs, fit = _feature_needs(features.shape[1], sizes, responses, order, test), _by_features
        stated = partial(_FeatureProblem.of, features, order, test, inner)
    else:
        # Errors on a validation set are always float64, because predictions are.
        slow = not fast_float64 and len(inner) > 1 and len(order) >= FLOAT32_FROM
        fit = _with_float32 if slow else _with_float64
        needs = _gram_needs(gram, order, test, sizes, responses, penalties, 4 if slow else 8)
        stated = partial(_GramProblem.of, gram, order, test, inner, penalties, device)

    def in_blocks(blocks: Blocks) -> TestSetRidge:
        problem = stated()
        parts = [
            fit(problem, columns, penalties, blocks.penalties) for columns in responses.split(blocks.targets, dim=1)
        ]
        predictions, candidate = torch.cat([of for of, _ in parts], dim=1), torch.cat([of for _, of in parts])
        return TestSetRidge(predictions, torch.as_tensor(penalties, device=device)[candidate], candidate)

    with whole_float32():
        return within_memory(in_blocks, needs, device, memory_bytes)


def few_enough(p: int, n: int, inner_sizes: Sequence[int], n_targets: int) -> bool:
    """Tell whether matrices (p, p) take fewer multiplications at a penalty than matrices (n, n)."""
    sets = 1 if len(inner_sizes) == 1 else len(inner_sizes) + 1
    features = sets * (p**3 + 2 * p**2 * n_targets) + 2 * sum(inner_sizes) * p * n_targets
    blocks = 0 if len(inner_sizes) == 1 else sum(n * size**2 + size**3 for size in inner_sizes)
    return p < n and features < n**3 + 2 * n**2 * n_targets + blocks


@dataclass(frozen=True)
class _Training:
    """The centred Gram matrix of training stimuli, with the means that centre products of other stimuli."""

    given: Tensor
    rows: Tensor
    filled: Tensor
    row_means: Tensor
    scale: Tensor

    @classmethod
    def of(cls, gram: Tensor, rows: Tensor) -> "_Training":
        filled = gram[rows[:, None], rows].to(torch.float64)
        return cls(gram, rows, filled, *centre_and_fill(filled))

    def between(self, others: Tensor) -> Tensor:
        """Return centred products (others, t) of other stimuli with the training stimuli."""
        result = self.given[others[:, None], self.rows].to(torch.float64)
        result -= result.mean(dim=1, keepdim=True)
        result -= self.row_means - self.row_means.mean()
        result /= self.scale
        return result


@dataclass(frozen=True)
class _GramProblem:
    """Candidates, and the rows of training set (in the order of the matrices), test set and inner sets."""

    candidates: Sequence[Candidate]
    trainings: Sequence[_Training]
    order: Tensor
    test: Tensor
    validation: Tensor | None
    folds: Sequence[slice]

    @classmethod
    def of(cls, gram, order: NDArray, test: NDArray, inner, penalties: NDArray, device) -> "_GramProblem":
        rows, test = torch.as_tensor(order, device=device), torch.as_tensor(test, device=device)
        trainings = []

        def filled(of: Tensor) -> tuple[Tensor, Tensor]:
            trainings.append(_Training.of(of, rows))
            return trainings[-1].filled, trainings[-1].scale

        candidates = candidates_of(gram, penalties, filled)
        if len(inner) == 1:
            return cls(candidates, trainings, rows, test, torch.as_tensor(inner[0], device=device), [])
        ends = np.cumsum([0, *map(len, inner)]).tolist()
        folds = [slice(start, stop) for start, stop in pairwise(ends)]
        return cls(candidates, trainings, rows, test, None, folds)

    def training_of(self, candidate: Candidate) -> _Training:
        return next(of for of in self.trainings if of.filled is candidate.gram)

    def predicted(self, coefficients: Tensor, number: Tensor) -> Tensor:
        """Return predictions (n_test, targets), given dual coefficients (t, targets) at the candidates chosen."""
        result = coefficients.new_empty(len(self.test), coefficients.shape[1])
        for training in self.trainings:
            of_it = [candidate.number for candidate in self.candidates if candidate.gram is training.filled]
            chosen = torch.isin(number, torch.tensor(of_it, device=number.device))
            for rows in torch.arange(len(self.test), device=number.device).split(ROWS_AT_ONCE):
                values = training.between(self.test[rows]) @ coefficients
                result[rows] = torch.where(chosen, values, result[rows])
        return result


def _gram_needs(gram, order: NDArray, test: NDArray, sizes, responses: Tensor, penalties: NDArray, item: int) -> Needs:
    """Return the memory that fits need, with matrices and products of `item` bytes for each number."""
    t, largest, rows = len(order), max(sizes), min(len(test), ROWS_AT_ONCE)
    n_grams = 1 if isinstance(gram, Tensor) else len({id(of) for of in gram})
    return Needs(
        fixed=8 * (t * t * n_grams + 2 * rows * t),
        per_target=8 * (6 * t + 3 * len(test)),
        per_penalty=item * (3 * t * t + 4 * largest**2),
        per_penalty_and_target=item * 4 * (t + largest),
        per_pair=0,
        per_pair_and_target=0,
        penalties=len(penalties),
        pairs=1,
        targets=responses.shape[1],
        stimuli=t,
    )


def _with_float64(problem: _GramProblem, responses: Tensor, penalties: NDArray, at_once: int) -> tuple[Tensor, Tensor]:
    """Return predictions (n_test, targets) and candidates (targets,), using each penalty once."""
    mean = responses[problem.order].mean(dim=0)
    ordered, size = in_standard_deviations(responses[problem.order])
    smallest = responses.new_full((responses.shape[1],), torch.inf)
    candidate, coefficients = torch.zeros_like(smallest, dtype=torch.int64), torch.zeros_like(ordered)
    failed = []
    for start in range(0, len(problem.candidates), at_once):
        some = problem.candidates[start : start + at_once]
        found, squares = _coefficients_and_errors(problem, some, ordered, (responses, mean, size))
        failed.append(squares.isnan().any(dim=1))
        place = squares.argmin(dim=0)
        numbers = torch.tensor([of.number for of in some], device=place.device)
        better = squares.gather(0, place[None])[0] < smallest
        smallest = torch.where(better, squares.gather(0, place[None])[0], smallest)
        candidate = torch.where(better, numbers[place], candidate)
        chosen = found.gather(0, place[None, None].expand(1, *ordered.shape))[0]
        coefficients = torch.where(better, chosen, coefficients)
    refuse_failed(problem.candidates, torch.cat(failed))
    return mean + problem.predicted(coefficients, candidate) * size, candidate


def _coefficients_and_errors(
    problem: _GramProblem, candidates: Sequence[Candidate], ordered: Tensor, measured: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Return dual coefficients (m, t, targets), and sums of squared errors (m, targets) over inner sets."""
    penalties = torch.stack([candidate.penalty for candidate in candidates])
    factors = replace_by_inverse_factor(penalised([of.gram for of in candidates], penalties, ordered.dtype))
    coefficients = factors.mT @ (factors @ ordered)
    coefficients -= coefficients.mean(dim=1, keepdim=True)
    if problem.validation is not None:
        responses, mean, size = measured
        of_validation = (responses[problem.validation] - mean) / size
        errors = [
            of_validation - problem.training_of(candidate).between(problem.validation) @ of
            for candidate, of in zip(candidates, coefficients, strict=True)
        ]
        return coefficients, _squares(torch.stack(errors))
    mean_direction = torch.stack([of.gram[0].sum() for of in candidates]) + penalties
    fill = (1 / (len(ordered) * mean_direction))[:, None, None]
    squares = torch.zeros_like(coefficients[:, 0])
    for rows in problem.folds:
        # Rows of W above a block's diagonal are 0.
        columns = factors[:, rows.start :, rows]
        own = replace_by_inverse_factor(columns.mT @ columns - fill)
        squares += _squares(own.mT @ (own @ coefficients[:, rows]))
    return coefficients, squares


def _squares(errors: Tensor) -> Tensor:
    """Return the sums of squares (m, targets) in float64 of errors (m, rows, targets)."""
    return torch.linalg.vector_norm(errors, dim=1).double().square()


def _with_float32(problem: _GramProblem, responses: Tensor, penalties: NDArray, at_once: int) -> tuple[Tensor, Tensor]:
    """Return the results of `_with_float64` from fold errors in float32, settled and refined in float64."""
    mean = responses[problem.order].mean(dim=0)
    ordered, size = in_standard_deviations(responses[problem.order])
    found = [_proved_errors(problem, candidate, ordered) for candidate in problem.candidates]
    first = held_out.first_choice(found)
    exact = [
        _errors_of_close(problem, candidate, ordered, of_candidate, close)
        for candidate, of_candidate, close in zip(problem.candidates, found, first.close, strict=True)
    ]
    (choice,) = held_out.settled(first, exact)
    coefficients = torch.empty_like(ordered)
    for m, candidate in enumerate(problem.candidates):
        if (choice == m).any():
            targets = torch.as_tensor(np.flatnonzero(choice == m), device=ordered.device)
            coefficients[:, targets] = dual_coefficients(candidate, ordered[:, targets])
    numbers = np.array([of.number for of in problem.candidates])
    candidate = torch.as_tensor(numbers[choice], device=ordered.device)
    return mean + problem.predicted(coefficients, candidate) * size, candidate


def _proved_errors(problem: _GramProblem, candidate: Candidate, ordered: Tensor) -> tuple[NDArray, float]:
    """Return the sums of squared errors (1, targets) over the folds, and their relative uncertainty."""
    factored = Factored.of(candidate, torch.float32)
    if is_precise(lambda vectors: factored.apply(vectors[0])[None], [candidate])[0]:
        applied = factored.apply(ordered)
        rows = [torch.arange(fold.start, fold.stop, device=ordered.device) for fold in problem.folds]
        squares = torch.stack(
            [_squares(torch.cholesky_solve(applied[of], factored.block_factor(of))[None])[0] for of in rows]
        )
        targets = torch.as_tensor(held_out.spread(ordered.shape[1], held_out.PROBED_TARGETS), device=ordered.device)
        probed = held_out.spread(len(rows), held_out.PROBED_FOLDS)
        groups = [Group((rows[k],), ordered[:, targets]) for k in probed]
        refined = refined_fit(factored, candidate, groups, held_out.REFINED_PROBES)
        if refined is not None and squares.isfinite().all():
            parts = refined[1].split(len(targets), dim=1)
            off = [
                held_out.largest_relative_error(squares[k, targets][None].cpu().numpy(), [part[rows[k]].cpu().numpy()])
                for k, part in zip(probed, parts, strict=True)
            ]
            return squares.sum(dim=0)[None].cpu().numpy(), max(off)
    return _precise_errors(problem, candidate, ordered), 0.0


def _precise_errors(problem: _GramProblem, candidate: Candidate, ordered: Tensor) -> NDArray[np.float64]:
    _, squares = _coefficients_and_errors(problem, [candidate], ordered, ())
    refuse_failed([candidate], squares.isnan().any(dim=1))
    return squares.cpu().numpy()


def _errors_of_close(
    problem: _GramProblem, candidate: Candidate, ordered: Tensor, found: tuple[NDArray, float], close: NDArray
) -> NDArray:
    """Return the errors (1, targets) of one candidate in float64; inf if it is not close to the best."""
    errors, off = found
    if off == 0 or not close.any():
        return np.where(close, errors, np.inf)
    result = np.full(errors.shape, np.inf)
    targets = torch.as_tensor(np.flatnonzero(close[0]), device=ordered.device)
    values = ordered[:, targets]
    refined = None
    if values.shape[1] * len(problem.folds) * 6 <= len(ordered):
        rows = [torch.arange(fold.start, fold.stop, device=ordered.device) for fold in problem.folds]
        factored = Factored.of(candidate, torch.float32)
        refined = refined_fit(factored, candidate, [Group((of,), values) for of in rows])
    if refined is None:
        result[close] = _precise_errors(problem, candidate, values)[0]
        return result
    parts = refined[1].split(values.shape[1], dim=1)
    result[close] = sum(part[of].square().sum(dim=0) for of, part in zip(rows, parts, strict=True)).cpu().numpy()
    return result


@dataclass(frozen=True)
class _FeatureProblem:
    """Features (n, p), and the rows of the training set, of the test set and of inner sets."""

    features: Tensor
    order: Tensor
    test: Tensor
    inner: Sequence[Tensor]

    @classmethod
    def of(cls, features: Tensor, order: NDArray, test: NDArray, inner: Sequence[NDArray]) -> "_FeatureProblem":
        order, test, *inner = (torch.as_tensor(rows, device=features.device) for rows in (order, test, *inner))
        return cls(features, order, test, inner)


def _feature_needs(p: int, sizes: Sequence[int], responses: Tensor, order: NDArray, test: NDArray) -> Needs:
    sets = len(sizes) + 1
    return Needs(
        fixed=8 * (len(order) + len(test) + max(sizes)) * p + 8 * sets * p * p,
        per_target=8 * (3 * len(order) + 3 * len(test) + sets * p),
        per_penalty=8 * 3 * sets * p * p,
        per_penalty_and_target=8 * (3 * sets * p + 3 * max(sizes)),
        per_pair=0,
        per_pair_and_target=0,
        penalties=1,
        pairs=1,
        targets=responses.shape[1],
        stimuli=len(order),
    )


@dataclass(frozen=True)
class _Moments:
    """Second moments about the mean, for all training stimuli (first) and for the training stimuli without each fold.

    Attributes
    ----------
    of_features : (sets, p, p) tensor
    of_both : (sets, p, targets) tensor
        Moments of features with responses.
    feature_means : (sets, p) tensor
    means : (sets, targets) tensor
    """

    of_features: Tensor
    of_both: Tensor
    feature_means: Tensor
    means: Tensor

    @classmethod
    def of(cls, features: Tensor, values: Tensor, folds: Sequence[tuple[Tensor, Tensor]]) -> "_Moments":
        """Return the moments of centred features (t, p) and values (t, targets), and those without each fold."""
        second, cross = features.T @ features, features.T @ values
        parts = [(second, cross, torch.zeros_like(second[0]), torch.zeros_like(cross[0]))]
        for held, measured in folds:
            left = len(features) - len(held)
            centre, mean = -held.sum(dim=0) / left, -measured.sum(dim=0) / left
            without = second - held.T @ held - left * torch.outer(centre, centre)
            parts.append((without, cross - held.T @ measured - left * torch.outer(centre, mean), centre, mean))
        return cls(*(torch.stack(values) for values in zip(*parts, strict=True)))

    def weights(self, penalty: float) -> Tensor:
        """Return the weights (sets, p, targets) at a penalty; NaN if a matrix is not positive definite."""
        matrices = self.of_features.clone()
        matrices.diagonal(dim1=-2, dim2=-1).add_(penalty)
        factors = replace_by_inverse_factor(matrices)
        return factors.mT @ (factors @ self.of_both)

    def squared_errors(self, weights: Tensor, k: int, held: Tensor, measured: Tensor) -> Tensor:
        """Return the sums of squared errors (targets,) of stimuli by the weights of one set."""
        errors = measured - self.means[k] - (held - self.feature_means[k]) @ weights[k]
        return _squares(errors[None])[0]


def _by_features(
    problem: _FeatureProblem, responses: Tensor, penalties: NDArray, _at_once: int
) -> tuple[Tensor, Tensor]:
    """Return predictions (n_test, targets) and candidates (targets,) from matrices (p, p) of second moments."""
    features, values = problem.features[problem.order].double(), responses[problem.order]
    centre, mean = features.mean(dim=0), values.mean(dim=0)
    held = [(problem.features[of].double() - centre, responses[of] - mean) for of in problem.inner]
    moments = _Moments.of(features - centre, values - mean, held if len(held) > 1 else [])
    # Validation stimuli are predicted by the fit on all training stimuli, folds by the fit without them.
    fits = [0] if len(held) == 1 else range(1, len(held) + 1)
    smallest, candidate = torch.full_like(mean, torch.inf), torch.zeros_like(mean, dtype=torch.int64)
    weights = torch.zeros_like(moments.of_both[0])
    failed = torch.zeros_like(candidate, dtype=torch.bool)
    for m, penalty in enumerate(penalties.tolist()):
        found = moments.weights(penalty)
        squares = sum(moments.squared_errors(found, k, *of) for k, of in zip(fits, held, strict=True))
        failed |= squares.isnan()
        better = squares < smallest
        smallest, candidate = torch.where(better, squares, smallest), torch.where(better, m, candidate)
        weights = torch.where(better, found[0], weights)
    if failed.any():
        raise np.linalg.LinAlgError("second moments of the features are not positive definite at a penalty")
    return mean + (problem.features[problem.test].double() - centre) @ weights, candidate
