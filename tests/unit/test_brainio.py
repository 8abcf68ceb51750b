from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.messages import message
from ventral.recordings import brainio
from ventral.recordings.ingestion import check, ingest
from ventral.store import read_dataset, write_dataset

# Written by brainscore-core 2.5.0 (`write_netcdf`): twelve presentations in random order of four stimuli, three
# neuroids, one time bin; a response is 100 stimulus + 10 neuroid + repetition, from 0; one is missing.
PUBLISHED = Path(__file__).parent / "data" / "brainio.nc"
HASHES = ["a1f", "b2e", "c3d", "d4c"]
NAMES = ["car/1.png", "dog/2.png", "car/3.png", "dog/4.png"]


def published():
    stimulus, neuroid, repetition = np.meshgrid(np.arange(4), np.arange(3), np.arange(3), indexing="ij")
    responses = (100.0 * stimulus + 10 * neuroid + repetition).transpose(1, 0, 2)
    responses[1, 2, 1] = np.nan
    return responses


def assembly(n=4, repetitions=3, neuroids=2):
    repetition, stimulus = np.divmod(np.arange(n * repetitions), n)
    return xr.DataArray(
        10.0 * stimulus[:, None] + repetition[:, None] + 100 * np.arange(neuroids),
        dims=["presentation", "neuroid"],
        coords={
            "stimulus_id": ("presentation", np.array([f"im{k}" for k in stimulus])),
            "repetition": ("presentation", repetition),
            "neuroid_id": ("neuroid", np.array([f"site{k}" for k in range(neuroids)])),
        },
        name="data",
    )


@pytest.fixture
def saved(tmp_path):
    def save(array):
        array.to_netcdf(tmp_path / "assembly.nc", engine="h5netcdf")
        return tmp_path / "assembly.nc"

    return save


def stimuli(n=4):
    return {"stimulus": np.array([f"images/im{k}.png" for k in range(n)], dtype=object)}


def test_reads_a_published_assembly_in_the_order_of_the_set():
    for column in ("stimulus_id", "image_id"):
        responses, neuroids, _ = brainio.read(
            PUBLISHED, "key", {"stimulus": np.array(NAMES), column: np.array(HASHES, dtype=object)}
        )
        np.testing.assert_array_equal(responses, published())
    assert list(neuroids.index) == ["M_1", "M_2", "N_1"]
    assert list(neuroids["area"]) == ["V4", "IT", "IT"]
    assert list(neuroids["animal"]) == ["M", "M", "N"]
    assert list(neuroids["x"]) == [0.5, 1.0, 2.0]


def test_another_order_of_the_set_moves_the_stimuli():
    order = [2, 0, 3, 1]
    columns = {"stimulus": np.array(NAMES)[order], "stimulus_id": np.array(HASHES)[order]}
    np.testing.assert_array_equal(brainio.read(PUBLISHED, "key", columns)[0], published()[:, order])


def test_checking_reads_coordinates_alone(monkeypatch):
    monkeypatch.setattr(xr.DataArray, "transpose", lambda *_: pytest.fail("the responses were read"))
    assert list(brainio.check(PUBLISHED, "key", 4)[0].index) == ["M_1", "M_2", "N_1"]


def test_ids_are_also_looked_for_among_names(saved):
    path = saved(assembly())
    for names in (["im0", "im1", "im2", "im3"], ["a/im0.png", "im1.png", "b/im2.jpg", "im3"]):
        responses, *_ = brainio.read(path, "key", {"stimulus": np.array(names, dtype=object)})
        np.testing.assert_array_equal(responses[0], 10 * np.arange(4)[:, None] + np.arange(3))


def test_numbers_may_be_ids(saved):
    array = assembly()
    array["stimulus_id"] = ("presentation", np.tile([7, 3, 5, 1], 3))
    columns = {"stimulus": np.array(NAMES), "stimulus_id": np.array([1.0, 3.0, 5.0, 7.0])}
    responses, *_ = brainio.read(saved(array), "key", columns)
    np.testing.assert_array_equal(responses[0, :, 0], [30, 10, 20, 0])


