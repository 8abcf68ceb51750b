"""Classification networks of torchvision."""

import pickle
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError
from ventral.models.families import ModelFamily, Tokens

if TYPE_CHECKING:
    from torch import nn


def build(spec: dict) -> "nn.Module":
    """Return a network of torchvision, with its newest weights if they are `pretrained`.

    Raises
    ------
    InputError
        If torchvision has no such network, or its weights cannot be downloaded or read.
    """
    import torch
    from torchvision import models

    name, pretrained = spec["architecture"], spec["weights"] == "pretrained"
    # Without this filter, the list also has networks for segmentation, detection and video.
    known = models.list_models(module=models)
    if name not in known:
        near = get_close_matches(name, known, n=3)
        guess = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(
            f"models.{spec['name']}.architecture: torchvision has no classification network {name!r}{guess}"
        )
    # These networks warn unless the initialisation of auxiliary heads is requested.
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") and not pretrained else {}
    try:
        return models.get_model(name, weights="DEFAULT" if pretrained else None, **options)
    except OSError as error:
        raise InputError(
            f"models.{spec['name']}: torchvision's weights of {name} cannot be downloaded: {error}. Download them on a "
            f"machine that can, and name the file under `weights`, with its `sha256`"
        ) from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        if not pretrained:
            raise
        raise InputError(
            f"models.{spec['name']}: torchvision's weights of {name} are damaged; delete their file in "
            f"{Path(torch.hub.get_dir()) / 'checkpoints'}, and start again"
        ) from error


def tokens(network: "nn.Module") -> Tokens | None:
    """Return the places of the tokens of a vision transformer: the class token, then the patches."""
    # A network of another library must not make this function load torchvision.
    module = sys.modules.get("torchvision.models.vision_transformer")
    if module is None or not isinstance(network, module.VisionTransformer):
        return None
    return Tokens(n_patches=network.seq_length - 1)


FAMILY = ModelFamily(
    meaning="Any classification network of torchvision, such as `resnet50`, trained on ImageNet.",
    sentence="{models} came from torchvision (Marcel and Rodriguez 2010).",
    build=build,
    tokens=tokens,
    covered="any classification network of torchvision such as resnet50",
    # Only torchvision knows which of these names exist.
    covers=lambda architecture: re.fullmatch(r"[a-z0-9_]+", architecture) is not None,
    references={"Marcel and Rodriguez 2010": "Marcel S, Rodriguez Y (2010). ACM Multimedia, p. 1485."},
)
