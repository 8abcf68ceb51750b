"""What is read from few units, against scikit-learn, brute force and populations of which the answer is known."""

import itertools
import zlib

import numpy as np
import pandas as pd
import pytest
import zarr
from sklearn.linear_model import Ridge
from xarray import Dataset

from ventral.configuration.options import RENAMED_SPLITS
from ventral.decoding import populations as decoding
from ventral.decoding.populations import decode, decode_areas, noisy, populations
from ventral.decoding.readouts import Readout, costs_of_labels, gram_of_labels, predict, readouts_of, score
from ventral.errors import InputError
from ventral.mappings.svm import balanced_accuracy, chosen_costs, svm_predictions
from ventral.recordings.reliability import split_half_reliability
from ventral.store import read_dataset, write_dataset
from ventral.targets.values import splits_of

N = 60
PENALTIES = np.geomspace(1e-3, 1e2, 6)
FOLDS = [np.arange(k, N, 5) for k in range(5)]


def standardised(units):
    return (units - units.mean(axis=0)) / units.std(axis=0)


def test_properties_are_read_by_ridge_regression_refitted_for_every_fold():
    rng = np.random.default_rng(1)
    units = standardised(rng.normal(size=(N, 4)))
    values = units[:, 0] + rng.normal(size=N)
    expected = np.empty(N)
    for k, fold in enumerate(FOLDS):
        errors = []
        for penalty in PENALTIES * 4:
            total = 0
            for inner in (other for j, other in enumerate(FOLDS) if j != k):
                rest = np.setdiff1d(np.arange(N), np.concatenate([fold, inner]))
                model = Ridge(alpha=penalty).fit(units[rest], values[rest])
                total += np.square(model.predict(units[inner]) - values[inner]).sum()
            errors.append(total)
        rest = np.setdiff1d(np.arange(N), fold)
        best = PENALTIES[np.argmin(errors)] * 4
        expected[fold] = Ridge(alpha=best).fit(units[rest], values[rest]).predict(units[fold])
    readout = Readout("size", "property", "stimuli", values, FOLDS, None, False, 0.0)
    (found,) = predict(units, None, [readout], PENALTIES, [None])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_every_kind_of_readout_has_its_measure():
    rng = np.random.default_rng(2)
    labels = np.array([f"object{k % 3}" for k in range(N)])
    angle = rng.uniform(-90, 90, N)
    size = rng.normal(size=N)
    size[:7] = np.nan
    signal = np.column_stack(
        [np.sin(np.radians(angle)), np.cos(np.radians(angle)), np.nan_to_num(size), labels == "object1"]
    )
    units = standardised(signal @ rng.normal(size=(4, 12)) + 0.1 * rng.normal(size=(N, 12)))
    present = [fold[np.isfinite(size[fold])] for fold in FOLDS]
    readouts = [
        Readout("object", "category", "stimuli", labels, FOLDS, chance=1 / 3),
        Readout("angle", "property", "stimuli", angle, FOLDS, period=360),
        Readout("size", "property", "stimuli", size, present),
    ]
    gram = gram_of_labels(units, readouts)
    predictions = predict(units, gram, readouts, PENALTIES, costs_of_labels(gram, readouts))
    accuracy = score(readouts[0], predictions[0], FOLDS)
    gram = units @ units.T
    by_gram = svm_predictions(gram, labels, FOLDS, chosen_costs(gram, labels, FOLDS))
    assert accuracy == balanced_accuracy(labels, by_gram, FOLDS)
    assert np.isnan(predictions[2][:7]).all()
    centred = [np.concatenate([of[fold] - of[fold].mean() for fold in present]) for of in (predictions[2], size)]
    assert score(readouts[2], predictions[2], present) == pytest.approx(np.corrcoef(centred)[0, 1])
    assert [readout.measure for readout in readouts] == ["balanced accuracy", "circular r", "r"]
    assert score(readouts[1], predictions[1], FOLDS) > 0.9
    assert np.abs(predictions[1] - angle).mean() < 15


