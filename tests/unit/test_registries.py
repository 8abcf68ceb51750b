"""Data sets, mappings and model families are declared once: schema, documentation, methods and scores follow."""

import fnmatch
import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from dask.delayed import delayed

from tests.command_lines import command_line
from tests.unit.synthetic_results import SETTINGS
from tests.unit.synthetic_scores import score_table
from ventral.commands import function_of, parse, run
from ventral.configuration import schema
from ventral.configuration.options import MOVED, licences_of_downloads, moved_keys
from ventral.configuration.resolution import resolve
from ventral.crate.inputs import moved
from ventral.datasets import Dataset
from ventral.datasets.registry import DATASETS, DOWNLOADS
from ventral.errors import InputError
from ventral.grams.representations import Representation
from ventral.mappings.registry import MAPPINGS, Mapping
from ventral.models import families
from ventral.models.description import build, describe
from ventral.models.registry import FAMILIES, architectures, declared_families, family_of, model_families
from ventral.models.zoo import DEFAULTS, OPTIONS, resolve_model
from ventral.outputs import writing
from ventral.report.methods import REFERENCES, methods, plain, references
from ventral.report.prose import title_of
from ventral.report.registry import FIGURES, TABLES, Shown
from ventral.scores.prediction import Options, predict
from ventral.stimuli.modality import MODALITIES
from ventral.targets.splits import Split
from ventral.targets.values import Targets

README = (schema.SCHEMA.parents[2] / "config" / "README.md").read_text(encoding="utf-8")
COVERED = ("mylab.networks:make", "resnet50", "timm/resnet50", "hf/microsoft/resnet-50", "open_clip/RN50/openai")
COWLEY = {"dataset": "cowley2023", "models": ["pixels"]}


@pytest.fixture
def declare(monkeypatch):
    """A function that adds an entry to a registry, for the time of a test."""

    def add(registry, name, entry):
        monkeypatch.setitem(registry, name, entry)
        schema.whole.cache_clear()
        schema._validator.cache_clear()

    yield add
    monkeypatch.undo()
    schema.whole.cache_clear()
    schema._validator.cache_clear()


def methods_text(recording="rec", mapping="ridge", **settings):
    """What the methods say of a recording, scored with a mapping."""
    scores = score_table({"net": 2}, {"V4": 3}).assign(simulated=False, n_folds=5, n_leaked=0)
    facts = {"recording": recording, "stimuli": "set", "n_stimuli": 9, "n_repetitions": 2, "simulated": False}
    facts |= {"has_repetitions": True, "areas": {"V4": 3}, "n_unusable": 0}
    return plain(methods(scores.assign(recording=recording, mapping=mapping), SETTINGS | settings, [facts], {}))


def expand(folder, results, *, days):
    if days > 9:
        raise InputError(f"days: {days} are too many")
    responses = f"{results}/datasets/mine2026/responses.npy"
    made = {
        "dataset": "mine2026",
        "writer": "responses",
        "inputs": {"days": [f"{folder}/{day}.npy" for day in range(days)]},
        "options": {"scale": 2},
    }
    return {
        "stimuli": {"mine2026": {"images": f"{folder}/images"}},
        "recordings": {"mine2026": {"stimuli": "mine2026", "responses": responses}},
        "unpacks": {responses: made},
    }


def write_days(output, *, days, scale):
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, scale * np.concatenate([np.load(day) for day in days]))


MINE = Dataset(
    meaning="Of a test.",
    expand=expand,
    writers={"responses": write_days},
    reference="Mine 2026",
    work="Mine A (2026).",
    options={"days": {"description": "Days.", "type": "integer", "minimum": 1, "default": 2}},
)


