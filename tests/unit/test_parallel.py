"""The same numbers wherever Dask runs the tasks, and on no more than what a job was given."""

import os
import re
import sys
import threading
import time

import dask
import numpy as np
import pytest
import yaml
from dask.delayed import delayed
from threadpoolctl import threadpool_info, threadpool_limits

from ventral import nested_ridge
from ventral.configuration.schema import SCHEMA
from ventral.errors import InputError
from ventral.running.parallel import SETTING, WORKER_LOGS, check_place, compute, computed, computing, slurm_jobs
from ventral.running.progress import Progress
from ventral.running.slurm import allocated_cores, allocation


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


def test_a_bare_call_gives_the_blas_its_threads_back_also_after_an_error():
    def fail():
        raise ValueError("a fault")

    with threadpool_limits(2, user_api="blas"):
        assert computed(delayed(blas_threads, pure=False)()) == ({1},)
        assert blas_threads() == {2}
        with pytest.raises(ValueError, match="a fault"):
            computed(delayed(fail, pure=False)())
        assert blas_threads() == {2}


def test_of_calls_that_overlap_the_last_one_gives_the_blas_its_threads_back():
    began, may_end = threading.Event(), threading.Event()

    def wait():
        began.set()
        assert may_end.wait(10)

    with threadpool_limits(2, user_api="blas"):
        first = threading.Thread(target=lambda: computed(delayed(wait, pure=False)()))
        first.start()
        assert began.wait(10)
        computed(delayed(abs, pure=False)(1))
        assert blas_threads() == {1}
        may_end.set()
        first.join()
        assert blas_threads() == {2}


