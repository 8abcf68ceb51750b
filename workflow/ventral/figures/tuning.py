"""Draw the tuning of layers and readouts to gratings, beside that of neurons in V1."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ventral.datasets.goris2015 import read_curves
from ventral.figures.layout import write_figure
from ventral.figures.style import CHANCE, GREY, MM, WIDE, figure_style, looks
from ventral.statistics.v1 import ALL, LIKE_V1, PUBLISHED
from ventral.statistics.v1_tuning import COMPARED, UNIT
from ventral.tables import read_csv, read_parquet

# In mm.
PANEL_HEIGHT, LEFT, RIGHT, BETWEEN, TOP, BOTTOM, LINE = 34, 12, 3, 14, 7, 12, 3.8
ABREAST = 3
V1 = "V1"
SHARES, CURVES, DEPTHS = "shares", "curves", "depths"
# Columns of responses and of what they are over, label, and whether the axis is circular.
CURVES_OVER = {
    "orientation": ("orientation_curve", "orientations", "Degrees from the best orientation"),
    "spatial frequency": ("frequency_curve", "frequencies", "Octaves from the best frequency"),
}
LABELS = {"orientation": "Orientation (degrees)", "spatial frequency": "Spatial frequency (cycles per degree)"}
# Properties by depth, in the order of the panels, with their labels.
BY_DEPTH = {
    "spatial frequency": "Preferred frequency (cyc/deg)",
    "circular_variance": "Circular variance",
    "orientation_bandwidth": "Bandwidth (degrees)",
    "frequency_bandwidth": "Bandwidth (octaves)",
    "f1_f0": "F1/F0",
    "suppression": "Suppression index",
    "summation_diameter": "Summation field (degrees)",
    "c50": "c50",
}
# Panels of similarities, by their property, with their labels.
SIMILAR = {"spatial frequency": "Similarity in frequency", ALL: "Similarity to V1"}


def tuning_figure(
    tables: Sequence[Path],
    summary: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    neurons: Sequence[Path] = (),
    models: Sequence[str] = (),
) -> None:
    """Write the figure of tuning to gratings.

    Parameters
    ----------
    tables : sequence of paths
        Tables from `ventral.in_silico.tuning`.
    summary : path
        Table from `ventral.statistics.v1_tuning.tuning_by_layer`.
    svg, pdf, csv : paths
        The figure, and every number in it, in long form. `x` is the lower edge of a bin, with the upper edge `x_high`,
        or the distance from the best grating, or the depth. `value` has quartiles, or the interval of a similarity,
        from `low` to `high`. Published neurons have the model `V1`.
    neurons : sequence of paths
        Tables of `ventral.datasets.goris2015`, whose curves are drawn beside.
    models : sequence of str
        All models of the run, by whose order each has its colour and marker.
    """
    units = pd.concat([read_parquet(path) for path in tables], ignore_index=True)
    units = units[units["kind"] == UNIT]
    curves = read_curves(neurons) if neurons else None
    table = tuning_numbers(units, read_csv(summary), curves)
    write_figure(draw_tuning(table, models), table, svg, pdf, csv)


def tuning_numbers(units: pd.DataFrame, summary: pd.DataFrame, neurons: pd.DataFrame | None) -> pd.DataFrame:
    """Return the numbers of the figure in long form, in the order of the panels."""
    summary = summary.assign(recording=summary["recording"].fillna(""))
    summary = summary[summary["degrees_times"] == 1]
    parts = [part for _, rows in units.groupby("model", sort=False) for part in _shares(rows)]
    parts += _curves(units, summary, neurons)
    parts += _by_depth(summary)
    return pd.concat(parts, ignore_index=True)


def _shares(of_model: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the shares of units of each layer in the published bins, and those of neurons."""
    model = of_model["model"].iloc[0]
    for name, tuned in COMPARED.items():
        published = PUBLISHED[name]
        edges = {"kind": SHARES, "panel": f"{model}: {name}", "property": name}
        edges |= {"x": published.edges[:-1].round(4), "x_high": published.edges[1:].round(4)}
        yield pd.DataFrame({**edges, "model": V1, "value": published.shares})
        for (recording, layer), rows in of_model.groupby(["recording", "layer"], sort=False):
            bins = published.bins(rows)[rows[tuned].to_numpy(bool)]
            counts = np.bincount(bins, minlength=published.counts.size + 1)[:-1]
            of_layer = {"recording": recording, "layer": layer, "depth": rows["depth"].iloc[0]}
            yield pd.DataFrame({**edges, "model": model, **of_layer, "value": counts / len(rows)})


def _curves(units: pd.DataFrame, summary: pd.DataFrame, neurons: pd.DataFrame | None) -> Iterator[pd.DataFrame]:
    """Yield curves around the best grating, over their peak: neurons, and medians over units of the best layers."""
    similar = summary[(summary["property"] == ALL) & (summary["recording"] == "")].dropna(subset="similarity")
    best = similar.loc[similar.groupby("model", sort=False)["similarity"].idxmax(), ["model", "layer"]]
    for name, (responses, over, _) in CURVES_OVER.items():
        told = {"kind": CURVES, "panel": f"curves: {name}", "property": name}
        if neurons is not None:
            for (area, unit), points in neurons[neurons["property"] == name].groupby(["area", "unit"]):
                x, value = aligned(points["x"].to_numpy(), points["rate"].to_numpy(), name)
                yield pd.DataFrame({**told, "model": V1, "layer": f"{area}, {unit}", "x": x, "value": value})
        for _, (model, layer) in best.iterrows():
            rows = units[(units["model"] == model) & (units["recording"] == "") & (units["layer"] == layer)]
            rows = rows[rows["responds"] & rows[COMPARED[name]]]
            points = [aligned(row[over], row[responses], name) for _, row in rows.iterrows()]
            if points:
                x, value = (np.concatenate(values) for values in zip(*points, strict=True))
                quartiles = pd.Series(value).groupby(x.round(4)).quantile([0.25, 0.5, 0.75]).unstack()
                numbers = dict(zip(("low", "value", "high"), quartiles.to_numpy().T, strict=True))
                yield pd.DataFrame({**told, "model": model, "layer": layer, "x": quartiles.index, **numbers})


