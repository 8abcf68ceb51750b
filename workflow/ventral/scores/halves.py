"""Predict neurons from an area recorded with them, using different halves of the trials.

Neurons recorded together share trials, and therefore noise that no stimulus evoked. Means over the same repetitions
would predict each other through that noise, too. Within an animal of a recording, the mean over one half of the
repetitions therefore predicts the mean over the other half. Both directions and several random halves are used. The
reported r is

    r = r_half sqrt((1 + (f - 1) rho) / f),

which is r for the mean over all repetitions (Spearman-Brown). f is the share of repetitions in the predicted half, and
rho the reliability of the neuron's mean response within the same folds. The predictors keep the noise of a half, so
that r is rather too low than too high. Neurons of another recording or another animal share no trials, and means over
all repetitions are used.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.grams.recorded import RecordedArea
from ventral.mappings.correlation import r_squared
from ventral.mappings.standardisation import standardised
from ventral.recordings.time_bins import columns_of
from ventral.targets.ceilings import KEYS
from ventral.targets.values import Targets, neurons

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

HALVINGS = 5
# Correlations with a neuron's mean response, each with the response's reliability within the same folds.
RELIABILITIES = {
    "r": "reliability",
    "r_folds": "fold_reliability",
    "r_even": "reliability_even",
    "r_odd": "reliability_odd",
}


@dataclass(frozen=True)
class Halved:
    """An area's responses in one half of the repetitions, and other areas' responses in the other half.

    Attributes
    ----------
    features : (n, p) array
        Responses from `standardised`; 0 for stimuli that some neuroid of the area lacks in this half.
    targets : Targets
        Means over the other half; NaN for stimuli that `features` lack.
    share : dict of float
        Share of each target's repetitions in its half, by name and time bin.
    """

    features: NDArray[np.float64]
    targets: Targets
    share: Mapping[tuple[str, str], float]


def neurons_elsewhere(responses: "xr.Dataset", area: RecordedArea) -> Targets:
    """Return the neurons of a recording from other animals, which share no trials with an area."""
    responses = columns_of(responses)
    animals = responses["animal"].values.astype(str) if "animal" in responses.coords else None
    if animals is None or not area.animal:
        return neurons(responses.isel(neuroid=[]))
    return neurons(responses.isel(neuroid=np.flatnonzero((animals != area.animal) & (animals != ""))))


def neurons_beside(responses: "xr.Dataset", area: RecordedArea) -> "xr.Dataset":
    """Return the part of a recording that shares trials with an area, without the area itself.

    An unknown animal counts as the same animal. The area is left out in all time bins.
    """
    responses = columns_of(responses)
    other = responses["area"].values.astype(str) != area.area
    if "animal" in responses.coords:
        animals = responses["animal"].values.astype(str)
        other = (other | (animals != area.animal)) & (np.isin(animals, ["", area.animal]) | (area.animal == ""))
    return responses.isel(neuroid=np.flatnonzero(other))


def halved(responses: "xr.Dataset", area: RecordedArea, seed: int) -> Iterator[Halved]:
    """Yield an area's responses in one half of the repetitions, with other areas' in the other half.

    Repetitions are dealt for each stimulus, equally for all neuroids, so that no trial is in both halves.

    Parameters
    ----------
    responses : Dataset
        Store of the recording.
    area : RecordedArea
        Predicting area.
    seed : int
        Seed; NumPy's generator with seed (seed, k) draws the k-th halves.

    Yields
    ------
    Halved
        Two results for each of five random divisions, with each half predicting the other. Nothing is yielded without
        other neurons that share trials, or without repetitions, with a warning.
    """
    responses = columns_of(responses)
    beside = neurons_beside(responses, area)
    targets = neurons(beside)
    if not len(targets.names):
        return
    if not responses.attrs["has_repetitions"]:
        logger.warning(
            "recording %s: %s does not predict %s, because without repetitions shared noise looks like signal",
            responses.attrs["recording"],
            area.name,
            ", ".join(sorted(set(targets.areas))),
        )
        return
    predicting = responses["responses"].values[:, :, area.neuroids]
    predicted = beside["responses"].isel(neuroid=np.flatnonzero(beside["left_out"].values == "")).values
    measured = ~np.isnan(predicted)
    shown = ~np.isnan(responses["responses"].values).all(axis=2)
    for k in range(HALVINGS):
        halves = _dealt_in_halves(shown, np.random.default_rng([seed, k]))
        for predictors, others in (halves, halves[::-1]):
            means = _mean_over(predicting, predictors)
            rows = np.isfinite(means).all(axis=1)
            features = np.zeros_like(means)
            features[rows] = standardised(means[rows])
            values = _mean_over(predicted, others)
            values[~rows] = np.nan
            share = (measured & others[:, :, None]).sum(axis=(0, 1)) / measured.sum(axis=(0, 1))
            yield Halved(
                features,
                replace(targets, values=values),
                dict(zip(zip(targets.names, targets.time_bins, strict=True), share, strict=True)),
            )


def averaged(
    parts: Sequence[pd.DataFrame], shares: Sequence[Mapping[tuple[str, str], float]], ceilings: pd.DataFrame
) -> pd.DataFrame:
    """Average the rows of several halves to one row for each target.

    Parameters
    ----------
    parts : sequence of DataFrame
        Rows of the score table for each `Halved`.
    shares : sequence of dict
        `share` of each `Halved`.
    ceilings : DataFrame
        Ceilings of the whole recording, from `ventral.targets.ceilings.ceilings_of_neurons`.

    Returns
    -------
    DataFrame
        Correlations, corrected to means over all repetitions, are averaged over halves; NaN if one is NaN. `alpha` is
        the geometric mean. Counts are the smallest of all halves.
    """
    rows = pd.concat(
        [
            part.assign(share=[share[place] for place in zip(part["target"], part["time_bin"], strict=True)])
            for part, share in zip(parts, shares, strict=True)
        ],
        ignore_index=True,
    )
    found = ceilings.reindex(pd.MultiIndex.from_frame(rows[KEYS])).set_index(rows.index)
    for column, reliability in RELIABILITIES.items():
        rows[column] *= np.sqrt((1 + (rows["share"] - 1) * found[reliability].clip(0, 1)) / rows["share"])
    rows["alpha"] = np.log(rows["alpha"])
    groups = rows.drop(columns="share").groupby(
        ["target_kind", "area", "time_bin", "target", "split", "mapping"], sort=False
    )
    table = groups.first()
    for column in (*RELIABILITIES, "alpha"):
        table[column] = groups[column].agg(lambda values: values.mean(skipna=False))
    for column in ("n_stimuli", "n_folds"):
        table[column] = groups[column].min()
    table["alpha"] = np.exp(table["alpha"])
    table["r_squared"] = r_squared(table["r"].to_numpy(float))
    return table.reset_index()


def _dealt_in_halves(shown: NDArray[np.bool_], rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Deal the shown repetitions of each stimulus into two halves, and return their masks (repetitions, n)."""
    keys = np.where(shown, rng.random(shown.shape), np.inf)
    rank = np.argsort(np.argsort(keys, axis=0), axis=0)
    first = rank < shown.sum(axis=0) // 2
    return first, shown & ~first


def _mean_over(responses: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean (n, neuroids) over chosen repetitions (repetitions, n); NaN if there are none."""
    taken = chosen[:, :, None] & ~np.isnan(responses)
    counts = taken.sum(axis=0)
    sums = np.where(taken, responses, 0).sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
