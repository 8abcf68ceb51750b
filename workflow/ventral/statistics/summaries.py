"""Summarise the score table over the neuroids or subjects of each area, with intervals."""

import logging
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.grams.recorded import FAMILY
from ventral.tables import by_run, read_parquet
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
    "n_neuroids",
    "r",
    "r_error",
    "r_error_both",
    "reliability",
    "predictivity",
    "marked",
    "r_even",
    "reliability_even",
    "r_odd",
    "reliability_odd",
    "share_best",
    "r_squared_best",
    "given_ceiling",
    "ceiling_low",
    "ceiling_high",
    "balanced_accuracy",
    "chance",
]
PANEL = ["recording", "area", "time_bin", "split", "mapping"]
# A panel has a single distance and comparison for mappings that compare without a fit.
COMPARED = [*PANEL, "distance", "comparison"]
# Kinds of recorded targets: an area is summarised over its neuroids, or over its matrices or their subjects.
RECORDED = ("neuron", "matrix")
# Fewer points give no correlation.
FEWEST_POINTS = 3
LAYER = ["model", "family", "depth", "layer"]


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read a score table with scores of neuroids or dissimilarity matrices, or with no rows.

    Parameters
    ----------
    path : path
        Parquet file.

    Returns
    -------
    DataFrame
        Columns that summaries need. The `target` of a matrix of several subjects also names the subject.

    Raises
    ------
    InputError
        If the file is missing, damaged, lacks columns, or has rows but none for neuroids or matrices.
    """
    scores = read_parquet(path)
    missing = [column for column in COLUMNS if column not in scores]
    if missing:
        raise InputError(
            f"{path}: not a score table: the columns {', '.join(missing)} are missing; if an older version wrote this "
            f"file, delete the file and the folder `scores` beside it: a rerun makes both again"
        )
    if len(scores) and not scores["target_kind"].isin((*RECORDED, "behaviour")).any():
        raise InputError(
            f"{path}: {len(scores)} rows, none with target_kind 'neuron', 'matrix' or 'behaviour'; score a recording "
            f"with at least one neuroid that responds differently to different stimuli, or a dissimilarity matrix"
        )
    # Banded ridge joins layers, has no depth, and is summarised in a separate table.
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
    """Return each layer's median over neuroids, or mean over matrices, in every panel, with intervals.

    The predictivity of an area uses neuroids chosen on other folds than those that score them, as in
    `ventral.targets.selection`. Neuroids with a reliability within odd folds of at least the threshold are scored on
    even folds, by the median of r / sqrt(reliability) there. The two halves then swap roles, and the two medians are
    averaged. Otherwise, noise that raises an estimate of reliability would choose the neuroids whose score is divided
    by too much. A chosen neuroid whose reliability in the scored folds is 0 or less ranks beyond all others. Neuroids
    that neither half chooses, and neuroids without a score, count as left out.

    The sum ratio sqrt(sum r |r| / sum reliability) over all neuroids needs no threshold, and is reported, too.

    If no neuroid of an area has a reliability, the area was recorded without repetitions and r is raw. All its neuroids
    are included, except those whose squared given ceiling is below the threshold. Rows of RSA and CKA have matrices
    instead of neuroids. A matrix comes from an area's neuroids, or is published for a subject. Matrices less reliable
    than the threshold are left out.

    The 95 % intervals are percentiles over bootstrap samples of neuroids (Efron 1979, Annals of Statistics 7:1). Those
    for matrices come from `matrix_intervals`, over stimuli, and over subjects if there are several. All layers of all
    models, and all time bins of an area, share their samples, so that differences are paired. If `errors` has an error
    for a layer, the intervals of r and of predictivity also cover stimuli, or held-out objects or categories
    (`with_unit_errors`).

    Parameters
    ----------
    scores : DataFrame
        Score table, its rows in any order.
    reliability_threshold : float
        Lowest reliability, within one half of the folds, of a neuroid scored on the other half.
    n_bootstrap, seed : int
        Number of bootstrap samples, and seed of their draw.
    errors : DataFrame, optional
        Standard errors from `ventral.statistics.influence_table.sampling_errors`.

    Returns
    -------
    DataFrame
        Summary, sorted by `recording`, `area`, `time_bin`, `split`, `mapping`, `distance`, `comparison`, `model`,
        `depth` and `layer`, with `family` and these columns. `predictivity` and `summed` are NaN without repetitions;
        `summed` is also NaN for matrices. `r` is the median over included neuroids, or the mean over subjects.
        `predictivity_low`, `predictivity_high` and so on are the ends of intervals, NaN with fewer than two neuroids,
        or if infinite. `n_neuroids` counts the neuroids that at least one half chooses, or the matrices.
        `interval_over` names the units of the intervals of r and predictivity, such as `neurons`, `stimuli and neurons`
        or `objects and neurons`. For matrices, these are `stimuli` or `stimuli and subjects`; '' means no interval.
        `n_left_out` and `n_unreliable` count neuroids left out, and neuroids with a reliability of 0 or less over all
        folds. `has_ceiling` tells whether scores are divided by a ceiling. `ceiling_low` and `ceiling_high` are the
        noise ceiling of r over subjects, or NaN. `n_marked` counts the included neuroids whose corrected score is
        `marked` in the score table.
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
    summary = pd.concat(panels)
    summary = summary.sort_values([*COMPARED, "model", "depth", "layer"], kind="stable", ignore_index=True, key=by_run)
    return (summary if errors is None else with_unit_errors(summary, errors))[columns]


