"""Copy between host memory and a GPU while the GPU computes."""

import logging
from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


def transfers(device: torch.device) -> "TransfersOnCpu | TransfersOnGpu":
    """Return the copier of tensors to a device and back."""
    return TransfersOnGpu(device) if device.type == "cuda" else TransfersOnCpu()


def host_memory(shape: Sequence[int], dtype: torch.dtype, *, pinned: bool) -> Tensor:
    """Return host memory, pinned for asynchronous copies if requested and available."""
    if pinned:
        try:
            return torch.empty(shape, dtype=dtype, pin_memory=True)
        except RuntimeError as error:
            _warn(str(error).partition("\n")[0])
    return torch.empty(shape, dtype=dtype)


class TransfersOnCpu:
    """Immediate copies on the CPU, where nothing has to be moved."""

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
        """Return a function that does nothing, because all copies are finished."""
        return lambda: None


class TransfersOnGpu:
    """Asynchronous copies on two streams, one for each direction, beside the stream that computes.

    `record_stream` makes each copied tensor known to both streams, so that its memory is not reused before both finish.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._up, self._down = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def staged(self, values: Tensor) -> Tensor:
        """Return a copy in pinned memory, or the values themselves if no pinned memory is available."""
        try:
            return values.pin_memory()
        except RuntimeError as error:
            _warn(str(error).partition("\n")[0])
            return values

    def to_device(self, values: Tensor) -> Tensor:
        """Return values on the GPU, ready for the current stream."""
        with torch.cuda.stream(self._up):
            copied = values.to(self._device, non_blocking=True)
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._up)
        copied.record_stream(current)
        return copied

    def to_host(self, source: Tensor, target: Tensor) -> None:
        """Begin to copy the present values of a tensor of the current stream into contiguous host memory.

        The type is converted on the GPU, because a converting copy goes through ordinary memory and blocks.
        """
        copied = source.to(target.dtype, memory_format=torch.contiguous_format, copy=True)
        self._down.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._down):
            target.copy_(copied, non_blocking=True)
        copied.record_stream(self._down)

    def waiting(self) -> Callable[[], None]:
        """Return a function that waits for all copies to host memory begun so far."""
        # Blocking events let waiting threads sleep, which leaves the core to writing threads.
        event = torch.cuda.Event(blocking=True)
        event.record(self._down)
        return event.synchronize


# The cache limits the warning to one for each reason instead of one for each layer.
@cache
def _warn(reason: str) -> None:
    logger.warning("pinned memory cannot be allocated (%s): copies from and to the GPU are slower", reason)
