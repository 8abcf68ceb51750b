"""What every stimulus and every neuron adds to a layer's score, so that layers are compared without a refit.

Let x and y be a neuron's held-out predictions and responses, centred within folds and of unit length over all stimuli.
Then r = sum x y, and stimulus i changes r by I_i = x_i y_i - r/2 (x_i^2 + y_i^2), the influence function of Pearson's r
(Devlin, Gnanadesikan and Kettenring 1975, Biometrika 62:531). With theta the mean over K neurons of r over its ceiling,

    g_i = mean over neurons of sqrt(f n / (n - folds)) I_i / ceiling,    f = max(2, 1 + 400 / n),
    e_k = (r_k / ceiling_k - theta) / sqrt(K (K - 1)),

are the influences of stimuli and of neurons, and V = sum_i (g_a - g_b)^2 + sum_k (e_a - e_b)^2 is the variance of
theta_a - theta_b for other stimuli and other neurons. f stands for the training parts, which share most stimuli: no
unbiased estimate of their variance exists (Bengio and Grandvalet 2004, Journal of Machine Learning Research 5:1089). In
simulations with ridge and neurons much alike, the variance was 3.5 to 4.2, 3.0, 2.3 to 3.3 and 1.7 to 2.5 times that of
held-out stimuli alone with 100, 150, 200 and 300 stimuli.

Of a single test set of n stimuli, which one training set of m predicts, f = max(2, 1 + n / 2m). In simulations with
ridge and neurons much alike (benchmarks/test_sets.py), the variance was 0.8 to 1.3 times that of the test stimuli where
these are no more than m, and with m = 100 it was 2 and 5 to 6 times that of 400 and 1600. False decisions, 16 % in the
last case with f = 2, are then 0 to 4 %.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.correlation import deviations_within_folds

VALUES_AT_ONCE = 2**20
# Variance with that of training parts, over that of held-out stimuli: 2, and more with fewer stimuli than 400.
WITH_TRAINING, MANY_STIMULI = 2.0, 400
# Of a single test set: the variance of the training set is that of as many test stimuli as twice its own, or more.
TEST_SHARE = 2.0


@dataclass(frozen=True)
class Estimates:
    """Scores of layers on the same stimuli and neurons, with what each of these adds.

    Attributes
    ----------
    theta : (layers,) array
        Mean over neurons of r over the ceiling.
    units : (layers, n) array
        Influences of stimuli, or of groups of stimuli: g.
    neurons : (layers, K) array
        Influences of neurons, or of animals or subjects: e. K is 0 where none were drawn.
    """

    theta: NDArray[np.float64]
    units: NDArray[np.float64]
    neurons: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance (layers, layers) of the errors of theta."""
        return self.units @ self.units.T + self.neurons @ self.neurons.T

    @property
    def degrees_of_freedom(self) -> int:
        """One less than the number of units or of neurons, whichever are fewer."""
        return min(count for count in (self.units.shape[1], self.neurons.shape[1]) if count) - 1


def comparable_neurons(responses: NDArray, folds: Sequence[NDArray], ceilings: NDArray) -> NDArray[np.bool_]:
    """Return which neurons (K,) have a ceiling and responses that vary within folds.

    No prediction has a part in it, so that all layers of all models are compared on the same neurons.

    Parameters
    ----------
    responses : (n, K) array
        NaN where a neuron has no response.
    folds : sequence of integer arrays
        Rows of each held-out fold.
    ceilings : (K,) array
        NaN leaves a neuron out.
    """
    varying = [unit_within_folds(responses[:, some], folds).any(axis=0) for some in _blocks(responses.shape)]
    return np.isfinite(ceilings) & np.concatenate(varying)


def layer_estimates(
    predictions: Iterable[NDArray],
    responses: NDArray,
    folds: Sequence[NDArray],
    ceilings: NDArray,
    n_training: NDArray | None = None,
) -> Estimates:
    """Return the score of each layer and the influences of stimuli and neurons.

    Parameters
    ----------
    predictions : iterable of (n, K) arrays
        Held-out predictions of each layer, one layer in memory at a time.
    responses : (n, K) array
        NaN where a neuron has no response: it has no influence there, and its n is the number of its stimuli.
    folds : sequence of integer arrays
        Rows of each held-out fold, none empty; a published test set is one fold. Stimuli in no fold have no influence
        and are not counted.
    ceilings : (K,) array
        What r is divided by: the root of reliability; 1 where nothing is known of it.
    n_training : (K,) array, optional
        Stimuli of the training set of a single test set; if not given, folds are held out in turn.

    Returns
    -------
    Estimates
        Predictions that are constant within folds have r = 0. A single neuron, such as a property of the stimuli, has
        no influence of its own: `neurons` is (layers, 0).

    Raises
    ------
    ValueError
        If `comparable_neurons` leaves one out, or a prediction is missing where there is a response.
    """
    if not (kept := comparable_neurons(responses, folds, ceilings)).all():
        raise ValueError(f"{(~kept).sum()} of {len(kept)} neurons have constant responses or no ceiling; drop them")
    found = [_influences(of_layer, responses, folds, ceilings, n_training) for of_layer in predictions]
    r, units = (np.stack(parts) for parts in zip(*found, strict=True))
    return Estimates(r.mean(axis=1), units, sampled_influences(r))


