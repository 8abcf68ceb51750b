"""The table of influences: panels, and rows against their definitions."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform

from tests.unit.synthetic_influences import SHA256, layers_of_scores, neurons, property_of_stimuli, write_table
from ventral.mappings.cka import linear_cka, unit_centred_gram
from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.mappings.rsa import comparable, compare, standardised_ranks, tau_a
from ventral.statistics.groups import group_estimates
from ventral.statistics.influence import layer_estimates, summed_over_animals
from ventral.statistics.influence_table import (
    FIRST_FOLD,
    Compared,
    influence_rows,
    matrix_influence_rows,
    panels_of,
    read_influences,
    sampling_errors,
)
from ventral.statistics.matrix_influence import (
    cka_influences,
    jackknifed_influences,
    rsa_influences,
    stimulus_influences,
)
from ventral.targets.splits import Split
from ventral.targets.values import grouped_by_missing, together

KEYS = {("net", "late", 0.9): 0.6}


@pytest.fixture
def made():
    predictions, responses, folds = layers_of_scores(KEYS, n=100, n_neurons=6)
    return predictions["net", "late", 0.9], responses, folds


def test_rows_are_the_estimates_of_their_neurons(made, tmp_path):
    predictions, responses, folds = made
    file = write_table(tmp_path / "i.parquet", {("net", "late", 0.9): predictions}, neurons(responses), folds)
    (row,) = read_influences([file]).to_dict("records")
    expected = layer_estimates([predictions], responses, folds, np.ones(6))
    assert row["theta"] == pytest.approx(pooled_r(sums_within_folds(predictions, responses, folds)).mean())
    np.testing.assert_allclose(row["units"], expected.units[0], rtol=1e-6)
    np.testing.assert_allclose(row["neurons"], expected.neurons[0], rtol=1e-6)
    assert (row["kind"], row["sampled"], row["n_neurons"], row["has_ceiling"]) == ("stimuli", "neurons", 6, False)


def test_units_are_the_stimuli_that_were_shown_and_neurons_those_with_a_ceiling_and_a_fit(made):
    predictions, responses, folds = made
    responses = responses.copy()
    # Of one neuron too few folds are left, one is constant, one is unreliable; ten stimuli were shown to none.
    responses[np.concatenate(folds[:3]), 1] = np.nan
    responses[:, 2] = 5.0
    responses[np.arange(10) * 7] = np.nan
    responses[1, 0] = np.nan
    targets = neurons(responses)
    targets.reliability[:] = [0.5, 0.5, 0.5, 0.05, 0.5, 0.8]
    (panel,) = panels_of(targets, Split("stimuli", folds), 0.1, {})
    assert panel.columns.tolist() == [0, 4, 5]
    assert panel.rows.tolist() == sorted(set(range(100)) - set(range(0, 70, 7)))
    parts = [
        (predictions[np.ix_(rows, [int(name[1:]) for name in group.names])], group, rows)
        for group, rows, _ in grouped_by_missing(targets, Split("stimuli", folds))
    ]
    (row,) = influence_rows(parts, Compared("stimuli", targets, [panel], SHA256), "ridge")
    kept = np.ix_(panel.rows, panel.columns)
    expected = layer_estimates([predictions[kept]], responses[kept], panel.folds, np.sqrt([0.5, 0.5, 0.8]))
    assert row["theta"] == pytest.approx(expected.theta[0])
    np.testing.assert_allclose(row["units"], expected.units[0], rtol=1e-5, atol=1e-7)
    assert (row["n_neurons"], row["has_ceiling"]) == (3, True)


def test_fold_0_alone_has_the_neurons_that_vary_there_and_counts_stimuli_that_were_fitted(made):
    predictions, responses, folds = made
    responses = responses.copy()
    # Constant on fold 0; shown 15 fewer images, five of fold 0.
    responses[folds[0], 1] = 2.0
    responses[np.concatenate([folds[0][:5], folds[1][:10]])] = np.nan
    targets = together(neurons(responses), property_of_stimuli(np.arange(100.0), "size"))
    targets.reliability[:6] = [0.5, 0.5, 0.5, 0.05, 0.5, 0.8]
    panels = panels_of(targets, Split("stimuli", folds), 0.1, {})
    compared = Compared("stimuli", targets, panels, SHA256).in_first_fold(folds[0])
    (panel,) = compared.panels
    rows, columns = np.sort(folds[0][5:]), [0, 2, 4, 5]
    assert panel.rows.tolist() == rows.tolist()
    assert panel.columns.tolist() == columns
    parts = [(predictions, neurons(responses), np.arange(100))]
    (row,) = influence_rows(parts, compared, "ridge")
    assert row["split"] == FIRST_FOLD
    kept, one = np.ix_(rows, columns), [np.arange(15)]
    ceilings = np.sqrt([0.5, 0.5, 0.5, 0.8])
    r = [np.corrcoef(predictions[rows, k], responses[rows, k])[0, 1] for k in columns]
    assert row["theta"] == pytest.approx((r / ceilings).mean())
    of_few = layer_estimates([predictions[kept]], responses[kept], one, ceilings).units[0]
    # One test set, which 70 stimuli predict.
    np.testing.assert_allclose(row["units"], of_few * np.sqrt(2 / (1 + 400 / 15)), rtol=1e-5)


def test_a_layer_without_predictions_of_all_has_no_row(made):
    predictions, responses, folds = made
    targets = neurons(responses)
    of_split = Compared("stimuli", targets, panels_of(targets, Split("stimuli", folds), 0.1, {}), SHA256)
    predictions[:, 3] = np.nan
    assert influence_rows([(predictions, targets, np.arange(100))], of_split, "ols") == []


def test_held_out_groups_are_units_by_name_and_properties_are_of_all_stimuli(made):
    predictions, responses, _ = made
    targets = together(property_of_stimuli(responses[:, 0], "size"), neurons(responses))
    predictions = np.column_stack([predictions[:, 0], predictions])
    parts = [(predictions, targets, np.arange(100))]
    folds, names = np.split(np.arange(100), 4), ["a", "b", "c", "d"]
    targets.values[folds[2], 1:] = 3.0
    panels = panels_of(targets, Split("objects", folds, groups=tuple(names)), 0.1, {})
    (row,) = influence_rows(parts, Compared("objects", targets, panels, SHA256), "ridge")
    expected = group_estimates([predictions[:, 1:]], targets.values[:, 1:], folds)
    assert row["group_names"] == ["a", "b", "d"]
    np.testing.assert_allclose(row["units"], expected.units[0], rtol=1e-6)
    panels = panels_of(targets, Split("stimuli", folds), 0.1, {})
    found = influence_rows(parts, Compared("stimuli", targets, panels, SHA256), "ridge")
    assert [(row["target_kind"], row["target"], len(row["neurons"])) for row in found] == [
        ("neuron", "", 6),
        ("property", "size", 0),
    ]


def test_of_five_animals_influences_are_those_of_animals(made):
    predictions, responses, folds = made
    targets = neurons(responses)
    animals = {f"n{k}": f"m{k % 5}" for k in range(6)}
    panels = panels_of(targets, Split("stimuli", folds), 0.1, animals)
    (row,) = influence_rows([(predictions, targets, np.arange(100))], Compared("stimuli", targets, panels, "a"), "pls")
    expected = layer_estimates([predictions], responses, folds, np.ones(6))
    expected = summed_over_animals(expected, np.array(list(animals.values())))
    np.testing.assert_allclose(row["neurons"], expected.neurons[0], rtol=1e-6)
    # One animal is not known.
    del animals["n3"]
    (panel,) = panels_of(targets, Split("stimuli", folds), 0.1, animals)
    assert len(panel.animals) == 0


def test_influences_of_stimuli_on_tau_are_those_of_leaving_each_out():
    rng = np.random.default_rng(0)
    layer, area = rng.standard_normal((2, 14, 5))
    tau, found = stimulus_influences("rsa", "kendall", *(standardised_ranks(pdist(part)) for part in (layer, area)))
    assert tau == pytest.approx(tau_a(pdist(layer), pdist(area)))
    without = [tau_a(pdist(np.delete(layer, k, axis=0)), pdist(np.delete(area, k, axis=0))) for k in range(14)]
    np.testing.assert_allclose(found, jackknifed_influences(np.array(without)), atol=1e-12)
    many = pdist(rng.standard_normal((101, 2)))
    assert stimulus_influences("rsa", "kendall", many, many)[1].shape == (0,)
    grams = [unit_centred_gram(part @ part.T, "debiased") for part in (layer, area)]
    value, expected = cka_influences(*grams)
    assert value == pytest.approx(linear_cka(*grams))
    np.testing.assert_array_equal(stimulus_influences("cka", "debiased", *grams)[1], expected)


def test_matrices_are_divided_by_their_ceiling_and_left_out_below_the_threshold():
    rng = np.random.default_rng(0)
    influences = rng.standard_normal((3, 30))
    place = {"area": "IT", "time_bin": "", "mapping": "rsa", "distance": "correlation", "comparison": "spearman"}
    table = pd.DataFrame(
        [
            {"target": "IT", "r": 0.4, "reliability": 0.64, "subject": pd.NA, "influences": influences[0]},
            {"target": "low", "r": 0.4, "reliability": 0.05, "subject": pd.NA, "influences": influences[0]},
            {"target": "nothing", "r": np.nan, "reliability": np.nan, "subject": pd.NA, "influences": influences[0]},
            {"target": "fmri", "r": 0.2, "reliability": np.nan, "subject": 1, "influences": influences[1]},
            {"target": "fmri", "r": 0.3, "reliability": np.nan, "subject": 2, "influences": influences[2]},
        ]
    ).assign(**place)
    stimuli = {("IT", "", target): np.arange(30) for target in table["target"]}
    own, fmri = matrix_influence_rows(table, 0.1, stimuli, SHA256)
    assert own["theta"] == pytest.approx(0.5)
    np.testing.assert_allclose(own["units"], influences[0] / 0.8, rtol=1e-6)
    assert (own["sampled"], len(own["neurons"]), own["has_ceiling"]) == ("", 0, True)
    assert fmri["theta"] == pytest.approx(0.25)
    np.testing.assert_allclose(fmri["units"], influences[1:].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(fmri["neurons"], [-0.05 / np.sqrt(2), 0.05 / np.sqrt(2)], rtol=1e-6)


@pytest.mark.parametrize("comparison", ["pearson", "spearman"])
def test_influences_of_what_is_prepared_are_those_of_the_dissimilarities_ties_included(comparison):
    layer, area = np.random.default_rng(1).integers(0, 4, size=(2, 25 * 24 // 2)).astype(float)
    value, found = stimulus_influences("rsa", comparison, comparable(layer, comparison), comparable(area, comparison))
    r, expected = rsa_influences(layer, area, comparison)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert value == pytest.approx(r)
    # Without the stimulus, r is about r - influence; pairs are counted twice.
    keep = np.delete(np.arange(25), 3)
    without = [squareform(squareform(part)[np.ix_(keep, keep)]) for part in (layer, area)]
    left = compare(comparable(without[0], comparison), comparable(without[1], comparison)[None], comparison)[0]
    assert r - left == pytest.approx(found[3], abs=0.01)


def test_a_panel_has_the_stimuli_of_folds_alone(made):
    predictions, responses, folds = made
    (whole,) = panels_of(neurons(responses), Split("stimuli", folds), 0.1, {})
    (panel,) = panels_of(neurons(responses), Split("stimuli", folds[1:]), 0.1, {})
    scored = np.sort(np.concatenate(folds[1:]))
    assert (len(whole.rows), panel.rows.tolist()) == (100, scored.tolist())
    found = panel.estimates(predictions[scored])
    assert found.units.shape == (1, 80)
    assert found.theta[0] == pytest.approx(pooled_r(sums_within_folds(predictions, responses, folds[1:])).mean())


def test_sampling_errors_are_those_of_stimuli_and_of_held_out_groups(made, tmp_path):
    predictions, responses, folds = made
    targets = neurons(responses, reliability=0.64)
    layers = {("net", "late", 0.9): predictions}
    files = [
        write_table(tmp_path / "stimuli", layers, targets, folds),
        write_table(tmp_path / "objects", layers, targets, folds, "objects", list("abcde")),
    ]
    of_objects, of_stimuli = sampling_errors(read_influences(files)).to_dict("records")
    by_stimuli = layer_estimates([predictions], responses, folds, np.full(6, 0.8))
    assert of_stimuli["unit_error"] == pytest.approx(np.linalg.norm(by_stimuli.units), rel=1e-6)
    assert (of_stimuli["unit"], of_stimuli["n_units"], of_stimuli["over_ceiling"]) == ("stimuli", 100, True)
    by_objects = group_estimates([predictions], responses, folds)
    with_training = np.sqrt(2 * 4 / 3) * np.linalg.norm(by_objects.units)
    assert of_objects["unit_error"] == pytest.approx(with_training, rel=1e-6)
    assert (of_objects["unit"], of_objects["n_units"], of_objects["over_ceiling"]) == ("objects", 5, False)
    assert sampling_errors(read_influences([])).empty
