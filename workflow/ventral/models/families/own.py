"""A user's own functions."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily
from ventral.models.own import check_own

if TYPE_CHECKING:
    from torch import nn


def build(spec: dict) -> "nn.Module":
    """Return the network that the user's function returns."""
    from ventral.models.own_networks import own_network

    return own_network(spec)


FAMILY = ModelFamily(
    meaning="What a user's function, `package.module:function`, returns.",
    sentence="{models} came from code of our own.",
    build=build,
    covered="package.module:function",
    covers=lambda architecture: ":" in architecture,
    defaults={"weights": None},
    check=check_own,
    brings_weights=True,
)
