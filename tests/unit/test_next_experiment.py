"""The next experiment: which neurons and models are compared, what is chosen, and what a config may ask for."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from scipy.stats import norm

import ventral
from tests.unit.rich_config import rich, written
from ventral.configuration.resolution import check_inputs, readouts_of, resolve
from ventral.errors import InputError
from ventral.figures.next_experiment import chosen_stimuli
from ventral.in_silico import pool as pools
from ventral.in_silico.discrimination import chosen, log_likelihood_ratio, separation, trials_needed
from ventral.in_silico.next_experiment import CHOSEN_COLUMNS, TRIALS_COLUMNS, choose_stimuli, count_trials, questions
from ventral.in_silico.pool import predict_pool, predictions_for
from ventral.recordings.time_bins import read_recording
from ventral.stimuli.ingestion import ingest
from ventral.store import read_dataset, write_dataset
from ventral.tables import read_csv

N, POOL, SIDE = 40, 16, 6
NEURONS = ["a", "b", "c", "d", "e"]
AREAS = ["V4", "V4", "V4", "IT", "IT"]


class Linear:
    """A readout whose features are the pixels."""

    def __init__(self, model: str, layer: str, seed: int, best_of: tuple[str, ...] = (), **changed: object) -> None:
        self.path, self.shape = Path(f"{model}_{layer}.zarr.zip"), (3, SIDE, SIDE)
        self.weights = np.random.default_rng(seed).normal(size=(3 * SIDE**2, len(NEURONS)))
        self.attributes = {
            "model": {"name": model},
            "layer": {"name": layer},
            "best_of": list(best_of),
            "recording": "rec",
            "neuroid": NEURONS,
            "area": AREAS,
            "time_bin": [""] * len(NEURONS),
            "splits": ["stimuli", "objects"],
            **changed,
        }
        tables = [
            pd.DataFrame({"split": split, "predictivity": value})
            for split, value in (("stimuli", [0.5, 0.6, 0.7, 0.8, np.nan]), ("objects", [0.0] * len(NEURONS)))
        ]
        self.neuroids = pd.concat(tables, ignore_index=True)

    def predict(self, stimuli: np.ndarray, **_how: object) -> SimpleNamespace:
        return SimpleNamespace(values=np.asarray(stimuli).reshape(len(stimuli), -1) @ self.weights / 1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A pool with two equal and two nearly equal images, and a recording of six neurons, of which one is left out."""
    folder = tmp_path_factory.mktemp("next")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (POOL, SIDE, SIDE, 3), dtype=np.uint8)
    images[1] = images[0]
    images[3] = np.clip(images[2].astype(int) + 1, 0, 255)
    for k, image in enumerate(images):
        Image.fromarray(image).save(folder / "images" / f"{k}.png")
    ingest({"images": str(folder / "images")}, folder / "pool.zarr", name="pool")
    signal, noise = rng.normal(size=(N, 6)), np.array([0.5, 1, 1, 1, 1, 2])
    responses = signal + noise * rng.normal(size=(4, N, 6))
    responses[3, ::2] = np.nan
    write_recording(folder / "recording.zarr", responses)
    return folder


def write_recording(path: Path, responses: np.ndarray) -> None:
    names = ["gone", *NEURONS]
    coordinates = {"neuroid": np.array(names, object), "area": ("neuroid", np.array(["V4", *AREAS], object))}
    known = {
        "reliability": ("neuroid", np.array([np.nan, 0.9, 0.05, 0.8, 0.7, 0.6])),
        "left_out": ("neuroid", np.array(["constant", *[""] * 5], object)),
    }
    values = {"responses": (("repetition", "stimulus", "neuroid"), responses)}
    write_dataset(xr.Dataset({**values, **known}, coordinates, {"recording": "rec"}), path)


@pytest.fixture
def predicted(folder, tmp_path, monkeypatch):
    """A function that predicts the pool by readouts, as the stage does, and returns the path of the store."""

    def predict(readouts: list[Linear], **candidates: object) -> Path:
        files = {str(folder / one.path.stem): one for one in readouts}
        monkeypatch.setattr(pools, "load_readout", lambda path: files[str(path).removesuffix(".zip")])
        monkeypatch.setattr(Path, "glob", lambda self, _pattern: [Path(f"{self}.zarr.zip")])
        paths = [path.removesuffix(".zarr") for path in files]
        with monkeypatch.context():
            predict_pool(paths, folder / "pool.zarr", tmp_path / "predicted.zarr", candidates=candidates, batch_size=7)
        monkeypatch.undo()
        return tmp_path / "predicted.zarr"

    return predict


