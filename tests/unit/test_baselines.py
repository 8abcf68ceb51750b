"""What is predicted before the stimulus: a check with a known bound, and nothing else that is computed of the bin."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.unit.synthetic_influences import layers_of_scores, neurons, write_table
from tests.unit.test_claims import TRUE, judged, layers
from ventral.decoding.populations import populations
from ventral.grams.recorded import recorded_areas
from ventral.recordings.time_bins import BASELINE, time_order
from ventral.statistics.baselines import baselines
from ventral.tables import write_parquet

N, NEURONS = 400, 9
# The largest of two medians that chance makes in 5 % of experiments, over 400 stimuli.
LARGEST = 1.959964 / 20


def table(medians, area="V4", family="pretrained"):
    """A score table in which the median r of each layer in the baseline is given; after the stimulus it is 0.9."""
    rows = [
        {"layer": layer, "time_bin": time_bin, "target": f"n{k}", "r": (k - NEURONS // 2) / 50 + r}
        for layer, median in medians.items()
        for time_bin, r in ((BASELINE, median), ("70-170", 0.9))
        for k in range(NEURONS)
    ]
    same = {"recording": "rec", "area": area, "split": "stimuli", "mapping": "ridge", "model": "net", "family": family}
    return pd.DataFrame(rows).assign(**same, target_kind="neuron", n_stimuli=N)


def checked(folder, *tables):
    write_parquet(pd.concat(tables, ignore_index=True), folder / "scores.parquet")
    baselines(folder / "scores.parquet", folder / "baselines.csv")
    return pd.read_csv(folder / "baselines.csv")


def test_the_layer_that_predicts_the_baseline_best_is_compared_with_chance(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="ventral"):
        found = checked(
            tmp_path,
            table({"a": -0.2, "b": 0.097}),
            table({"a": 0.1, "b": 0.0}, "IT"),
            table({"a": 0.5}, "V1", "recorded"),
        )
    assert found["area"].tolist() == ["IT", "V4"]
    assert found["layer"].tolist() == ["a", "b"]
    np.testing.assert_allclose(found["r"], [0.1, 0.097])
    np.testing.assert_allclose(found["largest_by_chance"], LARGEST, rtol=1e-6)
    assert found["near_zero"].tolist() == [False, True]
    assert found["n_neuroids"].tolist() == [NEURONS, NEURONS]
    levels = {record.getMessage().split(":")[0]: record.levelname for record in caplog.records}
    assert levels == {"baseline of rec, IT": "WARNING", "baseline of rec, V4": "INFO"}
    assert "at most 0.098 by chance; check the time of onset" in caplog.text


def test_chance_exceeds_the_bound_as_rarely_as_is_said(tmp_path):
    """Of layers that predict nothing, the best of ten is above the bound in 5 % of experiments at most."""
    rng, above = np.random.default_rng(0), 0
    for _ in range(40):
        predictions = rng.normal(size=(10, 60))
        shared = rng.normal(size=60)
        medians = {f"layer{k}": np.corrcoef(predicted, shared)[0, 1] for k, predicted in enumerate(predictions)}
        above += not checked(tmp_path, table(medians).assign(n_stimuli=60))["near_zero"].item()
    assert above <= 5


def test_no_claim_is_made_of_the_baseline(tmp_path):
    predictions, responses, folds = layers_of_scores(layers(TRUE))
    files = [
        write_table(tmp_path / f"{k}.parquet", predictions, neurons(responses, time_bin=time_bin), folds)
        for k, time_bin in enumerate(["70-170", BASELINE])
    ]
    expected = judged(tmp_path, files[:1])
    pd.testing.assert_frame_equal(judged(tmp_path, files), expected)


@pytest.fixture
def recording():
    """Two neurons in two bins; those of the baseline are reliable by chance."""
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "responses": (("repetition", "stimulus", "neuroid", "time_bin"), rng.normal(size=(3, 8, 2, 2))),
            "reliability": (("neuroid", "time_bin"), np.full((2, 2), 0.5)),
            "left_out": (("neuroid", "time_bin"), np.full((2, 2), "", dtype=object)),
        },
        coords={"neuroid": ["a", "b"], "area": ("neuroid", ["IT", "IT"]), "time_bin": [BASELINE, "70-170"]},
        attrs={"recording": "rec"},
    )


def test_the_baseline_is_neither_decoded_nor_a_model(recording):
    assert [area.name for area in recorded_areas(recording)] == ["IT, 70-170"]
    columns = recording.stack(column=("neuroid", "time_bin"), create_index=False).swap_dims(column="neuroid")
    assert list(populations(columns, np.split(np.arange(8), 4), 0.1)) == ["IT, 70-170"]


def test_the_baseline_comes_first():
    assert sorted(["70-90", "late", BASELINE, "-20-0"], key=time_order) == [BASELINE, "-20-0", "70-90", "late"]
