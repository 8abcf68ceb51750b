"""Show gratings to layers and readouts, and write the tuning of their units."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.in_silico.tuning_curves import (
    circular_variance,
    contiguity_ratio,
    contrast_responses,
    frequency_tuning,
    modulation_ratio,
    orientation_tuning,
    size_tuning,
)
from ventral.models.zoo import completed, family
from ventral.outputs import writing
from ventral.running.progress import Progress
from ventral.statistics.v1 import SHUFFLED
from ventral.statistics.v1_tuning import UNIT
from ventral.stimuli.gratings import PROPERTIES, Screen, draw_gratings, shown_frequencies
from ventral.stimuli.images import BACKGROUND
from ventral.tables import write_parquet

logger = logging.getLogger(__name__)

# Orientations and phases of the code of Marques et al. 2021.
ORIENTATIONS = np.arange(12) * 15.0
PHASES = np.arange(8) * 45.0
CONTRASTS = 2.0 ** np.arange(-5, 1)
# Diameters of apertures, as shares of the shorter side.
SHARES_OF_SIDE = 2.0 ** (np.arange(-8, 1) / 2)
# A unit responds if its largest response is above this share of the largest in its layer; rounding is far below.
RESPONDING = 1e-3
# Number of units with responses in random order for each layer, at least.
N_SHUFFLED = 100
# Responses are in order if they are smoother than all but this share of responses in random order.
LEVEL = 0.05


@dataclass(frozen=True)
class Tuned:
    """Responses of n units to gratings, above those to a grey screen; responses below count as 0.

    Attributes
    ----------
    grid : (n, orientations, frequencies) array
        Means over phases, at full contrast in the largest aperture.
    cycles : (n, phases) array
        Responses to the best orientation and frequency.
    diameter, contrast : (n, diameters) and (n, contrasts) arrays
        Means over phases at the best orientation and frequency; NaN for units that do not respond.
    responds : (n,) bool array
    frequencies, diameters : arrays
        Cycles per degree, and degrees.
    """

    grid: NDArray
    cycles: NDArray
    diameter: NDArray
    contrast: NDArray
    responds: NDArray
    frequencies: NDArray
    diameters: NDArray


def tuning(
    spec: dict,
    output: Path,
    *,
    degrees: float,
    units: int,
    frequencies: Sequence[float] | None,
    seed: int,
    device: str = "auto",
    batch_size: int = 32,
    cores: int = 1,
) -> None:
    """Write the tuning of units of a model's layers to gratings.

    Parameters
    ----------
    spec : dict
        The model, from `resolve_model`, whose layers are measured.
    output : path
        Parquet file to write, with the columns of `tuning_table`.
    degrees : float
        Degrees that the input of the model spans, unless the model has its own `degrees`.
    units : int
        Largest number of units for each layer, drawn at random. In layers with maps, these are channels at the middle.
    frequencies : sequence of float or None
        Spatial frequencies in cycles per degree. None takes half octaves from 0.42 on.
    seed : int
        Seed of the draws of units, and of random orders.
    device : str
        'auto', 'cpu' or 'cuda'.
    batch_size, cores : int
        Gratings in a forward pass, and threads.

    Raises
    ------
    InputError
        If the network cannot be loaded, or a frequency is not below Nyquist's.
    """
    from ventral.activations.forward import Network

    spec = completed(spec)
    size, degrees = spec["size"], float(spec.get("degrees") or degrees)
    screen = Screen(size, size, degrees, size)
    chosen = shown_frequencies(frequencies, screen)
    shape, precision = (3, size, size), {"dtype": "float32", "autocast": None, "channels_last": False}
    with Network.opened(spec, shape, device=device, threads=cores, **precision) as network:
        places = {layer["name"]: sampled_units(layer["shape"], units, seed) for layer in network.layers}
        buffers = network.buffers(batch_size)

        def respond(pixels: NDArray) -> NDArray:
            bad = network.compute(network.staged(pixels), batch_size, buffers, 0)()
            if bad is not None:
                raise InputError(f"layer {bad[0]}: the features of a grating are not finite as float32")
            return np.concatenate([buffers[name][: len(pixels)].numpy()[:, at] for name, at in places.items()], axis=1)

        named = pd.concat(
            [
                pd.DataFrame(
                    {"layer": layer["name"], "depth": layer["depth"], "unit": places[layer["name"]].astype(str)}
                )
                for layer in network.layers
            ],
            ignore_index=True,
        )
        tuned = measured(respond, screen, chosen, named["layer"], batch_size, spec["name"])
    told = {"model": spec["name"], "architecture": spec["architecture"], "family": family(spec), "recording": ""}
    with writing(output) as unfinished:
        write_parquet(tuning_table(tuned, named.assign(**told, degrees=degrees), seed), unfinished)


def tuning_of_readouts(
    readouts: Path,
    output: Path,
    *,
    degrees: float,
    frequencies: Sequence[float] | None,
    seed: int,
    device: str = "auto",
    batch_size: int = 32,
    cores: int = 1,
) -> None:
    """Write the tuning that readouts predict for recorded neuroids.

    Parameters
    ----------
    readouts : path
        A readout, `LAYER.zarr.zip`, or a folder of readouts.
    output : path
        As for `tuning`; `unit` has the neuroids, with their time bin if there are several.
    degrees : float
        Degrees that the width of a stimulus spans, unless the stimuli of the fit have their own `degrees`.
    frequencies, seed, device, batch_size, cores
        As for `tuning`.

    Raises
    ------
    InputError
        If a readout is not of images, cannot be loaded, or a frequency is not below Nyquist's.
    """
    from ventral.activations.forward import exact_products

    files = sorted(readouts.glob("*.zarr.zip")) if readouts.is_dir() else [readouts]
    if not files:
        raise InputError(f"{readouts}: no readout LAYER.zarr.zip is here, so nothing can be shown gratings")
    with exact_products(cores):
        tables = [_tuning_of_readout(file, degrees, frequencies, seed, device, batch_size) for file in files]
    with writing(output) as unfinished:
        write_parquet(pd.concat(tables, ignore_index=True), unfinished)


def _tuning_of_readout(
    file: Path, degrees: float, frequencies: Sequence[float] | None, seed: int, device: str, batch_size: int
) -> pd.DataFrame:
    from ventral.readouts.loading import load_readout

    readout = load_readout(file)
    known = readout.attributes
    screen = _screen_of_readout(known, degrees, file)
    chosen = shown_frequencies(frequencies, screen)
    units = [", ".join(filter(None, pair)) for pair in zip(known["neuroid"], known["time_bin"], strict=True)]
    named = pd.DataFrame({"layer": known["layer"]["name"], "depth": known["layer"]["depth"], "unit": units})

    def respond(pixels: NDArray) -> NDArray:
        return readout.predict(pixels, device=device, batch_size=batch_size).values

    tuned = measured(respond, screen, chosen, named["layer"], batch_size, file.name)
    told = {"model": known["model"]["name"], "architecture": known["model"]["architecture"], "family": known["family"]}
    return tuning_table(tuned, named.assign(**told, recording=known["recording"], degrees=screen.degrees), seed)


def _screen_of_readout(attributes: dict, degrees: float, file: Path) -> Screen:
    stimuli, model = attributes["stimuli"], attributes["model"]
    if stimuli["modality"] != "images":
        raise InputError(f"{file}: a readout of {stimuli['modality']}, and gratings are images; leave it out")
    _, rows, columns = stimuli["shape"]
    spans = stimuli.get("degrees")
    share = spans / model["degrees"] if spans and model.get("degrees") else 1
    return Screen(rows, columns, float(spans or degrees), (model.get("size") or columns) * share)


def sampled_units(shape: Sequence[int], n: int, seed: int) -> NDArray[np.intp]:
    """Return the places of some units among the flattened features of a layer.

    In maps (channels, rows, columns), these are channels at the middle place. On an even side, this is the place after
    the middle.
    """
    rng = np.random.default_rng(seed)
    if len(shape) == 3:
        channels, rows, columns = shape
        chosen = np.sort(rng.choice(channels, min(n, channels), replace=False))
        return (chosen * rows + rows // 2) * columns + columns // 2
    n_features = math.prod(shape)
    return np.sort(rng.choice(n_features, min(n, n_features), replace=False))


def measured(
    respond: Callable[[NDArray], NDArray],
    screen: Screen,
    frequencies: NDArray,
    layers: Sequence[str],
    batch_size: int,
    label: str,
) -> Tuned:
    """Show gratings, and return the responses.

    All orientations, frequencies and phases are shown first. Diameters and contrasts follow at the best orientation
    and frequency of each unit. Only the responses of the given units are kept.

    Parameters
    ----------
    respond : callable
        Returns responses (m, n) of n units, given pixels (m, 3, rows, columns) of at most `batch_size` images.
    screen : Screen
    frequencies : (k,) array
        Spatial frequencies in cycles per degree, increasing.
    layers : sequence of str
        Layer of each unit.
    batch_size : int
    label : str
        Name in messages of progress.
    """
    pixels = np.full((1, 3, screen.rows, screen.columns), BACKGROUND, np.uint8)
    grey, diameters = respond(pixels)[0].astype(float), SHARES_OF_SIDE * screen.side
    first = combined(ORIENTATIONS, frequencies, [screen.side], [1.0])
    cycles = _above_grey(respond, first, screen, grey, batch_size, f"gratings for {label}")
    cycles = cycles.reshape(-1, len(PHASES), len(grey))
    means = cycles.mean(axis=1)
    best = means.argmax(axis=0)
    highest = pd.Series(means.max(axis=0))
    responds = highest.to_numpy() > RESPONDING * highest.groupby(np.asarray(layers)).transform("max").to_numpy()
    optimal = np.take_along_axis(cycles, best[None, None], axis=0)[0].T
    diameter, contrast = (np.full((len(grey), len(values)), np.nan) for values in (diameters, CONTRASTS))
    progress = Progress(f"sizes and contrasts for {label}", len(np.unique(best[responds])), "gratings")
    for place in np.unique(best[responds]):
        of_place = np.flatnonzero(responds & (best == place))
        orientation, frequency = divmod(int(place), len(frequencies))
        one = [ORIENTATIONS[orientation]], [frequencies[frequency]]
        shown = pd.concat([combined(*one, diameters, [1.0]), combined(*one, [screen.side], CONTRASTS)])
        values = _above_grey(respond, shown, screen, grey, batch_size)
        values = values.reshape(-1, len(PHASES), len(grey)).mean(axis=1).T[of_place]
        diameter[of_place], contrast[of_place] = values[:, : len(diameters)], values[:, len(diameters) :]
        progress.advance()
    grid = means.T.reshape(len(grey), len(ORIENTATIONS), len(frequencies))
    return Tuned(grid, optimal, diameter, contrast, responds, frequencies, diameters)


def combined(
    orientations: Sequence[float], frequencies: Sequence[float], diameters: Sequence[float], contrasts: Sequence[float]
) -> pd.DataFrame:
    """Return all combinations of properties, each at all phases, which vary fastest."""
    rows = product(orientations, frequencies, diameters, contrasts, PHASES)
    columns = ["orientation", "spatial_frequency", "diameter", "contrast", "phase"]
    return pd.DataFrame(rows, columns=columns)[[*PROPERTIES]]


def _above_grey(
    respond: Callable[[NDArray], NDArray],
    gratings: pd.DataFrame,
    screen: Screen,
    grey: NDArray,
    batch_size: int,
    label: str = "",
) -> NDArray:
    """Return responses (gratings, units) above those to grey."""
    responses = np.empty((len(gratings), len(grey)))
    progress = Progress(label, len(gratings), "gratings") if label else None
    for start in range(0, len(gratings), batch_size):
        batch = slice(start, start + batch_size)
        pixels = draw_gratings(gratings.iloc[batch], screen)
        responses[batch] = np.maximum(respond(pixels) - grey, 0)
        if progress:
            progress.advance(len(pixels))
    return responses


def tuning_table(tuned: Tuned, named: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the properties of units, and of curves in random order beside them.

    Parameters
    ----------
    tuned : Tuned
    named : DataFrame
        A row for each unit: `model`, `architecture`, `family`, `recording`, `layer`, `depth`, `unit`, `degrees`.
    seed : int
        Seed of the random orders.

    Returns
    -------
    DataFrame
        The columns of `named`, and `kind`: `unit`, or `shuffled` for a unit whose responses to orientations and
        frequencies are in random order. `responds` says whether the unit responds to gratings. `orientation`,
        `circular_variance`, `orientation_bandwidth`, `spatial_frequency`, `frequency_bandwidth` (octaves), `f1_f0`,
        `suppression`, `summation_diameter` (degrees), `c50`, `contrast_exponent` and `contrast_r2` are those of
        `ventral.in_silico.tuning_curves`. `contiguity_ratio` is Geary's over orientations and frequencies. `in_order`
        says whether it is below the 5 % quantile of responses in random order in the
        layer; `selective` also needs a bandwidth. `*_curve` has the responses to `orientations`, `frequencies`,
        `diameters` and `contrasts`.
    """
    parts = [
        part
        for _, rows in named.groupby("layer", sort=False)
        for part in _tables_of_layer(tuned, rows, np.random.default_rng(seed))
    ]
    table = pd.concat(parts, ignore_index=True)
    first = ["model", "architecture", "family", "recording", "layer", "depth", "kind", "unit", "degrees"]
    return table[[*first, *table.columns.difference(first, sort=False)]]


