"""Models by name: what a name and a few options stand for, without loading any network."""

import math
import os
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from ventral.errors import InputError, allowed_instead, nearest
from ventral.models.own import check_own
from ventral.outputs import sha256
from ventral.stimuli.modality import FIRST, MODALITIES, Modality, baselines, declared_modality

# Beside these, every modality has its own, with their defaults.
DEFAULTS = {"weights": "pretrained", "sha256": None, "seed": 0, "layers": "auto", "max_layers": 16}
# The normalisation that the networks' weights were trained with: (pixel - 127) / 128.
LITE = {
    "mean": [127 / 255] * 3,
    "std": [128 / 255] * 3,
    "interpolation": "bicubic",
    "layers": ["_bn0", "_blocks.*", "_bn1"],
}
# Networks made to be trained here: `ventral.models.networks.NETWORKS` has what they are.
SMALL = {"weights": "random", "size": 64, "mean": [0.5] * 3, "std": [0.25] * 3}
CONVOLUTIONAL = {**SMALL, "layers": ["block*", "pooled"]}
# Models of fixed form, which see luminance in 0 to 1: `ventral.models.controls` has what they are.
CLASSICAL = {"weights": None, "size": 128, "mean": [0.0] * 3, "std": [1.0] * 3}
ARCHITECTURES = {
    "efficientnet_lite0": {**LITE, "size": 224},
    "efficientnet_lite1": {**LITE, "size": 240},
    "efficientnet_lite2": {**LITE, "size": 260},
    "conv1": CONVOLUTIONAL,
    "conv2": CONVOLUTIONAL,
    "conv4": CONVOLUTIONAL,
    "conv4_wide": CONVOLUTIONAL,
    "small_resnet": {**SMALL, "layers": ["stem", "block*", "pooled"]},
    "v1like": {**CLASSICAL, "layers": ["simple", "complex"]},
    "v2like": {**CLASSICAL, "layers": ["products", "correlations"]},
    "hmax": {**CLASSICAL, "layers": ["s1", "c1", "s2", "c2"]},
    "sift_bag": {**CLASSICAL, "layers": ["descriptors", "bag", "pyramid"]},
}
CONTROLS = ("v1like", "v2like", "hmax", "sift_bag")
# Whose filters are all given: no seed changes them.
NOTHING_DRAWN = ("v1like", "v2like")
OPTIONS = ("architecture", *DEFAULTS, "modality", "trained_on", "train")
# What a user may say that weights from elsewhere were trained on, and the family that follows.
TRAINED_ON = {"ImageNet": "pretrained", "nothing": "untrained"}
CHECKPOINTS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pth.tar")
LARGEST_SEED = 2**63 - 1


def resolve_model(name: str, options: dict | None = None) -> dict:
    """Return the complete description of a model, from its name and the options that differ from what the name says.

    Parameters
    ----------
    name : str
        Name of the model. It is also its architecture, unless the options name one; a suffix ``_random`` stands for
        the same network before training.
    options : dict, optional
        Any of `OPTIONS`, and those of the modality.

    Returns
    -------
    dict
        `name`, every key of `OPTIONS` and every option of the modality; `trained_on` and `train` only if they are
        given, `modality` only if the network is not shown images. `architecture` is one of `ARCHITECTURES`, a
        classification network of torchvision, a baseline, or `package.module:function` that returns a network;
        `weights` is `pretrained`, `random`, or the path of a checkpoint, with `train` those that training starts from;
        None of a model that is never trained, and of a function's network as that returns it.

    Raises
    ------
    InputError
        For an option that is not known or has no effect, a modality that is not known or not that of the architecture,
        and an architecture that is no text.
    """
    options = options or {}
    architecture, before_training = re.subn(r"_random$", "", name)
    architecture = options.get("architecture", architecture)
    if not isinstance(architecture, str):
        raise InputError(
            f"models.{name}.architecture: {architecture!r} is neither the name of an architecture nor "
            f"package.module:function"
        )
    modality = _modality_of(architecture, options, name)
    known = (*OPTIONS, *modality.model_options)
    for key in options:
        if key not in known:
            raise InputError(f"models.{name}: unknown option `{key}`; {allowed_instead(key, known)}")
    defaults = {option: declared["default"] for option, declared in modality.model_options.items()}
    preset = {**DEFAULTS, **defaults, **_preset(architecture)}
    if before_training or ("train" in options and ":" not in architecture):
        preset["weights"] = "random"
    elif ":" in architecture:
        preset["weights"] = None
    options = {option: _typed(option, value, modality) for option, value in options.items() if option != "modality"}
    spec = {"name": name, "architecture": architecture, **preset, **options, **modality.attributes}
    for option in options:
        _refuse_without_effect(option, spec, modality)
    return spec


