"""The page shows the numbers of its tables, says what was done, needs no network, and is the same every time."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_results import (
    MATRICES,
    MODELS,
    RECORDING,
    SETTINGS,
    record,
    results_of_a_run,
    scores_of_a_run,
)
from tests.unit.synthetic_scores import FAMILIES, score_table
from ventral.errors import InputError
from ventral.figures.style import COLOURS, looks
from ventral.report import page as pages
from ventral.report import prose
from ventral.report.charts import SHAPES
from ventral.report.charts import ranking as ranking_chart
from ventral.report.drawing import in_own_colour
from ventral.report.figures import PATHS
from ventral.report.jobs import compute, job_table, read_audit, read_records, seeds, versions
from ventral.report.methods import FAMILY_IN_WORDS, methods, plain, references
from ventral.report.registry import FIGURES
from ventral.report.summary import MOST_LAYERS, best_models, counts, in_order, layer_table, single_neuroids, thinned
from ventral.report.tables import claims_section
from ventral.statistics.summaries import area_summary
from ventral.stimuli.modality import MODALITIES
from ventral.targets.reliability import LARGEST_STANDARD_ERROR

LIBRARY = "window.vegaEmbed = () => {};"


class Page(HTMLParser):
    """Text, tags and scripts of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.words, self.scripts, self.styles = [], [], [], []
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, text):
        {"script": self.scripts, "style": self.styles}.get(self.inside, self.words).append(text)

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def rows_of(data: dict, name: str) -> pd.DataFrame:
    """A table of the page's data, as the page reads it."""
    table = data["tables"][name]
    columns = {key: pd.Series(values, dtype=float) for key, values in table["numbers"].items()}
    columns |= {key: [words[code] for code in codes] for key, (words, codes) in table["names"].items()}
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def results():
    return results_of_a_run()


@pytest.fixture(autouse=True)
def without_library(monkeypatch):
    """Seconds are saved: what is drawn is tested in a browser."""
    monkeypatch.setattr(pages, "_library", lambda: LIBRARY)


@pytest.fixture(scope="module")
def page(results):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "_library", lambda: LIBRARY)
        return Page(pages.page(results))


def test_every_panel_is_drawn_from_its_own_rows(results, page):
    data, rows = page.data, rows_of(page.data, "layers")
    drawn = [chart for chart in data["charts"] if chart["table"] == "layers"]
    assert len(drawn) == len(data["panels"]) == 5
    assert sorted((chart["start"], chart["stop"]) for chart in drawn)[-1][1] == len(rows) == len(results.layers)
    for chart in drawn:
        of_chart = rows.iloc[chart["start"] : chart["stop"]]
        (k,) = of_chart["panel"].unique()
        panel = data["panels"][int(k)]
        expected = results.layers[
            (results.layers[["recording", "area", "split", "how"]] == pd.Series(panel)[:4]).all(axis=1)
        ]
        np.testing.assert_allclose(of_chart["score"], expected["score"], atol=1e-4)
        np.testing.assert_allclose(of_chart["low"], expected["low"], atol=1e-4)
        assert of_chart["layer"].tolist() == expected["layer"].tolist()
        assert panel["area"] in chart["description"]


def test_axes_hold_all_that_is_drawn(page):
    data = page.data
    for chart in data["charts"]:
        rows = rows_of(data, chart["table"]).iloc[chart["start"] : chart["stop"]]
        domains = re.findall(
            r'"field":"score","scale":\{[^}]*?"domain":\[([^]]*)\]',
            json.dumps(data["specs"][chart["spec"]], separators=(",", ":")),
        )
        for domain in domains:
            low, high = map(float, domain.split(","))
            assert low <= rows["score"].min()
            assert rows["score"].max() <= high


