"""Angles and other quantities that come back to where they began: how two of them go together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import varies

# Rayleigh's test at 5 %: of n angles without a direction, n R^2 is above this in one sample of twenty.
RAYLEIGH = -np.log(0.05)


def has_direction(values: ArrayLike, period: float) -> bool:
    """Say whether angles have a mean direction, or are spread around the circle (Rayleigh's test at 5 %).

    Parameters
    ----------
    values : (n,) array
        In the units of the period; NaN is left out.
    period : float
        After which a value is the same again, such as 360 degrees.
    """
    angles = _radians(values, period)
    angles = angles[np.isfinite(angles)]
    return bool(len(angles) * np.abs(np.exp(1j * angles).mean()) ** 2 > RAYLEIGH) if len(angles) else False


def circular_correlation(a: ArrayLike, b: ArrayLike, period: float, directed: bool = True) -> float:
    """Return the correlation of two circular quantities.

    It is that of Jammalamadaka and SenGupta 2001 (Topics in Circular Statistics, section 8.2; Jammalamadaka and Sarma
    1988),

        r = sum(sin(a - a0) sin(b - b0)) / sqrt(sum(sin(a - a0)^2) sum(sin(b - b0)^2)),

    with the mean directions a0 and b0. Where these are not defined, a0 - b0 and a0 + b0 are the mean directions of
    a - b and a + b: the numerator is then half the difference of their resultants.

    Like Pearson's r it is not changed by a constant that is added to a or b.

    Parameters
    ----------
    a, b : (n,) arrays
        In the units of the period.
    period : float
        After which a value is the same again.
    directed : bool
        Whether both have a mean direction: see `has_direction`.

    Returns
    -------
    float
        Between -1 and 1; NaN where a or b does not vary.
    """
    a, b = _radians(a, period), _radians(b, period)
    if directed:
        a0, b0 = _direction(a), _direction(b)
    else:
        difference, total = _direction(a - b), _direction(a + b)
        a0, b0 = (total + difference) / 2, (total - difference) / 2
    sines = np.sin(a - a0), np.sin(b - b0)
    lengths = [np.linalg.norm(sine) for sine in sines]
    # Sines at the size of rounding carry no sign.
    if not varies(min(lengths), np.sqrt(len(a))):
        return float("nan")
    return float(sines[0] @ sines[1] / (lengths[0] * lengths[1]))


def angular_error(a: ArrayLike, b: ArrayLike, period: float) -> float:
    """Return the mean absolute difference of two circular quantities, the shorter way round, in the period's units."""
    difference = np.angle(np.exp(1j * (_radians(a, period) - _radians(b, period))))
    return float(np.abs(difference).mean() * period / (2 * np.pi))


def sine_and_cosine(values: ArrayLike, period: float) -> NDArray[np.float64]:
    """Return sine and cosine (n, 2) of a circular quantity, by which it is predicted."""
    angles = _radians(values, period)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def angle_of(sines_and_cosines: NDArray, period: float) -> NDArray[np.float64]:
    """Return the circular quantity (n,), from minus to plus half a period, of its sine and cosine (n, 2)."""
    return np.arctan2(sines_and_cosines[:, 0], sines_and_cosines[:, 1]) * period / (2 * np.pi)


def _radians(values: ArrayLike, period: float) -> NDArray[np.float64]:
    return np.asarray(values, dtype=float) * (2 * np.pi / period)


def _direction(angles: NDArray[np.float64]) -> float:
    return float(np.angle(np.exp(1j * angles).mean()))
