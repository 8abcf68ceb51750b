"""Banded ridge regression against refits of scikit-learn's Ridge, and against the equations of its paper."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from sklearn.linear_model import Ridge

from tests.unit.dealt import make_folds
from ventral import nested_ridge
from ventral.errors import InputError
from ventral.mappings import banded
from ventral.mappings.banded import banded_ridge, layer_kernel, simplex, subsets
from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.running.parallel import computing
from ventral.scores import banded as scores_banded
from ventral.scores.banded import contributions, unique_contributions
from ventral.scores.table import COLUMNS, correlation_in_folds
from ventral.store import write_dataset

PENALTIES = [0.01, 0.3, 10.0]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(banded, "DRAWS", 2)


def problem(n=36, widths=(4, 40, 7), targets=5, seed=0):
    """Return centred features of layers of unlike scale, and targets that some of the layers predict."""
    rng = np.random.default_rng(seed)
    layers = [rng.normal(size=(n, width)) * 10.0**k + 5 for k, width in enumerate(widths)]
    latent = np.column_stack([layer[:, :2] / layer[:, :2].std() for layer in layers])
    responses = latent @ rng.normal(size=(latent.shape[1], targets)) + rng.normal(size=(n, targets))
    return layers, responses


def kernels_of(layers):
    return np.stack([layer_kernel(layer @ layer.T) for layer in layers])


def side_by_side(layers, weights):
    """Return the features of all layers, each centred, of mean squared length 1, times the root of its weight."""
    centred = [layer - layer.mean(axis=0) for layer in layers]
    return np.hstack(
        [np.sqrt(g * len(layer) / np.square(layer).sum()) * layer for layer, g in zip(centred, weights, strict=True)]
    )


def refitted(features, responses, folds):
    """Return inner squared errors (folds, penalties, targets) and predictions (penalties, n, targets) of every fit."""
    inner = np.zeros((len(folds), len(PENALTIES), responses.shape[1]))
    predictions = np.empty((len(PENALTIES), *responses.shape))
    for m, penalty in enumerate(PENALTIES):
        for i, fold in enumerate(folds):
            training = np.setdiff1d(np.arange(len(responses)), fold)
            model = Ridge(alpha=penalty).fit(features[training], responses[training])
            predictions[m, fold] = model.predict(features[fold])
            for j in range(len(folds)):
                if j != i:
                    rows = np.setdiff1d(training, folds[j])
                    predicted = Ridge(alpha=penalty).fit(features[rows], responses[rows]).predict(features[folds[j]])
                    inner[i, m] += np.square(responses[folds[j]] - predicted).sum(axis=0)
    return inner, predictions


def random_folds(n, k, seed=0):
    return np.array_split(np.random.default_rng(seed).permutation(n), k)


def test_equals_refitting_every_weighting_and_penalty_with_scikit_learn():
    layers, responses = problem(targets=3)
    splits = [random_folds(36, 3), random_folds(36, 4, seed=1)]
    points = simplex(3, seed=0)
    results = banded_ridge(kernels_of(layers), responses, splits, PENALTIES, points, subsets(3))
    for folds, of_split in zip(splits, results, strict=True):
        of_points = [refitted(side_by_side(layers, point), responses, folds) for point in points]
        assert set(of_split) == {(0, 1, 2), (1, 2), (0, 2), (0, 1)}
        for taken, (fit, weights) in of_split.items():
            searched = [k for k, point in enumerate(points) if not np.delete(point, taken).any()]
            for i, fold in enumerate(folds):
                for target in range(responses.shape[1]):
                    errors = np.array([of_points[k][0][i, :, target] for k in searched])
                    point, m = np.unravel_index(errors.argmin(), errors.shape)
                    assert fit.penalty[i, target] == PENALTIES[m]
                    np.testing.assert_array_equal(weights[i, target], points[searched[point]])
                    expected = of_points[searched[point]][1][m, fold, target]
                    np.testing.assert_allclose(fit.predictions[fold, target], expected, atol=1e-8)


def test_predictions_solve_the_equations_with_a_penalty_for_each_layer():
    layers, responses = problem()
    folds = random_folds(36, 3)
    fit, weights = banded_ridge(kernels_of(layers), responses, [folds], PENALTIES, simplex(3, 0), subsets(3))[0][
        0, 1, 2
    ]
    features = np.hstack(layers)
    scales = [np.square(layer - layer.mean(axis=0)).sum() / 36 for layer in layers]
    for i, fold in enumerate(folds):
        training = np.setdiff1d(np.arange(36), fold)
        for target in np.flatnonzero((weights[i] > 1e-3).all(axis=1)):
            of_layers = fit.penalty[i, target] * np.array(scales) / weights[i, target]
            penalty = np.diag(np.repeat(of_layers, [layer.shape[1] for layer in layers]))
            X = features[training] - features[training].mean(axis=0)
            y = responses[training, target] - responses[training, target].mean()
            w = np.linalg.solve(X.T @ X + penalty, X.T @ y)
            expected = responses[training, target].mean() + (features[fold] - features[training].mean(axis=0)) @ w
            np.testing.assert_allclose(fit.predictions[fold, target], expected, atol=1e-7)
    assert (weights > 1e-3).all(axis=2).any()


def test_one_layer_alone_is_ridge_regression():
    layers, responses = problem(widths=(4, 40))
    folds = random_folds(36, 4)
    kernels = kernels_of(layers)
    of_split = banded_ridge(kernels, responses, [folds], PENALTIES, simplex(2, 0), subsets(2))[0]
    for k in (0, 1):
        fit, _ = of_split[k,]
        expected = nested_ridge(kernels[k], responses, folds, PENALTIES)
        np.testing.assert_allclose(fit.predictions, expected.predictions, atol=1e-9)
        np.testing.assert_array_equal(fit.penalty, expected.penalty)


def test_weights_go_to_the_layers_that_predict():
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(200, 30)) for _ in range(3)]
    first = layers[0] @ rng.normal(size=(30, 2))
    both = layers[0] @ rng.normal(size=(30, 2)) + layers[1] @ rng.normal(size=(30, 2))
    responses = np.hstack([first, both]) + rng.normal(size=(200, 4))
    folds = random_folds(200, 4)
    of_split = banded_ridge(
        kernels_of(layers), responses, [folds], np.geomspace(1e-3, 10, 5), simplex(3, 0), subsets(3)
    )[0]
    weights = of_split[0, 1, 2][1].mean(axis=0)
    assert (weights[:2, 0] > 0.8).all()
    assert (weights[2:, :2] > 0.2).all()
    assert (weights[:, 2] < 0.15).all()
    r = {taken: correlation_in_folds(fit.predictions, responses, folds) for taken, (fit, _) in of_split.items()}
    assert (r[0, 1, 2] - r[1, 2] > 0.2).all()
    assert (np.abs(r[0, 1, 2] - r[0, 1]) < 0.03).all()


def test_held_out_responses_change_no_prediction_of_their_fold():
    layers, responses = problem()
    folds = random_folds(36, 4)
    points = simplex(3, 0)
    before = banded_ridge(kernels_of(layers), responses, [folds], PENALTIES, points, subsets(3))[0]
    changed = responses.copy()
    changed[folds[1]] *= -100
    after = banded_ridge(kernels_of(layers), changed, [folds], PENALTIES, points, subsets(3))[0]
    for taken in subsets(3):
        np.testing.assert_array_equal(before[taken][1][1], after[taken][1][1])
        np.testing.assert_allclose(
            before[taken][0].predictions[folds[1]], after[taken][0].predictions[folds[1]], atol=1e-7
        )


@pytest.mark.parametrize("n_layers", [2, 3, 4])
def test_points_that_are_searched(n_layers):
    points = simplex(n_layers, seed=3)
    np.testing.assert_allclose(points.sum(axis=1), 1)
    assert (points >= 0).all()
    np.testing.assert_array_equal(points[:n_layers], np.eye(n_layers))
    np.testing.assert_array_equal(points, simplex(n_layers, seed=3))
    for taken in subsets(n_layers):
        inside = points[(np.delete(points, taken, axis=1) == 0).all(axis=1)][:, taken]
        assert (np.abs(inside - 1 / len(taken)) < 1e-12).all(axis=1).any()
        assert len(np.unique(inside, axis=0)) == len(inside)


def test_a_layer_that_does_not_vary_adds_nothing(caplog):
    layers, responses = problem(widths=(4, 40))
    constant = np.full((36, 9), 1e6)
    kernel = layer_kernel(constant @ constant.T, "late")
    assert "layer late: the features are the same for all stimuli" in caplog.text
    assert not kernel.any()
    folds = random_folds(36, 4)
    kernels = np.stack([*kernels_of(layers), kernel])
    of_split = banded_ridge(kernels, responses, [folds], PENALTIES, simplex(3, 0), subsets(3))[0]
    assert np.isfinite(of_split[0, 1, 2][0].predictions).all()


def test_results_do_not_depend_on_cores():
    layers, responses = problem()
    arguments = kernels_of(layers), responses, [random_folds(36, 4)], PENALTIES, simplex(3, 0), subsets(3)
    found = []
    for cores in (1, 3):
        with computing(cores):
            found.append(banded_ridge(*arguments)[0][0, 1, 2][0].predictions)
    np.testing.assert_array_equal(*found)


@pytest.fixture
def experiment(tmp_path):
    """A model of three layers, and a recording of five neurons of 48 stimuli, one lacking some."""
    n = 48
    layers, responses = problem(n=n)
    stimuli = xr.Dataset(
        coords={"stimulus": [f"image{k}" for k in range(n)], "object": ("stimulus", np.repeat(list("abcd"), n // 4))},
        attrs={"name": "set", "sha256": "a" * 64},
    )
    write_dataset(stimuli, tmp_path / "stimuli.zarr")
    responses[:5, 3] = np.nan
    # Two repetitions, whose mean are the responses; the third neuron has almost nothing but noise.
    noise = np.random.default_rng(0).normal(size=(n, 5)) * np.array([0.3, 0.3, 30, 0.3, 0.3])
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), np.stack([responses + noise, responses - noise])),
            "reliability": ("neuroid", np.full(5, np.nan)),
            "left_out": ("neuroid", [""] * 5),
        },
        coords={
            "stimulus": stimuli["stimulus"].values,
            "neuroid": [f"n{k}" for k in range(5)],
            "area": ("neuroid", ["V4"] * 4 + ["IT"]),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": "a" * 64, "has_repetitions": True},
    )
    write_dataset(recording, tmp_path / "recording.zarr")
    described = [
        {"name": name, "depth": depth, "shape": [layer.shape[1]], "n_features": layer.shape[1]}
        for name, depth, layer in zip(("early", "middle", "late"), (0.2, 0.5, 1.0), layers, strict=True)
    ]
    group = zarr.open_group(tmp_path / "gram.zarr", mode="w")
    group.attrs.update(model="net", family="pretrained", stimuli="set", stimuli_sha256="a" * 64, layers=described)
    for layer, values in zip(described, layers, strict=True):
        group.create_group(layer["name"]).create_array("gram", data=values @ values.T)
    return tmp_path, layers, responses


def score(folder, **changes):
    arguments = {
        "layers": ["early", "middle", "late"],
        "splits": ["stimuli", "objects"],
        "n_folds": 4,
        "seed": 0,
        "penalties": PENALTIES,
    }
    paths = (folder / name for name in ("gram.zarr", "recording.zarr", "stimuli.zarr", "banded.parquet"))
    scores_banded.banded(*paths, **(arguments | changes))
    return pd.read_parquet(folder / "banded.parquet")


def test_rows_of_the_score_table(experiment):
    folder, layers, responses = experiment
    table = score(folder)
    assert list(table.columns) == [*COLUMNS, "weights"]
    assert set(table["layer"]) == {"early + middle + late", "middle + late", "early + late", "early + middle"}
    assert table.groupby("layer")["n_features"].first().to_dict() == {
        "early + middle + late": 51,
        "middle + late": 47,
        "early + late": 11,
        "early + middle": 44,
    }
    assert table["depth"].isna().all()
    assert len(table) == 5 * 4 * 2
    assert (table.loc[table["target"] == "n3", "n_stimuli"] == 43).all()
    np.testing.assert_allclose(table["weights"].map(sum), 1)
    folds = make_folds("objects", {"object": np.repeat(list("abcd"), 12)}, 48, 4, 0, "set")
    fit, weights = banded_ridge(kernels_of(layers), responses[:, :3], [folds], PENALTIES, simplex(3, 0), subsets(3))[0][
        0, 2
    ]
    rows = table[(table["layer"] == "early + late") & (table["split"] == "objects")].set_index("target")
    rows = rows.loc[["n0", "n1", "n2"]]
    r = correlation_in_folds(fit.predictions, responses[:, :3], folds)
    np.testing.assert_allclose(rows["r_folds"], r, atol=1e-9)
    pooled = pooled_r(sums_within_folds(fit.predictions, responses[:, :3], folds))
    np.testing.assert_allclose(rows["r"], pooled, atol=1e-9)
    np.testing.assert_allclose(np.stack(rows["weights"]), weights.mean(axis=0)[:, [0, 2]])


def test_the_table_of_contributions(experiment):
    folder, *_ = experiment
    scores = score(folder)
    contributions(
        [folder / "banded.parquet"], folder / "banded.csv", reliability_threshold=0.1, n_bootstrap=1000, seed=0
    )
    table = pd.read_csv(folder / "banded.csv")
    assert list(table.columns[:6]) == ["model", "recording", "area", "time_bin", "split", "layer"]
    assert len(table) == 2 * 2 * 3
    row = table.query("area == 'V4' and split == 'stimuli' and layer == 'middle'").iloc[0]
    assert (row["n_neuroids"], row["n_left_out"]) == (3, 1)
    taken = scores.query("split == 'stimuli' and target in ['n0', 'n1', 'n3']")
    of_neurons = taken.groupby("layer")["r"].apply(np.array)
    together, others = of_neurons["early + middle + late"], of_neurons["early + late"]
    assert row["r"] == pytest.approx(np.median(together))
    assert row["unique_r"] == pytest.approx(np.median(together) - np.median(others))
    squares = [np.median(np.maximum(r, 0) ** 2) for r in (together, others)]
    assert row["unique_r2"] == pytest.approx(squares[0] - squares[1])
    assert row["unique_r_low"] <= row["unique_r"] <= row["unique_r_high"]
    np.testing.assert_allclose(table.groupby(["area", "split"])["weight"].sum(), 1)
    alone = table.query("area == 'IT'")
    assert alone[["unique_r_low", "unique_r2_high"]].isna().all(axis=None)


def test_reliability_chooses_neuroids_and_divides_nothing(experiment):
    folder, *_ = experiment
    scores = score(folder)
    reliable = scores["target"] != "n2"
    tables = [
        unique_contributions(scores.assign(reliability=np.where(reliable, rho, 0.0)), 0.2, n_bootstrap=50, seed=0)
        for rho in (0.2, 1.0)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert (tables[0].query("area == 'V4'")["n_left_out"] == 1).all()
    raw = scores.assign(reliability=np.nan, given_ceiling=np.where(reliable, 0.5, 0.4))
    pd.testing.assert_frame_equal(unique_contributions(raw, 0.2, n_bootstrap=50, seed=0), tables[0])


def test_contributions_where_no_neuroid_can_be_taken(experiment):
    folder, *_ = experiment
    table = unique_contributions(score(folder), 1.0, n_bootstrap=1000, seed=0)
    assert table[["r", "unique_r", "unique_r_low", "weight"]].isna().all(axis=None)
    assert (table["n_neuroids"] == 0).all()


def test_wrong_layers_and_stores_are_refused(experiment):
    folder, *_ = experiment
    with pytest.raises(InputError, match=r"banded.net: 'lat' is none of the layers that are taken .* late"):
        score(folder, layers=["early", "lat"])
    zarr.open_group(folder / "gram.zarr", mode="a").attrs["stimuli_sha256"] = "b" * 64
    with pytest.raises(
        InputError, match="gram.zarr: made from other stimuli than .*stimuli.zarr .*; delete .*gram.zarr"
    ):
        score(folder)
    assert not (folder / "banded.parquet").exists()
