import warnings

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from ventral.mappings import pls
from ventral.mappings.pls import pls_fit_predict, pls_predictions


def made(seed, n, p, n_targets, noise=1.0, mean=0.0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -0.5
    responses = 3 + features @ rng.normal(size=(p, n_targets)) + noise * rng.normal(size=(n, n_targets))
    return features + mean, responses, np.array_split(rng.permutation(n), 4)


def by_sklearn(features, responses, folds, n_components):
    """Refit every fold, iterated to the end: at a tolerance of 1e-12 close eigenvalues are still 1e-4 off."""
    predictions = np.empty_like(responses)
    for fold in folds:
        training = np.setdiff1d(np.arange(len(features)), fold)
        model = PLSRegression(n_components, scale=False, tol=1e-22, max_iter=100_000)
        predictions[fold] = (
            model.fit(features[training], responses[training]).predict(features[fold]).reshape(len(fold), -1)
        )
    return predictions


def assert_same(predictions, others, responses, tolerance=1e-5):
    assert np.abs((predictions - others) / responses.std(axis=0)).max() < tolerance


@pytest.mark.parametrize(
    ("n", "p", "n_targets", "n_components"),
    [(80, 300, 7, 25), (80, 20, 7, 20), (80, 20, 1, 8), (80, 400, 1, 25), (40, 60, 120, 12), (30, 1, 4, 1)],
)
def test_equals_scikit_learn(n, p, n_targets, n_components):
    features, responses, folds = made(0, n, p, n_targets)
    predictions = pls_predictions(features @ features.T, responses, folds, n_components)
    assert_same(predictions, by_sklearn(features, responses, folds, n_components), responses, 1e-7)


def test_features_far_from_zero_change_nothing():
    features, responses, folds = made(1, 60, 100, 5, mean=1000.0)
    predictions = pls_predictions(features @ features.T, responses, folds, 10)
    assert_same(predictions, by_sklearn(features, responses, folds, 10), responses)


def test_many_targets_by_iteration_equal_all_eigenvectors(monkeypatch):
    features, responses, folds = made(2, 60, 100, 40)
    gram = features @ features.T
    dense = pls_predictions(gram, responses, folds, 15)
    monkeypatch.setattr(pls, "FEW_TARGETS", 5)
    assert_same(pls_predictions(gram, responses, folds, 15), dense, responses, 1e-7)


def test_features_of_low_rank_give_as_many_components_as_there_are():
    rng = np.random.default_rng(3)
    features, responses, folds = made(3, 50, 4, 6)
    wide = features @ rng.normal(size=(4, 200))
    predictions = pls_predictions(wide @ wide.T, responses, folds, 25)
    assert_same(predictions, by_sklearn(wide, responses, folds, 4), responses)


def test_responses_that_are_explained_entirely_need_no_further_components():
    features, responses, folds = made(4, 60, 6, 3, noise=0.0)
    predictions = pls_predictions(features @ features.T, responses, folds, 25)
    assert_same(predictions, responses, responses, 1e-9)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scales_of_features_and_responses_pass_through(scale):
    features, responses, folds = made(5, 50, 80, 6)
    gram = features @ features.T
    predictions = pls_predictions(gram, responses, folds, 10)
    np.testing.assert_allclose(pls_predictions(gram * scale**2, responses, folds, 10), predictions, rtol=1e-8)
    np.testing.assert_allclose(pls_predictions(gram, responses * scale, folds, 10), predictions * scale, rtol=1e-8)


@pytest.mark.parametrize("level", [0.1, -7e12])
def test_a_constant_target_is_predicted_to_be_its_mean_and_changes_no_other(level):
    features, responses, folds = made(6, 40, 30, 3)
    gram = features @ features.T
    alone = pls_predictions(gram, responses, folds, 5)
    predictions = pls_predictions(gram, np.column_stack([np.full(40, level), responses]), folds, 5)
    np.testing.assert_allclose(predictions[:, 0], level, rtol=1e-14)
    np.testing.assert_allclose(predictions[:, 1:], alone, rtol=1e-9)
    np.testing.assert_allclose(pls_predictions(gram, np.full((40, 1), level), folds, 5), level, rtol=1e-14)


@pytest.mark.parametrize("gram", [np.zeros((20, 20)), np.full((20, 20), 3.0)], ids=["zero", "all alike"])
def test_features_that_do_not_vary_predict_the_mean_of_the_training_part(gram):
    rng = np.random.default_rng(7)
    responses, folds = rng.normal(size=(20, 2)), np.array_split(np.arange(20), 4)
    predictions = pls_predictions(gram, responses, folds, 3)
    for fold in folds:
        np.testing.assert_allclose(
            predictions[fold], np.delete(responses, fold, axis=0).mean(axis=0)[None].repeat(5, 0)
        )


def test_splits_need_be_no_partition():
    features, responses, _ = made(8, 60, 90, 4)
    gram = features @ features.T
    rng = np.random.default_rng(8)
    for _ in range(3):
        order = rng.permutation(60)
        training, test = order[:40], order[50:]
        model = PLSRegression(6, scale=False, tol=1e-22, max_iter=100_000)
        expected = model.fit(features[training], responses[training]).predict(features[test])
        assert_same(pls_fit_predict(gram, responses, training, test, 6), expected, responses)


def test_equal_predictions_whatever_the_order_of_stimuli_and_targets():
    features, responses, folds = made(9, 40, 50, 5)
    gram = features @ features.T
    rng = np.random.default_rng(9)
    order, targets = rng.permutation(40), rng.permutation(5)
    place = np.argsort(order)
    moved = pls_predictions(
        gram[np.ix_(order, order)], responses[np.ix_(order, targets)], [place[fold] for fold in folds], 6
    )
    np.testing.assert_allclose(
        moved, pls_predictions(gram, responses, folds, 6)[np.ix_(order, targets)], rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"gram": np.eye(5)}, r"gram has shape \(5, 5\); .* must be \(12, 12\)"),
        (lambda a: a | {"gram": np.full((12, 12), np.inf)}, "gram has values that are not finite"),
        (lambda a: a | {"responses": np.array([[1.0, np.nan]] * 12)}, "responses of target 1 are not all finite"),
        (lambda a: a | {"folds": [np.arange(6), np.arange(5, 12)]}, "each of the 12 stimuli at most once"),
        (lambda a: a | {"n_components": 0}, "at least one component is needed, got 0"),
    ],
)
def test_wrong_input_is_named(change, message):
    arguments = {
        "gram": np.eye(12),
        "responses": np.ones((12, 2)),
        "folds": [np.arange(6), np.arange(6, 12)],
        "n_components": 2,
    }
    with pytest.raises(ValueError, match=message):
        pls_predictions(**change(arguments))


def test_no_division_by_zero():
    features, responses, folds = made(10, 30, 3, 2, noise=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pls_predictions(features @ features.T, responses, folds, 25)
