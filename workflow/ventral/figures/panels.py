"""The figures, each as SVG and PDF with the table behind it; the same scores give the same bytes."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.statistics.bootstrap import intervals, read_bootstraps
from ventral.statistics.summaries import (
    FEWEST_POINTS,
    PANEL,
    area_summary,
    categorisation_summary,
    drawn_measure,
    models_by_predictivity,
    read_scores,
    warn_of_empty_panels,
)

# Okabe and Ito 2008 (Color Universal Design), without the yellow, which is too light for lines on white.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
# How models are drawn by their family, where they are too many to tell apart one by one.
FAMILIES = {
    "pretrained": {"color": "#D55E00", "marker": "D"},
    "trained": {"color": "#0072B2", "marker": "o"},
    "checkpoint": {"color": "#56B4E9", "marker": "^"},
    "fitted": {"color": "#CC79A7", "marker": "P"},
    "untrained": {"color": "#009E73", "marker": "v"},
    "classical": {"color": "#000000", "marker": "s"},
    "unknown": {"color": "#E69F00", "marker": "<"},
}
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", "p", ">"]
SINGLE_LAYER = (0, (4, 2))
GREY = "0.45"
CHANCE = {"color": GREY, "linestyle": ":"}
RECORDED_AREA = {"color": GREY, "linestyle": "-."}
BEST_LAYER = {"markersize": 5.5, "markeredgecolor": "black", "markeredgewidth": 0.7}
STYLE = {
    "font.family": "sans-serif",
    # Text stays text in the SVG: a reader without the first font is to see the next.
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 7,
    "lines.linewidth": 1.0,
    "lines.markersize": 3,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "ventral",
    "pdf.fonttype": 42,
}
MM = 1 / 25.4
# In mm: the columns of a journal, a panel, what surrounds it, and a line of text.
NARROW, WIDE = 89, 183
PANEL_HEIGHT = 48
LEFT, RIGHT, TOP, BOTTOM = 12, 2, 2, 10
LINE = 3.2
SPLITS = ["images", "objects", "categories"]
# Mappings that compare dissimilarity or Gram matrices, and the ways to.
COMPARISONS = {"rsa": "RSA", "cka": "CKA"}
NAMES = {
    "spearman": "Spearman r",
    "pearson": "Pearson r",
    "kendall": "Kendall tau-a",
    "biased": "biased",
    "debiased": "debiased",
}
AREAS = ["EVC", "V1", "V2", "V4", "IT"]


def layer_profile(
    scores: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    bootstraps: Sequence[Path] = (),
) -> None:
    """Write the figure of predictivity, or of RSA, by layer depth, a panel for every recorded area and split.

    Parameters
    ----------
    scores : path
        The joined score table.
    svg, pdf, csv : paths
        The figure, and every number in it.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.
    bootstraps : sequence of paths, optional
        Resampled medians of all models and recordings; the table then has `both_low` and `both_high`, too, the interval
        over resamples of both stimuli and neuroids, where the one that is drawn is over neuroids alone.

    Raises
    ------
    InputError
        If the score table cannot be read, or has no rows of neuroids or dissimilarity matrices.
    """
    summary = area_summary(read_scores(scores), reliability_threshold, n_bootstrap, seed)
    warn_of_empty_panels(summary, reliability_threshold)
    table = summary.assign(
        ceiling=np.where(summary["has_ceiling"], 1.0, np.nan), reliability_threshold=reliability_threshold
    )
    if bootstraps:
        table = table.merge(intervals(read_bootstraps(bootstraps)), on=[*PANEL, "model", "layer"], how="left")
    write_figure(draw_layer_profile(summary), table, svg, pdf, csv)


def categorisation(
    scores: Path, svg: Path, pdf: Path, csv: Path, reliability_threshold: float, n_bootstrap: int, seed: int
) -> None:
    """Write the figure of categorisation performance against predictivity, one point for each layer of a model.

    Parameters and errors are those of `layer_profile`. A recording of stimuli without labels has a panel that says so.
    """
    rows = read_scores(scores)
    summary = categorisation_summary(rows, area_summary(rows, reliability_threshold, n_bootstrap, seed))
    # Of stimuli with categories, these: that is the task of the published comparison.
    has_categories = summary.groupby("recording")["label"].transform(lambda labels: "category" in set(labels))
    summary = summary[~has_categories | (summary["label"] == "category")]
    table = summary.assign(reliability_threshold=reliability_threshold)
    write_figure(draw_categorisation(summary), table, svg, pdf, csv)


def draw_layer_profile(summary: pd.DataFrame) -> Figure:
    """Draw the rows of `ventral.statistics.summaries.area_summary`; each model's line has its name as label."""
    with _style():
        of_models = summary[summary["family"] != FAMILY]
        looks = _looks(of_models)
        limits = _limits(
            summary,
            drawn_measure(summary).join(summary["ceiling_low"]),
            {"predictivity": [0, 1], "raw r": [0], "matrices": [0]},
        )
        handles = _handles(of_models, looks)
        if len(of_models) < len(summary):
            handles.append(Line2D([], [], **RECORDED_AREA, label="another recorded area, of any depth"))
        figure, panels = _page(summary, ["recording", "area"], lambda rows: _neuroids(_predicted(rows)), handles)
        for axes, rows in panels:
            if rows["has_ceiling"].iloc[0]:
                _draw_ceiling(axes)
            for model, look in looks.items():
                _draw_profile(axes, rows[rows["model"] == model], look, model)
            _draw_recorded_areas(axes, rows[rows["family"] == FAMILY])
            axes.set_xlim(-0.02, 1.02)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
            axes.set_xlabel("Layer depth")
            _scale_medians(axes, rows, limits)
            if rows["ceiling_low"].notna().any():
                _draw_noise_ceiling(axes, *rows[["ceiling_low", "ceiling_high"]].iloc[0])
    return figure