def test_a_model_has_one_colour_and_shape_in_all_charts_and_figures(results):
    settings = results.settings | {"models": ["pixels", "not scored", *(name for name in MODELS if name != "pixels")]}
    page = Page(pages.page(replace(results, settings=settings)))
    style = "".join(page.styles)
    of_figures = looks(settings["models"], MODELS)
    for model in MODELS:
        found, look = page.data["looks"][model], of_figures[model]
        place = COLOURS.index(look["color"])
        assert found == {"colour": f"var(--look-{place})", "shape": SHAPES[look["marker"]]}
        # In the light, in the dark, and in print.
        assert style.count(f"--look-{place}:") == 3
        assert f"--look-{place}: {look['color']};" in style
        assert found["shape"] in PATHS
    encoded = {
        (channel, found["field"], found["scale"])
        for spec in page.data["specs"]
        for channel in ("color", "shape")
        for found in _encodings(spec, channel)
    }
    assert encoded == {("color", "colour", None), ("shape", "shape", None)}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_said(family):
    assert family in FAMILY_IN_WORDS


def test_of_many_models_the_best_of_each_family_have_their_colour():
    scores = score_table({f"net{k}": 2 for k in range(12)}, {"V4": 6})
    layers = layer_table(area_summary(scores, 0.1, n_bootstrap=100, seed=0))
    own = layers.assign(own=in_own_colour(layers)).groupby(["family", "model"])["own"].first()
    assert (own.groupby("family").sum() == 1).all()
    best = layers.loc[layers.groupby("family")["score"].idxmax(), "model"]
    assert set(best) == set(own[own == 1].reset_index()["model"])


def test_without_repetitions_the_page_says_r_and_why(results):
    neurons = score_table({"net": 3, "pixels": 1}, {"V4": 12}, repetitions=False, labels={"object": 0.125})
    scores = neurons.assign(simulated=False, n_stimuli=640, n_folds=5, n_leaked=0, subject=pd.NA)
    without = Page(pages.page(results_of_a_run(scores)))
    assert "r by layer" in without.text
    assert "Categorisation against r" in without.text
    assert "No stimulus was repeated" in without.text
    page = Page(pages.page(results))
    assert "Predictivity by layer" in page.text
    assert "no stimulus was repeated" not in page.text


def test_a_long_name_is_broken_into_lines_and_never_cut():
    name = "efficientnet_lite0.a_checkpoint_with_a_long_name" + "x" * 30
    spec = json.dumps(ranking_chart((name, "short")))
    found = set(re.findall(r"\? (\[[^]]*\]) :", spec))
    (lines,) = [json.loads(text.replace('\\"', '"')) for text in found]
    assert "".join(lines) == name
    assert max(map(len, lines)) <= 26
    assert '"labelLimit": 0' in spec


def _encodings(spec, channel):
    if isinstance(spec, dict):
        found = spec.get("encoding", {}).get(channel, {})
        yield from [found] if "field" in found else []
        for value in spec.values():
            yield from _encodings(value, channel)
    if isinstance(spec, list):
        for value in spec:
            yield from _encodings(value, channel)


def drawn_text(page, place: str) -> set[str]:
    """The texts of the first chart of a table, drawn as the page draws it: with the families that have a box."""
    import vl_convert

    chart = next(chart for chart in page.data["charts"] if chart["table"] == place)
    spec = page.data["specs"][chart["spec"]]
    rows = rows_of(page.data, place).iloc[chart["start"] : chart["stop"]]
    boxes = [one["value"] for tag, one in page.tags if tag == "input" and one.get("name") == "family"]
    params = [one | {"value": boxes} if one["name"] == "families" else one for one in spec["params"]]
    datasets = spec.get("datasets", {}) | {"rows": json.loads(rows.to_json(orient="records"))}
    svg = vl_convert.vegalite_to_svg(spec | {"params": params, "datasets": datasets, "width": 300})
    return set(re.findall(r">([^<>]+)</text>", svg))


@pytest.mark.parametrize("areas", [["V4"], ["V4", "IT"]])
def test_recorded_areas_are_drawn_beside_what_layers_make_explicit(results, areas):
    explicitness = results.explicitness
    recorded = explicitness["family"] == "recorded"
    lines = [explicitness[recorded].assign(layer=area, score=0.3 + k / 5) for k, area in enumerate(areas)]
    assert "recorded" not in set(results.layers["family"])
    page = Page(pages.page(replace(results, explicitness=pd.concat([explicitness[~recorded], *lines]))))
    assert set(areas) <= drawn_text(page, "explicitness")
    # One recording, however many areas it has.
    assert "recorded (1)" in page.text
    assert page.data["families"]["recorded"] == ["rec"]


