"""The ceilings of a recording's neurons, by split, and what they make of r."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ventral.recordings.noise import noise_of, repetitions_are_blocks
from ventral.recordings.reliability import split_half_reliability
from ventral.targets.ceilings import ceilings_in_order, ceilings_of_neurons, with_ceilings
from ventral.targets.reliability import reliability_within_folds
from ventral.targets.selection import reliability_of_half
from ventral.targets.splits import Split
from ventral.targets.values import Targets

FOLDS = {"stimuli": np.split(np.random.default_rng(1).permutation(30), 3), "objects": np.split(np.arange(30), 5)}
SPLITS = {name: Split(name, folds) for name, folds in FOLDS.items()}


def recording(repetitions, **lacking):
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(30, 3)) + rng.normal(size=(repetitions, 30, 3))
    for name, stimuli in lacking.items():
        responses[:, stimuli, "abc".index(name)] = np.nan
    return xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "left_out": ("neuroid", ["", "constant", ""]),
        },
        coords={"neuroid": ["a", "b", "c"]},
    )


def test_ceilings_for_each_split_and_neuroid_that_is_used():
    dataset = recording(4)
    found = ceilings_of_neurons(dataset, SPLITS, n_splits=10, seed=2)
    assert set(found.index) == {(split, name, "") for split in FOLDS for name in "ac"}
    values = dataset["responses"].values[:, :, [0, 2]]
    noise = noise_of(values, blocks=True)
    assert repetitions_are_blocks(values)
    for split, folds in FOLDS.items():
        of_split = found.loc[split]
        np.testing.assert_array_equal(of_split["fold_reliability"], split_half_reliability(values, 10, 2, folds))
        within = reliability_within_folds(noise, folds)
        np.testing.assert_array_equal(of_split["reliability"], within.rho)
        np.testing.assert_array_equal(of_split["standard_error"], within.standard_error)
        assert (of_split["marked"] == ~within.valid).all()
        for first, half in enumerate(("even", "odd")):
            np.testing.assert_array_equal(of_split[f"reliability_{half}"], reliability_of_half(noise, folds, first))


def test_folds_that_a_neuroid_lacks_are_none_of_its_halves():
    found = ceilings_of_neurons(recording(4, a=FOLDS["objects"][1]), {"objects": SPLITS["objects"]}, seed=0)
    noise = noise_of(recording(4, a=FOLDS["objects"][1])["responses"].values[:, :, [0]], blocks=False)
    remaining = [fold for k, fold in enumerate(FOLDS["objects"]) if k != 1]
    row = found.loc[("objects", "a", "")]
    assert row["reliability_even"] == pytest.approx(reliability_within_folds(noise, remaining[::2]).rho[0], abs=0.05)
    assert row["reliability_odd"] == pytest.approx(reliability_within_folds(noise, remaining[1::2]).rho[0], abs=0.05)


def test_neuroids_of_too_few_folds_or_without_repetitions_have_none():
    found = ceilings_of_neurons(recording(4, a=np.arange(12, 30)), {"objects": SPLITS["objects"]}, seed=0)
    assert found.drop(columns="fold_reliability").loc[("objects", "a", "")].isna().all()
    assert found.drop(columns=["given_ceiling", "given_ceiling_kind"]).loc[("objects", "c", "")].notna().all()
    assert ceilings_of_neurons(recording(1), SPLITS, seed=0).isna().all(axis=None)
    assert ceilings_of_neurons(xr.Dataset({"dissimilarities": ("pair", [1.0])}), SPLITS, seed=0).empty


def test_few_degrees_of_freedom_are_marked():
    """19 of them; two repetitions of 30 stimuli whose means are taken away have 29."""
    dataset = recording(2)
    dataset["responses"].values[:] = np.arange(30)[:, None] + 1e-3 * dataset["responses"].values
    assert not ceilings_of_neurons(dataset, SPLITS, seed=0)["marked"].any()
    dataset["responses"].values[1, 19:] = np.nan
    assert ceilings_of_neurons(dataset, SPLITS, seed=0)["marked"].all()


def test_in_the_order_of_the_neurons():
    found = ceilings_of_neurons(recording(4), SPLITS, seed=0)
    neurons = Targets(np.ones((30, 3)), *(np.array(list("cxa")),) * 3, np.full(3, np.nan))
    of_split = ceilings_in_order(found, neurons, "objects")
    assert of_split["reliability"].isna().tolist() == [False, True, False]
    assert of_split["reliability"][0] == found.loc[("objects", "c", ""), "reliability"]


@pytest.mark.filterwarnings("error")
def test_r_is_divided_by_the_root_of_the_reliability_of_its_split():
    rows = pd.DataFrame(
        [
            ("stimuli", "a", "neuron", -0.3, np.nan),
            ("objects", "a", "neuron", 0.3, np.nan),
            ("objects", "b", "neuron", 0.3, np.nan),
            ("objects", "c", "neuron", 0.3, np.nan),
            ("stimuli", "a", "property", 0.3, np.nan),
            ("none", "a", "matrix", 0.3, 0.9),
        ],
        columns=["split", "target", "target_kind", "r", "reliability"],
    ).assign(time_bin="", predictivity=lambda rows: rows["r"] / np.sqrt(rows["reliability"]))
    places = [("stimuli", "a", ""), ("objects", "a", ""), ("objects", "b", "")]
    ceilings = pd.DataFrame(
        {
            "reliability": [0.25, 0.36, -0.1],
            "given_ceiling": np.nan,
            "marked": pd.array([False, False, True], "boolean"),
        },
        index=pd.MultiIndex.from_tuples(places, names=["split", "target", "time_bin"]),
    )
    table = with_ceilings(rows, ceilings)
    np.testing.assert_array_equal(table["reliability"], [0.25, 0.36, -0.1, np.nan, np.nan, 0.9])
    np.testing.assert_allclose(table["predictivity"], [-0.6, 0.5, np.nan, np.nan, np.nan, 0.3 / np.sqrt(0.9)])
    np.testing.assert_allclose(table["explained_variance"][:3], [-0.36, 0.25, np.nan])
    assert table["marked"].tolist() == [False, False, True, pd.NA, pd.NA, pd.NA]
    assert with_ceilings(rows.iloc[:0], ceilings).empty
    assert with_ceilings(rows.drop(columns="r"), ceilings).equals(rows.drop(columns="r"))
