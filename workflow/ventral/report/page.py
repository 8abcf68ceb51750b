"""The page: one HTML file with all that it needs inside, the same bytes for the same results."""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from ventral.figures.panels import COMPARISONS, FAMILIES
from ventral.grams.recorded import FAMILY
from ventral.outputs import writing
from ventral.report.charts import ALL_FAMILIES, DASHES, colour_of, shape_of
from ventral.report.drawing import (
    Drawing,
    Panel,
    as_json,
    columnar,
    draw_categorisation,
    draw_explicitness,
    draw_layers,
    draw_ranking,
)
from ventral.report.jobs import compute, job_table, read_audit, read_records, seeds, versions, warnings_of
from ventral.report.methods import counted, listed, methods, read_recording, references
from ventral.report.summary import (
    MOST_LAYERS,
    MOST_NEUROIDS,
    best_models,
    counts,
    families,
    held_out,
    layer_table,
    number,
    read_table,
    single_neuroids,
    thinned,
    with_interval,
)
from ventral.tables import read_parquet

TEMPLATE = {name: Path(__file__).with_name(f"page.{name}") for name in ("html", "css", "js")}
# Colours of the families in the light, those of the static figures, and in the dark.
IN_THE_DARK = {"classical": "#e8eaed", "trained": "#4aa3e0", FAMILY: "#9ba5b1"}
IN_THE_LIGHT = {FAMILY: "#5d6673"}
# More models than this are told apart by hovering alone.
MOST_NAMED = 14
MOST_FINDINGS = 200
MOST_CHARACTERS = 1000
LARGEST_STILL = 1_500_000
SCORES = ["model", "layer", "recording", "simulated", "area", "stimuli", "target", "target_kind", "split", "mapping"]
SCORES += ["distance", "comparison", "subject", "family", "n_stimuli", "n_folds", "n_leaked", "r", "reliability"]
SCORES += ["predictivity"]


