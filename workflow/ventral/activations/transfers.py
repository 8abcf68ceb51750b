"""Copies between this machine's memory and a GPU's, beside the computation on the GPU."""

import logging
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


def transfers(device: torch.device) -> "TransfersOnCpu | TransfersOnGpu":
    """Return how tensors get to a device and back."""
    return TransfersOnGpu(device) if device.type == "cuda" else TransfersOnCpu()


def host_memory(shape: Sequence[int], dtype: torch.dtype, *, pinned: bool) -> Tensor:
    """Return memory of this machine: pinned, so that a GPU copies by itself, where asked for and to be had."""
    if pinned:
        try:
            return torch.empty(shape, dtype=dtype, pin_memory=True)
        except RuntimeError as error:
            _warn(str(error).partition("\n")[0])
    return torch.empty(shape, dtype=dtype)


class TransfersOnCpu:
    """Nothing has to be moved: copies are made at once."""

    def staged(self, values: Tensor) -> Tensor:
        """Return the values as they are."""
        return values

    def to_device(self, values: Tensor) -> Tensor:
        """Return the values as they are."""
        return values

    def to_host(self, source: Tensor, target: Tensor) -> None:
        """Copy a tensor."""
        target.copy_(source)

    def waiting(self) -> Callable[[], None]:
        """Return a function that does nothing: copies were made."""
        return lambda: None


class TransfersOnGpu:
    """Copies on two streams of their own, one in each direction, which the stream of the computation does not wait for.

    A tensor that such a copy reads or has made is known to both streams (`record_stream`): its memory is not used
    again before both are done with it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._up, self._down = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def staged(self, values: Tensor) -> Tensor:
        """Return a copy in pinned memory, or the values themselves where there is none."""
        try:
            return values.pin_memory()
        except RuntimeError as error:
            _warn(str(error).partition("\n")[0])
            return values

    def to_device(self, values: Tensor) -> Tensor:
        """Return values on the GPU, for the current stream."""
        with torch.cuda.stream(self._up):
            copied = values.to(self._device, non_blocking=True)
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._up)
        copied.record_stream(current)
        return copied

    def to_host(self, source: Tensor, target: Tensor) -> None:
        """Begin to copy a tensor of the current stream, as it is now, into contiguous memory of this machine.

        The type changes on the GPU: a copy that changes it on the way goes through ordinary memory, and waits.
        """
        copied = source.to(target.dtype, memory_format=torch.contiguous_format, copy=True)
        self._down.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._down):
            target.copy_(copied, non_blocking=True)
        copied.record_stream(self._down)

    def waiting(self) -> Callable[[], None]:
        """Return a function that waits for all copies to this machine that were begun until now."""
        # Waiting threads sleep, and leave the core to those that write.
        event = torch.cuda.Event(blocking=True)
        event.record(self._down)
        return event.synchronize


# Once for each reason, not for each layer.
@cache
def _warn(reason: str) -> None:
    logger.warning("pinned memory cannot be allocated (%s): copies from and to the GPU are slower", reason)
