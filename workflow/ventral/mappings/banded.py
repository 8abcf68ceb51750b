"""Banded ridge regression over several layers of a model: what each layer adds to the others.

With a penalty of its own for each layer l, ridge regression on all features together minimises

    |y - b - sum_l X_l w_l|^2 + sum_l a_l |w_l|^2

(Nunez-Elizalde, Huth and Gallant 2019, NeuroImage 197:482). Let a_l = a / g_l, where the g_l are not negative and sum
to 1. Banded ridge regression is then ridge regression with the penalty a on the features sqrt(g_l) X_l side by side.
Their Gram matrix is `K = sum_l g_l K_l`, so the layers' Gram matrices suffice.

The penalties are chosen by random search among points g and values of a (Dupre la Tour, Eickenberg, Nunez-Elizalde and
Gallant 2022, NeuroImage 264:119728). Each target and held-out part gets its own choice, by the inner cross-validation
of `ventral.mappings.ridge`. Each K_l is first divided by the mean squared distance of the layer's feature vectors from
their mean. So g weights layers, not the scales of their units.

The contribution of a layer is the difference between the fit on all layers and the fit on all others. Both fits search
the same points: those of the fit without a layer are the points of the other with g_l = 0.

Whole models may stand in place of layers, each with one Gram matrix (`ventral.scores.partition`).
"""

import logging
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.mappings.ridge import NestedRidge, nested_errors
from ventral.mappings.standardisation import scaled_gram
from ventral.running.parallel import computed
from ventral.running.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

# Random points in each face of the simplex that is searched, alternately near its corners and even, as the paper's
# implementation (himalaya) draws them.
DRAWS = 10
CONCENTRATIONS = (0.1, 1.0)


def simplex(n_layers: int, seed: int) -> NDArray[np.float64]:
    """Return the weightings of layers to search (points, layers), each row's sum 1.

    The points are the corners, and points of the simplices of all layers and of all layers but one. These are the
    centre of each simplex, and `DRAWS` points drawn from Dirichlet distributions.
    """
    rng = np.random.default_rng(seed)
    points = [*np.eye(n_layers)]
    for taken in subsets(n_layers):
        if len(taken) > 1:
            drawn = [rng.dirichlet(np.full(len(taken), CONCENTRATIONS[k % 2])) for k in range(DRAWS)]
            for weights in [np.full(len(taken), 1 / len(taken)), *drawn]:
                points.append(np.zeros(n_layers))
                points[-1][list(taken)] = weights
    return np.stack(points)


def subsets(n_layers: int) -> list[tuple[int, ...]]:
    """Return the sets of layers that are fitted together: all layers, and all layers but one."""
    everything = tuple(range(n_layers))
    return [everything, *(everything[:k] + everything[k + 1 :] for k in everything)]


def every_subset(n_layers: int) -> list[tuple[int, ...]]:
    """Return all sets of layers but the empty one, smaller sets first.

    `simplex` has points for each of them if there are at most three layers.
    """
    return [taken for size in range(1, n_layers + 1) for taken in combinations(range(n_layers), size)]


def layer_kernel(gram: NDArray, layer: str = "") -> NDArray[np.float64]:
    """Return a layer's `scaled_gram`, with a warning if its features do not vary."""
    kernel = scaled_gram(gram)
    if not kernel.any():
        logger.warning("layer %s: the features are the same for all stimuli, and add nothing to other layers", layer)
    return kernel


def banded_ridge(
    kernels: NDArray,
    responses: NDArray,
    splits: Sequence[Sequence[NDArray]],
    penalties: Sequence[float],
    points: NDArray,
    together: Sequence[tuple[int, ...]],
    progress: Progress | None = None,
) -> list[dict[tuple[int, ...], tuple[NestedRidge, NDArray]]]:
    """Predict every target from several sets of layers, with weights and penalty for each target.

    Parameters
    ----------
    kernels : (layers, n, n) array
        From `layer_kernel`.
    responses : (n, targets) array
        Finite.
    splits : sequence of sequences of integer arrays
        Outer folds of each split; the inner folds of an outer fold are the others.
    penalties : (m,) sequence
        Candidates, ascending.
    points : (points, layers) array
        From `simplex`. A fit on some layers searches those with weight 0 on all others.
    together : sequence of tuples of int
        Sets of layers that are fitted together, such as `subsets`.
    progress : Progress, optional
        Advanced by each point.

    Returns
    -------
    list, for each split, of dict
        For each of `together`: the held-out predictions with their penalty, and the chosen weights (folds, targets,
        layers). The chosen weights have the smallest sum of squared errors over the inner folds.
    """
    tasks = [
        delayed(_errors_at_point, pure=False, traverse=False)(kernels, point, responses, splits, penalties, progress)
        for point in points
    ]
    of_points = computed(*tasks)
    results = []
    for s, folds in enumerate(splits):
        inner, predictions, penalty = (np.stack(parts) for parts in zip(*(fit[s] for fit in of_points), strict=True))
        fold_of = np.empty(len(responses), dtype=int)
        for i, fold in enumerate(folds):
            fold_of[fold] = i
        of_split = {}
        for taken in together:
            searched = searched_by(taken, points)
            chosen = searched[np.argmin(inner[searched], axis=0)]
            fit = NestedRidge(
                np.take_along_axis(predictions, chosen[fold_of][None], axis=0)[0],
                np.take_along_axis(penalty, chosen[None], axis=0)[0],
                chosen,
            )
            of_split[taken] = fit, points[chosen]
        results.append(of_split)
    return results


def banded_ridge_of_tensors(
    kernels: "Tensor",
    responses: "Tensor",
    splits: Sequence[Sequence[NDArray]],
    penalties: Sequence[float],
    points: NDArray,
    together: Sequence[tuple[int, ...]],
) -> list[dict[tuple[int, ...], tuple[NestedRidge, NDArray]]]:
    """Compute `banded_ridge` on the device of tensors, which holds the matrix (n, n) of each point.

    Parameters
    ----------
    kernels : (layers, n, n) float64 tensor
    responses : (n, targets) float64 tensor
    splits, penalties, points, together
        As for `banded_ridge`.

    Returns
    -------
    list of dict
        As for `banded_ridge`, with NumPy arrays.
    """
    from ventral.mappings.ridge_on_device import nested_ridge_on_device

    results: list[dict] = [{} for _ in splits]
    for taken in together:
        searched = searched_by(taken, points)
        grams = [(kernels * kernels.new_tensor(points[k])[:, None, None]).sum(dim=0) for k in searched]
        # The order of candidates decides between equal errors, so it is that of `banded_ridge`.
        of_candidates = [gram for gram in grams for _ in penalties]
        fits = nested_ridge_on_device(of_candidates, responses, splits, np.tile(penalties, len(searched)))
        for of_split, fit in zip(results, fits, strict=True):
            predictions, penalty, candidate = (
                values.cpu().numpy() for values in (fit.predictions, fit.penalty, fit.candidate)
            )
            chosen = searched[candidate // len(penalties)]
            of_split[taken] = NestedRidge(predictions, penalty, chosen), points[chosen]
    return results


def searched_by(taken: Sequence[int], points: NDArray) -> NDArray[np.intp]:
    """Return the points that a fit on some layers searches: those with weight 0 on all others."""
    return np.flatnonzero(np.delete(points, taken, axis=1).sum(axis=1) == 0)


def _errors_at_point(kernels, point, responses, splits, penalties, progress):
    result = nested_errors(np.tensordot(point, kernels, axes=1), responses, splits, penalties)
    if progress:
        progress.advance()
    return result
