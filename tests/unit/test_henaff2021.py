"""Spike counts of macaque V1 to frames of movies: each image once, what was not shown as NaN, and the real files."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.command_lines import command_line
from tests.messages import message
from ventral.__main__ import main
from ventral.configuration.resolution import check_inputs, resolve
from ventral.datasets import henaff2021
from ventral.datasets.henaff2021 import (
    COUNTS,
    FOLDERS,
    IMAGES,
    NEUROIDS,
    ROWS,
    expand,
    read,
    write_responses,
    write_table,
)
from ventral.recordings import ingestion as recordings
from ventral.recordings.reliability import split_half_reliability
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset
from ventral.targets.splits import make_splits

FILES = (COUNTS, ROWS, IMAGES, NEUROIDS)


@pytest.fixture
def folder(tmp_path):
    """Three units, and three movies of two frames; a cross-fade begins with the first frame of each once more."""
    rows, images = [], {}
    for movie in (1, 2, 10):
        for kind, frame, name in (
            ("natural", 1, "natural01"),
            ("natural", 2, "natural02"),
            ("synthetic", 1, "natural01"),
        ):
            path = f"zoom1x/movie{movie}/{name}.png"
            rows.append((len(rows), 1, kind, movie, f"title{movie}", frame, path))
            images[path] = np.full((8, 8), len(rows), dtype=np.uint8)
    table = pd.DataFrame(rows, columns=["stimulus", "zoom", "kind", "movie", "title", "frame", "image"])
    table.to_csv(tmp_path / ROWS, index=False)
    with zipfile.ZipFile(tmp_path / IMAGES, "w") as archive:
        for path, pixels in images.items():
            with archive.open(path, "w") as file:
                Image.fromarray(pixels).save(file, format="png")
    counts = np.arange(3 * 9 * 2, dtype=np.uint8).reshape(3, 9, 2)
    counts[:, :, 1] = 254
    counts[1, 3, 1] = 255
    np.savez(tmp_path / COUNTS, counts=counts)
    neuroids = {"neuroid": [0, 1, 2], "animal": ["a", "a", "b"], "penetration": ["u1", "u2", "u1"]}
    pd.DataFrame(neuroids).to_csv(tmp_path / NEUROIDS, index=False)
    return tmp_path


@pytest.fixture
def unpacked(tmp_path):
    """Where the parts go."""
    folder = tmp_path / "datasets" / "henaff2021"
    return {"responses": folder / "responses.npy", "table": folder / "stimuli.csv"}


@pytest.mark.parametrize("below", FOLDERS)
def test_files_are_found_in_their_folder_or_the_one_above(tmp_path, below):
    place = tmp_path / below
    place.mkdir(exist_ok=True)
    for file in FILES:
        (place / file).touch()
    assert expand(str(tmp_path), "results/mine") == {
        "stimuli": {
            "henaff2021": {
                "images": str(place / "images.zip"),
                "table": "results/mine/datasets/henaff2021/stimuli.csv",
            }
        },
        "recordings": {
            "henaff2021": {
                "stimuli": "henaff2021",
                "responses": "results/mine/datasets/henaff2021/responses.npy",
                "neuroids": str(place / "neuroids.csv"),
                "area": "V1",
                "splits": [{"column": "movie", "folds": 5}],
            }
        },
        "unpacks": {
            "results/mine/datasets/henaff2021/responses.npy": {
                "dataset": "henaff2021",
                "writer": "responses",
                "inputs": {"counts": str(place / "spike_counts.npz"), "rows": str(place / "stimuli.csv")},
                "options": {},
            },
            "results/mine/datasets/henaff2021/stimuli.csv": {
                "dataset": "henaff2021",
                "writer": "table",
                "inputs": {"rows": str(place / "stimuli.csv")},
                "options": {},
            },
        },
    }


def test_absent_files_are_said(tmp_path):
    said = message(expand, None, "results")
    assert said.startswith("folder: missing; the data set henaff2021 is not downloaded by itself, as its source states")
    for needed in (*FILES, "osf.io/gwtcs", "olivierhenaff/neural-straightening"):
        assert needed in said
    assert message(expand, str(tmp_path / "nowhere"), "results") == f"folder: no such folder: {tmp_path / 'nowhere'}"
    place = tmp_path / "henaff2021_v1"
    place.mkdir()
    for file in (COUNTS, ROWS, IMAGES):
        (place / file).touch()
    assert message(expand, str(tmp_path), "results").startswith(
        f"folder: {tmp_path}: data set henaff2021 has no neuroids.csv in {place}; it needs spike_counts.npz, "
    )


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.henaff2021 import expand; "
        "assert not {'torch', 'pandas', 'zarr', 'scipy'} & set(sys.modules)"
    )
    path = str(Path(henaff2021.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})


def test_every_image_is_kept_once_with_the_trials_of_its_first_row(folder, unpacked):
    for path in unpacked.values():
        made = expand(str(folder), str(path.parents[2]))["unpacks"][str(path)]
        assert main(command_line("unpack", {"reads": list(made["inputs"].values())}, {"output": path}, **made)) == 0
    table = pd.read_csv(unpacked["table"])
    assert list(table.columns) == ["stimulus", "zoom", "kind", "movie", "title", "frame"]
    assert list(table["stimulus"]) == [f"zoom1x/movie{m}/natural0{k}.png" for m in (1, 2, 10) for k in (1, 2)]
    assert list(table["movie"]) == ["movie1", "movie1", "movie2", "movie2", "movie10", "movie10"]
    assert set(table["kind"]) == {"natural"}
    expected = np.full((3, 6, 2), 254.0)
    expected[:, :, 0] = 18 * np.arange(3)[:, None] + [0, 2, 6, 8, 12, 14]
    expected[1, 2, 1] = np.nan
    np.testing.assert_array_equal(np.load(unpacked["responses"]), expected)


def test_made_up_files_are_a_recording_of_v1_whose_movies_are_held_out(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = resolve({"dataset": {"henaff2021": {"folder": str(folder)}}, "models": ["pixels"]})
    check_inputs(config)
    responses = config["recordings"]["henaff2021"]["responses"]
    table = config["stimuli"]["henaff2021"]["table"]
    write_responses(Path(responses), counts=folder / COUNTS, rows=folder / ROWS)
    write_table(Path(table), rows=folder / ROWS)
    stimuli.ingest(config["stimuli"]["henaff2021"], tmp_path / "stimuli.zarr", name="henaff2021")
    images = read_dataset(tmp_path / "stimuli.zarr")
    assert list(images["pixels"].values[:, 0, 0, 0]) == [3, 2, 6, 5, 9, 8]
    recordings.ingest(
        config["recordings"]["henaff2021"], tmp_path / "stimuli.zarr", tmp_path / "recording.zarr", name="henaff2021"
    )
    recording = read_dataset(tmp_path / "recording.zarr")
    assert recording["responses"].shape == (2, 6, 3)
    assert list(recording["area"].values) == ["V1"] * 3
    assert list(recording["animal"].values) == ["a", "a", "b"]
    assert list(recording["penetration"].values) == ["u1", "u2", "u1"]


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        (COUNTS, None, "no such file: "),
        (COUNTS, b"", ": cannot be read, or cut short: an empty file; an npz file with an array `counts` "),
        (COUNTS, b"MATLAB 7.3", ": cannot be read, or cut short: a MATLAB file"),
        (COUNTS, b"PK\x03\x04 and no more", ": cannot be read, or cut short: File is not a zip file; "),
        (ROWS, None, "no such file: "),
        (ROWS, b"", "is empty"),
        (ROWS, b"stimulus,image,zoom,kind,title\n0,a.png,1,natural,bees\n", ": no column `movie`, `frame`; columns: "),
        (
            ROWS,
            b"image,zoom,kind,movie,title,frame\na.png,1,natural,1,bees,1\nb.png,1,natural,,bees,2\n",
            ": column `movie`, data row 2: empty; every row needs one",
        ),
        (
            ROWS,
            b"image,zoom,kind,movie,title,frame\na.png,1,natural,1,bees,1\n",
            ": array `counts` (3, 9, 2) has 9 rows on its axis 2, where ",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_said(folder, unpacked, file, content, expected):
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    said = message(write_responses, unpacked["responses"], counts=folder / COUNTS, rows=folder / ROWS)
    assert said.startswith("henaff2021: ")
    assert expected in said
    assert str(folder / file) in said
    assert not unpacked["responses"].exists()


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"rate": np.zeros((3, 9, 2), np.uint8)}, "it has rate; "),
        ({}, "it has no array; "),
        ({"counts": np.zeros((3, 9, 2))}, "array `counts` (3, 9, 2) of float64; "),
        ({"counts": np.zeros((3, 9), np.uint8)}, "array `counts` (3, 9) of uint8; "),
        ({"counts": np.array([None])}, "cannot be read, or cut short: it holds Python objects, not numbers; "),
    ],
)
def test_arrays_of_another_kind_are_said(folder, arrays, expected):
    np.savez(folder / COUNTS, **arrays)
    said = message(read, folder / COUNTS, folder / ROWS)
    assert said == (
        f"henaff2021: {folder / COUNTS}: {expected}an npz file with an array `counts` (units, rows, repetitions) of "
        f"uint8 is right"
    )


@pytest.fixture(scope="module")
def published(data_dir):
    path = data_dir / FOLDERS[-1]
    if not path.is_dir():
        pytest.skip(f"no {path}: it is to have {', '.join(FILES)}")
    return path


@pytest.fixture(scope="module")
def unpacked_once(published):
    return read(published / COUNTS, published / ROWS)


def test_published_data_are_440_images_of_ten_movies_and_360_units(published, unpacked_once):
    spikes, images = unpacked_once
    assert spikes.shape == (360, 440, 60)
    with zipfile.ZipFile(published / IMAGES) as archive:
        assert set(images["stimulus"]) == set(archive.namelist())
    counts = images.groupby(["zoom", "kind"]).size().to_dict()
    assert counts == {
        ("1", "contrast"): 40,
        ("1", "natural"): 110,
        ("1", "synthetic"): 90,
        ("2", "natural"): 110,
        ("2", "synthetic"): 90,
    }
    assert images.groupby("movie").size().to_dict() == {
        f"movie{k}": 50 if k in (2, 4, 7, 10) else 40 for k in range(1, 11)
    }
    shown = np.isfinite(spikes).sum(axis=2)
    assert (shown.min(), shown.max()) == (24, 60)
    assert np.nanmax(spikes) == 123


def test_five_folds_of_the_published_data_are_two_movies_each(unpacked_once):
    _, images = unpacked_once
    (split,) = make_splits([{"name": "movie"} | henaff2021.SPLIT], images, len(images), 5, 0, "here").values()
    assert [len(fold) for fold in sorted(split.folds, key=len)] == [80, 90, 90, 90, 90]
    movies = [set(images["movie"][fold]) for fold in split.folds]
    assert [len(two) for two in movies] == [2] * 5
    assert len(set.union(*movies)) == 10


def test_published_units_are_as_reliable_as_an_independent_computation_found(unpacked_once):
    # That took odd and even repetitions, 281 units and 0.86: neighbouring trials share slow drifts, random halves less.
    spikes, _ = unpacked_once
    responses = spikes.transpose(2, 1, 0).astype(np.float64)
    reliability = split_half_reliability(responses, n_splits=4, seed=0)
    assert (reliability > 0.5).sum() == pytest.approx(281, abs=9)
    assert np.median(reliability[reliability > 0.5]) == pytest.approx(0.86, abs=0.03)


def test_a_contrast_series_does_not_take_the_trials_of_frame_11(published, unpacked_once):
    spikes, images = unpacked_once
    rows = pd.read_csv(published / ROWS)
    raw = np.load(published / COUNTS)["counts"]
    of = {name: k for k, name in enumerate(images["stimulus"])}
    doubled = rows[(rows["kind"] == "contrast") & (rows["frame"] == 11)]
    assert len(doubled) == 4
    for row, image in doubled["image"].items():
        trials = np.where(raw[:, row] == 255, np.nan, raw[:, row])
        np.testing.assert_array_equal(trials, spikes[:, of[image.replace("natural01", "natural11")]])
        assert not np.array_equal(trials, spikes[:, of[image]], equal_nan=True)
