"""Write features to the disk as `ventral.activations.extraction.extract` does."""

from collections.abc import Iterable
from pathlib import Path

import zarr
from numpy.typing import NDArray

from ventral.activations.extraction import FEATURES_PER_CHUNK
from ventral.activations.shardfile import ShardWriter
from ventral.outputs import writing
from ventral.store import create_array

LAYER = "features"


def write_activations(path: Path, n: int, p: int, row_blocks: Iterable[NDArray]) -> None:
    """Write one layer of p features for n stimuli, as float16, from blocks of rows, all of one size but the last.

    Parameters
    ----------
    path : Path
        Store to write: one shard, of all stimuli.
    n, p : int
        Stimuli and features.
    row_blocks : iterable of (rows, p) arrays
        The features.
    """
    layer = {"name": LAYER, "depth": 0.0, "shape": [p], "n_features": p}
    about = {"model": "synthetic", "family": "untrained", "stimuli": "synthetic", "stimuli_sha256": "", "device": "cpu"}
    with writing(path) as unfinished:
        group = zarr.open_group(unfinished, mode="w", zarr_format=3)
        group.attrs.update(
            {**about, "start": 0, "stop": n, "layers": [layer], "weights_sha256": "", "dtype": "float16"},
            n_stimuli=n,
            preprocessing={},
        )
        writer, array, row = ShardWriter(), None, 0
        for block in row_blocks:
            if array is None:
                rows = len(block)
                array = create_array(
                    group, LAYER, (n, p), "float16", (rows, FEATURES_PER_CHUNK), (rows, p), compress=False
                )
                array.attrs["scale"] = 1.0
            writer.write(array, row, block.astype("float16"))
            row += len(block)
