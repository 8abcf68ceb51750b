"""Rerun jobs in a clean directory, and compare their outputs with the recorded ones."""

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

# With these equal, and without a graphics card, a job gives the same bits.
OF_BITS = ("machine", "processor")
UP = ".."
# The page shows the records of all jobs and the last audit, so it differs every time.
NEVER_THE_SAME = ("report",)


def choose(plan: Plan, verified: Verified, sample: int, named: Sequence[str], seed: int) -> list[Job]:
    """Choose the jobs to rerun: the makers of the named outputs, and `sample` random jobs among the verified ones.

    Parameters
    ----------
    plan, verified
        The jobs of the config, and the findings about their outputs.
    sample : int
        Number of random jobs.
    named : sequence of str
        Paths of outputs.
    seed : int
        Seed of the draw.

    Raises
    ------
    InputError
        If no job makes a named output, or a named output is the page, which shows this audit.
    """
    chosen = {}
    for path in map(os.path.normpath, named):
        if path not in plan.maker:
            raise InputError(
                f"config key audit.outputs: no job makes {path}; the nearest outputs are {nearest(path, plan.maker)}"
            )
        if plan.maker[path].stage in NEVER_THE_SAME:
            raise InputError(
                f"config key audit.outputs: {path} shows when jobs ran and the last audit, so it is never the same "
                f"twice; leave it out"
            )
        chosen[plan.maker[path].outputs] = plan.maker[path]
    fit = [
        job
        for job in plan.jobs
        if job.provenance
        and job.stage not in NEVER_THE_SAME
        and all(verified.findings[path].verdict == VERIFIED for path in job.outputs)
    ]
    # Sorting by name makes the draw independent of the plan's order.
    fit.sort(key=lambda job: job.outputs)
    for job in random.Random(seed).sample(fit, min(sample, len(fit))):
        chosen[job.outputs] = job
    return [job for job in plan.jobs if job.outputs in chosen and job.provenance]


def with_makers(job: Job, plan: Plan) -> list[Job]:
    """Return a job after the makers of its deleted temporary inputs."""
    needed, waiting = {}, [job]
    while waiting:
        wanted = waiting.pop()
        needed[wanted.outputs] = wanted
        waiting += [plan.maker[path] for path in wanted.inputs if path in plan.temporary and not Path(path).exists()]
    return [planned for planned in plan.jobs if planned.outputs in needed]


def run_again(job: Job, plan: Plan, verified: Verified, results: Path, folder: Path) -> None:
    """Rerun a job in a clean directory, and add a finding for each of its outputs.

    Parameters
    ----------
    job : Job
        Job to rerun.
    plan, verified
        The jobs of the config, and the findings about their outputs; new findings are added.
    results : Path
        Folder of all outputs.
    folder : Path
        The clean directory, which this function makes. The directory stays if an output differs.
    """
    jobs = with_makers(job, plan)
    sources = {path for each in jobs for path in each.inputs} - {path for each in jobs for path in each.outputs}
    gone = sorted(path for path in sources if not Path(path).exists())
    if gone:
        for path in job.outputs:
            verified.findings[path].say(verified.findings[path].verdict, f"not run again: {gone[0]} is missing")
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
    """A copy of the working folder, made of links, without the results.

    Parameters
    ----------
    folder : Path
        Folder to make.
    results : Path
        The results folder, as on the command line.
    paths : iterable of str
        All paths that the jobs read and write.

    Attributes
    ----------
    working : Path
        Folder in which jobs run.
    """

    def __init__(self, folder: Path, results: Path, paths: Iterable[str]) -> None:
        here = Path.cwd()
        self._results = results
        # Results outside the working folder need a place outside the links, and a changed command.
        self._elsewhere = folder.resolve() / "results" if results.is_absolute() else None
        # Paths out of the working folder must lead to the same files from the clean directory.
        climbs = max(Path(os.path.normpath(path)).parts.count(UP) for path in (*paths, results))
        top = here.parents[climbs - 1] if climbs else here
        tree = folder.resolve() / "tree"
        self.working = tree / here.relative_to(top)
        folder.mkdir(parents=True)
        _link_all(top, tree, apart=(here / results).resolve(), real=here)
        self.working.mkdir(parents=True, exist_ok=True)

    def path(self, path: str) -> Path:
        """Return the place of a path of the command line in the clean directory."""
        return self.working / self._changed(path)

    def link(self, path: str) -> None:
        """Link a file or folder of the results into the clean directory."""
        here = self.path(path)
        # Links to everything outside the results exist already.
        if not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(Path(path).resolve())

    def run(self, job: Job) -> str | None:
        """Run a job in the clean directory; return its last message if it fails."""
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
    """Return a command that uses a GPU only if this machine has one."""
    device = [before == "--device" for before in ("", *arguments)]
    return [
        "auto" if is_device and said == "cuda" else said for is_device, said in zip(device, arguments, strict=False)
    ]


def _link_all(source: Path, target: Path, apart: Path, real: Path) -> None:
    """Fill a folder with links to the content of another, and make real folders on the way to `apart` and `real`.

    Parameters
    ----------
    source, target : Path
        Folders; the function makes the second.
    apart : Path
        Folder to leave out.
    real : Path
        Folder that must not be a link, because `..` leads elsewhere from within a link.
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
    """Say for each output of a rerun job whether it is the same, or differs within a bound on other hardware."""
    recorded = verified.records.get(job.provenance)
    remade = read_record(clean.path(job.provenance))
    for path in job.outputs:
        finding = verified.findings[path]
        other = other_circumstances(recorded, remade) if recorded else "its record cannot be trusted"
        if digest(clean.path(path)) == verified.recorded.get(path):
            finding.say(REMADE, "rerun: as recorded, to the last bit" + (f", although {other}" if other else ""))
            continue
        if not Path(path).exists():
            finding.say(DIFFERS, f"rerun: other bytes; {path} is deleted, so the size of the difference is not known")
            continue
        found = difference(path, clean.path(path))
        kept = f"kept in {clean.path(path)}"
        if not other:
            finding.say(DIFFERS, f"rerun: {found}; {kept}")
        elif found.size <= bound:
            finding.say(REMADE, f"rerun: {found}, within {bound:g}, where {other}")
        else:
            finding.say(DIFFERS, f"rerun: {found}, more than {bound:g}, where {other}; {kept}")


def other_circumstances(recorded: dict, remade: dict) -> str:
    """Name the differences in hardware that let bits differ between two makings; '' without any."""
    then, now = recorded["hardware"], remade["hardware"]
    other = [f"{name} was {then[name]!r} and is {now[name]!r}" for name in OF_BITS if then[name] != now[name]]
    # A process that leaves its work to workers may load fewer libraries.
    if not (set(then["blas"]) <= set(now["blas"]) or set(now["blas"]) <= set(then["blas"])):
        other.append(f"BLAS was {', '.join(then['blas'])} and is {', '.join(now['blas'])}")
    if then["gpu"] or now["gpu"]:
        other.append(f"graphics card was {then['gpu'] or 'none'} and is {now['gpu'] or 'none'}")
    return ", ".join(other)
