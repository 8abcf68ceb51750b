"""What the score table says of whole areas, over neuroids or subjects, with intervals, and its relation to a label."""

import logging
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.grams.recorded import FAMILY
from ventral.tables import read_parquet

logger = logging.getLogger(__name__)

COLUMNS = [
    "model",
    "family",
    "layer",
    "depth",
    "recording",
    "area",
    "time_bin",
    "target",
    "target_kind",
    "split",
    "mapping",
    "distance",
    "comparison",
    "subject",
    "r",
    "reliability",
    "predictivity",
    "r_even",
    "reliability_even",
    "r_odd",
    "reliability_odd",
    "ceiling_low",
    "ceiling_high",
    "balanced_accuracy",
    "chance",
]
PANEL = ["recording", "area", "time_bin", "split", "mapping"]
# Of mappings that compare without a fit, a panel has one way to.
COMPARED = [*PANEL, "distance", "comparison"]
# What is recorded, one or the other: an area is summarised over its neuroids, or over its matrices or their subjects.
RECORDED = ("neuron", "matrix")
FEWEST_POINTS = 4


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read a score table that has scores of neuroids or of dissimilarity matrices, or no rows, where nothing is scored.

    Parameters
    ----------
    path : path
        Parquet file.

    Returns
    -------
    DataFrame
        The columns that summaries need. The `target` of a matrix of several subjects names the subject, too.

    Raises
    ------
    InputError
        If there is no such table, or it was damaged, lacks columns, or has rows, but none of neuroids or matrices.
    """
    scores = read_parquet(path)
    missing = [column for column in COLUMNS if column not in scores]
    if missing:
        raise InputError(
            f"{path}: not a score table: it lacks the columns {', '.join(missing)}; if an older version wrote it, "
            f"delete it and the folder `scores` beside it, and start the same command again: both are made anew"
        )
    if len(scores) and not scores["target_kind"].isin(RECORDED).any():
        raise InputError(
            f"{path}: {len(scores)} rows, none with target_kind 'neuron' or 'matrix'; score a recording with at least "
            f"one neuroid that responds differently to different stimuli, or a dissimilarity matrix"
        )
    # Layers that predict together have no depth, and a table of their own.
    scores = scores.loc[scores["mapping"] != "banded", COLUMNS]
    of_subject = scores["subject"].notna()
    named = scores["target"] + ", subject " + scores["subject"].astype("Int64").astype("string")
    return scores.assign(target=scores["target"].where(~of_subject, named))


def area_summary(scores: pd.DataFrame, reliability_threshold: float, n_bootstrap: int, seed: int) -> pd.DataFrame:
    """Return the median over neuroids, or mean over matrices, of every layer, area, split and mapping, with intervals.

    Neuroids less reliable than the threshold, and those without a score, are left out and counted. An area of which no
    neuroid has a reliability was recorded without repetitions: all its neuroids are taken, and there is no ceiling.
    Matrices stand for neuroids in rows of RSA and CKA: there is one of an area's neuroids, and a published one for
    each subject.

    Intervals, of 95 %, are percentiles of the medians of bootstrap samples of neuroids, or of the means of bootstrap
    samples of subjects (Efron 1979, Annals of Statistics 7:1).
    All layers of all models are resampled alike, so that their differences are those of paired samples, and so are all
    bins of time of an area.

    Parameters
    ----------
    scores : DataFrame
        Score table, its rows in any order.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken.
    n_bootstrap, seed : int
        Number of bootstrap samples, and the seed of their draw.

    Returns
    -------
    DataFrame
        Sorted by `recording`, `area`, `time_bin`, `split`, `mapping`, `distance`, `comparison`, `model`, `depth`,
        `layer`, with `family`, `predictivity` (NaN without repetitions) and `r` (medians or means over the same
        neuroids or subjects), the ends of their intervals `predictivity_low`, `predictivity_high`, `r_low`, `r_high`
        (NaN with fewer than two), `n_neuroids` (or matrices), `n_left_out`, `has_ceiling`, and `ceiling_low` and
        `ceiling_high`, the noise ceiling of r over subjects (NaN where there are none).
    """
    neurons = scores[scores["target_kind"].isin(RECORDED)]
    columns = [*COMPARED, "model", "family", "layer", "depth"]
    columns += [f"{measure}{end}" for measure in ("predictivity", "r") for end in ("", "_low", "_high")]
    columns += ["n_neuroids", "n_left_out", "has_ceiling", "ceiling_low", "ceiling_high"]
    over_bins = [name for name in COMPARED if name != "time_bin"]
    panels = [
        panel.assign(**dict(zip(over_bins, of, strict=True)))
        for of, rows in neurons.groupby(over_bins)
        for panel in _summaries_in_bins(rows, reliability_threshold, n_bootstrap, seed)
    ]
    if not panels:
        numbers = dict.fromkeys(columns[columns.index("depth") :], float)
        return pd.DataFrame(columns=columns).astype(numbers | {"has_ceiling": bool})
    return pd.concat(panels)[columns].sort_values(COMPARED, kind="stable", ignore_index=True)


def warn_of_empty_panels(summary: pd.DataFrame, reliability_threshold: float) -> None:
    """Name the panels of `area_summary` of which no neuroid or matrix is taken, in a warning."""
    taken = summary.groupby(COMPARED)["n_neuroids"].max()
    empty = [", ".join(filter(None, panel)) for panel in taken[taken == 0].index]
    if empty:
        logger.warning(
            "no neuroid or matrix has a score and, where there are repetitions, a reliability of %g or more "
            "(`reliability_threshold`), so that nothing is summarised: %s",
            reliability_threshold,
            shown(empty),
        )


def drawn_measure(summary: pd.DataFrame) -> pd.DataFrame:
    """Return `median`, `low` and `high` of each row: of predictivity where there is a ceiling, else of r.

    Of matrices, `median` is the mean.
    """
    return pd.DataFrame(
        {
            name: summary[f"predictivity{end}"].where(summary["has_ceiling"], summary[f"r{end}"])
            for name, end in (("median", ""), ("low", "_low"), ("high", "_high"))
        }
    )


def models_by_predictivity(summary: pd.DataFrame) -> list[str]:
    """Return the models, the one with the highest median of any layer first; by raw r where no recording has a ceiling.

    Models of which nothing is known come last, and equal ones by name.
    """
    best = summary.groupby("model")[["predictivity", "r"]].max().fillna(-np.inf).sort_index()
    return best.sort_values(["predictivity", "r"], ascending=False, kind="stable").index.tolist()


def categorisation_summary(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the area summary with how well labels are read from each layer, and how the two go together.

    Parameters
    ----------
    scores : DataFrame
        Score table. Accuracies are those of a support vector machine on held-out stimuli, whatever the split that
        predictivity is of: how well a layer tells objects apart is a property of the layer.
    summary : DataFrame
        From `area_summary`.

    Returns
    -------
    DataFrame
        The rows of `summary`, once for each label (`object`, `category`) of its stimuli, with `label`,
        `balanced_accuracy`, `chance`, `best_layer` (of its model in this panel, by the median over neuroids), and, of
        all layers in the panel, `n_points` and the `correlation` of the two with `correlation_low` and
        `correlation_high`; and the same with the prefix `models_`, of the best layers alone, one point a model. Where a
        recording's stimuli have no scored label, `label` is '' and these are NaN.
    """
    # How models compare is asked of models: a recorded area is none.
    summary = summary[summary["family"] != FAMILY]
    accuracies = scores.query("target_kind == 'category' and mapping == 'svm' and split == 'stimuli'")
    accuracies = accuracies[["recording", "model", "layer", "target", "balanced_accuracy", "chance"]]
    points = summary.assign(best_layer=_is_best(summary)).merge(
        accuracies.rename(columns={"target": "label"}), on=["recording", "model", "layer"], how="left"
    )
    points = points.astype({"balanced_accuracy": float, "chance": float}).fillna({"label": ""})
    points["median"] = drawn_measure(points)["median"]
    panel = [*COMPARED, "label"]
    correlations = [dict(zip(panel, key, strict=True)) | _correlations(rows) for key, rows in points.groupby(panel)]
    correlations = pd.DataFrame(correlations, columns=[*panel, *_correlations(points.head(0))])
    points = points.drop(columns="median").merge(correlations, on=panel)
    return points.sort_values([*panel, "model", "depth", "layer"], ignore_index=True)


