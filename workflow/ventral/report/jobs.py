"""Summarise the records of all jobs, and read the result of the audit."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ventral.errors import InputError, shown
from ventral.provenance import read_record

# Stages that read the other jobs' outputs and records, the page itself among them.
AFTERWARDS = ("report", "audit", "crate")
CODE_DIGITS = 8
WEIGHTS_DIGITS = 12
# Number of jobs named beside a warning that several jobs give.
MOST_OUTPUTS = 3


def read_records(folder: Path) -> list[dict]:
    """Return the records of all jobs except those of `AFTERWARDS`, in the order of their paths.

    Raises
    ------
    InputError
        If a file in the folder is not a record.
    """
    records = []
    for path in sorted(folder.rglob("*.json")):
        record = read_record(path)
        if record["stage"] not in AFTERWARDS:
            records.append(record)
    return records


def architectures(records: Sequence[dict]) -> dict[str, str]:
    """Return the architecture of every model that a job has described, by the model's name."""
    specs = [record["config"]["spec"] for record in records if record["stage"] == "model"]
    return {spec["name"]: spec["architecture"] for spec in specs}


def job_table(records: Sequence[dict]) -> pd.DataFrame:
    """Return a row for each job.

    Returns
    -------
    DataFrame
        `stage`, `outputs` (paths), `code`, `seconds`, `cpu_seconds`, `peak_mb`, `cores`, `device`, `hardware`,
        `weights`. `code` has the first digits of the SHA-256 of all modules of the job. `weights` has the SHA-256 of
        the weights of each model, where known.
    """
    rows = [
        {
            "stage": record["stage"],
            "outputs": ", ".join(sorted(record["outputs"])),
            "code": _short(record["code"]),
            "seconds": record["seconds"],
            "cpu_seconds": record["cpu_seconds"],
            "peak_mb": record["peak_mb"],
            "cores": record["how"].get("cores", 1),
            "device": record["hardware"].get("gpu") or "CPU",
            "hardware": record["hardware"]["processor"] or record["hardware"]["machine"],
            "weights": ", ".join(f"{model} {sha[:WEIGHTS_DIGITS]}" for model, sha in record.get("weights", {}).items()),
        }
        for record in records
    ]
    columns = [
        "stage",
        "outputs",
        "code",
        "seconds",
        "cpu_seconds",
        "peak_mb",
        "cores",
        "device",
        "hardware",
        "weights",
    ]
    return pd.DataFrame(rows, columns=columns)


def compute(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the resources of each stage: sums over its jobs, and the highest `peak_mb`."""
    table = jobs.groupby("stage", sort=False).agg(
        jobs=("outputs", "size"),
        seconds=("seconds", "sum"),
        cpu_seconds=("cpu_seconds", "sum"),
        peak_mb=("peak_mb", "max"),
    )
    return table.reset_index().sort_values(["seconds", "stage"], ascending=[False, True], ignore_index=True)


def versions(records: Sequence[dict]) -> dict[str, list[str]]:
    """Return the versions of Python and of each package that any job used, by name."""
    found: dict[str, set[str]] = {}
    for record in records:
        for package, version in {"python": record["python"], **record["packages"]}.items():
            found.setdefault(package, set()).add(version)
    return {package: sorted(found[package]) for package in sorted(found, key=str.lower)}


def seeds(records: Sequence[dict]) -> dict[str, list[int]]:
    """Return the seeds that the jobs of each stage were given."""
    found: dict[str, set[int]] = {}
    for record in records:
        given = {record["config"].get("seed"), *_seeds_within(record["config"].get("spec"))}
        found.setdefault(record["stage"], set()).update(seed for seed in given if isinstance(seed, int))
    return {stage: sorted(values) for stage, values in sorted(found.items()) if values}


def warnings_of(records: Sequence[dict]) -> pd.DataFrame:
    """Return a row for each warning of a stage: `stage`, `warning`, `outputs` of the jobs and `jobs`, their number."""
    rows = [
        {"stage": record["stage"], "warning": warning, "outputs": min(record["outputs"], default="")}
        for record in records
        for warning in record.get("warnings", [])
    ]
    table = pd.DataFrame(rows, columns=["stage", "warning", "outputs"]).groupby(["stage", "warning"], as_index=False)
    return table.agg(jobs=("outputs", "size"), outputs=("outputs", lambda paths: shown(sorted(paths), MOST_OUTPUTS)))


def read_audit(path: Path) -> dict | None:
    """Return the result of the audit, None before any audit.

    Raises
    ------
    InputError
        If the file is not the result of an audit.
    """
    if not path.exists():
        return None
    try:
        audit = json.loads(path.read_text(encoding="utf-8"))
        return {key: audit[key] for key in ("date", "verdict", "counts", "outputs")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the result of an audit; delete it, or run `snakemake audit` again") from error


def _short(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:CODE_DIGITS]


def _seeds_within(spec: object) -> list[int]:
    if not isinstance(spec, dict):
        return []
    return [seed for key, value in spec.items() for seed in ([value] if key == "seed" else _seeds_within(value))]
