"""How well animals predict each other: by the definition, in simulations with a known answer, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.optimize import curve_fit
from sklearn.linear_model import Ridge

from ventral.errors import InputError
from ventral.mappings.correlation import pooled_r, prediction_reliability, sums_within_folds
from ventral.mappings.standardisation import standardised
from ventral.recordings.ingestion import dataset_of
from ventral.recordings.reliability import means_of_halves
from ventral.recordings.time_bins import read_recording
from ventral.scores.inter_animal import inter_animal, recorded_neurons, shared_animals, subsets
from ventral.scores.prediction import penalty_scale
from ventral.statistics.inter_animal import MEAN, Medians, consistency_rows, join_inter_animal, with_means
from ventral.statistics.saturation import saturated
from ventral.store import write_dataset
from ventral.targets.ceilings import noise_of_neurons
from ventral.targets.selection import ceilings_of_chosen, reliability_of_half
from ventral.targets.splits import make_splits

SEED = 3
OPTIONS = {"group": "both", "mappings": ["ridge"], "splits": ["stimuli"], "n_folds": 4, "seed": SEED}
OPTIONS |= {"penalties": [0.01, 0.3, 10.0], "n_bootstrap": 60, "reliability_threshold": 0.1}


@pytest.fixture(autouse=True)
def few_fits(monkeypatch):
    """Two draws of each number of predicting neurons, and one division of the repetitions."""
    monkeypatch.setattr("ventral.scores.inter_animal.DRAWS", 2)
    monkeypatch.setattr("ventral.scores.inter_animal.HALVINGS", 1)


def stimulus_set(n):
    return xr.Dataset(
        coords={"stimulus": [f"image{k:03d}" for k in range(n)]}, attrs={"name": "set", "sha256": "a" * 64}
    )


def signals(truth, latents, n_neurons, rng):
    """Signals that correlate by `truth` with a direction of latents, and are else each neuron's own."""
    directions = rng.normal(size=(latents.shape[1], n_neurons))
    shared = latents @ (directions / np.linalg.norm(directions, axis=0))
    return truth * shared + np.sqrt(1 - truth**2) * rng.normal(size=shared.shape)


def two_animals(truth=1.0, n=120, n_neurons=20, repetitions=6, noise=1.0, n_latents=3, seed=0):
    """Responses (repetitions, n, neurons) of two animals."""
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(n, n_latents))
    found = [signals(truth, latents, n_neurons, rng) for _ in range(2)]
    return [signal + noise * rng.normal(size=(repetitions, *signal.shape)) for signal in found]


def dataset(responses, animal, name, area="IT"):
    neuroids = pd.DataFrame(
        {"area": area}, index=pd.Index([f"n{k}" for k in range(responses.shape[2])], name="neuroid")
    )
    if animal:
        neuroids["animal"] = animal
    return dataset_of(responses, neuroids, stimulus_set(responses.shape[1]), name, name, n_splits=2)


def stored(folder, of_animals, **animals):
    """Stores of the recordings of animals, named F and N, and of their stimuli."""
    animals = animals or {"F": "F", "N": "N"}
    paths = []
    for responses, (name, animal) in zip(of_animals, animals.items(), strict=True):
        write_dataset(dataset(responses, animal, name), folder / f"{name}.zarr")
        paths.append(folder / f"{name}.zarr")
    write_dataset(stimulus_set(of_animals[0].shape[1]), folder / "stimuli.zarr")
    return paths, folder / "stimuli.zarr"


def measured(folder, of_animals, **changes):
    paths, stimuli = stored(folder, of_animals)
    inter_animal(paths, stimuli, folder / "table.parquet", **OPTIONS | changes)
    return pd.read_parquet(folder / "table.parquet")


