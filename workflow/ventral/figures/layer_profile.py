"""Draw predictivity, or RSA, by layer depth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import figure_of_text, neuroids_taken, page_of_panels, write_figure
from ventral.figures.measures import axis_ranges, measures, padded, scale_medians
from ventral.figures.style import (
    GREY,
    RECORDED_AREA,
    figure_style,
    legend_handles,
    looks_by_recording,
    stands_out,
)
from ventral.grams.recorded import FAMILY
from ventral.statistics.bootstrap import intervals, read_bootstraps
from ventral.statistics.influence_table import read_influences, sampling_errors
from ventral.statistics.inter_animal import MEAN
from ventral.statistics.summaries import PANEL, area_summary, drawn_measure, read_scores, warn_of_empty_panels
from ventral.tables import read_parquet

CONSISTENCY = ["inter_animal", "inter_animal_low", "inter_animal_high"]


def layer_profile(
    scores: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    bootstraps: Sequence[Path] = (),
    influences: Sequence[Path] = (),
    models: Sequence[str] = (),
    inter_animal: Sequence[Path] = (),
    sets: Mapping[str, str] | None = None,
) -> None:
    """Write the figure of predictivity, or of RSA, by layer depth: a panel for every area, time bin and split.

    Parameters
    ----------
    scores : path
        The joined score table.
    svg, pdf, csv : paths
        The figure, and every number in it.
    reliability_threshold : float
        Lowest reliability of a neuroid that is included.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.
    bootstraps : sequence of paths, optional
        Resampled medians of all models and recordings. The table then also has `both_low` and `both_high`, the interval
        over resamples of both stimuli and neuroids, without refitting.
    influences : sequence of paths, optional
        Contributions of single stimuli to the scores of all models and recordings. The interval drawn is then over both
        stimuli and neuroids.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    inter_animal : sequence of paths, optional
        Tables from `ventral.scores.inter_animal.inter_animal`. The table then also has the inter-animal consistency of
        each panel with a ceiling, `inter_animal`, and the ends of its interval.
    sets : mapping of str, optional
        Set of each recording in `inter_animal`.

    Raises
    ------
    InputError
        If the score table cannot be read, or has no rows of neuroids or dissimilarity matrices.
    """
    errors = sampling_errors(read_influences(influences))
    summary = area_summary(read_scores(scores), reliability_threshold, n_bootstrap, seed, errors)
    warn_of_empty_panels(summary, reliability_threshold)
    if inter_animal:
        summary = with_consistency(summary, inter_animal, sets)
    table = summary.assign(
        ceiling=np.where(summary["has_ceiling"], 1.0, np.nan), reliability_threshold=reliability_threshold
    )
    if bootstraps:
        table = table.merge(intervals(read_bootstraps(bootstraps)), on=[*PANEL, "model", "layer"], how="left")
    write_figure(draw_layer_profile(summary, models), table, svg, pdf, csv)


def with_consistency(summary: pd.DataFrame, tables: Sequence[Path], sets: Mapping[str, str]) -> pd.DataFrame:
    """Add the extrapolated consistency between animals, and the ends of its interval, to panels with a ceiling.

    Parameters
    ----------
    summary : DataFrame
        From `ventral.statistics.summaries.area_summary`.
    tables : sequence of paths
        Tables from `ventral.scores.inter_animal.inter_animal`.
    sets : mapping of str
        Set of each recording.

    Returns
    -------
    DataFrame
        With `inter_animal`, `inter_animal_low` and `inter_animal_high`; NaN without such a consistency.
    """
    found = pd.concat([read_parquet(path) for path in tables])
    found = found[found["animal"] == MEAN].rename(columns={"consistency": "inter_animal"})
    found = found.rename(columns={end: f"inter_animal_{end}" for end in ("low", "high")})
    keys = ["group", *PANEL[1:]]
    merged = summary.assign(group=summary["recording"].map(sets)).merge(
        found[[*keys, *CONSISTENCY]], on=keys, how="left"
    )
    merged[CONSISTENCY] = merged[CONSISTENCY].where(merged["has_ceiling"].astype(bool))
    return merged.drop(columns="group")


def draw_layer_profile(summary: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `ventral.statistics.summaries.area_summary`; each model's line has its name as label."""
    if summary.empty:
        return figure_of_text("No scores: no model and no other recorded area predicts a recorded area")
    with figure_style():
        of_models = summary[summary["family"] != FAMILY]
        looks = looks_by_recording(of_models, models)
        measure = measures(summary)
        limits = axis_ranges(
            measure,
            drawn_measure(summary).join(summary["ceiling_low"]),
            {name: [0, 1] if name == "predictivity" else [0] for name in measure.unique()},
            padded,
        )
        handles = legend_handles(of_models, looks)
        if len(of_models) < len(summary):
            handles.append(Line2D([], [], **RECORDED_AREA, label="another recorded area, of any depth"))
        figure, panels = page_of_panels(
            summary, ["recording", "area", "time_bin"], lambda rows: neuroids_taken(_predicted(rows)), handles
        )
        for axes, rows in panels:
            if rows["has_ceiling"].iloc[0]:
                _draw_ceiling(axes)
            for model, look in looks.get(rows["recording"].iloc[0], {}).items():
                _draw_profile(axes, rows[rows["model"] == model], look, model)
            _draw_recorded_areas(axes, rows[rows["family"] == FAMILY])
            axes.set_xlim(-0.02, 1.02)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
            axes.set_xlabel("Layer depth")
            scale_medians(axes, rows, limits)
            if "inter_animal" in rows and rows["inter_animal"].notna().any():
                _draw_consistency(axes, *rows[CONSISTENCY].iloc[0])
            if rows["ceiling_low"].notna().any():
                _draw_noise_ceiling(axes, *rows[["ceiling_low", "ceiling_high"]].iloc[0])
    return figure


