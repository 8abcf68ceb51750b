"""A simulated recording beside a measured one, from the images to the figures."""

import json

import pandas as pd
import pytest

from tests.workflow.conftest import SIMULATED as NAME
from tests.workflow.conftest import finish, with_simulation
from ventral.store import read_dataset


@pytest.fixture(scope="module")
def results(several_recordings):
    return several_recordings.folder / "results"


def test_the_recording_is_made_and_nothing_is_left_of_its_teacher(results):
    recording = read_dataset(results / "recordings" / f"{NAME}.zarr")
    assert recording.attrs["simulated"] is True
    assert recording["responses"].shape == (4, 48, 10)
    of_it = recording.isel(neuroid=recording["area"].values == "simulated IT")
    assert set(of_it["preferred_object"].values) <= {f"object{k}" for k in range(4)}
    stores = [path.name for path in (results / "recordings").iterdir()]
    assert sorted(stores) == ["first.zarr", "other.zarr", "rec.zarr", "second.zarr", f"{NAME}.zarr"]
    described = json.loads((results / "teachers" / f"{NAME}.json").read_text())
    assert described["architecture"] == "teachernet:make"
    assert not (results / "models" / "teacher.json").exists()


def test_scores_say_of_each_recording_whether_it_is_simulated(results):
    scores = pd.read_parquet(results / "scores.parquet")
    assert set(scores["recording"]) == {"rec", "other", "first", "second", NAME}
    pd.testing.assert_series_equal(
        scores["simulated"].astype(bool), scores["recording"] == NAME, check_names=False, check_dtype=False
    )
    neurons = scores[scores["target_kind"] == "neuron"]
    assert (neurons["area"].str.startswith("simulated ") == neurons["simulated"]).all()
    assert (neurons["target"].str.startswith("simulated_") == neurons["simulated"]).all()
    assert "teacher" not in set(scores["model"])


@pytest.mark.parametrize("figure", ["layer_profile", "categorisation"])
def test_no_panel_has_simulated_neurons_among_measured_ones(results, figure):
    table = pd.read_csv(results / "figures" / f"{figure}.csv")
    panels = set(zip(table["recording"], table["area"], strict=True))
    measured = {("rec", "V4"), ("rec", "IT")}
    if figure == "layer_profile":
        measured |= {("other", "V4"), ("first", "IT"), ("second", "IT")}
    assert panels == measured | {(NAME, "simulated V1"), (NAME, "simulated IT")}
    drawn = (results / "figures" / f"{figure}.svg").read_text()
    for recording, area in panels:
        assert f">{recording}, {area}<" in drawn


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"areas": {"V1": {"layer": "9", "neuroids": 2}}}, "areas.V1.layer: teachernet:make has no layer '9'"),
        ({"teacher": {"architecture": "tinynet:make"}}, "simulate.teacher: the model `tiny` is the same network"),
    ],
)
def test_mistakes_are_said_in_their_place_before_any_neuron_is_made(experiment, changes, message):
    printed = finish(with_simulation(experiment, **changes).start(f"results/recordings/{NAME}.zarr"), expect=1)
    assert f"recordings.{NAME}.simulate." in printed
    assert message in printed
    assert "Traceback" not in printed
    assert not (experiment.folder / "results" / "recordings" / f"{NAME}.zarr").exists()
