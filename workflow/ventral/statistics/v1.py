"""Compare filters of first layers, or units, with published distributions of neurons in V1 of the macaque.

The counts are those of `VOneNet` (Dapello et al. 2020, NeurIPS 33), which read them from the publications.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.outputs import writing
from ventral.tables import read_parquet

# Kinds of filters: those of a model, and two without structure.
FILTER, SHUFFLED, RANDOM = "filter", "shuffled", "random"
MODEL = ["model", "architecture", "family", "layer"]
# Fields of view, as multiples of a model's own, for the sensitivity of spatial frequencies.
FIELDS = (0.5, 0.71, 1.0, 1.41, 2.0)
ALL = "all"
# Similarity to V1 above which filters count as like those of V1: half of the way from shuffled filters to V1 itself.
LIKE_V1 = 0.5


@dataclass(frozen=True)
class Published:
    """Counts of neurons of V1 in bins of one or two columns of the table of filters.

    Attributes
    ----------
    columns : tuple of str
    edges : (n_bins + 1,) array
        Edges of the bins, the same for all columns.
    counts : array
        Neurons in each bin, with one axis for each column.
    source : str
    """

    columns: tuple[str, ...]
    edges: NDArray
    counts: NDArray
    source: str

    @property
    def shares(self) -> NDArray:
        """Share of neurons in each bin."""
        return self.counts / self.counts.sum()

    def bins(self, filters: pd.DataFrame) -> NDArray[np.intp]:
        """Return the flat bin of each filter; the number of bins stands for a filter in no bin."""
        n = len(self.edges) - 1
        values = filters[[*self.columns]].to_numpy(float)
        if self.columns == ("orientation",):
            values = (values - self.edges[0]) % 180 + self.edges[0]
        places = np.searchsorted(self.edges, values, side="right") - 1
        inside = ((places >= 0) & (places < n)).all(axis=1)
        flat = np.ravel_multi_index(tuple(np.clip(places, 0, n - 1).T), self.counts.shape)
        return np.where(inside, flat, self.counts.size)


PUBLISHED = {
    "orientation": Published(
        ("orientation",),
        np.array([-22.5, 22.5, 67.5, 112.5, 157.5]),
        np.array([66, 49, 77, 54]),
        "De Valois et al. 1982a",
    ),
    "spatial frequency": Published(
        ("spatial_frequency",),
        np.array([0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8, 11.2]),
        np.array([4, 4, 8, 25, 32, 26, 28, 12, 8]),
        "De Valois et al. 1982b",
    ),
    "nx and ny": Published(
        ("nx", "ny"),
        np.logspace(-1, 0.2, 6),
        np.array([[2, 0, 1, 0, 0], [8, 9, 4, 1, 0], [1, 2, 19, 17, 3], [0, 0, 1, 7, 4], [0, 0, 0, 0, 0]]),
        "Ringach 2002",
    ),
}


def filter_distances(filters: Path, output: Path, n_bootstrap: int, seed: int) -> None:
    """Write the table of distances between filters and the published distributions.

    Filters that are no Gabors fall in no bin, as do values outside the published bins. `ks` is the Kolmogorov-Smirnov
    distance: the largest difference between cumulative shares, from any corner of the bins. `ks_shuffled` and
    `ks_random` are the distances of filters without structure. `ks_v1` compares two draws from the published counts:
    as many neurons as there are filters, and as many as were published. `similarity` is
    (ks_shuffled - ks) / (ks_shuffled - ks_v1): 0 for shuffled filters, 1 for V1. `score_gabors` is 1 - KS / KS_max over
    filters in the published bins alone (Marques et al. 2021), where KS_max is the largest possible distance. `auc` is
    the chance that a filter is fitted better than a shuffled one.

    `low` and `high` are the ends of 95 % intervals over bootstrap samples of filters, which are spread around the
    estimates. `p` tests whether the similarity differs from 0.5. Rows with the property `all` have the means of `ks`
    over properties. Spatial frequencies also have rows for other fields of view, whose `degrees_times` is not 1.

    Parameters
    ----------
    filters : path
        Table from `ventral.scores.first_layers.filters`.
    output : path
        CSV to write.
    n_bootstrap, seed : int
        Number of bootstrap samples, and the seed of their draws.
    """
    table = read_parquet(filters)
    rows = [row for _, of_model in table.groupby("model", sort=False) for row in _rows(of_model, n_bootstrap, seed)]
    with writing(output) as unfinished:
        pd.DataFrame(rows).to_csv(unfinished, index=False, lineterminator="\n")


def ks(shares: NDArray, others: NDArray, n_axes: int = 1) -> NDArray | float:
    """Return the largest difference between cumulative shares from any corner, over the last axes.

    In two dimensions this is the distance of Peacock 1983 (Monthly Notices of the Royal Astronomical Society 202:615)
    on bins.
    """
    difference = np.asarray(shares) - others
    axes = tuple(range(-n_axes, 0))
    largest = [_cumulative(difference, axes, corner).max(axis=axes) for corner in product([1, -1], repeat=n_axes)]
    return np.max(largest, axis=0)


def _cumulative(difference: NDArray, axes: tuple[int, ...], corner: tuple[int, ...]) -> NDArray:
    backwards = [axis for axis, step in zip(axes, corner, strict=True) if step < 0]
    summed = np.flip(difference, backwards)
    for axis in axes:
        summed = summed.cumsum(axis=axis)
    return np.abs(summed)


def largest_ks(published: Published) -> float:
    """Return the largest distance that filters in the published bins can have."""
    n = published.counts.size
    single = np.eye(n).reshape(n, *published.counts.shape)
    return float(ks(single, published.shares, published.counts.ndim).max())


def _rows(of_model: pd.DataFrame, n_bootstrap: int, seed: int) -> Iterator[dict]:
    own = of_model[of_model["kind"] == FILTER]
    smallest = own.loc[(own["rows"] * own["columns"]).idxmin()]
    told = {**smallest[MODEL], "kernel": f"{smallest['rows']} x {smallest['columns']}"}
    told |= {"determined": bool(smallest["determined"]), "n_filters": len(own)}
    told |= {"n_gabors": int(own["gabor"].sum()), "auc": _auc(of_model)}
    degrees = own["degrees"].iloc[0]
    found = {name: _compared(of_model, published, n_bootstrap, seed) for name, published in PUBLISHED.items()}
    means = {key: np.mean([values[key] for values in found.values()], axis=0) for key in next(iter(found.values()))}
    for name, values in {**found, ALL: means}.items():
        yield {**told, "property": name, "degrees": degrees, "degrees_times": 1.0, **summary(values)}
    name = "spatial frequency"
    for times in (times for times in FIELDS if times != 1):
        seen = of_model.assign(spatial_frequency=of_model["spatial_frequency"] / times)
        values = _compared(seen, PUBLISHED[name], n_bootstrap, seed)
        yield {**told, "property": name, "degrees": degrees * times, "degrees_times": times, **summary(values)}


def _auc(of_model: pd.DataFrame) -> float:
    own, shuffled = (of_model.loc[of_model["kind"] == kind, "r2"].dropna().to_numpy() for kind in (FILTER, SHUFFLED))
    return float(np.mean((own[:, None] > shuffled) + 0.5 * (own[:, None] == shuffled))) if len(own) else np.nan


def _compared(of_model: pd.DataFrame, published: Published, n_bootstrap: int, seed: int) -> dict[str, NDArray | float]:
    """Return distances of a model's filters, of samples of these filters, and of the filters to compare with."""
    bins = {kind: _bins_of_gabors(rows, published) for kind, rows in of_model.groupby("kind")}
    own = bins[FILTER]
    inside = own[own < published.counts.size]
    found = distances_from_v1(own, {kind: bins[kind] for kind in (SHUFFLED, RANDOM)}, published, n_bootstrap, seed)
    score = 1 - _distance(inside, published)[0] / largest_ks(published) if len(inside) else np.nan
    return {**found, "score_gabors": score}