def _draw_ceiling(axes: Axes) -> None:
    axes.axhline(1, color=GREY, zorder=1, label="_ceiling")
    axes.annotate("ceiling", (1, 1), (0, 2), textcoords="offset points", ha="right", va="bottom", color=GREY)


def _draw_consistency(axes: Axes, consistency: float, low: float, high: float) -> None:
    """Draw how well other animals predict these neurons, cut off at the panel's limits."""
    top = axes.get_ylim()[1]
    axes.axhspan(low, min(high, top), color=GREY, alpha=0.15, linewidth=0, zorder=1, label="_interval between animals")
    if consistency <= top:
        axes.axhline(consistency, color=GREY, linestyle="--", zorder=1, label="_between animals")
    place = (0, min(consistency, top)), (0, -2)
    axes.annotate("other animals", *place, textcoords="offset points", ha="left", va="top", color=GREY)


def _draw_noise_ceiling(axes: Axes, low: float, high: float) -> None:
    """Draw the band of the noise ceiling, cut off at the panel's limits."""
    top = min(high, axes.get_ylim()[1])
    axes.axhspan(low, high, color=GREY, alpha=0.15, linewidth=0, zorder=1, label="_noise ceiling")
    axes.annotate("noise ceiling", (1, top), (0, -2), textcoords="offset points", ha="right", va="top", color=GREY)


def _draw_profile(axes: Axes, rows: pd.DataFrame, look: dict, model: str) -> None:
    """Draw a line through a model's layers; a single layer is a line across the panel, marked at its depth."""
    above = 2 if stands_out(look) else 0
    if len(rows) == 1:
        axes.plot(rows["depth"], drawn_measure(rows)["median"], **look, label="_layer", zorder=2 + above)
        rows = pd.concat([rows, rows]).assign(depth=[0.0, 1.0])
        look = look | {"marker": ""}
    measure = drawn_measure(rows)
    axes.plot(rows["depth"], measure["median"], **look, label=model, zorder=1.5 + above)
    if not above:
        return
    axes.fill_between(
        rows["depth"],
        measure["low"],
        measure["high"],
        color=look["color"],
        alpha=0.15,
        linewidth=0,
        label=f"_interval of {model}",
        zorder=2,
    )


def _draw_recorded_areas(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the score of each recorded area as a line across the panel, with its name beside the line."""
    for k, ((_, row), median) in enumerate(zip(rows.iterrows(), drawn_measure(rows)["median"], strict=True)):
        name = row["layer"] if row["model"] == row["recording"] else f"{row['layer']} of {row['model']}"
        axes.axhline(median, **RECORDED_AREA, zorder=1, label=f"_{name}")
        axes.annotate(name, (k / len(rows), median), (0, 1), textcoords="offset points", va="bottom", color=GREY)


def _predicted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of models, which predict all neuroids of a panel; a recorded area never predicts its own."""
    of_models = rows[rows["family"] != FAMILY]
    return of_models if len(of_models) else rows
