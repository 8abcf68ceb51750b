"""How figures look: colours, markers, sizes, and how each model is drawn."""

import matplotlib.style
import pandas as pd
from matplotlib.lines import Line2D

from ventral.statistics.summaries import models_by_predictivity

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
# In mm: the columns of a journal.
NARROW, WIDE = 89, 183


def figure_style():
    """Return a context in which figures are drawn and written in the style of this package."""
    # Whatever a person's own matplotlibrc says, the figure is the same.
    return matplotlib.style.context(["default", STYLE])


def looks_of_models(summary: pd.DataFrame) -> dict[str, dict]:
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


def legend_handles(summary: pd.DataFrame, looks: dict[str, dict], **changes) -> list[Line2D]:
    """Return what the legend shows: every model, or every family with how many models it has."""
    if len(looks) > len(COLOURS):
        counts = summary.groupby("family")["model"].nunique()
        looks = {f"{family} ({counts[family]})": look for family, look in FAMILIES.items() if family in counts}
    return [Line2D([], [], **look | changes, label=label) for label, look in looks.items()]
