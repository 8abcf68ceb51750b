"""The forward pass of a network, with the output of every chosen layer taken as it appears."""

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

# Largest absolute values that float16 holds as they are: far below its largest, 65504, and so far above its smallest,
# 2^-24, that what is lost there does not count.
AS_THEY_ARE = (2.0**-4, 2.0**10)
# Where others are brought: largest values of at least 2^2, and below 2^3.
EXPONENT = 3
# Powers of two, and what they are multiplied by, stay within float32.
LARGEST_EXPONENT = 126
# Largest share by which features may differ between batches where autocast keeps 8 bits of them.
ROUNDING_OF_AUTOCAST = 0.05
# With one thread and fewer stimuli PyTorch takes another kernel for convolutions of 1 x 1 (`ConvParams::use_mkldnn`).
FEWEST_STIMULI_FOR_ONE_THREAD = 16


class Network:
    """A network on a device, whose chosen layers write their outputs into buffers.

    Attributes
    ----------
    layers : list of dict
        `name`, `depth`, `shape` and `n_features` of each chosen layer, in the order in which they complete; `step` of
        a run of a module that runs several times.
    scales : dict of float
        By layer, the power of two that its features are multiplied by before they are stored: 1 but for float16.
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
        # From one pass on the CPU that shows no stimulus: the same whatever the shard, its batches and its device.
        self.scales = {layer.name: scale_for_float16(layer.largest) if dtype == "float16" else 1.0 for layer in layers}
        # Only maps of channels have a memory layout of their own.
        maps = len(shape) == 3
        self._format = torch.channels_last if channels_last and maps else torch.contiguous_format
        self._network = network.to(self._device, memory_format=self._format)
        self._autocast = autocast
        self._outputs = LayerOutputs(self._network, layers)
        self._was_compared = False

    @classmethod
    @contextmanager
    def opened(cls, spec, shape, *, dtype, device, autocast, channels_last, threads) -> Iterator["Network"]:
        """Give a network for the time of a block, in which float32 products are exact and repeatable."""
        with exact_products(threads):
            yield cls(spec, shape, dtype, device, autocast, channels_last)

    def buffers(self, rows: int) -> dict[str, Tensor]:
        """Return memory for the features (rows, n_features) of each layer, into which a GPU copies by itself."""
        pinned = self.device == "cuda"
        return {
            layer["name"]: host_memory((rows, layer["n_features"]), self._dtype, pinned=pinned) for layer in self.layers
        }

    def staged(self, stimuli: NDArray) -> Tensor:
        """Return stimuli (n, ...) in memory from which a GPU copies by itself."""
        return self._transfers.staged(torch.from_numpy(stimuli))

    def compute(
        self, stimuli: Tensor, batch_size: int, buffers: dict[str, Tensor], row: int
    ) -> Callable[[], tuple[str, bool] | None]:
        """Begin to put the features of some stimuli, times their layer's scale, into the buffers from a row on.

        A GPU computes and copies on after the return, so that it has the next batch before it is done with this one.

        Parameters
        ----------
        stimuli : (n, ...) tensor, as the store of the set has them
            From `staged`. At most `batch_size` stimuli; fewer are filled up with copies of the last.
        batch_size : int
            Stimuli in the forward pass.
        buffers : dict of (rows, n_features) tensors
            From `buffers`.
        row : int
            Row of the first stimulus.

        Returns
        -------
        function that returns (str, bool) or None
            Waits until the features are in the buffers. Returns a layer whose features are not finite in the type of
            the buffers, and whether they were before they were rounded to this type.

        Raises
        ------
        NotEnoughMemory
            If memory does not suffice.
        InputError
            If the forward pass fails, a layer does not run, or gives something else than in the trace.
        """
        if batch_size < FEWEST_STIMULI_FOR_ONE_THREAD and torch.get_num_threads() == 1:
            # The same kernel, and so the same bits, on one core and on many.
            torch.set_num_threads(2)
        n = len(stimuli)
        targets = {name: buffer[row : row + n] for name, buffer in buffers.items()}
        extremes: dict[str, Tensor] = {}

        def take(name: str, output: Tensor) -> None:
            taken, scale = output[:n], self.scales[name]
            extremes[name] = torch.stack(torch.aminmax(_in_order_of_memory(taken))).float() * scale
            # Copied before the next module runs: one that works in place would change it.
            self._transfers.to_host(taken if scale == 1 else taken * scale, targets[name].view(taken.shape))

        with torch.inference_mode(), self._precision():
            shown = preprocess(self._transfers.to_device(_filled(stimuli, batch_size)), self.spec)
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
        """Refuse features of the first stimulus that differ when the stimulus is alone with its copy.

        The model's description compares batches of two and three; a network may treat larger batches differently.
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
                    f"their size from those in a batch of 2, where rounding makes {tolerance:g} at most. Features "
                    f"must depend on the stimulus alone: check how forward() treats a batch"
                )


def _filled(stimuli: Tensor, batch_size: int) -> Tensor:
    missing = batch_size - len(stimuli)
    return torch.cat([stimuli, stimuli[-1:].expand(missing, *stimuli.shape[1:])]) if missing else stimuli


def _in_order_of_memory(values: Tensor) -> Tensor:
    """Return values with the axes permuted: a reduction along memory takes a tenth of the time of one across."""
    return values.permute(sorted(range(values.ndim), key=values.stride, reverse=True))


def _not_finite(layers: list[str], largest: Tensor, dtype: torch.dtype) -> tuple[str, bool] | None:
    """Return the first layer whose largest absolute value is not finite in a type, and whether this value is."""
    for name, value, rounded in zip(layers, largest.tolist(), largest.to(dtype).tolist(), strict=True):
        if not math.isfinite(rounded):
            return name, math.isfinite(value)
    return None


@contextmanager
def exact_products(threads: int | None = None) -> Iterator[None]:
    """Make float32 products exact and repeatable for the time of a block, on some threads of the CPU."""
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
        About the largest absolute value of the layer's features.

    Returns
    -------
    float
        1 where they are there already, and where `largest` says nothing: 0, infinite or NaN.
    """
    lowest, highest = AS_THEY_ARE
    if largest == 0 or not math.isfinite(largest) or lowest <= largest <= highest:
        return 1.0
    _, exponent = math.frexp(largest)
    return math.ldexp(1.0, min(EXPONENT - exponent, LARGEST_EXPONENT))
