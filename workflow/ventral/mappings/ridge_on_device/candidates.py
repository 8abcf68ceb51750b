"""Candidate penalties with their Gram matrices on a device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ventral.mappings.ridge import checked_values


@dataclass(frozen=True)
class Candidate:
    """A penalty and its Gram matrix, which is centred, filled and divided as by `matrices.centre_and_fill`.

    Attributes
    ----------
    number : int
        Index among all candidates.
    gram : (n, n) float64 tensor
    penalty : scalar float64 tensor
        Penalty in units of the divided matrix.
    given : float
        Penalty in units of the given matrix.
    """

    number: int
    gram: Tensor
    penalty: Tensor
    given: float


def candidates_of(
    gram: Tensor | Sequence[Tensor], penalties: NDArray, filled: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> list[Candidate]:
    """Return the candidates without repeats of earlier ones, which would never be chosen.

    Parameters
    ----------
    gram : tensor, or sequence of m tensors
        Gram matrix of all candidates, or of each.
    penalties : (m,) array
    filled : function
        Turns a Gram matrix into the matrix of a candidate and its divisor; called once for each matrix.
    """
    grams = [gram] * len(penalties) if isinstance(gram, Tensor) else list(gram)
    if len(grams) != len(penalties):
        raise ValueError(f"{len(grams)} Gram matrices for {len(penalties)} penalties; give one matrix, or one for each")
    made, result = {}, {}
    for m, (of, penalty) in enumerate(zip(grams, penalties.tolist(), strict=True)):
        if id(of) not in made:
            made[id(of)] = filled(of)
        matrix, scale = made[id(of)]
        result.setdefault((id(of), penalty), Candidate(m, matrix, penalty / scale, penalty))
    return list(result.values())


def refuse_failed(candidates: Sequence[Candidate], failed: Tensor) -> None:
    """Raise LinAlgError if the matrix of any candidate (m,) was not positive definite."""
    if failed.any():
        penalty = next(of.given for of, is_so in zip(candidates, failed.tolist(), strict=True) if is_so)
        raise np.linalg.LinAlgError(
            f"the Gram matrix is not positive definite at penalty {penalty:g}: its entries are not inner products, or "
            "its rounding errors exceed the penalty"
        )


def checked_tensors(
    gram: Tensor | ArrayLike, responses: Tensor | ArrayLike, penalties: ArrayLike
) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
    """Return tensors (n, n) and (n, targets) on a device, or raise ValueError as `nested_ridge` does."""
    device = gram.device if isinstance(gram, Tensor) else responses.device
    gram, responses = (torch.as_tensor(values, dtype=torch.float64, device=device) for values in (gram, responses))
    responses = responses[:, None] if responses.ndim == 1 else responses
    # One row marks the targets whose values are all finite.
    finite = torch.where(responses.isfinite().all(dim=0), 0.0, torch.nan)
    _, penalties = checked_values(finite[None].cpu().numpy(), on_cpu(penalties))
    n = len(responses)
    if gram.shape != (n, n):
        raise ValueError(f"gram has shape {tuple(gram.shape)}; with {n} stimuli in responses it must be ({n}, {n})")
    if not gram.isfinite().all():
        raise ValueError("gram has values that are not finite")
    return gram, responses, penalties


def on_cpu(values: Tensor | ArrayLike) -> ArrayLike:
    """Return rows or penalties on the CPU."""
    return values.cpu().numpy() if isinstance(values, Tensor) else values
