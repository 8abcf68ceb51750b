"""Draw what models explain of an area together, and which part each explains alone."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ventral.figures.layout import in_time, place_of_split, widest, write_figure
from ventral.figures.style import CHANCE, GREY, MM, WIDE, figure_style, looks
from ventral.recordings.time_bins import place_of
from ventral.statistics.partition import EXPLAINED, JOINED_BY, SHARED, UNIQUE
from ventral.tables import read_csv
from ventral.targets.splits import held_out

ROW = ["recording", "area", "time_bin", "partition"]
IN_WORDS = {EXPLAINED: "{}", UNIQUE: "only {}", SHARED: "shared by {}"}
ALL_IN_WORDS = {EXPLAINED: "all together", SHARED: "shared by all"}
MEASURES = {
    "explained_variance": "Median share of explainable variance",
    "r2": "Median r |r| (no ceiling)",
}
RIGHT, GAP, TOP, BOTTOM, LINE = 3, 8, 10, 11, 4.2


def partition_figure(table: Path, svg: Path, pdf: Path, csv: Path, models: Sequence[str] = ()) -> None:
    """Write the figure of explained variance and its parts: a panel for each partition, area and split.

    Parameters
    ----------
    table : path
        From `ventral.scores.partition.partitions`.
    svg, pdf, csv : paths
        The figure, and every number in it.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    """
    rows = read_csv(table, "partition", "models")
    write_figure(draw_partitions(rows, models), rows, svg, pdf, csv)


def draw_partitions(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `ventral.scores.partition.partitions`: a point with its interval for each number.

    Each partition of an area has a row of panels, one for each split.
    """
    groups = [(of_row, _panels(of_row)) for _, of_row in sorted(table.groupby(ROW), key=_order)]
    own = looks(models, {model for joined in table["models"] for model in joined.split(JOINED_BY)})
    left = widest([name for of_row, _ in groups for name in _names(of_row)]) + GAP
    width = (WIDE - left) / max(len(panels) for _, panels in groups)
    heights = [TOP + LINE * len(panels[0]) + BOTTOM for _, panels in groups]
    top = height = sum(heights)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for (of_row, panels), of_group in zip(groups, heights, strict=True):
            recording, area, time_bin, partition = of_row[ROW].iloc[0]
            named = f"{partition}: {recording}, {place_of(area, time_bin)}"
            figure.text(GAP / WIDE, (top - 1) / height, named, va="top", fontweight="bold")
            for k, rows in enumerate(panels):
                place = (left + k * width) / WIDE, (top - of_group + BOTTOM) / height
                axes = figure.add_axes((*place, (width - RIGHT) / WIDE, LINE * len(rows) / height))
                _draw_panel(axes, rows, own, named=k == 0)
            top -= of_group
    return figure


def _order(group: tuple) -> tuple:
    recording, *place, partition = in_time(group)
    return recording, partition, *place


def _panels(of_row: pd.DataFrame) -> list[pd.DataFrame]:
    splits = sorted(of_row["split"].unique(), key=lambda split: (place_of_split(split), split))
    return [of_row[of_row["split"] == split] for split in splits]


def _names(rows: pd.DataFrame) -> list[str]:
    """Return the name of each row in a panel."""
    everything = max(rows["models"], key=len)
    return [
        (ALL_IN_WORDS if models == everything else IN_WORDS)[kind].format(models.replace(JOINED_BY, " and "))
        for kind, models in rows[["kind", "models"]].drop_duplicates().itertuples(index=False)
    ]


def _draw_panel(axes: Axes, rows: pd.DataFrame, own: dict[str, dict], named: bool) -> None:
    axes.axvline(0, **CHANCE, zorder=1)
    for y, row in enumerate(rows.itertuples()):
        look = own.get(row.models, {"color": "black" if row.kind == EXPLAINED else GREY, "marker": "o"})
        axes.plot([row.low, row.high], [y, y], color=look["color"], label=f"_interval of {row.kind} {row.models}")
        axes.plot([row.median], [y], **look, linestyle="", label=f"{row.kind} {row.models}")
    axes.set_title(f"{held_out(rows['split'].iloc[0])}, {rows['n_neuroids'].iloc[0]} neurons", loc="left", fontsize=7)
    axes.set_yticks(range(len(rows)), _names(rows) if named else [])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(MEASURES[rows["measure"].iloc[0]])
