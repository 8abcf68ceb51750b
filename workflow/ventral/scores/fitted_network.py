"""Score networks fitted to neurons on fold 0, which neither they nor ridge regression were fitted to."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.outputs import writing
from ventral.scores.fitting import compared_in
from ventral.statistics.influence_table import influence_rows, write_influences
from ventral.tables import read_parquet
from ventral.targets.benchmark import Benchmark, read_benchmark

FAMILY = "fitted"


def fitted_network(
    network: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    n_folds: int,
    seed: int,
    reliability_threshold: float,
) -> None:
    """Write score and influences of a fitted network on its held-out fold, as `fit` does for ridge regression.

    Parameters
    ----------
    network : path
        Folder of a network fitted to the recording, from `ventral.training.training.train`.
    recording, stimuli : paths
        Stores of the recording and of its stimuli.
    output : path
        Parquet file to write, a table of `ventral.statistics.influence_table`.
    n_folds, seed, reliability_threshold
        As for `ventral.scores.fitting.fit`.

    Raises
    ------
    InputError
        If a store was made from other stimuli, or if the network was tested on other stimuli than fold 0.
    """
    network = Path(network)
    benchmark = read_benchmark([], recording, stimuli, ["stimuli"], n_folds, seed)
    split = benchmark.splits["stimuli"]
    fold = np.sort(split.folds[0])
    compared = compared_in(benchmark, split, reliability_threshold).in_first_fold(fold)
    outputs = _outputs(network / "held_out.parquet", benchmark, fold)
    targets = benchmark.neurons.taken(np.arange(len(benchmark.neurons.names)), fold)
    described = {"model": network.name, "family": FAMILY, "layer": "output", "depth": 1.0}
    described |= {"recording": benchmark.recording, "stimuli": benchmark.stimulus_set.attrs["name"]}
    rows = pd.DataFrame(influence_rows([(outputs, targets, fold)], compared, mapping=""))
    with writing(output) as unfinished:
        write_influences(rows.assign(**described), unfinished)


def _outputs(path: Path, benchmark: Benchmark, fold: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the network's outputs (fold, neurons).

    A neuron with equal responses to all training stimuli has no output, and its prediction is 0.
    """
    table = read_parquet(path).pivot(index="stimulus", columns=["neuroid", "time_bin"], values="output")
    names = benchmark.stimulus_set["stimulus"].values.astype(str)[fold]
    if sorted(table.index) != sorted(names):
        raise InputError(
            f"{path.parent}: tested on other stimuli than fold 0 of {benchmark.recording}; delete this folder, and a "
            f"rerun trains the network again"
        )
    neurons = pd.MultiIndex.from_arrays([benchmark.neurons.names, benchmark.neurons.time_bins])
    return table.reindex(index=names, columns=neurons).fillna(0.0).to_numpy(float)
