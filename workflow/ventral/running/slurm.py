"""What a SLURM job may use."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from ventral.errors import InputError

# Of the units in which SLURM gives memory.
MEBIBYTES = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


@dataclass(frozen=True)
class Allocation:
    """What SLURM gave the job that this process runs in.

    Attributes
    ----------
    job : str
        Its number.
    directives : tuple of str
        Options of `sbatch` that ask for a job of the same partition, account, quality of service and reservation.
    cores : int
        CPUs of it.
    memory_mb : int or None
        Memory for these in MiB, None where SLURM does not share memory out.
    time_left : str
        Until it ends, as `sbatch --time` takes it.
    address : str or None
        By which other nodes reach this one, None where SLURM does not say.
    """

    job: str
    directives: tuple[str, ...]
    cores: int
    memory_mb: int | None
    time_left: str
    address: str | None


def allocated_cores(wanted: int | None = None) -> int:
    """Return the number of cores to use: what is wanted, or all, but no more than this process may use.

    That is what its CPU affinity and the SLURM job that it runs in allow, whatever the machine has.
    """
    allowed = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    if "SLURM_JOB_ID" in os.environ:
        allowed += filter(None, [_number("SLURM_CPUS_PER_TASK") or _number("SLURM_CPUS_ON_NODE")])
    return max(1, min([*allowed, *([wanted] if wanted else [])]))


def check_commands() -> None:
    """Check that jobs can be given to SLURM from this machine.

    Raises
    ------
    InputError
        If SLURM's commands are not on it.
    """
    if shutil.which("sbatch") is None:
        raise InputError(
            "the profile gives jobs to SLURM (`executor: slurm`), whose commands are not on this machine: no `sbatch` "
            "on PATH; start the run on a login node of the cluster, or leave the profile out to run here"
        )


def allocation() -> Allocation:
    """Return what SLURM gave the job that this process runs in.

    Raises
    ------
    InputError
        If this is no SLURM job, or SLURM does not answer.
    """
    environment = os.environ
    job = environment.get("SLURM_JOB_ID")
    if not job:
        raise InputError(
            "config key dask: slurm starts further jobs like the one that it runs in, and this is no SLURM job; run "
            "the workflow with `--workflow-profile profiles/slurm`, or take `threads` or `processes`"
        )
    # Of memory, the environment says nothing in a step of a job that has none of its own.
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
    """Return what a command of SLURM's prints.

    Raises
    ------
    InputError
        If there is no such command, or it fails.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(
            f"config key dask: slurm asks SLURM, and `{' '.join(command)}` failed: "
            f"{(getattr(error, 'stderr', None) or str(error)).strip()}"
        ) from error


def _mebibytes(memory: str) -> int:
    return int(float(memory[:-1]) * MEBIBYTES[memory[-1]]) if memory[-1] in MEBIBYTES else int(memory)


def _number(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() else None
