"""Every mistake in the config is found, named and explained before anything runs."""

import ast
import re
import runpy
from contextlib import suppress

import numpy as np
import pytest
import yaml
from PIL import Image

from ventral.configuration.resolution import (
    check_inputs,
    decoded_models,
    penalty_grid,
    recorded_models_of,
    recordings_of_set,
    resolve,
    sets_with_files,
)
from ventral.configuration.schema import SCHEMA, whole
from ventral.errors import InputError
from ventral.models.zoo import DEFAULTS, OPTIONS
from ventral.stimuli.modality import FIRST, MODALITIES

ROOT = SCHEMA.parents[2]
README = (ROOT / "config" / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def config(tmp_path):
    """A config of one's own data: 12 images of 3 objects, 4 neurons."""
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for k in range(12):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(images / f"image{k}.png")
    table = tmp_path / "stimuli.csv"
    table.write_text("stimulus,object\n" + "".join(f"image{k},object{k % 3}\n" for k in range(12)))
    np.save(tmp_path / "responses.npy", rng.normal(size=(4, 12, 2)))
    return {
        "results": str(tmp_path / "results"),
        "stimuli": {"mine": {"images": str(images), "table": str(table)}},
        "recordings": {"rec": {"stimuli": "mine", "responses": str(tmp_path / "responses.npy"), "area": "IT"}},
        "models": {"pixels": None},
        "splits": ["stimuli", "objects"],
        "folds": 4,
    }


def test_a_good_config_passes_and_is_completed(config):
    resolved = resolve(config)
    check_inputs(resolved)
    assert resolved["recordings"]["rec"]["splits"] == ["stimuli", "objects"]
    assert resolved["extraction"]["dtype"] == "float16"
    assert resolved["extraction"]["channels_last"] is True
    assert resolved["models"]["pixels"]["architecture"] == "pixels"
    assert "extraction" not in config


def test_models_may_be_a_list_of_names(config):
    assert resolve(config | {"models": ["pixels"]})["models"] == resolve(config)["models"]


def test_a_recording_may_have_splits_of_its_own(config):
    config["recordings"]["rec"]["splits"] = ["stimuli"]
    assert resolve(config)["recordings"]["rec"]["splits"] == ["stimuli"]


def test_a_published_recording_may_be_scored_with_some_models_alone(config, tmp_path):
    for name in ("images_210325.zip", "responses_raw_210325.npy"):
        (tmp_path / name).touch()
    options = {"models": ["pixels"]}
    resolved = resolve(
        config
        | {
            "dataset": "cowley2023",
            "data_dir": str(tmp_path),
            "models": {"pixels": None, "resnet18": None},
            "recordings": config["recordings"] | {"cowley2023_210325": options},
        }
    )
    recording = resolved["recordings"]["cowley2023_210325"]
    assert recording["responses"] == str(tmp_path / "responses_raw_210325.npy")
    assert recording["models"] == ["pixels"]
    assert resolved["recordings"]["rec"].get("models") is None


def test_penalties_are_a_logarithmic_grid():
    grid = penalty_grid({"lowest": 1e-2, "highest": 1e2, "number": 5})
    np.testing.assert_allclose(grid, [1e-2, 1e-1, 1, 10, 100])


def changed(config, path, value):
    *folders, last = path
    place = config
    for key in folders:
        place = place.setdefault(key, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["modles"], {}, r"unknown key `modles`; did you mean `models`\? allowed: results, dataset"),
        (["extraction", "batchsize"], 2, r"unknown key `batchsize` in `extraction`; did you mean `batch_size`\?"),
        (["stimuli", "mine", "tabel"], "x", r"unknown key `tabel` in `stimuli\.mine`; did you mean `table`\?"),
        (
            ["stimuli", "mine"],
            {},
            r"stimuli\.mine: a stimulus set has either `images`, .* or `render`, .* or a `table`",
        ),
        (["stimuli", "mine", "render"], {}, r"stimuli\.mine: a stimulus set has either `images`, .* or `render`"),
        (
            ["stimuli", "mine"],
            {"render": {}, "table": "t.csv"},
            r"config key stimuli\.mine\.table: belongs to `images`",
        ),
        (
            ["stimuli", "mine"],
            {"synthesis": {}, "table": "t.csv"},
            r"config key stimuli\.mine\.table: belongs to `sounds`; a synthesised set makes its own table",
        ),
        (["stimuli", "mine"], {"synthesis": {}, "sounds": "wav"}, r"either .* or `synthesis`, options of synthesised"),
        (
            ["stimuli", "mine"],
            {"synthesis": {}, "size": 8},
            r"stimuli\.mine\.size: belongs to `images`, not to `sounds`",
        ),
        (
            ["stimuli", "mine"],
            {"render": {"variation": ["large"]}},
            r"config key stimuli\.mine\.render\.variation\.0: 'large' is not known; allowed: low, medium, high",
        ),
        (
            ["unseen"],
            {"stimuli": "mine", "category": "a", "models": ["pixls"]},
            r"unseen\.models: .* 'pixls' .* `pixels`",
        ),
        (["unseen"], {"stimuli": "m", "category": "a", "models": ["pixels"]}, r"unseen\.stimuli: no recording is of"),
        (["first_layers"], {"models": ["pixls"]}, r"first_layers\.models: no model is called 'pixls'.* `pixels`"),
        (["first_layers"], {"models": ["pixels"]}, r"first_layers\.models: pixels has no network"),
        (["folds"], 2, r"config key folds: 2 is less than the minimum of 3"),
        (["folds"], "five", r"config key folds: 'five' is not of type 'integer'"),
        (["extraction", "device"], "gpu", r"config key extraction\.device: 'gpu' is not known; .*auto, cpu, cuda"),
        (["splits"], ["stimulus"], r"config key splits\.0: 'stimulus' is not known; did you mean `stimuli`\?"),
        (["models"], "pixels", "config key models: a list of names, or names with their options"),
        (["stimuli", "a/b"], {"images": "x"}, "'a/b' is no name"),
        (["recordings", "rec", "stimuli"], "mien", r"no stimulus set is called 'mien'; did you mean `mine`\?"),
        (["recordings"], {}, "no recordings"),
        (["data_dir"], "x", "config key data_dir: belongs to a published data set"),
        (["dataset"], "cowley", r"config key dataset: 'cowley' is not known; did you mean `cowley2023`\?"),
        (["penalties", "lowest"], 1e9, r"penalties\.lowest: 1000000000\.0 must be below penalties\.highest"),
    ],
)
def test_what_the_schema_forbids_is_explained(config, path, value, message):
    with pytest.raises(InputError, match=message):
        resolve(changed(config, path, value))


