"""Building and description of networks, with their weights and their inputs."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ventral.errors import InputError, shown
from ventral.models.checkpoints import fitted, read_checkpoint
from ventral.models.hub import origin_of
from ventral.models.layer_names import AUTO, TOKENS
from ventral.models.layers import Layer, check_modules, choose_layers, left_out, listed, trace
from ventral.models.outputs import families_of_network, has_tokens, output_by, tokens_of
from ventral.models.permuted import permute_weights
from ventral.models.registry import family_of
from ventral.models.repeatability import check_repeatable
from ventral.models.weights import has_weights_of_library, is_folder
from ventral.models.zoo import (
    check_model,
    check_taken,
    completed,
    is_baseline,
    modality_asked,
    preprocessing,
    weights_file,
)
from ventral.outputs import writing

logger = logging.getLogger(__name__)


def describe(
    spec: dict,
    output: str | Path,
    together: Sequence[str] = (),
    read_out: Sequence[str] = (),
    predicted: Sequence[str] = (),
) -> None:
    """Write the description of a model, with its chosen and its available layers, as JSON.

    The description needs no stimulus set, so a wrong name is found before any long work.

    Parameters
    ----------
    spec : dict
        From `resolve_model`.
    output : path
        File to write. It has `model`, `architecture`, `weights`, `weights_sha256` and `preprocessing`. `permuted` is
        true for permuted weights. `origin` has the values of `ventral.models.hub.origin_of`, if the weights are files
        of a repository or a folder. `layers` is a list of `name` and `depth`, and of `shape` if stimuli of every set
        are resized to one size. Runs of a module that runs several times also have `step`, the number of the run.
        `available` has the names of all layers in the order in which they complete. `tokens` has the names of the
        layers with class tokens (`cls`) and with means of patches (`mean`). `skipped` is a list of `name` and `reason`,
        for modules that match `auto` or globs and are no layers.
    together : sequence of str
        Layers that predict neuroids together, by `ventral.scores.banded`.
    read_out : sequence of str
        Layers whose readouts are written, by `ventral.readouts.making`.
    predicted : sequence of str
        Layers whose predictions are written, by `ventral.predictions.held_out`.

    Raises
    ------
    InputError
        If the network cannot be built or lacks the layers, or features depend on chance or on other stimuli of a batch.
    """
    spec, skipped = completed(spec), {}
    tokens: dict[str, list[str]] = {}
    if is_baseline(spec):
        name = spec["architecture"]
        weights, layers, available = "", [{"name": name, "depth": 0.0}], [name]
    else:
        network, shape = build(spec), modality_asked(spec).any_shape
        weights = weights_sha256(network)
        traced = trace_stimuli(network, shape, spec)
        chosen = choose_layers(network, traced, spec)
        check_layers_repeatable(network, chosen, shape, spec)
        skipped = left_out(network, traced, spec)
        if skipped:
            pattern = f"`{spec['layers']}`" if spec["layers"] in AUTO else "a glob"
            logger.warning(
                "models.%s.layers: %s leaves out %d of the modules that it stands for: %s",
                *(spec["name"], pattern, len(skipped), listed(skipped)),
            )
        layers = [described(layer) for layer in chosen]
        if not preprocessing(spec).get("size"):
            # Shapes depend on the size of stimuli.
            layers = [{key: value for key, value in layer.items() if key != "shape"} for layer in layers]
        usable = [layer for layer in traced.values() if not layer.problem]
        available, *of_tokens = [[layer.name for layer in usable if layer.tokens == which] for which in TOKENS]
        tokens = {which: names for which, names in zip(TOKENS[1:], of_tokens, strict=True) if names}
    names = [layer["name"] for layer in layers]
    check_taken(together, names, f"banded.{spec['name']}", spec["name"])
    check_taken(read_out, names, "outputs.readouts", spec["name"])
    check_taken(predicted, names, "outputs.predictions", spec["name"])
    description = {
        "model": spec["name"],
        "architecture": spec["architecture"],
        "weights": spec["weights"],
        **({"permuted": True} if spec.get("permuted") else {}),
        "weights_sha256": weights,
        "preprocessing": preprocessing(spec),
        **_origin(spec),
        "layers": layers,
        "available": available,
        "tokens": tokens,
        "skipped": [{"name": name, "reason": reason} for name, reason in skipped.items()],
    }
    with writing(output) as unfinished:
        unfinished.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def _origin(spec: dict) -> dict[str, dict]:
    family = family_of(spec["architecture"])
    if family.weights is None or not has_weights_of_library(spec):
        return {}
    return {"origin": origin_of(family.weights(spec), spec)}


def described(layer: Layer) -> dict:
    """Return the record of a layer for descriptions and stores: `name`, `depth`, `shape`, and `step` if it has one."""
    step = {} if layer.step is None else {"step": layer.step}
    return {"name": layer.name, "depth": layer.depth, "shape": list(layer.shape), **step}


def build(spec: dict, *, new_readout: bool = False) -> nn.Module:
    """Return a model's network with its weights, in evaluation mode, in float32, on the CPU.

    Parameters
    ----------
    spec : dict
        From `resolve_model`; not a baseline, which has no network.
    new_readout : bool
        True if `with_outputs` will replace the last linear layer, which a checkpoint may then lack.

    Raises
    ------
    InputError
        If the architecture is unknown, its function fails or does not return the same network each time, or the
        checkpoint does not fit.
    """
    check_model(spec)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec["seed"])
        network = family_of(spec["architecture"]).build(spec)
    with naming(spec):
        check_modules(network)
    not_read = _load_checkpoint(network, spec) if weights_file(spec) and not is_folder(spec) else None
    if spec.get("permuted"):
        permute_weights(network, spec["seed"])
    network = network.eval().requires_grad_(False)
    if not_read and not new_readout:
        _refuse_from(not_read, network, spec)
    return network


@contextmanager
def naming(spec: dict) -> Iterator[None]:
    """Prefix messages about a network with the config key of its model."""
    try:
        yield
    except InputError as error:
        raise InputError(f"models.{spec['name']}: {error}") from error


def with_outputs(network: nn.Module, n_outputs: Sequence[int], spec: dict) -> nn.Module:
    """Replace the readouts of a network by new ones, with random weights and a given number of outputs for each label.

    Parameters
    ----------
    network : nn.Module
        Network, which is changed in place and returned.
    n_outputs : sequence of int
        Number of outputs for each label. A single readout has the outputs for all labels.
    spec : dict
        `seed` of the new weights; `name` and `architecture`, for messages.

    Raises
    ------
    InputError
        If the network has no linear layer, or several readouts and another number of labels.
    """
    names = _readouts(network)
    if not names:
        raise InputError(
            f"models.{spec['name']}.train: {spec['architecture']} has no torch.nn.Linear that could be its readout; "
            f"train a network that ends in one"
        )
    n_outputs = [sum(n_outputs)] if len(names) == 1 else list(n_outputs)
    if len(names) != len(n_outputs):
        raise InputError(
            f"models.{spec['name']}.train.label: {spec['architecture']} has {len(names)} branches, and `label` names "
            f"{len(n_outputs)}; one label for each branch is right"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec["seed"])
        for name, n in zip(names, n_outputs, strict=True):
            before = network.get_submodule(name)
            parent, _, child = name.rpartition(".")
            after = nn.Linear(before.in_features, n, bias=before.bias is not None)
            setattr(network.get_submodule(parent), child, after)
    return network


def trace_stimuli(network: nn.Module, shape: tuple[int, ...], spec: dict) -> dict[str, Layer]:
    """Return the layers that `trace` finds in a network, for stimuli of some shape.

    The stimuli are two fixed examples of the modality. So the values of a layer are about as large as for natural
    stimuli, but do not depend on a stimulus set.

    Raises
    ------
    InputError
        If the network fails on such stimuli.
    """
    with naming(spec):
        families, modality = families_of_network(spec), modality_asked(spec)
        tokens, whole_of = tokens_of(network, families), output_by(families)

        def output_of(module: nn.Module, output: Any) -> Any:
            whole = whole_of(module, output)
            return whole if has_tokens(whole, tokens) else modality.reduced(module, whole, spec)

        return trace(network, examples(2, shape, spec), modality.hint, tokens, output_of)


def check_layers_repeatable(network: nn.Module, layers: Sequence[Layer], shape: tuple[int, ...], spec: dict) -> None:
    """Refuse a network whose chosen layers do not give a stimulus the same features in every batch.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    layers : sequence of Layer
        From `choose_layers`.
    shape : tuple of int
        Shape of a stimulus, such as (3, height, width).
    spec : dict
        From `resolve_model`.

    Raises
    ------
    InputError
        As for `ventral.models.repeatability.check_repeatable`.
    """
    with naming(spec):
        check_repeatable(network, layers, lambda number: examples(3, shape, spec, number))


def examples(n: int, shape: tuple[int, ...], spec: dict, number: int = 0) -> Tensor:
    """Return examples (n, ...) of the modality as inputs of a network, different ones for each `number`."""
    return preprocess(torch.from_numpy(modality_asked(spec).examples(n, shape, number)), spec)


def weights_sha256(network: nn.Module) -> str:
    """Return the SHA-256 over the names and values of a network's parameters and buffers of any type."""
    digest = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        _digest_values(digest, name, values)
    return digest.hexdigest()