def test_without_recorded_areas_there_is_no_box_for_them(results):
    without = Page(pages.page(replace(results, explicitness=None)))
    assert "recorded (" not in without.text


def test_nothing_is_asked_of_a_network(page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object")
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "http" not in json.dumps(page.data)
    assert "url(" not in "".join(page.styles)
    (policy,) = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'")


def test_stimuli_are_played_from_the_page_itself(results, page):
    assert "audio" not in {tag for tag, _ in page.tags}
    source = "data:audio/mpeg;base64,AAAA"
    played = Page(pages.page(replace(results, players=[("set: a<b>.wav", source), ("set: b.wav", source)])))
    assert [attributes["src"] for tag, attributes in played.tags if tag == "audio"] == [source] * 2
    assert "set: a<b>.wav" in played.text
    assert ("a", {"href": "#played"}) in played.tags
    policies = [
        attributes["content"] for shown in (page, played) for _, attributes in shown.tags if "http-equiv" in attributes
    ]
    assert policies[1] == policies[0] + "; media-src data:"


def test_the_same_results_make_the_same_bytes(results):
    shuffled = replace(results, scores=results.scores.sample(frac=1, random_state=0))
    assert pages.page(results) == pages.page(results)
    assert pages.page(shuffled) == pages.page(results)


def test_names_cannot_become_markup():
    evil = '</script><b>&"x'
    scores = scores_of_a_run().replace({"model": {"net": evil}, "area": {"V4": "V4<i>"}, "recording": {"rec": "a&b"}})
    results = results_of_a_run(scores, records=[record(evil, evil)], recordings=[RECORDING | {"recording": "<u>"}])
    page = Page(pages.page(results))
    assert not {"b", "i", "u"} & {tag for tag, _ in page.tags}
    assert evil in page.data["families"]["pretrained"]
    assert evil in rows_of(page.data, "jobs")["stage"].tolist()
    assert "V4<i>" in page.text
    places = [attributes.get("value", "") for tag, attributes in page.tags if tag == "option"]
    assert '["a&b","V4<i>"]' in places


def test_names_that_look_like_parts_of_the_template_stay_as_they_are():
    scores = scores_of_a_run().replace({"area": {"V4": "{{data}}"}})
    assert "{{data}}" in Page(pages.page(results_of_a_run(scores))).text


def test_counts(results):
    assert counts(results.scores, results.layers) == {
        "models": 5,
        "layers": 23,
        "neurons": 22,
        "matrices": 3,
        "stimuli": 640,
        "scores": len(results.scores),
    }


def test_the_best_model_of_every_area_stands_above(results, page):
    best = best_models(results.layers, results.best_layers)
    assert len(best) == 5
    for _, row in best.iterrows():
        of_panel = results.layers.query("recording == @row.recording and area == @row.area and split == @row.split")
        assert row["score"] == of_panel["score"].max()
        assert f"{row['score']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in page.text
    assert best["corrected"].notna().tolist() == (best["recording"] == "rec").tolist()


def test_the_best_model_over_animals_stands_below(results, page):
    (row,) = (
        results.animals.query("model == 'net' and best_layer and area == 'IT' and split == 'objects'")[
            ["layer", "mean"]
        ]
        .drop_duplicates()
        .itertuples()
    )
    assert f"IT net {row.layer} {row.mean:.2f} 2; too few for an interval F " in page.text
    assert "Recordings of several animals or sessions (both) were summarised over animals" in page.text
    assert "The American Statistician 69:371" in page.text


def test_the_inter_animal_consistency_stands_below_and_in_the_methods(page):
    assert (
        "IT 0.83 (0.73 to 0.93) F 0.71 (16 predicting neurons); N 0.73 (16 predicting neurons) objects ridge both"
        in (page.text)
    )
    text = said(neurons(), [RECORDING], inter_animal=["both"])
    assert "the neurons of all other animals of both predicted each animal's neurons" in text
    assert "(Nayebi et al. 2023)" in text
    assert "all other animals" not in said(neurons(), [RECORDING])


def test_the_consistency_of_a_panel_is_a_band_of_its_chart():
    profile = area_summary(neurons(), 0.1, n_bootstrap=100, seed=0)
    assert layer_table(profile)[["ceiling_low", "ceiling_high"]].isna().all(axis=None)
    table = layer_table(profile.assign(inter_animal=0.8, inter_animal_low=0.7, inter_animal_high=0.9))
    assert (table[["ceiling_low", "ceiling_high"]] == [0.7, 0.9]).all(axis=None)


def test_marked_neurons_are_counted_on_the_page():
    scores = scores_of_a_run()
    scores["marked"] = scores["target"].isin(["V4_1", "V4_2"])
    page = Page(pages.page(results_of_a_run(scores)))
    layers, neuroids = (rows_of(page.data, name) for name in ("layers", "neuroids"))
    area = layers["panel"].map(lambda panel: page.data["panels"][int(panel)]["area"])
    assert set(zip(area, layers["marked"], strict=True)) == {("V4", 2), ("IT", 0), ("human IT", 0)}
    assert set(neuroids.loc[neuroids["marked"] == "marked", "target"]) == {"V4_1", "V4_2"}
    assert "corrected score uncertain (marked): 2" in page.text
    assert "2 marked)" in page.text


@pytest.mark.parametrize("caption", ["PROFILE", "RANKING"])
def test_captions_of_scores_that_may_have_no_ceiling_say_so(caption):
    assert "(no ceiling)" in getattr(prose, caption)


def test_captions_say_where_the_standard_error_is_too_large():
    for caption in (prose.PROFILE, FIGURES["layer_profile"].caption):
        assert f"above {LARGEST_STANDARD_ERROR:g} or badly known" in caption


@pytest.mark.parametrize("most", [20, 50, 100])
def test_a_large_table_keeps_the_best_layer_of_every_model(results, most):
    kept = thinned(results.layers, most)
    assert len(kept) <= most
    if most >= 25:
        best = results.layers.groupby(["recording", "area", "split", "model"])["score"].max()
        pd.testing.assert_series_equal(kept.groupby(["recording", "area", "split", "model"])["score"].max(), best)
    assert thinned(results.layers, len(results.layers)).equals(results.layers)


def test_what_is_left_out_is_said(results, monkeypatch):
    monkeypatch.setattr(pages, "MOST_LAYERS", 60)
    monkeypatch.setattr(pages, "MOST_NEUROIDS", 30)
    page = Page(pages.page(results))
    shown = len(rows_of(page.data, "layers"))
    assert shown <= 60
    assert f"{shown} of {len(results.layers)} layers" in page.text
    assert "the first 30 of" in page.text
    assert len(rows_of(page.data, "neuroids")) == 30


def test_single_neurons_are_those_of_each_model_at_its_best_layer(results):
    rows, n_rows = single_neuroids(results.scores, results.layers, 10**6)
    assert len(rows) == n_rows == 5 * (2 * 22 + 3)
    one = rows.query("recording == 'rec' and split == 'stimuli' and model == 'net' and area == 'IT'")
    assert one["layer"].nunique() == 1
    expected = results.layers.query("recording == 'rec' and split == 'stimuli' and model == 'net' and area == 'IT'")
    assert one["layer"].iloc[0] == expected.loc[expected["score"].idxmax(), "layer"]
    fewer, _ = single_neuroids(results.scores, results.layers, 12)
    assert set(fewer["model"]) <= set(results.layers.nlargest(3, "score")["model"])


def test_the_page_of_the_largest_run_stays_below_10_megabytes(results):
    layers, points = (
        in_order(pd.concat([table.assign(model=table["model"] + f"_{k}") for k in range(20)], ignore_index=True))
        for table in (results.layers, results.categorisation)
    )
    sizes = [
        len(pages.page(some).encode()) for some in (results, replace(results, layers=layers, categorisation=points))
    ]
    of_a_row = (sizes[1] - sizes[0]) / (len(layers) - len(results.layers))
    # With the library, of 0.9 MB, and 20,000 neurons and 5,000 jobs at 40 and 150 bytes.
    assert of_a_row * MOST_LAYERS + 0.9e6 + 20_000 * 40 + 5000 * 150 < 1e7


def test_an_audit_is_reported(results):
    outputs = [
        {"path": "results/a.csv", "stage": "join", "verdict": "verified", "reason": ""},
        {"path": "results/b.csv", "stage": "fit", "verdict": "tampered", "reason": "its SHA-256 is another"},
    ]
    counted = {"verified": 1, "tampered": 1}
    audit = {"date": "2026-01-01T10:00:00+00:00", "verdict": "failed", "counts": counted, "outputs": outputs}
    text = Page(pages.page(replace(results, audit=audit))).text
    assert "Audit failed" in text
    assert "1 verified and 1 tampered" in text
    assert "results/b.csv tampered its SHA-256 is another" in text
    assert "results/a.csv" not in text
    passed = {**audit, "verdict": "passed", "outputs": outputs[:1], "counts": {"verified": 1}}
    assert "Audit passed" in Page(pages.page(replace(results, audit=passed))).text
    assert "Not audited yet" in Page(pages.page(results)).text


def test_an_audit_is_read_where_there_is_one(tmp_path):
    file = tmp_path / "audit.json"
    assert read_audit(file) is None
    file.write_text("{}")
    with pytest.raises(InputError, match="not the result of an audit"):
        read_audit(file)


def test_records_are_summed(tmp_path):
    records = [
        record("fit", "b.parquet"),
        record("fit", "a.parquet", code={"ventral": "3" * 64}, config={"seed": 3}),
        record("extract", "c.zarr", packages={"numpy": "2.5.0"}, config={"spec": {"render": {"seed": 7}}}),
        # What is made afterwards shows the others, and not itself.
        record("report", "report.html"),
    ]
    for k, one in enumerate(records):
        (tmp_path / f"{k}.json").write_text(json.dumps(one))
    read = read_records(tmp_path)
    jobs = job_table(read)
    assert jobs["stage"].tolist() == ["fit", "fit", "extract"]
    assert jobs["code"].nunique() == 2
    assert jobs["weights"].unique().tolist() == ["net abcdef000000"]
    assert compute(jobs).to_dict("records")[0] == {
        "stage": "fit",
        "jobs": 2,
        "seconds": 123.0,
        "cpu_seconds": 200.5,
        "peak_mb": 512,
    }
    assert versions(read)["numpy"] == ["2.4.6", "2.5.0"]
    assert seeds(read) == {"extract": [7], "fit": [0, 3]}
    (tmp_path / "z.json").write_text("[]")
    with pytest.raises(InputError, match="not a record of a job"):
        read_records(tmp_path)


def test_what_jobs_warned_of_stands_on_the_page_once(results):
    left_out = "left out: </script><b>3 files</b> of no known format"
    records = [
        record("fit", "results/b.parquet", warnings=["noise", left_out]),
        record("fit", "results/a.parquet", warnings=[left_out]),
        record("join", "results/scores.parquet"),
    ]
    whole = pages.page(replace(results, records=records))
    assert "<b>3 files" not in whole
    text = Page(whole).text
    assert "Warnings of jobs" in text
    assert "2 warnings: data that was left out" in text
    assert text.count("3 files") == 1
    assert f"fit {left_out} 2 results/a.parquet, results/b.parquet" in text
    assert "fit noise 1 results/b.parquet" in text


def test_a_page_without_warnings_says_so(results):
    text = Page(pages.page(replace(results, records=[record("fit", "a.parquet")]))).text
    assert "No job gave a warning." in text
    older = record("fit", "b.parquet")
    del older["warnings"]
    text = Page(pages.page(replace(results, records=[record("fit", "a.parquet"), older]))).text
    assert "1 job of an earlier version recorded no warnings" in text
    assert "No job gave a warning." not in text


def test_very_many_and_very_long_warnings_are_cut(results):
    warnings = [f"{k:04} {'name, ' * 5000}" for k in range(250)]
    text = Page(pages.page(replace(results, records=[record("fit", "a.parquet", warnings=warnings)]))).text
    assert "250 warnings (the first 200)" in text
    assert "the log has the whole text" in text
    assert len(text) < 300_000


def said(scores, recordings, **settings) -> str:
    return plain(methods(scores, SETTINGS | settings, recordings, {"python": ["3.11.7"], "numpy": ["2.4.6"]}))


def neurons(**changes) -> pd.DataFrame:
    return scores_of_a_run(**changes).query("recording == 'rec'")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"column": "movie"}, "all stimuli of one value of the column movie were held out together, each of 5 in turn"),
        ({"column": "movie", "folds": 5}, "whole groups of the column movie were dealt into 5 parts, each held out in"),
        (
            {"partition": "{set}"},
            "on the stimuli that the column {set} calls train, and scored on those it calls",
        ),
        ({"random": 5, "train": 83}, "into a training set of 83 and a test set of all others, 5 times"),
        ({"random": 5, "train": 0.8}, "into a training set of 80% of them and a test set of all others, 5 times"),
    ],
)
def test_methods_say_how_each_kind_of_split_was_made(spec, words):
    scores = neurons()
    scores["split"], scores["n_folds"] = "mine", 5
    text = said(scores, [RECORDING], splits=[{"name": "mine", **spec}])
    assert f"Stimuli were held out in 1 way: {words if spec.get('column') else ''}" in text
    assert words in text
    assert "(mine)" in text
    assert ("alternate stimuli" in text) == ("partition" in spec)
    assert ("no claims" in text) == ("random" in spec)


