"""Simulate perfect models, which should score 1, before and after, as a table in Markdown.

    python benchmarks/ceilings.py [--quick] [--only CASE ...]

The predictions are the noiseless rates. *Before* is the mean r over folds, over the root of the split-half reliability
of repeated stimuli. `before` takes this reliability over all stimuli, and `before, folds` within the same folds.
*After* is r pooled within folds, over the root of the reliability of the scored responses.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.correlation import (
    median_predictivity,
    pooled_r,
    prediction_reliability,
    predictivity,
    r_folds,
    summed_predictivity,
    sums_within_folds,
)
from ventral.mappings.ridge import nested_ridge
from ventral.recordings.noise import Noise, noise_of
from ventral.recordings.reliability import means_of_halves, split_half_reliability
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.selection import score_of_chosen

SEED = 20140
HALVINGS = 20
COLUMNS = ("case", "before", "before, folds", "after", "sum ratio", "after, other", "standard error", "marked")


@dataclass(frozen=True)
class Size:
    """Number of neurons of a case, and whether all levels of reliability are simulated."""

    neurons: int
    levels: tuple[float, ...]


FULL = Size(neurons=300, levels=(0.2, 0.3, 0.5, 0.7, 0.9))
QUICK = Size(neurons=100, levels=(0.3, 0.7))


@dataclass(frozen=True)
class Score:
    """Medians over neurons of the predictivity of a perfect model.

    Attributes
    ----------
    before, before_in_folds, after : float
    summed : float
        The sum ratio.
    standard_error : float
        Median over neurons of the predicted one.
    marked : float
        Share of neurons whose score is marked as not valid.
    other : str
        What else the case shows.
    """

    before: float
    before_in_folds: float
    after: float
    summed: float
    standard_error: float
    marked: float
    other: str = ""


def designs(n: int, rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
    """Return seven designs of repetitions: the counts (n,) of each."""
    few = np.ones(n, dtype=int)
    few[:20] = 30
    return {
        "2 of each": np.full(n, 2),
        "3 of each": np.full(n, 3),
        "10 of each": np.full(n, 10),
        "half once, half 10": np.where(np.arange(n) % 2, 10, 1),
        "half once, half twice": np.where(np.arange(n) % 2, 2, 1),
        "1 to 5 at random": rng.integers(1, 6, n),
        "20 of 30, the others once": few,
    }


def random_folds(n: int, k: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    return np.array_split(rng.permutation(n), k)


def responses_of(rates: NDArray, counts: NDArray, noise: Callable[[NDArray], NDArray]) -> NDArray[np.float64]:
    """Return responses (repetitions, n, neurons), NaN beyond a stimulus's count; `noise` makes a response of a rate."""
    repetitions = int(counts.max())
    responses = noise(np.broadcast_to(rates, (repetitions, *rates.shape)))
    responses[np.arange(repetitions)[:, None] >= counts] = np.nan
    return responses


