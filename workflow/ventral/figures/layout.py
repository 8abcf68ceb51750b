"""Place panels on a figure, and write a figure with the table behind it.

Figures are SVG and PDF; the same scores give the same bytes.
"""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from ventral.figures.measures import compares_matrices, measures, named_on_split
from ventral.figures.style import MM, NARROW, STYLE, WIDE, figure_style
from ventral.outputs import writing
from ventral.recordings.time_bins import place_of, time_order
from ventral.statistics.summaries import range_in_words
from ventral.targets.splits import held_out

# Columns counted beside the neuroids that are included, with their wording.
DOUBTFUL = {"n_unreliable": "reliability not above 0", "n_marked": "corrected score uncertain (marked)"}
# In mm: a panel, what surrounds it, and a line of text.
PANEL_HEIGHT = 48
LEFT, RIGHT, TOP, BOTTOM = 12, 2, 2, 10
LINE = 3.2
SPLITS = ["stimuli", "objects", "categories"]
# Along the ventral stream, from the eye inwards; each is the last word of an area's name.
AREAS = ["retina", "LGN", "EVC", "V1", "V2", "V3", "V4", "LO", "TEO", "PIT", "CIT", "AIT", "IT", "FFA", "PPA", "PFC"]


def place_of_split(split: str) -> int:
    """Return the place of a split among others; unknown splits come last."""
    return SPLITS.index(split) if split in SPLITS else len(SPLITS)


def figure_of_text(text: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, 2 * LINE * MM))
        figure.text(0, 0.5, text, va="center")
    return figure


def write_figure(figure: Figure, table: pd.DataFrame, svg: Path, pdf: Path, csv: Path) -> None:
    """Write a figure and the table behind it, without a date, so that the same content gives the same bytes."""
    with figure_style(), writing(svg) as svg_unfinished, writing(pdf) as pdf_unfinished, writing(csv) as csv_unfinished:
        figure.savefig(svg_unfinished, format="svg", metadata={"Date": None})
        figure.savefig(pdf_unfinished, format="pdf", metadata={"CreationDate": None})
        table.to_csv(csv_unfinished, index=False, lineterminator="\n")


def neuroids_taken(rows: pd.DataFrame) -> str:
    """Say how many neuroids, or dissimilarity matrices, a panel's rows summarise."""
    # A layer that predicts no neuroid is a gap in the line, and does not count.
    known = rows[rows["n_neuroids"] > 0] if rows["n_neuroids"].any() else rows
    taken, left_out = (range_in_words(known[column]) for column in ("n_neuroids", "n_left_out"))
    if compares_matrices(rows).iloc[0]:
        said = "one dissimilarity matrix" if taken == "1" else f"mean of {taken} dissimilarity matrices"
    else:
        ceiling = "" if rows["has_ceiling"].iloc[0] else "\nno repetitions, so no ceiling"
        said = f"n = {taken} {'neuron' if taken == '1' else 'neurons'}, {left_out} left out{ceiling}"
    return f"{said}{doubtful(known, chr(10))}"


def doubtful(rows: pd.DataFrame, before: str) -> str:
    """Count the neuroids whose reliability is not positive, or whose score is marked; `before` precedes each count."""
    return "".join(
        f"{before}{words}: {range_in_words(rows[column].astype(int))}"
        for column, words in DOUBTFUL.items()
        if rows[column].any()
    )


