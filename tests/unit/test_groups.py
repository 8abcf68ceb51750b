"""Claims whose units are objects, categories, animals or networks."""

import numpy as np
import pytest
from scipy.stats import pearsonr, t, ttest_1samp

from benchmarks.null_experiments import decided_share, held_out_objects, networks_and_checkpoints, ridge_of_objects
from ventral.statistics.contrasts import HOLDS, OPEN
from ventral.statistics.groups import (
    ONLY_THESE,
    correlation_over_networks,
    group_differences,
    group_estimates,
    judged_over_groups,
    trained_against_untrained,
    varying_groups,
)
from ventral.statistics.influence import Estimates

SIZES = np.array([30, 12, 20, 9, 15, 40])
GROUPS = np.split(np.arange(SIZES.sum()), np.cumsum(SIZES)[:-1])


def sample(seed, missing=0.0, k=4):
    rng = np.random.default_rng(seed)
    responses = rng.normal(5, 2, size=(SIZES.sum(), k))
    layers = [responses + rng.normal(0, scale, size=responses.shape) for scale in (2, 4)]
    responses[rng.random(responses.shape) < missing] = np.nan
    return layers, responses


def r_by_loops(layer, responses):
    """Of each group and neuron."""
    return np.array(
        [
            [
                pearsonr(layer[rows, k], responses[rows, k]).statistic
                for k in range(responses.shape[1])
                for rows in [group[np.isfinite(responses[group, k])]]
            ]
            for group in GROUPS
        ]
    )


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_groups_have_equal_weights_whatever_their_size(missing):
    layers, responses = sample(1, missing)
    found = group_estimates(layers, responses, GROUPS)
    by_group = [r_by_loops(layer, responses) for layer in layers]
    np.testing.assert_allclose(found.theta, [r.mean() for r in by_group])
    np.testing.assert_allclose(group_differences(found, 0, 1), by_group[0].mean(1) - by_group[1].mean(1), atol=1e-12)
    # Results of any two of six groups correlate by 1/5.
    alike = np.full((6, 6), 1 / 5) + np.diag(np.full(6, 4 / 5))
    of_mean = alike.mean()
    estimated = (np.trace(alike) / 6 - of_mean) / 5
    unshared = ttest_1samp(by_group[0].mean(axis=1) - by_group[1].mean(axis=1), 0).statistic
    statistic = unshared * np.sqrt(estimated / of_mean)
    alone = Estimates(found.theta, found.units, np.empty((2, 0)))
    judged, _ = judged_over_groups(alone, [0], [1], "objects", seed=0)
    assert judged.p == pytest.approx(2 * t.sf(abs(statistic), 5))
    assert (judged.low, judged.high) == pytest.approx(judged.difference * (1 + t.ppf([0.025, 0.975], 5) / statistic))
    of_neurons = by_group[0].mean(axis=0).var(ddof=1) / 4
    assert (found.neurons[0] ** 2).sum() == pytest.approx(of_neurons)


def test_one_image_and_constant_responses_are_no_group():
    layers, responses = sample(2)
    responses[GROUPS[1]] = 0.1
    groups = [*GROUPS, GROUPS[0][:1]]
    assert varying_groups(responses, groups).tolist() == [True, False, True, True, True, True, False]
    assert group_estimates(layers, responses, groups).units.shape == (2, 5)


def test_few_groups_decide_nothing_and_say_what_each_has():
    layers, responses = sample(3)
    estimates = group_estimates(layers, responses, GROUPS[:4])
    found, note = judged_over_groups(estimates, [0], [1], "objects", seed=0)
    differences = group_differences(estimates, 0, 1)
    assert (found.verdict, np.isnan(found.low)) == (OPEN, True)
    assert note == "4 objects: " + ", ".join(f"{value:+.2f}" for value in differences)


def test_five_to_seven_groups_decide_and_say_what_they_could_detect():
    layers, responses = sample(4, k=8)
    found, note = judged_over_groups(group_estimates(layers, responses, GROUPS), [0], [1], "objects", seed=0)
    assert found.verdict == HOLDS
    assert note == f"6 objects; smallest detectable difference {found.detectable:.2f}"


def test_checkpoints_are_one_network():
    x, y = np.random.default_rng(5).normal(size=(2, 6))
    found = correlation_over_networks(np.repeat(x, 3), np.repeat(y, 3), np.repeat(list("abcdef"), 3))
    expected = pearsonr(x, y)
    interval = expected.confidence_interval(0.95)
    assert found.estimate == pytest.approx(expected.statistic)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.note == "6 networks"
    few = correlation_over_networks(np.arange(40.0), np.arange(40.0), np.repeat(list("abcd"), 10))
    assert (few.verdict, few.note) == (OPEN, "4 networks")


def pairs_of(differences, layers=2):
    """Networks of equal layers, each of which lies as far above its untrained one as is said; no error of stimuli."""
    theta = np.concatenate([[0.5 + difference] * layers + [0.5] * layers for difference in differences])
    places = np.arange(len(theta)).reshape(len(differences), 2, layers)
    flat = Estimates(theta, np.zeros((len(theta), 30)), np.zeros((len(theta), 30)))
    return flat, [tuple(pair) for pair in places]


def test_architectures_are_the_unit_of_training():
    differences = [0.1, 0.15, 0.08, 0.2]
    found = trained_against_untrained(*pairs_of(differences), seed=0)
    assert found.p == pytest.approx(ttest_1samp(differences, 0).pvalue)
    assert found.verdict == HOLDS
    assert found.note.startswith("4 architectures")


def test_errors_of_stimuli_common_to_all_pairs_count_once():
    flat, pairs = pairs_of([0.1, 0.15, 0.08, 0.2])
    trained = np.isin(np.arange(len(flat.theta)), np.concatenate([pair[0] for pair in pairs]))
    units = np.where(trained[:, None], np.random.default_rng(6).normal(0, 0.02, 30), 0)
    found = trained_against_untrained(Estimates(flat.theta, units, flat.neurons), pairs, seed=0)
    alone = trained_against_untrained(flat, pairs, seed=0)
    ratio = (found.high - found.low) / (alone.high - alone.low)
    expected = 1 + (units[0] ** 2).sum() / (np.var([0.1, 0.15, 0.08, 0.2], ddof=1) / 4)
    assert ratio == pytest.approx(np.sqrt(expected))


def test_two_pairs_are_of_these_networks_only():
    flat, pairs = pairs_of([0.1, 0.2])
    units = np.random.default_rng(7).normal(0, 0.001, flat.units.shape)
    found = trained_against_untrained(Estimates(flat.theta, units, flat.neurons), pairs, seed=0)
    assert (found.verdict, found.note) == (HOLDS, ONLY_THESE)


@pytest.mark.parametrize(
    "experiment",
    [held_out_objects(8), ridge_of_objects(5, images=(20, 20), deviation=0), networks_and_checkpoints()],
)
def test_where_nothing_is_there_little_is_decided(experiment):
    shares = decided_share(experiment, 150, seed=1)
    assert shares["holds_after"] + shares["fails_after"] <= 14 / 150
