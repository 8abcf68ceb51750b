"""Object decoding of the published single trials of IT over time, against an independent computation."""

import pandas as pd
import pytest

from tests.workflow.conftest import run_config
from ventral.datasets.zhang2011 import COUNTS, FOLDERS

TOLERANCE = 0.06
# By the start of a bin of 100 ms, from a nearest-mean classifier; chance is 0.14.
WITHIN_MIDDLE = {0: 0.14, 50: 0.53, 100: 0.90, 150: 0.93}
TESTED_ON_MIDDLE = {50: 0.57, 100: 0.80, 300: 0.61}
AT_100_MS = {"lower": 0.80, "upper": 0.71}


@pytest.fixture(scope="module")
def scores(data_dir, tmp_path_factory):
    """Accuracies of fits and tests in the same bin, by recording, held-out position, and start of the bin."""
    if not (data_dir / FOLDERS[-1] / COUNTS).is_file():
        pytest.skip(f"no {data_dir / FOLDERS[-1] / COUNTS}")
    folder = tmp_path_factory.mktemp("zhang2011")
    config = {
        "dataset": {"zhang2011": {"folder": str(data_dir), "within": ["middle"]}},
        "decoding_over_time": {"shuffled_within": "shown"},
    }
    run_config(folder, config, "results/figures/decoding_over_time.csv")
    table = pd.read_csv(folder / "results" / "figures" / "decoding_over_time.csv", keep_default_na=False)
    table = table[table["fit_bin"] == table["time_bin"]]
    table["start"] = table["time_bin"].str.extract(r"^(-?\d+)-")[0].astype(int)
    return table.set_index(["classifier", "recording", "held_out", "start"])["score"].sort_index()


def test_objects_are_read_within_the_middle_position(scores):
    found = scores["nearest_mean", "zhang2011_middle", ""]
    assert found[list(WITHIN_MIDDLE)].to_dict() == pytest.approx(WITHIN_MIDDLE, abs=TOLERANCE)
    assert abs(found[-100] - 1 / 7) < TOLERANCE


def test_objects_are_read_at_a_position_that_was_never_fitted(scores):
    found = scores["nearest_mean", "zhang2011"]
    assert found["middle"][list(TESTED_ON_MIDDLE)].to_dict() == pytest.approx(TESTED_ON_MIDDLE, abs=TOLERANCE)
    assert {place: found[place][100] for place in AT_100_MS} == pytest.approx(AT_100_MS, abs=TOLERANCE)


def test_support_vector_machines_read_about_the_same(scores):
    assert scores["svm", "zhang2011_middle", ""][150] == pytest.approx(0.93, abs=TOLERANCE)
    assert scores["svm", "zhang2011", "middle"][100] == pytest.approx(0.80, abs=TOLERANCE)
