"""SLURM jobs that serve as Dask workers for the job in which this process runs."""

import asyncio
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dask
from dask_jobqueue import SLURMCluster
from dask_jobqueue.slurm import SLURMJob
from distributed import Status
from distributed.deploy.spec import ProcessInterface

from ventral.errors import InputError
from ventral.running.slurm import allocation, answer

logger = logging.getLogger("ventral")

PACKAGE = Path(__file__).parents[2]
SECONDS_BETWEEN_LOOKS = 10
# Limits restarts of jobs that end again and again, such as on nodes without the environment.
LOSSES_PER_JOB = 5
SECONDS_WITHOUT_SCHEDULER = 60
OWN = "own cores"


@contextmanager
def worker_jobs(jobs: int, cores: int, logs: Path | None = None) -> Iterator[str]:
    """Start a Dask cluster of this job's own cores and of further SLURM jobs; end the cluster with the block.

    This job's own cores are a worker from the start, so the job makes progress even on a full cluster. The other
    workers are jobs of the same partition and account, for the time that this job has left. Their memory per core is
    that of this job. A lost worker is replaced. All workers are cancelled when the block ends, also by an error or by
    SIGTERM. After SIGKILL the workers end by themselves within a minute.

    Nodes reach the scheduler at the address by which SLURM knows this node. The Dask setting `jobqueue.slurm.interface`
    selects another interface, for example with `DASK_JOBQUEUE__SLURM__INTERFACE=ib0`.

    Parameters
    ----------
    jobs : int
        Number of SLURM jobs.
    cores : int
        Number of tasks that run at once in each SLURM job, and on this job's own cores.
    logs : Path, optional
        Folder on a shared disk for the output of the jobs; removed if the block ends without an error.

    Yields
    ------
    str
        Address of the scheduler.

    Raises
    ------
    InputError
        If this process is not in a SLURM job, or SLURM does not answer.
    """
    # Dask logs all tasks of every worker that leaves.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    ours = allocation()
    name = f"dask-{ours.job}-{os.getpid()}"
    host = {"host": ours.address} if ours.address and not dask.config.get("jobqueue.slurm.interface", None) else {}
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, _ended_by_sigterm(name):
        cluster = SLURMCluster(
            job_cls=_WorkerJob,
            cores=cores,
            processes=1,
            # SLURM enforces the memory limit; Dask would pause tasks below that limit.
            memory="0 B",
            worker_extra_args=["--memory-limit", "0", "--no-dashboard"],
            job_mem=f"{-(-ours.memory_mb * cores // ours.cores)}M" if ours.memory_mb else "0",
            job_directives_skip=[] if ours.memory_mb else ["--mem="],
            walltime=ours.time_left,
            job_name=name,
            job_extra_directives=[*ours.directives, "--no-requeue", f"--output={_output(logs)}"],
            job_script_prologue=_prologue(),
            local_directory='"$scratch"',
            python=shlex.quote(sys.executable),
            death_timeout=SECONDS_WITHOUT_SCHEDULER,
            scheduler_options={"dashboard_address": "127.0.0.1:0", **host},
        )
        cluster.worker_spec[OWN] = {"cls": _OwnWorker, "options": {"cores": cores, "scratch": scratch}}
        keeping = asyncio.run_coroutine_threadsafe(_keep(cluster, name, jobs, logs), cluster.loop.asyncio_loop)
        try:
            cluster.scale(jobs + 1)
            logger.info("Dask: %d worker jobs named %s, with %d cores each, and this job's cores", jobs, name, cores)
            yield cluster.scheduler_address
        finally:
            keeping.cancel()
            _cancel(name)
            cluster.close()
            # A job may have been submitted while the cluster was closed.
            _cancel(name)
    if logs is not None:
        shutil.rmtree(logs, ignore_errors=True)


class _OwnWorker(ProcessInterface):
    """A worker on this job's own cores."""

    def __init__(self, scheduler: str, name: str, cores: int, scratch: str) -> None:
        super().__init__(scheduler=scheduler, name=name)
        options = {"name": name, "nthreads": cores, "local-directory": scratch, "memory-limit": 0}
        options |= {"death-timeout": SECONDS_WITHOUT_SCHEDULER}
        worker = ["-m", "distributed.cli.dask_worker", scheduler, "--no-nanny", "--no-dashboard"]
        self._command = [sys.executable, *worker, *(f"--{option}={value}" for option, value in options.items())]

    async def start(self) -> None:
        # Dask sets the same variables for processes that it starts itself.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environment = os.environ | threads | {"PYTHONPATH": _python_path(), "DASK_LOGGING__DISTRIBUTED": "error"}
        self._process = await asyncio.create_subprocess_exec(*self._command, env=environment)
        await super().start()

    async def close(self) -> None:
        # A graceful end can take longer than SLURM waits.
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await super().close()


class _WorkerJob(SLURMJob):
    """A worker that is a SLURM job; a job that SLURM rejects counts as lost and raises no error."""

    async def start(self) -> None:
        try:
            await super().start()
        except RuntimeError as error:
            logger.warning("Dask: SLURM rejected a worker job: %s", str(error).strip().splitlines()[-1])
            self.status = Status.running

    async def close(self) -> None:
        await super().close()
        self.status = Status.closed


async def _keep(cluster, name: str, jobs: int, logs: Path | None) -> None:
    """Replace lost worker jobs until too many were lost."""
    lost = 0
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        # List the known jobs before asking SLURM, so that a job submitted meanwhile does not count as lost.
        known = {worker: job.job_id for worker, job in cluster.workers.items() if worker != OWN}
        try:
            alive = (await asyncio.to_thread(answer, "squeue", "--noheader", "--name", name, "--format", "%i")).split()
        except InputError as error:
            logger.warning("Dask: %s; SLURM will be asked again", error)
            continue
        gone = {worker: job for worker, job in known.items() if job not in alive}
        lost += len(gone)
        if ended := sorted(filter(None, gone.values())):
            logger.warning("Dask: worker jobs ended too early and are replaced: %s", ", ".join(ended))
        for worker in gone.keys() & cluster.workers.keys():
            await cluster.workers.pop(worker).close()
        if lost > LOSSES_PER_JOB * jobs:
            break
        cluster.scale(jobs + 1)
    where = f"; their output is in {logs}" if logs else ""
    logger.warning("Dask: %d worker jobs were lost; no more are started%s", lost, where)


@contextmanager
def _ended_by_sigterm(name: str) -> Iterator[None]:
    """Cancel the jobs of this name and leave the block when this process gets SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: object) -> None:
        # Cancel at once, because SIGKILL may follow before all blocks are left.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _cancel(name)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))


def _prologue() -> list[str]:
    return [
        f"export PYTHONPATH={shlex.quote(_python_path())}",
        "scratch=$(mktemp --directory)",
        """trap 'rm -rf "$scratch"' EXIT""",
    ]


def _output(logs: Path | None) -> str:
    # SLURM replaces %j by the number of the job.
    return shlex.quote(f"{str(logs.absolute()).replace('%', '%%')}/%j.log") if logs else "/dev/null"


def _cancel(name: str) -> None:
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["scancel", "--name", name], capture_output=True, timeout=20, check=False)
