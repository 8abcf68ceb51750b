"""Reverse predictivity: units of a model predicted from recorded neurons, and what is drawn of it."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from tests.unit.dealt import make_folds
from tests.unit.synthetic_scores import score_table
from ventral.errors import InputError
from ventral.figures.reverse import draw_reverse, forward_summary, reverse_figure, reverse_summary, with_forward
from ventral.grams.recorded import recorded_gram
from ventral.grams.streaming import write_layer
from ventral.mappings import ridge_test_set
from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.mappings.ridge import nested_ridge
from ventral.recordings.ingestion import dataset_of
from ventral.scores.reverse import LAYERS_AT_ONCE, reverse
from ventral.scores.table import COLUMNS, correlation_in_folds
from ventral.store import write_dataset
from ventral.tables import read_csv
from ventral.targets.splits import make_splits

N, LAYERS = 90, 5
PENALTIES = [1e-2, 1.0, 1e2]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Six neurons of two areas, and a model of five layers whose units say ever more of them; one unit is dead."""
    folder = tmp_path_factory.mktemp("reverse")
    rng = np.random.default_rng(0)
    objects = np.repeat(["cup", "dog", "pan"], N // 3)
    stimuli = xr.Dataset(
        coords={"stimulus": [f"image{k}" for k in range(N)], "object": ("stimulus", objects)},
        attrs={"name": "set", "sha256": "a" * 64},
    )
    write_dataset(stimuli, folder / "stimuli.zarr")
    responses = rng.normal(size=(1, N, 6)) + np.zeros((3, 1, 1))
    neuroids = pd.DataFrame({"area": ["V4"] * 4 + ["IT"] * 2}, index=[f"n{k}" for k in range(6)])
    write_dataset(dataset_of(responses, neuroids, stimuli, "rec", "rec", n_splits=2), folder / "rec.zarr")
    recorded_gram(folder / "rec.zarr", folder / "areas.zarr")
    units = {}
    group = zarr.open_group(folder / "gram.zarr", mode="w")
    layers = [{"name": f"layer{k}", "depth": k / 4, "shape": [30], "n_features": 30} for k in range(LAYERS)]
    group.attrs.update(model="net", family="trained", stimuli="set", stimuli_sha256="a" * 64, layers=layers)
    for k, layer in enumerate(layers):
        values = k * responses[0, :, :4] @ rng.normal(size=(4, 30)) + rng.normal(size=(N, 30))
        values[:, 3] = 0.25
        sampled = np.arange(1, 30, 2)
        units[layer["name"]] = dict(zip(sampled, values[:, sampled].T, strict=True))
        write_layer(group, layer, values @ values.T, values.sum(axis=1), values[:, sampled], sampled)
    return folder, responses[0], units, objects


def reversed_table(folder, output="reverse.parquet", **changes):
    options = {"splits": ["stimuli", "objects"], "n_folds": 5, "seed": 1, "penalties": PENALTIES} | changes
    reverse(folder / "areas.zarr", folder / "gram.zarr", folder / "stimuli.zarr", folder / output, **options)
    return pd.read_parquet(folder / output)


@pytest.fixture(scope="module")
def table(experiment):
    return reversed_table(experiment[0])


def test_rows_are_those_of_the_score_table_with_the_units_as_targets(table, experiment):
    units = experiment[2]
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 2 * 2 * LAYERS * 15
    assert set(table["target_kind"]) == {"unit"}
    assert set(table["target"].astype(int)) == set(units["layer0"])
    assert set(zip(table["area"], table["n_features"], strict=True)) == {("V4", 4), ("IT", 2)}
    assert table["predictivity"].isna().all()
    assert set(zip(table["layer"], table["depth"], strict=True)) == {(f"layer{k}", k / 4) for k in range(LAYERS)}


@pytest.mark.parametrize("split", ["stimuli", "objects"])
@pytest.mark.parametrize(("area", "neurons"), [("V4", slice(0, 4)), ("IT", slice(4, 6))])
def test_each_unit_is_predicted_as_by_itself(table, experiment, split, area, neurons):
    _, responses, units, objects = experiment
    features = responses[:, neurons]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    folds = make_folds(split, {"object": objects}, N, 5, 1, "set")
    for layer in (f"layer{LAYERS_AT_ONCE - 1}", f"layer{LAYERS_AT_ONCE}"):
        rows = table[(table.area == area) & (table.split == split) & (table.layer == layer)].set_index("target")
        for unit in (1, 29):
            values = units[layer][unit][:, None]
            ridge = nested_ridge(features @ features.T, values, folds, np.array(PENALTIES) * features.shape[1])
            (r,) = correlation_in_folds(ridge.predictions, values, folds)
            (pooled,) = pooled_r(sums_within_folds(ridge.predictions, values, folds))
            assert rows.loc[str(unit), "r"] == pytest.approx(pooled, abs=1e-9)
            assert rows.loc[str(unit), "r_folds"] == pytest.approx(r, abs=1e-9)
            assert rows.loc[str(unit), "alpha"] == pytest.approx(np.exp(np.log(ridge.penalty).mean()))


def test_random_training_and_test_sets_give_the_median_over_draws(experiment):
    _, responses, units, _ = experiment
    spec = {"name": "random", "random": 3, "train": 60}
    rows = reversed_table(experiment[0], "random.parquet", splits=["stimuli", spec]).query(
        "area == 'V4' and layer == 'layer0'"
    )
    features = responses[:, :4]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    values = units["layer0"][1][:, None]
    draws = []
    for one in make_splits([spec], {}, N, 5, 1, "set")["random"].sets:
        ((training, test),) = one.fits
        penalties = np.array(PENALTIES) * features.shape[1]
        ridge = ridge_test_set.test_set_ridge(features @ features.T, values, training, test, one.inner[0], penalties)
        draws.append(np.corrcoef(ridge.predictions[:, 0], values[test, 0])[0, 1])
    found = rows[rows["split"] == "random"].set_index("target").loc["1"]
    assert found["r"] == pytest.approx(np.median(draws))
    assert found["r_folds"] == pytest.approx(np.mean(draws))
    assert (found["n_stimuli"], found["n_folds"]) == (N - 60, 3)
    assert set(rows["split"]) == {"stimuli", "random"}


def test_dead_units_have_no_r_and_are_counted(table):
    dead = table[table["target"] == "3"]
    assert len(dead) == 2 * 2 * LAYERS
    assert dead["r"].isna().all()
    summary = reverse_summary(table, n_bootstrap=20, seed=0)
    assert set(summary["n_units"]) == {14}
    assert set(summary["n_units_left_out"]) == {1}


def test_the_summary_is_of_units_with_intervals(table):
    summary = reverse_summary(table, n_bootstrap=200, seed=0).set_index(["area", "split", "layer"])
    rows = table[(table.area == "V4") & (table.split == "stimuli") & (table.layer == "layer4")]
    found = summary.loc["V4", "stimuli", "layer4"]
    assert found["reverse_r"] == pytest.approx(rows["r"].median())
    assert found["well_predicted"] == pytest.approx((rows["r"].dropna() > 0.5).mean())
    assert found["reverse_r_low"] < found["reverse_r"] < found["reverse_r_high"]
    assert found["n_predictors"] == 4
    assert found["reverse_r"] > 0.9
    assert abs(summary.loc["V4", "stimuli", "layer0"]["reverse_r"]) < 0.4
    assert abs(summary.loc["IT", "stimuli", "layer4"]["reverse_r"]) < 0.4


def test_a_layer_of_dead_units_alone_has_no_median(table):
    dead = table[table["target"] == "3"]
    summary = reverse_summary(dead, n_bootstrap=1000, seed=0)
    assert summary[["reverse_r", "reverse_r_low", "well_predicted"]].isna().all(axis=None)
    assert set(summary["n_units"]) == {0}
    assert len(summary) == 2 * 2 * LAYERS


def test_other_stimuli_are_refused(experiment, tmp_path):
    folder = experiment[0]
    other = xr.Dataset(coords={"stimulus": ["a"]}, attrs={"name": "set", "sha256": "b" * 64})
    write_dataset(other, tmp_path / "stimuli.zarr")
    options = {"splits": ["stimuli"], "n_folds": 5, "seed": 1, "penalties": PENALTIES}
    with pytest.raises(InputError, match="areas.zarr: made from other stimuli"):
        reverse(
            folder / "areas.zarr", folder / "gram.zarr", tmp_path / "stimuli.zarr", tmp_path / "out.parquet", **options
        )


def test_forward_is_of_the_very_neurons_that_predict():
    scores = score_table({"net": 3, "rec": 1}, {"V4": 8})
    scores.loc[scores["model"] == "rec", "family"] = "recorded"
    neuroids = {("rec", f"V4_{k}", ""): f"V4, animal {'a' if k < 5 else 'b'}" for k in range(7)}
    forward = forward_summary(scores, neuroids, 0.0, n_bootstrap=1000, seed=0)
    assert set(forward["area"]) == {"V4, animal a", "V4, animal b"}
    assert set(forward["model"]) == {"net"}
    of_b = scores[
        (scores["layer"] == "blocks.1") & scores["target"].isin(["V4_5", "V4_6"]) & (scores["model"] == "net")
    ]
    (found,) = forward.loc[(forward["area"] == "V4, animal b") & (forward["layer"] == "blocks.1"), "r"]
    assert found == pytest.approx(of_b["r"].median())


def test_both_directions_are_drawn_layer_by_layer(table, experiment, tmp_path):
    scores = score_table({"net": 5}, {"V4": 4, "IT": 2}, splits=["stimuli", "objects"])
    scores["layer"] = scores["layer"].str.replace("blocks.", "layer", regex=False)
    scores["target"] = scores["target"].map({f"V4_{k}": f"n{k}" for k in range(4)} | {"IT_0": "n4", "IT_1": "n5"})
    scores.to_parquet(tmp_path / "scores.parquet")
    folder = experiment[0]
    paths = [tmp_path / f"reverse.{kind}" for kind in ("svg", "pdf", "csv")]
    reverse_figure(
        [folder / "reverse.parquet"],
        [folder / "areas.zarr"],
        tmp_path / "scores.parquet",
        *paths,
        0.0,
        n_bootstrap=1000,
        seed=0,
    )
    drawn = read_csv(paths[2])
    assert len(drawn) == 2 * 2 * LAYERS
    assert drawn[["forward_r", "forward_predictivity", "forward_r_low", "reverse_r"]].notna().all(axis=None)
    figure = draw_reverse(drawn)
    assert len(figure.axes) == 4
    rows = drawn[(drawn.area == "V4") & (drawn.split == "stimuli")].sort_values("depth")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["forward, net"].get_ydata(), rows["forward_r"])
    np.testing.assert_array_equal(lines["reverse, net"].get_ydata(), rows["reverse_r"])
    assert (
        with_forward(reverse_summary(table, n_bootstrap=1000, seed=0), forward_summary_of_nothing())
        .forward_r.isna()
        .all()
    )


def forward_summary_of_nothing():
    forward = forward_summary(
        score_table({"net": 2}), {("rec", f"V4_{k}"): "V4" for k in range(12)}, 0.0, n_bootstrap=1000, seed=0
    )
    return forward.assign(model="another")
