"""Nested cross-validation of ridge regression on a device: `ventral.mappings.ridge.nested_ridge` in torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ventral.mappings import held_out
from ventral.mappings.held_out import FLOAT32_FROM
from ventral.mappings.ridge import NestedRidge, checked_folds
from ventral.mappings.ridge_on_device.candidates import (
    Candidate,
    candidates_of,
    checked_tensors,
    on_cpu,
    refuse_failed,
)
from ventral.mappings.ridge_on_device.matrices import (
    MOST_IN_A_BATCH,
    centre_and_fill,
    in_standard_deviations,
)
from ventral.mappings.ridge_on_device.memory import Blocks, Needs, within_memory
from ventral.mappings.ridge_on_device.pairs import PaddedSplit, outer_and_inner_errors
from ventral.mappings.ridge_on_device.refinement import Dense, Group, held_out_errors, inverses_at, is_precise
from ventral.running.devices import has_fast_float64, whole_float32

# With more folds, float64 takes less time than the many small steps that check the precision of float32.
MOST_FOLDS_IN_FLOAT32 = 64


def nested_ridge_of_tensors(
    gram: Tensor | ArrayLike, responses: Tensor | ArrayLike, folds: Sequence[ArrayLike], penalties: ArrayLike
) -> NestedRidge:
    """Compute `ventral.mappings.ridge.nested_ridge` on the device of the given tensors.

    Returns
    -------
    NestedRidge
        Results as tensors on that device.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, folds are not a partition, or a penalty is not positive.
    InputError
        If the device has too little memory for one penalty at a time.
    """
    gram, responses, penalties = checked_tensors(gram, responses, penalties)
    folds = checked_folds([on_cpu(fold) for fold in folds], len(responses))
    return nested_ridge_on_device(gram, responses, [folds], penalties)[0]


@torch.no_grad()
def nested_ridge_on_device(
    gram: Tensor | Sequence[Tensor],
    responses: Tensor,
    splits: Sequence[Sequence[NDArray]],
    penalties: NDArray,
    *,
    memory_bytes: int | None = None,
    fast_float64: bool | None = None,
) -> list[NestedRidge]:
    """Return the results of `ventral.mappings.ridge.nested_ridge` for several splits, on the Gram matrix's device.

    Parameters
    ----------
    gram : (n, n) tensor, or sequence of them
        Inner products of the stimuli's feature vectors: one matrix for all candidates, or one for each.
    responses : (n, targets) float64 tensor
        Finite.
    splits : sequence of sequences of integer arrays
        Outer folds of each split, as `ventral.mappings.ridge.checked_folds` returns them.
    penalties : (m,) array
        Positive candidates, in the units of the Gram matrix.
    memory_bytes : int, optional
        Memory for which blocks are planned; the default is most of the free memory.
    fast_float64 : bool, optional
        Compute everything in float64; the default is `ventral.running.devices.has_fast_float64` of the device.

    Returns
    -------
    list of NestedRidge
        Results of each split, as tensors on the device.

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
    slow = not fast_float64 and _float32_is_faster(len(responses), splits)
    fit = _with_float32 if slow else _with_float64
    needs = _needs(responses, splits, len(penalties), 4 if slow else 8)
    with whole_float32():
        return within_memory(partial(_in_blocks, fit, gram, responses, splits, penalties), needs, device, memory_bytes)


def _filled(gram: Tensor) -> tuple[Tensor, Tensor]:
    gram = gram.to(torch.float64, copy=True)
    _, scale = centre_and_fill(gram)
    return gram, scale


def _float32_is_faster(n: int, splits: Sequence[Sequence[NDArray]]) -> bool:
    return n >= FLOAT32_FROM and all(len(folds) <= MOST_FOLDS_IN_FLOAT32 for folds in splits)


