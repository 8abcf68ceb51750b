"""Summarise the tuning of units by layer, and compare layers with published distributions of neurons in V1."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.outputs import writing
from ventral.statistics.v1 import ALL, FIELDS, PUBLISHED, SHUFFLED, distances_from_v1, summary
from ventral.tables import read_parquet

UNIT = "unit"
LAYER = ["model", "architecture", "family", "recording", "layer", "depth", "degrees"]
# Properties with published counts, each with the column that says whether a unit is tuned to it at all.
COMPARED = {"orientation": "selective", "spatial frequency": "in_order"}
# Properties without published counts here.
DESCRIBED = ("circular_variance", "orientation_bandwidth", "frequency_bandwidth", "f1_f0", "suppression")
DESCRIBED += ("summation_diameter", "c50", "contrast_exponent")


def tuning_by_layer(tables: Sequence[Path], output: Path, n_bootstrap: int, seed: int) -> None:
    """Write the summary of tuning, a row for each layer or readout, and property.

    `n_units`, `n_responding` and `n_known` count the units shown gratings, those that respond, and those with a value.
    For orientation and spatial frequency, `n_known` counts the units that are tuned.
    `median`, `quartile_low` and `quartile_high` are those of the values, with a 95 % interval of the median over
    bootstrap samples of units. Orientations have none, as they lie on a circle.

    `orientation` and `spatial frequency` are compared with V1 as in `ventral.statistics.v1.filter_distances`. Units
    that do not respond, are not tuned to the property, or lie outside the published bins, fall in no bin.
    `ks_shuffled` is the distance of units whose responses are in random order. Rows with the property `all` have the
    means of the distances over both. Spatial frequencies also have rows for other fields of view, whose
    `degrees_times` is not 1.

    Parameters
    ----------
    tables : sequence of paths
        Tables from `ventral.in_silico.tuning`.
    output : path
        CSV to write.
    n_bootstrap, seed : int
        Number of bootstrap samples, and the seed of their draws.
    """
    table = pd.concat([read_parquet(path) for path in tables], ignore_index=True)
    groups = table.groupby(["model", "recording", "layer"], sort=False)
    rows = [row for _, of_layer in groups for row in _rows(of_layer, n_bootstrap, seed)]
    with writing(output) as unfinished:
        pd.DataFrame(rows).to_csv(unfinished, index=False, lineterminator="\n")


def _rows(of_layer: pd.DataFrame, n_bootstrap: int, seed: int) -> Iterator[dict]:
    own = of_layer[of_layer["kind"] == UNIT]
    told = {**own[LAYER].iloc[0], "n_units": len(own), "n_responding": int(own["responds"].sum())}
    found = {name: _compared(of_layer, name, n_bootstrap, seed) for name in COMPARED}
    means = {key: np.mean([values[key] for values in found.values()], axis=0) for key in found["orientation"]}
    described = {
        name: _described(own.loc[own[tuned], _column(name)], n_bootstrap, seed) for name, tuned in COMPARED.items()
    }
    for name in ("median", "quartile_low", "quartile_high", "median_low", "median_high"):
        # Orientations lie on a circle.
        described["orientation"][name] = np.nan
    for name, values in {**found, ALL: means}.items():
        yield {**told, "property": name, "degrees_times": 1.0, **described.get(name, {}), **_similarity(values)}
    name = "spatial frequency"
    for times in (times for times in FIELDS if times != 1):
        seen = of_layer.assign(spatial_frequency=of_layer["spatial_frequency"] / times)
        values = _similarity(_compared(seen, name, n_bootstrap, seed))
        yield {**told, "property": name, "degrees": told["degrees"] * times, "degrees_times": times, **values}
    for name in DESCRIBED:
        yield {**told, "property": name, "degrees_times": 1.0, **_described(own[name], n_bootstrap, seed)}


def _column(name: str) -> str:
    (column,) = PUBLISHED[name].columns
    return column


def _compared(of_layer: pd.DataFrame, name: str, n_bootstrap: int, seed: int) -> dict[str, NDArray | float]:
    published = PUBLISHED[name]
    bins = {
        kind: np.where(rows[COMPARED[name]], published.bins(rows), published.counts.size)
        for kind, rows in of_layer.groupby("kind")
    }
    return distances_from_v1(bins[UNIT], {SHUFFLED: bins[SHUFFLED]}, published, n_bootstrap, seed)


def _similarity(values: dict[str, NDArray | float]) -> dict[str, float]:
    """Return distances and similarity with their intervals, and the standard error of the similarity."""
    error = np.std(values["samples"], ddof=1) / (values["ks_shuffled"] - values["ks_v1"])
    return {**summary(values), "standard_error": float(error)}


def _described(values: pd.Series, n_bootstrap: int, seed: int) -> dict[str, float]:
    """Return the number, the median with its interval, and the quartiles of values, without NaN."""
    known = values.dropna().to_numpy(float)
    if not len(known):
        return {"n_known": 0}
    drawn = np.random.default_rng(seed).choice(known, (n_bootstrap, len(known)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    quartiles = dict(zip(("quartile_low", "median", "quartile_high"), np.percentile(known, [25, 50, 75]), strict=True))
    return {"n_known": len(known), **quartiles, "median_low": low, "median_high": high}
