"""Draw when neurons solve stimuli, and how much later those that are a challenge to a model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import add_legend, wrapped, write_figure
from ventral.figures.style import GREY, MM, WIDE, figure_style, looks
from ventral.mappings.solution_times import CHALLENGE, CONTROL
from ventral.tables import read_csv, read_parquet
from ventral.targets.splits import held_out

PANEL = ["recording", "behaviour", "area", "split"]
PANEL_HEIGHT, LEFT, RIGHT, GAP, TOP, BOTTOM = 40, 12, 4, 40, 10, 12
LINES = {CONTROL: "-", CHALLENGE: "--"}


def solution_times_figure(
    tables: Sequence[Path], differences: Path, svg: Path, pdf: Path, csv: Path, models: Sequence[str]
) -> None:
    """Write the figure of solution times, and the rows behind it.

    Parameters
    ----------
    tables : sequence of paths
        Tables of `ventral.decoding.solution_times.solution_times`.
    differences : path
        CSV of `ventral.statistics.solution_times.later_challenges`.
    svg, pdf, csv : paths
        The figure, and the solution time of each stimulus.
    models : sequence of str
        All models of the run, by whose order each has its colour.
    """
    table = pd.concat(map(read_parquet, tables), ignore_index=True)
    write_figure(draw_solution_times(table, read_csv(differences), models), table, svg, pdf, csv)


def draw_solution_times(table: pd.DataFrame, differences: pd.DataFrame, models: Sequence[str]) -> Figure:
    """Draw a row of two panels for each area: the share of solved stimuli by time, and differences by model."""
    panels = list(table.groupby(PANEL))
    drawn = [model for model in models if model in set(table["model"])]
    own, cell, width = looks(models, set(drawn)), TOP + PANEL_HEIGHT + BOTTOM, (WIDE - LEFT - RIGHT - GAP) / 2
    handles = [Line2D([], [], color=GREY, label="all stimuli")]
    handles += [Line2D([], [], color="black", linestyle=line, label=kind) for kind, line in LINES.items() if drawn]
    handles += [Line2D([], [], color=own[model]["color"], label=model) for model in drawn]
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, cell * len(panels) * MM))
        height = cell * len(panels) + add_legend(figure, handles, WIDE)
        figure.set_size_inches(WIDE * MM, height * MM)
        for row, (place, rows) in enumerate(panels):
            bottom = (height - row * cell - TOP - PANEL_HEIGHT) / height
            shares, later = (
                figure.add_axes((left / WIDE, bottom, width / WIDE, PANEL_HEIGHT / height))
                for left in (LEFT, LEFT + width + GAP)
            )
            title = f"{place[0]}, {place[2]}: {place[1]}, {held_out(place[3])}"
            shares.set_title("\n".join(wrapped(title, "bold", width)), loc="left", fontsize=7, fontweight="bold")
            _draw_shares(shares, rows, drawn, own)
            later.set_visible(bool(drawn))
            of_panel = (differences[PANEL] == list(place)).all(axis=1)
            _draw_differences(later, differences[of_panel].set_index("model"), drawn, own)
    return figure


def _draw_shares(axes: Axes, rows: pd.DataFrame, drawn: Sequence[str], own: dict) -> None:
    known = rows[rows["i1"].notna()]
    _draw_share(axes, known.drop_duplicates("stimulus")["solution_time"], color=GREY, linewidth=2)
    for model in drawn:
        for kind, line in LINES.items():
            mine = known[(known["model"] == model) & (known["kind"] == kind)]
            _draw_share(axes, mine["solution_time"], color=own[model]["color"], linestyle=line)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Time (ms after the onset)")
    axes.set_ylabel("Share of solved stimuli")


def _draw_share(axes: Axes, times: pd.Series, **look) -> None:
    """Draw the share of all stimuli, those never solved among them, that are solved by each time."""
    solved = np.sort(times.dropna().to_numpy(float))
    axes.step(solved, np.arange(1, len(solved) + 1) / max(1, len(times)), where="post", **look)


def _draw_differences(axes: Axes, rows: pd.DataFrame, drawn: Sequence[str], own: dict) -> None:
    axes.axvline(0, color=GREY, linestyle=":")
    for place, model in enumerate(drawn):
        for shift, name, face in ((-0.12, "difference", "none"), (0.12, "at_equal_i1", own[model]["color"])):
            value, low, high = rows.loc[model, [name, f"{name}_low", f"{name}_high"]].astype(float)
            axes.plot([low, high], [place + shift] * 2, color=own[model]["color"])
            axes.plot(value, place + shift, "o", color=own[model]["color"], markerfacecolor=face)
    axes.set_yticks(range(len(drawn)), drawn)
    axes.invert_yaxis()
    axes.set_xlabel("Challenge less control (ms)")
