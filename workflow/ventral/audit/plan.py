"""Read the plan of a run: its jobs, with the inputs, outputs and options of each."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ventral.commands import parse
from ventral.errors import InputError
from ventral.running.braces import expanded

# Lines of a dry run.
COMMAND = re.compile(r"^(?:Shell command: )?\s*python -m ventral (.+)$", re.MULTILINE)
TEMPORARY = re.compile(r"^Would remove temporary output (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One job that the config calls for.

    Attributes
    ----------
    arguments : tuple of str
        Words of the command after ``python -m ventral``.
    stage : str
        Stage of the job.
    config : dict
        Options of the job's command.
    inputs, outputs : tuple of str
        Paths, as on the command line.
    provenance : str or None
        Path of the job's record; None for a job without a record, because its command names the content it makes.
    sha256 : str or None
        SHA-256 of the one output of a job without a record.
    """

    arguments: tuple[str, ...]
    stage: str
    config: dict
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    provenance: str | None
    sha256: str | None


@dataclass(frozen=True)
class Plan:
    """All jobs of a run, each after the jobs that it needs.

    Attributes
    ----------
    jobs : tuple of Job
        Jobs in the order of the dry run.
    temporary : frozenset of str
        Outputs that are deleted once they have been used.
    """

    jobs: tuple[Job, ...]
    temporary: frozenset[str]

    @cached_property
    def maker(self) -> dict[str, Job]:
        """The job that makes each output."""
        return {path: job for job in self.jobs for path in job.outputs}


def read_plan(printed: str) -> Plan:
    """Read the jobs from the text that a dry run of everything printed.

    Parameters
    ----------
    printed : str
        Output of ``snakemake --dry-run --forceall --printshellcmds all``.

    Raises
    ------
    InputError
        If the text has no job.
    """
    jobs = tuple(_job(shlex.split(expanded(command))) for command in COMMAND.findall(printed))
    if not jobs:
        raise InputError("audit: no job is planned; give what a dry run prints, as `snakemake audit` does")
    return Plan(tuple(_in_order(jobs)), frozenset(path.strip() for path in TEMPORARY.findall(printed)))


def _job(arguments: list[str]) -> Job:
    command = parse(arguments)
    return Job(
        arguments=tuple(arguments),
        stage=command.stage,
        config=command.options,
        inputs=tuple(map(str, command.read)),
        outputs=tuple(map(str, command.written)),
        provenance=str(command.provenance) if command.provenance else None,
        sha256=None if command.provenance else command.options.get("sha256"),
    )


def _in_order(jobs: tuple[Job, ...]) -> Iterator[Job]:
    """Yield every job after the makers of its inputs, otherwise in the given order."""
    maker = {path: job for job in jobs for path in job.outputs}
    yielded = set()
    # No recursion: a chain of jobs can be longer than Python's stack is deep.
    waiting = list(reversed(jobs))
    while waiting:
        job = waiting[-1]
        before = [maker[path] for path in job.inputs if path in maker and id(maker[path]) not in yielded]
        if before and id(job) not in yielded:
            waiting.extend(before)
            continue
        waiting.pop()
        if id(job) not in yielded:
            yielded.add(id(job))
            yield job
