"""One run at a time makes a results folder, and no job of an earlier one still does."""

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

# In the results folder while a run makes it, and after one that was killed: its working folder and its logs.
RECORD = ".run.json"


def begin(results: str | Path, folder: str | Path, logs: Iterable[str]) -> bool:
    """Note in a results folder that a run begins, unless another one, or a job of another one, is making it.

    Snakemake locks the folder that it is started in, not the one that it writes to. When it is killed, its jobs on a
    cluster live on, and it does not know them when it is started again.

    Parameters
    ----------
    results : path
        Folder of the results.
    folder : path
        That the run is started in.
    logs : iterable of str
        Snakemake's logs of the run, which name it as the cluster knows it.

    Returns
    -------
    bool
        Whether the last run was killed.

    Raises
    ------
    InputError
        If a run that was started in another folder is making the same results, or was killed while it did; if jobs of
        a run that was killed still wait or run on the cluster; if the cluster does not say.
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
    """Return the folder that the last run was started in, and its logs; None where its record cannot be read."""
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
    """Note in a results folder that a run has ended, and all its jobs have."""
    (Path(results) / RECORD).unlink(missing_ok=True)


def check_made_by(command: str) -> None:
    """Check that what stands in the results was made by a command, but for where files lie and how it ran.

    Raises
    ------
    InputError
        If it was made by one that said something else, or its record cannot be read.
    """
    (job,) = read_plan(command).jobs
    if job.provenance is None:
        # Its command says what the content is, and it is made of nothing else.
        return
    record = read_record(Path(job.provenance))
    differences = list(config_differences(record["config"], job.config))
    if differences:
        raise InputError(
            f"{', '.join(job.outputs)}: made by a job of a run that was killed, by another config ({differences[0]}); "
            f"delete it, or undo the change, and start again"
        )


def _locks(folder: Path, results: Path) -> bool:
    """Whether Snakemake has locked any file of the results, in a folder that it was started in."""
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
        # Results that were made on a cluster, and are gone on with elsewhere.
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
