"""The store of predictions opens in one line, and its predictions give the numbers of the score table."""

import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from sklearn.linear_model import Ridge

from ventral.audit.comparison import difference
from ventral.configuration.resolution import predictions_of, resolve
from ventral.errors import InputError
from ventral.mappings.correlation import pooled_r, r_folds, sums_within_folds
from ventral.models.description import describe
from ventral.models.zoo import resolve_model
from ventral.predictions.held_out import predictions
from ventral.scores.fitting import fit
from ventral.store import read_dataset, write_dataset

N, NEURONS = 48, 6
FEATURES = {"early": 200, "middle": 30, "late": 12}
AREAS = ["V4"] * 3 + ["IT"] * 3
LEFT_OUT = 5
OPTIONS = {
    "mappings": ["ridge", "pls", "ols", "rsa"],
    "splits": ["stimuli", "objects"],
    "n_folds": 5,
    "seed": 1,
    "penalties": [1e-2, 1.0, 1e2],
    "components": 3,
    "reliability_threshold": 0.1,
}


class Run:
    """A model of three layers, six neurons with gaps, one of them left out, and 48 stimuli of four objects."""

    def __init__(self, folder, bins=0):
        self.folder = folder
        rng = np.random.default_rng(0)
        columns = {
            "object": np.repeat(["bear", "car", "dog", "plane"], N // 4),
            "size": rng.uniform(1, 2, N),
            "area": np.arange(N) % 3,
            "part": np.where(np.arange(N) % 3, "train", "test"),
            "stimulus_area": np.arange(N) % 5,
        }
        stimuli = xr.Dataset(
            coords={"stimulus": [f"s{k}" for k in range(N)], **{name: ("stimulus", v) for name, v in columns.items()}},
            attrs={"name": "set", "sha256": "a" * 64},
        )
        write_dataset(stimuli, folder / "stimuli.zarr")
        self.features = {name: rng.normal(size=(N, p)) for name, p in FEATURES.items()}
        signal = [self.features[name] @ rng.normal(size=(FEATURES[name], 3)) for name in ("middle", "late")]
        shape = (4, N, NEURONS, bins) if bins else (4, N, NEURONS)
        signal = np.concatenate(signal, axis=1)
        responses = (signal[..., None] if bins else signal) + rng.normal(size=shape)
        responses[3, ::2] = np.nan
        # The whole first object, so that a split has a fold less.
        responses[:, : N // 4, 1] = np.nan
        responses[:, 20:22, 2] = np.nan
        axes, of_neuroids = (("neuroid", "time_bin") if bins else ("neuroid",)), shape[2:]
        left_out = np.full(of_neuroids, "", object)
        left_out[LEFT_OUT] = "constant"
        coords = {"neuroid": [f"n{k}" for k in range(NEURONS)], "area": ("neuroid", AREAS)}
        recording = xr.Dataset(
            {
                "responses": (("repetition", "stimulus", *axes), responses),
                "reliability": (axes, np.full(of_neuroids, 0.9)),
                "left_out": (axes, left_out),
            },
            coords=coords | {"stimulus": stimuli["stimulus"].values} | ({"time_bin": ["1", "2"]} if bins else {}),
            attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": "a" * 64, "has_repetitions": True},
        )
        write_dataset(recording, folder / "recording.zarr")
        self.responses = responses
        layers = [
            {"name": name, "depth": depth, "shape": [p], "n_features": p}
            for (name, p), depth in zip(FEATURES.items(), (0.2, 0.5, 1.0), strict=True)
        ]
        group = zarr.open_group(folder / "gram.zarr", mode="w")
        known = {"stimuli": "set", "stimuli_sha256": "a" * 64, "weights_sha256": "b" * 64, "layers": layers}
        group.attrs.update(model="net", family="pretrained", **known)
        for name, values in self.features.items():
            layer = group.create_group(name, attributes={"n_features": values.shape[1]})
            arrays = {"gram": values @ values.T, "row_sums": values.sum(axis=1), "sample": values}
            for part, array in (arrays | {"sampled_features": np.arange(values.shape[1])}).items():
                layer.create_array(part, data=array)
        self.fit()

    def paths(self, *names):
        return [self.folder / name for name in names]

    def fit(self, **changes):
        stores = self.paths("gram.zarr", "recording.zarr", "stimuli.zarr", "scores.parquet")
        fit(*stores, n_bootstrap=100, **OPTIONS | changes)
        self.scores = pd.read_parquet(self.folder / "scores.parquet")

    def write(self, output="all.zarr", layers="all", **changes):
        stores = self.paths("gram.zarr", "recording.zarr", "stimuli.zarr", "scores.parquet", output)
        predictions(*stores, layers=layers, **OPTIONS | changes)
        return self.folder / output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def opened(run):
    return opening(run.write())


def opening(path):
    """The one line of the documentation."""
    return xr.open_zarr(path, chunks=None)


def table_of(store: xr.Dataset) -> pd.DataFrame:
    """The score table's r, r over folds and penalty, by nothing but what a store of several layers and mappings has."""
    rows = []
    for split in store["split"].values:
        of_split = store.sel(split=split)
        fold = of_split["fold"].values
        folds = [np.flatnonzero(fold == k) for k in range(fold.max() + 1)]
        for layer in store["layer"].values:
            penalty = np.exp(np.log(of_split["penalty"].sel(layer=layer)).mean("held_out")).values
            for mapping in store["mapping"].values:
                predicted = of_split["predicted"].sel(layer=layer, mapping=mapping).values
                sums = sums_within_folds(predicted, store["measured"].values, folds)
                found = {"target": store["neuroid"].values, "time_bin": store["time_bin"].values, "r": pooled_r(sums)}
                found |= {"r_folds": r_folds(sums), "alpha": penalty if mapping == "ridge" else np.nan}
                rows.append(pd.DataFrame(found).assign(split=split, layer=layer, mapping=mapping))
    return pd.concat(rows)


def assert_table_of_scores(store, scores, splits=("stimuli", "objects")):
    scores = scores[scores["split"].isin(splits)]
    keys = ["split", "layer", "mapping", "target", "time_bin"]
    of_neurons = scores[(scores["target_kind"] == "neuron") & (scores["mapping"].isin(store["mapping"].values))]
    columns = ["r", "r_folds", "alpha"]
    expected = of_neurons.set_index(keys)[columns].astype(float).sort_index()
    found = table_of(store).set_index(keys)[columns].reindex(expected.index)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    return expected


def test_r_of_the_store_is_the_table_s(run, opened):
    expected = assert_table_of_scores(opened, run.scores)
    # Least squares is not defined on `early`, nor on `middle` for the 36 stimuli of n1.
    assert len(expected) == 2 * 3 * 3 * 5
    assert expected["r"].notna().sum() == 2 * 5 * (3 + 3 + 2) - 2


def test_axes_names_and_attributes(run, opened):
    sizes = {"layer": 3, "mapping": 3, "split": 2, "stimulus": N, "neuroid": 5}
    assert dict(opened["predicted"].sizes) == sizes
    assert dict(opened["measured"].sizes) == {"stimulus": N, "neuroid": 5}
    assert dict(opened["penalty"].sizes) == {"layer": 3, "split": 2, "held_out": 5, "neuroid": 5}
    assert set(opened.data_vars) == {"predicted", "measured", "penalty"}
    assert opened["layer"].values.tolist() == list(FEATURES)
    assert opened["mapping"].values.tolist() == ["ridge", "pls", "ols"]
    assert opened["split"].values.tolist() == ["stimuli", "objects"]
    assert opened["neuroid"].values.tolist() == [f"n{k}" for k in range(5)]
    assert opened["area"].values.tolist() == AREAS[:5]
    assert opened["time_bin"].values.tolist() == [""] * 5
    assert opened["depth"].values.tolist() == [0.2, 0.5, 1.0]
    assert opened["best_of"].values.tolist() == ["", "V4", "IT"]
    assert opened["object"].values[[0, -1]].tolist() == ["bear", "plane"]
    # A column of the stimuli that is called as a coordinate of the neuroids.
    assert opened["stimulus_area"].values[:6].tolist() == [0, 1, 2, 3, 4, 0]
    assert opened["stimulus_stimulus_area"].values[:4].tolist() == [0, 1, 2, 0]
    known = {"model": "net", "family": "pretrained", "recording": "rec", "stimuli": "set"}
    known |= {"stimuli_sha256": "a" * 64, "weights_sha256": "b" * 64}
    assert {name: opened.attrs[name] for name in known} == known
    expected = np.ma.masked_invalid(run.responses).mean(axis=0).filled(np.nan)[:, :LEFT_OUT]
    np.testing.assert_allclose(opened["measured"], expected)
    assert xr.Dataset.equals(opened, read_dataset(run.folder / "all.zarr"))


def test_each_prediction_is_a_direct_fit_s_without_the_fold(run, opened):
    for split, layer, neuroid in (("stimuli", "late", "n0"), ("objects", "early", "n1"), ("objects", "middle", "n2")):
        store = opened.sel(split=split, layer=layer, neuroid=neuroid)
        y, fold, x = store["measured"].values, store["fold"].values, run.features[layer]
        for k in np.unique(fold):
            training, test = ((chosen & np.isfinite(y)) for chosen in (fold != k, fold == k))
            penalty = store["penalty"].values[k]
            assert np.isfinite(penalty) == test.any()
            if test.any():
                expected = Ridge(alpha=penalty, solver="svd").fit(x[training], y[training]).predict(x[test])
                found = store["predicted"].sel(mapping="ridge").values
                np.testing.assert_allclose(found[test], expected, rtol=1e-7)
                assert np.isnan(found[(fold == k) & ~test]).all()


def test_objects_are_held_out_together(opened):
    folds = opened["fold"].sel(split="objects")
    assert all(len(set(of_object.values)) == 1 for _, of_object in folds.groupby("object"))
    assert np.bincount(opened["fold"].sel(split="stimuli")).tolist() == [10, 10, 10, 9, 9]


def test_best_and_named_layers(run, opened):
    best = opening(run.write("best.zarr", "best"))
    assert best["layer"].values.tolist() == ["middle", "late"]
    xr.testing.assert_identical(best["predicted"].load(), opened["predicted"].sel(layer=["middle", "late"]).load())


def test_one_layer_and_one_mapping_have_no_axis(run, opened):
    named = opening(run.write("named.zarr", ["late"], mappings=["ridge"]))
    assert named["predicted"].dims == ("split", "stimulus", "neuroid")
    assert named["penalty"].dims == ("split", "held_out", "neuroid")
    assert (named["layer"].item(), named["mapping"].item(), named["best_of"].item()) == ("late", "ridge", "IT")
    expected = opened["predicted"].sel(layer="late", mapping="ridge").values
    np.testing.assert_array_equal(named["predicted"].values, expected)


def test_the_code_of_the_documentation_gives_r(run, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")
    code = re.search("## Predictions.*?```python\n(.*?)```", text, re.DOTALL)[1]
    run.write("results/mine/predictions/my_neurons/efficientnet_lite0.zarr", ["late"], mappings=["ridge"])
    monkeypatch.chdir(run.folder)
    known = {}
    exec(code.replace("neuroid_3", "n1"), known)
    scores = run.scores[(run.scores["target_kind"] == "neuron") & (run.scores["mapping"] == "ridge")]
    rows = scores[(scores["layer"] == "late") & (scores["split"] == "stimuli")].set_index("target")
    np.testing.assert_allclose(known["r"], rows["r"].astype(float)[known["r"]["neuroid"].values.tolist()], rtol=1e-9)


def test_published_and_random_training_and_test_sets(run, tmp_path):
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    other = Run.__new__(Run)
    other.folder = copy
    splits = ["stimuli", {"partition": "part", "name": "published"}, {"random": 3, "train": 30, "name": "random"}]
    other.fit(splits=splits)
    store = opening(other.write("sets.zarr", splits=splits))
    draws = [f"random, draw {k}" for k in (1, 2, 3)]
    assert store["split"].values.tolist() == ["stimuli", "published", *draws]
    assert_table_of_scores(store.sel(split=["stimuli", "published"]), other.scores, ["stimuli", "published"])
    published = store.sel(split="published")
    assert ((published["fold"] == 0) == (published["part"] == "test")).all()
    assert np.isnan(published["predicted"].values[..., published["fold"].values < 0, :]).all()
    found = table_of(store.sel(split=draws))
    found = found.groupby(["layer", "mapping", "target"])["r"].median()
    rows = other.scores[(other.scores["target_kind"] == "neuron") & (other.scores["split"] == "random")]
    expected = rows[rows["mapping"] != "rsa"].set_index(["layer", "mapping", "target"])["r"].astype(float).dropna()
    assert len(expected)
    np.testing.assert_allclose(found[expected.index], expected, rtol=1e-9)


def test_mappings_without_a_penalty_have_none(run):
    store = opening(run.write("pls.zarr", ["late"], mappings=["pls", "rsa"]))
    assert set(store.data_vars) == {"predicted", "measured"}


def test_neuroids_in_bins_of_time(tmp_path):
    run = Run(tmp_path, bins=2)
    store = opening(run.write())
    assert store["neuroid"].values[:3].tolist() == ["n0", "n0", "n1"]
    assert store["time_bin"].values[:3].tolist() == ["1", "2", "1"]
    assert set(store["best_of"].values) == {"", "V4, 1; V4, 2", "IT, 1; IT, 2"}
    assert_table_of_scores(store, run.scores)


def test_the_size_is_said_before_the_fits(run, caplog, monkeypatch):
    def stop(*_, **__):
        raise InterruptedError

    monkeypatch.setattr("ventral.predictions.held_out.predict", stop)
    caplog.set_level(logging.INFO, "ventral")
    with pytest.raises(InterruptedError):
        run.write("never.zarr")
    values = N * 5 * (1 + 3 * 3 * 2)
    said = "predictions of 3 layers for 5 neuroids and 48 stimuli, by ridge, pls, ols, on stimuli, objects"
    assert f"{said}: {8 * values / 1e6:.3g} MB" in caplog.text
    assert not (run.folder / "never.zarr").exists()


def test_where_no_layer_is_best_the_store_has_none(run, caplog):
    store = opening(run.write("none.zarr", "best", reliability_threshold=1.0))
    assert store["predicted"].shape == (0, 3, 2, N, 5)
    assert "model net: no predictions: no layer has a score for a reliable enough neuron" in caplog.text


def test_the_same_run_gives_the_same_store(run, opened):
    again = run.write("again.zarr", cores=2)
    assert difference(run.folder / "all.zarr", again).size == 0
    first, second = (
        {path.relative_to(store): path.read_bytes() for path in store.rglob("*") if path.is_file()}
        for store in (run.folder / "all.zarr", again)
    )
    assert first == second


def test_a_damaged_store_is_told(run):
    path = run.write("damaged.zarr", ["late"])
    file = next(file for file in (path / "predicted" / "c").rglob("*") if file.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.zarr.*predicted"):
        read_dataset(path).load()
    file.unlink()
    with pytest.raises(InputError, match=r"damaged\.zarr: array `predicted`"):
        read_dataset(path)


def test_other_layers_are_refused(run, tmp_path):
    with pytest.raises(InputError, match=r"outputs\.predictions: 'lat' is none of the layers .* model net; .* late"):
        run.write("wrong.zarr", ["early", "lat"])
    assert not (run.folder / "wrong.zarr").exists()
    spec = resolve_model("pixels", None)
    describe(spec, tmp_path / "m.json", predicted=["pixels"])
    assert json.loads((tmp_path / "m.json").read_text())["model"] == "pixels"
    with pytest.raises(InputError, match=r"outputs\.predictions: 'pixel' is none of the layers .* model pixels"):
        describe(spec, tmp_path / "n.json", predicted=["pixel"])


OWN = {"architecture": "a.module:make"}
CONFIG = {
    "stimuli": {"mine": {"images": "images"}},
    "recordings": {"rec": {"stimuli": "mine", "responses": "r.npy"}, "fmri": {"stimuli": "mine", "matrices": "m.npz"}},
    "models": {"net": {**OWN, "layers": ["conv1", "conv2"]}, "other": {**OWN, "layers": ["conv*"]}, "pixels": None},
}


def asked(wanted, **changed):
    return resolve({**CONFIG, "outputs": {"predictions": wanted}, **changed})


def test_the_config_says_which_layers_of_which_models_are_written():
    assert resolve(CONFIG)["outputs"]["predictions"] == {}
    assert predictions_of(resolve(CONFIG)) == []
    for word in ("best", "all"):
        assert asked(word)["outputs"]["predictions"] == dict.fromkeys(("net", "other", "pixels"), word)
        # A recording of matrices has none.
        assert predictions_of(asked(word)) == [("rec", "net"), ("rec", "other"), ("rec", "pixels")]
    assert asked(["conv2"])["outputs"]["predictions"] == {"net": ["conv2"], "other": ["conv2"]}
    assert predictions_of(asked({"pixels": ["pixels"]})) == [("rec", "pixels")]
    assert predictions_of(asked("all", mappings=["pls"])) == predictions_of(asked("all"))
    both = resolve({**CONFIG, "outputs": {"predictions": ["conv1"], "readouts": "best"}})["outputs"]
    assert (both["predictions"]["net"], both["readouts"]["net"]) == (["conv1"], "best")


WRONG = {
    "word": ("worst", {}, r"config key outputs\.predictions: 'worst' is not known; .*best"),
    "layer": (["conv3"], {}, r"outputs\.predictions: 'conv3' is none of the layers .* model net; .* conv2, conv1"),
    "model": ({"nat": ["conv1"]}, {}, r"outputs\.predictions: no model called 'nat' is scored .*did you mean `net`"),
    "layer of pixels": ({"pixels": ["rgb"]}, {}, r"outputs\.predictions: 'rgb' is none of .* the model pixels"),
    "matrices": (
        "all",
        {"recordings": {"fmri": CONFIG["recordings"]["fmri"]}},
        r"outputs\.predictions: no model is scored against a recording of neuroids; leave `predictions` out",
    ),
    "no prediction": (
        "all",
        {"mappings": ["rsa"]},
        r"none of the mappings rsa predicts .* pls, ols, one_to_one",
    ),
    "best without ridge": ("best", {"mappings": ["pls"]}, r"outputs\.predictions: the best layers .* add `ridge`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_predicted_is_told_before_any_job(name):
    wanted, changed, said = WRONG[name]
    with pytest.raises(InputError, match=said):
        asked(wanted, **changed)
