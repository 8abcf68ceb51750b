"""Extract the features of every layer of a model, with one forward pass for each batch of stimuli."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ventral.activations.shardfile import ShardWriters
from ventral.errors import InputError, is_out_of_memory
from ventral.models.zoo import completed, family, is_baseline, modality_asked, on_stimuli, preprocessing
from ventral.outputs import resuming, writing
from ventral.provenance import code_loaded, hardware, packages_loaded, read_description
from ventral.running.progress import Progress
from ventral.running.slurm import allocated_cores
from ventral.shards import shards_of_part
from ventral.stimuli.modality import Modality, declared_modality
from ventral.store import create_array, new_store, open_store, read_dataset

if TYPE_CHECKING:
    from ventral.activations.forward import Network

logger = logging.getLogger(__name__)

FEATURES_PER_CHUNK = 4096
BATCHES_READ_AHEAD = 2
MEBIBYTE = 2**20
# More than two blocks help where a block is one batch, whose files differ in size.
MOST_BLOCKS = 4


def extract(stimuli: str | Path, spec: dict, start: int, stop: int, output: str | Path, **options) -> None:
    """Write the features of all chosen layers of one model for a range of stimuli.

    Parameters
    ----------
    stimuli : path
        Store of the stimuli.
    spec : dict
        The model, from `ventral.models.zoo.resolve_model`.
    start, stop : int
        Range of stimuli.
    output : path
        Store to write, with one array (stop - start, features) for each layer. The array's attribute `scale` is the
        power of two by which its features were multiplied. The scale is 1, except for float16 features outside the
        middle of float16's range.
    options
        As for `Extraction.opened`.

    Raises
    ------
    InputError
        If the model or one of its layers cannot be loaded, or the device is missing. Also if memory does not suffice
        for one stimulus, or features are not finite numbers of `dtype`.
    """
    with Extraction.opened(stimuli, spec, **options) as extraction:
        extraction.write(
            start, stop, output, Progress(f"extract {spec['name']}", stop - start, extraction.modality.name)
        )


def extract_shards(
    stimuli: str | Path,
    spec: dict,
    shards: Mapping[int, tuple[int, int]],
    output: str | Path,
    model: str | Path | None = None,
    **options,
) -> None:
    """Write the features of several shards of the stimuli with one loaded network.

    If the job fails or is killed, finished shards are kept and the next attempt continues after them. If anything has
    changed that features can depend on, the next attempt starts over.

    Parameters
    ----------
    stimuli, spec, options
        As for `extract`.
    shards : mapping of int to (int, int)
        Range of stimuli of each shard, by its number.
    output : path
        Folder to write: for each shard a store `NUMBER.zarr`, as `extract` writes one.
    model : path, optional
        The model's description, from `ventral.models.description.describe`.

    Raises
    ------
    InputError
        As for `extract`, and if the network's weights differ from those in its description.
    """
    with Extraction.opened(stimuli, spec, **options) as extraction:
        if model is not None:
            extraction.refuse_other_weights(model)
        made_of = {**extraction.made_of(), "shards": shards}
        with resuming(output, made_of) as unfinished:
            missing = {shard: rows for shard, rows in shards.items() if not (unfinished / f"{shard}.zarr").exists()}
            found = len(shards) - len(missing)
            if found:
                logger.info("%d of %d shards are kept from an earlier attempt", found, len(shards))
            n = sum(stop - start for start, stop in missing.values())
            progress = Progress(f"extract {spec['name']}", n, extraction.modality.name)
            for shard, (start, stop) in missing.items():
                extraction.write(start, stop, unfinished / f"{shard}.zarr", progress)


def extract_part(
    stimuli: str | Path,
    spec: dict,
    output: str | Path,
    model: str | Path | None = None,
    *,
    part: int,
    parts: int,
    shards: int,
    dtype: str = "float16",
    autocast: str | None = None,
    channels_last: bool = True,
    device: str = "auto",
    batch_size: int = 32,
    cores: int = 1,
) -> None:
    """Write the features of one job's share of the shards, as `extract_shards` does.

    Parameters
    ----------
    stimuli, spec, output, model
        As for `extract_shards`.
    part, parts : int
        Number of the job, from 0, and number of jobs.
    shards : int
        Number of shards of the whole set, divided among the jobs.
    dtype, autocast, channels_last, device, batch_size
        As for `Extraction.opened`.
    cores : int
        Threads of the forward pass on the CPU, and threads that write.

    Raises
    ------
    InputError
        As for `extract_shards`, and if there are more shards than stimuli.
    """
    of_part = shards_of_part(read_dataset(stimuli).sizes["stimulus"], shards, part, parts)
    precision = {"dtype": dtype, "autocast": autocast, "channels_last": channels_last}
    how = {"device": device, "batch_size": batch_size, "threads": cores}
    extract_shards(stimuli, spec, of_part, output, model, **precision, **how)


class Extraction:
    """A loaded model and a stimulus set, ready to write the features of any range of stimuli.

    Three steps overlap: reading the next stimuli, the forward pass, and writing the last features. Every forward pass
    has the same number of stimuli; copies of the last stimulus fill up the last batch. No feature therefore depends on
    where shards begin. The number of writing threads does not change the bytes of the files.

    Attributes
    ----------
    modality : Modality
        Modality of the stimuli.
    writers : int
        Threads that write.
    """

    def __init__(
        self,
        stimuli: str | Path,
        spec: dict,
        dataset: xr.Dataset,
        representation: "Network | _Baseline",
        precision: dict,
        batch_size: int,
        buffer_mb: int,
        writers: int,
    ) -> None:
        self._stimuli, self._spec, self._dataset, self._representation = stimuli, spec, dataset, representation
        self._precision, self._rows_at_once, self._buffer_mb = precision, batch_size, buffer_mb
        self._batch_size = batch_size
        self.modality, self.writers = modality_asked(spec), writers

    @classmethod
    @contextmanager
    def opened(
        cls,
        stimuli: str | Path,
        spec: dict,
        *,
        device: str = "auto",
        batch_size: int = 32,
        dtype: str = "float16",
        autocast: str | None = None,
        channels_last: bool = True,
        buffer_mb: int = 128,
        threads: int | None = None,
    ) -> Iterator["Extraction"]:
        """Load the model for the duration of a `with` block.

        Parameters
        ----------
        stimuli, spec
            As for `extract`.
        device : str
            'auto', 'cpu' or 'cuda'.
        batch_size : int
            Stimuli in a forward pass; halved, down to 1, when memory runs out.
        dtype : str
            Type of the stored features: 'float16' or 'float32'.
        autocast : str, optional
            Reduced precision of the forward pass: 'bfloat16' or 'float16'.
        channels_last : bool
            Memory layout of the forward pass.
        buffer_mb : int
            Memory for features that wait to be written, in MiB: two to four blocks of at least one batch. In addition,
            each writing thread has memory for one chunk, or for one mebibyte of smaller chunks.
        threads : int, optional
            Threads of the forward pass on the CPU, and writing threads; by default, one for each core.
        """
        spec = completed(spec)
        dataset, modality = read_dataset(stimuli), modality_asked(spec)
        _refuse_other_modality(dataset, modality, spec, stimuli)
        spec = on_stimuli(spec, dataset.attrs)
        _report_options_alone(spec, modality, dataset.attrs["name"])
        shape = dataset[modality.array].shape[1:]
        precision = {"dtype": dtype, "autocast": autocast, "channels_last": channels_last}
        with ExitStack() as stack:
            if is_baseline(spec):
                representation = _Baseline(spec, np.zeros((1, *shape), modality.dtype), dtype)
            else:
                from ventral.activations.forward import Network

                representation = stack.enter_context(
                    Network.opened(spec, shape, device=device, threads=threads, **precision)
                )
            writers = allocated_cores(threads)
            yield cls(stimuli, spec, dataset, representation, precision, batch_size, buffer_mb, writers)

    def made_of(self) -> dict:
        """Return everything that features depend on, except the range of stimuli, as JSON types."""
        machine = hardware()
        return {
            "spec": self._spec,
            "precision": self._precision,
            "stimuli_sha256": self._dataset.attrs["sha256"],
            "weights_sha256": self._representation.weights_sha256,
            "device": self._representation.device,
            "hardware": {key: machine[key] for key in ("machine", "processor", "blas", "gpu")},
            "code": code_loaded(),
            "packages": packages_loaded(),
        }

    def refuse_other_weights(self, model: str | Path) -> None:
        """Refuse a network whose weights differ from its description, because each job would use other weights."""
        described = read_description(Path(model))
        found, expected = self._representation.weights_sha256, described["weights_sha256"]
        if found != expected:
            commit = described.get("origin", {}).get("revision")
            instead = f"Set `revision: {commit}`" if commit else "Make the function return the same network each time"
            raise InputError(
                f"models.{self._spec['name']}.architecture: the weights of {self._spec['architecture']} differ from "
                f"those that were described: their SHA-256 is {found}, but {model} has {expected}. {instead}, "
                f"delete {model}, and start again"
            )

    def attributes(self, start: int, stop: int) -> dict:
        """Return the attributes of the store of a range of stimuli."""
        representation = self._representation
        return {
            "model": self._spec["name"],
            "family": family(self._spec),
            "stimuli": self._dataset.attrs["name"],
            "stimuli_sha256": self._dataset.attrs["sha256"],
            "n_stimuli": self._dataset.sizes["stimulus"],
            "start": start,
            "stop": stop,
            "layers": representation.layers,
            "weights_sha256": representation.weights_sha256,
            "dtype": self._precision["dtype"],
            "device": representation.device,
            "preprocessing": preprocessing(self._spec),
        }

    @property
    def representation(self) -> "Network | _Baseline":
        """The network or baseline that computes the features."""
        return self._representation

    def batches(self, buffers: Mapping) -> Iterator[tuple[int, int]]:
        """Compute the features of all stimuli, batch by batch, into the same buffers.

        Parameters
        ----------
        buffers : mapping of (rows, p) arrays or tensors
            Buffers from the representation's `buffers`, on any device, with rows for one batch or for all stimuli.

        Yields
        ------
        first, after : int
            Range of stimuli whose features the buffers hold until the next item is requested.

        Raises
        ------
        InputError
            As for `write`.
        """
        stored, names = open_store(self._stimuli)[self.modality.array], self._dataset["stimulus"].values
        rows = len(next(iter(buffers.values())))
        if rows < len(names):
            self._batch_size = min(self._batch_size, rows)
        bounds = [(first, min(first + rows, len(names))) for first in range(0, len(names), rows)]
        passes = _Passes(self._representation, self._batch_size, names, self._precision)

        def read(first: int, after: int):
            return passes.staged(stored[first:after])

        with ThreadPoolExecutor(1, "reader") as reader:
            waiting = deque(reader.submit(read, *ends) for ends in bounds[:BATCHES_READ_AHEAD])
            for k, (first, after) in enumerate(bounds):
                stimuli = waiting.popleft().result()
                if k + BATCHES_READ_AHEAD < len(bounds):
                    waiting.append(reader.submit(read, *bounds[k + BATCHES_READ_AHEAD]))
                passes.compute(stimuli, buffers, 0, first)
                passes.settle()
                self._batch_size = passes.batch_size
                yield first, after

    def write(self, start: int, stop: int, output: str | Path, progress: Progress) -> None:
        """Write the store of a range of stimuli, as `extract` describes it."""
        representation, dtype = self._representation, self._precision["dtype"]
        with writing(output) as unfinished, new_store(unfinished) as group:
            group.attrs.update(self.attributes(start, stop))
            rows = _rows_per_write(representation.layers, stop - start, dtype, self._buffer_mb, self._rows_at_once)
            arrays = {
                layer["name"]: create_array(
                    group,
                    layer["name"],
                    (stop - start, layer["n_features"]),
                    dtype,
                    (rows, FEATURES_PER_CHUNK),
                    (rows, layer["n_features"]),
                    compress=False,
                )
                for layer in representation.layers
            }
            for name, array in arrays.items():
                array.attrs["scale"] = representation.scales[name]
            passes = _Passes(representation, self._batch_size, self._dataset["stimulus"].values, self._precision)
            at_once = _blocks_at_once(representation.layers, stop - start, rows, dtype, self._buffer_mb)
            with ShardWriters(self.writers) as writers:
                blocks = _Blocks(arrays, representation, rows, at_once, writers)
                _fill(blocks, passes, open_store(self._stimuli)[self.modality.array], (start, stop), progress)
            # A batch size that exceeded memory once would exceed memory again in the next shard.
            self._batch_size = passes.batch_size


class _Baseline:
    """Baseline: the stimuli themselves as a representation with one layer.

    Parameters
    ----------
    spec : dict
        The model.
    example : (1, ...) array
        One stimulus in the form that the stimulus store has.
    dtype : str
        Type of the stored features.
    """

    device = "cpu"
    weights_sha256 = ""

    def __init__(self, spec: dict, example: NDArray, dtype: str) -> None:
        self.spec = spec
        self._baseline, self._dtype = modality_asked(spec).baseline, dtype
        self.scales = {self._baseline.name: 1.0}
        shape = list(self._baseline.features(example, spec).shape[1:])
        self.layers = [{"name": self._baseline.name, "depth": 0.0, "shape": shape, "n_features": int(np.prod(shape))}]

    def buffers(self, rows: int) -> dict[str, NDArray]:
        return {self._baseline.name: np.empty((rows, self.layers[0]["n_features"]), self._dtype)}

    def staged(self, stimuli: NDArray) -> NDArray:
        return stimuli

    def compute(self, stimuli: NDArray, _batch_size: int, buffers: dict[str, NDArray], row: int) -> Callable[[], None]:
        features = self._baseline.features(stimuli, self.spec)
        buffers[self._baseline.name][row : row + len(stimuli)] = features.reshape(len(stimuli), -1)
        return lambda: None


class _Blocks:
    """Memory for the features of some blocks of stimuli, filled and written in turn.

    Parameters
    ----------
    arrays : dict of zarr.Array
        Arrays to write, by layer.
    representation
        Network or baseline, which allocates the memory.
    rows : int
        Stimuli in a block.
    at_once : int
        Blocks in memory.
    writers : ShardWriters
        Threads that write each layer of a block.
    """

    def __init__(
        self, arrays: dict[str, zarr.Array], representation, rows: int, at_once: int, writers: ShardWriters
    ) -> None:
        self.rows = rows
        # The largest layer is written first, so that the final wait is for small layers.
        self._arrays = dict(sorted(arrays.items(), key=lambda item: -item[1].shape[1]))
        self._buffers = [representation.buffers(rows) for _ in range(at_once)]
        self._writing: list[list[Future]] = [[] for _ in range(at_once)]
        self._writers = writers

    def is_free(self, block: int) -> bool:
        """Return whether a block can be filled now, because the previous block in the same memory is written."""
        return all(future.done() for future in self._writing[block % len(self._writing)])

    def memory(self, block: int) -> dict:
        """Wait until a block's memory is free, and return its memory (rows, features) for each layer.

        Raises
        ------
        OSError
            If writing the previous block in the same memory failed.
        """
        place = block % len(self._buffers)
        for future in self._writing[place]:
            future.result()
        return self._buffers[place]

    def write(self, block: int, row: int, rows: int) -> None:
        """Begin to write the first rows of a block to the arrays, starting at a given row."""
        place = block % len(self._buffers)
        features = {name: np.asarray(buffer)[:rows] for name, buffer in self._buffers[place].items()}
        self._writing[place] = [
            self._writers.submit(array, row, features[name]) for name, array in self._arrays.items()
        ]

    def wait(self) -> None:
        """Wait until everything is written.

        Raises
        ------
        OSError
            If writing failed.
        """
        for place in range(len(self._buffers)):
            self.memory(place)


class _Passes:
    """Successive forward passes, each checked after the next has begun, so that a GPU never waits.

    Attributes
    ----------
    batch_size : int
        Stimuli in a forward pass; halved, down to 1, when memory runs out.
    """

    def __init__(self, representation: "Network | _Baseline", batch_size: int, names: NDArray, precision: dict) -> None:
        self._representation, self.batch_size = representation, batch_size
        self._names, self._precision = names, precision
        self._to_settle: list[Callable[[], None]] = []

    def staged(self, stimuli: NDArray):
        """Return stimuli in the form that `compute` takes."""
        return self._representation.staged(stimuli)

    def compute(self, stimuli, buffers: dict, row: int, first: int) -> None:
        """Begin to compute features of stimuli, writing into the buffers from a given row.

        Raises
        ------
        InputError
            If memory does not suffice for one stimulus, the forward pass fails, or features of the previous pass are
            not finite.
        """
        done = 0
        while done < len(stimuli):
            batch = stimuli[done : done + self.batch_size]
            names = self._names[first + done : first + done + len(batch)]
            finished = self._begun(batch, buffers, row + done, names)
            if finished is None:
                continue
            self.settle()
            features = {name: buffer[row + done : row + done + len(batch)] for name, buffer in buffers.items()}
            self.then(partial(self._finish, finished, features, names))
            done += len(batch)

    def then(self, step: Callable[[], None]) -> None:
        """Schedule a step for when the features of the last pass are computed and known to be finite."""
        self._to_settle.append(step)

    def settle(self) -> None:
        """Wait for the features of the last pass, and run the steps scheduled for them.

        Raises
        ------
        InputError
            If some features are not finite.
        """
        steps, self._to_settle = self._to_settle, []
        for step in steps:
            step()

    def _begun(self, batch, buffers: dict, row: int, names: Sequence[str]) -> Callable | None:
        """Begin a pass; return a function that waits for its features, or None after halving a batch too large."""
        try:
            return self._representation.compute(batch, self.batch_size, buffers, row)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if self.batch_size == 1:
                raise InputError(
                    "memory does not suffice for a forward pass of one stimulus; run on a device with more memory, "
                    "or use a smaller network or a smaller `size`"
                ) from error
            self.batch_size //= 2
            logger.warning("out of memory: continuing with batches of %d", self.batch_size)
            return None
        except InputError as error:
            shown = f"{names[0]} to {names[-1]}"
            raise InputError(
                f"models.{self._representation.spec['name']}: in the batch of {self.batch_size} stimuli, {shown}: "
                f"{error}"
            ) from error

    def _finish(self, finished: Callable[[], tuple[str, bool] | None], features: dict, names: Sequence[str]) -> None:
        found = finished()
        if found is not None:
            layer, was_finite = found
            scale = self._representation.scales[layer]
            _refuse_not_finite(layer, was_finite, features[layer], names, scale, self._precision)


def _refuse_other_modality(dataset: xr.Dataset, asked: Modality, spec: dict, stimuli: str | Path) -> None:
    shown = declared_modality(dataset.attrs, str(stimuli))
    if shown.name != asked.name:
        raise InputError(
            f"models.{spec['name']}: this model takes {asked.name}, but the stimuli of {dataset.attrs['name']} are "
            f"{shown.name}; score this model against recordings of {asked.name} alone"
        )


def _report_options_alone(spec: dict, modality: Modality, stimuli: str) -> None:
    """Log which options of the model or of the stimuli have no effect, because the other has none of the same name."""
    for option in modality.paired_options:
        places = [f"models.{spec['name']}.{option}", f"stimuli.{stimuli}.{option}"]
        of_model, of_set = spec.get(option) is not None, option in spec.get("stimuli", {})
        if of_model and not of_set:
            logger.warning("%s has no effect on the stimuli %s: %s is not given", places[0], stimuli, places[1])
        elif of_set and not of_model:
            logger.info("%s has no effect on %s: %s is not given", places[1], spec["name"], places[0])


def _rows_per_write(layers: list[dict], rows: int, dtype: str, buffer_mb: int, batch_size: int) -> int:
    """Return how many stimuli are gathered before their features are written, one file for each layer."""
    bytes_each = sum(layer["n_features"] for layer in layers) * np.dtype(dtype).itemsize
    # One half is filled while the other is written. A partial batch costs as much as a whole one.
    batches = buffer_mb * MEBIBYTE // 2 // (bytes_each * batch_size)
    return min(max(1, batches) * batch_size, rows)


def _blocks_at_once(layers: list[dict], rows: int, rows_of_block: int, dtype: str, buffer_mb: int) -> int:
    """Return how many blocks of features are in memory, one being filled while the others are written."""
    bytes_each = sum(layer["n_features"] for layer in layers) * np.dtype(dtype).itemsize * rows_of_block
    return min(max(2, min(buffer_mb * MEBIBYTE // bytes_each, MOST_BLOCKS)), -(-rows // rows_of_block))


def _fill(blocks: _Blocks, passes: _Passes, stored: zarr.Array, rows: tuple[int, int], progress: Progress) -> None:
    """Write the features of a range of stimuli block by block, and wait for the writes."""
    start, stop = rows
    for block, first, stimuli in _read_ahead(stored, passes, start, stop, blocks.rows):
        begin = start + block * blocks.rows
        end, last = min(begin + blocks.rows, stop), first + len(stimuli)
        if first == begin and not blocks.is_free(block):
            # Filling must wait for a free block, so the previous block's features are checked and written now.
            passes.settle()
        passes.compute(stimuli, blocks.memory(block), first - begin, first)
        if last == end:
            passes.then(partial(blocks.write, block, begin - start, end - begin))
        progress.advance(len(stimuli))
    passes.settle()
    blocks.wait()


def _read_ahead(stored: zarr.Array, passes: _Passes, start: int, stop: int, rows_of_block: int) -> Iterator[tuple]:
    """Yield block, first row and stimuli of each batch, reading the next batch while one is computed."""

    def read(first: int, last: int):
        return passes.staged(stored[first:last])

    coming = None
    with ThreadPoolExecutor(1, "reader") as reader:
        for block, first, last in _batches(start, stop, rows_of_block, passes):
            read_before, coming = coming, (block, first, reader.submit(read, first, last))
            if read_before is not None:
                yield *read_before[:2], read_before[2].result()
        yield *coming[:2], coming[2].result()


def _batches(start: int, stop: int, rows_of_block: int, passes: _Passes) -> Iterator[tuple[int, int, int]]:
    """Yield block, first row and end row of each batch; no batch crosses the end of a block."""
    for block, begin in enumerate(range(start, stop, rows_of_block)):
        end = min(begin + rows_of_block, stop)
        first = begin
        while first < end:
            last = min(first + passes.batch_size, end)
            yield block, first, last
            first = last


def _refuse_not_finite(layer: str, was_finite: bool, features, names, scale: float, precision: dict) -> None:
    # A network's features may be on a GPU.
    features = features if isinstance(features, np.ndarray) else features.cpu().numpy()
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    dtype = precision["dtype"]
    if was_finite:
        remedy = "set `extraction: {dtype: float32}`"
    elif precision["autocast"] == "float16":
        remedy = "they overflow within the forward pass: set `extraction: {autocast: bfloat16}`, or autocast to null"
    else:
        remedy = "the network's output for this stimulus is not a number; check the network"
    raise InputError(
        f"layer {layer}: the features of stimulus {names[bad[0]]} are not finite as {dtype} (largest: "
        f"{float(np.finfo(dtype).max) / scale:g}); {remedy}"
    )
