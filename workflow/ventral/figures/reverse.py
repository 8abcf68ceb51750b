"""Draw reverse predictivity beside forward predictivity, layer by layer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import in_time, place_of_split, write_figure
from ventral.figures.style import MM, WIDE, figure_style, looks
from ventral.grams.recorded import FAMILY, area_and_bin
from ventral.recordings.time_bins import place_of
from ventral.statistics.summaries import area_summary, bootstrap_medians, read_scores
from ventral.store import open_store
from ventral.tables import by_run, read_parquet
from ventral.targets.splits import held_out

# A unit with a higher r counts as well predicted.
WELL_PREDICTED = 0.5
LAYER = ["recording", "area", "time_bin", "split", "model", "family", "depth", "layer"]
DIRECTIONS = {
    "forward": {"linestyle": "-", "label": "the layer predicts the neurons, median over neurons"},
    "reverse": {"linestyle": "--", "label": "the neurons predict the layer, median over units"},
}
PANEL_HEIGHT, LEFT, RIGHT, GAP, TOP, BOTTOM, LINE = 44, 12, 3, 14, 11, 10, 3.6
ABREAST = 3


def reverse_figure(
    tables: Sequence[Path],
    areas: Sequence[Path],
    scores: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
    models: Sequence[str] = (),
) -> None:
    """Write the figure of forward and reverse r by layer depth: a panel for each area and split.

    Neither direction is corrected for the neurons' noise. Forward, neurons are targets, whose noise the reliability
    could correct. In reverse, neurons are predictors, whose noise no reliability corrects.

    Parameters
    ----------
    tables : sequence of paths
        From `ventral.scores.reverse.reverse`, of each recording and model.
    areas : sequence of paths
        Stores of these recordings' areas, from `ventral.grams.recorded.recorded_gram`.
    scores : path
        The joined score table.
    svg, pdf, csv : paths
        The figure, and every number in it.
    reliability_threshold : float
        Lowest reliability of a neuroid that the forward median includes.
    n_bootstrap, seed : int
        Number of bootstrap samples of units and of neuroids, and the seed of their draw.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    """
    units = pd.concat([read_parquet(table) for table in tables], ignore_index=True)
    reverse = reverse_summary(units, n_bootstrap, seed)
    stores = [open_store(store).attrs for store in areas]
    neuroids = {
        (store["model"], neuroid, area_and_bin(layer)[1]): area_and_bin(layer)[0]
        for store in stores
        for layer in store["layers"]
        for neuroid in layer["neuroids"]
    }
    forward = forward_summary(read_scores(scores), neuroids, reliability_threshold, n_bootstrap, seed)
    table = with_forward(reverse, forward)
    table = table.assign(reliability_threshold=reliability_threshold)
    write_figure(draw_reverse(table, models), table, svg, pdf, csv)


def reverse_summary(units: pd.DataFrame, n_bootstrap: int, seed: int) -> pd.DataFrame:
    """Return the median r over units for every layer, area and split.

    Parameters
    ----------
    units : DataFrame
        Rows from `ventral.scores.reverse.reverse`.
    n_bootstrap, seed : int
        Bootstrap samples of units, and the seed of their draw.

    Returns
    -------
    DataFrame
        `recording`, `area`, `time_bin`, `split`, `model`, `family`, `depth`, `layer`, and `reverse_r`, the median.
        `reverse_r_low` and `reverse_r_high` are the ends of its 95 % interval over samples of units, NaN with fewer
        than two units. `well_predicted` is the share of units with r above 0.5. `n_predictors` is the number of
        neuroids of the area, and `n_units` the number of units with an r. `n_units_left_out` counts the units that are
        constant, over all stimuli or within a fold.
    """
    rows = []
    for key, layer in units.groupby(LAYER, dropna=False):
        r = layer["r"].dropna().to_numpy(float)
        median = low = high = share = np.nan
        if len(r):
            median, share = np.median(r), np.mean(r > WELL_PREDICTED)
        if len(r) > 1:
            low, high = np.percentile(bootstrap_medians(r[None], n_bootstrap, seed), [2.5, 97.5])
        rows.append(
            dict(zip(LAYER, key, strict=True))
            | {"reverse_r": median, "reverse_r_low": low, "reverse_r_high": high, "well_predicted": share}
            | {"n_predictors": layer["n_features"].iloc[0], "n_units": len(r), "n_units_left_out": len(layer) - len(r)}
        )
    return pd.DataFrame(rows).sort_values(LAYER, ignore_index=True, key=by_run)


def forward_summary(
    scores: pd.DataFrame,
    neuroids: dict[tuple[str, str, str], str],
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
) -> pd.DataFrame:
    """Return the forward scores, by ridge regression, for the same neuroids that predict the layers in reverse.

    Parameters
    ----------
    scores : DataFrame
        Score table.
    neuroids : dict
        The area that each neuroid of a recording belongs to in a time bin; with several animals, that animal's area.
    reliability_threshold : float
        Lowest reliability of a neuroid that is included.
    n_bootstrap, seed : int
        Number of bootstrap samples of neuroids, and the seed of their draw.

    Returns
    -------
    DataFrame
        Like `ventral.statistics.summaries.area_summary`, with the areas of `neuroids`.
    """
    rows = scores[(scores["target_kind"] == "neuron") & (scores["mapping"] == "ridge") & (scores["family"] != FAMILY)]
    keys = zip(rows["recording"], rows["target"], rows["time_bin"], strict=True)
    rows = rows.assign(area=[neuroids.get(key) for key in keys]).dropna(subset="area")
    return area_summary(rows, reliability_threshold, n_bootstrap, seed)


def with_forward(reverse: pd.DataFrame, forward: pd.DataFrame) -> pd.DataFrame:
    """Add the forward medians of the same layer, area and split to the rows of `reverse_summary`.

    The added columns are `forward_r` and `forward_predictivity`, with the ends of their intervals, and `n_neuroids`.
    """
    measures = [f"{measure}{end}" for measure in ("r", "predictivity") for end in ("", "_low", "_high")]
    forward = forward[["recording", "area", "time_bin", "split", "model", "layer", *measures, "n_neuroids"]]
    forward = forward.rename(columns={measure: f"forward_{measure}" for measure in measures})
    return reverse.merge(forward, on=["recording", "area", "time_bin", "split", "model", "layer"], how="left")


def _order(group: tuple) -> tuple:
    *place, split = in_time(group)
    return *place, place_of_split(split)


def draw_reverse(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `with_forward`: a line for each model and direction through the model's layers."""
    panels = [rows for _, rows in sorted(table.groupby(["recording", "area", "time_bin", "split"]), key=_order)]
    drawn = sorted(table["model"].unique())
    own = looks(models, drawn)
    handles = [Line2D([], [], color="black", **look) for look in DIRECTIONS.values()]
    handles += [Line2D([], [], **look, label=model) for model, look in own.items() if model in drawn]
    n_rows = -(-len(panels) // ABREAST)
    cell = TOP + PANEL_HEIGHT + BOTTOM
    height = n_rows * cell + LINE * -(-len(handles) // 2) + 2
    width = (WIDE - LEFT - RIGHT - GAP * (ABREAST - 1)) / ABREAST
    values = table[[f"{direction}_r{end}" for direction in DIRECTIONS for end in ("_low", "", "_high")]]
    limits = min(0.0, values.min().min()) - 0.03, max(0.0, values.max().max()) + 0.03
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, rows in enumerate(panels):
            row, column = divmod(k, ABREAST)
            left, bottom = LEFT + column * (width + GAP), height - row * cell - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            _draw_directions(axes, rows, own)
            axes.set_ylim(limits)
        figure.legend(handles=handles, loc="lower left", ncols=2, frameon=False)
    return figure


def _draw_directions(axes: Axes, rows: pd.DataFrame, own: dict[str, dict]) -> None:
    for model, of_model in rows.groupby("model"):
        of_model = of_model.sort_values(["depth", "layer"], key=by_run)
        for direction, style in DIRECTIONS.items():
            label = f"{direction}, {model}"
            axes.plot(
                of_model["depth"], of_model[f"{direction}_r"], **own[model], linestyle=style["linestyle"], label=label
            )
            axes.fill_between(
                of_model["depth"],
                of_model[f"{direction}_r_low"],
                of_model[f"{direction}_r_high"],
                color=own[model]["color"],
                alpha=0.15,
                linewidth=0,
                label=f"_interval of {label}",
            )
    recording, area, time_bin, split = rows[["recording", "area", "time_bin", "split"]].iloc[0]
    n = rows["n_predictors"].iloc[0]
    title = f"{recording}, {place_of(area, time_bin)}\n{held_out(split)}, {n} neurons"
    axes.set_title(title, loc="left", fontsize=7, fontweight="bold")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Layer depth")
    axes.set_ylabel("Median r (uncorrected)")
