"""Object solution times: when a reading is as right as subjects (Kar et al. 2019, Nature Neuroscience 22:974)."""

import numpy as np
from numpy.typing import NDArray

# What became of a stimulus.
SOLVED, AT_ONCE, NEVER, UNKNOWN = "solved", "solved in the first bin", "never solved", "no choices"
# Kinds of stimuli by how much better subjects recognise them than a model.
CHALLENGE, CONTROL = "challenge", "control"
SMALLEST_CHALLENGE, LARGEST_CONTROL = 1.5, 0.4


def kinds_of_stimuli(i1_of_subjects: NDArray, i1_of_model: NDArray) -> NDArray[np.str_]:
    """Return the kind (n,) of each stimulus: 'challenge', 'control' or ''."""
    with np.errstate(invalid="ignore"):
        better = i1_of_subjects - i1_of_model
        return np.select([better >= SMALLEST_CHALLENGE, np.abs(better) <= LARGEST_CONTROL], [CHALLENGE, CONTROL], "")


def outcomes(first: NDArray, thresholds: NDArray, found: NDArray) -> NDArray[np.str_]:
    """Return what became of each stimulus (n,), given the values of the first bin, thresholds and solution times."""
    with np.errstate(invalid="ignore"):
        at_once = first >= thresholds
    return np.select([np.isnan(thresholds), np.isnan(found), at_once], [UNKNOWN, NEVER, AT_ONCE], SOLVED)


def first_crossings(
    times: NDArray[np.float64], values: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return when each course first reaches its threshold, linearly interpolated from the bin before.

    Parameters
    ----------
    times : (bins,) array
        Middle of each bin, ascending.
    values : (bins, n) array
        Course of each stimulus over the bins; NaN does not reach a threshold.
    thresholds : (n,) array

    Returns
    -------
    (n,) array
        Time of the first bin where the first bin is high enough. NaN where no bin is, and where the threshold is NaN.
    """
    with np.errstate(invalid="ignore"):
        reached = values >= thresholds
    columns, at = np.arange(len(thresholds)), reached.argmax(axis=0)
    before = np.maximum(at - 1, 0)
    low, high = values[before, columns], values[at, columns]
    share = np.divide(thresholds - low, high - low, out=np.ones_like(thresholds), where=np.isfinite(low) & (high > low))
    found = times[before] + share * (times[at] - times[before])
    return np.where(reached.any(axis=0), found, np.nan)
