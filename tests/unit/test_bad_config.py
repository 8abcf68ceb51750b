"""Every bad value of a config is refused by its key, or becomes what the key takes; never a traceback."""

import copy
import datetime
import json
import os

import pytest
import yaml
from snakemake.cli import parse_config

from tests.unit.rich_config import rich, written
from ventral.configuration.files import check_files
from ventral.configuration.resolution import check_inputs, resolve
from ventral.configuration.schema import SCHEMA, typed
from ventral.errors import InputError
from ventral.running.slurm import check_commands


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return rich(written(tmp_path_factory.mktemp("files")))


@pytest.fixture
def config(good):
    return copy.deepcopy(good)


def shown(value) -> str:
    """Return a value as the name of a test has it."""
    return (hex(value) if type(value) is int else ascii(value))[:30]


def put(config: dict, key: str, value) -> dict:
    """Put a value at a dotted key."""
    *folders, last = key.split("/")
    for name in folders:
        config = config[int(name) if isinstance(config, list) else name]
    config[int(last) if isinstance(config, list) else last] = value
    return config


def at(config: dict, key: str):
    for name in key.split("/"):
        config = config[int(name) if isinstance(config, list) else name]
    return config


NAN, INFINITY = float("nan"), float("inf")
NUMERIC = [
    "stimuli/mine/circular/pose",
    "stimuli/mine/size",
    "penalties/lowest",
    "penalties/highest",
    "reliability_threshold",
    "recordings/simulated/simulate/fano",
    "recordings/simulated/simulate/areas/X/field",
    "models/conv1/train/learning_rate",
    "folds",
    "seed",
]


@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY, "nan", "inf", ".inf", "1e400", "five", "", True, [], {}])
def test_a_number_that_is_none(good, value):
    for key in NUMERIC:
        config = copy.deepcopy(good)
        put(config, key, value)
        with pytest.raises(InputError, match=rf"config key {key.replace('/', '[.]')}: ") as error:
            resolve(config)
        assert "\n" not in str(error.value)


def test_what_is_not_finite_is_refused_wherever_it_stands(config):
    put(config, "models/pixels", {"mean": [0.5, NAN, 0.5]})
    with pytest.raises(InputError, match=r"config key models\.pixels\.mean\.1: nan is not a finite number"):
        resolve(config)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("folds", 5.0, 5),
        ("folds", "5", 5),
        ("folds", "5.0", 5),
        ("bootstrap", 1e3, 1000),
        ("bootstrap", "1e3", 1000),
        ("extraction/shards", 2.0, 2),
        ("sessions/0", 210325.0, 210325),
        ("penalties/lowest", "1e-8", 1e-8),
        ("penalties/highest", 10, 10),
        ("penalties/highest", "10", 10),
        ("stimuli/mine/circular/pose", "3.6e2", 360.0),
        ("decoding/units", "null", None),
        ("decoding/units", "3", 3),
        ("extraction/autocast", "null", None),
        ("models/conv1/train/checkpoints/1", "1", 1),
        ("models/conv1/train/patience", "~", None),
        ("brainscore", "true", True),
        ("extraction/keep", "no", False),
        ("audit/sample", "3", 3),
        ("recordings/rec/animal", 12, "12"),
        ("recordings/rec/animal", datetime.date(2020, 1, 1), "2020-01-01"),
        ("gres", "gpu:1", "gpu:1"),
        ("stimuli/objects/render/backgrounds", ["noise"], ["noise"]),
    ],
)
def test_what_becomes_the_type_of_its_key(config, key, value, expected):
    put(config, key, value)
    found = at(typed(config), key)
    assert found == expected
    assert type(found) is type(expected)
    resolve(config)


