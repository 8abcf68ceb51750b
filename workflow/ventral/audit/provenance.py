"""What an output was made of, by what, where and how: one record a job, for whoever checks it later."""

import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ventral.store import sha256, writing

PACKAGE = Path(__file__).parents[1]
# What says how a job runs, not what it makes: results do not depend on these.
HOW = ("cores", "dask", "device", "batch_size", "memory_mb")
# Time stamps that a workflow keeps in a folder that it made.
NOT_CONTENT = (".snakemake_timestamp",)
MEBIBYTE = 2**20


@contextmanager
def recording(path: Path | None, stage: str, options: dict, outputs: Iterable[str]) -> Iterator[None]:
    """Write the record of a job to `path` when the block ends well; without a path, nothing.

    Parameters
    ----------
    path : Path or None
        Where the record goes, as JSON.
    stage : str
        What the job does.
    options : dict
        Everything that the command line said. Paths among them are files that are read, but for the outputs.
    outputs : iterable of str
        Names of those options that are files to be written.
    """
    if path is None:
        yield
        return
    # Written by the last job of this name: of no use while this one runs.
    path.unlink(missing_ok=True)
    started, clock, cpu = datetime.now(UTC), time.monotonic(), time.process_time()
    yield
    seconds, cpu_seconds = time.monotonic() - clock, time.process_time() - cpu
    outputs = set(outputs)
    made = [options[name] for name in sorted(outputs) if options.get(name) is not None]
    record = {
        "stage": stage,
        "config": config_of(options, outputs),
        "inputs": {str(path): digest(path) for path in inputs_of(options, outputs)},
        "outputs": {str(path): digest(path) for path in made},
        "code": code_loaded(),
        "packages": packages_loaded(),
        "python": platform.python_version(),
        "hardware": hardware(),
        "how": {name: options[name] for name in HOW if name in options},
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_mb": _peak_bytes() // MEBIBYTE,
    }
    record["sha256"] = digest_of_record(record)
    with writing(path) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def config_of(options: dict, outputs: Iterable[str]) -> dict:
    """Return what a job was told, other than which files it reads and writes and how it runs."""
    outputs = set(outputs)
    return {
        name: value
        for name, value in options.items()
        if name not in outputs and name not in HOW and not _paths(value) and value != []
    }


def inputs_of(options: dict, outputs: Iterable[str]) -> list[Path]:
    """Return the files and folders that a job reads, each once."""
    outputs = set(outputs)
    return list(dict.fromkeys(path for name, value in options.items() if name not in outputs for path in _paths(value)))


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of a folder, that of the lines `SHA-256  name` of its files by name."""
    path = Path(path)
    if not path.is_dir():
        return sha256(path)
    files = sorted(
        file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file() and file.name not in NOT_CONTENT
    )
    lines = [f"{sha256(path / file)}  {file}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digest_of_record(record: dict) -> str:
    """Return the SHA-256 of a record without its own, so that a changed record is noticed."""
    content = {key: value for key, value in record.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_loaded() -> dict[str, str]:
    """Return the SHA-256 of the source of every module loaded that is ventral's, or lies in the working folder."""
    here, installed = f"{Path.cwd()}{os.sep}", f"{sys.prefix}{os.sep}"
    code = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        own = file.startswith(f"{PACKAGE}{os.sep}") or (file.startswith(here) and not file.startswith(installed))
        # Some packages give names to modules that no file has.
        if own and name != "__main__" and file.endswith(".py") and Path(file).is_file():
            code[name] = sha256(file)
    return code


def packages_loaded() -> dict[str, str]:
    """Return the version of every installed distribution of which a module is loaded, ventral aside."""
    loaded = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
    versions = {}
    for distribution in importlib.metadata.distributions():
        # The standard library's own map of modules to distributions takes ten times as long.
        files = (distribution.read_text("RECORD") or "").splitlines()
        if not loaded.isdisjoint({file.partition("/")[0].partition(".py,")[0] for file in files}):
            versions[distribution.name] = distribution.version
    versions.pop("ventral", None)
    return dict(sorted(versions.items()))


def hardware() -> dict:
    """Return what numbers can depend on beside the code: processor, its BLAS libraries, graphics card."""
    import threadpoolctl

    torch = sys.modules.get("torch")
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "blas": sorted(
            {
                f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".strip()
                for library in threadpoolctl.threadpool_info()
                if library["user_api"] == "blas"
            }
        ),
        "gpu": torch.cuda.get_device_name() if torch is not None and torch.cuda.is_initialized() else None,
    }


def _paths(value: object) -> list[Path]:
    values = value if isinstance(value, list) else [value]
    return [path for path in values if isinstance(path, Path)]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _peak_bytes() -> int:
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * unit
