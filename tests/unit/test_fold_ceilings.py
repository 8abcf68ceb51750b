import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ventral.recordings.reliability import split_half_reliability
from ventral.targets.ceilings import fold_reliabilities, with_fold_ceilings

FOLDS = {"stimuli": np.split(np.random.default_rng(1).permutation(30), 3), "objects": np.split(np.arange(30), 5)}


def recording(repetitions):
    rng = np.random.default_rng(0)
    responses = rng.normal(size=(30, 3)) + rng.normal(size=(repetitions, 30, 3))
    return xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid"), responses),
            "left_out": ("neuroid", ["", "constant", ""]),
        },
        coords={"neuroid": ["a", "b", "c"]},
    )


def test_a_reliability_for_each_split_and_neuroid_that_is_used():
    dataset = recording(4)
    found = fold_reliabilities(dataset, FOLDS, n_splits=10, seed=2)
    assert set(found) == {"stimuli", "objects"}
    for split, folds in FOLDS.items():
        expected = split_half_reliability(dataset["responses"].values[:, :, [0, 2]], 10, 2, folds)
        assert found[split] == pytest.approx(dict(zip([("a", ""), ("c", "")], expected, strict=True)))


def test_without_repetitions_there_is_none():
    assert all(
        np.isnan(value)
        for of_split in fold_reliabilities(recording(1), FOLDS, seed=0).values()
        for value in of_split.values()
    )
    assert fold_reliabilities(xr.Dataset({"dissimilarities": ("pair", [1.0])}), FOLDS, seed=0) == {}


@pytest.mark.filterwarnings("error")
def test_r_is_divided_by_the_root_of_the_reliability_of_its_split():
    rows = pd.DataFrame(
        [
            ("stimuli", "a", "neuron", 0.3),
            ("objects", "a", "neuron", 0.3),
            ("objects", "b", "neuron", 0.3),
            ("stimuli", "a", "property", 0.3),
            ("none", "a", "matrix", 0.3),
        ],
        columns=["split", "target", "target_kind", "r"],
    ).assign(time_bin="")
    table = with_fold_ceilings(rows, {"stimuli": {("a", ""): 0.25}, "objects": {("a", ""): 0.36, ("b", ""): -0.1}})
    np.testing.assert_array_equal(table["fold_reliability"], [0.25, 0.36, -0.1, np.nan, np.nan])
    np.testing.assert_allclose(table["fold_predictivity"], [0.6, 0.5, np.nan, np.nan, np.nan])
    assert with_fold_ceilings(rows.iloc[:0], {}).empty
