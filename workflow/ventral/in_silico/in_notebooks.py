"""Choose the stimuli of the next experiment in a notebook, without a run of the workflow."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.in_silico.next_experiment import chosen_of, questions, trials_of
from ventral.in_silico.pool import predictions_for
from ventral.recordings.time_bins import read_recording

if TYPE_CHECKING:
    from ventral.readouts.loading import Readout


def next_experiment(
    readouts: "Sequence[Readout]",
    pool: NDArray | Sequence,
    recording: str | Path,
    *,
    n_chosen: int,
    n_draws: int,
    seed: int,
    reliability_threshold: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stimuli of a pool that tell readouts of the same neuroids apart, and the trials until they do.

    Parameters
    ----------
    readouts : sequence of Readout
        From `ventral.load_readout`.
    pool : array or sequence
        Stimuli, as for `ventral.readouts.loading.Readout.predict`.
    recording : path
        Store of the recording that the readouts are of.
    n_chosen, reliability_threshold
        As for `ventral.in_silico.next_experiment.choose_stimuli`.
    n_draws, seed
        As for `ventral.in_silico.next_experiment.count_trials`.

    Returns
    -------
    chosen, trials : DataFrames
        From `chosen_of` and `trials_of` of that module, for all pairs of readouts.

    Raises
    ------
    InputError
        If readouts are of different neuroids, or the recording has no repetitions.
    """
    names = np.array([str(one) if isinstance(one, str | Path) else str(k) for k, one in enumerate(pool)])
    dataset = predictions_for(readouts, pool, names)
    asked = questions(dataset, read_recording(recording), reliability_threshold)
    table = chosen_of(asked, names, [], n_chosen)
    return table, trials_of(asked, names, table, n_draws, seed)
