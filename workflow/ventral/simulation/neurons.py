"""Simulate neurons from a layer's output.

A neuron reads one layer of a network, the teacher, which is not among the scored models. The neuron's best depth, its
reliability and its preferred object are known by construction. Four steps lead from layer to spikes:

1. Receptive field. The signals of a neuron are the means of channels over a square of the layer's map. The area's
   `field` is the share of the map's side that the square covers, 1 for the whole map. With a smaller field, the square
   lies at a random place. The neuron then reads few channels: the square root of their number, drawn at random.
2. Drive. The signals, each of mean 0 and variance 1 over stimuli, are weighted by standard normal numbers. If the field
   is the whole map and the stimuli show several objects, the neuron prefers one object. Its drive is then

       s a + sqrt(1 - s^2) b,    s = SELECTIVITY,

   where a projects the signals on the direction from the mean over all stimuli to the preferred object's mean. b
   projects the signals on a random direction. Both have variance 1.
3. Rate. The mean response to a stimulus is m g(z) / mean g(z), where z is the drive, of mean 0 and variance 1.
   g(z) = log(1 + exp z)^EXPONENT is a smooth threshold with an accelerating power (Heeger 1992, Visual Neuroscience
   9:181; Priebe and Ferster 2008, Neuron 57:482). The neuron's mean m over stimuli is lognormal over neurons (Buzsaki
   and Mizuseki 2014, Nature Reviews Neuroscience 15:264). The mean of m over neurons is `spikes`, and the standard
   deviation of its logarithm is SPREAD.
4. Noise. A response is F times a Poisson number of mean rate / F, where F is `fano`. Its mean is the rate, and its
   variance F times the rate. Repetitions are independent.

Every neuron has its own random numbers, seeded by `seed`, its area and its number in the area. A neuron therefore does
not depend on the other neurons, nor its first repetitions on the number of repetitions.
"""

import logging
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import ROUNDING_OF_FLOAT32, varies

if TYPE_CHECKING:
    import pandas as pd
    import zarr


logger = logging.getLogger("ventral")


# Word that the names of a simulated recording and of its areas must contain.
MARK = "simulated"
# Default share of the map's side that a receptive field covers. Fields grow along the ventral stream (Freeman and
# Simoncelli 2011, Nature Neuroscience 14:1195), as they do over a network's layers.
FIELDS = {"V1": 1 / 32, "V2": 1 / 8, "V4": 1 / 4, "IT": 1.0}
WHOLE = 1.0
SELECTIVITY = 0.8
EXPONENT = 1.2
SPREAD = 0.5
# Streams of each neuron's random numbers, for its tuning and for its noise.
TUNING, NOISE = 0, 1
VALUES_AT_ONCE = 2**24


