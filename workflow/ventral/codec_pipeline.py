"""Reading of chunks by zarr, with errors that name the store."""

from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.storage import StorePath

from ventral.errors import InputError
from ventral.integrity import array_of_file, damaged


class NamingCodecPipeline(BatchedCodecPipeline):
    """Decodes chunks as zarr does, and raises an InputError with store and array for a chunk that cannot be decoded."""

    async def read(self, batch_info, out, drop_axes: tuple[int, ...] = ()) -> None:
        """Read chunks into an array, as `BatchedCodecPipeline.read`.

        Raises
        ------
        InputError
            If a checksum does not match, or a file is missing or truncated.
        """
        batch_info = list(batch_info)
        files = [source for source, *_ in batch_info if isinstance(source, StorePath)]
        for file in files:
            # Every chunk is written, so zarr's fill value would hide a chunk that was lost after the store was opened.
            if not await file.store.exists(file.path):
                raise damaged(_path_of(file), f"array `{array_of_file(file.path)}`: `{file.path}` is missing")
        try:
            await super().read(batch_info, out, drop_axes)
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:
            # Chunks within a shard have no file of their own. The call for the shard reports their errors.
            if not files:
                raise
            problem = f"array `{array_of_file(files[0].path)}` cannot be read ({error})"
            raise damaged(_path_of(files[0]), problem) from error


def _path_of(file: StorePath) -> str:
    return str(getattr(file.store, "root", None) or getattr(file.store, "path", None) or file.store)
