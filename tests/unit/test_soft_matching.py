import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from dask import delayed
from scipy.stats import pearsonr

from ventral.grams.recorded import representation_of
from ventral.mappings.soft_matching import optimal_plan, soft_matching_predictions
from ventral.scores.prediction import Options, predict
from ventral.scores.table import prediction_rows
from ventral.targets.splits import Split
from ventral.targets.values import Targets

BY_POT = json.loads((Path(__file__).parent / "data" / "soft_matching_by_pot.json").read_text())


def costs_of(n_units, n_neurons):
    """The costs of benchmarks/soft_matching_by_pot.py, which made the stored plans."""
    units, neurons = np.arange(n_units)[:, None] + 1, np.arange(n_neurons) + 1
    return 1 - np.sin(units * 1.7) * np.cos(neurons * 2.3) - 0.3 * np.sin(units * neurons * 0.37)


def made(seed=0, n=60, n_units=14, n_targets=6):
    rng = np.random.default_rng(seed)
    units = rng.normal(size=(n, n_units))
    responses = 2 + 3 * units[:, rng.permutation(n_units)[:n_targets]] + 2 * rng.normal(size=(n, n_targets))
    return units.astype(np.float32), responses, np.array_split(rng.permutation(n), 4)


@pytest.mark.parametrize("of_pot", BY_POT, ids=lambda of_pot: "x".join(map(str, of_pot["sizes"])))
def test_plans_equal_those_of_pot(of_pot):
    costs = costs_of(*of_pot["sizes"])
    plan, expected = optimal_plan(costs), np.zeros(costs.shape)
    expected[of_pot["rows"], of_pot["columns"]] = of_pot["masses"]
    np.testing.assert_allclose(plan, expected, atol=1e-12)
    np.testing.assert_allclose((plan * costs).sum(), of_pot["cost"], rtol=1e-12)


def test_plan_of_equal_numbers_is_the_best_permutation():
    costs = np.random.default_rng(1).normal(size=(6, 6))
    best = min(permutations(range(6)), key=lambda order: costs[np.arange(6), order].sum())
    np.testing.assert_allclose(optimal_plan(costs), np.eye(6)[list(best)] / 6, atol=1e-15)


@pytest.mark.parametrize("costs", [np.zeros((4, 6)), np.ones((1, 1)), np.full((3, 2), 1e-300), 1e9 * costs_of(7, 5)])
def test_plans_of_ties_and_scales_use_all_mass(costs):
    plan = optimal_plan(costs)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / costs.shape[1])
    np.testing.assert_allclose(plan.sum(axis=1), 1 / costs.shape[0])
    assert (plan >= 0).all()


def by_loops(units, responses, folds):
    """The definition, one fold, target and unit at a time, given the plan."""
    predictions, matched = np.empty(responses.shape), np.empty((len(folds), responses.shape[1]))
    units = units.astype(float)
    for k, fold in enumerate(folds):
        training = np.setdiff1d(np.arange(len(units)), fold)
        r = np.array([[pearsonr(unit, of)[0] for of in responses[training].T] for unit in units[training].T])
        weights = optimal_plan(1 - r) * responses.shape[1]
        z = (units - units[training].mean(axis=0)) / units[training].std(axis=0)
        for j in range(responses.shape[1]):
            mean = z @ weights[:, j]
            slope, _ = np.polyfit(mean[training], responses[training, j], 1)
            predictions[fold, j] = responses[training, j].mean() + abs(slope) * (mean[fold] - mean[training].mean())
            held_out = [pearsonr(unit[fold], responses[fold, j])[0] for unit in units.T]
            matched[k, j] = weights[:, j] @ held_out
    return predictions, matched


def test_equals_the_definition_by_loops():
    units, responses, folds = made()
    for found, expected in zip(
        soft_matching_predictions(units, responses, folds), by_loops(units, responses, folds), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_neurons_that_are_the_units_match_them_one_to_one():
    units, _, folds = made(2)
    order = np.random.default_rng(3).permutation(units.shape[1])
    predictions, matched = soft_matching_predictions(units, 5 + 2.0 * units[:, order], folds)
    np.testing.assert_allclose(predictions, 5 + 2.0 * units[:, order], rtol=1e-5)
    np.testing.assert_allclose(matched, 1, rtol=1e-6)


def test_rotated_units_match_badly_though_ridge_regression_would_be_perfect():
    rng = np.random.default_rng(4)
    units, folds = rng.normal(size=(300, 20)) ** 3, np.array_split(rng.permutation(300), 3)
    rotation = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    _, matched = soft_matching_predictions(units, units @ rotation, folds)
    _, same = soft_matching_predictions(units, units[:, ::-1], folds)
    assert matched.mean() < 0.7 < 0.99 < same.mean()


def test_the_plan_never_sees_held_out_responses():
    units, responses, folds = made(5)
    changed = responses.copy()
    changed[folds[0]] = changed[folds[0]][::-1]
    predictions, _ = soft_matching_predictions(units, responses, folds)
    np.testing.assert_array_equal(soft_matching_predictions(units, changed, folds)[0][folds[0]], predictions[folds[0]])


def test_constant_units_are_left_out_and_constant_targets_get_the_mean():
    units, responses, folds = made(6)
    responses[:, 2] = 7
    rest = np.delete(np.arange(6), 2)
    predictions, matched = soft_matching_predictions(np.c_[units, np.ones(60)], responses, folds)
    alone, matched_alone = soft_matching_predictions(units, responses[:, rest], folds)
    np.testing.assert_allclose(predictions[:, rest], alone)
    np.testing.assert_allclose(matched[:, rest], matched_alone)
    np.testing.assert_array_equal(predictions[:, 2], 7)
    assert np.isnan(matched[:, 2]).all()
    predictions, matched = soft_matching_predictions(np.ones((60, 3)), responses, folds)
    assert np.isfinite(predictions).all()
    assert np.isnan(matched).all()


def test_units_of_other_stimuli_are_refused():
    with pytest.raises(ValueError, match=r"units have shape \(5, 2\); \(6, units\), at least one unit, is needed"):
        soft_matching_predictions(np.ones((5, 2)), np.ones((6, 1)), [np.arange(3)])


def targets_of(responses, **columns):
    n = responses.shape[1]
    given = {"kinds": np.full(n, "neuron"), "areas": np.full(n, "IT")} | columns
    return Targets(responses, names=np.arange(n).astype(str), reliability=np.full(n, np.nan), **given)


def test_areas_are_matched_apart_and_properties_not_at_all():
    units, responses, folds = made(7)
    kinds, areas = np.array(["neuron"] * 5 + ["property"]), np.array(["V4"] * 2 + ["IT"] * 3 + [""])
    predicted = predict(
        delayed(representation_of(units.astype(float))),
        {"name": "layer", "n_features": 14},
        targets_of(responses, kinds=kinds, areas=areas),
        {"stimuli": Split("stimuli", folds=folds)},
        Options(["soft_matching"], [1.0]),
    )
    (part,) = predicted
    assert part.targets.names.tolist() == ["0", "1", "2", "3", "4"]
    expected, matched = soft_matching_predictions(units, responses[:, 2:5], folds)
    rows = prediction_rows(
        part.predictions.compute(), part.targets, folds, "stimuli", "soft_matching", None, None, part.matched.compute()
    )
    np.testing.assert_allclose(part.predictions.compute()[:, 2:], expected, rtol=1e-6)
    np.testing.assert_allclose(rows["r_matched"][2:], matched.mean(axis=0), rtol=1e-6)