def by_loops(source, target, penalty):
    """The consistency of every neuron of `target` by all neurons of `source`, fit by fit, on even and odd folds."""
    n = source.shape[1]
    folds = make_splits(["stimuli"], {}, n, 4, SEED, "set")["stimuli"].folds

    def predicted(features, responses):
        x = standardised(features)
        alpha, predictions = penalty * penalty_scale(x @ x.T), np.empty(responses.shape)
        for fold in folds:
            rest = np.delete(np.arange(n), fold)
            predictions[fold] = Ridge(alpha=alpha).fit(x[rest], responses[rest]).predict(x[fold])
        return predictions

    pairs = zip(means_of_halves(source, 1, SEED), means_of_halves(target, 1, SEED), strict=True)
    halves = [[predicted(*side) for side in zip(*pair, strict=True)] for pair in pairs]
    reliability = prediction_reliability(*(np.stack(side) for side in zip(*halves, strict=True)), folds)
    predictions, responses = predicted(source.mean(axis=0), target.mean(axis=0)), target.mean(axis=0)
    noise = noise_of_neurons(dataset(target, "N", "N"))
    rho = np.stack([reliability_of_half(noise, folds, k) for k in (0, 1)])
    ceilings = ceilings_of_chosen(rho, OPTIONS["reliability_threshold"])
    r = [pooled_r(sums_within_folds(predictions, responses, folds[k::2])) for k in (0, 1)]
    return np.mean([np.nanmedian(r[k] / ceilings[k] / np.sqrt(reliability)) for k in (0, 1)])


def test_all_predictors_give_the_definition(tmp_path):
    of_animals = two_animals(0.8, n=60, n_neurons=18)
    table = measured(tmp_path, of_animals, penalties=[0.3])
    whole = table[table["n_predictors"] == 18].set_index("animal")["consistency"]
    np.testing.assert_allclose(whole["N"], by_loops(*of_animals, 0.3), rtol=1e-9)
    np.testing.assert_allclose(whole["F"], by_loops(*of_animals[::-1], 0.3), rtol=1e-9)


@pytest.mark.parametrize(("truth", "error"), [(1.0, 0.03), (0.7, 0.08)])
def test_extrapolated_consistency_is_the_truth(tmp_path, truth, error):
    table = measured(tmp_path, two_animals(truth, n=160, n_neurons=32), n_bootstrap=100)
    mean = table[table["animal"] == MEAN].iloc[0]
    assert mean["consistency"] == pytest.approx(truth, abs=error)
    assert mean["low"] <= truth <= mean["high"]
    assert mean["high"] - mean["low"] < 0.3
    of_animal = table[table["animal"] == "F"]
    assert of_animal["n_predictors"].tolist() == [4, 8, 16, 32, np.inf]
    # One correction or none leaves the ceiling too low, and so do few predicting neurons.
    assert of_animal["r"].max() < truth - 0.05
    assert of_animal["consistency"].iloc[0] < of_animal["consistency"].iloc[3]


def test_animals_without_common_signals_have_no_consistency(tmp_path):
    table = measured(tmp_path, two_animals(0.0))
    assert not (table["consistency"].abs() > 0.6).any()
    assert (table["r"].dropna().abs() < 0.2).all()


