"""Which layer of which model, and which recorded area, makes a property of the stimuli most explicit."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import stdtrit

from ventral.decoding.population_curves import FEWEST_SIZES, extrapolated
from ventral.decoding.readouts import ACCURACY
from ventral.errors import shown
from ventral.figures.panels import (
    AREAS,
    CHANCE,
    COLOURS,
    FAMILIES,
    MARKERS,
    MM,
    STYLE,
    WIDE,
    figure_of_text,
    write_figure,
)
from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.tables import read_parquet

logger = logging.getLogger(__name__)

# From this depth on a layer is late.
LATE = 0.5
READ = ["recording", "simulated", "stimuli", "target_kind", "target", "measure", "chance", "split"]
CONDITION = ["noise", "matched_area"]
REPRESENTATION = ["model", "family", "layer", "depth"]
ABREAST, LEFT, RIGHT, TOP, BOTTOM, PANEL_HEIGHT, LINE = 3, 12, 4, 12, 9, 34, 3.6
NOTHING = "Nothing was decoded: the stimuli have no labels that differ, and no numeric property that does."
AREA_STYLES = ["-", (0, (5, 2)), (0, (2, 1.5)), (0, (5, 1.5, 1, 1.5))]


def explicit(
    tables: Sequence[Path],
    summary: Path,
    text: Path,
    curves: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    extrapolate_to: int,
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
    extrapolate_to : int
        Number of units that population curves are extrapolated to.
    seed : int
        Seed of the bootstrap samples of draws.
    """
    rows = pd.concat([read_parquet(table) for table in tables], ignore_index=True)
    # pandas' own text and numbers know a missing value that NumPy does not.
    rows = rows.astype(dict.fromkeys(("depth", "chance", "score", "resampled", "angular_error"), float))
    if rows.empty:
        logger.warning(NOTHING)
        table = of_curves = drawn = rows[[*READ, *CONDITION, *REPRESENTATION, "units", "score"]]
        figure, words = figure_of_text(NOTHING), [NOTHING]
    else:
        layers = layer_table(rows)
        table = explicit_table(rows, layers, extrapolate_to, seed)
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


