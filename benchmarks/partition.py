"""Partition simulated neurons between two models whose unique and shared parts are known.

Each model has features of its own, and features that both share. Neurons sum known shares of the three, and noise of
four repetitions. Where a model adds nothing, intervals of its unique part should lie above 0 in at most 2.5 % of
experiments.
"""

import time
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from ventral.mappings.banded import banded_ridge, every_subset, layer_kernel, simplex
from ventral.mappings.ridge import nested_ridge
from ventral.recordings.noise import noise_of
from ventral.statistics.bootstrap import draw, placed_among
from ventral.statistics.partition import partition_rows
from ventral.targets.ceilings import KEYS
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.selection import reliability_of_half
from ventral.targets.values import Targets

EXPERIMENTS, RESAMPLES = 100, 200
SEED = 100
NEURONS, REPETITIONS, NOISE, FOLDS = 40, 4, 1.0, 5
PENALTIES = np.geomspace(1e-4, 1e4, 9)
# Shares of the signal: of model a alone, of model b alone, and of both.
SHARES = {"b adds nothing": (0.4, 0.0, 0.6), "both add": (0.3, 0.3, 0.4)}
# Stimuli, and features of each of the three groups: few, and more than there are stimuli.
SIZES = ((100, 10), (200, 10), (200, 150))
TIMED = 640


def experiment(seed: int, shares: tuple[float, float, float], n: int, n_features: int) -> pd.DataFrame:
    """Return the medians over neurons of explained variance and its parts, for models a and b."""
    rng = np.random.default_rng(seed)
    groups = [rng.normal(size=(n, n_features)) for _ in shares]
    signal = sum(
        np.sqrt(share / n_features) * features @ rng.normal(size=(n_features, NEURONS))
        for share, features in zip(shares, groups, strict=True)
    )
    responses = signal + NOISE * rng.normal(size=(REPETITIONS, n, NEURONS))
    folds = np.array_split(rng.permutation(n), FOLDS)
    names = np.array([f"n{k}" for k in range(NEURONS)])
    targets = Targets(
        responses.mean(axis=0), np.full(NEURONS, "neuron"), names, np.full(NEURONS, "V4"), np.full(NEURONS, np.nan)
    )
    alone, other, shared = groups
    models = [np.hstack([own, shared]) for own in (alone, other)]
    kernels = np.stack([layer_kernel(features @ features.T) for features in models])
    (found,) = banded_ridge(kernels, targets.values, [folds], PENALTIES, simplex(2, SEED), every_subset(2))
    rows = np.arange(n)
    fits = [placed_among(targets, fit.predictions, targets, rows, folds) for fit, _ in found.values()]
    noise = noise_of(responses, blocks=False)
    ceilings = pd.DataFrame(
        {
            "split": "stimuli",
            "target": names,
            "time_bin": "",
            "reliability": reliability_within_folds(noise, folds).rho,
            **{f"reliability_{half}": reliability_of_half(noise, folds, k) for k, half in enumerate(("even", "odd"))},
            "given_ceiling": np.nan,
        }
    ).set_index(KEYS)
    resamples = draw(targets, folds, "0" * 64, RESAMPLES, seed)
    return partition_rows([fits], ["a", "b"], targets, ceilings, "stimuli", 0.1, resamples)[1]


def seconds_of_fits() -> dict[str, float]:
    """Return the seconds of ridge regression on one model, and of the fits of two and of three models."""
    rng = np.random.default_rng(SEED)
    responses = rng.normal(size=(TIMED, NEURONS))
    folds = np.array_split(rng.permutation(TIMED), FOLDS)
    kernels = np.stack([layer_kernel(part @ part.T) for part in rng.normal(size=(3, TIMED, 1000))])
    penalties = np.geomspace(1e-4, 1e4, 20)
    asked = {"one model": lambda: nested_ridge(kernels[0], responses, folds, penalties)}
    for n_models in (2, 3):
        points, together = simplex(n_models, SEED), every_subset(n_models)
        arguments = kernels[:n_models], responses, [folds], penalties, points, together
        asked[f"{n_models} models"] = partial(banded_ridge, *arguments)
    found = {}
    for name, fit in asked.items():
        begun = time.perf_counter()
        fit()
        found[name] = time.perf_counter() - begun
    return found


def main() -> None:
    for name, seconds in seconds_of_fits().items():
        print(f"{name}, {TIMED} stimuli, {NEURONS} neurons: {seconds:.1f} s", flush=True)
    for (name, shares), (n, n_features) in product(SHARES.items(), SIZES):
        begun = time.perf_counter()
        tables = pd.concat([experiment(SEED + k, shares, n, n_features) for k in range(EXPERIMENTS)])
        seconds = (time.perf_counter() - begun) / EXPERIMENTS
        print(f"{name}, {n} stimuli, 3 x {n_features} features ({seconds:.1f} s each)", flush=True)
        unique_a, unique_b, shared = shares
        expected = {("unique", "a"): unique_a, ("unique", "b"): unique_b, ("shared", "a + b"): shared}
        for (kind, models), share in expected.items():
            rows = tables[(tables["kind"] == kind) & (tables["models"] == models)]
            above, below = (rows["low"] > share).mean(), (rows["high"] < share).mean()
            print(
                f"  {kind} {models}: {share:.2f} made, {rows['median'].mean():.4f} found, standard deviation "
                f"{rows['median'].std():.4f}; intervals above {share:.2f} in {above:.0%} of experiments, below in "
                f"{below:.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