def test_a_circular_property_is_not_lost_where_it_comes_back():
    """Angles around half a turn: as numbers they jump, as angles they do not."""
    rng = np.random.default_rng(3)
    angle = (180 + rng.normal(0, 25, N) + 180) % 360 - 180
    units = standardised(np.column_stack([np.sin(np.radians(angle)), np.cos(np.radians(angle))]))
    as_angle = Readout("angle", "property", "stimuli", angle, FOLDS, period=360)
    as_number = Readout("angle", "property", "stimuli", angle, FOLDS)
    found = [
        score(readout, predict(units, None, [readout], PENALTIES, [None])[0], FOLDS)
        for readout in (as_angle, as_number)
    ]
    assert found[0] > 0.99
    assert found[1] < 0.95


def test_noise_leaves_units_the_reliability_that_is_asked_for():
    """Two draws of the noise are two recordings of the same units: they correlate as their reliability says."""
    rng = np.random.default_rng(4)
    units = standardised(rng.normal(size=(20000, 3)))
    reliability = np.array([0.3, 0.7, 1.0])
    first, second = (noisy(units, reliability, np.random.default_rng(seed)) for seed in (0, 1))
    np.testing.assert_allclose((first * second).mean(axis=0), reliability, atol=0.02)
    np.testing.assert_allclose(first.std(axis=0), 1)


def test_balanced_accuracy_of_a_bootstrap_sample_counts_what_is_there():
    labels, predictions = np.array(["a", "a", "b", "b"]), np.array(["a", "b", "b", "b"])
    assert balanced_accuracy(labels, predictions, [np.arange(4)]) == 0.75
    assert balanced_accuracy(labels, predictions, [np.array([0, 0, 1, 0])]) == 0.75
    assert np.isnan(balanced_accuracy(labels, np.array(["a", "b", "b", ""]), [np.arange(4)]))


def test_sizes_double_up_to_all():
    assert decoding.population_sizes(50) == [1, 2, 4, 8, 16, 32, 50]
    assert decoding.population_sizes(64) == [1, 2, 4, 8, 16, 32, 64]
    assert decoding.population_sizes(1) == [1]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """60 stimuli of three objects with a size, a late layer that has both, an early one that has the size alone."""
    folder = tmp_path_factory.mktemp("stores")
    rng = np.random.default_rng(5)
    codes, size = np.arange(N) % 3, rng.normal(size=N)
    angle = np.full(N, 10.0)
    coordinates = {
        "stimulus": np.array([f"s{k}" for k in range(N)], dtype=object),
        "object": ("stimulus", np.array([f"object{code}" for code in codes], dtype=object)),
        "size": ("stimulus", size),
        "angle": ("stimulus", angle),
    }
    write_dataset(Dataset(coords=coordinates, attrs={"name": "set", "sha256": "a" * 64}), folder / "stimuli.zarr")
    of_object = np.eye(3)[codes] @ rng.normal(size=(3, 30))
    of_size = size[:, None] * rng.normal(size=30)
    layers = {
        "early": of_size + 0.3 * rng.normal(size=(N, 30)),
        "late": 3 * of_object + of_size + 0.3 * rng.normal(size=(N, 30)),
        "dead": np.zeros((N, 5)),
    }
    layers["early"][:, ::2] = 7  # half of its units say nothing
    group = zarr.open_group(folder / "gram.zarr", mode="w")
    described = [
        {"name": name, "depth": depth, "n_features": 30} for name, depth in zip(layers, (0.1, 0.9, 1), strict=True)
    ]
    group.attrs.update(model="net", family="trained", stimuli="set", stimuli_sha256="a" * 64, layers=described)
    for name, values in layers.items():
        layer = group.create_group(name, attributes={"n_features": values.shape[1]})
        arrays = {"gram": values @ values.T, "row_sums": values.sum(axis=1), "sample": values}
        for array, data in (arrays | {"sampled_features": np.arange(values.shape[1])}).items():
            layer.create_array(array, data=data, config={"write_empty_chunks": True})
    responses = layers["late"][None, :, :9] + np.array([1.0] * 5 + [2.0] * 4) * rng.normal(size=(6, N, 9))
    write_recording(folder / "recording.zarr", responses, ["IT"] * 5 + ["V4"] * 4)
    return folder