def draw_categorisation(summary: pd.DataFrame) -> Figure:
    """Draw the rows of `summaries.categorisation_summary`; each model's points have its name as label."""
    if summary.empty:
        return figure_of_text("No categorisation scores: no model predicts a recorded area")
    with _style():
        looks = _looks(summary)
        points = summary[summary["balanced_accuracy"].notna()]
        intervals = drawn_measure(points)[["low", "high"]].where(points["best_layer"])
        values = drawn_measure(points)[["median"]].join(intervals).reindex(summary.index)
        limits = _limits(summary, values, {"predictivity": [], "raw r": [], "matrices": []})
        handles = _handles(summary, looks, linestyle="")
        handles.append(
            Line2D([], [], **BEST_LAYER, marker="o", color="white", linestyle="", label="a model's best layer")
        )
        if points["chance"].notna().any():
            handles.append(Line2D([], [], **CHANCE, label="chance"))
        figure, panels = _page(
            summary,
            ["recording", "area", "label"],
            lambda rows: f"{_neuroids(rows)}\n{_correlation(rows)}",
            handles if len(points) else [],
        )
        for axes, rows in panels:
            label = rows["label"].iloc[0]
            if label == "":
                splits = summary.loc[summary["recording"] == rows["recording"].iloc[0], "split"]
                _say_that_there_are_no_points(axes, set(splits))
                continue
            for model, look in looks.items():
                _draw_points(axes, rows[rows["model"] == model], look, model)
            for chance in rows["chance"].dropna().unique():
                axes.axvline(chance, **CHANCE, zorder=1, label="_chance")
            axes.set_xlim(_padded(points.loc[points["label"] == label, ["balanced_accuracy", "chance"]]))
            axes.set_xlabel(f"Balanced accuracy, {label}, held-out images")
            _scale_medians(axes, rows, limits)
    return figure


