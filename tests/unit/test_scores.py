"""The score table against refitting with scikit-learn, row by row."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LinearRegression, Ridge

from tests.unit.dealt import make_folds
from ventral.errors import InputError
from ventral.mappings.correlation import prediction_reliability
from ventral.mappings.repetitions import MEASURES
from ventral.mappings.ridge import nested_ridge
from ventral.mappings.svm import chosen_costs
from ventral.recordings.reliability import means_of_halves, split_half_reliability
from ventral.scores.fitting import fit
from ventral.scores.prediction import penalty_scale
from ventral.scores.table import COLUMNS, correlation_in_folds, join
from ventral.statistics.best_layers import best_layers_of
from ventral.statistics.bootstrap import read_bootstraps
from ventral.statistics.comparisons import comparisons_of
from ventral.statistics.summaries import area_summary, read_scores
from ventral.store import changing, read_dataset, write_dataset
from ventral.tables import read_csv

N, NEURONS = 60, 5
PENALTIES = [1e-2, 1.0, 1e2]


@pytest.fixture
def experiment(tmp_path):
    """A model of two layers, a recording of five neurons, and 60 stimuli of 4 objects in 2 categories."""
    rng = np.random.default_rng(0)
    objects = np.repeat(["bear", "car", "dog", "plane"], N // 4)
    category = np.where(np.isin(objects, ["bear", "dog"]), "animal", "vehicle")
    stimuli = xr.Dataset(
        coords={
            "stimulus": [f"image{k}" for k in range(N)],
            "object": ("stimulus", objects),
            "category": ("stimulus", category),
            "size": ("stimulus", rng.uniform(1, 2, N)),
            "constant": ("stimulus", np.ones(N)),
        },
        attrs={"name": "set", "sha256": "a" * 64},
    )
    write_dataset(stimuli, tmp_path / "stimuli.zarr")
    features = {"early": rng.normal(size=(N, 200)), "late": rng.normal(size=(N, 12)) + 3}
    features["late"][:, 0] += objects == "car"
    signal = features["late"] @ rng.normal(size=(12, NEURONS))
    responses = signal + rng.normal(size=(4, N, NEURONS))
    responses[3, ::2] = np.nan
    responses[:, 7:12, 1] = np.nan
    recording = xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "reliability": ("neuroid", [0.9, 0.8, np.nan, -0.1, 0.5]),
            "left_out": ("neuroid", ["", "", "", "", "constant"]),
        },
        coords={
            "stimulus": stimuli["stimulus"].values,
            "neuroid": [f"n{k}" for k in range(NEURONS)],
            "area": ("neuroid", ["V4", "V4", "IT", "IT", "IT"]),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": "a" * 64, "has_repetitions": True},
    )
    write_dataset(recording, tmp_path / "recording.zarr")
    layers = [
        {"name": name, "depth": depth, "shape": [values.shape[1]], "n_features": values.shape[1]}
        for (name, values), depth in zip(features.items(), (0.5, 1.0), strict=True)
    ]
    group = zarr.open_group(tmp_path / "gram.zarr", mode="w")
    group.attrs.update(model="net", family="pretrained", stimuli="set", stimuli_sha256="a" * 64, layers=layers)
    for name, values in features.items():
        write_layer(group, name, values)
    return {"folder": tmp_path, "features": features, "responses": responses, "stimuli": stimuli}


def write_layer(group, name, values):
    layer = group.create_group(name, overwrite=True, attributes={"n_features": values.shape[1]})
    layer.create_array("gram", data=values @ values.T)
    layer.create_array("row_sums", data=values.sum(axis=1))
    layer.create_array("sample", data=values)
    layer.create_array("sampled_features", data=np.arange(values.shape[1]))


def score(folder, output="scores.parquet", **changes):
    arguments = {"splits": ["stimuli", "objects"], "n_folds": 5, "seed": 1, "n_bootstrap": 1000, "penalties": PENALTIES}
    arguments |= changes
    fit(folder / "gram.zarr", folder / "recording.zarr", folder / "stimuli.zarr", folder / output, **arguments)
    return pd.read_parquet(folder / output)


def refitted_r(features, values, folds, penalties):
    rows = np.flatnonzero(np.isfinite(values))
    folds = [np.intersect1d(fold, rows) for fold in folds]
    correlations, chosen, deviations = [], [], []
    for fold in folds:
        training = np.setdiff1d(rows, fold)
        errors = []
        for penalty in penalties:
            squares = 0.0
            for inner in folds:
                if inner is not fold:
                    kept = np.setdiff1d(training, inner)
                    predicted = Ridge(alpha=penalty).fit(features[kept], values[kept]).predict(features[inner])
                    squares += np.square(values[inner] - predicted).sum()
            errors.append(squares)
        chosen.append(penalties[int(np.argmin(errors))])
        model = Ridge(alpha=chosen[-1]).fit(features[training], values[training])
        pair = np.stack([model.predict(features[fold]), values[fold]])
        correlations.append(pearsonr(*pair).statistic if len(fold) > 1 else np.nan)
        deviations.append(pair - pair.mean(axis=1, keepdims=True))
    r = {"r_folds": np.mean(correlations)}
    for name, some in (("r", deviations), ("r_even", deviations[::2]), ("r_odd", deviations[1::2])):
        x, y = np.concatenate(some, axis=1)
        r[name] = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
    return r, np.exp(np.mean(np.log(chosen)))


@pytest.mark.parametrize("split", ["stimuli", "objects"])
@pytest.mark.parametrize("layer", ["early", "late"])
def test_rows_equal_refitting(experiment, layer, split):
    table = score(experiment["folder"])
    features = experiment["features"][layer]
    labels = {"object": experiment["stimuli"]["object"].values}
    folds = make_folds(split, labels, N, 5, 1, "set")
    centred = features - features.mean(axis=0)
    penalties = np.array(PENALTIES) * np.square(centred).sum() / N
    rows = table[(table.layer == layer) & (table.split == split) & (table.mapping == "ridge")].set_index("target")
    shown = np.isfinite(experiment["responses"])
    with np.errstate(invalid="ignore"):
        mean = np.where(shown, experiment["responses"], 0).sum(axis=0) / shown.sum(axis=0)
    targets = {f"n{k}": mean[:, k] for k in range(4)} | {"size": experiment["stimuli"]["size"].values}
    assert set(rows.index) == set(targets)
    for target, values in targets.items():
        r, alpha = refitted_r(features, values, folds, penalties)
        assert rows.loc[target, list(r)].to_dict() == pytest.approx(r, abs=1e-9)
        assert rows.loc[target, "alpha"] == pytest.approx(alpha)
        assert rows.loc[target, "n_stimuli"] == np.isfinite(values).sum()


def reliability_of(responses, folds):
    """The definition, of responses (repetitions, n) that show every stimulus twice or more, or never."""
    squares, noise, counts, n_folds = 0.0, 0.0, [], 0
    for fold in folds:
        of_fold = [column[np.isfinite(column)] for column in responses[:, fold].T]
        of_fold = [column for column in of_fold if len(column)]
        squares += np.square([column.mean() for column in of_fold] - np.mean([c.mean() for c in of_fold])).sum()
        noise += (1 - 1 / len(of_fold)) * sum(column.var(ddof=1) / len(column) for column in of_fold)
        counts += map(len, of_fold)
        n_folds += 1
    inverse, n = 1 / np.array(counts), len(counts)
    df = (n - n_folds) / n * inverse.sum() ** 2 / (inverse**2).sum()
    return 1 - (1 - 5 / 3 / df) * noise / squares


def test_predictivity_is_r_over_the_root_of_the_reliability_within_folds(experiment):
    rows = score(experiment["folder"]).query("layer == 'late' and mapping == 'ridge'")
    labels = {"object": experiment["stimuli"]["object"].values}
    for split, of_split in rows.groupby("split"):
        folds, of_split = make_folds(split, labels, N, 5, 1, "set"), of_split.set_index("target")
        for k in range(4):
            row, of_neuron = of_split.loc[f"n{k}"], experiment["responses"][:, :, k]
            rho = reliability_of(of_neuron, folds)
            assert row["reliability"] == pytest.approx(rho)
            assert row["reliability_even"] == pytest.approx(reliability_of(of_neuron, folds[::2]))
            assert row["reliability_odd"] == pytest.approx(reliability_of(of_neuron, folds[1::2]))
            assert row["predictivity"] == pytest.approx(row["r"] / np.sqrt(rho))
            assert row["explained_variance"] == pytest.approx(row["r"] * abs(row["r"]) / rho)
            assert not row["marked"]
            assert 0 < row["standard_error"] < 0.25
        ceilings = ["reliability", "predictivity", "explained_variance", "standard_error", "marked"]
        assert of_split.loc["size", ceilings].isna().all()
        assert of_split.loc[["n0", "n1", "n2", "n3"], "area"].tolist() == ["V4", "V4", "IT", "IT"]


@pytest.mark.filterwarnings("error:invalid value", "error:divide by zero", "error:Mean of empty")
def test_objects_without_a_response_and_with_one_image_take_no_score(experiment):
    """A neuron that is silent for one object, and an object of one image, which said nothing of any neuron before."""
    folder = experiment["folder"]
    objects = np.array(["bear"] * 20 + ["car"] * 20 + ["dog"] * 19 + ["plane"])
    with changing(folder / "stimuli.zarr") as stimuli:
        stimuli["object"][:] = objects
    recording = xr.open_zarr(folder / "recording.zarr", consolidated=False).load()
    recording["responses"][:, :20, 0] = np.where(np.isnan(recording["responses"][:, :20, 0]), np.nan, 0.0)
    write_dataset(recording, folder / "recording.zarr")
    table = score(folder, splits=["objects"], bootstraps=folder / "bootstraps.parquet", n_bootstrap=20)
    neurons = table[table["target_kind"] == "neuron"]
    assert (neurons["n_alone"] == 1).all()
    assert neurons[["r", "reliability"]].notna().all(axis=None)
    assert neurons["r_folds"].isna().all()
    summary = area_summary(read_scores(folder / "scores.parquet"), 0.1, n_bootstrap=20, seed=0)
    assert summary[["predictivity", "predictivity_low", "summed"]].notna().all(axis=None)
    best = best_layers_of(table, 0.1, seed=0)
    assert best["corrected"].notna().all()
    assert len(comparisons_of(read_bootstraps([folder / "bootstraps.parquet"]), best)) == 2
    # The silent object adds nothing to the neuron's r.
    row = neurons.query("layer == 'late' and target == 'n0'").iloc[0]
    with np.errstate(invalid="ignore"):
        values = np.nanmean(recording["responses"].values[:, :, 0], axis=0)
    folds = make_folds("objects", {"object": objects}, N, 5, 1, "set")
    features = experiment["features"]["late"]
    centred = features - features.mean(axis=0)
    penalties = np.array(PENALTIES) * np.square(centred).sum() / N
    with pytest.warns(match="constant"):
        r, _ = refitted_r(features, values, folds, penalties)
    assert row["r"] == pytest.approx(r["r"], abs=1e-9)


def test_every_row_says_which_kind_of_model_it_is_of(experiment):
    assert (score(experiment["folder"])["family"] == "pretrained").all()
    del zarr.open_group(experiment["folder"] / "gram.zarr", mode="a").attrs["family"]
    with pytest.raises(InputError, match=r"gram.zarr: the model's family is missing; delete "):
        score(experiment["folder"], "again.parquet")


def test_columns_and_kinds(experiment):
    table = score(experiment["folder"])
    assert list(table.columns) == list(COLUMNS)
    assert set(table["target_kind"]) == {"neuron", "property", "category"}
    assert set(zip(table["layer"], table["depth"], strict=True)) == {("early", 0.5), ("late", 1.0)}
    assert not table.duplicated(["model", "layer", "target", "split", "mapping"]).any()
    accuracy = table.query("mapping == 'svm'")
    assert accuracy["balanced_accuracy"].between(0, 1).all()
    (chosen,) = accuracy.query("layer == 'late' and split == 'stimuli' and target == 'object'")["alpha"]
    objects = experiment["stimuli"]["object"].values
    features = experiment["features"]["late"]
    costs = chosen_costs(features @ features.T, objects, make_folds("stimuli", {"object": objects}, N, 5, 1, "set"))
    assert chosen == pytest.approx(np.exp(np.log(costs).mean()))
    # An object that is held out has no name among those in training; its category does.
    assert set(zip(accuracy["split"], accuracy["target"], strict=True)) == {
        ("stimuli", "category"),
        ("stimuli", "object"),
        ("objects", "category"),
    }


def test_bytes_do_not_depend_on_the_cores(experiment):
    for cores in (1, 3):
        score(experiment["folder"], f"{cores}.parquet", cores=cores)
    assert (experiment["folder"] / "1.parquet").read_bytes() == (experiment["folder"] / "3.parquet").read_bytes()


def test_a_joined_table_has_every_row_whatever_the_order(experiment):
    folder = experiment["folder"]
    for split in ("stimuli", "objects"):
        score(folder, f"{split}.parquet", splits=[split])
    join([folder / "stimuli.parquet", folder / "objects.parquet"], folder / "joined.parquet")
    join([folder / "objects.parquet", folder / "stimuli.parquet"], folder / "reversed.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "joined.parquet"), score(folder))
    assert (folder / "joined.parquet").read_bytes() == (folder / "reversed.parquet").read_bytes()


def test_a_layer_that_does_not_vary_scores_nan_and_not_a_number_by_chance(experiment):
    store = zarr.open_group(experiment["folder"] / "gram.zarr", mode="a")
    write_layer(store, "late", np.full((N, 12), 0.3))
    rows = score(experiment["folder"]).query("layer == 'late'")
    assert rows["r"].isna().all()
    assert rows["balanced_accuracy"].isna().all()


def test_a_neuroid_with_too_few_folds_left_is_named(experiment, caplog):
    folder = experiment["folder"]
    recording = xr.open_zarr(folder / "recording.zarr", consolidated=False).load()
    recording["responses"][:, 30:, 2] = np.nan
    write_dataset(recording, folder / "recording.zarr")
    table = score(folder, splits=["objects"])
    assert "n2" not in set(table["target"])
    assert "left out: n2: values for 30 stimuli in 2 folds" in caplog.text


def test_images_that_are_held_out_and_seen_in_the_fit_are_told_and_counted(experiment, caplog):
    with changing(experiment["folder"] / "stimuli.zarr") as stimuli:
        stimuli.attrs["duplicates"] = [["image0", "image1"], ["image15", "image44"]]
    table = score(experiment["folder"])
    folds = make_folds("stimuli", {"object": experiment["stimuli"]["object"].values}, N, 5, 1, "set")
    fold_of = {row: k for k, fold in enumerate(folds) for row in fold}
    expected = 2 * (fold_of[0] != fold_of[1]) + 2 * (fold_of[15] != fold_of[44])
    assert set(table[table.split == "stimuli"]["n_leaked"]) == {expected}
    assert set(table[table.split == "objects"]["n_leaked"]) == {2}
    assert "split objects: 2 have the same pixels as a stimulus in the fit that predicts" in caplog.text
    assert "image15, image44" in caplog.text
    assert "image0," not in caplog.text.split("split objects")[1]


def test_every_mapping_predicts_the_same_stimuli_in_the_same_table(experiment, caplog):
    mappings = ["ridge", "ols", "pls", "one_to_one"]
    table = score(experiment["folder"], mappings=mappings, components=3, splits=["stimuli"])
    rows = table[table.target_kind == "neuron"].set_index(["layer", "mapping", "target"]).sort_index()
    assert set(rows.index.get_level_values("mapping")) == set(mappings)
    folds = make_folds("stimuli", {"object": experiment["stimuli"]["object"].values}, N, 5, 1, "set")
    shown = np.isfinite(experiment["responses"])
    with np.errstate(invalid="ignore"):
        mean = np.where(shown, experiment["responses"], 0).sum(axis=0) / shown.sum(axis=0)
    features, values = experiment["features"]["late"], mean[:, 0]
    models = {"ols": LinearRegression(), "pls": PLSRegression(3, scale=False, tol=1e-24, max_iter=10**5)}
    for mapping, model in models.items():
        expected = [
            pearsonr(
                model.fit(np.delete(features, fold, 0), np.delete(values, fold)).predict(features[fold]).ravel(),
                values[fold],
            ).statistic
            for fold in folds
        ]
        assert rows.loc[("late", mapping, "n0"), "r_folds"] == pytest.approx(np.mean(expected), abs=1e-9)
    assert rows.loc[("late", "one_to_one", "n0"), "r"] < rows.loc[("late", "ridge", "n0"), "r"]
    # 200 features, 48 stimuli in training.
    assert rows.loc[("early", "ols"), "r"].isna().all()
    assert "layer early: no ols: least squares needs fewer features than training stimuli: 200 features" in caplog.text
    assert (rows["alpha"].notna().to_numpy() == (rows.index.get_level_values("mapping") == "ridge")).all()


def test_more_components_than_there_are_features_are_told(experiment, caplog):
    score(experiment["folder"], mappings=["pls"], components=25, splits=["stimuli"])
    assert "layer late: pls has 12 components, fewer than the requested 25, because" in caplog.text
    assert "layer early: pls has" not in caplog.text


@pytest.mark.parametrize("store", ["gram.zarr", "recording.zarr"])
def test_stores_of_other_stimuli_are_refused(experiment, store):
    with changing(experiment["folder"] / store) as changed:
        changed.attrs["stimuli_sha256"] = "b" * 64
    with pytest.raises(InputError, match=rf"{store}: made from other stimuli"):
        score(experiment["folder"])
    assert not (experiment["folder"] / "scores.parquet").exists()


def test_correlation_is_averaged_over_folds_and_not_pooled():
    rng = np.random.default_rng(0)
    values, predictions = rng.normal(size=(2, 40, 3))
    folds = np.split(rng.permutation(40), [10, 25])
    predictions[folds[1]] += 100
    expected = [
        np.mean([pearsonr(predictions[fold, k], values[fold, k]).statistic for fold in folds]) for k in range(3)
    ]
    np.testing.assert_allclose(correlation_in_folds(predictions, values, folds), expected)


def test_correlation_with_what_does_not_vary_is_nan():
    values = np.random.default_rng(0).normal(size=(12, 2))
    folds = np.split(np.arange(12), 3)
    predictions = values.copy()
    predictions[folds[1], 0] = 5.0 + 1e-16 * values[folds[1], 0]
    assert np.isnan(correlation_in_folds(predictions, values, folds)).tolist() == [True, False]


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_units_of_the_features_do_not_matter(experiment, factor):
    expected = score(experiment["folder"])
    store = zarr.open_group(experiment["folder"] / "gram.zarr", mode="a")
    for layer, features in experiment["features"].items():
        write_layer(store, layer, factor * features)
    table = score(experiment["folder"])
    assert table["balanced_accuracy"].notna().any()
    # C is of features that are scaled already.
    table.loc[table["mapping"] != "svm", "alpha"] /= factor**2
    pd.testing.assert_frame_equal(table, expected, rtol=1e-8)


def test_penalties_scale_with_the_features():
    features = np.random.default_rng(0).normal(size=(30, 8)) + 5
    centred = features - features.mean(axis=0)
    for scale in (1e-6, 1.0, 1e6):
        expected = scale**2 * np.square(centred).sum() / 30
        assert penalty_scale((features * scale) @ (features * scale).T) == pytest.approx(expected)
    assert penalty_scale(np.full((4, 4), 9.0)) == 1.0


def test_resampled_medians_stand_beside_the_scores(experiment):
    folder = experiment["folder"]
    table = score(folder, bootstraps=folder / "bootstraps.parquet", n_bootstrap=40)
    resampled = read_bootstraps([folder / "bootstraps.parquet"])
    assert set(zip(resampled["layer"], resampled["area"], resampled["split"], strict=True)) == {
        (layer, area, split) for layer in ("early", "late") for area in ("V4", "IT") for split in ("stimuli", "objects")
    }
    assert (resampled[["model", "family", "recording", "mapping"]] == ["net", "pretrained", "rec", "ridge"]).all(
        axis=None
    )
    keys = ["layer", "split", "area"]
    summary = area_summary(table, 0.1, n_bootstrap=10, seed=0).set_index(keys)
    found = resampled.set_index(keys)
    both = summary.loc[found.index]
    pd.testing.assert_series_equal(found["median"], both["predictivity"], check_names=False, check_index=False)
    assert (found["n_neuroids"] == both["n_neuroids"]).all()
    for column in ("medians", "first_halves", "second_halves"):
        assert np.isfinite(np.stack(resampled[column])).all()
        assert np.stack(resampled[column]).shape == (8, 40)
    assert (np.stack(resampled["medians"]).std(axis=1) > 0).all()


def test_resamples_do_not_depend_on_the_cores(experiment):
    folder = experiment["folder"]
    for cores in (1, 3):
        score(folder, f"{cores}.parquet", bootstraps=folder / f"{cores}.bootstraps", n_bootstrap=20, cores=cores)
    assert (folder / "1.bootstraps").read_bytes() == (folder / "3.bootstraps").read_bytes()


def test_split_halves_within_folds_stand_beside(experiment):
    rows = score(experiment["folder"]).query("layer == 'late' and mapping == 'ridge'")
    labels = {"object": experiment["stimuli"]["object"].values}
    for split, of_split in rows.groupby("split"):
        folds, of_split = make_folds(split, labels, N, 5, 1, "set"), of_split.set_index("target")
        expected = split_half_reliability(experiment["responses"], seed=1, folds=folds)
        np.testing.assert_allclose(of_split.loc[["n0", "n1", "n2", "n3"], "fold_reliability"], expected[:4])
        assert np.isnan(of_split.loc["size", "fold_reliability"])


def test_scores_against_single_repetitions_stand_beside(experiment):
    table = score(experiment["folder"], mappings=["ridge", "one_to_one"])
    labels = {"object": experiment["stimuli"]["object"].values}
    folds = make_folds("objects", labels, N, 5, 1, "set")
    features, responses = experiment["features"]["late"], experiment["responses"][:, :, 1]
    rows = np.flatnonzero(np.isfinite(responses).any(axis=0))
    among = [np.flatnonzero(np.isin(rows, fold)) for fold in folds]
    means = np.nanmean(responses[:, rows], axis=0)[:, None]
    penalties = np.array(PENALTIES) * np.square(features - features.mean(axis=0)).sum() / N
    predicted = nested_ridge(features[rows] @ features[rows].T, means, among, penalties).predictions[:, 0]
    row = table.query("layer == 'late' and mapping == 'ridge' and split == 'objects' and target == 'n1'").iloc[0]
    assert row["r_average"] == pytest.approx(np.corrcoef(predicted, means[:, 0])[0, 1], rel=1e-6)
    errors = responses[:, rows] - predicted
    noise = np.nanvar(responses[:, rows], axis=0, ddof=1).mean()
    explainable = np.nanvar(responses[:, rows]) * np.isfinite(errors).sum() / (np.isfinite(errors).sum() - 1) - noise
    assert row["feve"] == pytest.approx(1 - (np.nanmean(errors**2) - noise) / explainable, rel=1e-6)
    of_neurons = table["target_kind"] == "neuron"
    assert table.loc[of_neurons, list(MEASURES)].notna().all(axis=None)
    assert table.loc[~of_neurons, list(MEASURES)].isna().all(axis=None)
    with changing(experiment["folder"] / "recording.zarr") as store:
        store.attrs["has_repetitions"] = False
    assert score(experiment["folder"])[list(MEASURES)].isna().all(axis=None)


def test_predictions_of_fits_on_halves_of_the_repetitions_say_how_reliable_they_are(experiment):
    folder = experiment["folder"]
    table = score(folder, splits=["stimuli"], prediction_reliability=True).query("layer == 'late'")
    rows = table[table["mapping"] == "ridge"].set_index("target")
    folds = make_folds("stimuli", {"object": experiment["stimuli"]["object"].values}, N, 5, 1, "set")
    features = experiment["features"]["late"]
    centred = features - features.mean(axis=0)
    penalties = np.array(PENALTIES) * np.square(centred).sum() / N
    pairs = [
        [nested_ridge(features @ features.T, half[:, [0, 2, 3]], folds, penalties).predictions for half in pair]
        for pair in means_of_halves(experiment["responses"][:, :, :4], 2, seed=1)
    ]
    expected = prediction_reliability(*(np.stack(side) for side in zip(*pairs, strict=True)), folds)
    found = rows.loc[["n0", "n2", "n3"]]
    np.testing.assert_allclose(found["prediction_reliability"], expected, rtol=1e-6)
    both = found["r"] / np.sqrt(found["reliability"] * found["prediction_reliability"])
    np.testing.assert_allclose(found["predictivity_both"], both)
    assert (found["predictivity_both"] > found["predictivity"]).all()
    # n1 lacks stimuli, and properties have no repetitions.
    assert np.isfinite(rows.loc["n1", "predictivity_both"])
    assert rows.loc["size", ["prediction_reliability", "predictivity_both"]].isna().all()
    others = table.drop(columns=["prediction_reliability", "predictivity_both"]).reset_index(drop=True)
    without = score(folder, splits=["stimuli"]).query("layer == 'late'").reset_index(drop=True)
    assert without["prediction_reliability"].isna().all()
    pd.testing.assert_frame_equal(others, without[others.columns])


def test_names_are_text_even_where_they_look_like_numbers_or_nothing(tmp_path):
    table = pd.DataFrame({"model": ["1e3", "2"], "layer": ["0", "01"], "area": ["NA", ""], "r": [0.5, np.nan]})
    table.to_csv(tmp_path / "table.csv", index=False)
    read = read_csv(tmp_path / "table.csv")
    assert read.drop(columns="time_bin").fillna({"area": ""}).equals(table)
    table.rename(columns={"layer": "best_layer"}).to_csv(tmp_path / "table.csv", index=False)
    assert read_csv(tmp_path / "table.csv", "best_layer")["best_layer"].tolist() == ["0", "01"]


def test_penalties_at_an_edge_are_told_once_with_the_layers(experiment, caplog):
    """A grid far below the best penalties: all are chosen at its highest end."""
    score(experiment["folder"], splits=["stimuli"], penalties=[1e-9, 1e-8, 1e-7])
    (told,) = [record.getMessage() for record in caplog.records if "edge of the grid" in record.getMessage()]
    assert told.startswith("model net, recording rec: ridge penalties")
    assert "late (stimuli, " in told
    assert told.endswith("set `penalties.highest` higher than 1e-07")
    caplog.clear()
    score(experiment["folder"], splits=["stimuli"], penalties=np.geomspace(1e-4, 1e4, 9))
    assert not [record for record in caplog.records if "`penalties.highest`" in record.getMessage()]


def test_a_layer_at_a_step_says_which(experiment):
    group = zarr.open_group(experiment["folder"] / "gram.zarr", mode="a")
    early, late = group.attrs["layers"]
    group.attrs["layers"] = [early, late | {"step": 2}]
    table = score(experiment["folder"], splits=["stimuli"])
    steps = table.groupby("layer")["step"].agg(set)
    assert steps["late"] == {2}
    assert all(step is pd.NA for step in steps["early"])


def test_crossnobis_distances_of_neurons_in_the_table(experiment):
    rsa = {"distances": ["crossnobis"], "comparisons": ["whitened_cosine"], "two_factor": True}
    table = score(experiment["folder"], mappings=["rsa"], rsa=rsa, n_bootstrap=10)
    rows = table[table["mapping"] == "rsa"].set_index(["layer", "area"]).sort_index()
    assert rows[["distance", "comparison"]].drop_duplicates().values.tolist() == [["crossnobis", "whitened_cosine"]]
    assert rows["r"].notna().all()
    # A single neuron of V4 has all stimuli, and stimuli shown three times have no reliability.
    assert rows["r_error_both"].notna().tolist() == [True, False] * 2
    assert rows["reliability"].isna().all()


def test_crossnobis_distances_without_repetitions_are_refused_first(experiment):
    folder = experiment["folder"]
    recording = read_dataset(folder / "recording.zarr").load()
    recording["responses"].transpose("repetition", "stimulus", "neuroid").values[1:, 4] = np.nan
    write_dataset(recording, folder / "recording.zarr")
    with pytest.raises(
        InputError, match=r"recording rec, IT: crossnobis .* 1 of 60 stimuli have fewer, .* row 5; leave"
    ):
        score(folder, mappings=["ridge", "rsa"], rsa={"distances": ["crossnobis"]})
    assert not (folder / "scores.parquet").exists()
    score(folder, mappings=["ridge"], rsa={"distances": ["crossnobis"]})
