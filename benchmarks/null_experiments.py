"""Simulate experiments with a known answer, and the decisions on them before and after (`contrast`).

An experiment of `null` has no effect: all competing layers are equally good over all possible stimuli and neurons. Each
experiment draws both anew, and returns the verdict before and after.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr

from ventral.mappings.cka import unit_centred_gram
from ventral.mappings.ridge import nested_ridge
from ventral.mappings.rsa import tau_a
from ventral.statistics.contrasts import FAILS, HOLDS, OPEN, contrast
from ventral.statistics.groups import (
    correlation_over_networks,
    group_differences,
    group_estimates,
    judged_over_groups,
    trained_against_untrained,
)
from ventral.statistics.influence import Estimates, layer_estimates
from ventral.statistics.matrix_influence import (
    cka_influences,
    deleted_groups,
    jackknifed_influences,
    matrix_estimates,
    rsa_influences,
)

N_BOOTSTRAP = 1000
# Reliability of the responses, and the score of a layer that is no better than others.
RELIABILITY, USUAL = 0.5, 0.6
SHARED, IN_COMMON = 5, 0.7
# Number of features of a layer, where ridge regression is fitted.
DIMENSIONS = 60


def decided_share(experiment: Callable, n_experiments: int, seed: int) -> dict[str, float]:
    """Return the shares of experiments in which the claim holds and fails, before and after."""
    verdicts = [experiment(np.random.default_rng([seed, k])) for k in range(n_experiments)]
    return {
        f"{verdict}_{when}": np.mean([pair[k] == verdict for pair in verdicts])
        for k, when in enumerate(("before", "after"))
        for verdict in (HOLDS, FAILS)
    }


def layers_of_quality(
    rng: np.random.Generator, scores: NDArray, n: int, n_neurons: int, spread: float = 0.03, alike: float = 0.2
) -> tuple[list[NDArray], NDArray, list[NDArray]]:
    """Return predictions of layers, responses (n, neurons), and five folds.

    Half of the variance of responses is noise. Layers have 70 % of their errors in common, and half of the errors are
    in latent dimensions that neurons share. A layer's score for a neuron differs from the layer's mean score by a
    standard deviation of `spread`. All neurons weight one dimension of signal and of errors alike; its share is
    `alike`.
    """
    signal = _population(rng, n, n_neurons, 20, alike)
    responses = signal + np.sqrt(1 / RELIABILITY - 1) * rng.standard_normal(signal.shape)
    common, predictions = _errors(rng, n, n_neurons, alike), []
    for score in scores:
        error = np.sqrt(IN_COMMON) * common + np.sqrt(1 - IN_COMMON) * _errors(rng, n, n_neurons, alike)
        of_neurons = np.clip(score + spread * rng.standard_normal(n_neurons), 0.1, 0.95)
        predictions.append(signal + np.sqrt(1 / of_neurons**2 - 1) * error)
    return predictions, responses, np.array_split(rng.permutation(n), 5)


def _errors(rng: np.random.Generator, n: int, n_neurons: int, alike: float) -> NDArray[np.float64]:
    return (_population(rng, n, n_neurons, SHARED, alike) + rng.standard_normal((n, n_neurons))) / np.sqrt(2)


def _population(
    rng: np.random.Generator, n: int, n_neurons: int, n_dimensions: int, alike: float
) -> NDArray[np.float64]:
    """Return values (n, neurons) of variance 1 in latent dimensions; neurons weight one of them alike."""
    differing = rng.standard_normal((n, n_dimensions)) @ rng.standard_normal((n_dimensions, n_neurons))
    return np.sqrt((1 - alike) / n_dimensions) * differing + np.sqrt(alike) * rng.standard_normal((n, 1))


def compared_layers(
    scores_a: NDArray, scores_b: NDArray, n: int = 640, n_neurons: int = 50, alike: float = 0.2
) -> Callable:
    """Return an experiment with layers of two sides that have given scores."""
    n_a = len(scores_a)

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        scores = np.concatenate([scores_a, scores_b])
        layers, responses, folds = layers_of_quality(rng, scores, n, n_neurons, alike=alike)
        estimates = layer_estimates(layers, responses, folds, np.full(n_neurons, np.sqrt(RELIABILITY)))
        sides = np.arange(n_a), np.arange(n_a, len(scores))
        return before_by_neurons(estimates, *sides, rng), contrast(estimates, *sides, seed=0).verdict

    return experiment


def before_by_neurons(estimates: Estimates, better: NDArray, worse: NDArray, rng: np.random.Generator) -> str:
    """Return the verdict of the median difference of the two best layers, neurons resampled."""
    size = estimates.neurons.shape[1]
    r = estimates.theta[:, None] + estimates.neurons * np.sqrt(size * (size - 1))
    medians = np.median(r, axis=1)
    differences = r[better[medians[better].argmax()]] - r[worse[medians[worse].argmax()]]
    drawn = np.median(differences[rng.integers(size, size=(N_BOOTSTRAP, size))], axis=1)
    return verdict_of(*np.percentile(drawn, [2.5, 97.5]))


def verdict_of(low: float, high: float, margin: float = 0.0) -> str:
    return HOLDS if low > margin else FAILS if high < -margin else OPEN


def fitted_ridge(
    n_layers_b: int = 1,
    n: int = 200,
    n_neurons: int = 200,
    alike: float = 0.0,
    one_fold: bool = False,
    gain: float = 0.0,
) -> Callable:
    """Return an experiment with real fits: each layer sees features of its own, on which neurons depend equally.

    Neurons have the share `alike` of their weights in common, which are those of all layers and all experiments. Their
    weights on the first layer are larger by the share `gain`. With `one_fold`, the first of five folds alone is scored.
    """
    n_layers = 1 + n_layers_b
    common = np.sqrt(alike) * np.random.default_rng(99).standard_normal((DIMENSIONS, 1))
    sides, layer_weights = (np.arange(1), np.arange(1, n_layers)), 1 + gain * (np.arange(n_layers) == 0)

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        features = [features_of_layer(rng, n) for _ in range(n_layers)]
        own = np.sqrt(1 - alike) * rng.standard_normal((n_layers, DIMENSIONS, n_neurons))
        parts = zip(features, layer_weights, own, strict=True)
        signal = sum(weight * layer @ (common + weights) for layer, weight, weights in parts)
        responses = with_unseen(rng, signal)
        folds = np.array_split(rng.permutation(n), 5)
        layers = [ridge_predictions(layer, responses, folds) for layer in features]
        scored = [folds[0]] if one_fold else folds
        rows = np.sort(np.concatenate(scored))
        estimates = layer_estimates(
            [predicted[rows] for predicted in layers],
            responses[rows],
            [np.searchsorted(rows, fold) for fold in scored],
            np.ones(n_neurons),
            np.full(n_neurons, n - len(rows)) if one_fold else None,
        )
        return before_by_neurons(estimates, *sides, rng), contrast(estimates, *sides, seed=0).verdict

    return experiment


def features_of_layer(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Return features (n, dimensions) whose variance falls from dimension to dimension."""
    return rng.standard_normal((n, DIMENSIONS)) / np.sqrt(np.arange(1, DIMENSIONS + 1))