def figure_of_text(text: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    with _style():
        figure = Figure(figsize=(WIDE * MM, 2 * LINE * MM))
        figure.text(0, 0.5, text, va="center")
    return figure


def _style():
    # Whatever a person's own matplotlibrc says, the figure is the same.
    return matplotlib.style.context(["default", STYLE])


def write_figure(figure: Figure, table: pd.DataFrame, svg: Path, pdf: Path, csv: Path) -> None:
    """Write a figure and the table behind it, without a date, so that the same content gives the same bytes."""
    with _style(), writing(svg) as svg_unfinished, writing(pdf) as pdf_unfinished, writing(csv) as csv_unfinished:
        figure.savefig(svg_unfinished, format="svg", metadata={"Date": None})
        figure.savefig(pdf_unfinished, format="pdf", metadata={"CreationDate": None})
        table.to_csv(csv_unfinished, index=False, lineterminator="\n")


def _looks(summary: pd.DataFrame) -> dict[str, dict]:
    """Return how each model is drawn, best model first; the look goes by the order of names, not by rank.

    Models that are more than there are colours look like their family.
    """
    n_layers = summary.groupby("model")["layer"].nunique()
    crowded = len(n_layers) > len(COLOURS)
    family = summary.groupby("model")["family"].first()
    looks = {
        model: {
            **(
                FAMILIES[family[model]]
                if crowded
                else {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
            ),
            "linestyle": "-" if n_layers[model] > 1 else SINGLE_LAYER,
        }
        for k, model in enumerate(n_layers.index)
    }
    return {model: looks[model] for model in models_by_predictivity(summary)}


def _handles(summary: pd.DataFrame, looks: dict[str, dict], **changes) -> list[Line2D]:
    """Return what the legend shows: every model, or every family with how many models it has."""
    if len(looks) > len(COLOURS):
        counts = summary.groupby("family")["model"].nunique()
        looks = {f"{family} ({counts[family]})": look for family, look in FAMILIES.items() if family in counts}
    return [Line2D([], [], **look | changes, label=label) for label, look in looks.items()]


def _draw_ceiling(axes: Axes) -> None:
    axes.axhline(1, color=GREY, zorder=1, label="_ceiling")
    axes.annotate("ceiling", (1, 1), (0, 2), textcoords="offset points", ha="right", va="bottom", color=GREY)


def _draw_noise_ceiling(axes: Axes, low: float, high: float) -> None:
    """Draw the band of the noise ceiling, whose upper end may be far above the panel, which has its limits."""
    top = min(high, axes.get_ylim()[1])
    axes.axhspan(low, high, color=GREY, alpha=0.15, linewidth=0, zorder=1, label="_noise ceiling")
    axes.annotate("noise ceiling", (1, top), (0, -2), textcoords="offset points", ha="right", va="top", color=GREY)


def _draw_profile(axes: Axes, rows: pd.DataFrame, look: dict, model: str) -> None:
    """Draw a line through a model's layers; of a single one, a line across the panel with a marker at its depth."""
    if len(rows) == 1:
        axes.plot(rows["depth"], drawn_measure(rows)["median"], **look, label="_layer", zorder=4)
        rows = pd.concat([rows, rows]).assign(depth=[0.0, 1.0])
        look = look | {"marker": ""}
    measure = drawn_measure(rows)
    axes.plot(rows["depth"], measure["median"], **look, label=model, zorder=3)
    axes.fill_between(
        rows["depth"],
        measure["low"],
        measure["high"],
        color=look["color"],
        alpha=0.15,
        linewidth=0,
        label=f"_interval of {model}",
        zorder=2,
    )


def _draw_recorded_areas(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw what each recorded area predicts as a line across the panel, with its name, where no other name stands."""
    for k, ((_, row), median) in enumerate(zip(rows.iterrows(), drawn_measure(rows)["median"], strict=True)):
        name = row["layer"] if row["model"] == row["recording"] else f"{row['layer']} of {row['model']}"
        axes.axhline(median, **RECORDED_AREA, zorder=1, label=f"_{name}")
        axes.annotate(name, (k / len(rows), median), (0, 1), textcoords="offset points", va="bottom", color=GREY)


def _draw_points(axes: Axes, rows: pd.DataFrame, look: dict, model: str) -> None:
    rows = rows.assign(**drawn_measure(rows))
    look = look | {"linestyle": ""}
    axes.plot(rows["balanced_accuracy"], rows["median"], **look, label=model, alpha=0.6, markeredgewidth=0, zorder=2)
    best = rows[rows["best_layer"]]
    axes.vlines(best["balanced_accuracy"], best["low"], best["high"], color=look["color"], zorder=3)
    axes.plot(best["balanced_accuracy"], best["median"], **look | BEST_LAYER, label=f"_best of {model}", zorder=4)


def _say_that_there_are_no_points(axes: Axes, splits: set[str]) -> None:
    if "images" in splits:
        why = "no labels to tell these stimuli apart"
    elif splits == {"none"}:
        why = "no labels, or split images not scored"
    else:
        why = "split images was not scored"
    axes.set_axis_off()
    axes.text(0, 1, f"No categorisation scores: {why}", va="top", transform=axes.transAxes)


def measures(summary: pd.DataFrame) -> pd.Series:
    """Return what each row is of: `predictivity` (with a ceiling), `raw r` (without), or how matrices are compared."""
    compared = [_comparison(row) for row in summary[["mapping", "distance", "comparison", "has_ceiling"]].to_numpy()]
    return pd.Series(
        np.select([_of_matrices(summary), summary["has_ceiling"]], [compared, "predictivity"], "raw r"),
        index=summary.index,
    )


def _of_matrices(summary: pd.DataFrame) -> pd.Series:
    return summary["mapping"].isin(COMPARISONS)


def _comparison(row: Sequence) -> str:
    mapping, distance, comparison, has_ceiling = row
    if mapping not in COMPARISONS:
        return ""
    distance = "" if distance in ("", "correlation") else f" ({distance})"
    return f"{COMPARISONS[mapping]}{distance}, {NAMES[comparison]}{' / ceiling' if has_ceiling else ''}"


def _scale_medians(axes: Axes, rows: pd.DataFrame, limits: dict[str, tuple[float, float]]) -> None:
    measure = measures(rows).iloc[0]
    axes.set_ylim(limits[measure])
    axes.set_ylabel(measure if _of_matrices(rows).iloc[0] else f"Median {measure}")
    # Numbers of two decimals, for which there is room.
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _limits(rows: pd.DataFrame, values: pd.DataFrame, shown: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
    """Return the limits of medians, the same for all panels of a measure; `shown`, by measure, is within them."""
    of_rows = measures(rows)
    return {
        measure: _padded(np.append(values[of_rows == measure].to_numpy(float), shown.get(measure, shown["matrices"])))
        for measure in {*of_rows, *shown}
    }


def _padded(values: ArrayLike) -> tuple[float, float]:
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    padding = max(0.05 * (high - low), 0.05 - (high - low) / 2)
    return low - padding, high + padding


def _neuroids(rows: pd.DataFrame) -> str:
    # A layer that says nothing of any neuroid is a gap in the line, and does not count.
    known = rows[rows["n_neuroids"] > 0] if rows["n_neuroids"].any() else rows
    taken, left_out = (_range(known[column]) for column in ("n_neuroids", "n_left_out"))
    if _of_matrices(rows).iloc[0]:
        return "one dissimilarity matrix" if taken == "1" else f"mean of {taken} dissimilarity matrices"
    ceiling = "" if rows["has_ceiling"].iloc[0] else "\nno ceiling: no repetitions"
    return f"n = {taken} neuroids, {left_out} left out{ceiling}"


def _predicted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of models, which predict all neuroids of a panel: a recorded area does not predict its own."""
    of_models = rows[rows["family"] != FAMILY]
    return of_models if len(of_models) else rows


def _range(counts: pd.Series) -> str:
    return f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"


def _correlation(rows: pd.DataFrame) -> str:
    if rows["label"].iloc[0] == "":
        return ""
    return "\n".join(
        _correlation_of(rows.iloc[0], prefix, noun) for prefix, noun in (("models_", "model"), ("", "layer"))
    )


def _correlation_of(row: pd.Series, prefix: str, noun: str) -> str:
    n_points, r, low, high = row[
        [f"{prefix}{name}" for name in ("n_points", "correlation", "correlation_low", "correlation_high")]
    ]
    over = f"{n_points:.0f} {noun}{'' if n_points == 1 else 's'}"
    if np.isnan(r):
        return f"Pearson r not defined, {over}"
    interval = f"95 % {low:.2f} to {high:.2f}" if n_points >= FEWEST_POINTS else "too few for an interval"
    return f"Pearson r = {r:.2f} ({interval}), {over}".replace("-", "\N{MINUS SIGN}")


def _page(
    summary: pd.DataFrame,
    row: Sequence[str],
    describe: Callable[[pd.DataFrame], str],
    handles: Sequence[Line2D],
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Lay out a panel for every group of the summary's rows, as wide as one or two columns of a journal.

    Parameters
    ----------
    summary : DataFrame
        Has `split` and `mapping`, which make the columns of panels.
    row : sequence of str
        Columns of the table that tell the rows of panels apart.
    describe : callable
        What is said above a panel, under its name, given its rows.
    handles : sequence of Line2D
        The legend, below all panels, in reading order.

    Returns
    -------
    figure : Figure
        Of the right size.
    panels : list of (Axes, DataFrame)
        Each panel with its rows.
    """
    panels = [rows for _, rows in summary.groupby([*row, "mapping", "distance", "comparison", "split"])]
    places = _places(panels, row)
    n_rows, n_columns = np.max(places, axis=0) + 1
    width = NARROW if n_columns == 1 else WIDE
    panel_width = width / n_columns - LEFT - RIGHT
    several_mappings = summary.loc[~_of_matrices(summary), "mapping"].nunique() > 1
    headers = [_header(rows, several_mappings, describe(rows), panel_width) for rows in panels]
    cell = TOP + LINE * max(map(len, headers)) + PANEL_HEIGHT + BOTTOM

    figure = Figure(figsize=(width * MM, cell * n_rows * MM))
    height = cell * n_rows + _add_legend(figure, handles, width)
    figure.set_size_inches(width * MM, height * MM)
    drawn = []
    for rows, header, (i, j) in zip(panels, headers, places, strict=True):
        left, bottom = j * width / n_columns + LEFT, height - (i + 1) * cell + BOTTOM
        axes = figure.add_axes((left / width, bottom / height, panel_width / width, PANEL_HEIGHT / height))
        for k, (line, weight) in enumerate(reversed(header)):
            offset = (0, (k + 0.5) * LINE * MM * 72)
            axes.annotate(line, (0, 1), offset, "axes fraction", textcoords="offset points", fontweight=weight)
        drawn.append((axes, rows))
    return figure, drawn


def _places(panels: Sequence[pd.DataFrame], row: Sequence[str]) -> list[tuple[int, int]]:
    """Return row and column of each panel: its splits side by side, or three abreast where all have the same one.

    Four of a single one make a square. Panels of dissimilarity matrices, which know no split, fill the rows below the
    others.
    """
    matrices = [_of_matrices(rows).iloc[0] for rows in panels]
    if any(matrices) and not all(matrices):
        above = _places([rows for rows, matrix in zip(panels, matrices, strict=True) if not matrix], row)
        n_rows, n_columns = np.max(above, axis=0) + 1
        below = [(n_rows + k // n_columns, k % n_columns) for k in range(sum(matrices))]
        upper, lower = iter(above), iter(below)
        return [next(lower if matrix else upper) for matrix in matrices]
    rows = [tuple(rows[row].iloc[0]) for rows in panels]
    columns = [
        (mapping, SPLITS.index(split) if split in SPLITS else len(SPLITS), split)
        for mapping, split in (rows[["mapping", "split"]].iloc[0] for rows in panels)
    ]
    if len(set(columns)) == 1:
        return [divmod(k, 2 if len(panels) == 4 else 3) for k in range(len(panels))]
    row_of = {key: k for k, key in enumerate(sorted(set(rows), key=_along_the_stream))}
    # A row has no gap where another recording has a split that its own lacks.
    of_row = {
        key: sorted({column for other, column in zip(rows, columns, strict=True) if other == key}) for key in rows
    }
    return [(row_of[key], of_row[key].index(column)) for key, column in zip(rows, columns, strict=True)]


def _along_the_stream(row: tuple[str, ...]) -> tuple:
    """Return the place of a row of panels: by recording, then its area from the eye inwards, then the rest."""
    recording, area, *rest = row
    word = area.split()[-1] if area else ""
    return recording, AREAS.index(word) if word in AREAS else len(AREAS), area, *rest


def _header(rows: pd.DataFrame, with_mapping: bool, description: str, width: float) -> list[tuple[str, str]]:
    """Return the lines above a panel of some width in mm, each with its weight."""
    recording, area, split, mapping = rows[["recording", "area", "split", "mapping"]].iloc[0]
    measure = measures(rows).iloc[0]
    compared = f"{measure} on held-out {split}{f', {mapping}' if with_mapping else ''}"
    plain = [measure if _of_matrices(rows).iloc[0] else compared, *description.split("\n")]
    return [
        *((line, "bold") for line in _wrapped(f"{recording}, {area}", "bold", width)),
        *((line, "normal") for text in plain for line in _wrapped(text, "normal", width)),
    ]


def _wrapped(text: str, weight: str, width: float) -> list[str]:
    """Return the text in as few lines as fit into a width in mm."""
    # One dot a point: widths come in points.
    renderer, font = FigureCanvasAgg(Figure(dpi=72)).get_renderer(), FontProperties(weight=weight)
    for n_characters in range(len(text), 0, -1):
        lines = textwrap.wrap(text, n_characters)
        widths = [renderer.get_text_width_height_descent(line, font, ismath=False)[0] for line in lines]
        if max(widths) <= width * MM * 72:
            return lines
    return []


def _add_legend(figure: Figure, handles: Sequence[Line2D], width: float) -> float:
    """Add a legend at the foot of the figure, in as many columns as fit, and return its height in mm."""
    if not handles:
        return 0
    renderer = FigureCanvasAgg(figure).get_renderer()
    for n_columns in range(len(handles), 0, -1):
        # A legend is filled column by column; it is read row by row.
        by_row = [handle for column in range(n_columns) for handle in handles[column::n_columns]]
        legend = figure.legend(handles=by_row, ncols=n_columns, loc="lower left", frameon=False, handlelength=2.5)
        extent = legend.get_window_extent(renderer)
        if n_columns == 1 or extent.width <= (width - RIGHT) * MM * figure.dpi:
            break
        legend.remove()
    return extent.height / figure.dpi / MM + TOP
