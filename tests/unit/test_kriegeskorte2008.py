import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from numpy.lib.recfunctions import repack_fields
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from tests.command_lines import command_line
from tests.messages import message
from ventral.__main__ import main
from ventral.configuration.resolution import check_inputs, resolve
from ventral.datasets import kriegeskorte2008
from ventral.datasets.kriegeskorte2008 import AREAS, DATASET, DOWNLOADS, FILE, expand, read
from ventral.errors import InputError
from ventral.outputs import sha256
from ventral.recordings import ingestion as recordings
from ventral.recordings.matrices import read_matrices, upper_triangle
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset

LABELS = ["human face", "nonhuman bodypart", "natural inanimate"] * 2


@pytest.fixture
def content():
    """What a file in the source's form holds, of six images."""
    rng = np.random.default_rng(0)
    objects = np.zeros((1, 6), dtype=[(name, object) for name in ("category", "face", "animal", "image")])
    for k, label in enumerate(LABELS):
        image = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        objects[0, k] = (label, int("face" in label), int("inanimate" not in label), image)
    matrices = np.zeros((1, 2), dtype=[("name", object), ("RDM", object)])
    for k, name in enumerate(AREAS):
        matrices[0, k] = (name, rng.uniform(0, 2, (1, 15)))
    return {"stimuli_92objs": objects, "RDMs_mIT_hIT_fig1": matrices}


@pytest.fixture
def source(tmp_path, content):
    path = tmp_path / FILE
    scipy.io.savemat(path, content)
    return path


@pytest.fixture
def unpacked(tmp_path):
    """Where the parts of a source's file go."""
    return {
        kind: tmp_path / "out" / name
        for kind, name in (("images", "images.zip"), ("table", "stimuli.csv"), ("matrices", "matrices.npz"))
    }


def unpack(source, places):
    for kind, path in places.items():
        DATASET.writers[kind](path, source=source)


@pytest.mark.parametrize("below", ["", "kriegeskorte2008", "92imageData", "Demos/92imageData"])
def test_the_file_is_found_in_its_folder_or_the_one_above(tmp_path, below):
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    (tmp_path / below / FILE).touch()
    expanded = expand(str(tmp_path), "results/mine")
    assert expanded == {
        "stimuli": {
            "kriegeskorte2008": {
                "images": "results/mine/datasets/kriegeskorte2008/images.zip",
                "table": "results/mine/datasets/kriegeskorte2008/stimuli.csv",
            }
        },
        "recordings": {
            "kriegeskorte2008": {
                "stimuli": "kriegeskorte2008",
                "matrices": "results/mine/datasets/kriegeskorte2008/matrices.npz",
                "area": {"mIT_674neurons": "macaque IT", "hITvisStim_316vx": "human IT"},
                "splits": ["stimuli"],
            }
        },
        "unpacks": {
            f"results/mine/datasets/kriegeskorte2008/{file}": {
                "dataset": "kriegeskorte2008",
                "writer": writer,
                "inputs": {"source": str(tmp_path / below / FILE)},
                "options": {},
            }
            for writer, file in (("images", "images.zip"), ("table", "stimuli.csv"), ("matrices", "matrices.npz"))
        },
        "downloads": {},
    }


def test_an_absent_file_or_folder_is_said(tmp_path):
    assert message(expand, str(tmp_path), "results") == (
        f"folder: {tmp_path}: data set kriegeskorte2008 has no file {FILE} there, nor in its folders "
        "kriegeskorte2008, 92imageData, Demos/92imageData; without `folder` it is downloaded"
    )
    said = message(expand, str(tmp_path / "nowhere"), "results")
    assert said == f"folder: no such folder: {tmp_path / 'nowhere'}"


def test_without_a_folder_the_file_is_downloaded():
    expanded = expand(None, "results", resources="elsewhere")
    path = f"elsewhere/kriegeskorte2008/{FILE}"
    assert [made["inputs"] for made in expanded["unpacks"].values()] == [{"source": path}] * 3
    assert expanded["downloads"][path]["url"].endswith(f"/rsatoolbox_matlab/develop/Demos/92imageData/{FILE}")


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.kriegeskorte2008 import expand; expand(None, 'results'); "
        "assert not {'torch', 'pandas', 'zarr', 'scipy'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path(kriegeskorte2008.__file__).parents[2])}
    )


