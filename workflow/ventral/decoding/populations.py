"""Read labels and properties linearly from a few units of a layer or a recorded area.

Areas and layers are compared on equal terms, as by Hong, Yamins, Majaj and DiCarlo 2016 (Nature Neuroscience 19:613):

- The number of units is the same. Units are drawn at random, several times, from a layer's sample
  (`ventral.grams.representations`) and from an area's reliable neuroids. Units that do not vary over stimuli are never
  drawn.
- Every unit is standardised over all stimuli, without using labels or properties. Otherwise, the penalty would favour
  the few units with the largest variance. The scale of a unit only depends on its firing rate, electrode or weights.
- Recorded responses are means over a finite number of repetitions. Model units are therefore read twice: without noise
  (noise `none`), and with independent Gaussian noise of the variance

      signal (1 - rho) / rho

  over stimuli, where rho is the reliability of a neuroid of the same draw (noise `matched`, for each recorded area).
  Areas are read as recorded (noise `recorded`). Noise that neuroids share is not matched.
- Reliability is computed within random halves of all stimuli, for every split (`ventral.targets.reliability`). The
  reliability within the first half chooses neuroids, and noise is matched to that within the other half
  (`ventral.targets.selection`). The estimate that chose a neuroid would make the matched noise too small.

`ventral.decoding.readouts` reads labels and properties.
"""

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.decoding.readouts import Readout, costs_of_labels, gram_of_labels, predict, readouts_of, score
from ventral.errors import InputError
from ventral.grams.recorded import FAMILY
from ventral.grams.representations import read_representation
from ventral.mappings.standardisation import standardised
from ventral.outputs import writing
from ventral.recordings.time_bins import BASELINE, place_of, read_recording
from ventral.running.parallel import compute, computing
from ventral.running.progress import Progress
from ventral.stimuli.circular import angular_error
from ventral.store import open_store
from ventral.tables import write_parquet
from ventral.targets.benchmark import read_stimuli
from ventral.targets.ceilings import given_ceilings, noise_of_neurons
from ventral.targets.selection import chosen, reliability_of_half
from ventral.targets.splits import folds_of_stimuli
from ventral.targets.values import neurons

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

COLUMNS = {
    "recording": "string",
    "simulated": "boolean",
    "stimuli": "string",
    "model": "string",
    "family": "string",
    "layer": "string",
    "depth": "float64",
    "target": "string",
    "target_kind": "string",
    "measure": "string",
    "chance": "float64",
    "split": "string",
    "noise": "string",
    "matched_area": "string",
    "time_bin": "string",
    "n_stimuli": "int64",
    "units": "int64",
    "matched_units": "boolean",
    "draw": "int64",
    "score": "float64",
    "score_even": "float64",
    "score_odd": "float64",
    "resampled": "float64",
    "angular_error": "float64",
}
UNITS, NOISE, STIMULI = range(3)
# Seed number of split `stimuli`, which keeps the draws of an earlier name.
SPLIT_NUMBERS = {"stimuli": 3760176746}


@dataclass(frozen=True)
class Population:
    """A population of units that vary over stimuli, from which units are drawn.

    Attributes
    ----------
    units : (n, u) array
        Units of mean 0 and variance 1 over stimuli.
    reliability : (u,) array
        Reliability of neuroids, not clipped; NaN if unknown, and for model units.
    area, time_bin : str
        Area and time bin of neuroids; '' for model units, and without time bins.
    """

    units: NDArray[np.float64]
    reliability: NDArray[np.float64]
    area: str = ""
    time_bin: str = ""