def distances_from_v1(
    own: NDArray[np.intp],
    without_structure: Mapping[str, NDArray[np.intp]],
    published: Published,
    n_bootstrap: int,
    seed: int,
) -> dict[str, NDArray | float]:
    """Return the distances of filters or units from the published distribution.

    Parameters
    ----------
    own : (n,) array
        Bin of each, from `Published.bins`; the number of bins stands for one in no bin.
    without_structure : mapping of arrays
        Bins of those without structure, by kind.
    published : Published
    n_bootstrap, seed : int
        Number of bootstrap samples, and the seed of their draws.

    Returns
    -------
    dict
        `ks`; `samples` (n_bootstrap,), the distances of bootstrap samples; `ks_KIND` for each kind without structure;
        and `ks_v1`, the mean distance of as many neurons.
    """
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), n_bootstrap).astype(float)
    return {
        "ks": _distance(own, published)[0],
        "samples": _distance(own, published, weights),
        **{f"ks_{kind}": _distance(bins, published)[0] for kind, bins in without_structure.items()},
        "ks_v1": _ks_of_v1(published, len(own), n_bootstrap, rng),
    }


def _distance(bins: NDArray, published: Published, weights: NDArray | None = None) -> NDArray:
    """Return the distance for each row of weights (samples, n) of the bins (n,)."""
    weights = np.ones((1, len(bins))) if weights is None else weights
    # The last bin is that of filters in no bin.
    counts = np.stack([weights[:, bins == k].sum(axis=1) for k in range(published.counts.size)], axis=1)
    shares = (counts / weights.sum(axis=1)[:, None]).reshape(-1, *published.counts.shape)
    return ks(shares, published.shares, published.counts.ndim)


