"""What a dry run says that a run will need."""

import json

import numpy as np
import pytest
import xarray as xr

from ventral.launch.forecast import Planned, Predicted, bytes_of_fit, forecast, neuroids_in, seconds_of_stages, size
from ventral.store import write_dataset


def described(results, model, layers):
    path = results / "models" / f"{model}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"layers": [{"name": f"{k}", "shape": [p // 10, 2, 5]} for k, p in enumerate(layers)]}))


def record(results, name, stage, seconds):
    path = results / "provenance" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    of_any = {"config": {}, "inputs": {}, "signatures": {}, "outputs": {}, "weights": {}, "code": {}, "packages": {}}
    of_any |= {"how": {}, "hardware": {}, "warnings": [], "python": "3", "cpu_seconds": 1.0, "peak_mb": 1.0}
    path.write_text(json.dumps(of_any | {"stage": stage, "seconds": seconds, "started": "", "sha256": ""}))


JOBS = [
    Planned("stimuli", stimuli="s"),
    *(Planned("extract", 8, model, "s") for model in ("a", "b")),
    *(Planned("gram", 8, model, "s") for model in ("a", "b")),
    *(Planned("fit", 4, model, "s") for model in ("a", "b")),
]


def told(results, jobs=JOBS, n_stimuli=None, kept=False):
    return dict(line.split(": ", 1) for line in forecast(results, jobs, n_stimuli or {}, kept, "float16", 20))


def test_a_first_run_says_what_will_tell(tmp_path):
    said = told(tmp_path)
    assert said["stimuli"] == "not known yet: s (stage `stimuli` counts them)"
    assert said["features"] == "not known yet: a, b (stage `model` tells, for models with a `size`)"
    assert said["disk"].startswith("features, deleted model by model: not known yet of 2 sets by models; Gram")
    assert said["memory"] == "what the rules ask for"
    assert said["time"] == "no finished job here has measured extract (2), fit (2), gram (2), stimuli (1)"


def test_sizes_follow_from_stimuli_and_features(tmp_path):
    write_dataset(xr.Dataset(coords={"stimulus": [f"{k}" for k in range(1000)]}), tmp_path / "stimuli" / "s.zarr")
    described(tmp_path, "a", [300, 700])
    said = told(tmp_path)
    assert said["stimuli"] == "s 1,000"
    assert said["features"] == "a 1,000 in 2 layers; not known yet: b (stage `model` tells, for models with a `size`)"
    # 1,000 stimuli x 1,000 features x 2 bytes; 2 layers x 1,000 x 1,000 x 8 bytes.
    assert said["disk"] == (
        "features, deleted model by model: 2 MB, not known yet of 1 sets by models; "
        "Gram matrices: 16 MB, not known yet of 1 sets by models"
    )
    described(tmp_path, "b", [500])
    assert told(tmp_path, kept=True)["disk"] == "features: 3 MB; Gram matrices: 24 MB"
    assert said["memory"] == f"about {size(bytes_of_fit(1000, 4, 20))} for a fit with 1,000 stimuli on 4 threads"


def test_features_that_stay_off_the_disk_take_none(tmp_path):
    described(tmp_path, "a", [300, 700])
    jobs = [Planned("gram_forward", 8, "a", "s")]
    assert told(tmp_path, jobs, {"s": 1000})["disk"] == "Gram matrices: 16 MB"


def test_files_that_are_there_tell_the_number_of_stimuli(tmp_path):
    assert told(tmp_path, n_stimuli={"s": 2000, "t": 3})["stimuli"] == "s 2,000"


def test_time_is_told_only_where_finished_jobs_measured_it(tmp_path):
    for name, stage, seconds in (("1", "fit", 10.0), ("2", "fit", 30.0), ("3", "fit", 12.0), ("4", "gram", 1.5)):
        record(tmp_path, name, stage, seconds)
    (tmp_path / "provenance" / "damaged.json").write_text("{")
    assert seconds_of_stages(tmp_path / "provenance") == {"fit": [10.0, 30.0, 12.0], "gram": [1.5]}
    assert told(tmp_path)["time"] == (
        "27 s of jobs one after another, by the median of finished ones (fit 2 x 12 s, gram 2 x 1.5 s); "
        "no finished job here has measured extract (2), stimuli (1)"
    )


def said_of_predictions(results, layers, n_neuroids=None):
    jobs = [Planned("predictions", 8, model, "s", "rec") for model in layers]
    predicted = Predicted(layers, n_neuroids or {}, {"rec": 2}, 3)
    lines = forecast(results, jobs, {"s": 1000}, False, "float16", 20, predicted)
    return dict(line.split(": ", 1) for line in lines)["disk"]


def test_the_size_of_predictions_is_told(tmp_path):
    known = {"rec": 50}
    unknown = "predictions: not known yet of 1 recordings by models"
    assert said_of_predictions(tmp_path, {"a": ["x", "y"]}) == unknown
    # 1,000 stimuli x 50 neuroids x 8 bytes, for responses and for 2 layers by 3 mappings on 2 splits.
    assert said_of_predictions(tmp_path, {"a": ["x", "y"]}, known) == "predictions: 5.2 MB"
    assert said_of_predictions(tmp_path, {"a": "all"}, known) == unknown
    described(tmp_path, "a", [300, 700])
    assert said_of_predictions(tmp_path, {"a": "all"}, known) == "predictions: 5.2 MB"
    assert said_of_predictions(tmp_path, {"a": "all", "b": "all"}, known) == (
        "predictions: 5.2 MB, not known yet of 1 recordings by models"
    )
    best = "predictions, with one best layer for all areas: 5.6 MB"
    assert said_of_predictions(tmp_path, {"a": "best", "b": "best"}, known) == best


def test_an_ingested_recording_tells_its_neuroids_in_bins_of_time(tmp_path):
    left_out = {"left_out": (("neuroid", "time_bin"), np.full((25, 2), "", object))}
    write_dataset(xr.Dataset(left_out), tmp_path / "recordings" / "rec.zarr")
    assert neuroids_in(tmp_path, "rec") == 50
    assert said_of_predictions(tmp_path, {"a": ["x", "y"]}) == "predictions: 5.2 MB"


def test_a_run_of_nothing_has_no_forecast(tmp_path):
    assert forecast(tmp_path, [], {}, False, "float16", 20) == []


@pytest.mark.parametrize(("n", "text"), [(0, "0 B"), (999, "999 B"), (1.5e6, "1.5 MB"), (2e15, "2e+03 TB")])
def test_sizes_as_text(n, text):
    assert size(n) == text


def test_memory_grows_with_the_square_of_stimuli_and_with_threads():
    assert bytes_of_fit(4000, 2, 1) - bytes_of_fit(0, 2, 1) == pytest.approx(5.5 * 8 * 4000**2)
    assert np.all(np.diff([bytes_of_fit(1000, cores, 20) for cores in (1, 2, 4)]) > 0)
