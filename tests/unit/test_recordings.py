import logging

import numpy as np
import pandas as pd
import pytest
from xarray import Dataset

from tests.messages import message
from ventral.recordings.ingestion import check, ingest, mean_responses
from ventral.recordings.reliability import split_half_reliability
from ventral.store import read_dataset, write_dataset

KEY = "recordings.session"
NEUROIDS, STIMULI, REPETITIONS = 5, 12, 4


@pytest.fixture
def stimuli(tmp_path):
    names = np.array([f"image{k}" for k in range(STIMULI)], dtype=object)
    write_dataset(
        Dataset(coords={"stimulus": names}, attrs={"name": "my_set", "sha256": "0" * 64}), tmp_path / "stimuli.zarr"
    )
    return tmp_path / "stimuli.zarr"


@pytest.fixture
def responses():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(NEUROIDS, STIMULI, 1)) + 0.5 * rng.normal(size=(NEUROIDS, STIMULI, REPETITIONS))
    array[:, ::3, -1] = np.nan
    return array


@pytest.fixture
def given(tmp_path):
    """Save an array, and return the recording's part of the config."""

    def save(array, **spec):
        np.save(tmp_path / "responses.npy", array)
        return {"stimuli": "my_set", "responses": str(tmp_path / "responses.npy"), **spec}

    return save


@pytest.fixture
def table(tmp_path):
    def save(**columns):
        pd.DataFrame(columns).to_csv(tmp_path / "neuroids.csv", index=False)
        return str(tmp_path / "neuroids.csv")

    return save


@pytest.fixture
def ingested(stimuli, given, tmp_path):
    def run(array, **spec):
        ingest(given(array, **spec), stimuli, tmp_path / "out.zarr", name="session", n_splits=10, seed=3)
        return read_dataset(tmp_path / "out.zarr")

    return run


def test_store_of_single_repetitions(ingested, responses):
    dataset = ingested(responses, area="V4", animal="M")
    assert dataset["responses"].dims == ("repetition", "stimulus", "neuroid")
    np.testing.assert_array_equal(dataset["responses"], responses.transpose(2, 1, 0))
    np.testing.assert_array_equal(dataset["reliability"], split_half_reliability(responses.transpose(2, 1, 0), 10, 3))
    assert list(dataset["stimulus"].values) == [f"image{k}" for k in range(STIMULI)]
    assert list(dataset["neuroid"].values) == [f"neuroid_{k}" for k in range(1, NEUROIDS + 1)]
    assert set(dataset["area"].values) == {"V4"}
    assert set(dataset["animal"].values) == {"M"}
    assert set(dataset["left_out"].values) == {""}
    assert dataset.attrs == {
        "recording": "session",
        "stimuli": "my_set",
        "stimuli_sha256": "0" * 64,
        "n_repetitions": REPETITIONS,
        "has_repetitions": True,
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("axes", [2, 3])
def test_averaged_responses_have_no_reliability(ingested, responses, axes):
    averaged = np.nanmean(responses, axis=2)
    dataset = ingested(averaged if axes == 2 else averaged[:, :, None])
    np.testing.assert_array_equal(dataset["responses"], averaged.T[None])
    assert np.isnan(dataset["reliability"]).all()
    assert dataset.attrs["n_repetitions"] == 1
    assert dataset.attrs["has_repetitions"] is False
    assert set(dataset["area"].values) == {"unknown"}
    assert "animal" not in dataset.coords


def test_counts_are_responses(ingested):
    counts = np.random.default_rng(1).poisson(5, (NEUROIDS, STIMULI, REPETITIONS))
    dataset = ingested(counts.astype(np.uint8))
    assert dataset["responses"].dtype == np.float64
    np.testing.assert_array_equal(dataset["responses"], counts.transpose(2, 1, 0))


def test_neuroid_table_becomes_coordinates(ingested, responses, table):
    path = table(
        neuroid=[11, 12, 13, 21, 22],
        area=["V4", "", "IT", "IT", "V4"],
        depth=[0.1, np.nan, 0.3, 0.4, 0.5],
        layer=["2/3", "4", "5", "6", "6a"],
    )
    dataset = ingested(responses, neuroids=path, area="V1", animal="M")
    assert list(dataset["neuroid"].values) == ["11", "12", "13", "21", "22"]
    assert list(dataset["area"].values) == ["V4", "V1", "IT", "IT", "V4"]
    assert list(dataset["animal"].values) == ["M"] * NEUROIDS
    assert list(dataset["layer"].values) == ["2/3", "4", "5", "6", "6a"]
    np.testing.assert_array_equal(dataset["depth"], [0.1, np.nan, 0.3, 0.4, 0.5])


def test_unusable_neuroids_are_left_out_and_named(ingested, responses, caplog):
    responses[0] = np.nan
    responses[1] = 0.1
    responses[1, ::2, 3:] = np.nan  # constant, though means over unequal counts differ by rounding
    responses[3, 7, 1] = -np.inf
    with caplog.at_level(logging.WARNING, logger="ventral"):
        dataset = ingested(responses)
    expected = ["no responses", "constant", "", "infinite response to image7", ""]
    assert list(dataset["left_out"].values) == expected
    np.testing.assert_array_equal(np.isnan(dataset["reliability"]), [reason != "" for reason in expected])
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith(f"{KEY}.responses: ")
    assert said.endswith(
        "3 of 5 neuroids left out: neuroid_1 (no responses), neuroid_2 (constant), "
        "neuroid_4 (infinite response to image7)"
    )


def test_reliability_does_not_depend_on_neuroids_left_out(ingested, responses):
    whole = ingested(responses)["reliability"].values
    responses[0] = np.nan
    np.testing.assert_allclose(ingested(responses)["reliability"].values[1:], whole[1:], rtol=1e-10)


def test_a_recording_without_a_usable_neuroid_is_refused(stimuli, given, tmp_path, responses):
    responses[:2] = np.nan
    responses[2:] = 1
    said = message(ingest, given(responses), stimuli, tmp_path / "out.zarr", name="session")
    assert said.startswith(f"{KEY}.responses: {tmp_path / 'responses.npy'}: no neuroid can be used: ")
    assert "no responses (2)" in said
    assert "constant (3)" in said
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.filterwarnings("error")
def test_mean_responses_skip_what_was_not_shown(responses):
    responses[0] = np.nan
    dataset = Dataset({"responses": (("repetition", "stimulus", "neuroid"), responses.transpose(2, 1, 0))})
    means = mean_responses(dataset)
    assert means.dims == ("stimulus", "neuroid")
    assert np.isnan(means[:, 0]).all()
    for neuroid in range(1, NEUROIDS):
        for stimulus in range(STIMULI):
            shown = [x for x in responses[neuroid, stimulus] if not np.isnan(x)]
            np.testing.assert_allclose(means[stimulus, neuroid], sum(shown) / len(shown))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((5, 11, 4)), "responses to 11 stimuli, where the set 'my_set' has 12 (shape (5, 11, 4), read as "),
        (np.zeros((12, 5)), "responses to 5 stimuli, where the set 'my_set' has 12 "),
        (np.zeros(12), "its shape is (12,); an npy, npz or mat file with "),
        (
            np.zeros((5, 12, 4, 2, 3)),
            "its shape is (5, 12, 4, 2, 3)",
        ),
        (np.zeros((0, 12)), "its shape is (0, 12)"),
        (np.zeros((5, 12), dtype=complex), "its values are complex128; "),
        (np.full((5, 12), "a"), "its values are <U1; "),
        (np.full((5, 12), None), "cannot be read, cut short, or not an npy file: "),
    ],
)
def test_wrong_arrays_are_said(given, stimuli, tmp_path, array, expected):
    spec = given(array)
    said = message(check, spec, 12, KEY)
    assert said.startswith(f"{KEY}.responses: {spec['responses']}: {expected}")
    assert message(ingest, spec, stimuli, tmp_path / "out.zarr", name="session") == said


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((12, 5), "stimulus, neuroid"),
        ((12, 5, 4), "stimulus, neuroid, repetition"),
        ((12, 4, 5), "stimulus, repetition, neuroid"),
        ((4, 5, 12), "repetition, neuroid, stimulus"),
        ((5, 4, 12), "neuroid, repetition, stimulus"),
    ],
)
def test_transposed_axes_are_recognised(given, shape, axes):
    said = message(check, given(np.zeros(shape)), 12, KEY)
    assert said.endswith(f"say `axes: [{axes}]`")
    check(given(np.zeros(shape), axes=axes.split(", ")), 12, KEY)
    assert "axes:" not in message(check, given(np.zeros((5, 11))), 12, KEY)


