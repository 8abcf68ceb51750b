"""Simulate the optimism of a best layer among equally good layers, before and after, as Markdown.

    python benchmarks/optimism.py [--experiments 100]

Writes benchmarks/optimism.json and prints its table. Numbers are scores over the ceiling, less the mean over layers.
The first is the maximum over layers. In `before`, one half of the neurons chooses the layer and the other half scores
it, on the same stimuli. `after` is `ventral.statistics.best_layers`, which halves neurons and folds. The last number
compares a model of 18 layers with an equally good model of one layer. It is the share of experiments in which they
differ (p < 0.05, `ventral.statistics.comparisons`).
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measurement import FOLDER, entry, timed
from numpy.typing import NDArray

from ventral.mappings.correlation import resampled_sums, sums_within_folds
from ventral.mappings.ridge import nested_ridge
from ventral.statistics.best_layers import chosen_and_scored, corrected_over_halves, halves_of, medians_of_halves
from ventral.statistics.comparisons import LEVEL, centred_on, corrected_scores, interval_and_p

N_LAYERS, N_FOLDS, N_SPLITS, N_BOOTSTRAP = 18, 6, 50, 500
# Reliability of the responses, and the score of every layer over the ceiling.
RELIABILITY, SCORE = 0.5, 0.6
# Fixed before any experiment was run.
SEED = 2024
COLUMNS = ("maximum", "before", "after", "differs before", "differs after")


def of_equal_quality(n: int, n_neurons: int, alike: float) -> Callable:
    """Return an experiment of layers whose predictions are the rates and errors, of which neurons share `alike`."""

    def experiment(rng: np.random.Generator) -> tuple[list[NDArray], NDArray, list[NDArray]]:
        signal = population(rng, n, n_neurons, alike)
        responses = noisy(rng, signal)
        layers = [signal + np.sqrt(1 / SCORE**2 - 1) * population(rng, n, n_neurons, alike) for _ in range(N_LAYERS)]
        return layers, responses, np.array_split(rng.permutation(n), N_FOLDS)

    return experiment


def fitted_ridge(n: int, n_neurons: int, alike: float) -> Callable:
    """Return an experiment with real fits: neurons depend on latents, of which every layer sees a noisy version."""

    def experiment(rng: np.random.Generator) -> tuple[list[NDArray], NDArray, list[NDArray]]:
        latents = rng.standard_normal((n, 20))
        common = rng.standard_normal((20, 1))
        weights = np.sqrt(1 - alike) * rng.standard_normal((20, n_neurons)) + np.sqrt(alike) * common
        responses = noisy(rng, latents @ weights / np.sqrt(20))
        folds = np.array_split(rng.permutation(n), N_FOLDS)
        layers = []
        for _ in range(N_LAYERS):
            features = latents + rng.standard_normal(latents.shape)
            gram = features @ features.T
            penalties = np.geomspace(1e-3, 1e1, 5) * np.trace(gram) / n
            layers.append(nested_ridge(gram, responses, folds, penalties).predictions)
        return layers, responses, folds

    return experiment


def population(rng: np.random.Generator, n: int, n_neurons: int, alike: float) -> NDArray[np.float64]:
    """Return values (n, neurons) of variance 1, of which all neurons share the part `alike`."""
    own = rng.standard_normal((n, n_neurons))
    return np.sqrt(1 - alike) * own + np.sqrt(alike) * rng.standard_normal((n, 1))


def noisy(rng: np.random.Generator, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    return signal + np.sqrt(1 / RELIABILITY - 1) * rng.standard_normal(signal.shape)


def scores_of(layers: list[NDArray], responses: NDArray, folds: list[NDArray]) -> list[NDArray[np.float64]]:
    """Return scores over the ceiling (layers, neurons) in all folds, in every other one, and in those between."""
    sums = [sums_within_folds(of_layer, responses, folds) for of_layer in layers]
    return [
        np.stack([of_layer.pooled(part).r[0] for of_layer in sums]) / np.sqrt(RELIABILITY)
        for part in (slice(None), slice(0, None, 2), slice(1, None, 2))
    ]


def on_other_neurons(scores: NDArray[np.float64], first: NDArray[np.bool_]) -> float:
    """Return the mean score of layers chosen by one half of the neurons, of the other half, on the same stimuli."""
    halves = [medians_of_halves(scores, part.astype(int)) for part in (first, ~first)]
    return float(np.mean([chosen_and_scored(*pair)[2].mean() for pair in (halves, halves[::-1])]))


def optimism_of(layers: list[NDArray], responses: NDArray, folds: list[NDArray], seed: int) -> NDArray[np.float64]:
    """Return maximum, before and after (3,), less the mean over layers."""
    whole, even, odd = scores_of(layers, responses, folds)
    medians = np.median(whole, axis=1)
    first = halves_of(responses.shape[1], N_SPLITS, seed)
    corrected, _ = corrected_over_halves(even, odd, first)
    return np.array([medians.max(), on_other_neurons(whole, first), corrected]) - medians.mean()


def differs(
    layers: list[NDArray], responses: NDArray, folds: list[NDArray], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return whether a model of all layers but the last differs from one of the last, before and after (2,)."""
    n_neurons = responses.shape[1]
    weights = np.zeros((N_BOOTSTRAP, len(responses)), dtype=int)
    for fold in folds:
        weights[:, fold] = rng.multinomial(len(fold), np.full(len(fold), 1 / len(fold)), size=N_BOOTSTRAP)
    order = np.argsort(rng.random((N_BOOTSTRAP, n_neurons)), axis=1)
    drawn = [
        np.take_along_axis(some, rng.integers(some.shape[1], size=some.shape), axis=1)
        for some in np.array_split(order, 2, axis=1)
    ]
    halves = np.empty((2, len(layers), N_BOOTSTRAP))
    for k, of_layer in enumerate(layers):
        r = resampled_sums(of_layer, responses, folds, weights).r / np.sqrt(RELIABILITY)
        halves[:, k] = [np.median(np.take_along_axis(r, part, axis=1), axis=1) for part in drawn]
    _, even, odd = scores_of(layers, responses, folds)
    first = halves_of(n_neurons, N_SPLITS, 0)
    before, after = [], []
    for model in (slice(0, -1), slice(-1, None)):
        resampled = corrected_scores(halves[0, model], halves[1, model])
        before.append(resampled)
        after.append(centred_on(resampled, corrected_over_halves(even[model], odd[model], first)[0]))
    return interval_and_p(np.stack([np.subtract(*before), np.subtract(*after)]))[2] < LEVEL