def test_methods_say_that_weights_were_permuted():
    scores = neurons()
    control = scores["model"].iloc[0]
    assert "shuffled" not in said(scores, [RECORDING])
    scores.loc[scores["model"] == control, "family"] = "permuted"
    text = said(scores, [RECORDING])
    assert "1 with trained weights shuffled within each tensor" in text
    assert f"In {control}, the trained values of every weight tensor were shuffled within the tensor (Tuckute" in text


def test_methods_of_neurons():
    text = said(neurons(), [RECORDING])
    assert (
        "responses of 22 neurons (IT 10 and V4 12) to 640 stimuli (set set), with up to 8 repetitions of each" in text
    )
    assert "1 further neuron could not be scored and was left out" in text
    assert "5 models were compared" in text
    assert "23 layers in all" in text
    assert "among 20 values from 0.0001 to 10000" in text
    assert "5 parts of equal size" in text
    assert "each of 8 objects in turn" in text
    assert "categories in turn" not in text
    assert "r / √" in text
    assert "linear support vector machine" in text
    assert "1,000 resamples of both stimuli" in text
    assert "Python 3.11.7 and numpy 2.4.6" in text
    for absent in ("dissimilarit", "subject", "simulated", "partial least squares", "Brain-Score", "in reverse", "nan"):
        assert absent not in text.replace("without repetitions", "")
    cited = references(methods(neurons(), SETTINGS, [RECORDING], {}))
    assert any("Spearman" in work for work in cited)
    assert not any("Nili" in work for work in cited)