def test_a_key_on_the_command_line_is_what_it_is_in_the_file(config):
    given = ["folds=4.0", "brainscore=true", "penalties={lowest: 1e-3, number: 5.0}", "sessions=[210325]"]
    resolved = resolve(config | parse_config([*given, "decoding={units: null, draws: 3}", "bootstrap=1e3"]))
    assert resolved["folds"] == 4
    assert resolved["brainscore"] is True
    assert resolved["penalties"] == {"lowest": 1e-3, "highest": 1e4, "number": 5}
    assert resolved["decoding"]["units"] is None
    assert resolved["decoding"]["draws"] == 3
    assert type(resolved["bootstrap"]) is int


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("folds", 5.5, "folds: 5.5 is not of type 'integer'"),
        ("folds", "5.5", "folds: '5.5' is not of type 'integer'"),
        ("folds", 10**30, "folds: an integer of 100 bits is too large"),
        ("folds", 2**20000, "folds: an integer of 20001 bits is too large"),
        ("folds", None, "folds: nothing is given; give a value, or leave"),
        ("folds", 1j, "folds: 1j is complex for YAML"),
        ("seed", 2**40, "seed: 1099511627776 is greater than the maximum"),
        ("seed", -1, "seed: -1 is less than the minimum"),
        ("bootstrap", 10**9, "bootstrap: 1000000000 is greater"),
        ("brainscore", "maybe", "brainscore: 'maybe' is not of type 'boolean'"),
        ("brainscore", 1, "brainscore: 1 is not of type 'boolean'"),
        ("dask", "tcp://{host}", "dask: 'tcp://{host}' is not of the form that is needed: Place where Gram matrices"),
        ("dask", "slurm\n", r"dask: 'slurm\n' contains '\n'"),
        ("gres", "gpus", "gres: 'gpus' is not of the form that is needed: "),
        ("gres", {"extract": "cpu"}, "gres.extract: 'cpu' is not of the form that is needed"),
        ("gres", {"join": "gpu:1"}, "config: unknown key `join` in `gres`"),
        ("gres", 5, "gres: 5 is not of the form that is needed"),
        ("envmodules/0", "-unload", "envmodules.0: '-unload' is not of the form"),
        ("mappings", [], "mappings: [] should be non-empty"),
        ("mappings", "ridge", "mappings: a list of names, or names with their options, is needed; got 'ridge'"),
        ("mappings", {}, "mappings: {} should be non-empty"),
        ("mappings", {"rige": {}}, "config: unknown key `rige` in `mappings`; did you mean `ridge`?"),
        ("mappings", {"ridge": 1}, "mappings.ridge: 1 is not of type 'object', 'null'"),
        (
            "mappings",
            {"pls": {"component": 3}},
            "unknown key `component` in `mappings.pls`; did you mean `comp",
        ),
        ("mappings", {"pls": {"components": 0}}, "mappings.pls.components: 0 is less than the minimum of 1"),
        ("mappings", {"pls": {"components": 4}}, "components: 3, but mappings.pls.components is 4; keep mappings.pls"),
        ("mappings", {"rsa": {"distances": ["city"]}}, "mappings.rsa.distances.0: 'city' is not known; allowed: corr"),
        ("mappings", {"rsa": {"two_factor": 100}}, "mappings.rsa.two_factor: 100 is not of type 'boolean'"),
        (
            "mappings",
            {"rsa": {"comparisons": ["pearson"]}},
            "rsa.comparisons: ['kendall'], but mappings.rsa.comparisons is ['pearson']",
        ),
        ("dataset", {}, "dataset: {} should be non-empty"),
        ("dataset", {"cowley2023": {"session": [1]}}, "unknown key `session` in `dataset.cowley2023`"),
        ("dataset", {"cowley2023": {"sessions": []}}, "dataset.cowley2023.sessions: [] should be non-empty"),
        ("dataset", {"cowley2023": {"sessions": [190923]}}, "sessions: [210325], but dataset.cowley2023.sessions is"),
        ("dataset", {"cowley2023": {"folder": "nowhere"}}, "dataset.cowley2023.folder: no such folder: nowhere"),
        ("dataset", {"cowley2023": {}, "algonauts2019": {}}, "dataset.algonauts2019.folder: missing"),
        ("sessions", ["one"], "config key sessions: 'one' is not a session"),
        ("mappings/0", ["ridge"], "mappings.0: ['ridge'] is not known; did you mean `ridge`?"),
        ("extraction", None, "extraction: nothing is given; give a value, or"),
        ("extraction/autocast", 16, "extraction.autocast: 16 is not known; allowed: null, bfloat16"),
        ("stimuli", ["mine"], "stimuli: ['mine'] is not of type 'object'"),
        ("stimuli/objects/render/categories", {"cups": 5.5}, "categories.cups: 5.5 is not of type 'string', 'null'"),
        ("stimuli/objects/render/categories", [], "stimuli.objects.render.categories: [] should be non-empty"),
        (
            "stimuli/objects/render",
            {"exemplars": 1000, "images": 10**5},
            "stimuli.objects.render.images: 8 categories, 1000 exemplars of each and 100000 images of each make",
        ),
        ("models/pixels", [], "models.pixels: [] is not of type 'object', 'null'"),
        ("models", 5, "models: a list of names, or names with their options, is needed; got 5"),
        ("models", ["pixels", True], "models.1: True is not of type 'string'"),
        ("recordings/rec/area", "V4\n", r"recordings.rec.area: 'V4\n' contains '\n'"),
        ("recordings/rec/area", "V\0004", r"recordings.rec.area: 'V\x004' contains '\x00'"),
        ("recordings/rec/area", "\ud800", r"recordings.rec.area: '\ud800' contains '\ud800'"),
        ("recordings/rec/area", 4.1, "recordings.rec.area: 4.1 is not of type 'string'"),
        ("recordings/rec/area", True, "recordings.rec.area: True is not of type 'string'"),
        ("recordings/rec/area", "x" * 5000, "recordings.rec.area: 'xxx"),
        ("recordings/rec/animal", datetime.datetime(2020, 1, 1, 3), "recordings.rec.animal: datetime.datetime"),
        ("recordings/rec/animal", b"M", "recordings.rec.animal: b'M' is bytes for YAML"),
        ("recordings/rec/animal", {"M"}, "recordings.rec.animal: {'M'} is set for YAML"),
        ("unseen/category", "face", "unseen.category: the stimuli objects have no category 'face'; did you mean"),
        ("rsa/distances", [[[[]]]], "rsa.distances.0: [[[]]] is not known"),
        ("results", "/", "results: / is the whole disk"),
    ],
    ids=shown,
)
def test_values_that_no_key_takes(config, key, value, message):
    put(config, key, value)
    with pytest.raises(InputError) as error:
        check_inputs(resolve(config))
    assert message in str(error.value)
    assert len(str(error.value)) < 1000


