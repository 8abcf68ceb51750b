"""Units of Triple-N: areas by position, images in the order of the responses, sessions and monkeys in one recording."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import yaml
from PIL import Image

from tests.documentation import ROOT
from tests.messages import message
from tests.unit.published import correlations, read, responds_to_its_own
from ventral.configuration.resolution import resolve
from ventral.datasets import triplen
from ventral.datasets.triplen import expand, read_areas, shared, write_images, write_neuroids, write_responses

OPTIONS = {"sessions": None, "reliability": 0.4, "localizer": False}
SES01, SES11 = "Processed_ses01_240629_M1_2.mat", "Processed_ses11_240801_M3_1.mat"
CHOSEN = {"reliability": 0.4, "localizer": False}


def bitmap(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="bmp")
    return content.getvalue()


@pytest.fixture(scope="module")
def pixels():
    """Images (1072, 4, 4, 3): each of one colour, of which red and green are the features of neurons."""
    colours = np.random.default_rng(0).integers(0, 256, (1072, 1, 1, 3), dtype=np.uint8)
    return np.broadcast_to(colours, (1072, 4, 4, 3))


def session(seed, pixels, features, positions, reliability):
    """A session of the published layout: rows of one number a unit, responses (units, 1072)."""
    rng = np.random.default_rng(seed)
    tuning = pixels[:, 0, 0, features].T.astype(float)
    n_units = len(positions)
    return {
        "response_best": tuning + rng.normal(size=tuning.shape),
        "reliability_best": np.array([reliability]),
        "pos": np.array([positions], dtype=float),
        "UnitType": np.ones((1, n_units)),
        "F_SI": np.zeros((1, n_units)),
    }


@pytest.fixture
def folder(tmp_path, pixels):
    """Two sessions: faces read red, and objects green; what is in no area reads blue."""
    for below in ("Processed", "others"):
        (tmp_path / below).mkdir()
    scipy.io.savemat(
        tmp_path / "Processed" / SES01, session(1, pixels, [1, 0, 2, 0], [950, 150, 500, 160], [0.9, 0.8, 0.7, 0.2])
    )
    scipy.io.savemat(tmp_path / "Processed" / SES11, session(2, pixels, [0, 1], [2000, 100], [0.5, 0.6]))
    areas = [
        (1, 100, 200, "MF1", "IT"),
        (1, 400, 600, "Unknown", "IT"),
        (1, 900, 1000, "MO1s2", "IT"),
        (11, 0, 1000, "V4", "EVC"),
        (11, 1800, 2200, "MF3", "IT"),
    ]
    pd.DataFrame(areas, columns=["SesIdx", "y1", "y2", "AREALABEL", "Area"]).to_csv(
        tmp_path / "others" / "exclude_area.csv", index=False
    )
    names = [f"{k:04d}" for k in range(1, 1001)] + [f"MFOB{k}" for k in range(1, 73)]
    with zipfile.ZipFile(tmp_path / "others" / "StimuliNNN.zip", "w") as archive:
        # In the order of text, not of numbers.
        for name, image in sorted(zip(names, pixels, strict=True), key=lambda pair: pair[0]):
            archive.writestr(f"StimuliNNN/{name}.bmp", bitmap(image))
    return tmp_path


def taken_in(folder, **options):
    _, images, recordings = read("triplen", folder, folder / "out", **options)
    return images["triplen"], recordings["triplen"]


def colours(images):
    return images["pixels"].values[:, :, 0, 0].astype(float)


def test_units_of_each_area_respond_to_the_features_of_that_area(folder):
    images, units = taken_in(folder)
    assert images.sizes["stimulus"] == 1000
    assert list(units["neuroid"].values) == ["ses01_0001", "ses01_0002", "ses01_0003", "ses11_0001", "ses11_0002"]
    assert list(units["area"].values) == ["MO", "MF", "unknown", "MF", "V4"]
    assert list(units["label"].values) == ["MO1s2", "MF1", "unknown", "MF3", "V4"]
    assert list(units["region"].values) == ["IT", "IT", "unknown", "IT", "EVC"]
    assert list(units["animal"].values) == ["M1"] * 3 + ["M3"] * 2
    assert list(units["session"].values) == ["ses01"] * 3 + ["ses11"] * 2
    np.testing.assert_allclose(units["given_ceiling"], np.sqrt([0.9, 0.8, 0.7, 0.5, 0.6]))
    features = {"MF": 0, "MO": 1, "V4": 1, "unknown": 2}
    assert responds_to_its_own(correlations(units, colours(images)), features, least=0.95)


def test_images_of_the_localizer_come_last_and_sessions_can_be_chosen(folder):
    images, units = taken_in(folder, localizer=True, sessions=[11], reliability=0)
    assert images.sizes["stimulus"] == 1072
    assert list(images["stimulus"].values[[0, 999, 1000, 1009, 1071]]) == [
        "0001.bmp",
        "1000.bmp",
        "MFOB1.bmp",
        "MFOB10.bmp",
        "MFOB72.bmp",
    ]
    kinds = images["kind"].values
    assert (kinds[:1000] == "scene").all()
    assert (kinds[1000:1024] == "face").all()
    assert (kinds == "body").sum() == 24
    assert list(kinds[[1024, 1025, 1030, 1031, 1060, 1061]]) == ["object", "body", "body", "object", "body", "object"]
    found = correlations(units.isel(stimulus=slice(1000, None)), colours(images)[1000:])
    assert responds_to_its_own(found, {"MF": 0, "V4": 1}, least=0.95)


def test_images_of_nsd_are_taken_by_their_numbers(folder, pixels):
    (folder / "others" / "StimuliNNN.zip").unlink()
    rows = np.arange(1000) * 2 + 3
    bricks = np.zeros((2010, 4, 4, 3), np.uint8)
    bricks[rows] = pixels[:1000]
    with h5py.File(folder / "others" / "nsd_stimuli.hdf5", "w") as file:
        file["imgBrick"] = bricks
    scipy.io.savemat(folder / "others" / "nsd_expdesign.mat", {"sharedix": rows[None] + 1, "masterordering": 1})
    images, units = taken_in(folder)
    assert list(images["stimulus"].values[[0, 999]]) == ["shared0001_nsd00004.png", "shared1000_nsd02002.png"]
    found = correlations(units, colours(images))
    assert responds_to_its_own(found, {"MF": 0, "MO": 1, "V4": 1, "unknown": 2}, least=0.95)
    assert message(expand, str(folder), "results", **OPTIONS | {"localizer": True}) == (
        f"localizer: its images are in StimuliNNN.zip alone, and {folder} has nsd_stimuli.hdf5 instead"
    )


def test_the_config_is_right(folder):
    config = yaml.safe_load((ROOT / "config" / "triplen.yaml").read_text(encoding="utf-8"))
    assert list(resolve(config | {"data_dir": str(folder)})["recordings"]) == ["triplen"]


def test_a_unit_on_the_border_of_an_area_is_in_none():
    areas = pd.DataFrame({"y1": [100, 150], "y2": [200, 300], "arealabel": ["MF1", "MB1"]})
    labels, _ = triplen.labels_of(np.array([100, 101, 160, 200, 300]), areas)
    # The second area has the last word, as in the authors' code.
    assert labels == ["unknown", "MF1", "MB1", "MB1", "unknown"]


@pytest.mark.parametrize(
    ("absent", "options", "expected"),
    [
        ("Processed", {}, "no file such as Processed_ses01_240629_M1_2.mat there, nor in its folders triplen, "),
        ("others/exclude_area.csv", {}, "no exclude_area.csv there, nor in its folders triplen, Processed, others"),
        ("others/StimuliNNN.zip", {}, "no StimuliNNN.zip, the source's images, there, nor nsd_stimuli.hdf5 and "),
        (None, {"sessions": [1, 2, 90]}, "sessions: 2, 90 not in {folder}; sessions there: 1, 11"),
    ],
)
def test_absent_files_are_said(folder, absent, options, expected):
    if absent:
        (folder / absent).rename(folder / "elsewhere")
    said = message(expand, str(folder), "results", **OPTIONS | options)
    assert said.startswith(("folder: ", "sessions: "))
    assert expected.format(folder=folder) in said


def test_a_folder_is_needed_and_an_excel_file_is_not_read(folder, tmp_path):
    assert message(expand, None, "results", **OPTIONS).startswith("folder: missing; the data set triplen is not ")
    assert message(expand, "nowhere", "results", **OPTIONS) == "folder: no such folder: nowhere"
    excel = folder / "others" / "exclude_area.xls"
    (folder / "others" / "exclude_area.csv").rename(excel)
    assert message(expand, str(tmp_path), "results", **OPTIONS) == (
        f"folder: {excel}: files of Excel are not read; save it as exclude_area.csv beside it, in a spreadsheet"
    )


def spoilt(path, **arrays):
    content = {name: values for name, values in scipy.io.loadmat(path).items() if not name.startswith("__")} | arrays
    scipy.io.savemat(path, {name: values for name, values in content.items() if values is not None})


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"response_best": None}, "no `response_best`; it has "),
        ({"pos": None}, "no `pos`; it has "),
        ({"response_best": np.zeros((1072, 4))}, "`response_best` (1072, 4); (units, 1072) is right"),
        ({"pos": np.zeros((1, 3))}, "`pos` has 3 numbers, where `response_best` (4, 1072) has 4 units; as many are "),
        ({"pos": np.array(["high"])}, "`pos` is of <U4; numbers are right"),
    ],
)
def test_arrays_of_another_kind_are_said(folder, arrays, expected):
    path = str(folder / "Processed" / SES01)
    spoilt(path, **arrays)
    said = message(write_responses, folder / "out.npy", processed=[path], **CHOSEN)
    assert said.startswith(f"triplen: {path}: {expected}")
    assert not (folder / "out.npy").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"MATLAB 7.3 MAT-file", "a MAT file of version 7.3; version 5, as the source has it, is right"),
        (b"nothing", "cannot be read, or cut short: "),
        (None, "no such file: "),
    ],
)
def test_a_file_that_cannot_be_read_is_said(tmp_path, content, expected):
    path = tmp_path / SES01
    if content:
        path.write_bytes(content)
    said = message(write_responses, tmp_path / "out.npy", processed=[str(path)], **CHOSEN)
    assert expected in said
    assert str(path) in said


def test_no_reliable_unit_is_said(folder):
    path = str(folder / "Processed" / SES01)
    said = message(write_responses, folder / "out.npy", processed=[path], reliability=0.95, localizer=False)
    assert said == (
        f"triplen: {path}: no unit has a `reliability_best` of 0.95 or more; give a lower dataset.triplen.reliability"
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("SesIdx,y1,y2\n1,2,3\n", "no column `AREALABEL`; columns: SesIdx, y1, y2; SesIdx, y1, y2 and AREALABEL are "),
        ("SesIdx,y1,y2,AREALABEL\n1,low,3,MF1\n", "column `y1`: a number in each row is right"),
        ("SesIdx,y1,y2,AREALABEL\n1,,3,MF1\n1,2,3,MF1\n", "column `y1`: a number in each row is right"),
        ("SesIdx,y1,y2,AREALABEL\n1,2,3,4\n", "column `AREALABEL`: text, such as MF1, is right"),
    ],
)
def test_a_table_of_areas_of_another_kind_is_said(tmp_path, table, expected):
    path = tmp_path / "exclude_area.csv"
    path.write_text(table)
    assert message(read_areas, path).startswith(f"triplen: {path}: {expected}")


def test_the_table_of_areas_may_have_no_region(folder):
    areas = folder / "areas.csv"
    areas.write_text("SesIdx,y1,y2,arealabel,ROIIndex\n1,100,200,MF1,1\n")
    processed = [str(folder / "Processed" / SES01)]
    write_neuroids(folder / "out.csv", processed=processed, areas=str(areas), reliability=0)
    table = pd.read_csv(folder / "out.csv")
    assert list(table["area"]) == ["unknown", "MF", "unknown", "MF"]
    assert "region" not in table


def test_images_of_another_number_or_kind_are_said(tmp_path):
    stimuli = tmp_path / "StimuliNNN"
    stimuli.mkdir()
    for name in ("0001", "0002", "MFOB1"):
        (stimuli / f"{name}.bmp").write_bytes(bitmap(np.zeros((2, 2, 3), np.uint8)))
    said = message(write_images, tmp_path / "out.zip", stimuli=str(stimuli), localizer=False)
    assert said.startswith(f"triplen: {stimuli}: 2 images called by a number and 1 others; 1000 from 0001.bmp to ")
    design = tmp_path / "nsd_expdesign.mat"
    for sharedix, expected in (
        (np.arange(10), "10 numbers, 10 different"),
        (np.ones(1000), "1000 numbers, 1 different"),
        (np.arange(1000), "1000 numbers, 1000 different"),
    ):
        scipy.io.savemat(design, {"sharedix": sharedix})
        assert message(shared, str(design)) == (
            f"triplen: {design}: `sharedix` has {expected}; 1000 different numbers from 1 are right, as in "
            f"nsd_expdesign.mat of NSD"
        )


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (
            {"other": np.zeros(2)},
            "no array `imgBrick`; it has other; nsd_stimuli.hdf5 of NSD, with `imgBrick` ",
        ),
        ({"imgBrick": np.zeros((9, 4, 4, 3), np.uint8)}, "array `imgBrick` (9, 4, 4, 3) of uint8; "),
        ({"imgBrick": np.zeros((2000, 4, 4, 3))}, "array `imgBrick` (2000, 4, 4, 3) of float64; "),
        (None, "no HDF5 file; the published one is right"),
    ],
)
def test_images_of_nsd_of_another_kind_are_said(tmp_path, arrays, expected):
    bricks, design = tmp_path / "nsd_stimuli.hdf5", tmp_path / "nsd_expdesign.mat"
    scipy.io.savemat(design, {"sharedix": np.arange(1, 1001)})
    if arrays is None:
        bricks.write_bytes(b"nothing")
    else:
        with h5py.File(bricks, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    said = message(write_images, tmp_path / "out.zip", bricks=str(bricks), design=str(design), localizer=False)
    assert said.startswith(f"triplen: {bricks}: {expected}")


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.triplen import expand; "
        "assert not {'torch', 'pandas', 'zarr', 'scipy', 'h5py'} & set(sys.modules)"
    )
    path = str(Path(triplen.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})
