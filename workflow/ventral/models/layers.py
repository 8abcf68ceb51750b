"""The layers of a network: their names, their order, how deep they are, and which to take."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from ventral.errors import InputError, nearest, shown
from ventral.models.passes import problem_of, telling_errors
from ventral.models.zoo import GLOB

# What ends a block is not what only passes it on, drops parts of it, or pools it.
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
    """A module of a network, as one forward pass showed it.

    Attributes
    ----------
    name : str
        As in ``named_modules``.
    depth : float
        Share of the network's simple modules with weights that have been passed when the layer's output is there,
        0 to 1.
    shape : tuple of int
        Of its output to one stimulus.
    calls : int
        How often it ran in the forward pass.
    largest : float
        Largest absolute value of its output; NaN where that is of whole numbers, or no features.
    floating : bool
        Whether its output is of floating-point numbers.
    problem : str
        Why its output cannot be read as a layer's features, as the predicate of a sentence; empty where it can.
    """

    name: str
    depth: float
    shape: tuple[int, ...]
    calls: int
    largest: float
    floating: bool
    problem: str


def trace(network: nn.Module, example: Tensor, hint: Callable[[str], str] = lambda _message: "") -> dict[str, Layer]:
    """Run one forward pass, and return every module that ran, by name, in the order of completion.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    example : (2, ...) tensor
        Two stimuli as the network is shown them.
    hint : function of str
        As for `ventral.models.passes.telling_errors`.

    Raises
    ------
    InputError
        If the forward pass fails.
    """
    names = {id(module): name for name, module in network.named_modules() if name}
    passed: set[int] = set()
    completed: dict[str, tuple[int, Layer]] = {}

    def complete(module: nn.Module, _inputs, output) -> None:
        if not any(True for _ in module.children()) and any(True for _ in module.parameters()):
            passed.add(id(module))
        name = names.get(id(module))
        if name:
            calls = completed.pop(name)[1].calls + 1 if name in completed else 1
            # Now: the next module may work in place.
            completed[name] = (len(passed), _layer(name, output, calls, len(example)))

    handles = [module.register_forward_hook(complete) for module in network.modules() if not is_compiled(module)]
    try:
        with torch.inference_mode(), telling_errors(network, example, hint):
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    return {
        name: replace(layer, depth=count / len(passed) if passed else 1.0) for name, (count, layer) in completed.items()
    }


def check_modules(network: nn.Module) -> None:
    """Refuse a network that TorchScript has compiled: its modules cannot be seen at work.

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
    """Say whether TorchScript has compiled a module: modules within it run unseen."""
    return isinstance(module, torch.jit.ScriptModule)


