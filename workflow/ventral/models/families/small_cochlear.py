"""Small networks for cochleagrams, for training in this workflow, from `ventral.models.networks.NETWORKS`."""

from ventral.models.families import ModelFamily
from ventral.models.families.small import build
from ventral.stimuli.sounds import RATE

SMALL = {"weights": "random", "input": "cochleagram", "rate": RATE}

FAMILY = ModelFamily(
    meaning="Networks for cochleagrams of sounds, made to be trained here; a branched one learns two labels.",
    sentence="{models} had an architecture made for training with cochleagrams of 2 s.",
    build=build,
    architectures={
        "small_cochcnn": {**SMALL, "layers": ["block*", "pooled"]},
        "small_cochcnn_branched": {**SMALL, "layers": ["block*", "branch*.block*", "branch*.pooled"]},
    },
    modality="sounds",
)