def test_a_data_set_from_outside(declare, tmp_path, monkeypatch):
    declare(DATASETS, "mine2026", MINE)
    resolved = resolve({"dataset": {"mine2026": {"folder": "a//b", "days": "3"}}, "models": ["pixels"]})
    assert resolved["dataset"] == {"mine2026": {"folder": "a/b", "days": 3}}
    assert resolved["stimuli"] == {"mine2026": {"images": "a/b/images"}}
    responses = "results/datasets/mine2026/responses.npy"
    assert resolved["recordings"]["mine2026"]["responses"] == responses
    assert resolved["unpacks"][responses]["inputs"] == {"days": ["a/b/0.npy", "a/b/1.npy", "a/b/2.npy"]}
    by_name = resolve({"dataset": "mine2026", "data_dir": str(tmp_path), "models": ["pixels"]})
    made = by_name["unpacks"][responses]
    for k, day in enumerate(made["inputs"]["days"]):
        np.save(day, np.arange(2) + 10 * k)
    monkeypatch.setitem(sys.modules, "ventral.datasets.mine2026", SimpleNamespace(DATASET=MINE))
    inputs, outputs = {"reads": made["inputs"]["days"]}, {"output": tmp_path / responses}
    run(parse(command_line("unpack", inputs, outputs, **made)))
    np.testing.assert_array_equal(np.load(tmp_path / responses), [0, 2, 20, 22])
    for days, said in (
        (0, r"config key dataset\.mine2026\.days: 0 is less than the minimum of 1"),
        (10, r"config key dataset\.mine2026\.days: 10 are too many"),
    ):
        with pytest.raises(InputError, match=said):
            resolve({"dataset": {"mine2026": {"days": days}}, "models": ["pixels"]})
    assert "Recording mine2026 (Mine 2026) has" in methods_text(recording="mine2026")


def test_files_under_terms_are_downloaded_once_the_user_accepts_these(declare):
    def expand(folder, results):
        download = {"url": "https://example.org/a.npy", "sha1": "0" * 40}
        recording = {"stimuli": "mine2026", "responses": "resources/mine2026/a.npy"}
        return {
            "stimuli": {"mine2026": {"images": "images"}},
            "recordings": {"mine2026": recording},
            "downloads": {"resources/mine2026/a.npy": download} if folder is None else {},
        }

    said = {"terms": "Do not share them.", "licence": "of its own", "size": "2 GB", "source": "example.org"}
    declare(DATASETS, "mine2026", replace(MINE, expand=expand, options={}, **said))
    config = {"models": ["pixels"], "dataset": {"mine2026": {}}}
    wanted = r"config key dataset\.mine2026\.accept: the files \(2 GB\) are downloaded under terms: Do not share them\."
    with pytest.raises(InputError, match=wanted):
        resolve(config)
    resolved = resolve(config | {"dataset": {"mine2026": {"accept": "true"}}})
    assert licences_of_downloads(resolved) == [
        "data set mine2026: resources/mine2026/a.npy from example.org; size of all: 2 GB; licence: of its own"
    ]
    assert licences_of_downloads(resolve(config | {"data_dir": "mine"})) == []
    # Nobody is asked about terms that there are none of.
    declare(DATASETS, "mine2026", replace(MINE, expand=expand, options={}))
    with pytest.raises(InputError, match="unknown key `accept`"):
        resolve(config | {"dataset": {"mine2026": {"accept": True}}})


def test_a_mapping_from_outside(declare):
    def means(features, responses, folds):
        assert features.shape == (6, 6)
        return np.broadcast_to(responses.mean(axis=0), responses.shape)

    mine = Mapping(meaning="Means.", sentence="Means predicted each target.", predict=means)
    declare(MAPPINGS, "mine", mine)
    resolved = resolve(COWLEY | {"mappings": {"mine": {}, "pls": {"components": 2}}})
    assert resolved["mappings"] == ["mine", "pls"]
    assert "Means predicted each target." in methods_text(mapping="mine")
    features = np.random.default_rng(0).normal(size=(6, 4))
    representation = Representation(features @ features.T, features.sum(axis=1), features, np.arange(4), 4)
    areas, kinds = np.array(["V4", "IT"]), np.array(["neuron", "neuron"])
    targets = Targets(features[:, :2], kinds, np.array(["a", "b"]), areas, np.ones(2))
    splits = {"stimuli": Split("stimuli", [np.arange(k, k + 2) for k in (0, 2, 4)])}
    layer = {"name": "layer", "n_features": 4}
    (predicted,) = predict(delayed(representation), layer, targets, splits, Options(["mine"], [1.0]))
    assert predicted.mapping == "mine"
    np.testing.assert_array_equal(
        predicted.predictions.compute(scheduler="synchronous"), means(np.empty((6, 6)), targets.values, [])
    )


FAMILY_FROM_OUTSIDE = """
from ventral.models.families import ModelFamily


def build(spec):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4), nn.ReLU())


FAMILY = ModelFamily(
    meaning="Of a test.",
    sentence="{models} came from a test.",
    build=build,
    architectures={"one_layer": {"weights": "random", "size": 8, "layers": ["1", "2"]}},
)
"""


