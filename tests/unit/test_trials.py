"""One recording in every form that people have: the store is always the same; what does not fit together is refused."""

import logging

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

from ventral.errors import InputError
from ventral.recordings import trials
from ventral.recordings.baseline import report_baseline
from ventral.recordings.ingestion import check, ingest
from ventral.store import read_dataset, write_dataset

KEY = "recordings.mine"
STIMULI, REPETITIONS = 9, 4
WINDOWS = [[-100, 0], [0, 80], [50, 150]]
NEUROIDS = ["unit_a", "unit_b", "unit_c"]
AXES = ["neuroid", "stimulus", "repetition", "time_bin"]


@pytest.fixture
def stimuli(tmp_path):
    names = np.array([f"images/im{k}.png" for k in range(STIMULI)], dtype=object)
    attributes = {"name": "my_set", "sha256": "0" * 64}
    write_dataset(xr.Dataset(coords={"stimulus": names}, attrs=attributes), tmp_path / "stimuli.zarr")
    return tmp_path / "stimuli.zarr"


class Recording:
    """Spikes of three neurons to nine images, each shown four times in random order.

    Attributes
    ----------
    trials : DataFrame
        One row a presentation, with `trigger` and `photodiode`, whose sum is when the image appeared.
    spikes : DataFrame
        One row a spike, on the clock of both.
    counts : (presentations, neuroids, windows) array
        Spikes in each window, counted one by one.
    responses : (neuroids, stimuli, repetitions, windows) array
        The same, by stimulus.
    """

    def __init__(self, folder):
        self.folder = folder
        rng = np.random.default_rng(0)
        shown = rng.permutation(np.repeat(np.arange(STIMULI), REPETITIONS))
        n = len(shown)
        self.trials = pd.DataFrame(
            {
                "stimulus": [f"im{k}" for k in shown],
                "trial": [f"t{k}" for k in range(n)],
                "trigger": 1000.0 * np.arange(n) + 500,
                "photodiode": rng.uniform(20, 40, n).round(2),
            }
        )
        onset = self.trials["trigger"] + self.trials["photodiode"]
        rates = rng.uniform(2, 20, (STIMULI, len(NEUROIDS)))
        spikes, self.counts = [], np.zeros((n, len(NEUROIDS), len(WINDOWS)))
        for p in range(n):
            for k, neuroid in enumerate(NEUROIDS):
                for after in rng.uniform(-200, 300, rng.poisson(3 * rates[shown[p], k])).round(3):
                    spikes.append((f"t{p}", neuroid, onset[p] + after))
                    for w, (start, end) in enumerate(WINDOWS):
                        self.counts[p, k, w] += start <= after < end
        self.spikes = pd.DataFrame(spikes, columns=["trial", "neuroid", "time"]).sample(frac=1, random_state=1)
        self.responses = np.empty((len(NEUROIDS), STIMULI, REPETITIONS, len(WINDOWS)))
        for stimulus in range(STIMULI):
            self.responses[:, stimulus] = self.counts[shown == stimulus].transpose(1, 0, 2)
        pd.DataFrame({"neuroid": NEUROIDS, "area": ["V4", "V4", "IT"]}).to_csv(folder / "neuroids.csv", index=False)

    def write(self, name, table):
        path = self.folder / name
        table.to_parquet(path, index=False) if path.suffix == ".parquet" else table.to_csv(path, index=False)
        return str(path)

    def save(self, name, array):
        np.save(self.folder / name, array)
        return str(self.folder / name)

    def spec(self, **options):
        return {"stimuli": "my_set", "neuroids": str(self.folder / "neuroids.csv"), **options}

    def of_spikes(self, ending="csv", **options):
        return self.spec(
            **{
                "trials": self.write(f"trials.{ending}", self.trials),
                "spikes": self.write(f"spikes.{ending}", self.spikes),
                "time_bins": WINDOWS,
                "onset": ["trigger", "photodiode"],
            }
            | options
        )

    def of_counts(self, **options):
        table = self.trials.assign(**dict(zip(NEUROIDS, self.counts[:, :, 1].T.astype(int), strict=True)))
        return self.spec(trials=self.write("counts.csv", table), **({"counts": "unit_*"} | options))


