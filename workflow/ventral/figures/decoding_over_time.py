"""Draw how well labels are read from recorded areas over time, and whether a reading lasts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import add_legend, place_of_split, wrapped, write_figure
from ventral.figures.style import CHANCE, COLOURS, GREY, MM, WIDE, figure_style
from ventral.recordings.time_bins import time_order, times_of
from ventral.tables import read_parquet
from ventral.targets.splits import held_out

PANEL = ["recording", "area", "split", "target"]
PANEL_HEIGHT, LEFT, RIGHT, GAP, TOP, BOTTOM = 40, 12, 12, 20, 10, 12
NAMES = {"nearest_mean": "nearest mean", "svm": "support vector machine"}
# Lines of groups of held-out stimuli; more groups than these would hide the line over all.
GROUPS = ["--", "-.", ":", (0, (1, 4))]


def decoding_over_time(tables: Sequence[Path], svg: Path, pdf: Path, csv: Path) -> None:
    """Write the figure of decoding over time, and the rows behind it.

    Parameters
    ----------
    tables : sequence of paths
        Tables from `ventral.decoding.over_time.decode_over_time`.
    svg, pdf, csv : paths
        The figure, and its rows.
    """
    table = pd.concat(map(read_parquet, tables), ignore_index=True)
    write_figure(draw_decoding_over_time(table), table.drop(columns="resampled"), svg, pdf, csv)


def draw_decoding_over_time(table: pd.DataFrame) -> Figure:
    """Draw a row of panels for each area, split and label: accuracy over time, and a map for each classifier."""
    panels = sorted(table.groupby(PANEL), key=lambda panel: (*panel[0][:2], place_of_split(panel[0][2]), *panel[0][2:]))
    classifiers = list(dict.fromkeys(table["classifier"]))
    n_columns, cell = 1 + len(classifiers), TOP + PANEL_HEIGHT + BOTTOM
    width = (WIDE - LEFT - RIGHT - GAP * (n_columns - 1)) / n_columns
    handles = _handles(table, classifiers)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, cell * len(panels) * MM))
        height = cell * len(panels) + add_legend(figure, handles, WIDE)
        figure.set_size_inches(WIDE * MM, height * MM)
        for row, (place, rows) in enumerate(panels):
            bottom = height - row * cell - TOP - PANEL_HEIGHT
            axes = [
                figure.add_axes(
                    (
                        (LEFT + column * (width + GAP)) / WIDE,
                        bottom / height,
                        width / WIDE,
                        PANEL_HEIGHT / height,
                    )
                )
                for column in range(n_columns)
            ]
            title = f"{place[0]}, {place[1]}: {place[3]}, {held_out(place[2])}"
            axes[0].set_title("\n".join(wrapped(title, "bold", width)), loc="left", fontsize=7, fontweight="bold")
            _draw_lines(axes[0], rows[rows["fit_bin"] == rows["time_bin"]], classifiers)
            for of_classifier, classifier in zip(axes[1:], classifiers, strict=True):
                of_all = rows[(rows["held_out"] == "") & (rows["classifier"] == classifier)]
                _draw_map(of_classifier, of_all, rows["score"].max())
                of_classifier.set_title(NAMES[classifier], loc="left", fontsize=7)
    return figure


def _draw_lines(axes: Axes, rows: pd.DataFrame, classifiers: Sequence[str]) -> None:
    chance = rows["chance"].iloc[0]
    axes.axhline(chance, **CHANCE, zorder=1)
    axes.annotate("chance", (1, chance), (0, 2), ("axes fraction", "data"), textcoords="offset points", ha="right")
    for row, (classifier, colour) in enumerate(zip(classifiers, COLOURS, strict=False)):
        of_classifier = rows[rows["classifier"] == classifier]
        for group, line in _lines_of_groups(of_classifier).items():
            of_group = in_order(of_classifier[of_classifier["held_out"] == group])
            axes.plot(of_group["time"], of_group["score"], color=colour, linestyle=line, linewidth=0.5, label=group)
        whole = in_order(of_classifier[of_classifier["held_out"] == ""])
        axes.plot(whole["time"], whole["score"], color=colour, label=NAMES[classifier])
        axes.fill_between(whole["time"], whole["low"], whole["high"], color=colour, alpha=0.15, linewidth=0)
        axes.fill_between(whole["time"], whole["both_low"], whole["both_high"], color=colour, alpha=0.1, linewidth=0)
        above = whole.loc[whole["score"] > whole["critical"], "time"]
        axes.plot(above, np.full(len(above), 0.02 * (row + 1)), "|", color=colour, markersize=3, label="_above")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Middle of the bin (ms after the onset)")
    axes.set_ylabel("Balanced accuracy")


def _lines_of_groups(rows: pd.DataFrame) -> dict[str, str | tuple]:
    """Return the line of each group of held-out stimuli of a split, or none if there are too many."""
    groups = [group for group in dict.fromkeys(rows["held_out"]) if group]
    return dict(zip(groups, GROUPS, strict=False)) if len(groups) <= len(GROUPS) else {}


def _handles(table: pd.DataFrame, classifiers: Sequence[str]) -> list[Line2D]:
    named = [
        Line2D([], [], color=colour, label=NAMES[name]) for name, colour in zip(classifiers, COLOURS, strict=False)
    ]
    groups: dict[str, str | tuple] = {}
    for _, rows in table.groupby(PANEL):
        groups |= _lines_of_groups(rows)
    return named + [
        Line2D([], [], color=GREY, linestyle=line, linewidth=0.5, label=f"held out: {group}")
        for group, line in groups.items()
    ]


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of different time bins in the order of time, with the column `time` in ms."""
    ordered = rows.iloc[sorted(range(len(rows)), key=lambda row: time_order(rows["time_bin"].iloc[row]))]
    return ordered.assign(time=times_of(list(ordered["time_bin"])))


def _draw_map(axes: Axes, rows: pd.DataFrame, highest: float) -> None:
    """Draw accuracy by the bin of the fit and that of the test."""
    bins = sorted(set(rows["fit_bin"]), key=time_order)
    grid = rows.pivot(index="fit_bin", columns="time_bin", values="score").loc[bins, bins]
    times = times_of(bins)
    mesh = axes.pcolormesh(
        times, times, grid.to_numpy(float), cmap="viridis", vmin=rows["chance"].iloc[0], vmax=highest, rasterized=True
    )
    axes.set_xlabel("Tested at (ms)")
    axes.set_ylabel("Fitted at (ms)")
    axes.figure.colorbar(mesh, cax=axes.inset_axes((1.03, 0, 0.05, 1)))
