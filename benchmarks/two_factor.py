"""Simulate intervals of RSA for other stimuli and other neurons, by three errors.

Each experiment draws stimuli and neurons anew from a population, and compares the same layer. The right value is the
mean over experiments of the same size. The errors are over stimuli alone, of the plain bootstrap that draws stimuli and
neurons together, and of the two-factor bootstrap.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ventral.grams.recorded import representation_of
from ventral.mappings.rsa import comparable, matrix_of_pairs, upper_triangle
from ventral.statistics.matrix_influence import stimulus_influences
from ventral.statistics.two_factor import drawn_similarity, draws_of, two_factor_error

SEED, EXPERIMENTS, DRAWS, LATENT = 2023, 200, 100, 6
SIZES = ((20, 20), (50, 10), (50, 40))


def simulate() -> Iterator[dict]:
    """Give the errors over the spread of values over experiments, and how often 95 % intervals hold the mean value."""
    for n_stimuli, n_neurons in SIZES:
        found = np.array([experiment(n_stimuli, n_neurons, k) for k in range(EXPERIMENTS)])
        values, errors = found[:, 0], found[:, 1:]
        freedom = np.array([n_stimuli, *[min(n_stimuli, n_neurons)] * 2]) - 1
        half = stdtrit(freedom, 0.975) * errors / (1 - values[:, None] ** 2)
        covered = (np.abs(np.arctanh(values) - np.arctanh(values.mean()))[:, None] <= half).mean(axis=0)
        sizes = np.sqrt(np.square(errors).mean(axis=0)) / values.std(ddof=1)
        yield {
            "stimuli": str(n_stimuli),
            "neurons": str(n_neurons),
            **dict(zip(("error: stimuli", "error: plain", "error: two factors"), map(float, sizes), strict=True)),
            **dict(
                zip(("covered: stimuli", "covered: plain", "covered: two factors"), map(float, covered), strict=True)
            ),
        }


def experiment(n_stimuli: int, n_neurons: int, k: int) -> tuple[float, float, float, float]:
    """Return Spearman's r of correlation distances, and its three errors."""
    rng = np.random.default_rng([SEED, n_stimuli, n_neurons, k])
    # The layer's weights are the same in all experiments.
    weights = np.random.default_rng(SEED).normal(size=(LATENT, 100)) * np.linspace(0.3, 2, LATENT)[:, None]
    latent = rng.normal(size=(n_stimuli, LATENT))
    means = latent @ rng.normal(size=(LATENT, n_neurons)) + rng.normal(size=(n_stimuli, n_neurons))
    layer = representation_of(np.tanh(latent @ weights)).dissimilarities("correlation")

    def measured(neurons: NDArray[np.intp]) -> NDArray[np.float64]:
        return matrix_of_pairs(representation_of(means[:, neurons]).dissimilarities("correlation"))[None]

    (whole,) = measured(np.arange(n_neurons))
    prepared = (comparable(pairs, "spearman") for pairs in (layer, upper_triangle(whole)))
    value, influences = stimulus_influences("rsa", "spearman", *prepared)
    draws, square = draws_of(n_stimuli, n_neurons, DRAWS, k), matrix_of_pairs(layer)
    together = [
        drawn_similarity(square, measured(neurons)[0], stimuli, "spearman")
        for stimuli, neurons in zip(draws.stimuli, draws.units, strict=True)
    ]
    corrected = two_factor_error(square, measured, "spearman", draws)
    return value, float(np.linalg.norm(influences)), float(np.std(together, ddof=1)), corrected


if __name__ == "__main__":
    for row in simulate():
        print(row)
