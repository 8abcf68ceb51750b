"""Simulate whether later steps of a network predict later responses: `python benchmarks/order_of_steps.py`.

Bins of a recurrent teacher have the signals of successive steps. All bins of a feed-forward teacher have the signals of
the last step. Each design prints the share of experiments in which later steps predict later responses, and in which
earlier steps do. Each is to be 2.5 % at most for the feed-forward teacher.
"""

import numpy as np

from ventral.statistics.bootstrap import Predictions, draw, resampled_medians
from ventral.statistics.steps import trend_with_interval
from ventral.targets.values import Targets

# Numbers of stimuli and neurons, and the correlation of signals of successive steps.
DESIGNS = [(40, 12, 0.8), (160, 12, 0.8), (160, 48, 0.8), (160, 48, 0.95)]
N_STEPS, N_EXPERIMENTS, N_BOOTSTRAP = 4, 200, 200


def trend_of_teacher(
    seed: int,
    recurrent: bool,
    n: int = 60,
    n_neurons: int = 16,
    correlation: float = 0.8,
    n_bins: int = 5,
    n_bootstrap: int = 99,
) -> dict[str, float]:
    """Return the trend with its interval for a teacher.

    Signals of responses grow from bin to bin, and the first bin has none.
    """
    rng = np.random.default_rng(seed)
    signals = [rng.normal(size=(n, n_neurons))]
    for _ in range(N_STEPS - 1):
        signals.append(correlation * signals[-1] + np.sqrt(1 - correlation**2) * rng.normal(size=(n, n_neurons)))
    shown = np.linspace(0, N_STEPS - 1, n_bins).round().astype(int) if recurrent else np.full(n_bins, N_STEPS - 1)
    strengths = np.linspace(0, 1.5, n_bins)
    responses = np.concatenate(
        [strengths[k] * signals[shown[k]] + rng.normal(size=(n, n_neurons)) for k in range(n_bins)], axis=1
    )
    bins, count = [f"{20 * k}-{20 * k + 20}" for k in range(n_bins)], responses.shape[1]
    neurons = Targets(
        responses,
        np.full(count, "neuron"),
        np.tile([f"n{j}" for j in range(n_neurons)], n_bins),
        np.full(count, "IT"),
        np.full(count, np.nan),
        np.repeat(bins, n_neurons),
    )
    folds = [np.arange(f, n, 4) for f in range(4)]
    resamples = draw(neurons, folds, "a" * 64, n_bootstrap, seed)
    medians = []
    for signal in signals:
        predictions = np.tile(signal + 0.5 * rng.normal(size=signal.shape), (1, n_bins))
        part = Predictions(predictions, responses, np.arange(n), folds, np.arange(count))
        found = resampled_medians([part], np.ones((2, count)), np.ones(count, dtype=bool), resamples)
        medians.append([found["IT", name][0] for name in bins])
    scores = np.array(medians)
    return trend_with_interval(scores[:, :, 0], scores[:, :, 1:], np.arange(1, N_STEPS + 1))


def main() -> None:
    for n, n_neurons, correlation in DESIGNS:
        for recurrent in (True, False):
            found = [
                trend_of_teacher(seed, recurrent, n, n_neurons, correlation, n_bootstrap=N_BOOTSTRAP)
                for seed in range(N_EXPERIMENTS)
            ]
            rising, falling = (np.mean([side(of) for of in found]) for side in (rises, falls))
            teacher = "recurrent" if recurrent else "feed-forward"
            print(f"{n} stimuli, {n_neurons} neurons, r {correlation}, {teacher}: {rising:.3f} and {falling:.3f}")


def rises(found: dict[str, float]) -> bool:
    """Return whether later steps predict later responses."""
    return found["low"] > 0


def falls(found: dict[str, float]) -> bool:
    """Return whether earlier steps predict later responses."""
    return found["high"] < 0


if __name__ == "__main__":
    main()
