"""Properties of tuning curves to gratings: orientation, spatial frequency, phase, size and contrast.

All functions take responses above the response to a grey screen, with one row for each unit and no negative values.
Units without a response have NaN.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Height of the curve at which the width of orientation tuning is measured (Ringach et al. 2002).
ORIENTATION_HEIGHT = 1 / math.sqrt(2)
# Height for spatial frequency (De Valois et al. 1982b).
FREQUENCY_HEIGHT = 0.5
# Weights of neighbours in smoothing, beside 1 for the point itself, as in the code of Marques et al. 2021.
ORIENTATION_WEIGHT, FREQUENCY_WEIGHT = 2 / 5, 1 / 5
# Share of the largest response that defines the summation field (Cavanaugh et al. 2002).
SUMMATION = 0.95
# Steps at which splines are read: degrees, and octaves.
STEP_OF_ORIENTATION, STEP_OF_OCTAVES = 0.25, 0.01
# Ranges of fits to contrast responses. A half-saturation above 1 is beyond all contrasts.
C50, EXPONENT = (0.005, 20.0), (0.2, 10.0)


def modulation_ratio(responses: NDArray) -> NDArray:
    """Return F1/F0, the amplitude of the first harmonic over the mean (Skottun et al. 1991, Vision Research 31:1079).

    A linear cell with a threshold at its spontaneous rate has pi/2, and a phase-invariant cell 0.

    Parameters
    ----------
    responses : (n, phases) array
        Responses to phases that are evenly spaced over one cycle.
    """
    n_phases = responses.shape[1]
    first = responses @ np.exp(2j * math.pi * np.arange(n_phases) / n_phases) / n_phases
    return _divided(2 * np.abs(first), responses.mean(axis=1))


def circular_variance(responses: NDArray, orientations: NDArray) -> NDArray:
    """Return 1 - |sum r exp(2i theta)| / sum r (Ringach et al. 2002, J Neurosci 22:5639).

    Parameters
    ----------
    responses : (n, k) array
    orientations : (k,) array
        Degrees, evenly spaced over 180.
    """
    resultant = np.abs(responses @ np.exp(2j * np.radians(orientations)))
    return 1 - _divided(resultant, responses.sum(axis=1))


def orientation_tuning(responses: NDArray, orientations: NDArray) -> tuple[NDArray, NDArray]:
    """Return preferred orientations and bandwidths, in degrees, of smoothed curves.

    Curves are smoothed with their neighbours, and a periodic cubic spline goes through them. The bandwidth is the mean
    of the half widths on both sides at 1 / sqrt(2) of the peak (Ringach et al. 2002). It is NaN for curves that stay
    above this height, as those of units that are not selective.

    Parameters
    ----------
    responses : (n, k) array
    orientations : (k,) array
        Degrees, evenly spaced from 0 to below 180.
    """
    from scipy.interpolate import CubicSpline

    smooth = smoothed(responses, ORIENTATION_WEIGHT, circular=True)
    closed = np.concatenate([smooth, smooth[:, :1]], axis=1)
    at = np.arange(0, 180, STEP_OF_ORIENTATION)
    curves = CubicSpline([*orientations, 180], closed, axis=1, bc_type="periodic")(at)
    peak = curves.argmax(axis=1)
    half = len(at) // 2
    around = np.take_along_axis(curves, (peak[:, None] + np.arange(-half, half + 1)) % len(at), axis=1)
    limit = ORIENTATION_HEIGHT * around[:, half]
    steps = np.stack([first_below(around[:, half:], limit), first_below(around[:, half::-1], limit)])
    responds = responses.max(axis=1) > 0
    return np.where(responds, at[peak], np.nan), np.where(responds, steps.mean(axis=0) * STEP_OF_ORIENTATION, np.nan)


def frequency_tuning(responses: NDArray, frequencies: NDArray) -> tuple[NDArray, NDArray]:
    """Return preferred spatial frequencies and bandwidths in octaves, of smoothed curves.

    Curves are smoothed with their neighbours, and a cubic spline over the logarithm goes through them. The bandwidth is
    the full width at half of the peak (De Valois et al. 1982b). It is NaN for curves that do not fall to this height on
    both sides of the peak.

    Parameters
    ----------
    responses : (n, k) array
    frequencies : (k,) array
        Increasing, at least four.
    """
    from scipy.interpolate import CubicSpline

    octaves = np.log2(frequencies)
    at = np.linspace(octaves[0], octaves[-1], math.ceil((octaves[-1] - octaves[0]) / STEP_OF_OCTAVES) + 1)
    curves = CubicSpline(octaves, smoothed(responses, FREQUENCY_WEIGHT, circular=False), axis=1)(at)
    peak = curves.argmax(axis=1)
    limit = FREQUENCY_HEIGHT * curves.max(axis=1)
    place = np.arange(len(at))
    # Before the peak, and after the peak, the other side counts as above the limit.
    before = np.where(place <= peak[:, None], curves, np.inf)[:, ::-1]
    after = np.where(place >= peak[:, None], curves, np.inf)
    steps = first_below(before, limit) - (len(at) - 1 - peak) + first_below(after, limit) - peak
    responds = responses.max(axis=1) > 0
    return np.where(responds, 2 ** at[peak], np.nan), np.where(responds, steps * (at[1] - at[0]), np.nan)


def smoothed(curves: NDArray, weight: float, *, circular: bool) -> NDArray:
    """Return curves (n, k) smoothed by their neighbours; at the ends of an open curve, the end repeats."""
    padded = np.pad(curves, ((0, 0), (1, 1)), mode="wrap" if circular else "edge")
    return (padded[:, 1:-1] + weight * (padded[:, :-2] + padded[:, 2:])) / (1 + 2 * weight)


def first_below(curves: NDArray, limits: NDArray) -> NDArray:
    """Return the place at which each curve (n, k) first lies below its limit; NaN if it never does."""
    below = curves < limits[:, None]
    return np.where(below.any(axis=1), below.argmax(axis=1), np.nan)


def contiguity_ratio(grid: NDArray) -> NDArray:
    """Return Geary's ratio of responses: squared differences of neighbours over those of any two.

    Values in random order have about 1, and values in order have less (Geary 1954, The Incorporated Statistician
    5:115).

    Parameters
    ----------
    grid : (n, orientations, frequencies) array
        Orientations are evenly spaced over the circle, so that the first is a neighbour of the last.
    """
    over_orientations = np.square(grid - np.roll(grid, 1, axis=1)).reshape(len(grid), -1)
    over_frequencies = np.square(np.diff(grid, axis=2)).reshape(len(grid), -1)
    of_neighbours = np.concatenate([over_orientations, over_frequencies], axis=1).mean(axis=1)
    return _divided(of_neighbours, 2 * grid.reshape(len(grid), -1).var(axis=1, ddof=1))


def size_tuning(responses: NDArray, diameters: NDArray) -> tuple[NDArray, NDArray]:
    """Return the suppression index and the diameter of the summation field.

    The index is (largest response - response to the largest grating) / largest response. The summation field is the
    smallest grating with 95 % of the largest response (Cavanaugh et al. 2002, J Neurophysiol 88:2530).

    Parameters
    ----------
    responses : (n, k) array
    diameters : (k,) array
        Increasing.
    """
    largest = responses.max(axis=1)
    field = np.asarray(diameters)[(responses >= SUMMATION * largest[:, None]).argmax(axis=1)]
    return _divided(largest - responses[:, -1], largest), np.where(largest > 0, field, np.nan)


def contrast_responses(responses: NDArray, contrasts: NDArray) -> pd.DataFrame:
    """Fit r_max c^n / (c^n + c50^n) by least squares (Naka and Rushton 1966; Albrecht and Hamilton 1982).

    Parameters
    ----------
    responses : (n, k) array
    contrasts : (k,) array
        From 0 (excluded) to 1.

    Returns
    -------
    DataFrame
        A row for each unit. `c50` is the contrast of half saturation, and NaN above 1, where the contrasts do not reach
        it. `contrast_exponent` is n, and `contrast_r2` the fraction of variance that the fit explains.
    """
    columns = ["c50", "contrast_exponent", "contrast_r2"]
    return pd.DataFrame([_fitted_contrast(of_unit, np.asarray(contrasts)) for of_unit in responses], columns=columns)


def _fitted_contrast(responses: NDArray, contrasts: NDArray) -> tuple[float, float, float]:
    from scipy.optimize import least_squares

    variance = np.square(responses - responses.mean()).sum()
    if not variance > 0:
        return np.nan, np.nan, np.nan
    scaled = responses / responses.max()

    def residuals(free: NDArray) -> NDArray:
        shape = saturation(contrasts, *np.exp(free))
        # The best r_max is known for each shape.
        return scaled - shape * max(0.0, (shape @ scaled) / (shape @ shape))

    low, high = np.log([C50, EXPONENT]).T
    starts = [np.log((c50, exponent)) for c50 in (0.05, 0.2, 0.8, 5) for exponent in (0.8, 2, 5)]
    found = least_squares(
        residuals, min(starts, key=lambda start: np.square(residuals(start)).sum()), bounds=(low, high)
    )
    c50, exponent = np.exp(found.x)
    r2 = 1 - 2 * found.cost * np.square(responses.max()) / variance
    return (c50 if c50 <= 1 else np.nan), exponent, r2


def saturation(contrasts: NDArray, c50: float, exponent: float) -> NDArray:
    """Return the response to each contrast, as a share of the response that contrast can reach at most."""
    return 1 / (1 + (c50 / np.asarray(contrasts)) ** exponent)


def _divided(above: NDArray, below: NDArray) -> NDArray:
    """Return quotients, and NaN where the denominator is 0."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
