"""What a network must not see in training, by rule and by name, and how its training is described in the config."""

import numpy as np
import pytest
from PIL import Image

from ventral.configuration.resolution import check_inputs, models_of, resolve
from ventral.errors import InputError
from ventral.models.zoo import family
from ventral.training.exclusion import training_rows

OBJECTS = ["bear_0", "bear_1", "car_0", "car_1", "face_0", "face_1"]
LABELS = {"object": np.repeat(OBJECTS, 2), "category": np.repeat(["bears", "cars", "faces"], 4)}


def allowed(tested, label="category", labels=LABELS, exclude=(), see=()):
    training = {"name": "net", "stimuli": "shown", "label": label, "exclude": list(exclude), "see": list(see)}
    rows, excluded = training_rows(training, labels, 12, tested)
    assert (np.diff(rows) > 0).all()
    return sorted({str(LABELS["object"][row]) for row in rows}), excluded


def test_without_tests_all_may_be_seen():
    assert allowed({}) == (OBJECTS, {"category": [], "object": []})


def test_tested_categories_and_objects_are_excluded():
    tested = {"a": {"category": ["cars", "boats"]}, "b": {"object": ["face_1", "boat_3"]}}
    objects, excluded = allowed(tested)
    assert objects == ["bear_0", "bear_1", "face_0"]
    assert excluded == {"category": ["boats", "cars"], "object": ["boat_3", "face_1"]}


def test_a_category_may_be_seen_all_the_same_but_never_a_tested_object():
    tested = {"a": {"category": ["cars", "cars"], "object": ["car_0", "car_7"]}}
    objects, excluded = allowed(tested, see=["cars"])
    assert objects == ["bear_0", "bear_1", "car_1", "face_0", "face_1"]
    assert excluded == {"category": [], "object": ["car_0", "car_7"]}


def test_what_is_named_is_excluded_as_well():
    objects, excluded = allowed({"a": {"category": ["cars"]}}, exclude=["bear_1"])
    assert objects == ["bear_0", "face_0", "face_1"]
    assert excluded == {"category": ["cars"], "object": ["bear_1"]}


def test_one_kind_of_label_is_compared_with_both():
    only_objects = {"object": LABELS["category"]}
    tested = {"a": {"category": ["cars"], "object": ["bears"]}}
    labels = {"category": LABELS["category"]}
    for label, known in (("object", only_objects), ("category", labels)):
        with pytest.raises(InputError, match=f"only {label} 'faces' of the stimulus set 'shown' is left"):
            allowed(tested, label, known)


def test_a_network_that_is_fitted_to_neuroids_needs_no_labels():
    assert allowed({"a": {"category": ["cars"]}}, label=None, labels={})[0] == OBJECTS
    assert allowed({"a": {"category": ["cars", "bears"]}}, label=None)[0] == ["face_0", "face_1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": ["car"]}, "exclude: 'car' is no category or object of the stimulus set 'shown'; the nearest are"),
        ({"see": ["fcaes"]}, "see: 'fcaes' is no category of the stimulus set 'shown'; the nearest are faces"),
        ({"see": ["car_0"]}, "see: 'car_0' is no category of the stimulus set 'shown'; the nearest are cars"),
        ({"see": ["cars"], "exclude": ["cars"]}, "see: 'cars' is also under `exclude`"),
        ({"exclude": ["cars", "bears"]}, "stimuli: only category 'faces' of the stimulus set 'shown' is left"),
        ({"exclude": ["cars", "bears", "faces"]}, "stimuli: nothing of the stimulus set 'shown' is left"),
        ({"labels": {}}, "label: the stimulus set 'shown' has no column of text `category`; allowed: none"),
        (
            {"labels": {"object": LABELS["object"]}},
            "label: the stimulus set 'shown' has no column of text `category`; allowed: object",
        ),
        ({"labels": {}, "label": None, "exclude": ["cars"]}, "exclude: 'cars' is no .*; the set has no such labels"),
    ],
)
def test_what_is_wrong_is_said(options, message):
    with pytest.raises(InputError, match=rf"models\.net\.train\.{message}"):
        allowed({}, **options)


def test_what_takes_all_is_said():
    with pytest.raises(InputError, match=r"excluded are category: bears, cars, faces \(tested on: mine\)\. Categories"):
        allowed({"mine": {"category": ["bears", "cars", "faces"]}})


@pytest.fixture
def config(tmp_path):
    """Images to train on and others to be tested on, with a recording of each; nothing is trained yet."""
    rng = np.random.default_rng(0)
    for name, categories in (("shown", ("bears", "cars", "faces")), ("tested", ("faces", "boats"))):
        (tmp_path / name).mkdir()
        lines = ["stimulus,object,category"]
        for k in range(24):
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / name / f"{k}.png")
            category = categories[k % len(categories)]
            lines.append(f"{k},{category}_{name}_{k // len(categories) % 2},{category}")
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    np.save(tmp_path / "responses.npy", rng.normal(size=(4, 24, 2)))
    responses = str(tmp_path / "responses.npy")
    sets = ("shown", "tested")
    return {
        "results": str(tmp_path / "results"),
        "stimuli": {name: {"images": str(tmp_path / name), "table": str(tmp_path / f"{name}.csv")} for name in sets},
        "recordings": {
            "rec": {"stimuli": "tested", "responses": responses},
            "other": {"stimuli": "shown", "responses": responses, "models": []},
        },
        "models": {"pixels": None, "net": {"architecture": "conv2"}},
        "folds": 3,
    }


