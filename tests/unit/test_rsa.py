"""Dissimilarities from Gram matrices against NumPy, their correlation against SciPy, and matrices that are none."""

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from xarray import Dataset

from ventral.errors import InputError
from ventral.recordings import check, ingest, published_matrices
from ventral.rsa import agreement, areas_of, correlation_distances, read_matrices, standardised_ranks, upper_triangle
from ventral.scores import COLUMNS, fit
from ventral.store import read_dataset, write_dataset

KEY = "recordings.fmri"
N = 12


def distances_of(features):
    return correlation_distances(features @ features.T, features.sum(axis=1), features.shape[1])


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1.0, 1e6, 1e100])
@pytest.mark.parametrize("n_features", [2, 3, 50, 5000])
def test_distances_from_inner_products_are_those_of_the_features(n_features, scale):
    features = np.random.default_rng(n_features).normal(size=(N, n_features)) + 0.5
    np.testing.assert_allclose(distances_of(scale * features), 1 - np.corrcoef(features), atol=1e-10)


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
    assert np.isnan(agreement(distances, standardised_ranks(np.arange(N * (N - 1) // 2)[None]))).all()


@pytest.mark.filterwarnings("error")
def test_a_single_feature_has_no_correlation():
    assert np.isnan(distances_of(np.random.default_rng(0).normal(size=(N, 1)))).all()


def test_pairs_are_in_the_order_of_squareform():
    matrices = np.stack([squareform(pdist(np.random.default_rng(k).normal(size=(N, 3)))) for k in range(2)])
    for pairs, matrix in zip(upper_triangle(matrices), matrices, strict=True):
        np.testing.assert_array_equal(pairs, squareform(matrix))


@given(n_values=st.integers(2, 6), seed=st.integers(0, 99))
def test_ranks_give_spearmans_correlation_whatever_the_ties(n_values, seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, n_values, (3, 40)).astype(float)
    b = a[0] + rng.integers(0, n_values, 40)
    expected = [spearmanr(row, b).statistic for row in a]
    np.testing.assert_allclose(standardised_ranks(a) @ standardised_ranks(b), expected, atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_what_is_the_same_for_every_pair_has_no_rank_correlation():
    assert np.isnan(standardised_ranks(np.full(6, 0.3))).all()
    assert np.isnan(standardised_ranks(np.array([0.1, np.nan, 0.3]))).all()


def test_agreement_is_spearmans_correlation_with_every_matrix():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, 30))
    measured = np.stack([pdist(rng.normal(size=(N, 2))).round(1) for _ in range(3)])
    found = agreement(distances_of(features), standardised_ranks(measured))
    layer = upper_triangle(1 - np.corrcoef(features))
    np.testing.assert_allclose(found, [spearmanr(layer, pairs).statistic for pairs in measured], atol=1e-12)


def test_rounding_does_not_rank_pairs_that_are_equally_dissimilar():
    """Of two features, every r is 1 or -1, and computed as such to the last bit or not."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 2))
    measured = rng.normal(size=N * (N - 1) // 2)
    rises = features[:, 1] > features[:, 0]
    exact = upper_triangle((rises[:, None] != rises) * 2.0)
    found = agreement(distances_of(features), standardised_ranks(measured[None]))
    np.testing.assert_allclose(found, spearmanr(exact, measured).statistic, atol=1e-12)


@given(st.permutations(range(N)))
def test_agreement_does_not_depend_on_the_order_of_the_stimuli(order):
    rng = np.random.default_rng(0)
    features, measured = rng.normal(size=(N, 20)), squareform(pdist(rng.normal(size=(N, 2))).round(1))
    expected = agreement(distances_of(features), standardised_ranks(upper_triangle(measured)[None]))
    permuted = upper_triangle(measured[np.ix_(order, order)])
    found = agreement(distances_of(features[order]), standardised_ranks(permuted[None]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    return {
        "early": np.stack([squareform(pdist(rng.normal(size=(N, 3)))) for _ in range(3)]),
        "late": squareform(pdist(rng.normal(size=(N, 3)))),
    }


@pytest.fixture
def saved(tmp_path):
    """Save matrices, and return the recording's part of the config."""

    def save(arrays, **spec):
        path = tmp_path / ("matrices.npz" if isinstance(arrays, dict) else "matrices.npy")
        with path.open("wb") as file:
            if isinstance(arrays, dict):
                np.savez(file, **arrays)
            else:
                np.save(file, arrays)
        return {"stimuli": "my_set", "matrices": str(path), **spec}

    return save


def test_matrices_are_read_by_name(saved, matrices):
    found = read_matrices(saved(matrices), N)
    assert list(found) == ["early", "late"]
    np.testing.assert_array_equal(found["early"], matrices["early"])
    np.testing.assert_array_equal(found["late"], matrices["late"][None])


@pytest.mark.parametrize("name", ["early", "late"])
def test_a_single_array_is_called_like_its_file(saved, matrices, name):
    (found,) = read_matrices(saved(matrices[name]), N).items()
    assert found[0] == "matrices"
    np.testing.assert_array_equal(found[1], matrices[name].reshape(-1, N, N))


def test_matrices_in_single_precision_and_negative_dissimilarities_are_taken(saved, matrices):
    correlations = np.float32(1) - np.corrcoef(np.random.default_rng(0).normal(size=(N, 9))).astype(np.float32)
    correlations += np.triu(np.full((N, N), 1e-7, np.float32))
    crossvalidated = (matrices["late"] - 1) * (1 - np.eye(N))
    check(saved({"single": correlations, "crossvalidated": crossvalidated}), N, KEY)


def changed(matrix, *changes):
    matrix = matrix.copy()
    for *place, value in changes:
        matrix[tuple(place)] = value
    return matrix


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("late", lambda m: changed(m, (2, 4, np.nan)), "array `late`: row 3, column 5 is nan; every pair of stimuli "),
        ("early", lambda m: changed(m, (1, 0, 3, np.inf)), "array `early`, subject 2: row 1, column 4 is inf; "),
        ("late", lambda m: changed(m, (2, 4, 9.5)), "array `late`: row 3, column 5 is 9.5, but row 5, column 3 is "),
        ("early", lambda m: m + np.eye(N), "array `early`, subject 1: row 1, column 1 is 1, though a stimulus is not "),
        ("late", lambda m: changed(m, (3, 3, 0.2)), "array `late`: row 4, column 4 is 0.2, though a stimulus is not "),
        ("late", lambda m: m[:11, :11], "array `late`: dissimilarities of 11 stimuli, where the set 'my_set' has 12"),
        ("late", lambda m: m[:, :11], "array `late`: its shape is (12, 11); (stimuli, stimuli) or "),
        ("late", lambda m: m[None, None], "array `late`: its shape is (1, 1, 12, 12); "),
        ("early", lambda m: m[:0], "array `early`: its shape is (0, 12, 12); "),
        ("late", lambda m: m + 0j, "array `late`: its values are complex128; dissimilarities are numbers"),
        ("late", lambda m: 1 - np.eye(N), "array `late`: all pairs of stimuli are equally dissimilar"),
    ],
)
def test_what_is_no_dissimilarity_matrix_is_said(saved, matrices, name, change, expected):
    spec = saved({**matrices, name: change(matrices[name])})
    assert message(check, spec, N, KEY).startswith(f"{KEY}.matrices: {spec['matrices']}: {expected}")


def test_the_pairs_alone_are_refused_with_a_way_to_the_matrix(saved, matrices):
    assert "squareform makes a matrix" in message(check, saved(upper_triangle(matrices["late"])), N, KEY)


def test_too_few_stimuli_to_compare(saved):
    assert "all pairs of stimuli are equally dissimilar" in message(check, saved(np.array([[0, 1.0], [1, 0]])), 2, KEY)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "cut inside", "objects", "no arrays"])
