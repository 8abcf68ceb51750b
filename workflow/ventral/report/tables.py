"""Write the tables of the page as HTML: key numbers, audit, claims, warnings, scores and provenance."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from ventral.figures.measures import COMPARISONS
from ventral.recordings.time_bins import place_of
from ventral.report.jobs import compute, seeds, versions, warnings_of
from ventral.report.methods import counted, listed
from ventral.report.prose import (
    BEHAVIOUR_OF_MODELS,
    BEST_MODELS,
    BETWEEN_ANIMALS,
    CLAIMS_TESTED,
    NO_MODELS,
    NO_SCORES,
    OVER_ANIMALS,
)
from ventral.report.results import Results
from ventral.report.summary import best_models, best_over_animals, counts, has_models, number, with_interval
from ventral.statistics.animals import GROUP
from ventral.statistics.inter_animal import MEAN

MOST_FINDINGS = 200
MOST_CHARACTERS = 1000
PASSED = ("verified", "rerun and equal")
SIGNS = {"holds": "\N{CHECK MARK}", "fails": "\N{BALLOT X}", "undecided": "?"}
CARDS = {
    "models": "Models",
    "layers": "Layers",
    "neurons": "Neurons",
    "matrices": "Published matrices",
    "stimuli": "Stimuli",
    "scores": "Scores",
}
# Columns of plain tables: label and kind. Columns of searchable tables: key in the data, label, kind and decimals.
BEST = [("Area", ""), ("Best model and layer", "long"), ("Score (95 %)", "number"), ("Corrected", "number")]
BEST += [("Neurons", "number"), ("Held out", ""), ("Mapping", ""), ("Measure", ""), ("Recording", "")]
ANIMALS = [("Area", ""), ("Best model and layer", "long"), ("Mean of animals (95 %)", "number"), ("Animals", "number")]
ANIMALS += [("Median of each animal", "long"), ("Held out", ""), ("Mapping", ""), ("Measure", ""), ("Set", "")]
CONSISTENCIES = [("Area", ""), ("Extrapolated (95 %)", "number"), ("All neurons of each animal's others", "long")]
CONSISTENCIES += [("Held out", ""), ("Mapping", ""), ("Set", "")]
WARNINGS = [("Stage", ""), ("Warning", "long"), ("Jobs", "number"), ("Outputs", "path")]
CLAIMS = [("Claim", "long"), ("Verdict", ""), ("Area", ""), ("Held out", ""), ("Estimate", "number")]
CLAIMS += [("Evidence", "long"), ("Units", ""), ("Marked", "number"), ("Note", "long"), ("Recording", "")]
BEHAVIOUR = [("Measure", ""), ("Model and layer", "long"), ("Value (95 %)", "number"), ("Ceiling (95 %)", "number")]
BEHAVIOUR += [("Over ceiling", "number"), ("Chance", "number"), ("Held out", ""), ("Readout", ""), ("Recording", "")]
COMPUTE = [("Stage", ""), ("Jobs", "number"), ("Time", "number"), ("Processor time", "number")]
COMPUTE += [("Peak memory, MiB", "number")]
FIRST = [("area", "Area", "", 0), ("model", "Model", "", 0), ("layer", "Layer", "", 0)]
LAST = [("split", "Held out", "", 0), ("how", "Mapping", "", 0), ("family", "Family", "", 0)]
LAST += [("recording", "Recording", "", 0)]
LAYERS = [*FIRST, ("score", "Score", "number", 3), ("low", "Low", "number", 3), ("high", "High", "number", 3)]
LAYERS += [
    ("n", "Neurons", "number", 0),
    ("left", "Left out", "number", 0),
    ("marked", "Marked", "number", 0),
    ("depth", "Depth", "number", 2),
]
LAYERS += [("measure", "Measure", "", 0), *LAST]
NEUROIDS = [*FIRST, ("target", "Neuron", "", 0), ("predictivity", "Predictivity", "number", 3), ("r", "r", "number", 3)]
NEUROIDS += [("reliability", "Reliability", "number", 3), ("marked", "Marked", "", 0), *LAST]
JOBS = [("stage", "Stage", "", 0), ("outputs", "Outputs", "path", 0), ("code", "Code", "", 0)]
JOBS += [
    ("seconds", "Seconds", "number", 1),
    ("cpu_seconds", "CPU seconds", "number", 1),
    ("peak_mb", "MiB", "number", 0),
]
JOBS += [("cores", "Cores", "number", 0), ("device", "Device", "", 0), ("hardware", "Processor", "", 0)]
JOBS += [("weights", "Weights (SHA-256)", "path", 0)]


def audit_section(audit: Mapping | None) -> str:
    """Return the verdict of the audit, with the outputs that failed."""
    if audit is None:
        return (
            '<div class="audit" role="note"><p><strong>Not audited yet.</strong> <code>snakemake audit</code>, with '
            "the config of this run, checks every output against its provenance and reruns some jobs.</p></div>"
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
        f"{escape(_date(audit['date']))}: {escape(said)}. <code>audit/audit.html</code> has "
        f"the whole result.</p>{table}</div>"
    )


def _date(moment: str) -> str:
    return moment.replace("T", " ").replace("+00:00", " UTC")


def numbers_section(results: Results) -> str:
    """Return the key numbers: counts, and the best model of each area."""
    n = counts(results.scores, results.layers)
    cards = "".join(f"<div><dt>{label}</dt><dd>{n[key]:,}</dd></div>" for key, label in CARDS.items() if n[key])
    best = best_models(results.layers, results.best_layers)
    if best.empty and results.behaviour is not None:
        return f'<dl class="cards">{cards}</dl>'
    if best.empty:
        why = NO_SCORES.format(**results.settings) if has_models(results.scores) else NO_MODELS
        return f'<dl class="cards">{cards}</dl><p>{why}</p>'
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
        attributes.append(filtered({key: row[key] for key in ("recording", "area", "split", "how")}))
    return f'<dl class="cards">{cards}</dl>{_table(BEST, rows, BEST_MODELS, attributes)}'


def animals_section(table: pd.DataFrame | None) -> str:
    """Return the best model over the animals of each set of recordings; nothing without such sets."""
    best = pd.DataFrame() if table is None or table.empty else best_over_animals(table)
    if best.empty:
        return ""
    rows, attributes = [], []
    for _, of_layer in best.groupby(GROUP, sort=False):
        row = of_layer.iloc[0]
        few = "" if row["interval_over"] == "animals" else "; too few for an interval"
        rows.append(
            [
                escape(row["area"]),
                f"{escape(row['model'])} <code>{escape(row['layer'])}</code>",
                with_interval(row["mean"], row["low"], row["high"]),
                f"{row['n_animals']}{few}",
                escape("; ".join(map(_median_of, of_layer.to_dict("records")))),
                escape(row["split"]),
                escape(row["mapping"]),
                escape(row["measure"]),
                escape(row["group"]),
            ]
        )
        attributes.append(filtered({"area": row["area"], "split": row["split"], "how": row["mapping"]}))
    return _table(ANIMALS, rows, OVER_ANIMALS, attributes)


def inter_animal_section(table: pd.DataFrame | None) -> str:
    """Return the inter-animal consistency of each area; nothing where the config asks for none."""
    if table is None or table.empty:
        return ""
    rows, attributes = [], []
    for key, of_area in table.groupby(GROUP, sort=False):
        of_set = dict(zip(GROUP, key, strict=True))
        mean = of_area[of_area["animal"] == MEAN].iloc[0]
        measured = of_area[np.isfinite(of_area["n_predictors"])].groupby("animal").tail(1)
        rows.append(
            [
                escape(place_of(of_set["area"], of_set["time_bin"])),
                with_interval(mean["consistency"], mean["low"], mean["high"]),
                escape("; ".join(map(_consistency_of, measured.to_dict("records")))),
                escape(of_set["split"]),
                escape(of_set["mapping"]),
                escape(of_set["group"]),
            ]
        )
        attributes.append(filtered({"area": of_set["area"], "split": of_set["split"], "how": of_set["mapping"]}))
    return _table(CONSISTENCIES, rows, BETWEEN_ANIMALS, attributes)


def _consistency_of(row: Mapping) -> str:
    predicting = counted(int(row["n_predictors"]), "predicting neuron")
    return f"{row['animal']} {number(row['consistency']) or 'no score'} ({predicting})"


def _median_of(row: Mapping) -> str:
    counts = f"{counted(row['n_neuroids'], 'neuron')}, {counted(row['n_sessions'], 'session')}"
    return f"{row['animal']} {number(row['median']) or 'no score'} ({counts})"


def _number_of(row: Mapping) -> str:
    of_matrices = row["mapping"] in COMPARISONS
    n = counted(row["n_neuroids"], "matrix", "matrices") if of_matrices else f"{row['n_neuroids']}"
    counts = {"left out": 0 if of_matrices else row["n_left_out"], "marked": row["n_marked"]}
    beside = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{n} ({beside})" if beside else n


def claims_section(claims: pd.DataFrame) -> str:
    """Return the claims with their verdicts; nothing without claims."""
    if claims.empty:
        return ""
    rows, attributes = [], []
    words = claims.columns.drop(["estimate", "low", "high"])
    # Pandas reads an empty text column as numbers.
    in_words = claims.astype(dict.fromkeys(words, object)).fillna(dict.fromkeys(words, ""))
    for row in in_words.to_dict("records"):
        verdict = str(row["verdict"])
        simulated = " (simulated)" if str(row["simulated"]) == "True" else ""
        rows.append(
            [
                escape(str(row["claim"])),
                f'<span class="verdict {escape(verdict)}">{SIGNS.get(verdict, "")} {escape(verdict)}</span>',
                escape(str(row["area"])),
                escape("" if row["split"] == "none" else str(row["split"])),
                with_interval(row["estimate"], row["low"], row["high"]),
                escape(str(row["evidence"])),
                escape(f"{row['n_units']} ({row['unit']})" if row["unit"] else ""),
                str(row["n_marked"] or ""),
                escape(str(row["note"])),
                escape(f"{row['recording']}{simulated}"),
            ]
        )
        attributes.append(filtered({key: str(row[key]) for key in ("recording", "area", "split")}))
    return (
        '<section id="claims" data-figure aria-labelledby="claims-title"><h2 id="claims-title">Which claims hold</h2>'
        f"{_table(CLAIMS, rows, CLAIMS_TESTED, attributes)}</section>"
    )


def behaviour_section(behaviour: pd.DataFrame | None) -> str:
    """Return the agreement of each model's best layer, and of its own outputs, with behaviour; nothing without any."""
    if behaviour is None:
        return ""
    rows, attributes = [], []
    for row in behaviour[behaviour["best_layer"]].to_dict("records"):
        rows.append(
            [
                escape(row["measure"].replace("_", " ")),
                f"{escape(row['model'])} <code>{escape(row['layer'])}</code>",
                with_interval(row["value"], row["low"], row["high"]),
                with_interval(row["ceiling"], row["ceiling_low"], row["ceiling_high"]),
                number(row["over_ceiling"]),
                number(row["chance"]),
                escape("" if row["split"] == "none" else row["split"]),
                escape(row["mapping"]),
                escape(row["recording"]),
            ]
        )
        attributes.append(filtered({"recording": row["recording"]}))
    return (
        '<section id="behaviour" data-figure aria-labelledby="behaviour-title"><h2 id="behaviour-title">Agreement with '
        f"behaviour</h2>{_table(BEHAVIOUR, rows, BEHAVIOUR_OF_MODELS, attributes)}</section>"
    )


