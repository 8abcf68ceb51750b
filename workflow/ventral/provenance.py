"""Records of jobs: the inputs, code, packages and hardware from which outputs were made, for later checks."""

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import resource
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ventral.errors import InputError
from ventral.folders import walk
from ventral.outputs import sha256, writing
from ventral.store import open_store

logger = logging.getLogger("ventral")

PACKAGE = Path(__file__).parent
OWN_NAME = PACKAGE.name
STANDARD_LIBRARY = sysconfig.get_path("stdlib")
# Suffixes of files beside a module that have its name.
TEMPLATES = (".html", ".css", ".js")
# Names of the program in its own process and in the processes that it starts.
PROGRAM = {"__main__", "__mp_main__"}
# Modules that check or plan a run; no output depends on them.
WATCHING = ("ventral.audit.", "ventral.launch.", "ventral.provenance.")
# Modules that other processes loaded while they computed a part of this job.
_loaded_elsewhere: set[str] = set()
# Installed packages with the user's own networks: their source counts as code of the job.
_packages_of_networks: set[str] = set()
MEBIBYTE = 2**20
# Keys of every record, with their types.
OF_A_RECORD = dict.fromkeys(("config", "inputs", "outputs", "code", "packages", "hardware"), dict)
OF_A_RECORD |= {"stage": str, "python": str, "started": str, "seconds": float, "sha256": str}


@dataclass(frozen=True)
class Command:
    """A parsed command line of a job.

    Attributes
    ----------
    stage : str
        Name of the stage in `ventral.commands.stages`.
    inputs : dict of str to tuple of Path
        Files and folders that are read, by the name of the function's parameter, or `reads`.
    outputs : dict of str to Path
        Files and folders that are written.
    options : dict
        Options on which the outputs depend.
    checked : dict
        Options that are only checked beforehand or shown, and are no part of the record.
    how : dict
        Options that affect speed, but not results, such as the number of cores.
    log, provenance : Path or None
        Paths of the log and of the record.
    """

    stage: str
    inputs: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    outputs: dict[str, Path] = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    checked: dict = field(default_factory=dict)
    how: dict = field(default_factory=dict)
    log: Path | None = None
    provenance: Path | None = None

    @property
    def read(self) -> list[Path]:
        """All inputs, each once."""
        return list(dict.fromkeys(path for paths in self.inputs.values() for path in paths))

    @property
    def written(self) -> list[Path]:
        """All outputs."""
        return list(self.outputs.values())


