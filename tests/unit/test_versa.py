"""RSA of held-out predictions: against SciPy on given predictions, on unrelated features, and on perfect models."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, pearsonr, spearmanr

from tests.unit.test_scores import experiment, score  # noqa: F401
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.mappings.ridge import nested_ridge
from ventral.scores.geometry import populations, reliability_of_comparison
from ventral.scores.versa import predicted_areas, versa_comparisons, versa_rows
from ventral.store import read_dataset, write_dataset
from ventral.targets.splits import Split
from ventral.targets.values import neurons

N, NEURONS = 60, 30
ALL = {"distances": ["correlation", "cosine", "euclidean"], "comparisons": ["spearman", "pearson", "kendall"]}
USUAL = {"distances": ["correlation"], "comparisons": ["spearman"]}
FOLDS = [np.arange(k, N, 4) for k in range(4)]


def recorded(rates, noise=1.0, repetitions=8, seed=0):
    responses = rates + noise * np.random.default_rng(seed).normal(size=(repetitions, *rates.shape))
    n_neurons = rates.shape[1]
    return xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "reliability": ("neuroid", np.ones(n_neurons)),
            "left_out": ("neuroid", np.full(n_neurons, "", dtype=object)),
        },
        coords={
            "stimulus": [f"image{k}" for k in range(len(rates))],
            "neuroid": [f"n{k}" for k in range(n_neurons)],
            "area": ("neuroid", np.where(np.arange(n_neurons) < n_neurons // 3, "V4", "IT")),
        },
        attrs={"recording": "rec", "has_repetitions": repetitions > 1},
    )


def signal(seed=0, n=N, n_neurons=NEURONS):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 6)) @ rng.normal(size=(6, n_neurons)) + 3


def scored(responses, predictions, split, rsa=USUAL):
    targets = neurons(responses)
    areas = predicted_areas(responses, {split.name: split}, versa_comparisons(rsa), seed=0)
    rows = np.concatenate(split.folds) if split.inner else np.arange(len(targets.values))
    every = np.arange(len(targets.names))
    return versa_rows(predictions[rows], targets.taken(every, rows), areas, len(split.folds), 0.1, seed=0)


def by_scipy(predictions, means, fold, distance, comparison):
    """The definition for one fold, from patterns in the units of the measured responses over all stimuli."""
    metric = {"correlation": "correlation", "cosine": "cosine", "euclidean": "sqeuclidean"}[distance]
    patterns = [(values - means.mean(axis=0)) / means.std(axis=0) for values in (predictions, means)]
    compared = {"spearman": spearmanr, "pearson": pearsonr, "kendall": kendalltau}[comparison]
    return compared(*(pdist(values[fold], metric) for values in patterns)).statistic


@pytest.mark.parametrize("folds", [FOLDS, [np.arange(10), np.arange(10, 15), np.arange(15, 17), np.arange(17, N)]])
def test_values_equal_scipy_within_folds(folds):
    responses = recorded(signal())
    means = responses["responses"].mean("repetition").values
    predictions = 0.5 * means + np.random.default_rng(1).normal(size=means.shape)
    table = scored(responses, predictions, Split("parts", folds), ALL)
    large = [fold for fold in folds if len(fold) >= 4]
    pairs = np.array([len(fold) * (len(fold) - 1) for fold in large])
    for row in table.itertuples():
        columns = responses["area"].values == row.area
        of_folds = [
            by_scipy(predictions[:, columns], means[:, columns], fold, row.distance, row.comparison) for fold in large
        ]
        assert row.r == pytest.approx(pairs @ of_folds / pairs.sum(), abs=1e-7)
        assert (row.n_neuroids, row.n_stimuli, row.n_folds) == (columns.sum(), N, len(folds))
    assert len(table) == 2 * 9
    assert (table["split"] == "parts").all()


def test_a_test_set_gives_rsa_on_the_test_stimuli():
    responses = recorded(signal())
    means = responses["responses"].mean("repetition").values
    predictions = means + np.random.default_rng(1).normal(size=means.shape)
    test = np.arange(40, N)
    split = Split("published", [test], np.arange(40), inner=[[np.arange(20), np.arange(20, 40)]])
    for row in scored(responses, predictions, split).itertuples():
        columns = responses["area"].values == row.area
        expected = by_scipy(predictions[:, columns], means[:, columns], test, "correlation", "spearman")
        assert row.r == pytest.approx(expected, abs=1e-7)
        assert row.n_stimuli == len(test)


def test_a_perfect_model_reaches_its_ceiling_and_the_ceiling_is_that_of_rsa():
    rates = signal(n=120, n_neurons=120)
    responses = recorded(rates, noise=3.0)
    split = Split("parts", [np.arange(k, 120, 3) for k in range(3)])
    table = scored(responses, rates, split)
    assert table["predictivity"].between(0.93, 1.07).all()
    assert (table["r"] < 0.98).all()
    assert not table["marked"].any()
    (comparison,) = versa_comparisons(USUAL)
    for (area, _, population), rho in zip(populations(responses), table["reliability"], strict=True):
        of_folds = [reliability_of_comparison(population.taken(fold), comparison, 20, 0).rho for fold in split.folds]
        assert rho == pytest.approx(np.mean(of_folds)), area


def test_errors_are_the_spread_over_samples_of_stimuli():
    found = []
    for seed in range(40):
        rates = signal(n_neurons=60, seed=seed)
        predictions = rates + 2 * np.random.default_rng(seed).normal(size=rates.shape)
        table = scored(recorded(rates, 0.3, repetitions=1, seed=seed), predictions, Split("parts", FOLDS))
        found.append(table.set_index("area").loc["IT", ["r", "r_error"]])
    found = pd.DataFrame(found).astype(float)
    assert found["r_error"].mean() == pytest.approx(found["r"].std(), rel=0.4)


@pytest.mark.parametrize("folds_are_categories", [False, True])
def test_unrelated_features_score_around_zero(folds_are_categories):
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        category = np.repeat(np.arange(5), 12)
        strength = 2 * folds_are_categories * rng.uniform(size=5)[category]
        rates = signal(seed) + 3 * strength[:, None] * rng.normal(size=(5, NEURONS))[category]
        features = rng.normal(size=(N, 100))
        folds = [np.flatnonzero(category == k) for k in range(5)] if folds_are_categories else FOLDS
        responses = recorded(rates, repetitions=1, seed=seed)
        gram = features @ features.T
        means = neurons(responses).values
        predictions = nested_ridge(gram, means, folds, np.trace(gram) / N * np.array([1e-2, 1, 10])).predictions
        found.append(scored(responses, predictions, Split("parts", folds))["r"].mean())
    assert np.mean(found) == pytest.approx(0, abs=0.06)


def test_constant_predictions_have_no_value():
    responses = recorded(signal())
    table = scored(responses, np.ones((N, NEURONS)), Split("parts", FOLDS), ALL)
    assert table[["r", "predictivity"]].isna().all(axis=None)


def test_single_repetitions_have_no_ceiling():
    rates = signal()
    table = scored(recorded(rates, repetitions=1), rates, Split("parts", FOLDS))
    assert table["reliability"].isna().all()
    assert table["r"].notna().all()


def test_folds_that_are_too_small_and_random_test_sets_are_left_out(caplog):
    responses, comparisons = recorded(signal()), versa_comparisons(USUAL)
    pairs = Split("pairs", [np.arange(k, k + 2) for k in range(0, N, 2)])
    drawn = Split("drawn", [np.arange(20)] * 2, np.arange(20, N), repeated=True, inner=[[np.arange(20, N)]] * 2)
    with caplog.at_level(logging.WARNING):
        assert predicted_areas(responses, {"pairs": pairs, "drawn": drawn}, comparisons, seed=0) == []
    assert "recording rec, IT, split pairs: no fold has 4 stimuli, which `versa` needs" in caplog.text


def test_the_score_table_has_the_rows_and_ridge_is_needed(experiment):  # noqa: F811
    rsa = {"distances": ["correlation", "euclidean"], "comparisons": ["pearson"]}
    table = score(experiment["folder"], mappings=["ridge", "versa"], rsa=rsa)
    rows = table[table["mapping"] == "versa"]
    assert len(rows) == 2 * 2 * 2 * 2
    assert set(rows["split"]) == {"stimuli", "objects"}
    assert (rows["target_kind"] == "matrix").all()
    others = table[table["mapping"] != "versa"].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, score(experiment["folder"], mappings=["ridge"]))


def test_areas_left_out_are_named_once_beside_rsa(experiment, caplog):  # noqa: F811
    folder = experiment["folder"]
    recording = read_dataset(folder / "recording.zarr").load()
    recording["responses"].transpose("repetition", "stimulus", "neuroid").values[:, 0, 0] = np.nan
    write_dataset(recording, folder / "recording.zarr")
    with caplog.at_level(logging.WARNING):
        score(folder, mappings=["ridge", "rsa", "versa"])
    assert caplog.text.count("neuroids have missing stimuli and are not compared by rsa, cka or versa") == 1


def test_crossnobis_distances_are_not_those_of_predictions():
    rsa = {"distances": ["crossnobis", "cosine"], "comparisons": ["pearson"]}
    assert [comparison.distance for comparison in versa_comparisons(rsa)] == ["cosine"]


@pytest.mark.parametrize(
    ("mappings", "match"),
    [
        (["versa"], "`versa` compares the predictions of `ridge`; add `ridge` to `mappings`"),
        ({"ridge": None, "versa": None, "rsa": {"distances": ["crossnobis"]}}, "`versa` has no distance but"),
    ],
)
def test_a_config_without_what_it_compares_is_refused(mappings, match):
    config = {
        "stimuli": {"set": {"images": "images"}},
        "recordings": {"rec": {"responses": "r.nc", "stimuli": "set"}},
        "models": ["alexnet"],
        "mappings": mappings,
    }
    with pytest.raises(InputError, match=match):
        resolve(config)
