"""Descriptions of models from their names and options, without loading networks."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ventral.errors import InputError, allowed_instead, nearest
from ventral.models.families import RECORDED, ModelFamily
from ventral.models.layer_names import AUTO, parsed
from ventral.models.registry import family_of
from ventral.models.weights import is_folder
from ventral.outputs import sha256
from ventral.stimuli.modality import MODALITIES, Modality, declared_modality

# Options of all models; every modality adds its own.
DEFAULTS = {"weights": "pretrained", "sha256": None, "seed": 0, "layers": "auto", "max_layers": 16}
OPTIONS = ("architecture", *DEFAULTS, "permuted", "modality", "trained_on", "train", "revision")
# Values of `trained_on` for weights from elsewhere, with the resulting families.
TRAINED_ON = {"ImageNet": "pretrained", "sounds": "pretrained", "nothing": "untrained"}
GLOB = re.compile(r"[*?\[]")
# Value of `weights`, and end of a name, for weights that are shuffled within each tensor.
PERMUTED = "permuted"
CHECKPOINTS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pth.tar")


def resolve_model(name: str, options: dict | None = None) -> dict:
    """Return the complete description of a model, from its name and the options that the user gives.

    Parameters
    ----------
    name : str
        Name of the model. It is also the architecture, unless the options name one. A suffix ``_random`` means the same
        network before training, and ``_permuted`` means its weights shuffled within each tensor.
    options : dict, optional
        Any of `OPTIONS`, and those of the modality, with numbers in the types and limits of the config's schema.

    Returns
    -------
    dict
        Has `name`, every key of `OPTIONS` and every option of the modality. It has `trained_on`, `train` and `revision`
        only if they are given, `modality` only for modalities other than images, and `permuted` only if it is true. If
        only a library knows the options of `RECORDED`, it has those that are given, until `completed` asks the library.
        `architecture` belongs to one of `ventral.models.registry.model_families`. `weights` is `pretrained`, `random`,
        or the path of a checkpoint or a folder; with `train` these are the weights before training. `weights` is None
        for models without training, and for a function's network with its own weights.

    Raises
    ------
    InputError
        If an option is unknown or has no effect, or the architecture is not text or not in a family. Also if the
        modality is unknown or not that of the architecture, or `permuted` stands beside `train`.
    """
    options = options or {}
    architecture, _, state = name.rpartition("_")
    if not architecture or state not in ("random", PERMUTED):
        architecture, state = name, ""
    architecture = options.get("architecture", architecture)
    if not isinstance(architecture, str):
        raise InputError(
            f"models.{name}.architecture: {architecture!r} is neither the name of an architecture nor "
            f"package.module:function"
        )
    family = family_of(architecture, f"models.{name}.architecture")
    modality = _modality_of(architecture, family, options, name)
    known = (*OPTIONS, *modality.model_options)
    for key in options:
        if key not in known:
            if others := [other for other, declared in MODALITIES.items() if key in declared.model_options]:
                raise InputError(
                    f"models.{name}.{key}: belongs to networks with `modality: {others[0]}`; this one is shown "
                    f"{modality.name}"
                )
            raise InputError(f"models.{name}: unknown option `{key}`; {allowed_instead(key, known)}")
    defaults = {
        option: declared["default"]
        for option, declared in modality.model_options.items()
        if family.recorded is None or option not in RECORDED
    }
    preset = {**DEFAULTS, **defaults, **family.defaults, **family.architectures.get(architecture, {})}
    if state == "random" or ("train" in options and not family.brings_weights):
        preset["weights"] = "random"
    options = {option: value for option, value in options.items() if option != "modality"}
    permuted = options.pop("permuted", state == PERMUTED)
    if options.get("weights") == PERMUTED:
        permuted, options["weights"] = True, preset["weights"]
    spec = {"name": name, "architecture": architecture, **preset, **options, **modality.attributes}
    if permuted:
        spec["permuted"] = True
    if permuted and "train" in spec:
        raise InputError(
            f"models.{name}: permuted weights are a control for trained weights, which `train` has not made yet; leave "
            f"one of them out"
        )
    for option in options:
        _refuse_without_effect(option, spec, modality)
    return spec


def completed(spec: dict) -> dict:
    """Return a description with all options of preprocessing; the library's record has those that are not given.

    Raises
    ------
    InputError
        If the library or its record is not available.
    """
    family = family_of(spec["architecture"])
    if family.recorded is None or all(option in spec for option in RECORDED):
        return spec
    return {**family.recorded(spec), **spec}


def _modality_of(architecture: str, family: ModelFamily, options: dict, name: str) -> Modality:
    """Return the modality of an architecture, which the user states for a function's network."""
    if family.brings_weights:
        return declared_modality(options, f"models.{name}.modality")
    if options.get("modality", family.modality) != family.modality:
        raise InputError(
            f"models.{name}.modality: {architecture} is shown {family.modality}, not {options['modality']}; `modality` "
            f"is for a function of your own"
        )
    return MODALITIES[family.modality]


