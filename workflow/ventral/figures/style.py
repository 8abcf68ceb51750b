"""Set the look of figures: colours, markers and sizes, and how each model is drawn."""

from collections.abc import Iterable, Sequence

import matplotlib.style
import pandas as pd
from matplotlib.lines import Line2D

from ventral.statistics.summaries import models_by_predictivity

# Okabe and Ito 2008 (Color Universal Design), without the yellow, which is too light for lines on white. Then follow
# darker colours of Paul Tol's scheme "muted", and others that differ from both.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
COLOURS += ["#332288", "#117733", "#882255", "#999933", "#AA4499", "#661100"]
COLOURS += ["#7B68EE", "#FF6F91", "#00B7C2", "#2F4F4F", "#B8860B", "#C71585", "#6B8E23", "#4682B4"]
# Readers cannot tell more models than this apart; beyond, only the best of each family stand out.
CROWDED = 7
OTHERS = {"color": "0.75", "marker": "o", "markersize": 1.5, "linewidth": 0.5}
# Families of models, in the order in which they are listed.
FAMILIES = ["pretrained", "trained", "checkpoint", "fitted", "untrained", "permuted", "classical", "unknown"]
# The number of markers shares no divisor with the number of colours, which gives 210 different pairs.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<", "p", ">"]
SINGLE_LAYER = (0, (4, 2))
GREY = "0.45"
CHANCE = {"color": GREY, "linestyle": ":"}
RECORDED_AREA = {"color": GREY, "linestyle": "-."}
BEST_LAYER = {"markersize": 5.5, "markeredgecolor": "black", "markeredgewidth": 0.7}
STYLE = {
    "font.family": "sans-serif",
    # Text stays text in the SVG, so that a reader without the first font sees the next.
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
    """Return a context in which figures have the style of this package."""
    # Figures must not depend on a person's own matplotlibrc.
    return matplotlib.style.context(["default", STYLE])


def look_of(place: int) -> dict[str, str]:
    """Return the colour and marker of the model at a place among all models of a run."""
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}


def looks(models: Sequence[str], drawn: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the colour and marker of each model, the same in all figures of a run.

    Parameters
    ----------
    models : sequence of str
        All models of the run, in the order of the config: a model that is added at the end changes no other.
    drawn : iterable of str
        Models that are drawn. Models that `models` lacks come after the others, by name.
    """
    others = sorted(set(drawn) - set(models))
    return {model: look_of(place) for place, model in enumerate([*models, *others])}


def best_of_families(summary: pd.DataFrame) -> dict[str, str]:
    """Return the best model of each family, best first, with its family."""
    family = summary.groupby("model")["family"].first()
    best: dict[str, str] = {}
    for model in models_by_predictivity(summary):
        best.setdefault(family[model], model)
    return {model: of_family for of_family, model in best.items()}


def looks_of_models(summary: pd.DataFrame, models: Sequence[str] = ()) -> dict[str, dict]:
    """Return the look of each model, best model first.

    With many models, the best of each family have their own colour and marker, and the others are thin and grey.

    Parameters
    ----------
    summary : DataFrame
        Rows of a recording from `ventral.statistics.summaries.area_summary`.
    models : sequence of str
        As for `looks`.
    """
    n_layers = summary.groupby("model")["layer"].nunique()
    own = looks(models, n_layers.index)
    shown = best_of_families(summary) if len(n_layers) > CROWDED else own
    return {
        model: {
            **(own[model] if model in shown else OTHERS),
            "linestyle": "-" if n_layers[model] > 1 else SINGLE_LAYER,
        }
        for model in models_by_predictivity(summary)
    }


def stands_out(look: dict) -> bool:
    """Say whether a model is drawn with its own colour and marker."""
    return look["color"] != OTHERS["color"]


def looks_by_recording(summary: pd.DataFrame, models: Sequence[str] = ()) -> dict[str, dict[str, dict]]:
    """Return `looks_of_models` for each recording, because the best models differ between recordings."""
    every = [*models, *sorted(set(summary["model"]) - set(models))]
    return {recording: looks_of_models(rows, every) for recording, rows in summary.groupby("recording")}


def legend_handles(summary: pd.DataFrame, looks: dict[str, dict[str, dict]], **changes) -> list[Line2D]:
    """Return the legend's entries: each model that stands out in a recording, best first; then the others, if any."""
    named, grey = {}, set()
    for of_recording in looks.values():
        named |= {model: look for model, look in of_recording.items() if stands_out(look)}
        grey |= {model for model, look in of_recording.items() if not stands_out(look)}
    family = summary.groupby("model")["family"].first()
    handles = [
        Line2D([], [], **named[model] | changes, label=f"{model} ({family[model]})" if grey else model)
        for model in models_by_predictivity(summary)
        if model in named
    ]
    if grey:
        handles.append(Line2D([], [], **OTHERS | changes, label="models that are not the best of their family"))
    return handles
