"""Linear CKA against its definition by HSIC, and against features of which the answer is known."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from ventral.mappings.cka import gram_of_dissimilarities, linear_cka, unit_centred_gram


def cka(x, y, comparison):
    return linear_cka(unit_centred_gram(x @ x.T, comparison), unit_centred_gram(y @ y.T, comparison))


def unbiased_hsic(first, second):
    """Song et al. 2012, equation 5, literally."""
    n = len(first)
    k, m = first * (1 - np.eye(n)), second * (1 - np.eye(n))
    one = np.ones(n)
    terms = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * one @ k @ m @ one
    return terms / (n * (n - 3))


def features(seed=0, n=15):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 8)) + 3
    return x, x[:, :3] @ rng.normal(size=(3, 20)) + rng.normal(size=(n, 20))


def test_biased_is_that_of_kornblith_et_al_by_features():
    x, y = features()
    x_centred, y_centred = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.norm(y_centred.T @ x_centred) ** 2 / (
        np.linalg.norm(x_centred.T @ x_centred) * np.linalg.norm(y_centred.T @ y_centred)
    )
    assert cka(x, y, "biased") == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("n", [4, 5, 15])
def test_debiased_is_that_of_the_unbiased_hsic(n):
    x, y = features(n=n)
    hsic = [unbiased_hsic(a @ a.T, b @ b.T) for a, b in ((x, y), (x, x), (y, y))]
    assert cka(x, y, "debiased") == pytest.approx(hsic[0] / np.sqrt(hsic[1] * hsic[2]), abs=1e-10)


def test_of_unrelated_features_only_the_debiased_is_about_zero():
    """Averaged over draws, with fewer stimuli than features."""
    draws = [np.random.default_rng(seed).normal(size=(2, 20, 200)) for seed in range(30)]
    assert np.mean([cka(x, y, "biased") for x, y in draws]) > 0.8
    assert np.mean([cka(x, y, "debiased") for x, y in draws]) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("comparison", ["biased", "debiased"])
@pytest.mark.parametrize("scale", [1e-100, 1e-12, 1e12, 1e100])
def test_rotation_translation_and_scale_of_features_change_nothing(comparison, scale):
    x, y = features()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    expected = cka(x, y, comparison)
    assert cka(scale * (x @ rotation + 1), y, comparison) == pytest.approx(expected, abs=1e-11)
    assert cka(x, x, comparison) == pytest.approx(1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("comparison", ["biased", "debiased"])
@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
def test_features_that_do_not_vary_have_none(comparison, value):
    x, _ = features()
    assert np.isnan(cka(np.full((15, 7), value), x, comparison))


@pytest.mark.filterwarnings("error")
def test_three_stimuli_are_too_few_for_the_debiased():
    x, y = features(n=3)
    assert np.isnan(cka(x, y, "debiased"))
    assert np.isfinite(cka(x, y, "biased"))


@pytest.mark.parametrize("comparison", ["biased", "debiased"])
def test_a_single_feature_has_one(comparison):
    x, _ = features()
    assert cka(x[:, :1], 2 - x[:, :1], comparison) == pytest.approx(1)


def test_squared_distances_give_the_centred_gram_matrix():
    x, _ = features()
    x_centred = x - x.mean(axis=0)
    found = gram_of_dissimilarities(squareform(pdist(x, "sqeuclidean")))
    np.testing.assert_allclose(found, x_centred @ x_centred.T, atol=1e-12)


@pytest.mark.parametrize("comparison", ["biased", "debiased"])
def test_correlation_distances_give_the_gram_matrix_of_standardised_vectors(comparison):
    x, y = features()
    standard = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    gram = gram_of_dissimilarities(1 - np.corrcoef(x))
    found = linear_cka(unit_centred_gram(gram, comparison), unit_centred_gram(y @ y.T, comparison))
    assert found == pytest.approx(cka(standard, y, comparison), abs=1e-12)