def write_recording(path, responses, areas):
    n = responses.shape[2]
    dataset = Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "reliability": ("neuroid", split_half_reliability(responses)),
            "left_out": ("neuroid", np.full(n, "", dtype=object)),
        },
        coords={
            "stimulus": np.array([f"s{k}" for k in range(responses.shape[1])], dtype=object),
            "neuroid": np.array([f"n{k}" for k in range(n)], dtype=object),
            "area": ("neuroid", np.array(areas, dtype=object)),
        },
        attrs={"recording": "rec", "stimuli": "set", "stimuli_sha256": "a" * 64, "simulated": True},
    )
    write_dataset(dataset, path)


OPTIONS = {"splits": ["stimuli", "objects"], "n_folds": 5, "seed": 0, "penalties": PENALTIES, "periods": {}}
OPTIONS |= {"units": None, "draws": 6, "reliability_threshold": 0.1}


@pytest.fixture(scope="module")
def decoded(stores):
    paths = [stores / name for name in ("gram.zarr", "recording.zarr", "stimuli.zarr", "net.parquet")]
    decode(*paths, **OPTIONS)
    decode_areas(stores / "recording.zarr", stores / "stimuli.zarr", stores / "areas.parquet", **OPTIONS)
    return [pd.read_parquet(stores / name) for name in ("net.parquet", "areas.parquet")]


def test_layers_and_areas_are_read_from_as_many_units(decoded):
    layers, areas = (table[table["matched_units"]] for table in decoded)
    assert set(areas["layer"]) == {"IT", "V4"}
    assert set(areas["units"]) == {4}
    assert layers.groupby("layer")["units"].unique().map(list).to_dict() == {"dead": [1], "early": [4], "late": [4]}
    assert set(areas["noise"]) == {"recorded"}
    assert set(zip(layers["noise"], layers["matched_area"], strict=True)) == {
        ("none", ""),
        ("matched", "IT"),
        ("matched", "V4"),
    }
    # A label that is held out as a whole cannot be read; a property that does not vary neither.
    assert set(zip(layers["target"], layers["split"], strict=True)) == {
        ("object", "stimuli"),
        ("size", "stimuli"),
        ("size", "objects"),
    }
    assert (layers.groupby(["layer", "target", "split", "noise", "matched_area"])["draw"].nunique() == 6).all()


def test_accuracies_of_half_of_the_folds_make_up_that_of_all(decoded):
    for table in decoded:
        of_labels = table["target_kind"] == "category"
        of_stimuli = table[of_labels & (table["split"] == "stimuli") & table["score"].notna()]
        n_even, n_odd = len(FOLDS[::2]), len(FOLDS[1::2])
        together = (n_even * of_stimuli["score_even"] + n_odd * of_stimuli["score_odd"]) / (n_even + n_odd)
        np.testing.assert_allclose(together, of_stimuli["score"])
        assert (of_stimuli["score_even"] != of_stimuli["score_odd"]).any()


def test_what_a_layer_has_is_read_from_it(decoded):
    layers = decoded[0][decoded[0]["matched_units"] & (decoded[0]["split"] == "stimuli")]
    means = layers.groupby(["target", "noise", "matched_area", "layer"])["score"].mean()
    assert means["object", "none", "", "late"] > 0.8
    assert means["object", "none", "", "early"] < 0.5
    assert means["size", "none", "", "early"] > means["size", "none", "", "late"]
    # Neurons of V4 are the noisier ones.
    assert means["size", "none", "", "early"] > means["size", "matched", "IT", "early"]
    assert means["size", "matched", "IT", "early"] > means["size", "matched", "V4", "early"]
    assert layers.loc[layers["layer"] == "dead", "score"].isna().all()


def test_the_best_layer_of_each_target_has_a_population_curve(decoded):
    layers, areas = decoded
    curves = layers[~layers["matched_units"]]
    of_object = curves[(curves["target"] == "object") & (curves["noise"] == "none")]
    assert set(of_object["layer"]) == {"late"}
    assert set(of_object["units"]) == {1, 2, 8, 10}
    assert set(areas.loc[areas["layer"] == "IT", "units"]) == {1, 2, 4, 5}
    means = layers[(layers["layer"] == "late") & (layers["target"] == "object") & (layers["noise"] == "none")]
    by_size = means.groupby("units")["score"].mean()
    assert by_size[10] > by_size[1]


