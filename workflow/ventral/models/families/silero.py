"""Silero's detector of speech, whose weights come with silero-vad."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily
from ventral.models.packages import PackagedWeights

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = PackagedWeights(
    model="silero_vad",
    package="silero-vad",
    # Other files of the package have other weights.
    file="silero_vad/data/silero_vad.jit",
    sha256="e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720",
    install="`pip install silero-vad==6.2.3` (or 'ventral[sound]')",
)


def build(spec: dict) -> "nn.Module":
    """Return the network, with the weights of the package if they are `pretrained`.

    Raises
    ------
    InputError
        If the package is not installed, or its file has other content.
    """
    from ventral.models.silero import silero_vad, weights_of_program

    network = silero_vad()
    if spec["weights"] == "pretrained":
        network.load_state_dict(weights_of_program(WEIGHTS.path(f"models.{spec['name']}")))
    return network


FAMILY = ModelFamily(
    meaning="Silero's network, trained to detect speech.",
    sentence="{models} came from Silero's detector of speech (Silero Team 2025).",
    build=build,
    architectures={"silero_vad": {"rate": 16_000, "layers": ["stft", "conv*", "lstm", "speech"]}},
    modality="sounds",
    without_effect=dict.fromkeys(("input", "rate"), "on {architecture}, which takes waveforms of 16,000 Hz"),
    references={"Silero Team 2025": "Silero Team (2025). Silero VAD. https://github.com/snakers4/silero-vad."},
)