def test_all_mistakes_are_named_at_once(config):
    config |= {"modles": {}, "folds": 1}
    with pytest.raises(InputError) as error:
        resolve(config)
    assert "modles" in str(error.value)
    assert "folds" in str(error.value)


def test_missing_images(config, tmp_path):
    config["stimuli"]["mine"]["images"] = str(tmp_path / "nowhere.zip")
    with pytest.raises(InputError, match=r"stimuli\.mine\.images: .*nowhere\.zip"):
        check_inputs(resolve(config))


def test_missing_responses(config, tmp_path):
    config["recordings"]["rec"]["responses"] = str(tmp_path / "nowhere.npy")
    with pytest.raises(InputError, match=r"recordings\.rec\.responses: .*nowhere\.npy"):
        check_inputs(resolve(config))


def test_files_to_be_downloaded_may_be_missing(config):
    config["stimuli"]["mine"] = {"images": "resources/cowley2023/none.zip"}
    config["recordings"]["rec"]["responses"] = "resources/cowley2023/none.npy"
    check_inputs(resolve(config))


def test_as_many_responses_as_images(config, tmp_path):
    np.save(tmp_path / "responses.npy", np.zeros((4, 11, 2)))
    with pytest.raises(InputError, match=r"recordings\.rec\.responses: .*11.*12"):
        check_inputs(resolve(config))


def test_fewer_stimuli_of_an_object_than_folds(config):
    with pytest.raises(InputError, match=r"stimuli\.mine: .*each of 5 folds.*object0 \(4\)"):
        check_inputs(resolve(config | {"folds": 5}))


