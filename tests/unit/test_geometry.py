"""Rows that compare layers with recorded areas without a fit: matrices of subjects, and populations of neuroids."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from tests.unit.test_matrices import matrices, message, saved  # noqa: F401
from ventral.grams.recorded import representation_of
from ventral.mappings.cka import linear_cka, unit_centred_gram
from ventral.mappings.dimensionality import effective_dimensionality
from ventral.mappings.rsa import tau_a
from ventral.recordings.ingestion import dataset_of, ingest, published_matrices
from ventral.recordings.matrices import upper_triangle
from ventral.recordings.reliability import means_of_halves
from ventral.scores.fitting import fit
from ventral.scores.geometry import comparisons_of, geometries_of_neuroids, geometry_rows, populations, warn_of_left_out
from ventral.scores.table import COLUMNS
from ventral.statistics.matrix_influence import stimulus_influences
from ventral.store import read_dataset, write_dataset

N = 12
ALL = {"distances": ["correlation", "cosine", "euclidean"], "comparisons": ["spearman", "pearson", "kendall"]}


@pytest.fixture
def experiment(tmp_path, saved, matrices):  # noqa: F811
    """Stores of 12 stimuli without labels, of matrices of two areas, and of a model of two layers."""
    names = np.array([f"image{k}" for k in range(N)], dtype=object)
    write_dataset(
        xr.Dataset(coords={"stimulus": names}, attrs={"name": "my_set", "sha256": "a" * 64}), tmp_path / "stimuli.zarr"
    )
    spec = saved(matrices, area={"early": "V1"})
    ingest(spec, tmp_path / "stimuli.zarr", tmp_path / "recording.zarr", name="fmri")
    rng = np.random.default_rng(5)
    features = {"first": rng.normal(size=(N, 40)), "last": rng.normal(size=(N, 6)) + 1}
    layers = [
        {"name": name, "depth": depth, "shape": [values.shape[1]], "n_features": values.shape[1]}
        for (name, values), depth in zip(features.items(), (0.5, 1.0), strict=True)
    ]
    group = zarr.open_group(tmp_path / "gram.zarr", mode="w")
    group.attrs.update(model="net", family="pretrained", stimuli="my_set", stimuli_sha256="a" * 64, layers=layers)
    for name, values in features.items():
        layer = group.create_group(name, attributes={"n_features": values.shape[1]})
        layer.create_array("gram", data=values @ values.T)
        layer.create_array("row_sums", data=values.sum(axis=1))
        layer.create_array("sample", data=values)
        layer.create_array("sampled_features", data=np.arange(values.shape[1]))
    return tmp_path, features


def score(folder, **options):
    arguments = {"splits": ["stimuli"], "n_folds": 3, "seed": 0, "n_bootstrap": 100, "penalties": [1.0]} | options
    fit(folder / "gram.zarr", folder / "recording.zarr", folder / "stimuli.zarr", folder / "out.parquet", **arguments)
    return pd.read_parquet(folder / "out.parquet")


def test_store_of_matrices(experiment, matrices):  # noqa: F811
    folder, _ = experiment
    dataset = read_dataset(folder / "recording.zarr")
    assert list(dataset["name"].values) == ["early", "early", "early", "late"]
    assert list(dataset["subject"].values) == [1, 2, 3, 1]
    assert list(dataset["area"].values) == ["V1", "V1", "V1", "late"]
    assert list(dataset["stimulus"].values) == [f"image{k}" for k in range(N)]
    assert dataset.attrs["recording"] == "fmri"
    assert dataset.attrs["stimuli_sha256"] == "a" * 64
    assert dataset.attrs["has_repetitions"] is False
    found = published_matrices(dataset)
    assert found.n_stimuli == N
    np.testing.assert_array_equal(squareform(found.dissimilarities[3]), matrices["late"])


def test_matrices_of_other_stimuli_are_refused(saved, matrices, experiment):  # noqa: F811
    folder, _ = experiment
    spec = saved({"late": matrices["late"][:5, :5]})
    said = message(ingest, spec, folder / "stimuli.zarr", folder / "other.zarr", name="fmri")
    assert "dissimilarities of 5 stimuli" in said
    assert not (folder / "other.zarr").exists()


def test_every_subject_has_a_row_with_spearmans_correlation_and_its_ceiling(experiment, matrices):  # noqa: F811
    folder, features = experiment
    table = score(folder)
    assert list(table.columns) == list(COLUMNS)
    assert set(table["target_kind"]) == {"matrix"}
    assert set(table["mapping"]) == {"rsa"}
    assert set(table["split"]) == {"none"}
    assert set(table["n_folds"]) == {0}
    assert set(table["n_stimuli"]) == {N}
    assert set(zip(table["distance"], table["comparison"], strict=True)) == {("correlation", "spearman")}
    assert table[["reliability", "predictivity", "alpha"]].isna().all(axis=None)
    for layer, values in features.items():
        distances = upper_triangle(1 - np.corrcoef(values))
        rows = table[(table["layer"] == layer) & (table["target"] == "early")]
        assert rows["subject"].tolist() == [1, 2, 3]
        expected = [spearmanr(distances, upper_triangle(matrix)).statistic for matrix in matrices["early"]]
        np.testing.assert_allclose(rows["r"], expected, atol=1e-12)
        assert set(rows["area"]) == {"V1"}
        assert (rows["ceiling_low"] < rows["ceiling_high"]).all()
        (row,) = table[(table["layer"] == layer) & (table["target"] == "late")].to_dict("records")
        expected = spearmanr(distances, upper_triangle(matrices["late"])).statistic
        assert row["r"] == pytest.approx(expected, abs=1e-12)
        assert pd.isna(row["subject"])
        assert np.isnan(row["ceiling_low"])
        assert row["n_features"] == values.shape[1]
        centred_values = values - values.mean(axis=0)
        variances = np.linalg.eigvalsh(centred_values.T @ centred_values)
        assert row["dimensionality"] == pytest.approx(variances.sum() ** 2 / (variances**2).sum())


def test_matrices_are_compared_by_cka_where_it_is_asked_for(experiment, matrices):  # noqa: F811
    folder, features = experiment
    table = score(folder, mappings=["ridge", "cka"], rsa=ALL)
    assert table.groupby(["layer", "target"]).size().to_dict() == {
        (layer, target): 11 * n for layer in features for target, n in (("early", 3), ("late", 1))
    }
    centring = np.eye(N) - 1 / N
    row = table.query("layer == 'last' and target == 'late' and comparison == 'biased'").iloc[0]
    k, m = (centring @ gram @ centring for gram in (features["last"] @ features["last"].T, -matrices["late"] / 2))
    assert row["r"] == pytest.approx(np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m)))
    subjects = table.query("layer == 'last' and target == 'early' and comparison == 'debiased'")
    assert (subjects["ceiling_low"] < subjects["ceiling_high"]).all()


def test_labels_are_read_from_the_layers_beside(experiment):
    folder, _ = experiment
    stimuli = read_dataset(folder / "stimuli.zarr").assign_coords(
        category=("stimulus", np.tile(["face", "body"], N // 2).astype(object))
    )
    write_dataset(stimuli.load(), folder / "stimuli.zarr")
    table = score(folder)
    assert set(zip(table["target_kind"], table["mapping"], table["split"], strict=True)) == {
        ("matrix", "rsa", "none"),
        ("category", "svm", "stimuli"),
    }


def test_a_layer_with_a_constant_stimulus_scores_nan_and_is_named(experiment, caplog):
    folder, features = experiment
    store = zarr.open_group(folder / "gram.zarr", mode="a")
    values = features["last"].copy()
    values[3] = 0
    store["last"]["gram"][:], store["last"]["row_sums"][:] = values @ values.T, values.sum(axis=1)
    table = score(folder)
    assert table.loc[table["layer"] == "last", "r"].isna().all()
    assert table.loc[table["layer"] == "first", "r"].notna().all()
    assert "layer last: its 6 features are all the same for 1 stimuli (the first in row 4)" in caplog.text


def recording(responses, areas=None, name="rec"):
    """The store of a recording of responses (repetitions, n, neuroids), of stimuli without labels."""
    n_neuroids = responses.shape[2]
    stimuli = xr.Dataset(
        coords={"stimulus": [f"image{k}" for k in range(responses.shape[1])]}, attrs={"name": "set", "sha256": "a" * 64}
    )
    neuroids = pd.DataFrame({"area": areas or ["IT"] * n_neuroids}, index=[f"n{k}" for k in range(n_neuroids)])
    return dataset_of(responses, neuroids, stimuli, name, "responses.npy", n_splits=2)


def test_an_area_is_compared_by_its_neuroids_standardised_mean_responses():
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(4, N, 9)) * np.arange(1, 10) + 5
    layer = rng.normal(size=(N, 20))
    comparisons = comparisons_of(["rsa", "cka"], ALL)
    dataset = recording(responses, ["V4"] * 3 + ["IT"] * 6)
    geometries = geometries_of_neuroids(dataset, comparisons, n_splits=3, seed=0)
    assert [geometry.area for geometry in geometries] == ["IT", "V4"]
    table = geometry_rows(representation_of(layer), "layer", geometries, comparisons, 0.1, seed=0, n_bootstrap=0)
    assert len(table) == 2 * 11
    means = responses.mean(axis=0)[:, 3:]
    means = (means - means.mean(axis=0)) / means.std(axis=0)
    rows = table[table["area"] == "IT"].set_index(["distance", "comparison"])["r"]
    assert rows["correlation", "spearman"] == pytest.approx(
        spearmanr(pdist(layer, "correlation"), pdist(means, "correlation")).statistic
    )
    assert rows["cosine", "pearson"] == pytest.approx(
        np.corrcoef(pdist(layer, "cosine"), pdist(means, "cosine"))[0, 1], abs=1e-9
    )
    assert rows["euclidean", "kendall"] == pytest.approx(tau_a(pdist(layer), pdist(means)))
    expected = linear_cka(*(unit_centred_gram(x @ x.T, "debiased") for x in (layer, means)))
    assert rows["", "debiased"] == pytest.approx(expected)
    assert set(table["target"]) == {"IT", "V4"}
    assert table["subject"].isna().all()
    assert table[["ceiling_low", "ceiling_high"]].isna().all(axis=None)


def noisy(seed, n=60, p=100, repetitions=20, noise=1.0):
    """Responses of neurons, their means without noise, and a layer of another width, of the same latent variables."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 6)) * [3, 2, 1.5, 1, 1, 1]
    signal = latent @ rng.normal(size=(6, p))
    signal /= signal.std()
    responses = signal + noise * rng.normal(size=(repetitions, n, p))
    return responses, signal, np.tanh(0.3 * latent @ rng.normal(size=(6, 300))) + 0.3 * rng.normal(size=(n, 300))


