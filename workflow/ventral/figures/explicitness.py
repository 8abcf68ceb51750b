"""The figure of what layers and areas make explicit, and the job that writes it with its tables."""

import logging
from collections.abc import Sequence
from pathlib import Path

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
from ventral.figures.layout import AREAS, figure_of_text, place_of_split, write_figure
from ventral.figures.style import CHANCE, COLOURS, FAMILIES, MARKERS, MM, WIDE, figure_style
from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.recordings.time_bins import place_of, time_order
from ventral.statistics.summaries import range_in_words
from ventral.tables import read_parquet
from ventral.targets.splits import held_out

logger = logging.getLogger(__name__)

ABREAST, LEFT, RIGHT, TOP, BOTTOM, PANEL_HEIGHT, LINE = 3, 12, 4, 12, 9, 34, 3.6
NOTHING = "Nothing was decoded: the stimuli have no labels that differ, and no numeric property that does."
SCORES = ("score", "score_even", "score_odd")
AREA_STYLES = ["-", (0, (5, 2)), (0, (2, 1.5)), (0, (5, 1.5, 1, 1.5))]


def explicit(
    tables: Sequence[Path],
    summary: Path,
    text: Path,
    curves: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    seed: int,
) -> None:
    """Write what is read best from where: a table, the same in words, population curves, and a figure.

    Parameters
    ----------
    tables : sequence of paths
        From `decode` and `decode_areas` of `ventral.decoding.populations`, of all models and recordings.
    summary, text, curves : paths
        CSV of `explicit_table`, Markdown of `sentences`, CSV of `curve_table`.
    svg, pdf, csv : paths
        The figure of every target by depth, and every number in it.
    seed : int
        Seed of the halves of draws.

    Raises
    ------
    InputError
        If a table lacks the scores in half of the folds.
    """
    rows = pd.concat([_read(table) for table in tables], ignore_index=True)
    # pandas' own text and numbers know a missing value that NumPy does not.
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
        figure = draw_explicitness(drawn)
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
            f"{path}: lacks {', '.join(missing)}, by which a layer is chosen on other folds than those that score it: "
            f"an older version wrote the table; delete it, and start the same command again: the workflow makes what "
            f"is missing"
        )
    return rows


def draw_explicitness(drawn: pd.DataFrame) -> Figure:
    """Draw the rows of `drawn_rows`: a panel for each target and split, models by depth, areas as lines across."""
    panels = [rows for _, rows in sorted(drawn.groupby(["recording", "split", "target_kind", "target"]), key=_order)]
    looks = _looks(drawn)
    areas = _area_looks(drawn)
    handles = _handles(drawn, looks)
    handles += [Line2D([], [], **look, label=area) for area, look in areas.items()]
    handles += [Line2D([], [], **CHANCE, label="chance")]
    abreast = min(ABREAST, len(panels))
    cell = TOP + PANEL_HEIGHT + BOTTOM
    legend = LINE * -(-len(handles) // abreast) + 2
    height = cell * -(-len(panels) // abreast) + legend
    panel_width = WIDE / ABREAST - LEFT - RIGHT
    width = abreast * WIDE / ABREAST
    with figure_style():
        figure = Figure(figsize=(width * MM, height * MM))
        for k, rows in enumerate(panels):
            row, column = divmod(k, abreast)
            left, bottom = column * WIDE / ABREAST + LEFT, height - row * cell - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / width, bottom / height, panel_width / width, PANEL_HEIGHT / height))
            _draw_panel(axes, rows, looks, areas)
        figure.legend(handles=handles, loc="lower left", ncols=abreast, frameon=False)
    return figure


def _order(group: tuple) -> tuple:
    (recording, split, kind, target), _ = group
    return recording, place_of_split(split), kind, target


def _looks(drawn: pd.DataFrame) -> dict[str, dict]:
    families = drawn[drawn["family"] != FAMILY].groupby("model")["family"].first()
    if len(families) > len(COLOURS):
        return {model: FAMILIES[family] for model, family in families.items()}
    return {model: {"color": COLOURS[k], "marker": MARKERS[k]} for k, model in enumerate(families.index)}


def _handles(drawn: pd.DataFrame, looks: dict[str, dict]) -> list[Line2D]:
    if len(looks) <= len(COLOURS):
        return [Line2D([], [], **look, label=model) for model, look in looks.items()]
    counts = drawn.groupby("family")["model"].nunique()
    return [
        Line2D([], [], **look, label=f"{family} ({counts[family]})")
        for family, look in FAMILIES.items()
        if family in counts
    ]


def _area_looks(drawn: pd.DataFrame) -> dict[str, dict]:
    recorded = drawn.loc[drawn["family"] == FAMILY, ["layer", "time_bin"]].drop_duplicates("layer")
    bin_of = dict(recorded.itertuples(index=False))

    def along_the_stream(place: str) -> tuple:
        area = place.removesuffix(place_of("", bin_of[place]))
        word = area.split()[-1]
        return AREAS.index(word) if word in AREAS else len(AREAS), area, time_order(bin_of[place])

    # From the last area back: it has the line that is whole.
    ordered = sorted(bin_of, key=along_the_stream, reverse=True)
    return {area: {"color": "black", "linestyle": AREA_STYLES[k % len(AREA_STYLES)]} for k, area in enumerate(ordered)}


def _draw_panel(axes: Axes, rows: pd.DataFrame, looks: dict[str, dict], areas: dict[str, dict]) -> None:
    recording, split, target, measure, chance = rows[["recording", "split", "target", "measure", "chance"]].iloc[0]
    models = rows[rows["family"] != FAMILY]
    matched = "".join(models["matched_area"].unique())
    axes.axhline(chance, **CHANCE, zorder=1)
    for model, of_model in models.groupby("model"):
        of_model = of_model.sort_values("depth")
        axes.plot(of_model["depth"], of_model["score"], **looks[model], label=model, zorder=3)
        if len(of_model) > 1:
            axes.fill_between(
                of_model["depth"],
                of_model["low"],
                of_model["high"],
                color=looks[model]["color"],
                alpha=0.15,
                linewidth=0,
                zorder=2,
            )
        else:
            axes.vlines(of_model["depth"], of_model["low"], of_model["high"], color=looks[model]["color"], zorder=2)
    for area, of_area in rows[rows["family"] == FAMILY].groupby("layer"):
        axes.axhline(of_area["score"].iloc[0], **areas[area], linewidth=0.8, label=area, zorder=4)
        axes.axhspan(of_area["low"].iloc[0], of_area["high"].iloc[0], color="black", alpha=0.06, linewidth=0, zorder=1)
    noise = f"as noisy as {matched}" if matched else "no noise added"
    unseen = f"{split} never seen" if split in ("objects", "categories") else held_out(split)
    lines = [f"{recording}, {target}", f"{unseen}, {range_in_words(rows['units'])} units", noise]
    axes.set_title("\n".join(lines), loc="left", fontsize=6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Layer depth")
    axes.set_ylabel(measure[0].upper() + measure[1:] if measure != "r" else "r")
