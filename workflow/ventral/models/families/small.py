"""Small networks for training in this workflow, from `ventral.models.networks.NETWORKS`."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily

if TYPE_CHECKING:
    from torch import nn

SMALL = {"weights": "random", "size": 64, "mean": [0.5] * 3, "std": [0.25] * 3}
CONVOLUTIONAL = {**SMALL, "layers": ["block*", "pooled"]}


def build(spec: dict) -> "nn.Module":
    """Return a network with random weights."""
    from ventral.models.networks import NETWORKS

    return NETWORKS[spec["architecture"]]()


FAMILY = ModelFamily(
    meaning="Networks for images of about 64 x 64 pixels, made to be trained here.",
    sentence="{models} had an architecture made for training with images of 64 x 64 pixels.",
    build=build,
    architectures={
        "conv1": CONVOLUTIONAL,
        "conv2": CONVOLUTIONAL,
        "conv4": CONVOLUTIONAL,
        "conv4_wide": CONVOLUTIONAL,
        "small_resnet": {**SMALL, "layers": ["stem", "block*", "pooled"]},
    },
)
