"""Single trials of macaque IT: windows are sums of bins, trials are rows, and damaged files are refused."""

import numpy as np
import pandas as pd
import pytest

from ventral.configuration.resolution import resolve
from ventral.datasets.zhang2011 import COUNTS, FOLDERS, POSITIONS, expand, write_neuroids, write_responses, write_table
from ventral.errors import InputError
from ventral.recordings.time_bins import sliding_windows, times_of

OBJECTS = ("car", "kiwi")
BINS = {"start": -20, "stop": 40, "width": 20, "step": 10}


def arrays():
    """Two neurons, six stimuli, three trials and six bins; neuron 1 lacks the last trial of the third stimulus."""
    counts = np.arange(2 * 6 * 3 * 6).reshape(2, 6, 3, 6).astype(np.int8) % 5
    counts[1, 2, 2] = -1
    shown = [(what, place) for what in OBJECTS for place in POSITIONS]
    what, place = (np.array(column) for column in zip(*shown, strict=True))
    starts = np.arange(-20, 40, 10)
    return {"counts": counts, "bin_start_ms": starts, "object": what, "position": place, "neuron": np.array(["a", "b"])}


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / COUNTS, **arrays())
    return tmp_path / COUNTS


def test_windows_are_sums_of_bins_and_rows_are_the_trials_that_all_neurons_have(file, tmp_path):
    windows = sliding_windows(**BINS, place="bins")
    assert windows == [[-20, 0], [-10, 10], [0, 20], [10, 30], [20, 40]]
    write_responses(tmp_path / "r.npy", counts=file, windows=windows, position=None)
    write_table(tmp_path / "t.csv", counts=file, position=None)
    responses, table, counts = np.load(tmp_path / "r.npy"), pd.read_csv(tmp_path / "t.csv"), arrays()["counts"]
    assert responses.shape == (2, 17, 5)
    assert len(table) == 17
    assert "car_upper_03" not in set(table["stimulus"])
    row = list(table["stimulus"]).index("kiwi_lower_02")
    assert responses[1, row, 2] == counts[1, 3, 1, 2:4].sum()
    assert table.loc[row].tolist() == ["kiwi_lower_02", "kiwi_lower", "kiwi", "lower", "trial02"]


def test_one_position_has_its_own_trials_alone(file, tmp_path):
    write_responses(tmp_path / "r.npy", counts=file, windows=[[0, 10]], position="middle")
    write_table(tmp_path / "t.csv", counts=file, position="middle")
    assert set(pd.read_csv(tmp_path / "t.csv")["position"]) == {"middle"}
    assert (np.load(tmp_path / "r.npy")[:, :, 0] == arrays()["counts"][..., 2][:, [1, 4]].reshape(2, 6)).all()
    write_neuroids(tmp_path / "n.csv", counts=file)
    assert list(pd.read_csv(tmp_path / "n.csv")["neuroid"]) == ["a", "b"]


@pytest.mark.parametrize("below", FOLDERS)
def test_the_config_names_one_recording_across_positions_and_one_within_each(tmp_path, below):
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / COUNTS).touch()
    given = {"dataset": {"zhang2011": {"within": ["middle"], "bins": {"step": 100}}}, "data_dir": str(tmp_path)}
    config = resolve(given | {"decoding_over_time": {}})
    assert list(config["recordings"]) == ["zhang2011", "zhang2011_middle"]
    across, within = config["recordings"].values()
    assert across["splits"] == [{"column": "position", "name": "position"}]
    assert within["splits"] == [{"column": "trial", "name": "trial"}]
    assert across["time_bins"] == [[start, start + 100] for start in range(-100, 500, 100)]
    assert config["decoding_over_time"]["classifiers"] == ["nearest_mean", "svm"]


@pytest.mark.parametrize(
    ("bins", "problem"),
    [
        ({"width": 0}, r"bins\.width: 0 ms; a positive number is right"),
        ({"step": -10}, r"bins\.step: -10 ms; a positive number"),
        ({"stop": 60, "start": 0}, r"bins\.stop: 60 ms; 100 or more"),
        ({"step": 25}, r"bins\.step: 25 ms; a multiple of 10 is right"),
    ],
)
def test_bins_that_cannot_be_are_refused(file, tmp_path, bins, problem):
    with pytest.raises(InputError, match=problem):
        expand(str(tmp_path), "results", bins=bins, within=[])


def test_a_missing_folder_and_windows_beyond_the_file_are_refused(file, tmp_path):
    with pytest.raises(InputError, match="folder: missing; the data set zhang2011 is not downloaded"):
        expand(None, "results", bins={}, within=[])
    with pytest.raises(InputError, match="bins: from 30 to 130 ms; .* has bins from -20 to 40 ms"):
        write_responses(tmp_path / "r.npy", counts=file, windows=[[30, 130]], position=None)


def without(name):
    return {key: array for key, array in arrays().items() if key != name}


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (without("position"), "no array `position`; an npz file with the arrays counts"),
        (arrays() | {"counts": arrays()["counts"] * 1.5}, "array `counts` is of float64"),
        (arrays() | {"neuron": np.array(["a"])}, r"array `counts` \(2, 6, 3, 6\); .* with 1 `neuron`"),
        (arrays() | {"position": np.array(["lower"])}, r"array `counts` \(2, 6, 3, 6\)"),
    ],
)
def test_damaged_files_are_refused(tmp_path, damaged, problem):
    np.savez(tmp_path / COUNTS, **damaged)
    with pytest.raises(InputError, match=problem):
        write_table(tmp_path / "t.csv", counts=tmp_path / COUNTS, position=None)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / COUNTS).write_text("no archive")
    with pytest.raises(InputError, match="cannot be read, or cut short"):
        write_neuroids(tmp_path / "n.csv", counts=tmp_path / COUNTS)


def test_bins_have_their_middle_as_time_or_their_number():
    assert times_of(["baseline", "0-20", "10.5-20.5"]).tolist() == [10 - 5.5, 10, 15.5]
    assert times_of(["-20-0", "0-20"]).tolist() == [-10, 10]
    assert times_of(["1", "2", "late"]).tolist() == [1, 2, 3]
    assert times_of(["baseline"]).tolist() == [0]
