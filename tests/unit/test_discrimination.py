"""Stimuli that tell two models apart, and the trials until they do, against brute force and simulated responses."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from ventral.in_silico.discrimination import (
    NEEDED,
    chosen,
    log_likelihood_ratio,
    separation,
    trials_needed,
    trials_with_random_stimuli,
    unexplained_variance,
)

N, NEURONS = 12, 4


@pytest.fixture
def models() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictions of two models (n, neurons), noise variances and unexplained variances (neurons,)."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(N, NEURONS))
    return first, first + 0.2 * rng.normal(size=first.shape), rng.uniform(0.5, 2, NEURONS), rng.uniform(0, 0.1, NEURONS)


def plainly(first, second, noise, unexplained, trials) -> float:
    """D, by loops."""
    total = 0.0
    for s, k in enumerate(trials):
        for neuron in range(first.shape[1]):
            if k:
                variance = unexplained[neuron] + noise[neuron] / k
                total += (first[s, neuron] - second[s, neuron]) ** 2 / variance
    return total


def test_the_separation_is_the_sum_of_squared_differences_in_units_of_their_variance(models):
    first, second, noise, unexplained = models
    trials = np.arange(N) % 4
    assert separation(first - second, noise, unexplained, trials).sum() == pytest.approx(plainly(*models, trials))
    several = separation(np.stack([first - second, first]), noise, np.stack([unexplained, 0 * unexplained]))
    np.testing.assert_allclose(several[0], separation(first - second, noise, unexplained))
    np.testing.assert_allclose(several[1], (first**2 / noise).sum(axis=1))


def test_the_ratio_of_likelihoods_is_that_of_normal_densities(models):
    first, second, noise, unexplained = models
    trials = np.arange(N) % 3
    means = np.where(trials[:, None] > 0, first + 0.3, np.nan)
    with np.errstate(divide="ignore"):
        spread = np.sqrt(unexplained + noise / trials[:, None])
    densities = [
        norm.logpdf(means[trials > 0], model[trials > 0], spread[trials > 0]).sum() for model in (first, second)
    ]
    found = log_likelihood_ratio(means, first, second, noise, unexplained, trials)
    assert found == pytest.approx(densities[0] - densities[1])


def test_the_trials_are_the_fewest_that_reach_the_limit(models):
    first, second, noise, unexplained = models
    needed = trials_needed(first - second, noise, unexplained)

    def after(trials: int) -> float:
        return plainly(*models, [trials // N + (s < trials % N) for s in range(N)])

    expected = next(trials for trials in itertools.count(1) if after(trials) >= NEEDED)
    assert needed == expected > N


def test_the_wrong_model_is_taken_in_5_percent_of_simulated_experiments(models):
    """The truth is the first model, with its unexplained variance, and the noise of single trials."""
    first, second, noise, unexplained = models
    needed = int(trials_needed(first - second, noise, unexplained))
    trials = needed // N + (np.arange(N) < needed % N)
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(4000):
        spread = np.sqrt(unexplained + noise / trials[:, None])
        means = first + spread * rng.normal(size=first.shape)
        wrong += log_likelihood_ratio(means, first, second, noise, unexplained, trials) < 0
    # The trial that reaches the limit goes a little beyond. The standard error is 0.0034.
    assert 0.035 < wrong / 4000 < 0.06


def test_no_number_of_trials_helps_where_the_models_errors_are_larger_than_their_differences(models):
    first, second, noise, _ = models
    assert trials_needed(first - second, noise, np.full(NEURONS, 10.0)) == np.inf
    assert trials_needed(first - first, noise, np.zeros(NEURONS)) == np.inf
    assert trials_needed(100 * (first - second), noise, np.zeros(NEURONS)) == 1


def test_one_pair_gets_the_stimuli_with_the_largest_separation():
    separations = np.random.default_rng(2).uniform(size=(1, 30))
    assert chosen(separations, 5, {}).tolist() == np.argsort(-separations[0])[:5].tolist()
    assert len(chosen(separations, 50, {})) == 30


def test_each_choice_leaves_the_smallest_sum_of_errors_over_pairs():
    separations = np.random.default_rng(3).exponential(size=(3, 15))
    order = chosen(separations, 6, {})
    for k in range(1, len(order) + 1):
        left = [s for s in range(15) if s not in order[: k - 1]]
        errors = [norm.cdf(-np.sqrt(separations[:, [*order[: k - 1], s]].sum(axis=1)) / 2).sum() for s in left]
        assert order[k - 1] == left[int(np.argmin(errors))]


def test_a_pair_that_is_told_apart_counts_no_more():
    """The first stimulus tells all of the first pair; then the second pair decides, also where errors underflow."""
    separations = np.array([[1e5, 1e5, 10, 10], [0, 0, 2, 3]], dtype=float)
    assert chosen(separations, 3, {}).tolist() == [3, 2, 0]


def test_of_stimuli_that_are_nearly_the_same_one_is_chosen():
    separations = np.array([[5.0, 4.9, 3.0, 1.0]])
    assert chosen(separations, 4, {0: [1], 1: [0]}).tolist() == [0, 2, 3]


def test_random_stimuli_are_drawn_without_replacement(models):
    first, second, noise, unexplained = models
    difference = first - second
    drawn = trials_with_random_stimuli(difference, noise, unexplained, N, 3, seed=4)
    assert np.abs(drawn - trials_needed(difference, noise, unexplained)).max() < N
    few = trials_with_random_stimuli(difference, noise, unexplained, 3, 20, seed=4)
    assert len(set(few)) > 3
    np.testing.assert_array_equal(few, trials_with_random_stimuli(difference, noise, unexplained, 3, 20, seed=4))


def test_predictions_miss_what_they_do_not_correlate_with():
    signal, predictivity = np.array([2.0, 2.0, 2.0, 2.0]), np.array([[0.6, 1.3, -0.2, np.nan]])
    np.testing.assert_allclose(unexplained_variance(signal, predictivity), [[2 * 0.64, 0, 2, 2]])
