"""What stages say of inputs that do not fit together, that say nothing, or that are not there: never a traceback."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tests.command_lines import command_line
from tests.unit.synthetic_results import SETTINGS
from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.__main__ import main
from ventral.grams.recorded import recorded_gram
from ventral.grams.streaming import write_layer
from ventral.report import page as pages
from ventral.report.prose import NO_MODELS
from ventral.scores.table import COLUMNS, write_table
from ventral.statistics.bootstrap import write_bootstraps
from ventral.store import write_dataset

N, NEURONS = 24, 4
SHA256 = "a" * 64


def ran(stage: str, inputs: dict, outputs: dict, options: dict, **checked: str) -> tuple[int, str]:
    """The exit status of a stage, and its log."""
    before, level = list(logging.getLogger().handlers), logging.getLogger("ventral").level
    more = ["--log", "log", "--checked", json.dumps(checked)]
    status = main(command_line(stage, inputs, outputs, *more, **options))
    logging.getLogger("ventral").setLevel(level)
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()
    return status, Path("log").read_text(encoding="utf-8")


# Stores of other stimuli


def write_stimuli(path: str, n: int = N, sha256: str = SHA256) -> None:
    kinds = np.array(["cars", "dogs", "pans"])[np.arange(n) % 3].astype(object)
    names = np.array([f"image{k}" for k in range(n)], dtype=object)
    coordinates = {"stimulus": names, "object": ("stimulus", kinds), "category": ("stimulus", kinds)}
    pixels = np.zeros((n, 3, 16, 16), np.uint8)
    stimuli = xr.Dataset(
        {"pixels": (("stimulus", "channel", "y", "x"), pixels)}, coordinates, {"name": "set", "sha256": sha256}
    )
    write_dataset(stimuli, path)


def write_recording(path: str, n: int = N, sha256: str = SHA256) -> None:
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), np.random.default_rng(0).normal(size=(2, n, NEURONS))),
            "reliability": ("neuroid", np.full(NEURONS, 0.5)),
            "left_out": ("neuroid", np.full(NEURONS, "", object)),
        },
        coords={
            "stimulus": np.array([f"image{k}" for k in range(n)], dtype=object),
            "neuroid": np.array([f"n{k}" for k in range(NEURONS)], dtype=object),
            "area": ("neuroid", np.array(["V4", "V4", "IT", "IT"], dtype=object)),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": sha256}
        | {"n_repetitions": 2, "has_repetitions": True},
    )
    write_dataset(recording, path)


def write_gram(path: str, n: int = N, sha256: str = SHA256) -> None:
    group = zarr.open_group(path, mode="w")
    layers = [{"name": name, "depth": depth, "shape": [6], "n_features": 6} for name, depth in (("a", 0.5), ("b", 1.0))]
    group.attrs.update(model="net", family="trained", stimuli="set", stimuli_sha256=sha256, layers=layers)
    for layer in layers:
        values = np.random.default_rng(1).normal(size=(n, 6))
        write_layer(group, layer, values @ values.T, values.sum(axis=1), values, np.arange(6))


def write_areas(path: str, n: int = N, sha256: str = SHA256) -> None:
    write_recording("for_areas.zarr", n, sha256)
    recorded_gram("for_areas.zarr", path)


def write_activations(path: str, n: int = N, sha256: str = SHA256) -> None:
    Path(path).mkdir(exist_ok=True)
    group = zarr.open_group(f"{path}/0.zarr", mode="w")
    layers = [{"name": "maps", "depth": 0.5, "shape": [2, 3, 3], "n_features": 18}]
    group.attrs.update(model="net", family="trained", stimuli="set", stimuli_sha256=sha256, layers=layers)
    group.attrs.update(weights_sha256="", dtype="float32", n_stimuli=n, start=0, stop=n)
    group.create_array("maps", data=np.random.default_rng(2).normal(size=(n, 18)).astype(np.float32))


WRITE = {
    "stimuli.zarr": write_stimuli,
    "recording.zarr": write_recording,
    "gram.zarr": write_gram,
    "areas.zarr.zip": write_areas,
    "activations": write_activations,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Stores that belong together."""
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for path, write in WRITE.items():
            write(path)
    return folder