def decode(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    splits: Sequence[str],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    periods: Mapping[str, float],
    units: int | None,
    draws: int,
    reliability_threshold: float,
    cores: int = 1,
) -> None:
    """Read every label and property from every layer of a model, with as many units as a recording's areas have.

    The best layer for each target, split and kind of noise is also read from 1, 2, 4, ... units. The largest number is
    twice that of the largest area.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's layers, of the recording, and of the stimuli of both.
    output : path
        Parquet file to write, with `COLUMNS` and one row for each draw. `score` uses all held-out stimuli, `score_even`
        every other fold, and `score_odd` the folds between. `resampled` is the score on a bootstrap sample of the
        stimuli, drawn within folds and equal for every representation. Its spread over draws includes that of units,
        noise and stimuli. `matched_units` is true for the number of units that all representations share; other rows
        belong to population curves. Each area in each time bin is a separate population, such as 'IT, 70-90';
        `time_bin` is that of the matched area.
    splits, n_folds, seed, penalties
        As for `ventral.scores.fitting.fit`; the seed also determines all draws.
    periods : mapping
        Periods of the circular properties, by name.
    units : int or None
        Number of units; None uses the number of the smallest area.
    draws : int
        Number of draws of units.
    reliability_threshold : float
        Lowest reliability, within every other random fold, of an included neuroid.
    cores : int
        Number of layers read in parallel.

    Raises
    ------
    InputError
        If a store was made from other stimuli, or the stimuli do not allow a split. Also if no neuroid is usable and
        `units` is None.
    """
    stimulus_set = read_stimuli(stimuli, [recording, gram])
    responses, grams = read_recording(recording), open_store(gram)
    readouts = readouts_of(stimulus_set, splits, n_folds, seed, periods)
    areas = populations(responses, _dealt(stimulus_set, seed), reliability_threshold)
    units = matched_units(areas, responses.attrs["recording"], units)
    noises = [None, *(area for area, population in areas.items() if np.isfinite(population.reliability).all())]
    # Model curves reach beyond the curves of areas, which end at the number of their neuroids.
    largest = 2 * max([units, *(population.units.shape[1] for population in areas.values())])
    layers = grams.attrs["layers"]
    progress = Progress(f"decode {grams.attrs['model']}", len(layers), "layers")

    read = partial(_read_population, areas=areas, draws=draws, penalties=penalties, seed=seed)

    def read_layer(layer: Mapping) -> pd.DataFrame:
        rows = read(_population_of_layer(gram, layer["name"]), units, readouts, noises)
        return rows.assign(layer=layer["name"], depth=layer["depth"])

    def read_curve(layer: Mapping, best: pd.DataFrame) -> pd.DataFrame:
        population = _population_of_layer(gram, layer["name"])
        available = population.units.shape[1]
        sizes = [size for size in population_sizes(min(available, largest)) if size != min(units, available)]
        parts = [pd.DataFrame()]
        for (noise, area), of_noise in best.groupby(["noise", "matched_area"]):
            wanted = set(zip(of_noise["target"], of_noise["split"], strict=True))
            some = [readout for readout in readouts if (readout.target, readout.split) in wanted]
            parts += [read(population, size, some, [area if noise == "matched" else None]) for size in sizes]
        return pd.concat(parts).assign(layer=layer["name"], depth=layer["depth"])

    with writing(output) as unfinished, computing(cores):
        matched = pd.concat(compute([delayed(read_layer, pure=False)(layer) for layer in layers], progress))
        matched = matched.assign(matched_units=True)
        best = best_layers(matched) if readouts else matched
        of_curves = Progress(f"population curves of {grams.attrs['model']}", best["layer"].nunique(), "layers")
        curves = compute(
            [
                delayed(read_curve, pure=False)(layer, best[best["layer"] == layer["name"]])
                for layer in layers
                if (best["layer"] == layer["name"]).any()
            ],
            of_curves,
        )
        table = pd.concat([matched, *(curve.assign(matched_units=False) for curve in curves)], ignore_index=True)
        table["model"], table["family"] = grams.attrs["model"], grams.attrs["family"]
        _write(table, stimulus_set, responses, unfinished)


def decode_areas(
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    splits: Sequence[str],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    periods: Mapping[str, float],
    units: int | None,
    draws: int,
    reliability_threshold: float,
    cores: int = 1,
) -> None:
    """Read every label and property from every area of a recording, with the shared and other numbers of units.

    Parameters, errors and rows are those of `decode`. `model` is the recording, `layer` the area, `depth` is missing,
    and `time_bin` is that of the area.
    """
    stimulus_set, responses = read_stimuli(stimuli, [recording]), read_recording(recording)
    readouts = readouts_of(stimulus_set, splits, n_folds, seed, periods)
    areas = populations(responses, _dealt(stimulus_set, seed), reliability_threshold)
    name = responses.attrs["recording"]
    units = matched_units(areas, name, units)
    progress = Progress(f"decode the areas of {name}", len(areas), "areas")

    read = partial(_read_population, areas=areas, draws=draws, penalties=penalties, seed=seed)

    def read_area(area: str, population: Population) -> pd.DataFrame:
        available = population.units.shape[1]
        parts = [
            read(population, size, readouts, [None]).assign(matched_units=size == min(units, available))
            for size in sorted({*population_sizes(available), min(units, available)})
        ]
        rows = pd.concat(parts).assign(layer=area, depth=np.nan, noise="recorded")
        return rows.assign(time_bin=population.time_bin)

    with writing(output) as unfinished, computing(cores):
        parts = compute([delayed(read_area, pure=False)(*area) for area in areas.items()], progress)
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        table["model"], table["family"] = name, FAMILY
        _write(table, stimulus_set, responses, unfinished)


