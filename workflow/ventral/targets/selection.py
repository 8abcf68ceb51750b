"""An area's score by neurons that were chosen on other folds than those they are scored on.

The reliability that a score is divided by is an estimate. Who keeps the neurons whose estimate is high, and divides by
the same estimate, divides by too much: noise that raised it is counted as signal.
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
    """Score of the chosen neurons, averaged over both ways to choose on half of the folds and score on the others.

    Attributes
    ----------
    median : float
        Of predictivity, from `ventral.mappings.correlation.median_predictivity`.
    summed : float
        sqrt(sum r |r| / sum rho).
    n_neurons : int
        Neurons with a reliability and an r.
    n_unreliable : int
        Of these, with a reliability over all folds that is not positive.
    n_left_out : tuple of int
        Of these, not chosen: on the one half of folds, and on the other.
    """

    median: float
    summed: float
    n_neurons: int
    n_unreliable: int
    n_left_out: tuple[int, int]


def score_of_chosen(
    sums: Sums, noise: Noise, scored: NDArray[np.bool_], folds: Sequence[NDArray], threshold: float
) -> ChosenScore:
    """Choose neurons by their reliability in every other fold, score them in the folds between, and the other way.

    The noise of stimuli shown once is estimated from repeated stimuli of the same half of the folds: an error that both
    halves shared would choose neurons by the ceiling of their score.

    Parameters
    ----------
    sums : Sums
        From `ventral.mappings.correlation.sums_within_folds`.
    noise : Noise
        Of the responses.
    scored : (n, neurons) array
        Which responses are scored.
    folds : sequence of integer arrays
        Rows of each held-out fold, two folds or more, none empty.
    threshold : float
        Lowest reliability of a chosen neuron, 0 or more; one with a reliability of 0 or less is never chosen.

    Returns
    -------
    ChosenScore
        NaN where a way chooses no neuron.
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
    """Say which neurons are chosen by a reliability: positive, and at least the threshold."""
    return (reliability > 0) & (reliability >= threshold)


def ceilings_of_chosen(reliability: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return the ceiling of each neuron within either half of the folds, if the other half chooses the neuron.

    Parameters
    ----------
    reliability : (2, ..., neurons) array
        Within either half of the folds.
    threshold : float
        Lowest reliability of a chosen neuron; one with a reliability of 0 or less is never chosen.

    Returns
    -------
    (2, ..., neurons) array
        Root of the reliability within the same half, 0 where that is not positive; NaN where the neuron is not chosen.
    """
    return np.sqrt(np.where(chosen(reliability[::-1], threshold), np.maximum(reliability, 0), np.nan))


def over_ceilings(r: NDArray[np.float64], ceilings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return r over ceilings, infinite on the side of r where a ceiling is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return r / ceilings


def attainable(given_ceiling: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Say which neurons are taken where no reliability is known, by the largest r that came with the data.

    Its square is a reliability: positive, and at least the threshold. Neurons without any ceiling are taken.

    Parameters
    ----------
    given_ceiling : (neurons,) array
        NaN where there is none.
    threshold : float
        Lowest reliability of a neuron that is taken.
    """
    return np.isnan(given_ceiling) | chosen(given_ceiling**2, threshold)


def reliability_of_half(
    noise: Noise, folds: Sequence[NDArray], first: int, scored: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the reliability (neurons,) within every other fold, or, of one fold, every other stimulus.

    The variances of stimuli shown once are those that repeated stimuli of these folds let expect, and of every other
    stimulus in no fold.

    Parameters
    ----------
    noise : Noise
        Of the responses.
    folds : sequence of integer arrays
        Rows of each held-out fold, none empty.
    first : int
        0 for the folds 0, 2, ...; 1 for those between.
    scored : (n, neurons) array, optional
        Which responses are scored; all that there are, if not given.
    """
    of_half = halves_of(folds)[first]
    unscored = np.setdiff1d(np.arange(len(noise.means)), np.concatenate(folds))
    expected = noise.expected_from(np.concatenate([*of_half, unscored[first::2]]))
    return reliability_within_folds(expected, of_half, scored).rho
