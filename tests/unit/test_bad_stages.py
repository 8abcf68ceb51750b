"""What stages say of inputs that do not fit together, that say nothing, or that are not there: never a traceback."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from ventral.__main__ import main
from ventral.grams.recorded import recorded_gram
from ventral.grams.streaming import write_layer
from ventral.store import write_dataset

N, NEURONS = 24, 4
SHA256 = "a" * 64


@pytest.fixture(autouse=True)
def logging_of_one_test():
    before, level = list(logging.getLogger().handlers), logging.getLogger("ventral").level
    yield
    logging.getLogger("ventral").setLevel(level)
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()


def ran(*arguments: object) -> tuple[int, str]:
    """The exit status of a stage, and its log."""
    status = main([*map(str, arguments), "--log", "log"])
    return status, Path("log").read_text(encoding="utf-8")


# Stores of other stimuli


def write_stimuli(path: str, n: int = N, sha256: str = SHA256) -> None:
    kinds = np.array(["cars", "dogs", "pans"])[np.arange(n) % 3].astype(object)
    names = np.array([f"image{k}" for k in range(n)], dtype=object)
    coordinates = {"stimulus": names, "object": ("stimulus", kinds), "category": ("stimulus", kinds)}
    pixels = np.zeros((n, 3, 16, 16), np.uint8)
    stimuli = xr.Dataset(
        {"pixels": (("stimulus", "channel", "y", "x"), pixels)}, coordinates, {"name": "set", "sha256": sha256}
    )
    write_dataset(stimuli, path)


def write_recording(path: str, n: int = N, sha256: str = SHA256) -> None:
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), np.random.default_rng(0).normal(size=(2, n, NEURONS))),
            "reliability": ("neuroid", np.full(NEURONS, 0.5)),
            "left_out": ("neuroid", np.full(NEURONS, "", object)),
        },
        coords={
            "stimulus": np.array([f"image{k}" for k in range(n)], dtype=object),
            "neuroid": np.array([f"n{k}" for k in range(NEURONS)], dtype=object),
            "area": ("neuroid", np.array(["V4", "V4", "IT", "IT"], dtype=object)),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": sha256, "has_repetitions": True},
    )
    write_dataset(recording, path)


def write_gram(path: str, n: int = N, sha256: str = SHA256) -> None:
    group = zarr.open_group(path, mode="w")
    layers = [{"name": name, "depth": depth, "shape": [6], "n_features": 6} for name, depth in (("a", 0.5), ("b", 1.0))]
    group.attrs.update(model="net", family="trained", stimuli="set", stimuli_sha256=sha256, layers=layers)
    for layer in layers:
        values = np.random.default_rng(1).normal(size=(n, 6))
        write_layer(group, layer, values @ values.T, values.sum(axis=1), values, np.arange(6))


def write_areas(path: str, n: int = N, sha256: str = SHA256) -> None:
    write_recording("for_areas.zarr", n, sha256)
    recorded_gram("for_areas.zarr", path)


def write_activations(path: str, n: int = N, sha256: str = SHA256) -> None:
    Path(path).mkdir(exist_ok=True)
    group = zarr.open_group(f"{path}/0.zarr", mode="w")
    layers = [{"name": "maps", "depth": 0.5, "shape": [2, 3, 3], "n_features": 18}]
    group.attrs.update(model="net", family="trained", stimuli="set", stimuli_sha256=sha256, layers=layers)
    group.attrs.update(weights_sha256="", dtype="float32", n_stimuli=n, start=0, stop=n)
    group.create_array("maps", data=np.random.default_rng(2).normal(size=(n, 18)).astype(np.float32))


WRITE = {
    "stimuli.zarr": write_stimuli,
    "recording.zarr": write_recording,
    "gram.zarr": write_gram,
    "areas.zarr.zip": write_areas,
    "activations": write_activations,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Stores that belong together."""
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for path, write in WRITE.items():
            write(path)
    return folder


@pytest.fixture
def here(stores, tmp_path, monkeypatch):
    """A copy of the stores, to be spoiled."""
    shutil.copytree(stores, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")


FOLDS = ["--splits", "images", "--folds", "3", "--seed", "0"]
RIDGE = [*FOLDS, "--penalties", "[1]"]
DECODING = [*RIDGE, "--draws", "2", "--units", "2"]
SCORED = ["gram.zarr", "recording.zarr", "stimuli.zarr"]
TRAINING = json.dumps({"name": "fit", "stimuli": "set", "recording": "rec", "network": {}})
OF_SEVERAL_STORES = {
    "fit": ["fit", *SCORED, *RIDGE, "--bootstrap", "100", "--bootstraps", "resamples"],
    "banded": ["banded", *SCORED, *RIDGE, "--layers", '["a", "b"]'],
    "decode": ["decode", *SCORED, *DECODING],
    "decode_areas": ["decode_areas", "recording.zarr", "stimuli.zarr", *DECODING],
    "reverse": ["reverse", "areas.zarr.zip", "gram.zarr", "stimuli.zarr", *RIDGE],
    "factorise": ["factorise", "activations", "--recording", "recording.zarr", "--stimuli", "stimuli.zarr", *FOLDS],
    "brainscore": ["brainscore", "gram.zarr", "--recording", "recording.zarr", "--stimuli", "stimuli.zarr"],
    "selectivity": ["selectivity", "gram.zarr", "--stimuli", "stimuli.zarr", "--category", "cars", *FOLDS[2:]],
    "train": ["train", "stimuli.zarr", "--recording", "recording.zarr", "--spec", TRAINING],
}
CASES = [
    (stage, path)
    for stage, arguments in OF_SEVERAL_STORES.items()
    for path in WRITE
    if path in arguments and path != "stimuli.zarr"
]


@pytest.mark.parametrize(("stage", "path"), CASES)
@pytest.mark.parametrize("changed", [{"sha256": "b" * 64}, {"n": N - 3}])
def test_stores_of_other_stimuli_are_refused_by_every_stage(here, stage, path, changed):
    shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()
    WRITE[path](path, **changed)
    status, log = ran(*OF_SEVERAL_STORES[stage], "--output", "out")
    assert status == 1
    of = f"{changed.get('n', N)} stimuli of SHA-256 {changed.get('sha256', SHA256)[:12]}"
    named = "activations/0.zarr" if path == "activations" else path
    assert f"ERROR {stage}: {named}: made from other stimuli than stimuli.zarr ({of}; not {N} stimuli of" in log
    assert "Traceback" not in log
    assert not Path("out").exists()


@pytest.mark.parametrize("stage", [stage for stage in OF_SEVERAL_STORES if stage not in ("train", "brainscore")])
def test_stores_of_the_same_stimuli_are_taken(here, stage):
    status, log = ran(*OF_SEVERAL_STORES[stage], "--output", "out")
    assert status == 0, log


def test_a_store_that_is_of_no_stimuli_is_refused(here):
    shutil.rmtree("recording.zarr")
    shutil.copytree("stimuli.zarr", "recording.zarr")
    status, log = ran(*OF_SEVERAL_STORES["fit"], "--output", "out")
    assert status == 1
    assert "recording.zarr: made from other stimuli than stimuli.zarr (24 stimuli of SHA-256 unknown; not" in log
    assert "Traceback" not in log