def test_units_of_all_draws_differ_and_all_units_are_the_same_draw(decoded):
    areas = decoded[1][decoded[1]["split"] == "stimuli"]
    deviation = areas.groupby(["layer", "target", "units"])[["score", "resampled"]].std()
    assert deviation.loc[("V4", "size", 4), "score"] == 0
    assert deviation.loc[("IT", "size", 4), "score"] > 0
    assert (deviation.xs("size", level="target")["resampled"] > 0).all()


def test_neither_cores_nor_other_layers_change_a_number(stores, decoded, tmp_path):
    group = zarr.open_group(stores / "gram.zarr", mode="r")
    some = zarr.open_group(tmp_path / "gram.zarr", mode="w")
    some.attrs.update({**group.attrs, "layers": [group.attrs["layers"][1]]})
    copied = some.create_group("late", attributes=dict(group["late"].attrs))
    for name, values in group["late"].arrays():
        copied.create_array(name, data=values[:])
    paths = [tmp_path / "gram.zarr", stores / "recording.zarr", stores / "stimuli.zarr", tmp_path / "one.parquet"]
    decode(*paths, **OPTIONS, cores=2)
    found, expected = (table[table["matched_units"]] for table in (pd.read_parquet(paths[-1]), decoded[0]))
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected[expected["layer"] == "late"].reset_index(drop=True)
    )


def test_without_repetitions_no_noise_is_matched(stores, tmp_path, caplog):
    rng = np.random.default_rng(6)
    write_recording(tmp_path / "recording.zarr", rng.normal(size=(1, N, 4)), ["IT"] * 4)
    paths = [stores / "gram.zarr", tmp_path / "recording.zarr", stores / "stimuli.zarr", tmp_path / "net.parquet"]
    decode(*paths, **OPTIONS | {"draws": 1, "splits": ["stimuli"]})
    assert set(pd.read_parquet(paths[-1])["noise"]) == {"none"}
    assert "noise cannot be matched" in caplog.text


def test_neuroids_that_lack_stimuli_or_are_not_reliable_are_not_read(stores, tmp_path, caplog):
    rng = np.random.default_rng(7)
    responses = rng.normal(size=(N, 5)) + 0.2 * rng.normal(size=(6, N, 5))
    responses[:, 3, 0] = np.nan
    responses[:, :, 1] = np.resize([1.0, 2.0, 2.0, 1.0, 1.0, 2.0], (N, 6)).T + rng.normal(size=(6, N))
    write_recording(tmp_path / "recording.zarr", responses, ["IT"] * 5)
    decode_areas(
        tmp_path / "recording.zarr",
        stores / "stimuli.zarr",
        tmp_path / "areas.parquet",
        **OPTIONS | {"draws": 1, "reliability_threshold": 0.6},
    )
    table = pd.read_parquet(tmp_path / "areas.parquet")
    assert table["units"].max() == 3
    assert "3 of 5 neuroids are read; 1 have missing stimuli, 1 more are not reliable" in caplog.text


def test_the_reliability_that_noise_is_matched_to_chose_no_neuroid(tmp_path):
    """Of 400 equal neuroids, those chosen by their estimate have, in the other stimuli, the true reliability."""
    rng = np.random.default_rng(9)
    truth = 0.2
    responses = rng.normal(size=(300, 400)) + np.sqrt(4 * (1 - truth) / truth) * rng.normal(size=(4, 300, 400))
    folds = [np.arange(k, 300, 5) for k in range(5)]
    write_recording(tmp_path / "recording.zarr", responses, ["IT"] * 400)
    (population,) = populations(read_dataset(tmp_path / "recording.zarr"), folds, 0.2).values()
    assert 100 < len(population.reliability) < 300
    assert population.reliability.mean() == pytest.approx(truth, abs=0.03)
    assert (population.reliability < truth).sum() > 50