def _needs(responses: Tensor, splits, n_penalties: int, item: int) -> Needs:
    """Return the memory that fits need, with matrices and products of `item` bytes for each number."""
    n, targets = responses.shape
    largest = max(len(fold) for folds in splits for fold in folds)
    most = max(map(len, splits))
    return Needs(
        fixed=8 * n * n,
        per_target=8 * n * (4 + 2 * len(splits)),
        per_penalty=item * (3 * n * n + 4 * most * largest**2),
        per_penalty_and_target=item * 4 * most * largest + 8 * 3 * most,
        per_pair=item * 7 * largest**2 + 16 * most,
        per_pair_and_target=item * 4 * largest,
        penalties=n_penalties,
        pairs=max(most * (most - 1) // 2, 1),
        targets=targets,
        stimuli=n,
    )


def _in_blocks(fit, gram, responses: Tensor, splits, penalties: NDArray, blocks: Blocks) -> list[NestedRidge]:
    """Return the results of all splits, from those of blocks of targets."""
    device = responses.device
    candidates = candidates_of(gram, penalties, _filled)
    pairs = min(blocks.pairs, max(MOST_IN_A_BATCH // blocks.penalties, 1))
    padded = [PaddedSplit.of(folds, device, pairs) for folds in splits]
    parts = [fit(candidates, columns, padded, blocks.penalties) for columns in responses.split(blocks.targets, dim=1)]
    penalties = torch.as_tensor(penalties, device=device)
    results = []
    for of_split in zip(*parts, strict=True):
        predictions, candidate = (torch.cat(values, dim=1) for values in zip(*of_split, strict=True))
        results.append(NestedRidge(predictions, penalties[candidate], candidate))
    return results


@dataclass
class _Best:
    """The smallest inner errors so far, with their candidates (folds, targets) and outer errors."""

    split: PaddedSplit
    smallest: Tensor
    candidate: Tensor
    outer: list[Tensor]

    @classmethod
    def none_yet(cls, split: PaddedSplit, responses: Tensor) -> "_Best":
        n_targets = responses.shape[1]
        smallest = responses.new_full((len(split.folds), n_targets), torch.inf)
        outer = [responses.new_zeros(*of.rows.shape, n_targets) for of in split.classes]
        return cls(split, smallest, torch.zeros_like(smallest, dtype=torch.int64), outer)

    def update(self, outer: Sequence[Tensor], inner: Tensor, numbers: Tensor) -> None:
        """Include the errors of later candidates (m,); the earlier of equals stays."""
        place = inner.argmin(dim=0, keepdim=True)
        smallest, place = inner.gather(0, place)[0], place[0]
        better = smallest < self.smallest
        self.smallest = torch.where(better, smallest, self.smallest)
        self.candidate = torch.where(better, numbers[place], self.candidate)
        for k, (of, errors) in enumerate(zip(self.split.classes, outer, strict=True)):
            chosen = place[of.folds][None, :, None].expand(1, *errors.shape[1:])
            self.outer[k] = torch.where(better[of.folds][:, None], errors.gather(0, chosen)[0], self.outer[k])

    def errors(self, n: int) -> Tensor:
        """Return the outer errors (n, targets) in the order of the stimuli."""
        result = self.smallest.new_empty(n, self.smallest.shape[1])
        for of, errors in zip(self.split.classes, self.outer, strict=True):
            result[of.rows[of.held]] = errors[of.held]
        return result


def _with_float64(
    candidates: Sequence[Candidate], responses: Tensor, splits: Sequence[PaddedSplit], at_once: int
) -> list[tuple[Tensor, Tensor]]:
    """Return predictions (n, targets) and candidates (folds, targets) of each split, using each penalty once."""
    ordered, size = in_standard_deviations(responses)
    best = [_Best.none_yet(split, ordered) for split in splits]
    failed = []
    for some in _some_at_a_time(candidates, at_once):
        inverse = inverses_at(some, torch.float64)
        numbers = torch.tensor([candidate.number for candidate in some], device=responses.device)
        has_failed = torch.zeros_like(numbers, dtype=torch.bool)
        for of_split in best:
            outer, inner = outer_and_inner_errors(inverse, ordered, of_split.split)
            of_split.update(outer, inner, numbers)
            has_failed |= inner.isnan().flatten(1).any(dim=1)
        failed.append(has_failed)
    refuse_failed(candidates, torch.cat(failed))
    return [(responses - of_split.errors(len(responses)) * size, of_split.candidate) for of_split in best]


def _some_at_a_time(candidates: Sequence[Candidate], at_once: int) -> list[Sequence[Candidate]]:
    return [candidates[start : start + at_once] for start in range(0, len(candidates), at_once)]


def _with_float32(
    candidates: Sequence[Candidate], responses: Tensor, splits: Sequence[PaddedSplit], at_once: int
) -> list[tuple[Tensor, Tensor]]:
    """Return the results of `_with_float64` from inner errors in float32, settled and refined in float64."""
    ordered, size = in_standard_deviations(responses)
    found = [[] for _ in splits]
    for some in _some_at_a_time(candidates, at_once):
        for of_split, errors in zip(found, _proved_inner_errors(some, ordered, splits), strict=True):
            of_split += errors
    results = []
    for split, inner in zip(splits, found, strict=True):
        first = held_out.first_choice(inner)
        exact = [
            _inner_errors_of_close(candidate, ordered, split, first.close[m]) for m, candidate in enumerate(candidates)
        ]
        choice = held_out.settled(first, exact)
        errors = _refined_outer_errors(candidates, ordered, split, choice)
        numbers = np.array([candidate.number for candidate in candidates])
        results.append((responses - errors * size, torch.as_tensor(numbers[choice], device=responses.device)))
    return results


def _proved_inner_errors(
    candidates: Sequence[Candidate], responses: Tensor, splits: Sequence[PaddedSplit]
) -> list[list[tuple[NDArray, float]]]:
    """Return the inner errors (folds, targets) of each split and candidate, and their relative uncertainty.

    The errors are float32 if float32 is precise enough to be refined, otherwise float64 with uncertainty 0.
    """
    inverse = inverses_at(candidates, torch.float32)
    precise = is_precise(lambda vectors: inverse @ vectors.float(), candidates)
    single = responses.float()
    inner = [outer_and_inner_errors(inverse, single, split)[1].cpu().numpy() for split in splits]
    # The block of a pair of folds may be too ill-conditioned for float32 even if P itself is not.
    finite = [all(np.isfinite(of[m]).all() for of in inner) for m in range(len(candidates))]
    found = [[] for _ in splits]
    for m, candidate in enumerate(candidates):
        of_candidate = Dense(inverse[m]) if precise[m] and finite[m] else None
        offs = [
            None if of_candidate is None else _relative_error(of[m], candidate, of_candidate, responses, split)
            for of, split in zip(inner, splits, strict=True)
        ]
        again = inverses_at([candidate], torch.float64) if None in offs else None
        for of_split, split, of, off in zip(found, splits, inner, offs, strict=True):
            if off is None:
                _, precise_inner = outer_and_inner_errors(again, responses, split)
                refuse_failed([candidate], precise_inner.isnan().any()[None])
                of_split.append((precise_inner[0].cpu().numpy(), 0.0))
            else:
                of_split.append((of[m], off))
    return found


def _relative_error(
    inner: NDArray, candidate: Candidate, inverse: Dense, responses: Tensor, split: PaddedSplit
) -> float | None:
    """Return the largest relative error of inner errors (folds, targets) on a sample; None if refinement fails."""
    targets = held_out.spread(responses.shape[1], held_out.PROBED_TARGETS)
    probed = held_out.spread(len(split.folds), held_out.PROBED_FOLDS)
    wanted = [targets if k in probed else targets[:0] for k in range(len(split.folds))]
    exact = _precise_inner_errors(candidate, responses, split, wanted, inverse, held_out.REFINED_PROBES)
    if exact is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = [np.abs(inner[k, targets] / exact[k] - 1) for k in probed]
    return float(np.nanmax(relative, initial=0.0))


def _inner_errors_of_close(candidate: Candidate, responses: Tensor, split: PaddedSplit, close: NDArray) -> NDArray:
    """Return the inner errors (folds, targets) of one candidate in float64; inf if it is not close to the best."""
    result = np.full(close.shape, np.inf)
    wanted = [np.flatnonzero(of_fold) for of_fold in close]
    if close.any():
        for k, errors in enumerate(_precise_inner_errors(candidate, responses, split, wanted)):
            result[k, wanted[k]] = errors
    return result


def _precise_inner_errors(
    candidate: Candidate,
    responses: Tensor,
    split: PaddedSplit,
    wanted: Sequence[NDArray],
    inverse: Dense | None = None,
    tolerance: float = held_out.REFINED,
) -> list[NDArray] | None:
    """Return the sums of squared errors over inner folds in float64, for some targets of each outer fold.

    None if an inverse in float32 is given and cannot be refined.
    """
    # Targets of both outer folds share the fit without both.
    pairs = [(i, j) for i in range(len(wanted)) for j in range(i) if len(wanted[i]) + len(wanted[j])]
    targets = [np.union1d(wanted[i], wanted[j]) for i, j in pairs]
    rows = _rows_on(responses.device, split)
    groups = [
        Group((rows[i], rows[j]), responses[:, torch.as_tensor(some, device=responses.device)])
        for (i, j), some in zip(pairs, targets, strict=True)
    ]
    found = held_out_errors(candidate, groups, tolerance, inverse)
    if found is None:
        return None
    inner = [np.zeros(len(some)) for some in wanted]
    for (i, j), some, (of_i, of_j) in zip(pairs, targets, found, strict=True):
        inner[i] += of_j.square().sum(dim=0).cpu().numpy()[np.searchsorted(some, wanted[i])]
        inner[j] += of_i.square().sum(dim=0).cpu().numpy()[np.searchsorted(some, wanted[j])]
    return inner


def _refined_outer_errors(
    candidates: Sequence[Candidate], responses: Tensor, split: PaddedSplit, choice: NDArray
) -> Tensor:
    """Return the errors (n, targets) of each outer fold at the candidates chosen (folds, targets)."""
    result = torch.empty_like(responses)
    rows = _rows_on(responses.device, split)
    for m, candidate in enumerate(candidates):
        chosen = [np.flatnonzero(of_fold == m) for of_fold in choice]
        chosen = [(k, torch.as_tensor(some, device=responses.device)) for k, some in enumerate(chosen) if len(some)]
        groups = [Group((rows[k],), responses[:, some]) for k, some in chosen]
        if groups:
            for (k, some), (errors,) in zip(chosen, held_out_errors(candidate, groups), strict=True):
                result[rows[k][:, None], some] = errors
    return result


def _rows_on(device: torch.device, split: PaddedSplit) -> list[Tensor]:
    return [torch.as_tensor(fold, device=device) for fold in split.folds]