def compared(values, layer, threshold=0.1, rsa=ALL):
    comparisons = comparisons_of(["rsa", "cka"], rsa)
    geometries = geometries_of_neuroids(recording(values), comparisons, seed=0)
    return geometry_rows(representation_of(layer), "layer", geometries, comparisons, threshold, seed=0, n_bootstrap=0)


def test_divided_by_the_ceiling_noise_is_taken_out():
    responses, signal, layer = noisy(1, noise=2.0)
    found, true = compared(responses, layer), compared(signal[None], layer)
    corrected = found["comparison"].isin(["spearman", "pearson", "debiased"]) & (found["distance"] != "euclidean")
    assert (found["r"] < true["r"]).all()
    assert found["reliability"][corrected].between(0.94, 0.98).all()
    np.testing.assert_allclose(found["predictivity"][corrected], true["r"][corrected], atol=0.02)
    np.testing.assert_allclose(found["explained_variance"], found["predictivity"] ** 2)
    assert found[~corrected][["reliability", "predictivity", "standard_error"]].isna().all(axis=None)
    assert not found["marked"].any()
    assert true[["reliability", "predictivity"]].isna().all(axis=None)


@pytest.mark.parametrize(("repetitions", "noise"), [(2, 1.4), (2, 2.8), (10, 6.3)])
def test_a_perfect_model_scores_one_with_noise_of_any_size(repetitions, noise):
    """Spearman-Brown: 1.11 to 1.15 at a reliability of 0.4."""
    scores = []
    for seed in range(8):
        responses, signal, _ = noisy(seed, repetitions=repetitions, noise=noise)
        layer = (signal - signal.mean(axis=0)) / signal.std(axis=0)
        table = compared(responses, layer, rsa={"distances": ["correlation"], "comparisons": ["spearman", "pearson"]})
        scores.append(table.set_index(["distance", "comparison"])["predictivity"])
    medians = pd.concat(scores, axis=1).median(axis=1).dropna()
    assert medians["", "debiased"] == pytest.approx(1, abs=0.03)
    assert len(medians) == 3
    assert medians.between(0.92, 1.04).all()


