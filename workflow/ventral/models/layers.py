"""The layers of a network: their names, order and depth, and the choice among them."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ventral.errors import InputError, nearest, shown
from ventral.models.families import Tokens
from ventral.models.layer_names import AUTO, MARK, MEAN_OF_PATCHES, LayerName, parsed
from ventral.models.outputs import features_of, has_tokens, tokens_in, torch_output
from ventral.models.passes import problem_of, telling_errors
from ventral.models.zoo import GLOB

# Modules that only pass on, drop or pool the output of a block do not count as its end.
NOT_THE_END_OF_A_BLOCK = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.Identity,
    nn.Flatten,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Layer:
    """One run of a module in a forward pass: the module's output, or some of the tokens in it.

    Attributes
    ----------
    module : str
        Name in ``named_modules``.
    run : int
        Number of this run of the module, from 1.
    runs : int
        Number of runs of the module in the forward pass.
    tokens : str
        Chosen tokens, one of `ventral.models.layer_names.TOKENS`.
    depth : float
        Share of the network's simple modules with weights that have run when the layer's output is complete, 0 to 1.
        All runs of a module with weights have the depth of its first run, because the module is one place in the
        network.
    shape : tuple of int
        Shape of the features of one stimulus.
    largest : float
        Largest absolute value of the features; NaN for whole numbers, or outputs that are not features.
    floating : bool
        True if the features are floating-point numbers.
    problem : str
        Reason why the output cannot be read as features, as the predicate of a sentence; empty if it can.
    read : callable
        Returns the features (n, ...), given the module and its output.
    """

    module: str
    run: int
    runs: int
    tokens: str
    depth: float
    shape: tuple[int, ...]
    largest: float
    floating: bool
    problem: str
    read: Callable[[nn.Module, Any], Any]

    @property
    def step(self) -> int | None:
        """Which run of a module that runs several times; None of one that runs once."""
        return self.run if self.runs > 1 else None

    @property
    def name(self) -> str:
        """Name of the layer, as `ventral.models.layer_names` has it."""
        return str(LayerName(self.module, self.step, self.tokens))


def trace(
    network: nn.Module,
    example: Tensor,
    hint: Callable[[str], str] = lambda _message: "",
    tokens: Tokens | None = None,
    output_of: Callable[[nn.Module, Any], Any] = torch_output,
) -> dict[str, Layer]:
    """Run one forward pass, and return every run of a module, by the name of the layer, in the order of completion.

    After a layer with tokens come the class token, where the network has one, and the mean of its patches.

    Parameters
    ----------
    network : nn.Module
        Network in evaluation mode.
    example : (2, ...) tensor
        Input of the network for two stimuli.
    hint : function of str
        As for `ventral.models.passes.telling_errors`.
    tokens : Tokens, optional
        Places of the network's tokens.
    output_of : function of a module and its output
        From `ventral.models.outputs.output_by`.

    Raises
    ------
    InputError
        If the forward pass fails.
    """
    names = {id(module): name for name, module in network.named_modules() if name}
    passed: set[int] = set()
    first_passed: dict[str, int] = {}
    runs: Counter[str] = Counter()
    completed: list[Layer] = []

    def complete(module: nn.Module, _inputs, output) -> None:
        has_weights = any(True for _ in module.parameters())
        if has_weights and not any(True for _ in module.children()):
            passed.add(id(module))
        name = names.get(id(module))
        if name:
            runs[name] += 1
            depth = first_passed.setdefault(name, len(passed)) if has_weights else len(passed)
            # Read the output now, because the next module may change it in place.
            found = _layers(name, module, output, len(example), tokens, output_of)
            completed.extend(replace(layer, run=runs[name], depth=depth) for layer in found)

    handles = [module.register_forward_hook(complete) for module in network.modules() if not is_compiled(module)]
    try:
        with torch.inference_mode(), telling_errors(network, example, hint):
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    layers = [
        replace(layer, runs=runs[layer.module], depth=layer.depth / len(passed) if passed else 1.0)
        for layer in completed
    ]
    return {layer.name: layer for layer in layers}


def check_modules(network: nn.Module) -> None:
    """Refuse a network that TorchScript has compiled, because hooks cannot see its modules.

    Raises
    ------
    InputError
        If the network is compiled.
    """
    if is_compiled(network):
        raise InputError(
            "the network is compiled by TorchScript (torch.jit), so that its layers cannot be seen; return the "
            "torch.nn.Module that it was made from"
        )


def is_compiled(module: nn.Module) -> bool:
    """Tell whether TorchScript has compiled a module, within which modules run without hooks."""
    return isinstance(module, torch.jit.ScriptModule)


def _layers(
    name: str,
    module: nn.Module,
    output: Any,
    n: int,
    tokens: Tokens | None,
    output_of: Callable[[nn.Module, Any], Any],
) -> list[Layer]:
    """Return the layers of a module, without depth and run, from its output for n stimuli: first with all tokens."""
    whole = output_of(module, output)
    problem = f"has {MARK!r} in its name, which marks runs and tokens" if MARK in name else problem_of(whole, n)
    if problem:
        unread = partial(features_of, which="", tokens=None, output_of=output_of)
        return [Layer(name, 1, 1, "", math.nan, (), math.nan, False, problem, unread)]
    layers = []
    for which in ["", *(tokens_in(tokens) if has_tokens(whole, tokens) else [])]:
        read = partial(features_of, which=which, tokens=tokens, output_of=output_of)
        features = read(module, output)
        shape, floating = tuple(features.shape[1:]), features.is_floating_point()
        layers.append(Layer(name, 1, 1, which, math.nan, shape, _largest(features), floating, "", read))
    return layers


def _largest(output: Tensor) -> float:
    if not output.is_floating_point() or output.is_meta:
        return math.nan
    return float(torch.stack(torch.aminmax(output)).abs().amax())


def choose_layers(network: nn.Module, traced: dict[str, Layer], spec: dict) -> list[Layer]:
    """Return the layers that a model's description asks for, in the order in which they complete.

    Parameters
    ----------
    network : nn.Module
        The network.
    traced : dict of Layer
        From `trace`.
    spec : dict
        `layers` has names and globs, where ``*`` matches one part of a dotted name, or is ``auto`` for the ends of
        blocks. Each may have suffixes of `ventral.models.layer_names`; without the number of a run, all runs are taken.
        `max_layers` is the largest number of ends of blocks, evenly spaced. `name` is for messages.

    Raises
    ------
    InputError
        If a name, a glob or `auto` matches no layer, or the output of a named module cannot be read as features.
    """
    key = f"models.{spec['name']}.layers"
    if spec["layers"] in AUTO:
        return _automatic(network, traced, spec, key)
    names: set[str] = set()
    for pattern in spec["layers"]:
        names.update((_matching if GLOB.search(pattern) else _named)(pattern, network, traced, key))
    return [layer for name, layer in traced.items() if name in names]


def left_out(network: nn.Module, traced: dict[str, Layer], spec: dict) -> dict[str, str]:
    """Return the modules that match `auto` or globs, but whose outputs cannot be read as features.

    Parameters
    ----------
    network, traced, spec
        As for `choose_layers`.

    Returns
    -------
    dict of str
        Reason why each module is left out, as the predicate of a sentence.
    """
    if spec["layers"] in AUTO:
        return {layer.name: layer.problem for layer in _ends_of_blocks(network, _whole(traced)) if layer.problem}
    modules = dict(network.named_modules())
    reasons: dict[str, str] = {}
    for glob in (parsed(pattern) for pattern in spec["layers"] if GLOB.search(pattern)):
        expression = re.compile(_expression(glob.module))
        for name, module in modules.items():
            # A list of modules cannot run.
            if name and type(module).forward is not nn.Module.forward and expression.fullmatch(name):
                reasons |= _lacking(replace(glob, module=name), modules, traced)
    return reasons


def listed(reasons: dict[str, str]) -> str:
    """Return modules with the reasons why they are no layers as text, grouped by reason."""
    of_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        of_reason.setdefault(reason, []).append(name)
    return shown([f"{shown(names)} ({reason})" for reason, names in of_reason.items()])


def _automatic(network: nn.Module, traced: dict[str, Layer], spec: dict, key: str) -> list[Layer]:
    """Return the ends of blocks, with the tokens that the config names; ends without these tokens are left out."""
    tokens = parsed(spec["layers"]).tokens
    ends = _ends_of_blocks(network, [layer for layer in _whole(traced) if not layer.problem])
    found = [traced[name] for layer in ends if (name := _name_of(layer, tokens)) in traced]
    if found:
        return _evenly(found, spec["max_layers"])
    if ends:
        reason = _why_not(ends[-1], tokens, traced)
        raise InputError(f"{key}: `{spec['layers']}` finds no layer: the last, {ends[-1].name!r}, {reason}")
    others = left_out(network, traced, spec)
    only = f", only {listed(others)}" if others else ""
    raise InputError(f"{key}: `{spec['layers']}` finds no module that gives features{only}")


def _whole(traced: dict[str, Layer]) -> list[Layer]:
    """Return the layers that are whole outputs."""
    return [layer for layer in traced.values() if not layer.tokens]


def _name_of(layer: Layer, tokens: str) -> str:
    """Return the name of some tokens of a layer."""
    return str(LayerName(layer.module, layer.step, tokens))


def _lacking(asked: LayerName, modules: dict[str, nn.Module], traced: dict[str, Layer]) -> dict[str, str]:
    """Return the layers of a module that a name asks for and that do not exist, each with the reason."""
    runs = [layer for layer in _whole(traced) if layer.module == asked.module]
    if not runs:
        return {str(asked): _why_unseen(asked.module, modules)}
    if asked.step is not None:
        if asked.step > len(runs) or len(runs) == 1:
            once = f"once in a forward pass, and has no `@{asked.step}` in its name"
            times = once if len(runs) == 1 else f"{len(runs)} times in a forward pass"
            return {str(asked): f"is no layer: {asked.module!r} runs {times}"}
        runs = [runs[asked.step - 1]]
    reasons = {_name_of(layer, asked.tokens): _why_not(layer, asked.tokens, traced) for layer in runs}
    return {name: reason for name, reason in reasons.items() if reason}


def _why_unseen(name: str, modules: dict[str, nn.Module]) -> str:
    """Return the reason why hooks do not see a module of a network run, as the predicate of a sentence."""
    parts = name.split(".")
    if any(is_compiled(modules[".".join(parts[:k])]) for k in range(1, len(parts) + 1)):
        return "is compiled by TorchScript, so that its output cannot be seen"
    return "is not called in a forward pass"


def _why_not(layer: Layer, tokens: str, traced: dict[str, Layer]) -> str:
    """Return the reason why tokens of a module's output are no layer, as a predicate; '' if they are one."""
    if layer.problem or _name_of(layer, tokens) in traced:
        return layer.problem
    known = {other.tokens for other in traced.values()}
    if tokens in known:
        shape = f"its output for one stimulus has the shape {layer.shape}"
        return f"has no tokens of all patches: {shape}; leave `@{tokens}` out"
    if len(known) > 1:
        return f"has no class token; `@{MEAN_OF_PATCHES}`, the mean of the patches, is right"
    return (
        f"has no tokens that are known: no library documents how those of this network lie; leave `@{tokens}` out, or "
        f"let a module of the network return the token"
    )


