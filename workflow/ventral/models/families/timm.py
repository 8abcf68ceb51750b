"""Networks of timm, with weights of the Hugging Face hub."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError, nearest
from ventral.models import hub
from ventral.models.families import ModelFamily, Tokens
from ventral.models.weights import has_weights_of_library, is_folder

if TYPE_CHECKING:
    from torch import nn

PREFIX = "timm/"
CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def build(spec: dict) -> "nn.Module":
    """Return a network of timm, with the weights of its repository or folder if the description names these.

    Raises
    ------
    InputError
        If timm is not installed, has no such network, or its weights cannot be had.
    """
    timm = hub.imported("timm", spec)
    folder, overlay, source = _folder(spec), {}, None
    if has_weights_of_library(spec):
        found = weights(spec)
        overlay, source = {"source": "", "file": str(found.files[0]), "custom_load": False}, found.source
    with hub.loading(spec["architecture"], source, f"models.{spec['name']}"):
        return timm.create_model(
            f"local-dir:{folder}" if folder else _name(spec),
            pretrained=source is not None,
            pretrained_cfg_overlay=overlay,
        )


def recorded(spec: dict) -> dict:
    """Return size, interpolation, mean and std from the record of timm, without its crop."""
    hub.imported("timm", spec)
    from timm.data import resolve_data_config

    folder = _folder(spec)
    config = hub.configuration(hub.Folder(folder, f"models.{spec['name']}"), CONFIG) if folder else _pretrained(spec)
    # In older files, the record is not nested.
    said = resolve_data_config(pretrained_cfg=config.get("pretrained_cfg", config))
    return {
        "size": hub.square_of(said["input_size"][1:], spec),
        "interpolation": said["interpolation"],
        "mean": list(said["mean"]),
        "std": list(said["std"]),
    }


def weights(spec: dict) -> hub.Weights:
    """Return the weights of a network's repository or folder."""
    if is_folder(spec) or _is_repository(spec):
        return hub.weights_in(hub.source_of(spec, _name(spec), [CONFIG]), spec, WEIGHTS)
    config = _pretrained(spec)
    repository, names = config.get("hf_hub_id"), WEIGHTS
    if config.get("hf_hub_filename"):
        names = (config["hf_hub_filename"],)
    if not repository or isinstance(config.get("custom_load"), str):
        raise InputError(
            f"models.{spec['name']}: {spec['architecture']} has no weights of its own on the hub; download them "
            f"({config.get('url') or 'timm names the address'}), and name the file under `weights`, with its `sha256`, "
            f"or set `weights: random`"
        )
    return hub.weights_in(hub.source_of(spec, repository, names), spec, names)


def tokens(network: "nn.Module") -> Tokens | None:
    """Return the places of the tokens of a vision transformer of timm: class token, registers, patches."""
    # A network of another library must not make this function load timm.
    models = sys.modules.get("timm.models")
    if models is None or not isinstance(network, (models.VisionTransformer, models.eva.Eva)):
        return None
    has_class = network.cls_token is not None
    return Tokens(network.patch_embed.num_patches, network.num_prefix_tokens, has_class=has_class)


def _name(spec: dict) -> str:
    return spec["architecture"].removeprefix(PREFIX)


def _is_repository(spec: dict) -> bool:
    return "/" in _name(spec)


def _pretrained(spec: dict) -> dict:
    """Return the record of timm about one of its networks and the pretrained weights."""
    from timm.models import get_pretrained_cfg, is_model, list_models

    name, key = _name(spec), f"models.{spec['name']}.architecture"
    network, _, tag = name.partition(".")
    if not is_model(network):
        near = nearest(network, list_models())
        raise InputError(f"{key}: timm has no network {network!r}; the nearest are {near}")
    try:
        config = get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = nearest(name, list_models(network, pretrained=True))
        raise InputError(
            f"{key}: timm has no weights {tag!r} of {network}; the nearest are {tags or 'none'}"
        ) from error
    return config.to_dict() if config else {}


def _folder(spec: dict) -> Path | None:
    """Return the folder with `config.json`, for a network of a repository or of the user's folder; else None."""
    if not is_folder(spec) and not _is_repository(spec):
        return None
    source = hub.source_of(spec, _name(spec), [CONFIG])
    said = hub.configuration(source, CONFIG).get("architecture")
    if not _is_repository(spec) and said != _name(spec).partition(".")[0]:
        raise InputError(f"{source.key}: {source} has a network {said!r}, the config says {spec['architecture']}")
    return source.file(CONFIG).parent


FAMILY = ModelFamily(
    meaning="Any network of timm, such as `timm/vit_base_patch14_dinov2.lvd142m`, or of a repository in timm's layout.",
    sentence="{models} came from timm (Wightman 2019).",
    build=build,
    covered="timm/NAME.TAG",
    covers=lambda architecture: architecture.startswith(PREFIX),
    check=partial(hub.check_name, PREFIX, "timm/NAME, timm/NAME.TAG or timm/OWNER/REPOSITORY", 1),
    tokens=tokens,
    recorded=recorded,
    weights=weights,
    references={"Wightman 2019": "Wightman R (2019). PyTorch Image Models. https://doi.org/10.5281/zenodo.4414861."},
)
