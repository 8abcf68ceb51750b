"""Simulated neurons, made of a layer's output.

A neuron reads one layer of a network, the teacher, which is not among the models that are scored. Which depth of a
network predicts it best, how reliable it is, and which object it prefers are known by construction. From layer to
spikes:

1. Receptive field. The signals of a neuron are the means of channels over a square of the layer's map; how much of the
   map's side it covers is the area's `field`, 1 for all of it. A neuron with a smaller one reads few channels, as
   many as the square root of their number, drawn at random, over a square at a random place.
2. Drive. The signals, each of mean 0 and variance 1 over stimuli, are weighted by standard normal numbers. Where the
   field is the whole map, and the stimuli are of several objects, the neuron prefers one of these: its drive is

       s a + sqrt(1 - s^2) b,    s = SELECTIVITY,

   where a is the projection of the signals on the direction of the preferred object's mean from the mean over all
   stimuli, and b on a random direction, both of variance 1.
3. Rate. The mean response to a stimulus is m g(z) / mean g(z), where z is the drive, of mean 0 and variance 1, and
   g(z) = log(1 + exp z)^EXPONENT, a smooth threshold and an accelerating power (Heeger 1992, Visual Neuroscience
   9:181; Priebe and Ferster 2008, Neuron 57:482). The neuron's mean m over stimuli is lognormal over neurons (Buzsaki
   and Mizuseki 2014, Nature Reviews Neuroscience 15:264): the mean over neurons is `spikes`, and the standard
   deviation of its logarithm SPREAD.
4. Noise. A response is F times a Poisson number of mean rate / F, F being `fano`: its mean is the rate, its variance
   F times the rate. Repetitions are independent.

Every neuron has random numbers of its own, which go by `seed`, its area and its number in the area: it does not depend
on which others there are, and its first repetitions not on how many follow.
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


# What the name of a recording and of its areas must say.
MARK = "simulated"
# Share of the map's side that a receptive field covers, where the config does not say it. Those of neurons in areas
# further on are larger (Freeman and Simoncelli 2011, Nature Neuroscience 14:1195), as the units of later layers have
# larger fields of their own.
FIELDS = {"V1": 1 / 32, "V2": 1 / 8, "V4": 1 / 4, "IT": 1.0}
WHOLE = 1.0
SELECTIVITY = 0.8
EXPONENT = 1.2
SPREAD = 0.5
# Each neuron's random numbers for what it is made of, and for its noise.
TUNING, NOISE = 0, 1
VALUES_AT_ONCE = 2**24


@dataclass(frozen=True)
class ReceptiveField:
    """What a neuron reads of a layer.

    Attributes
    ----------
    channels : tuple of int
        Ascending.
    top, left, height, width : int
        The square of the map over which channels are averaged.
    """

    channels: tuple[int, ...]
    top: int
    left: int
    height: int
    width: int

    def signals(self, maps: NDArray) -> NDArray[np.float64]:
        """Return the means (n, channels) over the field, of maps (n, all channels, rows, columns)."""
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
    """Return the neurons of one area and their rates.

    Parameters
    ----------
    features : (n, p) array
        A layer's output to every stimulus, flattened; in memory, or a store that is read by rows.
    shape : tuple of int
        Of the output to one stimulus, as for `map_shape`.
    objects : (n,) array of str, or None
        The object that each stimulus shows.
    area : str
        Name of the area.
    options : dict
        `field` and `neuroids`, as in the config.
    spikes, seed
        As in the config.

    Returns
    -------
    neuroids : DataFrame
        `area`, `mean_rate` and `preferred_object`, by the neuroids' names.
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
            "%s: %d of %d neurons respond alike to all stimuli, as does what they read of the layer",
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

    Three axes are channels, rows, columns; or rows, columns, channels where this makes the map square and the other
    does not. Two are positions in no order, such as a transformer's tokens, and channels. One is channels.
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
        Of the map's sides that it covers; 1 takes all positions and all channels.
    random : Generator
        Of the neuron.
    """
    channels, *sides = shape
    if share == WHOLE:
        return ReceptiveField(tuple(range(channels)), 0, 0, *sides)
    extents = [max(1, round(share * side)) for side in sides]
    corner = [int(random.integers(side - extent + 1)) for side, extent in zip(sides, extents, strict=True)]
    chosen = random.choice(channels, size=max(1, round(np.sqrt(channels))), replace=False)
    return ReceptiveField(tuple(np.sort(chosen).tolist()), *corner, *extents)


def drive(signals: NDArray, belongs: ArrayLike | None, random: np.random.Generator) -> NDArray[np.float64]:
    """Return a neuron's drive, of mean 0 and variance 1 over stimuli; 0 where its signals do not vary.

    Parameters
    ----------
    signals : (n, channels) array
        What it reads.
    belongs : (n,) boolean array, optional
        Which stimuli show the object that it prefers.
    random : Generator
        Of the neuron.

    Returns
    -------
    (n,) array
    """
    signals = _unit_variance(signals)
    by_chance = _unit_variance(signals @ random.normal(size=signals.shape[1]))
    if belongs is None:
        return by_chance
    # The mean over all stimuli is 0.
    towards_object = _unit_variance(signals @ signals[np.asarray(belongs)].mean(axis=0))
    return _unit_variance(SELECTIVITY * towards_object + np.sqrt(1 - SELECTIVITY**2) * by_chance)


def firing_rates(drive: NDArray, mean: float) -> NDArray[np.float64]:
    """Return the rate of a neuron for each stimulus, above 0, from its drive and its mean over stimuli."""
    shaped = np.logaddexp(0, drive) ** EXPONENT
    return mean * shaped / shaped.mean()


def noisy(rates: NDArray, repetitions: int, fano: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return responses (repetitions, n) whose mean is the rate (n,), and whose variance is `fano` times the rate."""
    return fano * random.poisson(np.asarray(rates) / fano, (repetitions, len(rates)))