EXPERIMENTS = {
    "100 stimuli, 50 neurons with errors much alike": of_equal_quality(100, 50, 0.8),
    "300 stimuli, 50 neurons with errors much alike": of_equal_quality(300, 50, 0.8),
    "300 stimuli, 50 neurons with errors little alike": of_equal_quality(300, 50, 0.2),
    "ridge fitted, 120 stimuli, 50 neurons much alike": fitted_ridge(120, 50, 0.8),
    "ridge fitted, 300 stimuli, 50 neurons much alike": fitted_ridge(300, 50, 0.8),
    "ridge fitted, 640 stimuli, 50 neurons much alike": fitted_ridge(640, 50, 0.8),
}


def measured(experiment: Callable, n_experiments: int) -> dict[str, float]:
    """Return the mean optimism of maximum, before and after, and how often models of no difference differ."""
    found, decided = [], []
    for k in range(n_experiments):
        rng = np.random.default_rng([SEED, k])
        made = experiment(rng)
        found.append(optimism_of(*made, seed=k))
        decided.append(differs(*made, rng))
    names = ("maximum", "before", "after")
    error = np.std(found, axis=0, ddof=1)[2] / np.sqrt(n_experiments)
    return dict(zip(names, np.mean(found, axis=0).tolist(), strict=True)) | {
        "standard_error": float(error),
        "differs_before": float(np.mean(decided, axis=0)[0]),
        "differs_after": float(np.mean(decided, axis=0)[1]),
        "experiments": n_experiments,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--only", default="", help="words in the name of an experiment")
    parser.add_argument("--results", type=Path, default=FOLDER / "optimism.json")
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8")) if options.results.exists() else {}
    for name, experiment in EXPERIMENTS.items():
        if options.only in name:
            with timed() as taken:
                figures = measured(experiment, options.experiments)
            results[name] = entry({**figures, **taken})
            options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(markdown(results))


def markdown(results: dict) -> str:
    lines = [
        f"| 18 equal layers | {' | '.join(COLUMNS)} |",
        f"| --- |{' ---: |' * len(COLUMNS)}",
    ]
    for name, found in results.items():
        figures = found["figures"]
        optimism = [f"{figures[key]:+.3f}" for key in ("maximum", "before", "after")]
        shares = [f"{figures[f'differs_{when}']:.0%}" for when in ("before", "after")]
        lines.append(f"| {name} | {' | '.join([*optimism, *shares])} |")
    counts = sorted({found["figures"]["experiments"] for found in results.values()})
    return "\n".join([*lines, "", f"{' or '.join(map(str, counts))} experiments in each row."])


if __name__ == "__main__":
    main()
