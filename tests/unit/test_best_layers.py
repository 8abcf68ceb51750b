"""The best layer, chosen on some neurons and folds and scored on others, against loops and where it is known."""

import numpy as np
import pandas as pd
import pytest

from tests.unit import synthetic_scores
from tests.unit.synthetic_scores import matrix_table
from ventral.errors import InputError
from ventral.mappings.correlation import median_predictivity, sums_within_folds
from ventral.statistics.best_layers import (
    COLUMNS,
    best_layers,
    best_layers_of,
    chosen_and_scored,
    halves_of,
    medians_of_halves,
)


def score_table(*arguments, **changes) -> pd.DataFrame:
    """Rows of a score table; layers and neuroids differ in how much better they are in every other fold."""
    table = synthetic_scores.score_table(*arguments, **changes)
    rng = np.random.default_rng(1)
    of_rows = rng.normal(0, 0.02, len(table))
    names = table["target"].unique()
    of_neuroids = table["target"].map(dict(zip(names, rng.normal(0, 0.02, len(names)), strict=True)))
    signs = {"even": 1, "odd": -1}
    r = {f"r_{half}": table["r"] + sign * of_rows for half, sign in signs.items()}
    rho = {f"reliability_{half}": table["reliability"] + sign * of_neuroids for half, sign in signs.items()}
    return table.assign(**r, **rho)


def by_loops(rows, n_splits, seed, threshold, repetitions):
    """The definition for the rows of one model, one half at a time."""
    layers = list(rows.sort_values("depth")["layer"].unique())
    of_row = rows.set_index(["layer", "target"])
    known = of_row.loc[layers[0]]
    reliable = known[["reliability_even", "reliability_odd"]].ge(threshold).any(axis=1)
    names = sorted(known.index[reliable] if repetitions else known.index)

    def median(layer, neurons, half, other):
        if not repetitions:
            return np.median([of_row.loc[(layer, name), f"r_{half}"] for name in neurons])
        taken = [name for name in neurons if known.loc[name, f"reliability_{other}"] >= threshold]
        r, rho = (
            np.array([of_row.loc[(layer, name), f"{what}_{half}"] for name in taken]) for what in ("r", "reliability")
        )
        return median_predictivity(r, rho)

    scored, chosen = [], []
    for first in halves_of(len(names), n_splits, seed):
        parts = [[name for name, there in zip(names, members, strict=True) if there] for members in (first, ~first)]
        for folds in (("even", "odd"), ("odd", "even")):
            for choosing, scoring in (parts, parts[::-1]):
                best = int(np.argmax([median(layer, choosing, *folds) for layer in layers]))
                chosen.append(best)
                scored.append(median(layers[best], scoring, *folds[::-1]))
    if repetitions:
        whole = [
            np.mean([median(layer, names, *folds) for folds in (("even", "odd"), ("odd", "even"))]) for layer in layers
        ]
    else:
        whole = [rows[rows["layer"] == layer]["r"].median() for layer in layers]
    share = np.bincount(chosen, minlength=len(layers)) / len(chosen)
    return np.mean(scored), layers, np.array(whole), share


@pytest.mark.parametrize(("n", "repetitions"), [(9, True), (8, False)])
def test_equals_the_definition_by_loops(n, repetitions):
    scores = score_table({"net": 5, "other": 2}, {"V4": n}, ["stimuli", "objects"], repetitions=repetitions)
    threshold = 0.6
    table = best_layers_of(scores, threshold, n_splits=10, seed=4)
    assert list(table.columns) == COLUMNS
    assert len(table) == 4
    if repetitions:
        # Some neurons are taken in one half of the folds alone.
        taken = [scores[f"reliability_{half}"] >= threshold for half in ("even", "odd")]
        assert (taken[0] != taken[1]).any() or not taken[0].all()
    for _, row in table.iterrows():
        rows = scores[(scores["model"] == row["model"]) & (scores["split"] == row["split"])]
        corrected, layers, whole, share = by_loops(rows, 10, 4, threshold, repetitions)
        assert row["measure"] == ("predictivity" if repetitions else "r")
        assert row["maximum"] == pytest.approx(whole.max())
        assert row["best_layer"] == layers[whole.argmax()]
        assert row["best_depth"] == rows.set_index("layer")["depth"][row["best_layer"]].iloc[0]
        assert row["corrected"] == pytest.approx(corrected)
        assert row["optimism"] == pytest.approx(whole.max() - corrected)
        assert row["share_chosen"] == pytest.approx(share[whole.argmax()])
        said = dict(part.rsplit(" ", 1) for part in row["chosen"].split(", "))
        assert {layer: float(number) for layer, number in said.items()} == pytest.approx(
            {layer: number for layer, number in zip(layers, share, strict=True) if number}, abs=6e-4
        )