def page_of_panels(
    summary: pd.DataFrame,
    row: Sequence[str],
    describe: Callable[[pd.DataFrame], str],
    handles: Sequence[Line2D],
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Lay out a panel for every group of the summary's rows, on a figure one or two journal columns wide.

    Parameters
    ----------
    summary : DataFrame
        The columns `split` and `mapping` are the columns of panels.
    row : sequence of str
        Columns of the summary that are the rows of panels, `recording`, `area` and `time_bin` first.
    describe : callable
        Gives the text under a panel's name from the panel's rows.
    handles : sequence of Line2D
        The legend, below all panels, in reading order.

    Returns
    -------
    figure : Figure
        Large enough for all panels.
    panels : list of (Axes, DataFrame)
        Each panel with its rows.
    """
    groups = summary.groupby([*row, "mapping", "distance", "comparison", "split"])
    panels = [rows for _, rows in sorted(groups, key=in_time)]
    places = _places(panels, row)
    n_rows, n_columns = np.max(places, axis=0) + 1
    width = NARROW if n_columns == 1 else WIDE
    panel_width = width / n_columns - LEFT - RIGHT
    several_mappings = summary.loc[~compares_matrices(summary), "mapping"].nunique() > 1
    headers = [_header(rows, several_mappings, describe(rows), panel_width) for rows in panels]
    cell = TOP + LINE * max(map(len, headers)) + PANEL_HEIGHT + BOTTOM

    figure = Figure(figsize=(width * MM, cell * n_rows * MM))
    height = cell * n_rows + add_legend(figure, handles, width)
    figure.set_size_inches(width * MM, height * MM)
    drawn = []
    for rows, header, (i, j) in zip(panels, headers, places, strict=True):
        left, bottom = j * width / n_columns + LEFT, height - (i + 1) * cell + BOTTOM
        axes = figure.add_axes((left / width, bottom / height, panel_width / width, PANEL_HEIGHT / height))
        for k, (line, weight) in enumerate(reversed(header)):
            offset = (0, (k + 0.5) * LINE * MM * 72)
            axes.annotate(line, (0, 1), offset, "axes fraction", textcoords="offset points", fontweight=weight)
        drawn.append((axes, rows))
    return figure, drawn


def in_time(group: tuple[tuple, pd.DataFrame]) -> tuple:
    """Return the sort key of a group of rows (recording, area, time bin, ...).

    Areas come in the order of the ventral stream, and bins by their times.
    """
    (recording, area, time_bin, *rest), _ = group
    return recording, *along_the_stream(area), time_order(time_bin), *rest


def along_the_stream(area: str) -> tuple[int, str]:
    """Return the sort key of an area: its place in the ventral stream; unknown areas come last, by name."""
    word = area.split()[-1] if area else ""
    return AREAS.index(word) if word in AREAS else len(AREAS), area


def _places(panels: Sequence[pd.DataFrame], row: Sequence[str]) -> list[tuple[int, int]]:
    """Return the row and column of each panel.

    The splits of an area stand side by side. Where all panels have the same split, three stand in a row, and four make
    a square. Panels of dissimilarity matrices have no split, and fill the rows below the others.
    """
    matrices = [compares_matrices(rows).iloc[0] for rows in panels]
    if any(matrices) and not all(matrices):
        above = _places([rows for rows, matrix in zip(panels, matrices, strict=True) if not matrix], row)
        n_rows, n_columns = np.max(above, axis=0) + 1
        below = [(n_rows + k // n_columns, k % n_columns) for k in range(sum(matrices))]
        upper, lower = iter(above), iter(below)
        return [next(lower if matrix else upper) for matrix in matrices]
    rows = [tuple(rows[row].iloc[0]) for rows in panels]
    columns = [
        (mapping, place_of_split(split), split)
        for mapping, split in (rows[["mapping", "split"]].iloc[0] for rows in panels)
    ]
    if len(set(columns)) == 1:
        return [divmod(k, 2 if len(panels) == 4 else 3) for k in range(len(panels))]
    row_of = {key: k for k, key in enumerate(sorted(set(rows), key=_place_of_row))}
    # A split that only another recording has leaves no gap in a row.
    of_row = {
        key: sorted({column for other, column in zip(rows, columns, strict=True) if other == key}) for key in rows
    }
    return [(row_of[key], of_row[key].index(column)) for key, column in zip(rows, columns, strict=True)]


def _place_of_row(row: tuple[str, ...]) -> tuple:
    """Return the sort key of a row of panels: recording, area along the ventral stream, time bin, then the rest."""
    recording, area, time_bin, *rest = row
    return recording, *along_the_stream(area), time_order(time_bin), *rest


def _header(rows: pd.DataFrame, with_mapping: bool, description: str, width: float) -> list[tuple[str, str]]:
    """Return the lines of text above a panel `width` mm wide, each with its font weight."""
    recording, area, time_bin, split, mapping = rows[["recording", "area", "time_bin", "split", "mapping"]].iloc[0]
    measure = measures(rows).iloc[0]
    compared = f"{measure} on {held_out(split)}{f', {mapping}' if with_mapping else ''}"
    if compares_matrices(rows).iloc[0]:
        compared = named_on_split(measure, split)
    plain = [compared, *description.split("\n")]
    return [
        *((line, "bold") for line in wrapped(f"{recording}, {place_of(area, time_bin)}", "bold", width)),
        *((line, "normal") for text in plain for line in wrapped(text, "normal", width)),
    ]


def wrapped(text: str, weight: str, width: float) -> list[str]:
    """Break text into as few lines as fit into `width` mm."""
    # One dot a point: widths come in points.
    renderer, font = FigureCanvasAgg(Figure(dpi=72)).get_renderer(), FontProperties(weight=weight)
    for n_characters in range(len(text), 0, -1):
        lines = textwrap.wrap(text, n_characters)
        widths = [renderer.get_text_width_height_descent(line, font, ismath=False)[0] for line in lines]
        if max(widths) <= width * MM * 72:
            return lines
    return []


def widest(texts: Sequence[str]) -> float:
    """Return the width in mm of the widest text beside an axis."""
    renderer = FigureCanvasAgg(Figure(dpi=72)).get_renderer()
    font = FontProperties(size=STYLE["ytick.labelsize"])
    widths = [renderer.get_text_width_height_descent(str(text), font, ismath=False)[0] for text in set(texts)]
    return max(widths) / 72 / MM


def add_legend(figure: Figure, handles: Sequence[Line2D], width: float) -> float:
    """Add a legend at the foot of the figure, in as many columns as fit; return its height in mm."""
    if not handles:
        return 0
    renderer = FigureCanvasAgg(figure).get_renderer()
    for n_columns in range(len(handles), 0, -1):
        # Matplotlib fills legends by column; people read them by row.
        by_row = [handle for column in range(n_columns) for handle in handles[column::n_columns]]
        legend = figure.legend(handles=by_row, ncols=n_columns, loc="lower left", frameon=False, handlelength=2.5)
        extent = legend.get_window_extent(renderer)
        if n_columns == 1 or extent.width <= (width - RIGHT) * MM * figure.dpi:
            break
        legend.remove()
    return extent.height / figure.dpi / MM + TOP
