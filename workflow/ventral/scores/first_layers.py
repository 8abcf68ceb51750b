"""Fit Gabor functions to the filters of models' first layers, and to filters without structure beside them."""

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.mappings.gabors import N_PARAMETERS, fit_gabors, principal_maps
from ventral.models.zoo import completed, family
from ventral.outputs import writing
from ventral.statistics.v1 import FILTER, RANDOM, SHUFFLED
from ventral.tables import write_parquet

logger = logging.getLogger(__name__)

# Number of filters without structure, of each kind, for each model.
N_WITHOUT_STRUCTURE = 100
# A filter counts as a Gabor if its fit is better than this share of fits to shuffled filters.
LEVEL = 0.95
# With fewer pixels for each number of a fit, Gabors fit almost anything.
PIXELS_PER_PARAMETER = 2


def filters(specs: Sequence[dict], output: Path, degrees: float, seed: int) -> None:
    """Write the table of filters of the first layers of some models, with their fits.

    Parameters
    ----------
    specs : sequence of dict
        Models, from `resolve_model`.
    output : path
        Parquet file to write, a row for each filter. `kind` is `filter`, or `shuffled` for a filter whose pixels were
        permuted, or `random` for independent normal weights. `map` has the values along the principal colour axis,
        row by row. `colour` is the axis, and `colour_share` the share of the sum of squares on it. The columns of
        `ventral.mappings.gabors.fit_gabors` follow. `spatial_frequency` is in cycles per degree. `nx` and `ny` are
        the standard deviations of the envelope in cycles (Ringach 2002), and `aspect` is ny over nx. `r2_shuffled` is
        the 95 % quantile of r2 over shuffled filters of the same module; `gabor` says whether r2 is above it.
        `determined` says whether the kernel has at least two pixels for each number of a fit.
    degrees : float
        Degrees that the input of a model spans, unless the model has its own `degrees`.
    seed : int
        Seed of the filters without structure.

    Raises
    ------
    InputError
        As for `ventral.models.first_layer.first_filters`.
    """
    tables = [_filters_of_model(spec, degrees, seed) for spec in specs]
    with writing(output) as unfinished:
        write_parquet(pd.concat(tables, ignore_index=True), unfinished)


def _filters_of_model(spec: dict, degrees: float, seed: int) -> pd.DataFrame:
    from ventral.models.first_layer import first_filters

    spec = completed(spec)
    degrees = spec.get("degrees") or degrees
    found = first_filters(spec)
    n = math.ceil(N_WITHOUT_STRUCTURE / len(found))
    table = pd.concat([fitted_filters(weights, n, seed).assign(layer=name) for name, weights in found])
    table = table.reset_index(drop=True)
    own = table[table["kind"] == FILTER]
    logger.info("%s: %d of %d filters are Gabors", spec["name"], own["gabor"].sum(), len(own))
    named = {"model": spec["name"], "architecture": spec["architecture"], "family": family(spec)}
    table = table.assign(
        **named,
        degrees=float(degrees),
        spatial_frequency=table["frequency"] * spec["size"] / degrees,
    )
    first = [*named, "layer", "kind", "number", "degrees"]
    return table[[*first, *table.columns.difference(first, sort=False)]]


def fitted_filters(weights: NDArray, n_without_structure: int, seed: int) -> pd.DataFrame:
    """Return the fits of a module's filters, and of filters without structure beside them.

    Parameters
    ----------
    weights : (n, channels, rows, columns) array
    n_without_structure : int
        Number of filters without structure, of each kind.
    seed : int
        Seed of the filters without structure.

    Returns
    -------
    DataFrame
        Columns of `filters` from `kind` on, without those in degrees.
    """
    kinds = {FILTER: weights, **_without_structure(weights, n_without_structure, seed)}
    table = pd.concat(_fits(kinds), ignore_index=True)
    limit = table.loc[table["kind"] == SHUFFLED, "r2"].quantile(LEVEL)
    return table.assign(
        nx=table["sigma_x"] * table["frequency"],
        ny=table["sigma_y"] * table["frequency"],
        aspect=table["sigma_y"] / table["sigma_x"],
        r2_shuffled=limit,
        gabor=table["r2"] > limit,
        determined=weights[0, 0].size >= PIXELS_PER_PARAMETER * N_PARAMETERS,
    )


def _without_structure(weights: NDArray, n: int, seed: int) -> dict[str, NDArray]:
    rng = np.random.default_rng(seed)
    shape = n, *weights.shape[1:]
    chosen = weights[np.arange(n) % len(weights)].reshape(*shape[:2], -1)
    # All channels of a pixel move together, so that colours stay.
    places = rng.permuted(np.tile(np.arange(chosen.shape[2]), (n, 1)), axis=1)
    shuffled = np.take_along_axis(chosen, places[:, None], axis=2)
    return {SHUFFLED: shuffled.reshape(shape), RANDOM: rng.normal(size=shape)}


def _fits(kinds: dict[str, NDArray]) -> Iterator[pd.DataFrame]:
    for kind, weights in kinds.items():
        maps, colours, shares = principal_maps(weights)
        _, rows, columns = maps.shape
        told = pd.DataFrame({"kind": kind, "number": np.arange(len(maps)), "rows": rows, "columns": columns})
        seen = {"map": list(maps.reshape(len(maps), -1)), "colour": list(colours), "colour_share": shares}
        yield pd.concat([told.assign(**seen), fit_gabors(maps)], axis=1)