def _layer(name: str, output, calls: int, n: int) -> Layer:
    """Return what the output of a module to n stimuli shows, its depth aside."""
    problem = problem_of(output, n)
    if problem:
        shape, largest, floating = (), math.nan, False
    else:
        shape, largest, floating = tuple(output.shape[1:]), _largest(output), output.is_floating_point()
    if calls > 1:
        problem = f"runs {calls} times in a forward pass, so that its output is not one layer"
    return Layer(name, math.nan, shape, calls, largest, floating, problem)


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
        `layers`: names and globs, where ``*`` stands for one part of a dotted name, or ``auto`` for the ends of blocks;
        `max_layers`, how many of those at most, evenly spaced; `name`, for messages.

    Raises
    ------
    InputError
        For a name or glob that fits no layer, for a named module whose output cannot be read as features, and where
        `auto` finds no layer.
    """
    key = f"models.{spec['name']}.layers"
    usable = {name: layer for name, layer in traced.items() if not layer.problem}
    if spec["layers"] == "auto":
        chosen = _evenly(_ends_of_blocks(network, usable), spec["max_layers"])
        if not chosen:
            others = left_out(network, traced, spec)
            only = f", only {listed(others)}" if others else ""
            raise InputError(f"{key}: `auto` finds no module that gives features{only}")
        return chosen
    names: set[str] = set()
    for pattern in spec["layers"]:
        if GLOB.search(pattern):
            names.update(_matching(pattern, network, traced, key))
        else:
            names.add(_named(pattern, network, traced, key))
    return [layer for name, layer in usable.items() if name in names]


def left_out(network: nn.Module, traced: dict[str, Layer], spec: dict) -> dict[str, str]:
    """Return the modules that `auto` or globs would take if their outputs could be read as features.

    Parameters
    ----------
    network, traced, spec
        As for `choose_layers`.

    Returns
    -------
    dict of str
        For each module, why it is left out, as the predicate of a sentence.
    """
    if spec["layers"] == "auto":
        return {layer.name: layer.problem for layer in _ends_of_blocks(network, traced) if layer.problem}
    modules = dict(network.named_modules())
    globs = [re.compile(_expression(pattern)) for pattern in spec["layers"] if GLOB.search(pattern)]
    return {
        name: reason
        for name, module in modules.items()
        # A list of modules cannot run.
        if name
        and type(module).forward is not nn.Module.forward
        and any(glob.fullmatch(name) for glob in globs)
        and (reason := _why_not(name, modules, traced))
    }


def listed(reasons: dict[str, str]) -> str:
    """Return modules and why they are no layers as text, modules of one reason together."""
    of_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        of_reason.setdefault(reason, []).append(name)
    return shown([f"{shown(names)} ({reason})" for reason, names in of_reason.items()])


def _why_not(name: str, modules: dict[str, nn.Module], traced: dict[str, Layer]) -> str:
    """Return why a module of a network is no layer, as the predicate of a sentence, and '' where it is one."""
    if name in traced:
        return traced[name].problem
    parts = name.split(".")
    if any(is_compiled(modules[".".join(parts[:k])]) for k in range(1, len(parts) + 1)):
        return "is compiled by TorchScript, so that its output cannot be seen"
    return "is not called in a forward pass"


def _matching(pattern: str, network: nn.Module, traced: dict[str, Layer], key: str) -> list[str]:
    expression = re.compile(_expression(pattern))
    matched = [name for name, layer in traced.items() if not layer.problem and expression.fullmatch(name)]
    if not matched:
        others = left_out(network, traced, {"layers": [pattern]})
        matches = f"matches no layer, only {listed(others)}" if others else "matches no layer"
        raise InputError(f"{key}: {pattern!r} {matches}; there are {_nearest(pattern, traced)}")
    return matched


def _named(name: str, network: nn.Module, traced: dict[str, Layer], key: str) -> str:
    modules = dict(network.named_modules())
    if name not in modules:
        raise InputError(f"{key}: there is no layer {name!r}; the nearest are {_nearest(name, traced)}")
    reason = _why_not(name, modules, traced)
    if reason:
        raise InputError(f"{key}: {name!r} {reason}; the nearest layers are {_nearest(name, traced)}")
    return name


def _nearest(name: str, traced: dict[str, Layer]) -> str:
    return nearest(name, [other for other, layer in traced.items() if not layer.problem]) or "none"


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


def _ends_of_blocks(network: nn.Module, ran: dict[str, Layer]) -> list[Layer]:
    """Return the last layer of each block, in order.

    A block is a composite module that stands in a chain (the network itself, or a container opened below); of simple
    modules in a row, such as convolution, normalisation and rectification, the last is the end of a block.
    """
    blocks = [name for name in _blocks("", network, level=0) if name in ran]
    modules = dict(network.named_modules())
    # A module that holds the next one's place in the chain is its beginning.
    simple = {name for name in blocks if not any(modules[name].children())}
    order = [name for name in ran if name in set(blocks)]
    ends = []
    for name, following in pairwise([*order, None]):
        if isinstance(modules[name], NOT_THE_END_OF_A_BLOCK):
            continue
        continued = following in simple and name in simple and not _has_matrix(modules[following])
        if not continued or isinstance(modules[following], NOT_THE_END_OF_A_BLOCK):
            ends.append(ran[name])
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
        # Further down, a chain of simple modules is one block: convolution, normalisation, rectification.
        return level == 0 or any(any(child.children()) for child in children)
    return _holds_blocks(module)


def _holds_blocks(module: nn.Module) -> bool:
    """Say whether most weights of a module are in a chain of blocks, as those of an encoder or a stage are."""
    size = _size(module)
    main = next((child for child in module.children() if _size(child) > 0.5 * size), None)
    if main is None:
        return False
    return _is_chain_of_blocks(main) if isinstance(main, CONTAINERS) else _holds_blocks(main)


def _is_chain_of_blocks(container: nn.Module) -> bool:
    # Within a block, modules differ, or are simple, or are one convolution with what follows it.
    blocks = list(container.children())
    return len({type(block) for block in blocks}) == 1 and all(_n_matrices(block) > 1 for block in blocks)


def _n_matrices(module: nn.Module) -> int:
    return sum(_has_matrix(within) for within in module.modules())


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
