"""Small recurrent networks and their feed-forward controls, from `ventral.models.recurrent.NETWORKS`."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily
from ventral.models.families.small import SMALL

if TYPE_CHECKING:
    from torch import nn

NAMES = ("small_blt", "small_bl", "small_bt", "small_b", "small_b_features", "small_b_kernels", "small_b_deep")


def build(spec: dict) -> "nn.Module":
    """Return a network with random weights."""
    from ventral.models.recurrent import NETWORKS

    return NETWORKS[spec["architecture"]]()


FAMILY = ModelFamily(
    meaning=(
        "Networks with bottom-up (B), lateral (L) and top-down (T) connections, made to be trained here, and "
        "feed-forward controls with as many parameters."
    ),
    sentence=(
        "{models} had bottom-up (B), lateral (L) or top-down (T) connections, as the names of their architectures say "
        "(Spoerer et al. 2017). Those with B alone were feed-forward. The others had a readout and a batch "
        "normalisation for each step, and learned from the mean of the losses of all steps (Spoerer et al. 2020)."
    ),
    build=build,
    architectures={name: {**SMALL, "layers": ["layer*", "pooled"]} for name in NAMES},
    references={
        "Spoerer et al. 2017": (
            "Spoerer CJ, McClure P, Kriegeskorte N (2017). Recurrent convolutional neural networks: a better model of "
            "biological object recognition. Frontiers in Psychology 8:1551."
        ),
        "Spoerer et al. 2020": (
            "Spoerer CJ, Kietzmann TC, Mehrer J, Charest I, Kriegeskorte N (2020). Recurrent neural networks can "
            "explain flexible trading of speed and accuracy in biological vision. PLoS Computational Biology "
            "16:e1008215."
        ),
    },
)
