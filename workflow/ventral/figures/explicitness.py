"""Draw what layers and areas make explicit, and write the tables behind the figure."""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.decoding.explicit import (
    CONDITION,
    READ,
    REPRESENTATION,
    curve_table,
    drawn_rows,
    explicit_table,
    layer_table,
    sentences,
)
from ventral.errors import InputError
from ventral.figures.layout import add_legend, along_the_stream, figure_of_text, place_of_split, wrapped, write_figure
from ventral.figures.style import CHANCE, GREY, MM, WIDE, figure_style, looks
from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.recordings.time_bins import place_of, time_order
from ventral.statistics.summaries import range_in_words
from ventral.tables import by_run, read_parquet
from ventral.targets.splits import held_out

logger = logging.getLogger(__name__)

ABREAST, LEFT, RIGHT, TOP, BOTTOM, PANEL_HEIGHT, LINE = 3, 13, 3, 3, 6, 36, 2.8
NOTHING = "Nothing was decoded: the stimuli have no labels that differ, and no numeric property that does."
SCORES = ("score", "score_even", "score_odd")
PROPERTY = "property"
# First parts of the names of rendered properties, without the axis; all other properties share one group.
GROUPS = {
    "position": ["position", "centroid", "box_left", "box_right", "box_top", "box_bottom", "azimuth", "elevation"],
    "size": ["size", "area", "box_width", "box_height", "box_area", "perimeter"],
    "pose": ["rotation", "orientation", "pose"],
}
OTHER_PROPERTIES = "other properties"
AREA = {"color": "black", "linestyle": "-", "marker": "s", "linewidth": 0.8}
SINGLE = {"linestyle": "-", "linewidth": 0.4, "alpha": 0.5}
# With more models than this, lines of single properties would hide the means.
MOST_WITH_SINGLE = 3


def explicit(
    tables: Sequence[Path],
    summary: Path,
    text: Path,
    curves: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    seed: int,
    models: Sequence[str] = (),
) -> None:
    """Write how well properties are read from layers and areas: a table, sentences, population curves, a figure.

    Parameters
    ----------
    tables : sequence of paths
        From `decode` and `decode_areas` of `ventral.decoding.populations`, of all models and recordings.
    summary, text, curves : paths
        CSV of `explicit_table`, Markdown of `sentences`, CSV of `curve_table`.
    svg, pdf, csv : paths
        The figure, and the scores of every target behind it.
    seed : int
        Seed of the halves of draws.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.

    Raises
    ------
    InputError
        If a table lacks the scores in half of the folds.
    """
    rows = pd.concat([_read(table) for table in tables], ignore_index=True)
    # pandas' own types have a missing value that NumPy lacks.
    rows = rows.astype(dict.fromkeys(("depth", "chance", "resampled", "angular_error", *SCORES), float))
    if rows.empty:
        logger.warning(NOTHING)
        table = of_curves = drawn = rows[[*READ, *CONDITION, *REPRESENTATION, "units", "score"]]
        figure, words = figure_of_text(NOTHING), [NOTHING]
    else:
        layers = layer_table(rows)
        table = explicit_table(rows, layers, seed)
        of_curves, words = curve_table(rows, table), sentences(table)
        drawn = drawn_rows(layers)
        figure = draw_explicitness(drawn, models)
    with writing(summary) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")
    with writing(text) as unfinished:
        unfinished.write_text("\n".join(words) + "\n", encoding="utf-8")
    with writing(curves) as unfinished:
        of_curves.to_csv(unfinished, index=False, lineterminator="\n")
    write_figure(figure, drawn, svg, pdf, csv)


def _read(path: Path) -> pd.DataFrame:
    rows = read_parquet(path)
    if missing := [column for column in SCORES if column not in rows]:
        raise InputError(
            f"{path}: the columns {', '.join(missing)} are missing, because an older version wrote the table; delete "
            f"the file and start the same command again, which makes the table anew"
        )
    return rows