def test_the_file_is_unpacked_into_what_a_user_would_give(source, content, unpacked, tmp_path):
    for writer, path in unpacked.items():
        made = {"dataset": "kriegeskorte2008", "writer": writer, "inputs": {"source": str(source)}, "options": {}}
        assert main(command_line("unpack", {"reads": source}, {"output": path}, **made)) == 0
    table = pd.read_csv(unpacked["table"])
    assert list(table["stimulus"]) == [f"image0{k}.png" for k in range(1, 7)]
    assert list(table["object"]) == LABELS
    assert list(table["category"]) == ["face", "body", "inanimate"] * 2
    spec = {"images": str(unpacked["images"]), "table": str(unpacked["table"])}
    stimuli.ingest(spec, tmp_path / "stimuli.zarr", name="six")
    pixels = read_dataset(tmp_path / "stimuli.zarr")["pixels"].values
    for k in range(6):
        np.testing.assert_array_equal(pixels[k].transpose(1, 2, 0), content["stimuli_92objs"][0, k]["image"])
    matrices = read_matrices({"stimuli": "six", "matrices": str(unpacked["matrices"])}, 6)
    assert list(matrices) == list(AREAS)
    for k, (matrix,) in enumerate(matrices.values()):
        np.testing.assert_array_equal(upper_triangle(matrix), content["RDMs_mIT_hIT_fig1"][0, k]["RDM"][0])


def test_the_same_file_is_unpacked_to_the_same_bytes(source, unpacked):
    first, second = [], []
    for found in (first, second):
        unpack(source, unpacked)
        found += [path.read_bytes() for path in unpacked.values()]
    assert first == second
    assert not {info.date_time for info in zipfile.ZipFile(unpacked["images"]).infolist()} - {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "other"])
def test_a_file_that_cannot_be_read_is_said(source, damage, unpacked):
    content = source.read_bytes()
    if damage == "other":
        scipy.io.savemat(source, {"RDMs": np.zeros(3)})
    else:
        source.write_bytes({"empty": b"", "text": b"not a MAT file", "cut": content[:-100]}[damage])
    said = message(unpack, source, unpacked)
    assert said.startswith(f"kriegeskorte2008: {source}: ")
    assert said.endswith(f"the file {FILE} of {kriegeskorte2008.SOURCE} is right")
    if damage == "other":
        assert "it has no stimuli_92objs, RDMs_mIT_hIT_fig1; " in said
    assert not unpacked["images"].exists()


@pytest.mark.parametrize("wrong", ["other matrices", "pairs of other images", "no square", "no labels", "one image"])
def test_a_file_with_something_else_in_it_is_said(source, content, wrong):
    matrices, objects = content["RDMs_mIT_hIT_fig1"], content["stimuli_92objs"]
    if wrong == "other matrices":
        matrices[0, 0]["name"] = "V1"
    elif wrong == "pairs of other images":
        matrices[0, 0]["RDM"] = np.ones((1, 21))
    elif wrong == "no square":
        matrices[0, 0]["RDM"] = np.ones((1, 16))
    elif wrong == "no labels":
        content["stimuli_92objs"] = repack_fields(objects[["face", "animal", "image"]])
    else:
        content["stimuli_92objs"] = objects[:, :1]
    scipy.io.savemat(source, content)
    said = message(read, source)
    assert said.startswith(f"kriegeskorte2008: {source}: ")
    assert said.endswith("is right")


def test_an_absent_source_is_said(tmp_path):
    assert f"{tmp_path / FILE}: no such file; " in message(read, tmp_path / FILE)


