"""Responses, assemblies, matrices and tables of neuroids as people have them: refused by name, or said once."""

import io
import logging
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.recordings.axes import doubts
from ventral.recordings.ingestion import check, ingest
from ventral.store import read_dataset, write_dataset

KEY = "recordings.mine"
NEUROIDS, STIMULI, REPETITIONS = 7, 12, 4
RIGHT = "an npy, npz or mat file with a numeric array (neuroids, stimuli, repetitions) or (neuroids, stimuli) is right"


@pytest.fixture
def stimuli(tmp_path):
    names = np.array([f"image{k}" for k in range(STIMULI)], dtype=object)
    attributes = {"name": "my_set", "sha256": "0" * 64}
    write_dataset(xr.Dataset(coords={"stimulus": names}, attrs=attributes), tmp_path / "stimuli.zarr")
    return tmp_path / "stimuli.zarr"


def responses(neuroids=NEUROIDS, stimuli=STIMULI, repetitions=REPETITIONS, seed=0):
    """Return neurons of different rates and preferences (neuroids, stimuli, repetitions)."""
    rng = np.random.default_rng(seed)
    tuning = 3 * rng.normal(size=(neuroids, 1, 1)) + rng.normal(size=(neuroids, stimuli, 1))
    return tuning + rng.normal(size=(neuroids, stimuli, repetitions))


def saved(path, content):
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    return path


def recording(path, **options):
    return {"stimuli": "my_set", "responses": str(path), **options}


def refusal(spec):
    with pytest.raises(InputError) as caught:
        check(spec, STIMULI, KEY)
    said = str(caught.value)
    assert said.startswith(f"{KEY}.")
    assert "allow_pickle" not in said
    return said


@pytest.fixture
def taken_in(stimuli, tmp_path, caplog):
    """A function that gives the store of a recording, and the warnings of the job that makes it."""

    def take_in(spec):
        with caplog.at_level(logging.WARNING, logger="ventral"):
            check(spec, STIMULI, KEY)
            assert caplog.records == []  # the check at the start of every run is silent
            ingest(spec, stimuli, tmp_path / "out.zarr", name="mine", n_splits=5)
        return read_dataset(tmp_path / "out.zarr").load(), caplog.messages

    return take_in


# Files that are no arrays, and arrays that are no responses


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def mat(version):
    if version == "7.3":
        return b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b" ") + b"\x89HDF\r\n\x1a\n"
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"responses": responses()})
    return stream.getvalue()


def npz():
    stream = io.BytesIO()
    np.savez(stream, responses=responses())
    return stream.getvalue()


def archive_of_text():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("early.npy", "text")
    return stream.getvalue()


GOOD = npy(responses())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.mat", mat("5")[:140], "cannot be read, or cut short"),
        ("r.mat", mat("7.3"), "cannot be read, or cut short"),
        ("r.mat", b"MATLAB" + bytes(99), "a MATLAB file"),
        ("r.npz", npz()[:-30], "cannot be read, or cut short"),
        ("r.npy", b"PK\x03\x04", "cannot be read, or cut short"),
        ("r.npz", archive_of_text(), "cannot be read, or cut short"),
        ("r.csv", b"1,2,3\n4,5,6\n", "it begins with b'1,2,3"),
        ("r.npy", b"1 2 3\n", "it begins with b'1 2 3"),
        ("r.npy", b"", "an empty file"),
        ("r.npy", pickle.dumps(responses()), "a pickle, which is not opened"),
        ("r.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file; read it with h5py"),
        ("r.npy", b"CDF\x01" + bytes(99), "a NetCDF file; a BrainIO assembly ends in .nc"),
        ("r.npy", b"PAR1" + bytes(99), "a Parquet table"),
        ("r.npy", GOOD[:3], "it begins with"),
        ("r.npy", GOOD[:8], "EOF"),
        ("r.npy", GOOD[:50], "EOF"),
        ("r.npy", GOOD[:-3], "mmap length is greater than file size"),
        ("r.npy", GOOD[:12] + b"((((((" + GOOD[18:], "cannot be read"),
        ("r.npy", GOOD[:12] + bytes(20) + GOOD[32:], "cannot be read"),
        ("r.npy", GOOD + GOOD, f"{len(GOOD)} bytes follow the array: one array in a file is right"),
        ("r.npy", npy(responses().astype(object)), "it holds Python objects, not numbers"),
        ("r.npy", npy(np.zeros((7, 12), dtype=[("a", "f8")])), "its values are [('a', '<f8')]"),
        ("r.npy", npy(responses().astype(complex)), "its values are complex128"),
        ("r.npy", npy(responses() > 0), "its values are bool"),
        ("r.npy", npy(np.zeros((7, 12), dtype="m8[s]")), "its values are timedelta64[s]"),
        ("r.npy", npy(np.zeros((7, 12), dtype="S3")), "its values are |S3"),
        ("r.npy", npy(np.float64(3)), "its shape is ()"),
        ("r.npy", npy(np.zeros(12)), "its shape is (12,)"),
        ("r.npy", npy(np.zeros((7, 12, 4, 1, 1))), "its shape is (7, 12, 4, 1, 1)"),
        ("r.npy", npy(np.zeros((0, 12))), "its shape is (0, 12)"),
        ("r.npy", npy(np.zeros((7, 12, 0))), "its shape is (7, 12, 0)"),
    ],
)
def test_what_is_no_array_of_responses_is_refused_by_what_it_is(tmp_path, name, content, expected):
    path = saved(tmp_path / name, content)
    said = refusal(recording(path))
    assert said.startswith(f"{KEY}.responses: {path}: ")
    assert expected in said
    assert RIGHT in said