def test_bare_calls_share_as_many_threads_as_a_job_has_cores(no_job, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")

    def inside():
        """The thread of a task, and that of a task of a call from it."""
        return threading.get_ident(), *computed(delayed(threading.get_ident, pure=False)())

    tasks = [delayed(inside, pure=False)() for _ in range(4)]
    here = computed(*tasks)
    there = []
    other = threading.Thread(target=lambda: there.extend(computed(*tasks)))
    other.start()
    other.join(60)
    assert {thread for pair in (*here, *there) for thread in pair} == {here[0][0]}
    assert len(there) == 4


def test_a_scheduler_that_is_set_stands():
    with dask.config.set(scheduler="synchronous"):
        assert computed(delayed(threading.get_ident, pure=False)()) == (threading.get_ident(),)


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
    monkeypatch.setattr("ventral.running.parallel.SECONDS_TO_CONNECT", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with (
            dask.config.set({SETTING: address}),
            pytest.raises(InputError, match=f"config key dask: no Dask scheduler answers at {address}"),
            computing(1),
        ):
            pass
        # Nothing is left of it that what is computed later could wait for.
        assert dask.config.get("scheduler", None) is None


@pytest.fixture
def no_job(monkeypatch):
    """No SLURM job, whatever the tests run in."""
    for variable in [name for name in os.environ if name.startswith("SLURM")]:
        monkeypatch.delenv(variable)


@pytest.fixture
def job(no_job, monkeypatch, tmp_path):
    """A job of four cores on a cluster that takes no other, and a folder of what SLURM was told."""
    given = {"JOB_ID": "71", "JOB_PARTITION": "long", "JOB_ACCOUNT": "lab", "JOB_QOS": "", "CPUS_PER_TASK": "4"}
    for name, value in given.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    answers = {
        "squeue": "echo '1-02:30:05      cpu=4,mem=7.50G,node=1,billing=4   '",
        "scontrol": "echo NodeName=n1 NodeAddr=127.0.0.1 NodeHostName=n1.cluster",
        "sbatch": f"cp $1 {tmp_path}/script.$$; echo Job violates accounting/QOS policy >&2; exit 1",
        "scancel": f"echo $* >> {tmp_path}/cancelled",
    }
    for name, answer in answers.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_cores_are_those_that_the_process_may_use(no_job, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert (allocated_cores(), allocated_cores(5), allocated_cores(64)) == (8, 5, 8)
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    assert (allocated_cores(), allocated_cores(2), allocated_cores(64)) == (3, 2, 3)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    assert allocated_cores() == 8
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "2")
    assert (allocated_cores(), allocated_cores(64)) == (2, 2)


def test_dask_uses_no_more_cores_than_the_job_has(no_job, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "71")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    with dask.config.set({SETTING: "threads"}), computing(8) as at_once:
        assert at_once == dask.config.get("num_workers") == 1


def test_slurm_outside_of_a_job_is_told_before_any_work(no_job):
    with pytest.raises(InputError, match="config key dask: `slurm` .* this is no SLURM job; run .*--workflow-profile"):
        check_place("slurm:2")
    check_place("threads")


def test_what_slurm_gave_the_job(job, monkeypatch):
    ours = allocation()
    assert ours.directives == ("--partition=long", "--account=lab")
    assert (ours.cores, ours.memory_mb, ours.time_left, ours.address) == (4, 7680, "1-02:30:05", "127.0.0.1")
    (job / "squeue").write_text("#!/bin/sh\necho UNLIMITED cpu=4,node=1\n")
    monkeypatch.delenv("SLURMD_NODENAME")
    ours = allocation()
    assert (ours.memory_mb, ours.time_left, ours.address) == (None, "UNLIMITED", None)


def test_a_slurm_that_does_not_answer_is_told(job):
    (job / "squeue").write_text("#!/bin/sh\necho Unable to contact slurm controller >&2; exit 1\n")
    with pytest.raises(InputError, match="config key dask: .*squeue .*: Unable to contact slurm controller"):
        allocation()


@pytest.mark.parametrize(
    ("where", "jobs"), [("slurm", 4), ("slurm:12", 12), ("slurm:0", None), ("slurm:", None), ("slurm:two", None)]
)
def test_the_config_takes_what_the_command_line_takes(where, jobs):
    assert slurm_jobs(where) == jobs
    pattern = yaml.safe_load(SCHEMA.read_text())["properties"]["dask"]["pattern"]
    assert bool(re.search(pattern, where)) == (jobs is not None)


def test_a_job_whose_worker_jobs_are_refused_gets_on_with_its_own_cores(job, monkeypatch, caplog):
    monkeypatch.setattr("ventral.running.workers.SECONDS_BETWEEN_LOOKS", 0.05)
    logs = job / "fit.workers"
    with dask.config.set({SETTING: "slurm:2", WORKER_LOGS: logs}), computing(2) as at_once:
        assert at_once == 6
        (found,) = dask.compute(delayed(blas_threads, pure=False)())
        assert found == {1}
        end = time.monotonic() + 60
        while "no more are started" not in caplog.text and time.monotonic() < end:
            time.sleep(0.05)
        assert logs.is_dir()
    assert not logs.exists()
    assert "SLURM rejected a worker job: Job violates accounting/QOS policy" in caplog.text
    assert f"12 worker jobs were lost; no more are started; their output is in {logs}" in caplog.text
    scripts = [path.read_text() for path in job.glob("script.*")]
    assert len(scripts) == 12
    for script in scripts:
        asked = set(re.findall("^#SBATCH (.*)$", script, re.MULTILINE))
        assert {"--partition=long", "--account=lab", "--cpus-per-task=2", "--mem=3840M", "-t 1-02:30:05"} <= asked
        assert f"--output={logs}/%j.log" in asked
        assert f"{sys.executable} -m distributed.cli.dask_worker tcp://127.0.0.1:" in script
        assert "export PYTHONPATH=" in script
    (name,) = set(re.findall("^#SBATCH -J (.*)$", "".join(scripts), re.MULTILINE))
    assert f"--name {name}" in (job / "cancelled").read_text().splitlines()
