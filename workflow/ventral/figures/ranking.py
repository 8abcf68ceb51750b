"""Draw the ranking of the models, and its uncertainty over resampled stimuli and neurons."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ventral.figures.layout import in_time, place_of_split, widest, write_figure
from ventral.figures.measures import named
from ventral.figures.style import MM, NARROW, WIDE, figure_style, looks
from ventral.recordings.time_bins import place_of
from ventral.statistics.bootstrap import read_bootstraps
from ventral.statistics.comparisons import resampled_scores
from ventral.statistics.summaries import PANEL
from ventral.tables import read_csv
from ventral.targets.splits import held_out

COLUMNS = [
    *PANEL,
    "model",
    "family",
    "best_layer",
    "measure",
    "n_neuroids",
    "score",
    "rank",
    "median_rank",
    "low",
    "high",
    "consistency",
    "n_models",
    "n_bootstrap",
]
# In mm: what surrounds a panel, the least width of its axis, a line of text, and a model's row.
TOP, BOTTOM, RIGHT, GAP, NARROWEST, LINE, ROW = 2, 9, 3, 5, 30, 3.2, 3.6


def ranking(
    bootstraps: Sequence[Path], best_layers: Path, svg: Path, pdf: Path, csv: Path, models: Sequence[str] = ()
) -> None:
    """Write the figure of each model's rank over resamples, and the table of ranks behind it.

    Parameters
    ----------
    bootstraps : sequence of paths
        Resampled medians of all models and recordings.
    best_layers : path
        Table of `ventral.statistics.best_layers`.
    svg, pdf, csv : paths
        The figure, and the rows of `ranking_of`.
    models : sequence of str, optional
        All models of the run, by whose order each has its colour and marker.
    """
    table = ranking_of(read_bootstraps(bootstraps), read_csv(best_layers, "best_layer"))
    write_figure(draw_ranking(table, models), table, svg, pdf, csv)


def ranking_of(bootstraps: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Rank the models of each panel: a row for each model, the best first.

    A model's score is the median over neurons at its best layer. The neurons and folds that score a layer had no part
    in its choice, so models with many layers have no head start. Resamples are spread around this score.

    Parameters
    ----------
    bootstraps : DataFrame
        From `ventral.statistics.bootstrap.read_bootstraps`.
    best : DataFrame
        From `ventral.statistics.best_layers.best_layers_of`.

    Returns
    -------
    DataFrame
        `score` and `rank` (1 is best; equal scores share the mean of their ranks), and `median_rank` over resamples
        with its 95 % interval, `low` and `high`. `consistency`, the same for all models of a panel, is the mean over
        resamples of Kendall's tau between a resample's ranking and this one. It is 1 where all agree. Models without a
        score are not ranked.
    """
    return pd.DataFrame(
        [row for _, panel in bootstraps.groupby(PANEL) for row in _rank_models(panel, best)], columns=COLUMNS
    )


def draw_ranking(table: pd.DataFrame, models: Sequence[str] = ()) -> Figure:
    """Draw the rows of `ranking_of`: a panel for each recording, area, bin, split and mapping; a row per model."""
    with figure_style():
        panels = [rows for _, rows in sorted(table.groupby(PANEL), key=_order)]
        if not panels:
            figure = Figure(figsize=(NARROW * MM, 3 * LINE * MM))
            figure.text(0.02, 0.5, "No ranking: no model has a score of two or more neurons", va="center")
            return figure
        names = GAP + widest(table["model"])
        abreast = 2 if len(panels) > 1 and names + NARROWEST + RIGHT <= WIDE / 2 else 1
        width = WIDE if abreast == 2 else max(NARROW, names + NARROWEST + RIGHT)
        abreast_rows = [max(map(len, panels[k : k + abreast])) for k in range(0, len(panels), abreast)]
        cells = [TOP + 3 * LINE + ROW * n_models + BOTTOM for n_models in abreast_rows]
        own = looks(models, table["model"])
        height = sum(cells)
        figure = Figure(figsize=(width * MM, height * MM))
        for k, rows in enumerate(panels):
            i, j = divmod(k, abreast)
            left = j * width / abreast + names
            extent = (width / abreast - names - RIGHT, ROW * len(rows))
            bottom = height - sum(cells[:i]) - TOP - 3 * LINE - extent[1]
            axes = figure.add_axes((left / width, bottom / height, extent[0] / width, extent[1] / height))
            _draw_panel(axes, rows, names, own)
    return figure