def test_every_flipped_byte_of_a_header_is_refused_or_read(tmp_path):
    for place in range(128):
        content = GOOD[:place] + bytes([GOOD[place] ^ 0x11]) + GOOD[place + 1 :]
        try:
            check(recording(saved(tmp_path / "r.npy", content)), STIMULI, KEY)
        except InputError as error:
            said = str(error)
        else:
            said = f"{KEY}.responses: "
        assert said.startswith(f"{KEY}.responses: ")


@pytest.mark.parametrize("name", ["nowhere.npy", "folder.npy", "pipe.npy", "x" * 300 + ".npy", "a\0b.npy", "pipe.nc"])
def test_paths_without_a_file_are_refused_at_once(tmp_path, name):
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    os.mkfifo(tmp_path / "pipe.nc")
    expected = "a folder, not a file" if name == "folder.npy" else "no such file"
    assert expected in refusal(recording(tmp_path / name))


@pytest.mark.parametrize("name", ["a b.npy", "-r.npy", "é'\".npy", "new\nline.npy", "{x}.npy"])
def test_odd_paths_are_read(tmp_path, name):
    check(recording(saved(tmp_path / name, responses())), STIMULI, KEY)


@pytest.mark.parametrize("change", [lambda a: a.astype(">f8"), np.asfortranarray, lambda a: a.astype(np.longdouble)])
def test_other_layouts_of_the_same_numbers_are_the_same(taken_in, tmp_path, change):
    dataset, said = taken_in(recording(saved(tmp_path / "r.npy", change(responses()))))
    np.testing.assert_array_equal(dataset["responses"], responses().transpose(2, 1, 0))
    assert said == []


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "no responses (7)"), (np.inf, "infinite response to image0 (7)")]
)
def test_responses_without_a_finite_neuroid_are_refused(stimuli, tmp_path, value, reason):
    spec = recording(saved(tmp_path / "r.npy", np.full((7, 12, 4), value)))
    with pytest.raises(InputError, match="no neuroid can be used") as caught:
        ingest(spec, stimuli, tmp_path / "out.zarr", name="mine")
    assert str(caught.value).endswith(reason)


def test_stimuli_to_which_no_neuroid_responded_are_said(taken_in, tmp_path):
    array = responses()
    array[:, [3, 5]] = np.nan
    array[0, 4] = np.nan
    path = saved(tmp_path / "r.npy", array)
    _, said = taken_in(recording(path))
    assert said == [f"{KEY}.responses: {path}: 2 of 12 stimuli were not shown: image3, image5"]


# Axes


ORDERS = [
    ["repetition", "stimulus", "neuroid"],
    ["stimulus", "neuroid", "repetition"],
    ["neuroid", "stimulus", "repetition"],
    ["time_bin", "stimulus", "repetition", "neuroid"],
    ["neuroid", "stimulus", "repetition", "time_bin"],
]


