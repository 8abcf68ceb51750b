"""Zarr stores with a checksum for every chunk, and labelled data in them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.integrity import CHECKSUMS, check_store, seal
from ventral.outputs import writing

if TYPE_CHECKING:
    import xarray as xr
    import zarr


def open_store(path: str | Path) -> "zarr.Group":
    """Open a store for reading: a folder, or a file that `ventral.outputs.packing` wrote.

    Raises
    ------
    InputError
        If the store is missing, or a part of the store is missing or damaged. Damage within a chunk raises the same
        error later, when the values are read.
    """
    check_store(path)
    zarr = _zarr()
    return zarr.open_group(zarr.storage.ZipStore(path) if Path(path).is_file() else path, mode="r")


@contextmanager
def new_store(path: str | Path) -> Iterator["zarr.Group"]:
    """Give a new store (a folder) to write to, and seal the store when the block ends without an error."""
    import zarr

    yield zarr.open_group(path, mode="w", zarr_format=3)
    seal(Path(path))


@contextmanager
def completing(path: str | Path) -> Iterator["zarr.Group"]:
    """Turn a folder of finished groups into a store, and seal the store when the block ends without an error."""
    import zarr

    yield zarr.open_group(path, mode="a", zarr_format=3)
    seal(Path(path))


@contextmanager
def changing(path: str | Path) -> Iterator["zarr.Group"]:
    """Open a store (a folder) for additions, and seal the store again when the block ends without an error."""
    import zarr

    yield zarr.open_group(path, mode="r+")
    seal(Path(path))


def create_array(
    group: "zarr.Group",
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    chunks: tuple[int, ...],
    shards: tuple[int, ...],
    compress: bool = True,
    dimension_names: tuple[str, ...] | None = None,
) -> "zarr.Array":
    """Create a sharded array with a CRC-32C in every chunk, so that a flipped bit is an error on reading.

    Parameters
    ----------
    group : zarr.Group
        Group that gets the array.
    name : str
        Name of the array.
    shape, chunks, shards : tuple of int
        Extent of the array, of one chunk (the unit of reading) and of one shard (a file). Chunks are cut to the extent
        of the array, and shards to a whole number of chunks.
    dtype : str
        NumPy's name of the type.
    compress : bool
        Compress with Zstandard. Features are not compressed, because they are read once and deleted.
    dimension_names : tuple of str, optional
        Names of the axes; `read_dataset` cannot open an array without them.
    """
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, ZstdCodec

    chunks = tuple(max(1, min(chunk, extent)) for chunk, extent in zip(chunks, shape, strict=True))
    shards = tuple(
        chunk * max(1, -(-min(shard, extent) // chunk))
        for shard, chunk, extent in zip(shards, chunks, shape, strict=True)
    )
    codecs = [BytesCodec(), ZstdCodec(level=3), Crc32cCodec()] if compress else [BytesCodec(), Crc32cCodec()]
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=shards,
        serializer=ShardingCodec(chunk_shape=chunks, codecs=codecs),
        compressors=None,
        filters=None,
        dimension_names=dimension_names,
        # A missing chunk then means that the chunk was lost.
        config={"write_empty_chunks": True},
    )


def write_dataset(dataset: "xr.Dataset", path: str | Path) -> None:
    """Write an in-memory dataset as a Zarr v3 store at `path`, whole or not at all.

    Every variable is one file, with a checksum for each chunk.
    """
    from zarr.codecs import Crc32cCodec, ZstdCodec

    # NumPy's fixed-width text has no Zarr v3 specification; text of variable length has one.
    dataset = _text_as_objects(dataset)
    with writing(path) as unfinished:
        encoding = {
            name: {"compressors": (ZstdCodec(level=3), Crc32cCodec()), "chunks": variable.shape or None}
            for name, variable in dataset.variables.items()
            if variable.size
        }
        # Chunks of zeros, NaN and empty text are written too, so a missing chunk means that the chunk was lost.
        dataset.to_zarr(unfinished, zarr_format=3, consolidated=False, encoding=encoding, write_empty_chunks=True)
        seal(unfinished)


def read_dataset(path: str | Path) -> "xr.Dataset":
    """Open a store that `write_dataset` wrote; numbers are read when used, text is read at once, as objects.

    Raises
    ------
    InputError
        As `open_store`.
    """
    import xarray as xr

    check_store(path)
    # Given a path, xarray would make the path absolute.
    store = _zarr().storage.LocalStore(path, read_only=True)
    with warnings.catch_warnings():
        # Snakemake may keep a time stamp in the folder.
        warnings.filterwarnings("ignore", r"Object at \..* is not recognized as a component of a Zarr hierarchy")
        dataset = _text_as_objects(xr.open_zarr(store, zarr_format=3, consolidated=False, chunks=None))
    dataset.attrs.pop(CHECKSUMS, None)
    return dataset


def _zarr():
    """Return the module zarr, set up so that errors in reading name the store."""
    import zarr

    from ventral.codec_pipeline import NamingCodecPipeline

    zarr.registry.register_pipeline(NamingCodecPipeline)
    zarr.config.set({"codec_pipeline.path": zarr.registry.fully_qualified_name(NamingCodecPipeline)})
    return zarr


def _text_as_objects(dataset: "xr.Dataset") -> "xr.Dataset":
    text = {
        name: variable.astype(object) for name, variable in dataset.variables.items() if variable.dtype.kind in "UT"
    }
    coordinates = {name: variable for name, variable in text.items() if name in dataset.coords}
    variables = {name: variable for name, variable in text.items() if name not in coordinates}
    return dataset.assign(variables).assign_coords(coordinates)
