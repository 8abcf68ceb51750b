"""Vision models of Hugging Face's transformers."""

from functools import partial
from typing import TYPE_CHECKING, Any

from ventral.errors import InputError
from ventral.models import hub
from ventral.models.families import ModelFamily, Tokens
from ventral.models.weights import has_weights_of_library

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig

LIBRARY = "hf/"
CONFIG = "config.json"
# Names of the record of the preprocessing in older and newer versions of transformers.
PREPROCESSING = ("preprocessor_config.json", "processor_config.json")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
SCALE = 1 / 255
# Pillow's numbers of filters.
INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}
# Classes of networks for images alone, which keep their heads; all others give only their body.
KEPT = ("ForImageClassification", "ForImageClassificationWithTeacher", "WithProjection")
GIVE_STATES_FIRST = ("Layer", "Attention", "Embeddings")
# Number of tokens before those of patches, without registers, by `model_type`.
PREFIX = {
    "beit": 1,
    "clip_vision_model": 1,
    "deit": 2,
    "dinov2": 1,
    "dinov2_with_registers": 1,
    "dinov3_vit": 1,
    "siglip_vision_model": 0,
    "vit": 1,
}
# Attribute with the side of images. The side may differ from the network's own, because positions are interpolated.
SHOWN = "side_shown"
TOWER = ("vision_model", "visual_projection")


def build(spec: dict) -> "nn.Module":
    """Return the part of a model of transformers that sees images; code of the repository never runs.

    Raises
    ------
    InputError
        If transformers is not installed, has no such model, or its files cannot be had.
    """
    transformers = hub.imported("transformers", spec)
    import torch

    # The library warns of weights without a module here, such as those of the text tower.
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    key, source = f"models.{spec['name']}", _source(spec)
    # This call refuses a damaged file with a clear message.
    hub.configuration(source, CONFIG)
    folder = source.file(CONFIG).parent
    with hub.loading(spec["architecture"], source, key):
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        kind = _class_of(config)
        if not has_weights_of_library(spec):
            options = {"trust_remote_code": False} if kind is transformers.AutoModel else {}
            model = (kind.from_config if options else kind._from_config)(config, dtype=torch.float32, **options)
            return _seeing(model, spec)
        files = weights(spec).files
        model, read = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=files[0].suffix == ".safetensors",
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    network = _seeing(_without_pooler(model, read["missing_keys"]), spec)
    unread = sorted({*read["missing_keys"]} & {*network.state_dict()})
    if unread:
        raise InputError(f"{key}: {len(unread)} weights are missing in {source}, such as {unread[0]}")
    return network


def recorded(spec: dict) -> dict:
    """Return size, interpolation, mean and std from the record of the repository, without its crop.

    Raises
    ------
    InputError
        If there is no record, or its preprocessing is not possible here.
    """
    source = _source(spec)
    key = f"models.{spec['name']}"
    name = next((name for name in PREPROCESSING if source.file(name)), None)
    if name is None:
        raise InputError(
            f"{key}: {source} has no {' or '.join(PREPROCESSING)}; set `size`, `interpolation`, `mean` and `std`"
        )
    said, place = hub.configuration(source, name), f"{key}: {name} of {source}"
    said = said.get("image_processor", said)
    read = {
        "size": lambda: hub.square_of(_sides(said, source, key), spec),
        "interpolation": lambda: _interpolation(said, place),
        "mean": lambda: _per_channel(said, "image_mean", 0.0, place),
        "std": lambda: _per_channel(said, "image_std", 1.0, place),
    }
    return {option: value() for option, value in read.items() if option not in spec}


def weights(spec: dict) -> hub.Weights:
    """Return the weights of a model's repository or folder."""
    return hub.weights_in(_source(spec), spec, WEIGHTS)