def with_unseen(rng: np.random.Generator, signal: NDArray) -> NDArray[np.float64]:
    """Return responses (n, neurons): a signal, parts that no layer sees but neurons share, and noise."""
    n, n_neurons = signal.shape
    unseen = rng.standard_normal((n, SHARED)) @ rng.standard_normal((SHARED, n_neurons))
    return signal / signal.std() + unseen / unseen.std() / 2 + rng.standard_normal(signal.shape)


def ridge_predictions(features: NDArray, responses: NDArray, folds: list[NDArray]) -> NDArray[np.float64]:
    gram = features @ features.T
    return nested_ridge(gram, responses, folds, np.geomspace(1e-2, 1e2, 5) * np.trace(gram) / len(gram)).predictions


def ridge_of_objects(n_objects: int = 8, n_neurons: int = 50, **design) -> Callable:
    """Return an experiment with real fits, objects held out, of a design of `fitted_on_objects`."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        layers, responses, objects = fitted_on_objects(rng, n_objects, n_neurons, **design)
        return judged_on_objects(layers, responses, objects, np.ones(n_neurons), rng)

    return experiment


def fitted_on_objects(
    rng: np.random.Generator,
    n_objects: int,
    n_neurons: int = 50,
    images: tuple[int, int] = (20, 120),
    spread: float = 0.3,
    deviation: float = 1.0,
    alike: float = 0.0,
    gain: float = 0.0,
) -> tuple[list[NDArray], NDArray, list[NDArray]]:
    """Return held-out predictions of two layers by ridge regression, responses (n, neurons), and rows of objects.

    Objects have fewest to most `images`. Neurons depend more on either layer, object by object, by a share whose
    standard deviation is `spread` and whose mean is `gain`. The logarithms of scales of objects' responses have the
    standard deviation `deviation`. Neurons have the share `alike` of their weights in common.
    """
    common = np.sqrt(alike) * np.random.default_rng(99).standard_normal((DIMENSIONS, 1))
    sizes, objects = unequal_objects(rng, n_objects, images)
    leaning = gain + np.repeat(spread * rng.standard_normal(n_objects), sizes)[:, None]
    features = [features_of_layer(rng, sizes.sum()) for _ in range(2)]
    weights = common + np.sqrt(1 - alike) * rng.standard_normal((2, DIMENSIONS, n_neurons))
    signal = (1 + leaning) * features[0] @ weights[0] + (1 - leaning) * features[1] @ weights[1]
    scale = np.repeat(np.exp(deviation * rng.standard_normal(n_objects)), sizes)[:, None]
    responses = scale * with_unseen(rng, signal)
    return [ridge_predictions(layer, responses, objects) for layer in features], responses, objects


def unequal_objects(
    rng: np.random.Generator, n_objects: int, images: tuple[int, int] = (20, 120)
) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Return how many images objects have, from fewest to most, and which."""
    sizes = rng.integers(images[0], images[1] + 1, size=n_objects)
    return sizes, np.split(np.arange(sizes.sum()), np.cumsum(sizes)[:-1])


