"""Compute the Gram matrix of every layer of a model by streaming over blocks of features."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dask
import numpy as np
import zarr
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.activations.blocks import BlockReader
from ventral.activations.parts import open_parts, scale_of
from ventral.errors import InputError
from ventral.outputs import packing
from ventral.running.devices import choose_device
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.store import create_array, new_store

# The block size is no option, because the order of summation, and with it the last bit, depends on it.
FEATURES_PER_BLOCK = 4096
UNITS_SAMPLED = 2000
MEBIBYTE = 2**20
# Attributes that a store of Gram matrices copies from the activations.
KEPT = ("model", "family", "stimuli", "stimuli_sha256", "weights_sha256", "dtype", "preprocessing")


def gram(
    parts: Sequence[str | Path],
    output: str | Path,
    *,
    device: str = "cpu",
    memory_mb: int = 2048,
    cores: int = 1,
    seed: int = 0,
) -> None:
    """Compute the Gram matrices K = X X^T of all layers of one model from its activation shards.

    Products and sums are float64; float32 takes half the time, but shifts predictions of partial least squares by 1e-5
    standard deviations. One block of features is read from all shards at a time, so that memory depends on the number
    of stimuli alone. Blocks are computed in parallel with one BLAS thread each, and added in their order. The result
    therefore does not depend on shards, cores or memory. The result is in the network's own units: the power of two
    that scales stored features is divided out, which is exact. On a GPU, `ventral.grams.products.add_blocks` computes
    the result.

    Parameters
    ----------
    parts : sequence of paths
        Activation stores, or folders of such stores, that together hold every stimulus once.
    output : path
        Zarr store to write, packed in one file, with a group for each layer. Its arrays are `gram` (n, n) float64,
        `row_sums` (n,) float64, `sample` (n, min(2000, p)) and `sampled_features`, the columns of the sample. The
        sample has the type of the shards, or float32 if their features were scaled. The attributes are `n_features` and
        `depth`.
    device : str
        'auto', 'cpu' or 'cuda'.
    memory_mb : int
        Peak memory of the arrays in MiB, which limits the number of blocks computed in parallel.
    cores : int
        Largest number of blocks computed in parallel, on each node if Dask has several. On a GPU, number of blocks read
        in parallel.
    seed : int
        Seed of the sample of units.

    Raises
    ------
    InputError
        If the shards do not fit together, features are not finite, or the memory does not suffice for one block.
    """
    stores = open_parts(parts)
    layers = stores[0].attrs["layers"]
    n = stores[-1].attrs["stop"]
    place = choose_device(device, "config key grams.device")
    progress = Progress(f"gram {stores[0].attrs['model']}", sum(layer["n_features"] for layer in layers), "features")
    with packing(output) as unfinished, new_store(unfinished) as group, summing(n, place, memory_mb, cores) as add:
        group.attrs.update({key: stores[0].attrs[key] for key in KEPT}, layers=layers)
        for layer in layers:
            arrays = [store[layer["name"]] for store in stores]
            sampled = sample_of_units(layer["n_features"], seed)
            sums = add(LayerSums.none(n), BlockReader(arrays), layer["n_features"], sampled, progress)
            write_sums(group, layer, sums, sampled, scale_of(arrays[0]))


@contextmanager
def summing(n: int, device: str, memory_mb: int, cores: int) -> Iterator[Callable[..., "LayerSums"]]:
    """Yield the function `add_blocks` for n stimuli, bound to a device and its share of memory and cores.

    Raises
    ------
    InputError
        If the memory does not suffice for one block.
    """
    if device == "cuda":
        from ventral.grams import products

        yield partial(products.add_blocks, device=device, readers=cores)
        return
    with computing(cores) as at_once:
        yield partial(add_blocks, workers=workers_within(n, memory_mb, at_once))


def write_sums(group: zarr.Group, layer: dict, sums: "LayerSums", sampled: NDArray, scale: float) -> None:
    """Write the Gram matrix of a layer from its complete sums, in the network's own units.

    Raises
    ------
    InputError
        If features are not finite.
    """
    matrix, row_sums, sample = sums.matrix, sums.row_sums, np.concatenate(sums.samples, axis=1)
    if not np.isfinite(np.diag(matrix)).all():
        row = int(np.flatnonzero(~np.isfinite(np.diag(matrix)))[0])
        raise InputError(f"layer {layer['name']}: the features of stimulus {row} are not finite")
    if scale != 1:
        matrix /= scale**2
        row_sums /= scale
        sample = sample.astype(np.float32) / np.float32(scale)
    write_layer(group, layer, matrix, row_sums, sample, sampled)


@dataclass
class LayerSums:
    """Sums over the features of a layer that have been added so far.

    Attributes
    ----------
    matrix : (n, n) array
        X X^T.
    row_sums : (n,) array
        Sum of each stimulus's features.
    samples : list of (n, units) arrays
        Sampled columns of X, one array for each block.
    features : int
        Number of features added so far.
    """

    matrix: NDArray[np.float64]
    row_sums: NDArray[np.float64]
    samples: list[NDArray]
    features: int

    @classmethod
    def none(cls, n: int) -> "LayerSums":
        """Return empty sums for n stimuli."""
        return cls(np.zeros((n, n)), np.zeros(n), [], 0)


def stream_gram(
    arrays: Sequence[zarr.Array], sampled: NDArray, workers: int = 1, progress: Progress | None = None
) -> tuple[NDArray, NDArray, NDArray]:
    """Return X X^T (n, n), the row sums of X (n,) and the sampled columns of X (n, units) of one layer.

    Parameters
    ----------
    arrays : sequence of (rows, p) arrays
        X, cut into shards by rows.
    sampled : (units,) integer array
        Ascending columns to keep.
    workers : int
        Blocks of features in flight at a time.
    progress : Progress, optional
        Advanced by the number of features.
    """
    features = BlockReader(arrays)
    sums = add_blocks(LayerSums.none(features.shape[0]), features, features.shape[1], sampled, progress, workers)
    return sums.matrix, sums.row_sums, np.concatenate(sums.samples, axis=1)


def add_blocks(
    sums: LayerSums,
    features: BlockReader,
    stop: int,
    sampled: NDArray,
    progress: Progress | None = None,
    workers: int = 1,
) -> LayerSums:
    """Add the next blocks of a layer's features in their order, and return the sums.

    Parameters
    ----------
    sums : LayerSums
        Sums to add to, changed in place.
    features : object
        Object whose method `read` returns a range of columns (n, stop - start).
    stop : int
        Number of features added after the call: a multiple of `FEATURES_PER_BLOCK`, or all.
    sampled : (units,) integer array
        Ascending columns to keep.
    progress : Progress, optional
        Advanced by the number of features.
    workers : int
        Blocks of features in flight at a time.
    """
    blocks = blocks_between(sums.features, stop)
    bands = np.array_split(np.arange(len(sums.matrix)), workers)
    with ThreadPoolExecutor(workers) as threads:
        for first in range(0, len(blocks), workers):
            wave = blocks[first : first + workers]
            tasks = [delayed(_block_products, pure=False, traverse=False)(features, *block, sampled) for block in wave]
            done = dask.compute(*tasks)
            list(threads.map(partial(_add_rows, sums.matrix, [products for products, *_ in done]), bands))
            for _, row_sums, sample in done:
                sums.row_sums += row_sums
                sums.samples.append(sample)
            if progress:
                progress.advance(wave[-1][1] - wave[0][0])
    sums.features = stop
    return sums


def blocks_between(start: int, stop: int) -> list[tuple[int, int]]:
    """Return first column and end column of each block of a range of features."""
    return [(first, min(first + FEATURES_PER_BLOCK, stop)) for first in range(start, stop, FEATURES_PER_BLOCK)]


def sampled_within(sampled: NDArray, start: int, stop: int) -> NDArray:
    """Return the sampled columns of a block, counted from the block's first column."""
    return sampled[(sampled >= start) & (sampled < stop)] - start


