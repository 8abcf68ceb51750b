"""Voxel-encoding RSA (veRSA): RSA of an area's responses with their held-out predictions.

Ridge regression first predicts each neuron, so that features count as much as they help to predict the area. Then the
dissimilarities of predicted patterns are compared with those of measured patterns, as in `ventral.scores.geometry`.
Sources are Conwell et al. 2024 (Nature Communications 15:9383) and, as mixed RSA, Khaligh-Razavi et al. 2017 (Journal
of Mathematical Psychology 76:184).

Only pairs of stimuli of the same held-out fold are compared, fold by fold. One fit predicts both, and saw neither.
Stimuli of different folds are predicted by different fits, and each of these fits saw the other stimulus. Correlated
over all pairs, unrelated features would then score above 0, because intercepts tell folds apart.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.grams.recorded import representation_of
from ventral.mappings.attenuation import MatrixReliability
from ventral.scores.geometry import (
    FEWEST_STIMULI,
    N_SPLITS,
    Comparison,
    Population,
    comparisons_of,
    is_marked,
    over_root,
    populations,
    reliability_of_comparison,
)
from ventral.statistics.matrix_influence import stimulus_influences
from ventral.targets.splits import Split
from ventral.targets.values import Targets

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictedArea:
    """The measured side of an area, whose held-out predictions are compared with it on one split.

    Attributes
    ----------
    area, time_bin, split : str
    names : (neurons,) array of str
        Neurons that have all stimuli of the area.
    centre, scale : (neurons,) arrays
        Mean and standard deviation of each neuron's mean responses over stimuli.
    n_stimuli : int
        Number of scored stimuli.
    folds : list of integer arrays
        Rows of each fold among the scored stimuli, without folds of fewer than four stimuli.
    measured : dict of lists of arrays
        Prepared matrix of each fold, for each comparison.
    reliability : dict of MatrixReliability
        Mean over folds, weighted by pairs, for each comparison.
    """

    area: str
    time_bin: str
    split: str
    names: NDArray
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    n_stimuli: int
    folds: Sequence[NDArray[np.intp]]
    measured: Mapping[Comparison, Sequence[NDArray]]
    reliability: Mapping[Comparison, MatrixReliability]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Share of each fold (folds,) in all compared pairs."""
        return _shares_of_pairs(self.folds)


def versa_comparisons(rsa: Mapping[str, Sequence[str]]) -> list[Comparison]:
    """Return the comparisons of mapping `versa`, with the distances and comparisons of mapping `rsa`.

    Crossnobis distances are left out, because predictions have no repetitions.
    """
    chosen = comparisons_of(["rsa"], rsa)
    return [Comparison("versa", of.distance, of.name) for of in chosen if of.distance != "crossnobis"]


def predicted_areas(
    responses: "xr.Dataset", splits: Mapping[str, Split], comparisons: Sequence[Comparison], seed: int
) -> list[PredictedArea]:
    """Return the measured sides of all areas in all time bins, for each split.

    Random test sets are left out, because they overlap. So are areas without a fold of four stimuli, with a warning.

    Parameters
    ----------
    responses : Dataset
        Store of a recording of neuroids.
    splits : mapping of Split
    comparisons : sequence of Comparison
        From `versa_comparisons`.
    seed : int
        Seed of the random halves of the repetitions, which give the reliability.
    """
    found = []
    for area, time_bin, population in populations(responses):
        present = np.isin(np.arange(responses.sizes["stimulus"]), population.rows)[:, None]
        for name, split in splits.items():
            if split.repeated or not split.suffices(present).all():
                continue
            scored, folds = _scored(split.placed(population.rows))
            if not folds:
                logger.warning(
                    "recording %s, %s, split %s: no fold has %d stimuli, which `versa` needs",
                    responses.attrs["recording"],
                    area,
                    name,
                    FEWEST_STIMULI,
                )
                continue
            parts = [population.taken(scored[fold]) for fold in folds]
            found.append(
                PredictedArea(
                    area,
                    time_bin,
                    name,
                    population.names,
                    population.centre,
                    population.scale,
                    len(scored),
                    folds,
                    {
                        comparison: [comparison.prepared(representation_of(part.means)) for part in parts]
                        for comparison in comparisons
                    },
                    {
                        comparison: _mean_reliability(parts, _shares_of_pairs(folds), comparison, seed)
                        for comparison in comparisons
                    },
                )
            )
    return found