def judged_on_objects(
    layers: list[NDArray], responses: NDArray, objects: list[NDArray], ceilings: NDArray, rng: np.random.Generator
) -> tuple[str, str]:
    """Return the verdicts on two layers, of neurons over all objects together and of objects."""
    pooled = layer_estimates(layers, responses, objects, ceilings)
    after, _ = judged_over_groups(group_estimates(layers, responses, objects), [0], [1], "objects", seed=0)
    return before_by_neurons(pooled, np.arange(1), np.arange(1, 2), rng), after.verdict


def held_out_objects(n_objects: int = 8, spread: float = 0.1, n_neurons: int = 50) -> Callable:
    """Return an experiment with objects of unequal size and variance, on which either of two layers may be better."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        sizes, objects = unequal_objects(rng, n_objects)
        layers, responses = [[], []], []
        for size in sizes:
            scores = USUAL + spread / np.sqrt(2) * rng.standard_normal(2)
            of_object, measured, _ = layers_of_quality(rng, np.clip(scores, 0.1, 0.95), size, n_neurons)
            variance = np.exp(rng.standard_normal())
            responses.append(variance * measured)
            for layer, predicted in zip(layers, of_object, strict=True):
                layer.append(variance * predicted)
        layers, responses = [np.concatenate(layer) for layer in layers], np.concatenate(responses)
        return judged_on_objects(layers, responses, objects, np.full(n_neurons, np.sqrt(RELIABILITY)), rng)

    return experiment


def objects_resampled(n_objects: int, spread: float = 0.1) -> Callable:
    """Return an experiment in which the interval before is the percentile bootstrap of objects."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        sizes = rng.integers(20, 121, size=n_objects)
        # Correlations of one neuron-like score for each object: fewer images, more error.
        values = USUAL + rng.standard_normal((2, n_objects)) * (spread / np.sqrt(2) + 0.3 / np.sqrt(sizes))
        units = (values - values.mean(axis=1, keepdims=True)) / np.sqrt(n_objects * (n_objects - 1))
        estimates = Estimates(values.mean(axis=1), units, np.empty((2, 0)))
        after, _ = judged_over_groups(estimates, [0], [1], "objects", seed=0)
        differences = group_differences(estimates, 0, 1)
        drawn = differences[rng.integers(n_objects, size=(N_BOOTSTRAP, n_objects))].mean(axis=1)
        return verdict_of(*np.percentile(drawn, [2.5, 97.5])), after.verdict

    return experiment