def gaussian(rates: NDArray, counts: NDArray, rho: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return responses whose reliability is rho, with rates of variance 1 and equal noise for all stimuli."""
    deviation = np.sqrt((1 - rho) / rho / np.mean(1 / counts))
    return responses_of(rates, counts, lambda rate: rate + deviation * rng.normal(size=rate.shape))


def score(
    rates: NDArray, responses: NDArray, folds: list[NDArray], noise: Noise | None = None, other: str = ""
) -> Score:
    noise = noise or noise_of(responses, blocks=False)
    sums = sums_within_folds(rates, noise.means, folds)
    reliability = reliability_within_folds(noise, folds)
    r, mean_r = pooled_r(sums), r_folds(sums)
    return Score(
        before=median(predictivity(mean_r, split_half_reliability(responses, HALVINGS))),
        before_in_folds=median(predictivity(mean_r, split_half_reliability(responses, HALVINGS, folds=folds))),
        after=median_predictivity(r, reliability.rho),
        summed=summed_predictivity(r, reliability.rho),
        standard_error=median(reliability.standard_error),
        marked=float(np.mean(~reliability.valid)),
        other=other,
    )


def median(values: NDArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def after(rates: NDArray, noise: Noise, folds: list[NDArray]) -> float:
    """Return the median predictivity with another estimate of noise."""
    r = pooled_r(sums_within_folds(rates, noise.means, folds))
    return median_predictivity(r, reliability_within_folds(noise, folds).rho)


def counts_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Seven designs of counts, reliabilities and two numbers of stimuli."""
    for n in (600, 100):
        for name, counts in designs(n, np.random.default_rng(SEED)).items():
            for rho in size.levels:
                rng = np.random.default_rng([SEED, n, int(100 * rho)])
                rates = rng.normal(size=(n, size.neurons))
                responses = gaussian(rates, counts, rho, rng)
                yield f"{name}; {n} stimuli, rho {rho}", score(rates, responses, random_folds(n, 5, rng))


def object_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Held-out objects whose responses vary by very different amounts, one of them with a single image."""
    for rho in size.levels:
        rng = np.random.default_rng([SEED, int(100 * rho)])
        objects = np.repeat(np.arange(8), 75)
        spread = np.exp(rng.normal(size=(8, size.neurons)))
        spread /= np.sqrt(np.mean(spread**2, axis=0))
        rates = rng.normal(size=(8, size.neurons))[objects] + spread[objects] * rng.normal(size=(600, size.neurons))
        responses = gaussian(rates, np.full(600, 4), rho, rng)
        folds = [np.flatnonzero(objects == k) for k in range(8)]
        yield f"objects that vary by different amounts, rho {rho}", score(rates, responses, folds)
        single = [*folds[:-1], folds[-1][:1]]
        yield f"the same, one object with one image, rho {rho}", score(rates, responses, single)


def selective_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Cells that respond to one object alone: constant in the other folds but for noise, or silent."""
    rng = np.random.default_rng(SEED)
    objects = np.repeat(np.arange(8), 75)
    drive = np.where(objects[:, None] == rng.integers(8, size=size.neurons), 8.0, 0.0)
    rates = drive * rng.lognormal(sigma=0.5, size=(600, size.neurons))
    responses = responses_of(rates, np.full(600, 4), lambda rate: rng.poisson(rate).astype(float))
    folds = [np.flatnonzero(objects == k) for k in range(8)]
    yield "cells silent but for one held-out object", score(rates, responses, folds)


def poisson_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Noise that grows with the rate; the other estimate is the pooled variance for stimuli shown once."""
    few = designs(500, np.random.default_rng(SEED))["20 of 30, the others once"]
    half = designs(500, np.random.default_rng(SEED))["half once, half 10"]
    for name, counts, order in (
        ("half once, half 10", half, "random"),
        ("20 of 30, the others once", few, "random"),
        ("20 of 30, these the strongest fifth", few, "strong"),
        ("20 of 30, these the weakest fifth", few, "weak"),
    ):
        for mean in (0.3, 1.0, 5.0):
            rng = np.random.default_rng([SEED, int(10 * mean), len(name)])
            shared = rng.normal(size=(500, 1))
            if order != "random":
                ranked = np.argsort(shared[:, 0])[:: 1 if order == "weak" else -1]
                fifth = rng.permutation(ranked[:100])
                shared = shared[np.concatenate([fifth, ranked[100:]])]
            log_rates = 0.8 * (np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=(500, size.neurons)))
            rates = mean * np.exp(log_rates - 0.32)
            responses = responses_of(rates, counts, lambda rate, rng=rng: rng.poisson(rate).astype(float))
            folds = random_folds(500, 5, rng)
            other = f"pooled variance: {after(rates, with_pooled_variance(noise_of(responses, False)), folds):.2f}"
            yield f"Poisson, {name}; {mean:g} spikes", score(rates, responses, folds, other=other)


def with_pooled_variance(noise: Noise) -> Noise:
    """Return the noise with each neuron's pooled variance for stimuli shown once."""
    weights = np.where(noise.counts > 1, noise.counts - 1, 0)
    pooled = (weights * np.nan_to_num(noise.variances)).sum(axis=0) / weights.sum(axis=0)
    return dataclasses.replace(noise, variances=np.where(noise.counts == 1, pooled, noise.variances))


def drift_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """A drift that all stimuli of a repetition share; the other estimate leaves it in."""
    for m in (3, 10):
        for drift in (0.0, 0.5, 1.0):
            rng = np.random.default_rng([SEED, m, int(10 * drift)])
            rates = rng.normal(size=(600, size.neurons))
            responses = gaussian(rates, np.full(600, m), 0.5, rng) + drift * np.sqrt(m) * rng.normal(
                size=(m, 1, size.neurons)
            )
            folds = random_folds(600, 5, rng)
            other = f"means of repetitions left in: {after(rates, noise_of(responses, False), folds):.2f}"
            noise = noise_of(responses, blocks=True)
            yield f"drift of {drift:g} SD of the noise, {m} repetitions", score(rates, responses, folds, noise, other)


def selection_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Neurons kept with a reliability of 0.1 or more, before: by the estimate that divides; after: by other folds."""
    for n in (100, 600):
        for rho in (0.05, 0.1, 0.2, 0.5):
            rng = np.random.default_rng([SEED, n, int(100 * rho)])
            rates = rng.normal(size=(n, 4 * size.neurons))
            responses = gaussian(rates, np.full(n, 4), rho, rng)
            yield f"selection, {n} stimuli, rho {rho}", score_with_selection(rates, responses, rng, threshold=0.1)


def score_with_selection(rates: NDArray, responses: NDArray, rng: np.random.Generator, threshold: float) -> Score:
    folds = random_folds(len(rates), 10, rng)
    noise = noise_of(responses, blocks=False)
    sums, reliability = sums_within_folds(rates, noise.means, folds), reliability_within_folds(noise, folds)
    halves = split_half_reliability(responses, HALVINGS)
    in_folds = split_half_reliability(responses, HALVINGS, folds=folds)
    chosen = score_of_chosen(sums, noise, np.isfinite(noise.means), folds, threshold)
    left = " and ".join(map(str, chosen.n_left_out))
    return Score(
        before=median(predictivity(r_folds(sums), halves)[halves >= threshold]),
        before_in_folds=median(predictivity(r_folds(sums), in_folds)[in_folds >= threshold]),
        after=chosen.median,
        summed=summed_predictivity(pooled_r(sums), reliability.rho),
        standard_error=median(reliability.standard_error),
        marked=float(np.mean(~reliability.valid)),
        other=f"sum ratio of the chosen {chosen.summed:.2f}; of {chosen.n_neurons}, rho <= 0: {chosen.n_unreliable}; "
        f"left out: {left}",
    )


def fold_size_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Predictions that correlate with the responses at 0.60, in small folds; the scores are r, not over a ceiling."""
    for per_fold in (2, 3, 5, 9, 20, 80):
        rng = np.random.default_rng([SEED, per_fold])
        x = rng.normal(size=(720, size.neurons))
        y = 0.6 * x + 0.8 * rng.normal(size=x.shape)
        sums = sums_within_folds(x, y, np.split(np.arange(720), 720 // per_fold))
        nothing = float("nan")
        yield (
            f"r of 0.60, folds of {per_fold}",
            Score(nothing, float(r_folds(sums).mean()), float(pooled_r(sums).mean()), nothing, nothing, nothing),
        )


def fitted_cases(size: Size) -> Iterator[tuple[str, Score]]:
    """Fits on noisy responses, of features that hold the rates: after corrects for the predictions' noise, too."""
    for name, penalties in (("least squares", [1e-6]), ("ridge", np.logspace(0, 4, 9))):
        for rho in (0.3, 0.6):
            rng = np.random.default_rng([SEED, int(10 * rho)])
            features = rng.normal(size=(400, 100))
            rates = features @ rng.normal(size=(100, size.neurons // 3)) / 10
            responses = gaussian(rates, np.full(400, 6), rho, rng)
            found = score_of_fit(features, rates, responses, random_folds(400, 5, rng), penalties)
            yield f"{name} on 100 features, 400 stimuli, rho {rho}", found


def score_of_fit(
    features: NDArray, rates: NDArray, responses: NDArray, folds: list[NDArray], penalties: ArrayLike
) -> Score:
    def predicted(values: NDArray) -> NDArray:
        return nested_ridge(features @ features.T, values, folds, penalties).predictions

    noise = noise_of(responses, blocks=False)
    reliability = reliability_within_folds(noise, folds)
    sums = sums_within_folds(predicted(noise.means), noise.means, folds)
    halves = [[predicted(half) for half in pair] for pair in means_of_halves(responses, n_splits=2, seed=0)]
    first, second = (np.stack(of_half) for of_half in zip(*halves, strict=True))
    of_predictions = prediction_reliability(first, second, folds)
    noiseless = median(pooled_r(sums_within_folds(predicted(rates), rates, folds)))
    return Score(
        before=median(predictivity(r_folds(sums), split_half_reliability(responses, HALVINGS))),
        before_in_folds=median(predictivity(pooled_r(sums), reliability.rho)),
        after=median(predictivity(pooled_r(sums), reliability.rho, of_predictions)),
        summed=summed_predictivity(pooled_r(sums), reliability.rho * of_predictions),
        standard_error=median(reliability.standard_error),
        marked=float(np.mean(~reliability.valid)),
        other=f"reliability of predictions {median(of_predictions):.2f}; fit on the rates {noiseless:.2f}",
    )


CASES = {
    "counts": counts_cases,
    "objects": object_cases,
    "selective": selective_cases,
    "poisson": poisson_cases,
    "drift": drift_cases,
    "selection": selection_cases,
    "fold_size": fold_size_cases,
    "fitted": fitted_cases,
}


def markdown(rows: list[tuple[str, Score]]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * 4 + " --- | ---: | ---: |"]
    for case, found in rows:
        numbers = (found.before, found.before_in_folds, found.after, found.summed)
        cells = [case, *map(_rounded, numbers), found.other, _rounded(found.standard_error)]
        marked = "" if np.isnan(found.marked) else f"{100 * found.marked:.0f} %"
        lines.append(f"| {' | '.join([*cells, marked])} |")
    return "\n".join(lines)


def _rounded(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=CASES)
    options = parser.parse_args()
    for name in options.only or CASES:
        start = time.perf_counter()
        rows = list(CASES[name](QUICK if options.quick else FULL))
        print(
            f"\n**{name}**: {CASES[name].__doc__} ({time.perf_counter() - start:.0f} s)\n\n{markdown(rows)}", flush=True
        )


if __name__ == "__main__":
    main()
