"""Collect the files of a crate, check them against the records of the run, and write one zip file."""

import itertools
import json
import logging
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from ventral.crate.inputs import moved, own_files
from ventral.crate.jobs import Job, jobs_behind, raw_inputs
from ventral.crate.metadata import CONFIG, METADATA, README, Run, folders, metadata, readme
from ventral.datasets.registry import DOWNLOADS
from ventral.errors import InputError, shown
from ventral.outputs import writing
from ventral.provenance import PACKAGE, digest, digest_of_module, files_of_folder, source_of

logger = logging.getLogger(__name__)

CHECKOUT = PACKAGE.parents[1]
# Files and folders of the workflow. Its README moves, because the crate has its own.
CODE = ("Snakefile", "workflow", "envs", "profiles", "config", "pyproject.toml", "Makefile", "LICENSE", "CITATION.cff")
README_OF_WORKFLOW = "workflow/README.md"
# Files that an audit writes.
VERDICT = ("audit/audit.json", "audit/audit.html")
# Folder for files from outside the working folder, and for those whose path the workflow uses.
ELSEWHERE = "inputs"
# The earliest date of the zip format, so that crates do not depend on when files were written.
TIME = (1980, 1, 1, 0, 0, 0)


def crate(files: Sequence[Path], output: str | Path, *, results: str, config: dict, snakemake: str) -> None:
    """Write a run as a Workflow Run RO-Crate, from which others can run it again.

    The crate has the outputs, the record of every job behind them, the workflow with its environments and the config.
    It also has the user's own files that the config names, and the user's own modules. Intermediate stores, which the
    workflow makes anew, and published data, which it downloads, are named with their hashes. The same run gives the
    same bytes.

    Parameters
    ----------
    files : sequence of Path
        Outputs, files and folders, in the results folder.
    output : path
        The zip file to write.
    results : str
        The results folder.
    config : dict
        The user's config, from all config files and the command line together.
    snakemake : str
        Version of Snakemake.

    Raises
    ------
    InputError
        If an output, an input or the workflow differs from its provenance.
    """
    jobs = jobs_behind(files, Path(results) / "provenance")
    _check_outputs(files, jobs)
    known = {path: download for path, download in DOWNLOADS.items() if "sha256" in download}
    raw, url_of = raw_inputs(jobs), {download["sha256"]: download["url"] for download in known.values()}
    fetched = {download["sha256"]: f"resources/{path}" for path, download in known.items()}
    own = {key: path for key, path in own_files(config).items() if raw.get(str(Path(path))) not in fetched}
    _check_inputs(own, raw)

    contents: dict[str, Path | bytes] = code_files(CHECKOUT)
    modules = own_modules(jobs)
    places = {}
    for path in dict.fromkeys(own.values()):
        places[str(Path(path))], added = placed(Path(path), contents)
        contents |= added
    contents |= modules
    for path in raw:
        # The workflow has its own copy of a published data set's table.
        shipped = Path(path).relative_to(CHECKOUT).as_posix() if Path(path).is_relative_to(CHECKOUT) else None
        if shipped in contents:
            places.setdefault(path, shipped)
    inside = "results" if _is_outside(Path(results)) else Path(results).as_posix()
    verdict = [Path(results) / name for name in VERDICT if (Path(results) / name).is_file()]
    for file in [*files, *verdict]:
        name = f"{inside}/{file.relative_to(results).as_posix()}"
        places[str(file)] = f"{name}/" if file.is_dir() else name
        below = {f"{name}/{inner}": path for inner, path in files_below(file).items()}
        contents |= below if file.is_dir() else {name: file}
    records = [f"provenance/{job.name}.json" for job in jobs]
    contents |= {f"{inside}/{name}": Path(results) / name for name in records}

    def place(path: str) -> str:
        here = str(Path(path))
        return places[here].rstrip("/") if here in places else fetched[raw[here]]

    config = {**moved(config, place), "results": inside}
    contents[CONFIG] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    run = Run(
        jobs=jobs,
        contents=contents,
        places=places,
        inputs={key: places[str(Path(path))] for key, path in own.items()},
        outputs=[places[str(file)] for file in files],
        published={path: url_of[recorded] for path, recorded in raw.items() if recorded in url_of},
        modules=sorted(modules),
        verdict=[places[str(file)] for file in verdict],
        results=inside,
        config=config,
        snakemake=snakemake,
    )
    contents[README] = readme(run).encode()
    described = metadata(run)
    contents[METADATA] = (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()
    with writing(output) as unfinished:
        write_zip(contents | dict.fromkeys(folders(described), b""), unfinished)
    logger.info("%d files, %d jobs, %.1f MB", len(contents), len(jobs), Path(output).stat().st_size / 1e6)


def code_files(checkout: Path) -> dict[str, Path | bytes]:
    """Return the files of the workflow, by their path in the crate."""
    files = {}
    for name in CODE:
        found = [checkout / name] if (checkout / name).is_file() else sorted((checkout / name).rglob("*"))
        for file in found:
            relative = file.relative_to(checkout)
            left_out = any(
                part.startswith((".", "__pycache__")) or part.endswith(".egg-info") for part in relative.parts
            )
            if file.is_file() and not left_out:
                files[relative.as_posix()] = file
    files.pop(CONFIG, None)
    # In a run from an unpacked crate, the workflow's README has moved already.
    return {README_OF_WORKFLOW: checkout / "README.md", **files}


def own_modules(jobs: Iterable[Job]) -> dict[str, Path | bytes]:
    """Return the user's own modules that jobs loaded, by their path in the crate.

    Raises
    ------
    InputError
        If one of them, or a module of the package, differs from the one that a job loaded.
    """
    own, checked = {}, {}
    for job in jobs:
        for module, recorded in job.record["code"].items():
            if module not in checked:
                file = source_of(module)
                checked[module] = file, file and digest_of_module(file)
                if file and not file.is_relative_to(PACKAGE):
                    package = f"{module.replace('.', '/')}/__init__.py"
                    own[package if file.name == "__init__.py" else f"{module.replace('.', '/')}.py"] = file
            file, now = checked[module]
            if now != recorded:
                raise InputError(
                    f"{job.name} was made by another version of {file or module}; make the crate with the code that "
                    f"made the results, or make the results anew with `snakemake --forceall`"
                )
    return own


def placed(path: Path, taken: dict[str, Path | bytes]) -> tuple[str, dict[str, Path | bytes]]:
    """Return the path in the crate of a user's file or folder, and its files; a folder's path ends with a slash.

    The path stays the same, unless it leads out of the working folder, or something else has it.
    """
    files = files_below(path)
    kept = [] if _is_outside(path) else [path.as_posix()]
    numbered = (f"{ELSEWHERE}/{number}/{path.name}" for number in itertools.count(2))
    for name in itertools.chain(kept, [f"{ELSEWHERE}/{path.name}"], numbered):
        added = {f"{name}/{below}": file for below, file in files.items()} if path.is_dir() else {name: path}
        below_a_file = path.is_dir() and name in taken
        above_a_file = path.is_file() and any(place.startswith(f"{name}/") for place in taken)
        free = all(place not in taken or _is_same(taken[place], file) for place, file in added.items())
        if free and not below_a_file and not above_a_file:
            break
    return f"{name}/" if path.is_dir() else name, added


def files_below(folder: Path) -> dict[str, Path]:
    """Return the files in a folder, by their path in it; nothing for a file."""
    return {name: folder / name for name in sorted(files_of_folder(folder))} if folder.is_dir() else {}


def write_zip(contents: dict[str, Path | bytes], output: Path) -> None:
    """Write a zip file of files, texts and folders (ending with a slash): the same bytes for the same content."""
    with zipfile.ZipFile(output, "w") as archive:
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o40755 if info.is_dir() else 0o100644) << 16
            source = contents[name]
            with archive.open(info, "w", force_zip64=True) as target:
                if isinstance(source, bytes):
                    target.write(source)
                else:
                    with source.open("rb") as file:
                        shutil.copyfileobj(file, target)


def _is_outside(path: Path) -> bool:
    return path.is_absolute() or ".." in path.parts


def _is_same(taken: Path | bytes, file: Path) -> bool:
    return isinstance(taken, Path) and taken.samefile(file)


def _check_outputs(files: Sequence[Path], jobs: Iterable[Job]) -> None:
    recorded = {Path(path): sha256 for job in jobs for path, sha256 in job.record["outputs"].items()}
    changed = [str(file) for file in files if digest(file) != recorded[file]]
    if changed:
        raise InputError(
            f"{shown(changed)}: changed since the run; `snakemake audit` says more, and a deleted file is made anew"
        )


def _check_inputs(own: dict[str, str], raw: dict[str, str]) -> None:
    for key, path in own.items():
        recorded = raw.get(str(Path(path)))
        if recorded is not None and digest(path) != recorded:
            raise InputError(
                f"config key {key}: {path} has changed since the results were made from it; put the old file back, or "
                f"make the results anew"
            )
