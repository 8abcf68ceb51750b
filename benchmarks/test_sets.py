"""Simulate false decisions about two layers on a published test set: `python benchmarks/test_sets.py`, ten minutes.

Each experiment draws a training set, a test set, features of layers and neurons anew. Neurons depend on the features
of all layers equally, so that no layer is better. Neurons have the share `alike` of their weights in common. Each
design prints the share of experiments with a decision, which is always false. It also prints f, and the ratio that f
estimates. This ratio is the variance of the difference of scores that neurons do not explain, over that of the test
stimuli.
"""

import numpy as np

from ventral.mappings.ridge_test_set import test_set_feature_graph
from ventral.statistics.contrasts import OPEN, contrast
from ventral.statistics.influence import TEST_SHARE, WITH_TRAINING, layer_estimates

DESIGNS = [(100, 100), (100, 400), (100, 1600), (400, 100), (400, 50), (800, 800)]
N_EXPERIMENTS, N_NEURONS, N_FEATURES, N_FOLDS, SHARED = 200, 40, 60, 5, 5
SPECTRUM = 1 / np.sqrt(np.arange(1, N_FEATURES + 1))


def experiment(
    rng: np.random.Generator, n_training: int, n_test: int, alike: float, f: float
) -> tuple[bool, float, float, float]:
    """Return whether the claim is decided, the difference of the scores, and the variances of stimuli and neurons."""
    n = n_training + n_test
    common = np.sqrt(alike) * np.random.default_rng(99).standard_normal((N_FEATURES, 1))
    features = [rng.standard_normal((n, N_FEATURES)) * SPECTRUM for _ in range(2)]
    own = np.sqrt(1 - alike) * rng.standard_normal((2, N_FEATURES, N_NEURONS))
    signal = sum(layer @ (common + weights) for layer, weights in zip(features, own, strict=True))
    unseen = rng.standard_normal((n, SHARED)) @ rng.standard_normal((SHARED, N_NEURONS))
    responses = signal / signal.std() + unseen / unseen.std() / 2 + rng.standard_normal(signal.shape)
    training, test = np.arange(n_training), np.arange(n_training, n)
    inner = [training[k::N_FOLDS] for k in range(N_FOLDS)]
    penalties = np.geomspace(1e-2, 1e2, 5) * np.square(SPECTRUM).sum()
    fits = [
        test_set_feature_graph(layer, list(penalties), responses, training, test, inner).compute(scheduler="sync")
        for layer in features
    ]
    estimates = layer_estimates(
        [fit.predictions for fit in fits],
        responses[test],
        [np.arange(n_test)],
        np.ones(N_NEURONS),
        np.full(N_NEURONS, n_training),
    )
    decided = contrast(estimates, np.array([0]), np.array([1]), seed=0).verdict != OPEN
    stimuli, neurons = (np.square(part[0] - part[1]).sum() for part in (estimates.units, estimates.neurons))
    return decided, float(estimates.theta[0] - estimates.theta[1]), stimuli / f, neurons


def main() -> None:
    for alike in (1.0, 0.3):
        for n_training, n_test in DESIGNS:
            f = max(WITH_TRAINING, 1 + n_test / (TEST_SHARE * n_training))
            found = np.array(
                [experiment(np.random.default_rng([8, k]), n_training, n_test, alike, f) for k in range(N_EXPERIMENTS)],
                dtype=float,
            )
            decided, difference, stimuli, neurons = found.T
            needed = (np.mean(difference**2) - neurons.mean()) / stimuli.mean()
            print(
                f"alike {alike:.1f}, {n_training:4} to train on, {n_test:4} to test on: "
                f"{decided.mean():.3f} false; f {f:.1f}, {needed:.1f} needed",
                flush=True,
            )


if __name__ == "__main__":
    main()