@pytest.mark.parametrize("axes", ORDERS, ids="-".join)
def test_axes_are_what_the_config_says(taken_in, tmp_path, axes):
    order = [["neuroid", "stimulus", "repetition", "time_bin"].index(name) for name in axes]
    array = responses()[..., None].transpose(order + [3] * (len(order) == 3))
    array = array[..., 0] if len(axes) == 3 else array
    dataset, said = taken_in(recording(saved(tmp_path / "r.npy", array), axes=axes))
    np.testing.assert_array_equal(dataset["responses"], responses().transpose(2, 1, 0))
    assert said == []


def test_means_may_have_their_axes_exchanged(taken_in, tmp_path):
    path = saved(tmp_path / "r.npy", responses().mean(axis=2).T)
    dataset, said = taken_in(recording(path, axes=["stimulus", "neuroid"]))
    np.testing.assert_array_equal(dataset["responses"], responses().mean(axis=2).T[None])
    assert said == []


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((7, 12, 4), ["neuroid", "repetition", "stimulus"], "responses to 4 stimuli, where the set 'my_set' has 12"),
        ((7, 12, 4), ["neuroid", "stimulus"], f"{KEY}.axes: 2 axes, neuroid, stimulus, where "),
        ((7, 12), ["neuroid", "stimulus", "repetition", "time_bin"], f"{KEY}.axes: 4 axes, neuroid, "),
        ((7, 12), ["neuroid", "repetition"], f"{KEY}.axes: no `stimulus` in "),
        ((4, 12), ["repetition", "stimulus"], f"{KEY}.axes: no `neuroid` in "),
        ((7, 11, 4), ["neuroid", "stimulus", "time_bin"], "read as 7 neuroids x 11 stimuli x 4 bins of time)"),
    ],
)
def test_axes_that_do_not_fit_are_refused(tmp_path, shape, axes, expected):
    spec = recording(saved(tmp_path / "r.npy", np.zeros(shape)), **({"axes": axes} if axes else {}))
    assert expected in refusal(spec)


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (["neuron", "stimulus"], "config key recordings.mine.axes.0: 'neuron' is not known; did you mean `neuroid`?"),
        (["neuroid", "neuroid"], "config key recordings.mine.axes: "),
        (["neuroid"], "config key recordings.mine.axes: "),
        ("neuroid, stimulus", "config key recordings.mine.axes: "),
    ],
)
def test_axes_in_the_config_are_checked_by_key(axes, expected):
    config = {
        "models": ["efficientnet_lite0"],
        "stimuli": {"my_set": {"images": "images"}},
        "recordings": {"mine": {"stimuli": "my_set", "responses": "r.npy", "axes": axes}},
    }
    with pytest.raises(InputError) as caught:
        resolve(config)
    assert str(caught.value).startswith(expected)


def test_the_config_without_axes_is_what_it_was():
    config = resolve(
        {
            "models": ["efficientnet_lite0"],
            "stimuli": {"my_set": {"images": "images"}},
            "recordings": {"mine": {"stimuli": "my_set", "responses": "r.npy"}},
        }
    )
    assert "axes" not in config["recordings"]["mine"]  # or every recording would be made anew


@pytest.mark.parametrize("other", [{"matrices": "m.npz"}, {"simulate": {"teacher": "t", "areas": {}}}])
def test_axes_belong_to_responses(other):
    config = {
        "models": ["efficientnet_lite0"],
        "stimuli": {"my_set": {"images": "images"}},
        "recordings": {"mine": {"stimuli": "my_set", "axes": ["neuroid", "stimulus"], **other}},
    }
    with pytest.raises(InputError, match=r"recordings\.mine\.(axes: belongs to `responses`|simulate\.areas)"):
        resolve(config)


def test_swapped_axes_are_said_with_the_line_that_mends_them(taken_in, tmp_path):
    path = saved(tmp_path / "r.npy", responses().transpose(2, 1, 0))
    _, (said,) = taken_in(recording(path))
    assert said == (
        f"{KEY}.responses: {path}: shape (4, 12, 7), read as 4 neuroids x 12 stimuli x 7 repetitions: what should be "
        f"repetitions differ as neurons do, and what should be neuroids are alike, as repetitions are; if the order is "
        f"another, say `axes: [repetition, stimulus, neuroid]`; if it is this one, `axes: [neuroid, stimulus, "
        f"repetition]`"
    )
    # What the config says is not doubted.
    spec = recording(path, axes=["neuroid", "stimulus", "repetition"])
    ingest(spec, tmp_path / "stimuli.zarr", tmp_path / "again.zarr", name="mine", n_splits=5)


