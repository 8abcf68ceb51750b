"""Statistics of circular quantities, such as angles."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import varies

# Rayleigh's test at 5 %: of n angles without a direction, n R^2 is above this in one sample of twenty.
RAYLEIGH = -np.log(0.05)


def has_direction(values: ArrayLike, period: float) -> bool:
    """Tell whether angles have a mean direction or are spread around the circle (Rayleigh's test at 5 %).

    Parameters
    ----------
    values : (n,) array
        Angles in the units of the period; NaN is left out.
    period : float
        Length of a full turn, such as 360 degrees.
    """
    angles = _radians(values, period)
    angles = angles[np.isfinite(angles)]
    return bool(len(angles) * np.abs(np.exp(1j * angles).mean()) ** 2 > RAYLEIGH) if len(angles) else False


def circular_correlation(
    a: ArrayLike, b: ArrayLike, period: float, directed: bool = True, folds: Sequence[NDArray] | None = None
) -> float:
    """Return the correlation of two circular quantities.

    The correlation is that of Jammalamadaka and SenGupta 2001 (Topics in Circular Statistics, section 8.2;
    Jammalamadaka and Sarma 1988),

        r = sum(sin(a - a0) sin(b - b0)) / sqrt(sum(sin(a - a0)^2) sum(sin(b - b0)^2)),

    with the mean directions a0 and b0. If a0 and b0 are not defined, a0 - b0 and a0 + b0 are the mean directions of a -
    b and a + b. The numerator is then half the difference of their resultants.

    As with Pearson's r, adding a constant to a or b changes nothing. With folds, mean directions are those of each
    fold, and the three sums run over all folds.

    Parameters
    ----------
    a, b : (n,) arrays
        Quantities in the units of the period.
    period : float
        Length of a full turn.
    directed : bool
        True if both have a mean direction, as by `has_direction`.
    folds : sequence of integer arrays, optional
        Rows of each held-out fold, none empty; by default all rows are one fold.

    Returns
    -------
    float
        Between -1 and 1; NaN if a or b is constant within every fold.
    """
    a, b = _radians(a, period), _radians(b, period)
    of_folds = [_sines(a[fold], b[fold], directed) for fold in (folds or [np.arange(len(a))])]
    sines_a, sines_b = np.concatenate(of_folds, axis=1)
    size = np.linalg.norm(sines_a) * np.linalg.norm(sines_b)
    return float(sines_a @ sines_b / size) if size else float("nan")


def angular_error(a: ArrayLike, b: ArrayLike, period: float) -> float:
    """Return the mean absolute difference of two circular quantities, the shorter way round, in the period's units."""
    difference = np.angle(np.exp(1j * (_radians(a, period) - _radians(b, period))))
    return float(np.abs(difference).mean() * period / (2 * np.pi))


def sine_and_cosine(values: ArrayLike, period: float) -> NDArray[np.float64]:
    """Return sine and cosine (n, 2) of a circular quantity, which are the targets that predict it."""
    angles = _radians(values, period)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def angle_of(sines_and_cosines: NDArray, period: float) -> NDArray[np.float64]:
    """Return the circular quantity (n,), from minus to plus half a period, with a given sine and cosine (n, 2)."""
    return np.arctan2(sines_and_cosines[:, 0], sines_and_cosines[:, 1]) * period / (2 * np.pi)


def _radians(values: ArrayLike, period: float) -> NDArray[np.float64]:
    return np.asarray(values, dtype=float) * (2 * np.pi / period)


def _sines(a: NDArray[np.float64], b: NDArray[np.float64], directed: bool) -> NDArray[np.float64]:
    """Return the sines (2, n) of angles from their mean directions; 0 where they do not vary."""
    if directed:
        a0, b0 = _direction(a), _direction(b)
    else:
        difference, total = _direction(a - b), _direction(a + b)
        a0, b0 = (total + difference) / 2, (total - difference) / 2
    sines = np.sin([a - a0, b - b0])
    # The sign of sines at the size of rounding is arbitrary.
    varying = varies(np.linalg.norm(sines, axis=1, keepdims=True), np.sqrt(len(a)))
    return np.where(varying, sines, 0.0)


def _direction(angles: NDArray[np.float64]) -> float:
    return float(np.angle(np.exp(1j * angles).mean()))