PATHS = [
    "results",
    "data_dir",
    "stimuli/mine/images",
    "stimuli/mine/table",
    "stimuli/training/render/categories/boats",
    "stimuli/training/render/backgrounds/1",
    "stimuli/objects/render/backgrounds",
    "recordings/rec/responses",
    "recordings/rec/neuroids",
    "recordings/fmri/matrices/it",
    "recordings/fmri/matrices",
    "models/fitted/weights",
    "audit/outputs/0",
]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("-x/y", "begins with a hyphen"),
        ("a/{x}", "contains { and }"),
        ("a}", "contains }"),
        ("<logs>", "contains < and >"),
        ("~/data", "begins with ~"),
        ("x" * 256, "too long a path"),
        ("x/" * 1500, "too long a path"),
        ("é" * 200, "too long a path"),
        ("a\0b", r"contains '\x00'"),
        ("a\nb", r"contains '\n'"),
        ("a\n", r"contains '\n'"),
        ("", "is no path"),
        (" ", "is no path"),
        ("https://osf.io/images.zip", "is an address, not a path"),
    ],
    ids=shown,
)
def test_paths_that_neither_bash_nor_snakemake_takes(good, path, problem):
    for key in PATHS:
        config = copy.deepcopy(good)
        put(config, key, path)
        with pytest.raises(InputError) as error:
            resolve(config)
        assert f"config key {key.replace('/', '.')}: " in str(error.value)
        assert problem in str(error.value)


