"""The layers of a network: their names, their order, how deep they are, and which to take."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ventral.errors import InputError, nearest

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
GLOB = re.compile(r"[*?\[]")


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
        Largest absolute value of its output; NaN where that is of whole numbers, or empty.
    """

    name: str
    depth: float
    shape: tuple[int, ...]
    calls: int
    largest: float


def trace(network: nn.Module, example: Tensor) -> dict[str, Layer]:
    """Run one forward pass, and return every module that gave a tensor, by name, in the order of completion.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    example : (2, 3, height, width) tensor
        Two stimuli as the network is shown them; outputs whose first axis is not 2 are not taken for layers.

    Raises
    ------
    InputError
        If the network cannot be shown stimuli of this shape.
    """
    names = {id(module): name for name, module in network.named_modules() if name}
    passed: set[int] = set()
    completed: dict[str, tuple[int, tuple[int, ...], int, float]] = {}

    def complete(module: nn.Module, _inputs, output) -> None:
        if not any(True for _ in module.children()) and any(True for _ in module.parameters()):
            passed.add(id(module))
        name = names.get(id(module))
        if name and isinstance(output, Tensor) and output.ndim > 1 and len(output) == len(example):
            calls = completed.pop(name)[2] + 1 if name in completed else 1
            # Now: the next module may work in place.
            completed[name] = (len(passed), tuple(output.shape[1:]), calls, _largest(output))

    handles = [module.register_forward_hook(complete) for module in network.modules()]
    try:
        with torch.inference_mode():
            network(example)
    except Exception as error:
        shape = " x ".join(map(str, example.shape[1:]))
        raise InputError(
            f"the network's forward pass fails on stimuli of {shape}: {type(error).__name__}: {error}; is the "
            f"model's `size` the one it was made for?"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return {
        name: Layer(name, count / len(passed) if passed else 1.0, shape, calls, largest)
        for name, (count, shape, calls, largest) in completed.items()
    }


def _largest(output: Tensor) -> float:
    if not output.is_floating_point() or output.numel() == 0 or output.is_meta:
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
        For a name or glob that fits no layer, and for a named module that runs more than once or gives no tensor.
    """
    key = f"models.{spec['name']}.layers"
    once = {name: layer for name, layer in traced.items() if layer.calls == 1}
    if spec["layers"] == "auto":
        return _evenly(_ends_of_blocks(network, once), spec["max_layers"])
    chosen: set[str] = set()
    for pattern in spec["layers"]:
        if GLOB.search(pattern):
            expression = re.compile(_expression(pattern))
            matched = [name for name in once if expression.fullmatch(name)]
            if not matched:
                raise InputError(f"{key}: nothing matches {pattern!r}; there are {nearest(pattern, once)}")
            chosen.update(matched)
        else:
            chosen.add(_named(pattern, network, traced, key))
    return [layer for name, layer in once.items() if name in chosen]


def _named(name: str, network: nn.Module, traced: dict[str, Layer], key: str) -> str:
    modules = dict(network.named_modules())
    if name not in modules:
        raise InputError(f"{key}: there is no layer {name!r}; the nearest are {nearest(name, traced)}")
    if name not in traced:
        raise InputError(
            f"{key}: {name!r} gives no tensor with one row a stimulus in a forward pass; the nearest that do are "
            f"{nearest(name, traced)}"
        )
    if traced[name].calls > 1:
        raise InputError(
            f"{key}: {name!r} runs {traced[name].calls} times in a forward pass, so its output is not one layer; take "
            f"the modules before it, such as {nearest(name, {n: 0 for n, layer in traced.items() if layer.calls == 1})}"
        )
    return name


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


def _ends_of_blocks(network: nn.Module, once: dict[str, Layer]) -> list[Layer]:
    """Return the last layer of each block, in order.

    A block is a composite module that stands in a chain (the network itself, or a container opened below); of simple
    modules in a row, such as convolution, normalisation and rectification, the last is the end of a block.
    """
    blocks = [name for name in _blocks("", network, level=0) if name in once]
    modules = dict(network.named_modules())
    # A module that holds the next one's place in the chain is its beginning.
    simple = {name for name in blocks if not any(modules[name].children())}
    order = [name for name in once if name in set(blocks)]
    ends = []
    for name, following in zip(order, [*order[1:], None], strict=True):
        if isinstance(modules[name], NOT_THE_END_OF_A_BLOCK):
            continue
        continued = following in simple and name in simple and not _has_matrix(modules[following])
        if not continued or isinstance(modules[following], NOT_THE_END_OF_A_BLOCK):
            ends.append(once[name])
    return ends


def _has_matrix(module: nn.Module) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))


def _blocks(prefix: str, module: nn.Module, level: int) -> list[str]:
    names = []
    for name, child in module.named_children():
        path = f"{prefix}.{name}" if prefix else name
        names += _blocks(path, child, level + 1) if _is_opened(child, level) else [path]
    return names


def _is_opened(module: nn.Module, level: int) -> bool:
    children = list(module.children())
    if isinstance(module, CONTAINERS):
        # Further down, a chain of simple modules is one block: convolution, normalisation, rectification.
        return level == 0 or any(any(child.children()) for child in children)
    if level > 0 or not children:
        return False
    # A transformer's encoder: a module of its own around a chain that holds nearly all of its weights.
    size = sum(parameter.numel() for parameter in module.parameters())
    return any(
        isinstance(child, CONTAINERS) and sum(parameter.numel() for parameter in child.parameters()) > 0.9 * size
        for child in children
    )