THREE = [("one", "x", 1, ("V4",)), ("one", "y", 2, ("IT",)), ("two", "x", 3, ("V4", "IT"))]


def three() -> list[Linear]:
    return [Linear(*one) for one in THREE]


def comparisons(path: Path, *told_apart: bool) -> Path:
    """A table in which models `one` and `two` are told apart, or not, in V4 and IT."""
    places = pd.DataFrame({"recording": "rec", "area": ["V4", "IT"], "time_bin": "", "mapping": "ridge"})
    rows = places.assign(split="stimuli", compared="models", model_a="two", model_b="one", differs=list(told_apart))
    others = [rows.assign(**changed, differs=False) for changed in ({"split": "objects"}, {"mapping": "pls"})]
    table = pd.concat([rows, *others, rows.assign(compared="layers", differs=False)])
    table.assign(layer_a="x", layer_b="x").to_csv(path, index=False)
    return path


def test_the_best_layer_of_each_area_stands_for_its_model(folder, predicted):
    store = read_dataset(predicted(three(), one="best", two="best"))
    assert store["stands"].values.tolist() == [
        [area == "V4" for area in AREAS],
        [area == "IT" for area in AREAS],
        [True] * 5,
    ]
    pixels = read_dataset(folder / "pool.zarr")["pixels"].values.reshape(POOL, -1)
    np.testing.assert_allclose(store["predicted"].values[1], pixels @ three()[1].weights / 1000)
    assert store["predictivity"].values[0].tolist()[:4] == [0.5, 0.6, 0.7, 0.8]
    assert sorted(map(sorted, store.attrs["alike"])) == [["0.png", "1.png"], ["2.png", "3.png"]]


def test_named_layers_stand_for_every_area(predicted):
    store = read_dataset(predicted(three(), one=["y"], two="all"))
    assert list(zip(store["model"].values, store["layer"].values, strict=True)) == [("one", "y"), ("two", "x")]
    assert store["stands"].values.all()


def test_a_single_readout_and_a_pool_of_another_size_are_refused(predicted):
    with pytest.raises(InputError, match=r"in_silico.next_experiment: 1 candidates of one, two have readouts, and two"):
        predicted(three()[1:], one=["z"], two="all")
    small = three()
    small[2].shape = (3, 5, 5)
    with pytest.raises(InputError, match=r"pool.zarr: stimuli of shape \(3, 6, 6\), but two_x.zarr.zip .*\(3, 5, 5\)"):
        predicted(small, one="all", two="all")


def test_readouts_of_other_neurons_are_refused():
    other = [Linear("one", "x", 1), Linear("two", "x", 2, neuroid=["v", "w", "x", "y", "z"])]
    with pytest.raises(InputError, match=r"two_x.zarr.zip: a readout of other neuroids than one_x.zarr.zip; compare"):
        predictions_for(other, np.zeros((2, 3, SIDE, SIDE)), ["p", "q"])


def test_noise_and_unexplained_variance_are_those_of_reliable_neurons(folder, predicted):
    store, recording = (
        read_dataset(predicted(three(), one="best", two="best")),
        read_recording(folder / "recording.zarr"),
    )
    v4, it = questions(store, recording, 0.1)
    assert [question.place["area"] for question in (v4, it)] == ["V4", "IT"]
    assert v4.candidates == [("one", "x"), ("two", "x")]
    assert it.candidates == [("one", "y"), ("two", "x")]
    # Neuron b has a low reliability, and the first one is left out.
    responses = recording["responses"].values[:, :, [1, 3]]
    counts = np.isfinite(responses).sum(axis=0)
    noise = np.nansum((responses - np.nanmean(responses, axis=0)) ** 2, axis=(0, 1)) / (counts - 1).sum(axis=0)
    np.testing.assert_allclose(v4.noise, noise)
    signal = np.nanmean(responses, axis=0).var(axis=0, ddof=1) - noise * (1 / counts).mean(axis=0)
    np.testing.assert_allclose(v4.unexplained, [signal * (1 - np.array([0.5, 0.7]) ** 2)] * 2)
    np.testing.assert_allclose(v4.predicted[1], store["predicted"].values[2][:, [0, 2]])
    np.testing.assert_allclose(v4.highest, np.nanmean(responses, axis=0).max(axis=0))


