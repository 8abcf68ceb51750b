"""Draw categorisation performance against predictivity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import figure_of_text, neuroids_taken, page_of_panels, write_figure
from ventral.figures.measures import axis_ranges, measures, padded, scale_medians
from ventral.figures.style import BEST_LAYER, CHANCE, figure_style, legend_handles, looks_by_recording, stands_out
from ventral.statistics.influence_table import read_influences, sampling_errors
from ventral.statistics.summaries import area_summary, categorisation_summary, drawn_measure, read_scores


def categorisation(
    scores: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    influences: Sequence[Path] = (),
    models: Sequence[str] = (),
) -> None:
    """Write the figure of categorisation performance against predictivity, one point for each layer of a model.

    Parameters and errors are those of `layer_profile`. A recording of stimuli without labels has a panel that says so.
    """
    rows = read_scores(scores)
    errors = sampling_errors(read_influences(influences))
    summary = categorisation_summary(rows, area_summary(rows, reliability_threshold, n_bootstrap, seed, errors))
    # The published comparison is of categories, so that they come before objects.
    has_categories = summary.groupby("recording")["label"].transform(lambda labels: "category" in set(labels))
    summary = summary[~has_categories | (summary["label"] == "category")]
    table = summary.assign(reliability_threshold=reliability_threshold)
    write_figure(draw_categorisation(summary, models), table, svg, pdf, csv)


def draw_categorisation(summary: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `summaries.categorisation_summary`; each model's points have its name as label."""
    if summary.empty:
        return figure_of_text("No categorisation scores: no model predicts a recorded area")
    with figure_style():
        looks = looks_by_recording(summary, models)
        points = summary[summary["balanced_accuracy"].notna()]
        intervals = drawn_measure(points)[["low", "high"]].where(points["best_layer"])
        values = drawn_measure(points)[["median"]].join(intervals).reindex(summary.index)
        measure = measures(summary)
        limits = axis_ranges(measure, values, dict.fromkeys(measure.unique(), ()), padded)
        handles = legend_handles(summary, looks, linestyle="")
        handles.append(
            Line2D([], [], **BEST_LAYER, marker="o", color="white", linestyle="", label="a model's best layer")
        )
        if points["chance"].notna().any():
            handles.append(Line2D([], [], **CHANCE, label="chance"))
        figure, panels = page_of_panels(
            summary,
            ["recording", "area", "time_bin", "label"],
            lambda rows: f"{neuroids_taken(rows)}\n{_correlation(rows)}",
            handles if len(points) else [],
        )
        for axes, rows in panels:
            label = rows["label"].iloc[0]
            if label == "":
                splits = summary.loc[summary["recording"] == rows["recording"].iloc[0], "split"]
                _say_that_there_are_no_points(axes, set(splits))
                continue
            for model, look in looks.get(rows["recording"].iloc[0], {}).items():
                _draw_points(axes, rows[rows["model"] == model], look, model)
            for chance in rows["chance"].dropna().unique():
                axes.axvline(chance, **CHANCE, zorder=1, label="_chance")
            axes.set_xlim(padded(points.loc[points["label"] == label, ["balanced_accuracy", "chance"]]))
            axes.set_xlabel(f"Balanced accuracy, {label}, held-out stimuli")
            scale_medians(axes, rows, limits)
    return figure


def _draw_points(axes: Axes, rows: pd.DataFrame, look: dict, model: str) -> None:
    rows = rows.assign(**drawn_measure(rows))
    look = look | {"linestyle": ""}
    axes.plot(rows["balanced_accuracy"], rows["median"], **look, label=model, alpha=0.6, markeredgewidth=0, zorder=2)
    if not stands_out(look):
        return
    best = rows[rows["best_layer"]]
    axes.vlines(best["balanced_accuracy"], best["low"], best["high"], color=look["color"], zorder=3)
    axes.plot(best["balanced_accuracy"], best["median"], **look | BEST_LAYER, label=f"_best of {model}", zorder=4)


def _say_that_there_are_no_points(axes: Axes, splits: set[str]) -> None:
    if "stimuli" in splits:
        why = "no labels to tell these stimuli apart"
    elif splits == {"none"}:
        why = "no labels, or split stimuli not scored"
    else:
        why = "split stimuli was not scored"
    axes.set_axis_off()
    axes.text(0, 1, f"No categorisation scores: {why}", va="top", transform=axes.transAxes)


def _correlation(rows: pd.DataFrame) -> str:
    if rows["label"].iloc[0] == "":
        return ""
    return "\n".join(
        _correlation_of(rows.iloc[0], prefix, noun) for prefix, noun in (("models_", "model"), ("", "layer"))
    )


def _correlation_of(row: pd.Series, prefix: str, noun: str) -> str:
    n_points, r = row[[f"{prefix}n_points", f"{prefix}correlation"]]
    over = f"{n_points:.0f} {noun}{'' if n_points == 1 else 's'}"
    if np.isnan(r):
        return f"Pearson r not defined, {over}"
    return f"Pearson r = {r:.2f}, {over}".replace("-", "\N{MINUS SIGN}")
