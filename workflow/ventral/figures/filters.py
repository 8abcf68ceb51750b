"""Draw the filters of first layers with their fits, and their properties beside those of neurons in V1."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ventral.figures.layout import write_figure
from ventral.figures.style import CHANCE, MM, WIDE, figure_style, looks
from ventral.mappings.gabors import gabor
from ventral.statistics.v1 import ALL, FILTER, LIKE_V1, PUBLISHED
from ventral.tables import read_csv, read_parquet

# Filters of each model that the gallery shows, and in mm: the side of a filter with the gap, and the texts.
SHOWN = 16
CELL, GAP, TITLE, NUMBER = WIDE / SHOWN, 0.8, 5, 4
PANEL_HEIGHT, LEFT, RIGHT, BETWEEN, TOP, BOTTOM, LINE = 36, 12, 3, 14, 6, 14, 3.8
V1 = "V1"
# Title, column of the table of filters, property in `PUBLISHED` with its axis, and label.
HISTOGRAMS = (
    ("orientation", "orientation", 0, "Orientation (degrees)"),
    ("spatial frequency", "spatial frequency", 0, "Spatial frequency (cycles per degree)"),
    ("nx", "nx and ny", 0, "nx (cycles)"),
    ("ny", "nx and ny", 1, "ny (cycles)"),
)
SIMILARITY, FIELD = "similarity to V1", "degrees of the input"
ABREAST = 3


def filter_gallery(filters: Path, svg: Path, pdf: Path, csv: Path) -> None:
    """Write the figure of the filters of first layers with their fits.

    Parameters
    ----------
    filters : path
        Table from `ventral.scores.first_layers.filters`.
    svg, pdf, csv : paths
        The figure, and the fits of all filters of models.
    """
    table = read_parquet(filters)
    own = table[table["kind"] == FILTER]
    write_figure(draw_gallery(own), own.drop(columns=["kind", "map", "colour"]), svg, pdf, csv)


def draw_gallery(own: pd.DataFrame) -> Figure:
    """Draw filters of each model with the Gabors below, best fit first."""
    models = [rows for _, rows in own.groupby("model", sort=False)]
    block = TITLE + 2 * CELL + NUMBER
    height = block * len(models)
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, rows in enumerate(models):
            axes = figure.add_axes((0, 1 - (k + 1) / len(models), 1, 1 / len(models)))
            axes.set(xlim=(0, WIDE), ylim=(block, 0))
            axes.set_axis_off()
            axes.text(0, TITLE - 1, _title(rows), fontweight="bold")
            ordered = rows.sort_values("r2", ascending=False, ignore_index=True)
            places = np.unique(np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).round().astype(int))
            for place, (_, fit) in enumerate(ordered.iloc[places].iterrows()):
                _draw_filter(axes, place * CELL, fit)
    return figure


def _title(rows: pd.DataFrame) -> str:
    kernels = " and ".join(dict.fromkeys(f"{row.rows} x {row.columns}" for row in rows.itertuples()))
    n = rows["gabor"].sum()
    return f"{rows['model'].iloc[0]}: kernels of {kernels}; {n} of {len(rows)} filters are Gabors"


def _draw_filter(axes: Axes, left: float, fit: pd.Series) -> None:
    rows, columns = fit["rows"], fit["columns"]
    image = np.reshape(fit["map"], (rows, columns))
    limit = np.abs(image).max()
    side = CELL - GAP
    for top, shown in ((TITLE, image), (TITLE + CELL, gabor(fit, rows, columns))):
        extent = (left, left + side, top + side, top)
        axes.imshow(shown, cmap="gray", vmin=-limit, vmax=limit, extent=extent, interpolation="nearest")
    if fit["gabor"]:
        frame = Rectangle((left, TITLE), side, side + CELL, fill=False, edgecolor="#D55E00", linewidth=1.2)
        axes.add_patch(frame)
    axes.text(left + side / 2, TITLE + 2 * CELL + 2, f"{fit['r2']:.2f}", ha="center", va="center")
    # Drawing an image resets the limits.
    axes.set(xlim=(0, WIDE), ylim=(TITLE + 2 * CELL + NUMBER, 0), aspect="auto")


def filter_distributions(
    filters: Path, distances: Path, svg: Path, pdf: Path, csv: Path, models: Sequence[str] = ()
) -> None:
    """Write the figure of the filters' properties beside those of neurons in V1, and of their similarity.

    Parameters
    ----------
    filters : path
        Table from `ventral.scores.first_layers.filters`.
    distances : path
        Table from `ventral.statistics.v1.filter_distances`.
    svg, pdf, csv : paths
        The figure, and every number in it, in long form. `x` is the property, the degrees, or the lower edge of a bin,
        and `x_high` its upper edge. `value` has an interval from `low` to `high`. Neurons have the model `V1`.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    """
    table = distributions_table(read_parquet(filters), read_csv(distances))
    write_figure(draw_distributions(table, models), table, svg, pdf, csv)


def distributions_table(filters: pd.DataFrame, distances: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of the figure in long form, in the order of the panels."""
    own = filters[filters["kind"] == FILTER]
    parts = []
    for panel, name, axis, _ in HISTOGRAMS:
        published = PUBLISHED[name]
        shares = {V1: published.shares.reshape(published.counts.shape)}
        shares |= {model: _shares(rows, name) for model, rows in own.groupby("model", sort=False)}
        bins = {"x": published.edges[:-1].round(4), "x_high": published.edges[1:].round(4)}
        others = tuple(other for other in range(published.counts.ndim) if other != axis)
        parts += [
            pd.DataFrame({"panel": panel, "model": model, **bins, "value": values.sum(axis=others)})
            for model, values in shares.items()
        ]
    similar = distances.rename(
        columns={"similarity": "value", "similarity_low": "low", "similarity_high": "high", "property": "x"}
    )
    kept = ["panel", "model", "x", "value", "low", "high", "determined"]
    parts.append(similar[similar["degrees_times"] == 1].assign(panel=SIMILARITY)[kept])
    fields = similar[similar["x"] == "spatial frequency"].assign(panel=FIELD, x=similar["degrees"])
    parts.append(fields.sort_values(["model", "x"])[kept])
    return pd.concat(parts, ignore_index=True)


