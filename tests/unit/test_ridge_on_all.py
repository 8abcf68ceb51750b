"""Ridge regression on all stimuli is scikit-learn's, at the penalty that brute force finds."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ventral.mappings.ridge_on_all import ridge_on_all

PENALTIES = [0.1, 3.0, 100.0]


def data(p: int, n: int = 30, targets: int = 6):
    """Features (n, p) away from 0, responses of which some are noise, and folds."""
    rng = np.random.default_rng(p)
    features = rng.normal(size=(n, p)) + 5
    noise = np.linspace(0.1, 20, targets)
    responses = features @ rng.normal(size=(p, targets)) + noise * rng.normal(size=(n, targets)) + 3
    return features, responses, [np.arange(k, n, 5) for k in range(5)]


def brute_force(features, responses, folds):
    """The sum of squared errors (penalties, targets) of refits."""
    squares = np.zeros((len(PENALTIES), responses.shape[1]))
    for m, penalty in enumerate(PENALTIES):
        for fold in folds:
            training = np.setdiff1d(np.arange(len(features)), fold)
            fit = Ridge(alpha=penalty, solver="svd").fit(features[training], responses[training])
            squares[m] += np.square(responses[fold] - fit.predict(features[fold])).sum(axis=0)
    return squares


@pytest.mark.parametrize("p", [4, 70])
def test_weights_and_penalties_are_those_of_scikit_learn(p):
    features, responses, folds = data(p)
    fit = ridge_on_all(features @ features.T, responses, folds, PENALTIES)
    chosen = brute_force(features, responses, folds).argmin(axis=0)
    assert len(set(chosen)) > 1
    np.testing.assert_array_equal(fit.candidate, chosen)
    for target, penalty in enumerate(fit.penalty):
        assert penalty == PENALTIES[chosen[target]]
        expected = Ridge(alpha=penalty, solver="svd").fit(features, responses[:, target])
        np.testing.assert_allclose(features.T @ fit.coefficients[:, target], expected.coef_, atol=1e-9)


def test_coefficients_sum_to_zero_whatever_the_features_mean():
    features, responses, folds = data(70)
    fits = [ridge_on_all((features + shift) @ (features + shift).T, responses, folds, PENALTIES) for shift in (0, 9)]
    np.testing.assert_allclose(fits[0].coefficients.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(fits[0].coefficients, fits[1].coefficients, atol=1e-9)


def test_features_that_do_not_vary_predict_the_mean():
    features, responses, folds = np.ones((30, 3)), *data(3)[1:]
    fit = ridge_on_all(features @ features.T, responses, folds, PENALTIES)
    np.testing.assert_allclose(features.T @ fit.coefficients, 0, atol=1e-12)


def test_arguments_that_do_not_fit_are_refused():
    features, responses, folds = data(4)
    with pytest.raises(ValueError, match=r"gram must be finite, with shape \(30, 30\)"):
        ridge_on_all(features, responses, folds, PENALTIES)
    with pytest.raises(ValueError, match="exactly once"):
        ridge_on_all(features @ features.T, responses, folds[:4], PENALTIES)
