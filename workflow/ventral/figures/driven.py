"""Draw the images that drive neurons beside their controls, on a sheet for each area."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ventral.figures.layout import write_figure
from ventral.figures.style import MM, WIDE, figure_style
from ventral.in_silico.images import (
    ALONE,
    GABOR,
    KINDS,
    LINEAR,
    MASKED,
    MATCHED,
    NATURAL,
    POOL,
    SYNTHESISED,
    TABLE,
    read_png,
)
from ventral.recordings.time_bins import place_of
from ventral.tables import read_parquet

WORDS = {
    SYNTHESISED: "synthesised",
    NATURAL: "natural",
    MATCHED: "matched",
    MASKED: "masked",
    POOL: "pool",
    GABOR: "Gabor",
    LINEAR: "linear",
}
OBJECTIVES = {"excite": "most exciting", "inhibit": "most inhibiting", "one_hot": "this neuron alone"}
# In mm. The synthesised images of a neuron beyond these are in the table alone.
LEFT, GAP, TITLE, HEADS, TEXT = 22, 1.0, 6, 4, 7
MOST_SEEDS, MOST_NEURONS = 3, 12
OWN_ONLY = "#D55E00"


def drive_figure(driven: Path, svg: Path, pdf: Path, csv: Path) -> None:
    """Write the sheets of images that drive neurons.

    Parameters
    ----------
    driven : path
        Folder from `ventral.in_silico.driving.drive`.
    svg, pdf, csv : paths
        The figure, and the table of all images.
    """
    table = read_parquet(Path(driven) / TABLE)
    write_figure(draw_drive(table, Path(driven)), table, svg, pdf, csv)


def draw_drive(table: pd.DataFrame, folder: Path) -> Figure:
    """Draw a sheet for each area and objective, with a row for each neuron."""
    shown = table[(table["kind"] != SYNTHESISED) | (table["seed"] < MOST_SEEDS)]
    columns = [(kind, seed) for kind in KINDS for seed in sorted(set(shown.loc[shown["kind"] == kind, "seed"]))]
    side = (WIDE - LEFT) / len(columns)
    sheets = list(shown.groupby(["recording", "area", "time_bin", "objective"], sort=False))
    neurons = [list(dict.fromkeys(rows["neuroid"]))[:MOST_NEURONS] for _, rows in sheets]
    height = sum(TITLE + HEADS + len(names) * (side + TEXT) for names in neurons)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        top = 0.0
        for (place, rows), names in zip(sheets, neurons, strict=True):
            _write_heads(axes, top, place, rows, columns, side)
            top += TITLE + HEADS
            for name in names:
                axes.text(0, top + side / 2, name, va="center")
                for row in rows[rows["neuroid"] == name].itertuples():
                    _draw_image(axes, LEFT + columns.index((row.kind, row.seed)) * side, top, side, row, folder)
                top += side + TEXT
        # Drawing an image resets the limits.
        axes.set(xlim=(0, WIDE), ylim=(height, 0), aspect="auto")
    return figure


def _write_heads(axes: Axes, top: float, place: tuple, rows: pd.DataFrame, columns: list, side: float) -> None:
    recording, area, time_bin, objective = place
    names = f"{recording}, {place_of(area, time_bin)}: {OBJECTIVES[objective]}"
    axes.text(
        0, top + TITLE / 2, f"{names} ({rows['model'].iloc[0]}, judge {rows['judge'].iloc[0]})", fontweight="bold"
    )
    for k, (kind, seed) in enumerate(columns):
        word = f"{WORDS[kind]} {seed + 1}" if kind == SYNTHESISED else WORDS[kind]
        axes.text(LEFT + (k + 0.5) * side, top + TITLE + HEADS / 2, word, ha="center")


def _draw_image(axes: Axes, left: float, top: float, side: float, row: tuple, folder: Path) -> None:
    pixels = read_png(folder / row.image).transpose(1, 2, 0)
    longer = max(pixels.shape[:2])
    height, width = ((side - GAP) * length / longer for length in pixels.shape[:2])
    axes.imshow(pixels, extent=(left, left + width, top + height, top), interpolation="nearest")
    said = f"{row.drive:.1f} | {row.judged_drive:.1f}{' !' if row.beyond_seen else ''}"
    colour = OWN_ONLY if row.verdict == ALONE else "black"
    axes.text(left + width / 2, top + side + 1.5, said, ha="center", color=colour)