@contextmanager
def recorded_job(command: Command) -> Iterator[None]:
    """Write the record of a job as JSON when the block ends without an error, if the command names a path for it."""
    if command.provenance is None:
        yield
        return
    path, inputs, made = command.provenance, command.read, command.written
    # The record of an earlier job does not describe the outputs that this job writes.
    path.unlink(missing_ok=True)
    weights = weights_named(inputs)
    started, clock, cpu = datetime.now(UTC), time.monotonic(), time.process_time()
    before = {path: signature(path) for path in inputs if path.exists()}
    with _warnings_collected() as warnings:
        yield
        seconds, cpu_seconds = time.monotonic() - clock, time.process_time() - cpu
        signatures = {str(path): _unchanged(path, before.get(path)) for path in inputs}
    digests = digests_of([*inputs, *made], command.how.get("cores", 1))
    # Inputs and outputs keep the order of the command line, which identifies files that were renamed later.
    record = {
        "stage": command.stage,
        "config": dict(sorted(command.options.items())),
        "inputs": {str(path): digests[path] for path in inputs},
        "signatures": signatures,
        "outputs": {str(path): digests[path] for path in made},
        "weights": dict(sorted((weights | weights_named(made)).items())),
        "code": code_loaded(),
        "own_modules": {name: str(file) for name, file in files_of_code().items() if not file.is_relative_to(PACKAGE)},
        "packages": packages_loaded(),
        "python": platform.python_version(),
        "hardware": hardware(),
        "how": command.how,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_mb": _peak_bytes() // MEBIBYTE,
        "warnings": list(warnings),
    }
    record["sha256"] = digest_of_record(record)
    with writing(path) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def weights_named(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of the weights of each model that some files or stores describe, by the model's name."""
    found = {}
    for path in paths:
        said = _said_of_itself(path)
        if said.get("weights_sha256"):
            found[said["model"]] = said["weights_sha256"]
    return dict(sorted(found.items()))


def read_record(path: Path) -> dict:
    """Return a record that `recorded_job` wrote.

    Raises
    ------
    InputError
        If the file is not such a record.
    """
    try:
        record = json.loads(path.read_bytes())
        known = [isinstance(record[key], kind) for key, kind in OF_A_RECORD.items()]
    except (OSError, ValueError, TypeError, KeyError):
        known = [False]
    if not all(known):
        raise InputError(
            f"{path}: not a record of a job; delete the file and start the same command again: the workflow reruns the "
            f"job"
        )
    return record


def readable_records(folder: Path) -> Iterator[dict]:
    """Yield the records of all jobs below a folder, except damaged ones, whose jobs the next run reruns."""
    for path in sorted(folder.rglob("*.json")):
        try:
            record = read_record(path)
        except InputError:
            continue
        yield record


def read_description(path: Path) -> dict:
    """Return the content of a JSON file that describes a model or a store; empty if the content is no mapping.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        said = json.loads(path.read_bytes())
    except ValueError as error:
        made = path.parent if path.name == "zarr.json" else path
        raise InputError(
            f"{path}: cannot be read ({error}); delete {made} and start the same command again: the workflow makes it "
            f"again"
        ) from error
    return said if isinstance(said, dict) else {}


def digests_of(paths: Sequence[Path], threads: int = 1) -> dict[Path, str]:
    """Return the `digest` of each file or folder."""
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(paths, pool.map(digest, paths), strict=True))


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file or folder; for a folder, that of the sorted lines `SHA-256  name` of its files."""
    path = Path(path)
    return _digest_of_files(path, files_of_folder(path)) if path.is_dir() else sha256(path)


def signature(path: str | Path) -> str:
    """Return the SHA-256 of the sizes and times of a file, or of all files in a folder, without reading content.

    The times include that of the last change of the inode, which no copying program can set back.
    """
    path = Path(path)
    names = sorted(files_of_folder(path)) if path.is_dir() else [""]
    digest = hashlib.sha256()
    for name in names:
        status = os.stat(os.path.join(path, name) if name else path)  # noqa: PTH116, PTH118 (a set has many files)
        line = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {name}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def digest_of_record(record: dict) -> str:
    """Return the SHA-256 of a record without its key `sha256`, so that changes of the record are noticed."""
    content = {key: value for key, value in record.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def loaded_elsewhere(modules: Iterable[str]) -> None:
    """Add modules that another process, such as a Dask worker, loaded for this job."""
    _loaded_elsewhere.update(modules)


def package_of_a_network(name: str) -> None:
    """Count an installed package as code of this job, because a network of the user comes from the package."""
    _packages_of_networks.add(name)


def code_loaded() -> dict[str, str]:
    """Return the `digest_of_module` of every file in `files_of_code`, by the module's name."""
    return {name: digest_of_module(file) for name, file in files_of_code().items()}


def files_of_code() -> dict[str, Path]:
    """Return the files of all loaded modules that count as code of this job, by module.

    These are modules of `ventral`, modules that are not installed, and the packages of the user's networks. A network
    of the user counts wherever its file is. The program itself has its name for imports.
    """
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name not in PROGRAM}
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    if main is not None:
        files[main.name] = main.origin
    files |= {name: source_of(name) for name in _loaded_elsewhere - files.keys() - PROGRAM}
    # Some packages register modules that have no file.
    return {
        name: Path(file)
        for name, file in sorted(files.items())
        if file and str(file).endswith(".py") and _is_own(name, Path(file)) and Path(file).is_file()
    }


def digest_of_module(file: Path) -> str:
    """Return the SHA-256 of a module's source; for a module of `ventral`, including its templates."""
    beside = [file.with_suffix(suffix) for suffix in TEMPLATES] if file.is_relative_to(PACKAGE) else []
    files = [file, *(path for path in beside if path.is_file())]
    return sha256(file) if files == [file] else _digest_of_files(file.parent, [path.name for path in files])


def digest_of_source(module: str) -> str | None:
    """Return the `digest_of_module` of the file that importing a module would load; None without such a file."""
    file = source_of(module)
    return digest_of_module(file) if file is not None and file.is_file() else None


def source_of(module: str) -> Path | None:
    """Return the file that importing a module would load, without loading it; None without such a file."""
    outermost, *inner = module.split(".")
    found = importlib.util.find_spec(outermost)
    if found is None:
        return None
    if not inner:
        return Path(found.origin) if found.has_location else None
    # `find_spec` of an inner module would load the outer ones.
    without_suffix = [Path(folder, *inner) for folder in found.submodule_search_locations or ()]
    files = [file for path in without_suffix for file in (path / "__init__.py", path.with_name(f"{path.name}.py"))]
    return next((file for file in files if file.is_file()), None)


def packages_loaded() -> dict[str, str]:
    """Return the version of every installed distribution with a loaded module, except `ventral`."""
    loaded = {name.partition(".")[0] for name in sys.modules.keys() | _loaded_elsewhere} - sys.stdlib_module_names
    versions = {}
    for distribution in importlib.metadata.distributions():
        # The standard library's own map of modules to distributions takes ten times as long.
        files = (distribution.read_text("RECORD") or "").splitlines()
        if not loaded.isdisjoint({file.partition("/")[0].partition(".py,")[0] for file in files}):
            # Python imports from the first of two distributions with the same name.
            versions.setdefault(distribution.name, distribution.version)
    versions.pop("ventral", None)
    return dict(sorted(versions.items()))


def hardware() -> dict:
    """Return the hardware on which numbers can depend: processor, BLAS libraries, GPU."""
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


class _WarningsOfPackage(logging.Handler):
    """Keeps each warning or error of the package once, in the order of their first appearance."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        # Records that a listener passes on from other processes were not filtered by level.
        if record.levelno >= logging.WARNING and record.name.partition(".")[0] == PACKAGE.name:
            self.messages.setdefault(record.getMessage())


@contextmanager
def _warnings_collected() -> Iterator[dict[str, None]]:
    handler = _WarningsOfPackage()
    # The root logger gets the records of all threads, and the records that other processes send.
    logging.getLogger().addHandler(handler)
    try:
        yield handler.messages
    finally:
        logging.getLogger().removeHandler(handler)


def files_of_folder(folder: Path) -> Iterator[str]:
    """Yield the names of all files in a folder, except hidden ones, which no job reads."""
    for inside, entries in walk(folder, _entries):
        names = [entry.name for entry in entries or ()]
        yield from (f"{inside}/{name}".lstrip("/") for name in names if _is_file(Path(folder, inside, name)))


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_of_a_system(entry.name)]
    except OSError:
        # The job that reads the folder reports the error.
        return []


def is_of_a_system(name: str) -> bool:
    """Tell whether a name is that of a hidden file, or of a file that the operating system or Snakemake adds."""
    return name.startswith(".") or name == "__MACOSX"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A link may lead to a folder that this user may not enter.
        return False


def _digest_of_files(folder: Path, names: Iterable[str]) -> str:
    """Return the SHA-256 of the sorted lines `SHA-256  name` of some files in a folder."""
    return hashlib.sha256(
        "".join(f"{sha256(folder / name)}  {name}\n" for name in sorted(names)).encode(errors="surrogateescape")
    ).hexdigest()


def _unchanged(path: Path, before: str | None) -> str | None:
    """Return the signature of an input if it is unchanged since the job began; None makes the next run check again."""
    if before == signature(path):
        return before
    logger.warning("%s changed while it was read; the next run reruns the jobs that read it", path)
    return None


def _is_own(name: str, file: Path) -> bool:
    if f"{name}.".startswith(WATCHING) or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    # A package may load a module of the standard library under another name.
    installed = file.is_relative_to(STANDARD_LIBRARY) or {"site-packages", "dist-packages"} & set(file.parts)
    return file.is_relative_to(PACKAGE) or not installed or name.partition(".")[0] in _packages_of_networks


def _said_of_itself(path: Path) -> dict:
    """Return the content of a description, or the attributes of a store; empty for any other file."""
    if path.is_dir():
        path = path / "zarr.json"
    if path.name.endswith(".zarr.zip"):
        return dict(open_store(path).attrs)
    if path.suffix != ".json" or not path.is_file():
        return {}
    said = read_description(path)
    return said.get("attributes", said)


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
