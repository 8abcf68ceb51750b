"""How a stimulus set is cut into parts that are extracted apart."""

from ventral.errors import InputError


def rows_of_shard(n_stimuli: int, shard: int, n_shards: int, key: str = "extraction.shards") -> tuple[int, int]:
    """Return the first row of a shard and the row after its last; sizes differ by one at most.

    Parameters
    ----------
    n_stimuli : int
        Number of stimuli in the set.
    shard, n_shards : int
        Which shard, from 0, of how many.
    key : str
        Place of the number of shards in the config, for messages.

    Raises
    ------
    InputError
        If there are more shards than stimuli.
    """
    if n_shards > n_stimuli:
        raise InputError(
            f"config key {key}: {n_stimuli} stimuli cannot be cut into {n_shards} shards; set it to {n_stimuli} or less"
        )
    return shard * n_stimuli // n_shards, (shard + 1) * n_stimuli // n_shards