@dataclass(frozen=True)
class ReceptiveField:
    """Part of a layer that a neuron reads.

    Attributes
    ----------
    channels : tuple of int
        Channels that the neuron reads, ascending.
    top, left, height, width : int
        Square of the map over which channels are averaged.
    """

    channels: tuple[int, ...]
    top: int
    left: int
    height: int
    width: int

    def signals(self, maps: NDArray) -> NDArray[np.float64]:
        """Average maps (n, all channels, rows, columns) over the field, and return the signals (n, channels)."""
        square = maps[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
        return square.mean(axis=(2, 3), dtype=np.float64)[:, self.channels]


def population(
    features: "NDArray | zarr.Array",
    shape: tuple[int, ...],
    objects: NDArray | None,
    area: str,
    options: dict,
    *,
    spikes: float,
    seed: int,
) -> tuple["pd.DataFrame", NDArray[np.float64]]:
    """Simulate the neurons of one area, and return them with their rates.

    Parameters
    ----------
    features : (n, p) array
        A layer's flattened output to every stimulus, in memory or in a store that is read by rows.
    shape : tuple of int
        Shape of the output to one stimulus, as for `map_shape`.
    objects : (n,) array of str, or None
        Object shown by each stimulus.
    area : str
        Name of the area.
    options : dict
        Options `field` and `neuroids`, as in the config.
    spikes, seed
        As in the config.

    Returns
    -------
    neuroids : DataFrame
        Columns `area`, `mean_rate` and `preferred_object`, indexed by the names of neuroids.
    rates : (n, neuroids) array
        Mean responses.
    """
    import pandas as pd

    numbers = range(options["neuroids"])
    randoms = [random_numbers(seed, area, k, TUNING) for k in numbers]
    fields = [receptive_field(map_shape(shape), options["field"], random) for random in randoms]
    signals = _signals(features, shape, fields)
    several = objects is not None and len(np.unique(objects)) > 1 and options["field"] == WHOLE
    rates, preferred = np.empty((features.shape[0], len(fields))), []
    for k, (field, random) in enumerate(zip(fields, randoms, strict=True)):
        mean_rate = spikes * np.exp(SPREAD * random.normal() - SPREAD**2 / 2)
        preferred.append(str(random.choice(np.unique(objects))) if several else "")
        belongs = objects == preferred[k] if several else None
        rates[:, k] = firing_rates(drive(signals[field], belongs, random), mean_rate)
    silent = (np.ptp(rates, axis=0) == 0).sum()
    if silent:
        logger.warning(
            "%s: %d of %d neurons respond equally to all stimuli, because the part of the layer that they read does",
            area,
            silent,
            len(fields),
        )
    table = pd.DataFrame(
        {
            "area": f"{MARK} {area}",
            "mean_rate": rates.mean(axis=0),
            "preferred_object": np.array(preferred, dtype=object),
        },
        index=pd.Index([f"{MARK}_{area}_{k:04d}" for k in range(1, len(fields) + 1)], dtype=object, name="neuroid"),
    )
    return table, rates


def map_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, rows and columns of a layer's output to one stimulus.

    Three axes are read as channels, rows, columns; or as rows, columns, channels if only this order makes the map
    square. Two axes are read as unordered positions, such as a transformer's tokens, and channels. One axis is read as
    channels.
    """
    if len(shape) == 3:
        return tuple(shape[axis] for axis in _axes_of_map(shape))
    return (shape[-1], int(np.prod(shape[:-1])), 1)


def receptive_field(shape: tuple[int, int, int], share: float, random: np.random.Generator) -> ReceptiveField:
    """Draw a receptive field.

    Parameters
    ----------
    shape : tuple of int
        Channels, rows and columns of the layer.
    share : float
        Share of the map's sides that the field covers; 1 takes all positions and all channels.
    random : Generator
        Random numbers of the neuron.
    """
    channels, *sides = shape
    if share == WHOLE:
        return ReceptiveField(tuple(range(channels)), 0, 0, *sides)
    extents = [max(1, round(share * side)) for side in sides]
    corner = [int(random.integers(side - extent + 1)) for side, extent in zip(sides, extents, strict=True)]
    chosen = random.choice(channels, size=max(1, round(np.sqrt(channels))), replace=False)
    return ReceptiveField(tuple(np.sort(chosen).tolist()), *corner, *extents)


def drive(signals: NDArray, belongs: ArrayLike | None, random: np.random.Generator) -> NDArray[np.float64]:
    """Return a neuron's drive, of mean 0 and variance 1 over stimuli; 0 if its signals do not vary.

    Parameters
    ----------
    signals : (n, channels) array
        Signals of the neuron.
    belongs : (n,) boolean array, optional
        Mask of the stimuli that show the neuron's preferred object.
    random : Generator
        Random numbers of the neuron.

    Returns
    -------
    (n,) array
    """
    signals = _unit_variance(signals)
    by_chance = _unit_variance(signals @ random.normal(size=signals.shape[1]))
    if belongs is None:
        return by_chance
    # The mean over all stimuli is 0, so the object's mean is the direction.
    towards_object = _unit_variance(signals @ signals[np.asarray(belongs)].mean(axis=0))
    return _unit_variance(SELECTIVITY * towards_object + np.sqrt(1 - SELECTIVITY**2) * by_chance)


def firing_rates(drive: NDArray, mean: float) -> NDArray[np.float64]:
    """Return a neuron's rate for each stimulus, above 0, from its drive and its mean rate."""
    shaped = np.logaddexp(0, drive) ** EXPONENT
    return mean * shaped / shaped.mean()


def noisy(rates: NDArray, repetitions: int, fano: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw responses (repetitions, n) whose mean is the rate (n,), and whose variance is `fano` times the rate."""
    return fano * random.poisson(np.asarray(rates) / fano, (repetitions, len(rates)))


def true_reliability(rates: NDArray, fano: float, repetitions: int) -> NDArray[np.float64]:
    """Return the share of the variance of mean responses over stimuli that comes from the rates.

    `ventral.recordings.reliability.split_half_reliability` estimates this share:

        Var(rate) / (Var(rate) + mean(fano rate) / repetitions).

    The variance divides by n - 1, so that its estimate from mean responses is unbiased. Twice the noise turns a
    reliability of rho into rho / (2 - rho). Twice the repetitions turn rho into 2 rho / (1 + rho), the Spearman-Brown
    formula.

    Parameters
    ----------
    rates : (n, neuroids, ...) array
        Mean responses.
    fano : float
        Variance of a response over its mean.
    repetitions : int
        Number of repetitions of each stimulus.

    Returns
    -------
    (neuroids, ...) array
    """
    signal = np.var(rates, axis=0, ddof=1)
    return signal / (signal + fano * np.mean(rates, axis=0) / repetitions)


def random_numbers(seed: int, area: str, neuroid: int, purpose: int) -> np.random.Generator:
    """Return the random number generator of one neuron for one purpose."""
    # CRC-32 replaces Python's hash of the name, which differs between processes.
    return np.random.default_rng([seed, zlib.crc32(area.encode()), neuroid, purpose])


def _unit_variance(values: NDArray) -> NDArray[np.float64]:
    """Standardise values (n, ...) to mean 0 and variance 1 over stimuli; 0 if only rounding makes them vary."""
    centred = values - values.mean(axis=0)
    deviation = centred.std(axis=0)
    varying = varies(deviation, np.abs(values).max(axis=0), ROUNDING_OF_FLOAT32)
    return np.where(varying, centred, 0) / np.where(varying, deviation, 1)


def _signals(features, shape: tuple[int, ...], fields: list[ReceptiveField]) -> dict[ReceptiveField, NDArray]:
    """Return the signals (n, channels) of each field, reading the features once in blocks of rows."""
    parts: dict[ReceptiveField, list[NDArray]] = {field: [] for field in fields}
    rows = max(1, VALUES_AT_ONCE // features.shape[1])
    for start in range(0, features.shape[0], rows):
        maps = _maps(features[start : start + rows], shape)
        for field, part in parts.items():
            part.append(field.signals(maps))
    return {field: np.concatenate(part) for field, part in parts.items()}


def _maps(features: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Return features (n, p) as maps (n, channels, rows, columns)."""
    outputs = features.reshape(-1, *shape)
    if len(shape) == 3:
        return outputs.transpose(0, *(1 + axis for axis in _axes_of_map(shape)))
    return np.moveaxis(outputs, -1, 1).reshape(len(features), *map_shape(shape))


def _axes_of_map(shape: tuple[int, ...]) -> tuple[int, int, int]:
    channels_last = shape[0] == shape[1] != shape[2]
    return (2, 0, 1) if channels_last else (0, 1, 2)