def test_a_neuron_without_signal_in_the_folds_that_score_counts_on_the_side_of_its_r():
    scores = score_table({"net": 1}, {"V4": 5})
    scores[["r_even", "r_odd"]] = np.tile([[0.1], [0.2], [0.3], [0.4], [0.5]], 2)
    scores[["reliability_even", "reliability_odd"]] = 1.0
    scores.loc[0, "reliability_odd"] = -0.1
    row = best_layers_of(scores, 0.1, seed=0, n_splits=5).iloc[0]
    # On even folds it is not taken; on odd ones it is beyond all others: medians 0.35 and 0.4.
    assert row["maximum"] == pytest.approx((0.35 + 0.4) / 2)
    assert row["n_neuroids"] == 5


def noise(n_layers, n, seed, shared=0.0, n_stimuli=100):
    """Scores of layers that are equally good: rates with noise, a part of which all neurons share; r is 0.7."""
    rng = np.random.default_rng(seed)

    def population():
        return np.sqrt(1 - shared) * rng.standard_normal((n_stimuli, n)) + np.sqrt(shared) * rng.standard_normal(
            (n_stimuli, 1)
        )

    rates, folds = population(), np.array_split(np.arange(n_stimuli), 5)
    rows = []
    for k in range(n_layers):
        sums = sums_within_folds(rates + np.sqrt(1 / 0.49 - 1) * population(), rates, folds)
        of_neurons = {"target": [f"n{j}" for j in range(n)]}
        for name, part in (("r", slice(None)), ("r_even", slice(0, None, 2)), ("r_odd", slice(1, None, 2))):
            of_neurons[name] = sums.pooled(part).r[0]
        rows.append(pd.DataFrame(of_neurons).assign(layer=str(k), depth=k))
    ones = dict.fromkeys(("reliability", "reliability_even", "reliability_odd"), 1.0)
    ones |= dict.fromkeys(("share_best", "r_squared_best"), np.nan)
    place = {"recording": "rec", "area": "V4", "time_bin": "", "split": "stimuli", "mapping": "ridge"}
    return pd.concat(rows, ignore_index=True).assign(
        model="net", family="trained", target_kind="neuron", **place, **ones
    )


@pytest.mark.parametrize(("shared", "flattered"), [(0.0, 0.015), (0.8, 0.05)])
def test_the_maximum_over_equal_layers_flatters_and_the_corrected_score_does_not(shared, flattered):
    found = []
    for seed in range(40):
        scores = noise(18, 20, seed, shared)
        row = best_layers_of(scores, 0.1, n_splits=10, seed=0).iloc[0]
        usual = scores.groupby("layer")["r"].median().mean()
        found.append([row["maximum"] - usual, row["corrected"] - usual, row["optimism"]])
    maximum, corrected, optimism = np.mean(found, axis=0)
    assert maximum > flattered
    # Scored by other neurons on the same stimuli, most of what neurons share would be left: 0.05 of 0.07.
    assert corrected == pytest.approx(0, abs=0.012)
    assert optimism == pytest.approx(maximum - corrected)


def test_a_single_layer_has_no_optimism():
    row = best_layers_of(score_table({"pixels": 1}, {"V4": 11}), 0.1, seed=0).iloc[0]
    # What is left is that of medians over halves of the neurons, not of any choice.
    assert row["optimism"] == pytest.approx(0, abs=0.01)
    assert (row["share_chosen"], row["chosen"]) == (1, "blocks.0 1.000")