def test_splits_have_names(config):
    given = [{"column": "size", "folds": 3}, {"partition": "object", "name": "set"}, {"random": 3, "train": 0.5}]
    config["splits"], config["recordings"]["rec"]["splits"] = ["stimuli", *given], given[:1]
    resolved = resolve(config)
    named = [{"name": "size", **given[0]}, given[1], {"name": "random", **given[2]}]
    assert resolved["splits"] == ["stimuli", *named]
    assert resolved["recordings"]["rec"]["splits"] == named[:1]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([{"colum": "size"}], r"unknown key `colum` in `.*splits\.0`; did you mean `column`"),
        ([{"name": "mine"}], r"splits\.0: it has none of them; a split has one of `column`, `partition`, `random`"),
        ([{"column": "a", "random": 3, "train": 5}], r"splits\.0: it has `column` and `random`"),
        ([{"partition": "a", "folds": 3}], r"splits\.0\.folds: belongs to `column`, not to `partition`"),
        ([{"column": "a", "train": 3}], r"splits\.0\.train: belongs to `random`, not to `column`"),
        ([{"column": "a", "folds": 2}], r"splits\.0\.folds: 2 is less than the minimum of 3"),
        ([{"random": 3}], r"splits\.0\.train: missing"),
        ([{"random": 3, "train": 2.5}], r"splits\.0\.train: 2\.5 is neither a number of stimuli nor a share"),
        ([{"random": 3, "train": 0}], r"splits\.0\.train: 0 is less than or equal to the minimum of 0"),
        ([{"column": "size"}, {"partition": "size"}], r"splits\.1: a split before it is called 'size', too"),
        ([{"random": 3, "train": 5}, {"random": 4, "train": 5}], r"splits\.1: .*'random', too; give one .* `name`"),
        (["stimuli", {"column": "a", "name": "stimuli"}], r"splits\.1: 'stimuli' is the name of another split"),
        ([{"column": "a", "name": "none"}], r"splits\.0: 'none' is the name of another split"),
        ([{"column": "a", "name": "a/b"}], r"splits\.0\.name: 'a/b' is no name"),
        ([3], r"splits\.0: 3 is not of the form|3 is not of type"),
    ],
)
def test_splits_that_are_none(config, splits, message):
    for place in (config, config["recordings"]["rec"]):
        place["splits"] = splits
        with pytest.raises(InputError, match=message):
            resolve(config)
        del place["splits"]


def test_a_split_of_a_column_is_checked_on_the_table(config):
    for spec, message in (
        ({"column": "movie"}, "split `movie` needs a column `movie`"),
        ({"partition": "object"}, r"split `object`: the column `object` has 'object0' in data row 1; allowed: train"),
        ({"random": 3, "train": 100}, "stimuli to train on and 0 to test on"),
    ):
        with pytest.raises(InputError, match=message):
            check_inputs(resolve(config | {"splits": [spec]}))


def test_a_split_that_the_stimuli_have_no_label_for(config):
    with pytest.raises(InputError, match="split `categories` needs a column `category`"):
        check_inputs(resolve(config | {"splits": ["categories"]}))


def test_unknown_model_option(config):
    with pytest.raises(InputError, match=r"pixels.*`sise`"):
        check_inputs(resolve(config | {"models": {"pixels": {"sise": 3}}}))


def test_checkpoint_with_the_wrong_hash(config, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"x")
    options = {"architecture": "resnet18", "weights": str(tmp_path / "net.safetensors"), "sha256": "0" * 64}
    with pytest.raises(InputError, match="sha256"):
        check_inputs(resolve(config | {"models": {"mine": options}}))


def test_results_below_a_file_cannot_be_made(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"config key results: .*file is a file; name another folder"):
        check_inputs(resolve(config | {"results": str(tmp_path / "file" / "results")}))


def test_results_on_a_read_only_disk(config, monkeypatch):
    monkeypatch.setattr("ventral.configuration.resolution.os.access", lambda path, mode: False)
    with pytest.raises(InputError, match=r"config key results: .* cannot be written"):
        check_inputs(resolve(config))


def options_of_models():
    """The options of models: those of all, and those that each modality has."""
    return {*OPTIONS, *(option for modality in MODALITIES.values() for option in modality.model_options)}


