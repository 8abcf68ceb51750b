"""Simulate readings of nothing, and of other neurons, over time: `python benchmarks/decoded_by_chance.py`.

Each design prints the share of experiments with a false reading in any bin, which is to be 5 % at most. Then follow the
shares of 95 % intervals that hold the accuracy expected for other trials and other neurons.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.decoding.over_time import LINE, N_SHUFFLES, read_in_bin, with_chance
from ventral.decoding.readouts import Readout
from ventral.mappings.nearest_mean import accuracies_of_shuffles

# Numbers of trials of each of three labels, neurons and bins.
DESIGNS = [(6, 8, 6), (6, 8, 24), (20, 40, 12)]
N_EXPERIMENTS = 400
LABELS = np.array(["cup", "dog", "pan"])


def folds_of(n_trials: int) -> list[NDArray[np.intp]]:
    """Return three folds of trials of each label in turn."""
    trial = np.tile(np.arange(n_trials), len(LABELS))
    return [np.flatnonzero(trial % 3 == k) for k in range(3)]


def false_reading(seed: int, n_trials: int = 6, n_neurons: int = 8, n_bins: int = 6) -> bool:
    """Return whether labels are read in any bin from responses without labels; neighbouring bins share noise."""
    rng = np.random.default_rng(seed)
    codes, folds = np.repeat(np.arange(len(LABELS)), n_trials), folds_of(n_trials)
    noise = rng.normal(size=(n_bins + 1, len(codes), n_neurons))
    orders = np.tile(np.arange(len(codes)), (N_SHUFFLES + 1, 1))
    for fold in folds:
        orders[1:, fold] = rng.permuted(orders[1:, fold], axis=1)
    read = [accuracies_of_shuffles(units, codes, folds, orders).mean(axis=0) for units in noise[1:] + noise[:-1]]
    table = pd.DataFrame({"score": [of_bin[0] for of_bin in read], "shuffled": [of_bin[1:] for of_bin in read]})
    return bool((with_chance(table.assign(**dict.fromkeys(LINE, "")))["p"] < 0.05).any())


def reading_of_other_neurons(seed: int, n_trials: int = 9, n_neurons: int = 10) -> pd.Series:
    """Return the reading of an experiment with its own trials and neurons, of which one in four prefers labels."""
    rng = np.random.default_rng(seed)
    preference = 1.5 * rng.normal(size=(3, n_neurons)) * (rng.random(n_neurons) < 0.25)
    responses = np.repeat(preference, n_trials, axis=0) + rng.normal(size=(3 * n_trials, n_neurons))
    labels, unshuffled = np.repeat(LABELS, n_trials), np.arange(3 * n_trials)[:, None]
    readout = Readout("object", "category", "trial", labels, folds_of(n_trials), chance=1 / 3)
    options = {"readouts": [readout], "classifiers": ["nearest_mean"], "draws": 10, "seed": seed, "names": ["0-50"]}
    return read_in_bin(responses[None], 0, orders=lambda n, draw: np.tile(unshuffled, n), **options).iloc[0]


def coverage(n_experiments: int) -> tuple[float, float]:
    """Return how often intervals for other trials, and for other trials and neurons, hold the expected accuracy."""
    found = pd.DataFrame([reading_of_other_neurons(seed) for seed in range(n_experiments)])
    expected = found["score"].mean()
    low, high = (((found[f"{kind}low"] <= expected) & (expected <= found[f"{kind}high"])) for kind in ("", "both_"))
    return float(low.mean()), float(high.mean())


def main() -> None:
    for design in DESIGNS:
        found = [false_reading(seed, *design) for seed in range(N_EXPERIMENTS)]
        print(f"{design} trials of a label, neurons, bins: {np.mean(found):.3f} of {N_EXPERIMENTS} experiments")
    of_trials, of_both = coverage(N_EXPERIMENTS)
    print(f"intervals hold the expected accuracy: for other trials {of_trials:.3f}, for neurons, too, {of_both:.3f}")


if __name__ == "__main__":
    main()
