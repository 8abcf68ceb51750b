"""Controls made of Gabor filters."""

from typing import TYPE_CHECKING

from ventral.models.families import FIXED_FORM, ModelFamily

if TYPE_CHECKING:
    from torch import nn


def build(spec: dict) -> "nn.Module":
    """Return `v1like` or `v2like`."""
    from ventral.models.gabor import V1Like, V2Like

    return {"v1like": V1Like, "v2like": V2Like}[spec["architecture"]]()


FAMILY = ModelFamily(
    meaning="Gabor filters with divisive normalisation, and their combinations.",
    sentence=(
        "{models} consisted of Gabor filters with divisive normalisation (Heeger 1992), or of combinations of their "
        "responses."
    ),
    build=build,
    architectures={
        "v1like": {**FIXED_FORM, "layers": ["simple", "complex"]},
        "v2like": {**FIXED_FORM, "layers": ["products", "correlations"]},
    },
    is_trained=False,
    without_effect={"seed": "on {architecture}, in which nothing is random"},
    references={"Heeger 1992": "Heeger DJ (1992). Visual Neuroscience 9:181."},
)