def _modality_of(architecture: str, options: dict, name: str) -> Modality:
    """Return the modality of an architecture: as the user says of a function's network, known of all others."""
    if ":" in architecture:
        return declared_modality(options, f"models.{name}.modality")
    known = baselines().get(architecture, MODALITIES[FIRST])
    if options.get("modality", known.name) != known.name:
        raise InputError(
            f"models.{name}.modality: {architecture} is shown {known.name}, not {options['modality']}; `modality` is "
            f"for a function of your own"
        )
    return known


def _preset(architecture: str) -> dict:
    """Return the options that an architecture's name stands for."""
    known = baselines().get(architecture)
    if known is None:
        return ARCHITECTURES.get(architecture, {})
    return {"weights": None, **known.baseline.options, "layers": [architecture]}


def is_never_trained(architecture: str) -> bool:
    """Say whether an architecture is a control or a baseline, which no task has trained."""
    return architecture in CONTROLS or architecture in baselines()


def is_baseline(spec: dict) -> bool:
    """Say whether a model is the stimuli themselves, and so no network."""
    return spec["architecture"] in baselines()


def _typed(option: str, value, modality: Modality):
    """Return an option's value in the type of the option where it is another spelling of the same number."""
    types = modality.model_options.get(option, {}).get("type", [])
    types = [types] if isinstance(types, str) else types
    if option in ("seed", "max_layers") or {"integer", "number"}.intersection(types):
        number = _number(value)
        return int(number) if isinstance(number, float) and number.is_integer() else number
    if "array" in types and isinstance(value, list):
        return [_number(element) for element in value]
    return value


def _number(value):
    """Return the number that a text stands for, which YAML makes of `1e-1`; all else as it is."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _refuse_without_effect(option: str, spec: dict, modality: Modality) -> None:
    """Refuse an option that a user gave and that changes nothing about this model."""
    architecture, baseline = spec["architecture"], modality.baseline
    reason = ""
    if architecture == baseline.name and option not in ("architecture", *baseline.uses, "weights", "train"):
        reason = f"of `{baseline.name}`, {baseline.taken}"
    elif option == "seed" and architecture in NOTHING_DRAWN:
        reason = f"of {architecture}, in which nothing is random"
    elif option == "seed" and spec["weights"] == "pretrained" and ":" not in architecture and "train" not in spec:
        reason = "on weights that are `pretrained`"
    elif option == "max_layers" and spec["layers"] != "auto":
        reason = "but with `layers: auto`"
    elif option in modality.model_options:
        reason = modality.without_effect(option, spec)
    if reason:
        raise InputError(f"models.{spec['name']}.{option}: it has no effect {reason}; leave it out")


def preprocessing(spec: dict) -> dict:
    """Return the part of a model's description that says what is done to stimuli before it sees them."""
    return {option: spec[option] for option in modality_asked(spec).model_options}


def modality_asked(spec: dict) -> Modality:
    """Return the modality of the stimuli that a model is shown."""
    return declared_modality(spec, f"models.{spec['name']}.modality")