PASSED = ("verified", "re-run and equal")
SIGNS = {"holds": "\N{CHECK MARK}", "fails": "\N{BALLOT X}", "undecided": "?"}
RECORDED_NOUNS = {"neurons": ("neuron",), "matrices": ("dissimilarity matrix", "dissimilarity matrices")}
CARDS = {
    "models": "Models",
    "layers": "Layers",
    "neurons": "Neurons",
    "matrices": "Published matrices",
    "stimuli": "Stimuli",
    "scores": "Scores",
}
# Vega's shapes, for legends.
PATHS = {
    "circle": "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
    "square": "M-4.5 -4.5H4.5V4.5H-4.5Z",
    "diamond": "M0 -6.5L4.5 0L0 6.5L-4.5 0Z",
    "triangle-up": "M0 -5.5L5.5 4.5H-5.5Z",
    "triangle-down": "M0 5.5L5.5 -4.5H-5.5Z",
    "triangle-left": "M-5.5 0L4.5 -5.5V5.5Z",
    "cross": "M-1.7 -5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
}
# Columns of tables: label and kind; of those that are searched, key in the data, label, kind and decimals.
BEST = [("Area", ""), ("Best model and layer", "long"), ("Score (95 %)", "number"), ("Corrected", "number")]
BEST += [("Neurons", "number"), ("Held out", ""), ("Mapping", ""), ("Measure", ""), ("Recording", "")]
WARNINGS = [("Stage", ""), ("Warning", "long"), ("Jobs", "number"), ("Outputs", "path")]
CLAIMS = [("Claim", "long"), ("Verdict", ""), ("Area", ""), ("Held out", ""), ("Evidence", "long"), ("Recording", "")]
COMPUTE = [("Stage", ""), ("Jobs", "number"), ("Time", "number"), ("Processor time", "number")]
COMPUTE += [("Peak memory, MiB", "number")]
FIRST = [("area", "Area", "", 0), ("model", "Model", "", 0), ("layer", "Layer", "", 0)]
LAST = [("split", "Held out", "", 0), ("how", "Mapping", "", 0), ("family", "Family", "", 0)]
LAST += [("recording", "Recording", "", 0)]
LAYERS = [*FIRST, ("score", "Score", "number", 3), ("low", "Low", "number", 3), ("high", "High", "number", 3)]
LAYERS += [("n", "Neurons", "number", 0), ("left", "Left out", "number", 0), ("depth", "Depth", "number", 2)]
LAYERS += [("measure", "Measure", "", 0), *LAST]
NEUROIDS = [*FIRST, ("target", "Neuron", "", 0), ("predictivity", "Predictivity", "number", 3), ("r", "r", "number", 3)]
NEUROIDS += [("reliability", "Reliability", "number", 3), *LAST]
JOBS = [("stage", "Stage", "", 0), ("outputs", "Outputs", "path", 0), ("code", "Code", "", 0)]
JOBS += [
    ("seconds", "Seconds", "number", 1),
    ("cpu_seconds", "CPU seconds", "number", 1),
    ("peak_mb", "MiB", "number", 0),
]
JOBS += [("cores", "Cores", "number", 0), ("device", "Device", "", 0), ("hardware", "Processor", "", 0)]
JOBS += [("weights", "Weights (SHA-256)", "path", 0)]
PROFILE = (
    "Predictivity of each layer by its depth, the share of the network's layers with weights that have been passed: "
    "the median over neurons, with a 95 % interval from {bootstrap:,} bootstrap samples of neurons. Neurons with a "
    "reliability below {reliability_threshold:g} are left out. A model of one layer is a line across. Point at a line, "
    "or touch it, to see which model and layer it is."
)
NO_SCORES = (
    "No model has a score of any area: there is no neuron with a score and, where there are repetitions, a reliability "
    "of {reliability_threshold:g} or more, and no dissimilarity matrix with a score."
)
SIMILARITY = (
    "RSA and CKA compare a layer's dissimilarities, or its Gram matrix, with those of an area's neurons or with "
    "published matrices, without any fit. Of several subjects' matrices, the line is the mean, with a 95 % interval "
    "over subjects, and the grey band the noise ceiling."
)
CATEGORISATION = (
    "How well labels are read from a layer (balanced accuracy of a linear support vector machine on held-out images) "
    "against how well the layer predicts an area. One point a layer; the best layer of each model is outlined, with "
    "its 95 % interval. The correlation is over all models, whatever is shown."
)
RANKING = (
    "Rank of each model at its best layer, which is chosen by one half of the neurons and scored by the other, with "
    "its 95 % interval over resamples of stimuli and neurons. Kendall's tau says how far a resample's ranking agrees "
    "with that of all data: 1 where no resample would change it."
)
EXPLICITNESS = (
    "How well labels (balanced accuracy) and properties (r) are read, on held-out images, from equally many units of "
    "layers, by depth, and of recorded areas (lines across). Bands are 95 % intervals of one draw of units, noise and "
    "stimuli."
)
STILLS = {
    "unseen": "A category that was never seen",
    "reverse": "Reverse predictivity",
    "fitted": "Networks fitted to neurons",
    "learning_curves": "Learning curves",
}


@dataclass(frozen=True)
class Results:
    """All that the page is made of.

    Attributes
    ----------
    scores : DataFrame
        Score table.
    layers, categorisation, claims : DataFrame
        What these figures and this table show; `layers` from `ventral.report.summary.layer_table`.
    recordings : list of dict
        From `ventral.report.methods.read_recording`.
    settings : mapping
        As for `ventral.report.methods.methods`.
    records : list of dict
        Of all jobs.
    audit : dict or None
        What the audit found.
    ranking, best_layers, explicitness : DataFrame or None
        Where there are any.
    figures : sequence of paths
        SVG files that are shown as they are.
    """

    scores: pd.DataFrame
    layers: pd.DataFrame
    categorisation: pd.DataFrame
    claims: pd.DataFrame
    recordings: Sequence[Mapping]
    settings: Mapping
    records: Sequence[dict]
    audit: dict | None = None
    ranking: pd.DataFrame | None = None
    best_layers: pd.DataFrame | None = None
    explicitness: pd.DataFrame | None = None
    figures: Sequence[Path] = ()