def test_methods_say_which_features_were_averaged_over_time():
    architectures = {"net": "spectemp_log", "pixels": "cochleagram"}
    scored = {"averaged_over_time": ["pixels", "another"], "architectures": architectures}
    text = said(neurons(), [RECORDING], **scored)
    assert "The features of pixels were averaged over time." in text
    assert "net consisted of the power of cochleagrams in filters of temporal and spectral modulations" in text
    cited = references(methods(neurons(), SETTINGS | scored, [RECORDING], {}))
    assert any("Chi T" in work for work in cited)
    assert any("Feather J" in work for work in cited)
    assert "over time" not in said(neurons(), [RECORDING])


def test_methods_say_in_which_form_sounds_reached_the_networks():
    scores = pd.concat([neurons(), neurons().replace({"model": {"net": "other", "pixels": "third"}})])
    inputs = {"net": ("cochleagram", 20_000), "pixels": ("waveform", None), "other": ("cochleagram", 20_000)}
    inputs |= {"third": ("waveform", 16_000), "unscored": ("waveform", 8000)}
    stimuli = RECORDING["stimuli"]
    form = MODALITIES["sounds"].formed(stimuli, {"rate": 16_000, "level": 0.05})
    recordings = [RECORDING, {**RECORDING, "recording": "again"}]
    text = said(scores, recordings, forms={stimuli: form, "another": "Sounds of another were"}, inputs=inputs)
    assert text.count(f"Sounds of {stimuli} were waveforms of 2 s with one channel and 16,000 samples per second.") == 1
    assert "Their mean was 0, and the root of their mean square was 0.05, before any padding." in text
    assert "another" not in text
    assert "The input of net and other was the cochleagram of a sound at 20,000 samples per second." in text
    assert "The input of pixels was the waveform of a sound at the rate of the set." in text
    assert "The input of third was the waveform of a sound at 16,000 samples per second." in text
    assert "from 50 to 10,000 Hz, with 4 low-pass and 4 high-pass filters" in text
    assert "sampled at 200 Hz, and raised to the power 0.3" in text
    assert "unscored" not in text
    waves = said(scores, recordings, inputs={"net": ("waveform", None)})
    assert "ochleagram" not in waves