def test_a_model_family_from_outside(monkeypatch, tmp_path):
    (tmp_path / "family_from_outside.py").write_text(FAMILY_FROM_OUTSIDE)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{families.__name__}.family_from_outside", raising=False)
    monkeypatch.setitem(FAMILIES, "family_from_outside", declared_families()["family_from_outside"])
    models = {"one_layer": None, "other": {"architecture": "one_layer", "seed": 1}}
    described = []
    for name, spec in resolve(COWLEY | {"models": models})["models"].items():
        describe(spec, tmp_path / name)
        described.append(json.loads((tmp_path / name).read_text()))
        assert [layer["name"] for layer in described[-1]["layers"]] == ["1", "2"]
        assert described[-1]["preprocessing"]["size"] == 8
    assert described[0]["weights_sha256"] != described[1]["weights_sha256"]
    assert "net came from a test." in methods_text(architectures={"net": "one_layer"})
    assert "came from a test" not in methods_text()
    with pytest.raises(InputError, match=r"models\.m\.architecture: .*'one_layre'; did you mean `one_layer`\?"):
        resolve(COWLEY | {"models": {"m": {"architecture": "one_layre"}}})


def test_the_methods_say_what_a_baseline_is():
    said = "The features of net were the values of the stimuli's pixels."
    assert said in methods_text(architectures={"net": "pixels"})
    assert said not in methods_text(architectures={"net": "resnet18"})


def test_what_a_model_family_declares_is_whole():
    names = [name for family in model_families().values() for name in family.architectures]
    assert len(set(names)) == len(names)
    assert len(model_families()) == len(FAMILIES) + len(MODALITIES)
    for name, family in model_families().items():
        options = MODALITIES[family.modality].model_options.keys()
        assert family.meaning.endswith(".")
        assert family.sentence.endswith(".")
        assert family.sentence.format(models="net") != family.sentence
        assert bool(family.covered) == any(map(family.covers, COVERED))
        assert family.architectures or family.covered
        assert all(key in family.sentence for key in family.references)
        assert family.references.keys() <= REFERENCES.keys()
        assert family.without_effect.keys() <= {*OPTIONS, *options}
        for architecture, preset in family.architectures.items():
            assert preset.keys() <= DEFAULTS.keys() | options
            assert f"`{architecture}`" in README
            assert (preset.get("weights", "pretrained") is None) != family.is_trained
        assert (family.build is None) == (name not in FAMILIES)


@pytest.mark.parametrize("name", [name for name in architectures() if family_of(name).build])
def test_the_layers_that_a_family_names_are_layers_of_its_networks(name):
    spec = resolve_model(f"{name}_random" if family_of(name).is_trained else name)
    modules = {module for module, _ in build(spec).named_modules()}
    for pattern in spec["layers"]:
        assert fnmatch.filter(modules, pattern), pattern


def test_schema_readme_and_registries_agree():
    keys = schema.whole()["properties"]
    assert list(keys["dataset"]["properties"]) == list(DATASETS)
    assert list(keys["mappings"]["properties"]) == keys["mappings"]["items"]["enum"] == list(MAPPINGS)
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", README, re.MULTILINE))
    for name, dataset in DATASETS.items():
        assert f"dataset.{name}.folder" in rows
        for option, spec in dataset.options.items():
            assert yaml.safe_load(rows[f"dataset.{name}.{option}"].strip("`")) == spec["default"]
    for name, mapping in MAPPINGS.items():
        assert f"`{name}`" in README
        for option, default in mapping.defaults.items():
            assert yaml.safe_load(rows[f"mappings.{name}.{option}"].strip("`")) == default
    assert MOVED.keys() <= rows.keys()
    assert keys["components"]["default"] == MAPPINGS["pls"].defaults["components"] == Options([], []).components
    resolved = resolve(COWLEY)
    assert resolved["components"] == MAPPINGS["pls"].defaults["components"]
    assert resolved["rsa"] == MAPPINGS["rsa"].defaults


def test_what_is_declared_is_whole():
    for mapping in MAPPINGS.values():
        assert mapping.meaning.endswith(".")
        assert mapping.reads in ("gram", "units")
        for option in mapping.options.values():
            assert {"description", "type", "default"} <= option.keys()
        assert mapping.references.keys() <= REFERENCES.keys()
    for name, dataset in DATASETS.items():
        assert all(path.startswith(f"{name}/") for path in dataset.downloads)
        assert references([("", dataset.reference)]) == [dataset.work]
        assert all([dataset.licence, dataset.size, dataset.source])
        for option in dataset.options.values():
            assert {"description", "type", "default"} <= option.keys()
    assert DOWNLOADS.keys() == {path for dataset in DATASETS.values() for path in dataset.downloads}