def report(
    scores: Path,
    output: Path,
    *,
    layer_profile: Path,
    categorisation: Path,
    claims: Path,
    recordings: Sequence[Path],
    settings: Mapping,
    records: str,
    audit: str,
    ranking: Path | None = None,
    best_layers: Path | None = None,
    explicitness: Path | None = None,
    figures: Sequence[Path] = (),
) -> None:
    """Write the page.

    Parameters
    ----------
    scores : path
        The joined score table.
    output : path
        HTML to write.
    layer_profile, categorisation, claims, ranking, best_layers, explicitness : paths
        Tables (CSV) of these stages; the last three where there are any.
    recordings : sequence of paths
        Stores of all recordings.
    settings : mapping
        As for `ventral.report.methods.methods`.
    records, audit : str
        Folder of the records of all jobs, and what the audit wrote, if it did. Not paths: the page shows them, and a
        record of the page that named them would say that the page is out of date as soon as it was audited.
    figures : sequence of paths
        Further figures (SVG), shown as they are.

    Raises
    ------
    InputError
        If a record or the audit cannot be read.
    """
    table = read_parquet(scores, SCORES)
    text = page(
        Results(
            scores=table,
            layers=layer_table(read_table(layer_profile)),
            categorisation=read_table(categorisation),
            claims=read_table(claims),
            recordings=[read_recording(path) for path in recordings],
            settings=settings,
            records=read_records(Path(records)),
            audit=read_audit(Path(audit)),
            ranking=None if ranking is None else read_table(ranking, "best_layer"),
            best_layers=None if best_layers is None else read_table(best_layers, "best_layer"),
            explicitness=None if explicitness is None else read_table(explicitness),
            figures=figures,
        )
    )
    with writing(output) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def page(results: Results) -> str:
    """Return the page as HTML."""
    layers = thinned(results.layers, MOST_LAYERS).reset_index(drop=True)
    neuroids, n_neuroids = single_neuroids(results.scores, results.layers, MOST_NEUROIDS)
    drawing, named = Drawing(), families(_lines_drawn(results))
    by_depth = draw_layers(drawing, layers, neuroids)
    jobs = job_table(results.records)
    drawing.tables["jobs"] = columnar(
        jobs,
        ["seconds", "cpu_seconds", "peak_mb", "cores"],
        ["stage", "outputs", "code", "device", "hardware", "weights"],
    )
    figures = [
        _figure("profile", "Predictivity by layer", PROFILE.format(**results.settings), by_depth["predicted"]),
        _figure("similarity", "Similarity of representations", SIMILARITY, by_depth["compared"]),
        _figure(
            "categorisation",
            "Categorisation against predictivity",
            CATEGORISATION,
            draw_categorisation(drawing, results.categorisation, layers),
        ),
        _figure("ranking", "Ranking of the models", RANKING, _or_none(draw_ranking, drawing, results.ranking)),
        _figure(
            "explicitness",
            "What layers and areas make explicit",
            EXPLICITNESS,
            _or_none(draw_explicitness, drawing, results.explicitness),
        ),
        _stills(results.figures),
    ]
    text = methods(results.scores, results.settings, results.recordings, _software(results.records))
    return _filled(
        {
            "title": f"{escape(listed(_areas(results.layers)))}: which model, and which layer, predicts it",
            "heading": "Which model, and which layer, predicts these neurons?",
            "lead": escape(_lead(results)),
            "audit": _audit(results.audit),
            "contents": _contents(figures, results),
            "numbers": _numbers(results),
            "filters": _filters(results.layers, named),
            "legend": _legend(named),
            "figures": "\n".join(filter(None, figures)) + _thinning(results.layers, layers),
            "claims": _claims(results.claims),
            "warnings": _warnings(results.records),
            "scores": _scores(len(layers), len(results.layers), len(neuroids), n_neuroids, len(results.scores)),
            "methods": _methods(text),
            "provenance": _provenance(results.records, jobs, results.settings),
            "footer": "Made by ventral. The page is one file that needs no network: keep it, print it, send it.",
            "data": drawing.data(named),
            "style": _style(),
            "library": _library(),
            "script": TEMPLATE["js"].read_text(encoding="utf-8"),
        }
    )


