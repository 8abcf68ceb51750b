"""Add scores against single repetitions to the rows of neurons in the score table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.repetitions import MEASURES, Repetitions, scores_over_repetitions
from ventral.targets.benchmark import Benchmark
from ventral.targets.ceilings import noise_of_neurons
from ventral.targets.values import Targets


@dataclass(frozen=True)
class RepeatedNeurons:
    """The neurons of a recording with repetitions.

    Attributes
    ----------
    neurons : Targets
    repetitions : Repetitions
        Repetitions of the same neurons, in the same order.
    """

    neurons: Targets
    repetitions: Repetitions


def repetitions_of(benchmark: Benchmark) -> RepeatedNeurons | None:
    """Return the neurons of a benchmark with their repetitions; None without neurons or repetitions."""
    if benchmark.neurons is None or not benchmark.responses.attrs["has_repetitions"]:
        return None
    kept = np.flatnonzero(benchmark.responses["left_out"].values == "")
    noise = noise_of_neurons(benchmark.responses.isel(neuroid=kept))
    repetitions = Repetitions(noise.counts, noise.means, noise.squares, noise.variances_of_means)
    return RepeatedNeurons(benchmark.neurons, repetitions)


def with_scores_over_repetitions(
    table: pd.DataFrame, predictions: NDArray, targets: Targets, rows: NDArray[np.intp], known: RepeatedNeurons | None
) -> pd.DataFrame:
    """Add the columns `MEASURES` to a table with one row for each target, in their order.

    Parameters
    ----------
    table : DataFrame
        From `ventral.scores.table.prediction_rows`.
    predictions : (m, targets) array
        Held-out predictions.
    targets : Targets
        Predicted targets; those that are no neurons get NaN.
    rows : (m,) integer array
        Rows of the predicted stimuli in the recording.
    known : RepeatedNeurons or None
        None returns the table unchanged.
    """
    if known is None:
        return table
    of_neurons = np.flatnonzero(targets.kinds == "neuron")
    columns = known.neurons.places_of(targets.names[of_neurons], targets.time_bins[of_neurons])
    scores = scores_over_repetitions(predictions[:, of_neurons], known.repetitions.taken(rows, columns))
    every = np.full((len(MEASURES), len(targets.names)), np.nan)
    every[:, of_neurons] = [scores[name] for name in MEASURES]
    return table.assign(**dict(zip(MEASURES, every, strict=True)))
