"""Draw the stimuli of the next experiment, with the trials until they tell models apart."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ventral.figures.layout import figure_of_text, write_figure
from ventral.figures.style import MM, WIDE, figure_style
from ventral.recordings.time_bins import place_of
from ventral.stimuli.modality import declared_modality
from ventral.store import read_dataset
from ventral.tables import read_csv

if TYPE_CHECKING:
    import xarray as xr

PLACE = ["recording", "area", "time_bin"]
COLUMNS, MOST_ROWS = 10, 2
# In mm.
GAP, LINE, BETWEEN = 0.6, 3.6, 3.0
NOTHING = "No two candidates are tied, so no stimuli are chosen."


def chosen_stimuli(stimuli: Path, trials: Path, pool: Path, svg: Path, pdf: Path, csv: Path) -> None:
    """Write a sheet of the stimuli that were chosen for each area and time bin, and their table.

    Parameters
    ----------
    stimuli, trials : paths
        Tables of `ventral.in_silico.next_experiment`.
    pool : path
        Store of the stimuli.
    svg, pdf, csv : paths
        The figure, and the table of chosen stimuli.
    """
    chosen, needed = read_csv(stimuli, "stimulus", "layer"), read_csv(trials, "layer_a", "layer_b")
    figure = draw_chosen(chosen, needed, read_dataset(pool)) if len(chosen) else figure_of_text(NOTHING)
    write_figure(figure, chosen, svg, pdf, csv)


def draw_chosen(chosen: pd.DataFrame, needed: pd.DataFrame, pool: "xr.Dataset") -> Figure:
    """Draw the first chosen stimuli of each area and time bin below a line for each pair of models."""
    modality = declared_modality(pool.attrs, "pool")
    row_of = {name: row for row, name in enumerate(pool["stimulus"].values.astype(str))}
    side = WIDE / COLUMNS
    blocks = []
    for place, rows in chosen.groupby(PLACE, sort=False):
        shown = rows.drop_duplicates("rank").sort_values("rank").head(COLUMNS * MOST_ROWS)
        here = (needed[PLACE] == list(place)).all(axis=1)
        lines = [_title(place, rows, len(row_of)), *map(_trials, needed[here].to_dict("records"))]
        blocks.append((lines, shown, LINE * len(lines) - (-len(shown) // COLUMNS) * (side + LINE) + BETWEEN))
    height = sum(block for _, _, block in blocks)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        top = 0.0
        for lines, shown, block in blocks:
            for k, line in enumerate(lines):
                weight = "bold" if k == 0 else "normal"
                figure.text(0, 1 - (top + (k + 0.5) * LINE) / height, line, va="center", fontweight=weight)
            for k, row in enumerate(shown.itertuples()):
                down, across = divmod(k, COLUMNS)
                bottom = top + LINE * len(lines) + down * (side + LINE) + side - GAP
                place = (across * side / WIDE, 1 - bottom / height, (side - GAP) / WIDE, (side - GAP) / height)
                modality.preview(
                    figure.add_axes(place),
                    pool[modality.array][row_of[row.stimulus]].values,
                    modality.kept(pool.attrs),
                )
                centre = (across * side + (side - GAP) / 2) / WIDE
                text = f"{row.rank}: {row.log_ratio:.2g}"
                figure.text(centre, 1 - (bottom + LINE / 2) / height, text, ha="center", va="center")
            top += block
    return figure


def _title(place: tuple[str, str, str], rows: pd.DataFrame, n_pool: int) -> str:
    recording, area, time_bin = place
    return f"{recording}, {place_of(area, time_bin)}: {rows['rank'].max()} of {n_pool:,} stimuli"


def _trials(pair: dict) -> str:
    models = f"{pair['model_a']} {pair['layer_a']} against {pair['model_b']} {pair['layer_b']}"
    chosen, *random = (_counted(pair[name]) for name in ("trials", "random_trials", "random_low", "random_high"))
    return f"{models}: {chosen} trials; with random stimuli {random[0]} ({random[1]} to {random[2]})"


def _counted(trials: float) -> str:
    return f"{trials:,.0f}" if np.isfinite(trials) else "infinitely many"
