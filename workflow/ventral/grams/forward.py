"""Compute Gram matrices during the forward pass, without storing features on disk."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ventral.activations.extraction import Extraction
from ventral.errors import InputError, is_out_of_memory
from ventral.grams.streaming import (
    FEATURES_PER_BLOCK,
    KEPT,
    MEBIBYTE,
    LayerSums,
    add_blocks,
    bytes_of_sums,
    sample_of_units,
    workers_within,
    write_sums,
)
from ventral.outputs import resuming, writing
from ventral.running.parallel import computing
from ventral.running.progress import Progress
from ventral.store import completing, new_store

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# File that keeps the sums of a partly added layer.
UNFINISHED_SUMS = "unfinished_layer.npz"
# Share of a GPU's free memory for features; the rest is lost to fragmentation by the allocator.
SHARE_FOR_FEATURES = 0.85


class Columns(NamedTuple):
    """A range of features of one layer, held in memory for all stimuli; `layer` is the layer's number."""

    layer: int
    start: int
    stop: int


def gram_forward(
    stimuli: str | Path,
    spec: dict,
    output: str | Path,
    model: str | Path | None = None,
    *,
    seed: int,
    dtype: str = "float16",
    autocast: str | None = None,
    channels_last: bool = True,
    device: str = "auto",
    batch_size: int = 32,
    memory_mb: int = 2048,
    cores: int = 1,
) -> None:
    """Compute the Gram matrices of all layers of one model from forward passes, without features on disk.

    Each forward pass over all stimuli keeps as many layers in memory as fit. If a layer is too large for memory, the
    pass keeps a range of its features. The features are rounded and scaled as extraction would store them. The products
    of blocks are then added in the order of `ventral.grams.streaming.gram`. The forward pass is repeated for the
    remaining layers and features. On the CPU, the store equals the result of `extract` and `gram` to the last bit. On a
    GPU, the features equal those that extraction would store there, and `ventral.grams.products.add_blocks` multiplies
    them.

    Ranges of features need as many forward passes as pairs of shards of stimuli would, and keep the order of all sums.

    If the job fails or is killed, finished layers and the partial sums of the next layer are kept. Everything is
    discarded if anything has changed that features can depend on.

    Parameters
    ----------
    stimuli : path
        Store of the stimuli.
    spec : dict
        The model, from `ventral.models.zoo.resolve_model`.
    output : path
        Zarr store to write, in the form of `ventral.grams.streaming.gram`.
    model : path, optional
        The model's description, from `ventral.models.description.describe`.
    seed : int
        Seed of the sample of units.
    dtype, autocast, channels_last, device, batch_size
        As for `ventral.activations.extraction.Extraction.opened`.
    memory_mb : int
        Peak memory of features and sums on the CPU in MiB, in addition to the forward pass. On a GPU, the free memory
        is the limit.
    cores : int
        Threads of the forward pass on the CPU, and number of blocks computed in parallel.

    Raises
    ------
    InputError
        As for `ventral.activations.extraction.extract_part` and `ventral.grams.streaming.gram`.
    """
    precision = {"dtype": dtype, "autocast": autocast, "channels_last": channels_last}
    with Extraction.opened(
        stimuli, spec, device=device, batch_size=batch_size, threads=cores, **precision
    ) as extraction:
        if model is not None:
            extraction.refuse_other_weights(model)
        attributes = extraction.attributes(0, 0)
        n, layers = attributes["n_stimuli"], attributes["layers"]
        rows = min(batch_size, n)
        place: _Place
        if extraction.representation.device == "cuda":
            place = OnDevice(extraction, rows, n, dtype, "cuda")
        else:
            place = InMemory(extraction, rows, n, np.dtype(dtype).itemsize, memory_mb, cores)
        made_of = {**extraction.made_of(), "seed": seed, "block": FEATURES_PER_BLOCK}
        with resuming(output, made_of, pack=True) as folder:
            _finish_layers(extraction, place, folder, seed)
            (folder / UNFINISHED_SUMS).unlink(missing_ok=True)
            with completing(folder) as group:
                group.attrs.update({key: attributes[key] for key in KEPT}, layers=layers)


class _Place(Protocol):
    """Memory in which features are held and multiplied: host memory or a GPU's memory."""

    buffers: dict
    room: int

    def empty(self, n: int, columns: int): ...

    def adding(self) -> Callable[..., LayerSums]: ...