def _shares(own: pd.DataFrame, name: str) -> NDArray:
    published = PUBLISHED[name]
    bins = published.bins(own)[own["gabor"].to_numpy(bool)]
    counts = np.bincount(bins[bins < published.counts.size], minlength=published.counts.size)
    return counts.reshape(published.counts.shape) / len(own)


def draw_distributions(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `distributions_table`: a panel for each property, and the similarities."""
    drawn = [model for model in dict.fromkeys(table["model"]) if model != V1]
    own = looks(models, drawn)
    panels = list(dict.fromkeys(table["panel"]))
    n_rows = -(-len(panels) // ABREAST)
    cell = TOP + PANEL_HEIGHT + BOTTOM
    height = n_rows * cell + LINE * (len(drawn) + 1)
    width = (WIDE - LEFT - RIGHT - BETWEEN * (ABREAST - 1)) / ABREAST
    labels = {panel: label for panel, _, _, label in HISTOGRAMS}
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, panel in enumerate(panels):
            row, column = divmod(k, ABREAST)
            left, bottom = LEFT + column * (width + BETWEEN), height - row * cell - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            rows = table[table["panel"] == panel]
            if panel in labels:
                _draw_histogram(axes, rows, own, labels[panel])
            else:
                _draw_similarity(axes, rows, own, panel)
        handles = [Rectangle((0, 0), 1, 1, color="0.8", label="V1 (published)")]
        handles += [Line2D([], [], **own[model], label=model) for model in drawn]
        figure.legend(handles=handles, loc="lower left", frameon=False)
    return figure


def _draw_histogram(axes: Axes, rows: pd.DataFrame, own: dict[str, dict], label: str) -> None:
    edges = rows.loc[rows["model"] == V1, "x"].to_numpy(float)
    places = np.arange(len(edges))
    for model, of_model in rows.groupby("model", sort=False):
        if model == V1:
            axes.bar(places, of_model["value"], width=1, color="0.8", label=V1, zorder=1)
        else:
            axes.plot(places, of_model["value"], **own[model], label=model, zorder=2)
    every = 2 if len(edges) > 6 else 1
    last = rows.loc[rows["model"] == V1, "x_high"].iloc[-1]
    axes.set_xticks(np.arange(len(edges) + 1)[::every] - 0.5, [f"{edge:.2g}" for edge in [*edges, last]][::every])
    if label.startswith("Orientation"):
        axes.set_xticks(places, ["0", "45", "90", "135"])
    axes.set_xlabel(label)
    axes.set_ylabel("Share of filters or neurons")
    axes.set_ylim(bottom=0)


def _draw_similarity(axes: Axes, rows: pd.DataFrame, own: dict[str, dict], panel: str) -> None:
    names = [*PUBLISHED, ALL]
    models = list(dict.fromkeys(rows["model"]))
    for k, (model, of_model) in enumerate(rows.groupby("model", sort=False)):
        if panel == FIELD:
            x = of_model["x"].to_numpy(float)
        else:
            x = np.array([names.index(name) for name in of_model["x"]]) + 0.6 * ((k + 0.5) / len(models) - 0.5)
        value = of_model["value"].to_numpy(float)
        errors = np.abs(of_model[["low", "high"]].to_numpy(float).T - value)
        hollow = {} if of_model["determined"].all() else {"markerfacecolor": "white"}
        line = "-" if panel == FIELD else "none"
        axes.errorbar(x, value, errors, **own[model], **hollow, linestyle=line, elinewidth=0.6, label=model)
    axes.axhline(LIKE_V1, **CHANCE, zorder=0)
    axes.set_ylim(min(-0.1, axes.get_ylim()[0]), max(1.1, axes.get_ylim()[1]))
    if panel == FIELD:
        axes.set_xscale("log", base=2)
        ticks = sorted({round(x, 1) for x in rows["x"].astype(float)})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xlabel("Degrees that the input spans")
        axes.set_ylabel("Similarity in spatial frequency")
    else:
        axes.set_xticks(range(len(names)), ["orien-\ntation", "spatial\nfrequency", "nx\nand ny", "all"])
        axes.set_ylabel("Similarity to V1")
