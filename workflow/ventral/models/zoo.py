"""Models by name: what a name and a few options stand for, without loading any network."""

import importlib.util
import re
from difflib import get_close_matches
from pathlib import Path

from ventral.errors import InputError, allowed_instead
from ventral.outputs import sha256

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
DEFAULTS = {
    "weights": "pretrained",
    "sha256": None,
    "seed": 0,
    "size": 224,
    "mean": IMAGENET_MEAN,
    "std": IMAGENET_STD,
    "interpolation": "bilinear",
    "layers": "auto",
    "max_layers": 16,
}
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
    "pixels": {**CLASSICAL, "size": None, "layers": ["pixels"]},
}
CONTROLS = ("v1like", "v2like", "hmax", "sift_bag")
# Not trained for any task.
NOT_TRAINED = ("pixels", *CONTROLS)
OPTIONS = ("architecture", *DEFAULTS, "train")
INTERPOLATIONS = ("bicubic", "bilinear")


def resolve_model(name: str, options: dict | None = None) -> dict:
    """Return the complete description of a model, from its name and the options that differ from what the name says.

    Parameters
    ----------
    name : str
        Name of the model. It is also its architecture, unless the options name one; a suffix ``_random`` stands for
        the same network before training.
    options : dict, optional
        Any of `OPTIONS`.

    Returns
    -------
    dict
        `name` and every key of `OPTIONS`, `train` only if it is given. `architecture` is one of `ARCHITECTURES`, a
        classification network of torchvision, or `package.module:function` that returns a network; `weights` is
        `pretrained`, `random`, or the path of a checkpoint, with `train` those that training starts from; None of
        `NOT_TRAINED`.

    Raises
    ------
    InputError
        For an option that is not known.
    """
    options = options or {}
    for key in options:
        if key not in OPTIONS:
            raise InputError(f"models.{name}: unknown option `{key}`; {allowed_instead(key, OPTIONS)}")
    architecture, before_training = re.subn(r"_random$", "", name)
    architecture = options.get("architecture", architecture)
    preset = {**DEFAULTS, **ARCHITECTURES.get(architecture, {})}
    if before_training or "train" in options:
        preset["weights"] = "random"
    return {"name": name, "architecture": architecture, **preset, **options}


def preprocessing(spec: dict) -> dict:
    """Return the part of a model's description that says what is done to stimuli before it sees them."""
    return {key: spec[key] for key in ("size", "interpolation", "mean", "std")}


def weights_file(spec: dict) -> str | None:
    """Return the path of the checkpoint that a model's weights are read from, None where they come from elsewhere."""
    return None if spec["weights"] in (None, "pretrained", "random") else spec["weights"]


def family(spec: dict) -> str:
    """Return what kind of model this is, so that models can be compared by it.

    Parameters
    ----------
    spec : dict
        From `resolve_model`. What was trained in this workflow has `trained_by`, its checkpoints `epoch`, and
        `fitted_to` where it learned the responses of a recording.

    Returns
    -------
    str
        `classical`: pixels, and models of fixed form; `untrained`: random weights; `pretrained`: weights that come with
        the architecture; `trained`: weights from a checkpoint's file, or trained in this workflow to the end;
        `checkpoint`: after some epoch of training in this workflow; `fitted`: trained on the responses of neuroids.
    """
    if spec["architecture"] in NOT_TRAINED:
        return "classical"
    if spec.get("epoch") == 0:
        return "untrained"
    if spec.get("fitted_to"):
        return "fitted"
    if spec.get("epoch") is not None:
        return "checkpoint"
    return {"pretrained": "pretrained", "random": "untrained"}.get(spec["weights"], "trained")


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
    for option, right, wanted in (
        ("seed", isinstance(spec["seed"], int) and spec["seed"] >= 0, "a whole number, 0 or more"),
        ("size", spec["size"] is None or (isinstance(spec["size"], int) and spec["size"] > 0), "a number of pixels"),
        ("mean", _is_colour(spec["mean"]), "three numbers, for pixels in 0 to 1"),
        ("std", _is_colour(spec["std"]) and all(spec["std"]), "three numbers other than 0, for pixels in 0 to 1"),
        ("interpolation", spec["interpolation"] in INTERPOLATIONS, " or ".join(INTERPOLATIONS)),
        ("layers", spec["layers"] == "auto" or _are_names(spec["layers"]), "`auto`, or a list of names or globs"),
        ("max_layers", isinstance(spec["max_layers"], int) and spec["max_layers"] > 0, "a number of layers"),
    ):
        if not right:
            raise InputError(f"{key}.{option}: {spec[option]!r} is not {wanted}")
    _check_architecture(spec["architecture"], key)
    _check_weights(spec, key)
    if weights_file(spec) and not spec.get("trained_by"):
        _check_checkpoint(spec, key)


def _check_weights(spec: dict, key: str) -> None:
    weights, architecture = spec["weights"], spec["architecture"]
    if architecture in NOT_TRAINED:
        if weights is not None:
            raise InputError(
                f"{key}.weights: {architecture} is not trained for any task, so it has neither weights nor a state "
                f"before training; name it `{architecture}`, without `weights`"
            )
    elif not isinstance(weights, str):
        raise InputError(f"{key}.weights: {weights!r} is not `pretrained`, `random`, or the path of a checkpoint")
    if weights == "pretrained" and ARCHITECTURES.get(architecture, {}).get("weights") == "random":
        raise InputError(
            f"{key}.weights: there are no pretrained weights of {architecture}; train it here with `train`, or name a "
            f"checkpoint"
        )


def _is_colour(values) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(isinstance(value, int | float) for value in values)


def _are_names(values) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, str) for value in values)


def _check_architecture(architecture: str, key: str) -> None:
    if ":" in architecture:
        module = architecture.partition(":")[0]
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise InputError(
                f"{key}.architecture: the module {module} of {architecture} cannot be imported; install it, or put its "
                f"folder on PYTHONPATH"
            )
    elif architecture not in ARCHITECTURES:
        near = get_close_matches(architecture, ARCHITECTURES, n=1, cutoff=0.85)
        if near or not re.fullmatch(r"[a-z0-9_]+", architecture):
            guess = f"did you mean `{near[0]}`? " if near else ""
            raise InputError(
                f"{key}.architecture: no model is called {architecture!r}; {guess}known: {', '.join(ARCHITECTURES)}, "
                f"any classification network of torchvision such as resnet50, or package.module:function"
            )


def _check_checkpoint(spec: dict, key: str) -> None:
    path, expected = Path(spec["weights"]), spec["sha256"]
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise InputError(
            f"{key}.weights: {spec['weights']!r} is neither `pretrained` nor `random` nor a checkpoint (.safetensors, "
            f".pth or .pt)"
        )
    if not path.is_file():
        raise InputError(f"{key}.weights: no such file: {path}")
    found = sha256(path)
    if expected is None:
        raise InputError(f"{key}.sha256: missing; a checkpoint is read only if its hash is known. It is {found}")
    if found != expected.lower():
        raise InputError(f"{key}.sha256: {path} has the sha256 {found}, the config says {expected}")
