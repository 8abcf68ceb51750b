"""The Gram matrix of every layer of a model, streamed over blocks of features."""

import logging
from collections.abc import Sequence
from pathlib import Path

import dask
import numpy as np
import zarr
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.activations.parts import open_parts, scale_of
from ventral.errors import InputError
from ventral.outputs import packing
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.store import create_array, new_store

logger = logging.getLogger(__name__)

# A constant, not an option: the order of summation, and with it the last bit, depends on it.
FEATURES_PER_BLOCK = 4096
UNITS_SAMPLED = 2000
MEBIBYTE = 2**20


def gram(
    parts: Sequence[str | Path], output: str | Path, *, memory_mb: int = 2048, cores: int = 1, seed: int = 0
) -> None:
    """Compute the Gram matrices K = X X^T of all layers of one model from its activation shards.

    Products and sums are float64: float32 takes half the time, but moves predictions of partial least squares by 1e-5
    standard deviations. One block of features is read from all shards at a time, so that memory depends on the number
    of stimuli alone. Blocks are computed side by side and added in their order, each with one BLAS thread: the result
    does not depend on the shards, the cores or the memory. It is in the network's own units: the power of two that
    stored features were multiplied by is divided out again, which is exact.

    Parameters
    ----------
    parts : sequence of paths
        Activation stores, or folders of these, that together hold every stimulus once.
    output : path
        Zarr store to write, packed in one file: for each layer a group with `gram` (n, n) float64, `row_sums` (n,)
        float64, `sample` (n, min(2000, p)), of the type of the shards, or float32 where their features were multiplied,
        and `sampled_features`, the columns of the sample; attributes `n_features` and `depth`.
    memory_mb : int
        Peak memory of the arrays in MiB; fewer blocks are computed side by side to keep to it.
    cores : int
        Blocks computed side by side at most, on each node where Dask has several.
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
    progress = Progress(f"gram {stores[0].attrs['model']}", sum(layer["n_features"] for layer in layers), "features")
    with packing(output) as unfinished, new_store(unfinished) as group, computing(cores) as at_once:
        workers = _workers(n, memory_mb, at_once)
        kept = ("model", "family", "stimuli", "stimuli_sha256", "weights_sha256", "dtype", "preprocessing")
        group.attrs.update({key: stores[0].attrs[key] for key in kept}, layers=layers)
        for layer in layers:
            arrays = [store[layer["name"]] for store in stores]
            sampled = sample_of_units(layer["n_features"], seed)
            matrix, row_sums, sample = stream_gram(arrays, sampled, workers, progress)
            if not np.isfinite(np.diag(matrix)).all():
                row = int(np.flatnonzero(~np.isfinite(np.diag(matrix)))[0])
                raise InputError(f"layer {layer['name']}: features of stimulus {row} are not finite")
            scale = scale_of(arrays[0])
            if scale != 1:
                matrix /= scale**2
                row_sums /= scale
                sample = sample.astype(np.float32) / np.float32(scale)
            write_layer(group, layer, matrix, row_sums, sample, sampled)


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
    n_features = arrays[0].shape[1]
    starts = range(0, n_features, FEATURES_PER_BLOCK)
    n = sum(array.shape[0] for array in arrays)
    matrix, row_sums, samples = np.zeros((n, n)), np.zeros(n), []
    for first in range(0, len(starts), workers):
        wave = [
            delayed(_block_products, pure=False, traverse=False)(arrays, start, sampled)
            for start in starts[first : first + workers]
        ]
        for products, sums, sample in dask.compute(*wave):
            matrix += products
            row_sums += sums
            samples.append(sample)
        if progress:
            done = min(n_features, (first + workers) * FEATURES_PER_BLOCK)
            progress.advance(done - first * FEATURES_PER_BLOCK)
    return matrix, row_sums, np.concatenate(samples, axis=1)


def sample_of_units(n_features: int, seed: int) -> NDArray:
    """Return the ascending indices of at most 2000 features, drawn without replacement."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_features, size=min(UNITS_SAMPLED, n_features), replace=False))


def _block_products(arrays, start: int, sampled: NDArray):
    stop = min(start + FEATURES_PER_BLOCK, arrays[0].shape[1])
    block = np.concatenate([array[:, start:stop] for array in arrays])
    sample = block[:, sampled[(sampled >= start) & (sampled < stop)] - start]
    block = block.astype(np.float64)
    return block @ block.T, block.sum(axis=1), sample


def _workers(n: int, memory_mb: int, cores: int) -> int:
    square = n * n * 8
    # A block in storage and in float64, and its product; beside them the sum and, while it is written, its copy.
    one_block = n * FEATURES_PER_BLOCK * (4 + 8) + square
    affordable = int((memory_mb * MEBIBYTE - 2 * square) // one_block)
    if affordable < 1:
        needed = -(-(2 * square + one_block) // MEBIBYTE)
        raise InputError(f"grams.memory_mb: {memory_mb} does not suffice for {n} stimuli; set it to {needed} or more")
    return max(1, min(cores, affordable))


def write_layer(group: zarr.Group, layer: dict, matrix, row_sums, sample, sampled) -> None:
    """Write a layer of a store of Gram matrices: its arrays as `gram` describes them, its attributes from `layer`."""
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
