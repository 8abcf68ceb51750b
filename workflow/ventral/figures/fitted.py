"""The figure of networks fitted to neurons: what they predict of images they were trained on, and of others."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ventral.figures.layout import write_figure
from ventral.figures.style import COLOURS, MM, WIDE, figure_style
from ventral.recordings.time_bins import place_of, time_order
from ventral.statistics.claimed import RIDGE, TEST, TRAIN
from ventral.statistics.summaries import area_summary, read_scores
from ventral.tables import read_csv

PANEL_HEIGHT, LEFT, GAP, TOP, BOTTOM, LINE = 42, 12, 14, 11, 10, 3.6
ABREAST = 3
LOOKS = {
    TRAIN: {"color": COLOURS[1], "linestyle": ":"},
    TEST: {"color": COLOURS[1], "linestyle": "-"},
    RIDGE: {"color": COLOURS[0], "linestyle": "--"},
}


def fitted(
    trainings: Sequence[Path],
    scores: Path,
    svg: Path,
    pdf: Path,
    csv: Path,
    recordings: Sequence[str],
    reliability_threshold: float,
    n_bootstrap: int,
    seed: int,
) -> None:
    """Write the figure of raw r, median over the neuroids of an area, by epoch of training.

    Parameters
    ----------
    trainings : sequence of paths
        Folders of networks fitted to neurons, from `ventral.training.training.train`.
    scores : path
        The joined score table.
    svg, pdf, csv : paths
        The figure, and every number in it: `model`, `recording`, `area`, `time_bin`, `epoch`, `part`,
        `r`.
    recordings : sequence of str
        The recording that each network was fitted to.
    reliability_threshold : float
        Lowest reliability of a neuroid that is taken for the ridge regression's median.
    n_bootstrap, seed : int
        As for `ventral.statistics.summaries.area_summary`.
    """
    summary = area_summary(read_scores(scores), reliability_threshold, n_bootstrap, seed)
    curves = {folder.name: read_csv(folder / "metrics.csv") for folder in trainings}
    table = fitted_table(curves, dict(zip(curves, recordings, strict=True)), summary)
    write_figure(draw_fitted(table), table, svg, pdf, csv)


def fitted_table(curves: dict[str, pd.DataFrame], recordings: dict[str, str], summary: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of the figure in long form.

    Parameters
    ----------
    curves : dict of DataFrame
        For each network, a row an epoch, with the columns ``train_r AREA`` and ``test_r AREA``, of an area in a bin of
        time ``train_r AREA, BIN``.
    recordings : dict of str
        Which recording each network was fitted to.
    summary : DataFrame
        From `ventral.statistics.summaries.area_summary`; the best layer of any trained network on held-out stimuli
        stands for ridge regression.
    """
    task = summary[summary["family"].isin(["trained", "pretrained"]) & (summary["split"] == "stimuli")]
    best = task.groupby(["recording", "area", "time_bin"])["r"].max()
    in_bins = {place_of(*of): of for of in summary[["area", "time_bin"]].itertuples(index=False, name=None)}
    rows = []
    for model, curve in curves.items():
        recording = recordings[model]
        for column in curve.columns:
            kind, _, place = column.partition(" ")
            part = {"train_r": TRAIN, "test_r": TEST}.get(kind)
            if part:
                area, time_bin = in_bins.get(place, (place, ""))
                of = {"model": model, "recording": recording, "area": area, "time_bin": time_bin}
                values = curve[["epoch", column]].rename(columns={column: "r"})
                rows.append(values.assign(**of, part=part))
                if part == TEST and (recording, area, time_bin) in best:
                    rows.append(values.assign(**of, r=best[recording, area, time_bin], part=RIDGE))
    return pd.concat(rows, ignore_index=True)[["model", "recording", "area", "time_bin", "epoch", "part", "r"]]


def draw_fitted(table: pd.DataFrame) -> Figure:
    """Draw the rows of `fitted_table`, a panel for each network, area and bin of time."""
    groups = table.groupby(["recording", "model", "area", "time_bin"])
    panels = [rows for _, rows in sorted(groups, key=lambda group: (*group[0][:3], time_order(group[0][3])))]
    abreast = min(ABREAST, len(panels))
    n_rows = -(-len(panels) // abreast)
    cell = TOP + PANEL_HEIGHT + BOTTOM
    height = n_rows * cell + LINE * len(LOOKS) + 2
    width = (WIDE - LEFT - GAP * (ABREAST - 1)) / ABREAST
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
            handles=[Line2D([], [], **look, label=part) for part, look in LOOKS.items() if part in set(table["part"])],
            loc="lower left",
            frameon=False,
        )
    return figure


def _draw_curves(axes: Axes, rows: pd.DataFrame) -> None:
    model, recording, area, time_bin = rows[["model", "recording", "area", "time_bin"]].iloc[0]
    for part, of_part in rows.groupby("part", sort=False):
        axes.plot(of_part["epoch"], of_part["r"], **LOOKS[part], label=part)
    axes.set_title(f"{recording}, {place_of(area, time_bin)}\n{model}", loc="left", fontsize=7, fontweight="bold")
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Median raw r")
