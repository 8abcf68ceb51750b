"""Draw how networks that never saw a category represent it, beside networks that did."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import write_figure
from ventral.figures.style import CHANCE, MM, WIDE, figure_style, looks
from ventral.recordings.time_bins import place_of
from ventral.scores.selectivity import SELECTIVE
from ventral.statistics.summaries import read_scores
from ventral.tables import by_run, read_csv

PANEL_HEIGHT, LEFT, RIGHT, GAP, TOP, BOTTOM, LINE = 45, 12, 3, 15, 4, 13, 3.8


def unseen(selectivity: Path, scores: Path, svg: Path, pdf: Path, csv: Path, models: Sequence[str] = ()) -> None:
    """Write the figure of a category's decoding accuracy, selective units and RSA with matrices, layer by layer.

    Parameters
    ----------
    selectivity : path
        Table from `ventral.scores.selectivity.selectivity`.
    scores : path
        The joined score table. Each published dissimilarity matrix makes a panel.
    svg, pdf, csv : paths
        The figure, and every number in it, in long form: `model`, `layer`, `depth`, `measure`, `value`.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    """
    table = unseen_table(read_csv(selectivity), read_scores(scores))
    write_figure(draw_unseen(table, models), table, svg, pdf, csv)


def unseen_table(selectivity: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of the figure in long form, with the measures in the order of the panels."""
    category = selectivity["category"].iloc[0]
    measures = {
        f"Balanced accuracy, {category} or not": selectivity["balanced_accuracy"],
        f"Units with d' > {SELECTIVE} for {category}": selectivity["selective"],
    }
    parts = [
        selectivity[["model", "layer", "depth"]].assign(measure=measure, value=values)
        for measure, values in measures.items()
    ]
    matrices = scores[(scores["mapping"] == "rsa") & scores["model"].isin(selectivity["model"])]
    # One comparison is enough here; several subjects are averaged.
    several = matrices.groupby("area")["recording"].nunique() > 1
    for (area, time_bin, recording), rows in matrices.groupby(["area", "time_bin", "recording"]):
        named = f"{place_of(area, time_bin)} in {recording}" if several[area] else place_of(area, time_bin)
        rows = rows[(rows[["distance", "comparison"]] == rows[["distance", "comparison"]].iloc[0]).all(axis=1)]
        means = rows.groupby(["model", "layer", "depth"], sort=False, as_index=False)["r"].mean()
        parts.append(means.rename(columns={"r": "value"}).assign(measure=f"RSA with {named}, r (uncorrected)"))
    return pd.concat(parts, ignore_index=True)


def draw_unseen(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `unseen_table`: a panel for each measure, and a line through the layers of each model."""
    measures, drawn = (list(dict.fromkeys(table[column])) for column in ("measure", "model"))
    own = looks(models, drawn)
    height = TOP + PANEL_HEIGHT + BOTTOM + LINE * len(drawn)
    width = (WIDE - LEFT - RIGHT - GAP * (len(measures) - 1)) / len(measures)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, measure in enumerate(measures):
            left = LEFT + k * (width + GAP)
            bottom = height - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            _draw_lines(axes, table[table["measure"] == measure], own)
            axes.set_ylabel(measure)
        figure.legend(
            handles=[Line2D([], [], **look, label=model) for model, look in own.items() if model in drawn],
            loc="lower left",
            frameon=False,
        )
    return figure


def _draw_lines(axes: Axes, rows: pd.DataFrame, own: dict[str, dict]) -> None:
    if rows["measure"].iloc[0].startswith("Balanced accuracy"):
        axes.axhline(0.5, **CHANCE, zorder=1)
        axes.annotate("chance", (1, 0.5), (0, 2), textcoords="offset points", ha="right", va="bottom")
    for model, of_model in rows.groupby("model", sort=False):
        of_model = of_model.sort_values(["depth", "layer"], key=by_run)
        axes.plot(of_model["depth"], of_model["value"], **own[model], label=model)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Layer depth")
