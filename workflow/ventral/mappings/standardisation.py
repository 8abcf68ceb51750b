"""Standardisation of values over stimuli, and the rule by which values are constant."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Deviations from a mean up to this share of the values are rounding, in float64 and for values that were float32.
ROUNDING = 1e-12
ROUNDING_OF_FLOAT32 = 1e-6


def varies(deviation: ArrayLike, size: ArrayLike, rounding: float = ROUNDING) -> NDArray[np.bool_] | np.bool_:
    """Tell whether deviations from a mean, or ranges, exceed the rounding of values of some size.

    Parameters
    ----------
    deviation, size : array or float
        Deviation and size of the values in the same unit. A deviation of NaN counts as constant.
    rounding : float, optional
        Share of the size that is rounding.
    """
    return deviation > rounding * size


def largest_size(values: NDArray[np.float64]) -> float:
    """Return the largest absolute value of an array, without a copy."""
    return float(np.maximum(values.max(), -values.min()))


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column of values (n, p) with mean 0 and variance 1 over stimuli; 0 where it does not vary."""
    centred = values - values.mean(axis=0)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    return np.divide(
        centred, deviation, out=np.zeros_like(centred), where=varies(deviation, np.abs(values).max(axis=0))
    )


def centred_columns(values: NDArray) -> NDArray[np.float64]:
    """Return the columns of values (n, t) minus their means; exactly 0 if a column is constant up to rounding."""
    deviations = values - values.mean(axis=0)
    deviations[:, ~varies(np.linalg.norm(deviations, axis=0), np.linalg.norm(values, axis=0))] = 0
    return deviations


def unit_columns(values: NDArray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the columns of values (n, t) centred and of unit length, and which of them vary; the others are 0."""
    deviations = centred_columns(values)
    length = np.linalg.norm(deviations, axis=0)
    varying = length > 0
    return np.divide(deviations, length, out=deviations, where=varying), varying


def scaled_gram(gram: NDArray) -> NDArray[np.float64]:
    """Return the Gram matrix (n, n) of centred features with mean squared length 1; 0 if they do not vary."""
    centred = gram - gram.mean(axis=0)
    centred -= centred.mean(axis=1)[:, None]
    scale = np.trace(centred) / len(gram)
    # Identical stimuli differ from their mean by rounding.
    if not varies(scale, largest_size(gram)):
        return np.zeros_like(centred)
    centred /= scale
    return centred