class InMemory:
    """Host memory for features and their products.

    Attributes
    ----------
    buffers : dict of (batch, p) arrays or tensors
        Memory for one batch's features.
    room : int
        Bytes for the features of all stimuli.
    """

    def __init__(self, extraction: Extraction, rows: int, n: int, itemsize: int, memory_mb: int, cores: int) -> None:
        layers = extraction.representation.layers
        squares, one_block = bytes_of_sums(n)
        of_batch = rows * sum(layer["n_features"] for layer in layers) * itemsize
        fewest = n * min(FEATURES_PER_BLOCK, max(layer["n_features"] for layer in layers)) * itemsize
        needed = -(-(squares + one_block + of_batch + fewest) // MEBIBYTE)
        if memory_mb < needed:
            raise InputError(
                f"grams.memory_mb: {memory_mb} does not suffice for {n} stimuli in batches of {rows}; set it to "
                f"{needed} or more, or make extraction.batch_size smaller"
            )
        # Blocks computed in parallel get at most half of the remaining memory.
        left = memory_mb * MEBIBYTE - squares - one_block - of_batch - fewest
        self._workers = workers_within(n, (squares + one_block + left // 2) / MEBIBYTE, cores)
        self.room = fewest + left - (self._workers - 1) * one_block
        self.buffers = extraction.representation.buffers(rows)
        self._dtype = f"f{itemsize}"
        self._cores = cores

    def empty(self, n: int, columns: int) -> NDArray:
        """Return memory for some features of n stimuli."""
        return np.empty((n, columns), self._dtype)

    @contextmanager
    def adding(self) -> Iterator[Callable[..., LayerSums]]:
        """Yield the function that adds blocks of features."""
        # Threads are divided only here, because BLAS needs all of them during the forward pass.
        with computing(self._cores):
            yield partial(add_blocks, workers=self._workers)


class OnDevice:
    """GPU memory for features and their products.

    Attributes
    ----------
    buffers, room
        As for `InMemory`, but on the GPU.
    """

    def __init__(self, extraction: Extraction, rows: int, n: int, dtype: str, device: str) -> None:
        import torch

        from ventral.grams.products import bytes_on_device

        self._dtype, self._device = getattr(torch, dtype), torch.device(device)
        self.buffers = self._buffers(extraction.representation.layers, rows)
        # The first batch allocates the memory that every forward pass needs, so the free memory is measured after it.
        next(extraction.batches(self.buffers))
        free = free_memory(self._device)
        self.room = int(SHARE_FOR_FEATURES * free) - bytes_on_device(n)
        fewest = n * FEATURES_PER_BLOCK * self._dtype.itemsize
        if self.room < fewest:
            needed = (bytes_on_device(n) + fewest) / SHARE_FOR_FEATURES
            raise InputError(
                f"config key grams.from: for {n} stimuli, `forward` needs {needed / MEBIBYTE:,.0f} MiB of the GPU "
                f"beside its forward passes, but {free / MEBIBYTE:,.0f} MiB are free; make extraction.batch_size "
                f"smaller than {rows}, use a GPU with more memory, or set grams.from to `activations`"
            )

    def _buffers(self, layers: Sequence[dict], rows: int) -> dict[str, "torch.Tensor"]:
        while True:
            try:
                return {layer["name"]: self.empty(rows, layer["n_features"]) for layer in layers}
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if rows == 1:
                    raise InputError(
                        "config key grams.from: for `forward`, the memory of the GPU does not suffice for the features "
                        "of one stimulus; choose fewer layers, or set grams.from to `activations`"
                    ) from error
            rows //= 2
            logger.warning("out of memory: continuing with batches of %d", rows)

    def empty(self, n: int, columns: int) -> "torch.Tensor":
        """Return memory for some features of n stimuli."""
        import torch

        return torch.empty((n, columns), dtype=self._dtype, device=self._device)

    @contextmanager
    def adding(self) -> Iterator[Callable[..., LayerSums]]:
        """Yield the function that adds blocks of features."""
        from ventral.grams import products

        yield partial(products.add_blocks, device=str(self._device))


def free_memory(device: "torch.device") -> int:
    """Return the free bytes of a GPU's memory."""
    import torch

    return torch.cuda.mem_get_info(device)[0]


class Held:
    """A range of features of all stimuli, held in memory and read in blocks.

    Parameters
    ----------
    values : (n, columns) array or tensor
        The features.
    start : int
        Number of the first feature within its layer.
    """

    def __init__(self, values, start: int) -> None:
        self._values, self._start = values, start

    def read(self, start: int, stop: int):
        """Return a range of the layer's columns."""
        return self._values[:, start - self._start : stop - self._start]


def columns_within(unfinished: Sequence[Columns], room: int, bytes_each: int) -> list[Columns]:
    """Return the features to hold next: whole layers in order, and as many blocks of a last layer as fit.

    Parameters
    ----------
    unfinished : sequence of Columns
        Features of each layer that are not added yet.
    room : int
        Memory for features in bytes.
    bytes_each : int
        Bytes that one feature takes for all stimuli.
    """
    taken = []
    for columns in unfinished:
        n_features = columns.stop - columns.start
        if n_features * bytes_each > room:
            blocks = room // (bytes_each * FEATURES_PER_BLOCK)
            if blocks:
                taken.append(columns._replace(stop=columns.start + blocks * FEATURES_PER_BLOCK))
            break
        taken.append(columns)
        room -= n_features * bytes_each
    return taken


def _finish_layers(extraction: Extraction, place: _Place, folder: Path, seed: int) -> None:
    """Write the group of each layer that is missing from a folder."""
    attributes = extraction.attributes(0, 0)
    name, layers, n = attributes["model"], attributes["layers"], attributes["n_stimuli"]
    missing = [k for k, layer in enumerate(layers) if not (folder / layer["name"]).exists()]
    begun, sums = _read_sums(folder) if (folder / UNFINISHED_SUMS).exists() else (-1, LayerSums.none(0))
    if len(missing) < len(layers) or begun in missing:
        logger.info("%d of %d layers are kept from an earlier attempt", len(layers) - len(missing), len(layers))
    unfinished = [Columns(k, sums.features if k == begun else 0, layers[k]["n_features"]) for k in missing]
    bytes_each = n * np.dtype(attributes["dtype"]).itemsize
    while unfinished:
        held = columns_within(unfinished, place.room, bytes_each)
        label = f"gram_forward {name}, layers {held[0].layer + 1} to {held[-1].layer + 1} of {len(layers)}"
        try:
            features = _features(extraction, place, held, Progress(label, n, extraction.modality.name))
        except (MemoryError, RuntimeError, InputError) as error:
            smaller = place.room // 2
            if not _is_for_memory(error) or smaller < bytes_each * FEATURES_PER_BLOCK:
                raise
            place.room = smaller
            logger.warning("out of memory: continuing with %d MiB for features", smaller // MEBIBYTE)
            continue
        with place.adding() as add:
            for columns in held:
                layer = layers[columns.layer]
                sampled = sample_of_units(layer["n_features"], seed)
                sums = sums if columns.start else LayerSums.none(n)
                add(sums, Held(features.pop(columns.layer), columns.start), columns.stop, sampled)
                if columns.stop < layer["n_features"]:
                    _keep_sums(folder, columns.layer, sums)
                else:
                    _keep_layer(folder, layer, sums, sampled, extraction.representation.scales[layer["name"]])
        unfinished = [
            columns._replace(start=held[-1].stop if columns.layer == held[-1].layer else 0)
            for columns in unfinished
            if (columns.layer, columns.stop) > (held[-1].layer, held[-1].stop)
        ]


def _is_for_memory(error: BaseException) -> bool:
    return any(is_out_of_memory(cause) for cause in (error, error.__cause__) if cause is not None)


def _features(extraction: Extraction, place: _Place, held: Sequence[Columns], progress: Progress) -> dict:
    """Return the held features (n, columns) of all stimuli, by number of layer."""
    layers, n = extraction.representation.layers, extraction.attributes(0, 0)["n_stimuli"]
    features = {columns.layer: place.empty(n, columns.stop - columns.start) for columns in held}
    for first, after in extraction.batches(place.buffers):
        for layer, start, stop in held:
            features[layer][first:after] = place.buffers[layers[layer]["name"]][: after - first, start:stop]
        progress.advance(after - first)
    return features


def _keep_layer(folder: Path, layer: dict, sums: LayerSums, sampled: NDArray, scale: float) -> None:
    """Write the group of a layer completely or not at all."""
    with writing(folder / layer["name"]) as unfinished:
        alone = unfinished.with_name("alone")
        with new_store(alone) as group:
            write_sums(group, layer, sums, sampled, scale)
        (alone / layer["name"]).rename(unfinished)


def _keep_sums(folder: Path, layer: int, sums: LayerSums) -> None:
    with writing(folder / UNFINISHED_SUMS) as unfinished, unfinished.open("wb") as file:
        np.savez(
            file,
            layer=layer,
            features=sums.features,
            matrix=sums.matrix,
            row_sums=sums.row_sums,
            sample=np.concatenate(sums.samples, axis=1),
        )


def _read_sums(folder: Path) -> tuple[int, LayerSums]:
    """Return the number of the partly added layer, and its sums."""
    with np.load(folder / UNFINISHED_SUMS, allow_pickle=False) as kept:
        sums = LayerSums(kept["matrix"], kept["row_sums"], [kept["sample"]], int(kept["features"]))
        return int(kept["layer"]), sums