def _digest_values(digest, name: str, values: Tensor) -> None:
    values = values.detach().cpu()
    values = values if values.layout == torch.strided else values.to_dense()
    digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
    if values.is_quantized:
        digest.update(f"{_quantisation(values)}\n".encode())
        values = values.int_repr()
    digest.update(values.resolve_conj().resolve_neg().contiguous().flatten().view(torch.uint8).numpy())


def _quantisation(values: Tensor) -> tuple:
    if values.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return values.q_scale(), values.q_zero_point()
    return values.q_per_channel_scales().tolist(), values.q_per_channel_zero_points().tolist()


def preprocess(stimuli: Tensor, spec: dict) -> Tensor:
    """Return the input (n, ...) of a network for stimuli (n, ...) of the store of a set, on any device."""
    return modality_asked(spec).prepare(stimuli, spec)


def _readouts(network: nn.Module) -> list[str]:
    """Return the names of the linear layers that training replaces: those in `readouts` of the network, or the last."""
    last = _last_linear(network)
    return list(getattr(network, "readouts", ())) or ([] if last is None else [last])


def _last_linear(network: nn.Module) -> str | None:
    names = [name for name, module in network.named_modules() if name and isinstance(module, nn.Linear)]
    return names[-1] if names else None


def _load_checkpoint(network: nn.Module, spec: dict) -> str | None:
    """Load a checkpoint into a network, and return the name of the readout if it was not read."""
    path, key = Path(spec["weights"]), f"models.{spec['name']}.weights"
    checkpoint, readout = read_checkpoint(path, key), _last_linear(network)
    weights = [checkpoint.tensors.get(f"{name}.weight") for name in _readouts(network)]
    if checkpoint.trained_here and weights and all(tensor is not None for tensor in weights):
        with_outputs(network, [len(tensor) for tensor in weights], spec)
    subject = f"{key}: {path} does not fit {spec['architecture']}"
    state, read_whole = fitted(checkpoint, network.state_dict(), readout, subject)
    network.load_state_dict(state, strict=read_whole)
    if not read_whole:
        # Reset the readout, so that it is the same in every job.
        for values in network.get_submodule(readout).parameters():
            nn.init.zeros_(values)
    if checkpoint.remarks:
        logger.warning("%s: %s: %s", key, path, "; ".join(checkpoint.remarks))
    return None if read_whole else readout


def _refuse_from(readout: str, network: nn.Module, spec: dict) -> None:
    """Refuse layers that may depend on a readout without weights, because they complete after it."""
    traced = trace_stimuli(network, modality_asked(spec).any_shape, spec)
    names = list(traced)
    # A readout that runs several times has no name of its own.
    before = names[: names.index(readout)] if readout in traced else []
    asked = [layer.name for layer in choose_layers(network, traced, spec)]
    beyond = [name for name in asked if name not in before]
    if beyond:
        whole = [name for name in before if not traced[name].tokens]
        left = [name for name in asked if name in before] or whole[-1:]
        instead = f"ask for layers before it alone, such as `layers: {json.dumps(left)}`, or " if left else ""
        raise InputError(
            f"models.{spec['name']}.layers: {shown(beyond)} may depend on the readout {readout}, which "
            f"{spec['weights']} has in another shape or not at all; {instead}take a checkpoint with this readout"
        )
