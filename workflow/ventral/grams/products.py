"""Multiply blocks of features on a GPU."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.activations.blocks import BlockReader
from ventral.errors import InputError, is_out_of_memory
from ventral.grams.streaming import FEATURES_PER_BLOCK, MEBIBYTE, LayerSums, blocks_between
from ventral.running.devices import has_fast_float64, whole_float32
from ventral.running.progress import Progress

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# Features in one float32 product. Products of float16 numbers are exact in float32, and so few sums lose little.
FEATURES_PER_FLOAT32_PRODUCT = 512


def add_blocks(
    sums: LayerSums,
    features,
    stop: int,
    sampled: NDArray,
    progress: Progress | None = None,
    *,
    device: str,
    readers: int = 1,
    float64: bool | None = None,
) -> LayerSums:
    """Add blocks of a layer's features on a device, as `ventral.grams.streaming.add_blocks` does on the CPU.

    Parameters
    ----------
    sums : LayerSums
        Sums to add to, changed in place.
    features, stop, sampled, progress
        As for `ventral.grams.streaming.add_blocks`; `features.read` may also return tensors on the device.
    device : str
        Torch device.
    readers : int
        Number of blocks read in parallel.
    float64 : bool, optional
        Use float64 products; None chooses by the device. If False, products of 512 features are float32, and their sums
        float64.

    Returns
    -------
    LayerSums
        K_ij agrees with the CPU's within 1e-13 sqrt(K_ii K_jj), or within 3e-6 sqrt(K_ii K_jj) if products are float32.

    Raises
    ------
    InputError
        If the memory of the device does not suffice.
    """
    import torch

    place, n = torch.device(device), len(sums.matrix)
    float64 = has_fast_float64(place) if float64 is None else float64
    blocks = blocks_between(sums.features, stop)
    units = torch.from_numpy(sampled).to(place)
    samples = []
    try:
        matrix, row_sums = (_on(place, values, begun=sums.features > 0) for values in (sums.matrix, sums.row_sums))
        with whole_float32():
            for (start, end), block in zip(blocks, _read_ahead(features, blocks, place, readers), strict=True):
                first, after = np.searchsorted(sampled, (start, end))
                samples.append(block[:, units[first:after] - start])
                _add_block(matrix, row_sums, block, float64)
                if progress:
                    progress.advance(end - start)
        # Copying one triangle makes the matrix symmetric to the last bit.
        lower = torch.tril(matrix)
        matrix.copy_(lower).add_(lower.tril_(-1).T)
        # Sums are transferred only once, because each transfer waits for all queued work.
        sums.matrix, sums.row_sums = matrix.cpu().numpy(), row_sums.cpu().numpy()
        sums.samples.append(torch.cat(samples, dim=1).cpu().numpy())
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        needed = bytes_on_device(n) // MEBIBYTE
        raise InputError(
            f"the memory of the GPU does not suffice for the Gram matrix of {n} stimuli, which takes about {needed:,} "
            f"MiB; use a GPU with more memory, or set grams.device to `cpu` and grams.from to `activations`"
        ) from error
    sums.features = stop
    return sums


def bytes_on_device(n: int) -> int:
    """Return the bytes that sums for n stimuli take on a device: matrix, copies of its triangles, and one block."""
    return 3 * 8 * n**2 + 2 * n * FEATURES_PER_BLOCK * (4 + 8)


def _on(place: "torch.device", values: NDArray, *, begun: bool) -> "torch.Tensor":
    import torch

    return (
        torch.from_numpy(values).to(place, copy=True)
        if begun
        else torch.zeros(values.shape, dtype=torch.float64, device=place)
    )


def _add_block(matrix: "torch.Tensor", row_sums: "torch.Tensor", block: "torch.Tensor", float64: bool) -> None:
    """Add X X^T and the row sums of a block X (n, columns), in parts if memory does not suffice."""
    waiting = [block] if float64 else list(reversed(block.split(FEATURES_PER_FLOAT32_PRODUCT, dim=1)))
    while waiting:
        part = waiting.pop()
        try:
            _add_product(matrix, row_sums, part.double() if float64 else part.float())
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or part.shape[1] == 1:
                raise
            logger.warning("out of memory: continuing with products of %d features", part.shape[1] // 2)
            waiting += reversed(part.tensor_split(2, dim=1))


def _add_product(matrix: "torch.Tensor", row_sums: "torch.Tensor", values: "torch.Tensor") -> None:
    # All allocations come before the first sum changes, so that a block can be added in parts after an error.
    of_block = values.sum(dim=1, dtype=matrix.dtype)
    if values.dtype == matrix.dtype:
        matrix.addmm_(values, values.T)
    else:
        matrix.add_(values @ values.T)
    row_sums.add_(of_block)


def _read_ahead(
    features, blocks: Sequence[tuple[int, int]], place: "torch.device", readers: int
) -> Iterator["torch.Tensor"]:
    """Yield blocks of features on a device, reading files with several threads."""
    if not isinstance(features, BlockReader):
        yield from (features.read(*block) for block in blocks)
        return
    with ThreadPoolExecutor(readers, "reader") as threads:
        waiting: deque = deque()
        for block in blocks:
            waiting.append(threads.submit(_read, features, block, place.type == "cuda"))
            if len(waiting) > readers:
                yield waiting.popleft().result().to(place, non_blocking=True)
        while waiting:
            yield waiting.popleft().result().to(place, non_blocking=True)


def _read(features: BlockReader, block: tuple[int, int], pinned: bool) -> "torch.Tensor":
    import torch

    from ventral.activations.transfers import host_memory

    shape = (features.shape[0], block[1] - block[0])
    values = host_memory(shape, getattr(torch, features.dtype.name), pinned=pinned)
    features.read(*block, out=values.numpy())
    return values