def test_animals_recorded_apart_are_joined(saved):
    one, other = assembly(), assembly().isel(presentation=slice(None, None, -1))
    one[:, 1], other[:, 0] = np.nan, np.nan
    responses, *_ = brainio.read(saved(xr.concat([one, other], "presentation")), "key", stimuli())
    expected, *_ = brainio.read(saved(assembly()), "key", stimuli())
    np.testing.assert_array_equal(responses, expected)


def test_two_responses_of_one_neuroid_in_one_repetition_are_refused(saved):
    array = xr.concat([assembly(), assembly().isel(presentation=[5])], "presentation")
    said = message(brainio.read, saved(array), "key", stimuli())
    assert "neuroid 'site0' has more than one response to `im1`" in said
    assert "presentation 13; 2 such responses" in said


@pytest.mark.parametrize(
    "change",
    [lambda a: a.drop_vars("repetition"), lambda a: a.assign_coords(repetition=("presentation", np.arange(12)))],
)
def test_repetitions_that_are_not_numbered_by_stimulus_are_counted(saved, change):
    responses, *_ = brainio.read(saved(change(assembly())), "key", stimuli())
    np.testing.assert_array_equal(responses[0], 10 * np.arange(4)[:, None] + np.arange(3))


def test_an_averaged_assembly_has_one_repetition(saved):
    responses, *_ = brainio.read(saved(assembly(repetitions=1).drop_vars("repetition")), "key", stimuli())
    assert responses.shape == (2, 4, 1)


def test_stimuli_that_were_not_shown_are_missing(saved):
    responses, *_ = brainio.read(saved(assembly()), "key", stimuli(6))
    assert np.isnan(responses[:, 4:]).all()


def test_a_region_of_all_neuroids_is_theirs(saved):
    _, neuroids, _ = brainio.read(saved(assembly().assign_coords(region="IT", subject="Magneto")), "key", stimuli())
    assert list(neuroids["area"]) == ["IT", "IT"]
    assert list(neuroids["animal"]) == ["Magneto", "Magneto"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda a: a.drop_vars("stimulus_id"),
            "no coordinate `stimulus_id` (nor `image_id`) along `presentation`; it has",
        ),
        (lambda a: a.drop_vars("neuroid_id"), "no coordinate `neuroid_id` along `neuroid`; it has"),
        (lambda a: a.rename(neuroid="unit"), "one variable with the dimensions `presentation` and `neuroid` is right"),
        (lambda a: a.expand_dims(trial=3), "3 values along `trial`; one response to each presentation is right"),
        (lambda a: a.astype(str), "responses are numbers"),
        (lambda a: a.isel(presentation=[]), "it is empty: {'presentation': 0, 'neuroid': 2}"),
        (
            lambda a: a.assign_coords(neuroid_id=("neuroid", ["a", "a"])),
            "neuroids 1, 2 are all called 'a' in `neuroid_id`",
        ),
    ],
)
def test_what_is_no_assembly_is_named(saved, change, said):
    path = saved(change(assembly()))
    for function, argument in ((brainio.check, 4), (brainio.read, stimuli())):
        arguments = (path, "recordings.mine.responses", argument)
        found = message(function, *arguments)
        assert said in found
        assert found.startswith(f"recordings.mine.responses: {path}: ")


def test_stimuli_that_are_not_in_the_set_are_named(saved):
    said = message(brainio.read, saved(assembly()), "key", {"stimulus": np.array(["im0", "im1", "imx", "imy"])})
    assert "2 of 4 stimuli that were presented are not in the stimulus set" in said
    assert "im2, im3; there, they are called im0, im1, imx and 1 more" in said
    assert "a column `stimulus_id`" in said
    assert "4 stimuli were presented, where the set has 3" in message(brainio.check, saved(assembly()), "key", 3)