@pytest.mark.parametrize(
    "path", ["a b", "a'b", 'a"b', "$HOME", "*", "?", "[a]", "a;b", "a,b", "#a", "%s", "ünï", "a\\b"]
)
def test_paths_with_what_bash_takes_for_its_own(config, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve(config | {"results": path})["results"] == path


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("out/", "out"),
        ("./out", "out"),
        (".//out//a/", "out/a"),
        ("./-out", "./-out"),
        (".", "."),
        ("../out", "../out"),
    ],
)
def test_results_are_the_folder_that_snakemake_matches(config, given, folder):
    assert resolve(config | {"results": given})["results"] == folder


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a/b", "is no name: letters, digits"),
        ("..", "is no name"),
        (".hidden", "is no name"),
        ("-x", "is no name"),
        ("", "is no name"),
        ("é", "is no name"),
        ("{x}", "is no name"),
        ("<logs>", "is no name"),
        ("a b", "is no name"),
        ("a\n", r"contains '\n'"),
        ("a" * 25, "its end repeats twenty times"),
        ("x_" + "ab" * 20, "its end repeats twenty times"),
        ("ab" * 51, "100 are the most"),
        ("a.json", "files of the results end in .json"),
        ("a.ZARR", "files of the results end in"),
        (True, "put the name in quotes"),
        (None, "put the name in quotes"),
        (NAN, "put the name in quotes"),
        (1.5, "put the name in quotes"),
        (2**70, "is too large"),
        (datetime.datetime(2020, 1, 1, 3), "put it in quotes"),
    ],
    ids=shown,
)
def test_names_that_no_file_of_the_results_can_have(good, name, problem):
    for key in ("stimuli", "recordings", "models"):
        config = copy.deepcopy(good)
        config[key][name] = next(iter(config[key].values()))
        with pytest.raises(InputError) as error:
            resolve(config)
        assert f"config key {key}: " in str(error.value)
        assert problem in str(error.value)


@pytest.mark.parametrize(
    ("name", "expected"), [(210325, "210325"), (datetime.date(2020, 1, 1), "2020-01-01"), ("a" * 12, "a" * 12)]
)
def test_names_that_yaml_takes_for_numbers_and_dates(config, name, expected):
    recording = {**config["recordings"]["rec"], "stimuli": name, "models": [name]}
    more = {"stimuli": {name: config["stimuli"]["mine"]}, "recordings": {name: recording}, "models": {name: {}}}
    config |= {key: {**config[key], **given} for key, given in more.items()}
    config["models"][name] = {"architecture": "pixels"}
    resolved = resolve(config)
    check_inputs(resolved)
    assert resolved["recordings"][expected]["stimuli"] == expected
    assert resolved["recordings"][expected]["models"] == [expected]
    json.dumps(typed(config))


def test_a_name_twice_as_text_and_as_a_number(config):
    config["recordings"] |= {1: config["recordings"]["rec"], "1": config["recordings"]["rec"]}
    with pytest.raises(InputError, match=r"config key recordings\.1: given twice"):
        resolve(config)


@pytest.mark.parametrize(
    ("key", "other"), [("stimuli", "Mine"), ("recordings", "REC"), ("models", "Pixels"), ("models", "CONV1.epoch0")]
)
def test_names_that_differ_in_capitals_alone(config, key, other):
    config[key][other] = copy.deepcopy(config[key][next(iter(config[key]))])
    if key == "models":
        config[key][other] = {"architecture": "pixels"}
    with pytest.raises(InputError, match=f"config key {key}: .*{other}.* differ in capitals alone"):
        resolve(config)


def test_an_anchor_that_contains_itself_is_not_followed_for_ever(config):
    config["mappings"] += 9 * [config["mappings"]]
    with pytest.raises(InputError, match=r"config key mappings\.3\.3.*: nested more than 16 levels deep") as error:
        resolve(config)
    assert len(str(error.value)) < 3000


