"""Ridge regressions that a GPU would compute, computed by torch on the CPU: the tables are those of the CPU."""

import importlib.util
import shutil
import sys
import threading
import time
from types import ModuleType

import dask
import numpy as np
import pandas as pd
import pytest
import torch

from tests.unit.test_banded import PENALTIES as OF_BANDED
from tests.unit.test_banded import kernels_of, problem, random_folds
from tests.unit.test_reverse import experiment as of_units  # noqa: F401
from tests.unit.test_reverse import reversed_table
from tests.unit.test_scores_of_splits import NEURONS, PUBLISHED, RANDOM, N, experiment, score  # noqa: F401
from ventral.audit.comparison import BOUNDS, difference
from ventral.errors import InputError
from ventral.mappings import ridge_test_set
from ventral.mappings.banded import banded_ridge, banded_ridge_of_tensors, every_subset, simplex
from ventral.mappings.ridge import NestedRidge, nested_ridge_graphs
from ventral.running import device_queue as queues
from ventral.running import devices
from ventral.running.device_queue import DeviceQueue, device_queue
from ventral.running.parallel import SETTING
from ventral.scores import banded, fitting, prediction, reverse, ridges

ENGINE = "ventral.mappings.ridge_on_device"


def as_tensors(result):
    arrays = (np.asarray(values) for values in (result.predictions, result.penalty, result.candidate))
    return type(result)(*map(torch.from_numpy, arrays))


def nested_by_numpy(gram, responses, splits, penalties) -> list[NestedRidge]:
    grams = [gram] * len(penalties) if isinstance(gram, torch.Tensor) else gram
    candidates = [(of.numpy(), penalty) for of, penalty in zip(grams, penalties, strict=True)]
    return [as_tensors(found) for found in dask.compute(*nested_ridge_graphs(candidates, responses.numpy(), splits))]


def one_by_numpy(gram, responses, *asked) -> ridge_test_set.TestSetRidge:
    return as_tensors(ridge_test_set.test_set_ridge(gram.numpy(), np.nan_to_num(responses.numpy()), *asked))


def engine_of(nested, test_set) -> ModuleType:
    module = ModuleType(ENGINE)
    module.nested_ridge_on_device, module.test_set_ridge_on_device = nested, test_set
    return module


@pytest.fixture
def engine(monkeypatch):
    """The engine in torch, or one that stands in for it."""
    if importlib.util.find_spec(ENGINE) is None:
        monkeypatch.setitem(sys.modules, ENGINE, engine_of(nested_by_numpy, one_by_numpy))


@pytest.fixture
def queued(engine, monkeypatch):
    """All stages have a queue of torch's CPU device, whatever they are told."""
    for stage in (fitting, reverse, banded):
        monkeypatch.setattr(stage, "device_queue", lambda _device: DeviceQueue("cpu"))


WRITTEN = ("scores.parquet", "bootstraps.parquet", "influences.parquet")


def written(folder, into, **changes):
    """What `fit` writes of every kind of split, of neurons some of which lack stimuli."""
    into.mkdir()
    beside = {name.partition(".")[0]: into / name for name in WRITTEN[1:]}
    return score(
        folder,
        into / WRITTEN[0],
        splits=["stimuli", "objects", PUBLISHED, RANDOM],
        mappings=["ridge", "one_to_one"],
        prediction_reliability=True,
        **beside,
        **changes,
    )


def test_scores_are_those_of_the_cpu(experiment, tmp_path, request):  # noqa: F811
    on_cpu = written(experiment["folder"], tmp_path / "cpu")
    request.getfixturevalue("queued")
    calls, compute = [], ridges.ridges_on_device
    request.getfixturevalue("monkeypatch").setattr(
        ridges,
        "ridges_on_device",
        lambda gram, penalties, fits, device: calls.append(len(fits)) or compute(gram, penalties, fits, device),
    )
    on_device = written(experiment["folder"], tmp_path / "device", cores=2)
    # Of each layer one task for all splits, and one for the neurons' means over either half of two halvings.
    assert len(calls) == 2 * (1 + 4)
    assert calls[0] == 1 + 1 + 5
    ridge = on_device["mapping"] == "ridge"
    assert on_device.loc[ridge, "split"].nunique() == 4
    pd.testing.assert_frame_equal(on_cpu[~ridge], on_device[~ridge])
    np.testing.assert_array_equal(on_cpu["alpha"], on_device["alpha"])
    for name in WRITTEN:
        assert difference(tmp_path / "cpu" / name, tmp_path / "device" / name).size < BOUNDS["fit"]


