"""Partitions of explained variance: against refits and brute force, and on neurons made of known shares."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tests.unit.dealt import make_folds
from ventral import nested_ridge
from ventral.configuration.resolution import check_inputs, recordings_of_partition, resolve
from ventral.errors import InputError
from ventral.figures.partitions import MEASURES, draw_partitions, partition_figure
from ventral.mappings import banded
from ventral.mappings.banded import every_subset
from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.scores.partition import OF_AREAS, OF_NEURONS, partition, partitions
from ventral.statistics.bootstrap import Predictions, draw
from ventral.statistics.partition import coefficients, explained_in_resamples
from ventral.store import read_dataset, write_dataset
from ventral.targets.columns import check_column, column_features
from ventral.targets.values import Targets

N, FEATURES, NEURONS = 120, 4, 8
SHA256 = "a" * 64
KINDS = np.array(["cats", "dogs", "pans"])[np.arange(N) % 3]
# Shares of the signal that one model has alone, that the other has alone, and that both have.
UNIQUE_A, UNIQUE_B, SHARED = 0.5, 0.0, 0.5
OPTIONS = {"name": "what_b_adds", "models": ["a", "b"], "periods": {}, "splits": ["stimuli"], "n_folds": 5, "seed": 0}
OPTIONS |= {"penalties": [1e-3, 1e-2, 0.1, 1.0], "reliability_threshold": 0.1, "n_bootstrap": 100}


# Parts


def test_two_models_have_the_parts_of_lescroart_and_others():
    a, b, together = 0.5, 0.4, 0.7
    parts = coefficients(2) @ [a, b, together]
    np.testing.assert_allclose(parts, [together - b, together - a, a + b - together])


@pytest.mark.parametrize("n_models", [2, 3])
def test_what_models_explain_is_the_sum_of_the_parts_that_they_touch(n_models):
    sets = every_subset(n_models)
    parts = np.random.default_rng(0).uniform(size=len(sets))
    explained = [sum(part for part, of in zip(parts, sets, strict=True) if set(of) & set(some)) for some in sets]
    np.testing.assert_allclose(coefficients(n_models) @ explained, parts)


def test_all_sets_of_models():
    assert every_subset(3) == [some for size in (1, 2, 3) for some in combinations(range(3), size)]


# Resamples


def by_brute_force(predictions, values, folds, counts):
    """The square of r, with its sign, over stimuli repeated as often as they are drawn, centred within folds."""
    drawn = [np.repeat(fold, counts[fold]) for fold in folds]
    x, y = (np.concatenate([part[rows] - part[rows].mean() for rows in drawn]) for part in (predictions, values))
    if not np.abs(x).max() > 1e-9:
        return 0.0
    r = x @ y / np.sqrt(x @ x * (y @ y))
    return r * abs(r)


def test_explained_variance_of_every_resample_by_brute_force():
    rng = np.random.default_rng(0)
    rows = np.arange(2, 34)
    values = rng.normal(size=(32, 3))
    constant = np.tile([1.0, 2.0, 3.0], (32, 1))
    fits = [values + rng.normal(size=(32, 3)), -values, constant]
    folds = np.array_split(rng.permutation(32), 4)
    group = [Predictions(fit, values, rows, folds, np.array([4, 0, 2])) for fit in fits]
    names = np.array([f"n{k}" for k in range(5)])
    responses = Targets(np.zeros((34, 5)), np.full(5, "neuron"), names, np.full(5, "V4"), np.full(5, np.nan))
    resamples = draw(responses, [rows[fold] for fold in folds], SHA256, 6, seed=0)
    found = explained_in_resamples([group], np.array([2, 3, 4]), resamples, 3)
    assert np.isnan(found[..., 1]).all()
    for k, fit in enumerate(fits):
        for half, taken in enumerate((folds[::2], folds[1::2], folds)):
            for sample, counts in enumerate(resamples.stimuli[:, rows]):
                for place, column in ((0, 2), (2, 0)):
                    expected = by_brute_force(fit[:, column], values[:, column], taken, counts)
                    assert found[k, half, sample, place] == pytest.approx(expected, abs=1e-9)


# The stage


def write_gram(path, model, layers, sha256=SHA256):
    group = zarr.open_group(path, mode="w")
    described = [{"name": name, "depth": 1.0, "n_features": features.shape[1]} for name, features in layers.items()]
    group.attrs.update(model=model, family="pretrained", stimuli="set", stimuli_sha256=sha256, layers=described)
    for name, features in layers.items():
        group.create_group(name).create_array("gram", data=features @ features.T)


def mixed(features, rng):
    """Neurons whose variance is 1 on average, from all features alike."""
    return features @ rng.normal(size=(features.shape[1], NEURONS)) / np.sqrt(features.shape[1])


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(banded, "DRAWS", 2)
        yield


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Two models that share features, and neurons made of known shares of them, in four repetitions."""
    folder, rng = tmp_path_factory.mktemp("partition"), np.random.default_rng(1)
    own, other, shared = (rng.normal(size=(N, FEATURES)) for _ in range(3))
    signal = np.sqrt(UNIQUE_A) * mixed(own, rng) + np.sqrt(SHARED) * mixed(shared, rng)
    write_gram(folder / "a.zarr", "a", {"early": own, "late": 100 * shared, "constant": np.ones((N, 2))})
    write_gram(folder / "b.zarr", "b", {"only": np.hstack([other, shared])})
    coordinates = {
        "stimulus": np.array([f"image{k}" for k in range(N)], dtype=object),
        "category": ("stimulus", KINDS.astype(object)),
        "size": ("stimulus", own[:, 0]),
        "angle": ("stimulus", rng.uniform(0, 360, N)),
    }
    write_dataset(xr.Dataset(coords=coordinates, attrs={"name": "set", "sha256": SHA256}), folder / "stimuli.zarr")
    responses = signal + 0.7 * rng.normal(size=(4, N, NEURONS))
    responses[:, :6, 5] = np.nan
    write_recording(folder / "recording.zarr", responses)
    write_recording(folder / "once.zarr", responses[:1])
    return folder