def weights_file(spec: dict) -> str | None:
    """Return the path of the checkpoint that a model's weights are read from, None where they come from elsewhere."""
    return None if spec["weights"] in (None, "pretrained", "random") else spec["weights"]


def family(spec: dict) -> str:
    """Return what kind of model this is, so that models can be compared by it.

    Parameters
    ----------
    spec : dict
        From `resolve_model`. What was trained in this workflow has `trained_by`, its checkpoints `epoch`, and
        `fitted_to` where it learned the responses of a recording. Where training began from other than random
        weights, `begun_as` is their family.

    Returns
    -------
    str
        `classical`: baselines, and models of fixed form; `untrained`: random weights; `pretrained`: trained on ImageNet
        elsewhere; `trained`: trained in this workflow to the end; `checkpoint`: after some epoch of training in this
        workflow; `fitted`: trained on the responses of neuroids; `unknown`: weights from elsewhere without
        `trained_on`.
    """
    if is_never_trained(spec["architecture"]):
        return "classical"
    if spec.get("epoch") == 0:
        return spec.get("begun_as", "untrained")
    if spec.get("fitted_to"):
        return "fitted"
    if spec.get("epoch") is not None:
        return "checkpoint"
    if spec.get("trained_by"):
        return "trained"
    if spec["weights"] == "random":
        return "untrained"
    if spec["weights"] == "pretrained" and ":" not in spec["architecture"]:
        return "pretrained"
    return TRAINED_ON.get(spec.get("trained_on"), "unknown")


def check_model(spec: dict) -> None:
    """Check a model's description as far as this can be done without loading it.

    Parameters
    ----------
    spec : dict
        From `resolve_model`. A checkpoint of training in this workflow has `trained_by`, and need not be there yet.

    Raises
    ------
    InputError
        For values of the wrong kind, an unknown architecture, a module that is not installed, weights that nobody has,
        or a checkpoint that is missing or another one than its hash says.
    """
    key = f"models.{spec['name']}"
    if "train" in spec:
        raise InputError(f"{key}.train: only a network under `models` can be trained")
    for option, wanted in _problems(spec):
        raise InputError(f"{key}.{option}: {spec[option]!r} is not {wanted}")
    for pattern in () if spec["layers"] == "auto" else spec["layers"]:
        _check_glob(pattern, f"{key}.layers")
    _check_architecture(spec["architecture"], f"{key}.architecture")
    _check_weights(spec, key)
    _check_trained_on(spec, f"{key}.trained_on")
    if weights_file(spec) is not None and not spec.get("trained_by"):
        _check_checkpoint(spec, key)


def _problems(spec: dict) -> Iterator[tuple[str, str]]:
    """Give each option that has a wrong value, and what would be right."""
    if not _is_whole(spec["seed"], 0, LARGEST_SEED):
        yield "seed", "a whole number from 0 to 2^63 - 1"
    yield from modality_asked(spec).problems(spec)
    if spec["layers"] != "auto" and not _are_names(spec["layers"]):
        yield "layers", "`auto`, or a list of names or globs, in quotes where they look like numbers"
    if not _is_whole(spec["max_layers"], 1, math.inf):
        yield "max_layers", "a number of layers, 1 or more"


def _check_weights(spec: dict, key: str) -> None:
    weights, architecture = spec["weights"], spec["architecture"]
    is_own = ":" in architecture
    if is_never_trained(architecture):
        if weights is not None:
            raise InputError(
                f"{key}.weights: {architecture} is not trained for any task, so it has neither weights nor a state "
                f"before training; name it `{architecture}`, without `weights`"
            )
    elif not isinstance(weights, str) and not (is_own and weights is None):
        raise InputError(f"{key}.weights: {weights!r} is not `pretrained`, `random`, or the path of a checkpoint")
    if weights == "pretrained" and is_own:
        raise InputError(
            f"{key}.weights: nobody but you knows which weights {architecture} returns; leave `weights` out, and say "
            f"`trained_on: ImageNet` where they were trained on it"
        )
    if weights == "pretrained" and ARCHITECTURES.get(architecture, {}).get("weights") == "random":
        raise InputError(
            f"{key}.weights: there are no pretrained weights of {architecture}; train it here with `train`, or name a "
            f"checkpoint"
        )
    if spec["sha256"] is not None and weights_file(spec) is None:
        raise InputError(f"{key}.sha256: belongs to a checkpoint; name its file under `weights`, or leave `sha256` out")


