"""Influences of stimuli on RSA and CKA against derivatives by their weights, and against the jackknife."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from benchmarks.null_experiments import compared_matrices, decided_share
from ventral.mappings.cka import linear_cka, unit_centred_gram
from ventral.mappings.rsa import comparable, compare
from ventral.statistics.contrasts import contrast
from ventral.statistics.matrix_influence import (
    cka_influences,
    deleted_groups,
    jackknifed_influences,
    matrix_estimates,
    rsa_influences,
)

N = 14


def features(seed, n=N):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 5))
    return [shared + rng.normal(size=shared.shape) for _ in range(2)]


def weighted_r(values, weights, comparison):
    """The correlation of pairs i, j that count w_i w_j times, no stimulus paired with itself."""
    of_pairs = squareform(np.outer(weights, weights), checks=False)
    if comparison == "spearman":
        values = [((x[:, None] > x) + (x[:, None] == x) / 2) @ of_pairs for x in values]
    x, y = (each - np.average(each, weights=of_pairs) for each in values)
    return (of_pairs * x) @ y / np.sqrt((of_pairs * x) @ x * ((of_pairs * y) @ y))


def derivatives(function, n, step=1e-5):
    weights = np.ones(n) + step * np.concatenate([np.eye(n), -np.eye(n)])
    values = np.array([function(w) for w in weights])
    return (values[:n] - values[n:]) / (2 * step)


@pytest.mark.parametrize("comparison", ["pearson", "spearman"])
@pytest.mark.parametrize("decimals", [10, 1])
def test_rsa_influences_are_derivatives(comparison, decimals):
    values = [np.round(pdist(part), decimals) for part in features(1)]
    r, influences = rsa_influences(*values, comparison)
    prepared = [comparable(part, comparison) for part in values]
    assert r == pytest.approx(compare(prepared[0], prepared[1][None], comparison)[0])
    expected = derivatives(lambda weights: weighted_r(values, weights, comparison), N)
    np.testing.assert_allclose(influences, expected * np.sqrt(N / (N - 2)), atol=1e-8)


def weighted_cka(grams, weights):
    """Biased CKA of stimuli that count w_i times."""
    centring = np.eye(len(weights)) - np.outer(np.ones(len(weights)), weights / weights.sum())
    first, second = (np.sqrt(np.outer(weights, weights)) * (centring @ gram @ centring.T) for gram in grams)
    return np.vdot(first, second) / np.linalg.norm(first) / np.linalg.norm(second)


def test_cka_influences_are_derivatives():
    grams = [part @ part.T for part in features(2)]
    prepared = [unit_centred_gram(gram, "biased") for gram in grams]
    value, influences = cka_influences(*prepared)
    assert value == pytest.approx(linear_cka(*prepared))
    expected = derivatives(lambda weights: weighted_cka(grams, weights), N)
    np.testing.assert_allclose(influences, expected * np.sqrt(N / (N - 2)), atol=1e-8)


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "debiased"])
def test_variances_are_those_of_the_jackknife(comparison):
    n = 60
    parts = features(4, n)

    def estimate(rows):
        if comparison == "debiased":
            return cka_influences(*(unit_centred_gram(part[rows] @ part[rows].T, comparison) for part in parts))
        return rsa_influences(*(pdist(part[rows]) for part in parts), comparison)

    jackknifed = jackknifed_influences(np.array([estimate(rows)[0] for rows in deleted_groups(n, n, seed=0)]))
    influences = estimate(np.arange(n))[1]
    assert (influences**2).sum() == pytest.approx((jackknifed**2).sum(), rel=0.12)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(5).normal(size=24)
    means = np.array([values[rows].mean() for rows in deleted_groups(24, 24, seed=0)])
    assert (jackknifed_influences(means) ** 2).sum() == pytest.approx(values.var(ddof=1) / 24)
    kept = deleted_groups(24, 6, seed=1)
    assert sorted(np.concatenate([np.setdiff1d(np.arange(24), rows) for rows in kept])) == list(range(24))


def test_subjects_are_units_where_there_are_some():
    parts = [features(seed) for seed in range(4)]
    layers = [[rsa_influences(pdist(pair[k]), pdist(parts[0][0]), "pearson") for pair in parts] for k in range(2)]
    found = matrix_estimates(layers)
    values = np.array([[value for value, _ in subjects] for subjects in layers])
    np.testing.assert_allclose(found.theta, values.mean(axis=1))
    np.testing.assert_allclose((found.neurons**2).sum(axis=1), values.var(axis=1, ddof=1) / 4)
    assert contrast(found, [0], [1], seed=0).degrees_of_freedom == 3
    assert matrix_estimates([subjects[:1] for subjects in layers]).degrees_of_freedom == N - 1


@pytest.mark.parametrize("experiment", [compared_matrices("spearman", 25), compared_matrices("pearson", 40, 3)])
def test_where_nothing_is_there_little_is_decided(experiment):
    shares = decided_share(experiment, 150, seed=1)
    assert shares["holds_after"] + shares["fails_after"] <= 14 / 150
