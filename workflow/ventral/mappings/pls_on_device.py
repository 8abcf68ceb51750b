"""Partial least squares of `ventral.mappings.pls` in torch, on the CPU or on a GPU.

The first eigenvector of C = Y^T K Y is computed by squaring C repeatedly, because C^(2^k) tends to the projector onto
that vector. On a GPU, products of matrices take less time than one decomposition. After k squarings, the share of the
second eigenvector is (l2 / l1)^(2^k). No step waits for the GPU. If only rounding is left, a component is zero and adds
nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ventral.mappings.pls import with_few_columns
from ventral.mappings.standardisation import centred_columns

# Enough to distinguish eigenvalues with a relative difference of 1e-13.
SQUARINGS = 48


@torch.no_grad()
def pls_predictions_on_device(
    gram: Tensor, responses: NDArray, folds: Sequence[NDArray], n_components: int
) -> NDArray[np.float64]:
    """Compute `ventral.mappings.pls.pls_predictions` on the device of the Gram matrix.

    Parameters
    ----------
    gram : (n, n) float64 tensor
        Inner products of the stimuli's feature vectors, of any centring.
    responses : (n, targets) array
        Finite.
    folds : sequence of integer arrays
        Rows of each fold; each row in one fold at most.
    n_components : int

    Returns
    -------
    (n, targets) array
        NaN for rows in no fold.
    """
    turned = with_few_columns(responses)
    predictions = np.full(responses.shape, np.nan)
    for fold in folds:
        training = np.setdiff1d(np.arange(len(gram)), fold)
        values = centred_columns(responses[training])
        targets = values if turned is responses else centred_columns(turned[training])
        values, targets = (torch.from_numpy(part).to(gram.device) for part in (values, targets))
        found = _predicted(gram, targets, values, *_places(gram, training, fold), n_components)
        predictions[fold] = responses[training].mean(axis=0) + found.cpu().numpy()
    return predictions


def _places(gram: Tensor, *rows: NDArray) -> list[Tensor]:
    return [torch.from_numpy(some).to(gram.device) for some in rows]


def _predicted(
    gram: Tensor, targets: Tensor, values: Tensor, training: Tensor, test: Tensor, n_components: int
) -> Tensor:
    """Return predictions (test, targets) of centred values (training, targets), components being those of `targets`."""
    of_training = gram[training[:, None], training]
    rounding = len(training) * torch.finfo(gram.dtype).eps * of_training.diagonal().max()
    means = of_training.mean(dim=0)
    of_training -= means
    of_training -= of_training.mean(dim=1, keepdim=True)
    weights, scores = _components(of_training, targets, n_components, rounding)
    of_test = gram[test[:, None], training] - means
    of_test -= of_test.mean(dim=1, keepdim=True)
    triangle = scores.T @ (of_training @ weights)
    # A missing component has scores of 0, so the diagonal of the triangle is 0 there.
    triangle.diagonal().masked_fill_(triangle.diagonal() == 0, 1.0)
    scores_of_test = torch.linalg.solve_triangular(triangle.triu(), of_test @ weights, upper=True, left=False)
    return scores_of_test @ (scores.T @ values)


def _components(gram: Tensor, targets: Tensor, n_components: int, rounding: Tensor) -> tuple[Tensor, Tensor]:
    """Return U and T (n, components), which are 0 from the first component with only rounding left."""
    n = len(gram)
    remaining, covaried = targets.clone(), gram @ targets
    smallest = n * torch.finfo(gram.dtype).eps * torch.linalg.norm(targets)
    weights, scores = gram.new_zeros(n, n_components), gram.new_zeros(n, n_components)
    is_left = torch.ones((), dtype=torch.bool, device=gram.device)
    for component in range(n_components):
        weight = remaining @ _dominant_direction(remaining.T @ covaried)
        score = _without(scores[:, :component], gram @ weight)
        length = torch.linalg.norm(score)
        is_left = is_left & (torch.linalg.norm(remaining) > smallest)
        is_left = is_left & (length > rounding * torch.linalg.norm(weight))
        score = torch.where(is_left, score / length, 0.0)
        weights[:, component], scores[:, component] = torch.where(is_left, weight, 0.0), score
        loadings = score @ remaining
        remaining -= torch.outer(score, loadings)
        also = _without(scores[:, : component + 1], gram @ score)
        covaried -= torch.outer(score, score @ covaried) + torch.outer(also, loadings)
    return weights, scores


def _dominant_direction(square: Tensor) -> Tensor:
    """Return the first eigenvector (t,) of a matrix (t, t), of unit length; 0 for a matrix of zeros."""
    square = (square + square.T) / 2
    powers = square
    for _ in range(SQUARINGS):
        powers = powers / powers.trace().clamp_min(torch.finfo(square.dtype).tiny)
        powers = powers @ powers
    largest = powers.diagonal().argmax()
    direction = square @ powers.index_select(1, largest[None])[:, 0]
    return direction / torch.linalg.norm(direction).clamp_min(torch.finfo(square.dtype).tiny)


def _without(directions: Tensor, vector: Tensor) -> Tensor:
    """Return a vector made orthogonal to orthonormal directions, in two steps as in `ventral.mappings.pls`."""
    for _ in range(2):
        vector = vector - directions @ (directions.T @ vector)
    return vector