def explicit_property(n_late: int = 9, n: int = 640) -> Callable:
    """Return an experiment in which late layers and the first tell as much about one property of the stimuli."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        scores = np.full(1 + n_late, USUAL)
        layers, responses, folds = layers_of_quality(rng, scores, n, 1, spread=0.0)
        estimates = layer_estimates(layers, responses, folds, np.ones(1))
        late = np.arange(1, 1 + n_late)
        gained = estimates.theta[late].max() - estimates.theta[0]
        return verdict_of(gained, gained, 0.02), contrast(estimates, late, [0], seed=0).verdict

    return experiment


def compared_matrices(comparison: str, n: int, n_layers_b: int = 1) -> Callable:
    """Return an experiment of RSA or CKA: each layer sees dimensions of its own of an area that has those of all."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        latents = rng.standard_normal((1 + n_layers_b, n, 5))
        area = np.concatenate([*latents, rng.standard_normal((n, 5))], axis=1)
        area += 0.5 * rng.standard_normal(area.shape)
        estimates = matrix_estimates(
            [[_compared(latent + 0.5 * rng.standard_normal(latent.shape), area, comparison)] for latent in latents]
        )
        gained = estimates.theta[0] - estimates.theta[1:].max()
        others = np.arange(1, 1 + n_layers_b)
        return verdict_of(gained, gained, 0.02), contrast(estimates, [0], others, seed=0).verdict

    return experiment


def _compared(layer: NDArray, area: NDArray, comparison: str) -> tuple[float, NDArray]:
    """Return how alike two sets of features are, and the influence of stimuli, or of 20 groups of them for tau-a."""
    if comparison == "kendall":
        values = [tau_a(pdist(layer[rows]), pdist(area[rows])) for rows in deleted_groups(len(layer), 20, seed=0)]
        return tau_a(pdist(layer), pdist(area)), jackknifed_influences(np.array(values))
    if comparison in ("pearson", "spearman"):
        return rsa_influences(pdist(layer), pdist(area), comparison)
    return cka_influences(*(unit_centred_gram(features @ features.T, comparison) for features in (layer, area)))


def networks_and_checkpoints(n_networks: int = 6, n_checkpoints: int = 4) -> Callable:
    """Return an experiment of networks with several checkpoints whose accuracy and predictivity are unrelated."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        networks = np.repeat(np.arange(n_networks), n_checkpoints)
        x, y = (rng.standard_normal(n_networks)[networks] + 0.5 * rng.standard_normal(len(networks)) for _ in range(2))
        before = pearsonr(x, y).confidence_interval(0.95)
        return verdict_of(*before), correlation_over_networks(x, y, networks.astype(str)).verdict

    return experiment


def pairs_of_architectures(n_pairs: int = 4, n_layers: int = 6, spread: float = 0.04, gain: float = 0.0) -> Callable:
    """Return an experiment in which training changes each architecture's score, by `gain` on average."""

    def experiment(rng: np.random.Generator) -> tuple[str, str]:
        of_networks = USUAL + spread * rng.standard_normal((n_pairs, 2)) + gain * np.array([1, 0])
        layers, responses, folds = layers_of_quality(rng, np.repeat(of_networks.ravel(), n_layers), 300, 50)
        estimates = layer_estimates(layers, responses, folds, np.full(50, np.sqrt(RELIABILITY)))
        places = np.arange(len(layers)).reshape(n_pairs, 2, n_layers)
        sides = places[:, 0].ravel(), places[:, 1].ravel()
        after = trained_against_untrained(estimates, [tuple(pair) for pair in places], seed=0)
        return before_by_neurons(estimates, *sides, rng), after.verdict

    return experiment


