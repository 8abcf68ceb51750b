"""How well one recorded area predicts neurons that were recorded together with it: one half of the trials each.

Neurons that were recorded together share trials, and with them noise that no stimulus evoked. Their means over the same
repetitions would predict each other by that noise, too. So within an animal of a recording the mean over one half of
the repetitions predicts the mean over the other half, in both directions, for several random halves. Its r is

    r = r_half sqrt((1 + (f - 1) rho) / f),

what it would be for the mean over all repetitions, where f is the share of repetitions in the half that is predicted
and rho the reliability of the neuron's mean response within the same folds (Spearman-Brown; the predictors' noise stays
that of a half, so that r is rather too low than too high). Neurons of another recording or another animal share no
trials: means over all repetitions predict means over all.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.grams.recorded import RecordedArea
from ventral.mappings.standardisation import standardised
from ventral.recordings.time_bins import columns_of
from ventral.targets.ceilings import KEYS
from ventral.targets.values import Targets, neurons

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

HALVINGS = 5
# Correlations with the neuron's mean response, and the reliability of this within the same folds.
RELIABILITIES = {
    "r": "reliability",
    "r_folds": "fold_reliability",
    "r_even": "reliability_even",
    "r_odd": "reliability_odd",
}


@dataclass(frozen=True)
class Halved:
    """An area's responses in one half of the repetitions, and those of other areas in the other half.

    Attributes
    ----------
    features : (n, p) array
        From `standardised`, 0 for stimuli that some neuroid of the area lacks in this half.
    targets : Targets
        Means over the other half, NaN for stimuli that `features` lack.
    share : dict of float
        For each target by name and bin of time, which share of its repetitions is in this half.
    """

    features: NDArray[np.float64]
    targets: Targets
    share: Mapping[tuple[str, str], float]


def neurons_elsewhere(responses: "xr.Dataset", area: RecordedArea) -> Targets:
    """Return the neurons of a recording that share no trials with an area's: those of other animals."""
    responses = columns_of(responses)
    animals = responses["animal"].values.astype(str) if "animal" in responses.coords else None
    if animals is None or not area.animal:
        return neurons(responses.isel(neuroid=[]))
    return neurons(responses.isel(neuroid=np.flatnonzero((animals != area.animal) & (animals != ""))))


def neurons_beside(responses: "xr.Dataset", area: RecordedArea) -> "xr.Dataset":
    """Return the part of a recording that shares trials with an area, but for the area itself.

    Where an animal is not known, it may be the same. The area itself is so in all bins of time.
    """
    responses = columns_of(responses)
    other = responses["area"].values.astype(str) != area.area
    if "animal" in responses.coords:
        animals = responses["animal"].values.astype(str)
        other = (other | (animals != area.animal)) & (np.isin(animals, ["", area.animal]) | (area.animal == ""))
    return responses.isel(neuroid=np.flatnonzero(other))


def halved(responses: "xr.Dataset", area: RecordedArea, seed: int) -> Iterator[Halved]:
    """Give an area's responses in one half of the repetitions with those beside it in the other, for random halves.

    Repetitions are dealt stimulus by stimulus, the same for all neuroids: no trial is in both halves.

    Parameters
    ----------
    responses : Dataset
        Store of the recording.
    area : RecordedArea
        What predicts.
    seed : int
        Halving k is drawn by NumPy's generator seeded by (seed, k).

    Yields
    ------
    Halved
        Twice for each of five halvings, each half predicting the other. None where there are no other neurons that
        share trials, or no repetitions: these are named in a warning.
    """
    responses = columns_of(responses)
    beside = neurons_beside(responses, area)
    targets = neurons(beside)
    if not len(targets.names):
        return
    if not responses.attrs["has_repetitions"]:
        logger.warning(
            "recording %s, %s: does not predict %s: without repetitions, noise that they share looks like signal",
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
    """Return one row for each target of the rows that several halves made.

    Parameters
    ----------
    parts : sequence of DataFrame
        Rows of the score table, those of each `Halved`.
    shares : sequence of dict
        Its `share`.
    ceilings : DataFrame
        From `ventral.targets.ceilings.ceilings_of_neurons`, of the whole recording.

    Returns
    -------
    DataFrame
        Correlations, as they would be with means over all repetitions, averaged over halves, NaN where one is; `alpha`
        the geometric mean; of counts, the smallest.
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
    return table.reset_index()


def _dealt_in_halves(shown: NDArray[np.bool_], rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which repetitions (repetitions, n) are in either half of those shown of each stimulus."""
    keys = np.where(shown, rng.random(shown.shape), np.inf)
    rank = np.argsort(np.argsort(keys, axis=0), axis=0)
    first = rank < shown.sum(axis=0) // 2
    return first, shown & ~first


def _mean_over(responses: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean (n, neuroids) over chosen repetitions (repetitions, n); NaN where there is none."""
    taken = chosen[:, :, None] & ~np.isnan(responses)
    counts = taken.sum(axis=0)
    sums = np.where(taken, responses, 0).sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