def _matching(pattern: str, network: nn.Module, traced: dict[str, Layer], key: str) -> list[str]:
    matched = _fitting(parsed(pattern), traced)
    if not matched:
        others = left_out(network, traced, {"layers": [pattern]})
        matches = f"matches no layer, only {listed(others)}" if others else "matches no layer"
        raise InputError(f"{key}: {pattern!r} {matches}; there are {_nearest(pattern, traced)}")
    return matched


def _named(name: str, network: nn.Module, traced: dict[str, Layer], key: str) -> list[str]:
    asked, modules = parsed(name), dict(network.named_modules())
    if asked.module not in modules:
        raise InputError(f"{key}: there is no layer {name!r}; the nearest are {_nearest(name, traced)}")
    for lacking, reason in _lacking(asked, modules, traced).items():
        raise InputError(f"{key}: {lacking!r} {reason}; the nearest layers are {_nearest(name, traced)}")
    return _fitting(asked, traced)


def _fitting(asked: LayerName, traced: dict[str, Layer]) -> list[str]:
    """Return the names of the layers that match a name or glob."""
    expression = re.compile(_expression(asked.module))
    return [
        name
        for name, layer in traced.items()
        if not layer.problem
        and layer.tokens == asked.tokens
        and asked.step in (None, layer.step)
        and expression.fullmatch(layer.module)
    ]