def _filled(parts: Mapping[str, str]) -> str:
    template = TEMPLATE["html"].read_text(encoding="utf-8")
    # All at once: what stands in one part is never taken for the name of another.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _style() -> str:
    light = {
        family: FAMILIES[family]["color"] if family in FAMILIES else IN_THE_LIGHT[family] for family in ALL_FAMILIES
    }
    colours = {
        "light": light,
        "dark": {family: IN_THE_DARK.get(family, colour) for family, colour in light.items()},
    }
    lines = {
        name: "\n".join(f"  --family-{family}: {colour};" for family, colour in of_families.items())
        for name, of_families in colours.items()
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: lines[found[1]], TEMPLATE["css"].read_text(encoding="utf-8"))


def _library() -> str:
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _or_none(draw, drawing: Drawing, table: pd.DataFrame | None) -> list[Panel]:
    return [] if table is None else draw(drawing, table)


def _lines_drawn(results: Results) -> pd.DataFrame:
    """Return family and model of every line of the figures: recorded areas may stand in that of explicitness alone."""
    tables = [results.layers, results.explicitness]
    columns = ["family", "model"]
    return pd.concat([table[columns] for table in tables if table is not None and set(columns) <= set(table.columns)])


def _areas(layers: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(layers["area"]))


def _lead(results: Results) -> str:
    n = counts(results.scores, results.layers)
    recorded = listed([counted(n[kind], *noun) for kind, noun in RECORDED_NOUNS.items() if n[kind]])
    fitted = results.layers.loc[results.layers["split"] != "none", "split"]
    splits = list(dict.fromkeys(fitted))
    simulated = sorted({facts["recording"] for facts in results.recordings if facts["simulated"]})
    return (
        f"{counted(n['models'], 'model')}, {counted(n['layers'], 'layer')} in all, against {recorded} in "
        f"{listed(_areas(results.layers))}, recorded with {counted(n['stimuli'], 'stimulus', 'stimuli')}"
        f"{f' and scored on held-out {listed(splits)}' if splits else ''}."
        f"{f' Made of a network, not measured: {listed(simulated)}.' if simulated else ''}"
    )


def _contents(figures: Sequence[str], results: Results) -> str:
    entries = [("numbers", "Key numbers")]
    entries += [match.groups() for text in figures for match in re.finditer(r'<h2 id="(\S+)-title">(.+?)</h2>', text)]
    entries += [("claims", "Claims")] if len(results.claims) else []
    entries += [("warnings", "Warnings"), ("scores", "Scores"), ("methods", "Methods"), ("provenance", "Provenance")]
    return "<ul>" + "".join(f'<li><a href="#{place}">{title}</a></li>' for place, title in entries) + "</ul>"


def _audit(audit: Mapping | None) -> str:
    if audit is None:
        return (
            '<div class="audit" role="note"><p><strong>Not audited yet.</strong> <code>snakemake audit</code>, with '
            "the config of this run, checks every output against its provenance and makes some of them again.</p></div>"
        )
    passed = audit["verdict"] == "passed"
    said = listed([f"{n:,} {verdict}" for verdict, n in audit["counts"].items() if n])
    failing = [output for output in audit["outputs"] if output["verdict"] not in PASSED]
    table = ""
    if failing:
        rows = [
            [escape(output["path"]), escape(output["verdict"]), escape(output["reason"])]
            for output in failing[:MOST_FINDINGS]
        ]
        more = f" (the first {MOST_FINDINGS} of {len(failing)})" if len(failing) > MOST_FINDINGS else ""
        heads = [("Output", "path"), ("Verdict", ""), ("Reason", "long")]
        table = (
            f"<details open><summary>{counted(len(failing), 'output')} that failed{more}</summary>"
            f"{_table(heads, rows, 'Outputs that failed the audit')}</details>"
        )
    sign = "\N{CHECK MARK} Audit passed" if passed else "\N{BALLOT X} Audit failed"
    return (
        f'<div class="audit {"passed" if passed else "failed"}" role="note"><p><strong>{sign}</strong>, '
        f"{escape(_date(audit['date']))}: {escape(said)}. All of it stands in "
        f"<code>audit/audit.html</code>.</p>{table}</div>"
    )