def test_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "responses.nc"
    assert message(brainio.check, path, "key") == f"key: no such file: {path}"
    path.write_bytes(b"CDF\x01" + bytes(100))
    assert "NetCDF 3; NetCDF 4 is right" in message(brainio.check, path, "key")
    path.write_bytes(PUBLISHED.read_bytes()[:900])
    assert "cannot be read as NetCDF, or is cut short" in message(brainio.check, path, "key")
    path.write_text("no such thing")
    assert "cannot be read as NetCDF, or is cut short" in message(brainio.check, path, "key")


@pytest.fixture
def stimulus_set(tmp_path):
    dataset = xr.Dataset(
        coords={"stimulus": np.array(NAMES, dtype=object), "stimulus_id": ("stimulus", np.array(HASHES, dtype=object))},
        attrs={"name": "my_set", "sha256": "0" * 64},
    )
    write_dataset(dataset, tmp_path / "stimuli.zarr")
    return tmp_path / "stimuli.zarr"


def test_an_assembly_is_ingested_like_an_array(stimulus_set, tmp_path):
    spec = {"stimuli": "my_set", "responses": str(PUBLISHED)}
    check(spec, 4)
    ingest(spec, stimulus_set, tmp_path / "recording.zarr", name="session")
    recording = read_dataset(tmp_path / "recording.zarr")
    np.testing.assert_array_equal(recording["responses"].transpose("neuroid", "stimulus", "repetition"), published())
    assert recording["area"].values.tolist() == ["V4", "IT", "IT"]
    assert recording["stimulus"].values.tolist() == NAMES
    assert recording.attrs["n_repetitions"] == 3
    assert (recording["reliability"] > 0.99).all()


def test_what_an_assembly_does_not_say_the_config_may(saved):
    spec = {"stimuli": "my_set", "responses": str(saved(assembly())), "area": "V2", "neuroids": "table.csv"}
    assert "recordings.neuroids: " in message(check, spec, 4)
    assert "leave `neuroids` out" in message(check, spec, 4)


def test_the_area_of_all_neuroids_may_stand_in_the_config(saved, tmp_path):
    dataset = xr.Dataset(coords={"stimulus": stimuli()["stimulus"]}, attrs={"name": "my_set", "sha256": "0" * 64})
    write_dataset(dataset, tmp_path / "stimuli.zarr")
    spec = {"stimuli": "my_set", "responses": str(saved(assembly())), "area": "V2"}
    ingest(spec, tmp_path / "stimuli.zarr", tmp_path / "recording.zarr", name="session")
    assert read_dataset(tmp_path / "recording.zarr")["area"].values.tolist() == ["V2", "V2"]


def timed(**coordinates):
    """An assembly with two bins, responses in the second 1000 higher, and another response in each repetition."""
    one = assembly() + 0.1 * np.arange(12)[:, None] ** 2
    both = xr.concat([one, one + 1000], "time_bin").transpose("presentation", "neuroid", "time_bin")
    return both.rename("data").assign_coords({name: ("time_bin", values) for name, values in coordinates.items()})


@pytest.mark.parametrize(
    ("coordinates", "names"),
    [
        ({"time_bin_start": [70, 170], "time_bin_end": [170, 270]}, ["70-170", "170-270"]),
        ({"time_bin": ["early", "late"]}, ["early", "late"]),
        ({}, ["1", "2"]),
    ],
)
def test_several_bins_of_time_are_kept(saved, coordinates, names):
    responses, _, bins = brainio.read(saved(timed(**coordinates)), "key", stimuli())
    assert list(bins.names) == names
    assert (bins.edges is not None) == ("time_bin_start" in coordinates)
    alone, _, none = brainio.read(saved(timed(**coordinates).isel(time_bin=0)), "key", stimuli())
    assert none is None
    np.testing.assert_allclose(responses, np.stack([alone, alone + 1000], axis=3))


def test_bins_of_the_same_name_are_refused(saved):
    said = message(brainio.check, saved(timed(time_bin=["early", "early"])), "key")
    assert "bins 1 and 2 of time are both 'early'" in said