def true_reliability(rates: NDArray, fano: float, repetitions: int) -> NDArray[np.float64]:
    """Return the share of the variance over stimuli of mean responses that is the rates', not noise.

    This is what `ventral.recordings.reliability.split_half_reliability` estimates:

        Var(rate) / (Var(rate) + mean(fano rate) / repetitions),

    with the variance that divides by n - 1, of which that of the mean responses is an unbiased estimate. Twice the
    noise turns a reliability of rho into rho / (2 - rho); twice the repetitions into 2 rho / (1 + rho), as Spearman and
    Brown have it.

    Parameters
    ----------
    rates : (n, neuroids) array
        Mean responses.
    fano : float
        Variance of a response over its mean.
    repetitions : int
        Of each stimulus.

    Returns
    -------
    (neuroids,) array
    """
    signal = np.var(rates, axis=0, ddof=1)
    return signal / (signal + fano * np.mean(rates, axis=0) / repetitions)


def random_numbers(seed: int, area: str, neuroid: int, purpose: int) -> np.random.Generator:
    """Return the random numbers of one neuron for one purpose."""
    # Not Python's hash of the name, which is another one in every process.
    return np.random.default_rng([seed, zlib.crc32(area.encode()), neuroid, purpose])


def _unit_variance(values: NDArray) -> NDArray[np.float64]:
    """Return values (n, ...) of mean 0 and variance 1 over stimuli, 0 where they vary by no more than rounding."""
    centred = values - values.mean(axis=0)
    deviation = centred.std(axis=0)
    varying = varies(deviation, np.abs(values).max(axis=0), ROUNDING_OF_FLOAT32)
    return np.where(varying, centred, 0) / np.where(varying, deviation, 1)


def _signals(features, shape: tuple[int, ...], fields: list[ReceptiveField]) -> dict[ReceptiveField, NDArray]:
    """Return the signals (n, channels) of each field, reading the features once, some rows at a time."""
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
