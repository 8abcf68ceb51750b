"""Extrapolate a score that grows with the number of predicting neurons to a population of any size.

The curve c(p) through the scores at p neurons is c_inf sqrt(p^h / (p^h + k^h)). With h = 1, this is the correlation of
an optimal linear readout of p neurons with independent noise, if signals vary equally along all dimensions. With few
dimensions, the curve is steeper, with h above 1. With an exponential, consistency between subjects has been
extrapolated in the same way (Schrimpf et al. 2021, PNAS 118:e2105646118). On simulated animals with known answers
(`benchmarks/inter_animal.py`), the exponential extrapolated up to 0.1 too low.
"""

import numpy as np
from numpy.typing import NDArray

EXPONENTS = np.linspace(1, 3, 9)
# Numbers of neurons k that are tried, and the lowest as a share of the smallest size.
NUMBERS, LOWEST = 61, 1 / 16


def saturated(sizes: NDArray, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return c_inf of the least-squares curve through the values at some sizes.

    Exponents h and numbers k are those of a grid. k is at most the largest size, so that c_inf is at most sqrt(2) times
    the curve at this size.

    Parameters
    ----------
    sizes : (sizes,) array
        Numbers of predicting neurons, three different ones or more.
    values : (samples, sizes) array
        Values of each of several curves.

    Returns
    -------
    (samples,) array
        About the mean for a curve that does not grow; NaN where a value is not finite.
    """
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
    halves = np.geomspace(LOWEST * np.min(sizes), np.max(sizes), NUMBERS)
    ratios = (halves[:, None] / np.asarray(sizes, dtype=float)) ** EXPONENTS[:, None, None]
    shapes = (1 / np.sqrt(1 + ratios)).reshape(-1, len(sizes))
    lengths = np.linalg.norm(shapes, axis=1)
    # The squared error is smallest where the projection is longest.
    projections = values @ (shapes / lengths[:, None]).T
    best = np.abs(projections).argmax(axis=1)
    return projections[np.arange(len(values)), best] / lengths[best]
