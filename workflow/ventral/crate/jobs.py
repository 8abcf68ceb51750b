"""Find the jobs behind a set of outputs, directly or indirectly, from their provenance."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ventral.errors import InputError, shown
from ventral.provenance import read_record


@dataclass(frozen=True)
class Job:
    """A finished job.

    Attributes
    ----------
    name : str
        Name of the job's log and of its record.
    record : dict
        Record of the job, from `ventral.provenance`.
    """

    name: str
    record: dict

    @property
    def started(self) -> datetime:
        """Time of the start, to the second."""
        return datetime.fromisoformat(self.record["started"])

    @property
    def ended(self) -> datetime:
        """Time of the end, to the second."""
        return self.started + timedelta(seconds=round(self.record["seconds"]))


def jobs_behind(outputs: Iterable[str | Path], provenance: Path) -> list[Job]:
    """Return every job behind some outputs, in an order in which they can have run.

    Jobs that made something else, such as those of a model that left the config, are not included.

    Parameters
    ----------
    outputs : iterable of path
        Files that jobs made.
    provenance : Path
        Folder of the records.

    Raises
    ------
    InputError
        If no record says how one of them was made.
    """
    made_by = {}
    for path in sorted(provenance.rglob("*.json")):
        job = Job(path.relative_to(provenance).with_suffix("").as_posix(), read_record(path))
        made_by |= {Path(output): job for output in job.record["outputs"]}
    unknown = [str(path) for path in map(Path, outputs) if path not in made_by]
    if unknown:
        raise InputError(
            f"{provenance} has no record of {shown(unknown)}, because an earlier version made it; make it anew with "
            f"`snakemake --forcerun RULE`, or delete it"
        )
    found: dict[str, Job] = {}
    left = [made_by[Path(path)] for path in outputs]
    while left:
        job = left.pop()
        if job.name not in found:
            found[job.name] = job
            # An input may lie inside a folder that another job made.
            read = (made_by.get(path) for given in map(Path, job.record["inputs"]) for path in (given, *given.parents))
            left += [other for other in read if other is not None]
    return sorted(found.values(), key=lambda job: (job.started, job.ended, job.name))


def raw_inputs(jobs: Iterable[Job]) -> dict[str, str]:
    """Return the SHA-256 of each file and folder that jobs read but did not make, by path."""
    jobs = list(jobs)
    made = {Path(path) for job in jobs for path in job.record["outputs"]}
    return {
        path: sha256
        for job in jobs
        for path, sha256 in sorted(job.record["inputs"].items())
        if made.isdisjoint((Path(path), *Path(path).parents))
    }