def versa_rows(
    predictions: NDArray,
    targets: Targets,
    areas: Sequence[PredictedArea],
    n_folds: int,
    reliability_threshold: float,
    seed: int,
) -> pd.DataFrame:
    """Return the rows of the score table that compare predicted with measured dissimilarities.

    Parameters
    ----------
    predictions : (m, targets) array
        Held-out predictions by ridge regression, on one split.
    targets : Targets
        Predicted targets.
    areas : sequence of PredictedArea
        Areas of this split whose neurons are all among the targets.
    n_folds : int
        Number of folds of the split.
    reliability_threshold, seed
        As for `ventral.scores.geometry.geometry_rows`.

    Returns
    -------
    DataFrame
        A row for each area and comparison. `r` is the mean of the folds' values, weighted by pairs; NaN if one is NaN.
        `r_error` is its standard error for other stimuli. Other columns are those of `geometry_rows`.
    """
    rows = []
    for area in areas:
        columns = targets.places_of(area.names, np.full(len(area.names), area.time_bin))
        predicted = representation_of((predictions[:, columns] - area.centre) / area.scale)
        parts = [predicted.select_stimuli(fold) for fold in area.folds]
        for comparison, measured in area.measured.items():
            of_folds = [
                _compared(comparison, comparison.prepared(part), matrix, seed)
                for part, matrix in zip(parts, measured, strict=True)
            ]
            values, errors = np.transpose(of_folds)
            r, reliability = float(area.weights @ values), area.reliability[comparison]
            (predictivity,) = over_root(np.array([r]), reliability.rho)
            rows.append(
                {
                    "area": area.area,
                    "time_bin": area.time_bin,
                    "target": area.area,
                    "target_kind": "matrix",
                    "split": area.split,
                    "mapping": comparison.mapping,
                    "distance": comparison.distance,
                    "comparison": comparison.name,
                    "n_stimuli": area.n_stimuli,
                    "n_folds": n_folds,
                    "n_neuroids": len(area.names),
                    "r": r,
                    "r_error": float(np.linalg.norm(area.weights * errors)),
                    "reliability": reliability.rho,
                    "predictivity": predictivity,
                    "explained_variance": predictivity * abs(predictivity),
                    "standard_error": reliability.standard_error,
                    "marked": is_marked(comparison, reliability, reliability_threshold),
                }
            )
    return pd.DataFrame(rows)


def _scored(split: Split) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Return the scored stimuli of a split, and the rows among them of each fold with four stimuli or more."""
    if split.is_nested:
        scored, folds = np.arange(sum(map(len, split.folds))), split.folds
    else:
        ((_, scored),) = split.fits
        folds = [np.arange(len(scored))]
    return scored, [fold for fold in folds if len(fold) >= FEWEST_STIMULI]


def _shares_of_pairs(folds: Sequence[NDArray]) -> NDArray[np.float64]:
    n_pairs = np.array([len(fold) * (len(fold) - 1) / 2 for fold in folds])
    return n_pairs / n_pairs.sum()


def _compared(comparison: Comparison, predicted: NDArray, measured: NDArray, seed: int) -> tuple[float, float]:
    """Return the value of a comparison in one fold, and its standard error."""
    value, influences = stimulus_influences("rsa", comparison.name, predicted, measured)
    return value, comparison.error(predicted, measured, influences, seed)


def _mean_reliability(
    parts: Sequence[Population], weights: NDArray, comparison: Comparison, seed: int
) -> MatrixReliability:
    """Return the weighted mean of the folds' reliabilities, with its standard error as in `MatrixReliability`."""
    of_folds = [reliability_of_comparison(part, comparison, N_SPLITS, seed) for part in parts]
    rhos, errors = np.transpose([(of_fold.rho, 2 * of_fold.rho * of_fold.standard_error) for of_fold in of_folds])
    rho = float(weights @ rhos)
    return MatrixReliability(rho, float(np.linalg.norm(weights * errors) / (2 * rho)) if rho > 0 else np.nan)