@pytest.fixture
def folder(tmp_path):
    for name in ("images_190923.zip", "responses_raw_190923.npy", "kriegeskorte2008"):
        (tmp_path / name).touch()
    (tmp_path / "Kriegeskorte_Neuron2008_supplementalData.mat").touch()
    return str(tmp_path)


def test_older_and_present_places_resolve_to_the_same_settings(folder):
    rsa = {"distances": ["cosine", "euclidean"], "comparisons": ["kendall"]}
    older = {
        "dataset": ["cowley2023", "kriegeskorte2008"],
        "data_dir": folder,
        "sessions": [190923],
        "mappings": ["pls", "ridge", "rsa"],
        "components": 7,
        "rsa": rsa,
        "models": ["pixels"],
    }
    present = {
        "dataset": {"cowley2023": {"folder": folder, "sessions": [190923]}, "kriegeskorte2008": {"folder": folder}},
        "mappings": {"pls": {"components": 7}, "ridge": None, "rsa": rsa},
        "models": ["pixels"],
    }
    expected = resolve(older)
    assert resolve(present) == expected
    assert list(expected["recordings"]) == ["cowley2023_190923", "kriegeskorte2008"]
    # The same value in both places is no contradiction, and a folder of its own comes before that of all.
    both = {"data_dir": "elsewhere", "components": 7, "rsa": rsa, "sessions": ["190923"]}
    assert resolve(present | both) == expected
    # A part of the options in each place.
    parts = {
        "mappings": {**present["mappings"], "rsa": {"distances": rsa["distances"]}},
        "rsa": {"comparisons": ["kendall"]},
    }
    assert resolve(present | parts) == expected
    assert resolve(COWLEY) == resolve(COWLEY | {"dataset": {"cowley2023": None}, "mappings": {"ridge": {}}})


def test_different_values_in_both_places_are_refused():
    config = {"dataset": {"cowley2023": {"sessions": [210325]}}, "sessions": [190923], "models": ["pixels"]}
    with pytest.raises(InputError, match=r"config key sessions: \[190923\], but dataset\.cowley2023\.sessions is \["):
        resolve(config)


def test_an_option_is_named_where_the_user_gave_it():
    for given, key in (
        ({"dataset": "cowley2023", "data_dir": "nowhere"}, "data_dir: no such folder"),
        ({"dataset": {"cowley2023": {"folder": "nowhere"}}}, r"dataset\.cowley2023\.folder: no such folder"),
        ({"dataset": ["cowley2023"], "sessions": [1]}, "sessions: '1' is not a session"),
        ({"dataset": {"cowley2023": {"sessions": [1]}}}, r"dataset\.cowley2023\.sessions: '1' is not a session"),
        ({"dataset": "algonauts2019"}, r"dataset\.algonauts2019\.folder: missing"),
    ):
        with pytest.raises(InputError, match=f"^config key {key}"):
            resolve({"models": ["pixels"], **given})


def test_one_sentence_says_where_older_keys_live_now():
    assert moved_keys({"dataset": {"cowley2023": {}}, "data_dir": None, "mappings": {"pls": {"components": 3}}}) == ""
    assert moved_keys({"data_dir": "x", "sessions": [1], "components": 3}) == (
        "config: `sessions` lives now in `dataset.cowley2023.sessions`, `components` lives now in "
        "`mappings.pls.components`. The older place still works; config/README.md shows both."
    )


def test_the_older_name_of_a_split_is_the_same_split_and_is_said(tmp_path):
    (tmp_path / "images_210325.zip").touch()
    (tmp_path / "responses_raw_210325.npy").touch()
    config = {"models": ["pixels"], "dataset": {"cowley2023": {"folder": str(tmp_path)}}}
    older = config | {
        "splits": ["images", "objects"],
        "recordings": {"cowley2023_210325": {"splits": ["images"]}},
    }
    newer = config | {
        "splits": ["stimuli", "objects"],
        "recordings": {"cowley2023_210325": {"splits": ["stimuli"]}},
    }
    assert resolve(older) == resolve(newer)
    said = "config: split `images` is called `stimuli` now. The older name still works."
    assert moved_keys(newer) == ""
    for named in (older, older | {"splits": ["objects"]}, {"splits": ["images"]}):
        assert moved_keys(named) == said
    assert moved_keys({"components": 3, "splits": ["images"]}).endswith(f"shows both. {said}")
    with pytest.raises(InputError, match="`images` is the older name of `stimuli`; leave `images` out"):
        resolve(config | {"splits": ["images", "stimuli"]})