def test_a_gram_of_units_is_made_once_for_each_draw(stores, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(decoding, "gram_of_labels", lambda units, readouts: made.append(1) or units @ units.T)
    options = OPTIONS | {"splits": ["stimuli"], "units": 2, "draws": 3}
    paths = [stores / name for name in ("recording.zarr", "stimuli.zarr")]
    decode_areas(*paths, tmp_path / "areas.parquet", **options)
    table = pd.read_parquet(tmp_path / "areas.parquet")
    all_units = table.groupby("layer")["units"].transform("max") == table["units"]
    # Of all units of an area one draw is like the other.
    drawn = table[~all_units | (table["draw"] == 0)]
    assert len(made) == len(drawn.groupby(["layer", "units", "draw"]))


def test_a_recording_without_any_neuroid_to_count_says_what_to_do(stores, tmp_path):
    write_recording(tmp_path / "recording.zarr", np.random.default_rng(8).normal(size=(4, N, 3)), ["IT"] * 3)
    with pytest.raises(InputError, match=r"recording rec: no neuroid is reliable .* set `decoding\.units`"):
        decode_areas(
            tmp_path / "recording.zarr",
            stores / "stimuli.zarr",
            tmp_path / "areas.parquet",
            **OPTIONS | {"reliability_threshold": 0.99},
        )


def test_stimuli_with_nothing_to_read_give_an_empty_table_and_a_warning(stores, tmp_path, caplog):
    names = np.array([f"s{k}" for k in range(N)], dtype=object)
    write_dataset(
        Dataset(coords={"stimulus": names}, attrs={"name": "set", "sha256": "a" * 64}), tmp_path / "plain.zarr"
    )
    options = OPTIONS | {"splits": ["stimuli"]}
    decode(
        stores / "gram.zarr", stores / "recording.zarr", tmp_path / "plain.zarr", tmp_path / "net.parquet", **options
    )
    decode_areas(stores / "recording.zarr", tmp_path / "plain.zarr", tmp_path / "areas.parquet", **options)
    for name in ("net", "areas"):
        assert pd.read_parquet(tmp_path / f"{name}.parquet").empty
    assert "stimuli set: nothing is decoded, because labels that differ and properties are missing" in caplog.text


def test_draws_take_no_unit_twice_and_are_the_same_every_time():
    draws = [decoding.drawn_units(10, 4, 0, draw) for draw in range(5)]
    assert all(len(set(draw)) == 4 for draw in draws)
    assert any((first != second).any() for first, second in itertools.pairwise(draws))
    np.testing.assert_array_equal(draws[2], decoding.drawn_units(10, 4, 0, 2))


def test_draws_are_those_of_the_older_name_of_a_split():
    drawn = [decoding.SPLIT_NUMBERS[split] for split in RENAMED_SPLITS.values()]
    assert drawn == [zlib.crc32(older.encode()) for older in RENAMED_SPLITS]


def test_all_draws_share_the_c_that_is_chosen_for_the_first(stores, monkeypatch):
    """The C of all draws is what the units of draw 0 choose."""
    given = []

    def noted(units, gram, readouts, penalties, costs):
        given.append((units, costs))
        return predict(units, gram, readouts, penalties, costs)

    monkeypatch.setattr(decoding, "predict", noted)
    paths = [stores / name for name in ("recording.zarr", "stimuli.zarr", "areas_again.parquet")]
    decode_areas(*paths, **OPTIONS | {"splits": ["stimuli"], "units": 2, "draws": 3})
    labels = np.array([f"object{k % 3}" for k in range(N)])
    folds = splits_of(read_dataset(stores / "stimuli.zarr"), ["stimuli"], 5, 0)["stimuli"].folds
    of_two = [(units, costs[0]) for units, costs in given if units.shape[1] == 2]
    assert len(of_two) == 6
    for first in (0, 3):
        expected = chosen_costs(of_two[first][0] @ of_two[first][0].T, labels, folds)
        for _, found in of_two[first : first + 3]:
            np.testing.assert_array_equal(found, expected)


def test_the_column_that_a_split_holds_out_by_is_not_read_on_this_split():
    columns = {"movie": np.repeat(np.arange(4.0), 3), "size": np.random.default_rng(0).normal(size=12)}
    coords = {"stimulus": [f"i{k}" for k in range(12)], **{name: ("stimulus", of) for name, of in columns.items()}}
    stimuli = Dataset(coords=coords, attrs={"name": "shown"})
    found = readouts_of(stimuli, ["stimuli", {"name": "movies", "column": "movie"}], 3, 0, {})
    read = [(readout.split, readout.target) for readout in found]
    assert read == [("stimuli", "movie"), ("stimuli", "size"), ("movies", "size")]
