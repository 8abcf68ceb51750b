"""Describe the look of the page's charts in Vega-Lite, without their data.

The page itself gives the rows, the families shown and the colours. Colours come from its style sheet, which has others
for dark mode.
"""

import json
import re
import textwrap
from collections.abc import Sequence
from functools import cache

import altair as alt
import pandas as pd

from ventral.figures.style import COLOURS, looks
from ventral.grams.recorded import FAMILY
from ventral.report.summary import ALL_FAMILIES

# Vega's name for each of matplotlib's markers, or the marker's outline between -1 and 1.
SHAPES = {"D": "diamond", "o": "circle", "^": "triangle-up", "P": "cross", "v": "triangle-down", "s": "square"}
SHAPES |= {"<": "triangle-left", ">": "triangle-right"}
SHAPES |= {"X": "M-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0L-1-.6Z"}
SHAPES |= {"p": "M0-1L.95-.31L.59.81L-.59.81L-.95-.31Z"}
# Dashes of lines across a panel: for models with one layer, and for recorded areas.
ACROSS = [4, 3]
AREA_ACROSS = [8, 3, 2, 3]
# Text columns of the tooltip of a point.
TEXTS = {
    "Model": "model",
    "Layer": "layer",
    "Family": "family",
    "95 % interval": "interval",
    "95 %, resampled": "both",
    "Neurons": "n",
    "Units": "n",
}
GREY = "var(--quiet)"
HEIGHT = 230
# Characters in a line of a label.
LONGEST = 26
# With more lines than this, only the line under the pointer has its band.
CROWDED = 7