def _nearest(name: str, traced: dict[str, Layer]) -> str:
    usable = [layer for layer in traced.values() if not layer.problem]
    alike = [layer.name for layer in usable if layer.tokens == parsed(name).tokens]
    return nearest(name, alike or [layer.name for layer in usable]) or "none"


def _expression(pattern: str) -> str:
    """Return the regular expression of a glob in which ``*`` and ``?`` do not cross a dot, and ``[...]`` is a set."""
    parts = re.split(r"(\*|\?|\[[^\]]+\])", pattern)
    meaning = {"*": r"[^.]*", "?": r"[^.]"}
    return "".join(meaning.get(part, part if part.startswith("[") else re.escape(part)) for part in parts)


def _evenly(layers: Sequence[Layer], most: int) -> list[Layer]:
    if len(layers) <= most:
        return list(layers)
    if most == 1:
        return [layers[-1]]
    step = (len(layers) - 1) / (most - 1)
    return [layers[round(k * step)] for k in range(most)]


def _ends_of_blocks(network: nn.Module, ran: Sequence[Layer]) -> list[Layer]:
    """Return the last layer of each block, in order.

    A block is a composite module in a chain. A chain is the network itself, or a container that is opened below. The
    last of several consecutive simple modules, such as convolution, normalisation and rectification, also ends a block.
    """
    modules, blocks = dict(network.named_modules()), set(_blocks("", network, level=0))
    order = [layer for layer in ran if layer.module in blocks]
    # A simple module with a matrix of weights begins a new block; one without continues the block before it.
    simple = {layer.module for layer in order if not any(modules[layer.module].children())}
    ends = []
    for layer, following in pairwise([*order, None]):
        module, after = modules[layer.module], following and modules[following.module]
        if isinstance(module, NOT_THE_END_OF_A_BLOCK):
            continue
        continued = following and {layer.module, following.module} <= simple and not _has_matrix(after)
        if not continued or isinstance(after, NOT_THE_END_OF_A_BLOCK):
            ends.append(layer)
    return ends