def populations(
    responses: "xr.Dataset", folds: Sequence[NDArray], reliability_threshold: float
) -> dict[str, Population]:
    """Return the reliable neuroids with responses to all stimuli, for each recorded area and time bin.

    Time bins before the stimulus are skipped. Without a known reliability, squared given ceilings replace the
    reliability; without ceilings, all neuroids are used. A warning counts the neuroids left out.

    Parameters
    ----------
    responses : Dataset
        Store of a recording, with a column for each neuroid in each time bin.
    folds : sequence of integer arrays
        Rows of two or more folds of all stimuli.
    reliability_threshold : float
        Lowest reliability, within the even folds, of an included neuroid; the reliability must be positive. The
        populations have the reliability within the odd folds.
    """
    targets, name = neurons(responses), responses.attrs["recording"]
    complete = np.isfinite(targets.values).all(axis=0)
    choosing, matching = _reliability_of_halves(responses, complete, folds)
    given = given_ceilings(_kept(responses), np.concatenate(folds)) ** 2
    areas = {}
    after = targets.time_bins != BASELINE
    for area, time_bin in sorted(set(zip(targets.areas[after], targets.time_bins[after], strict=True))):
        of_area, place = (targets.areas == area) & (targets.time_bins == time_bin), place_of(area, time_bin)
        rho = matching
        if np.isnan(choosing[of_area & complete]).all() and np.isfinite(given[of_area & complete]).any():
            choosing[of_area] = given[of_area]
            rho = given
            logger.warning(
                "recording %s, %s: the reliability is missing: squared ceilings that came with the data choose "
                "neuroids and set the matched noise",
                name,
                place,
            )
        reliable = chosen(choosing, reliability_threshold) & np.isfinite(rho)
        if np.isnan(choosing[of_area & complete]).all():
            reliable = of_area
            logger.warning(
                "recording %s, %s: the reliability is missing, without repetitions or with too few stimuli: noise "
                "cannot be matched in models",
                name,
                place,
            )
        taken = np.flatnonzero(of_area & reliable & complete)
        if len(taken) < of_area.sum():
            logger.warning(
                "recording %s, %s: %d of %d neuroids are read; %d have missing stimuli, %d more are not reliable",
                name,
                place,
                len(taken),
                of_area.sum(),
                (of_area & ~complete).sum(),
                (of_area & complete & ~reliable).sum(),
            )
        if len(taken):
            units = standardised(targets.values[:, taken])
            areas[place] = Population(units, rho[taken], area, time_bin)
    return areas


def _dealt(stimulus_set: "xr.Dataset", seed: int) -> list[NDArray[np.intp]]:
    """Return two random halves of all stimuli, regardless of labels."""
    return folds_of_stimuli(None, stimulus_set.sizes["stimulus"], 2, seed, f"stimuli {stimulus_set.attrs['name']}")


def _kept(responses: "xr.Dataset") -> "xr.Dataset":
    return responses.isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))