def test_the_table_and_its_means(tmp_path):
    of_animals = two_animals(0.9)
    table = measured(tmp_path, of_animals)
    assert set(table["group"]) == {"both"}
    assert table.groupby("animal").size().to_dict() == {"F": 5, "N": 5, MEAN: 1}
    ends = table[np.isinf(table["n_predictors"])].set_index("animal")
    assert ends.loc[MEAN, "consistency"] == pytest.approx(ends.loc[["F", "N"], "consistency"].mean())
    assert ends["n_neuroids"].to_dict() == {"F": 20, "N": 20, MEAN: 40}
    assert ends["n_animals"].to_dict() == {"F": 1, "N": 1, MEAN: 2}
    assert set(table["n_stimuli"]) == {120}
    join_inter_animal([tmp_path / "table.parquet"], tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv").assign(time_bin="")
    pd.testing.assert_frame_equal(read, table, check_dtype=False)


def test_other_stimuli_than_the_shared_ones_change_nothing(tmp_path):
    """Animal N never saw the last 40 stimuli, and F saw the 20 before once."""
    first, second = two_animals(0.8, n=160)
    second[:, 120:] = np.nan
    first[1:, 100:120] = np.nan
    table = measured(tmp_path, [first, second])
    assert set(table["n_stimuli"]) == {100}
    first[:, 100:] += 5
    (tmp_path / "again").mkdir()
    again = measured(tmp_path / "again", [first, second])
    pd.testing.assert_frame_equal(table, again, rtol=1e-9)


def test_neurons_without_all_shared_stimuli_and_of_unknown_animals_are_left_out(tmp_path, caplog):
    first, second = two_animals(0.8)
    first[:, 7, 0] = np.nan
    table = measured(tmp_path, [first, second])
    assert (
        "set both, IT: 1 neuroids lack repetitions of stimuli that all animals saw, and are left out: F/n0"
        in caplog.text
    )
    assert table[table["animal"] == "N"]["n_predictors"].max() == np.inf
    assert 19 in set(table[table["animal"] == "N"]["n_predictors"])
    (tmp_path / "three").mkdir()
    paths, stimuli = stored(tmp_path / "three", [first, second, second], F="F", N="N", other="")
    inter_animal(paths, stimuli, tmp_path / "three" / "table.parquet", **OPTIONS)
    assert "recording other: the animal of 20 neuroids is unknown, so `inter_animal` leaves these out" in caplog.text
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "three" / "table.parquet"), table)


def refused(folder, of_animals, **animals):
    paths, stimuli = stored(folder, of_animals, **animals)
    with pytest.raises(InputError) as error:
        inter_animal(paths, stimuli, folder / "table.parquet", **OPTIONS)
    assert not (folder / "table.parquet").exists()
    return str(error.value)


def test_what_cannot_be_compared_is_refused_before_any_fit(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("ventral.scores.inter_animal.predict", None)
    for name in "abcdef":
        (tmp_path / name).mkdir()
    first, second = two_animals()
    text = refused(tmp_path / "a", [first, second], F="F", N="F")
    assert text.startswith("set both: no area was recorded in two animals or more; name the animals")
    assert "set both, IT: only animal F was recorded" in caplog.text
    text = refused(tmp_path / "b", [first[:, :, :15], second])
    assert "set both, IT: 15 neuroids of other animals" in text
    assert "would predict those of N; `inter_animal` needs 16" in text
    apart = first.copy(), second.copy()
    apart[0][:, :60], apart[1][:, 60:] = np.nan, np.nan
    text = refused(tmp_path / "c", apart)
    assert text.startswith("set both, IT: 0 stimuli were shown at least twice to every animal (each alone: F 60, N 60)")
    text = refused(tmp_path / "d", [first, second[:1]])
    assert text.startswith("recording N: no stimulus has repetitions, which `inter_animal` needs to correct for noise")
    halves = second.copy()
    halves[:, :60, ::2], halves[:, 60:, 1::2] = np.nan, np.nan
    text = refused(tmp_path / "e", [first, halves])
    assert "no neuroid of animal N has repetitions of all stimuli that the animals share" in text
    matrices = xr.Dataset(attrs={"recording": "fmri"})
    with pytest.raises(InputError, match="recording fmri: `inter_animal` needs responses of neuroids, not dissim"):
        recorded_neurons(matrices, 0)


def test_areas_of_a_single_animal_are_skipped(tmp_path, caplog):
    first, second = two_animals()
    paths, _ = stored(tmp_path, [first, second])
    write_dataset(dataset(first, "F", "more", area="V4"), tmp_path / "more.zarr")
    recorded = [part for path in [*paths, tmp_path / "more.zarr"] for part in recorded_neurons(read_recording(path), 0)]
    (animals,) = shared_animals(recorded, make_splits(["stimuli"], {}, 120, 4, 0, "set"), "both")
    assert animals.area == "IT"
    assert "set both, V4: only animal F was recorded, so no other animal predicts its neurons" in caplog.text


def test_subsets_are_several_of_each_size_and_the_whole():
    found = subsets(40, seed=1)
    assert [len(some) for some in found] == [5] * 2 + [10] * 2 + [20] * 2 + [40]
    assert all(len(np.unique(some)) == len(some) for some in found)
    assert len({some.tobytes() for some in found}) == len(found)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0, 3.0])