def tokens(network: "nn.Module") -> Tokens | None:
    """Return the places of the tokens of a vision transformer of transformers: class token, registers, patches."""
    config = getattr(network, "config", None)
    kind = getattr(config, "model_type", None)
    if kind not in PREFIX:
        return None
    n_prefix = PREFIX[kind] + getattr(config, "num_register_tokens", 0)
    size = getattr(network, SHOWN, None) or config.image_size
    return Tokens((size // config.patch_size) ** 2, n_prefix, has_class=n_prefix > 0)


def output(module: "nn.Module", given: Any) -> Any:
    """Return the hidden states, the first output of a layer, an attention or an embedding of transformers."""
    kind = type(module)
    is_first = kind.__module__.startswith("transformers.models.") and kind.__name__.endswith(GIVE_STATES_FIRST)
    return given[0] if is_first and isinstance(given, tuple) and given else given


def _source(spec: dict) -> hub.Folder | hub.Commit:
    return hub.source_of(spec, spec["architecture"].removeprefix(LIBRARY), [CONFIG])


def _class_of(config: "PretrainedConfig"):
    """Return the class that reads a model's weights, which has a readout if the model sees only images."""
    import transformers

    named = next(iter(config.architectures or []), "")
    return getattr(transformers, named, transformers.AutoModel) if named.endswith(KEPT) else transformers.AutoModel


def _seeing(model: "nn.Module", spec: dict) -> "nn.Module":
    """Return the part of a model that sees images; the whole model if it sees nothing else."""
    from ventral.models.towers import ImageTower

    body = getattr(model, TOWER[0], model)
    setattr(body, SHOWN, spec.get("size"))
    if body is not model:
        return ImageTower(model, TOWER)
    if model.main_input_name != "pixel_values":
        raise InputError(
            f"models.{spec['name']}.architecture: {spec['architecture']} takes {model.main_input_name}, not images"
        )
    return model


def _without_pooler(model: "nn.Module", missing: "set[str]") -> "nn.Module":
    """Remove a model's pooler if the file lacks its weights, because the model was trained without one."""
    if any(name.startswith("pooler.") for name in missing):
        model.pooler = None
    return model


def _sides(said: dict, source: hub.Folder | hub.Commit, key: str) -> list[int]:
    cropped, resized = said.get("do_center_crop", False), said.get("do_resize", True)
    size = said.get("crop_size") if cropped else said.get("size") if resized else None
    if size is None:
        config = hub.configuration(source, CONFIG)
        size = config.get("vision_config", config).get("image_size")
    if isinstance(size, dict):
        size = [size["shortest_edge"]] if "shortest_edge" in size else [size.get("height"), size.get("width")]
    sides = size if isinstance(size, list) else [size]
    if None in sides:
        raise InputError(f"{key}: {source} does not say the size of images; set `size`")
    return sides


def _per_channel(said: dict, name: str, without: float, place: str) -> list[float]:
    if (
        said.get("offset")
        or not said.get("do_rescale", True)
        or abs(said.get("rescale_factor", SCALE) / SCALE - 1) > 1e-3
    ):
        raise InputError(f"{place} scales pixels to other values than 0 to 1; set `mean` and `std`")
    if not said.get("do_normalize", True):
        return [without] * 3
    if name not in said:
        raise InputError(f"{place} does not say {name}; set `mean` and `std`")
    return [float(value) for value in said[name]]


def _interpolation(said: dict, place: str) -> str:
    # The default of most image processors.
    number = said.get("resample", 2)
    if number not in INTERPOLATIONS:
        raise InputError(f"{place} resizes images by Pillow's filter {number}; set `interpolation`")
    return INTERPOLATIONS[number]


FAMILY = ModelFamily(
    meaning="Any vision model of Hugging Face's transformers, such as `hf/openai/clip-vit-base-patch32`.",
    sentence="{models} came from transformers (Wolf et al. 2020).",
    build=build,
    covered="hf/OWNER/REPOSITORY",
    covers=lambda architecture: architecture.startswith(LIBRARY),
    check=partial(hub.check_name, LIBRARY, "hf/OWNER/REPOSITORY", 2),
    tokens=tokens,
    output=output,
    recorded=recorded,
    weights=weights,
    references={
        "Wolf et al. 2020": "Wolf T, Debut L, Sanh V, et al. (2020). EMNLP: System Demonstrations, p. 38.",
    },
)