def test_every_key_is_explained():
    documented = re.findall(r"^\| `(.*?)` \|", README, re.MULTILINE)
    schema = whole()
    keys, recordings, stimuli = (
        [],
        *(schema["properties"][key]["additionalProperties"]["properties"] for key in ("recordings", "stimuli")),
    )
    for key, below in schema["properties"].items():
        nested = {} if key == "rsa" else below.get("properties", {})
        if key in ("dataset", "mappings"):
            keys += [f"{key}.{name}.{option}" for name, of_name in nested.items() for option in of_name["properties"]]
        else:
            keys += [f"{key}.{inner}" for inner in nested]
        keys += [] if key in ("audit", "extraction", "fits", "grams", "outputs", "penalties") else [key]
    keys += [f"recordings.NAME.{inner}" for inner in recordings] + [f"stimuli.NAME.{inner}" for inner in stimuli]
    keys += [f"{kind}.{inner}" for kind in ("simulate", "behaviour") for inner in recordings[kind]["properties"]]
    keys += [f"{made}.{inner}" for made in ("render", "synthesis") for inner in stimuli[made]["properties"]]
    in_silico = schema["properties"]["in_silico"]["properties"]
    keys += [f"{name}.{inner}" for name, below in in_silico.items() for inner in below["properties"]]
    keys += [f"train.{inner}" for inner in schema["$defs"]["training"]["properties"]]
    keys += [f"splits.{inner}" for inner in schema["$defs"]["splits"]["items"]["oneOf"][1]["properties"]]
    assert sorted(documented) == sorted([*keys, *options_of_models()])


def test_the_tables_of_keys_are_those_of_the_schema():
    made = runpy.run_path(str(ROOT / "docs" / "key_tables.py"))["with_tables"](README)
    assert made == README, "run docs/key_tables.py"


def defaults_in_the_code():
    """Place, name and default of every parameter, and of every field of a class, whose default is a literal."""
    for file in sorted((ROOT / "workflow" / "ventral").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                given = node.args
                positional = [*given.posonlyargs, *given.args][::-1]
                pairs = [*zip(positional, given.defaults[::-1], strict=False)]
                pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
                found = [(argument.arg, default) for argument, default in pairs]
            elif isinstance(node, ast.ClassDef):
                found = [(field.target.id, field.value) for field in node.body if isinstance(field, ast.AnnAssign)]
            else:
                continue
            for name, default in found:
                with suppress(ValueError):
                    yield f"{file.name}: {node.name}", name, ast.literal_eval(default) if default else None


def test_defaults_in_the_code_are_those_of_the_schema():
    keys = whole()["properties"]
    groups = [keys, *(keys[group]["properties"] for group in ("extraction", "grams", "fits", "audit"))]
    expected: dict[str, list] = {}
    for name, key in (item for group in groups for item in group.items()):
        if key.get("default"):
            # Two groups may have a key of one name.
            expected.setdefault(name, []).append(key["default"])
    compared = [
        (place, name, list(default) if isinstance(default, tuple) else default)
        for place, name, default in defaults_in_the_code()
        # Without a value, all else stands for what is not there.
        if name in expected and default is not None
    ]
    assert {"batch_size", "dtype", "reliability_threshold", "memory_mb", "mappings", "sample"} <= {
        name for _, name, _ in compared
    }
    assert not [(place, name, default) for place, name, default in compared if default not in expected[name]]


def test_the_options_of_models_are_those_of_the_schema():
    options = whole()["$defs"]["model"]["properties"]
    assert set(options) == options_of_models()
    # Of the schema's own defaults, each would be filled in, and taken for the user's.
    assert not any("default" in option for option in options.values())
    said = {name: option["without"] for name, option in options.items() if "without" in option}
    assert {name for name, text in said.items() if text.startswith("`")} == {
        "weights",
        "seed",
        "max_layers",
        "modality",
    }
    assert said["modality"].strip("`") == FIRST
    for name in ("seed", "max_layers"):
        assert yaml.safe_load(said[name].strip("`")) == DEFAULTS[name]
    assert said["weights"].startswith(f"`{DEFAULTS['weights']}`")
    assert said["layers"].endswith(f"`{DEFAULTS['layers']}`")


def test_the_readme_shows_the_config_that_is_there():
    root = SCHEMA.parents[2]
    assert (root / "config" / "config.yaml").read_text() in (root / "README.md").read_text()


RENDERED = {"render": {"categories": ["cars", "faces"], "exemplars": 2, "images": 4, "size": 16}}


@pytest.fixture
def rendered(config, tmp_path):
    """A config with 16 rendered images."""
    np.save(tmp_path / "responses.npy", np.random.default_rng(0).normal(size=(4, 16, 2)))
    return config | {"stimuli": {"mine": RENDERED}}


def test_rendered_stimuli_are_checked_without_being_rendered(rendered):
    check_inputs(resolve(rendered))
    assert resolve(rendered)["stimuli"]["mine"]["render"]["variation"] == ["low", "medium", "high"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"categories": ["crs", "faces"]},
            r"stimuli\.mine\.render\.categories: 'crs' is not made by code; did you mean",
        ),
        ({"exemplars": 1}, r"stimuli\.mine\.render\.exemplars: 1; a category needs at least 2 objects"),
        ({"shards": 17}, r"stimuli\.mine\.render\.shards: 16 stimuli cannot be cut into 17 shards"),
        ({"backgrounds": "nowhere"}, r"stimuli\.mine\.render\.backgrounds: 'nowhere' is neither"),
        ({"images": 5}, r"recordings\.rec\.responses: .*responses to 16 stimuli, where the set 'mine' has 20"),
    ],
)
def test_what_cannot_be_rendered_is_said_before_any_job(rendered, changes, message):
    rendered["stimuli"] = {"mine": {"render": RENDERED["render"] | changes}}
    with pytest.raises(InputError, match=message):
        check_inputs(resolve(rendered))


