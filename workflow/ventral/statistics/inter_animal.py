"""Summarise how well animals predict each other, over the numbers of predicting neurons and over animals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.outputs import writing
from ventral.statistics.saturation import saturated
from ventral.tables import read_parquet

# Animal of the rows with the mean over animals.
MEAN = "mean of animals"
# Least share of resamples with a value for an interval.
LEAST_KNOWN = 0.95
PANEL = ["area", "time_bin", "split", "mapping"]
NUMBERS = ["consistency", "low", "high", "r", "prediction_reliability"]
COLUMNS = ["group", *PANEL, "animal", "n_predictors", *NUMBERS, "n_neuroids", "n_stimuli", "n_animals"]


@dataclass(frozen=True)
class Medians:
    """Consistency of one animal by one split and mapping.

    Attributes
    ----------
    described : mapping
        `area`, `time_bin`, `split`, `mapping`, `animal` and `n_stimuli`.
    n_predictors : (subsets,) integer array
    medians : (subsets, 1 + n_bootstrap) array
        Median consistency over the animal's neurons in every resample; resample 0 is the original sample.
    r, prediction_reliability : (subsets,) arrays
        Medians over neurons of r within folds, and of the reliability of predictions.
    n_neuroids : int
        Number of neurons that at least one half of the folds chooses.
    """

    described: Mapping
    n_predictors: NDArray[np.intp]
    medians: NDArray[np.float64]
    r: NDArray[np.float64]
    prediction_reliability: NDArray[np.float64]
    n_neuroids: int


def consistency_rows(found: Medians, seed: int) -> tuple[pd.DataFrame, NDArray]:
    """Return the consistency of an animal for each number of predicting neurons, and for infinitely many.

    The interval is over stimuli, predicted neurons and predicting neurons. Every resample draws stimuli and predicted
    neurons (`ventral.statistics.bootstrap`), and the draws of predicting neurons, with replacement. All predicting
    neurons together are one draw, whose spread is unknown. A random half of a sample deviates from the whole as much as
    the whole deviates from a large population. So all sizes move by the deviation of one of the halves.

    Returns
    -------
    rows : DataFrame
        `n_predictors` is infinite in the last row. `consistency` is NaN where most neurons have no reliable predictions
        or responses.
    samples : (numbers of predictors, n_bootstrap) array
        Consistency in every resample.
    """
    sizes = np.unique(found.n_predictors)
    curves = np.stack([found.medians[found.n_predictors == size].mean(axis=0) for size in sizes], axis=1)
    samples = _resampled_curves(found, sizes, seed)
    of_curve = [*curves[0], saturated(sizes, curves[:1])[0]]
    samples = np.concatenate([samples, saturated(sizes, samples)[:, None]], axis=1).T
    whole = {
        name: [*(getattr(found, name)[found.n_predictors == size].mean() for size in sizes), np.nan]
        for name in ("r", "prediction_reliability")
    }
    rows = pd.DataFrame(
        {
            **found.described,
            "n_predictors": [*sizes.astype(float), np.inf],
            "consistency": of_curve,
            **_ends(samples),
            **whole,
            "n_neuroids": found.n_neuroids,
            "n_animals": 1,
        }
    )
    return rows, samples


def _resampled_curves(found: Medians, sizes: NDArray, seed: int) -> NDArray[np.float64]:
    """Return the consistency (n_bootstrap, sizes) in resamples of stimuli, neurons and draws."""
    n_bootstrap = found.medians.shape[1] - 1
    rng = np.random.default_rng([seed, n_bootstrap])
    every = np.arange(n_bootstrap)[:, None]
    columns = []
    for size in sizes:
        of_size = found.medians[found.n_predictors == size][:, 1:].T
        columns.append(
            of_size[every, rng.integers(of_size.shape[1], size=(n_bootstrap, of_size.shape[1]))].mean(axis=1)
        )
    of_halves = found.medians[found.n_predictors == sizes[-2], 0]
    deviations = (of_halves - of_halves.mean()) * np.sqrt(len(of_halves) / (len(of_halves) - 1))
    return np.stack(columns, axis=1) + rng.choice(deviations, n_bootstrap)[:, None]


def _ends(samples: NDArray) -> dict[str, NDArray]:
    """Return the ends of the 95 % interval of each row of samples (rows, n_bootstrap).

    A sample without a value, whose median is infinite, is left out. The ends are NaN if that is more than one in 20.
    """
    known = np.isfinite(samples)
    enough = known.mean(axis=1, keepdims=True) >= LEAST_KNOWN
    low, high = np.nanpercentile(np.where(enough, np.where(known, samples, np.nan), 0.0), [2.5, 97.5], axis=1)
    return {name: np.where(enough[:, 0], end, np.nan) for name, end in (("low", low), ("high", high))}


def with_means(found: Sequence[tuple[pd.DataFrame, NDArray]]) -> pd.DataFrame:
    """Return the rows of all animals, with the mean over the animals of each panel for infinitely many predictors.

    The interval of the mean is for these animals, not for others.
    """
    tables = [rows for rows, _ in found]
    last = pd.concat([rows.tail(1) for rows in tables], ignore_index=True)
    for _, of_panel in last.groupby(PANEL, sort=False):
        samples = np.mean([found[k][1][-1] for k in of_panel.index], axis=0)
        mean = of_panel.head(1).assign(
            animal=MEAN,
            consistency=of_panel["consistency"].mean(skipna=False),
            n_neuroids=of_panel["n_neuroids"].sum(),
            n_animals=len(of_panel),
        )
        tables.append(mean.assign(**_ends(samples[None])))
    return pd.concat(tables, ignore_index=True).sort_values([*PANEL, "animal", "n_predictors"], ignore_index=True)


def join_inter_animal(tables: Sequence[str | Path], output: str | Path) -> None:
    """Write the consistency between the animals of all sets as one table.

    Parameters
    ----------
    tables : sequence of paths
        Parquet files from `inter_animal`.
    output : path
        CSV to write.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    with writing(output) as unfinished:
        table = pd.concat([read_parquet(path) for path in tables])
        table.to_csv(unfinished, index=False, lineterminator="\n")
