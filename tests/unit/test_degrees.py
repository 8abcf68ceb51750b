"""Images on the input of a network, where both have a field of view: a degree is a degree."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ventral
from tests.unit.test_readouts import LAYERS, MODULE, NEW, PRECISION, SIDE, Made, direct, features, images
from tests.unit.test_registries import methods_text
from tests.unit.test_training import make_set, spec_of
from ventral.activations.extraction import extract
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.grams.forward import gram_forward
from ventral.grams.representations import read_representation
from ventral.models.description import preprocess
from ventral.models.zoo import on_stimuli, resolve_model
from ventral.stimuli.images import resized
from ventral.stimuli.ingestion import ingest
from ventral.store import changing, open_store, read_dataset
from ventral.training.task import prepare

GREY = 128
# Height and width of images, degrees of images and of the input, and the shape that images then have on 64 pixels.
FIELDS = {
    "half": ((40, 40), 8, 16, (32, 32)),
    "padded by odd numbers": ((40, 40), 4.1, 8, (33, 33)),
    "tiny": ((40, 40), 1, 32, (2, 2)),
    "twice": ((40, 40), 16, 8, (128, 128)),
    "cropped by odd numbers": ((40, 40), 8.2, 8, (66, 66)),
    "cropped by one pixel": ((40, 40), 65, 64, (65, 65)),
    "wide": ((30, 40), 8, 8, (48, 64)),
    "high": ((41, 30), 8, 10, (70, 51)),
    "the same": ((40, 40), 8, 8, (64, 64)),
}


def put_on_grey(image: np.ndarray, size: int) -> np.ndarray:
    """The pixels (size, size, 3) of a canvas on which the centre of an image (height, width, 3) is at the centre."""
    canvas = np.full((size, size, 3), GREY, np.uint8)
    for row in range(size):
        for column in range(size):
            # Pixels of the image that are left over on both sides; with an odd number, more below and on the right.
            shifts = [(side - size) // 2 if side > size else -((size - side) // 2) for side in image.shape[:2]]
            place = row + shifts[0], column + shifts[1]
            if 0 <= place[0] < image.shape[0] and 0 <= place[1] < image.shape[1]:
                canvas[row, column] = image[place]
    return canvas


def model(degrees: float | None, size: int = 64, **options) -> dict:
    shown = {"size": size, "mean": [0.0] * 3, "std": [1.0] * 3, "degrees": degrees}
    return resolve_model("m", {"architecture": "resnet18", **shown, **options})


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("case", FIELDS)
def test_images_are_placed_as_pillow_and_numpy_place_them(case, interpolation):
    (height, width), of_images, of_input, shape = FIELDS[case]
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    spec = on_stimuli(model(of_input, interpolation=interpolation), {"degrees": of_images})
    found = (preprocess(pixels, spec)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    of_torch = resized(pixels, shape, interpolation)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, put_on_grey(of_torch, 64))
    of_pillow = Image.fromarray(image).resize(shape[::-1], Image.Resampling[interpolation.upper()])
    assert np.abs(found.astype(int) - put_on_grey(np.asarray(of_pillow), 64)).max() <= 1


@pytest.mark.parametrize(("of_images", "of_input"), [(None, None), (8, None), (None, 8), (8, 8)])
def test_images_fill_the_input_unless_both_say_their_degrees(of_images, of_input):
    pixels = torch.from_numpy(images(2, 0).transpose(0, 3, 1, 2).copy())
    spec = on_stimuli(model(of_input), {"degrees": of_images, "name": "mine"})
    assert torch.equal(preprocess(pixels, spec), preprocess(pixels, model(None)))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    (folder / "net_with_a_field.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "net_with_a_field"


@pytest.fixture(scope="module")
def made(own, tmp_path_factory):
    """Images that span 8 degrees, seen by a network whose input spans 10."""
    options = {"architecture": f"{own}:make", "size": 16, "layers": LAYERS, "seed": 3, "degrees": 10}
    run = Made(tmp_path_factory.mktemp("made"), resolve_model("net", options), degrees=8)
    run.readouts("readouts")
    return run


def test_features_are_those_of_placed_images(made):
    store = open_store(made.folder / "parts" / "0.zarr")
    assert store.attrs["preprocessing"]["degrees"] == 10
    assert store.attrs["preprocessing"]["stimuli"] == {"degrees": 8}
    # 8 degrees of 10 on 16 pixels are 12.8, rounded to 13.
    small = resized(torch.from_numpy(made.pixels[:25]), (13, 13), made.spec["interpolation"])
    canvases = np.stack([put_on_grey(image.permute(1, 2, 0).numpy(), 16) for image in small]).transpose(0, 3, 1, 2)
    expected = features(made.spec, "0", canvases)
    np.testing.assert_allclose(store["0"][:] / store["0"].attrs["scale"], expected, rtol=2e-3, atol=2e-3)


def test_gram_matrices_without_features_on_the_disk_are_the_same(made, tmp_path):
    gram_forward(made.folder / "stimuli.zarr", made.spec, tmp_path / "gram.zarr.zip", seed=0, device="cpu", **PRECISION)
    for layer in LAYERS:
        one, other = (read_representation(folder / "gram.zarr.zip", layer).gram for folder in (made.folder, tmp_path))
        np.testing.assert_array_equal(one, other)


def test_readouts_place_new_images_as_those_of_the_fit(made):
    new = images(NEW, 9)
    loaded = ventral.load_readout(made.folder / "readouts" / "5.zarr.zip")
    expected = direct(made, "5", new.transpose(0, 3, 1, 2))
    found = loaded.predict(new).values
    assert np.abs((found - expected) / expected.std(axis=0)).max() < 2e-3
    assert "stimuli are taken to span 8 degrees in width, and the network's input 10" in loaded.card
    with pytest.raises(InputError, match=rf"{SIDE + 1}"):
        loaded.predict(np.zeros((1, SIDE + 1, SIDE + 1, 3), np.uint8))


def test_pixels_are_placed_too(made, tmp_path):
    spec = resolve_model("pixels", {"size": 16, "degrees": 32})
    extract(made.folder / "stimuli.zarr", spec, 0, 3, tmp_path / "pixels.zarr", device="cpu")
    found = open_store(tmp_path / "pixels.zarr")["pixels"][:].reshape(3, 3, 16, 16)
    small = resized(torch.from_numpy(made.pixels[:3]), (4, 4), spec["interpolation"]).numpy()
    np.testing.assert_array_equal(found[..., 6:10, 6:10], small)
    found[..., 6:10, 6:10] = GREY
    assert (found == GREY).all()


@pytest.mark.parametrize(
    ("of_set", "of_model", "level", "said"),
    [
        (
            {"degrees": 8},
            {},
            logging.INFO,
            "stimuli.mine.degrees has no effect on net: models.net.degrees is not given",
        ),
        (
            {},
            {"degrees": 8},
            logging.WARNING,
            "models.net.degrees has no effect on the stimuli mine: stimuli.mine.degrees is not given",
        ),
    ],
)
def test_the_log_says_once_that_only_one_has_degrees(own, tmp_path, caplog, of_set, of_model, level, said):
    (tmp_path / "images").mkdir()
    for k, image in enumerate(images(4, 0)):
        Image.fromarray(image).save(tmp_path / "images" / f"{k}.png")
    ingest({"images": str(tmp_path / "images"), **of_set}, tmp_path / "s.zarr", name="mine")
    spec = resolve_model("net", {"architecture": f"{own}:make", "size": 16, "layers": ["0"], **of_model})
    with caplog.at_level(logging.INFO):
        extract(tmp_path / "s.zarr", spec, 0, 4, tmp_path / "f.zarr", device="cpu", batch_size=2)
    assert [(record.levelno, record.message) for record in caplog.records if "has no effect" in record.message] == [
        (level, said)
    ]


def test_training_images_are_placed_and_the_field_of_view_is_part_of_the_training(tmp_path):
    stimuli = make_set(tmp_path / "shown.zarr")
    size = read_dataset(stimuli).sizes["pixel_row"]
    spec = spec_of(size=size)
    whole = prepare(stimuli, spec, [], [])
    with changing(Path(stimuli)) as group:
        group.attrs["degrees"] = 4
    spec["network"]["degrees"] = 8
    task = prepare(stimuli, spec, [], [])
    half = resized(whole.kept, (size // 2, size // 2), spec["network"]["interpolation"])
    inside = slice((size - size // 2) // 2, (size - size // 2) // 2 + size // 2)
    assert torch.equal(task.kept[..., inside, inside], half)
    assert (task.kept[..., 0, :] == GREY).all()
    with changing(Path(stimuli)) as group:
        group.attrs["degrees"] = 5
    assert len({whole.fingerprint, task.fingerprint, prepare(stimuli, spec, [], []).fingerprint}) == 3


@pytest.mark.parametrize(("of_input", "said"), [(360, "would have 0 x 0 pixels"), (0.01, "would have 12800 x 12800")])
def test_images_of_hardly_a_pixel_and_huge_ones_are_refused_before_any_pass(made, tmp_path, of_input, said):
    spec = {**made.spec, "degrees": of_input}
    with pytest.raises(InputError, match=rf"models\.net: degrees: .* {said}"):
        extract(made.folder / "stimuli.zarr", spec, 0, 3, tmp_path / "f.zarr", device="cpu")
    assert not (tmp_path / "f.zarr").exists()


def config_with(of_set: dict, of_model: dict) -> dict:
    return {
        "results": "results",
        "stimuli": {"mine": {"images": "images", **of_set}},
        "recordings": {"rec": {"stimuli": "mine", "responses": "responses.npy"}},
        "models": {"net": {"architecture": "resnet18", **of_model}},
    }


@pytest.mark.parametrize(
    ("of_set", "of_model", "said"),
    [
        ({"degrees": 0}, {}, r"stimuli\.mine\.degrees: 0 is less than or equal to the minimum of 0"),
        ({"degrees": 361}, {}, r"stimuli\.mine\.degrees: 361 is greater than the maximum of 360"),
        ({"degrees": "wide"}, {}, r"stimuli\.mine\.degrees: 'wide' is not of type 'number'"),
        ({"degrees": [8, 6]}, {}, r"stimuli\.mine\.degrees: \[8, 6\] is not of type 'number'"),
        ({}, {"degrees": -8}, r"models\.net\.degrees: -8 is less than or equal to the minimum of 0"),
        ({}, {"degrees": 400}, r"models\.net\.degrees: 400 is greater than the maximum of 360"),
        ({}, {"degrees": 8, "size": None}, r"models\.net\.degrees: it has no effect without a `size`"),
    ],
)
def test_bad_degrees_are_refused_by_their_key(of_set, of_model, said):
    with pytest.raises(InputError, match=said):
        resolve(config_with(of_set, of_model))


def test_a_table_alone_has_no_degrees():
    config = config_with({}, {})
    config["stimuli"]["mine"] = {"table": "stimuli.csv", "degrees": 8}
    with pytest.raises(InputError, match=r"stimuli\.mine\.degrees: belongs to `images`; the set is a table alone"):
        resolve(config)


def test_models_that_differ_in_degrees_alone_are_a_sweep():
    config = config_with({"degrees": 8}, {})
    config["models"] = {f"net_{degrees}": {"architecture": "resnet18", "degrees": degrees} for degrees in (4, 8, 16)}
    resolved = resolve(config)
    assert [spec["degrees"] for spec in resolved["models"].values()] == [4, 8, 16]
    assert resolved["stimuli"]["mine"]["degrees"] == 8


def test_the_methods_say_how_images_were_placed():
    fields = {"stimuli": {"set": 8, "unused": 3}, "models": {"net": 16, "unused": 4}}
    text = methods_text(degrees=fields)
    assert "the width of an image spanned 8 in set set, and the side of the input 16 of net. Images were padded" in text
    for kind in fields:
        assert "degrees of visual angle" not in methods_text(degrees={**fields, kind: {}})