def test_a_config_may_name_several_data_sets_and_ones_own(tmp_path):
    for path in (
        "cowley2023_v4/images_210325.zip",
        "cowley2023_v4/responses_raw_210325.npy",
        f"kriegeskorte2008/{FILE}",
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    own = {"recordings": {"mine": {"stimuli": "kriegeskorte2008", "matrices": "a.npz"}}}
    names = ["cowley2023", "kriegeskorte2008"]
    config = resolve({"dataset": names, "data_dir": str(tmp_path), "models": ["pixels"], **own})
    assert list(config["stimuli"]) == ["cowley2023_210325", "kriegeskorte2008"]
    assert list(config["recordings"]) == ["cowley2023_210325", "kriegeskorte2008", "mine"]
    sources = {made["inputs"]["source"] for made in config["unpacks"].values()}
    assert sources == {str(tmp_path / "kriegeskorte2008" / FILE)}
    assert config["recordings"]["mine"]["splits"] == ["stimuli"]
    assert resolve({"dataset": ["cowley2023"], "models": ["pixels"]})["recordings"].keys() == {"cowley2023_210325"}


def test_what_is_still_to_be_unpacked_is_not_missed(tmp_path):
    (tmp_path / FILE).touch()
    config = {"dataset": "kriegeskorte2008", "data_dir": str(tmp_path), "results": str(tmp_path / "results")}
    check_inputs(resolve(config | {"models": ["pixels"]}))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"dataset": "kriegeskorte"},
            r"config key dataset: 'kriegeskorte' is not known; did you mean `kriegeskorte2008`",
        ),
        (
            {"dataset": ["cowley2023", "cowley"]},
            r"dataset: 'cowley' is not known; did you mean `cowley2023`\? allowed: ",
        ),
        ({"dataset": 3}, r"config key dataset: '3' is not known; allowed: cowley2023, "),
        ({"dataset": {"cowley2023": 1}}, r"config key dataset\.cowley2023: 1 is not of type 'object'"),
        ({"dataset": {"cowley": {}}}, r"config: unknown key `cowley` in `dataset`; did you mean `cowley2023`"),
        ({"dataset": []}, r"config key dataset: \[\] should be non-empty"),
        ({"dataset": ["cowley2023"] * 2}, r"config key dataset: .* has non-unique elements"),
        (
            {"dataset": "kriegeskorte2008", "sessions": [210325]},
            r"config key sessions: belongs to the published data set cowley2023; name it under `dataset`",
        ),
    ],
)
def test_data_sets_that_are_not_known_are_said(config, expected):
    with pytest.raises(InputError, match=expected):
        resolve(config | {"models": ["pixels"]})


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ({}, r"recordings\.rec: it has neither; a recording has one of: `responses`, .* `matrices`"),
        ({"responses": "a.npy", "matrices": "a.npz"}, r"recordings\.rec: it has responses and matrices; "),
        ({"matrices": "a.npz", "neuroids": "a.csv"}, r"recordings\.rec\.neuroids: belongs to `responses`; "),
        ({"matrices": "a.npz", "ceiling": {"column": "snr"}}, r"recordings\.rec\.ceiling: belongs to `responses`; "),
        ({"matrices": "a.npz", "animal": "M"}, r"recordings\.rec\.animal: belongs to `responses`; "),
        ({"matrices": "a.npz", "time_bins": [[0, 9]]}, r"recordings\.rec\.time_bins: belongs to `responses`; "),
        ({"responses": "a.npy", "area": {"a": "V4"}}, r"recordings\.rec\.area: one area of all neuroids; "),
        ({"matrices": "a.npz", "area": {"a": ["V4"]}}, r"recordings\.rec\.area\.a: \['V4'\] is not of type 'string'"),
    ],
)
def test_a_recording_is_of_one_kind(recording, expected):
    config = {"stimuli": {"set": {"images": "a"}}, "recordings": {"rec": {"stimuli": "set", **recording}}}
    with pytest.raises(InputError, match=expected):
        resolve(config | {"models": ["pixels"]})


@pytest.fixture(scope="module")
def published(data_dir):
    path = data_dir / "kriegeskorte2008" / FILE
    if not path.is_file():
        pytest.skip(f"no {path}: it is a file of github.com/rsagroup/rsatoolbox_matlab, folder Demos/92imageData")
    return path


def test_checksum_is_that_of_the_published_file(published):
    assert sha256(published) == DOWNLOADS[f"kriegeskorte2008/{FILE}"]["sha256"]


def test_published_data_are_92_images_of_faces_bodies_and_things(published, tmp_path, unpacked):
    unpack(published, unpacked)
    spec = {"images": str(unpacked["images"]), "table": str(unpacked["table"])}
    stimuli.ingest(spec, tmp_path / "stimuli.zarr", name="objects")
    images = read_dataset(tmp_path / "stimuli.zarr")
    assert images["pixels"].shape == (92, 3, 175, 175)
    assert images.attrs["duplicates"] == []
    counts = dict(zip(*np.unique(images["category"].values.astype(str), return_counts=True), strict=True))
    assert counts == {"face": 24, "body": 24, "inanimate": 44}
    assert len(set(images["object"].values)) == 6
    recording = {"stimuli": "objects", "matrices": str(unpacked["matrices"]), "area": AREAS}
    recordings.ingest(recording, tmp_path / "stimuli.zarr", tmp_path / "recording.zarr", name="IT")
    assert list(read_dataset(tmp_path / "recording.zarr")["area"].values) == ["macaque IT", "human IT"]


def test_macaque_and_human_agree_as_published(published):
    *_, matrices = read(published)
    r = spearmanr(*(squareform(matrix) for matrix in matrices.values())).statistic
    assert r == pytest.approx(0.44, abs=0.005)