def _bins_of_gabors(filters: pd.DataFrame, published: Published) -> NDArray[np.intp]:
    return np.where(filters["gabor"], published.bins(filters), published.counts.size)


def _ks_of_v1(published: Published, n: int, n_draws: int, rng: np.random.Generator) -> float:
    """Return the mean distance between n neurons and as many as were published, both drawn from the counts."""
    shape = n_draws, *published.counts.shape
    drawn = [rng.multinomial(m, published.shares.ravel(), n_draws) / m for m in (n, published.counts.sum())]
    return float(ks(*(shares.reshape(shape) for shares in drawn), published.counts.ndim).mean())


def summary(values: Mapping[str, NDArray | float]) -> dict[str, float]:
    """Return estimates with their intervals from distances, such as those of `distances_from_v1`."""
    estimate, samples = values["ks"], values["samples"]
    # Samples of filters are further from V1 than the filters themselves, on average.
    samples = np.clip(samples - samples.mean() + estimate, 0, 1)
    others = {name: float(value) for name, value in values.items() if name not in ("ks", "samples")}

    def similarity(distance: NDArray | float) -> NDArray | float:
        return (values["ks_shuffled"] - distance) / (values["ks_shuffled"] - values["ks_v1"])

    resampled = similarity(samples)
    below = np.mean(resampled <= LIKE_V1), np.mean(resampled >= LIKE_V1)
    return {
        **_with_interval("ks", estimate, samples),
        **others,
        **_with_interval("similarity", similarity(estimate), resampled),
        "p": float(min(1.0, 2 * max(min(below), 1 / (len(samples) + 1)))),
    }


def _with_interval(name: str, estimate: float, samples: NDArray) -> dict[str, float]:
    low, high = np.percentile(samples, [2.5, 97.5])
    return {name: float(estimate), f"{name}_low": float(low), f"{name}_high": float(high)}
