"""Run the forward pass of a network, and copy the output of every chosen layer."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ventral.activations.transfers import host_memory, transfers
from ventral.errors import InputError
from ventral.models.description import build, described, preprocess, trace_stimuli, weights_sha256
from ventral.models.layers import choose_layers
from ventral.models.passes import LayerOutputs
from ventral.models.repeatability import ROUNDING, difference
from ventral.models.zoo import completed
from ventral.running.devices import choose_device
from ventral.running.slurm import allocated_cores

# Range of a layer's largest absolute value within which float16 needs no scale. The upper bound is far below float16's
# largest number, 65504. The lower bound is far above its smallest, 2^-24, so that underflow is negligible.
AS_THEY_ARE = (2.0**-4, 2.0**10)
# Other layers are scaled so that their largest value lies between 2^2 and 2^3.
EXPONENT = 3
# This limit keeps the scales and the scaled features within float32.
LARGEST_EXPONENT = 126
# Largest relative difference between batches allowed under autocast, which keeps 8 bits.
ROUNDING_OF_AUTOCAST = 0.05
# With one thread and fewer stimuli, PyTorch uses another kernel for 1 x 1 convolutions (`ConvParams::use_mkldnn`).
FEWEST_STIMULI_FOR_ONE_THREAD = 16


class Network:
    """A network on a device that writes the outputs of its chosen layers into buffers.

    Attributes
    ----------
    layers : list of dict
        `name`, `depth`, `shape` and `n_features` of each chosen layer, in the order in which they complete. A run of
        a module that runs several times also has `step`.
    scales : dict of float
        Power of two, by layer, by which features are multiplied before they are stored; 1 except for float16.
    weights_sha256 : str
        Hash of the weights.
    device : str
        Type of the device.
    """

    def __init__(
        self, spec: dict, shape: tuple[int, ...], dtype: str, device: str, autocast: str | None, channels_last: bool
    ) -> None:
        self.spec = spec = completed(spec)
        self._dtype = getattr(torch, dtype)
        self._device = torch.device(choose_device(device))
        self.device = self._device.type
        self._transfers = transfers(self._device)
        network = build(spec)
        self.weights_sha256 = weights_sha256(network)
        layers = choose_layers(network, trace_stimuli(network, shape, spec), spec)
        self.layers = [{**described(layer), "n_features": int(np.prod(layer.shape))} for layer in layers]
        # The scales come from one CPU pass without stimuli, so shard, batch size and device do not change them.
        self.scales = {layer.name: scale_for_float16(layer.largest) if dtype == "float16" else 1.0 for layer in layers}
        # The option `channels_last` applies only to maps of channels.
        maps = len(shape) == 3
        self._format = torch.channels_last if channels_last and maps else torch.contiguous_format
        self._network = network.to(self._device, memory_format=self._format)
        self._autocast = autocast
        self._outputs = LayerOutputs(self._network, layers)
        self._was_compared = False

    @classmethod
    @contextmanager
    def opened(cls, spec, shape, *, dtype, device, autocast, channels_last, threads) -> Iterator["Network"]:
        """Open a network for the duration of a `with` block, with exact and repeatable float32 products."""
        with exact_products(threads):
            yield cls(spec, shape, dtype, device, autocast, channels_last)

    def buffers(self, rows: int) -> dict[str, Tensor]:
        """Return memory for each layer's features (rows, n_features), pinned for copies from a GPU."""
        pinned = self.device == "cuda"
        return {
            layer["name"]: host_memory((rows, layer["n_features"]), self._dtype, pinned=pinned) for layer in self.layers
        }

    def staged(self, stimuli: NDArray) -> Tensor:
        """Return stimuli (n, ...) in memory pinned for asynchronous copies to a GPU."""
        return self._transfers.staged(torch.from_numpy(stimuli))

    def compute(
        self, stimuli: Tensor, batch_size: int, buffers: dict[str, Tensor], row: int
    ) -> Callable[[], tuple[str, bool] | None]:
        """Begin to compute features times their layer's scale, writing into the buffers from a given row.

        A GPU goes on computing and copying after this function returns, and so can queue the next batch early.

        Parameters
        ----------
        stimuli : (n, ...) tensor, as the store of the set has them
            Stimuli from `staged`, at most `batch_size`. Copies of the last stimulus fill up a smaller batch.
        batch_size : int
            Stimuli in the forward pass.
        buffers : dict of (rows, n_features) tensors
            Memory from the method `buffers`.
        row : int
            Row of the first stimulus.

        Returns
        -------
        function that returns (str, bool) or None
            Function that waits until the features are in the buffers. If a layer's features are not finite in the
            buffers' type, the function returns the layer's name, and whether the features were finite before rounding.

        Raises
        ------
        NotEnoughMemory
            If memory does not suffice.
        InputError
            If the forward pass fails, or if a layer does not run or its output differs from the trace.
        """
        if batch_size < FEWEST_STIMULI_FOR_ONE_THREAD and torch.get_num_threads() == 1:
            # Two threads select the same kernel, and give the same bits, on one core and on many.
            torch.set_num_threads(2)
        n = len(stimuli)
        targets = {name: buffer[row : row + n] for name, buffer in buffers.items()}
        extremes: dict[str, Tensor] = {}

        def take(name: str, output: Tensor) -> None:
            taken, scale = output[:n], self.scales[name]
            extremes[name] = torch.stack(torch.aminmax(_in_order_of_memory(taken))).float() * scale
            # The output is copied before the next module runs, because an in-place module would change it.
            self._transfers.to_host(taken if scale == 1 else taken * scale, targets[name].view(taken.shape))

        with torch.inference_mode(), self._precision():
            # Batches are filled up last, because preparing a stimulus may take longer than its forward pass.
            shown = _filled(preprocess(self._transfers.to_device(stimuli), self.spec), batch_size)
            shown = shown.contiguous(memory_format=self._format)
            self._outputs.run(shown, take)
            names, values = list(extremes), torch.stack(list(extremes.values())).abs().amax(dim=1)
            largest = host_memory(values.shape, values.dtype, pinned=self.device == "cuda")
            self._transfers.to_host(values, largest)
        wait = self._transfers.waiting()

        def finished() -> tuple[str, bool] | None:
            wait()
            return _not_finite(names, largest, self._dtype)

        if self._was_compared:
            return finished
        found = finished()
        if found is None:
            self._compare_with_small_batch(shown, targets)
        return lambda: found

    def _precision(self) -> AbstractContextManager:
        return torch.autocast(self.device, dtype=getattr(torch, self._autocast)) if self._autocast else nullcontext()

    def _compare_with_small_batch(self, shown: Tensor, features: dict[str, Tensor]) -> None:
        """Refuse features of the first stimulus that change when its batch holds only the stimulus and a copy.

        The model's description compares batches of two and three, but a network may treat larger batches differently.
        """
        self._was_compared = True
        tolerance = ROUNDING if self._autocast is None else ROUNDING_OF_AUTOCAST
        alone: dict[str, Tensor] = {}

        def take(name: str, output: Tensor) -> None:
            alone[name] = (output[0].double() * self.scales[name]).cpu().flatten()

        with torch.inference_mode(), self._precision():
            self._outputs.run(shown[[0, 0]].contiguous(memory_format=self._format), take)
        for name, values in alone.items():
            found = difference(features[name][0].double().cpu(), values)
            if found > tolerance:
                raise InputError(
                    f"layer {name!r}: the features of a stimulus in a batch of {len(shown)} differ by {found:.2g} of "
                    f"their size from those in a batch of 2; rounding explains {tolerance:g} at most. Features "
                    f"must depend on the stimulus alone: check how forward() treats a batch"
                )


