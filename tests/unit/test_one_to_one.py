import numpy as np
import pytest
from scipy.stats import pearsonr

from ventral.mappings import one_to_one
from ventral.mappings.one_to_one import best_units, one_to_one_predictions


def made(seed=0, n=40, n_units=15, n_targets=6):
    rng = np.random.default_rng(seed)
    units = rng.normal(size=(n, n_units))
    responses = 2 + 3 * units[:, rng.integers(0, n_units, n_targets)] + 2 * rng.normal(size=(n, n_targets))
    return units.astype(np.float32), responses, np.array_split(rng.permutation(n), 4)


def by_loops(units, responses, folds):
    """The definition, one fold, target and unit at a time."""
    predictions = np.empty(responses.shape)
    for fold in folds:
        training = np.setdiff1d(np.arange(len(units)), fold)
        for target in range(responses.shape[1]):
            measured = responses[training, target]
            rs = [pearsonr(unit, measured)[0] for unit in units[training].T.astype(float)]
            unit = units[:, np.argmax(rs)].astype(float)
            slope, _ = np.polyfit(unit[training], measured, 1)
            predictions[fold, target] = measured.mean() + abs(slope) * (unit[fold] - unit[training].mean())
    return predictions


def test_equals_the_definition_by_loops():
    units, responses, folds = made()
    np.testing.assert_allclose(one_to_one_predictions(units, responses, folds), by_loops(units, responses, folds))


def test_blocks_of_units_change_nothing(monkeypatch):
    units, responses, folds = made(1)
    whole = one_to_one_predictions(units, responses, folds)
    monkeypatch.setattr(one_to_one, "VALUES_AT_ONCE", 90)
    np.testing.assert_allclose(one_to_one_predictions(units, responses, folds), whole, rtol=1e-12)


def test_a_unit_that_is_the_target_predicts_it():
    units, _, folds = made(2)
    responses = 5 - 0.5 * units[:, 3:4].astype(float)
    units[:, 3] *= -1
    np.testing.assert_allclose(one_to_one_predictions(units, responses, folds), responses, rtol=1e-6)


def test_the_sign_of_the_only_unit_is_kept():
    rng = np.random.default_rng(3)
    unit = rng.normal(size=(30, 1))
    predictions = one_to_one_predictions(unit, -unit, np.array_split(np.arange(30), 3))
    assert all(pearsonr(predictions[fold, 0], unit[fold, 0])[0] > 0.999 for fold in np.array_split(np.arange(30), 3))


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scales_pass_through(scale):
    units, responses, folds = made(4)
    predictions = one_to_one_predictions(units, responses, folds)
    np.testing.assert_allclose(one_to_one_predictions(units * np.float64(scale), responses, folds), predictions)
    np.testing.assert_allclose(one_to_one_predictions(units, responses * scale, folds), predictions * scale)


def test_constant_units_are_not_chosen_and_constant_targets_have_no_unit():
    units, responses, folds = made(5)
    units[:, 0] = 0.1
    responses[:, 2] = 0.7
    chosen, r = best_units(units, responses)
    assert (chosen[[0, 1, 3, 4, 5]] > 0).all()
    np.testing.assert_array_equal(np.isnan(r), np.arange(6) == 2)
    np.testing.assert_allclose(one_to_one_predictions(units, responses, folds)[:, 2], 0.7)


def test_units_that_do_not_vary_predict_the_mean_of_the_training_part():
    _, responses, folds = made(6)
    predictions = one_to_one_predictions(np.full((40, 3), 0.1), responses, folds)
    for fold in folds:
        np.testing.assert_allclose(
            predictions[fold], np.delete(responses, fold, axis=0).mean(axis=0)[None].repeat(10, 0)
        )


def test_the_first_of_equal_units_is_chosen(monkeypatch):
    units, responses, _ = made(7)
    chosen, r = best_units(units, responses)
    monkeypatch.setattr(one_to_one, "VALUES_AT_ONCE", 40 * 4)
    again, same = best_units(np.repeat(units, 2, axis=1), responses)
    np.testing.assert_array_equal(again, 2 * chosen)
    np.testing.assert_allclose(same, r)


@pytest.mark.parametrize("units", [np.ones((9, 3)), np.ones((40, 0)), np.ones(40)])
def test_wrong_units_are_named(units):
    _, responses, folds = made(8)
    with pytest.raises(ValueError, match=r"\(40, units\), at least one unit, is needed"):
        one_to_one_predictions(units, responses, folds)
