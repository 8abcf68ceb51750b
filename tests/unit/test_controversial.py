"""Images between two models are the known ones of linear models, and differ more than all natural images."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image

import ventral
from ventral.errors import InputError
from ventral.in_silico.ascent import Search
from ventral.stimuli.images import read_pixels
from ventral.stimuli.ingestion import ingest
from ventral.store import write_dataset

N, SIDE = 60, 8
SEARCH = Search(steps=60, parametrisation="pixels", jitter=0, scale=0, rotation=0)
OPTIONS = {"n_images": 2, "seed": 0, "reliability_threshold": 0.1, "search": SEARCH, "device": "cpu"}


class Linear:
    """A readout whose features are the pixels, from 0 to 1."""

    def __init__(self, name: str, weights: np.ndarray) -> None:
        self.path, self.weights = Path(f"{name}.zarr.zip"), weights
        self.attributes = {
            "model": {"name": name},
            "layer": {"name": "pixels"},
            "best_of": [],
            "recording": "rec",
            "neuroid": ["a", "b"],
            "area": ["V1", "V4"],
            "time_bin": ["", ""],
            "splits": ["stimuli"],
        }
        self.neuroids = pd.DataFrame({"split": "stimuli", "predictivity": [0.9, 0.9]})

    def predict(self, images: np.ndarray, **_how: object) -> SimpleNamespace:
        return SimpleNamespace(values=np.asarray(images).reshape(len(images), -1) / 255 @ self.weights)

    def differentiable(self, neuroids: list[str], time_bin: str | None, *, device: str):
        columns = [self.attributes["neuroid"].index(name) for name in neuroids]
        weights = torch.tensor(self.weights[:, columns], dtype=torch.float32, device=device)
        return lambda images: images.flatten(1) @ weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("controversial")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for k, image in enumerate(rng.normal(128, 20, (N, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)):
        Image.fromarray(image).save(folder / "images" / f"{k:02}.png")
    ingest({"images": str(folder / "images")}, folder / "stimuli.zarr", name="mine")
    values = {
        "responses": (("repetition", "stimulus", "neuroid"), rng.normal(size=(3, N, 2))),
        "reliability": ("neuroid", np.array([0.9, 0.9])),
        "left_out": ("neuroid", np.array(["", ""], object)),
    }
    names = {"neuroid": np.array(["a", "b"], object), "area": ("neuroid", np.array(["V1", "V4"], object))}
    write_dataset(xr.Dataset(values, names, {"recording": "rec"}), folder / "rec.zarr")
    return folder


@pytest.fixture(scope="module")
def readouts() -> list[Linear]:
    rng = np.random.default_rng(1)
    return [Linear(name, rng.normal(size=(3 * SIDE**2, 2))) for name in ("one", "two")]


def test_the_image_between_two_linear_models_is_the_difference_of_their_weights(folder, readouts):
    images = ventral.controversial_images(readouts, folder / "rec.zarr", folder / "stimuli.zarr", "V4", **OPTIONS)
    natural = read_pixels(folder / "stimuli.zarr", 0, N)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), natural.mean(), atol=1)
    np.testing.assert_allclose(images.std(axis=(1, 2, 3)), natural.std(axis=(1, 2, 3)).mean(), rtol=0.02)
    weights = readouts[0].weights - readouts[1].weights
    for image in images:
        assert abs(np.corrcoef(image.ravel(), weights[:, 1])[0, 1]) > 0.95
    differences = [
        np.abs(readouts[0].predict(some).values - readouts[1].predict(some).values)[:, 1] for some in (images, natural)
    ]
    assert differences[0].min() > 2 * differences[1].max()


def test_another_number_of_readouts_and_an_unknown_area_are_refused(folder, readouts):
    stores = (folder / "rec.zarr", folder / "stimuli.zarr")
    with pytest.raises(InputError, match="readouts: 1; two are right"):
        ventral.controversial_images(readouts[:1], *stores, "V4", **OPTIONS)
    with pytest.raises(InputError, match="place: no reliable neuroids of 'IT'; allowed: V1, V4"):
        ventral.controversial_images(readouts, *stores, "IT", **OPTIONS)
