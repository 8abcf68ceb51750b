"""Draw how well networks categorise at each step and at each level of a property, and how they differ."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import write_figure
from ventral.figures.style import CHANCE, MM, WIDE, figure_style, look_of
from ventral.tables import read_csv

PANEL_HEIGHT, LEFT, GAP, TOP, BOTTOM, LINE = 48, 12, 14, 4, 10, 3.6
# Shift of the second of two networks at a level, so that their intervals do not cover each other.
APART = 0.08


def recurrence_figure(table: Path, svg: Path, pdf: Path, csv: Path, split_by: str | None = None) -> None:
    """Write the figure of accuracy by step and by level of a property, and of differences between networks.

    Parameters
    ----------
    table : path
        Table from `ventral.statistics.recurrence.recurrence`.
    svg, pdf, csv : paths
        The figure, and the table behind it.
    split_by : str, optional
        Name of the property.
    """
    rows = read_csv(table, "network", "other", "level").fillna({"other": "", "level": ""})
    write_figure(draw_recurrence(rows, split_by), rows, svg, pdf, csv)


def draw_recurrence(table: pd.DataFrame, split_by: str | None) -> Figure:
    """Draw accuracy by step; with a property, also accuracy and differences at each of its levels."""
    kinds = list(dict.fromkeys(table["network"]))
    own = {kind: look_of(place) for place, kind in enumerate(kinds)}
    panels: list[Callable[[Axes], None]] = [lambda axes: _draw_steps(axes, table, own)]
    at_levels = table[table["level"] != ""]
    if len(at_levels):
        panels.append(lambda axes: _draw_levels(axes, at_levels, own, split_by))
    if (at_levels["other"] != "").any():
        panels.append(lambda axes: _draw_differences(axes, at_levels, own, split_by))
    height = TOP + PANEL_HEIGHT + BOTTOM + LINE * len(kinds) + 2
    width = (WIDE - LEFT - 2 - 2 * GAP) / 3
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, draw in enumerate(panels):
            left, bottom = LEFT + k * (width + GAP), height - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            draw(axes)
        handles = [Line2D([], [], **look, label=kind) for kind, look in own.items()]
        figure.legend(handles=handles, loc="lower left", frameon=False)
    return figure


def _draw_steps(axes: Axes, table: pd.DataFrame, own: dict[str, dict]) -> None:
    rows = table[(table["other"] == "") & (table["level"] == "")]
    steps = sorted(rows["step"].unique())
    for kind, of_kind in rows.groupby("network", sort=False):
        if len(of_kind) == 1 and len(steps) > 1:
            # A network with one step has one answer, whatever the step of the others.
            axes.axhline(of_kind["value"].iloc[0], color=own[kind]["color"], linestyle="--")
        else:
            _with_intervals(axes, of_kind["step"], of_kind, own[kind] | {"linestyle": "-"})
    axes.axhline(rows["chance"].iloc[0], **CHANCE)
    axes.set_xticks(steps)
    axes.set_xlabel("Step")
    axes.set_ylabel("Accuracy, other stimuli")


def _draw_levels(axes: Axes, table: pd.DataFrame, own: dict[str, dict], split_by: str | None) -> None:
    rows = table[table["other"] == ""]
    last = rows[rows["step"] == rows.groupby("network")["step"].transform("max")]
    levels = list(dict.fromkeys(last["level"]))
    for place, (kind, of_kind) in enumerate(last.groupby("network", sort=False)):
        places = [levels.index(level) + APART * place for level in of_kind["level"]]
        _with_intervals(axes, places, of_kind, own[kind] | {"linestyle": "-"})
    axes.axhline(rows["chance"].iloc[0], **CHANCE)
    _label(axes, levels, split_by)
    axes.set_ylabel("Accuracy at the last step")


def _draw_differences(axes: Axes, table: pd.DataFrame, own: dict[str, dict], split_by: str | None) -> None:
    rows = table[table["other"] != ""]
    levels = list(dict.fromkeys(rows["level"]))
    for place, (other, of_other) in enumerate(rows.groupby("other", sort=False)):
        places = [levels.index(level) + APART * place for level in of_other["level"]]
        _with_intervals(axes, places, of_other, own[other] | {"linestyle": ""})
    axes.axhline(0, color="0.6", linewidth=0.6)
    _label(axes, levels, split_by)
    first = rows["network"].iloc[0]
    axes.set_ylabel(f"Accuracy of {first} less others")


def _with_intervals(axes: Axes, places: Sequence[float], rows: pd.DataFrame, look: dict) -> None:
    axes.vlines(places, rows["low"], rows["high"], color=look["color"], linewidth=0.8)
    axes.plot(places, rows["value"], **look)


def _label(axes: Axes, levels: Sequence[str], split_by: str | None) -> None:
    axes.set_xticks(range(len(levels)), [level.replace(" less ", "\nless ") for level in levels])
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xlabel(split_by)
