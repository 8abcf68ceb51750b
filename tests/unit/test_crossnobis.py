"""Crossnobis distances, whitened comparisons and the two-factor bootstrap, against rsatoolbox and known answers."""

import json

import numpy as np
import pytest
from scipy.special import stdtrit

from tests.unit.rsatoolbox_values import COMPARISONS, STORED, drawn, population, repeated, squared_distances
from tests.unit.synthetic_scores import matrix_table
from tests.unit.test_geometry import experiment, recording, score  # noqa: F401
from tests.unit.test_matrices import matrices, saved  # noqa: F401
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.grams.recorded import representation_of
from ventral.mappings.crossnobis import (
    complete_trials,
    crossvalidated_distances,
    residuals,
    shrunken_covariance,
    whitened_patterns,
)
from ventral.mappings.rsa import matrix_of_pairs, upper_triangle
from ventral.mappings.whitened import WHITENED, unit_whitened
from ventral.recordings.matrices import Matrices
from ventral.scores.geometry import (
    Comparison,
    check_repetitions,
    comparisons_of,
    geometries_of_matrices,
    geometries_of_neuroids,
    geometry_rows,
)
from ventral.statistics.matrix_influence import jackknifed_influences, stimulus_influences
from ventral.statistics.summaries import area_summary
from ventral.statistics.two_factor import Draws, drawn_similarity, draws_of, two_factor_error, two_factor_variance

VALUES = json.loads(STORED.read_text())
CROSSNOBIS = {"distances": ["crossnobis"], "comparisons": ["pearson", *WHITENED]}


@pytest.mark.parametrize("case", ["balanced", "unbalanced", "wide"])
def test_distances_and_noise_are_those_of_rsatoolbox(case):
    trials, expected = complete_trials(repeated(case)), VALUES["crossnobis"][case]
    np.testing.assert_allclose(shrunken_covariance(*residuals(trials)), expected["covariance"], rtol=1e-10)
    found = crossvalidated_distances(whitened_patterns(trials))
    np.testing.assert_allclose(found, expected["distances"], rtol=1e-8, atol=1e-10)


