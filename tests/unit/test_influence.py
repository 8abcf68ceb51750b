"""Influences of stimuli and neurons against brute force."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from ventral.statistics.influence import (
    comparable_neurons,
    joined,
    layer_estimates,
    sampled_influences,
    summed_over_animals,
)

N, K = 60, 7
FOLDS = np.array_split(np.random.default_rng(0).permutation(N), 4)


def sample(seed, missing=0.0):
    rng = np.random.default_rng(seed)
    responses = rng.normal(5, 2, size=(N, K))
    layers = [responses + rng.normal(0, scale, size=(N, K)) for scale in (1, 2, 3)]
    responses[rng.random(responses.shape) < missing] = np.nan
    return layers, responses, rng.uniform(0.5, 1, K)


def centred_by_fold(values, known, weights):
    """Of one neuron, each fold less its weighted mean."""
    result = np.zeros(len(values))
    for fold in FOLDS:
        rows = fold[known[fold]]
        if len(rows):
            result[rows] = values[rows] - np.average(values[rows], weights=weights[rows])
    return result


def weighted_r(x, y, weights):
    known = np.isfinite(y)
    weights = np.where(known, weights, 0)
    x, y = (centred_by_fold(np.where(known, values, 0), known, weights) for values in (x, y))
    return (weights * x * y).sum() / np.sqrt((weights * x * x).sum() * (weights * y * y).sum())


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_influences_are_derivatives_by_the_weight_of_a_stimulus(missing):
    layers, responses, ceilings = sample(1, missing)
    found = layer_estimates(layers, responses, FOLDS, ceilings)
    step = 1e-5
    for layer, theta, g in zip(layers, found.theta, found.units, strict=True):
        r = [weighted_r(layer[:, k], responses[:, k], np.ones(N)) for k in range(K)]
        assert theta == pytest.approx(np.mean(r / ceilings), rel=1e-12)
        expected = np.zeros(N)
        for k in range(K):
            known = np.isfinite(responses[:, k])
            n = known.sum()
            factor = np.sqrt((1 + 400 / n) * n / (n - len(FOLDS))) / ceilings[k] / K
            for i in np.flatnonzero(known):
                more, less = np.ones(N), np.ones(N)
                more[i], less[i] = 1 + step, 1 - step
                change = weighted_r(layer[:, k], responses[:, k], more)
                change -= weighted_r(layer[:, k], responses[:, k], less)
                expected[i] += factor * change / (2 * step)
        np.testing.assert_allclose(g, expected, atol=1e-8)


def test_one_fold_is_pearsons_r():
    layers, responses, ceilings = sample(2)
    found = layer_estimates(layers[:1], responses, [np.arange(N)], ceilings)
    r = [pearsonr(layers[0][:, k], responses[:, k]).statistic for k in range(K)]
    assert found.theta[0] == pytest.approx(np.mean(r / ceilings))


def test_training_parts_double_the_variance_of_many_stimuli_and_count_for_more_of_few():
    rng = np.random.default_rng(10)
    spread = []
    for n in (100, 300, 400, 2000):
        responses = rng.normal(size=(n, 1))
        layer = responses + rng.normal(size=(n, 1))
        units = layer_estimates([layer], responses, [np.arange(n)], np.ones(1)).units
        x, y = ((part - part.mean()) / np.linalg.norm(part - part.mean()) for part in (layer, responses))
        influence = x * y - (x * y).sum() * (x**2 + y**2) / 2
        spread.append((units**2).sum() / (influence**2).sum() * (n - 1) / n)
    np.testing.assert_allclose(spread, [5, 7 / 3, 2, 2])


def test_squares_of_influences_of_neurons_sum_to_the_variance_of_their_mean():
    values = np.random.default_rng(3).normal(size=(2, 9))
    expected = values.var(axis=1, ddof=1) / 9
    np.testing.assert_allclose(np.square(sampled_influences(values)).sum(axis=1), expected)
    assert sampled_influences(values[:, :1]).shape == (2, 0)


def test_blocks_of_neurons_change_nothing(monkeypatch):
    layers, responses, ceilings = sample(4, 0.1)
    whole = layer_estimates(layers, responses, FOLDS, ceilings)
    monkeypatch.setattr("ventral.statistics.influence.VALUES_AT_ONCE", 2 * N)
    parts = layer_estimates(layers, responses, FOLDS, ceilings)
    np.testing.assert_allclose(parts.units, whole.units, atol=1e-15)
    np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-10)


def test_constant_predictions_explain_nothing_and_have_no_influence():
    _, responses, ceilings = sample(5)
    found = layer_estimates([np.full((N, K), 0.1)], responses, FOLDS, ceilings)
    assert found.theta[0] == 0
    assert not found.units.any()
    assert not found.neurons.any()


def test_layers_of_several_models_are_joined():
    layers, responses, ceilings = sample(11)
    whole = layer_estimates(layers, responses, FOLDS, ceilings)
    apart = [layer_estimates(some, responses, FOLDS, ceilings) for some in (layers[:1], layers[1:])]
    np.testing.assert_array_equal(joined(apart).covariance, whole.covariance)
    fewer = layer_estimates([layer[:, :-1] for layer in layers], responses[:, :-1], FOLDS, ceilings[:-1])
    with pytest.raises(ValueError, match=r"\[\(60, 6\), \(60, 7\)\]"):
        joined([whole, fewer])


def test_neurons_are_chosen_by_responses_and_ceilings_alone():
    layers, responses, ceilings = sample(6)
    responses[:, 2] = 0.1
    for number, fold in enumerate(FOLDS):
        responses[fold, 4] = number
    ceilings[5] = np.nan
    kept = comparable_neurons(responses, FOLDS, ceilings)
    assert kept.tolist() == [True, True, False, True, False, False, True]
    with pytest.raises(ValueError, match="3 of 7 neurons"):
        layer_estimates(layers, responses, FOLDS, ceilings)


def test_a_missing_prediction_is_an_error():
    layers, responses, ceilings = sample(7)
    layers[1][4, 3] = np.nan
    with pytest.raises(ValueError, match="predictions of neuron 3 are missing"):
        layer_estimates(layers, responses, FOLDS, ceilings)


def test_animals_of_one_neuron_are_neurons_and_equal_ones_are_means():
    found = layer_estimates(*sample(8)[:2], FOLDS, np.ones(K))
    np.testing.assert_allclose(
        np.sort(summed_over_animals(found, np.arange(K).astype(str)).neurons), np.sort(found.neurons), rtol=1e-12
    )
    values = np.random.default_rng(9).normal(size=(1, 6, 5))
    neurons = sampled_influences(values.reshape(1, 30))
    clustered = summed_over_animals(
        type(found)(values.mean(axis=(1, 2)), np.zeros((1, 30)), neurons), np.repeat(np.arange(6), 5)
    )
    np.testing.assert_allclose(clustered.neurons, sampled_influences(values.mean(axis=2)), rtol=1e-12)
    assert clustered.degrees_of_freedom == 5


def test_stimuli_in_no_fold_have_no_influence_and_are_not_counted():
    layers, responses, ceilings = sample(12, 0.1)
    scored = np.concatenate(FOLDS[:2])
    place = np.full(N, -1)
    place[scored] = np.arange(len(scored))
    for layer in layers:
        layer[np.concatenate(FOLDS[2:])] = np.nan
    found = layer_estimates(layers, responses, FOLDS[:2], ceilings)
    of_scored = [layer[scored] for layer in layers]
    expected = layer_estimates(of_scored, responses[scored], [place[fold] for fold in FOLDS[:2]], ceilings)
    np.testing.assert_allclose(found.theta, expected.theta)
    np.testing.assert_allclose(found.units[:, scored], expected.units, atol=1e-15)
    assert not found.units[:, np.concatenate(FOLDS[2:])].any()


@pytest.mark.parametrize(("n_training", "f"), [(10**6, 2.0), (40, 2.0), (20, 3.0), (5, 9.0)])
def test_a_training_set_has_a_share_in_the_variance_of_a_test_set(n_training, f):
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(80, 3))
    layer, folds = 0.5 * responses + rng.normal(size=responses.shape), [np.arange(80)]
    found = layer_estimates([layer], responses, folds, np.ones(3), np.full(3, n_training))
    other = layer_estimates([layer], responses, folds, np.ones(3))
    np.testing.assert_allclose(found.units, other.units * np.sqrt(f / 6))
    np.testing.assert_array_equal(found.neurons, other.neurons)
