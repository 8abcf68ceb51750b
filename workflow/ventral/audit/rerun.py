"""Jobs run once more in a clean directory, and what they made beside what was recorded."""

import logging
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ventral.audit.comparison import bound_of, difference
from ventral.audit.plan import Job, Plan
from ventral.audit.verification import DIFFERS, PASSED, REMADE, VERIFIED, Verified
from ventral.errors import InputError, nearest
from ventral.provenance import digest, read_record

logger = logging.getLogger("ventral")

# Where these agree, and no graphics card is used, a job gives the same bits.
OF_BITS = ("machine", "processor")
UP = ".."
# Shows the records of all jobs and the last audit: it is another page every time.
NEVER_THE_SAME = ("report",)


def choose(plan: Plan, verified: Verified, sample: int, named: Sequence[str], seed: int) -> list[Job]:
    """Return the jobs to run again: those that make the outputs named, and as many at random of those verified.

    Parameters
    ----------
    plan, verified
        What the config calls for, and what is known of it.
    sample : int
        Number of random jobs.
    named : sequence of str
        Paths of outputs.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If nothing makes an output that is named, or it is the report, which shows this audit.
    """
    chosen = {}
    for path in map(os.path.normpath, named):
        if path not in plan.maker:
            raise InputError(
                f"config key audit.outputs: no job makes {path}; the nearest that are made: {nearest(path, plan.maker)}"
            )
        if plan.maker[path].stage in NEVER_THE_SAME:
            raise InputError(
                f"config key audit.outputs: {path} shows when jobs ran and what the last audit found: it is never "
                f"the same twice; leave it out"
            )
        chosen[plan.maker[path].outputs] = plan.maker[path]
    fit = [
        job
        for job in plan.jobs
        if job.provenance
        and job.stage not in NEVER_THE_SAME
        and all(verified.findings[path].verdict == VERIFIED for path in job.outputs)
    ]
    # What makes a job one of many is its name, not when it was planned.
    fit.sort(key=lambda job: job.outputs)
    for job in random.Random(seed).sample(fit, min(sample, len(fit))):
        chosen[job.outputs] = job
    return [job for job in plan.jobs if job.outputs in chosen and job.provenance]


def with_makers(job: Job, plan: Plan) -> list[Job]:
    """Return a job after those that make what it needs and what is gone, because it was temporary."""
    needed, waiting = {}, [job]
    while waiting:
        wanted = waiting.pop()
        needed[wanted.outputs] = wanted
        waiting += [plan.maker[path] for path in wanted.inputs if path in plan.temporary and not Path(path).exists()]
    return [planned for planned in plan.jobs if planned.outputs in needed]


def run_again(job: Job, plan: Plan, verified: Verified, results: Path, folder: Path) -> None:
    """Make the outputs of a job once more, and say of each whether it is the same.

    Parameters
    ----------
    job : Job
        What to run.
    plan, verified
        What the config calls for, and what is known of it; findings are added.
    results : Path
        Folder of all outputs.
    folder : Path
        The clean directory, to be made. It stays where an output differs.
    """
    jobs = with_makers(job, plan)
    sources = {path for each in jobs for path in each.inputs} - {path for each in jobs for path in each.outputs}
    gone = sorted(path for path in sources if not Path(path).exists())
    if gone:
        for path in job.outputs:
            verified.findings[path].say(verified.findings[path].verdict, f"not run again: there is no {gone[0]}")
        return
    clean = CleanDirectory(folder, results, [path for each in jobs for path in (*each.inputs, *each.outputs)])
    for path in sources:
        clean.link(path)
    for number, each in enumerate(jobs, start=1):
        failure = clean.run(each)
        if failure is not None:
            for path in dict.fromkeys((*each.outputs, *job.outputs)):
                verified.findings[path].say(DIFFERS, f"cannot be made again: {failure}")
            return
        _compare(each, bound_of(made.stage for made in jobs[:number]), clean, verified)
    if all(verified.findings[path].verdict in PASSED for each in jobs for path in each.outputs):
        shutil.rmtree(folder)