def _tables_of_layer(tuned: Tuned, named: pd.DataFrame, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    at = named.index.to_numpy()
    repeats = np.tile(at, math.ceil(N_SHUFFLED / len(at)))
    grid = tuned.grid[repeats]
    shuffled = _tuned_over_grid(
        rng.permuted(grid.reshape(len(grid), -1), axis=1).reshape(grid.shape), tuned.frequencies
    )
    shuffled[~tuned.responds[repeats]] = np.nan
    own = pd.concat([_tuned_over_grid(tuned.grid[at], tuned.frequencies), _further(tuned, at)], axis=1)
    own[~tuned.responds[at]] = np.nan
    limit = shuffled["contiguity_ratio"].quantile(LEVEL)
    for kind, table, rows in ((UNIT, own.assign(**_curves(tuned, at)), at), (SHUFFLED, shuffled, repeats)):
        in_order = table["contiguity_ratio"] < limit
        yield (
            named.loc[rows]
            .reset_index(drop=True)
            .assign(
                kind=kind,
                responds=tuned.responds[rows],
                in_order=in_order,
                selective=in_order & table["orientation_bandwidth"].notna(),
                **table,
            )
        )


def _further(tuned: Tuned, at: NDArray) -> pd.DataFrame:
    """Return the properties of some units that are measured at their best orientation and frequency."""
    suppression, field = size_tuning(tuned.diameter[at], tuned.diameters)
    found = {"f1_f0": modulation_ratio(tuned.cycles[at]), "suppression": suppression, "summation_diameter": field}
    return pd.concat([pd.DataFrame(found), contrast_responses(tuned.contrast[at], CONTRASTS)], axis=1)


def _curves(tuned: Tuned, at: NDArray) -> dict[str, list]:
    """Return the curves of some units, and the values that they are over."""
    over = {"orientations": ORIENTATIONS, "frequencies": tuned.frequencies, "diameters": tuned.diameters}
    return {
        "orientation_curve": list(_at_best(tuned.grid[at])[0]),
        "frequency_curve": list(_at_best(tuned.grid[at])[1]),
        "diameter_curve": list(tuned.diameter[at]),
        "contrast_curve": list(tuned.contrast[at]),
        **{name: [values] * len(at) for name, values in (over | {"contrasts": CONTRASTS}).items()},
    }


def _at_best(grid: NDArray) -> tuple[NDArray, NDArray]:
    """Return the responses to orientations at the best frequency, and to frequencies at the best orientation."""
    n, _, n_frequencies = grid.shape
    orientation, frequency = np.divmod(grid.reshape(n, -1).argmax(axis=1), n_frequencies)
    return grid[np.arange(n), :, frequency], grid[np.arange(n), orientation]


def _tuned_over_grid(grid: NDArray, frequencies: NDArray) -> pd.DataFrame:
    """Return the properties of tuning to orientation and frequency from responses (n, orientations, frequencies)."""
    of_orientation, of_frequency = _at_best(grid)
    orientation, bandwidth = orientation_tuning(of_orientation, ORIENTATIONS)
    frequency, octaves = frequency_tuning(of_frequency, frequencies)
    return pd.DataFrame(
        {
            "orientation": orientation,
            "circular_variance": circular_variance(of_orientation, ORIENTATIONS),
            "orientation_bandwidth": bandwidth,
            "spatial_frequency": frequency,
            "frequency_bandwidth": octaves,
            "contiguity_ratio": contiguity_ratio(grid),
        }
    )