def is_baseline(spec: dict) -> bool:
    """Tell whether a model is a baseline, whose features are the stimuli themselves."""
    return family_of(spec["architecture"]).build is None


def _refuse_without_effect(option: str, spec: dict, modality: Modality) -> None:
    """Refuse an option of the user that has no effect on this model."""
    family = family_of(spec["architecture"])
    reason = ""
    if option in family.without_effect:
        reason = family.without_effect[option].format(architecture=spec["architecture"])
    elif option == "seed" and _has_no_seed(spec, family):
        reason = "on weights that are `pretrained`"
    elif option == "max_layers" and spec["layers"] not in AUTO:
        reason = "without `layers: auto`"
    elif option == "revision" and (family.weights is None or is_folder(spec)):
        reason = "where no repository of the hub is read"
    elif option in modality.model_options:
        reason = modality.without_effect(option, spec)
    if reason:
        raise InputError(f"models.{spec['name']}.{option}: it has no effect {reason}; leave it out")


def _has_no_seed(spec: dict, family: ModelFamily) -> bool:
    is_drawn = family.brings_weights or "train" in spec or spec.get("permuted")
    return spec["weights"] == "pretrained" and not is_drawn


def preprocessing(spec: dict) -> dict:
    """Return the part of a model's description that determines the preprocessing of stimuli."""
    return {option: spec[option] for option in (*modality_asked(spec).model_options, "stimuli") if option in spec}


def on_stimuli(spec: dict, attributes: Mapping) -> dict:
    """Return a model's description for one stimulus set.

    Parameters
    ----------
    spec : dict
        From `resolve_model`.
    attributes : mapping
        Attributes of the set's store.

    Returns
    -------
    dict
        `spec` with the `kept_options` of the set as `stimuli`, if the set has any.
    """
    kept = modality_asked(spec).kept(attributes)
    return {**spec, "stimuli": kept} if kept else spec


def modality_asked(spec: dict) -> Modality:
    """Return the modality of the stimuli of a model."""
    return declared_modality(spec, f"models.{spec['name']}.modality")


def weights_file(spec: dict) -> str | None:
    """Return the path of the checkpoint with a model's weights; None if they come from elsewhere."""
    return None if spec["weights"] in (None, "pretrained", "random") else spec["weights"]


def family(spec: dict) -> str:
    """Return the family of a model, by which models are compared.

    Parameters
    ----------
    spec : dict
        From `resolve_model`. A model trained in this workflow has `trained_by`, its checkpoints have `epoch`, and a
        model fitted to the responses of a recording has `fitted_to`. If training began from weights that were not
        random, `begun_as` is their family.

    Returns
    -------
    str
        One of these families:

        - `classical`: baselines, and models of fixed form;
        - `untrained`: random weights;
        - `permuted`: trained weights, shuffled within each tensor;
        - `pretrained`: trained on ImageNet or sounds elsewhere, as the library or `trained_on` states;
        - `trained`: trained in this workflow to the end;
        - `checkpoint`: after some epoch of training in this workflow;
        - `fitted`: trained on the responses of neuroids;
        - `unknown`: weights from elsewhere without `trained_on`.
    """
    architecture = family_of(spec["architecture"])
    if not architecture.is_trained:
        return "classical"
    if spec.get("permuted"):
        return PERMUTED
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
    if spec["weights"] == "pretrained" and not architecture.brings_weights and architecture.weights is None:
        return "pretrained"
    return TRAINED_ON.get(spec.get("trained_on"), "unknown")


def check_model(spec: dict) -> None:
    """Check a model's description as far as possible without loading the model.

    Parameters
    ----------
    spec : dict
        From `resolve_model`. A checkpoint of training in this workflow has `trained_by`, and may not exist yet.

    Raises
    ------
    InputError
        If a value has the wrong kind or cannot work, the architecture is unknown, a module is not installed, or weights
        do not exist. Also if a checkpoint is missing, or its hash does not match.
    """
    key = f"models.{spec['name']}"
    if "train" in spec:
        raise InputError(f"{key}.train: only a network under `models` can be trained")
    _check_layers(spec["layers"], f"{key}.layers")
    family = family_of(spec["architecture"])
    if family.check is not None:
        family.check(spec["architecture"], f"{key}.architecture")
    modality_asked(spec).check_model(spec, key)
    _check_weights(spec, key)
    family.check_weights(spec, key)
    _check_trained_on(spec, f"{key}.trained_on")
    if weights_file(spec) is not None and not spec.get("trained_by"):
        _check_checkpoint(spec, key)


def _check_layers(layers, key: str) -> None:
    if layers in AUTO:
        return
    if not are_names(layers):
        suffixes = "; the only suffixes of `auto` are `@cls` and `@mean`" if str(layers).startswith("auto@") else ""
        raise InputError(
            f"{key}: {layers!r} is not `auto`, or a list of names or globs, in quotes where they look like numbers"
            f"{suffixes}"
        )
    for pattern in layers:
        _check_glob(pattern, key)
        try:
            parsed(pattern)
        except InputError as error:
            raise InputError(f"{key}: {error}") from error


