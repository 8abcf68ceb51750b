"""Compare every output with its record, and each record with the present config, code and packages."""

import importlib.metadata
import json
import platform
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ventral.audit.plan import Job, Plan
from ventral.errors import InputError, shown
from ventral.provenance import digest, digest_of_record, digest_of_source, read_record
from ventral.running.progress import Progress

VERIFIED = "verified"
REMADE = "rerun and equal"
DIFFERS = "differs"
STALE = "stale"
TAMPERED = "tampered"
UNRECORDED = "no provenance"
MISSING = "missing"
# Worst first; an output gets the worst verdict that applies.
VERDICTS = (MISSING, UNRECORDED, TAMPERED, STALE, DIFFERS, REMADE, VERIFIED)
PASSED = (VERIFIED, REMADE)
CHARACTERS_SHOWN = 80
CAUSES_SHOWN = 3
DIGITS_SHOWN = 12


@dataclass
class Finding:
    """Verdicts on one output, with their reasons.

    Attributes
    ----------
    path : str
        Path of the output, as on the command line.
    stage : str
        Stage of the job that makes the output.
    said : dict
        Reasons by verdict.
    """

    path: str
    stage: str
    said: dict[str, list[str]] = field(default_factory=dict)

    def say(self, verdict: str, *reasons: str) -> None:
        """Add reasons for a verdict."""
        self.said.setdefault(verdict, []).extend(reasons)

    @property
    def verdict(self) -> str:
        """The worst verdict that has a reason; verified without any."""
        return next((verdict for verdict in VERDICTS if verdict in self.said), VERIFIED)

    @property
    def reason(self) -> str:
        """The reasons for the verdict, then those for other verdicts, each once."""
        ordered = [self.verdict, *(verdict for verdict in VERDICTS if verdict != self.verdict)]
        return "; ".join(dict.fromkeys(reason for verdict in ordered for reason in self.said.get(verdict, [])))


@dataclass
class Verified:
    """Findings about all outputs from their records.

    Attributes
    ----------
    findings : dict of Finding
        Finding about each output, by path.
    records : dict
        Every intact record, by the path of the record.
    recorded : dict of str
        Digest of each output in an intact record, by the output's present path.
    causes : dict of dict
        Faults that an output passes on to everything made from it, with their verdicts, by path. They are its own
        faults, or else those of its inputs.
    """

    findings: dict[str, Finding] = field(default_factory=dict)
    records: dict[str, dict] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    causes: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Installed:
    """The code and packages that would make outputs now.

    Attributes
    ----------
    code : dict
        SHA-256 of the source of each module, None where the source is missing.
    packages : dict
        Version of each package, None where it is not installed.
    python : str
        Version of the interpreter.
    """

    code: dict[str, str | None]
    packages: dict[str, str | None]
    python: str = platform.python_version()


def verify(plan: Plan, cores: int = 1) -> Verified:
    """Compare all outputs with their records, and the records with the plan and the installed code and packages.

    Parameters
    ----------
    plan : Plan
        Jobs of the config.
    cores : int
        Threads that read files.
    """
    found = digests_now(plan, cores)
    read = {job.provenance: _read_record(job) for job in plan.jobs if job.provenance}
    now = installed(record for record, _ in read.values() if record is not None)
    verified = Verified()
    for job in plan.jobs:
        verified.findings.update({path: Finding(path, job.stage) for path in job.outputs})
        if job.provenance is None:
            _check_pinned(job, found, verified)
        elif read[job.provenance][0] is None:
            _without_record(job, *read[job.provenance][1], found, verified)
        else:
            _check_recorded(job, read[job.provenance][0], now, plan, found, verified)
        _pass_on(job, verified)
    return verified


def installed(records: Iterable[dict]) -> Installed:
    """Return the present state of the modules and packages that records name."""
    modules, packages = set(), set()
    for record in records:
        modules |= record["code"].keys()
        packages |= record["packages"].keys()
    return Installed(
        {name: digest_of_source(name) for name in modules}, {name: _version_now(name) for name in packages}
    )