def test_more_shards_of_activations_than_stimuli(rendered):
    with pytest.raises(InputError, match=r"extraction\.shards: 16 stimuli of mine cannot be cut into 17 shards"):
        check_inputs(resolve(rendered | {"extraction": {"shards": 17}}))


def test_more_jobs_than_shards(config):
    message = r"extraction\.jobs: 3 jobs cannot share 2 shards; set it to 2 or less, or extraction\.shards to 3 or more"
    with pytest.raises(InputError, match=message):
        resolve(config | {"extraction": {"jobs": 3, "shards": 2}})


def test_an_empty_folder_of_backgrounds(rendered, tmp_path):
    (tmp_path / "empty").mkdir()
    rendered["stimuli"] = {"mine": {"render": RENDERED["render"] | {"backgrounds": str(tmp_path / "empty")}}}
    with pytest.raises(InputError, match=r"stimuli\.mine\.render\.backgrounds: .*empty: no images in it"):
        check_inputs(resolve(rendered))


def test_a_category_that_no_stimulus_shows(rendered):
    rendered["unseen"] = {"stimuli": "mine", "category": "face", "models": ["pixels"]}
    with pytest.raises(InputError, match=r"unseen\.category: .* no category 'face'; did you mean `faces`"):
        check_inputs(resolve(rendered))


def with_recorded(config, **keys):
    folder = config["recordings"]["rec"]["responses"].removesuffix("responses.npy")
    np.savez(f"{folder}/matrices.npz", it=1 - np.eye(12))
    others = {
        "session_2": {**config["recordings"]["rec"]},
        "fmri": {"stimuli": "mine", "matrices": f"{folder}/matrices.npz"},
    }
    return config | {"recordings": config["recordings"] | others} | keys


@pytest.mark.parametrize(
    ("device", "changes", "source"),
    [
        ("cuda", {}, "forward"),
        ("auto", {}, "activations"),
        ("cuda", {"extraction": {"keep": True}}, "activations"),
        ("cuda", {"outputs": {"readouts": "best"}}, "activations"),
        ("cuda", {"mappings": ["ridge", "factorised"]}, "activations"),
    ],
)
def test_features_stay_off_the_disk_where_that_is_wanted_and_nothing_reads_them(config, device, changes, source):
    changes = {**changes, "extraction": {"device": device, **changes.get("extraction", {})}}
    assert resolve(config)["grams"]["from"] == "activations"
    assert resolve(config | changes | {"grams": {"from": "auto"}})["grams"]["from"] == source
    assert resolve(config | changes | {"grams": {"from": "activations"}})["grams"]["from"] == "activations"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"extraction": {"keep": True}}, r"extraction\.keep"),
        ({"outputs": {"readouts": "best"}}, r"outputs\.readouts"),
        ({"mappings": ["ridge", "factorised"]}, r"mappings\.factorised"),
    ],
)
def test_features_that_are_not_on_the_disk_cannot_be_read(config, changes, key):
    with pytest.raises(InputError, match=rf"config key grams\.from: `forward` .* and {key} would read them"):
        resolve(config | changes | {"grams": {"from": "forward"}})


