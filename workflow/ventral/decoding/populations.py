"""What a population makes explicit: labels and properties read linearly from a few units of a layer or a recorded area.

As Hong, Yamins, Majaj and DiCarlo 2016 (Nature Neuroscience 19:613) compare areas and layers, all are read on the same
footing:

- The number of units is the same. Units are drawn at random, several times, from those that a layer keeps
  (`ventral.grams.representations`) and from an area's reliable neuroids. What does not vary over stimuli is never
  drawn.
- Every unit is standardised over all stimuli: its scale is an accident of a firing rate, an electrode or a layer's
  weights, and the penalty would leave the reading to the few units with the largest variance. No label or property
  is seen by it.
- Recorded responses are means over a finite number of repetitions. So model units are read twice: as they are (noise
  `none`), and with Gaussian noise, independent from unit to unit, of the variance

      signal (1 - rho) / rho

  over stimuli, where rho is the reliability of a neuroid of the same draw (noise `matched`, for each recorded area).
  Areas are read as they were recorded (noise `recorded`). Noise that neuroids share is not matched.
- Reliability is within random halves of all stimuli, whatever the split (`ventral.targets.reliability`). Neuroids are
  chosen by their reliability within the first half, and noise is matched to that within the other
  (`ventral.targets.selection`): the estimate that chose a neuroid would make its noise too small.

How labels and properties are read is said in `ventral.decoding.readouts`.
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
# Seeds the bootstrap samples of split `stimuli`, which once had another name: its draws stay the same.
SPLIT_NUMBERS = {"stimuli": 3760176746}


@dataclass(frozen=True)
class Population:
    """Units that can be drawn: those that vary over stimuli.

    Attributes
    ----------
    units : (n, u) array
        Each of mean 0 and variance 1 over stimuli.
    reliability : (u,) array
        Of neuroids, not clipped; NaN where none is known, and of model units.
    area, time_bin : str
        Of neuroids, `time_bin` where they are not untimed.
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
    """Read every label and property from every layer of a model, as many units as the areas of a recording have.

    The layer that reads a target best, for each split and kind of noise, is also read from 1, 2, 4, ... units, up to
    twice as many as the largest area has.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's layers, of the recording, and of the stimuli that both are of.
    output : path
        Parquet file to write, with `COLUMNS`, one row for each draw. `score` is of the held-out stimuli, `score_even`
        and `score_odd` of those in every other fold and in the folds between; `resampled` is the same of a bootstrap
        sample of them, drawn within folds, the same for every representation: its spread over draws has that of the
        units, of the noise and of the stimuli. `matched_units` marks the number of units that all representations
        share; the other rows are of population curves. An area in a bin of time is a population of its own, called 'IT,
        70-90'; `time_bin` is that of the area that is matched.
    splits, n_folds, seed, penalties
        As for `ventral.scores.fitting.fit`; the seed is also that of all draws.
    periods : mapping
        Periods of the circular properties, by name.
    units : int or None
        Number of units; None takes as many as the smallest area has.
    draws : int
        How often they are drawn.
    reliability_threshold : float
        Lowest reliability, within every other random fold, of a neuroid that is taken.
    cores : int
        Layers that are read side by side.

    Raises
    ------
    InputError
        If the stores are of other stimuli, a split cannot be made of them, or no neuroid can be taken and `units` is
        None.
    """
    stimulus_set = read_stimuli(stimuli, [recording, gram])
    responses, grams = read_recording(recording), open_store(gram)
    readouts = readouts_of(stimulus_set, splits, n_folds, seed, periods)
    areas = populations(responses, _dealt(stimulus_set, seed), reliability_threshold)
    units = matched_units(areas, responses.attrs["recording"], units)
    noises = [None, *(area for area, population in areas.items() if np.isfinite(population.reliability).all())]
    # Far enough to lie beside the curves of the areas, which end where their neuroids do.
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
    """Read every label and property from every area of a recording, from the same number of units and from 1, 2, 4, ...

    Parameters and errors are those of `decode`, and so are the rows: `model` is the recording, `layer` the area, and
    `depth` unknown; `time_bin` is that of the area.
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
    """Return the neuroids of each recorded area and bin of time that are read: reliable, with responses to all stimuli.

    What came before the stimulus is not read. Where nothing is known of reliability, the square of a given ceiling
    stands for it, if there are any; else all are taken. How many are left out is told in a warning.

    Parameters
    ----------
    responses : Dataset
        Store of a recording, a column for each neuroid in each bin of time.
    folds : sequence of integer arrays
        Of all stimuli, two or more.
    reliability_threshold : float
        Lowest reliability, within the even folds, of a neuroid that is read; it must be positive. The reliability of
        the populations is that within the other folds.
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
                "recording %s, %s: no reliability: the square of ceilings that came with the data chooses neuroids, "
                "and noise is matched to it",
                name,
                place,
            )
        reliable = chosen(choosing, reliability_threshold) & np.isfinite(rho)
        if np.isnan(choosing[of_area & complete]).all():
            reliable = of_area
            logger.warning(
                "recording %s, %s: no reliability, without repetitions or with too few stimuli: its noise cannot be "
                "matched in models",
                name,
                place,
            )
        taken = np.flatnonzero(of_area & reliable & complete)
        if len(taken) < of_area.sum():
            logger.warning(
                "recording %s, %s: %d of %d neuroids are read; %d lack stimuli, %d more are not reliable",
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
    """Return two random halves of all stimuli, whatever they show."""
    return folds_of_stimuli(None, stimulus_set.sizes["stimulus"], 2, seed, f"stimuli {stimulus_set.attrs['name']}")


def _kept(responses: "xr.Dataset") -> "xr.Dataset":
    return responses.isel(neuroid=np.flatnonzero(responses["left_out"].values == ""))


def _reliability_of_halves(
    responses: "xr.Dataset", complete: NDArray[np.bool_], folds: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Return the reliability within even and odd folds (2, neuroids) of neuroids with all responses; NaN of others."""
    noise = noise_of_neurons(_kept(responses)).taken(np.flatnonzero(complete))
    reliability = np.full((2, len(complete)), np.nan)
    reliability[:, complete] = [reliability_of_half(noise, folds, first) for first in (0, 1)]
    return reliability


def matched_units(areas: Mapping[str, Population], recording: str, units: int | None) -> int:
    """Return how many units are read of every area and layer.

    Raises
    ------
    InputError
        If the config does not say and no area has a neuroid to count.
    """
    if units is not None:
        for area, population in areas.items():
            if population.units.shape[1] < units:
                logger.warning(
                    "recording %s, %s: read from all its %d neuroids; %d units were asked for (decoding.units)",
                    recording,
                    area,
                    population.units.shape[1],
                    units,
                )
        return units
    if not areas:
        raise InputError(
            f"recording {recording}: no neuroid is reliable and has responses to all stimuli, so there is no number of "
            f"units to match; set `decoding.units`, lower `reliability_threshold`, or take `decoding` out"
        )
    return min(population.units.shape[1] for population in areas.values())


def population_sizes(available: int) -> list[int]:
    """Return 1, 2, 4, ... and all units that there are."""
    return sorted({*(2**k for k in range(available.bit_length())), available} - {0})


def best_layers(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the layer with the highest mean score over draws, for each target, split and noise, where any is known."""
    condition = ["target", "split", "noise", "matched_area"]
    means = rows.groupby([*condition, "layer"], sort=False)["score"].mean().dropna().reset_index()
    return means.loc[means.groupby(condition, sort=False)["score"].idxmax()]


def noisy(units: NDArray, reliability: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return units (n, u) with the noise that leaves them a reliability (u,), standardised again.

    An estimated reliability below 0 leaves noise alone.
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
    """Return a row for each readout, noise (None, or the area that is matched) and draw of units."""
    available = population.units.shape[1]
    taken = min(units, available)
    rows = []
    for noise in noises:
        condition = {"noise": "none" if noise is None else "matched", "matched_area": noise or "", "units": taken}
        condition["time_bin"] = areas[noise].time_bin if noise else ""
        predictions = costs = None
        for draw in range(draws):
            # Where all units are taken, without noise, one draw is like the other.
            if predictions is None or noise is not None or taken < available:
                drawn = population.units[:, drawn_units(available, taken, seed, draw)]
                if noise is not None:
                    reliability = _reliability_drawn(areas[noise].reliability, taken, seed, draw)
                    # The same noise in all bins of time of an area, but for its size.
                    drawn = noisy(drawn, reliability, _random(seed, NOISE, taken, draw, _number(areas[noise].area)))
                # A choice for every draw would take more time than all fits; units of one population are alike.
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
    """Return which of the available units a draw takes, ascending; none twice."""
    return np.sort(_random(seed, UNITS, units, draw).permutation(available)[:units])


def _reliability_drawn(reliability: NDArray, units: int, seed: int, draw: int) -> NDArray[np.float64]:
    """Return the reliabilities of a draw of neuroids; where there are too few, each may be drawn again."""
    if units <= len(reliability):
        return reliability[drawn_units(len(reliability), units, seed, draw)]
    return reliability[_random(seed, UNITS, units, draw).integers(len(reliability), size=units)]


def _random(seed: int, purpose: int, first: int, second: int, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, purpose, first, second, number])


def _number(name: str) -> int:
    # Not Python's hash of the name, which is another one in every process.
    return zlib.crc32(name.encode())


def _population_of_layer(gram: str | Path, layer: str) -> Population:
    units = read_representation(gram, layer).units.astype(np.float64)
    units = standardised(units)
    varying = units.any(axis=0)
    if not varying.any():
        logger.warning("layer %s: none of its %d units varies over stimuli: nothing is read", layer, len(varying))
        varying[0] = True
    units = units[:, varying]
    return Population(units, np.full(units.shape[1], np.nan))


def _write(table: pd.DataFrame, stimulus_set: "xr.Dataset", responses: "xr.Dataset", path: Path) -> None:
    table["stimuli"], table["recording"] = stimulus_set.attrs["name"], responses.attrs["recording"]
    table["simulated"] = bool(responses.attrs.get("simulated", False))
    write_parquet(table.reindex(columns=list(COLUMNS)).astype(COLUMNS), path)