def test_damaged_files_are_said(saved, matrices, tmp_path, damage):
    spec = saved({} if damage == "no arrays" else matrices)
    path = tmp_path / "matrices.npz"
    content = path.read_bytes()
    if damage == "objects":
        np.savez(path, late=np.array([[None]]))
    elif damage != "no arrays":
        middle = len(content) // 2
        damaged = {"empty": b"", "text": b"0,1\n", "cut": content[:-40]}
        path.write_bytes(damaged.get(damage, content[:middle] + b"\x00\xff" * 20 + content[middle + 40 :]))
    assert message(check, spec, N, KEY).startswith(f"{KEY}.matrices: {path}: ")


def test_an_archive_with_something_else_in_it_is_said(saved, matrices, tmp_path):
    import zipfile

    spec = saved(matrices)
    with zipfile.ZipFile(tmp_path / "matrices.npz", "a") as archive:
        archive.writestr("readme.txt", "text")
    assert "array `readme.txt`: its values are no array" in message(check, spec, N, KEY)


def test_absent_files_are_said(tmp_path):
    spec = {"stimuli": "my_set", "matrices": str(tmp_path / "nowhere.npz")}
    assert message(check, spec, N, KEY) == f"{KEY}.matrices: no such file: {tmp_path / 'nowhere.npz'}"


