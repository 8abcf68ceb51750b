"""Simulate a perfect model in resamples of the stimuli, with its ceiling recomputed in each or fixed.

A stimulus that is drawn twice has the same noise twice. Counting this noise as that of two stimuli subtracts too much
noise from the sum of squares, and more so in small folds.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.correlation import resampled_sums
from ventral.recordings.noise import noise_of
from ventral.targets.reliability import reliability_within_folds

SEED, N_EXPERIMENTS, N_RESAMPLES = 2024, 200, 200
N_STIMULI, N_NEURONS, N_REPETITIONS = 240, 30, 4
IN_FOLDS, RELIABILITIES = (4, 8, 48), (0.3, 0.6)


def simulate() -> Iterator[dict]:
    """Give the mean over resamples of a perfect model's score, and how often its 95 % interval contains 1."""
    for in_fold in IN_FOLDS:
        for rho in RELIABILITIES:
            rngs = [np.random.default_rng([SEED, in_fold, int(10 * rho), k]) for k in range(N_EXPERIMENTS)]
            found = np.array([_resampled(rng, in_fold, rho) for rng in rngs])
            means = np.median(found, axis=2).mean(axis=0)
            low, high = np.percentile(found, [2.5, 97.5], axis=2)
            covered = ((low <= 1) & (high >= 1)).mean(axis=0)
            yield {
                "case": f"folds of {in_fold}, rho {rho:g}",
                "before: score": means[0],
                "covered": covered[0],
                "after: score": means[1],
                "covered, held": covered[1],
            }


def _resampled(rng: np.random.Generator, in_fold: int, rho: float) -> NDArray[np.float64]:
    """Return the median over neurons of a perfect model's score (2, resamples), before and after."""
    rates = rng.standard_normal((N_STIMULI, N_NEURONS))
    deviation = np.sqrt(N_REPETITIONS * (1 - rho) / rho)
    noise = noise_of(rates + deviation * rng.standard_normal((N_REPETITIONS, *rates.shape)), blocks=False)
    folds = np.split(rng.permutation(N_STIMULI), N_STIMULI // in_fold)
    weights = np.zeros((N_RESAMPLES, N_STIMULI), dtype=int)
    for fold in folds:
        weights[:, fold] = rng.multinomial(in_fold, np.full(in_fold, 1 / in_fold), size=N_RESAMPLES)
    sums = resampled_sums(rates, noise.means, folds, weights)
    anew = 1 - (1 - 1 / in_fold) * (weights @ noise.variances_of_means) / sums.yy
    held = reliability_within_folds(noise, folds).rho
    return np.array([_medians(sums.r, rho) for rho in (anew, np.broadcast_to(held, sums.r.shape))])


def _medians(r: NDArray, rho: NDArray) -> NDArray[np.float64]:
    return np.nanmedian(r / np.sqrt(np.where(rho > 0, rho, np.nan)), axis=1)
