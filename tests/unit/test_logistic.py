"""Logistic readouts from Gram matrices against scikit-learn on features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ventral.mappings.logistic import COSTS, label_probabilities

LABELS = np.repeat(["boat", "car", "dog"], 12)
N = len(LABELS)
FOLDS = [np.arange(first, N, 4) for first in range(4)]


def features(separation: float, n_features: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    means = dict(zip(np.unique(LABELS), separation * rng.normal(size=(3, n_features)), strict=True))
    return 5 + np.array([means[label] for label in LABELS]) + rng.normal(size=(N, n_features))


def test_probabilities_are_those_of_a_fit_on_features():
    x = features(1.0)
    probabilities, costs = label_probabilities(x @ x.T, LABELS, FOLDS)
    scaled = x - x.mean(axis=0)
    scaled /= np.sqrt(np.square(scaled).sum(axis=1).mean())
    for fold, cost in zip(FOLDS, costs, strict=True):
        rest = np.delete(np.arange(N), fold)
        fitted = LogisticRegression(C=cost, tol=1e-8, max_iter=5000).fit(scaled[rest], LABELS[rest])
        np.testing.assert_allclose(probabilities[fold], fitted.predict_proba(scaled[fold]), atol=2e-2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_costs_follow_the_separation_of_labels():
    costs = [label_probabilities(x @ x.T, LABELS, FOLDS)[1] for x in (features(0.0), features(5.0))]
    assert (costs[0] < costs[1]).all()
    assert set(costs[1]) <= set(COSTS)


def test_held_out_labels_do_not_count():
    x = features(1.0)
    changed = LABELS.copy()
    changed[FOLDS[0]] = np.roll(changed[FOLDS[0]], 3)
    one, other = (label_probabilities(x @ x.T, labels, FOLDS)[0] for labels in (LABELS, changed))
    np.testing.assert_array_equal(one[FOLDS[0]], other[FOLDS[0]])
    assert not np.allclose(one[FOLDS[1]], other[FOLDS[1]])


def test_features_that_do_not_differ_have_no_probabilities():
    probabilities, costs = label_probabilities(np.ones((N, N)), LABELS, FOLDS)
    assert np.isnan(probabilities).all()
    assert np.isnan(costs).all()


@pytest.mark.parametrize("n_of_dog", [1, 2])
def test_a_label_of_few_stimuli_is_read(n_of_dog):
    labels = np.array(["boat"] * 12 + ["car"] * 12 + ["dog"] * n_of_dog)
    x = np.random.default_rng(1).normal(size=(len(labels), 4))
    probabilities, _ = label_probabilities(x @ x.T, labels, [np.arange(0, 12, 2), np.arange(12, 24, 2)])
    assert np.isfinite(probabilities[:24:2]).all()
