"""Draw learning curves: how networks learned to tell labels apart, epoch by epoch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import write_figure
from ventral.figures.style import MM, WIDE, figure_style, looks
from ventral.tables import read_csv

PANEL_HEIGHT, LEFT, GAP, TOP, BOTTOM, LINE = 48, 12, 16, 4, 10, 3.6
ACCURACY, LOSS = "accuracy", "loss"
PARTS = {"train": ":", "validation": "-", "test": "--"}


def learning_curves(
    trainings: Sequence[Path],
    svg: Path,
    pdf: Path,
    csv: Path,
    models: Sequence[str] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write the figure of accuracy and loss, on training stimuli and on other stimuli of the same labels.

    Parameters
    ----------
    trainings : sequence of paths
        Folders of networks trained on labels, from `ventral.training.training.train`.
    svg, pdf, csv : paths
        The figure, and every number in it: the rows of each network's ``metrics.csv``, with its name as `model`.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    labels : mapping of sequences of str, optional
        Labels that each network learned.
    """
    table = pd.concat([read_csv(folder / "metrics.csv").assign(model=folder.name) for folder in trainings])
    write_figure(draw_learning_curves(table, models, labels or {}), table, svg, pdf, csv)


def draw_learning_curves(table: pd.DataFrame, models: Sequence[str], labels: Mapping[str, Sequence[str]]) -> Figure:
    """Draw a panel for each measure: a colour for each network, and a kind of line for each part of the stimuli.

    If networks learned several labels, each label has a panel of its own.
    """
    drawn = set(table["model"])
    own = looks(models, drawn)
    parts = {part: style for part, style in PARTS.items() if any(name.startswith(f"{part}_") for name in table)}
    handles = [Line2D([], [], **look, label=model) for model, look in own.items() if model in drawn]
    handles += [
        Line2D([], [], color="black", linestyle=style, label=f"{part} stimuli") for part, style in parts.items()
    ]
    panels = [*_panels_of_accuracy(drawn, labels), ("Cross-entropy", dict.fromkeys(drawn, LOSS))]
    height = TOP + PANEL_HEIGHT + BOTTOM + LINE * -(-len(handles) // 3) + 2
    width = (WIDE - LEFT - GAP * (len(panels) - 1)) / len(panels) - 2
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, (label, measures) in enumerate(panels):
            left, bottom = LEFT + k * (width + GAP), height - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            for model, rows in table.groupby("model", sort=False):
                for part, style in parts.items():
                    column = f"{part}_{measures.get(model)}"
                    if column in rows and rows[column].notna().any():
                        axes.plot(rows["epoch"], rows[column], **own[model], linestyle=style)
            axes.set_xlabel("Epoch")
            axes.set_ylabel(label)
        figure.legend(handles=handles, loc="lower left", ncols=3, frameon=False)
    return figure


def _panels_of_accuracy(
    drawn: Iterable[str], labels: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the title of each panel, with each network's measure in ``metrics.csv``."""
    learned = {model: labels.get(model, [""]) for model in drawn}
    names = dict.fromkeys(name for model in labels if model in learned for name in labels[model])
    for name in names if len(names) > 1 else [""]:
        measures = {
            model: ACCURACY if len(own) == 1 else f"{ACCURACY} {name}"
            for model, own in learned.items()
            if name in own or not name
        }
        yield f"Accuracy, {name}" if name else "Accuracy", measures
