"""Simulate perfect models in RSA and CKA, and CKA with few neurons, before and after.

A perfect model should score 1, and few neurons should not lower CKA. The layer is the neurons' noiseless responses.
*Before* is its value over the root of the agreement of halves of the repetitions, corrected by Spearman-Brown. *After*
is its value over the root of `ventral.mappings.attenuation`.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ventral.grams.recorded import representation_of
from ventral.mappings.attenuation import (
    centred_products,
    matrix_reliability,
    population_share,
    rank_reliability,
    similarities,
)
from ventral.recordings.reliability import means_of_halves
from ventral.scores.geometry import Comparison

SEED = 20140
N_SPLITS = 10
EXPERIMENTS = 16
COMPARISONS = (
    Comparison("rsa", "correlation", "spearman"),
    Comparison("rsa", "correlation", "pearson"),
    Comparison("cka", "", "debiased"),
)


def standardised(values: NDArray, by: NDArray) -> NDArray[np.float64]:
    """Return values centred and in units of their standard deviation by the mean responses (n, neurons)."""
    return (values - by.mean(axis=0)) / by.std(axis=0)


def experiment(kind: str, repetitions: int, noise: float, seed: int) -> list[tuple[float, float, float]]:
    """Return the reliability and the score of a perfect model, before and after, by each comparison."""
    rng = np.random.default_rng([SEED, seed])
    signal = (rng.normal(size=(60, 6)) * [3, 2, 1.5, 1, 1, 1]) @ rng.normal(size=(6, 100))
    signal /= signal.std(axis=0)
    shape = (repetitions, *signal.shape)
    if kind == "Poisson":
        signal = noise / repetitions * np.exp(0.7 * signal)
        responses = rng.poisson(np.broadcast_to(signal, shape)).astype(float)
    else:
        responses = signal + noise * np.sqrt(repetitions) * rng.normal(size=shape)
    kept = responses.mean(axis=0).std(axis=0) > 0
    responses = standardised(responses[:, :, kept], responses[:, :, kept].mean(axis=0))
    layer = standardised(signal[:, kept], signal[:, kept])
    return [scored(comparison, layer, responses, seed) for comparison in COMPARISONS]


def scored(comparison: Comparison, layer: NDArray, responses: NDArray, seed: int) -> tuple[float, float, float]:
    whole = responses.mean(axis=0)
    halves = list(means_of_halves(responses, N_SPLITS, seed))

    def prepared(values: NDArray) -> NDArray:
        return comparison.prepared(representation_of(values))

    def compared(values: NDArray) -> NDArray:
        of_cka = comparison.mapping == "cka"
        return centred_products(values) if of_cka else similarities(values, whole, comparison.distance)

    r = comparison.value(prepared(layer), prepared(whole))
    agreement = np.mean([comparison.value(*map(prepared, pair)) for pair in halves])
    stimuli = np.arange(len(whole))
    found = matrix_reliability([(*map(compared, (*pair, whole)), stimuli) for pair in halves], len(whole))
    rho = (rank_reliability(found) if comparison.name == "spearman" else found).rho
    return rho, over_root(r, 2 * agreement / (1 + agreement)), over_root(r, rho)


def over_root(r: float, reliability: float) -> float:
    return r / np.sqrt(reliability) if reliability > 0 else np.nan


def perfect_models() -> Iterator[dict]:
    """Give medians over experiments of a perfect model's score, by each kind of noise and comparison."""
    for kind, levels in (("Gaussian", (0.5, 1, 1.5, 2)), ("Poisson", (2, 0.8, 0.4))):
        for repetitions in (2, 10):
            for noise in levels:
                found = [experiment(kind, repetitions, noise, seed) for seed in range(EXPERIMENTS)]
                for comparison, values in zip(COMPARISONS, np.nanmedian(found, axis=0), strict=True):
                    case = f"{kind} noise, {repetitions} repetitions"
                    named = {"case": case, "comparison": f"{comparison.mapping.upper()}, {comparison.name}"}
                    yield named | dict(zip(("reliability", "before", "after"), values.tolist(), strict=True))


def few_neurons() -> Iterator[dict]:
    """Give debiased CKA of a population of 2,000 neurons with some of them, shown four times."""
    rng = np.random.default_rng(SEED)
    population = rng.normal(size=(60, 30)) @ rng.normal(size=(30, 2000)) + rng.normal(size=(60, 2000))
    population /= population.std(axis=0)
    debiased = COMPARISONS[-1]
    layer = debiased.prepared(representation_of(population))
    for n_neurons in (10, 20, 50, 200):
        values = []
        for seed in range(EXPERIMENTS):
            rng = np.random.default_rng([SEED, n_neurons, seed])
            chosen = population[:, rng.choice(2000, n_neurons, replace=False)]
            responses = chosen + rng.normal(size=(4, *chosen.shape))
            responses = standardised(responses, responses.mean(axis=0))
            whole = responses.mean(axis=0)
            r = debiased.value(layer, debiased.prepared(representation_of(whole)))
            share = population_share((*pair, whole) for pair in means_of_halves(responses, N_SPLITS, seed))
            values.append((r, over_root(r, share)))
        before, after = np.nanmedian(values, axis=0).tolist()
        yield {"neurons": n_neurons, "before": before, "after": after}
