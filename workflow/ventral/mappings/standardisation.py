"""Values over stimuli without their scale, and the one rule by which they are constant."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Deviations from a mean at this share of the values are rounding: in float64, and of values that were float32.
ROUNDING = 1e-12
ROUNDING_OF_FLOAT32 = 1e-6


def varies(deviation: ArrayLike, size: ArrayLike, rounding: float = ROUNDING) -> NDArray[np.bool_] | np.bool_:
    """Say whether deviations from a mean, or ranges, are more than the rounding of values of some size.

    Parameters
    ----------
    deviation, size : array or float
        In the same unit; where the deviation is NaN, nothing varies.
    rounding : float, optional
        Share of the size that is rounding.
    """
    return deviation > rounding * size


def largest_size(values: NDArray[np.float64]) -> float:
    """Return the largest absolute value of an array, which is not copied."""
    return float(np.maximum(values.max(), -values.min()))


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each column of values (n, p) with mean 0 and variance 1 over stimuli; 0 where it does not vary."""
    centred = values - values.mean(axis=0)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    return np.divide(
        centred, deviation, out=np.zeros_like(centred), where=varies(deviation, np.abs(values).max(axis=0))
    )


def centred_columns(values: NDArray) -> NDArray[np.float64]:
    """Return the columns of values (n, t) without their means; exactly 0 where one is constant but for rounding."""
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
    """Return the Gram matrix (n, n) of centred features, their mean squared length 1; 0 where they do not vary."""
    centred = gram - gram.mean(axis=0)
    centred -= centred.mean(axis=1)[:, None]
    scale = np.trace(centred) / len(gram)
    # What is left of identical stimuli after centring is rounding.
    if not varies(scale, largest_size(gram)):
        return np.zeros_like(centred)
    centred /= scale
    return centred