def test_distances_do_not_depend_on_units_of_neurons():
    trials = repeated("balanced")
    scaled = trials * np.array([1e-3, 1, 10, 200, 5]) + 7
    found, expected = (crossvalidated_distances(whitened_patterns(each)) for each in (scaled, trials))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_distances_of_equal_patterns_are_0_on_average():
    """Squared Euclidean distances of means would be 2 / 3 on average."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(100, 3, 60, 5))
    known = [crossvalidated_distances(trials) for trials in noise]
    estimated = [crossvalidated_distances(whitened_patterns(trials @ (np.eye(5) + 0.3))) for trials in noise]
    assert np.mean(known) == pytest.approx(0, abs=0.01)
    assert np.mean(estimated) == pytest.approx(0, abs=0.04)
    assert np.min(estimated) < -0.5


@pytest.mark.parametrize("n", [4, 9])
def test_whitened_comparisons_take_out_the_covariance_of_distances(n):
    contrasts = np.zeros((n * (n - 1) // 2, n))
    pairs = np.triu_indices(n, 1)
    contrasts[np.arange(len(contrasts)), pairs[0]], contrasts[np.arange(len(contrasts)), pairs[1]] = 1, -1
    covariance = np.square(contrasts @ contrasts.T)
    for name in WHITENED:
        d, e = (upper_triangle(matrix) for matrix in squared_distances(n, 2))
        if name == "whitened_correlation":
            d, e = d - d.mean(), e - e.mean()
        products = np.array([d, e]) @ np.linalg.solve(covariance, np.transpose([d, e]))
        found = np.vdot(*(unit_whitened(matrix, name) for matrix in squared_distances(n, 2)))
        assert found == pytest.approx(products[0, 1] / np.sqrt(products[0, 0] * products[1, 1]), abs=1e-12)


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_those_of_rsatoolbox_also_on_drawn_stimuli(name):
    layer, measured = squared_distances(9, 2)
    known = VALUES["compared"][name]
    assert drawn_similarity(layer, measured, np.arange(9), name) == pytest.approx(known["whole"], abs=1e-12)
    assert drawn_similarity(layer, measured, drawn(9, 1)[0][0], name) == pytest.approx(known["drawn"], abs=1e-12)
    assert known.get("solved", known["whole"]) == pytest.approx(known["whole"], abs=1e-6)


@pytest.mark.parametrize("name", COMPARISONS)
def test_errors_are_those_of_rsatoolbox_on_the_same_draws(name):
    layer, *subjects = squared_distances(10, 6)
    found = two_factor_error(layer, np.stack(subjects).__getitem__, name, Draws(*drawn(10, 5)))
    assert found == pytest.approx(VALUES["of_subjects"][name], rel=1e-8)
    means, features = population()
    distances = 1 - np.corrcoef(features)
    found = two_factor_error(
        distances, lambda units: 1 - np.corrcoef(means[:, units])[None], name, Draws(*drawn(*means.shape))
    )
    assert found == pytest.approx(VALUES["of_neurons"][name], rel=1e-8)


def test_a_variance_lies_between_those_of_one_factor_and_of_both():
    assert two_factor_variance(5.0, 2.0, 1.5, 10**9, 10**9) == pytest.approx(2 * (2 + 1.5) - 5)
    assert two_factor_variance(9.0, 2.0, 1.5, 10**9, 10**9) == pytest.approx(2)
    assert two_factor_variance(3.0, 2.0, 1.5, 10**9, 10**9) == pytest.approx(3)


def test_few_neurons_or_constant_matrices_have_no_error():
    layer, measured = squared_distances(6, 2)
    assert np.isnan(two_factor_error(layer, lambda _: measured[None], "pearson", draws_of(6, 1, 20, seed=0)))
    assert np.isnan(two_factor_error(0 * layer, lambda _: measured[None], "pearson", draws_of(6, 3, 20, seed=0)))


def estimates(seed, n_bootstrap=30):
    """The value of one experiment with 20 stimuli and 12 neurons, and its two-factor and naive errors."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(20, 5))
    means, features = latent @ rng.normal(size=(5, 12)) + rng.normal(size=(20, 12)), latent + np.tanh(latent)
    distances, draws = 1 - np.corrcoef(features), draws_of(20, 12, n_bootstrap, seed)

    def measured(units):
        return 1 - np.corrcoef(means[:, units])[None]

    both = [
        drawn_similarity(distances, measured(units)[0], stimuli, "pearson")
        for stimuli, units in zip(draws.stimuli, draws.units, strict=True)
    ]
    value = drawn_similarity(distances, measured(np.arange(12))[0], np.arange(20), "pearson")
    return value, two_factor_error(distances, measured, "pearson", draws), np.std(both, ddof=1)


def test_the_error_is_that_over_experiments_and_the_naive_error_is_too_large():
    values, corrected, naive = np.transpose([estimates(seed) for seed in range(60)])
    assert np.sqrt(np.mean(corrected**2)) == pytest.approx(values.std(), rel=0.2)
    assert np.sqrt(np.mean(naive**2)) > 1.15 * values.std()


@pytest.mark.parametrize("name", WHITENED)
def test_influences_are_those_of_leaving_stimuli_out(name):
    n = 60
    first, second = squared_distances(n, 2)
    value, found = stimulus_influences("rsa", name, *(unit_whitened(matrix, name) for matrix in (first, second)))
    left = [np.delete(np.arange(n), k) for k in range(n)]
    without = np.array([drawn_similarity(first, second, rows, name) for rows in left])
    assert value == pytest.approx(drawn_similarity(first, second, np.arange(n), name))
    assert np.corrcoef(found, jackknifed_influences(without))[0, 1] > 0.99
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(jackknifed_influences(without)), rel=0.1)


