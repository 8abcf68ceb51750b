"""The same numbers wherever Dask runs the tasks."""

import dask
import numpy as np
import pytest
from dask.delayed import delayed
from threadpoolctl import threadpool_info

from ventral import nested_ridge
from ventral.errors import InputError
from ventral.parallel import SETTING, compute, computing
from ventral.progress import Progress


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_threads_processes_and_a_cluster_give_the_same_bits(cluster):
    rng = np.random.default_rng(0)
    features, responses = rng.normal(size=(60, 90)), rng.normal(size=(60, 7))
    arguments = features @ features.T, responses, np.array_split(rng.permutation(60), 5), np.geomspace(1, 1e3, 6)
    results = []
    for where in ("threads", "processes", cluster):
        with dask.config.set({SETTING: where}), computing(2):
            results.append(nested_ridge(*arguments))
    for result in results[1:]:
        assert np.array_equal(result.predictions, results[0].predictions)
        assert np.array_equal(result.penalty, results[0].penalty)


def test_a_task_has_one_blas_thread_wherever_it_runs(cluster):
    np.ones((2, 2)) @ np.ones((2, 2))
    for where in ("threads", "processes", cluster):
        with dask.config.set({SETTING: where}), computing(2):
            (found,) = dask.compute(delayed(blas_threads, pure=False)())
            assert found == {1}, where


def test_progress_counts_every_value_wherever_it_is_computed(cluster):
    for where in ("threads", "processes", cluster):
        progress = Progress("test", 3, "values")
        with dask.config.set({SETTING: where}), computing(2):
            # What others need as well is a task, not a value.
            one = delayed(abs, pure=False)(-1)
            values = compute([delayed(pow, pure=False)(one + 1, power) for power in (1, 2, 3)], progress)
        assert values == [2, 4, 8]
        assert progress.done == 3


def test_an_address_without_a_scheduler_is_told(monkeypatch):
    monkeypatch.setattr("ventral.parallel.SECONDS_TO_CONNECT", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with (
            dask.config.set({SETTING: address}),
            pytest.raises(InputError, match=f"config key dask: no Dask scheduler answers at {address}"),
            computing(1),
        ):
            pass