def by_group(drawn: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over the properties of each group, for every layer and area; each label is its own group.

    Parameters
    ----------
    drawn : DataFrame
        From `ventral.decoding.explicit.drawn_rows`.

    Returns
    -------
    DataFrame
        `recording`, `split`, `group`, `family`, `model`, `layer`, `depth`, and `score`, the mean. `low` and `high` are
        the ends of the 95 % interval where a group has one property. `targets` names the properties. `measure`,
        `chance` and `units` are as in `drawn`. `matched_area` names every area whose noise the units were given.
    """
    grouped = drawn.assign(
        group=[*map(_group_of, drawn["target_kind"], drawn["target"])], bin=drawn["time_bin"].fillna("")
    )
    keys = ["recording", "split", "group"]
    rows = []
    for _, panel in grouped.groupby(keys, sort=False):
        targets = sorted(panel["target"].unique())
        matched = listed(panel["matched_area"].fillna("").unique())
        of_group = panel.groupby([*keys, "family", "model", "layer", "depth", "bin"], as_index=False, dropna=False).agg(
            **{name: (name, "mean") for name in ("score", "low", "high", "chance")},
            units=("units", "min"),
            measure=("measure", lambda values: listed(values.unique())),
        )
        several = len(targets) > 1
        of_group = of_group.assign(targets=", ".join(targets), matched_area=matched)
        rows.append(of_group.assign(low=np.nan, high=np.nan) if several else of_group)
    return pd.concat(rows, ignore_index=True)


def listed(names: Iterable[str]) -> str:
    """Join the names that are not empty, sorted, with commas."""
    return ", ".join(sorted(filter(None, names)))


def _group_of(kind: str, target: str) -> str:
    if kind != PROPERTY:
        return target
    stem = re.sub(r"(_[xyz])?(_(sin|cos))?$", "", target)
    return next((group for group, stems in GROUPS.items() if stem in stems), OTHER_PROPERTIES)


def draw_explicitness(drawn: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw a panel for each group of properties and each split, as Hong et al. 2016 do, from `drawn_rows`.

    Recorded areas stand beside the layers, in the order of the stream. Lines and points are means over the properties
    of a group; the thin lines of a few models are single properties.
    """
    table = by_group(drawn)
    panels = [rows for _, rows in sorted(table.groupby(["recording", "split", "group"]), key=order_of_group)]
    names = table.loc[table["family"] != FAMILY, "model"].unique()
    own = looks(models, names)
    handles = [Line2D([], [], **own[model], label=model) for model in own if model in names]
    handles += [Line2D([], [], **AREA, label="recorded area"), Line2D([], [], **CHANCE, label="chance")]
    if len(names) <= MOST_WITH_SINGLE and (drawn["target_kind"] == PROPERTY).any():
        handles.append(Line2D([], [], **SINGLE, color=GREY, label="one property of the group"))
    abreast = min(ABREAST, len(panels))
    panel_width = WIDE / ABREAST - LEFT - RIGHT
    width = abreast * WIDE / ABREAST
    bottom = BOTTOM + max(map(_longest_name, panels))
    with figure_style():
        headers = [_header(rows, panel_width) for rows in panels]
        top = TOP + LINE * max(map(len, headers))
        cell = top + PANEL_HEIGHT + bottom
        figure = Figure(figsize=(width * MM, cell * MM))
        height = cell * -(-len(panels) // abreast) + add_legend(figure, handles, width)
        figure.set_size_inches(width * MM, height * MM)
        for k, (rows, header) in enumerate(zip(panels, headers, strict=True)):
            row, column = divmod(k, abreast)
            left, base = column * WIDE / ABREAST + LEFT, height - row * cell - top - PANEL_HEIGHT
            axes = figure.add_axes((left / width, base / height, panel_width / width, PANEL_HEIGHT / height))
            single = _rows_of(drawn, rows) if len(names) <= MOST_WITH_SINGLE else None
            _draw_panel(axes, rows, header, own, single)
    return figure


def areas_of(rows: pd.DataFrame) -> list[str]:
    """Return the recorded areas of a panel, in the order of the ventral stream and then of their time bins."""
    recorded = rows.loc[rows["family"] == FAMILY, ["layer", "bin"]].drop_duplicates("layer")
    bin_of = dict(recorded.itertuples(index=False))
    return sorted(
        bin_of,
        key=lambda place: (
            *along_the_stream(place.removesuffix(place_of("", bin_of[place]))),
            time_order(bin_of[place]),
        ),
    )


def places_of_areas(areas: Sequence[str]) -> dict[str, float]:
    """Return the place of each area on the axis of depth, left of the first layer."""
    return {area: -0.16 * (len(areas) - k) for k, area in enumerate(areas)}


def short_names(areas: Sequence[str]) -> list[str]:
    """Return the names of areas without the words that begin all of them."""
    words = [area.split() for area in areas]
    while len(words) > 1 and all(len(name) > 1 for name in words) and len({name[0] for name in words}) == 1:
        words = [name[1:] for name in words]
    return [" ".join(name) for name in words]


def _longest_name(rows: pd.DataFrame) -> float:
    """Return the length in mm of the longest name of an area below a panel."""
    return max((len(name) * 1.3 for name in short_names(areas_of(rows))), default=0.0)


def _rows_of(drawn: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    recording, split, targets = rows[["recording", "split", "targets"]].iloc[0]
    of_panel = (drawn["recording"] == recording) & (drawn["split"] == split)
    return drawn[of_panel & drawn["target"].isin(targets.split(", "))]


def order_of_group(group: tuple) -> tuple:
    """Return the sort key of a panel of `by_group`: labels come first, then groups of properties."""
    (recording, split, group_name), _ = group
    known = [*GROUPS, OTHER_PROPERTIES]
    return recording, place_of_split(split), known.index(group_name) if group_name in known else -1, group_name


def _header(rows: pd.DataFrame, width: float) -> list[tuple[str, str]]:
    """Return the lines of text above a panel `width` mm wide, each with its font weight."""
    columns = ["recording", "split", "group", "targets", "matched_area"]
    recording, split, group, targets, matched = rows[columns].iloc[0]
    noise = f"as noisy as {matched}" if matched else "no noise added"
    unseen = f"{split} never seen" if split in ("objects", "categories") else held_out(split)
    texts = [f"{unseen}, {range_in_words(rows['units'])} units, {noise}"]
    texts += [f"mean of {targets}"] if "," in targets else [targets] if targets != group else []
    bold = wrapped(f"{recording}, {group}", "bold", width)
    return [(line, "bold") for line in bold] + [
        (line, "normal") for text in texts for line in wrapped(text, "normal", width)
    ]


def _draw_panel(
    axes: Axes, rows: pd.DataFrame, header: list[tuple[str, str]], own: dict[str, dict], single: pd.DataFrame | None
) -> None:
    group, targets, measure, chance = rows[["group", "targets", "measure", "chance"]].iloc[0]
    axes.axhline(chance, **CHANCE, zorder=1)
    areas = areas_of(rows)
    x_of = places_of_areas(areas)
    is_area = rows["family"] == FAMILY
    for model, of_model in rows[~is_area].groupby("model"):
        of_model = of_model.sort_values(["depth", "layer"], key=by_run)
        axes.plot(of_model["depth"], of_model["score"], **own[model], label=model, zorder=3)
        axes.fill_between(
            of_model["depth"],
            of_model["low"],
            of_model["high"],
            color=own[model]["color"],
            alpha=0.15,
            linewidth=0,
            zorder=2,
        )
    recorded = rows[is_area].set_index("layer").reindex(areas)
    axes.plot([x_of[area] for area in areas], recorded["score"], **AREA, label="_areas", zorder=4)
    axes.vlines([x_of[area] for area in areas], recorded["low"], recorded["high"], color=AREA["color"], zorder=3)
    if single is not None and targets != group:
        _draw_single_properties(axes, single, own, x_of)
    if areas:
        axes.axvline(-0.08, color=GREY, linewidth=0.6, zorder=1)
    for k, (line, weight) in enumerate(reversed(header)):
        offset = (0, (k + 0.7) * LINE * MM * 72)
        axes.annotate(line, (0, 1), offset, "axes fraction", textcoords="offset points", fontweight=weight, fontsize=6)
    axes.set_xlim(min([-0.02, *x_of.values()]) - (0.08 if areas else 0), 1.04)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_xticks([*x_of.values()], short_names(areas), minor=True, rotation=90)
    axes.tick_params(axis="x", which="minor", length=2.5, width=0.6, labelsize=6)
    axes.set_xlabel("Layer depth", loc="right")
    axes.set_ylabel(measure[0].upper() + measure[1:] if measure != "r" else "r")


def _draw_single_properties(axes: Axes, single: pd.DataFrame, own: dict[str, dict], x_of: dict[str, float]) -> None:
    for (family, model, _), of_target in single.groupby(["family", "model", "target"]):
        colour = AREA["color"] if family == FAMILY else own[model]["color"]
        x = of_target["layer"].map(x_of) if family == FAMILY else of_target["depth"]
        ordered = x.sort_values().index
        axes.plot(x[ordered], of_target.loc[ordered, "score"], **SINGLE, color=colour, zorder=1.5, label="_property")