def aligned(x: NDArray, responses: NDArray, name: str) -> tuple[NDArray, NDArray]:
    """Return distances from the best grating, increasing, and responses over the largest.

    Distances are in degrees for `orientation`, from -90 to below 90, and in octaves for `spatial frequency`.
    """
    best = x[np.argmax(responses)]
    away = (x - best + 90) % 180 - 90 if name == "orientation" else np.log2(x / best)
    order = np.argsort(away)
    return away[order], (responses / np.max(responses))[order]


def _by_depth(summary: pd.DataFrame) -> Iterator[pd.DataFrame]:
    columns = ["model", "recording", "layer", "depth"]
    described = {"median": "value", "quartile_low": "low", "quartile_high": "high"}
    similar = {"similarity": "value", "similarity_low": "low", "similarity_high": "high"}
    for names, panels in ((described, BY_DEPTH), (similar, SIMILAR)):
        for name, label in panels.items():
            rows = summary[summary["property"] == name].rename(columns=names)
            rows = rows[[*columns, *names.values()]].assign(kind=DEPTHS, panel=label, property=name, x=rows["depth"])
            yield rows.dropna(subset="value")


def draw_tuning(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `tuning_numbers`, a panel each."""
    drawn = [model for model in dict.fromkeys(table["model"]) if model != V1]
    own = looks(models, drawn)
    panels = [rows for _, rows in table.groupby("panel", sort=False)]
    cell = TOP + PANEL_HEIGHT + BOTTOM
    height = -(-len(panels) // ABREAST) * cell + LINE * (len(drawn) + 2)
    width = (WIDE - LEFT - RIGHT - BETWEEN * (ABREAST - 1)) / ABREAST
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, rows in enumerate(panels):
            row, column = divmod(k, ABREAST)
            left, bottom = LEFT + column * (width + BETWEEN), height - row * cell - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            DRAWN[rows["kind"].iloc[0]](axes, rows, own)
        handles = [Rectangle((0, 0), 1, 1, color="0.8", label="V1 (published)")]
        handles += [Line2D([], [], color=GREY, linewidth=0.6, label="recorded neurons")]
        handles += [Line2D([], [], **own[model], label=model) for model in drawn]
        figure.legend(handles=handles, loc="lower left", frameon=False)
    return figure


def _draw_shares(axes: Axes, rows: pd.DataFrame, _own: dict[str, dict]) -> None:
    published = rows[rows["model"] == V1]
    places = np.arange(len(published))
    axes.bar(places, published["value"], width=1, color="0.8", zorder=1)
    shades = matplotlib.colormaps["viridis"]
    for (recording, layer), of_layer in rows[rows["model"] != V1].groupby(["recording", "layer"], sort=False):
        colour = shades(float(of_layer["depth"].iloc[0]) * 0.9)
        style = ":" if recording else "-"
        axes.plot(places, of_layer["value"], style, color=colour, linewidth=0.8, label=layer, zorder=2)
    name = rows["property"].iloc[0]
    if name == "orientation":
        axes.set_xticks(places, ["0", "45", "90", "135"])
    else:
        edges = [*published["x"], published["x_high"].iloc[-1]]
        axes.set_xticks(np.arange(len(edges))[::2] - 0.5, [f"{edge:.2g}" for edge in edges[::2]])
    axes.set(xlabel=LABELS[name], ylabel="Share of units or neurons")
    axes.set_ylim(bottom=0)
    axes.set_title(rows["panel"].iloc[0].rpartition(":")[0], fontsize=7, loc="left")


def _draw_curves(axes: Axes, rows: pd.DataFrame, own: dict[str, dict]) -> None:
    for (model, _), points in rows.groupby(["model", "layer"], sort=False):
        if model == V1:
            axes.plot(points["x"], points["value"], color=GREY, linewidth=0.6, zorder=1)
        else:
            x, colour = points["x"].astype(float), own[model]["color"]
            axes.plot(x, points["value"], **own[model], zorder=3)
            axes.fill_between(x, points["low"], points["high"], color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel=CURVES_OVER[rows["property"].iloc[0]][2], ylabel="Response over its largest")
    axes.set_title("layers most like V1", fontsize=7, loc="left")


def _draw_depths(axes: Axes, rows: pd.DataFrame, own: dict[str, dict]) -> None:
    for (model, recording), of_model in rows.groupby(["model", "recording"], sort=False):
        value = of_model["value"].to_numpy(float)
        errors = np.abs(of_model[["low", "high"]].to_numpy(float).T - value)
        changes = {"linestyle": "none", "markerfacecolor": "white"} if recording else {"linestyle": "-"}
        axes.errorbar(of_model["x"].astype(float), value, errors, **own[model], **changes, elinewidth=0.5)
    if rows["panel"].iloc[0] in SIMILAR.values():
        axes.axhline(LIKE_V1, **CHANCE, zorder=0)
    axes.set(xlabel="Depth", ylabel=rows["panel"].iloc[0], xlim=(-0.03, 1.03))


DRAWN = {SHARES: _draw_shares, CURVES: _draw_curves, DEPTHS: _draw_depths}