def _filled(stimuli: Tensor, batch_size: int) -> Tensor:
    missing = batch_size - len(stimuli)
    return torch.cat([stimuli, stimuli[-1:].expand(missing, *stimuli.shape[1:])]) if missing else stimuli


def _in_order_of_memory(values: Tensor) -> Tensor:
    """Return values with axes permuted to the order in memory, which makes reductions ten times faster."""
    return values.permute(sorted(range(values.ndim), key=values.stride, reverse=True))


def _not_finite(layers: list[str], largest: Tensor, dtype: torch.dtype) -> tuple[str, bool] | None:
    """Return the first layer whose largest absolute value overflows a type, and whether the value itself is finite."""
    for name, value, rounded in zip(layers, largest.tolist(), largest.to(dtype).tolist(), strict=True):
        if not math.isfinite(rounded):
            return name, math.isfinite(value)
    return None


@contextmanager
def exact_products(threads: int | None = None) -> Iterator[None]:
    """Make float32 products exact and repeatable within a `with` block, on a given number of CPU threads."""
    threads_before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(allocated_cores(threads))
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(threads_before)


def scale_for_float16(largest: float) -> float:
    """Return the power of two that brings a layer's features into the middle of the range of float16.

    Parameters
    ----------
    largest : float
        Approximate largest absolute value of the layer's features.

    Returns
    -------
    float
        Power of two; 1 if the features need no scale, or if `largest` is 0, infinite or NaN.
    """
    lowest, highest = AS_THEY_ARE
    if largest == 0 or not math.isfinite(largest) or lowest <= largest <= highest:
        return 1.0
    _, exponent = math.frexp(largest)
    return math.ldexp(1.0, min(EXPONENT - exponent, LARGEST_EXPONENT))
