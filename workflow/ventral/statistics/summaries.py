"""What the score table says of whole areas, over neuroids or subjects, with intervals, and its relation to a label."""

import logging
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.grams.recorded import FAMILY
from ventral.tables import read_parquet
from ventral.targets.ceilings import HALVES
from ventral.targets.reliability import FEWEST_OF_SAMPLE
from ventral.targets.selection import attainable, ceilings_of_chosen, over_ceilings

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
    "n_stimuli",
    "r",
    "r_error",
    "reliability",
    "predictivity",
    "marked",
    "r_even",
    "reliability_even",
    "r_odd",
    "reliability_odd",
    "given_ceiling",
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
# Of fewer points there is no correlation.
FEWEST_POINTS = 3
LAYER = ["model", "family", "depth", "layer"]


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


def area_summary(
    scores: pd.DataFrame,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    errors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the median over neuroids, or mean over matrices, of every layer, area, split and mapping, with intervals.

    The predictivity of an area is by neuroids that were chosen on other folds than those they are scored on, as in
    `ventral.targets.selection`: those with a reliability within odd folds of at least the threshold are scored on even
    folds, by the median of r / sqrt(reliability) there, and the other way; the two medians are averaged. Noise that
    raises an estimate of reliability would otherwise choose the neuroids whose score is divided by too much. A chosen
    neuroid with a reliability of 0 or less where it is scored counts as beyond all others. Neuroids that no way takes
    are counted as left out, and so are those without a score.

    Beside it stands the sum ratio sqrt(sum r |r| / sum reliability) over all neuroids, which needs no threshold.

    An area of which no neuroid has a reliability was recorded without repetitions: r is raw, and all its neuroids are
    taken but those whose given ceiling, squared, is below the threshold. Matrices stand for neuroids in rows of RSA and
    CKA: there is one of an area's neuroids, and a published one for each subject; those less reliable than the
    threshold are left out.

    Intervals, of 95 %, are percentiles of the same number in bootstrap samples of neuroids (Efron 1979, Annals of
    Statistics 7:1), and of matrices those of `matrix_intervals`, over stimuli and, where there are several, subjects.
    All layers of all models are resampled alike, so that their differences are those of paired samples, and so are all
    bins of time of an area. Where `errors` has an error of a layer, the intervals of r and of predictivity are over
    stimuli, or over held-out objects or categories, as well (`with_unit_errors`).

    Parameters
    ----------
    scores : DataFrame
        Score table, its rows in any order.
    reliability_threshold : float
        Lowest reliability within half of the folds of a neuroid that is scored on the others.
    n_bootstrap, seed : int
        Number of bootstrap samples, and the seed of their draw.
    errors : DataFrame, optional
        From `ventral.statistics.influence_table.sampling_errors`.

    Returns
    -------
    DataFrame
        Sorted by `recording`, `area`, `time_bin`, `split`, `mapping`, `distance`, `comparison`, `model`, `depth`,
        `layer`, with `family`, `predictivity` and `summed` (NaN without repetitions, and `summed` of matrices), `r`
        (median or mean over the neuroids that either way takes, or subjects), the ends of their intervals
        `predictivity_low`, `predictivity_high` and so on (NaN with fewer than two, or where infinite), `n_neuroids` (or
        matrices) that either way takes, `interval_over` (what the intervals of r and predictivity are over: `neurons`,
        `stimuli and neurons`, `objects and neurons` and so on; of matrices `stimuli`, `stimuli and subjects`; '' where
        there is none), `n_left_out`, `n_unreliable` (neuroids with a reliability of 0 or less over all
        folds), `has_ceiling`, and `ceiling_low` and `ceiling_high`, the noise ceiling of r over subjects (NaN where
        there are none). `n_marked` counts those of `n_neuroids` whose corrected score is `marked` in the score table.
    """
    neurons = scores[scores["target_kind"].isin(RECORDED)]
    columns = [*COMPARED, "model", "family", "layer", "depth"]
    columns += [f"{measure}{end}" for measure in ("predictivity", "summed", "r") for end in ("", "_low", "_high")]
    columns += ["n_neuroids", "n_left_out", "n_unreliable", "n_marked", "has_ceiling", "ceiling_low", "ceiling_high"]
    columns += ["interval_over"]
    over_bins = [name for name in COMPARED if name != "time_bin"]
    panels = [
        panel.assign(**dict(zip(over_bins, of, strict=True)))
        for of, rows in neurons.groupby(over_bins)
        for panel in _summaries_in_bins(rows, reliability_threshold, n_bootstrap, seed)
    ]
    if not panels:
        numbers = dict.fromkeys(columns[columns.index("depth") :], float)
        return pd.DataFrame(columns=columns).astype(numbers | {"has_ceiling": bool, "interval_over": str})
    summary = pd.concat(panels).sort_values(COMPARED, kind="stable", ignore_index=True)
    return (summary if errors is None else with_unit_errors(summary, errors))[columns]


def with_unit_errors(summary: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Return an area summary whose intervals over neuroids are over stimuli or held-out groups as well.

    The error of a mean over neuroids for other stimuli is taken for that of the median: neuroids err alike. The two
    errors are independent, and an end lies sqrt(a^2 + b^2) from the number, with a its distance over neuroids, and b
    the error times the quantile of Student's t (Zou and Donner 2008, Statistics in Medicine 27:1693). Ceilings are
    held: an error of r over ceilings is that of r times the root of the median reliability.

    Parameters
    ----------
    summary : DataFrame
        Rows of `area_summary`, with the `root_reliability` of the neuroids that are taken.
    errors : DataFrame
        From `ventral.statistics.influence_table.sampling_errors`.
    """
    from scipy.special import stdtrit

    summary = summary.merge(errors, on=[*PANEL, "model", "layer"], how="left")
    known = (summary["unit_error"].notna() & (summary["interval_over"] == "neurons")).to_numpy()
    of_units = stdtrit(summary["n_units"].astype(float) - 1, 0.975) * summary["unit_error"]
    over_ceiling = summary["over_ceiling"].eq(True)
    root = summary["root_reliability"].where(summary["root_reliability"] > 0)
    of_measures = {
        "r": of_units.where(~over_ceiling, of_units * root),
        "predictivity": of_units.where(over_ceiling, of_units / root),
    }
    for measure, half in of_measures.items():
        centre = summary[measure]
        for end, sign in (("low", -1), ("high", 1)):
            moved = centre + sign * np.hypot(summary[f"{measure}_{end}"] - centre, half)
            summary[f"{measure}_{end}"] = moved.where(known, summary[f"{measure}_{end}"])
    over = summary["unit"].astype(object) + " and neurons"
    return summary.assign(interval_over=over.where(known, summary["interval_over"]))


def warn_of_empty_panels(summary: pd.DataFrame, reliability_threshold: float) -> None:
    """Name the panels of `area_summary` of which no neuroid or matrix is taken, in a warning."""
    taken = summary.groupby(COMPARED)["n_neuroids"].max()
    empty = [", ".join(filter(None, panel)) for panel in taken[taken == 0].index]
    if empty:
        logger.warning(
            "no neuroid or matrix has a score and, where there are repetitions, a reliability of %g or more "
            "(`reliability_threshold`) within half of the held-out parts, or of a single test set, of which each half "
            "needs more than %d stimuli, so that nothing is summarised: %s",
            reliability_threshold,
            FEWEST_OF_SAMPLE,
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
        all layers in the panel, `n_points` and the `correlation` of the two (Pearson's r); and the same with the prefix
        `models_`, of the best layers alone, one point a model. There are no intervals: layers of a network, and
        checkpoints of one training, are not independent. Where a recording's stimuli have no scored label, `label` is
        '' and these are NaN.
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
    of_models = _correlation(points[points["best_layer"]])
    return _correlation(points) | {f"models_{name}": value for name, value in of_models.items()}


def _correlation(points: pd.DataFrame) -> dict[str, float]:
    """Return Pearson's r of accuracies and medians, NaN with fewer than three points or where one does not vary."""
    pairs = points[["balanced_accuracy", "median"]].dropna().to_numpy(float)
    known = len(pairs) >= FEWEST_POINTS and (np.ptp(pairs, axis=0) > 0).all()
    return {"n_points": len(pairs), "correlation": float(np.corrcoef(pairs.T)[0, 1]) if known else np.nan}


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
    return medians_of_samples(values, _samples(values.shape[1], n_bootstrap, seed))


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
    order = np.argsort(values)[: (~np.isnan(values)).sum()]
    up_to = np.cumsum(counts[:, order], axis=1)
    size = up_to[:, -1:] if len(order) else np.zeros((len(counts), 1), int)
    ranked = np.append(values[order], np.nan)
    lower = (up_to < (size + 1) // 2).sum(axis=1)
    upper = (up_to < size // 2 + 1).sum(axis=1)
    # Between infinite values of either sign there is no median.
    with np.errstate(invalid="ignore"):
        return (ranked[lower] + ranked[upper]) / 2


def panel_values(rows: pd.DataFrame, threshold: float) -> tuple[dict[str, pd.DataFrame], bool]:
    """Return the scores over all folds of one panel's neuroids or matrices, those that are reliable over all folds.

    Parameters
    ----------
    rows : DataFrame
        Of the score table, those of one panel.
    threshold : float
        Lowest reliability of a neuroid that is taken; without repetitions, lowest square of a given ceiling.

    Returns
    -------
    values : dict of DataFrame
        `predictivity` and `r`, by `model`, `family`, `depth` and `layer`; NaN for what is not taken or not defined.
    has_ceiling : bool
        Whether any neuroid has a reliability.
    """
    reliability = rows.groupby("target")["reliability"].first()
    has_ceiling = bool(reliability.notna().any())
    given = rows.groupby("target")["given_ceiling"].first().to_numpy(float)
    reliable = (reliability >= threshold).to_numpy() if has_ceiling else attainable(given, threshold)
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
    summarise = _summaries_of_matrices if rows["target_kind"].iloc[0] == "matrix" else _summaries_of_neuroids
    for time_bin, summary in summarise(rows, threshold, n_bootstrap, seed):
        of_bin = rows[rows["time_bin"] == time_bin]
        ceilings = of_bin.drop_duplicates("target")[["ceiling_low", "ceiling_high"]].astype(float).mean()
        yield summary.assign(
            n_left_out=of_bin["target"].nunique() - summary["n_neuroids"], time_bin=time_bin, **ceilings
        )


def _summaries_of_matrices(
    rows: pd.DataFrame, threshold: float, n_bootstrap: int, seed: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    of_bins, members = values_in_bins(rows, threshold)
    for time_bin, (values, has_ceiling) in of_bins.items():
        summary = values["r"].index.to_frame(index=False)
        marked = values["r"].columns.isin(_marked(rows[rows["time_bin"] == time_bin]))
        summary["n_marked"] = taken_of(values, has_ceiling)[:, marked].sum(axis=1)
        for measure, table in values.items():
            numbers = table.to_numpy(float)[:, members]
            known = np.isfinite(numbers).sum(axis=1)
            summary[measure] = np.divide(
                np.nansum(numbers, axis=1), known, out=np.full(len(known), np.nan), where=known > 0
            )
        summary = summary.assign(**matrix_intervals(rows[rows["time_bin"] == time_bin], values))
        _add(summary, "summed", np.nan, np.full((len(summary), 1), np.nan), np.zeros(len(summary)))
        n_taken = taken_of(values, has_ceiling).sum(axis=1)
        yield (
            time_bin,
            summary.assign(n_neuroids=n_taken, n_unreliable=0, has_ceiling=has_ceiling, root_reliability=np.nan),
        )


def _summaries_of_neuroids(
    rows: pd.DataFrame, threshold: float, n_bootstrap: int, seed: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    names = pd.Index(np.unique(rows["target"].astype(str)))
    of_bins = {time_bin: numbers_of_neuroids(of_bin, names) for time_bin, of_bin in rows.groupby("time_bin")}
    ways = {time_bin: chosen_scores(numbers, threshold) for time_bin, (_, numbers) in of_bins.items()}
    taken = {time_bin: (~np.isnan(scores)).any(axis=0) for time_bin, scores in ways.items()}
    # Samples of these neuroids serve all bins.
    members = np.any([of_bin.any(axis=0) for of_bin in taken.values()], axis=0)
    counts = _samples(int(members.sum()), n_bootstrap, seed)
    for time_bin, (layers, numbers) in of_bins.items():
        summary, known = layers.to_frame(index=False), taken[time_bin].sum(axis=1)
        marked = names.isin(_marked(rows[rows["time_bin"] == time_bin]))
        summary["n_marked"] = taken[time_bin][:, marked].sum(axis=1)
        has_ceiling = bool(np.isfinite(numbers["reliability"]).any())
        scores = ways[time_bin][:, :, members]
        if has_ceiling:
            _add(summary, "predictivity", *(_mean_of_medians(scores, some) for some in (None, counts)), known)
        else:
            _add(summary, "predictivity", np.nan, np.full((len(summary), 1), np.nan), known)
        r = np.where(taken[time_bin], numbers["r"], np.nan)[:, members]
        _add(summary, "r", *(_mean_of_medians(r[None], some) for some in (None, counts)), known)
        both = np.isfinite(numbers["r"]) & np.isfinite(numbers["reliability"])
        scored = numbers["r"], numbers["reliability"], _samples(len(names), n_bootstrap, seed)
        _add(summary, "summed", *(_summed(*scored[:2], some) for some in (None, scored[2])), both.sum(axis=1))
        n_unreliable = (both & (numbers["reliability"] <= 0)).sum(axis=1)
        over = np.where(known > 1, "neurons", "")
        reliability = pd.DataFrame(np.where(taken[time_bin], numbers["reliability"], np.nan)).clip(lower=0)
        summary = summary.assign(root_reliability=np.sqrt(reliability.median(axis=1)).to_numpy())
        yield (
            time_bin,
            summary.assign(n_neuroids=known, n_unreliable=n_unreliable, has_ceiling=has_ceiling, interval_over=over),
        )


def _marked(rows: pd.DataFrame) -> NDArray:
    """Return the neuroids or matrices of a panel's rows whose corrected scores are marked."""
    return rows.loc[rows["marked"].eq(True).fillna(False), "target"].unique()


def matrix_intervals(rows: pd.DataFrame, values: dict[str, pd.DataFrame]) -> dict[str, NDArray]:
    """Return intervals of the mean over matrices, of each layer, for other stimuli and, of several matrices, subjects.

    The variance is that over stimuli plus that of the mean over subjects. The error over stimuli is the mean of the
    matrices' errors, which is too large as far as their errors are independent. The interval is one of Student's t on
    Fisher's z scale, whose degrees of freedom are those of Satterthwaite 1946 (Biometrics Bulletin 2:110). Ceilings are
    held.

    Parameters
    ----------
    rows : DataFrame
        Of the score table, those of one panel in one bin of time.
    values : dict of DataFrame
        From `panel_values`: `predictivity` and `r`, NaN for what is not taken.

    Returns
    -------
    dict of (layers,) arrays
        `r_low`, `r_high`, `predictivity_low`, `predictivity_high`, NaN where no error is known, and `interval_over`.
    """
    from scipy.special import stdtrit

    table = values["r"]
    errors, n_stimuli, reliability = (
        rows.pivot(index=table.index.names, columns="target", values=name)
        .reindex(index=table.index, columns=table.columns)
        .where(table.notna())
        .to_numpy(float)
        for name in ("r_error", "n_stimuli", "reliability")
    )
    taken = pd.DataFrame(table.to_numpy(float))
    count = taken.count(axis=1).to_numpy()
    centre, between = taken.mean(axis=1).to_numpy(), np.nan_to_num(taken.sem(axis=1).to_numpy()) ** 2
    over_stimuli = pd.DataFrame(errors).mean(axis=1).to_numpy() ** 2
    fewest = pd.DataFrame(n_stimuli).min(axis=1).to_numpy()
    variance = over_stimuli + between
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (over_stimuli**2 / (fewest - 1) + between**2 / np.maximum(count - 1, 1))
        half = stdtrit(freedom, 0.975) * np.sqrt(variance) / (1 - centre**2)
        ends = np.tanh(np.arctanh(centre) + half * np.array([[-1], [1]]))
        scale = np.sqrt(pd.DataFrame(reliability).mean(axis=1).to_numpy())
    over = np.select([np.isnan(ends[0]), count > 1], ["", "stimuli and subjects"], "stimuli")
    low, high = ends
    return {
        "r_low": low,
        "r_high": high,
        "predictivity_low": low / scale,
        "predictivity_high": high / scale,
        "interval_over": over,
    }


def numbers_of_neuroids(rows: pd.DataFrame, names: pd.Index) -> tuple[pd.MultiIndex, dict[str, NDArray[np.float64]]]:
    """Return numbers of the score table, a row for each layer, a column for each neuroid.

    Parameters
    ----------
    rows : DataFrame
        Of neuroids in one panel.
    names : Index
        Which neuroids.

    Returns
    -------
    layers : MultiIndex
        `model`, `family`, `depth` and `layer`.
    numbers : dict of (layers, neuroids) arrays
        `r` and `reliability`, over all folds and (`r_even` and so on) over each half of them; and `given_ceiling`.
    """
    columns = ["given_ceiling"]
    columns += [f"{name}{end}" for name in ("r", "reliability") for end in ("", *(f"_{half}" for half in HALVES))]
    table = rows.pivot(index=LAYER, columns="target", values=columns).astype(float)
    return table.index, {column: table[column].reindex(columns=names).to_numpy(float) for column in columns}


def chosen_scores(numbers: Mapping[str, NDArray[np.float64]], threshold: float) -> NDArray[np.float64]:
    """Return the scores within either half of the folds of neuroids that were chosen within the other.

    Parameters
    ----------
    numbers : mapping of (layers, neuroids) arrays
        From `numbers_of_neuroids`.
    threshold : float
        Lowest reliability of a chosen neuroid; one with a reliability of 0 or less is never chosen.

    Returns
    -------
    (2, layers, neuroids) array
        r / sqrt(reliability) within even and odd folds; infinite where that reliability is not positive, NaN where not
        chosen. Where no neuroid has a reliability, r over all folds, twice, of those whose given ceiling suffices.
    """
    if not np.isfinite(numbers["reliability"]).any():
        r = np.where(attainable(numbers["given_ceiling"], threshold), numbers["r"], np.nan)
        return np.stack([r, r])
    known = np.isfinite(numbers["r"]) & np.isfinite(numbers["reliability"])
    r, reliability = (np.stack([numbers[f"{name}_{half}"] for half in HALVES]) for name in ("r", "reliability"))
    return np.where(known, over_ceilings(r, ceilings_of_chosen(reliability, threshold)), np.nan)


def _samples(n: int, n_bootstrap: int, seed: int) -> NDArray[np.integer]:
    """Return how often each of n neuroids is in each bootstrap sample, (n_bootstrap, n)."""
    if n == 0:
        return np.zeros((n_bootstrap, 0), dtype=int)
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap)


def _mean_of_medians(scores: NDArray[np.float64], counts: NDArray[np.integer] | None) -> NDArray[np.float64]:
    """Return the mean over ways of the medians of scores (ways, layers, neuroids) in samples, (layers, samples).

    Without counts, in the one sample that has each neuroid once, (layers,).
    """
    samples = np.ones((1, scores.shape[2]), dtype=int) if counts is None else counts
    with np.errstate(invalid="ignore"):
        medians = np.mean([medians_of_samples(way, samples) for way in scores], axis=0)
    return medians[:, 0] if counts is None else medians


def _summed(r: NDArray, reliability: NDArray, counts: NDArray[np.integer] | None) -> NDArray[np.float64]:
    """Return sqrt(sum r |r| / sum reliability) in samples of neuroids, (layers, samples), or without counts (layers,).

    As `ventral.mappings.correlation.summed_predictivity`, over the neuroids (layers, neuroids) that have both.
    """
    samples = np.ones((1, r.shape[1]), dtype=int) if counts is None else counts
    known = np.isfinite(r) & np.isfinite(reliability)
    explained, explainable = (np.where(known, part, 0) @ samples.T for part in (r * np.abs(r), reliability))
    ratio = np.divide(explained, explainable, out=np.full(explained.shape, np.nan), where=explainable > 0)
    summed = np.sign(ratio) * np.sqrt(np.abs(ratio))
    return summed[:, 0] if counts is None else summed


def _add(summary: pd.DataFrame, measure: str, centre: NDArray | float, samples: NDArray, known: NDArray) -> None:
    """Add a measure of each layer with the interval of its samples (layers, samples) of `known` neuroids."""
    summary[measure] = np.where(np.isfinite(centre), centre, np.nan)
    ends = np.full((2, len(summary)), np.nan)
    some = (known > 1) & ~np.isnan(samples).all(axis=1)
    if some.any():
        with np.errstate(invalid="ignore"):
            ends[:, some] = np.nanpercentile(samples[some], [2.5, 97.5], axis=1)
    summary[f"{measure}_low"], summary[f"{measure}_high"] = np.where(np.isfinite(ends), ends, np.nan)


def _is_best(summary: pd.DataFrame) -> NDArray[np.bool_]:
    medians = drawn_measure(summary)["median"].fillna(-np.inf)
    best = medians.groupby([summary[column] for column in (*COMPARED, "model")]).idxmax()
    return summary.index.isin(best) & np.isfinite(medians)
