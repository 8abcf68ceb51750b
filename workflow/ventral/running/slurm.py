"""The resources of a SLURM job."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from ventral.errors import InputError

# MiB in each unit in which SLURM gives memory.
MEBIBYTES = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


@dataclass(frozen=True)
class Allocation:
    """The resources that SLURM gave the job in which this process runs.

    Attributes
    ----------
    job : str
        Number of the job.
    directives : tuple of str
        Options of `sbatch` that ask for a job of the same partition, account, quality of service and reservation.
    cores : int
        Number of CPUs.
    memory_mb : int or None
        Memory of the job in MiB; None if SLURM does not allocate memory.
    time_left : str
        Time until the limit of the job, in the form of `sbatch --time`.
    address : str or None
        Address by which other nodes reach this one; None if SLURM does not tell.
    """

    job: str
    directives: tuple[str, ...]
    cores: int
    memory_mb: int | None
    time_left: str
    address: str | None


def allocated_cores(wanted: int | None = None) -> int:
    """Return the number of cores to use: `wanted`, or all, but no more than this process may use.

    The CPU affinity of the process and its SLURM job set the limit, not the number of cores of the machine.
    """
    allowed = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    if "SLURM_JOB_ID" in os.environ:
        allowed += filter(None, [_number("SLURM_CPUS_PER_TASK") or _number("SLURM_CPUS_ON_NODE")])
    return max(1, min([*allowed, *([wanted] if wanted else [])]))


def check_commands() -> None:
    """Check that this machine can submit jobs to SLURM.

    Raises
    ------
    InputError
        If SLURM's commands are missing.
    """
    if shutil.which("sbatch") is None:
        raise InputError(
            "the profile submits jobs to SLURM (`executor: slurm`), and SLURM's command `sbatch` is not on PATH here; "
            "start the run on a login node of the cluster, or leave out the profile to run on this machine"
        )


def allocation() -> Allocation:
    """Return the resources that SLURM gave the job in which this process runs.

    Raises
    ------
    InputError
        If this process is not in a SLURM job, or SLURM does not answer.
    """
    environment = os.environ
    job = environment.get("SLURM_JOB_ID")
    if not job:
        raise InputError(
            "config key dask: `slurm` starts further SLURM jobs like its own, and this is no SLURM job; run the "
            "workflow with `--workflow-profile profiles/slurm`, or set the key to `threads` or `processes`"
        )
    # The environment has no memory limit in a step of a job without one of its own.
    time_left, resources = answer(
        "squeue", "--noheader", "--jobs", job, "--Format", "TimeLeft:40,tres-alloc:400"
    ).split()
    given = dict(resource.split("=", 1) for resource in resources.split(","))
    asked = {"partition": "SLURM_JOB_PARTITION", "account": "SLURM_JOB_ACCOUNT", "qos": "SLURM_JOB_QOS"}
    asked["reservation"] = "SLURM_JOB_RESERVATION"
    node = environment.get("SLURMD_NODENAME")
    address = re.search(r"\bNodeAddr=(\S+)", answer("scontrol", "--oneliner", "show", "node", node)) if node else None
    return Allocation(
        job=job,
        directives=tuple(f"--{name}={environment[key]}" for name, key in asked.items() if environment.get(key)),
        cores=int(given["cpu"]),
        memory_mb=_mebibytes(given["mem"]) if "mem" in given else None,
        time_left=time_left,
        address=address[1] if address else None,
    )


def answer(*command: str) -> str:
    """Return the output of one of SLURM's commands.

    Raises
    ------
    InputError
        If the command is missing or fails.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(
            f"config key dask: `slurm` needs an answer of SLURM, and `{' '.join(command)}` failed: "
            f"{(getattr(error, 'stderr', None) or str(error)).strip()}"
        ) from error


def _mebibytes(memory: str) -> int:
    return int(float(memory[:-1]) * MEBIBYTES[memory[-1]]) if memory[-1] in MEBIBYTES else int(memory)


def _number(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() else None
