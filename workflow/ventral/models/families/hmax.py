"""The control HMAX."""

from typing import TYPE_CHECKING

from ventral.models.families import FIXED_FORM, ModelFamily

if TYPE_CHECKING:
    from torch import nn


def build(spec: dict) -> "nn.Module":
    """Return HMAX with the prototypes that the description's `seed` draws."""
    from ventral.models.hmax import HMAX

    return HMAX(spec["seed"])


FAMILY = ModelFamily(
    meaning="Alternating layers that match templates and pool their matches.",
    sentence="{models} followed HMAX (Riesenhuber and Poggio 1999), with prototypes taken from photographs.",
    build=build,
    architectures={"hmax": {**FIXED_FORM, "layers": ["s1", "c1", "s2", "c2"]}},
    is_trained=False,
    references={"Riesenhuber and Poggio 1999": "Riesenhuber M, Poggio T (1999). Nature Neuroscience 2:1019."},
)
