"""Recorded areas as representations: how well one area, animal or session predicts another.

What a recorded area predicts of other neurons is what a perfect model of it could, with as many neurons and as noisy:
a mark beside the layers of models, which are scored on the same stimuli, splits and targets.

Neurons that were recorded together share trials, and with them noise that no stimulus evoked. Their means over the same
repetitions would predict each other by that noise, too. So within an animal of a recording the mean over one half of
the repetitions predicts the mean over the other half, in both directions, for several random halves. Its r is

    r = r_half sqrt((1 + (f - 1) rho) / f),

what it would be for the mean over all repetitions, where f is the share of repetitions in the half that is predicted
and rho the reliability of the neuron (Spearman-Brown; the predictors' noise stays that of a half, so that r is
rather too low than too high). Neurons of another recording or another animal share no trials: means over all
repetitions predict means over all.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.grams.representations import Representation
from ventral.grams.streaming import write_layer
from ventral.outputs import packing
from ventral.recordings.ingestion import mean_responses
from ventral.store import new_store, read_dataset
from ventral.targets.values import Targets, neurons

logger = logging.getLogger(__name__)

FAMILY = "recorded"
HALVINGS = 5
# Columns of the score table that are, or are proportional to, a correlation with the neuron's mean response.
CORRELATIONS = ("r", "predictivity", "fold_predictivity")


@dataclass(frozen=True)
class RecordedArea:
    """Neuroids that make one representation.

    Attributes
    ----------
    name : str
        The area, and the animal where the recording has several: 'IT' or 'IT, animal X'.
    area, animal : str
        `animal` is '' where it is not known.
    neuroids : (p,) integer array
        Which neuroids of the recording these are.
    """

    name: str
    area: str
    animal: str
    neuroids: NDArray[np.intp]


@dataclass(frozen=True)
class Halved:
    """An area's responses in one half of the repetitions, and those of other areas in the other half.

    Attributes
    ----------
    features : (n, p) array
        From `standardised`, 0 for stimuli that some neuroid of the area lacks in this half.
    targets : Targets
        Means over the other half, NaN for stimuli that `features` lack; the reliability is that of all repetitions.
    gain : dict of float
        For each target by name, r with the mean over all repetitions over r with the mean over this half.
    """

    features: NDArray[np.float64]
    targets: Targets
    gain: Mapping[str, float]


def recorded_gram(recording: str | Path, output: str | Path) -> None:
    """Write the Gram matrix of every area of a recording, in the form of `ventral.grams.streaming.gram`.

    An area's features are the mean responses of its neuroids over all repetitions, each standardised over stimuli:
    spike counts would weight a neuron by its rate. Neuroids that lack a stimulus are left out, and named.

    Parameters
    ----------
    recording : path
        Store of a recording of neuroids.
    output : path
        Zarr store to write, packed in one file. A layer is an area, of an animal where there are several; its `depth`
        is unknown (None), its `sample` has all neuroids. The attribute `layers` says of each its `area`, `animal` and
        `neuroids`.

    Raises
    ------
    InputError
        If the recording is of dissimilarity matrices, or no neuroid has responses to all stimuli.
    """
    responses = read_dataset(recording)
    name = responses.attrs["recording"]
    if "dissimilarities" in responses:
        raise InputError(f"{recording}: recording {name} has dissimilarity matrices; responses of neuroids are needed")
    areas = recorded_areas(responses)
    values = mean_responses(responses).values
    layers = [
        {
            "name": area.name,
            "depth": None,
            "shape": [len(area.neuroids)],
            "n_features": len(area.neuroids),
            "area": area.area,
            "animal": area.animal,
            "neuroids": responses["neuroid"].values[area.neuroids].astype(str).tolist(),
        }
        for area in areas
    ]
    with packing(output) as unfinished, new_store(unfinished) as group:
        group.attrs.update(
            model=name,
            family=FAMILY,
            stimuli=responses.attrs["stimuli"],
            stimuli_sha256=responses.attrs["stimuli_sha256"],
            dtype="float64",
            simulated=bool(responses.attrs.get("simulated", False)),
            layers=layers,
        )
        for area, layer in zip(areas, layers, strict=True):
            of_area = representation_of(standardised(values[:, area.neuroids]))
            write_layer(group, layer, of_area.gram, of_area.row_sums, of_area.units, of_area.unit_features)
            logger.info("%s, %s: %d neuroids", name, area.name, len(area.neuroids))


def recorded_areas(responses: xr.Dataset) -> list[RecordedArea]:
    """Return the areas of a recording, with the neuroids of each that can be used and have all stimuli.

    Raises
    ------
    InputError
        If there are none.
    """
    name = responses.attrs["recording"]
    ids, area_of = responses["neuroid"].values.astype(str), responses["area"].values.astype(str)
    animal_of = responses["animal"].values.astype(str) if "animal" in responses.coords else np.full(len(ids), "")
    usable = responses["left_out"].values.astype(str) == ""
    complete = np.isfinite(mean_responses(responses).values).all(axis=0)
    if (usable & ~complete).any():
        logger.warning(
            "recording %s: %d neuroids lack stimuli and are not part of their area's representation: %s",
            name,
            (usable & ~complete).sum(),
            ", ".join(ids[usable & ~complete]),
        )
    several = len(np.unique(animal_of[usable])) > 1
    areas = []
    for area, animal in sorted(set(zip(area_of[usable], animal_of[usable], strict=True))):
        members = np.flatnonzero(usable & complete & (area_of == area) & (animal_of == animal))
        called = f"{area}, animal {animal}" if several and animal else area
        if len(members):
            areas.append(RecordedArea(called, area, animal, members))
        else:
            logger.warning("recording %s: %s: no neuroid has all stimuli; it represents nothing", name, called)
    if not areas:
        raise InputError(
            f"recording {name}: no neuroid has responses to all stimuli, so none of its areas can stand for a model; "
            f"leave it out of `recorded_models` and `reverse`"
        )
    return areas


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column of values (n, p) with mean 0 and variance 1 over stimuli; 0 where it does not vary."""
    centred = values - values.mean(axis=0)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    varies = deviation > 1e-12 * np.abs(values).max(axis=0)
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=varies)


