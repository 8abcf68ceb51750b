"""Dissimilarities from Gram matrices against NumPy and SciPy, and their comparison against SciPy and rsatoolbox."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, rankdata, spearmanr

from ventral.grams.recorded import representation_of
from ventral.mappings.rsa import (
    agreement_with_majorities,
    comparable,
    compare,
    correlation_distances,
    cosine_distances,
    euclidean_distances,
    matrix_of_pairs,
    standardised_ranks,
    subject_ceilings,
    tau_a,
)
from ventral.recordings.matrices import upper_triangle

N = 12
REFERENCE = {"spearman": spearmanr, "pearson": pearsonr}

# What rsatoolbox 0.3.2 gives for `worked_example`: calc_rdm(method=distance), compare(method='spearman', 'corr',
# 'tau-a') with the correlation distances of four subjects, and boot_noise_ceiling of these.
RSATOOLBOX_DISTANCES = {
    "correlation": [0.42482234159046683, 0.3519390387697269, 1.0888985141581404, 0.7747174760742357],
    "euclidean": [1.1409545049501173, 0.5690039450525841, 1.2780001204715878, 1.6344641498405288],
}
RSATOOLBOX_COMPARED = {
    ("correlation", "spearman"): [0.5155993431855501, 0.5303776683087028, 0.3858784893267653, 0.39354132457580737],
    ("correlation", "pearson"): [0.5082776087258012, 0.5498497762893072, 0.4502949313596578, 0.4200301305396829],
    ("correlation", "kendall"): [0.38095238095238093, 0.37037037037037035, 0.291005291005291, 0.2698412698412698],
    ("euclidean", "spearman"): [0.4017515051997811, 0.6639299397920089, 0.404488232074439, 0.4471811713191024],
    ("euclidean", "pearson"): [0.40559649165704126, 0.6683133325504095, 0.41307206575375504, 0.44730417335809647],
    ("euclidean", "kendall"): [0.2857142857142857, 0.5079365079365079, 0.291005291005291, 0.30158730158730157],
}
RSATOOLBOX_CEILING = {
    "spearman": (0.6753710261830668, 0.8072553726601769),
    "pearson": (0.6687029408250326, 0.8175202254580027),
    "kendall": (0.5277777777777778, 0.6481481481481481),
}


def worked_example():
    rng = np.random.default_rng(2014)
    features = rng.normal(size=(8, 12)) + 0.5
    return features, rng.normal(size=(4, 8, 5)) + 2 * features[:, :5]


def distances_of(features):
    return correlation_distances(features @ features.T, features.sum(axis=1), features.shape[1])


@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1.0, 1e6, 1e100])
@pytest.mark.parametrize("n_features", [2, 3, 50, 5000])
def test_distances_from_inner_products_are_those_of_the_features(n_features, scale):
    features = np.random.default_rng(n_features).normal(size=(N, n_features)) + 0.5
    np.testing.assert_allclose(distances_of(scale * features), 1 - np.corrcoef(features), atol=1e-10)


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_cosine_and_euclidean_distances_are_those_of_scipy(scale):
    features = scale * (np.random.default_rng(0).normal(size=(N, 30)) + 0.5)
    gram = features @ features.T
    np.testing.assert_allclose(squareform(cosine_distances(gram)), pdist(features, "cosine"), atol=1e-14)
    expected = pdist(features, "sqeuclidean") / 30
    np.testing.assert_allclose(squareform(euclidean_distances(gram, 30)), expected, rtol=1e-12)
    np.testing.assert_allclose(representation_of(features).dissimilarities("euclidean"), expected, rtol=1e-9)


def test_distances_stay_right_where_the_mean_is_large():
    features = np.random.default_rng(0).normal(size=(N, 300)) + 100
    np.testing.assert_allclose(distances_of(features), 1 - np.corrcoef(features), atol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 0.1, 1e-8, 12345.678])
def test_stimuli_whose_features_are_all_the_same_have_no_distance(value):
    features = np.random.default_rng(0).normal(size=(N, 40))
    features[[2, 5]] = value
    distances = distances_of(features)
    undefined = np.isin(np.arange(N), [2, 5])
    np.testing.assert_array_equal(np.isnan(distances), undefined[:, None] | undefined)
    pairs = representation_of(features).dissimilarities("correlation")
    for comparison in ("spearman", "pearson", "kendall"):
        measured = comparable(np.arange(len(pairs), dtype=float)[None], comparison)
        assert np.isnan(compare(comparable(pairs, comparison), measured, comparison)).all()


@pytest.mark.filterwarnings("error")
def test_a_single_feature_has_no_correlation_but_an_angle_and_a_distance():
    features = np.random.default_rng(0).normal(size=(N, 1))
    assert np.isnan(distances_of(features)).all()
    assert set(representation_of(features).dissimilarities("cosine")) == {0.0, 2.0}
    np.testing.assert_allclose(
        representation_of(features).dissimilarities("euclidean"), pdist(features) ** 2, atol=1e-9
    )


@pytest.mark.filterwarnings("error")
def test_no_features_but_zeros_have_no_angle_and_equal_distances():
    zeros = representation_of(np.zeros((N, 4)))
    assert np.isnan(zeros.dissimilarities("cosine")).all()
    assert np.isnan(comparable(zeros.dissimilarities("euclidean"), "pearson")).all()


@pytest.mark.parametrize("distance", RSATOOLBOX_DISTANCES)
def test_distances_are_those_of_rsatoolbox(distance):
    features, _ = worked_example()
    found = representation_of(features).dissimilarities(distance)
    np.testing.assert_allclose(found[:4], RSATOOLBOX_DISTANCES[distance], atol=1e-9)


@pytest.mark.parametrize(("distance", "comparison"), RSATOOLBOX_COMPARED)
def test_comparisons_are_those_of_rsatoolbox(distance, comparison):
    features, subjects = worked_example()
    measured = np.stack([representation_of(subject).dissimilarities("correlation") for subject in subjects])
    layer = comparable(representation_of(features).dissimilarities(distance), comparison)
    found = compare(layer, comparable(measured, comparison), comparison)
    np.testing.assert_allclose(found, RSATOOLBOX_COMPARED[distance, comparison], atol=1e-9)


@pytest.mark.parametrize("comparison", RSATOOLBOX_CEILING)
def test_noise_ceiling_over_subjects_is_that_of_rsatoolbox(comparison):
    _, subjects = worked_example()
    measured = np.stack([representation_of(subject).dissimilarities("correlation") for subject in subjects])
    low, high = (values.mean() for values in subject_ceilings(comparable(measured, comparison), comparison))
    assert low == pytest.approx(RSATOOLBOX_CEILING[comparison][0], abs=1e-9)
    if comparison == "kendall":
        # Its upper end is the agreement with the mean of ranks, which is none.
        assert high >= RSATOOLBOX_CEILING[comparison][1]
    else:
        assert high == pytest.approx(RSATOOLBOX_CEILING[comparison][1], abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_no_ranking_agrees_better_than_the_upper_ceiling(seed):
    """All 720 rankings of six values, of which the mean of ranks is not always the one that agrees best by tau-a."""
    measured = np.random.default_rng(seed).normal(size=(5, 6)) + np.linspace(0, 1, 6)
    rankings = np.array(list(permutations(np.arange(6.0))))
    for comparison in ("spearman", "kendall"):
        ranks = comparable(measured, comparison)
        each = [compare(row, ranks, comparison).mean() for row in comparable(rankings, comparison)]
        assert max(each) <= subject_ceilings(ranks, comparison)[1].mean() + 1e-12


def test_the_mean_of_ranks_is_not_the_ranking_that_agrees_best_by_tau_a():
    measured = np.array([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3, 0], [1, 2, 3, 0.0]])
    mean = measured.argsort(axis=1).argsort(axis=1).mean(axis=0)
    of_mean, of_first = (np.mean([tau_a(values, row) for row in measured]) for values in (mean, measured[0]))
    assert of_mean < of_first
    ranks = comparable(measured, "kendall")
    assert subject_ceilings(ranks, "kendall")[1].mean() == pytest.approx(of_first)


def test_agreement_with_majorities_counts_pairs_of_pairs():
    measured = np.random.default_rng(0).integers(0, 5, size=(4, 9)).astype(float)
    expected = np.zeros(4)
    for i in range(9):
        for j in range(i):
            signs = np.sign(measured[:, i] - measured[:, j])
            expected += signs * np.sign(signs.sum())
    np.testing.assert_allclose(agreement_with_majorities(measured), expected / 36)


def test_noise_ceiling_of_a_subject_is_its_correlation_with_the_mean_of_others_and_of_all():
    measured = np.random.default_rng(0).normal(size=(5, 66)) + np.linspace(0, 4, 66)
    low, high = subject_ceilings(comparable(measured, "pearson"), "pearson")
    scaled = (measured - measured.mean(axis=1, keepdims=True)) / measured.std(axis=1, keepdims=True)
    others = [np.delete(scaled, k, axis=0).mean(axis=0) for k in range(5)]
    np.testing.assert_allclose(low, [pearsonr(*pair).statistic for pair in zip(measured, others, strict=True)])
    np.testing.assert_allclose(high, [pearsonr(row, scaled.mean(axis=0)).statistic for row in measured])
    assert (low < high).all()


def test_a_single_subject_has_no_noise_ceiling():
    assert np.isnan(subject_ceilings(comparable(np.arange(6.0)[None], "spearman"), "spearman")).all()


@given(n_values=st.integers(2, 6), seed=st.integers(0, 99))
def test_comparisons_are_those_of_scipy_whatever_the_ties(n_values, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, n_values, (3, 40)).astype(float)
    b = a[0] + rng.integers(0, n_values, 40)
    for comparison, reference in REFERENCE.items():
        found = compare(comparable(b, comparison), comparable(a, comparison), comparison)
        np.testing.assert_allclose(found, [reference(row, b).statistic for row in a], atol=1e-12)


@given(n_values=st.integers(2, 40), n=st.integers(2, 30), seed=st.integers(0, 99))
def test_tau_a_counts_pairs_of_pairs(n_values, n, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, n_values, (2, n)).astype(float)
    concordance = sum(np.sign((x[i] - x[j]) * (y[i] - y[j])) for i in range(n) for j in range(i))
    varies = np.ptp(x) > 0 and np.ptp(y) > 0
    np.testing.assert_allclose(tau_a(x, y), concordance / (n * (n - 1) / 2) if varies else np.nan, atol=1e-15)


def test_tau_a_of_as_many_pairs_as_640_stimuli_have():
    """Counted from 80 x 80 cells, by which the values are tied."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 80, (2, 640 * 639 // 2))
    y = (x + y) // 2
    table = np.histogram2d(x, y, bins=[np.arange(81), np.arange(81)])[0]
    below = np.cumsum(np.cumsum(np.pad(table, ((1, 0), (1, 0)))[:-1, :-1], axis=0), axis=1)
    above = np.cumsum(np.cumsum(np.pad(table, ((1, 0), (0, 1)))[:-1, 1:][:, ::-1], axis=0), axis=1)[:, ::-1]
    expected = (table * (below - above)).sum() / (len(x) * (len(x) - 1) / 2)
    assert tau_a(x.astype(float), y.astype(float)) == pytest.approx(expected, abs=1e-14)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("comparison", ["spearman", "pearson", "kendall"])
