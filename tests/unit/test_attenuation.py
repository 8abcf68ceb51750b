"""Attenuation of measured matrices: sums against loops over pairs, and the error against the jackknife."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from ventral.grams.recorded import representation_of
from ventral.mappings.attenuation import (
    MatrixReliability,
    centred_products,
    matrix_reliability,
    population_share,
    rank_reliability,
    similarities,
)
from ventral.mappings.cka import centred_off_diagonal, products_of_single_features, unit_centred_gram
from ventral.mappings.rsa import upper_triangle

N, P = 14, 6


def parts(seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(N, P))
    first, second = (signal + rng.normal(size=(N, P)) for _ in range(2))
    return first, second, (first + second) / 2


@pytest.mark.parametrize("distance", ["correlation", "cosine"])
def test_similarities_of_the_whole_are_one_less_its_distances(distance):
    _, _, whole = parts()
    expected = 1 - representation_of(whole).dissimilarities(distance)
    np.testing.assert_allclose(similarities(whole, whole, distance), expected, atol=1e-9)


def test_centred_products_are_what_debiased_cka_compares():
    _, _, whole = parts()
    found = centred_products(whole)
    expected = upper_triangle(unit_centred_gram(whole @ whole.T, "debiased"))
    np.testing.assert_allclose(found / np.linalg.norm(found), expected / np.linalg.norm(expected))


def test_products_of_single_features_are_those_of_their_matrices():
    first, second, _ = parts()
    matrices = [[centred_off_diagonal(np.outer(x, x)) for x in half.T] for half in (first, second)]
    expected = [np.vdot(*pair) for pair in zip(*matrices, strict=True)]
    np.testing.assert_allclose(products_of_single_features(first, second), expected)


def test_population_share_leaves_out_products_of_a_neuron_with_itself():
    first, second, whole = parts()
    matrices = [[centred_off_diagonal(np.outer(x, x)) for x in half.T] for half in (first, second)]
    pairs = [np.vdot(matrices[0][k], matrices[1][m]) for k in range(P) for m in range(P) if k != m]
    expected = np.mean(pairs) * P**2 / np.square(centred_off_diagonal(whole @ whole.T)).sum()
    assert population_share([(first, second, whole)]) == pytest.approx(expected)
    assert np.isnan(population_share([(whole[:, :1],) * 3]))


def test_reliability_of_several_splits_of_other_stimuli():
    rng = np.random.default_rng(1)
    rows = [np.arange(10), np.arange(3, N)]
    values = [rng.normal(size=(3, len(some) * (len(some) - 1) // 2)) for some in rows]
    found = matrix_reliability([(*each, some) for each, some in zip(values, rows, strict=True)], N)
    shared = sum(len(first) * np.cov(first, second, ddof=0)[0, 1] for first, second, _ in values)
    assert found.rho == pytest.approx(shared / sum(len(whole) * whole.var() for *_, whole in values))
    assert np.isnan(matrix_reliability([], N).rho)


def test_error_of_reliability_is_that_of_the_jackknife_over_stimuli():
    rng = np.random.default_rng(2)
    n = 60
    signal = rng.normal(size=(n, 20))
    first, second = (signal + rng.normal(size=(n, 20)) for _ in range(2))

    def estimate(rows):
        values = (centred_products(part[rows]) for part in (first, second, (first + second) / 2))
        return matrix_reliability([(*values, np.arange(len(rows)))], len(rows))

    whole = estimate(np.arange(n))
    deleted = np.array([estimate(np.delete(np.arange(n), k)).rho for k in range(n)])
    error = np.sqrt((n - 1) / n * np.square(deleted - deleted.mean()).sum())
    assert whole.standard_error * 2 * whole.rho == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_reliability_of_ranks_is_that_of_normal_values(rho):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=100_000)
    noisy = np.sqrt(rho) * signal + np.sqrt(1 - rho) * rng.normal(size=signal.shape)
    expected = spearmanr(signal, noisy).statistic ** 2
    assert rank_reliability(MatrixReliability(rho, 0.1)).rho == pytest.approx(expected, abs=0.01)
    assert rank_reliability(MatrixReliability(-rho, np.nan)).rho < 0