def joined(parts: Sequence[Estimates]) -> Estimates:
    """Return the estimates of layers that were made apart, such as those of several models.

    Raises
    ------
    ValueError
        If they are not of equally many units and neurons. That these are the same ones is for the caller to know.
    """
    if len(sizes := {(part.units.shape[1], part.neurons.shape[1]) for part in parts}) != 1:
        raise ValueError(f"layers are compared on the same units and neurons, got numbers of both of {sorted(sizes)}")
    return Estimates(*(np.concatenate([getattr(part, name) for part in parts]) for name in Estimates.__annotations__))


def sampled_influences(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each of K sampled values (layers, K) adds to their mean: squares sum to its variance.

    Of a single value the sampling error is unknown: the result is (layers, 0).
    """
    size = values.shape[1]
    if size < 2:
        return np.empty((len(values), 0))
    return (values - values.mean(axis=1, keepdims=True)) / np.sqrt(size * (size - 1))


def summed_over_animals(estimates: Estimates, animals: NDArray) -> Estimates:
    """Return estimates whose second unit is the animal, each with the neurons that were recorded in it.

    The variance is that of clusters of unequal size (Liang and Zeger 1986, Biometrika 73:13).

    Parameters
    ----------
    estimates : Estimates
    animals : (K,) array
        Animal of each neuron; at least two animals.
    """
    names, member = np.unique(animals, return_inverse=True)
    n_neurons, n_animals = len(animals), len(names)
    sums = estimates.neurons @ np.eye(n_animals)[member]
    scale = np.sqrt((n_neurons - 1) / n_neurons * n_animals / (n_animals - 1))
    return Estimates(estimates.theta, estimates.units, scale * sums)


def _influences(
    predictions: NDArray, responses: NDArray, folds: Sequence[NDArray], ceilings: NDArray, n_training: NDArray | None
) -> tuple[NDArray, NDArray]:
    """Return r over the ceiling (K,) and g (n,) of one layer, some neurons at a time."""
    n, n_neurons = responses.shape
    r, g = np.empty(n_neurons), np.zeros(n)
    for some in _blocks(responses.shape):
        # Stimuli in no fold were not predicted.
        known = np.isfinite(responses[:, some]) & np.isin(np.arange(n), np.concatenate(folds))[:, None]
        y = unit_within_folds(responses[:, some], folds)
        x = unit_within_folds(np.where(known, predictions[:, some], np.nan), folds)
        if (missing := known & ~np.isfinite(predictions[:, some])).any():
            lacking = some.start + np.flatnonzero(missing.any(axis=0))[0]
            raise ValueError(f"no prediction of neuron {lacking} for some stimuli")
        product = x * y
        correlation = product.sum(axis=0)
        trained = None if n_training is None else n_training[some]
        weights = _unseen_variance(known, folds, trained) / ceilings[some] / n_neurons
        # Constant predictions stay at r = 0 whatever the stimuli.
        g += product @ weights - (np.square(x) + np.square(y)) @ (weights * correlation) / 2
        r[some] = correlation / ceilings[some]
    return r, g


def _blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Give neurons (n, K), some at a time."""
    at_once = max(1, VALUES_AT_ONCE // shape[0])
    return (slice(start, start + at_once) for start in range(0, shape[1], at_once))


def _unseen_variance(
    known: NDArray[np.bool_], folds: Sequence[NDArray], n_training: NDArray | None
) -> NDArray[np.float64]:
    """Return sqrt(f n / (n - folds)) of each neuron, its own stimuli and folds counted."""
    n = known.sum(axis=0)
    n_folds = sum(known[fold].any(axis=0).astype(int) for fold in folds)
    of_training = MANY_STIMULI / n if n_training is None else n / (TEST_SHARE * n_training)
    return np.sqrt(np.maximum(WITH_TRAINING, 1 + of_training) * n / (n - n_folds))


def unit_within_folds(values: NDArray, folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Return values (n, K) centred within folds and of unit length; 0 where unknown, in no fold, or nowhere varying."""
    deviations = deviations_within_folds(values, np.isfinite(values), folds)
    length = np.linalg.norm(deviations, axis=0)
    unit = np.zeros(values.shape)
    unit[np.concatenate(folds)] = deviations / np.where(length > 0, length, np.inf)
    return unit