def test_matrices_of_noise_are_marked():
    rng = np.random.default_rng(0)
    table = compared(rng.normal(size=(4, 40, 30)), rng.normal(size=(40, 20)))
    assert table["marked"][table["reliability"].notna()].all()
    responses, _, layer = noisy(1, noise=2.0)
    table = compared(responses, layer, threshold=0.99)
    np.testing.assert_array_equal(table["marked"], table["reliability"].notna())


def test_half_a_reliability_is_enough_for_cka_and_not_for_distances():
    responses, _, layer = noisy(1, noise=8.0)
    table = compared(responses, layer).dropna(subset="reliability")
    assert table["reliability"].between(0.45, 0.65).all()
    np.testing.assert_array_equal(table["marked"], table["mapping"] == "rsa")


def test_reliability_is_the_share_of_what_halves_have_in_common():
    responses, _, _ = noisy(0, n=15, p=8, repetitions=5)
    standard = (responses - responses.mean(axis=(0, 1))) / responses.mean(axis=0).std(axis=0)
    centred = [patterns - patterns.mean(axis=1, keepdims=True) for patterns in standard]
    whole = np.mean(centred, axis=0)
    length = np.linalg.norm(whole, axis=1, keepdims=True)
    shared, variance = 0, np.var(1 - pdist(whole, "correlation"))
    for halves in means_of_halves(standard, 7, seed=3):
        halves = [(half - half.mean(axis=1, keepdims=True)) / length for half in halves]
        products = [[half[i] @ half[j] for i in range(15) for j in range(i)] for half in halves]
        shared += np.cov(*products, ddof=0)[0, 1] / 7
    comparisons = comparisons_of(["rsa"], {"distances": ["correlation"], "comparisons": ["pearson", "spearman"]})
    (geometry,) = geometries_of_neuroids(recording(responses), comparisons, n_splits=7, seed=3)
    rho = shared / variance
    assert geometry.reliability[comparisons[0]].rho == pytest.approx(rho)
    of_ranks = (6 / np.pi * np.arcsin(np.sqrt(rho) / 2)) ** 2
    assert geometry.reliability[comparisons[1]].rho == pytest.approx(of_ranks)