def digests_now(plan: Plan, cores: int) -> dict[str, str | None]:
    """Return the digest of every output and input of the plan by path, None where the file is missing."""
    paths = list(dict.fromkeys(path for job in plan.jobs for path in (*job.inputs, *job.outputs)))
    progress = Progress("audit", len(paths), "files and folders")
    found = {}
    with ThreadPoolExecutor(cores) as pool:
        for path, value in zip(paths, pool.map(_digest_if_there, paths), strict=True):
            found[path] = value
            progress.advance()
    return found


def config_differences(recorded: object, now: object, key: str = "") -> Iterator[str]:
    """Yield a sentence for every innermost key in which two parts of a config differ."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in sorted(recorded.keys() | now.keys()):
            inner = f"{key}.{name}" if key else name
            if name not in recorded:
                yield f"config `{inner}`: not recorded, now {_shown(now[name])}"
            elif name not in now:
                yield f"config `{inner}`: recorded {_shown(recorded[name])}, now absent"
            else:
                yield from config_differences(recorded[name], now[name], inner)
    elif recorded != now:
        yield f"config `{key}`: recorded {_shown(recorded, now)}, now {_shown(now, recorded)}"


def installed_differences(record: dict, now: Installed) -> Iterator[str]:
    """Yield a sentence for every module whose source changed, and every package whose version changed."""
    for module, recorded in record["code"].items():
        if now.code[module] is None:
            yield f"module {module} is missing now"
        elif now.code[module] != recorded:
            yield f"module {module} changed"
    for package, recorded in record["packages"].items():
        if now.packages[package] != recorded:
            yield f"package {package}: recorded {recorded}, now {now.packages[package] or 'not installed'}"
    if record["python"] != now.python:
        yield f"python: recorded {record['python']}, now {now.python}"


def renamed(record: dict, job: Job) -> dict[str, str]:
    """Return the present paths of a record's files, because results and inputs may have moved since.

    The order on the command line identifies each file.
    """
    then, now = ([*record["inputs"], *record["outputs"]], [*job.inputs, *job.outputs])
    alike = len(record["inputs"]) == len(job.inputs) and len(record["outputs"]) == len(job.outputs)
    if set(then) == set(now) or not alike:
        return dict(zip(then, then, strict=True))
    return dict(zip(then, now, strict=True))


def _check_pinned(job: Job, found: dict[str, str | None], verified: Verified) -> None:
    for path in job.outputs:
        finding = verified.findings[path]
        if found[path] is None:
            finding.say(MISSING, "the file is missing")
        elif found[path] != job.sha256:
            finding.say(
                TAMPERED, _unlike("its content differs from the SHA-256 in its command", job.sha256, found[path])
            )
        else:
            finding.say(VERIFIED, "its content has the SHA-256 in its command")
            verified.recorded[path] = found[path]


def _without_record(job: Job, verdict: str, reason: str, found: dict[str, str | None], verified: Verified) -> None:
    for path in job.outputs:
        if found[path] is None and verdict == UNRECORDED:
            verified.findings[path].say(MISSING, "the file and its record are missing")
        else:
            verified.findings[path].say(verdict, reason)


def _check_recorded(
    job: Job,
    record: dict,
    now: Installed,
    plan: Plan,
    found: dict[str, str | None],
    verified: Verified,
) -> None:
    names = renamed(record, job)
    outputs, inputs = ({names[path]: value for path, value in record[kind].items()} for kind in ("outputs", "inputs"))
    verified.records[job.provenance] = record
    verified.recorded.update(outputs)
    moved = {then: now for then, now in names.items() if then != now}
    wrong = [
        *((STALE, reason) for reason in config_differences(_relocated(record["config"], moved), job.config)),
        *((STALE, reason) for reason in installed_differences(record, now)),
        *_input_differences(job, inputs, record, plan, found, verified),
    ]
    for path in job.outputs:
        _check_output(verified.findings[path], outputs.get(path), found[path], path in plan.temporary)
        for verdict, reason in wrong:
            verified.findings[path].say(verdict, reason)


def _read_record(job: Job) -> tuple[dict | None, tuple[str, str] | None]:
    """Return a job's record, or None with a verdict on the record and its reason."""
    path = Path(job.provenance)
    if not path.is_file():
        return None, (UNRECORDED, f"{path} is missing")
    try:
        record = read_record(path)
    except InputError:
        return None, (TAMPERED, f"its record {path} cannot be read")
    if digest_of_record(record) != record["sha256"]:
        return None, (TAMPERED, f"its record {path} was edited: the record does not match its own hash")
    return record, None


