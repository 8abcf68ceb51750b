"""Draw how well each layer predicts an area in each bin of time, and which layer is best when."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ventral.figures.layout import figure_of_text, place_of_split, wrapped, write_figure
from ventral.figures.measures import measures, named_on_split
from ventral.figures.style import CHANCE, GREY, MM, WIDE, figure_style
from ventral.grams.recorded import FAMILY
from ventral.models.layer_names import step_of
from ventral.recordings.time_bins import time_order, times_of
from ventral.statistics.influence_table import read_influences, sampling_errors
from ventral.statistics.summaries import COMPARED, area_summary, drawn_measure, read_scores

PANEL = [name for name in COMPARED if name != "time_bin"]
RULE = ("start", "width")
PANEL_HEIGHT, LEFT, RIGHT, GAP, TOP, BOTTOM = 44, 12, 14, 30, 10, 12
# With more layers than this, intervals would hide the lines.
MOST_WITH_INTERVALS = 6


def over_time_figure(
    scores: Path,
    influences: Sequence[Path],
    svg: Path,
    pdf: Path,
    csv: Path,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    steps: Mapping[str, Mapping[str, float]],
) -> None:
    """Write the figure of scores over time, for recordings with several bins, and the numbers in it.

    Parameters
    ----------
    scores : path
        The joined score table.
    influences, reliability_threshold, n_bootstrap, seed
        As for `ventral.figures.layer_profile.layer_profile`.
    svg, pdf, csv : paths
        The figure, and its numbers: the rows of `over_time_table` with `times_of_steps`.
    steps
        As for `times_of_steps`.
    """
    errors = sampling_errors(read_influences(influences))
    table = over_time_table(read_scores(scores), reliability_threshold, n_bootstrap, seed, errors)
    table = times_of_steps(table, steps)
    write_figure(draw_over_time(table), table, svg, pdf, csv)


def over_time_table(
    scores: pd.DataFrame,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    errors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the rows of `ventral.statistics.summaries.area_summary` of models, for areas in several bins of time.

    Further columns are `median`, `low` and `high`, which are drawn, and `time`, the middle of the bin. `best` is true
    for the layer of a model with the highest median in a bin. `root_reliability` is the median over all neuroids of the
    largest attainable r.
    """
    summary = area_summary(scores[scores["family"] != FAMILY], reliability_threshold, n_bootstrap, seed, errors)
    several = summary.groupby(PANEL)["time_bin"].transform("nunique") > 1
    table = summary[several].reset_index(drop=True)
    table = table.assign(**drawn_measure(table)).assign(time=np.nan)
    for _, rows in table.groupby(PANEL):
        bins = sorted(set(rows["time_bin"]), key=time_order)
        table.loc[rows.index, "time"] = rows["time_bin"].map(dict(zip(bins, times_of(bins), strict=True)))
    highest = table.groupby([*PANEL, "time_bin", "model"])["median"].transform("max")
    roots = np.sqrt(scores["reliability"].astype(float).clip(lower=0))
    roots = roots.groupby([scores[name] for name in [*PANEL, "time_bin"]]).median().rename("root_reliability")
    return table.assign(best=table["median"].eq(highest)).merge(roots.reset_index(), on=[*PANEL, "time_bin"])


