"""Compute the influence of every stimulus and neuron on a layer's score, to compare layers without a refit.

Let x and y be a neuron's held-out predictions and responses, centred within folds and of unit length over all stimuli.
Then r = sum x y, and stimulus i changes r by I_i = x_i y_i - r/2 (x_i^2 + y_i^2). I is the influence function of
Pearson's r (Devlin, Gnanadesikan and Kettenring 1975, Biometrika 62:531). With theta the mean over K neurons of r over
its ceiling,

    g_i = mean over neurons of sqrt(f n / (n - folds)) I_i / ceiling,    f = max(2, 1 + 400 / n),
    e_k = (r_k / ceiling_k - theta) / sqrt(K (K - 1)),

are the influences of stimuli and of neurons. V = sum_i (g_a - g_b)^2 + sum_k (e_a - e_b)^2 is the variance of theta_a -
theta_b for other stimuli and other neurons. f accounts for the training sets, which share most stimuli. No unbiased
estimate of their variance exists (Bengio and Grandvalet 2004, Journal of Machine Learning Research 5:1089). Simulations
with ridge regression and similar neurons compared the variance with that of held-out stimuli alone. The ratio was 3.5
to 4.2, 3.0, 2.3 to 3.3 and 1.7 to 2.5 with 100, 150, 200 and 300 stimuli.

For a single test set of n stimuli, predicted by one training set of m, f = max(2, 1 + n / 2m). Simulations with ridge
regression and similar neurons (benchmarks/test_sets.py) compared the variance with that of the test stimuli alone. The
ratio was 0.8 to 1.3 for n up to m. With m = 100, it was 2 for n = 400 and 5 to 6 for n = 1600. In this last case, f = 2
gave 16 % false decisions, and the formula gave 0 to 4 %.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ventral.mappings.correlation import deviations_within_folds

VALUES_AT_ONCE = 2**20
# Ratio of the variance with training sets to that of held-out stimuli: 2, and more below 400 stimuli.
WITH_TRAINING, MANY_STIMULI = 2.0, 400
# A training set of m stimuli adds n / (TEST_SHARE m) of the variance of n test stimuli, for a single test set.
TEST_SHARE = 2.0


@dataclass(frozen=True)
class Estimates:
    """Scores of layers on the same stimuli and neurons, with the influences of both.

    Attributes
    ----------
    theta : (layers,) array
        Mean over neurons of r over the ceiling.
    units : (layers, n) array
        Influences g of stimuli, or of groups of stimuli.
    neurons : (layers, K) array
        Influences e of neurons, or of animals or subjects. K is 0 if none of these are sampled.
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
        """Number of units or of neurons, whichever is smaller, minus one."""
        return min(count for count in (self.units.shape[1], self.neurons.shape[1]) if count) - 1


def comparable_neurons(responses: NDArray, folds: Sequence[NDArray], ceilings: NDArray) -> NDArray[np.bool_]:
    """Return a mask of the neurons (K,) with a ceiling and with responses that vary within folds.

    The mask does not depend on predictions, so that all layers of all models are compared on the same neurons.

    Parameters
    ----------
    responses : (n, K) array
        Responses; NaN if missing.
    folds : sequence of integer arrays
        Rows of each held-out fold.
    ceilings : (K,) array
        Ceilings; NaN leaves a neuron out.
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
        Responses; NaN if missing. A neuron's missing stimuli have no influence, and do not count in its n.
    folds : sequence of integer arrays
        Rows of each held-out fold, none empty; a published test set is one fold. Stimuli outside all folds have no
        influence and are not counted.
    ceilings : (K,) array
        Divisors of r: the square root of reliability, or 1 if the reliability is unknown.
    n_training : (K,) array, optional
        Number of training stimuli for a single test set; if not given, folds are held out in turn.

    Returns
    -------
    Estimates
        Scores and influences. Predictions that are constant within folds have r = 0. For a single neuron, such as a
        property of the stimuli, `neurons` is (layers, 0).

    Raises
    ------
    ValueError
        If `comparable_neurons` leaves a neuron out, or if a prediction is missing for a response.
    """
    if not (kept := comparable_neurons(responses, folds, ceilings)).all():
        raise ValueError(f"{(~kept).sum()} of {len(kept)} neurons have constant responses or no ceiling; drop them")
    found = [_influences(of_layer, responses, folds, ceilings, n_training) for of_layer in predictions]
    r, units = (np.stack(parts) for parts in zip(*found, strict=True))
    return Estimates(r.mean(axis=1), units, sampled_influences(r))


