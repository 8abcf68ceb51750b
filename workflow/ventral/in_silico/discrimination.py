"""Choose stimuli whose responses tell two models of neurons apart, and count the trials until they do.

Each model predicts the mean response a or b of a neuron to a stimulus. The mean response of the neuron differs from the
prediction of the true model by a variance u, known from held-out stimuli. A single trial has the noise variance s. The
mean over k trials is then normal around the prediction, with the variance v = u + s / k. The log likelihood ratio of
the true model over the other has the mean D / 2 and the variance D, where

    D = sum over stimuli and neurons of (a - b)^2 / v.

Stimuli with large differences in units of the noise are the best for discrimination (Hunter and Reiner 1965,
Technometrics 7:307). Variances of the predictions belong in these units (Box and Hill 1967, Technometrics 9:57). Golan
et al. 2020 (PNAS 117:29330) call such stimuli controversial. If the likelier model is taken as the true one, the
probability of an error is Phi(-sqrt(D) / 2). Errors of predictions and noise are taken as independent over neurons and
stimuli. Errors that neurons share make the true number of trials larger.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp, ndtri

# Largest probability that the wrong model is taken: alpha is 5 % and power is 95 %, whichever model is true.
ERROR = 0.05
# D at which this probability is reached.
NEEDED = (2 * ndtri(ERROR)) ** 2
# With more rounds, models count as never told apart.
MOST_ROUNDS = 10**6


def unexplained_variance(signal: NDArray, predictivity: NDArray) -> NDArray[np.float64]:
    """Return the variance over stimuli of mean responses without noise that predictions miss.

    Parameters
    ----------
    signal : (neurons,) array
        Variance of mean responses without noise.
    predictivity : (..., neurons) array
        Correlation of held-out predictions with mean responses without noise; where NaN, predictions miss everything.
    """
    known = np.clip(np.nan_to_num(predictivity, nan=0.0), 0, 1)
    return signal * (1 - known**2)


def separation(
    differences: NDArray, noise: NDArray, unexplained: NDArray, trials: int | NDArray = 1
) -> NDArray[np.float64]:
    """Return what each stimulus adds to D, as defined in the module.

    Parameters
    ----------
    differences : (..., n, neurons) array
        Differences a - b between the predictions of two models.
    noise : (neurons,) array
        Noise variance s of a single trial.
    unexplained : (..., neurons) array
        Variance u.
    trials : int or (n,) integer array
        Number of trials k with a stimulus; stimuli without a trial add 0.
    """
    k = np.asarray(trials, dtype=np.float64)[..., None]
    return np.sum(np.square(differences) * k / (k * unexplained[..., None, :] + noise), axis=-1)


def chosen(separations: NDArray, number: int, alike: Mapping[int, Sequence[int]]) -> NDArray[np.intp]:
    """Choose stimuli one after the other, so that each leaves the smallest sum over pairs of error probabilities.

    With a single pair of models, these are the stimuli with the largest D. With several pairs, those that are still
    hard to tell apart count most.

    Parameters
    ----------
    separations : (pairs, n) array
        What a trial with each stimulus adds to D of each pair of models, from `separation`.
    number : int
        Number of stimuli to choose.
    alike : mapping of sequences of int
        Stimuli that are nearly the same as a stimulus. Only one of them is chosen.

    Returns
    -------
    (at most number,) integer array
        Stimuli in the order of the choice.
    """
    total, allowed = np.zeros(len(separations)), np.ones(separations.shape[1], dtype=bool)
    order: list[int] = []
    while len(order) < number and allowed.any():
        after = total[:, None] + separations
        errors = np.where(allowed, logsumexp(log_ndtr(-np.sqrt(after) / 2), axis=0), np.inf)
        best = int(np.argmin(errors))
        order.append(best)
        total = after[:, best]
        allowed[[best, *alike.get(best, ())]] = False
    return np.array(order, dtype=np.intp)


def trials_needed(differences: NDArray, noise: NDArray, unexplained: NDArray) -> float:
    """Return the number of trials after which the wrong model is taken in at most 5 % of experiments.

    Stimuli are shown in rounds, each time in the given order.

    Parameters
    ----------
    differences : (n, neurons) array
        Differences between the predictions of two models for the shown stimuli, in their order.
    noise, unexplained : (neurons,) arrays
        As for `separation`.

    Returns
    -------
    float
        Infinity if no number of trials with these stimuli suffices.
    """

    def after(rounds: int) -> NDArray[np.float64]:
        return separation(differences, noise, unexplained, rounds)

    rounds = bisect_left(range(MOST_ROUNDS), NEEDED, key=lambda rounds: after(rounds).sum())
    if rounds == MOST_ROUNDS:
        return np.inf
    before, n = after(rounds - 1), len(differences)
    within = np.searchsorted(before.sum() + np.cumsum(after(rounds) - before), NEEDED)
    # The sum of a whole round may round differently.
    return float((rounds - 1) * n + min(within + 1, n))


def trials_with_random_stimuli(
    differences: NDArray, noise: NDArray, unexplained: NDArray, number: int, n_draws: int, seed: int
) -> NDArray[np.float64]:
    """Return the trials needed (n_draws,) with random stimuli of a pool.

    Parameters
    ----------
    differences : (n, neurons) array
        Differences between the predictions of two models for all stimuli of the pool.
    noise, unexplained : (neurons,) arrays
        As for `separation`.
    number : int
        Number of stimuli in a draw.
    n_draws : int
        Number of draws.
    seed : int
        Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    draws = [rng.choice(len(differences), number, replace=False) for _ in range(n_draws)]
    return np.array([trials_needed(differences[draw], noise, unexplained) for draw in draws])


def log_likelihood_ratio(
    means: NDArray, first: NDArray, second: NDArray, noise: NDArray, unexplained: NDArray, trials: int | NDArray
) -> NDArray[np.float64]:
    """Return the log likelihood ratio (...) of the first model over the second, given mean responses.

    Parameters
    ----------
    means : (..., n, neurons) array
        Mean responses over trials; those to stimuli without a trial do not matter.
    first, second : (n, neurons) arrays
        Predictions of two models.
    noise, unexplained, trials
        As for `separation`.
    """
    k = np.asarray(trials, dtype=np.float64)[..., None]
    # The difference of the squared misses of both models is linear in the responses.
    misses = np.where(k > 0, 2 * (means - (first + second) / 2) * (first - second), 0)
    return np.sum(misses * k / (2 * (k * unexplained + noise)), axis=(-2, -1))