@pytest.fixture
def here(stores, tmp_path, monkeypatch):
    """A copy of the stores, to be spoiled."""
    shutil.copytree(stores, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")


FOLDS = {"splits": ["stimuli"], "n_folds": 3, "seed": 0}
RIDGE = FOLDS | {"penalties": [1]}
THRESHOLD = {"reliability_threshold": 0.1}
DECODING = RIDGE | THRESHOLD | {"draws": 2, "units": 2, "periods": {}}
FIT = RIDGE | THRESHOLD | {"n_bootstrap": 100}
GRAM, RECORDING, STIMULI = {"gram": "gram.zarr"}, {"recording": "recording.zarr"}, {"stimuli": "stimuli.zarr"}
SCORED = GRAM | RECORDING | STIMULI
TRAINING = {"name": "fit", "stimuli": "set", "recording": "rec", "network": {"architecture": "conv1"}}
OUT = {"output": "out"}
OF_SEVERAL_STORES = {
    "fit": (SCORED, OUT | {"bootstraps": "resamples"}, FIT),
    "banded": (SCORED, OUT, RIDGE | {"layers": ["a", "b"]}),
    "partition": (
        {"grams": "gram.zarr"} | RECORDING | STIMULI,
        OUT | {"areas": "areas"},
        FIT | {"name": "both", "models": ["net", {"column": "category"}], "periods": {}},
    ),
    "decode": (SCORED, OUT, DECODING),
    "decode_areas": (RECORDING | STIMULI, OUT, DECODING),
    "reverse": ({"areas": "areas.zarr.zip"} | GRAM | STIMULI, OUT, RIDGE),
    "factorise": ({"parts": "activations"} | RECORDING | STIMULI, OUT, FOLDS),
    "brainscore": ({"grams": "gram.zarr"} | RECORDING | STIMULI, OUT, {}),
    "selectivity": ({"grams": "gram.zarr"} | STIMULI, OUT, {"category": "cars", "n_folds": 3, "seed": 0}),
    "train": (STIMULI | RECORDING, OUT, {"spec": TRAINING}),
}
CASES = [
    (stage, path)
    for stage, (inputs, _, _) in OF_SEVERAL_STORES.items()
    for path in WRITE
    if path in inputs.values() and path != "stimuli.zarr"
]


@pytest.mark.parametrize(("stage", "path"), CASES)
@pytest.mark.parametrize("changed", [{"sha256": "b" * 64}, {"n": N - 3}])
def test_stores_of_other_stimuli_are_refused_by_every_stage(here, stage, path, changed):
    shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()
    WRITE[path](path, **changed)
    status, log = ran(stage, *OF_SEVERAL_STORES[stage])
    assert status == 1
    of = f"{changed.get('n', N)} stimuli of SHA-256 {changed.get('sha256', SHA256)[:12]}"
    named = "activations/0.zarr" if path == "activations" else path
    assert f"ERROR {stage}: {named}: made from other stimuli than stimuli.zarr ({of}; not {N} stimuli of" in log
    assert "Traceback" not in log
    assert not Path("out").exists()


@pytest.mark.parametrize("stage", [stage for stage in OF_SEVERAL_STORES if stage not in ("train", "brainscore")])
def test_stores_of_the_same_stimuli_are_taken(here, stage):
    status, log = ran(stage, *OF_SEVERAL_STORES[stage])
    assert status == 0, log


def test_a_store_that_is_of_no_stimuli_is_refused(here):
    shutil.rmtree("recording.zarr")
    shutil.copytree("stimuli.zarr", "recording.zarr")
    status, log = ran("fit", *OF_SEVERAL_STORES["fit"])
    assert status == 1
    assert "recording.zarr: made from other stimuli than stimuli.zarr (24 stimuli of SHA-256 unknown; not" in log
    assert "Traceback" not in log


# Tables that say little


MODELS = {"net": 3, "another": 2, "third": 1}
SCORES = score_table(MODELS, {"V4": 4, "IT": 2}, labels={"object": 0.1})
NEURONS_OF = SCORES["target_kind"] == "neuron"


def changed(rows: pd.Series = NEURONS_OF, **columns: object) -> pd.DataFrame:
    """The table with other numbers, which also are those of either half of the folds."""
    table = SCORES.copy()
    for name, value in columns.items():
        halves = [f"{name}_{half}" for half in ("even", "odd")] if name in ("r", "reliability") else []
        table.loc[rows, [name, *halves]] = value
    return table


NOTHING = "No model has a score for any area"
# What a table is, and what the page says of it.
TABLES = {
    "all neurons unreliable": (changed(reliability=0.01), NOTHING),
    "no reliability above 0": (changed(reliability=-0.2, predictivity=np.nan), NOTHING),
    "no half reliable": (changed(reliability_even=-0.2, reliability_odd=-0.2, predictivity=np.nan), NOTHING),
    "no r": (changed(r=np.nan, predictivity=np.nan), NOTHING),
    "no r without repetitions": (changed(r=np.nan, predictivity=np.nan, reliability=np.nan), NOTHING),
    "no r of matrices": (matrix_table(MODELS, {"IT": 2}).assign(r=np.nan), NOTHING),
    "one area unreliable": (changed(SCORES["area"] == "V4", reliability=0.01), "IT"),
    "one neuron": (score_table({"net": 1}, {"V4": 1}, repetitions=False), "against 1 neuron in V4"),
    "no accuracy": (SCORES.assign(balanced_accuracy=np.nan), "V4"),
    "recorded areas alone": (
        SCORES[NEURONS_OF].drop_duplicates("target").assign(family="recorded", model="rec", layer="V1", depth=np.nan),
        NO_MODELS,
    ),
}
EMPTY = {
    "labels alone": SCORES[~NEURONS_OF],
    "properties alone": SCORES[~NEURONS_OF].assign(target_kind="property", target="size", mapping="ridge"),
}
RESAMPLING = THRESHOLD | {"n_bootstrap": 100, "seed": 0}
SCORE_TABLE, BEST = {"scores": "scores.parquet"}, {"best_layers": "best_layers.csv"}


def figure(name: str) -> dict[str, str]:
    return {kind: f"{name}.{kind}" for kind in ("svg", "pdf", "csv")}


FROM_SCORES = {
    "best_layers": (SCORE_TABLE, {"output": "best_layers.csv"}, THRESHOLD | {"seed": 0}),
    "layer_profile": (SCORE_TABLE, figure("layer_profile"), RESAMPLING),
    "categorisation": (SCORE_TABLE, figure("categorisation"), RESAMPLING),
    "claims": (SCORE_TABLE | {"influences": []}, {"output": "claims.csv"}, THRESHOLD | {"networks": {}, "seed": 0}),
}
FROM_BOTH = {
    "compare": ({"bootstraps": "resamples.parquet"} | BEST, {"output": "comparisons.csv"}, {}),
    "ranking": ({"bootstraps": "resamples.parquet"} | BEST, figure("ranking"), {}),
}
PAGE = SCORE_TABLE | {"recordings": "recording.zarr"}
PAGE |= {table: f"{table}.csv" for table in ("layer_profile", "categorisation", "claims", "ranking", "best_layers")}


def write_scores(table: pd.DataFrame) -> None:
    counted = {"n_stimuli": 20, "n_features": 8, "n_folds": 5, "n_leaked": 0, "simulated": False}
    write_table(table.assign(**counted), Path("scores.parquet"))


def write_resamples(table: pd.DataFrame) -> None:
    """As `fit` does: no row of an area without a score."""
    rows = table[(table["target_kind"] == "neuron") & (table["reliability"] >= 0.1) & table["predictivity"].notna()]
    keys = ["model", "family", "recording", "layer", "depth", "area", "split", "mapping"]
    resamples = rows.groupby(keys, as_index=False).agg(n_neuroids=("r", "size"), median=("predictivity", "median"))
    for column in ("medians", "first_halves", "second_halves"):
        resamples[column] = [np.full(100, median, np.float32) for median in resamples["median"]]
    write_bootstraps(resamples, Path("resamples.parquet"))


@pytest.fixture
def made_of(here, monkeypatch):
    monkeypatch.setattr(pages, "_library", lambda: "")
    Path("records").mkdir()

    def write(table: pd.DataFrame) -> None:
        write_scores(table)
        write_resamples(table)

    return write


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_says_little_is_summarised_in_words(made_of, name):
    table, said = TABLES[name]
    made_of(table)
    logs = {}
    for stage, arguments in (FROM_SCORES | FROM_BOTH).items():
        status, logs[stage] = ran(stage, *arguments)
        assert status == 0, logs[stage]
    status, log = ran("report", PAGE, {"output": "page.html"}, {"settings": SETTINGS}, records="records", audit="none")
    assert status == 0, log
    assert said in Path("page.html").read_text(encoding="utf-8")
    if said in (NOTHING, NO_MODELS):
        assert "WARNING no best layer: no layer of a model has a score" in logs["best_layers"]
        assert "WARNING nothing is compared" in logs["compare"]
    unsummarised = "Nothing is summarised for: " in logs["layer_profile"]
    assert unsummarised == (name == "one area unreliable" or said == NOTHING)
    if name == "one area unreliable":
        assert "Nothing is summarised for: rec, V4, stimuli, ridge\n" in logs["layer_profile"]


@pytest.mark.parametrize("stage", FROM_SCORES)
@pytest.mark.parametrize("name", EMPTY)
def test_a_table_without_scores_is_refused(made_of, stage, name):
    made_of(EMPTY[name])
    status, log = ran(stage, *FROM_SCORES[stage])
    assert status == 1
    none = "none with target_kind 'neuron', 'matrix' or 'behaviour'; score"
    assert f"{stage}: scores.parquet: {len(EMPTY[name])} rows, {none}" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("stage", FROM_SCORES)
def test_where_nothing_is_scored_tables_have_no_rows(made_of, stage):
    made_of(SCORES.head(0))
    inputs, outputs, options = FROM_SCORES[stage]
    status, log = ran(stage, inputs, outputs, options)
    assert status == 0, log
    tables = [path for path in outputs.values() if path.endswith(".csv")]
    assert tables
    assert all(len(pd.read_csv(path)) == 0 for path in tables)


def test_no_tables_are_joined_to_one_without_rows_and_tables_without_rows_are_refused(here):
    status, log = ran("join", {"tables": []}, {"output": "scores.parquet"}, {})
    assert status == 0, log
    assert "the score table has no rows, because no model or area is scored" in log
    assert list(pd.read_parquet("scores.parquet").columns) == list(COLUMNS)
    write_table(SCORES.head(0), Path("none.parquet"))
    status, log = ran("join", {"tables": "none.parquet"}, {"output": "scores.parquet"}, {})
    assert status == 1
    assert "join: none.parquet: rows are missing; score a recording with at least one neuroid" in log
    assert "Traceback" not in log


def test_contributions_of_nothing_are_a_table_without_rows(here):
    write_table(SCORES.head(0), Path("banded.parquet"), "weights")
    status, log = ran("contributions", {"tables": "banded.parquet"}, {"output": "out.csv"}, RESAMPLING)
    assert status == 0, log
    assert Path("out.csv").read_text().startswith("model,recording,area,time_bin,split,layer,r,unique_r,")


def test_reverse_predictivity_is_drawn_where_nothing_was_fitted_by_ridge_regression(here):
    write_scores(SCORES.assign(mapping="pls"))
    status, log = ran("reverse", *OF_SEVERAL_STORES["reverse"])
    assert status == 0, log
    inputs = {"tables": "out", "areas": "areas.zarr.zip"} | SCORE_TABLE
    status, log = ran("reverse_figure", inputs, figure("reverse"), RESAMPLING)
    assert status == 0, log
    assert pd.read_csv("reverse.csv")["forward_r"].isna().all()


def spoil_features() -> None:
    for layer in ("a", "b"):
        group = zarr.open_group("gram.zarr", mode="a")[layer]
        for name in ("gram", "row_sums", "sample"):
            group[name][...] = 1.0


def spoil_responses() -> None:
    """Three stimuli alone were shown."""
    zarr.open_group("recording.zarr", mode="a")["responses"][:, 3:] = np.nan


def spoil_folds() -> None:
    shutil.rmtree("stimuli.zarr")
    names = np.array([f"image{k}" for k in range(N)], dtype=object)
    coordinates = {"stimulus": names, "size": ("stimulus", np.arange(N) / N)}
    write_dataset(xr.Dataset(coords=coordinates, attrs={"name": "set", "sha256": SHA256}), "stimuli.zarr")


SPOILED = {
    "constant features": (spoil_features, 3, 0, "no best layer"),
    "three stimuli": (spoil_responses, 3, 1, "4 rows, none with target_kind 'neuron'"),
    "a stimulus a fold": (spoil_folds, N, 0, "no best layer"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_inputs_that_cannot_be_scored_are_told(here, name):
    spoil, folds, expected, said = SPOILED[name]
    spoil()
    fitted = FIT | {"n_folds": folds, "mappings": ["ridge", "rsa", "cka"]}
    status, log = ran("fit", SCORED, {"output": "fit.parquet", "bootstraps": "resamples.parquet"}, fitted)
    assert status == 0, log
    if name == "a stimulus a fold":
        assert f"WARNING stimuli set, split stimuli: {N} of {N} folds hold a single stimulus" in log
    together = RIDGE | {"n_folds": folds, "layers": ["a", "b"]}
    status, log = ran("banded", SCORED, {"output": "banded.parquet"}, together)
    assert status == 0, log
    status, log = ran("join", {"tables": ["fit.parquet", "banded.parquet"]}, {"output": "scores.parquet"}, {})
    assert status == 0, log
    logs = {}
    for stage, arguments in FROM_SCORES.items():
        status, logs[stage] = ran(stage, *arguments)
        assert status == expected, logs[stage]
        assert "Traceback" not in logs[stage]
    assert said in logs["best_layers"]