class CleanDirectory:
    """A folder like the working folder, with all that lies there but the results.

    Parameters
    ----------
    folder : Path
        To be made.
    results : Path
        The results folder, as on the command line.
    paths : iterable of str
        All that is read and written there.

    Attributes
    ----------
    working : Path
        Where jobs run.
    """

    def __init__(self, folder: Path, results: Path, paths: Iterable[str]) -> None:
        here = Path.cwd()
        self._results = results
        # Outside of the tree of links only where nothing else is possible: the command has to be changed for it.
        self._elsewhere = folder.resolve() / "results" if results.is_absolute() else None
        # Paths that lead out of the working folder lead to the same from here.
        climbs = max(Path(os.path.normpath(path)).parts.count(UP) for path in (*paths, results))
        top = here.parents[climbs - 1] if climbs else here
        tree = folder.resolve() / "tree"
        self.working = tree / here.relative_to(top)
        folder.mkdir(parents=True)
        _link_all(top, tree, apart=(here / results).resolve(), real=here)
        self.working.mkdir(parents=True, exist_ok=True)

    def path(self, path: str) -> Path:
        """Return where a path of the command line lies here."""
        return self.working / self._changed(path)

    def link(self, path: str) -> None:
        """Let something of the results be there."""
        here = self.path(path)
        # All outside of the results is there already.
        if not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(Path(path).resolve())

    def run(self, job: Job) -> str | None:
        """Run a job here, and return what it said last, if it failed."""
        arguments = [self._changed(argument) for argument in on_what_is_here(job.arguments)]
        done = subprocess.run(
            [sys.executable, "-m", "ventral", *arguments], cwd=self.working, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        if self._elsewhere:
            # A description names the file that weights came from.
            for path in job.outputs:
                if path.endswith(".json"):
                    self.path(path).write_text(self._restored(self.path(path).read_text(encoding="utf-8")), "utf-8")
        return None

    def _changed(self, text: str) -> str:
        if not self._elsewhere:
            return text
        return re.sub(rf"(?<![\w./-]){re.escape(str(self._results))}(?=[/\"]|$)", lambda _: str(self._elsewhere), text)

    def _restored(self, text: str) -> str:
        return text.replace(str(self._elsewhere), str(self._results))


def on_what_is_here(arguments: Sequence[str]) -> list[str]:
    """Return a command that takes a GPU only where there is one: who audits may have none."""
    device = [before == "--device" for before in ("", *arguments)]
    return [
        "auto" if is_device and said == "cuda" else said for is_device, said in zip(device, arguments, strict=False)
    ]


def _link_all(source: Path, target: Path, apart: Path, real: Path) -> None:
    """Fill a folder with links to what is in another, and make anew the folders on the way to two of them.

    Parameters
    ----------
    source, target : Path
        Folders; the second is to be made.
    apart : Path
        Is left out.
    real : Path
        A folder that is no link: from within a link, `..` leads elsewhere.
    """
    target.mkdir()
    for entry in source.iterdir():
        if entry == apart:
            continue
        if entry.is_dir() and (entry == real or entry in apart.parents or entry in real.parents):
            _link_all(entry, target / entry.name, apart, real)
        else:
            (target / entry.name).symlink_to(entry)


def _compare(job: Job, bound: float, clean: CleanDirectory, verified: Verified) -> None:
    """Say of each output of a job that has run again whether it is the same, elsewhere within a bound."""
    recorded = verified.records.get(job.provenance)
    remade = read_record(clean.path(job.provenance))
    for path in job.outputs:
        finding = verified.findings[path]
        other = other_circumstances(recorded, remade) if recorded else "its record is not to be trusted"
        if digest(clean.path(path)) == verified.recorded.get(path):
            finding.say(REMADE, "re-run: as recorded, to the last bit" + (f", although {other}" if other else ""))
            continue
        if not Path(path).exists():
            finding.say(DIFFERS, f"re-run: other bytes; {path} is deleted, so by how much is not known")
            continue
        found = difference(path, clean.path(path))
        kept = f"kept in {clean.path(path)}"
        if not other:
            finding.say(DIFFERS, f"re-run: {found}; {kept}")
        elif found.size <= bound:
            finding.say(REMADE, f"re-run: {found}, within {bound:g}, where {other}")
        else:
            finding.say(DIFFERS, f"re-run: {found}, more than {bound:g}, where {other}; {kept}")


def other_circumstances(recorded: dict, remade: dict) -> str:
    """Return what lets bits differ between two makings, empty where nothing does."""
    then, now = recorded["hardware"], remade["hardware"]
    other = [f"{name} was {then[name]!r} and is {now[name]!r}" for name in OF_BITS if then[name] != now[name]]
    # A process that left the work to others may have loaded fewer.
    if not (set(then["blas"]) <= set(now["blas"]) or set(now["blas"]) <= set(then["blas"])):
        other.append(f"BLAS was {', '.join(then['blas'])} and is {', '.join(now['blas'])}")
    if then["gpu"] or now["gpu"]:
        other.append(f"graphics card was {then['gpu'] or 'none'} and is {now['gpu'] or 'none'}")
    return ", ".join(other)
