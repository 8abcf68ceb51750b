"""Candidate penalties, each with the Gram matrix that it belongs to, on a device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ventral.mappings.ridge import checked_values


@dataclass(frozen=True)
class Candidate:
    """A penalty and its Gram matrix, centred, filled and divided as `matrices.centre_and_fill` says.

    Attributes
    ----------
    number : int
        Place among all candidates.
    gram : (n, n) float64 tensor
    penalty : scalar float64 tensor
        In units of the matrix divided.
    given : float
        As given.
    """

    number: int
    gram: Tensor
    penalty: Tensor
    given: float


def candidates_of(
    gram: Tensor | Sequence[Tensor], penalties: NDArray, filled: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> list[Candidate]:
    """Return the candidates, without those that repeat an earlier one, which would never be chosen.

    Parameters
    ----------
    gram : tensor, or sequence of m tensors
        For all candidates, or for each.
    penalties : (m,) array
    filled : function
        What makes of a Gram matrix the matrix of a candidate and what it was divided by; called once for each matrix.
    """
    grams = [gram] * len(penalties) if isinstance(gram, Tensor) else list(gram)
    if len(grams) != len(penalties):
        raise ValueError(f"{len(grams)} Gram matrices for {len(penalties)} penalties; give one, or one for each")
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
            f"the Gram matrix is not positive definite at penalty {penalty:g}: it holds no inner products, or its "
            "rounding errors are larger than the penalty"
        )


def checked_tensors(
    gram: Tensor | ArrayLike, responses: Tensor | ArrayLike, penalties: ArrayLike
) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
    """Return tensors (n, n) and (n, targets) on the device given, or raise ValueError as `nested_ridge` says."""
    device = gram.device if isinstance(gram, Tensor) else responses.device
    gram, responses = (torch.as_tensor(values, dtype=torch.float64, device=device) for values in (gram, responses))
    responses = responses[:, None] if responses.ndim == 1 else responses
    # One row says of which targets all values are finite.
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