def looks_on_page(models: Sequence[str], drawn: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the colour (its name in the style sheet) and shape of each model, the same as in the static figures.

    Parameters
    ----------
    models : sequence of str
        All models of the run, in the order of the config.
    drawn : DataFrame
        `model` and `family` of all lines that are drawn. Recorded areas are grey.
    """
    recorded = set(drawn.loc[drawn["family"] == FAMILY, "model"])
    found = {
        model: {"colour": f"var(--look-{COLOURS.index(look['color'])})", "shape": SHAPES[look["marker"]]}
        for model, look in looks(models, set(drawn["model"]) - recorded).items()
    }
    return found | {model: {"colour": GREY, "shape": "square"} for model in recorded}


@cache
def layer_profile(measure: str, low: float, high: float, ceiling: bool, crowded: bool) -> dict:
    """Return the chart of scores by depth: a line for each model.

    Parameters
    ----------
    measure : str
        Title of the vertical axis.
    low, high : float
        Its ends.
    ceiling : bool
        Whether 1 is the ceiling.
    crowded : bool
        Whether there are too many lines to show all bands.
    """
    y = {"scale": alt.Scale(domain=[low, high], zero=False, nice=False, clamp=True), "title": measure}
    layers = _lines(_depth(), y, crowded, _tooltip(measure))
    # The band goes from the agreement of a subject with the mean of the others to that with the mean of all.
    band = (
        _rows()
        .transform_filter("isValid(datum.ceiling_low)")
        .transform_aggregate(low="min(ceiling_low)", high="max(ceiling_high)")
        .mark_rect(color=GREY, opacity=0.15, aria=False)
        .encode(y=alt.Y("low:Q", **y), y2="high:Q")
    )
    marks = [band, *layers]
    if ceiling:
        marks = [*_rule_at(1, "ceiling", y), *marks]
    return _spec(alt.layer(*marks))


@cache
def explicitness(
    measure: str, low: float, high: float, chance: float | None, crowded: bool, areas: tuple[tuple[float, str], ...]
) -> dict:
    """Return the chart of explicitness by depth: a line for each model, and recorded areas left of the layers.

    `areas` has the places of recorded areas on the axis of depth, and their names.
    """
    y = {"scale": alt.Scale(domain=[low, high], zero=False, nice=False, clamp=True), "title": measure}
    marks = _lines(_depth(areas), y, crowded, _tooltip(measure, "Units"), beside=True)
    return _spec(alt.layer(*([] if chance is None else _rule_at(chance, "chance", y, [2, 2])), *marks))


@cache
def categorisation(measure: str, accuracy: str, limits: tuple[float, float, float, float], chance: float) -> dict:
    """Return the chart of categorisation accuracy against predictivity, a point for each layer.

    Parameters
    ----------
    measure, accuracy : str
        Titles of the axes.
    limits : tuple of float
        Ends of the horizontal axis, and of the vertical one.
    chance : float
        Accuracy of guessing.
    """
    across = alt.Scale(domain=list(limits[:2]), nice=False)
    x = alt.X("accuracy:Q", title=accuracy, scale=across, axis=alt.Axis(tickCount=5))
    y = {"title": measure, "scale": alt.Scale(domain=list(limits[2:]), nice=False)}
    hover = _hover()
    faint = alt.condition(hover, alt.value(0.9), alt.value(0.15))
    best = _models().transform_filter("datum.best && datum.own !== 0")
    guessing = (
        alt.Chart(alt.InlineData([{"x": chance}]))
        .mark_rule(color=GREY, strokeDash=[2, 2], aria=False)
        .encode(x=alt.X("x:Q", scale=across))
    )
    interval = best.mark_rule(aria=False).encode(
        x=x, y=alt.Y("low:Q", **y), y2="high:Q", color=_colour(), opacity=faint
    )
    points = (
        _models()
        .mark_point(filled=True)
        .encode(
            size=alt.condition("datum.own === 0", alt.value(10), alt.value(45)),
            x=x,
            y=alt.Y("score:Q", **y),
            color=_colour(),
            shape=_shape(),
            opacity=alt.condition(hover, alt.value(0.75), alt.value(0.15)),
            tooltip=[*_tooltip(measure), alt.Tooltip("accuracy:Q", title=accuracy, format=".3f")],
        )
        .properties(name="points")
        .add_params(hover)
    )
    outlined = best.mark_point(filled=True, size=110, stroke="currentColor", strokeWidth=1.2).encode(
        x=x, y=alt.Y("score:Q", **y), color=_colour(), shape=_shape(), opacity=faint
    )
    return _spec(alt.layer(guessing, interval, outlined, points))


@cache
def ranking(models: tuple[str, ...]) -> dict:
    """Return the chart of the models' ranks, the best on top; a long name has several lines."""
    n_models = len(models)
    lines = {model: _in_lines(model) for model in models}
    long = "".join(
        f"datum.label === {json.dumps(model)} ? {json.dumps(parts)} : "
        for model, parts in lines.items()
        if len(parts) > 1
    )
    x = alt.Scale(domain=[0.5, max(2, n_models) + 0.5], nice=False, zero=False)
    ticks = list(range(1, max(2, n_models) + 1, 1 + n_models // 10))
    y = alt.Y(
        "model:N",
        sort=alt.EncodingSortField("rank", order="ascending"),
        title=None,
        axis=alt.Axis(domain=False, ticks=False, labelLimit=0, labelExpr=f"{long}datum.label", grid=False),
    )
    interval = (
        _models()
        .mark_rule(strokeWidth=2, aria=False)
        .encode(y=y, x=alt.X("low:Q", scale=x, title="Rank, with 95 % interval"), x2="high:Q", color=_colour())
    )
    rank = (
        _models()
        .mark_point(filled=True, size=70)
        .encode(
            y=y,
            x=alt.X("rank:Q", scale=x, axis=alt.Axis(values=ticks, format="d")),
            color=_colour(),
            shape=_shape(),
            tooltip=[
                *_texts("Model", "Layer", "Family"),
                alt.Tooltip("rank:Q", title="Rank", format=".3~g"),
                *_texts("95 % interval"),
                alt.Tooltip("score:Q", title="Score", format=".3f"),
                *_texts("Neurons"),
            ],
        )
    )
    return _spec(alt.layer(interval, rank), height=(8 + 12 * max(map(len, lines.values()))) * n_models + 10)


def _in_lines(name: str) -> list[str]:
    """Break a name into lines short enough for a phone, after separators where the name has any."""
    parts = [part for part in re.split(r"(?<=[_./\- ])", name) if part]
    lines = [""]
    for part in (piece for whole in parts for piece in textwrap.wrap(whole, LONGEST, drop_whitespace=False)):
        if lines[-1] and len(lines[-1]) + len(part) > LONGEST:
            lines.append("")
        lines[-1] += part
    return lines


def _lines(x: alt.X, y: dict, crowded: bool, tooltip: list[alt.Tooltip], beside: bool = False) -> list[alt.Chart]:
    """Return bands, lines and points of models by depth; single layers and recorded areas are lines across.

    Recorded areas that have a place `beside` the layers are points on their own line.
    """
    hover, models = _hover(), _models()
    score = alt.Y("score:Q", **y)
    visible = alt.condition(hover, alt.value(1), alt.value(0.2))
    several, alone = (f"{these} && datum.family != '{FAMILY}'" for these in ("!datum.alone", "datum.alone"))
    band = (
        models.transform_filter(several)
        .mark_area(aria=False)
        .encode(
            x=x,
            y=alt.Y("low:Q", **y),
            y2="high:Q",
            detail="model:N",
            color=_colour(),
            opacity=alt.condition(
                {"param": "hover", "empty": False}, alt.value(0.22), alt.value(0 if crowded else 0.1)
            ),
        )
    )
    line = (
        models.transform_filter(several)
        .mark_line(aria=False)
        .encode(
            x=x,
            y=score,
            detail="model:N",
            color=_colour(),
            strokeWidth=alt.condition("datum.own === 0", alt.value(0.7), alt.value(1.6)),
            opacity=visible,
        )
    )
    across = models.transform_filter(alone).mark_rule(strokeDash=ACROSS, strokeWidth=1.4, aria=False)
    recorded = models.transform_filter(f"datum.family == '{FAMILY}'")
    area = recorded.mark_rule(strokeDash=AREA_ACROSS, strokeWidth=1.2).encode(
        y=score, color=_colour(), tooltip=tooltip, opacity=visible
    )
    if beside:
        joined = recorded.mark_line(strokeWidth=1.2, aria=False).encode(x=x, y=score, detail="model:N", color=_colour())
        interval = recorded.mark_rule(aria=False).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q", color=_colour())
        place = recorded.mark_point(filled=True, size=40, shape="square")
        places = place.encode(x=x, y=score, color=_colour(), tooltip=tooltip)
    name = recorded.mark_text(align="left", baseline="bottom", dx=3, dy=-2, color=GREY, aria=False).encode(
        y=score, x=alt.XValue(0), text="layer:N"
    )
    point = (
        models.transform_filter(f"datum.family != '{FAMILY}'")
        .mark_point(filled=True)
        .encode(
            x=x,
            y=score,
            color=_colour(),
            shape=_shape(),
            size=alt.condition("datum.own === 0", alt.value(8), alt.value(26)),
            opacity=visible,
            tooltip=tooltip,
        )
        .properties(name="points")
        .add_params(hover)
    )
    of_areas = [interval, joined, places] if beside else [area, name]
    return [band, *of_areas, across.encode(y=score, color=_colour(), opacity=visible), line, point]


def _rows() -> alt.Chart:
    return alt.Chart(alt.NamedData("rows"))


def _models() -> alt.Chart:
    return _rows().transform_filter("indexof(families, datum.family) >= 0")


def _depth(areas: tuple[tuple[float, str], ...] = ()) -> alt.X:
    scale = alt.Scale(domain=[min([0, *(place for place, _ in areas)]), 1], nice=False, padding=6)
    axis = alt.Axis(tickCount=5, format=".2~f")
    if areas:
        values = [*(place for place, _ in areas), 0, 0.5, 1]
        names = "".join(f"abs(datum.value - ({place})) < 0.01 ? {json.dumps(name)} : " for place, name in areas)
        axis = alt.Axis(values=values, format=".2~f", labelExpr=f"{names}datum.label", labelOverlap=False)
    return alt.X("depth:Q", scale=scale, title="Layer depth", axis=axis)


def _hover() -> alt.Parameter:
    # The nearest point's whole model stands out, because fingers rarely hit a point.
    return alt.selection_point(name="hover", fields=["model"], on="pointerover", nearest=True, clear="pointerout")


def _colour() -> alt.Color:
    # The page gives each row the colour and shape of its model.
    return alt.Color("colour:N", scale=None, legend=None)


def _shape() -> alt.Shape:
    return alt.Shape("shape:N", scale=None, legend=None)


def _tooltip(measure: str, counted: str = "Neurons") -> list[alt.Tooltip]:
    both = ["95 %, resampled"] if counted == "Neurons" else []
    return [
        *_texts("Model", "Layer", "Family"),
        alt.Tooltip("depth:Q", title="Depth", format=".2f"),
        alt.Tooltip("score:Q", title=measure, format=".3f"),
        *_texts("95 % interval", *both, counted),
    ]


def _texts(*titles: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{TEXTS[title]}:N", title=title) for title in titles]


def _rule_at(value: float, text: str, y: dict, dash: list[int] | None = None) -> list[alt.Chart]:
    at = alt.Chart(alt.InlineData([{"y": value, "text": text}])).encode(y=alt.Y("y:Q", **y))
    label = at.mark_text(align="right", baseline="bottom", dx=-2, dy=-2, color=GREY, aria=False)
    rule = at.mark_rule(color=GREY, strokeDash=dash or [1, 0], aria=False)
    return [rule, label.encode(x=alt.XValue("width"), text="text:N")]


def _spec(chart: alt.LayerChart, height: int = HEIGHT) -> dict:
    """Return the chart as a specification that loads no other file and fills the width of its container."""
    quiet = {"labelColor": "currentColor", "titleColor": "currentColor", "domainColor": GREY, "tickColor": GREY}
    font = {"labelFont": "inherit", "titleFont": "inherit", "labelFontSize": 11, "titleFontSize": 12}
    spec = (
        chart.add_params(alt.param(name="families", value=ALL_FAMILIES))
        .properties(width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
        .configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            **quiet, **font, titleFontWeight="normal", gridColor="var(--line)", titlePadding=8, labelPadding=4
        )
        .configure_text(font="inherit", fontSize=11)
        .to_dict()
    )
    del spec["$schema"]
    return {**spec, "usermeta": {"texts": TEXTS}}
