import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression

from ventral.errors import InputError
from ventral.recordings import brainio
from ventral.scores.brainscore import (
    brainscore,
    compare,
    internal_consistency,
    mean_of_medians,
    pls_correlations,
    random_splits,
)
from ventral.store import write_dataset

OBJECTS = np.array(["bear", "car", "dog", "face", "pear"])[np.arange(100) % 5]
# What brainscore-vision 2.4.2 with brainscore-core 2.5.0 (numpy 1.26.4, scikit-learn 1.5.2, xarray 2022.3.0) says of
# `synthetic`, as an assembly whose first coordinate is the stimulus's id: `CrossRegressedCorrelation(pls_regression(),
# pearsonr_correlation(), dict(stratification_coord="object_name"))` on `average_repetition` of it,
# `InternalConsistency`, and `explained_variance` of both; then r and consistency of every neuroid in the first split.
PUBLISHED = {
    False: {
        "raw": 0.5613995129802981,
        "raw_error": 0.0337862637277266,
        "ceiling": 0.6308564594168333,
        "ceiling_error": 0.009159094218229965,
        "score": 0.4995897378396664,
    },
    True: {
        "raw": 0.558791518027001,
        "raw_error": 0.028927285045688245,
        "ceiling": 0.6138486697603369,
        "ceiling_error": 0.008378496137885013,
        "score": 0.5086725377132938,
    },
}
PUBLISHED_R = [
    0.57951013,
    0.64472764,
    0.77021466,
    0.62248856,
    0.23018464,
    0.30860858,
    0.57778439,
    0.2461421,
    -0.08290345,
    0.04666709,
]
PUBLISHED_CONSISTENCY = [
    0.64908014,
    0.71120187,
    0.68256733,
    0.75125043,
    0.57993171,
    0.44130912,
    0.70493507,
    0.66433207,
    0.6553002,
    0.41239044,
]


def synthetic(missing=False):
    """Return features (100, 200) and responses (4, 100, 10), which the published numbers are of."""
    rng = np.random.default_rng(20240)
    features = rng.normal(size=(100, 200)) * np.arange(1, 201) ** -0.5
    responses = features @ rng.normal(size=(200, 10)) + 4 * rng.normal(size=(4, 100, 10))
    if missing:
        responses[0, :30, 2] = np.nan
        responses[1, 40:50, :5] = np.nan
    return features, responses


@pytest.mark.parametrize("missing", [False, True], ids=["complete", "with missing repetitions"])
def test_equals_the_published_code(missing):
    features, responses = synthetic(missing)
    found = compare(features @ features.T, responses, OBJECTS, "stimuli")
    for name, value in PUBLISHED[missing].items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-9), name


def test_every_neuroid_equals_the_published_code():
    features, responses = synthetic()
    found = compare(features @ features.T, responses, OBJECTS, "stimuli")
    np.testing.assert_allclose(found.r[0], PUBLISHED_R, atol=1e-8)
    np.testing.assert_allclose(found.consistency[0], PUBLISHED_CONSISTENCY, atol=1e-8)


def test_an_assembly_as_a_file_equals_the_published_code(tmp_path):
    features, responses = synthetic()
    presentations = np.random.default_rng(0).permutation(400)
    repetition, stimulus = np.divmod(presentations, 100)
    names = np.array([f"im{k:03d}" for k in range(100)], dtype=object)
    xr.DataArray(
        responses[repetition, stimulus],
        dims=["presentation", "neuroid"],
        coords={
            "stimulus_id": ("presentation", names[stimulus].astype(str)),
            "repetition": ("presentation", repetition),
            "neuroid_id": ("neuroid", np.arange(10)),
        },
        name="data",
    ).to_netcdf(tmp_path / "assembly.nc", engine="h5netcdf")
    read, *_ = brainio.read(tmp_path / "assembly.nc", "key", {"stimulus": names})
    found = compare(features @ features.T, read.transpose(2, 1, 0), OBJECTS, "stimuli")
    assert found.score == pytest.approx(PUBLISHED[False]["score"], abs=1e-9)


@pytest.mark.parametrize("n_targets", [1, 6, 70])
def test_predictions_stop_where_scikit_learn_does(n_targets):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 90)) * np.arange(1, 91) ** -0.5
    responses = features @ rng.normal(size=(90, n_targets)) + rng.normal(size=(60, n_targets))
    (training, test), *_ = splits = random_splits(None, 60, "stimuli")[:1]
    expected = PLSRegression(25, scale=False).fit(features[training], responses[training]).predict(features[test])
    expected = [pearsonr(a, b)[0] for a, b in zip(expected.reshape(6, -1).T, responses[test].T, strict=True)]
    np.testing.assert_allclose(pls_correlations(features @ features.T, responses, splits), [expected], atol=1e-8)


