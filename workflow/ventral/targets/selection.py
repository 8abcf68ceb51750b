"""Score an area with neurons that were chosen on other folds than those that score them.

The reliability that divides a score is an estimate. Choosing neurons by a high estimate, and dividing by the same
estimate, divides by too much: noise that raised the estimate counts as signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.correlation import Sums, median_predictivity, summed_predictivity
from ventral.recordings.noise import Noise
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.splits import halves_of


@dataclass(frozen=True)
class ChosenScore:
    """Score of the chosen neurons, averaged over both ways to choose on one half of the folds and score on the other.

    Attributes
    ----------
    median : float
        Median predictivity, from `ventral.mappings.correlation.median_predictivity`.
    summed : float
        sqrt(sum r |r| / sum rho).
    n_neurons : int
        Neurons with a reliability and an r.
    n_unreliable : int
        Number of these neurons whose reliability over all folds is not positive.
    n_left_out : tuple of int
        Number of these neurons that are not chosen on either half of the folds.
    """

    median: float
    summed: float
    n_neurons: int
    n_unreliable: int
    n_left_out: tuple[int, int]


def score_of_chosen(
    sums: Sums, noise: Noise, scored: NDArray[np.bool_], folds: Sequence[NDArray], threshold: float
) -> ChosenScore:
    """Choose neurons by their reliability in every other fold, score them in the folds between, and swap the two.

    The noise of stimuli shown once is estimated from repeated stimuli in the same half of the folds. A shared error in
    both halves would choose neurons by the ceiling of their score.

    Parameters
    ----------
    sums : Sums
        Sums from `ventral.mappings.correlation.sums_within_folds`.
    noise : Noise
        Noise of the responses.
    scored : (n, neurons) array
        Which responses are scored.
    folds : sequence of integer arrays
        Rows of each held-out fold, two folds or more, none empty.
    threshold : float
        Lowest reliability of a chosen neuron, 0 or more. Neurons with a reliability of 0 or less are never chosen.

    Returns
    -------
    ChosenScore
        Scores; NaN if one half of the folds chooses no neuron.
    """
    reliability = reliability_within_folds(noise, folds, scored).rho
    counted = np.isfinite(sums.pooled().r[0]) & np.isfinite(reliability)
    r = [sums.pooled(slice(first, None, 2)).r[0] for first in (0, 1)]
    rho = np.stack([reliability_of_half(noise, folds, first, scored) for first in (0, 1)])
    taken = counted & ~np.isnan(ceilings_of_chosen(rho, threshold))
    of_halves = [(r[k][taken[k]], rho[k][taken[k]]) for k in (0, 1)]
    median, summed = (
        np.mean([score(*half) for half in of_halves]) for score in (median_predictivity, summed_predictivity)
    )
    left_out = counted.sum() - taken.sum(axis=1)[::-1]
    n_unreliable = int((reliability[counted] <= 0).sum())
    return ChosenScore(float(median), float(summed), int(counted.sum()), n_unreliable, tuple(left_out.tolist()))


def chosen(reliability: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Return a mask of the neurons whose reliability is positive and at least the threshold."""
    return (reliability > 0) & (reliability >= threshold)


def ceilings_of_chosen(reliability: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return the ceiling of each neuron within each half of the folds, if the other half chooses the neuron.

    Parameters
    ----------
    reliability : (2, ..., neurons) array
        Reliability within each half of the folds.
    threshold : float
        Lowest reliability of a chosen neuron. Neurons with a reliability of 0 or less are never chosen.

    Returns
    -------
    (2, ..., neurons) array
        Square root of the reliability within the same half, or 0 if that is not positive; NaN if the neuron is not
        chosen.
    """
    return np.sqrt(np.where(chosen(reliability[::-1], threshold), np.maximum(reliability, 0), np.nan))


def over_ceilings(r: NDArray[np.float64], ceilings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return r divided by ceilings; infinite with the sign of r if a ceiling is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return r / ceilings


def attainable(given_ceiling: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Return a mask of neurons to keep by the largest r that came with the data, without a known reliability.

    The square of this r is a reliability, and must be positive and at least the threshold. Neurons without a ceiling
    are kept.

    Parameters
    ----------
    given_ceiling : (neurons,) array
        Largest attainable r; NaN if missing.
    threshold : float
        Lowest reliability of a neuron to keep.
    """
    return np.isnan(given_ceiling) | chosen(given_ceiling**2, threshold)


def reliability_of_half(
    noise: Noise, folds: Sequence[NDArray], first: int, scored: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the reliability (neurons,) within every other fold, or within every other stimulus of a single fold.

    The variances of stimuli shown once are estimated from repeated stimuli: those in these folds, and every other
    stimulus outside all folds.

    Parameters
    ----------
    noise : Noise
        Noise of the responses.
    folds : sequence of integer arrays
        Rows of each held-out fold, none empty.
    first : int
        0 for the folds 0, 2, ...; 1 for the folds between.
    scored : (n, neurons) array, optional
        Mask of the scored responses; all available responses if not given.
    """
    of_half = halves_of(folds)[first]
    unscored = np.setdiff1d(np.arange(len(noise.means)), np.concatenate(folds))
    expected = noise.expected_from(np.concatenate([*of_half, unscored[first::2]]))
    return reliability_within_folds(expected, of_half, scored).rho