def test_curves_of_known_shape_are_extrapolated_exactly(exponent):
    sizes, levels = np.array([8, 16, 32, 64]), np.array([1.0, 0.7, -0.2])
    half = np.geomspace(0.5, 64, 61)[35]
    values = levels[:, None] * np.sqrt(sizes**exponent / (sizes**exponent + half**exponent))
    np.testing.assert_allclose(saturated(sizes, values), levels, rtol=1e-9)


def test_the_curve_is_that_of_least_squares():
    sizes, values = np.array([8.0, 16, 32, 64]), np.array([0.48, 0.55, 0.62, 0.65])

    def curve(p, level, exponent, half):
        return level * np.sqrt(p**exponent / (p**exponent + half**exponent))

    fitted, _ = curve_fit(curve, sizes, values, p0=[0.7, 1.2, 8], bounds=([0, 1, 0.5], [2, 3, 64]))
    np.testing.assert_allclose(saturated(sizes, values[None]), fitted[0], rtol=0.02)


def test_curves_that_do_not_grow_are_extrapolated_to_their_mean():
    values = np.array([[0.8, 0.8, 0.8, 0.8], [0.9, 0.85, 0.8, 0.75], [0.5, np.nan, 0.6, 0.7], [0.5, np.inf, 0.6, 0.7]])
    np.testing.assert_allclose(saturated(np.array([2, 4, 8, 16]), values), [0.8, 0.825, np.nan, np.nan], rtol=1e-3)


def medians_of(values, n_bootstrap=400, **changes):
    """Medians of thirteen subsets, each the same in every resample of stimuli and neurons."""
    sizes = np.repeat([8, 16, 32, 64], [4, 4, 4, 1])
    described = {"area": "IT", "time_bin": "", "split": "stimuli", "mapping": "ridge", "animal": "F", "n_stimuli": 9}
    medians = np.repeat(np.asarray(values, dtype=float)[:, None], n_bootstrap + 1, axis=1)
    return Medians(described | changes, sizes, medians, np.full(13, 0.5), np.full(13, 0.6), 20)


def test_intervals_are_of_the_draws_of_predicting_neurons():
    rows, samples = consistency_rows(medians_of(np.full(13, 0.7)), seed=0)
    np.testing.assert_allclose(rows[["consistency", "low", "high"]], 0.7, rtol=1e-3)
    assert samples.shape == (5, 400)
    of_halves = 0.7 + np.array([-0.06, -0.02, 0.02, 0.06])
    rows, samples = consistency_rows(medians_of([*np.full(8, 0.7), *of_halves, 0.7]), seed=0)
    spread = of_halves.std(ddof=1)
    assert samples[3].std() == pytest.approx(spread, rel=0.1)
    assert rows["high"].iloc[3] == pytest.approx(0.7 + 0.06 * np.sqrt(4 / 3))
    assert rows["consistency"].iloc[3] == 0.7


def test_intervals_need_a_value_in_nearly_every_resample():
    found = medians_of(np.full(13, 0.7))
    found.medians[:, 1:11] = np.nan
    rows, _ = consistency_rows(found, seed=0)
    np.testing.assert_allclose(rows[["low", "high"]], 0.7, rtol=1e-3)
    found.medians[-1, 1:31] = np.nan
    rows, _ = consistency_rows(found, seed=0)
    assert rows["low"].isna().tolist() == [False, False, False, True, True]


def test_means_over_animals_have_the_mean_of_the_samples():
    found = [
        consistency_rows(medians_of(np.full(13, level), animal=name), seed=0)
        for name, level in (("F", 0.6), ("N", 0.9))
    ]
    mean = with_means(found).query("animal == @MEAN").iloc[0]
    np.testing.assert_allclose(mean[["consistency", "low", "high"]].astype(float), 0.75, rtol=1e-3)
    assert (mean["n_animals"], mean["n_neuroids"]) == (2, 40)