def joined(parts: Sequence[Estimates]) -> Estimates:
    """Join estimates that were computed separately, such as those of several models.

    Raises
    ------
    ValueError
        If the numbers of units or neurons differ. The caller must ensure that the units and neurons are the same.
    """
    if len(sizes := {(part.units.shape[1], part.neurons.shape[1]) for part in parts}) != 1:
        raise ValueError(f"layers must have the same units and neurons, got these numbers of both: {sorted(sizes)}")
    return Estimates(*(np.concatenate([getattr(part, name) for part in parts]) for name in Estimates.__annotations__))


def sampled_influences(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the influence of each of K sampled values (layers, K) on their mean, whose squares sum to its variance.

    The sampling error of a single value is unknown, and the result is then (layers, 0).
    """
    size = values.shape[1]
    if size < 2:
        return np.empty((len(values), 0))
    return (values - values.mean(axis=1, keepdims=True)) / np.sqrt(size * (size - 1))


def summed_over_animals(estimates: Estimates, animals: NDArray) -> Estimates:
    """Sum the influences of the neurons of each animal, so that animals become the second unit.

    The variance is that for clusters of unequal size (Liang and Zeger 1986, Biometrika 73:13).

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
    """Return r over the ceiling (K,) and g (n,) of one layer, computed in blocks of neurons."""
    n, n_neurons = responses.shape
    r, g = np.empty(n_neurons), np.zeros(n)
    for some in _blocks(responses.shape):
        # Stimuli outside all folds were not predicted.
        known = np.isfinite(responses[:, some]) & np.isin(np.arange(n), np.concatenate(folds))[:, None]
        y = unit_within_folds(responses[:, some], folds)
        x = unit_within_folds(np.where(known, predictions[:, some], np.nan), folds)
        if (missing := known & ~np.isfinite(predictions[:, some])).any():
            lacking = some.start + np.flatnonzero(missing.any(axis=0))[0]
            raise ValueError(f"predictions of neuron {lacking} are missing for some stimuli")
        product = x * y
        correlation = product.sum(axis=0)
        trained = None if n_training is None else n_training[some]
        weights = _unseen_variance(known, folds, trained) / ceilings[some] / n_neurons
        # Constant predictions have r = 0 for any stimuli, so that no stimulus has an influence.
        g += product @ weights - (np.square(x) + np.square(y)) @ (weights * correlation) / 2
        r[some] = correlation / ceilings[some]
    return r, g


def _blocks(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield slices of neurons (n, K) of limited size."""
    at_once = max(1, VALUES_AT_ONCE // shape[0])
    return (slice(start, start + at_once) for start in range(0, shape[1], at_once))


def _unseen_variance(
    known: NDArray[np.bool_], folds: Sequence[NDArray], n_training: NDArray | None
) -> NDArray[np.float64]:
    """Return sqrt(f n / (n - folds)) of each neuron, for the neuron's own stimuli and folds."""
    n = known.sum(axis=0)
    n_folds = sum(known[fold].any(axis=0).astype(int) for fold in folds)
    of_training = MANY_STIMULI / n if n_training is None else n / (TEST_SHARE * n_training)
    return np.sqrt(np.maximum(WITH_TRAINING, 1 + of_training) * n / (n - n_folds))


def unit_within_folds(values: NDArray, folds: Sequence[NDArray]) -> NDArray[np.float64]:
    """Centre values (n, K) within folds and scale to unit length; 0 if unknown, outside folds or constant."""
    deviations = deviations_within_folds(values, np.isfinite(values), folds)
    length = np.linalg.norm(deviations, axis=0)
    unit = np.zeros(values.shape)
    unit[np.concatenate(folds)] = deviations / np.where(length > 0, length, np.inf)
    return unit