def test_stimuli_shown_once_leave_no_ceiling():
    responses, _, layer = noisy(0)
    responses[1:, ::2] = np.nan
    assert compared(responses, layer)["reliability"].isna().all()


def test_few_neurons_lower_cka_but_not_that_of_their_population():
    """A layer that is the population itself, of which ten to 200 neurons were recorded, with and without noise."""
    rng = np.random.default_rng(7)
    population = (rng.normal(size=(60, 30)) @ rng.normal(size=(30, 2000))) + rng.normal(size=(60, 2000))
    population /= population.std(axis=0)
    comparisons = comparisons_of(["cka"], {})
    medians = {}
    for k in (10, 20, 50, 200):
        values = []
        for seed in range(12):
            rng = np.random.default_rng([seed, k])
            chosen = population[:, rng.choice(2000, k, replace=False)]
            responses = chosen + 1.0 * rng.normal(size=(4, *chosen.shape))
            geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0, n_splits=5)
            rows = geometry_rows(
                representation_of(population), "all", geometries, comparisons, 0.1, seed=0, n_bootstrap=0
            )
            values.append(rows[["r", "r_population", "n_neuroids"]].to_numpy(float)[1])
        medians[k] = np.median(values, axis=0)
        assert medians[k][2] == k
        assert medians[k][1] == pytest.approx(1, abs=0.07 if k > 10 else 0.15)
    assert medians[10][0] < 0.5 < 0.75 < medians[200][0]


