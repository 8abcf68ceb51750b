"""Folds of a split and their pairs, padded into batches, and the errors of fits without them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ventral.mappings.ridge_on_device.matrices import inverses

# Folds are one batch if the smallest has at least this share of the largest one's stimuli.
SMALLEST_SHARE = 0.8


@dataclass(frozen=True)
class FoldClass:
    """Folds of about equal sizes.

    Attributes
    ----------
    folds : (q,) tensor
        Numbers of the folds.
    rows : (q, s) tensor
        Stimuli of the folds, padded with stimulus 0.
    held : (q, s) tensor of bool
        False where padded.
    """

    folds: Tensor
    rows: Tensor
    held: Tensor

    def own_blocks(self, inverse: Tensor) -> Tensor:
        """Return the blocks (m, q, s, s) of P (m, n, n) of each fold, with 1 on the diagonal where padded."""
        every = torch.arange(len(self.folds), device=self.folds.device)
        result = _blocks(inverse, self, every, self, every)
        return result + torch.diag_embed((~self.held).to(result.dtype))

    def parts(self, values: Tensor) -> Tensor:
        """Return the rows (m, q, s, targets) of each fold, of values (m, n, targets), 0 where padded."""
        return values[:, self.rows] * self.held[:, :, None]


@dataclass(frozen=True)
class Pairs:
    """Pairs of folds: the first folds are of one class, the second folds of a class with the same or a smaller size.

    Attributes
    ----------
    classes : pair of int
        Numbers of the two classes of the split.
    first, second : (q,) tensors
        Indices of the folds in their classes.
    """

    classes: tuple[int, int]
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class PaddedSplit:
    """Outer folds of one split, also as index arrays, in classes of similar size, and all pairs of folds."""

    folds: Sequence[NDArray[np.intp]]
    classes: Sequence[FoldClass]
    pairs: Sequence[Pairs]

    @classmethod
    def of(cls, folds: Sequence[NDArray[np.intp]], device: torch.device, pairs_at_once: int) -> "PaddedSplit":
        """Return the folds on a device, with at most `pairs_at_once` pairs in a batch."""
        numbers = _in_classes_of_size([len(fold) for fold in folds])
        classes = [_fold_class(folds, members, device) for members in numbers]
        pairs = []
        for a, b in product(range(len(classes)), repeat=2):
            if a <= b:
                places = [range(len(numbers[a])), range(len(numbers[b]))]
                of_classes = list(combinations(places[0], 2) if a == b else product(*places))
                for start in range(0, len(of_classes), pairs_at_once):
                    some = np.array(of_classes[start : start + pairs_at_once])
                    pairs.append(Pairs((a, b), *(torch.as_tensor(place, device=device) for place in some.T.copy())))
        return cls(folds, classes, pairs)


def _in_classes_of_size(sizes: Sequence[int]) -> list[NDArray[np.intp]]:
    """Return the numbers of folds in classes, from the largest folds to the smallest."""
    result = []
    for k in np.argsort(-np.array(sizes), kind="stable"):
        if not result or sizes[k] < SMALLEST_SHARE * sizes[result[-1][0]]:
            result.append([])
        result[-1].append(int(k))
    return [np.array(members) for members in result]


def _fold_class(folds: Sequence[NDArray], members: NDArray, device: torch.device) -> FoldClass:
    largest = max(len(folds[k]) for k in members)
    rows = np.zeros((len(members), largest), dtype=np.int64)
    held = np.zeros(rows.shape, dtype=bool)
    for place, k in enumerate(members):
        rows[place, : len(folds[k])], held[place, : len(folds[k])] = folds[k], True
    return FoldClass(*(torch.as_tensor(values, device=device) for values in (members, rows, held)))


def _blocks(inverse: Tensor, rows_of: FoldClass, some: Tensor, columns_of: FoldClass, others: Tensor) -> Tensor:
    """Return blocks (m, q, s, s') of P (m, n, n), of rows of some folds and columns of others, 0 where padded."""
    rows, columns = rows_of.rows[some][:, :, None], columns_of.rows[others][:, None, :]
    held = rows_of.held[some][:, :, None] & columns_of.held[others][:, None, :]
    return inverse[:, rows, columns] * held


def outer_and_inner_errors(inverse: Tensor, responses: Tensor, split: PaddedSplit) -> tuple[list[Tensor], Tensor]:
    """Return the held-out errors of every outer fold, and sums of squared errors over inner folds, at m penalties.

    For a pair of folds, (P_SS)^-1 is applied as in `ventral.mappings.ridge`: the first fold is eliminated.

    Parameters
    ----------
    inverse : (m, n, n) tensor
        P at each penalty, in float32 or float64.
    responses : (n, targets) tensor
        Responses in the same precision.
    split : PaddedSplit

    Returns
    -------
    outer : list of (m, q, s, targets) tensors
        Errors of each class of folds, in the given precision.
    inner : (m, folds, targets) tensor
        In float64.
    """
    projected = inverse @ responses
    diagonal = [of.own_blocks(inverse) for of in split.classes]
    own = [inverses(blocks.clone()) for blocks in diagonal]
    right = [of.parts(projected) for of in split.classes]
    outer = [inverted @ of_fold for inverted, of_fold in zip(own, right, strict=True)]
    inner = torch.zeros(len(inverse), len(split.folds), responses.shape[1], dtype=torch.float64, device=inverse.device)
    for pairs in split.pairs:
        a, b = pairs.classes
        across = _blocks(inverse, split.classes[b], pairs.second, split.classes[a], pairs.first)
        coupling = own[a][:, pairs.first] @ across.mT
        rest = inverses(_less(diagonal[b][:, pairs.second], across, coupling))
        alone = outer[a][:, pairs.first]
        of_second = rest @ _less(right[b][:, pairs.second], across, alone)
        inner += _is_of(split, a, pairs.first) @ _squares(of_second)
        inner += _is_of(split, b, pairs.second) @ _squares(_less(alone, coupling, of_second))
    return outer, inner


def _is_of(split: PaddedSplit, of_class: int, places: Tensor) -> Tensor:
    """Return a matrix (folds, q) with 1 if pair q has a fold; sums by it, unlike `index_add_`, have a fixed order."""
    every = torch.arange(len(split.folds), device=places.device)
    return (every[:, None] == split.classes[of_class].folds[places]).double()


def _less(values: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return values - left right for matrices (m, q, ., .), in place of the values, which are a copy."""
    values.flatten(0, 1).baddbmm_(left.flatten(0, 1), right.flatten(0, 1), alpha=-1)
    return values


def _squares(errors: Tensor) -> Tensor:
    """Return the sums of squares (m, q, targets) in float64 of errors (m, q, s, targets)."""
    return torch.linalg.vector_norm(errors, dim=-2).double().square()
