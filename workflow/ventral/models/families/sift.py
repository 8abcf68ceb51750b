"""The control SIFT bag of words."""

from typing import TYPE_CHECKING

from ventral.models.families import FIXED_FORM, ModelFamily

if TYPE_CHECKING:
    from torch import nn


def build(spec: dict) -> "nn.Module":
    """Return the bag of words with the vocabulary that the description's `seed` draws."""
    from ventral.models.sift import SIFTBag

    return SIFTBag(spec["seed"])


FAMILY = ModelFamily(
    meaning="How often local patterns of a vocabulary occur in an image.",
    sentence="{models} counted visual words (Csurka et al. 2004) of SIFT descriptors (Lowe 2004).",
    build=build,
    architectures={"sift_bag": {**FIXED_FORM, "layers": ["descriptors", "bag", "pyramid"]}},
    is_trained=False,
    # The nearest word does not change with a small change of a descriptor.
    has_gradients=False,
    references={
        "Csurka et al. 2004": (
            "Csurka G, Dance C, Fan L, Willamowski J, Bray C (2004). ECCV Workshop on Statistical Learning in Computer "
            "Vision."
        ),
        "Lowe 2004": "Lowe DG (2004). International Journal of Computer Vision 60:91.",
    },
)