@pytest.mark.parametrize("comparison", ["spearman", "kendall", "debiased"])
def test_errors_are_the_spread_over_other_stimuli(comparison):
    mapping = {"debiased": "cka"}.get(comparison, "rsa")
    chosen = next(each for each in comparisons_of([mapping], ALL) if each.name == comparison)
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(5, 70))
    found = []
    for _ in range(60):
        z = rng.normal(size=(25, 5))
        values = z @ mixing + 2 * rng.normal(size=(25, 70))
        parts = [chosen.prepared(representation_of(part)) for part in (values[:, :40], values[:, 40:])]
        value, influences = stimulus_influences(mapping, comparison, *parts)
        assert value == pytest.approx(chosen.value(*parts))
        found.append((value, chosen.error(*parts, influences, seed=0)))
    values, errors = np.transpose(found)
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.3)


def test_noise_adds_dimensions_that_split_halves_take_off():
    responses, signal, _ = noisy(1, noise=2.0)
    standard = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    variances = np.linalg.eigvalsh(standard.T @ standard)
    true = variances.sum() ** 2 / (variances**2).sum()
    ((_, _, population),) = populations(recording(responses))
    assert effective_dimensionality(population.means @ population.means.T) > 1.4 * true
    comparisons = comparisons_of(["cka"], {})
    geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0)
    table = geometry_rows(representation_of(signal), "layer", geometries, comparisons, 0.1, seed=0, n_bootstrap=0)
    np.testing.assert_allclose(table["target_dimensionality"], true, rtol=0.1)
    (once,) = geometries_of_neuroids(recording(responses[:1]), comparisons, seed=0)
    assert np.isnan(once.dimensionality)


def test_neuroids_that_lack_stimuli_are_left_out_and_named(caplog):
    responses = np.random.default_rng(0).normal(size=(3, N, 5))
    responses[:, 2, 1] = np.nan
    responses[:, 7] = np.nan
    ((area, _, population),) = populations(recording(responses))
    with caplog.at_level(logging.WARNING):
        warn_of_left_out(recording(responses))
    assert area == "IT"
    assert population.rows.tolist() == [k for k in range(N) if k != 7]
    assert population.responses.shape == (3, N - 1, 4)
    assert "rec, IT: 1 of 5 neuroids have missing stimuli and are not compared by rsa, cka or versa: n1" in caplog.text
    comparisons = comparisons_of(["rsa"], {"distances": ["correlation"], "comparisons": ["spearman"]})
    layer = np.random.default_rng(1).normal(size=(N, 20))
    geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0)
    (row,) = geometry_rows(
        representation_of(layer), "layer", geometries, comparisons, 0.1, seed=0, n_bootstrap=0
    ).to_dict("records")
    rows = population.rows
    expected = spearmanr(pdist(layer[rows], "correlation"), pdist(population.means, "correlation")).statistic
    assert row["r"] == pytest.approx(expected)
    assert row["n_stimuli"] == N - 1


def test_an_area_without_a_common_set_of_stimuli_is_named(caplog):
    responses = np.random.default_rng(0).normal(size=(2, N, 2))
    responses[:, :4, 0], responses[:, 8:, 1] = np.nan, np.nan
    with caplog.at_level(logging.WARNING):
        assert list(populations(recording(responses))) == []
        warn_of_left_out(recording(responses))
    assert "rec, IT: 0 neuroids have all 12 stimuli, too few to compare this area by rsa, cka or versa" in caplog.text


def test_a_layer_that_does_not_vary_has_no_cka_and_is_named(caplog):
    comparisons = comparisons_of(["rsa", "cka"], ALL)
    responses = np.random.default_rng(0).normal(size=(2, N, 5))
    geometries = geometries_of_neuroids(recording(responses), comparisons, seed=0)
    with caplog.at_level(logging.WARNING):
        table = geometry_rows(
            representation_of(np.ones((N, 3))), "dead", geometries, comparisons, 0.1, seed=0, n_bootstrap=0
        )
    assert table["r"].isna().all()
    assert "its 3 features do not vary over 12 stimuli, or these are too few; biased CKA is missing" in caplog.text
    assert "layer dead: its euclidean distances are the same for all pairs of 12 stimuli" in caplog.text
