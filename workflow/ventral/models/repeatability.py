"""A check that the features of a stimulus are the same in every batch, which all scores assume."""

import random
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ventral.errors import InputError
from ventral.models.layers import Layer
from ventral.models.passes import LayerOutputs, place_of

# Largest relative difference between a layer's features of one stimulus in two batches that counts as rounding. It is
# the sum of absolute differences divided by the sum of absolute values. Kernels differ with a batch's size and the
# place in it. `benchmarks/batch_differences.py` found 4e-7 between batches and 4e-6 between kernels, over the networks
# offered by name. Sums are used because rounding can flip single units that compare or count.
ROUNDING = 1e-3
# Batches of stimuli A, B and C (0, 1 and 2), with the rows that are compared. A stimulus changes its place, its
# neighbours, and the size of its batch. For any stimulus with the largest (or smallest) values, A or B is once in a
# batch with it and once without.
FIRST = (0, 1)
OTHERS = (((2, 0, 2), {0: 1}), ((1, 2), {1: 0}))
# Number of repetitions of the first batch if random numbers are drawn, since chance may act rarely.
REPETITIONS_OF_CHANCE = 16


def check_repeatable(network: nn.Module, layers: Sequence[Layer], examples: Callable[[int], Tensor]) -> None:
    """Refuse a network whose features of a stimulus depend on chance or on the other stimuli of a batch.

    Parameters
    ----------
    network : nn.Module
        Network in evaluation mode.
    layers : sequence of Layer
        Chosen layers, in the order in which they complete; others do not matter.
    examples : function of int
        Returns the input of the network for three stimuli (3, ...), different ones for each number.

    Raises
    ------
    InputError
        If the features of a layer differ by more than `ROUNDING` between batches, for both of two sets of stimuli. Also
        if a layer does not run in a batch, or changes its shape.
    """
    differences = largest_differences(network, layers, examples(0))
    if max(differences.values(), default=0) <= ROUNDING:
        return
    # Rounding may flip a unit of a layer with few units, but not for every set of stimuli.
    again = largest_differences(network, layers, examples(1))
    for layer in layers:
        if min(differences[layer.name], again[layer.name]) > ROUNDING:
            raise InputError(
                f"the features of a stimulus are not the same in every batch. Layer {layer.name!r} differs by "
                f"{differences[layer.name]:.2g} of its size from batch to batch, where rounding makes {ROUNDING:g} at "
                f"most. Likely cause: {_cause(network, layer, examples(0))}. Features must depend on the stimulus "
                f"alone: check forward(), and whether eval() takes effect"
            )


def largest_differences(network: nn.Module, layers: Sequence[Layer], examples: Tensor) -> dict[str, float]:
    """Return the differences of the features of one stimulus between batches.

    Parameters
    ----------
    network, layers
        As for `check_repeatable`.
    examples : (3, ...) tensor
        Input of the network for three different stimuli.

    Returns
    -------
    dict of float
        Largest sum of absolute differences of each layer, as a share of the sum of absolute values. It is 0 to 2, or
        infinity if only some values are numbers.

    Raises
    ------
    InputError
        If the forward pass fails, a layer does not run in a batch, or changes its shape.
    """
    reference: dict[str, Tensor] = {}
    differences = dict.fromkeys((layer.name for layer in layers), 0.0)

    def compare(rows: dict[int, int]) -> Callable[[str, Tensor], None]:
        def take(name: str, output: Tensor) -> None:
            for row, other in rows.items():
                found = difference(reference[name][row], output[other])
                differences[name] = max(differences[name], found)

        return take

    outputs = LayerOutputs(network, layers)
    before = _states_of_generators()
    try:
        with torch.inference_mode():
            outputs.run(examples[list(FIRST)], lambda name, output: reference.update({name: output.clone()}))
            for batch, rows in OTHERS:
                outputs.run(examples[list(batch)], compare(rows))
            if before != _states_of_generators():
                for _ in range(REPETITIONS_OF_CHANCE):
                    outputs.run(examples[list(FIRST)], compare({0: 0, 1: 1}))
    finally:
        outputs.remove()
    return differences


def difference(a: Tensor, b: Tensor) -> float:
    """Return the sum of absolute differences of two tensors, as a share of their mean sum of absolute values.

    The result is 0 if both are equal, including infinities and NaN, and infinite if only one of them is finite.
    """
    a, b = a.double(), b.double()
    apart = torch.where((a == b) | (a.isnan() & b.isnan()), 0, a - b).abs().sum()
    if apart == 0:
        return 0.0
    size = sum(values.nan_to_num(0, 0, 0).abs().sum() for values in (a, b)) / 2
    return float(apart / size) if apart.isfinite() else float("inf")


def _states_of_generators() -> tuple[bytes, str, int]:
    """Return the states of the random generators of torch, NumPy and Python, which change with every draw."""
    return torch.get_rng_state().numpy().tobytes(), repr(np.random.get_state()), hash(random.getstate())  # noqa: NPY002


def _cause(network: nn.Module, layer: Layer, examples: Tensor) -> str:
    """Return the likely reason why a layer's features depend on chance or on the batch."""
    suspects = _Suspects(network)
    buffers = {name: values.clone() for name, values in network.named_buffers()}
    before = _states_of_generators()
    outputs = LayerOutputs(network, [layer])
    try:
        with torch.inference_mode(), suspects:
            outputs.run(examples[list(FIRST)], lambda _name, _output: None)
    finally:
        outputs.remove()
    if suspects.found:
        return suspects.found
    if before[1:] != _states_of_generators()[1:]:
        return "forward() draws random numbers of NumPy's or Python's generator"
    changed = [name for name, values in network.named_buffers() if not torch.equal(values, buffers[name])]
    if changed:
        return f"forward() changes the buffer {changed[0]!r}, and so remembers earlier batches"
    return "noise, or the other stimuli of the batch, such as their mean or their largest value"


class _Suspects(TorchDispatchMode):
    """Records the first operation that draws random numbers, or normalises by a batch's own mean and variance."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network, self.found = network, ""

    def __torch_dispatch__(self, operation, _types, arguments=(), options=None):
        options = options or {}
        before = torch.get_rng_state()
        result = operation(*arguments, **options)
        name = operation.overloadpacket.__name__.strip("_")
        if not self.found:
            if options.get("generator") is not None or not torch.equal(before, torch.get_rng_state()):
                what = "dropout" if "dropout" in name else f"random numbers, drawn by {name}"
                self.found = f"{what}{self._place()}"
            elif "batch_norm" in name and _named(operation, arguments, options).get("training"):
                self.found = f"batch normalisation in training mode or without running statistics{self._place()}"
        return result

    def _place(self) -> str:
        return place_of(_frames_outermost_first(), self._network)


def _named(operation, arguments: tuple, options: dict) -> dict:
    """Return the arguments of an operation by name."""
    names = (argument.name for argument in operation._schema.arguments)
    return dict(zip(names, arguments, strict=False)) | options


def _frames_outermost_first() -> Iterator:
    return reversed(list(traceback.walk_stack(sys._getframe(1))))