def range_in_words(counts: pd.Series) -> str:
    """Return the smallest and the largest of some counts; one number where they are the same."""
    return f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"


def _correlations(points: pd.DataFrame) -> dict[str, float]:
    best = points[points["best_layer"]]
    of_models = correlation(best["balanced_accuracy"], best["median"])
    return correlation(points["balanced_accuracy"], points["median"]) | {
        f"models_{name}": value for name, value in of_models.items()
    }


def correlation(x: pd.Series, y: pd.Series) -> dict[str, float]:
    """Return Pearson's r over the pairs that are complete, with a 95 % interval by Fisher's z (1921, Metron 1:3).

    Returns
    -------
    dict
        `n_points`; `correlation`, NaN with fewer than three pairs or where x or y does not vary; `correlation_low` and
        `correlation_high`, NaN with fewer than four.
    """
    pairs = pd.DataFrame({"x": np.asarray(x), "y": np.asarray(y)}).dropna().to_numpy(float)
    n = len(pairs)
    r = low = high = np.nan
    if n >= FEWEST_POINTS - 1 and (np.ptp(pairs, axis=0) > 0).all():
        r = float(np.clip(np.corrcoef(pairs.T)[0, 1], -1, 1))
        if n >= FEWEST_POINTS:
            with np.errstate(divide="ignore"):
                z = np.arctanh(r)
            low, high = np.tanh(z + NormalDist().inv_cdf(0.975) / np.sqrt(n - 3) * np.array([-1, 1])).tolist()
    return {"n_points": n, "correlation": r, "correlation_low": low, "correlation_high": high}