def test_methods_say_how_networks_were_trained():
    here = {"modality": ["images"], "labels": ["category"], "apart": []}
    text = said(neurons(), [RECORDING], trained={"a": here, "b": here})
    assert "a and b were trained here by supervision. No object of the test stimuli was among the training" in text
    assert "Images were mirrored at random in training" in text
    assert "Sounds" not in text
    both = {"modality": ["sounds"], "labels": ["word", "instrument"], "apart": ["voice", "phrase"]}
    text = said(neurons(), [RECORDING], trained={"c": both, "d": both | {"labels": ["word"], "apart": []}})
    assert "c learned word and instrument at once, with outputs of their own." in text
    assert "The validation and the test part of c shared no voice or phrase with training or with each other." in text
    assert "Sounds were shifted at random in training" in text
    assert "No object of the test stimuli" not in text
    scored = methods(neurons(), SETTINGS | {"trained": {"c": both}}, [RECORDING], {})
    assert any("Kell AJE" in work for work in references(scored))


def test_methods_count_the_neurons_that_are_left_out():
    scores = neurons()
    first = scores["target"].isin(["V4_0", "IT_3", "IT_4"])
    scores.loc[first, ["reliability_even", "reliability_odd"]] = 0.05
    text = said(scores, [RECORDING])
    reason = "for a reliability below 0.1 within either half of the folds"
    assert f"3 neurons of rec were left out of summaries of held-out stimuli {reason}." in text
    assert "not above 0" not in text
    assert "no reliability within either half" not in text
    short = scores.assign(reliability_even=float("nan"), reliability_odd=float("nan"))
    assert "22 neurons had no reliability within either half, which needs more than 10 held-out" in said(
        short, [RECORDING]
    )
    # A neuron that is left out does not count as marked.
    scores["marked"] = scores["target"].isin(["V4_0", "V4_1", "IT_0"])
    assert "Among those that were included, 2 neurons were marked: the standard error" in said(scores, [RECORDING])
    assert "marked" not in text
    scores.loc[first & (scores["target"] != "V4_0"), "reliability_odd"] = 0.3
    scores.loc[scores["target"] == "V4_0", "reliability"] = -0.1
    of_stimuli = f"1 neuron of rec was left out of summaries of held-out stimuli {reason}."
    assert f"{of_stimuli} The reliability over all folds was not above 0 for 1 neuron." in said(scores, [RECORDING])


