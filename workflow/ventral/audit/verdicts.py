"""Run the audit: give a verdict on every output of a config."""

import json
import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ventral.audit.page import as_page
from ventral.audit.plan import read_plan
from ventral.audit.rerun import choose, run_again, with_makers
from ventral.audit.verification import PASSED, counts, verify
from ventral.errors import InputError
from ventral.outputs import writing

logger = logging.getLogger("ventral")

OUTPUTS_LOGGED = 20


def audit(
    plan: str | Path,
    results: str | Path,
    verdicts: str | Path,
    page: str | Path,
    *,
    sample: int = 3,
    rerun: Sequence[str] = (),
    seed: int = 0,
    cores: int = 1,
) -> None:
    """Verify all outputs, rerun some jobs, and write a verdict on every output.

    Parameters
    ----------
    plan : path
        Output of a dry run of everything, for `ventral.audit.plan.read_plan`. Its paths are relative to the working
        folder, as when the jobs ran.
    results : path
        Folder of all outputs, as in the plan.
    verdicts : path
        JSON file to write: `date`; `verdict`, passed or failed; `counts` of outputs by verdict; and `outputs`, a list
        of `path`, `stage`, `verdict` and `reason`.
    page : path
        HTML file to write.
    sample : int
        Number of random jobs to rerun.
    rerun : sequence of str
        Outputs whose jobs are rerun in any case.
    seed : int
        Seed of the random choice.
    cores : int
        Threads that read files. Jobs run one after another, each with its cores from the plan.

    Raises
    ------
    InputError
        If any output fails. All findings are written first.
    """
    planned, results = read_plan(Path(plan).read_text(encoding="utf-8")), Path(results)
    verified = verify(planned, cores)
    chosen = choose(planned, verified, sample, rerun, seed)
    folder = Path(verdicts).parent / "rerun"
    shutil.rmtree(folder, ignore_errors=True)
    everything = [each for job in chosen for each in with_makers(job, planned)]
    seconds = sum(verified.records.get(job.provenance, {}).get("seconds", 0.0) for job in everything)
    logger.info("audit: %d jobs to run again, about %.0f s by their records", len(everything), seconds)
    for number, job in enumerate(chosen):
        logger.info("audit: runs %s again for %s", job.stage, ", ".join(job.outputs))
        run_again(job, planned, verified, results, folder / str(number))
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    findings = list(verified.findings.values())
    failed = [finding for finding in findings if finding.verdict not in PASSED]
    found = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": "failed" if failed else "passed",
        "counts": counts(findings),
        "outputs": [
            {"path": finding.path, "stage": finding.stage, "verdict": finding.verdict, "reason": finding.reason}
            for finding in findings
        ],
    }
    with writing(verdicts) as unfinished:
        unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    with writing(page) as unfinished:
        unfinished.write_text(as_page(found, str(results), PASSED), encoding="utf-8")
    logger.info("audit: %s; %s", ", ".join(f"{count} {verdict}" for verdict, count in found["counts"].items()), page)
    for finding in failed[:OUTPUTS_LOGGED]:
        logger.error("%s: %s: %s", finding.path, finding.verdict, finding.reason)
    if len(failed) > OUTPUTS_LOGGED:
        logger.error("and %d more", len(failed) - OUTPUTS_LOGGED)
    if failed:
        raise InputError(f"{len(failed)} of {len(findings)} outputs fail; {page} has the reason for each")