def test_a_recording_without_repetitions_is_refused(folder, predicted, tmp_path):
    write_recording(tmp_path / "once.zarr", read_recording(folder / "recording.zarr")["responses"].values[:1])
    store = read_dataset(predicted(three(), one="best", two="best"))
    with pytest.raises(
        InputError, match="recording rec: no stimulus was repeated, so that the noise of a trial is not"
    ):
        questions(store, read_recording(tmp_path / "once.zarr"), 0.1)


def stages(folder: Path, tmp_path: Path, predicted: Path, compared: Path, *, tied: bool) -> tuple:
    """The tables of chosen stimuli and of trials, by the stages."""
    inputs = (predicted, folder / "recording.zarr", compared)
    options = {"tied": tied, "reliability_threshold": 0.1}
    choose_stimuli(*inputs, tmp_path / "chosen.csv", n_chosen=6, **options)
    count_trials(*inputs, tmp_path / "chosen.csv", tmp_path / "trials.csv", n_draws=30, seed=0, **options)
    return read_csv(tmp_path / "chosen.csv", "stimulus", "layer"), read_csv(
        tmp_path / "trials.csv", "layer_a", "layer_b"
    )


def test_stimuli_are_chosen_where_models_are_tied(folder, predicted, tmp_path, caplog):
    store = predicted(three(), one="best", two="best")
    table, trials = stages(folder, tmp_path, store, comparisons(tmp_path / "c.csv", True, False), tied=True)
    assert list(table) == CHOSEN_COLUMNS
    assert set(table["area"]) == set(trials["area"]) == {"IT"}
    assert "rec, V4: no two candidates are tied, so no stimuli are chosen" in caplog.text
    (question,) = [
        one
        for one in questions(read_dataset(store), read_recording(folder / "recording.zarr"), 0.1)
        if one.place["area"] == "IT"
    ]
    (separations,) = question.separations
    ranked = np.argsort(-separations, kind="stable").tolist()
    allowed = [k for k in ranked if not any({k, other} in ({0, 1}, {2, 3}) for other in ranked[: ranked.index(k)])]
    names = read_dataset(folder / "pool.zarr")["stimulus"].values
    shown = table[table["model"] == "two"]
    assert shown["stimulus"].tolist() == names[allowed[:6]].tolist()
    np.testing.assert_allclose(shown["log_ratio"], separations[allowed[:6]] / 2)
    np.testing.assert_allclose(shown["predicted"], question.predicted[1][allowed[:6]].mean(axis=1))
    beyond = (question.predicted[1] > question.highest) | (question.predicted[1] < question.lowest)
    np.testing.assert_allclose(shown["beyond"], beyond[allowed[:6]].mean(axis=1))
    (row,) = trials.to_dict("records")
    assert (row["model_a"], row["layer_a"], row["model_b"], row["n_stimuli"], row["n_pool"]) == (
        "one",
        "y",
        "two",
        6,
        POOL,
    )
    differences, *known = question.compared((0, 1))
    assert row["trials"] == trials_needed(differences[allowed[:6]], *known)
    assert row["repetitions"] == np.ceil(row["trials"] / 6)
    assert row["random_low"] <= row["random_trials"] <= row["random_high"]


def test_the_sheet_shows_the_chosen_stimuli_or_says_that_there_are_none(folder, predicted, tmp_path):
    store = predicted(three(), one="best", two="best")
    files = [tmp_path / f"sheet.{kind}" for kind in ("svg", "pdf", "csv")]
    tables = [tmp_path / "chosen.csv", tmp_path / "trials.csv"]
    table, _ = stages(folder, tmp_path, store, comparisons(tmp_path / "c.csv", False, False), tied=True)
    chosen_stimuli(*tables, folder / "pool.zarr", *files)
    drawn = files[0].read_text()
    assert drawn.count("<image") == 12
    for text in ("rec, V4: 6 of 16 stimuli", "one y against two x:", f"1: {table['log_ratio'][0]:.2g}"):
        assert text in drawn
    empty, trials = stages(folder, tmp_path, store, comparisons(tmp_path / "c.csv", True, True), tied=True)
    assert (list(empty), list(trials)) == (CHOSEN_COLUMNS, TRIALS_COLUMNS)
    assert not len(empty) + len(trials)
    chosen_stimuli(*tables, folder / "pool.zarr", *files)
    assert "No two candidates are tied" in files[0].read_text()