@pytest.mark.parametrize(("smallest", "calls"), [(0, 2), (N * NEURONS**2 + 1, 0)])
def test_many_targets_share_components_on_the_device(experiment, tmp_path, monkeypatch, queued, smallest, calls):  # noqa: F811
    asked = {"splits": ["stimuli"], "mappings": ["pls"], "components": 5}
    monkeypatch.setattr(devices, "has_fast_float64", lambda _device: True, raising=False)
    monkeypatch.setattr(prediction, "PLS_ON_GPU", np.inf)
    expected = score(experiment["folder"], tmp_path / "cpu.parquet", **asked)
    run = []
    on_device = prediction._pls_on_device
    monkeypatch.setattr(prediction, "_pls_on_device", lambda *given, **more: run.append(1) or on_device(*given, **more))
    monkeypatch.setattr(prediction, "PLS_ON_GPU", smallest)
    found = score(experiment["folder"], tmp_path / "device.parquet", **asked)
    assert len(run) == calls
    assert difference(tmp_path / "cpu.parquet", tmp_path / "device.parquet").size < BOUNDS["fit"]
    assert len(found) == len(expected) > 0


def test_units_are_predicted_as_on_the_cpu(of_units, tmp_path, request):  # noqa: F811
    spec = {"name": "random", "random": 3, "train": 60}
    tables = []
    for name in ("cpu", "device"):
        shutil.copytree(of_units[0], tmp_path / name)
        tables.append(reversed_table(tmp_path / name, splits=["stimuli", spec]))
        request.getfixturevalue("queued")
    paths = [tmp_path / name / "reverse.parquet" for name in ("cpu", "device")]
    assert difference(*paths).size < BOUNDS["reverse"]
    np.testing.assert_array_equal(tables[0]["alpha"], tables[1]["alpha"])


def test_layers_together_are_weighted_as_on_the_cpu(engine):
    layers, responses = problem(targets=3)
    splits = [random_folds(36, 3), random_folds(36, 4, seed=1)]
    kernels, points = kernels_of(layers), simplex(3, seed=0)
    expected = banded_ridge(kernels, responses, splits, OF_BANDED, points, every_subset(3))
    tensors = torch.from_numpy(kernels), torch.from_numpy(responses)
    found = banded_ridge_of_tensors(*tensors, splits, OF_BANDED, points, every_subset(3))
    for of_split, of_cpu in zip(found, expected, strict=True):
        assert of_split.keys() == of_cpu.keys()
        for taken, (fit, weights) in of_split.items():
            np.testing.assert_array_equal(weights, of_cpu[taken][1])
            np.testing.assert_array_equal(fit.penalty, of_cpu[taken][0].penalty)
            np.testing.assert_array_equal(fit.candidate, of_cpu[taken][0].candidate)
            np.testing.assert_allclose(fit.predictions, of_cpu[taken][0].predictions, atol=1e-8)


def test_tasks_of_a_device_run_one_after_the_other_in_their_order():
    queue, running, order = DeviceQueue("cpu"), threading.Lock(), []

    def run(number: int, device: str) -> tuple[int, str]:
        assert running.acquire(blocking=False), "another task runs"
        time.sleep(0.01)
        order.append(number)
        running.release()
        return number, device

    tasks = [queue.task(run, number) for number in range(6)]
    with dask.config.set(scheduler="threads", num_workers=4):
        assert dask.compute(*tasks) == tuple((number, "cpu") for number in range(6))
    assert order == list(range(6))


def test_a_job_on_the_cpu_has_no_queue_and_one_without_the_gpu_asked_for_is_told(monkeypatch):
    assert device_queue("cpu") is None
    monkeypatch.setattr(devices, "_has_gpu", lambda: False)
    assert device_queue("auto") is None
    with pytest.raises(InputError, match=r"^config key fits\.device: `cuda`, but torch sees no GPU here"):
        device_queue("cuda")


@pytest.mark.parametrize("where", ["processes", "slurm", "tcp://host:8786"])
def test_a_gpu_is_for_the_threads_of_one_process(monkeypatch, where):
    monkeypatch.setattr(queues, "choose_device", lambda _device, _key: "cuda")
    assert device_queue("cuda").device == "cuda"
    with dask.config.set({SETTING: where}), pytest.raises(InputError, match=f"fits.device: .*, not by `{where}`"):
        device_queue("cuda")


@pytest.mark.parametrize("error", [MemoryError("blocks of 64 targets"), torch.OutOfMemoryError("CUDA out of memory\n")])
def test_too_little_memory_says_what_would_fit(monkeypatch, error):
    def fail(gram, *_):
        raise error

    monkeypatch.setitem(sys.modules, ENGINE, engine_of(fail, fail))
    monkeypatch.setattr(ridges, "_free_bytes", lambda _device: 40 * 20_000**2)
    fits = [ridges.NestedFits(np.arange(30), np.zeros((30, 2)), [np.array_split(np.arange(30), 3)])]
    with pytest.raises(InputError) as told:
        ridges.ridges_on_device(np.eye(30), [1.0], fits, "cpu")
    assert str(told.value).startswith("config key fits.device: memory of the GPU does not suffice for a fit of")
    assert "14.9 GiB are free; about 20000 stimuli would fit; set config key fits.device to `cpu`" in str(told.value)
    assert str(told.value).endswith(f"({str(error).strip()})")
