"""Write the figures of the page as HTML, with their shared filters and legend."""

from base64 import b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from ventral.grams.recorded import FAMILY
from ventral.report.charts import SHAPES
from ventral.report.drawing import Panel, as_json
from ventral.report.prose import title_of
from ventral.report.tables import filtered
from ventral.targets.splits import held_out

# With more models than this, only hovering tells models apart.
MOST_NAMED = 14
LARGEST_STILL = 1_500_000
# Vega's shapes, for legends.
PATHS = {
    "circle": "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
    "square": "M-4.5 -4.5H4.5V4.5H-4.5Z",
    "diamond": "M0 -6.5L4.5 0L0 6.5L-4.5 0Z",
    "triangle-up": "M0 -5.5L5.5 4.5H-5.5Z",
    "triangle-down": "M0 5.5L5.5 -4.5H-5.5Z",
    "triangle-left": "M-5.5 0L4.5 -5.5V5.5Z",
    "triangle-right": "M5.5 0L-4.5 5.5V-5.5Z",
    SHAPES["X"]: "M-3-5L0-2L3-5L5-3L2 0L5 3L3 5L0 2L-3 5L-5 3L-2 0L-5-3Z",
    SHAPES["p"]: "M0-5.5L5.2-1.7L3.2 4.5L-3.2 4.5L-5.2-1.7Z",
    "cross": "M-1.7 -5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
}


def filters(layers: pd.DataFrame, named: Mapping[str, Sequence[str]]) -> str:
    """Return the filters: area, held-out part, mapping and model families."""
    places = layers[["recording", "area"]].drop_duplicates()
    options = "".join(
        f'<optgroup label="{escape(recording)}">'
        + "".join(
            f'<option value="{escape(as_json([recording, area]))}">{escape(area)}, {escape(recording)}</option>'
            for area in of_recording["area"]
        )
        + "</optgroup>"
        for recording, of_recording in places.groupby("recording", sort=False)
    )
    splits = [(split, held_out(split)) for split in dict.fromkeys(layers["split"])]
    hows = [(how, how) for how in dict.fromkeys(layers["how"])]
    boxes = "".join(
        f'<label class="family"><input type="checkbox" name="family" value="{escape(family)}" checked>'
        f"{escape(family)} ({len(models)})</label>"
        for family, models in named.items()
    )
    parts = [
        f'<label class="field">Area<select name="place"><option value="">All areas</option>{options}</select></label>',
        _select("split", "Held out", "All", splits),
        _select("how", "Mapping", "All mappings", hows) if len(hows) > 1 else "",
        f"<fieldset><legend>Model families</legend>{boxes}</fieldset>",
    ]
    return "".join(parts)


def _select(name: str, label: str, everything: str, options: Iterable[tuple[str, str]]) -> str:
    listed_options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)
    return (
        f'<label class="field">{label}<select name="{name}"><option value="">{everything}</option>'
        f"{listed_options}</select></label>"
    )


def legend(
    named: Mapping[str, Sequence[str]], looks: Mapping[str, Mapping[str, str]], in_own_colour: Collection[str]
) -> str:
    """Return the legend of the models in their own colour; nothing where they are too many to tell apart."""
    if len(in_own_colour) > MOST_NAMED:
        return ""
    items = "".join(
        f'<li><svg viewBox="0 0 40 16" aria-hidden="true"><path d="M0 8H40" stroke="{looks[model]["colour"]}" '
        f'stroke-width="2"/><path transform="translate(20 8)" d="{PATHS[looks[model]["shape"]]}" '
        f'fill="{looks[model]["colour"]}"/></svg>'
        f"{escape(model)}</li>"
        for family, models in named.items()
        if family != FAMILY
        for model in models
        if model in in_own_colour
    )
    return f'<ul class="models" aria-label="Models">{items}</ul>'


def figure_section(place: str, title: str, caption: str, panels: Sequence[Panel]) -> str:
    """Return the HTML of a figure with its title and caption; nothing for a figure without panels."""
    if not panels:
        return ""
    drawn = "".join(
        f'<figure class="panel"{filtered(panel.of)}><figcaption><h3>{escape(panel.title)} '
        f"<span>{escape(panel.subtitle)}</span></h3><p>{escape(panel.text)}</p></figcaption>"
        f'<div class="chart" data-chart="{panel.chart}"></div></figure>'
        for panel in panels
    )
    return (
        f'<section id="{place}" data-figure aria-labelledby="{place}-title"><h2 id="{place}-title">{title}</h2>'
        f'<p class="caption">{caption}</p><div class="panels">{drawn}</div></section>'
    )


def stills_section(figures: Sequence[Path]) -> str:
    """Return the HTML of figures (SVG) that the page shows unchanged; nothing without such figures."""
    small = [path for path in figures if path.stat().st_size <= LARGEST_STILL]
    if not small:
        return ""
    drawn = "".join(
        f'<figure class="panel still"><figcaption><h3>{escape(title_of(path))}</h3></figcaption><img alt="'
        f'{escape(title_of(path))}" src="data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"></figure>'
        for path in small
    )
    return (
        '<section id="further" aria-labelledby="further-title"><h2 id="further-title">Further figures</h2>'
        '<p class="caption">These figures are copies from the folder <code>figures</code>, which also has their '
        "tables. Filters do not change them. On a phone, a figure scrolls sideways.</p>"
        f'<div class="panels stills">{drawn}</div></section>'
    )


def thinning_note(layers: pd.DataFrame, drawn: pd.DataFrame) -> str:
    """Say how many layers are drawn; nothing where all are."""
    if len(drawn) == len(layers):
        return ""
    return (
        f'<p class="note">Figures and table show {len(drawn):,} of {len(layers):,} layers, evenly spaced, and always '
        "the best of every model. <code>figures/layer_profile.csv</code> has all layers.</p>"
    )
