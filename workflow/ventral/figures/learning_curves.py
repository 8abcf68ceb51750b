"""Draw learning curves: how networks learned to tell labels apart, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import write_figure
from ventral.figures.style import MM, WIDE, figure_style, looks
from ventral.tables import read_csv

PANEL_HEIGHT, LEFT, GAP, TOP, BOTTOM, LINE = 48, 12, 16, 4, 10, 3.6
MEASURES = {"accuracy": "Accuracy", "loss": "Cross-entropy"}
PARTS = {"train": ":", "validation": "-"}


def learning_curves(trainings: Sequence[Path], svg: Path, pdf: Path, csv: Path, models: Sequence[str] = ()) -> None:
    """Write the figure of accuracy and loss, on training images and on other images of the same objects.

    Parameters
    ----------
    trainings : sequence of paths
        Folders of networks trained on labels, from `ventral.training.training.train`.
    svg, pdf, csv : paths
        The figure, and every number in it: the rows of each network's ``metrics.csv``, with its name as `model`.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    """
    table = pd.concat([read_csv(folder / "metrics.csv").assign(model=folder.name) for folder in trainings])
    write_figure(draw_learning_curves(table, models), table, svg, pdf, csv)


def draw_learning_curves(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw a panel for each measure: a colour for each network, dotted lines for training images."""
    drawn = set(table["model"])
    own = looks(models, drawn)
    handles = [Line2D([], [], **look, label=model) for model, look in own.items() if model in drawn]
    handles += [Line2D([], [], color="black", linestyle=style, label=f"{part} images") for part, style in PARTS.items()]
    height = TOP + PANEL_HEIGHT + BOTTOM + LINE * -(-len(handles) // 3) + 2
    width = (WIDE - LEFT - GAP) / len(MEASURES) - 2
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, (measure, label) in enumerate(MEASURES.items()):
            left, bottom = LEFT + k * (width + GAP), height - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            for model, rows in table.groupby("model", sort=False):
                for part, style in PARTS.items():
                    axes.plot(rows["epoch"], rows[f"{part}_{measure}"], **own[model], linestyle=style)
            axes.set_xlabel("Epoch")
            axes.set_ylabel(label)
        figure.legend(handles=handles, loc="lower left", ncols=3, frameon=False)
    return figure