def test_a_neuroid_that_lacks_a_stimulus_is_named_and_changes_no_other(caplog):
    features, responses = synthetic()
    gram = features @ features.T
    found = compare(gram, responses[:, :, 1:], OBJECTS, "my_set")
    responses[:, 3, 0] = np.nan
    with caplog.at_level(logging.WARNING):
        lacking = compare(gram, responses, OBJECTS, "my_set")
    assert (
        "my_set: neuroids with missing responses to some stimuli have no Brain-Score (the first column is 1): 1"
        in caplog.text
    )
    assert np.isnan(lacking.r[:, 0]).all()
    np.testing.assert_array_equal(lacking.r[:, 1:], found.r)
    assert lacking.raw == found.raw


def test_without_repetitions_there_is_no_ceiling():
    features, responses = synthetic()
    found = compare(features @ features.T, responses[:1], OBJECTS, "stimuli")
    assert np.isfinite(found.raw)
    assert np.isnan([found.ceiling, found.ceiling_error, found.score]).all()


def test_halves_of_repetitions_are_the_same_for_all_stimuli():
    """Responses that jump from one repetition to the next for all stimuli alike are consistent."""
    rng = np.random.default_rng(1)
    responses = rng.normal(size=(1, 20, 3)) + 100 * rng.normal(size=(5, 1, 3))
    np.testing.assert_allclose(internal_consistency(responses), 1)


def test_a_constant_neuroid_has_no_number():
    features, responses = synthetic()
    responses[:, :, 4] = 3.7
    found = compare(features @ features.T, responses, OBJECTS, "stimuli")
    assert np.isnan(found.r[:, 4]).all()
    assert np.isnan(found.consistency[:, 4]).all()
    assert np.isfinite([found.raw, found.ceiling]).all()


def test_means_of_medians_pass_over_what_is_not_defined():
    values = np.array([[1.0, 2.0, 9.0, np.nan], [3.0, 5.0, 4.0, np.nan]])
    assert mean_of_medians(values) == pytest.approx((3.0, 1 / np.sqrt(2)))
    assert np.isnan(mean_of_medians(np.full((10, 2), np.nan))).all()


def test_splits_hold_out_a_tenth_of_every_object():
    splits = random_splits(OBJECTS, 100, "stimuli")
    assert len(splits) == 10
    for training, test in splits:
        assert sorted([*training, *test]) == list(range(100))
        np.testing.assert_array_equal(np.unique(OBJECTS[test], return_counts=True)[1], 2)


@pytest.mark.parametrize(
    ("objects", "n", "said"),
    [
        (["a"] * 5 + ["b"] * 4, 9, "my_set: 9 stimuli are too few for Brain-Score's splits; 20 or more are needed"),
        (["a"] * 29 + ["b"], 30, "at least two stimuli of every object; these have one: b"),
        (np.repeat(np.arange(10), 3), 30, "a tenth of the stimuli, 3, which is too few to show each of 10 objects"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(objects, n, said):
    with pytest.raises(InputError) as caught:
        random_splits(objects, n, "my_set")
    assert said in str(caught.value)


def test_the_table_has_a_row_for_each_layer_and_area(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(100, 60))
    stimuli = xr.Dataset(
        coords={"stimulus": [f"image{k}" for k in range(100)], "object": ("stimulus", OBJECTS)},
        attrs={"name": "set", "sha256": "a" * 64},
    )
    write_dataset(stimuli, tmp_path / "stimuli.zarr")
    responses = features @ rng.normal(size=(60, 5)) + rng.normal(size=(4, 100, 5))
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "left_out": ("neuroid", ["", "", "constant", "", ""]),
        },
        coords={
            "stimulus": stimuli["stimulus"],
            "neuroid": list("abcde"),
            "area": ("neuroid", ["V4", "V4", "V4", "IT", "IT"]),
        },
        attrs={"recording": "rec", "stimuli_sha256": "a" * 64},
    )
    write_dataset(recording, tmp_path / "recording.zarr")
    layers = [{"name": name, "depth": depth} for name, depth in (("early", 0.5), ("late", 1.0))]
    attributes = {"model": "net", "stimuli_sha256": "a" * 64, "layers": layers}
    group = zarr.open_group(tmp_path / "gram.zarr", mode="w", attributes=attributes)
    for layer, some in zip(layers, (features[:, :30], features), strict=True):
        group.create_group(layer["name"]).create_array("gram", data=some @ some.T)
    brainscore([tmp_path / "gram.zarr"], tmp_path / "recording.zarr", tmp_path / "stimuli.zarr", tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv").set_index(["area", "layer"])
    assert table.index.tolist() == [("IT", "early"), ("IT", "late"), ("V4", "early"), ("V4", "late")]
    assert table["n_neuroids"].tolist() == [2, 2, 2, 2]
    expected = compare(features @ features.T, responses[:, :, [0, 1]], OBJECTS, "set")
    assert table.loc[("V4", "late"), "score"] == pytest.approx(expected.score)
    assert table.loc[("V4", "late"), "raw"] == pytest.approx(expected.raw)
    assert (table["score"].xs("late", level="layer") > table["score"].xs("early", level="layer")).all()
