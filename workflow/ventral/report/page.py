"""Write the page: one HTML file that needs no other file, the same bytes for the same results."""

import re
from collections.abc import Mapping, Sequence
from colorsys import hls_to_rgb, rgb_to_hls
from contextlib import suppress
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from ventral.figures.measures import compares_matrices
from ventral.figures.style import COLOURS
from ventral.outputs import writing
from ventral.report.charts import looks_on_page
from ventral.report.drawing import (
    Drawing,
    Panel,
    columnar,
    draw_categorisation,
    draw_explicitness,
    draw_layers,
    draw_ranking,
    in_own_colour,
)
from ventral.report.figures import figure_section, filters, legend, stills_section, thinning_note
from ventral.report.jobs import architectures, job_table, read_audit, read_records, versions
from ventral.report.methods import listed, methods, read_recording, references
from ventral.report.players import players_section, read_players
from ventral.report.prose import (
    CATEGORISATION,
    EXPLICITNESS,
    NO_CEILING,
    OTHER_ANIMALS,
    PROFILE,
    RANKING,
    SIMILARITY,
    areas,
    lead,
)
from ventral.report.results import Results
from ventral.report.summary import (
    MOST_LAYERS,
    MOST_NEUROIDS,
    families,
    layer_table,
    read_table,
    single_neuroids,
    thinned,
    with_places,
)
from ventral.report.tables import (
    animals_section,
    audit_section,
    behaviour_section,
    claims_section,
    inter_animal_section,
    numbers_section,
    provenance_section,
    scores_section,
    warnings_section,
)
from ventral.tables import read_parquet

TEMPLATE = {name: Path(__file__).with_name(f"page.{name}") for name in ("html", "css", "js")}
# Least lightness of a model's colour in dark mode.
LIGHTNESS_IN_THE_DARK = 0.62
SCORES = ["model", "layer", "recording", "simulated", "area", "time_bin", "stimuli", "target", "target_kind"]
SCORES += ["split", "mapping", "distance", "comparison", "subject", "family", "n_stimuli", "n_folds", "n_leaked"]
SCORES += ["r", "r_error_both", "reliability", "predictivity", "marked", "reliability_even", "reliability_odd"]


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
    animals: Path | None = None,
    inter_animal: Path | None = None,
    behaviour: Path | None = None,
    explicitness: Path | None = None,
    figures: Sequence[Path] = (),
    played: Sequence[Path] = (),
) -> None:
    """Write the page.

    Parameters
    ----------
    scores : path
        The joined score table.
    output : path
        HTML to write.
    layer_profile, categorisation, claims, ranking, best_layers, animals, inter_animal, behaviour, explicitness : paths
        Tables (CSV) of these stages; the last five where there are any.
    recordings : sequence of paths
        Stores of all recordings.
    settings : mapping
        As for `ventral.report.methods.methods`.
    records, audit : str
        Folder of the records of all jobs, and the result of the audit, if any. They are not inputs of the job's
        record, because then every audit would make the page out of date.
    figures : sequence of paths
        Further figures (SVG), which the page shows unchanged.
    played : sequence of paths
        Stores of stimulus sets that can be played, such as sounds.

    Raises
    ------
    InputError
        If a record or the audit cannot be read.
    """
    table = with_places(read_parquet(scores, SCORES))
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
            animals=None if animals is None else read_table(animals, "group", "animal", "interval_over"),
            inter_animal=None if inter_animal is None else read_table(inter_animal, "group", "animal"),
            behaviour=None if behaviour is None else read_table(behaviour),
            explicitness=None if explicitness is None else read_table(explicitness),
            figures=figures,
            players=read_players(played),
        )
    )
    with writing(output) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def page(results: Results) -> str:
    """Return the page as HTML."""
    layers = thinned(results.layers, MOST_LAYERS).reset_index(drop=True)
    neuroids, n_neuroids = single_neuroids(results.scores, results.layers, MOST_NEUROIDS)
    lines = _lines_drawn(results)
    drawing, named = Drawing(), families(lines)
    looks = looks_on_page(results.settings.get("models", ()), lines)
    by_depth = draw_layers(drawing, layers, neuroids)
    predicted = results.layers[~compares_matrices(results.layers)]
    has_ceiling = bool(predicted["has_ceiling"].any()) or predicted.empty
    score = "predictivity" if has_ceiling else "r"
    jobs = job_table(results.records)
    drawing.tables["jobs"] = columnar(
        jobs,
        ["seconds", "cpu_seconds", "peak_mb", "cores"],
        ["stage", "outputs", "code", "device", "hardware", "weights"],
    )
    figures = [
        figure_section(
            "profile",
            f"{score.capitalize() if has_ceiling else score} by layer",
            ("" if has_ceiling else NO_CEILING)
            + PROFILE.format(**results.settings)
            + (OTHER_ANIMALS if results.settings["inter_animal"] else ""),
            by_depth["predicted"],
        ),
        figure_section("similarity", "Similarity of representations", SIMILARITY, by_depth["compared"]),
        figure_section(
            "categorisation",
            f"Categorisation against {score}",
            CATEGORISATION,
            draw_categorisation(drawing, results.categorisation, layers),
        ),
        figure_section("ranking", "Ranking of the models", RANKING, _or_none(draw_ranking, drawing, results.ranking)),
        figure_section(
            "explicitness",
            "What layers and areas make explicit",
            EXPLICITNESS,
            _or_none(draw_explicitness, drawing, results.explicitness),
        ),
        players_section(results.players),
        stills_section(results.figures),
    ]
    groups = [] if results.animals is None else sorted(results.animals["group"].unique())
    settings = {**results.settings, "architectures": architectures(results.records), "groups": groups}
    text = methods(results.scores, settings, results.recordings, _software(results.records))
    return _filled(
        {
            "title": f"{escape(listed(areas(results)))}: the best models and layers",
            "heading": "Which model, and which layer, predicts these neurons?",
            "lead": escape(lead(results)),
            "media": "; media-src data:" if results.players else "",
            "audit": audit_section(results.audit),
            "contents": _contents(figures, results),
            "numbers": numbers_section(results)
            + animals_section(results.animals)
            + inter_animal_section(results.inter_animal),
            "filters": filters(results.layers, named),
            "legend": legend(named, looks, set(results.layers.loc[in_own_colour(results.layers) == 1, "model"])),
            "figures": "\n".join(filter(None, figures)) + thinning_note(results.layers, layers),
            "claims": claims_section(results.claims) + behaviour_section(results.behaviour),
            "warnings": warnings_section(results.records),
            "scores": scores_section(len(layers), len(results.layers), len(neuroids), n_neuroids, len(results.scores)),
            "methods": _methods(text),
            "provenance": provenance_section(results.records, jobs, results.settings),
            "footer": "Made by ventral. The page is one file that needs no network: keep it, print it, send it.",
            "data": drawing.data(named, looks),
            "style": _style(),
            "library": _library(),
            "script": TEMPLATE["js"].read_text(encoding="utf-8"),
        }
    )