def check_text(tmp_path, text: str | bytes, name: str = "config.yaml") -> None:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    check_files([path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [pixels]\nfolds: 5\nseed: 1\nfolds: 6\n", "line 4: the key 'folds' is in line 2 already"),
        ("a:\n  b: {c: 1, d: 2, c: 3}\n", "line 2: the key 'c' is in line 2"),
        ("a:\n- b: 1\n  b: 1\n", "line 3: the key 'b' is in line 2"),
        ("a: &x {b: 1, b: 2}\nc: *x\n", "line 1: the key 'b'"),
        ("a: &x {b: 1}\nc: {<<: *x, d: 1, d: 2}\n", "line 2: the key 'd'"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n", "line 4: the key '<<'"),
        ('1: a\n"1": b\n', "line 2: the key '1'"),
        ('{"models": ["a"],\n\t"folds": 5,\n\t"folds": 5}\n', "line 3: the key 'folds' is in line 2"),
        ("recordings:\n  on: {}\n", "line 2: YAML takes the name `on` for true or false; put it in quotes"),
        ("recordings:\n  No: {}\n", "line 2: YAML takes the name `No` for true or false"),
        ("recordings:\n  ~: {}\n", "line 2: YAML takes the name `~` for nothing"),
        ("?\n: a\n", "line 1: YAML takes the name `` for nothing"),
        ("recordings:\n  1.10: {}\n", "line 2: YAML takes the name `1.10` for a number"),
        ("recordings:\n  2020-01-01 10:00:00: {}\n", "line 2: YAML takes the name `2020-01-01 10:00:00` for a date"),
        ("recordings:\n  010: {}\n", "line 2: YAML takes '010' for 8"),
        ("sessions: [0210325]\n", "line 1: YAML takes '0210325' for 69845"),
        ("recordings: {r: {area: 1:30}}\n", "line 1: YAML takes '1:30' for 90"),
        ("folds: 0x5\n", "line 1: YAML takes '0x5' for 5"),
        (f"folds: {'9' * 5000}\n", "line 1: YAML takes '999"),
        ("? [a, b]\n: 1\n", "line 1: a key is a name, not a list or a mapping"),
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n- b\n", "the top level is not a mapping"),
        ("pixels\n", "the top level is not a mapping"),
        ("a:\n\tb: 1\n", "line 2: neither YAML nor JSON: found character '\\t'"),
        ("models: [a, b\nfolds: 5\n", "line 2: neither YAML nor JSON"),
        ("models: {a: }}\n", "line 1: neither YAML nor JSON"),
        ("a: *nothing\n", "line 1: neither YAML nor JSON: found undefined alias"),
        ("a: 1\nb: \x07\n", "line 2: the character '\\x07' is not allowed"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("models: [pixels]\n".encode("utf-16"), "line 1: it is in UTF-16; save the file as UTF-8"),
        ("models:\n  Müller:\n".encode("latin-1"), "line 2: the byte 0xfc is not UTF-8"),
    ],
    ids=shown,
)
def test_what_yaml_passes_over_is_named_with_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        check_text(tmp_path, text)
    assert str(tmp_path / "config.yaml") in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\ne: {<<: [*x, *x]}\nf: *x\n",
        "a: {b: 1}\nc: {b: 1}\n",
        "models: {210325: , 2020-01-01: , 0: }\npenalties: {lowest: 1.0e-4, highest: 1e4}\nseed: -1\n",
        "\ufeffmodels: [pixels]\n",
        '{"a": 1,\n\t"b": {"a": 1e5}}\n',
        "a: &x [*x]\n",
        'a: "010"\nb: "on"\nc: on\n',
    ],
)
def test_what_is_read_as_it_is_written(tmp_path, text):
    check_text(tmp_path, text)


def test_the_configs_of_the_checkout_are_read_as_they_are_written():
    check_files((SCHEMA.parents[2] / "config").glob("*.yaml"))


def test_every_name_of_a_merged_mapping_is_taken(tmp_path, config):
    text = (
        yaml.safe_dump(config)
        .replace("penalties:\n", "penalties:\n  <<: {lowest: 1e-5}\n")
        .replace("lowest: 0.001", "")
    )
    resolved = resolve(yaml.safe_load(text))
    check_text(tmp_path, text)
    assert resolved["penalties"]["lowest"] == 1e-5


def test_pipes_and_files_that_are_not_there_are_for_snakemake(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    check_files([tmp_path / "pipe", tmp_path / "none.yaml"])


def test_slurm_is_missed_before_any_job(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="`sbatch` is not on PATH here; start the run on a login node"):
        check_commands()
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    check_commands()


def test_a_tag_that_yaml_does_not_know_is_named_with_its_line(tmp_path):
    (tmp_path / "config.yaml").write_text("models: [pixels]\nfolds: !count 5\n")
    with pytest.raises(InputError, match=r"config\.yaml, line 2: YAML has no type '!count'; take the tag out"):
        check_files([tmp_path / "config.yaml"])


@pytest.mark.parametrize("results", ["images/out", "images"])
def test_results_below_a_folder_of_images_are_refused(tmp_path, monkeypatch, results):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    config = {"results": results, "stimuli": {"mine": {"images": "images"}}, "models": ["pixels"]}
    config["recordings"] = {"rec": {"stimuli": "mine", "responses": "responses.npy"}}
    with pytest.raises(InputError, match=r"config key results: .* lies in images, a folder of stimuli\.mine"):
        check_inputs(resolve(config))