def standardised(array):
    """Return responses (neuroids, n, repetitions) with the same mean and deviation for each neuroid."""
    deviations = array - np.nanmean(array, axis=(1, 2), keepdims=True)
    return deviations / np.nanstd(array, axis=(1, 2), keepdims=True)


@pytest.mark.parametrize(
    ("array", "swapped"),
    [
        (responses(50, 100, 10), True),
        (responses(6, 100, 20), True),
        (standardised(responses(50, 100, 10)), True),
        (responses(7, 12, 4), True),
        (np.random.default_rng(0).normal(size=(50, 100, 10)), False),
        (np.random.default_rng(0).poisson(0.1, size=(3, 10, 50)), False),
        (np.zeros((5, 12, 4)), False),
        (np.full((5, 12, 4), np.nan), False),
        (np.full((5, 12, 4), np.inf), False),
        (np.ones((1, 12, 4)), False),
    ],
)
@pytest.mark.filterwarnings("error")
def test_only_exchanged_axes_are_doubted(array, swapped):
    axes = ["neuroid", "stimulus", "repetition"]
    assert list(doubts(array, axes)) == []
    assert len(list(doubts(array.transpose(2, 1, 0), axes))) == swapped


def test_recorded_neurons_are_not_doubted(data_dir):
    axes = ["neuroid", "stimulus", "repetition"]
    cowley = np.load(data_dir / "cowley2023_v4" / "responses_raw_210325.npy")
    counts = np.load(data_dir / "henaff2021_v1" / "spike_counts.npz")["counts"]
    henaff = np.where(counts == 255, np.nan, counts.astype(float))
    of_recording = pd.read_csv(data_dir / "henaff2021_v1" / "neuroids.csv")["recording"].to_numpy()
    sessions = [cowley, cowley[:5], henaff, *(henaff[of_recording == name] for name in np.unique(of_recording))]
    assert len(sessions) == 12
    for session in sessions:
        assert list(doubts(session, axes)) == []
        assert list(doubts(standardised(session), axes)) == []
        assert len(list(doubts(session.transpose(2, 1, 0), axes))) == 1


@pytest.mark.parametrize(
    ("shape", "exchanged", "confirmed"),
    [
        ((12, 12), "stimulus, neuroid", "neuroid, stimulus"),
        ((12, 12, 4), "stimulus, neuroid, repetition", "neuroid, stimulus, repetition"),
        ((7, 12, 12), "neuroid, repetition, stimulus", "neuroid, stimulus, repetition"),
    ],
)
def test_as_many_neuroids_as_stimuli_are_said_as_they_were_read(taken_in, tmp_path, shape, exchanged, confirmed):
    array = responses(*(*shape, 1)[:3]).reshape(shape)
    _, (said,) = taken_in(recording(saved(tmp_path / "r.npy", array)))
    assert f"shape {shape}, read as {shape[0]} neuroids x 12 stimuli" in said
    assert said.endswith(f"say `axes: [{exchanged}]`; if it is this one, `axes: [{confirmed}]`")


# Tables of neuroids


def table(path, header, *columns):
    rows = [[str(k), *(f"{column(k)}" for column in columns)] for k in range(NEUROIDS)]
    path.write_text(f"neuroid,{header}\n" + "".join(f"{','.join(row)}\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("name", ["ceiling", "noise_ceiling", "rho", "Reliability_SB", "split-half", "consistency"])
def test_columns_that_look_like_ceilings_are_said_not_to_be_used(taken_in, tmp_path, name):
    spec = recording(saved(tmp_path / "r.npy", responses()), neuroids=table(tmp_path / "n.csv", name, float))
    dataset, (said,) = taken_in(spec)
    assert said.startswith(f"{KEY}.neuroids: {spec['neuroids']}: `{name}`: not used; if these are ceilings, say which")
    assert list(dataset[name].values) == list(range(NEUROIDS))


@pytest.mark.parametrize("name", ["rhombus", "depth", "sncx", "x"])
def test_other_columns_are_no_ceilings(taken_in, tmp_path, name):
    spec = recording(saved(tmp_path / "r.npy", responses()), neuroids=table(tmp_path / "n.csv", name, float))
    assert taken_in(spec)[1] == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("given_ceiling", "a column cannot be called `given_ceiling`"),
        ("repetition", "a column cannot be called `repetition`"),
        ("zarr.json", "a column cannot be called `zarr.json`"),
        ("Area", "a column is called `Area`, where `area` is looked for"),
        ("Neuroid", "columns `neuroid` and `Neuroid` differ only in capital letters"),
    ],
)
def test_columns_that_would_be_lost_are_refused(tmp_path, header, expected):
    path = saved(tmp_path / "r.npy", responses())
    assert expected in refusal(recording(path, neuroids=table(tmp_path / "n.csv", header, float)))