def test_areas_are_those_given_else_the_names():
    assert areas_of({}, ["a", "b"]) == ["a", "b"]
    assert areas_of({"area": "IT"}, ["a", "b"]) == ["IT", "IT"]
    assert areas_of({"area": {"b": "IT"}}, ["a", "b"]) == ["a", "IT"]


def test_an_area_of_no_matrix_is_said(saved, matrices):
    spec = saved(matrices, area={"eerly": "V1"})
    assert message(check, spec, N, KEY) == (
        f"{KEY}.area: no matrix in {spec['matrices']} is called 'eerly'; did you mean `early`? allowed: early, late"
    )


@pytest.fixture
def experiment(tmp_path, saved, matrices):
    """Stores of 12 stimuli without labels, of matrices of two areas, and of a model of two layers."""
    names = np.array([f"image{k}" for k in range(N)], dtype=object)
    write_dataset(
        Dataset(coords={"stimulus": names}, attrs={"name": "my_set", "sha256": "a" * 64}), tmp_path / "stimuli.zarr"
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
        layer = group.create_group(name)
        layer.create_array("gram", data=values @ values.T)
        layer.create_array("row_sums", data=values.sum(axis=1))
    return tmp_path, features


def score(folder):
    arguments = {"splits": ["images"], "n_folds": 3, "seed": 0, "penalties": [1.0]}
    fit(folder / "gram.zarr", folder / "recording.zarr", folder / "stimuli.zarr", folder / "out.parquet", **arguments)
    return pd.read_parquet(folder / "out.parquet")


def test_store_of_matrices(experiment, matrices):
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


def test_matrices_of_other_stimuli_are_refused(saved, matrices, experiment):
    folder, _ = experiment
    spec = saved({"late": matrices["late"][:5, :5]})
    said = message(ingest, spec, folder / "stimuli.zarr", folder / "other.zarr", name="fmri")
    assert "dissimilarities of 5 stimuli" in said
    assert not (folder / "other.zarr").exists()


def test_score_rows_are_spearmans_correlation_and_its_mean_over_subjects(experiment, matrices):
    folder, features = experiment
    table = score(folder)
    assert list(table.columns) == list(COLUMNS)
    assert set(table["target_kind"]) == {"matrix"}
    assert set(table["mapping"]) == {"rsa"}
    assert set(table["split"]) == {"none"}
    assert set(table["n_folds"]) == {0}
    assert set(table["n_stimuli"]) == {N}
    assert table[["reliability", "predictivity", "alpha"]].isna().all(axis=None)
    rows = table.set_index(["layer", "target"])
    for layer, values in features.items():
        distances = upper_triangle(1 - np.corrcoef(values))
        of_subjects = [spearmanr(distances, upper_triangle(matrix)).statistic for matrix in matrices["early"]]
        assert rows.loc[(layer, "early"), "r"] == pytest.approx(np.mean(of_subjects), abs=1e-12)
        expected = spearmanr(distances, upper_triangle(matrices["late"])).statistic
        assert rows.loc[(layer, "late"), "r"] == pytest.approx(expected, abs=1e-12)
        assert rows.loc[(layer, "early"), "area"] == "V1"
        assert rows.loc[(layer, "late"), "n_features"] == values.shape[1]


def test_labels_are_read_from_the_layers_beside(experiment):
    folder, _ = experiment
    stimuli = read_dataset(folder / "stimuli.zarr").assign_coords(
        category=("stimulus", np.tile(["face", "body"], N // 2).astype(object))
    )
    write_dataset(stimuli.load(), folder / "stimuli.zarr")
    table = score(folder)
    assert set(zip(table["target_kind"], table["mapping"], table["split"], strict=True)) == {
        ("matrix", "rsa", "none"),
        ("category", "svm", "images"),
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