def with_train(config, name="net", **train):
    config["models"][name]["train"] = {"stimuli": "shown", "label": "category", **train}
    for key in [key for key, value in train.items() if value is None]:
        del config["models"][name]["train"][key]
    return config


def test_a_trained_model_comes_with_its_checkpoints(config):
    resolved = resolve(with_train(config, checkpoints=[4, 0]))
    check_inputs(resolved)
    assert list(resolved["models"]) == ["pixels", "net", "net.epoch4", "net.epoch0"]
    folder = f"{config['results']}/models/net"
    assert {name: spec["weights"] for name, spec in resolved["models"].items() if name != "pixels"} == {
        "net": f"{folder}/final.safetensors",
        "net.epoch0": f"{folder}/epoch_0000.safetensors",
        "net.epoch4": f"{folder}/epoch_0004.safetensors",
    }
    assert resolved["models"]["net.epoch4"]["trained_by"] == "net"
    assert resolved["models"]["net.epoch4"]["layers"] == ["block*", "pooled"]
    training = resolved["trainings"]["net"]
    assert (training["stimuli"], training["tested"], training["checkpoints"]) == ("shown", ["tested"], [0, 4])
    assert training["network"]["weights"] == "random"
    assert (training["epochs"], training["patience"], training["batch_size"]) == (15, 5, 64)
    assert list(resolve(config)["models"]) == list(resolved["models"])


def test_a_trained_model_comes_with_its_permuted_weights(config):
    before = resolve(with_train(config, checkpoints=[0]))
    resolved = resolve(with_train(config, checkpoints=[0], permuted=True))
    assert list(resolved["models"]) == ["pixels", "net", "net.epoch0", "net.permuted"]
    net, permuted = resolved["models"]["net"], resolved["models"]["net.permuted"]
    assert permuted == {**net, "name": "net.permuted", "permuted": True}
    assert (family(net), family(permuted)) == ("trained", "permuted")
    assert resolved["trainings"] == before["trainings"]
    config["models"]["net.permuted"] = {"architecture": "conv1"}
    with pytest.raises(InputError, match=r"models\.net\.permuted: net with permuted weights has this name"):
        resolve(config)


def test_which_layers_are_taken_does_not_change_the_training(config):
    config = with_train(config)
    before = resolve(config)["trainings"]
    config["models"]["net"] |= {"layers": "auto", "max_layers": 3}
    assert resolve(config)["trainings"] == before


def test_a_network_is_never_scored_on_the_recording_it_is_fitted_to(config):
    del config["recordings"]["other"]["models"]
    resolved = resolve(with_train(config, recording="other", label=None, stimuli=None, checkpoints=[0]))
    check_inputs(resolved)
    assert models_of(resolved, "rec") == ["pixels", "net", "net.epoch0"]
    assert models_of(resolved, "other") == ["pixels"]
    training = resolved["trainings"]["net"]
    assert (training["stimuli"], training["label"], training["tested"]) == ("shown", None, ["tested"])
    assert (training["folds"], training["folds_seed"]) == (3, 0)


def test_a_recording_may_name_the_models_that_are_scored(config):
    config["recordings"]["rec"]["models"] = ["net.epoch1", "pixels"]
    resolved = resolve(with_train(config, checkpoints=[0, 1]))
    assert models_of(resolved, "rec") == ["net.epoch1", "pixels"]
    assert models_of(resolved, "other") == []
    assert resolved["trainings"]["net"]["tested"] == ["tested"]
    config["recordings"]["rec"]["models"] = ["pixels"]
    assert resolve(config)["trainings"]["net"]["tested"] == []