def _reliability_of_halves(
    responses: "xr.Dataset", complete: NDArray[np.bool_], folds: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Return the reliability within even and odd folds (2, neuroids); NaN for neuroids with missing responses."""
    noise = noise_of_neurons(_kept(responses)).taken(np.flatnonzero(complete))
    reliability = np.full((2, len(complete)), np.nan)
    reliability[:, complete] = [reliability_of_half(noise, folds, first) for first in (0, 1)]
    return reliability


def matched_units(areas: Mapping[str, Population], recording: str, units: int | None) -> int:
    """Return the number of units to read from every area and layer.

    Raises
    ------
    InputError
        If the config sets no number, and no area has a usable neuroid.
    """
    if units is not None:
        for area, population in areas.items():
            if population.units.shape[1] < units:
                logger.warning(
                    "recording %s, %s: read from all %d neuroids, fewer than the %d units of decoding.units",
                    recording,
                    area,
                    population.units.shape[1],
                    units,
                )
        return units
    if not areas:
        raise InputError(
            f"recording {recording}: no neuroid is reliable and has responses to all stimuli, so the number of units "
            f"to match is unknown; set `decoding.units`, lower `reliability_threshold`, or remove `decoding`"
        )
    return min(population.units.shape[1] for population in areas.values())


def population_sizes(available: int) -> list[int]:
    """Return the sizes 1, 2, 4, ... and the number of available units."""
    return sorted({*(2**k for k in range(available.bit_length())), available} - {0})


def best_layers(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the layer with the highest mean score over draws, for each target, split and noise."""
    condition = ["target", "split", "noise", "matched_area"]
    means = rows.groupby([*condition, "layer"], sort=False)["score"].mean().dropna().reset_index()
    return means.loc[means.groupby(condition, sort=False)["score"].idxmax()]


def noisy(units: NDArray, reliability: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add noise to units (n, u) so that their reliability becomes (u,), and standardise them again.

    An estimated reliability of 0 or less gives pure noise.
    """
    rho = np.clip(reliability, 0, 1)
    deviation = units.std(axis=0) * np.sqrt(1 - rho)
    return standardised(np.sqrt(rho) * units + deviation * rng.standard_normal(units.shape))


def _read_population(
    population: Population,
    units: int,
    readouts: Sequence[Readout],
    noises: Sequence[str | None],
    *,
    areas: Mapping[str, Population],
    draws: int,
    penalties: Sequence[float],
    seed: int,
) -> pd.DataFrame:
    """Return a row for each readout, noise (None, or the matched area) and draw of units."""
    available = population.units.shape[1]
    taken = min(units, available)
    rows = []
    for noise in noises:
        condition = {"noise": "none" if noise is None else "matched", "matched_area": noise or "", "units": taken}
        condition["time_bin"] = areas[noise].time_bin if noise else ""
        predictions = costs = None
        for draw in range(draws):
            # Without noise, draws of all units are equal.
            if predictions is None or noise is not None or taken < available:
                drawn = population.units[:, drawn_units(available, taken, seed, draw)]
                if noise is not None:
                    reliability = _reliability_drawn(areas[noise].reliability, taken, seed, draw)
                    # All time bins of an area share the same noise, except for its size.
                    drawn = noisy(drawn, reliability, _random(seed, NOISE, taken, draw, _number(areas[noise].area)))
                # The first draw chooses C for all draws, because choices for each draw would take longer than all fits.
                gram = gram_of_labels(drawn, readouts)
                costs = costs_of_labels(gram, readouts) if costs is None else costs
                predictions = predict(drawn, gram, readouts, penalties, costs)
            rows += [
                _row(readout, read, seed, draw) | condition | {"draw": draw}
                for readout, read in zip(readouts, predictions, strict=True)
            ]
    return pd.DataFrame(rows)


def _row(readout: Readout, read: NDArray, seed: int, draw: int) -> dict:
    rng = _random(seed, STIMULI, draw, 0, SPLIT_NUMBERS.get(readout.split, _number(readout.split)))
    resampled = [fold[rng.integers(len(fold), size=len(fold))] for fold in readout.folds]
    present = np.concatenate(readout.folds)
    return {
        "target": readout.target,
        "target_kind": readout.kind,
        "measure": readout.measure,
        "chance": readout.chance,
        "split": readout.split,
        "n_stimuli": len(present),
        "score": score(readout, read, readout.folds),
        "score_even": score(readout, read, readout.folds[::2]),
        "score_odd": score(readout, read, readout.folds[1::2]),
        "resampled": score(readout, read, resampled),
        "angular_error": angular_error(read[present], readout.values[present], readout.period)
        if readout.period
        else np.nan,
    }


def drawn_units(available: int, units: int, seed: int, draw: int) -> NDArray[np.intp]:
    """Draw units without replacement, and return their ascending numbers."""
    return np.sort(_random(seed, UNITS, units, draw).permutation(available)[:units])


def _reliability_drawn(reliability: NDArray, units: int, seed: int, draw: int) -> NDArray[np.float64]:
    """Return the reliabilities of a draw of neuroids, with replacement if there are too few neuroids."""
    if units <= len(reliability):
        return reliability[drawn_units(len(reliability), units, seed, draw)]
    return reliability[_random(seed, UNITS, units, draw).integers(len(reliability), size=units)]


def _random(seed: int, purpose: int, first: int, second: int, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, purpose, first, second, number])


def _number(name: str) -> int:
    # CRC-32 replaces Python's hash of the name, which differs between processes.
    return zlib.crc32(name.encode())


def _population_of_layer(gram: str | Path, layer: str) -> Population:
    units = read_representation(gram, layer).units.astype(np.float64)
    units = standardised(units)
    varying = units.any(axis=0)
    if not varying.any():
        logger.warning("layer %s: none of its %d units varies over stimuli; this layer is skipped", layer, len(varying))
        varying[0] = True
    units = units[:, varying]
    return Population(units, np.full(units.shape[1], np.nan))


def _write(table: pd.DataFrame, stimulus_set: "xr.Dataset", responses: "xr.Dataset", path: Path) -> None:
    table["stimuli"], table["recording"] = stimulus_set.attrs["name"], responses.attrs["recording"]
    table["simulated"] = bool(responses.attrs.get("simulated", False))
    write_parquet(table.reindex(columns=list(COLUMNS)).astype(COLUMNS), path)