def representation_of(features: NDArray[np.float64]) -> Representation:
    """Return the representation that features (n, p) make, all of them kept."""
    p = features.shape[1]
    return Representation(features @ features.T, features.sum(axis=1), features, np.arange(p), p)


def neurons_elsewhere(responses: xr.Dataset, area: RecordedArea) -> Targets:
    """Return the neurons of a recording that share no trials with an area's: those of other animals."""
    animals = responses["animal"].values.astype(str) if "animal" in responses.coords else None
    if animals is None or not area.animal:
        return neurons(responses.isel(neuroid=[]))
    return neurons(responses.isel(neuroid=np.flatnonzero((animals != area.animal) & (animals != ""))))


def neurons_beside(responses: xr.Dataset, area: RecordedArea) -> xr.Dataset:
    """Return the part of a recording that shares trials with an area, but for the area itself.

    Where an animal is not known, it may be the same.
    """
    other = responses["area"].values.astype(str) != area.area
    if "animal" in responses.coords:
        animals = responses["animal"].values.astype(str)
        other = (other | (animals != area.animal)) & (np.isin(animals, ["", area.animal]) | (area.animal == ""))
    return responses.isel(neuroid=np.flatnonzero(other))


def halved(responses: xr.Dataset, area: RecordedArea, seed: int) -> Iterator[Halved]:
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
    predicted = beside["responses"].sel(neuroid=targets.names.astype(object)).values
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
            gain = np.sqrt((1 + (share - 1) * np.clip(targets.reliability, 0, 1)) / share)
            yield Halved(
                features,
                Targets(values, targets.kinds, targets.names, targets.areas, targets.reliability),
                dict(zip(targets.names, gain, strict=True)),
            )


def averaged(parts: Sequence[pd.DataFrame], gains: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Return one row for each target of the rows that several halves made.

    Parameters
    ----------
    parts : sequence of DataFrame
        Rows of the score table, those of each `Halved`.
    gains : sequence of dict
        Its `gain`.

    Returns
    -------
    DataFrame
        `r` and what follows from it averaged over halves, each times its gain, NaN where one is; `alpha` the geometric
        mean; of counts, the smallest.
    """
    rows = pd.concat(
        [part.assign(gain=part["target"].map(gain)) for part, gain in zip(parts, gains, strict=True)],
        ignore_index=True,
    )
    for column in rows.columns.intersection(CORRELATIONS):
        rows[column] *= rows["gain"]
    rows["alpha"] = np.log(rows["alpha"])
    groups = rows.drop(columns="gain").groupby(["target_kind", "area", "target", "split", "mapping"], sort=False)
    table = groups.first()
    for column in table.columns.intersection([*CORRELATIONS, "alpha"]):
        table[column] = groups[column].agg(lambda values: values.mean(skipna=False))
    for column in ("n_stimuli", "n_folds"):
        table[column] = groups[column].min()
    table["alpha"] = np.exp(table["alpha"])
    table["explained_variance"] = np.square(table["predictivity"])
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