def bootstrap_medians(values: NDArray[np.float64], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return the medians over bootstrap samples of neuroids, the same samples for all layers.

    Parameters
    ----------
    values : (layers, neuroids) array
        A layer's median is over those of a sample's neuroids that it has a value for.
    n_bootstrap, seed : int
        Number of samples, and the seed of their draw.

    Returns
    -------
    (layers, n_bootstrap) array
        NaN where a layer has no value for any neuroid of a sample.
    """
    n = values.shape[1]
    return medians_of_samples(values, np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap))


def bootstrap_means(values: NDArray[np.float64], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return the means over bootstrap samples of subjects, as `bootstrap_medians` does over those of neuroids."""
    n = values.shape[1]
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    known = np.isfinite(values)
    drawn = known.astype(float) @ counts.T
    return np.where(known, values, 0) @ counts.T / np.where(drawn > 0, drawn, np.nan)


def medians_of_samples(values: NDArray[np.float64], counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the median of each layer's values (layers, neuroids) in samples that have neuroid k `counts` times.

    Parameters
    ----------
    values : (layers, neuroids) array
        NaN is in no sample.
    counts : (samples, neuroids) array

    Returns
    -------
    (layers, samples) array
        NaN where a layer has no value for any neuroid of a sample.
    """
    return np.stack([_medians_of_samples(of_layer, counts) for of_layer in values])


def _medians_of_samples(values: NDArray, counts: NDArray) -> NDArray:
    # A sample says how often it has each value: its median is found by counting up through the sorted values, which
    # are sorted once.
    order = np.argsort(values)[: np.isfinite(values).sum()]
    up_to = np.cumsum(counts[:, order], axis=1)
    size = up_to[:, -1:] if len(order) else np.zeros((len(counts), 1), int)
    ranked = np.append(values[order], np.nan)
    lower = (up_to < (size + 1) // 2).sum(axis=1)
    upper = (up_to < size // 2 + 1).sum(axis=1)
    return (ranked[lower] + ranked[upper]) / 2


def panel_values(rows: pd.DataFrame, threshold: float) -> tuple[dict[str, pd.DataFrame], bool]:
    """Return the scores of one panel's neuroids, a row for each layer, a column for each neuroid.

    Parameters
    ----------
    rows : DataFrame
        Of the score table, those of one panel.
    threshold : float
        Lowest reliability of a neuroid that is taken; without repetitions, all are.

    Returns
    -------
    values : dict of DataFrame
        `predictivity` and `r`, by `model`, `family`, `depth` and `layer`; NaN for what is not taken or not defined.
    has_ceiling : bool
        Whether any neuroid has a reliability.
    """
    reliability = rows.groupby("target")["reliability"].first()
    has_ceiling = bool(reliability.notna().any())
    reliable = (reliability >= threshold).to_numpy() if has_ceiling else np.full(len(reliability), True)
    values = {
        measure: rows.pivot(index=["model", "family", "depth", "layer"], columns="target", values=measure)[
            reliability.index
        ]
        for measure in ("predictivity", "r")
    }
    taken = values["predictivity" if has_ceiling else "r"].notna() & reliable
    return {measure: table.where(taken) for measure, table in values.items()}, has_ceiling


def values_in_bins(
    rows: pd.DataFrame, threshold: float
) -> tuple[dict[str, tuple[dict[str, pd.DataFrame], bool]], NDArray[np.bool_]]:
    """Return the scores of one panel's neuroids in each bin of time, the same neuroids as columns in all bins.

    Parameters
    ----------
    rows : DataFrame
        Of the score table, those of one panel in all bins.
    threshold : float
        As for `panel_values`.

    Returns
    -------
    values : dict of (dict of DataFrame, bool)
        By bin, as from `panel_values`; NaN for a neuroid that is not in a bin.
    members : (neuroids,) boolean array
        Which neuroids are taken in any bin: samples of them serve all bins.
    """
    found = {time_bin: panel_values(of_bin, threshold) for time_bin, of_bin in rows.groupby("time_bin")}
    names = reduce(pd.Index.union, [values["r"].columns for values, _ in found.values()])
    values = {
        time_bin: ({name: _with_columns(table, names) for name, table in tables.items()}, has_ceiling)
        for time_bin, (tables, has_ceiling) in found.items()
    }
    return values, np.any([taken_of(*of_bin).any(axis=0) for of_bin in values.values()], axis=0)


def taken_of(values: dict[str, pd.DataFrame], has_ceiling: bool) -> NDArray[np.bool_]:
    """Return which neuroids are taken for which layer (layers, neuroids), given what `panel_values` returns."""
    return values["predictivity" if has_ceiling else "r"].notna().to_numpy()


def _with_columns(table: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    return table if table.columns.equals(names) else table.reindex(columns=names)


def _summaries_in_bins(rows: pd.DataFrame, threshold: float, n_bootstrap: int, seed: int) -> Iterator[pd.DataFrame]:
    """Give the summary of a panel in each of its bins of time."""
    of_bins, members = values_in_bins(rows, threshold)
    of_matrices = rows["target_kind"].iloc[0] == "matrix"
    for time_bin, (values, has_ceiling) in of_bins.items():
        of_bin = rows[rows["time_bin"] == time_bin]
        n_neuroids = taken_of(values, has_ceiling).sum(axis=1)
        summary = values["r"].index.to_frame(index=False)
        for measure, table in values.items():
            summary[measure], summary[f"{measure}_low"], summary[f"{measure}_high"] = _centre_and_interval(
                table.to_numpy(float)[:, members], n_bootstrap, seed, of_matrices
            )
        ceilings = of_bin.drop_duplicates("target")[["ceiling_low", "ceiling_high"]].astype(float).mean()
        yield summary.assign(
            n_neuroids=n_neuroids,
            n_left_out=of_bin["target"].nunique() - n_neuroids,
            has_ceiling=has_ceiling,
            time_bin=time_bin,
            **ceilings,
        )


def _centre_and_interval(values: NDArray, n_bootstrap: int, seed: int, of_matrices: bool) -> NDArray:
    """Return median, or mean of matrices, low and high (3, layers) of values (layers, neuroids)."""
    centre, resampled = (np.nanmean, bootstrap_means) if of_matrices else (np.nanmedian, bootstrap_medians)
    known = np.isfinite(values).sum(axis=1)
    result = np.full((3, len(values)), np.nan)
    if known.any():
        result[0, known > 0] = centre(values[known > 0], axis=1)
        samples = resampled(values, n_bootstrap, seed)[known > 1]
        result[1:, known > 1] = np.nanpercentile(samples, [2.5, 97.5], axis=1) if len(samples) else np.nan
    return result


def _is_best(summary: pd.DataFrame) -> NDArray[np.bool_]:
    medians = drawn_measure(summary)["median"].fillna(-np.inf)
    best = medians.groupby([summary[column] for column in (*COMPARED, "model")]).idxmax()
    return summary.index.isin(best) & np.isfinite(medians)
