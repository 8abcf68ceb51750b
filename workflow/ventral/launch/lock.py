"""Let one run at a time write to a results folder, after all jobs of earlier runs have ended."""

import json
import logging
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ventral.audit.plan import read_plan
from ventral.audit.verification import config_differences
from ventral.errors import InputError
from ventral.outputs import writing
from ventral.provenance import read_record

logger = logging.getLogger("ventral")

# File in the results folder during a run, and after a killed run, with its working folder and its logs.
RECORD = ".run.json"


def begin(results: str | Path, folder: str | Path, logs: Iterable[str]) -> bool:
    """Note in a results folder that a run begins, unless another run, or one of its jobs, still writes there.

    Snakemake locks the folder in which it starts, not the results folder. When Snakemake is killed, its jobs on a
    cluster keep running, and the next Snakemake does not know them.

    Parameters
    ----------
    results : path
        Folder of the results.
    folder : path
        Folder in which the run starts.
    logs : iterable of str
        Snakemake's logs of the run, which have its name on the cluster.

    Returns
    -------
    bool
        Whether the last run was killed.

    Raises
    ------
    InputError
        If a run from another folder is making the same results, or was killed while it did. If jobs of a killed run
        still wait or run on the cluster, or the cluster does not answer.
    """
    results, folder = Path(results), Path(folder).resolve()
    record = results / RECORD
    killed = record.exists()
    if killed:
        _refuse_other_run(results, folder, _last_run(record))
    this = {"folder": str(folder), "logs": [str(folder / log) for log in logs]}
    with writing(record) as unfinished:
        unfinished.write_text(json.dumps(this) + "\n", encoding="utf-8")
    return killed


def _last_run(record: Path) -> tuple[Path, list[Path]] | None:
    """Return the folder in which the last run started, and its logs; None if its record cannot be read."""
    try:
        last = json.loads(record.read_bytes())
        return Path(last["folder"]), [Path(log) for log in last["logs"]]
    except (ValueError, TypeError, KeyError) as error:
        logger.warning(
            "%s: cannot be read (%s): a run was killed here, and the folder that it was started in and its logs are "
            "not known. Whether its jobs are left on a cluster is not known either: `squeue --me` lists jobs, and "
            "`scancel` ends them",
            record,
            error,
        )
        return None


def _refuse_other_run(results: Path, folder: Path, last: tuple[Path, list[Path]] | None) -> None:
    if last is None:
        return
    started_in, logs = last
    if started_in != folder and _locks(started_in, results):
        raise InputError(
            f"a run that was started in {started_in} is making the same results, {results}, or was killed before it "
            "had: wait until it has ended, or end it and run `snakemake --unlock` there; then start again"
        )
    _refuse_jobs_left(logs)


def end(results: str | Path) -> None:
    """Note in a results folder that a run and all its jobs have ended."""
    (Path(results) / RECORD).unlink(missing_ok=True)


def check_made_by(command: str) -> None:
    """Check that a command made the present outputs, apart from places of files and speed options.

    Raises
    ------
    InputError
        If another command made them, or their record cannot be read.
    """
    (job,) = read_plan(command).jobs
    if job.provenance is None:
        # A fetched file needs no record, because its command names its content.
        return
    record = read_record(Path(job.provenance))
    differences = list(config_differences(record["config"], job.config))
    if differences:
        raise InputError(
            f"{', '.join(job.outputs)}: made by a job of a run that was killed, by another config ({differences[0]}); "
            f"delete it, or undo the change, and start again"
        )


def _locks(folder: Path, results: Path) -> bool:
    """Say whether Snakemake, started in `folder`, has locked any file of the results."""
    locked = (
        folder / line.strip()
        for lock in folder.glob(".snakemake/locks/*.output.lock")
        for line in lock.read_text(encoding="utf-8").splitlines()
    )
    results = results.resolve()
    return any(path.resolve().is_relative_to(results) for path in locked)


def _refuse_jobs_left(logs: list[Path]) -> None:
    text = "\n".join(log.read_text(encoding="utf-8") for log in logs if log.is_file())
    named = re.search(r"^SLURM run ID: (\S+)$", text, re.MULTILINE)
    if named is None:
        return
    name = named[1]
    try:
        asked = subprocess.run(
            ["squeue", "--noheader", f"--name={name}", "--format=%T"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        # Results from a cluster may be continued on a machine without one.
        return
    if asked.returncode:
        raise InputError(
            f"the cluster does not say whether jobs of the last run are left: {asked.stderr.strip()}; start again when "
            f"`squeue --name={name}` answers"
        )
    states = Counter(asked.stdout.lower().split())
    if states:
        raise InputError(
            f"jobs of the last run are still on the cluster ({', '.join(f'{n} {state}' for state, n in states.items())}"
            f"), and would run twice: wait until `squeue --name={name}` lists none, and what they make is kept, or end "
            f"them with `scancel --name={name}`; then start again"
        )