def test_a_table_of_as_many_rows_as_repetitions_proposes_the_axes(tmp_path):
    path = saved(tmp_path / "r.npy", responses().transpose(2, 1, 0))
    said = refusal(recording(path, neuroids=table(tmp_path / "n.csv", "x", float)))
    assert f"7 rows, where {path} has 4 neuroids (its axis 1 of 3)" in said
    assert said.endswith("say `axes: [repetition, stimulus, neuroid]`")


# Assemblies


def assembly(path, drop=(), **coordinates):
    shown = np.repeat(np.arange(STIMULI), 2)
    coords = {
        "stimulus_id": ("presentation", [f"image{k}" for k in shown]),
        "repetition": ("presentation", np.tile([0, 1], STIMULI)),
        "neuroid_id": ("neuroid", list("abcde")),
        "region": ("neuroid", ["V4"] * 5),
        **coordinates,
    }
    values = np.random.default_rng(0).normal(size=(len(shown), 5))
    array = xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={name: coordinate for name, coordinate in coords.items() if name not in drop},
        name="rates",
    )
    array.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("name", ["stimulus_id", "neuroid_id"])
def test_an_assembly_without_its_names_is_refused(tmp_path, name):
    assert f"no coordinate `{name}`" in refusal(recording(assembly(tmp_path / "a.nc", drop=[name])))


def test_an_assembly_brings_its_own_axes(tmp_path):
    spec = recording(assembly(tmp_path / "a.nc"), axes=["stimulus", "neuroid"])
    assert f"{KEY}.axes: {tmp_path / 'a.nc'} is a BrainIO assembly, which names its axes" in refusal(spec)