def test_a_layer_that_is_clearly_best_is_chosen_by_all_halves():
    scores = noise(4, 12, 0)
    scores.loc[scores["layer"] == "2", ["r", "r_even", "r_odd"]] += 5
    row = best_layers_of(scores, 0.1, seed=0).iloc[0]
    assert (row["best_layer"], row["share_chosen"], row["chosen"]) == ("2", 1, "2 1.000")
    assert row["corrected"] == pytest.approx(row["maximum"], abs=0.05)


def test_unreliable_neurons_are_left_out_by_the_folds_that_do_not_score_them():
    scores = score_table({"net": 4, "pixels": 1}, {"V4": 15, "IT": 9})
    scores.loc[scores["target"] == "V4_3", "reliability_even"] = 0.0
    of_neuron = scores["target"] == "V4_3"
    expected = best_layers_of(scores.assign(r_odd=scores["r_odd"].where(~of_neuron, np.nan)), 0.1, seed=0)
    pd.testing.assert_frame_equal(best_layers_of(scores, 0.1, seed=0), expected)
    scores.loc[of_neuron, "reliability_odd"] = 0.0
    table = best_layers_of(scores, 0.1, seed=0).set_index("area")
    assert (table.loc["V4", "n_neuroids"] == 14).all()


@pytest.mark.parametrize("repetitions", [True, False])
def test_a_neuron_without_r_over_all_folds_is_left_out(repetitions):
    scores = score_table({"net": 3}, {"V4": 7}, repetitions=repetitions)
    lacking = scores["target"] == "V4_2"
    expected = best_layers_of(scores[~lacking], 0.1, seed=0)
    found = best_layers_of(scores.assign(r=scores["r"].where(~lacking)), 0.1, seed=0)
    pd.testing.assert_frame_equal(found, expected)
    assert best_layers_of(scores.assign(r=np.nan), 0.1, seed=0).empty


def test_a_table_of_an_older_version_says_what_to_do(tmp_path):
    score_table({"net": 3}).drop(columns=["r_odd", "reliability_odd"]).to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(InputError, match=r"the columns r_odd, reliability_odd are missing; .* delete the file"):
        best_layers(tmp_path / "scores.parquet", tmp_path / "best.csv", 0.1, seed=0)
    assert not (tmp_path / "best.csv").exists()


@pytest.mark.filterwarnings("error")
def test_one_neuron_has_no_halves():
    row = best_layers_of(score_table({"net": 3}, {"V4": 1}), 0.1, seed=0).iloc[0]
    assert np.isfinite(row["maximum"])
    assert np.isnan(row[["corrected", "optimism", "share_chosen"]].astype(float)).all()
    assert row["chosen"] == ""


def test_matrices_have_no_neurons_to_halve():
    assert best_layers_of(matrix_table({"net": 3}, {"IT": 3}), 0.1, seed=0).empty


def test_a_sample_without_any_score_chooses_nothing():
    chosen, apparent, scored = chosen_and_scored(
        np.array([[np.nan, 1.0], [np.nan, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    )
    assert chosen.tolist() == [-1, 1]
    np.testing.assert_array_equal(apparent, [np.nan, 2])
    np.testing.assert_array_equal(scored, [np.nan, 6])


def test_the_order_of_rows_does_not_matter(tmp_path):
    scores = score_table({"a": 3, "b": 2}, {"V4": 9}, ["stimuli", "objects"])
    for k, rows in enumerate((scores, scores[::-1])):
        rows.to_parquet(tmp_path / f"{k}.parquet")
        best_layers(tmp_path / f"{k}.parquet", tmp_path / f"{k}.csv", 0.1, seed=0)
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


def test_a_recorded_area_is_no_model():
    scores = score_table({"net": 3, "rec": 2}, {"V4": 5})
    scores.loc[scores["model"] == "rec", "family"] = "recorded"
    assert best_layers_of(scores, 0.1, seed=0)["model"].tolist() == ["net"]


@pytest.mark.filterwarnings("error")
def test_a_median_between_infinite_scores_of_either_sign_is_none():
    values = np.array([[-np.inf, 0.1, np.inf, np.inf]])
    members = np.array([[1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 1, 0, 1]])
    np.testing.assert_array_equal(medians_of_halves(values, members), [[np.nan, 0.1, np.nan, np.nan]])