def test_recorded_models_predict_all_recordings_of_their_stimuli(config):
    resolved = resolve(with_recorded(config, recorded_models=["rec"]))
    assert {name: recorded_models_of(resolved, name) for name in resolved["recordings"]} == {
        name: ["rec"] for name in ("rec", "session_2", "fmri")
    }
    resolved["recordings"]["session_2"]["stimuli"] = "others"
    assert recorded_models_of(resolved, "session_2") == []
    assert recorded_models_of(resolve(config), "rec") == []


@pytest.mark.parametrize("key", ["recorded_models", "reverse"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("recc", "no recording is called 'recc'; did you mean `rec`?"),
        ("fmri", "fmri has dissimilarity matrices"),
        ("pixels", "a model is called pixels, too"),
    ],
)
def test_recordings_that_cannot_predict_are_named(config, key, name, message):
    config = with_recorded(config)
    config["recordings"]["pixels"] = config["recordings"]["rec"]
    with pytest.raises(InputError, match=re.escape(f"config key {key}: {message}")):
        resolve(config | {key: [name]})


def with_animals(config, **changes):
    """Two recordings of one set, the second with changes."""
    first = config["recordings"]["rec"] | {"group": "both", "animal": "F"}
    second = first | {"animal": "N"} | changes
    return config | {"recordings": {"rec": first, "second": second}, "inter_animal": ["both"]}


def test_sets_with_inter_animal_consistency_share_stimuli_and_splits(config):
    resolved = resolve(with_animals(config))
    assert resolved["inter_animal"] == ["both"]
    assert recordings_of_set(resolved, "both") == ["rec", "second"]
    with pytest.raises(InputError, match="config key inter_animal: no recording has the `group` 'bth'; did you mean"):
        resolve(with_animals(config) | {"inter_animal": ["bth"]})
    with pytest.raises(InputError, match=r"the recordings of both \(rec, second\) have different `splits`; animals"):
        resolve(with_animals(config, splits=["objects"]))
    other = with_animals(config, stimuli="other")
    other["stimuli"] = {**config["stimuli"], "other": next(iter(config["stimuli"].values()))}
    with pytest.raises(InputError, match=r"the recordings of both \(rec, second\) have different `stimuli`; animals"):
        resolve(other)
    with pytest.raises(InputError, match="config key inter_animal: none of the mappings rsa predicts held-out stimuli"):
        resolve(with_animals(config) | {"mappings": ["rsa"]})


def test_the_reverse_needs_a_model(config):
    config = with_recorded(config, reverse=["session_2"])
    config["recordings"]["session_2"]["models"] = []
    with pytest.raises(InputError, match="config key reverse: no model is scored against session_2"):
        resolve(config)


@pytest.mark.parametrize(
    ("banded", "message"),
    [
        ({"pixls": ["pixels", "other"]}, r"banded: no model is called 'pixls'; did you mean `pixels`"),
        ({"pixels": ["pixels"]}, r"banded\.pixels"),
        ({"pixels": ["pixels", "pixels"]}, r"banded\.pixels"),
    ],
)
def test_layers_that_predict_together(config, banded, message):
    layers = {"pixels": ["pixels", "other"]}
    assert resolve(config | {"banded": layers})["banded"] == layers
    with pytest.raises(InputError, match=message):
        resolve(config | {"banded": banded})


def test_layers_predict_together_where_there_are_neuroids(config):
    recording = config["recordings"]["rec"]
    recording["matrices"] = recording.pop("responses")
    with pytest.raises(InputError, match=r"banded\.pixels: the model is scored against no recording of neuroids"):
        resolve(config | {"banded": {"pixels": ["pixels", "other"]}})


def test_decoding_is_off_until_it_is_asked_for(config):
    assert "decoding" not in resolve(config)
    assert decoded_models(resolve(config)) == {}
    resolved = resolve(config | {"decoding": {}})
    assert resolved["decoding"] == {"units": None, "draws": 20, "models": None}
    assert decoded_models(resolved) == {"rec": ["pixels"]}


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        ({"draw": 3}, r"unknown key `draw` in `decoding`; did you mean `draws`"),
        ({"units": 0}, r"config key decoding\.units"),
        ({"models": ["pixls"]}, r"decoding\.models: no model is called 'pixls'; did you mean `pixels`"),
    ],
)
def test_what_is_wrong_with_decoding_is_said(config, decoding, message):
    with pytest.raises(InputError, match=message):
        resolve(config | {"decoding": decoding})