def _check_output(finding: Finding, recorded: str | None, now: str | None, temporary: bool) -> None:
    if recorded is None:
        finding.say(UNRECORDED if now else MISSING, "its record does not name it")
    elif now is None and temporary:
        finding.say(VERIFIED, "temporary and deleted after use, so only its record was checked")
    elif now is None:
        finding.say(MISSING, "the file is missing")
    elif now != recorded:
        finding.say(TAMPERED, _unlike("its bytes differ from the recorded ones", recorded, now))


def _input_differences(
    job: Job, inputs: dict[str, str], record: dict, plan: Plan, found: dict[str, str | None], verified: Verified
) -> Iterator[tuple[str, str]]:
    """Yield a verdict and a reason for every fault of a job's inputs."""
    for path in sorted(inputs.keys() - set(job.inputs)):
        yield STALE, f"it was made from {path}, which is not an input of it now"
    for path in job.inputs:
        if path not in inputs:
            yield STALE, f"it was made without {path}, which is an input of it now"
            continue
        # A temporary input may be deleted, and an edited one has its own finding.
        expected = verified.recorded.get(path, found[path])
        if expected is None:
            if path not in verified.findings:
                yield STALE, f"its input {path} is missing"
        elif expected != inputs[path]:
            maker = plan.maker.get(path)
            made = verified.records.get(maker.provenance) if maker else None
            # The input may have been made anew later, or may not belong to the workflow; neither is tampering.
            if made is None or made["started"] > record["started"]:
                yield STALE, _unlike(f"its input {path} changed since", inputs[path], expected)
            else:
                yield TAMPERED, _unlike(f"its record has another content of its input {path}", inputs[path], expected)


def _pass_on(job: Job, verified: Verified) -> None:
    """Pass the faults of a job's inputs on to its outputs, unless these have faults of their own."""
    inherited = {}
    for path in job.inputs:
        inherited |= verified.causes.get(path, {})
    for path in job.outputs:
        finding = verified.findings[path]
        if finding.verdict not in PASSED:
            why = f" ({'; '.join(finding.said[STALE])})" if finding.verdict == STALE else ""
            cause = f"{path}, which is {finding.verdict}{why}"
            verified.causes[path] = {cause: STALE if finding.verdict == STALE else VERIFIED}
            continue
        verified.causes[path] = inherited
        for verdict in (STALE, VERIFIED):
            causes = [cause for cause, consequence in inherited.items() if consequence == verdict]
            if causes:
                finding.say(verdict, f"made from {shown(causes, CAUSES_SHOWN)}")


def _relocated(value: object, moved: dict[str, str]) -> object:
    """Return a part of a config with its paths replaced by the present ones."""
    if not moved:
        return value
    if isinstance(value, dict):
        return {key: _relocated(content, moved) for key, content in value.items()}
    if isinstance(value, list):
        return [_relocated(content, moved) for content in value]
    if isinstance(value, str):
        for then, now in moved.items():
            if value == then or value.startswith(f"{then}/"):
                return now + value[len(then) :]
    return value


def _digest_if_there(path: str) -> str | None:
    return digest(path) if Path(path).exists() else None


def _version_now(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unlike(what: str, recorded: str, now: str) -> str:
    return f"{what} (SHA-256 {recorded[:DIGITS_SHOWN]}… recorded, {now[:DIGITS_SHOWN]}… now)"


def _shown(value: object, beside: object = None) -> str:
    """Return a value as text; a long one is cut to the part that first differs from `beside`."""
    text, other = (json.dumps(content, ensure_ascii=False) for content in (value, beside))
    if len(text) <= CHARACTERS_SHOWN:
        return text
    alike = next((k for k, pair in enumerate(zip(text, other, strict=False)) if pair[0] != pair[1]), len(other))
    start = max(0, min(alike - CHARACTERS_SHOWN // 2, len(text) - CHARACTERS_SHOWN))
    stop = start + CHARACTERS_SHOWN
    return f"{'…' if start else ''}{text[start:stop]}{'…' if stop < len(text) else ''}"


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Count the outputs of each verdict, worst first."""
    verdicts = [finding.verdict for finding in findings]
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS if verdict in verdicts}