def warnings_section(records: Sequence[dict]) -> str:
    """Return the warnings of the jobs."""
    if not records:
        return "<p>No records of jobs were found. Their logs have any warnings.</p>"
    warnings = warnings_of(records)
    unknown = sum("warnings" not in record for record in records)
    older = (
        f"<p>{counted(unknown, 'job')} of an earlier version recorded no warnings; only the logs have them.</p>"
        if unknown
        else ""
    )
    if warnings.empty:
        return older or "<p>No job gave a warning.</p>"
    rows = [
        [escape(row.stage), escape(_cut(row.warning)), f"{row.jobs:,}", escape(row.outputs)]
        for row in warnings.head(MOST_FINDINGS).itertuples()
    ]
    more = f" (the first {MOST_FINDINGS})" if len(warnings) > MOST_FINDINGS else ""
    caption = f"{counted(len(warnings), 'warning')}{more}: data that was left out, or is allowed but unusual"
    return f"{_table(WARNINGS, rows, caption)}{older}"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}… (the log has the whole text)"


def scores_section(n_shown: int, n_layers: int, n_single: int, n_neuroids: int, n_scores: int) -> str:
    """Return the tables of layers and of single neurons, which the reader searches."""
    layers = f"{n_shown:,} of {n_layers:,}" if n_shown < n_layers else f"all {n_layers:,}"
    single = (
        f"the first {n_single:,} of {n_neuroids:,}, those of the best models"
        if n_single < n_neuroids
        else f"{n_neuroids:,}"
    )
    return (
        f"<p>Medians of areas: {layers} rows, one for each layer, area, held-out part and mapping. Single neurons at "
        f"the best layer of each model: {single} rows. <code>scores.parquet</code> has every score of every layer, "
        f"{n_scores:,} rows; docs/scores.md explains its columns.</p>"
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
        f"Click a heading to sort; click again to reverse the order.</span></caption><thead><tr>{heads}</tr></thead>"
        f"<tbody></tbody></table></div>"
        f'<button type="button" class="more" hidden>Show more rows</button></div>'
    )