def test_a_notebook_gets_the_tables_of_the_stages(folder, predicted, tmp_path):
    readouts = [Linear("one", "x", 1), Linear("two", "x", 3)]
    pixels = read_dataset(folder / "pool.zarr")["pixels"].values[4:]
    table, trials = ventral.next_experiment(
        readouts, pixels, folder / "recording.zarr", n_chosen=4, n_draws=10, seed=0, reliability_threshold=0.1
    )
    store = read_dataset(predicted(readouts, one="all", two="all")).isel(stimulus=slice(4, None))
    for question in questions(store, read_recording(folder / "recording.zarr"), 0.1):
        here = table[(table["area"] == question.place["area"]) & (table["model"] == "one")]
        assert here["stimulus"].tolist() == [str(k) for k in chosen(question.separations, 4, {})]
    assert trials["area"].tolist() == ["V4", "IT"]


def test_the_true_model_of_simulated_neurons_is_found_with_fewer_trials():
    """Responses lie around the predictions of the true model; the expected shares of right answers are reached."""
    rng = np.random.default_rng(5)
    first = rng.normal(size=(100, 5))
    second = first + 0.2 * rng.standard_t(4, size=first.shape)
    noise, unexplained, trials = np.full(5, 4.0), np.full(5, 0.09), 4
    separations = separation(first - second, noise, unexplained)
    shares = {}
    for name, stimuli in (
        ("chosen", chosen(separations[None], 10, {})),
        ("random", rng.choice(100, 10, replace=False)),
    ):
        spread = np.sqrt(unexplained + noise / trials)
        means = first[stimuli] + spread * rng.normal(size=(4000, 10, 5))
        ratios = log_likelihood_ratio(means, first[stimuli], second[stimuli], noise, unexplained, trials)
        expected = separation(first[stimuli] - second[stimuli], noise, unexplained, trials).sum()
        shares[name] = np.mean(ratios > 0)
        assert shares[name] == pytest.approx(norm.cdf(np.sqrt(expected) / 2), abs=0.03)
    assert shares["chosen"] > shares["random"] + 0.05


CONFIG = {
    "stimuli": {
        "mine": {"images": "images"},
        "other": {"images": "more", "degrees": 8},
        "sounds": {"sounds": "sounds"},
        "names": {"table": "names.csv"},
    },
    "recordings": {
        "rec": {"stimuli": "mine", "responses": "r.npy"},
        "fmri": {"stimuli": "mine", "matrices": "m.npz"},
    },
    "models": {
        "net": {"architecture": "a.module:make", "layers": ["conv1", "conv2"]},
        "pixels": None,
    },
}


def asked(changed: dict | None = None, **options: object) -> dict:
    given = {"recording": "rec", "pool": "mine", **options}
    return resolve({**CONFIG, "in_silico": {"next_experiment": given}, **(changed or {})})


def test_candidates_get_readouts():
    config = asked()
    assert readouts_of(config) == {("rec", "net"): "best", ("rec", "pixels"): "best"}
    assert config["in_silico"]["next_experiment"]["tied"]
    layers = asked(candidates={"net": ["conv1", "conv2"]})
    assert readouts_of(layers) == {("rec", "net"): ["conv1", "conv2"]}
    assert not layers["in_silico"]["next_experiment"]["tied"]
    both = asked(
        {"outputs": {"readouts": {"net": ["conv2"], "pixels": ["pixels"]}}}, candidates={"net": ["conv1", "conv2"]}
    )
    assert readouts_of(both) == {("rec", "net"): ["conv2", "conv1"], ("rec", "pixels"): ["pixels"]}
    assert readouts_of(asked({"outputs": {"readouts": "all"}})) == {("rec", "net"): "all", ("rec", "pixels"): "all"}


