"""A network fitted to neurons is scored on the stimuli and neurons that ridge regression is scored on beside it."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.dealt import make_folds
from tests.unit.test_scores import NEURONS, experiment, score
from ventral.errors import InputError
from ventral.scores.fitted_network import fitted_network
from ventral.statistics.influence_table import FIRST_FOLD, panel_estimates, read_influences
from ventral.store import changing
from ventral.tables import write_parquet

__all__ = ["experiment"]


@pytest.fixture
def fold(experiment):
    labels = {name: experiment["stimuli"][name].values for name in ("object", "category")}
    return np.sort(make_folds("stimuli", labels, 60, 5, 1, "set")[0])


def write_outputs(experiment, rows, outputs, neuroids):
    """Write what a network in folder `net` says of some stimuli."""
    folder = experiment["folder"] / "fitted"
    folder.mkdir(exist_ok=True)
    names = experiment["stimuli"]["stimulus"].values[rows]
    table = pd.DataFrame(
        {
            "stimulus": np.repeat(names, len(neuroids)),
            "neuroid": np.tile(neuroids, len(rows)),
            "time_bin": "",
            "output": outputs.astype(np.float32).ravel(),
        }
    )
    # In any order.
    write_parquet(table.sample(frac=1, random_state=0), folder / "held_out.parquet")
    return folder


def scored(experiment, network, name="fitted.parquet"):
    folder = experiment["folder"]
    stores = folder / "recording.zarr", folder / "stimuli.zarr"
    fitted_network(network, *stores, folder / name, n_folds=5, seed=1, reliability_threshold=0.1)
    return folder / name


def test_the_network_and_ridge_regression_have_the_same_stimuli_and_neurons(experiment, fold):
    folder = experiment["folder"]
    score(folder, influences=folder / "ridge.parquet", first_fold=True)
    outputs = np.nan_to_num(experiment["responses"][0, fold, :4]) + np.random.default_rng(1).normal(size=(len(fold), 4))
    files = [
        folder / "ridge.parquet",
        scored(experiment, write_outputs(experiment, fold, outputs, ["n0", "n1", "n2", "n3"])),
    ]
    rows = read_influences(files).query("split == @FIRST_FOLD")
    assert set(rows["model"]) == {"net", "fitted"}
    assert set(rows["target_kind"]) == {"neuron"}
    for area, of_area in rows.groupby("area"):
        assert of_area["layer"].tolist() == ["output", "early", "late"]
        # Of the same units and neurons, or this is an error.
        estimates = panel_estimates(of_area.reset_index(drop=True))
        assert estimates.units.shape[1] == len(fold), area


def test_scores_are_correlations_over_the_ceiling_on_fold_0(experiment, fold):
    with changing(experiment["folder"] / "recording.zarr") as group:
        group["responses"][1:] = np.nan
    outputs = np.random.default_rng(2).normal(size=(len(fold), 2))
    table = pd.read_parquet(scored(experiment, write_outputs(experiment, fold, outputs, ["n1", "n0"])))
    means = experiment["responses"][0, fold]
    known = ~np.isnan(means[:, 1])
    expected = [
        np.corrcoef(outputs[known, 0], means[known, 1])[0, 1],
        np.corrcoef(outputs[:, 1], means[:, 0])[0, 1],
    ]
    of_v4 = table.set_index("area").loc["V4"]
    assert not of_v4["has_ceiling"]
    assert of_v4["theta"] == pytest.approx(np.mean(expected))
    # The network says nothing of the neurons of IT.
    assert table.set_index("area").loc["IT", "theta"] == 0
    assert (table["family"] == "fitted").all()


def test_the_same_outputs_give_the_same_bytes(experiment, fold):
    network = write_outputs(experiment, fold, np.ones((len(fold), NEURONS)), [f"n{k}" for k in range(NEURONS)])
    first, second = (scored(experiment, network, name).read_bytes() for name in ("one", "two"))
    assert first == second


def test_outputs_for_other_stimuli_are_refused(experiment, fold):
    network = write_outputs(experiment, fold[1:], np.ones((len(fold) - 1, 1)), ["n0"])
    with pytest.raises(InputError, match="tested on other stimuli than fold 0 of rec; delete this folder"):
        scored(experiment, network)


def test_without_a_fitted_network_fold_0_is_not_scored_apart(experiment):
    folder = experiment["folder"]
    score(folder, influences=folder / "ridge.parquet")
    assert FIRST_FOLD not in set(pd.read_parquet(folder / "ridge.parquet")["split"])
