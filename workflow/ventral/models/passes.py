"""Forward passes of networks: the outputs of chosen layers, and clear messages for errors in networks' code."""

import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ventral.errors import InputError, is_out_of_memory
from ventral.models.places import line_of_user_code

if TYPE_CHECKING:
    from ventral.models.layers import Layer

LONGEST_MESSAGE = 500

DEVICE = re.compile(r"same device|expected device|cuda.*should be the same|NVIDIA driver|compiled with CUDA", re.I)
DTYPE = re.compile(r"same dtype|scalar type|should be the same")
SHAPE = re.compile(r"shape|size|dimension|height|width|position|elements|channels", re.I)


class NotEnoughMemory(InputError, MemoryError):  # noqa: N818
    """An error for too little memory in a forward pass, for which fewer stimuli at once may suffice."""


class _AllLayersSeen(BaseException):
    """An end of the forward pass after the last chosen layer, which networks that catch Exception do not catch."""


class LayerOutputs:
    """Hooks on the chosen layers of a network, which collect their outputs in every forward pass.

    Parameters
    ----------
    network : nn.Module
        Network in evaluation mode.
    layers : sequence of Layer
        Layers from `ventral.models.layers.trace`, in the order in which they complete.
    """

    def __init__(self, network: nn.Module, layers: Sequence["Layer"]) -> None:
        self._network, self._layers = network, layers
        modules = dict(network.named_modules())
        self._handles = [
            modules[name].register_forward_hook(self._hook([layer for layer in layers if layer.module == name]))
            for name in dict.fromkeys(layer.module for layer in layers)
        ]

    def remove(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def run(self, stimuli: Tensor, take: Callable[[str, Tensor], None]) -> None:
        """Run a forward pass up to the last of the layers.

        Parameters
        ----------
        stimuli : (n, ...) tensor
            Input of the network.
        take : function of str and tensor
            Gets the name and the output (n, ...) of each layer before the next module can change the output.

        Raises
        ------
        InputError
            If the forward pass fails, a layer runs more or less often than in the trace, or its output differs in kind.
        """
        self._stimuli, self._take, self._departed = stimuli, take, ""
        self._runs: Counter[str] = Counter()
        self._waiting = {layer.name for layer in self._layers}
        try:
            with telling_errors(self._network, stimuli), suppress(_AllLayersSeen):
                self._network(stimuli)
        finally:
            # Free their memory on a GPU for the next batch.
            self._stimuli = self._take = None
        if self._departed:
            raise InputError(self._departed)
        if self._waiting:
            first = next(layer.name for layer in self._layers if layer.name in self._waiting)
            raise InputError(
                f"layer {first!r} does not run, or later than in the trace: forward() takes another path, by the "
                f"number of stimuli, by what they show, or by chance. Choose layers that always run, in one order"
            )

    def _hook(self, layers: Sequence["Layer"]):
        """Return a hook for a module, which takes the layers of each of its runs."""

        def complete(module, _inputs, output) -> None:
            self._runs[layers[0].module] += 1
            run = self._runs[layers[0].module]
            # Errors are recorded, not raised, because a network's own `except` might hide them.
            if run > layers[0].runs and not self._departed:
                self._departed = _ran_again(layers[0])
            for layer in layers:
                if layer.run == run and not self._departed:
                    self._taken(layer, layer.read(module, output))
            if self._departed or self._layers[-1].name not in self._waiting:
                raise _AllLayersSeen

        return complete

    def _taken(self, layer: "Layer", features) -> None:
        """Take the features of a layer, or note their difference from the trace."""
        self._departed = self._departure(layer, features)
        if not self._departed:
            self._waiting.discard(layer.name)
            self._take(layer.name, features)

    def _departure(self, layer: "Layer", features) -> str:
        """Return the difference of features from the trace; '' if there is none."""
        problem = problem_of(features, len(self._stimuli))
        if not problem and tuple(features.shape[1:]) != layer.shape:
            problem = f"gives features of shape {tuple(features.shape[1:])}"
        if not problem and features.is_floating_point() != layer.floating:
            problem = f"gives numbers of type {features.dtype}"
        if not problem:
            return ""
        kind = "floating-point" if layer.floating else "whole"
        return (
            f"layer {layer.name!r} {problem}, where the trace saw {kind} numbers of shape {layer.shape} for each "
            f"stimulus: a layer's features must be the same ones for every stimulus and number of stimuli"
        )


def _ran_again(layer: "Layer") -> str:
    times, seen = ("once", "one run") if layer.runs == 1 else (f"{layer.runs} times", f"{layer.runs} runs")
    return f"layer {layer.module!r} runs more than {times}, where the trace saw {seen}"


def problem_of(output, n: int) -> str:
    """Return the reason why a module's output for n stimuli cannot be read as features; '' if it can."""
    if not isinstance(output, Tensor):
        return f"gives a {type(output).__name__}, not a tensor"
    if output.is_quantized or output.is_nested or output.layout != torch.strided:
        kind = "quantised" if output.is_quantized else "nested" if output.is_nested else "sparse"
        return f"gives a {kind} tensor"
    shape = tuple(output.shape)
    if output.is_complex():
        return "gives complex numbers"
    if shape[:1] != (n,):
        sequence = ", as of sequence-first modules" if n in shape[1:] else ""
        return f"gives a tensor {shape}, whose first axis is not the {n} stimuli{sequence}"
    if len(shape) == 1:
        return "gives one number a stimulus, without an axis of features"
    return "" if output.numel() else f"gives no features: its output has the shape {shape}"


@contextmanager
def telling_errors(
    network: nn.Module, stimuli: Tensor, hint: Callable[[str], str] = lambda _message: ""
) -> Iterator[None]:
    """Turn an exception of a network's own code into an error with the problem, the place, and advice.

    Parameters
    ----------
    network : nn.Module
        Network whose forward pass runs in the block.
    stimuli : (n, ...) tensor
        Input of the network.
    hint : function of str
        Returns the advice of the stimuli's modality for an error message; empty if there is none.

    Raises
    ------
    NotEnoughMemory
        If memory runs out.
    InputError
        For all other exceptions, including `sys.exit`.
    """
    shape = " x ".join(map(str, stimuli.shape[1:]))
    try:
        yield
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise NotEnoughMemory(
                f"memory does not suffice for a forward pass of {len(stimuli)} stimuli of {shape}; use a smaller "
                f"network or a smaller `size`, or run on a device with more memory"
            ) from error
        where = place_of(traceback.walk_tb(error.__traceback__), network)
        raise InputError(
            f"the network's forward pass fails on stimuli of {shape}: {_said(error)}{where}"
            f"{hint(str(error)) or _hint(error, network)}"
        ) from error


def place_of(frames: Iterator[tuple[FrameType, int]], network: nn.Module) -> str:
    """Return the innermost module and the innermost line of a user's code among frames, outermost first.

    Returns
    -------
    str
        Such as `` in module 'head' (Linear), at /home/me/net.py, line 12``; '' if no frame belongs to a network.
    """
    names = {id(module): name for name, module in network.named_modules() if name}
    inner = module = ""
    lines = []
    for frame, line in frames:
        running = frame.f_locals.get("self")
        if id(running) in names:
            inner, module = names[id(running)], type(running).__name__
        lines.append((frame.f_code.co_filename, line))
    at = line_of_user_code(lines)
    return (f" in module {inner!r} ({module})" if inner else "") + (f", at {at[0]}, line {at[1]}" if at else "")


def _said(error: BaseException) -> str:
    message = " ".join(str(error).split())
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]} ..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _hint(error: BaseException, network: nn.Module) -> str:
    message = str(error)
    if DEVICE.search(message):
        return (
            "; let forward() make its tensors on the device of its input, `x.device`, and register those that it keeps "
            "as buffers"
        )
    others = sorted({str(values.dtype) for values in network.parameters() if values.dtype != torch.float32})
    if DTYPE.search(message):
        given = f", and the network has weights of {', '.join(others)}: return `network.float()`" if others else ""
        return f"; stimuli are torch.float32{given}"
    if SHAPE.search(message) and isinstance(error, RuntimeError | ValueError | AssertionError | IndexError):
        return "; is the model's `size` the one it was made for?"
    return ""
