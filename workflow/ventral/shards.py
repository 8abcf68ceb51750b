"""Division of a stimulus set into shards, and of shards among jobs."""

from collections.abc import Sequence
from pathlib import Path

from ventral.errors import InputError


def rows_of_shard(
    n_stimuli: int, shard: int, n_shards: int, key: str = "extraction.shards", stimuli: str = "stimuli"
) -> tuple[int, int]:
    """Return the first row of a shard and the row after its last; sizes of shards differ by one at most.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli in the set.
    shard, n_shards : int
        Number of the shard, from 0, and number of shards.
    key : str
        Config key of the number of shards, for messages.
    stimuli : str
        Name of the stimuli in messages.

    Raises
    ------
    InputError
        If there are more shards than stimuli.
    """
    if n_shards > n_stimuli:
        raise InputError(
            f"config key {key}: {n_stimuli} {stimuli} cannot be cut into {n_shards} shards; set it to {n_stimuli} or "
            f"less"
        )
    return shard * n_stimuli // n_shards, (shard + 1) * n_stimuli // n_shards


def shards_of_part(n_stimuli: int, n_shards: int, part: int, n_parts: int) -> dict[int, tuple[int, int]]:
    """Return the shards that one of several jobs extracts, with the rows of each shard.

    Numbers of shards of the jobs differ by one at most.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli in the set.
    n_shards : int
        Number of shards of the set.
    part, n_parts : int
        Number of the job, from 0, and number of jobs, which is at most the number of shards.

    Raises
    ------
    InputError
        If there are more shards than stimuli.
    """
    first, after = part * n_shards // n_parts, (part + 1) * n_shards // n_parts
    return {shard: rows_of_shard(n_stimuli, shard, n_shards) for shard in range(first, after)}


def stores_of_parts(parts: Sequence[str | Path]) -> list[Path]:
    """Return the stores of all shards in some folders, in order of their numbers within each folder.

    `ventral.activations.extraction.extract_shards` makes such folders. A part that is itself a store is returned as is.

    Raises
    ------
    InputError
        If one of the folders has no store.
    """
    return [store for part in parts for store in _stores_of(Path(part))]


def _stores_of(part: Path) -> list[Path]:
    if part.suffix == ".zarr":
        return [part]
    # Snakemake may keep a time stamp in the folder.
    stores = list(part.glob("[0-9]*.zarr"))
    if not stores:
        raise InputError(f"{part}: the folder has no activations; delete it, and the workflow extracts them again")
    return sorted(stores, key=lambda store: int(store.stem))
