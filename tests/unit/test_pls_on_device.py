"""Partial least squares in torch against that in NumPy, and what is not left to covary."""

import numpy as np
import pytest
import torch

from tests.unit.test_pls import made
from ventral.mappings.pls import pls_predictions
from ventral.mappings.pls_on_device import _dominant_direction, pls_predictions_on_device


def of_both(features, responses, folds, n_components):
    gram = features @ features.T
    found = pls_predictions_on_device(torch.from_numpy(gram), responses, folds, n_components)
    return found, pls_predictions(gram, responses, folds, n_components)


@pytest.mark.parametrize(
    ("n", "p", "n_targets", "n_components"),
    [(80, 300, 7, 25), (80, 20, 7, 20), (80, 20, 1, 8), (40, 60, 120, 12), (30, 1, 4, 1), (150, 400, 60, 25)],
)
def test_equals_numpy(n, p, n_targets, n_components):
    features, responses, folds = made(0, n, p, n_targets)
    found, expected = of_both(features, responses, folds, n_components)
    assert np.abs((found - expected) / responses.std(axis=0)).max() < 1e-8


def test_fewer_components_than_asked_for_are_no_others_than_there_are():
    features, responses, folds = made(1, 60, 4, 6)
    found, expected = of_both(features, responses, folds, 9)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_constant_targets_and_features_are_predicted_by_their_mean():
    features, responses, folds = made(2, 40, 12, 3)
    responses[:, 1] = 2.5
    found, expected = of_both(features, responses, folds, 5)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    np.testing.assert_allclose(found[:, 1], 2.5)
    found, expected = of_both(np.ones((40, 12)), responses, folds, 5)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_rows_in_no_fold_are_fitted_and_not_predicted():
    features, responses, folds = made(3, 60, 30, 4)
    found, expected = of_both(features, responses, folds[:1], 5)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found[folds[0]], expected[folds[0]], atol=1e-8)


def test_close_eigenvalues_are_told_apart():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))[0]
    values = np.r_[1, 1 - 1e-6, np.linspace(0, 0.9, 48)]
    direction = _dominant_direction(torch.from_numpy(basis @ np.diag(values) @ basis.T)).numpy()
    assert abs(direction @ basis[:, 0]) == pytest.approx(1, abs=1e-12)
    assert abs(direction @ basis[:, 1]) < 1e-8
    assert not _dominant_direction(torch.zeros(3, 3, dtype=torch.float64)).any()