def write_recording(path, responses):
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "reliability": ("neuroid", np.full(NEURONS, np.nan)),
            "left_out": ("neuroid", [""] * NEURONS),
        },
        coords={
            "stimulus": [f"image{k}" for k in range(N)],
            "neuroid": [f"n{k}" for k in range(NEURONS)],
            "area": ("neuroid", ["V4"] * (NEURONS - 1) + ["IT"]),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": SHA256, "has_repetitions": len(responses) > 1},
    )
    write_dataset(recording, path)


def partitioned(folder, out, recording="recording.zarr", grams=("a.zarr", "b.zarr"), **changes):
    paths = [[folder / gram for gram in grams], folder / recording, folder / "stimuli.zarr"]
    partition(*paths, out / "neurons.parquet", out / "areas.csv", **(OPTIONS | changes))
    return pd.read_parquet(out / "neurons.parquet"), pd.read_csv(out / "areas.csv", keep_default_na=False)


@pytest.fixture(scope="module")
def tables(stores, tmp_path_factory):
    return partitioned(stores, tmp_path_factory.mktemp("tables"))


def medians(areas, area="V4"):
    return areas[areas["area"] == area].set_index(["kind", "models"])


def test_known_shares_are_found(tables):
    """Ridge regression on 120 stimuli finds less than all, so that what both have is found a little too small."""
    found = medians(tables[1])
    assert found["median"]["unique", "a"] == pytest.approx(UNIQUE_A, abs=0.1)
    assert found["median"]["shared", "a + b"] == pytest.approx(SHARED, abs=0.15)
    assert abs(found["median"]["unique", "b"] - UNIQUE_B) < 0.01
    assert found["low"]["unique", "a"] > 0.2
    assert found["low"]["unique", "b"] <= 0
    assert (found["low"] <= found["median"]).all()
    assert (found["median"] <= found["high"]).all()
    assert (tables[1]["measure"] == "explained_variance").all()


def test_rows_of_neurons_and_areas(tables):
    of_neurons, of_areas = tables
    assert list(of_neurons.columns) == OF_NEURONS
    assert list(of_areas.columns) == OF_AREAS
    assert len(of_neurons) == NEURONS * 6
    assert len(of_areas) == 2 * 6
    assert medians(of_areas)["n_neuroids"].eq(NEURONS - 1).all()
    values = of_neurons.pivot(index="target", columns=["kind", "models"], values="r2")
    parts = values["unique", "a"] + values["unique", "b"] + values["shared", "a + b"]
    np.testing.assert_allclose(parts, values["explained", "a + b"])
    np.testing.assert_allclose(values["explained", "b"] + values["unique", "a"], values["explained", "a + b"])
    np.testing.assert_allclose(of_neurons["explained_variance"], of_neurons["r2"] / of_neurons["reliability"])
    assert (of_neurons["explained_variance_low"] <= of_neurons["explained_variance_high"]).all()