def _order(group: tuple) -> tuple:
    *place, split, mapping = in_time(group)
    return *place, mapping, place_of_split(split)


def _draw_panel(axes: Axes, rows: pd.DataFrame, names: float, own: dict[str, dict]) -> None:
    places = np.arange(len(rows))
    for place, (_, row) in zip(places, rows.iterrows(), strict=True):
        look = own[row["model"]]
        axes.hlines(place, row["low"], row["high"], color=look["color"], linewidth=1.5)
        axes.plot(row["rank"], place, **look, linestyle="", label=row["model"])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(places, rows["model"])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0.5, max(2, len(rows)) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlabel("Rank, with 95 % interval")
    first = rows.iloc[0]
    tau = first["consistency"]
    sure = f"mean Kendall's tau of resamples {tau:.2f}".replace("-", "\N{MINUS SIGN}") if tau == tau else "one model"
    lines = [
        (f"{first['recording']}, {place_of(first['area'], first['time_bin'])}", "bold"),
        (f"{named(first['measure'])} on {held_out(first['split'])}, {first['mapping']}", "normal"),
        (f"n = {rows['n_neuroids'].max()} neurons; {sure}", "normal"),
    ]
    for k, (line, weight) in enumerate(reversed(lines)):
        offset = ((1.5 - names) * MM * 72, (k + 0.5) * LINE * MM * 72)
        axes.annotate(line, (0, 1), offset, "axes fraction", textcoords="offset points", fontweight=weight)


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank scores (models, samples) within each sample: 1 is the highest, and equal scores share the mean rank."""
    return pd.DataFrame(-scores).rank().to_numpy()


def kendall_tau(ranking: NDArray[np.float64], rankings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Kendall's tau-b (1945, Biometrika 33:239) of a ranking (models,) with each of several (models, samples).

    Returns
    -------
    (samples,) array
        NaN where one of the two rankings has all models tied.
    """
    first, second = np.triu_indices(len(ranking), k=1)
    order = np.sign(ranking[first] - ranking[second])
    orders = np.sign(rankings[first] - rankings[second])
    untied = np.abs(order).sum() * np.abs(orders).sum(axis=0)
    return np.divide(order @ orders, np.sqrt(untied), out=np.full(len(untied), np.nan), where=untied > 0)


def _rank_models(panel: pd.DataFrame, best: pd.DataFrame) -> Iterator[dict]:
    place = panel[PANEL].iloc[0].to_dict()
    of_panel = best[(best[PANEL] == pd.Series(place)).all(axis=1) & best["corrected"].notna()]
    resampled = resampled_scores(panel, of_panel.set_index("model")["corrected"])
    of_panel = of_panel[of_panel["model"].isin(resampled)].sort_values(["corrected", "model"], ascending=[False, True])
    if of_panel.empty:
        return
    scores = np.stack([resampled[model] for model in of_panel["model"]])
    scores = scores[:, np.isfinite(scores).all(axis=0)]
    of_resamples = ranks(scores)
    rank = ranks(of_panel[["corrected"]].to_numpy(float))[:, 0]
    tau = kendall_tau(rank, of_resamples)
    consistency = float(np.nanmean(tau)) if np.isfinite(tau).any() else np.nan
    low, middle, high = (
        np.percentile(of_resamples, [2.5, 50, 97.5], axis=1) if scores.size else np.full((3, len(rank)), np.nan)
    )
    for k, row in enumerate(of_panel.to_dict("records")):
        yield {
            **{column: row[column] for column in (*PANEL, "model", "family", "best_layer", "measure", "n_neuroids")},
            "score": row["corrected"],
            "rank": rank[k],
            "median_rank": middle[k],
            "low": low[k],
            "high": high[k],
            "consistency": consistency,
            "n_models": len(rank),
            "n_bootstrap": scores.shape[1],
        }