def _has_matrix(module: nn.Module) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))


def _blocks(prefix: str, module: nn.Module, level: int) -> list[str]:
    names, children = [], dict(module.named_children())
    if level == 0 and len(children) == 1 and any(next(iter(children.values())).children()):
        # Around a network there is nothing but a name.
        name, child = children.popitem()
        return _blocks(f"{prefix}.{name}" if prefix else name, child, level)
    for name, child in children.items():
        path = f"{prefix}.{name}" if prefix else name
        names += _blocks(path, child, level + 1) if _is_opened(child, level) else [path]
    return names


def _is_opened(module: nn.Module, level: int) -> bool:
    children = list(module.children())
    if isinstance(module, CONTAINERS):
        # Below the top level, a chain of simple modules is one block.
        return level == 0 or any(any(child.children()) for child in children)
    return _holds_blocks(module)


def _holds_blocks(module: nn.Module) -> bool:
    """Tell whether most weights of a module are in a chain of blocks, as in an encoder or a stage."""
    size = _size(module)
    main = next((child for child in module.children() if _size(child) > 0.5 * size), None)
    if main is None:
        return False
    return _is_chain_of_blocks(main) if isinstance(main, CONTAINERS) else _holds_blocks(main)


def _is_chain_of_blocks(container: nn.Module) -> bool:
    # The modules within a block differ, are simple, or have a single matrix of weights.
    blocks = list(container.children())
    return len({type(block) for block in blocks}) == 1 and all(_n_matrices(block) > 1 for block in blocks)


def _n_matrices(module: nn.Module) -> int:
    return sum(_has_matrix(within) for within in module.modules())


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
