"""Small networks for cochleagrams, for training in this workflow, from `ventral.models.networks.COCHLEAR`."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily
from ventral.stimuli.sounds import RATE

if TYPE_CHECKING:
    from torch import nn

SMALL = {"weights": "random", "input": "cochleagram", "rate": RATE}


def build(spec: dict) -> "nn.Module":
    """Return a network with random weights."""
    from ventral.models.networks import COCHLEAR

    return COCHLEAR[spec["architecture"]]()


FAMILY = ModelFamily(
    meaning="Networks for cochleagrams of sounds, made to be trained here; a branched one learns two labels.",
    sentence="{models} had an architecture made for training with cochleagrams of about 2 s.",
    build=build,
    architectures={
        "small_cochcnn": {**SMALL, "layers": ["block*", "pooled"]},
        "small_cochcnn_branched": {**SMALL, "layers": ["block*", "branch*.block*", "branch*.pooled"]},
    },
    modality="sounds",
)