@pytest.mark.parametrize("content", [b"", b"text", GOOD, b"CDF\x01" + bytes(99), b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_what_is_no_assembly_is_refused(tmp_path, content):
    path = saved(tmp_path / "a.nc", content)
    assert refusal(recording(path)).startswith(f"{KEY}.responses: {path}: ")


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_assembly_is_refused_or_read_and_never_a_traceback(stimuli, tmp_path):
    content = assembly(tmp_path / "a.nc").read_bytes()
    for size in (1, 10, 2000, len(content) // 2, len(content) - 100):
        saved(tmp_path / "a.nc", content[:size])
        assert "cannot be read as NetCDF, or is cut short" in refusal(recording(tmp_path / "a.nc"))
    refused = 0
    for place in range(5, len(content), 499):
        saved(tmp_path / "a.nc", content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            ingest(recording(tmp_path / "a.nc"), stimuli, tmp_path / "out.zarr", name="mine", n_splits=1)
        except InputError:
            refused += 1
    assert refused > 2


def test_coordinates_that_the_store_has_itself_are_said_to_be_left_out(taken_in, tmp_path):
    path = assembly(tmp_path / "a.nc", left_out=("neuroid", np.arange(5.0)), ceiling=("neuroid", np.arange(5.0)))
    dataset, said = taken_in(recording(path))
    assert "ceiling" in dataset
    assert len(said) == 2
    assert said[0].endswith("coordinates of neuroids left out, as the store has its own of this name: left_out")
    assert said[1].startswith(f"{KEY}.responses: {path}: `ceiling`: not used; if these are ceilings")


def test_stimuli_that_an_assembly_did_not_show_are_said(taken_in, tmp_path):
    ids = [f"image{k}" for k in np.repeat(np.arange(STIMULI), 2)]
    ids[-2:] = ids[:2]
    repetitions = np.tile([0, 1], STIMULI)
    repetitions[-2:] = [2, 3]
    path = assembly(tmp_path / "a.nc", stimulus_id=("presentation", ids), repetition=("presentation", repetitions))
    assert taken_in(recording(path))[1] == [f"{KEY}.responses: {path}: 1 of 12 stimuli were not shown: image11"]


# Matrices


def distances():
    matrix = np.random.default_rng(0).random((STIMULI, STIMULI))
    return (matrix + matrix.T) * (1 - np.eye(STIMULI))


def with_entry(value):
    matrix = distances()
    matrix[0, 1] = value
    return matrix


def matrices(path, **arrays):
    np.savez(path, **arrays)
    return {"stimuli": "my_set", "matrices": str(path)}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (with_entry(5), "row 1, column 2 is 5, but row 2, column 1 is "),
        (np.triu(distances()), "dissimilarities are symmetric"),
        (with_entry(np.nan), "row 1, column 2 is nan"),
        (with_entry(-np.inf), "row 1, column 2 is -inf"),
        (-distances(), "all of its dissimilarities are negative"),
        (1 - distances() / 2, "a stimulus is not dissimilar to itself"),
        (1 - np.eye(STIMULI), "all pairs of stimuli are equally dissimilar"),
        (distances()[:5, :5], "dissimilarities of 5 stimuli, where the set 'my_set' has 12"),
        (distances()[:5], "its shape is (5, 12)"),
        (distances()[np.triu_indices(STIMULI, 1)], "squareform makes a matrix"),
        (distances() > 1, "its values are bool"),
        (distances().astype(complex), "its values are complex128"),
        (np.array(["image1"] * STIMULI), "its values are <U6"),
        (distances().astype(object), "it holds Python objects, not numbers"),
        (np.zeros((0, 0)), "its shape is (0, 0)"),
    ],
)
def test_what_is_no_matrix_of_dissimilarities_is_refused(tmp_path, array, expected):
    said = refusal(matrices(tmp_path / "m.npz", early=array))
    assert said.startswith(f"{KEY}.matrices: {tmp_path / 'm.npz'}: ")
    assert expected in said


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("m.mat", mat("5"), "a MATLAB file"),
        ("m.csv", b"0,1\n1,0\n", "it begins with b'0,1"),
        ("m.npy", pickle.dumps(distances()), "a pickle, which is not opened"),
        ("m.npz", b"", "an empty file"),
        ("m.npz", npz()[:3], "an archive of arrays"),
        ("m.npz", npz()[:60], "cannot be read"),
        ("m.npz", archive_of_text(), "its values are no array"),
        ("m.npy", npy(distances()) + b"more", "4 bytes follow the array"),
        ("m.npy", npy(distances().astype(object)), "it holds Python objects, not numbers"),
    ],
)
def test_files_of_no_matrices_are_refused_by_what_they_are(tmp_path, name, content, expected):
    path = saved(tmp_path / name, content)
    said = refusal({"stimuli": "my_set", "matrices": str(path)})
    assert said.startswith(f"{KEY}.matrices: {path}: ")
    assert expected in said


def test_an_area_of_another_name_is_refused_with_the_names_there_are(tmp_path):
    spec = {**matrices(tmp_path / "m.npz", early=distances()), "area": {"erly": "V1"}}
    assert "is called 'erly'; did you mean `early`? allowed: early" in refusal(spec)


def test_some_negative_dissimilarities_are_said(taken_in, tmp_path):
    matrix = distances() - 0.5 * (1 - np.eye(STIMULI))
    _, (said,) = taken_in(matrices(tmp_path / "m.npz", early=matrix, late=distances()))
    assert said.startswith(f"{KEY}.matrices: `early`: ")
    assert "of its dissimilarities are negative, as cross-validated ones may be" in said


@pytest.mark.parametrize(("axes", "n_copies"), [(None, 3), (["neuroid", "stimulus", "repetition"], 3), (None, 1)])
def test_repetitions_that_are_copies_are_said(taken_in, tmp_path, axes, n_copies):
    array = responses()
    array[:, :, 1 : 1 + n_copies] = array[:, :, :1]
    array[0, 0, 1] = np.nan
    path = saved(tmp_path / "r.npy", array)
    _, said = taken_in(recording(path, **({"axes": axes} if axes else {})))
    assert any(f"{n_copies} of 4 repetitions have the same responses as the repetition before" in one for one in said)


def test_silent_neurons_are_no_copies(taken_in, tmp_path):
    array = responses()
    array[:, :, 2:] = np.nan
    _, said = taken_in(recording(saved(tmp_path / "r.npy", array)))
    assert not any("copies" in one for one in said)