def test_filters_need_the_size_of_the_input(config):
    asked = {"models": {"v1like": {"size": None}}, "first_layers": {"models": ["v1like"]}}
    with pytest.raises(InputError, match=r"filters of v1like have degrees only with a size; give models\.v1like\.size"):
        resolve(config | asked)


def test_decoding_needs_neuroids(config):
    recording = config["recordings"]["rec"]
    recording["matrices"] = recording.pop("responses")
    with pytest.raises(InputError, match="config key decoding: no recording has neuroids"):
        resolve(config | {"decoding": {}})
    with pytest.raises(InputError, match=r"decoding\.models: pixels is scored against no recording of neuroids"):
        resolve(config | {"decoding": {"models": ["pixels"]}})


@pytest.mark.parametrize("models", [{}, [], None])
def test_models_may_be_none(config, models):
    del config["models"]
    if models is not None:
        config["models"] = models
    resolved = resolve(config | {"decoding": {}})
    check_inputs(resolved)
    assert resolved["models"] == resolved["trainings"] == {}
    assert decoded_models(resolved) == {"rec": []}
    with pytest.raises(InputError, match="config key reverse: no model is scored against rec"):
        resolve(config | {"reverse": ["rec"]})


def test_models_that_are_named_are_scored(config):
    config["recordings"]["rec"]["models"] = []
    with pytest.raises(InputError, match=r"no model is scored against any recording; .* or set `models: \[\]`"):
        resolve(config)


def test_areas_are_decoded_where_no_model_is_scored_but_not_where_others_are(config):
    config["models"] = ["pixels", "hmax"]
    rec = config["recordings"]["rec"]
    config["recordings"] |= {"alone": rec | {"models": []}, "other": rec | {"models": ["hmax"]}}
    resolved = resolve(config | {"decoding": {"models": ["pixels"]}})
    assert decoded_models(resolved) == {"rec": ["pixels"], "alone": []}


def test_a_table_alone_is_a_set_on_which_no_model_is_run(config):
    alone = {"table": config["stimuli"]["mine"]["table"]}
    config["stimuli"]["names"] = alone
    config["recordings"]["session_2"] = config["recordings"]["rec"] | {"stimuli": "names", "models": []}
    resolved = resolve(config)
    check_inputs(resolved)
    assert sets_with_files(resolved) == ["mine"]
    for changes, message in (
        (
            {"recordings": config["recordings"] | {"session_2": config["recordings"]["rec"] | {"stimuli": "names"}}},
            r"config key recordings\.session_2: the stimuli names are a table alone, and models need their files "
            r"\(pixels\); give `images`, `sounds`, `render` or `synthesis` to stimuli\.names, or set "
            r"recordings\.session_2\.models to \[\]",
        ),
        (
            {
                "models": {
                    "pixels": None,
                    "net": {"architecture": "conv2", "train": {"stimuli": "names", "label": "object"}},
                }
            },
            r"config key models\.net\.train: the stimuli names are a table alone, and a network needs their files",
        ),
        (
            {
                "recordings": config["recordings"]
                | {
                    "simulated": {
                        "stimuli": "names",
                        "models": [],
                        "simulate": {"teacher": "conv2", "areas": {"IT": {"layer": "conv2", "neuroids": 2}}},
                    }
                }
            },
            r"config key recordings\.simulated\.simulate: the stimuli names are a table alone, and the teacher needs",
        ),
        (
            {"stimuli": config["stimuli"] | {"names": alone | {"size": 8}}},
            r"config key stimuli\.names\.size: belongs to",
        ),
    ):
        with pytest.raises(InputError, match=message):
            resolve(config | changes)


def test_a_rendered_set_knows_what_is_circular(config):
    config["stimuli"]["mine"] = {"render": {}, "circular": {"rotation_x": 360}}
    with pytest.raises(InputError, match=r"stimuli\.mine\.circular: belongs to `images`"):
        resolve(config)
