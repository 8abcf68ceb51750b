"""Participation ratios against eigenvalues, and with noise against what they are without."""

import tracemalloc

import numpy as np
import pytest

from ventral.mappings.dimensionality import dimensionality_of_signal, effective_dimensionality, signal_traces
from ventral.scores.prediction import penalty_scale


@pytest.mark.parametrize(("n", "p"), [(20, 5), (20, 300), (5, 1)])
@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_it_is_the_participation_ratio_of_the_variances(n, p, scale):
    features = np.random.default_rng(0).normal(size=(n, p)) * np.linspace(1, 5, p) + 10
    variances = np.linalg.svd(features - features.mean(axis=0), compute_uv=False) ** 2
    found = effective_dimensionality(scale * features @ (scale * features).T)
    assert found == pytest.approx(variances.sum() ** 2 / (variances**2).sum(), rel=1e-9)


def test_the_matrix_is_not_copied():
    gram = np.eye(2000)
    tracemalloc.start()
    assert effective_dimensionality(gram) == pytest.approx(1999)
    assert penalty_scale(gram) == pytest.approx(1999 / 2000)
    assert tracemalloc.get_traced_memory()[1] < gram.nbytes / 2
    tracemalloc.stop()


def test_of_equal_variances_it_is_their_number():
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 6)) - 1)[0]
    directions = np.linalg.qr(directions - directions.mean(axis=0))[0]
    assert effective_dimensionality(directions @ directions.T) == pytest.approx(6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 0.1, 1e200])
def test_features_that_do_not_vary_have_none(value):
    features = np.full((5, 3), value / 1e100)
    assert np.isnan(effective_dimensionality(features @ features.T))


def test_without_noise_halves_give_what_means_give():
    features = np.random.default_rng(0).normal(size=(20, 6))
    expected = effective_dimensionality(features @ features.T)
    assert dimensionality_of_signal([signal_traces(features, features)] * 3) == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
def test_of_noise_alone_it_is_not_the_number_of_neuroids():
    halves = np.random.default_rng(2).normal(size=(40, 2, 30, 50))
    found = dimensionality_of_signal([signal_traces(*pair) for pair in halves])
    assert np.isnan(found) or found < 5


@pytest.mark.filterwarnings("error")
def test_without_splits_or_a_signal_there_is_none():
    assert np.isnan(dimensionality_of_signal([]))
    assert np.isnan(dimensionality_of_signal([signal_traces(np.zeros((5, 3)), np.zeros((5, 3)))]))
