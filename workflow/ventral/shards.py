"""How a stimulus set is cut into shards, and how jobs share these."""

from collections.abc import Sequence
from pathlib import Path

from ventral.errors import InputError


def rows_of_shard(
    n_stimuli: int, shard: int, n_shards: int, key: str = "extraction.shards", stimuli: str = "stimuli"
) -> tuple[int, int]:
    """Return the first row of a shard and the row after its last; sizes differ by one at most.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli in the set.
    shard, n_shards : int
        Which shard, from 0, of how many.
    key : str
        Place of the number of shards in the config, for messages.
    stimuli : str
        What the stimuli are called there.

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
    """Return the shards that one of several jobs extracts, with the rows of each: as many as of any other, or one more.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli in the set.
    n_shards : int
        Number of shards of the set.
    part, n_parts : int
        Which job, from 0, of how many; no more than shards.

    Raises
    ------
    InputError
        If there are more shards than stimuli.
    """
    first, after = part * n_shards // n_parts, (part + 1) * n_shards // n_parts
    return {shard: rows_of_shard(n_stimuli, shard, n_shards) for shard in range(first, after)}


def stores_of_parts(parts: Sequence[str | Path]) -> list[Path]:
    """Return the stores of all shards in folders of `ventral.activations.extraction.extract_shards`, by number in each.

    A store is taken as it is.

    Raises
    ------
    InputError
        If there is none in one of the folders.
    """
    return [store for part in parts for store in _stores_of(Path(part))]


def _stores_of(part: Path) -> list[Path]:
    if part.suffix == ".zarr":
        return [part]
    # A workflow may keep a time stamp of its own in the folder.
    stores = list(part.glob("[0-9]*.zarr"))
    if not stores:
        raise InputError(f"{part}: there are no activations in it; delete it, and they will be extracted again")
    return sorted(stores, key=lambda store: int(store.stem))