def test_a_model_is_the_mean_of_its_scaled_layers(stores, tables):
    """Features side by side, each layer of mean squared length 1; a constant layer counts for nothing."""
    gram = zarr.open_group(stores / "a.zarr")
    recording = read_dataset(stores / "recording.zarr")
    responses = recording["responses"].mean("repetition").values
    complete = np.isfinite(responses).all(axis=0)
    centre = np.eye(N) - 1 / N
    scaled = [centre @ gram[layer]["gram"][:] @ centre for layer in ("early", "late")]
    kernel = sum(matrix * N / np.trace(matrix) for matrix in scaled) / 2
    folds = make_folds("stimuli", {"category": KINDS}, N, 5, 0, "set")
    predictions = nested_ridge(kernel, responses[:, complete], folds, OPTIONS["penalties"]).predictions
    r = pooled_r(sums_within_folds(predictions, responses[:, complete], folds))
    alone = tables[0].query("kind == 'explained' and models == 'a'").set_index("target")["r2"]
    np.testing.assert_allclose(alone[recording["neuroid"].values[complete]], r * np.abs(r), atol=1e-6)


def test_without_a_reliable_neuron_there_is_no_median(stores, tmp_path):
    _, areas = partitioned(stores, tmp_path, reliability_threshold=1.0)
    assert (areas["n_neuroids"] == 0).all()
    assert (areas["median"] == "").all()


def test_without_repetitions_nothing_is_divided(stores, tmp_path):
    of_neurons, of_areas = partitioned(stores, tmp_path, recording="once.zarr")
    assert (of_areas["measure"] == "r2").all()
    assert of_neurons["explained_variance"].isna().all()
    assert of_neurons["r2"].notna().all()
    expected = of_neurons.groupby(["area", "kind", "models"])["r2"].median()
    found = of_areas.set_index(["area", "kind", "models"])["median"].astype(float)
    np.testing.assert_allclose(found[expected.index], expected)


def test_columns_of_the_stimuli_stand_for_models(stores, tmp_path):
    models = ["a", {"column": "category"}, {"column": "size"}]
    of_neurons, of_areas = partitioned(stores, tmp_path, grams=["a.zarr"], models=models)
    found = medians(of_areas)["median"].astype(float)
    assert len(found) == 14
    # The size is a feature of model a, and categories predict nothing.
    assert found["shared", "a + size"] > 0.05
    assert abs(found["unique", "size"]) < 0.02
    assert abs(found["unique", "category"]) < 0.02
    values = of_neurons.pivot(index="target", columns=["kind", "models"], values="r2")
    parts = values["unique"].sum(axis=1) + values["shared"].sum(axis=1)
    np.testing.assert_allclose(parts, values["explained", "a + category + size"])


def test_a_model_that_predicts_a_constant_explains_nothing(stores, tmp_path):
    """A label says nothing about held-out stimuli of other labels."""
    options = {"grams": ["a.zarr"], "models": ["a", {"column": "category"}], "splits": ["categories"]}
    _, areas = partitioned(stores, tmp_path, **options)
    found = medians(areas)["median"].astype(float)
    assert found["explained", "category"] == 0
    assert found["unique", "a"] > 0.3


def test_partitions_are_joined_and_drawn(stores, tables, tmp_path):
    tables[1].to_csv(tmp_path / "one.csv", index=False)
    tables[1].assign(partition="again", measure="r2").to_csv(tmp_path / "two.csv", index=False)
    partitions([tmp_path / "one.csv", tmp_path / "two.csv"], tmp_path / "partitions.csv")
    joined = pd.read_csv(tmp_path / "partitions.csv")
    assert len(joined) == 2 * len(tables[1])
    drawn = [tmp_path / f"figure.{kind}" for kind in ("svg", "pdf", "csv")]
    partition_figure(tmp_path / "partitions.csv", *drawn, models=["a", "b"])
    assert "only a" in drawn[0].read_text()
    axes = draw_partitions(joined.assign(time_bin="")).axes
    assert len(axes) == 4
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [
        *("a", "b", "all together", "only a", "only b", "shared by all")
    ]
    assert {panel.get_xlabel() for panel in axes} == set(MEASURES.values())
    (point,) = [line for line in axes[-1].lines if line.get_label() == "unique a"]
    last = joined[(joined["partition"] == "what_b_adds") & (joined["area"] == "IT")].set_index(["kind", "models"])
    assert point.get_xdata()[0] == pytest.approx(last["median"]["unique", "a"])