def _date(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")


def _numbers(results: Results) -> str:
    n = counts(results.scores, results.layers)
    cards = "".join(f"<div><dt>{label}</dt><dd>{n[key]:,}</dd></div>" for key, label in CARDS.items() if n[key])
    best = best_models(results.layers, results.best_layers)
    if best.empty:
        return f'<dl class="cards">{cards}</dl><p>{NO_SCORES.format(**results.settings)}</p>'
    rows, attributes = [], []
    for row in best.to_dict("records"):
        several = "" if row["alone"] else f" <code>{escape(row['layer'])}</code> (depth {number(row['depth'])})"
        rows.append(
            [
                escape(row["area"]),
                f"{escape(row['model'])}{several}",
                with_interval(row["score"], row["low"], row["high"]),
                number(row["corrected"]),
                _number_of(row),
                escape("" if row["split"] == "none" else row["split"]),
                escape(row["how"]),
                escape(row["measure"]),
                escape(row["recording"]),
            ]
        )
        attributes.append(_filtered({key: row[key] for key in ("recording", "area", "split", "how")}))
    caption = (
        "The best model and layer for each area and what was held out: the median over neurons (of subjects' matrices "
        "the mean), with its 95 % interval; and, corrected, what is left of it where one half of the neurons chooses "
        "the layer and the other half scores it."
    )
    return f'<dl class="cards">{cards}</dl>{_table(BEST, rows, caption, attributes)}'


def _number_of(row: Mapping) -> str:
    if row["mapping"] in COMPARISONS:
        return counted(row["n_neuroids"], "matrix", "matrices")
    return f"{row['n_neuroids']}" + (f" ({row['n_left_out']} left out)" if row["n_left_out"] else "")


def _filters(layers: pd.DataFrame, named: Mapping[str, Sequence[str]]) -> str:
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
        f"{_swatch(family)}{escape(family)} ({len(models)})</label>"
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


def _swatch(family: str) -> str:
    return (
        f'<svg class="swatch" viewBox="-8 -8 16 16" aria-hidden="true"><path d="{PATHS[shape_of(family)]}" '
        f'fill="{colour_of(family)}"/></svg>'
    )


def _legend(named: Mapping[str, Sequence[str]]) -> str:
    """Return which line is which model, where they are few enough to be told apart."""
    if sum(map(len, named.values())) > MOST_NAMED:
        return ""
    items = "".join(
        f'<li><svg viewBox="0 0 40 16" aria-hidden="true"><path d="M0 8H40" stroke="{colour_of(family)}" '
        f'stroke-width="2" stroke-dasharray="{" ".join(map(str, DASHES[k % len(DASHES)])) if k else "none"}"/>'
        f'<path transform="translate(20 8)" d="{PATHS[shape_of(family)]}" fill="{colour_of(family)}"/></svg>'
        f"{escape(model)}</li>"
        for family, models in named.items()
        if family != FAMILY
        for k, model in enumerate(models)
    )
    return f'<ul class="models" aria-label="Models">{items}</ul>'


def _figure(place: str, title: str, caption: str, panels: Sequence[Panel]) -> str:
    if not panels:
        return ""
    drawn = "".join(
        f'<figure class="panel"{_filtered(panel.of)}><figcaption><h3>{escape(panel.title)} '
        f"<span>{escape(panel.subtitle)}</span></h3><p>{escape(panel.text)}</p></figcaption>"
        f'<div class="chart" data-chart="{panel.chart}"></div></figure>'
        for panel in panels
    )
    return (
        f'<section id="{place}" data-figure aria-labelledby="{place}-title"><h2 id="{place}-title">{title}</h2>'
        f'<p class="caption">{caption}</p><div class="panels">{drawn}</div></section>'
    )


def _stills(figures: Sequence[Path]) -> str:
    small = [path for path in figures if path.stat().st_size <= LARGEST_STILL]
    if not small:
        return ""
    drawn = "".join(
        f'<figure class="panel still"><figcaption><h3>{escape(_title_of(path))}</h3></figcaption><img alt="'
        f'{escape(_title_of(path))}" src="data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"></figure>'
        for path in small
    )
    return (
        '<section id="further" aria-labelledby="further-title"><h2 id="further-title">Further figures</h2>'
        '<p class="caption">As they stand in the folder <code>figures</code>, beside the tables behind them; filters '
        f'do not change them.</p><div class="panels stills">{drawn}</div></section>'
    )


def _title_of(path: Path) -> str:
    name = path.stem.replace("_", " ")
    return f"Stimuli: {path.stem}" if path.parent.name == "contact_sheets" else STILLS.get(path.stem, name.capitalize())


def _thinning(layers: pd.DataFrame, drawn: pd.DataFrame) -> str:
    if len(drawn) == len(layers):
        return ""
    return (
        f'<p class="note">Figures and table show {len(drawn):,} of {len(layers):,} layers, evenly spaced, the best of '
        "every model among them; <code>figures/layer_profile.csv</code> has all.</p>"
    )


def _claims(claims: pd.DataFrame) -> str:
    if claims.empty:
        return ""
    rows, attributes = [], []
    for row in claims.fillna("").to_dict("records"):
        verdict = str(row["verdict"])
        simulated = " (simulated)" if str(row["simulated"]) == "True" else ""
        rows.append(
            [
                escape(str(row["claim"])),
                f'<span class="verdict {escape(verdict)}">{SIGNS.get(verdict, "")} {escape(verdict)}</span>',
                escape(str(row["area"])),
                escape("" if row["split"] == "none" else str(row["split"])),
                escape(str(row["evidence"])),
                escape(f"{row['recording']}{simulated}"),
            ]
        )
        attributes.append(_filtered({key: str(row[key]) for key in ("recording", "area", "split")}))
    caption = (
        "Which claims of Yamins et al. 2014 and Hong et al. 2016 hold here. Differences are medians over neurons with "
        "95 % bootstrap intervals; the best of several layers is chosen on the same data that score it."
    )
    return (
        '<section id="claims" data-figure aria-labelledby="claims-title"><h2 id="claims-title">Which claims hold</h2>'
        f"{_table(CLAIMS, rows, caption, attributes)}</section>"
    )


def _warnings(records: Sequence[dict]) -> str:
    if not records:
        return "<p>No records of jobs were found: what they warned of stands in their logs.</p>"
    warnings = warnings_of(records)
    unknown = sum("warnings" not in record for record in records)
    older = (
        f"<p>{counted(unknown, 'job')} of an earlier version recorded no warnings: these stand in the logs alone.</p>"
        if unknown
        else ""
    )
    if warnings.empty:
        return older or "<p>No job warned of anything.</p>"
    rows = [
        [escape(row.stage), escape(_cut(row.warning)), f"{row.jobs:,}", escape(row.outputs)]
        for row in warnings.head(MOST_FINDINGS).itertuples()
    ]
    more = f" (the first {MOST_FINDINGS})" if len(warnings) > MOST_FINDINGS else ""
    caption = f"{counted(len(warnings), 'warning')}{more}: what was left out, or is allowed but odd"
    return f"{_table(WARNINGS, rows, caption)}{older}"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}… (all of it stands in the log)"


