"""CochCNN9 and CochResNet50, whose published checkpoints are files that a user downloads."""

from typing import TYPE_CHECKING

from ventral.errors import InputError
from ventral.models.families import ModelFamily

if TYPE_CHECKING:
    from torch import nn

SHOWN = {"input": "cochleagram", "rate": 20_000}
CHECKPOINTS = "https://mcdermottlab.mit.edu/cochdnn/cochdnn_model_checkpoints.tar"


def check_weights(spec: dict, key: str) -> None:
    """Raise InputError if the description, whose config key is `key`, names no checkpoint."""
    if spec["weights"] == "pretrained":
        raise InputError(
            f"{key}.weights: {spec['architecture']} has its weights in a file; name a checkpoint of {CHECKPOINTS} "
            f"under `weights` with its `sha256`, or set `weights: random`"
        )


def build(spec: dict) -> "nn.Module":
    """Return a network with random weights, which a checkpoint may replace.

    Raises
    ------
    InputError
        As for `check_weights`.
    """
    from ventral.models.coch_networks import NETWORKS

    check_weights(spec, f"models.{spec['name']}")
    return NETWORKS[spec["architecture"]]()


FAMILY = ModelFamily(
    meaning="Networks for cochleagrams of 2 s, trained on words, speakers and other sounds.",
    sentence="{models} had an architecture for cochleagrams (Tuckute et al. 2023).",
    build=build,
    check_weights=check_weights,
    architectures={
        "cochcnn9": {
            **SHOWN,
            "layers": [*(f"relu{k}" for k in range(5)), "maxpool0", "maxpool1", "avgpool", "relufc"],
        },
        "cochresnet50": {
            **SHOWN,
            "layers": ["conv1_relu1", "maxpool1", "layer1", "layer2", "layer3", "layer4", "avgpool"],
        },
    },
    modality="sounds",
    without_effect=dict.fromkeys(SHOWN, "on {architecture}, which takes cochleagrams of 20,000 Hz"),
    references={
        "Tuckute et al. 2023": "Tuckute G, Feather J, Boebinger D, McDermott JH (2023). PLoS Biology 21:e3002366."
    },
)