def layer_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is read of every layer and area, from the number of units that all share.

    Returns
    -------
    DataFrame
        A row for each of `READ`, `CONDITION` and `REPRESENTATION`, with `units`, `draws`, `score`, the mean over draws,
        and a 95 % interval, `low` to `high`: of one draw of units and noise, and of such stimuli. It is mean plus and
        minus Student's t times the standard deviation over draws, each of which has its own bootstrap sample of
        the stimuli; NaN with a single draw. `angular_error` is the mean absolute error of circular properties.
    """
    matched = rows[rows["matched_units"].astype(bool)]
    return _over_draws(matched, [*READ, *CONDITION, *REPRESENTATION, "units"])


def explicit_table(rows: pd.DataFrame, layers: pd.DataFrame, extrapolate_to: int, seed: int) -> pd.DataFrame:
    """Return the layer of every model, and every recorded area, from which a target is read best.

    The best of several layers is chosen on the scores that are shown.

    Parameters
    ----------
    rows : DataFrame
        From `ventral.decoding.populations`.
    layers : DataFrame
        From `layer_table`.
    extrapolate_to : int
        Number of units.
    seed : int
        Seed of the bootstrap samples of draws.

    Returns
    -------
    DataFrame
        Those rows of `layers`, best first for each of `READ` and `CONDITION`, with `best`, true of the first;
        `late_minus_early`, the mean over the model's layers from depth 0.5 on less that over the others, with
        `late_minus_early_low` and `_high`, NaN without layers of both kinds; and `extrapolated`, the score expected of
        `extrapolated_to` units, with `extrapolated_low` and `_high` (see `ventral.decoding.population_curves`).
    """
    is_area = layers["family"] == FAMILY
    known = layers[~is_area & layers["score"].notna()]
    best = known.loc[known.groupby([*READ, *CONDITION, "model"], dropna=False)["score"].idxmax()]
    table = pd.concat([best, layers[is_area]], ignore_index=True)
    table = table.merge(_late_minus_early(rows), on=[*READ, *CONDITION, "model"], how="left")
    table["extrapolated_to"] = extrapolate_to
    of_curve = dict(iter(rows.groupby([*CONDITION, "recording", "target", "split", "model", "layer"])))
    beyond, open_ended = [], []
    for row in table.itertuples():
        place = (row.noise, row.matched_area, row.recording, row.target, row.split, row.model, row.layer)
        scores = of_curve[place].pivot(index="draw", columns="units", values="score")
        beyond.append(extrapolated(scores, row.chance, extrapolate_to, seed))
        if np.isnan(beyond[-1][0]) and np.isfinite(row.score):
            open_ended.append(f"{row.target} ({row.split}) from {row.model} {row.layer}")
    table[["extrapolated", "extrapolated_low", "extrapolated_high"]] = np.reshape(beyond, (-1, 3))
    if open_ended:
        logger.warning(
            "%d curves do not bend, or have fewer than %d sizes, and are not extrapolated: %s",
            len(open_ended),
            FEWEST_SIZES,
            shown(list(dict.fromkeys(open_ended))),
        )
    table["best"] = table["score"].eq(table.groupby([*READ, *CONDITION], dropna=False)["score"].transform("max"))
    keys = [*READ, *CONDITION]
    return table.sort_values([*keys, "score", "model"], ascending=[True] * len(keys) + [False, True], ignore_index=True)


def curve_table(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the population curves of the representations of `explicit_table`: a row for each number of units.

    The columns are those of `layer_table`; where `is_extrapolated`, the score is what the curve's fit says.
    """
    keys = [*READ, *CONDITION, *REPRESENTATION]
    columns = [*keys, "units", "draws", "score", "low", "high", "is_extrapolated"]
    measured = _over_draws(rows, [*keys, "units"]).merge(table[keys], on=keys).assign(is_extrapolated=False)
    beyond = table.drop(columns=["units", "score", "low", "high"]).rename(
        columns={
            "extrapolated_to": "units",
            "extrapolated": "score",
            "extrapolated_low": "low",
            "extrapolated_high": "high",
        }
    )
    curves = pd.concat([measured[columns], beyond.assign(is_extrapolated=True)[columns]])
    return curves.sort_values([*keys, "is_extrapolated", "units"], ignore_index=True)


def sentences(table: pd.DataFrame) -> Iterator[str]:
    """Give the summary in words: a heading for each recording and split, and a line for each target.

    Parameters
    ----------
    table : DataFrame
        From `explicit_table`.
    """
    for (recording, split), rows in table.groupby(["recording", "split"]):
        never = f"; every {split[:-1] if split == 'objects' else 'category'} is read by a fit that never saw it"
        yield f"## {recording}, held-out {split}{never if split in ('objects', 'categories') else ''}"
        yield ""
        for (_, target), of_target in rows.groupby(["target_kind", "target"]):
            yield f"- **{target}**{_of_measure(of_target)}: {' '.join(_of_target(of_target))}"
        yield ""


def _of_measure(rows: pd.DataFrame) -> str:
    measure, chance = rows[["measure", "chance"]].iloc[0]
    return f" ({measure}{f', chance {chance:.2f}' if chance else ''}, {_range(rows['units'])} units)"


def _range(counts: pd.Series) -> str:
    return f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"


def _of_target(rows: pd.DataFrame) -> Iterator[str]:
    of_models, areas = rows[rows["family"] != FAMILY], rows[rows["family"] == FAMILY]
    # Of several kinds of noise that of the area which reads the target best.
    noises = ["", *(area for area in areas["layer"] if area in set(of_models["matched_area"]))][:2]
    for area in (noise for noise in noises if noise in set(of_models["matched_area"])):
        best = of_models[of_models["matched_area"] == area].iloc[0]
        named = f"{best['layer']} (depth {best['depth']:.2f}) of {best['model']}"
        if area:
            yield f"With noise as in {area}: {named}, {_with_interval(best)}."
        else:
            yield f"best from {named}, {_with_interval(best)}."
            if np.isfinite(best["late_minus_early"]):
                yield f"Its late layers less its early ones: {_with_interval(best, 'late_minus_early')}."
    if len(areas):
        read = ", ".join(f"{row['layer']} {_with_interval(row)}" for _, row in areas.iterrows())
        yield f"Of the recorded areas: {read}."


