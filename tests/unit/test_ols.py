import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from ventral.mappings.ols import NotDefinedError, ols_predictions


def made(seed=0, n=40, p=8, n_targets=5):
    rng = np.random.default_rng(seed)
    features = 4 + rng.normal(size=(n, p))
    return (
        features,
        features @ rng.normal(size=(p, n_targets)) + rng.normal(size=(n, n_targets)),
        np.array_split(rng.permutation(n), 4),
    )


def by_sklearn(features, responses, folds):
    predictions = np.empty_like(responses)
    for fold in folds:
        training = np.setdiff1d(np.arange(len(features)), fold)
        predictions[fold] = LinearRegression().fit(features[training], responses[training]).predict(features[fold])
    return predictions


@pytest.mark.parametrize("p", [1, 8, 29])
def test_equals_scikit_learn(p):
    features, responses, folds = made(p=p)
    np.testing.assert_allclose(
        ols_predictions(features, responses, folds), by_sklearn(features, responses, folds), rtol=1e-8, atol=1e-8
    )


def test_features_of_very_different_scales_are_all_used():
    features, responses, folds = made(1)
    scales = 10.0 ** np.linspace(-12, 12, 8)
    np.testing.assert_allclose(
        ols_predictions(features * scales, responses, folds), ols_predictions(features, responses, folds), rtol=1e-8
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_that_repeat_others_on_all_stimuli_change_no_prediction(dtype):
    features, responses, folds = made(2)
    features = features.astype(dtype)
    repeated = np.column_stack([features[:, 0] + features[:, 1], features, np.full(40, 7), features[:, 3]]).astype(
        dtype
    )
    np.testing.assert_allclose(
        ols_predictions(repeated, responses, folds), ols_predictions(features, responses, folds), rtol=1e-4, atol=1e-4
    )


def test_a_feature_that_varies_on_held_out_stimuli_alone_leaves_them_undetermined():
    features, responses, folds = made(3)
    features[:, 2] = 0
    features[folds[1][0], 2] = 1
    with pytest.raises(NotDefinedError, match="the 8 features have rank 7 on 30 training stimuli"):
        ols_predictions(features, responses, folds)


@pytest.mark.parametrize("p", [30, 100])
def test_as_many_features_as_training_stimuli_are_too_many(p):
    features, responses, folds = made(p=p)
    with pytest.raises(NotDefinedError, match=rf"{p} features, 30 stimuli"):
        ols_predictions(features, responses, folds)


def test_features_that_do_not_vary_predict_the_mean_of_the_training_part():
    _, responses, folds = made(4)
    predictions = ols_predictions(np.full((40, 3), 0.1), responses, folds)
    for fold in folds:
        np.testing.assert_allclose(
            predictions[fold], np.delete(responses, fold, axis=0).mean(axis=0)[None].repeat(10, 0)
        )