def _scores(n_shown: int, n_layers: int, n_single: int, n_neuroids: int, n_scores: int) -> str:
    layers = f"{n_shown:,} of {n_layers:,}" if n_shown < n_layers else f"all {n_layers:,}"
    single = (
        f"the first {n_single:,} of {n_neuroids:,}, those of the best models"
        if n_single < n_neuroids
        else f"{n_neuroids:,}"
    )
    return (
        f"<p>Medians of areas: {layers} rows of layer, area, held-out part and mapping. Single neurons: at the best "
        f"layer of each model, {single} rows. Every score of every layer, {n_scores:,} rows, stands in "
        f"<code>scores.parquet</code>, whose columns the README explains.</p>"
        + _searchable(
            "layers",
            "Areas",
            "Median over the neurons of an area (over subjects, the mean), with its 95 % interval",
            LAYERS,
            True,
        )
        + _searchable("neuroids", "Single neurons", "Scores of single neurons, or matrices", NEUROIDS, True)
    )


def _searchable(name: str, title: str, caption: str, columns: Sequence[tuple], filtered: bool) -> str:
    heads = "".join(
        f'<th scope="col" data-key="{key}" data-kind="{kind}" data-digits="{digits}"'
        f'{" class=number" if kind == "number" else ""}><button type="button">{label}</button></th>'
        for key, label, kind, digits in columns
    )
    return (
        f'<div class="searchable" data-table="{name}"{" data-filters" if filtered else ""}><h4>{title}</h4>'
        f'<div class="tools"><label>Search <input type="search" autocomplete="off"></label>'
        f'<p class="count" role="status"></p></div>'
        f'<div class="table" role="region" tabindex="0" aria-label="{title}"><table><caption><span>{caption}. '
        f"A heading sorts; again, the other way round.</span></caption><thead><tr>{heads}</tr></thead>"
        f"<tbody></tbody></table></div>"
        f'<button type="button" class="more" hidden>Show more rows</button></div>'
    )