def test_methods_without_repetitions_promise_no_ceiling():
    averages = RECORDING | {"has_repetitions": False, "n_repetitions": 1}
    text = said(neurons(repetitions=False), [averages])
    given = said(neurons(repetitions=False), [averages | {"given_ceiling_kind": "oracle"}])
    assert "predictivity_given" not in text
    assert "numbers of the kind 'oracle'" in given
    assert "Neurons were left out where the square of this ceiling is below 0.1." in given
    assert "Neurons were left out" not in said(neurons(), [RECORDING | {"given_ceiling_kind": "oracle"}])
    assert "without repetitions" in text
    assert "rec has no repetitions and so no ceiling" in text
    assert "Predictivity is" not in text
    assert "left out of summaries" not in text


def test_methods_of_matrices_say_that_nothing_was_fitted():
    scores = scores_of_a_run().query("recording == 'fmri'")
    text = said(scores, [MATRICES], decoding=None)
    assert (
        "Recording fmri has published dissimilarity matrices of 640 stimuli (set set), for human IT (3 subjects)."
        in text
    )
    assert "compared with those of an area by Spearman's r. Nothing was fitted." in text
    assert "Nili et al. 2014" in text
    for absent in ("Ridge", "penalty was", "median over its neurons", "resamples", "between random halves"):
        assert absent not in text


