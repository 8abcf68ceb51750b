"""Image towers of open_clip."""

import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError, nearest
from ventral.models import hub
from ventral.models.families import ModelFamily, Tokens
from ventral.models.families.timm import tokens as tokens_of_timm
from ventral.models.weights import has_weights_of_library, is_folder

if TYPE_CHECKING:
    from torch import nn

PREFIX = "open_clip/"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def build(spec: dict) -> "nn.Module":
    """Return the image tower of a model of open_clip, with its projection.

    Raises
    ------
    InputError
        If open_clip is not installed, has no such model, or its files cannot be had.
    """
    open_clip = hub.imported("open_clip", spec)
    from ventral.models.towers import ImageTower

    name, _ = _model_and_tag(spec)
    found = weights(spec) if has_weights_of_library(spec) else None
    with hub.loading(spec["architecture"], found and found.source, f"models.{spec['name']}"):
        # Without these options, the library would download weights by itself.
        options = {"load_weights": False, "pretrained_image": False, "pretrained_text": False}
        with _without_warnings():
            model = open_clip.create_model(name or f"local-dir:{_source(spec).file(CONFIG).parent}", **options)
        if found:
            open_clip.load_checkpoint(model, str(found.files[0]), strict=True, weights_only=True)
    return ImageTower(model, ("visual",)).float()


def recorded(spec: dict) -> dict:
    """Return size, interpolation, mean and std from the record of open_clip, without its crop."""
    open_clip = hub.imported("open_clip", spec)
    from dataclasses import asdict

    from open_clip.transform import PreprocessCfg

    name, tag = _model_and_tag(spec)
    if name:
        model, said = open_clip.get_model_config(name), open_clip.get_pretrained_cfg(name, tag) if tag else {}
    else:
        config = hub.configuration(_source(spec), CONFIG)
        model, said = config.get("model_cfg", config), config.get("preprocess_cfg", {})
    said = {**asdict(PreprocessCfg()), **said}
    size = model["vision_cfg"].get("image_size", said["size"])
    return {
        "size": hub.square_of(size if isinstance(size, list) else [size], spec),
        "interpolation": said["interpolation"],
        "mean": list(said["mean"]),
        "std": list(said["std"]),
    }


def weights(spec: dict) -> hub.Weights:
    """Return the weights of a tag's repository, or of a folder."""
    if is_folder(spec):
        return hub.weights_in(hub.source_of(spec, "", WEIGHTS), spec, WEIGHTS)
    name, tag = _model_and_tag(spec)
    if not name:
        return hub.weights_in(_source(spec), spec, WEIGHTS)
    import open_clip

    if tag is None:
        tags = open_clip.list_pretrained_tags_by_model(name)
        raise InputError(
            f"models.{spec['name']}.architecture: {spec['architecture']} names no weights; take "
            f"{PREFIX}{name}/TAG with one of these tags, or set `weights: random`: {', '.join(tags) or 'none'}"
        )
    owner, repository, file = open_clip.get_pretrained_cfg(name, tag)["hf_hub"].split("/")
    names = (str(Path(file).with_suffix(".safetensors")), file) if file else WEIGHTS
    return hub.weights_in(hub.source_of(spec, f"{owner}/{repository}", names), spec, names)


def tokens(network: "nn.Module") -> Tokens | None:
    """Return the places of the tokens of a vision transformer of open_clip, or of timm within a tower."""
    module = sys.modules.get("open_clip.transformer")
    if module is None or not isinstance(network, module.VisionTransformer):
        return tokens_of_timm(network)
    return Tokens(math.prod(network.grid_size))


def _model_and_tag(spec: dict) -> tuple[str | None, str | None]:
    """Return the model and the tag of weights that an architecture names; twice None for a repository.

    Raises
    ------
    InputError
        If open_clip has no such model or tag, or the tag is of weights for another activation function.
    """
    open_clip = hub.imported("open_clip", spec)
    key = f"models.{spec['name']}.architecture"
    model, _, tag = spec["architecture"].removeprefix(PREFIX).partition("/")
    known = open_clip.list_models()
    if model not in known:
        if tag:
            return None, None
        raise InputError(f"{key}: open_clip has no model {model!r}; the nearest are {nearest(model, known)}")
    if not tag:
        return model, None
    said = open_clip.get_pretrained_cfg(model, tag)
    if not said:
        tags = open_clip.list_pretrained_tags_by_model(model)
        raise InputError(f"{key}: open_clip has no weights {tag!r} of {model}; known are {', '.join(tags) or 'none'}")
    quick = open_clip.get_model_config(model).get("quick_gelu", False)
    if quick != said.get("quick_gelu", False):
        other = f"{model}-quickgelu" if not quick else model.removesuffix("-quickgelu")
        raise InputError(
            f"{key}: the weights {tag!r} were trained with{'out' if quick else ''} QuickGELU; take "
            f"{PREFIX}{other}/{tag}"
        )
    return model, tag


def _source(spec: dict) -> hub.Folder | hub.Commit:
    return hub.source_of(spec, spec["architecture"].removeprefix(PREFIX), [CONFIG])


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress warnings of open_clip about random weights, because weights are read later."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


FAMILY = ModelFamily(
    meaning="The image tower of any model of open_clip, such as `open_clip/ViT-B-32/laion2b_s34b_b79k`.",
    sentence="{models} came from open_clip (Ilharco et al. 2021).",
    build=build,
    covered="open_clip/MODEL/TAG",
    covers=lambda architecture: architecture.startswith(PREFIX),
    check=partial(hub.check_name, PREFIX, "open_clip/MODEL/TAG, or open_clip/OWNER/REPOSITORY", 1),
    tokens=tokens,
    recorded=recorded,
    weights=weights,
    references={
        "Ilharco et al. 2021": "Ilharco G, Wortsman M, et al. (2021). OpenCLIP. https://doi.org/10.5281/zenodo.5143773."
    },
)
