"""Draw how well networks fitted to neurons predict them, on training images and on held-out images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ventral.figures.layout import in_time, write_figure
from ventral.figures.style import COLOURS, MM, WIDE, figure_style
from ventral.recordings.time_bins import place_of
from ventral.statistics.best_layers import N_SPLITS, corrected_over_halves, halves_of
from ventral.statistics.summaries import read_scores
from ventral.tables import read_csv

TRAIN, TEST = "stimuli it was trained on", "held-out stimuli"
RIDGE = "ridge on the best layer of a network trained on objects, held-out stimuli"
PANEL_HEIGHT, LEFT, RIGHT, GAP, TOP, BOTTOM, LINE = 42, 12, 3, 14, 11, 10, 3.6
ABREAST = 3
LOOKS = {
    TRAIN: {"color": COLOURS[1], "linestyle": ":"},
    TEST: {"color": COLOURS[1], "linestyle": "-"},
    RIDGE: {"color": COLOURS[0], "linestyle": "--"},
}
# The folds behind each part of the figure: the score table has ridge regression over all folds only.
ONE_FOLD, ALL_FOLDS = "fold 0", "all folds"
FOLDS = {TRAIN: "training part", TEST: ONE_FOLD, RIDGE: ALL_FOLDS}
LABELS = {TRAIN: TRAIN, TEST: f"{TEST} ({ONE_FOLD})", RIDGE: f"{RIDGE} ({ALL_FOLDS}, the same neurons)"}


def fitted(
    trainings: Sequence[Path],
    scores: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    recordings: Sequence[str],
    seed: int,
) -> None:
    """Write the figure of r by epoch of training: the median over an area's neuroids, uncorrected for noise.

    Parameters
    ----------
    trainings : sequence of paths
        Folders of networks fitted to neurons, from `ventral.training.training.train`.
    scores : path
        The joined score table.
    svg, pdf, csv : paths
        The figure, and every number in it: `model`, `recording`, `area`, `time_bin`, `epoch`, `part`, `folds` (the
        stimuli of that part), `n_neuroids`, `r`.
    recordings : sequence of str
        The recording that each network was fitted to.
    seed : int
        Seed of the halves of neuroids by which a layer is chosen for ridge regression.
    """
    curves = {folder.name: read_csv(folder / "metrics.csv") for folder in trainings}
    neuroids = {folder.name: read_csv(folder / "neurons.csv", "neuroid") for folder in trainings}
    of_networks = dict(zip(curves, recordings, strict=True))
    table = fitted_table(curves, neuroids, of_networks, read_scores(scores), seed)
    write_figure(draw_fitted(table), table, svg, pdf, csv)


def fitted_table(
    curves: dict[str, pd.DataFrame],
    neuroids: dict[str, pd.DataFrame],
    recordings: dict[str, str],
    scores: pd.DataFrame,
    seed: int,
) -> pd.DataFrame:
    """Return the numbers of the figure in long form.

    Network and ridge regression are compared on the same neuroids, but not on the same stimuli. The network was tested
    on fold 0 of the split `stimuli` alone. The score table has ridge regression over all folds together.

    Parameters
    ----------
    curves : dict of DataFrame
        For each network, one row per epoch, with the columns ``train_r AREA`` and ``test_r AREA``. With time bins, the
        columns are ``train_r AREA, BIN`` and ``test_r AREA, BIN``.
    neuroids : dict of DataFrame
        For each network, `neuroid`, `area`, `time_bin` and `test_r` of the neuroids that it predicts.
    recordings : dict of str
        The recording that each network was fitted to.
    scores : DataFrame
        From `ventral.statistics.summaries.read_scores`.
    seed : int
        Seed of the halves of neuroids.
    """
    rows = []
    for model, curve in curves.items():
        recording, predicted = recordings[model], neuroids[model].dropna(subset="test_r")
        places = {place_of(*of): of for of in neuroids[model][["area", "time_bin"]].itertuples(index=False, name=None)}
        for column in curve.columns:
            kind, _, place = column.partition(" ")
            part = {"train_r": TRAIN, "test_r": TEST}.get(kind)
            if part:
                area, time_bin = places[place]
                names = predicted.query("area == @area and time_bin == @time_bin")["neuroid"]
                of = {"model": model, "recording": recording, "area": area, "time_bin": time_bin}
                values = curve[["epoch", column]].rename(columns={column: "r"}).assign(**of)
                rows.append(values.assign(part=part, n_neuroids=len(names)))
                of_place = (scores[["recording", "area", "time_bin"]] == [recording, area, time_bin]).all(axis=1)
                if part == TEST:
                    r, n_compared = ridge_on_best_layer(scores[of_place], names, seed)
                    if np.isfinite(r):
                        rows.append(values.assign(part=RIDGE, n_neuroids=n_compared, r=r))
    table = pd.concat(rows, ignore_index=True)
    table["folds"] = table["part"].map(FOLDS)
    columns = ["model", "recording", "area", "time_bin", "epoch", "part", "folds", "n_neuroids", "r"]
    return table[columns]


def ridge_on_best_layer(scores: pd.DataFrame, names: pd.Series, seed: int) -> tuple[float, int]:
    """Return the median r of the best layer of networks trained on objects, and its number of neuroids.

    The layer is chosen on other neuroids and other folds than those that score it, as in
    `ventral.statistics.best_layers`.

    Parameters
    ----------
    scores : DataFrame
        Rows of the score table for one area in one time bin.
    names : (neuroids,) Series
        The neuroids to score.
    seed : int
        Seed of the halves of neuroids.

    Returns
    -------
    r : float
        NaN where no such network is scored, or there are fewer than two neuroids.
    n_neuroids : int
    """
    taken = scores["family"].isin(["trained", "pretrained"]) & scores["target"].isin(names)
    taken &= (scores["split"] == "stimuli") & (scores["mapping"] == "ridge") & (scores["target_kind"] == "neuron")
    table = scores[taken].pivot(index=["model", "layer"], columns="target", values=["r_even", "r_odd"]).astype(float)
    if table.empty:
        return float("nan"), 0
    even, odd = (table[column].to_numpy() for column in ("r_even", "r_odd"))
    known = (np.isfinite(even) | np.isfinite(odd)).any(axis=0)
    first = halves_of(int(known.sum()), N_SPLITS, seed)
    return corrected_over_halves(even[:, known], odd[:, known], first)[0], int(known.sum())


def draw_fitted(table: pd.DataFrame) -> Figure:
    """Draw the rows of `fitted_table`: a panel for each network, area and time bin."""
    groups = table.groupby(["recording", "model", "area", "time_bin"])
    panels = [rows for _, rows in sorted(groups, key=_order)]
    abreast = min(ABREAST, len(panels))
    n_rows = -(-len(panels) // abreast)
    cell = TOP + PANEL_HEIGHT + BOTTOM
    height = n_rows * cell + LINE * len(LOOKS) + 2
    width = (WIDE - LEFT - RIGHT - GAP * (ABREAST - 1)) / ABREAST
    limits = min(0.0, table["r"].min()) - 0.03, max(1.0, table["r"].max()) + 0.03
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        for k, rows in enumerate(panels):
            row, column = divmod(k, abreast)
            left, bottom = LEFT + column * (width + GAP), height - row * cell - TOP - PANEL_HEIGHT
            axes = figure.add_axes((left / WIDE, bottom / height, width / WIDE, PANEL_HEIGHT / height))
            _draw_curves(axes, rows)
            axes.set_ylim(limits)
        figure.legend(
            handles=[
                Line2D([], [], **look, label=LABELS[part]) for part, look in LOOKS.items() if part in set(table["part"])
            ],
            loc="lower left",
            frameon=False,
        )
    return figure


def _order(group: tuple) -> tuple:
    (recording, model, area, time_bin), rows = group
    return recording, model, in_time(((recording, area, time_bin), rows))


def _draw_curves(axes: Axes, rows: pd.DataFrame) -> None:
    model, recording, area, time_bin = rows[["model", "recording", "area", "time_bin"]].iloc[0]
    for part, of_part in rows.groupby("part", sort=False):
        axes.plot(of_part["epoch"], of_part["r"], **LOOKS[part], label=part)
    axes.set_title(f"{recording}, {place_of(area, time_bin)}\n{model}", loc="left", fontsize=7, fontweight="bold")
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel("Median r (uncorrected)")
