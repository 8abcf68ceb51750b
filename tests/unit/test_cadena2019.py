"""V1 of Cadena et al. 2019: a pickle without code, textures with their photographs, and what was not shown as NaN."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.documentation import ROOT
from tests.messages import message
from tests.unit import published as published_sets
from tests.unit.published import correlations
from ventral.configuration.resolution import resolve
from ventral.datasets import cadena2019
from ventral.datasets.cadena2019 import FILE, FOLDERS, expand, read, write_images, write_responses
from ventral.targets.splits import make_splits

N_PHOTOGRAPHS, SIDE = 20, 12
TYPES = ["original", "conv1", "conv2", "conv3", "conv4"]


def published():
    """The published layout, small: three neurons read the left side, the upper half, and the middle of images."""
    rng = np.random.default_rng(0)
    n_images = N_PHOTOGRAPHS * len(TYPES)
    images = rng.uniform(0, 255, (n_images, 1, SIDE, SIDE))[:, 0]
    images[:, :3, :3] = 127.5
    # In random order, as in the source: photographs and types are not in a row.
    order = rng.permutation(n_images)
    features = features_of(images)
    responses = features.T[:, None] + rng.normal(size=(3, 4, n_images))
    responses = responses.transpose(1, 2, 0).astype(np.float32)
    responses[3, 7, 0] = np.nan
    # Copies of the first two repetitions, where there were no more.
    responses[2:, :, 1] = responses[:2, :, 1]
    return {
        "images": images.astype(np.float32),
        "responses": responses,
        "image_ids": (order // len(TYPES))[:, None] + 300,
        "image_types": np.array(TYPES)[order % len(TYPES)][:, None],
        "subject_id": np.array([38, 8, 31]),
        "repetitions": np.array([4, 2, 4]),
    }


def features_of(images):
    return np.stack(
        [
            images[:, :, : SIDE // 2].mean(axis=(1, 2)) - images[:, :, SIDE // 2 :].mean(axis=(1, 2)),
            images[:, : SIDE // 2].mean(axis=(1, 2)) - images[:, SIDE // 2 :].mean(axis=(1, 2)),
            images[:, 4:8, 4:8].mean(axis=(1, 2)),
        ],
        axis=1,
    )


@pytest.fixture
def source(tmp_path):
    return saved(tmp_path, published())


def saved(folder, content):
    path = folder / FILE
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def taken_in(folder, **options):
    _, images, recordings = published_sets.read("cadena2019", folder, folder / "out", **options)
    return images["cadena2019"], recordings["cadena2019"]


def test_neurons_respond_to_the_parts_of_images_that_they_read(source, tmp_path):
    images, neurons = taken_in(tmp_path)
    pixels = images["pixels"].values[:, 0].astype(float)
    assert pixels.shape == (N_PHOTOGRAPHS * len(TYPES), SIDE, SIDE)
    # The background of 127.5 is rounded to the even number.
    assert (pixels[:, :3, :3] == 128).all()
    found = correlations(neurons, features_of(pixels))["V1"]
    assert (found.argmax(axis=1) == [0, 1, 2]).all()
    assert (found.max(axis=1) > 0.95).all()
    assert list(neurons["area"].values) == ["V1"] * 3
    assert list(neurons["animal"].values) == ["monkey38", "monkey8", "monkey31"]
    shown = neurons["responses"].notnull().sum("repetition").transpose("neuroid", "stimulus").values
    expected = np.full((3, len(pixels)), 4)
    expected[0, 7], expected[1] = 3, 2
    np.testing.assert_array_equal(shown, expected)


def test_textures_are_held_out_with_their_photograph(source, tmp_path):
    images, _ = taken_in(tmp_path)
    photographs, kinds = images["photograph"].values, images["kind"].values
    for name in set(photographs):
        assert sorted(kinds[photographs == name]) == sorted(TYPES)
    (split,) = make_splits(
        [{"name": "photographs"} | cadena2019.SPLIT], {"photograph": photographs}, len(kinds), 5, 0, "here"
    ).values()
    held_out = [set(photographs[fold]) for fold in split.folds]
    assert len(set.union(*held_out)) == sum(map(len, held_out)) == N_PHOTOGRAPHS


def test_the_config_holds_out_photographs(source, tmp_path):
    config = yaml.safe_load((ROOT / "config" / "cadena2019.yaml").read_text(encoding="utf-8"))
    (split,) = resolve(config | {"data_dir": str(tmp_path)})["recordings"]["cadena2019"]["splits"]
    assert split["column"] == "photograph"


def test_images_are_cropped_to_their_middle(source, tmp_path):
    images, neurons = taken_in(tmp_path, crop=4)
    assert images["pixels"].shape[2:] == (4, 4)
    middle = images["pixels"].values[:, 0].mean(axis=(1, 2))
    assert correlations(neurons, middle[:, None])["V1"][2, 0] > 0.95
    said = message(write_images, tmp_path / "out.zip", source=source, crop=6)
    assert said == (
        "cadena2019: dataset.cadena2019.crop: 6 pixels off each side leave nothing of 12; less than 6 is right"
    )


@pytest.mark.parametrize("below", FOLDERS)
def test_the_file_is_found_in_its_folder_or_one_above(tmp_path, below):
    place = tmp_path / below
    place.mkdir(parents=True, exist_ok=True)
    (place / FILE).touch()
    unpacks = expand(str(tmp_path), "results", crop=0)["unpacks"]
    assert list(unpacks) == [
        f"results/datasets/cadena2019/{file}" for file in ("images.zip", "stimuli.csv", "responses.npy", "neuroids.csv")
    ]
    assert {made["inputs"]["source"] for made in unpacks.values()} == {str(place / FILE)}


def test_absent_files_are_said(tmp_path):
    assert message(expand, None, "results", crop=0).startswith(
        "folder: missing; the data set cadena2019 is not downloaded by itself, as its licence asks to contact the "
    )
    assert message(expand, str(tmp_path), "results", crop=0).startswith(
        f"folder: {tmp_path}: data set cadena2019 has no cadena_ploscb_data.pkl in {tmp_path}; it needs "
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"responses": None}, "no `responses`; it has images, image_ids, image_types, subject_id, repetitions; "),
        ({"images": np.zeros((100, 144))}, "`images` (100, 144) of float64; "),
        ({"images": np.zeros((99, 12, 12))}, "`images` (99, 12, 12), where `responses` (4, 100, 3) has 100 images "),
        ({"responses": np.zeros((100, 4, 3))}, "`images` (100, 12, 12), where `responses` (100, 4, 3) has 4 images "),
        ({"subject_id": np.zeros(2)}, "`subject_id` (2,), where `responses` (4, 100, 3) has 100 images and 3 neurons"),
        ({"repetitions": np.array(["4", "2", "4"])}, "`repetitions` is of <U1; numbers are right"),
    ],
)
def test_arrays_of_another_kind_are_said(tmp_path, changes, expected):
    content = {name: value for name, value in (published() | changes).items() if value is not None}
    path = saved(tmp_path, content)
    assert message(read, path).startswith(f"cadena2019: {path}: {expected}")


def test_another_range_of_pixels_is_said(tmp_path):
    path = saved(tmp_path, published() | {"images": np.full((100, 12, 12), -0.5)})
    said = message(write_images, tmp_path / "out.zip", source=path, crop=0)
    assert said == f"cadena2019: {path}: `images` from -0.5 to -0.5; from 0 to 255 is right"


def test_what_is_no_dict_and_code_are_refused(tmp_path):
    path = saved(tmp_path, [1, 2])
    assert message(read, path).startswith(f"cadena2019: {path}: a list, not a dict; `images` (images, rows, columns), ")
    path = saved(tmp_path, published() | {"subject_id": print})
    said = message(write_responses, tmp_path / "out.npy", source=path)
    assert said.startswith(f"cadena2019: {path}: it has `__builtin__.print`, which is not read, as it could run any ")


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.cadena2019 import expand; "
        "assert not {'torch', 'pandas', 'zarr', 'scipy', 'h5py', 'PIL'} & set(sys.modules)"
    )
    path = str(Path(cadena2019.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})