def with_peak(n_layers: int, gain: float) -> NDArray[np.float64]:
    """Return scores of layers of which the middle one is better than the others."""
    scores = np.full(n_layers, USUAL)
    scores[n_layers // 2] += gain
    return scores


NULL = {
    "one layer against one": compared_layers(with_peak(1, 0), with_peak(1, 0)),
    "one good layer on each side, 17 others 0.05 below": compared_layers(with_peak(18, 0.05), with_peak(18, 0.05)),
    "one layer against 17 equal ones": compared_layers(with_peak(1, 0), with_peak(17, 0)),
    "18 equal layers against one": compared_layers(with_peak(18, 0), with_peak(1, 0)),
    "18 equal layers against 18": compared_layers(with_peak(18, 0), with_peak(18, 0)),
    "200 neurons of like errors, 200 stimuli, one against one": compared_layers(
        with_peak(1, 0), with_peak(1, 0), 200, 200, alike=0.8
    ),
    "10 neurons, 100 stimuli, one against one": compared_layers(with_peak(1, 0), with_peak(1, 0), 100, 10),
    "ridge fitted, 200 neurons, one against one": fitted_ridge(),
    "ridge fitted, 200 neurons, one against 4": fitted_ridge(4),
    "ridge fitted, 200 neurons, one against 17": fitted_ridge(17),
    "ridge fitted, 200 neurons much alike, 100 stimuli": fitted_ridge(n=100, alike=0.8),
    "ridge fitted, 200 neurons much alike, 300 stimuli": fitted_ridge(n=300, alike=0.8),
    "ridge fitted, 50 neurons, one fold of 640 stimuli": fitted_ridge(n=640, n_neurons=50, one_fold=True),
    "ridge fitted, 50 neurons much alike, one fold of 640 stimuli": fitted_ridge(
        n=640, n_neurons=50, alike=0.8, one_fold=True
    ),
    "ridge fitted, 8 held-out objects of unequal size": ridge_of_objects(),
    "ridge fitted, 5 held-out objects of unequal size": ridge_of_objects(5),
    "ridge fitted, 5 held-out objects, neurons much alike": ridge_of_objects(5, alike=0.8),
    "ridge fitted, 5 held-out objects of 20 images": ridge_of_objects(5, images=(20, 20), deviation=0.0),
    "ridge fitted, 20 held-out objects of 8 to 56 images": ridge_of_objects(20, images=(8, 56)),
    "8 held-out objects of unequal size": held_out_objects(),
    "5 held-out objects of unequal size": held_out_objects(5),
    "5 objects, objects resampled before": objects_resampled(5),
    "8 objects, objects resampled before": objects_resampled(8),
    "20 objects, objects resampled before": objects_resampled(20),
    "a property in 9 late layers and the first": explicit_property(),
    "RSA, Spearman, 20 stimuli, one against one": compared_matrices("spearman", 20),
    "RSA, Spearman, 100 stimuli, one against one": compared_matrices("spearman", 100),
    "RSA, Pearson, 100 stimuli, one against 5": compared_matrices("pearson", 100, 5),
    "RSA, Kendall, 60 stimuli in 20 groups, one against one": compared_matrices("kendall", 60),
    "CKA, debiased, 20 stimuli, one against one": compared_matrices("debiased", 20),
    "CKA, debiased, 100 stimuli, one against one": compared_matrices("debiased", 100),
    "6 networks of 4 checkpoints": networks_and_checkpoints(),
    "4 architectures, trained against untrained": pairs_of_architectures(),
}
POWER = {
    "a peak 0.05 above 17 layers outside": compared_layers(with_peak(1, 0.05), with_peak(17, 0)),
    "ridge fitted, one fold of 640 stimuli, 0.11 above another": fitted_ridge(
        n=640, n_neurons=50, one_fold=True, gain=0.3
    ),
    "ridge fitted, 8 held-out objects, 0.25 above another": ridge_of_objects(gain=0.3),
    "ridge fitted, 8 held-out objects, 0.32 above another": ridge_of_objects(gain=0.4),
    "ridge fitted, 20 held-out objects, 0.25 above another": ridge_of_objects(20, images=(8, 56), gain=0.3),
    "18 layers, all 0.05 above 18 others": compared_layers(with_peak(18, 0) + 0.05, with_peak(18, 0)),
    "18 layers, all 0.04 above 18 others": compared_layers(with_peak(18, 0) + 0.04, with_peak(18, 0)),
    "18 layers, all 0.03 above 18 others": compared_layers(with_peak(18, 0) + 0.03, with_peak(18, 0)),
    "4 architectures, trained 0.2 above untrained": pairs_of_architectures(gain=0.2),
}