def simulated(seed, repetitions=6, noise=2.0, n=40, p=25):
    """Responses with noise that neurons share, and their means without noise."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, 5)) @ rng.normal(size=(5, p))
    shared = rng.normal(size=(repetitions, n, 3)) @ rng.normal(size=(3, p))
    return signal + noise * (rng.normal(size=(repetitions, n, p)) + shared), signal


def test_layers_are_compared_with_crossnobis_distances_by_squared_euclidean_ones():
    responses, signal = simulated(0)
    comparisons = comparisons_of(["rsa"], CROSSNOBIS)
    geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0)
    table = geometry_rows(representation_of(signal), "layer", geometries, comparisons, 0.1, 0, n_bootstrap=8)
    standard = (responses - responses.mean(axis=(0, 1))) / responses.mean(axis=0).std(axis=0)
    measured = matrix_of_pairs(crossvalidated_distances(whitened_patterns(standard)))
    layer = np.square(signal[:, None] - signal).sum(axis=2)
    expected = [drawn_similarity(layer, measured, np.arange(40), name) for name in CROSSNOBIS["comparisons"]]
    np.testing.assert_allclose(table["r"], expected, atol=1e-8)
    assert (table["distance"] == "crossnobis").all()
    assert (table["r_error_both"] > 0).all()
    without = geometry_rows(representation_of(signal), "layer", geometries, comparisons, 0.1, 0, n_bootstrap=0)
    assert without["r_error_both"].isna().all()


def test_the_true_distances_score_one_over_the_ceiling():
    """The layer has the true Mahalanobis distances, up to the estimate of the noise."""
    comparisons, scores = comparisons_of(["rsa"], CROSSNOBIS), []
    for seed in range(8):
        responses, signal = simulated(seed, noise=5.0)
        covariance = shrunken_covariance(*residuals(responses))
        layer = signal @ np.linalg.cholesky(np.linalg.inv(covariance))
        geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0)
        table = geometry_rows(representation_of(layer), "layer", geometries, comparisons, 0.1, 0, n_bootstrap=0)
        assert (table["reliability"] < 0.9).all()
        scores.append(table["predictivity"].to_numpy())
    np.testing.assert_allclose(np.median(scores, axis=0), 1, atol=0.05)


def test_whitened_comparisons_of_correlation_distances_have_a_ceiling():
    rsa = {"distances": ["correlation"], "comparisons": list(WHITENED)}
    comparisons, scores = comparisons_of(["rsa"], rsa), []
    for seed in range(8):
        responses, signal = simulated(seed, noise=0.8)
        means = responses.mean(axis=0)
        layer = (signal - signal.mean(axis=0)) / means.std(axis=0)
        geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0)
        table = geometry_rows(representation_of(layer), "layer", geometries, comparisons, 0.1, 0, n_bootstrap=0)
        assert table["reliability"].between(0.5, 1).all()
        scores.append(table["predictivity"].to_numpy())
    np.testing.assert_allclose(np.median(scores, axis=0), 1, atol=0.05)


def test_three_repetitions_give_distances_without_a_ceiling():
    responses, _ = simulated(0, repetitions=3)
    comparisons = comparisons_of(["rsa"], CROSSNOBIS)
    (geometry,) = geometries_of_neuroids(recording(responses), comparisons, seed=0)
    assert all(np.isnan(geometry.reliability[comparison].rho) for comparison in comparisons)


def test_subjects_share_the_error_of_their_mean():
    subjects = squared_distances(10, 4)
    pairs = np.stack([upper_triangle(matrix) for matrix in subjects])
    published = Matrices(pairs, np.array(["early"] * 4), np.array(["V1"] * 4), 10)
    rsa = {"distances": ["euclidean"], "comparisons": ["whitened_correlation"]}
    comparisons = comparisons_of(["rsa"], rsa)
    geometries = geometries_of_matrices(published, comparisons)
    features = np.random.default_rng(0).normal(size=(10, 6))
    table = geometry_rows(representation_of(features), "layer", geometries, comparisons, 0.1, 3, n_bootstrap=20)
    distances = np.square(features[:, None] - features).sum(axis=2)
    draws = draws_of(10, 4, 20, seed=3)
    expected = two_factor_error(distances, subjects.__getitem__, "whitened_correlation", draws)
    np.testing.assert_allclose(table["r_error_both"], expected)
    assert (table["ceiling_low"] < table["ceiling_high"]).all()


def test_a_perfect_match_of_whitened_matrices_is_one_and_undefined_ones_are_nan():
    matrix = squared_distances(8, 1)[0]
    for name in WHITENED:
        assert Comparison("rsa", "euclidean", name).value(*[unit_whitened(matrix, name)] * 2) == pytest.approx(1)
        assert np.isnan(unit_whitened(np.where(matrix > 20, np.nan, matrix), name)).all()
        assert np.isnan(unit_whitened(0 * matrix, name)).all()
    equal = 1 - np.eye(8)
    assert np.isnan(unit_whitened(equal, "whitened_correlation")).all()
    assert np.isfinite(unit_whitened(equal, "whitened_cosine")).all()


def refused(responses):
    with pytest.raises(InputError) as caught:
        check_repetitions(recording(responses))
    return str(caught.value)


def test_recordings_without_the_repetitions_are_refused():
    responses, _ = simulated(0, repetitions=2)
    check_repetitions(recording(responses))
    advice = "leave `crossnobis` out of config key mappings.rsa.distances, or the recording out of the config"
    said = refused(responses[:1])
    assert said.startswith("recording rec, IT: crossnobis distances need at least 2 repetitions of each stimulus")
    assert "40 of 40 stimuli have fewer, the first in row 1" in said
    assert said.endswith(advice)
    # Two neurons whose trials never coincide.
    apart = np.concatenate([responses, responses])
    apart[:2, 6, 0], apart[2:, 6, 1] = np.nan, np.nan
    assert "1 of 40 stimuli have fewer, the first in row 7" in refused(apart)
    silent = np.concatenate([responses, responses])
    silent[:, :, 4] = silent[0, :, 4]
    assert "neuroid n4 has the same response in all repetitions of each stimulus" in refused(silent)


def test_published_matrices_are_refused(experiment):  # noqa: F811
    with pytest.raises(InputError, match="recording fmri: crossnobis distances need single repetitions, but dissimil"):
        score(experiment[0], rsa={"distances": ["crossnobis"]})
    config = {
        "stimuli": {"set": {"images": "images"}},
        "recordings": {"fmri": {"matrices": "m.npz", "stimuli": "set"}},
        "models": ["alexnet"],
        "mappings": {"rsa": {"distances": ["correlation", "crossnobis"]}},
    }
    with pytest.raises(InputError, match="`crossnobis` needs single repetitions, but fmri has dissimilarity matrices"):
        resolve(config)


def test_the_score_table_has_the_errors_of_subjects_where_they_are_asked_for(experiment):  # noqa: F811
    folder, _ = experiment
    table = score(folder, rsa={"two_factor": True}, n_bootstrap=20).set_index("target")
    assert (table.loc["early", "r_error_both"] > 0).all()
    # A single matrix has no other subjects.
    assert table.loc["late", "r_error_both"].isna().all()
    assert score(folder)["r_error_both"].isna().all()


def test_an_interval_uses_the_error_for_other_neurons():
    scores = matrix_table({"net": 1}, {"IT": 1}).query("target_kind == 'matrix'")
    known = scores.assign(r=0.5, r_error=0.05, r_error_both=0.1, n_neuroids=12)
    (row,) = area_summary(known, 0.1, n_bootstrap=10, seed=0).to_dict("records")
    half = stdtrit(11, 0.975) * 0.1 / (1 - 0.5**2)
    assert row["interval_over"] == "stimuli and neurons"
    assert (row["r_low"], row["r_high"]) == pytest.approx(tuple(np.tanh(np.arctanh(0.5) + half * np.array([-1, 1]))))
    several = matrix_table({"net": 1}, {"IT": 4}).query("target_kind == 'matrix'").assign(r=0.5, r_error_both=0.1)
    (row,) = area_summary(several, 0.1, n_bootstrap=10, seed=0).to_dict("records")
    half = stdtrit(3, 0.975) * 0.1 / (1 - 0.5**2)
    assert row["interval_over"] == "stimuli and subjects"
    assert row["r_high"] == pytest.approx(np.tanh(np.arctanh(0.5) + half))
