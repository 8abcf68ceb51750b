"""The run that the examples of the documentation are tried on: names as in config/config.yaml, everything tiny."""

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

# A network with the layers that the documentation names.
NETWORK = """
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self._bn0 = nn.Conv2d(3, 6, 3, stride=2)
        self._blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()) for _ in range(16))
        self.head = nn.Linear(6, 4)

    def forward(self, images):
        features = self._bn0(images)
        for block in self._blocks:
            features = block(features)
        return self.head(features.mean((2, 3)))


def make():
    return Network()
"""
LAYERS = ["_bn0", "_blocks.3", "_blocks.7", "_blocks.13"]


def write(folder: Path) -> None:
    """Write images, responses, a network and config.yaml into a folder."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    pixels = rng.integers(0, 255, (48, 4, 4, 3), dtype=np.uint8)
    for k, image in enumerate(pixels):
        Image.fromarray(image).resize((32, 32)).save(folder / "images" / f"image{k}.png")
    rows = [f"image{k},object{k % 4},{k / 7:.3f}" for k in range(48)]
    (folder / "images.csv").write_text("\n".join(["stimulus,object,size", *rows]) + "\n")
    signal = pixels.reshape(48, -1).astype(float) @ rng.normal(size=(48, 6))
    np.save(folder / "responses.npy", signal.T[:, :, None] / signal.std() + 0.5 * rng.normal(size=(6, 48, 5)))
    (folder / "tinynet.py").write_text(NETWORK)
    network = {"architecture": "tinynet:make", "size": 32, "layers": LAYERS}
    config = {
        "results": "results/mine",
        "stimuli": {"my_images": {"images": "images", "table": "images.csv"}},
        "recordings": {"my_neurons": {"stimuli": "my_images", "responses": "responses.npy", "area": "V4"}},
        "models": {"efficientnet_lite0": network, "pixels": None},
        "penalties": {"number": 6},
        "mappings": ["ridge"],
        "extraction": {"keep": True},
        "outputs": {
            "predictions": {"efficientnet_lite0": ["_blocks.13"]},
            "readouts": {"efficientnet_lite0": ["_blocks.7", "_blocks.13"]},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