def provenance_section(records: Sequence[dict], jobs: pd.DataFrame, settings: Mapping) -> str:
    """Return the jobs' resources and outputs, their seeds and the versions of packages."""
    if jobs.empty:
        return "<p>No records of jobs were found, so the provenance of the results is not known.</p>"
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
        f"({_duration(jobs['cpu_seconds'].sum())} of a processor core), on {escape(machines)}. The folder "
        f"<code>provenance</code> has a record of each job: the SHA-256 of its inputs, outputs and "
        f"code.</p>{_table(COMPUTE, rows, 'Time and memory of the jobs of each stage')}"
        + _searchable(
            "jobs",
            "Jobs",
            "Outputs of each job, its code (first digits of the SHA-256), its time and its memory",
            JOBS,
            False,
        )
        + f"<h4>Seeds</h4><p>{escape(given) or 'None.'} (config: {settings['seed']})</p>"
        f'<h4>Versions</h4><ul class="models">{packages}</ul>'
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def filtered(of: Mapping[str, str]) -> str:
    """Return the HTML attributes of an element that the filters show or hide."""
    return "".join([" data-filtered", *(f' data-{key}="{escape(value)}"' for key, value in of.items())])


def _table(
    heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], caption: str, attributes: Sequence[str] = ()
) -> str:
    """Return a table of HTML cells, without its empty columns."""
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