def _check_weights(spec: dict, key: str) -> None:
    weights, architecture = spec["weights"], spec["architecture"]
    family = family_of(architecture)
    if not family.is_trained:
        if weights is not None or spec.get("permuted"):
            raise InputError(
                f"{key}.weights: {architecture} is not trained for any task, so it has neither weights nor a state "
                f"before training; name it `{architecture}`, without `weights`"
            )
    elif not isinstance(weights, str) and not (family.brings_weights and weights is None):
        raise InputError(
            f"{key}.weights: {weights!r} is not `pretrained`, `random`, `permuted`, or the path of a checkpoint"
        )
    if spec.get("permuted") and weights == "random":
        raise InputError(
            f"{key}.weights: only trained weights can be permuted, and those of {architecture} are random; name a "
            f"checkpoint under `weights`, with `permuted: true`"
        )
    if weights == "pretrained" and family.brings_weights:
        raise InputError(
            f"{key}.weights: only you know which weights {architecture} returns; leave `weights` out, and give "
            f"`trained_on: ImageNet` where they were trained on it"
        )
    if weights == "pretrained" and family.architectures.get(architecture, {}).get("weights") == "random":
        raise InputError(
            f"{key}.weights: there are no pretrained weights of {architecture}; train it here with `train`, or name a "
            f"checkpoint"
        )
    has_file = weights_file(spec) is not None or (weights == "pretrained" and family.weights is not None)
    if spec["sha256"] is not None and not has_file:
        raise InputError(f"{key}.sha256: belongs to a checkpoint; name its file under `weights`, or leave `sha256` out")
    _check_sha256(spec["sha256"], f"{key}.sha256")


def _check_trained_on(spec: dict, key: str) -> None:
    if "trained_on" not in spec or spec.get("trained_by"):
        return
    said = spec["trained_on"]
    if said not in list(TRAINED_ON):
        raise InputError(
            f"{key}: {said!r} is not known; {allowed_instead(said, TRAINED_ON)}. Leave it out for a network that was "
            f"trained on anything else: tables then say `unknown`"
        )
    family = family_of(spec["architecture"])
    known = ("random",) if family.weights else ("pretrained", "random")
    if not family.is_trained or spec["weights"] in known:
        raise InputError(
            f"{key}: it is for weights from elsewhere, of a function of your own or a checkpoint, and "
            f"{spec['architecture']} is known; leave it out"
        )


def are_names(values) -> bool:
    """Tell whether a value is a list of at least one name."""
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


def _check_checkpoint(spec: dict, key: str) -> None:
    path, expected = Path(spec["weights"]), spec["sha256"]
    is_of_library = is_folder(spec) and family_of(spec["architecture"]).weights is not None
    if not is_of_library:
        _check_is_checkpoint(path, spec, key)
    try:
        found = sha256_of_weights(spec)
    except OSError as error:
        raise InputError(f"{key}.weights: {path} cannot be read: {error.strerror}") from error
    if expected is None:
        raise InputError(f"{key}.sha256: missing; a checkpoint is read only if its hash is known. It is {found}")
    if found != expected.lower():
        raise InputError(f"{key}.sha256: {path} has the sha256 {found}, the config says {expected}")


def _check_is_checkpoint(path: Path, spec: dict, key: str) -> None:
    if not path.name.endswith(CHECKPOINTS):
        folder = " nor an existing folder" if family_of(spec["architecture"]).weights else ""
        raise InputError(
            f"{key}.weights: {spec['weights']!r} is neither `pretrained` nor `random` nor `permuted` nor a checkpoint "
            f"({', '.join(CHECKPOINTS)}){folder}"
        )
    if not os.path.isfile(path):  # noqa: PTH113 - of a path that no system takes, `Path.is_file` raises
        found = "a folder, not a file" if os.path.isdir(path) else "no such file"  # noqa: PTH112
        raise InputError(f"{key}.weights: {found}: {path}")


def sha256_of_weights(spec: dict) -> str:
    """Return the SHA-256 of a model's checkpoint, or of the weights in the folder under `weights`."""
    weights = family_of(spec["architecture"]).weights
    return sha256(spec["weights"]) if weights is None or not is_folder(spec) else weights(spec).sha256


def _check_sha256(expected, key: str) -> None:
    if expected is not None and not (isinstance(expected, str) and re.fullmatch("[0-9a-fA-F]{64}", expected)):
        raise InputError(f"{key}: {expected!r} is no SHA-256, a text of 64 hexadecimal digits (in quotes)")


def check_taken(wanted: Sequence[str], layers: Sequence[str], key: str, model: str) -> None:
    """Raise InputError if a layer in the config is not among the chosen layers of the model."""
    for layer in wanted:
        if layer not in layers:
            raise InputError(
                f"config key {key}: {layer!r} is none of the layers that are taken of the model {model}; the nearest "
                f"are {nearest(layer, layers)}"
            )
