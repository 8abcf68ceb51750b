"""Controls made of filters of spectrotemporal modulations."""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily

if TYPE_CHECKING:
    from torch import nn

ON_COCHLEAGRAMS = {"weights": None, "input": "cochleagram"}


def build(spec: dict) -> "nn.Module":
    """Return `spectemp` or `spectemp_log`."""
    from ventral.models.spectrotemporal import SpectroTemporal

    return SpectroTemporal(logarithm=spec["architecture"] == "spectemp_log")


FAMILY = ModelFamily(
    meaning="Filters of spectrotemporal modulations of cochleagrams.",
    sentence=(
        "{models} consisted of the power of cochleagrams in filters of temporal and spectral modulations (Chi et al. "
        "2005; Norman-Haignere and McDermott 2018), averaged over time, or of its logarithm."
    ),
    build=build,
    architectures={
        "spectemp": {**ON_COCHLEAGRAMS, "layers": ["power"]},
        "spectemp_log": {**ON_COCHLEAGRAMS, "layers": ["log_power"]},
    },
    modality="sounds",
    is_trained=False,
    without_effect={
        "seed": "on {architecture}, in which nothing is random",
        "input": "on {architecture}, whose filters are those of cochleagrams",
        "over_time": "on {architecture}, whose power is averaged over time",
    },
    references={
        "Chi et al. 2005": "Chi T, Ru P, Shamma SA (2005). Journal of the Acoustical Society of America 118:887.",
        "Norman-Haignere and McDermott 2018": ("Norman-Haignere SV, McDermott JH (2018). PLoS Biology 16:e2005127."),
    },
)
