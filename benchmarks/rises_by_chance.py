"""Simulate false rises above baseline in any of several bins of time: `python benchmarks/rises_by_chance.py`.

Each design prints the share of experiments with a false rise, which is to be 5 % at most.
"""

import numpy as np

from ventral.statistics.bootstrap import Predictions, draw, resampled_medians
from ventral.statistics.over_time import assessed
from ventral.targets.values import Targets

# Numbers of stimuli, neurons and bins.
DESIGNS = [(40, 12, 6), (40, 12, 24), (160, 12, 6), (160, 48, 24)]
N_EXPERIMENTS, N_BOOTSTRAP = 400, 200


def false_rise(seed: int, n: int = 40, n_neurons: int = 12, n_bins: int = 6, n_bootstrap: int = 99) -> bool:
    """Return whether any bin is above baseline where predictions have nothing of the responses in any bin.

    Responses of neurons, and of neighbouring bins, have noise in common.
    """
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 1, n_bins + 1)) + rng.normal(size=(n, n_neurons, 1))
    responses = (shared + rng.normal(size=(n, n_neurons, n_bins + 1))).transpose(0, 2, 1).reshape(n, -1)
    predictions = rng.normal(size=(n, 1)) + rng.normal(size=responses.shape)
    bins = ["baseline", *(f"{20 * k}-{20 * k + 20}" for k in range(n_bins))]
    k = responses.shape[1]
    neurons = Targets(
        responses,
        np.full(k, "neuron"),
        np.tile([f"n{j}" for j in range(n_neurons)], n_bins + 1),
        np.full(k, "IT"),
        np.full(k, np.nan),
        np.repeat(bins, n_neurons),
    )
    folds = [np.arange(f, n, 4) for f in range(4)]
    part = Predictions(predictions, responses, np.arange(n), folds, np.arange(k))
    resamples = draw(neurons, folds, "a" * 64, n_bootstrap, seed)
    found = resampled_medians([part], np.ones((2, k)), np.ones(k, dtype=bool), resamples)
    medians = np.stack([found["IT", name][0] for name in bins])
    rises = medians[1:] - medians[0]
    return bool(assessed(rises[:, 0], rises[:, 1:]).above.any())


def main() -> None:
    for n, n_neurons, n_bins in DESIGNS:
        found = [false_rise(seed, n, n_neurons, n_bins, N_BOOTSTRAP) for seed in range(N_EXPERIMENTS)]
        print(f"{n} stimuli, {n_neurons} neurons, {n_bins} bins: {np.mean(found):.3f} of {N_EXPERIMENTS} experiments")


if __name__ == "__main__":
    main()