def test_an_option_that_is_no_more_is_left_out_and_said(tmp_path):
    (tmp_path / "images_210325.zip").touch()
    (tmp_path / "responses_raw_210325.npy").touch()
    newer = {"models": ["pixels"], "dataset": {"cowley2023": {"folder": str(tmp_path)}}, "decoding": {"draws": 3}}
    older = newer | {"decoding": {"draws": 3, "extrapolate_to": 1000}}
    assert resolve(older) == resolve(newer)
    assert moved_keys(newer) == moved_keys({"decoding": None}) == ""
    assert moved_keys(older) == (
        "config: `decoding.extrapolate_to` is not read any more: population curves end where their units do, because "
        "intervals beyond missed the true score. Take the line out."
    )
    with pytest.raises(InputError, match="decoding"):
        resolve(newer | {"decoding": 3})


def test_a_crate_forgets_where_published_data_lay():
    config = {"dataset": {"cowley2023": {"folder": "here", "sessions": [190923]}, "kriegeskorte2008": None}}
    assert moved(config, str)["dataset"] == {"cowley2023": {"sessions": [190923]}, "kriegeskorte2008": None}
    assert moved({"dataset": ["cowley2023"]}, str)["dataset"] == ["cowley2023"]
    assert config["dataset"]["cowley2023"]["folder"] == "here"


def draw_mine(scores, svg, pdf, csv, seed):
    """Draw a figure of a test."""
    for path in (svg, pdf, csv):
        path.write_text(f"{scores.name} {seed}")


MINE_DRAWN = Shown(
    title="My figure",
    caption="Drawn of neurons with a reliability of {reliability_threshold} or more.",
    function="figures.mine.draw_mine",
    reads={"scores": "scores"},
    options=("seed",),
    still=True,
)
FROM_OUTSIDE = """
import sys
sys.path.insert(0, {package!r})
from tests.unit.test_registries import MINE_DRAWN
from ventral.report import registry
registry.{registry}["mine"] = MINE_DRAWN
include: {snakefile!r}
"""


@pytest.mark.parametrize(("registry", "outputs"), [("FIGURES", "svg pdf csv"), ("TABLES", "output")])
def test_a_rule_of_a_figure_and_of_a_table_from_outside(tmp_path, registry, outputs):
    root = schema.SCHEMA.parents[2]
    text = FROM_OUTSIDE.format(package=str(root / "workflow"), registry=registry, snakefile=str(root / "Snakefile"))
    (tmp_path / "Snakefile").write_text(text)
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "all", "--snakefile", str(tmp_path / "Snakefile")]
    command += ["--configfile", str(root / "config" / "demo.yaml"), "--config", f"results={tmp_path / 'results'}"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)
    (drawn,) = re.findall(r"python -m ventral draw_mine (.*)", done.stdout) or [done.stdout + done.stderr]
    assert re.findall(r"--output (\w+) ", drawn) == outputs.split()
    assert f"--input scores {tmp_path}/results/scores.parquet " in drawn
    assert """--options '{"seed": 0}' """ in drawn
    assert ("figures/mine.svg" in done.stdout.split("rule report_page:")[1]) == (registry == "FIGURES")


def test_the_stage_and_the_title_of_a_figure_from_outside(tmp_path, monkeypatch):
    monkeypatch.setitem(FIGURES, "mine", MINE_DRAWN)
    monkeypatch.setitem(sys.modules, "ventral.figures.mine", sys.modules[__name__])
    (tmp_path / "scores.parquet").touch()
    words = ["draw_mine", "--input", "scores", str(tmp_path / "scores.parquet"), "--options", '{"seed": 3}']
    for kind in ("svg", "pdf", "csv"):
        words += ["--output", kind, str(tmp_path / f"mine.{kind}")]
    run(parse(words))
    assert (tmp_path / "mine.svg").read_text() == "scores.parquet 3"
    assert title_of(tmp_path / "mine.svg") == "My figure"


@pytest.mark.parametrize("name", [*FIGURES, *TABLES])
def test_entries_of_figures_and_tables_are_of_their_functions(name):
    entry = FIGURES.get(name) or TABLES[name]
    parameters = inspect.signature(function_of(entry.stage)).parameters
    written = ["svg", "pdf", "csv", *entry.further] if name in FIGURES else ["output"]
    assert {*entry.reads, *entry.options, *written} == set(parameters)
    assert "{" not in entry.caption.format(**SETTINGS)