def _with_interval(row: pd.Series, name: str = "score") -> str:
    low, high = row[["low", "high"] if name == "score" else [f"{name}_low", f"{name}_high"]]
    interval = f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else ""
    return f"{row[name]:.2f}{interval}".replace("-", "\N{MINUS SIGN}")


def _over_draws(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    groups = rows.groupby(list(keys), dropna=False)
    table = groups.agg(
        draws=("draw", "nunique"),
        score=("score", _mean),
        deviation=("resampled", "std"),
        angular_error=("angular_error", _mean),
    ).reset_index()
    table = _with_ends(table, "score", "low", "high")
    # No score lies beyond these.
    worst = np.where(table["measure"] == ACCURACY, 0.0, -1.0)
    return table.assign(low=table["low"].clip(lower=worst), high=table["high"].clip(upper=1.0))


def _mean(values: pd.Series) -> float:
    # The mean of some draws would hide that others have no score.
    return values.mean(skipna=False)


def _with_ends(table: pd.DataFrame, centre: str, low: str, high: str) -> pd.DataFrame:
    reach = table["deviation"] * stdtrit(table["draws"] - 1, 0.975)
    place = list(table.columns).index(centre) + 1
    table.insert(place, low, table[centre] - reach)
    table.insert(place + 1, high, table[centre] + reach)
    return table.drop(columns="deviation")


def _late_minus_early(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the difference of late and early layers of each model, draw by draw."""
    matched = rows[rows["matched_units"].astype(bool) & (rows["family"] != FAMILY)]
    keys = [*READ, *CONDITION, "model"]
    of_draws = (
        matched.assign(late=np.where(matched["depth"] >= LATE, "late", "early"))
        .pivot_table(index=[*keys, "draw"], columns="late", values=["score", "resampled"], aggfunc=_mean, dropna=False)
        .dropna(how="all")
    )
    name = "late_minus_early"
    for late in ("late", "early"):
        for value in ("score", "resampled"):
            if (value, late) not in of_draws:
                of_draws[value, late] = np.nan
    differences = pd.DataFrame(
        {value: of_draws[value, "late"] - of_draws[value, "early"] for value in ("score", "resampled")}
    ).reset_index()
    table = differences.groupby(keys).agg(
        draws=("draw", "nunique"), **{name: ("score", _mean)}, deviation=("resampled", "std")
    )
    return _with_ends(table.reset_index(), name, f"{name}_low", f"{name}_high").drop(columns="draws")


def drawn_rows(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `layer_table` that the figure shows.

    All areas; and of each model the layers as noisy as the neuroids of the area that reads the target best or, where no
    noise is known, as they are.
    """
    parts = []
    for _, rows in layers.groupby(READ, dropna=False):
        areas = rows[rows["family"] == FAMILY]
        known = areas[areas["layer"].isin(rows["matched_area"]) & areas["score"].notna()]
        area = known.loc[known["score"].idxmax(), "layer"] if len(known) else ""
        parts += [rows[(rows["matched_area"] == area) & (rows["family"] != FAMILY)], areas]
    return pd.concat(parts, ignore_index=True)


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
    with matplotlib.style.context(["default", STYLE]):
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
    return recording, split == "categories", split, kind, target


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
    areas = set(drawn.loc[drawn["family"] == FAMILY, "layer"])

    def along_the_stream(area: str) -> tuple:
        word = area.split()[-1]
        return AREAS.index(word) if word in AREAS else len(AREAS), area

    # From the last area back: it has the line that is whole.
    ordered = sorted(areas, key=along_the_stream, reverse=True)
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
    held_out = f"{split} never seen" if split in ("objects", "categories") else f"held-out {split}"
    lines = [f"{recording}, {target}", f"{held_out}, {_range(rows['units'])} units", noise]
    axes.set_title("\n".join(lines), loc="left", fontsize=6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Layer depth")
    axes.set_ylabel(measure[0].upper() + measure[1:] if measure != "r" else "r")