WRONG = {
    "an unknown recording": ({"recording": "rex"}, r"recording: no recording is called 'rex'; .*`rec`"),
    "an unknown pool": ({"pool": "mime"}, r"pool: no stimulus set is called 'mime'; .*`mine`"),
    "matrices": ({"recording": "fmri"}, r"recording: fmri has dissimilarity matrices; models are told apart by"),
    "a table alone": ({"pool": "names"}, "pool: the stimuli names are a table alone, and networks need their files"),
    "sounds": ({"pool": "sounds"}, r"pool: sounds has sounds, and the recording's stimuli mine are images"),
    "other degrees": (
        {"pool": "other"},
        r"pool: `degrees` differ \(other has 8, mine has none\); give both sets the same",
    ),
    "an unknown model": ({"candidates": {"nat": "best"}}, r"candidates: no model called 'nat' is scored against rec"),
    "an unknown layer": (
        {"candidates": {"net": ["conv3"]}},
        r"next_experiment.candidates: 'conv3' is none of the layers",
    ),
    "one layer": (
        {"candidates": {"net": ["conv1"]}},
        "candidates: net is a single candidate, and two or more are told",
    ),
    "one model": ({"candidates": {"net": "best"}}, "candidates: net is a single candidate, and two or more are told"),
    "no stimuli": ({"chosen": 0}, "chosen"),
    "no pool": ({"pool": None}, "pool"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_next_experiment_is_told_from_the_config(name):
    changed, said = WRONG[name]
    with pytest.raises(InputError, match=said):
        asked(**changed)


def test_a_single_model_is_never_tied():
    with pytest.raises(
        InputError, match="candidates: net is a single candidate, .*; name another model or layer of rec"
    ):
        asked({"models": {"net": CONFIG["models"]["net"]}})


def test_other_layers_for_readouts_are_refused():
    with pytest.raises(
        InputError, match=r"outputs.readouts.net: \['conv1'\] .*, and in_silico.next_experiment takes 'best'"
    ):
        asked({"outputs": {"readouts": {"net": ["conv1"]}}})


def test_grams_without_activations_are_refused():
    with pytest.raises(InputError, match=r"grams.from: .*, and in_silico.next_experiment would read them"):
        asked({"grams": {"from": "forward"}})
    with pytest.raises(InputError, match="its readouts are of ridge regression; add `ridge` to `mappings`"):
        asked({"mappings": ["pls"]})


def test_a_simulation_without_repetitions_is_refused():
    given = {"stimuli": "mine", "simulate": {"teacher": "conv2", "areas": {"V4": {"layer": "3", "neuroids": 2}}}}
    given["simulate"]["repetitions"] = 1
    with pytest.raises(InputError, match="simulated_sim has one repetition of each stimulus, so that the noise"):
        asked({"recordings": {"simulated_sim": given}}, recording="simulated_sim")


@pytest.fixture
def small(tmp_path) -> dict:
    """A config of images of 8 x 8 pixels and responses of two repetitions, which asks for the next experiment."""
    config = {
        key: value for key, value in rich(written(tmp_path)).items() if key in ("results", "stimuli", "recordings")
    }
    del config["stimuli"]["training"], config["stimuli"]["objects"]
    config["recordings"] = {"rec": config["recordings"]["rec"]}
    del config["recordings"]["rec"]["ceiling"]
    config["stimuli"]["pool"] = {"images": str(tmp_path / "photographs")}
    config["in_silico"] = {"next_experiment": {"recording": "rec", "pool": "pool"}}
    return config | {"models": ["pixels", "v1like"], "folds": 4}


def test_present_files_of_another_size_or_without_repetitions_are_refused(small, tmp_path):
    check_inputs(resolve(small))
    small["stimuli"]["pool"]["size"] = 16
    refused = r"readouts .* pool has 3 x 16 x 16 and mine has 3 x 8 x 8 \(colours, rows"
    with pytest.raises(InputError, match=rf"next_experiment.pool: {refused}"):
        check_inputs(resolve(small))
    drive = {"recording": "rec", "neuroids": ["n0"], "model": "v1like", "judge": "pixels", "pool": "pool"}
    with pytest.raises(InputError, match=rf"drive.pool: {refused}"):
        check_inputs(resolve({**small, "in_silico": {"drive": drive}}))
    small["stimuli"]["pool"] = {"render": {"categories": ["cars"], "exemplars": 2, "images": 4, "size": 32}}
    with pytest.raises(
        InputError, match=r"pool has 3 x 32 x 32 and mine has 3 x 8 x 8 .*; give pool the `size` of mine"
    ):
        check_inputs(resolve(small))
    small["stimuli"]["pool"] = small["stimuli"]["mine"]
    np.save(tmp_path / "responses.npy", np.random.default_rng(0).normal(size=(4, 12)))
    with pytest.raises(InputError, match="recording: rec has one repetition of each stimulus, so that the noise"):
        check_inputs(resolve(small))