def test_what_is_the_same_for_every_pair_has_no_correlation(comparison):
    assert np.isnan(comparable(np.full(6, 0.3), comparison)).all()
    assert np.isnan(comparable(np.array([0.1, np.nan, 0.3]), comparison)).all()
    same, rising = comparable(np.stack([np.full(6, 0.3), np.arange(6.0)]), comparison)
    np.testing.assert_array_equal(compare(rising, np.stack([same, rising]), comparison).round(12), [np.nan, 1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_correlation_of_very_large_and_small_values(scale):
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    found = compare(comparable(scale * x, "pearson"), comparable(y[None], "pearson"), "pearson")
    np.testing.assert_allclose(found, pearsonr(x, y).statistic)


def test_rounding_does_not_rank_pairs_that_are_equally_dissimilar():
    """Of two features, every r is 1 or -1, and computed as such to the last bit or not."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 2))
    measured = rng.normal(size=N * (N - 1) // 2)
    rises = features[:, 1] > features[:, 0]
    exact = upper_triangle((rises[:, None] != rises) * 2.0)
    layer = standardised_ranks(representation_of(features).dissimilarities("correlation"))
    found = compare(layer, standardised_ranks(measured[None]), "spearman")
    np.testing.assert_allclose(found, spearmanr(exact, measured).statistic, atol=1e-12)


@given(st.permutations(range(N)))
def test_comparisons_do_not_depend_on_the_order_of_the_stimuli(order):
    rng = np.random.default_rng(0)
    features, measured = rng.normal(size=(N, 20)), squareform(pdist(rng.normal(size=(N, 2))).round(1))

    def compared(rows):
        layer = standardised_ranks(representation_of(features[rows]).dissimilarities("correlation"))
        return compare(layer, standardised_ranks(upper_triangle(measured[np.ix_(rows, rows)])[None]), "spearman")

    np.testing.assert_allclose(compared(order), compared(np.arange(N)), atol=1e-12)


def test_a_matrix_is_made_of_its_pairs_again():
    pairs = np.random.default_rng(0).normal(size=28)
    np.testing.assert_array_equal(matrix_of_pairs(pairs), squareform(pairs))
    np.testing.assert_array_equal(matrix_of_pairs(pairs[:1]), [[0, pairs[0]], [pairs[0], 0]])


def test_ranks_are_those_of_scipy_and_ties_are_averaged():
    values = np.random.default_rng(0).normal(size=(2, 40)).round(1)
    values[1, 3] = np.nan
    ranks = standardised_ranks(values)
    expected = rankdata(values[0]) - 20.5
    np.testing.assert_allclose(ranks[0], expected / np.linalg.norm(expected), rtol=1e-14)
    assert len(np.unique(values[0])) < 40
    assert np.isnan(ranks[1]).all()