def test_training_may_start_from_other_weights(config, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"x")
    config["models"]["net"]["weights"] = str(tmp_path / "net.safetensors")
    resolved = resolve(with_train(config))
    assert resolved["trainings"]["net"]["network"]["weights"] == str(tmp_path / "net.safetensors")
    with pytest.raises(InputError, match=r"models\.net\.sha256: missing; a checkpoint is read only if"):
        check_inputs(resolved)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"epoch": 3}, r"unknown key `epoch` in `models\.net\.train`; did you mean `epochs`\? allowed: stimuli, label"),
        ({"label": []}, r"config key models\.net\.train\.label: "),
        ({"label": ["object", "object"]}, r"config key models\.net\.train\.label: "),
        (
            {"recording": "other", "label": None, "apart": ["object"]},
            r"train\.apart: belongs to `label`; the test part",
        ),
        ({"epochs": 0}, r"config key models\.net\.train\.epochs: 0 is less than the minimum of 1"),
        ({"batch_size": 1}, r"config key models\.net\.train\.batch_size: 1 is less than the minimum of 2"),
        ({"validation": 1}, r"config key models\.net\.train\.validation: 1 is greater than or equal to the maximum"),
        ({"checkpoints": [-1]}, r"config key models\.net\.train\.checkpoints\.0: -1 is less than the minimum of 0"),
        ({"autocast": "float16"}, r"config key models\.net\.train\.autocast: 'float16' is not known"),
        ({"stimuli": "shwon"}, r"train\.stimuli: no stimulus set is called 'shwon'; did you mean `shown`\?"),
        ({"stimuli": None}, r"models\.net\.train\.stimuli: missing; name the stimulus set to train on"),
        ({"label": None}, r"models\.net\.train: it has neither; a network is trained on either a `label`"),
        ({"recording": "other"}, r"models\.net\.train: it has both; a network is trained on either a `label`"),
        ({"label": None, "recording": "othr"}, r"train\.recording: no recording is called 'othr'; did you mean"),
        (
            {"label": None, "recording": "other", "stimuli": "tested"},
            r"train\.stimuli: 'tested', but the stimuli of the recording other are 'shown'; leave it out",
        ),
        ({"checkpoints": [1, 16]}, r"train\.checkpoints: 16, but training ends after epoch 15 \(`epochs`\)"),
        ({"stimuli": "tested"}, r"models\.net\.train: it would be tested on the stimuli that it is trained on"),
    ],
)
def test_a_description_of_training_that_makes_no_sense(config, train, message):
    with pytest.raises(InputError, match=message):
        resolve(with_train(config, **train))


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"exclude": ["boats"]}, r"train\.exclude: 'boats' is no category or object of the stimulus set 'shown'"),
        ({"see": ["boats"]}, r"models\.net\.train\.see: 'boats' is no category of the stimulus set 'shown'"),
        ({"exclude": ["bears"]}, r"train\.stimuli: only category 'cars' of the stimulus set 'shown' is left"),
    ],
)
def test_exclusions_are_checked_before_any_job(config, train, message):
    with pytest.raises(InputError, match=message):
        check_inputs(resolve(with_train(config, **train)))


def test_stimuli_that_are_downloaded_are_checked_later(config):
    config["stimuli"]["shown"] = {"images": "resources/cowley2023/none.zip"}
    check_inputs(resolve(with_train(config, exclude=["boats"])))


def test_pixels_cannot_be_trained(config):
    config["models"]["pixels"] = {"train": {"stimuli": "shown", "label": "category"}}
    with pytest.raises(InputError, match=r"models\.pixels\.train: pixels has no weights to train; leave `train` out"):
        resolve(config)


def test_a_model_is_not_called_like_a_checkpoint(config):
    config["models"]["net.epoch0"] = {"architecture": "conv1"}
    with pytest.raises(InputError, match=r"models\.net\.epoch0: the checkpoint of net after epoch 0 has this name"):
        resolve(with_train(config, checkpoints=[0]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nett"], r"recordings\.rec\.models: no model is called 'nett'; did you mean `net`\?"),
        (["net.epoch9"], r"recordings\.rec\.models: no model is called 'net\.epoch9'; did you mean `net\.epoch0`\?"),
        (["net.epoch0"], r"recordings\.rec\.models: net\.epoch0 is trained on this recording, and never scored on it"),
        ([], "no model is scored against any recording"),
    ],
)
def test_models_that_cannot_be_scored(config, names, message):
    config["recordings"]["rec"]["models"] = names
    with pytest.raises(InputError, match=message):
        resolve(with_train(config, recording="rec", label=None, stimuli=None, checkpoints=[0]))


def test_a_network_is_not_fitted_to_dissimilarity_matrices(config):
    config["recordings"]["fmri"] = {"stimuli": "shown", "matrices": "matrices.npz", "models": []}
    with pytest.raises(InputError, match=r"net\.train\.recording: fmri has dissimilarity matrices"):
        resolve(with_train(config, recording="fmri", label=None, stimuli=None))


def test_small_networks_are_not_pretrained(config):
    config["models"]["net"]["weights"] = "pretrained"
    with pytest.raises(InputError, match=r"models\.net\.weights: there are no pretrained weights of conv2"):
        check_inputs(resolve(config))


def test_a_teacher_is_taken_as_it_is(config):
    config["recordings"]["simulated"] = {
        "stimuli": "tested",
        "simulate": {
            "teacher": {"architecture": "conv1", "train": {"label": "category"}},
            "areas": {"IT": {"layer": "block1", "neuroids": 2}},
        },
    }
    with pytest.raises(InputError, match=r"recordings\.simulated\.simulate\.teacher"):
        check_inputs(resolve(config))