def _check_trained_on(spec: dict, key: str) -> None:
    if "trained_on" not in spec or spec.get("trained_by"):
        return
    said = spec["trained_on"]
    if said not in list(TRAINED_ON):
        raise InputError(
            f"{key}: {said!r} is not known; {allowed_instead(said, TRAINED_ON)}. Of a network that was trained on "
            f"anything else, leave it out: tables then say `unknown`"
        )
    if is_never_trained(spec["architecture"]) or spec["weights"] in ("pretrained", "random"):
        raise InputError(
            f"{key}: it is for weights from elsewhere, of a function of your own or a checkpoint; what "
            f"{spec['architecture']} is, is known; leave it out"
        )


def _is_whole(value, low: int, high: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _are_names(values) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, str) and value for value in values)


def _check_glob(pattern: str, key: str) -> None:
    for part in re.findall(r"\[[^\]]*\]?", pattern):
        try:
            re.compile(part)
            right = part[1] != "!"
        except (re.error, IndexError):
            right = False
        if not right:
            raise InputError(
                f"{key}: {part!r} in {pattern!r} is no set of characters, such as [0-3], or [^0-3] for all but these"
            )


def _check_architecture(architecture: str, key: str) -> None:
    if ":" in architecture:
        check_own(architecture, key)
    elif architecture not in (known := [*ARCHITECTURES, *baselines()]):
        near = get_close_matches(architecture, known, n=1, cutoff=0.85)
        if near or not re.fullmatch(r"[a-z0-9_]+", architecture):
            guess = f"did you mean `{near[0]}`? " if near else ""
            raise InputError(
                f"{key}: no model is called {architecture!r}; {guess}known: {', '.join(known)}, any "
                f"classification network of torchvision such as resnet50, or package.module:function"
            )


def _check_checkpoint(spec: dict, key: str) -> None:
    path, expected = Path(spec["weights"]), spec["sha256"]
    if not path.name.endswith(CHECKPOINTS):
        raise InputError(
            f"{key}.weights: {spec['weights']!r} is neither `pretrained` nor `random` nor a checkpoint "
            f"({', '.join(CHECKPOINTS)})"
        )
    if not os.path.isfile(path):  # noqa: PTH113 - of a path that no system takes, `Path.is_file` raises
        found = "a folder, not a file" if os.path.isdir(path) else "no such file"  # noqa: PTH112
        raise InputError(f"{key}.weights: {found}: {path}")
    if expected is not None and not (isinstance(expected, str) and re.fullmatch("[0-9a-fA-F]{64}", expected)):
        raise InputError(f"{key}.sha256: {expected!r} is no SHA-256, a text of 64 hexadecimal digits (in quotes)")
    try:
        found = sha256(path)
    except OSError as error:
        raise InputError(f"{key}.weights: {path} cannot be read: {error.strerror}") from error
    if expected is None:
        raise InputError(f"{key}.sha256: missing; a checkpoint is read only if its hash is known. It is {found}")
    if found != expected.lower():
        raise InputError(f"{key}.sha256: {path} has the sha256 {found}, the config says {expected}")


def check_together(wanted: Sequence[str], layers: Sequence[str], model: str) -> None:
    """Raise InputError if some of the layers of a model that are wanted are not among those that are taken of it."""
    for layer in wanted:
        if layer not in layers:
            raise InputError(
                f"config key banded.{model}: {layer!r} is none of the layers that are taken of the model; the nearest "
                f"are {nearest(layer, layers)}"
            )