def _filled(parts: Mapping[str, str]) -> str:
    template = TEMPLATE["html"].read_text(encoding="utf-8")
    # One pass over the template, because a part may contain the name of another.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _style() -> str:
    colours = {"light": COLOURS, "dark": [_in_the_dark(colour) for colour in COLOURS]}
    lines = {
        name: "\n".join(f"  --look-{k}: {colour};" for k, colour in enumerate(of_ground))
        for name, of_ground in colours.items()
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: lines[found[1]], TEMPLATE["css"].read_text(encoding="utf-8"))


def _in_the_dark(colour: str) -> str:
    """Return a version of a colour that is light enough for a dark background."""
    hue, lightness, saturation = rgb_to_hls(*(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)))
    # Black becomes nearly white.
    lightness = 0.92 if lightness == 0 else max(lightness, LIGHTNESS_IN_THE_DARK)
    return "#" + "".join(f"{round(255 * part):02x}" for part in hls_to_rgb(hue, lightness, saturation))


def _library() -> str:
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _or_none(draw, drawing: Drawing, table: pd.DataFrame | None) -> list[Panel]:
    return [] if table is None else draw(drawing, table)


def _lines_drawn(results: Results) -> pd.DataFrame:
    """Return the family and model of every line; some recorded areas appear in the figure of explicitness alone."""
    tables = [results.layers, results.explicitness]
    columns = ["family", "model"]
    return pd.concat([table[columns] for table in tables if table is not None and set(columns) <= set(table.columns)])


def _contents(figures: Sequence[str], results: Results) -> str:
    entries = [("numbers", "Key numbers")]
    entries += [match.groups() for text in figures for match in re.finditer(r'<h2 id="(\S+)-title">(.+?)</h2>', text)]
    entries += [("claims", "Claims")] if len(results.claims) else []
    entries += [] if results.behaviour is None else [("behaviour", "Agreement with behaviour")]
    entries += [("warnings", "Warnings"), ("scores", "Scores"), ("methods", "Methods"), ("provenance", "Provenance")]
    return "<ul>" + "".join(f'<li><a href="#{place}">{title}</a></li>' for place, title in entries) + "</ul>"


def _methods(paragraphs: Sequence[tuple[str, str]]) -> str:
    text = "".join(f"<p><strong>{escape(heading)}.</strong> {escape(said)}</p>" for heading, said in paragraphs)
    cited = "".join(f"<li>{escape(work)}</li>" for work in references(paragraphs))
    return f'{text}<h4>References</h4><ul class="references">{cited}</ul>' if cited else text


def _software(records: Sequence[dict]) -> dict[str, list[str]]:
    return {**versions(records), **_ventral()}


def _ventral() -> dict[str, list[str]]:
    # A checkout also runs without being installed.
    with suppress(PackageNotFoundError):
        return {"ventral": [version("ventral")]}
    return {}