def times_of_steps(table: pd.DataFrame, steps: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Add `step`, 1 for layers that run once, and its time in ms, from `step_start` to `step_end`.

    Parameters
    ----------
    table : DataFrame
        Has the columns `model` and `layer`.
    steps : mapping
        `start` and `width` of the steps of each model with times, as in the config. Layers that run once have no time.
    """
    numbers = table["layer"].map(step_of).astype(float)
    start, width = (table["model"].map({name: rule[key] for name, rule in steps.items()}).astype(float) for key in RULE)
    first = start + (numbers - 1) * width
    return table.assign(step=numbers.fillna(1).astype(int), step_start=first, step_end=first + width)


def draw_over_time(table: pd.DataFrame) -> Figure:
    """Draw a row of panels for each area and model: a line for each layer over time, and a map of layers and time."""
    if table.empty:
        return figure_of_text("No scores over time: no model predicts an area in several bins of time")
    groups = table.groupby([*PANEL, "model"])
    panels = sorted(groups, key=lambda panel: (*panel[0][:2], place_of_split(panel[0][2]), *panel[0][2:]))
    cell, width = TOP + PANEL_HEIGHT + BOTTOM, (WIDE - LEFT - RIGHT - GAP) / 2
    height = cell * len(panels)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for row, (_, rows) in enumerate(panels):
            bottom = (height - row * cell - TOP - PANEL_HEIGHT) / height
            lefts = (LEFT / WIDE, (LEFT + width + GAP) / WIDE)
            lines, mapped = (figure.add_axes((left, bottom, width / WIDE, PANEL_HEIGHT / height)) for left in lefts)
            first = rows.iloc[0]
            measure = measures(rows).iloc[0]
            title = f"{first['recording']}, {first['area']}: {first['model']}"
            lines.set_title("\n".join(wrapped(title, "bold", width)), loc="left", fontsize=7, fontweight="bold")
            mapped.set_title(named_on_split(measure, first["split"]), loc="left", fontsize=7)
            _draw_lines(lines, rows, measure)
            _draw_map(mapped, rows)
    return figure


def _layers(rows: pd.DataFrame) -> list[str]:
    """Return the layers of a model from the input on; runs of a module follow each other."""
    return list(dict.fromkeys(rows["layer"]))


def _draw_lines(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    layers = _layers(rows)
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(layers)))
    for layer, colour in zip(layers, shades, strict=True):
        of_layer = rows[rows["layer"] == layer].sort_values("time")
        axes.plot(of_layer["time"], of_layer["median"], color=colour, label=layer)
        if len(layers) <= MOST_WITH_INTERVALS:
            axes.fill_between(
                of_layer["time"], of_layer["low"], of_layer["high"], color=colour, alpha=0.15, linewidth=0
            )
    of_bins = rows.drop_duplicates("time").sort_values("time")
    if of_bins["ceiling_low"].notna().any():
        axes.fill_between(
            of_bins["time"], of_bins["ceiling_low"], of_bins["ceiling_high"], color=GREY, alpha=0.15, linewidth=0
        )
    elif rows["has_ceiling"].any():
        axes.plot(of_bins["time"], of_bins["root_reliability"], color=GREY, linestyle="--", label="_ceiling")
        axes.axhline(1, color=GREY)
    axes.axhline(0, **CHANCE, zorder=1)
    axes.set_xlabel("Middle of the bin (ms after the onset)")
    axes.set_ylabel(measure)


def _draw_map(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the score by layer and time, with a dot on the best layer of each bin, and lines for times of steps."""
    layers = _layers(rows)
    grid = rows.pivot(index="layer", columns="time", values="median").loc[layers]
    times = grid.columns.to_numpy(float)
    mesh = axes.pcolormesh(times, np.arange(len(layers)), grid.to_numpy(float), cmap="viridis", rasterized=True)
    best = rows[rows["best"]]
    axes.plot(
        best["time"], [layers.index(layer) for layer in best["layer"]], "o", color="white", markeredgecolor="black"
    )
    timed = rows.drop_duplicates("layer").dropna(subset="step_start")
    places = [layers.index(layer) for layer in timed["layer"]]
    low, high = axes.get_xlim()
    starts, ends = (timed[column].clip(low, high) for column in ("step_start", "step_end"))
    axes.hlines(places, starts, ends, color="white", linewidth=1.2)
    shown = range(0, len(layers), 1 + (len(layers) - 1) // 15)
    axes.set_yticks(list(shown), [layers[place] for place in shown])
    axes.set_xlabel("Middle of the bin (ms after the onset)")
    axes.figure.colorbar(mesh, cax=axes.inset_axes((1.03, 0, 0.04, 1)))