def _methods(paragraphs: Sequence[tuple[str, str]]) -> str:
    text = "".join(f"<p><strong>{escape(heading)}.</strong> {escape(said)}</p>" for heading, said in paragraphs)
    cited = "".join(f"<li>{escape(work)}</li>" for work in references(paragraphs))
    return f'{text}<h4>References</h4><ul class="references">{cited}</ul>' if cited else text


def _provenance(records: Sequence[dict], jobs: pd.DataFrame, settings: Mapping) -> str:
    if jobs.empty:
        return "<p>No records of jobs were found: what was made, by what and when, is not known.</p>"
    spent = compute(jobs)
    rows = [
        [
            escape(row["stage"]),
            f"{row['jobs']:,}",
            _duration(row["seconds"]),
            _duration(row["cpu_seconds"]),
            f"{row['peak_mb']:,}",
        ]
        for row in spent.to_dict("records")
    ]
    rows.append(
        [
            "<strong>all</strong>",
            f"{len(jobs):,}",
            _duration(jobs["seconds"].sum()),
            _duration(jobs["cpu_seconds"].sum()),
            f"{jobs['peak_mb'].max():,}",
        ]
    )
    machines = listed(sorted({f"{row.hardware} ({row.device})" for row in jobs.itertuples()}))
    packages = "".join(
        f"<li><code>{escape(name)} {escape(', '.join(found))}</code></li>" for name, found in versions(records).items()
    )
    given = "; ".join(f"{stage} {', '.join(map(str, values))}" for stage, values in seeds(records).items())
    return (
        f"<p>{counted(len(jobs), 'job')} took {_duration(jobs['seconds'].sum())} of computing in all "
        f"({_duration(jobs['cpu_seconds'].sum())} of a processor core), on {escape(machines)}. Each left a record in "
        f"the folder <code>provenance</code>: the SHA-256 of everything that it read, wrote and "
        f"ran.</p>{_table(COMPUTE, rows, 'What the jobs of each stage took')}"
        + _searchable(
            "jobs",
            "Jobs",
            "What each job made, by which code (first digits of its SHA-256), and what it took",
            JOBS,
            False,
        )
        + f"<h4>Seeds</h4><p>{escape(given) or 'None.'} (config: {settings['seed']})</p>"
        f'<h4>Versions</h4><ul class="models">{packages}</ul>'
    )


def _software(records: Sequence[dict]) -> dict[str, list[str]]:
    return {**versions(records), **_ventral()}


def _ventral() -> dict[str, list[str]]:
    # A checkout runs where it is not installed, too.
    with suppress(PackageNotFoundError):
        return {"ventral": [version("ventral")]}
    return {}


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _filtered(of: Mapping[str, str]) -> str:
    return "".join([" data-filtered", *(f' data-{key}="{escape(value)}"' for key, value in of.items())])


def _table(
    heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], caption: str, attributes: Sequence[str] = ()
) -> str:
    """Return a table of cells that are HTML already, without columns of which all are empty."""
    filled = [any(row[k] for row in rows) for k in range(len(heads))]
    heads = [head for head, any_cell in zip(heads, filled, strict=True) if any_cell]
    rows = [[cell for cell, any_cell in zip(row, filled, strict=True) if any_cell] for row in rows]
    classes = [f' class="{kind}"' if kind else "" for _, kind in heads]
    top = "".join(f'<th scope="col"{kind}>{label}</th>' for (label, _), kind in zip(heads, classes, strict=True))
    body = "".join(
        f"<tr{attribute}>{''.join(f'<td{kind}>{cell}</td>' for cell, kind in zip(row, classes, strict=True))}</tr>"
        for row, attribute in zip(rows, attributes or [""] * len(rows), strict=True)
    )
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption><span>{caption}</span></caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
