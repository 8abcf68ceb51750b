"""Simulate the bias of crossnobis distances whose noise comes from the same repetitions, and time RSA by their means.

All stimuli have the same pattern, so the right distance is 0. Distances are in units of the noise variance of a single
response. The bias of squared Euclidean distances of mean responses is 2 over the number of repetitions.
"""

import time

import numpy as np

from ventral.mappings.crossnobis import crossvalidated_distances, whitened_patterns
from ventral.mappings.rsa import matrix_of_pairs
from ventral.mappings.whitened import unit_whitened
from ventral.statistics.two_factor import draws_of, two_factor_error

EXPERIMENTS = 40
SIZES = ((2, 50, 100), (4, 50, 100), (4, 100, 100), (10, 100, 50), (20, 200, 100))


def bias(repetitions: int, n: int, neurons: int, seed: int) -> float:
    """Return the mean distance of equal patterns, with noise that neurons share."""
    rng = np.random.default_rng([seed, repetitions, n, neurons])
    shared = np.eye(neurons) + 0.3 * rng.normal(size=(neurons, neurons)) / np.sqrt(neurons)
    return float(
        crossvalidated_distances(whitened_patterns(rng.normal(size=(repetitions, n, neurons)) @ shared)).mean()
    )


def timed(n: int, neurons: int, repetitions: int = 10) -> dict[str, float]:
    """Return seconds of one core for distances, a whitened comparison, and one draw of the two-factor bootstrap."""
    rng = np.random.default_rng(0)
    responses, layer = rng.normal(size=(repetitions, n, neurons)), rng.normal(size=(n, n))
    layer = layer + layer.T
    np.fill_diagonal(layer, 0)
    began = [time.process_time()]
    patterns = whitened_patterns(responses)
    matrix = matrix_of_pairs(crossvalidated_distances(patterns))
    began.append(time.process_time())
    np.vdot(unit_whitened(layer, "whitened_cosine"), unit_whitened(matrix, "whitened_cosine"))
    began.append(time.process_time())
    means = patterns.mean(axis=0)
    two_factor_error(
        layer, lambda units: 1 - np.corrcoef(means[:, units])[None], "spearman", draws_of(n, neurons, 5, 0)
    )
    began.append(time.process_time())
    took = np.diff(began)
    return {"distances": took[0], "whitened cosine": took[1], "draw": took[2] / 5}


def main() -> None:
    for repetitions, n, neurons in SIZES:
        found = [bias(repetitions, n, neurons, seed) for seed in range(EXPERIMENTS)]
        error = np.std(found) / np.sqrt(EXPERIMENTS)
        print(
            f"{repetitions} repetitions, {n} stimuli, {neurons} neurons: {np.mean(found):.4f} (error {error:.4f}); "
            f"squared Euclidean {2 / repetitions:.3f}"
        )
    for n, neurons in ((100, 100), (300, 200), (500, 200)):
        took = timed(n, neurons)
        print(f"{n} stimuli, {neurons} neurons: {', '.join(f'{what} {s * 1e3:.0f} ms' for what, s in took.items())}")


if __name__ == "__main__":
    main()