def test_methods_of_simulated_neurons_never_say_that_they_were_measured():
    simulate = {"teacher": {"architecture": "teacher_net"}, "areas": {"IT": {"layer": "late"}}, "fano": 1.0}
    text = said(neurons(), [RECORDING | {"simulated": True}], simulated={"rec": simulate})
    assert "rec is simulated, not measured: 22 neurons" in text
    assert "(teacher_net; IT of late; Fano factor 1)" in text
    assert "has responses of" not in text


def test_methods_of_other_mappings():
    used = ["pls", "one_to_one", "soft_matching", "factorised", "ols"]
    tables = [neurons().assign(mapping=mapping) for mapping in used]
    text = said(
        pd.concat(tables),
        [RECORDING],
        mappings=used,
        components=7,
        banded={"net": ["a", "b"]},
        partitions={"both": ["net", "other"]},
        reverse=["rec"],
        brainscore=True,
    )
    for present in (
        "took 7 components",
        "at most 2,000",
        "by optimal transport with equal masses",
        "one spatial mask",
        "least squares with an intercept",
    ):
        assert present in text
    for present in ("banded ridge", "the neurons of rec predicted", "Brain-Score 2.4.2", "factorised, below"):
        assert present in text
    assert "was partitioned (Lescroart et al. 2015)" in text
    assert "Ridge regression on all features" not in text


def test_methods_of_predicted_matrices():
    matrices = scores_of_a_run().query("recording == 'fmri'")
    predicted = matrices.assign(mapping="versa", split="stimuli", recording="rec")
    text = said(pd.concat([neurons(), predicted]), [RECORDING], mappings=["ridge", "versa"])
    assert "patterns of an area's neurons (1 \N{MINUS SIGN} Pearson's r) were compared with those of measured" in text
    assert "measured patterns by Spearman's r. Ridge regression gave the predictions." in text
    assert "Conwell et al. 2024" in text
    assert "The matrix of an area's neurons was computed from their mean responses" in text
    assert "The 95 % intervals of veRSA are for other stimuli" in text
    assert "Nothing was fitted" not in text


def test_methods_of_crossnobis_distances_and_errors_for_other_neurons():
    matrices = scores_of_a_run().query("recording == 'fmri'").assign(recording="rec")
    changed = matrices.assign(distance="crossnobis", comparison="whitened_cosine", r_error_both=0.1)
    # The page reads no other columns.
    text = said(changed.reindex(columns=pages.SCORES), [RECORDING], mappings=["rsa"])
    assert "(crossnobis distance) were compared with those of an area by the whitened cosine" in text
    assert "Layers, which have no noise, were compared by squared Euclidean distances." in text
    assert "The intervals of RSA have the error of the two-factor bootstrap instead" in text
    for cited in ("Walther et al. 2016", "Diedrichsen et al. 2021", "Schütt et al. 2023", "Schäfer and Strimmer 2005"):
        assert cited in text
    plain = said(matrices, [RECORDING], mappings=["rsa"])
    assert not any(absent in plain for absent in ("rossnobis", "hitened", "two-factor", "Schütt", "Walther"))


def test_the_page_of_the_least_that_can_be_run():
    scores = score_table({"net": 1}, {"V4": 1}, repetitions=False).assign(
        simulated=False, n_stimuli=20, n_folds=5, n_leaked=0
    )
    recording = RECORDING | {"areas": {"V4": 1}, "has_repetitions": False, "n_repetitions": 1}
    results = results_of_a_run(scores, recordings=[recording], ranking=None, best_layers=None, records=[])
    results = replace(results, explicitness=None, claims=results.claims.head(0))
    text = Page(pages.page(results)).text
    assert "1 model, 1 layer in all, against 1 neuron in V4" in text
    assert "No records of jobs" in text
    assert "Which claims hold" not in text


def test_claims_are_shown_with_interval_units_and_note():
    results = results_of_a_run()
    text = claims_section(results.claims)
    assert "0.38 (0.30 to 0.45)" in text
    assert "12 (stimuli and neurons)" in text
    assert ">Marked<" in text
    assert '<td class="number">3</td>' in text
    assert ">Marked<" not in claims_section(results.claims.assign(n_marked=0))
    assert "these networks only" in text
    # As read from a file in which no claim has a note.
    assert "nan" not in claims_section(results.claims.assign(note=np.nan, area=np.nan))