def test_number_of_stimuli_may_be_unknown(given):
    check(given(np.zeros((5, 11))))


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "broken archive"])
def test_damaged_files_are_said(given, tmp_path, damage):
    spec = given(np.zeros((5, 12)))
    path = tmp_path / "responses.npy"
    content = path.read_bytes()
    damaged = {"empty": b"", "text": b"0.1,0.2\n", "cut": content[:-8], "broken archive": b"PK\x03\x04"}
    path.write_bytes(damaged[damage])
    assert message(check, spec, 12, KEY).startswith(f"{KEY}.responses: {path}: ")


def test_absent_files_are_said(given, tmp_path):
    spec = given(np.zeros((5, 12)))
    absent = {**spec, "responses": str(tmp_path / "nowhere.npy")}
    assert message(check, absent, 12, KEY) == f"{KEY}.responses: no such file: {tmp_path / 'nowhere.npy'}"
    absent = {**spec, "neuroids": str(tmp_path / "nowhere.csv")}
    assert message(check, absent, 12, KEY) == f"{KEY}.neuroids: no such file: {tmp_path / 'nowhere.csv'}"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"area": ["V4"] * 4}, "4 rows, where {responses} has 5 neuroids"),
        ({"neuroid": list("abcdb")}, "column `neuroid`, data row 5: 'b' is the same as data row 2"),
        ({"neuroid": [*"abcd", ""], "area": "V4"}, "column `neuroid`, data row 5: '' is empty"),
        ({"depth": [1, 2, 3, "inf", 5]}, "column `depth`, data row 4: 'inf' is not a finite number"),
        ({"left_out": range(5)}, "a column cannot be called `left_out`; rename it"),
    ],
)
def test_wrong_neuroid_tables_are_said(given, table, columns, expected):
    path = table(**columns)
    spec = given(np.zeros((5, 12)), neuroids=path)
    said = message(check, spec, 12, KEY)
    assert said.startswith(f"{KEY}.neuroids: {path}: {expected.format(**spec)}")