def sample_of_units(n_features: int, seed: int) -> NDArray:
    """Draw at most 2000 features without replacement, and return their ascending indices."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_features, size=min(UNITS_SAMPLED, n_features), replace=False))


def workers_within(n: int, memory_mb: float, cores: int) -> int:
    """Return how many blocks of n stimuli fit into a memory in MiB in parallel, at most one for each core.

    Raises
    ------
    InputError
        If the memory does not suffice for one block.
    """
    squares, one_block = bytes_of_sums(n)
    affordable = int((memory_mb * MEBIBYTE - squares) // one_block)
    if affordable < 1:
        needed = -(-(squares + one_block) // MEBIBYTE)
        raise InputError(
            f"grams.memory_mb: {memory_mb} does not suffice for {n} stimuli; set grams.memory_mb to {needed} or more"
        )
    return min(cores, affordable)


def bytes_of_sums(n: int) -> tuple[int, int]:
    """Return the bytes that sums for n stimuli take, and the bytes that each block adds."""
    square = n * n * 8
    # Sums need a copy while they are written; a block needs its stored form, its float64 form and its product.
    return 2 * square, n * FEATURES_PER_BLOCK * (4 + 8) + square


def _block_products(features: BlockReader, start: int, stop: int, sampled: NDArray):
    block = features.read(start, stop)
    sample = block[:, sampled_within(sampled, start, stop)]
    block = block.astype(np.float64)
    return block @ block.T, block.sum(axis=1), sample


def _add_rows(matrix: NDArray, products: Sequence[NDArray], rows: NDArray) -> None:
    """Add some rows of each product to a matrix, one product after the other."""
    if len(rows):
        band = slice(rows[0], rows[-1] + 1)
        for product in products:
            matrix[band] += product[band]


def write_layer(group: zarr.Group, layer: dict, matrix, row_sums, sample, sampled) -> None:
    """Write a layer's arrays, as `gram` describes them, and its attributes from `layer`."""
    n = len(matrix)
    target = group.create_group(layer["name"])
    target.attrs.update({"n_features": layer["n_features"], "depth": layer["depth"], "shape": layer["shape"]})
    for name, values in (
        ("gram", matrix),
        ("row_sums", row_sums),
        ("sample", sample),
        ("sampled_features", sampled),
    ):
        rows = (min(n, 512), *values.shape[1:]) if values.ndim > 1 else values.shape
        array = create_array(target, name, values.shape, values.dtype.name, rows, values.shape, compress=False)
        array[:] = values