# Columns


def test_features_of_columns():
    np.testing.assert_array_equal(column_features(np.array(["b", "a", "b"])), [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(column_features(np.array([1, 5])), [[1.0], [5.0]])
    np.testing.assert_allclose(column_features(np.array([0.0, 90.0]), 360), [[0, 1], [1, 0]], atol=1e-12)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("categry", "the stimuli set have no column 'categry'; did you mean `category`"),
        ("gaps", "column 'gaps' of the stimuli set has no value for 1 of 3 stimuli"),
        ("holes", "column 'holes' of the stimuli set has no value for 2 of 3 stimuli"),
        ("same", "column 'same' of the stimuli set has the same value for all stimuli"),
    ],
)
def test_columns_that_cannot_stand_for_a_model(column, said):
    columns = {
        "category": np.array(["a", "b", "a"]),
        "gaps": np.array([1, np.nan, 2]),
        "holes": np.array(["", "a", ""], dtype=object),
        "same": np.ones(3),
    }
    with pytest.raises(InputError, match=f"config key partitions.mine: {said}"):
        check_column(column, columns, "set", "partitions.mine")
    check_column("category", columns, "set", "partitions.mine")


def test_a_wrong_column_of_a_store_is_refused(stores, tmp_path):
    with pytest.raises(InputError, match="partitions.what_b_adds: the stimuli set have no column 'kind'"):
        partitioned(stores, tmp_path, grams=["a.zarr"], models=["a", {"column": "kind"}])
    assert not Path(tmp_path / "neurons.parquet").exists()


# The config


@pytest.fixture
def config(tmp_path):
    table = "stimulus,category\n" + "".join(f"image{k},kind{k % 3}\n" for k in range(12))
    (tmp_path / "stimuli.csv").write_text(table)
    np.save(tmp_path / "responses.npy", np.random.default_rng(0).normal(size=(4, 12, 2)))
    recording = {"responses": str(tmp_path / "responses.npy"), "area": "IT"}
    stimuli = {"render": {"images": 2}}
    return {
        "results": str(tmp_path / "results"),
        "stimuli": {"mine": stimuli, "others": stimuli, "named": {"table": str(tmp_path / "stimuli.csv")}},
        "recordings": {
            "rec": {"stimuli": "mine", "models": ["pixels", "hmax"], **recording},
            "rec2": {"stimuli": "others", "models": ["v1like"], **recording},
            "alone": {"stimuli": "named", "models": [], **recording},
        },
        "models": ["pixels", "hmax", "v1like"],
        "folds": 3,
    }


def test_a_partition_is_of_the_recordings_that_all_its_models_are_scored_against(config):
    given = {
        "one": ["pixels", "hmax"],
        "two": ["pixels", {"column": "category"}],
        "three": [{"column": "category"}] * 2,
    }
    given["three"] = [{"column": "category"}, {"column": "object"}, "v1like"]
    resolved = resolve(config | {"partitions": given})
    assert resolved["partitions"] == given
    found = {name: recordings_of_partition(resolved, name) for name in given}
    assert found == {"one": ["rec"], "two": ["rec"], "three": ["rec2"]}


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (["pixls", "hmax"], "no model is called 'pixls'; did you mean `pixels`"),
        (["pixels"], "too short"),
        (["pixels", "pixels"], "non-unique"),
        (["pixels", "hmax", "v1like", {"column": "object"}], "too long"),
        (["pixels", "v1like"], "no recording of neuroids is scored against all of pixels, v1like"),
        ([{"column": "pixels"}, "pixels"], "pixels is there twice, as a model and as a column"),
    ],
)
def test_wrong_partitions_are_refused_at_once(config, models, said):
    with pytest.raises(InputError, match=rf"config key partitions\.mine: .*{said}"):
        resolve(config | {"partitions": {"mine": models}})


def test_wrong_columns_are_refused_before_any_job(config):
    config["recordings"] = {"alone": config["recordings"]["alone"]}
    config["models"] = {}
    good = resolve(config | {"partitions": {"mine": [{"column": "category"}, {"column": "kind"}]}})
    with pytest.raises(InputError, match=r"partitions\.mine: the stimuli named have no column 'kind'"):
        check_inputs(good)