@pytest.fixture
def recording(tmp_path):
    return Recording(tmp_path)


@pytest.fixture
def stored(stimuli, tmp_path):
    def ingested(spec):
        check(spec, STIMULI, KEY)
        ingest(spec, stimuli, tmp_path / "out.zarr", name="mine", n_splits=5)
        return read_dataset(tmp_path / "out.zarr").load()

    return ingested


def refusal(spec, stimuli=None):
    with pytest.raises(InputError) as caught:
        if stimuli is None:
            check(spec, STIMULI, KEY)
        else:
            ingest(spec, stimuli, stimuli.parent / "out.zarr", name="mine", n_splits=5)
    said = str(caught.value)
    assert said.startswith(f"{KEY}.")
    return said


def as_matlab_73(path, **arrays):
    """Write arrays as MATLAB's version 7.3 does: HDF5 behind a header, the axes in reverse; fields are in groups."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            dataset = file.create_dataset(name, data=np.asarray(array).T)
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
    return str(path)


# The same recording in each form


def in_bins(recording, form):
    """Return the recording in bins of time in some form."""
    responses, counts, folder = recording.responses, recording.counts, recording.folder
    of_array = {"axes": AXES, "time_bins": WINDOWS}
    of_trials = {"trials": recording.write("trials.csv", recording.trials), "time_bins": WINDOWS}
    if form == "npy":
        return recording.spec(responses=recording.save("r.npy", responses), **of_array)
    if form == "npz":
        np.savez(folder / "r.npz", rates=responses, other=counts)
        return recording.spec(responses=str(folder / "r.npz"), array="rates", **of_array)
    if form == "compressed npz, the only array, other axes":
        np.savez_compressed(folder / "r.npz", responses.T)
        return recording.spec(responses=str(folder / "r.npz"), axes=AXES[::-1], time_bins=WINDOWS)
    if form == "mat 5":
        scipy.io.savemat(folder / "r.mat", {"rates": responses, "note": "text", "cells": np.array([1, "a"], object)})
        return recording.spec(responses=str(folder / "r.mat"), **of_array)
    if form == "mat 5, compressed, in a structure":
        scipy.io.savemat(folder / "r.mat", {"data": {"rates": responses, "who": "me"}, "n": 3}, do_compression=True)
        return recording.spec(responses=str(folder / "r.mat"), array="data.rates", **of_array)
    if form == "mat 7.3":
        return recording.spec(responses=as_matlab_73(folder / "r.mat", rates=responses), **of_array)
    if form == "mat 7.3, in a structure, other axes":
        path = as_matlab_73(folder / "r.mat", **{"data/rates": responses.transpose(3, 1, 0, 2), "n": [[3.0]]})
        axes = ["time_bin", "stimulus", "neuroid", "repetition"]
        return recording.spec(responses=path, array="data.rates", axes=axes, time_bins=WINDOWS)
    if form == "trials and an array":
        return recording.spec(responses=recording.save("r.npy", counts), **of_trials)
    if form == "trials and an array, other axes":
        axes = ["time_bin", "neuroid", "presentation"]
        return recording.spec(responses=as_matlab_73(folder / "r.mat", r=counts.T), axes=axes, **of_trials)
    if form == "spikes":
        return recording.of_spikes()
    if form == "spikes in Parquet":
        return recording.of_spikes("parquet")
    if form == "spikes after the onset, by row, with a fixed delay":
        trials = recording.trials.drop(columns=["trial", "trigger", "photodiode"])
        onset = (recording.trials["trigger"] + recording.trials["photodiode"]).to_numpy()
        row = recording.spikes["trial"].str[1:].astype(int)
        spikes = recording.spikes.assign(trial=row + 1, time=(recording.spikes["time"] - onset[row] + 35).round(3))
        paths = {"trials": recording.write("t.csv", trials), "spikes": recording.write("s.csv", spikes)}
        return recording.spec(**paths, time_bins=WINDOWS, onset=35)
    return assembly(recording, "stimulus_id" if form == "BrainIO" else "image_id", form)


def assembly(recording, ids, form):
    array = xr.DataArray(
        recording.counts,
        dims=("presentation", "neuroid", "time_bin"),
        coords={
            ids: ("presentation", recording.trials["stimulus"].to_numpy(object)),
            "repetition": ("presentation", recording.trials.groupby("stimulus").cumcount().to_numpy()),
            "neuroid_id": ("neuroid", NEUROIDS),
            "region": ("neuroid", ["V4", "V4", "IT"]),
            "time_bin_start": ("time_bin", [float(start) for start, _ in WINDOWS]),
            "time_bin_end": ("time_bin", [float(end) for _, end in WINDOWS]),
        },
        name="dicarlo.Test",
    )
    # Old files have the dimensions in any order.
    array = array if form == "BrainIO" else array.transpose("neuroid", "time_bin", "presentation")
    array.to_netcdf(recording.folder / "a.nc", engine="h5netcdf")
    return {"stimuli": "my_set", "responses": str(recording.folder / "a.nc")}


FORMS = [
    "npz",
    "compressed npz, the only array, other axes",
    "mat 5",
    "mat 5, compressed, in a structure",
    "mat 7.3",
    "mat 7.3, in a structure, other axes",
    "trials and an array",
    "trials and an array, other axes",
    "spikes",
    "spikes in Parquet",
    "spikes after the onset, by row, with a fixed delay",
    "BrainIO",
    "BrainIO with old names",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_store(recording, stored, form):
    baseline = {"baseline": WINDOWS[0]}
    expected = stored(in_bins(recording, "npy") | baseline)
    assert expected["time_bin"].values.tolist() == ["baseline", "0-80", "50-150"]
    assert expected["time_bin_start"].values.tolist() == [-100, 0, 50]
    np.testing.assert_array_equal(
        expected["responses"].transpose("neuroid", "stimulus", "repetition", "time_bin"), recording.responses
    )
    found = stored(in_bins(recording, form) | baseline)
    assert found.attrs.pop("counted_in_bins", False) == form.startswith("spikes")
    xr.testing.assert_identical(found, expected)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_counts_in_columns_are_an_array_without_bins(recording, stored, separator):
    expected = stored(recording.spec(responses=recording.save("r.npy", recording.responses[..., 1])))
    spec = recording.of_counts()
    table = pd.read_csv(spec["trials"])
    table.to_csv(spec["trials"], index=False, sep=separator)
    xr.testing.assert_identical(stored(spec), expected)


def test_counts_by_name_in_the_order_of_the_table_of_neuroids(recording, stored):
    expected = stored(recording.of_counts())
    pd.read_csv(recording.folder / "neuroids.csv")[::-1].to_csv(recording.folder / "neuroids.csv", index=False)
    found = stored(recording.of_counts(counts=NEUROIDS))
    assert found["neuroid"].values.tolist() == NEUROIDS[::-1]
    xr.testing.assert_equal(found["responses"][..., ::-1].drop_vars("area"), expected["responses"].drop_vars("area"))


def test_without_a_table_neuroids_are_called_as_their_columns_or_spikes(recording, stored):
    for spec in (recording.of_counts(), recording.of_spikes()):
        dataset = stored({**spec, "neuroids": None})
        assert dataset["neuroid"].values.tolist() == NEUROIDS
        assert set(dataset["area"].values) == {"unknown"}


def test_the_baseline_is_a_window_more_and_comes_first(recording, stored):
    dataset = stored(recording.of_spikes(time_bins=WINDOWS[1:], baseline=WINDOWS[0]))
    assert dataset["time_bin"].values.tolist() == ["baseline", "0-80", "50-150"]
    assert dataset.attrs.pop("counted_in_bins")
    xr.testing.assert_identical(dataset, stored(in_bins(recording, "npy") | {"baseline": WINDOWS[0]}))


def test_a_missing_count_is_missing_and_a_neuron_without_spikes_is_silent(recording, stored):
    spec = recording.of_counts()
    table = pd.read_csv(spec["trials"])
    table["unit_b"] = table["unit_b"].astype(float)
    table.loc[0, "unit_b"] = np.nan
    table.to_csv(spec["trials"], index=False)
    assert int(np.isnan(stored(spec)["responses"]).sum()) == 1
    recording.spikes = recording.spikes[recording.spikes["neuroid"] != "unit_b"]
    dataset = stored(recording.of_spikes())
    assert (dataset["responses"].sel(neuroid=dataset["neuroid"] == "unit_b") == 0).all()


def test_repetitions_are_in_the_order_of_time_or_as_the_table_numbers_them(recording, stored):
    expected = stored(recording.of_counts())["responses"].values
    recording.trials["time"] = -np.arange(len(recording.trials), dtype=float)
    np.testing.assert_array_equal(stored(recording.of_counts())["responses"].values, expected[::-1])
    turn = recording.trials.groupby("stimulus").cumcount()
    recording.trials["repetition"] = (turn + 1) % REPETITIONS
    found = stored(recording.of_counts())["responses"].values
    np.testing.assert_array_equal(found, np.roll(expected, 1, axis=0))


def test_neurons_of_two_sessions_share_repetitions(recording, stored, caplog):
    """Odd trials are of session 2, in which units b and c were recorded; unit a in session 1."""
    session = recording.trials.groupby("stimulus").cumcount() % 2 + 1
    recording.trials["session"] = session
    of_unit = {"unit_a": 1, "unit_b": 2, "unit_c": 2}
    own = recording.spikes["neuroid"].map(of_unit).to_numpy()
    recording.spikes = recording.spikes[own == session[recording.spikes["trial"].str[1:].astype(int)].to_numpy()]
    with caplog.at_level(logging.WARNING, logger="ventral"):
        assert stored(recording.of_spikes()).sizes["repetition"] == REPETITIONS
    assert "3 neuroids have no spike in some session (unit_a, unit_b, unit_c), and count as silent there" in caplog.text
    caplog.clear()
    pd.DataFrame({"neuroid": NEUROIDS, "session": of_unit.values()}).to_csv(
        recording.folder / "neuroids.csv", index=False
    )
    with caplog.at_level(logging.WARNING, logger="ventral"):
        dataset = stored(recording.of_spikes())
    assert caplog.messages == []
    assert dataset.sizes["repetition"] == 2
    assert not np.isnan(dataset["responses"]).any()
    for k, first in enumerate([0, 1, 1]):
        expected = recording.responses[k, :, first::2].swapaxes(0, 1)
        np.testing.assert_array_equal(dataset["responses"][:, :, k], expected)


# The baseline


def test_a_baseline_is_said_to_be_near_zero_or_not(recording, stored, caplog):
    with caplog.at_level(logging.INFO, logger="ventral"):
        stored(recording.of_spikes(baseline=WINDOWS[0]))
    assert "depend on the stimulus" in caplog.text  # spikes of these neurons begin 200 ms before the image
    caplog.clear()
    array = recording.responses.copy()
    array[..., 0] = np.random.default_rng(1).poisson(5, array.shape[:3])
    with caplog.at_level(logging.INFO, logger="ventral"):
        stored(
            recording.spec(responses=recording.save("r.npy", array), axes=AXES, time_bins=WINDOWS, baseline=[-100, 0])
        )
    assert "median reliability of the baseline: " in caplog.text
    assert "depend on the stimulus" not in caplog.text


@pytest.mark.parametrize(("n_repeated", "warned"), [(16, False), (400, True)])
def test_chance_in_the_baseline_is_that_of_repeated_stimuli_alone(caplog, n_repeated, warned):
    """A reliability of 0.3: of 16 stimuli, chance makes up to 2 x 0.5 / 1.5; of 400, up to 2 x 0.1 / 1.1."""
    responses = np.ones((2, 400, 1, 1))
    responses[1, n_repeated:] = np.nan
    dims = ("repetition", "stimulus", "neuroid", "time_bin")
    values = {"responses": (dims, responses), "reliability": (dims[2:], [[0.3]])}
    with caplog.at_level(logging.INFO, logger="ventral"):
        report_baseline(xr.Dataset(values, coords={"time_bin": ["baseline"]}), "r.npy")
    assert ("depend on the stimulus" in caplog.text) == warned
    assert f"at most {0.18 if warned else 0.67:.2f}" in caplog.text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"baseline": [-100, 10]}, "baseline: from -100 to 10 ms; a baseline ends when the stimulus appears, at 0"),
        ({"baseline": [0, -100]}, "baseline: from 0 to -100 ms"),
        ({"baseline": [-50, 0]}, "baseline: no bin is from -50 to 0 ms; the bins are -100-0, 0-80, 50-150"),
        ({"baseline": [-100, 0], "time_bins": None}, "baseline: the responses are in no bins of known times"),
    ],
)
def test_a_baseline_that_is_none_is_refused(recording, options, expected):
    assert expected in refusal(in_bins(recording, "npy") | options)


# What does not fit together


def changed(recording, form, change):
    """Return a recording of counts, spikes or an array after a change of its trials, spikes or options."""
    specs = {"counts": recording.of_counts, "spikes": recording.of_spikes}
    if form == "array":
        path = recording.write("trials.csv", recording.trials)
        spec = recording.spec(trials=path, responses=recording.save("r.npy", recording.counts[:, :, 1]))
    else:
        spec = specs[form]()
    tables = {name: pd.read_csv(spec[name]) for name in ("trials", "spikes", "neuroids") if spec.get(name)}
    options = change(tables) or {}
    for name, table in tables.items():
        table.to_csv(spec[name], index=False)
    return spec | options


def put(name, column, row, value):
    def change(tables):
        tables[name][column] = tables[name][column].astype(object)
        tables[name].loc[row, column] = value

    return change


def drop(name, column):
    return lambda tables: tables.update({name: tables[name].drop(columns=column)})


def rename(name, **columns):
    return lambda tables: tables.update({name: tables[name].rename(columns=columns)})


def without_first_row(name):
    return lambda tables: tables.update({name: tables[name][1:]})


def in_sessions(sessions):
    def change(tables):
        tables["trials"]["session"] = np.resize(sessions, len(tables["trials"]))
        tables["neuroids"]["session"] = [1, 1, 2]

    return change


def say(**options):
    return lambda _tables: options


@pytest.mark.parametrize(
    ("form", "change", "expected"),
    [
        (
            "counts",
            put("trials", "stimulus", 4, ""),
            "counts.csv: column `stimulus`, data row 5: no stimulus (1 such",
        ),
        ("counts", drop("trials", "stimulus"), "no column `stimulus` (nor `stimulus_id` or `image_id`)"),
        ("counts", rename("trials", stimulus="Stimulus"), "a column is called `Stimulus`, where `stimulus` is looked"),
        (
            "counts",
            put("trials", "unit_b", 3, -2),
            "counts.csv: column `unit_b`, data row 4: -2 is negative (1 such val",
        ),
        ("counts", put("trials", "unit_b", 3, "two"), "column `unit_b`, one of `counts`, has text"),
        ("counts", put("trials", "unit_b", 3, "1,5"), "column `unit_b`, data row 4: '1,5' has a comma"),
        ("counts", say(counts="cell_*"), "counts: "),
        ("counts", say(counts=["unit_a", "unit_d"]), "no numeric column 'unit_d'; did you mean `unit_c`"),
        (
            "counts",
            say(counts=["unit_a", "unit_b"]),
            "neuroids: 'unit_c' is not in columns of `counts` (1 such neuroids)",
        ),
        ("counts", drop("neuroids", "neuroid"), "no column `neuroid`, which says how `counts` or `spikes` call each"),
        ("counts", put("neuroids", "neuroid", 2, "unit_x"), "neuroids: 'unit_c' is not in the table"),
        ("array", without_first_row("trials"), "36 presentations (shape (36, 3), read as pres"),
        ("array", say(axes=["neuroid", "presentation"]), "read as neuroid x presentation), where "),
        ("array", say(axes=["neuroid", "stimulus"]), "axes: [neuroid, stimulus], where "),
        ("array", without_first_row("neuroids"), "2 rows, where "),
        (
            "spikes",
            put("spikes", "trial", 3, "t99"),
            "spikes.csv: data row 4: presentation 't99' is not in the trial table",
        ),
        (
            "spikes",
            put("spikes", "neuroid", 3, "x"),
            "data row 4: neuroid 'x' is not in the table `neuroids` (1 such rows)",
        ),
        ("spikes", put("spikes", "time", 3, ""), "column `time`, data row 4: 'nan' is no time (1 such rows)"),
        ("spikes", put("spikes", "time", 3, "late"), "column `time`, data row 4: 'late' is not a finite number"),
        (
            "spikes",
            drop("spikes", "time"),
            "no column `time`; a spike table has `presentation` (or `trial`), `neuroid`",
        ),
        ("spikes", drop("spikes", "trial"), "no column `presentation` nor `trial`"),
        ("spikes", drop("trials", "trial"), "presentation 't"),
        ("spikes", put("trials", "trial", 4, "t2"), "column `trial`, data row 5: 't2' is the same as data row 3"),
        ("spikes", put("trials", "trial", 4, ""), "column `trial`, data row 5: '' is empty"),
        (
            "spikes",
            put("trials", "photodiode", 4, ""),
            "column `photodiode`, data row 5: no time of onset (1 such rows)",
        ),
        ("spikes", say(onset="diode"), "onset: "),
        ("spikes", say(onset=0), "spikes are from "),
        ("spikes", say(time_bins=[[80, 70]]), "time_bins: bin 1 is from 80 to 70 ms; a bin ends after its start"),
        ("spikes", say(time_bins=[[0, 70], [0, 70]]), "time_bins: bins 1 and 2 of time are both '0-70'"),
    ],
)
def test_what_does_not_fit_together_is_named(recording, form, change, expected):
    assert expected in refusal(changed(recording, form, change))


def test_two_columns_of_one_name_are_refused(recording):
    spec = recording.of_counts()
    rows = (recording.folder / "counts.csv").read_text().splitlines()
    rows[0] = rows[0].replace("unit_b", "unit_a")
    (recording.folder / "counts.csv").write_text("\n".join(rows) + "\n")
    assert "two columns are called `unit_a`; rename one" in refusal(spec)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda tables: tables["trials"].insert(1, "repetition", 0),
            "has another response to ",
        ),
        (
            in_sessions([1]),
            "column `session`: neuroid 'unit_c' is of '2', of which there is no presentation; those of the trial ",
        ),
        (in_sessions([1, 2]), "data row 1 is of '1', and neuroid 'unit_c' of '2' responds in it"),
    ],
)
def test_what_the_job_finds_is_named(recording, stimuli, change, expected):
    spec = changed(recording, "counts", change)
    check(spec, STIMULI, KEY)
    said = refusal(spec, stimuli)
    assert expected in said
    assert said.startswith(f"{KEY}.trials: {spec['trials']}: ")


def test_stimuli_that_are_not_in_the_set_are_named_at_the_start(recording):
    names = {"stimulus": np.array([f"im{k}.png" for k in range(STIMULI)], dtype=object)}
    check(recording.of_counts(), STIMULI, KEY, names)
    spec = changed(recording, "counts", put("trials", "stimulus", 4, "im77"))
    with pytest.raises(InputError) as caught:
        check(spec, STIMULI, KEY, names)
    assert str(caught.value) == (
        f"{KEY}.trials: {spec['trials']}: column `stimulus`, data row 5: 'im77' is not in the stimulus set, by its "
        f"names of images (1 such stimuli: im77); there, they are called im0, im1, im2 and 6 more"
    )


def test_a_large_table_of_spikes_is_read_by_the_job_alone(recording, monkeypatch):
    spec = recording.of_spikes(time_bins=[[900, 901], [901, 902]])
    assert "no spike is in any of the windows 900 to 901, 901 to 902 ms: spikes are from -" in refusal(spec)
    monkeypatch.setattr(trials, "READ_AT_THE_START", 1000)
    check(spec, STIMULI, KEY)
    check({**spec, "neuroids": None}, STIMULI, KEY)
    assert "no such file" in refusal({**spec, "spikes": "nowhere.csv"})


# Arrays by name


@pytest.mark.parametrize("kind", ["npz", "mat 5", "mat 7.3"])
def test_an_array_that_is_not_in_a_file_is_named_with_those_that_are(recording, kind):
    path = recording.folder / ("r.npz" if kind == "npz" else "r.mat")
    arrays = {"rates": recording.responses[..., 1], "depths": np.zeros((1, 3))}
    write = {"npz": np.savez, "mat 5": lambda path, **a: scipy.io.savemat(path, a), "mat 7.3": as_matlab_73}[kind]
    write(path, **arrays)
    said = refusal(recording.spec(responses=str(path)))
    listed = ["`rates` (3, 9, 4)", "`depths` (1, 3)"]
    assert f"{path}: it has 2 arrays, " in said
    assert all(one in said for one in listed)
    assert said.endswith("say which one by `array: NAME`")
    said = refusal(recording.spec(responses=str(path), array="rate"))
    assert f"{KEY}.array: {path} has no array of numbers 'rate'; did you mean `rates`?" in said
    check(recording.spec(responses=str(path), array="rates"), STIMULI, KEY)


def test_a_file_without_numbers_and_a_name_for_an_npy_file_are_refused(recording):
    scipy.io.savemat(recording.folder / "r.mat", {"note": "text"})
    assert "no array of numbers is in it" in refusal(recording.spec(responses=str(recording.folder / "r.mat")))
    path = recording.save("r.npy", recording.responses[..., 1])
    assert f"array: {path} is an npy file" in refusal(recording.spec(responses=path, array="rates"))


@pytest.mark.parametrize("kind", ["npz", "mat 5", "mat 7.3"])
def test_cut_files_are_refused_by_the_check_or_the_job(recording, stimuli, kind):
    path = recording.folder / ("r.npz" if kind == "npz" else "r.mat")
    write = {"npz": np.savez, "mat 5": lambda path, **a: scipy.io.savemat(path, a), "mat 7.3": as_matlab_73}[kind]
    write(path, rates=recording.responses[..., 1])
    content = path.read_bytes()
    for size in (20, 200, 700, len(content) - 300, len(content) - 20):
        path.write_bytes(content[:size])
        assert refusal(recording.spec(responses=str(path)), stimuli).startswith(f"{KEY}.responses: {path}: ")


def test_the_start_of_a_run_does_not_read_arrays(recording, monkeypatch):
    for form in ("npz", "mat 5", "mat 7.3"):
        spec = in_bins(recording, form)
        for module, function in ((np, "load"), (scipy.io, "loadmat"), (h5py.Dataset, "__getitem__")):
            monkeypatch.setattr(module, function, lambda *_a, **_k: pytest.fail("the responses were read"))
        check(spec, STIMULI, KEY)
        monkeypatch.undo()