def with_unit_errors(summary: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Widen the intervals over neuroids of an area summary to cover stimuli or held-out groups.

    The error of the median for other stimuli is approximated by the error of the mean, because errors of neuroids are
    alike. The errors over neuroids and over stimuli are independent. The interval of a single neuroid, such as a
    component, is over stimuli alone. An end of the interval lies sqrt(a^2 + b^2) from
    the estimate, where a is the distance over neuroids. b is the error over stimuli times the quantile of Student's t
    (Zou and Donner 2008, Statistics in Medicine 27:1693). Ceilings are fixed: the error of r is the error of r over
    ceilings, times the square root of the median reliability.

    Parameters
    ----------
    summary : DataFrame
        Rows of `area_summary`, with the `root_reliability` of the included neuroids.
    errors : DataFrame
        Standard errors from `ventral.statistics.influence_table.sampling_errors`.
    """
    from scipy.special import stdtrit

    summary = summary.merge(errors, on=[*PANEL, "model", "layer"], how="left")
    alone = (summary["interval_over"] == "") & (summary["n_neuroids"] == 1)
    known = (summary["unit_error"].notna() & (alone | (summary["interval_over"] == "neurons"))).to_numpy()
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
            of_neurons = (summary[f"{measure}_{end}"] - centre).where(~alone, 0.0)
            moved = centre + sign * np.hypot(of_neurons, half)
            summary[f"{measure}_{end}"] = moved.where(known, summary[f"{measure}_{end}"])
    over = summary["unit"].astype(object) + np.where(alone, "", " and neurons")
    return summary.assign(interval_over=over.where(known, summary["interval_over"]))


def warn_of_empty_panels(summary: pd.DataFrame, reliability_threshold: float) -> None:
    """Warn of the panels of `area_summary` without an included neuroid or matrix."""
    taken = summary.groupby(COMPARED)["n_neuroids"].max()
    empty = [", ".join(filter(None, panel)) for panel in taken[taken == 0].index]
    if empty:
        logger.warning(
            "no neuroid or matrix has a score and, with repetitions, a reliability of %g or more "
            "(`reliability_threshold`) within half of the held-out stimuli. Each half of a single test set needs more "
            "than %d stimuli. Nothing is summarised for: %s",
            reliability_threshold,
            FEWEST_OF_SAMPLE,
            shown(empty),
        )


def drawn_measure(summary: pd.DataFrame) -> pd.DataFrame:
    """Return `median`, `low` and `high` of each row: of predictivity if there is a ceiling, else of r.

    For matrices, `median` is the mean.
    """
    return pd.DataFrame(
        {
            name: summary[f"predictivity{end}"].where(summary["has_ceiling"], summary[f"r{end}"])
            for name, end in (("median", ""), ("low", "_low"), ("high", "_high"))
        }
    )


def models_by_predictivity(summary: pd.DataFrame) -> list[str]:
    """Return the models sorted by the highest median of any layer, or by raw r if no recording has a ceiling.

    Models without a score come last; ties are sorted by name.
    """
    best = summary.groupby("model")[["predictivity", "r"]].max().fillna(-np.inf).sort_index()
    return best.sort_values(["predictivity", "r"], ascending=False, kind="stable").index.tolist()


def categorisation_summary(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Add the balanced accuracy of each label to the area summary, with the correlation of accuracy and score.

    Parameters
    ----------
    scores : DataFrame
        Score table. Accuracies are those of a support vector machine on held-out stimuli, for all splits of
        predictivity, because accuracy is a property of the layer.
    summary : DataFrame
        Summary from `area_summary`.

    Returns
    -------
    DataFrame
        Rows of `summary`, once for each label (`object`, `category`) of the stimuli, with `label`, `balanced_accuracy`,
        `chance` and `best_layer`. `best_layer` is the model's best layer in this panel, by the median over neuroids.
        `correlation` is Pearson's r of accuracy and score over all `n_points` layers in the panel. Columns with the
        prefix `models_` use the best layers alone, one point for each model. Intervals are left out, because layers of
        a network, and checkpoints of one training, are not independent. If a recording's stimuli have no scored label,
        `label` is '' and these columns are NaN.
    """
    # Comparisons of models skip recorded areas.
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
    return points.sort_values([*panel, "model", "depth", "layer"], ignore_index=True, key=by_run)


def range_in_words(counts: pd.Series) -> str:
    """Return the range of some counts as text, such as '3 to 5', or '3' if all are equal."""
    return f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"


def _correlations(points: pd.DataFrame) -> dict[str, float]:
    of_models = _correlation(points[points["best_layer"]])
    return _correlation(points) | {f"models_{name}": value for name, value in of_models.items()}


def _correlation(points: pd.DataFrame) -> dict[str, float]:
    """Return Pearson's r of accuracies and medians; NaN with fewer than three points, or if one does not vary."""
    pairs = points[["balanced_accuracy", "median"]].dropna().to_numpy(float)
    known = len(pairs) >= FEWEST_POINTS and (np.ptp(pairs, axis=0) > 0).all()
    return {"n_points": len(pairs), "correlation": float(np.corrcoef(pairs.T)[0, 1]) if known else np.nan}


def bootstrap_medians(values: NDArray[np.float64], n_bootstrap: int, seed: int) -> NDArray[np.float64]:
    """Return each layer's medians over bootstrap samples of neuroids, which all layers share.

    Parameters
    ----------
    values : (layers, neuroids) array
        Values; a layer's median skips the neuroids of a sample without a value.
    n_bootstrap, seed : int
        Number of samples, and seed of their draw.

    Returns
    -------
    (layers, n_bootstrap) array
        Medians; NaN if a layer has no value for any neuroid of a sample.
    """
    return medians_of_samples(values, sample_counts(values.shape[1], n_bootstrap, seed))


def medians_of_samples(values: NDArray[np.float64], counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the median of each layer's values in samples that hold each neuroid `counts` times.

    Parameters
    ----------
    values : (layers, neuroids) array
        Values; NaN belongs to no sample.
    counts : (samples, neuroids) array

    Returns
    -------
    (layers, samples) array
        Medians; NaN if a layer has no value for any neuroid of a sample.
    """
    return np.stack([_medians_of_samples(of_layer, counts) for of_layer in values])


def _medians_of_samples(values: NDArray, counts: NDArray) -> NDArray:
    # The values are sorted only once; a sample's median is found by counting up through them.
    order = np.argsort(values)[: (~np.isnan(values)).sum()]
    up_to = np.cumsum(counts[:, order], axis=1)
    size = up_to[:, -1:] if len(order) else np.zeros((len(counts), 1), int)
    ranked = np.append(values[order], np.nan)
    lower = (up_to < (size + 1) // 2).sum(axis=1)
    upper = (up_to < size // 2 + 1).sum(axis=1)
    # The mean of two infinite values of opposite sign is NaN.
    with np.errstate(invalid="ignore"):
        return (ranked[lower] + ranked[upper]) / 2


def panel_values(rows: pd.DataFrame, threshold: float) -> tuple[dict[str, pd.DataFrame], bool]:
    """Return the scores over all folds of one panel's reliable neuroids or matrices.

    Parameters
    ----------
    rows : DataFrame
        Rows of the score table for one panel.
    threshold : float
        Lowest reliability of an included neuroid; without repetitions, lowest square of a given ceiling.

    Returns
    -------
    values : dict of DataFrame
        Scores `predictivity` and `r`, by `model`, `family`, `depth` and `layer`; NaN if left out or undefined.
    has_ceiling : bool
        True if any neuroid has a reliability.
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
    """Return the scores of one panel's neuroids in each time bin, with the same neuroids as columns in all bins.

    Parameters
    ----------
    rows : DataFrame
        Rows of the score table for one panel in all time bins.
    threshold : float
        As for `panel_values`.

    Returns
    -------
    values : dict of (dict of DataFrame, bool)
        Results of `panel_values` by bin; NaN for a neuroid that is missing in a bin.
    members : (neuroids,) boolean array
        Mask of the neuroids included in any bin, whose samples serve all bins.
    """
    found = {time_bin: panel_values(of_bin, threshold) for time_bin, of_bin in rows.groupby("time_bin")}
    names = reduce(pd.Index.union, [values["r"].columns for values, _ in found.values()])
    values = {
        time_bin: ({name: _with_columns(table, names) for name, table in tables.items()}, has_ceiling)
        for time_bin, (tables, has_ceiling) in found.items()
    }
    return values, np.any([taken_of(*of_bin).any(axis=0) for of_bin in values.values()], axis=0)


def taken_of(values: dict[str, pd.DataFrame], has_ceiling: bool) -> NDArray[np.bool_]:
    """Return a mask (layers, neuroids) of the included neuroids, given the results of `panel_values`."""
    return values["predictivity" if has_ceiling else "r"].notna().to_numpy()


def _with_columns(table: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    return table if table.columns.equals(names) else table.reindex(columns=names)


def _summaries_in_bins(rows: pd.DataFrame, threshold: float, n_bootstrap: int, seed: int) -> Iterator[pd.DataFrame]:
    """Yield the summary of a panel in each time bin."""
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
    # All time bins share the samples of these neuroids.
    members = np.any([of_bin.any(axis=0) for of_bin in taken.values()], axis=0)
    counts = sample_counts(int(members.sum()), n_bootstrap, seed)
    for time_bin, (layers, numbers) in of_bins.items():
        summary, known = layers.to_frame(index=False), taken[time_bin].sum(axis=1)
        marked = names.isin(_marked(rows[rows["time_bin"] == time_bin]))
        summary["n_marked"] = taken[time_bin][:, marked].sum(axis=1)
        has_ceiling = bool(np.isfinite(numbers["reliability"]).any())
        scores = ways[time_bin][:, :, members]
        if has_ceiling:
            _add(summary, "predictivity", *(mean_of_medians(scores, some) for some in (None, counts)), known)
        else:
            _add(summary, "predictivity", np.nan, np.full((len(summary), 1), np.nan), known)
        r = np.where(taken[time_bin], numbers["r"], np.nan)[:, members]
        _add(summary, "r", *(mean_of_medians(r[None], some) for some in (None, counts)), known)
        both = np.isfinite(numbers["r"]) & np.isfinite(numbers["reliability"])
        scored = numbers["r"], numbers["reliability"], sample_counts(len(names), n_bootstrap, seed)
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
    """Return the neuroids or matrices among a panel's rows with marked corrected scores."""
    return rows.loc[rows["marked"].eq(True).fillna(False), "target"].unique()


def matrix_intervals(rows: pd.DataFrame, values: dict[str, pd.DataFrame]) -> dict[str, NDArray]:
    """Return intervals of each layer's mean over matrices, for other stimuli and other subjects.

    The variance is that over stimuli, plus that of the mean over subjects if there are several matrices. The error over
    stimuli is the mean of the matrices' errors, which is too large if their errors are partly independent. The interval
    uses Student's t on Fisher's z scale, with degrees of freedom from Satterthwaite 1946 (Biometrics Bulletin 2:110).
    Ceilings are fixed.

    Where the two-factor bootstrap gives an error (`ventral.statistics.two_factor`), the interval has this error, and is
    for other neuroids, too. As in rsatoolbox, the degrees of freedom are then the smaller of the numbers of stimuli and
    of neuroids or subjects, less one.

    Parameters
    ----------
    rows : DataFrame
        Rows of the score table for one panel in one time bin.
    values : dict of DataFrame
        Scores `predictivity` and `r` from `panel_values`; NaN if left out.

    Returns
    -------
    dict of (layers,) arrays
        `r_low`, `r_high`, `predictivity_low` and `predictivity_high`, NaN if no error is known, and `interval_over`.
    """
    from scipy.special import stdtrit

    table = values["r"]
    errors, n_stimuli, reliability, errors_for_both, n_neuroids = (
        rows.pivot(index=table.index.names, columns="target", values=name)
        .reindex(index=table.index, columns=table.columns)
        .where(table.notna())
        .to_numpy(float)
        for name in ("r_error", "n_stimuli", "reliability", "r_error_both", "n_neuroids")
    )
    taken = pd.DataFrame(table.to_numpy(float))
    count = taken.count(axis=1).to_numpy()
    centre, between = taken.mean(axis=1).to_numpy(), np.nan_to_num(taken.sem(axis=1).to_numpy()) ** 2
    over_stimuli = pd.DataFrame(errors).mean(axis=1).to_numpy() ** 2
    fewest = pd.DataFrame(n_stimuli).min(axis=1).to_numpy()
    variance = over_stimuli + between
    for_both = pd.DataFrame(errors_for_both).mean(axis=1).to_numpy() ** 2
    n_units = np.where(count > 1, count, pd.DataFrame(n_neuroids).min(axis=1).to_numpy())
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (over_stimuli**2 / (fewest - 1) + between**2 / np.maximum(count - 1, 1))
        freedom = np.where(np.isfinite(for_both), np.fmin(fewest, n_units) - 1, freedom)
        variance = np.where(np.isfinite(for_both), for_both, variance)
        half = stdtrit(freedom, 0.975) * np.sqrt(variance) / (1 - centre**2)
        ends = np.tanh(np.arctanh(centre) + half * np.array([[-1], [1]]))
        scale = np.sqrt(pd.DataFrame(reliability).mean(axis=1).to_numpy())
    over = np.select(
        [np.isnan(ends[0]), count > 1, np.isfinite(for_both)],
        ["", "stimuli and subjects", "stimuli and neurons"],
        "stimuli",
    )
    low, high = ends
    return {
        "r_low": low,
        "r_high": high,
        "predictivity_low": low / scale,
        "predictivity_high": high / scale,
        "interval_over": over,
    }


def numbers_of_neuroids(rows: pd.DataFrame, names: pd.Index) -> tuple[pd.MultiIndex, dict[str, NDArray[np.float64]]]:
    """Return numbers of the score table as arrays with a row for each layer and a column for each neuroid.

    Parameters
    ----------
    rows : DataFrame
        Rows of neuroids in one panel.
    names : Index
        Names of the neuroids to include.

    Returns
    -------
    layers : MultiIndex
        `model`, `family`, `depth` and `layer`.
    numbers : dict of (layers, neuroids) arrays
        `r` and `reliability` over all folds and, as `r_even` and so on, over each half; also `given_ceiling`.
    """
    columns = ["given_ceiling"]
    columns += [f"{name}{end}" for name in ("r", "reliability") for end in ("", *(f"_{half}" for half in HALVES))]
    table = rows.pivot(index=LAYER, columns="target", values=columns).astype(float)
    return table.index, {column: table[column].reindex(columns=names).to_numpy(float) for column in columns}


def chosen_scores(numbers: Mapping[str, NDArray[np.float64]], threshold: float) -> NDArray[np.float64]:
    """Return the scores within each half of the folds of neuroids chosen within the other half.

    Parameters
    ----------
    numbers : mapping of (layers, neuroids) arrays
        Numbers from `numbers_of_neuroids`.
    threshold : float
        Lowest reliability of a chosen neuroid. Neuroids with a reliability of 0 or less are never chosen.

    Returns
    -------
    (2, layers, neuroids) array
        r / sqrt(reliability) within even and odd folds; infinite if that reliability is not positive, NaN if not
        chosen. If no neuroid has a reliability, both halves have r over all folds, for neuroids with a high enough
        given ceiling.
    """
    if not np.isfinite(numbers["reliability"]).any():
        r = np.where(attainable(numbers["given_ceiling"], threshold), numbers["r"], np.nan)
        return np.stack([r, r])
    known = np.isfinite(numbers["r"]) & np.isfinite(numbers["reliability"])
    r, reliability = (np.stack([numbers[f"{name}_{half}"] for half in HALVES]) for name in ("r", "reliability"))
    return np.where(known, over_ceilings(r, ceilings_of_chosen(reliability, threshold)), np.nan)


def sample_counts(n: int, n_bootstrap: int, seed: int) -> NDArray[np.integer]:
    """Draw bootstrap samples, and return the count of each of n neuroids in each sample (n_bootstrap, n)."""
    if n == 0:
        return np.zeros((n_bootstrap, 0), dtype=int)
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap)


def mean_of_medians(scores: NDArray[np.float64], counts: NDArray[np.integer] | None) -> NDArray[np.float64]:
    """Return the medians of scores (ways, layers, neuroids) in samples, averaged over ways: (layers, samples).

    Without counts, the result (layers,) uses each neuroid once.
    """
    samples = np.ones((1, scores.shape[2]), dtype=int) if counts is None else counts
    with np.errstate(invalid="ignore"):
        medians = np.mean([medians_of_samples(way, samples) for way in scores], axis=0)
    return medians[:, 0] if counts is None else medians


def _summed(r: NDArray, reliability: NDArray, counts: NDArray[np.integer] | None) -> NDArray[np.float64]:
    """Return sqrt(sum r |r| / sum reliability) in samples of neuroids (layers, samples), or (layers,) without counts.

    The sums run over the neuroids with both numbers, as in `ventral.mappings.correlation.summed_predictivity`.
    """
    samples = np.ones((1, r.shape[1]), dtype=int) if counts is None else counts
    known = np.isfinite(r) & np.isfinite(reliability)
    explained, explainable = (np.where(known, part, 0) @ samples.T for part in (r * np.abs(r), reliability))
    ratio = np.divide(explained, explainable, out=np.full(explained.shape, np.nan), where=explainable > 0)
    summed = np.sign(ratio) * np.sqrt(np.abs(ratio))
    return summed[:, 0] if counts is None else summed


def _add(summary: pd.DataFrame, measure: str, centre: NDArray | float, samples: NDArray, known: NDArray) -> None:
    """Add a measure of each layer to a summary, with an interval from samples (layers, samples) of `known` neuroids."""
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
