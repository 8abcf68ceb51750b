"""Files of models of other libraries, from a folder or from one commit of a repository of the Hugging Face hub.

Files in the hub's cache are not requested again. Code of a repository never runs.
"""

import hashlib
import importlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ventral.errors import InputError
from ventral.models.weights import is_folder
from ventral.outputs import sha256

logger = logging.getLogger(__name__)

LATEST = "main"
INDEX = ".index.json"
SECONDS_FOR_AN_ANSWER = 5


@dataclass(frozen=True)
class Folder:
    """A user's folder, in the layout in which the libraries save a model."""

    folder: Path
    key: str

    def file(self, name: str) -> Path | None:
        """Return the path of a file; None if the folder has no file of this name."""
        path = self.folder / name
        return path if path.is_file() else None

    def __str__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class Commit:
    """One commit of a repository of the hub."""

    repository: str
    revision: str
    key: str

    def file(self, name: str) -> Path | None:
        """Return the path of a file in the hub's cache; None if the repository has no file of this name."""
        return _cached_or_downloaded(self.repository, name, self.revision, self.key)

    def __str__(self) -> str:
        return f"{self.repository} at {self.revision}"


def check_name(prefix: str, form: str, fewest: int, architecture: str, key: str) -> None:
    """Check the name of a network of a library, without a connection.

    Parameters
    ----------
    prefix : str
        Name of the library, with a slash.
    form : str
        Right form of the name, for messages.
    fewest : int
        Smallest number of parts after the prefix; the largest is two.
    architecture, key : str
        Name in the config, and its key.

    Raises
    ------
    InputError
        If the name is not of this form.
    """
    parts = architecture.removeprefix(prefix).split("/")
    if not fewest <= len(parts) <= 2 or not all(re.fullmatch(r"\w[\w.-]*", part, re.ASCII) for part in parts):
        raise InputError(f"{key}: {architecture!r} is not of the form {form}")


def imported(name: str, spec: dict) -> ModuleType:
    """Return a library of the extra `hub`.

    Raises
    ------
    InputError
        If the library is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"models.{spec['name']}: {spec['architecture']} needs {error.name}, which is not installed: "
            f"pip install 'ventral[hub]'"
        ) from error


def source_of(spec: dict, repository: str, first: Sequence[str]) -> Folder | Commit:
    """Return the source of the files of a model: the folder of its `weights`, or one commit of a repository.

    Parameters
    ----------
    spec : dict
        From `ventral.models.zoo.resolve_model`. Without `revision`, the commit in the cache is taken, else the newest.
    repository : str
        Name of the repository, such as `openai/clip-vit-base-patch32`.
    first : sequence of str
        Names of files, one of which the repository must have.

    Raises
    ------
    InputError
        If the repository, the revision or these files are not available.
    """
    key = f"models.{spec['name']}"
    if is_folder(spec):
        return Folder(Path(spec["weights"]), f"{key}.weights")
    imported("huggingface_hub", spec)
    revision = spec.get("revision", LATEST)
    found = next(filter(None, (_cached_or_downloaded(repository, name, revision, key) for name in first)), None)
    if found is None:
        raise InputError(f"{key}: the repository {repository} has no {' or '.join(first)}")
    # The hub's cache has a folder for each commit.
    return Commit(repository, found.parent.name, key)


def configuration(source: Folder | Commit, name: str) -> dict:
    """Return the content of a JSON file.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    path = source.file(name)
    if path is None:
        raise InputError(f"{source.key}: {source} has no {name}")
    return _read_json(path, source.key)


@dataclass(frozen=True)
class Weights:
    """Files with the weights of a model: one file, or several parts."""

    source: Folder | Commit
    files: list[Path]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file; for several, the SHA-256 of the output of `sha256sum` for their names in order."""
        if len(self.files) == 1:
            return sha256(self.files[0])
        lines = "".join(f"{sha256(file)}  {file.name}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()


def weights_in(source: Folder | Commit, spec: dict, names: Sequence[str]) -> Weights:
    """Return the weights of a source, under the first of the names that exists.

    Raises
    ------
    InputError
        If no file or not every part exists, or the SHA-256 of a repository's weights differs from the config.
    """
    found = next(filter(None, map(source.file, names)), None)
    if found is None:
        raise InputError(f"{source.key}: {source} has none of the files {', '.join(names)}")
    weights = Weights(source, _parts(found, source) if found.name.endswith(INDEX) else [found])
    # The hash of a folder's weights is checked together with all files of the config.
    if spec["sha256"] is not None and isinstance(source, Commit) and weights.sha256 != spec["sha256"].lower():
        raise InputError(
            f"models.{spec['name']}.sha256: the weights of {source} have the sha256 {weights.sha256}, the config says "
            f"{spec['sha256']}"
        )
    return weights


def _parts(index: Path, source: Folder | Commit) -> list[Path]:
    parts = [source.file(name) for name in sorted(set(_read_json(index, source.key).get("weight_map", {}).values()))]
    if not parts or None in parts:
        raise InputError(
            f"{source.key}: {source} lacks parts of its weights that {index.name} names; download the files again"
        )
    return parts


def origin_of(weights: Weights, spec: dict) -> dict:
    """Return the origin of weights for the model's record: the folder, or the repository and commit, with hashes.

    If the config has no `revision`, and the hub has a newer commit than the cache, a warning names both.
    """
    source = weights.source
    hashes = {"files": [file.name for file in weights.files], "sha256": weights.sha256}
    if isinstance(source, Folder):
        return {"folder": str(source), **hashes}
    newest = None if "revision" in spec else _newest(source, weights.files[0].name)
    if newest not in (None, source.revision):
        logger.warning(
            "%s: the repository %s has the newer commit %s, but this run takes %s from the cache. "
            "Set `revision` to one of the two",
            *(source.key, source.repository, newest, source.revision),
        )
    return {"repository": source.repository, "revision": source.revision, **hashes}


def square_of(sides: Sequence[int], spec: dict) -> int:
    """Return the side of the square from the config, or else from the library's record.

    Raises
    ------
    InputError
        If the library's record has no square.
    """
    if spec.get("size"):
        return spec["size"]
    if len(set(sides)) > 1:
        raise InputError(
            f"models.{spec['name']}: {spec['architecture']} is made for images of {' x '.join(map(str, sides))}, and "
            f"images are shown as squares; set `size`"
        )
    return int(sides[0])


@contextmanager
def loading(what: str, source: Folder | Commit | None, key: str) -> Iterator[None]:
    """Turn any error of a library, while it builds or loads a model, into an error that names the model."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        place = f" of {source}" if source else ""
        reason = " ".join(str(error).split())
        if "trust_remote_code" in reason:
            reason = "it needs code of its repository, which is never run; name a model of the library itself"
        raise InputError(f"{key}: {what}{place} cannot be loaded: {reason[:500] or type(error).__name__}") from error


def _cached_or_downloaded(repository: str, name: str, revision: str, key: str) -> Path | None:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        found = try_to_load_from_cache(repository, name, revision=revision)
        if found is not None:
            # The cache returns a special object for a file that the repository does not have.
            return Path(found) if isinstance(found, str) else None
        return Path(hf_hub_download(repository, name, revision=revision))
    except HFValidationError as error:
        raise InputError(f"{key}.architecture: {repository!r} is no repository of the hub: {error}") from error
    except GatedRepoError as error:
        raise InputError(
            f"{key}: the hub gives {repository} only to users whom its owner admits; ask for access there, then log in "
            f"with `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise InputError(f"{key}.architecture: the hub has no public repository {repository}") from error
    except RevisionNotFoundError as error:
        raise InputError(f"{key}.revision: the repository {repository} has no revision {revision!r}") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise InputError(
            f"{key}: {name} of {repository} at {revision} is not in the hub's cache, and this machine cannot reach the "
            f"hub. Fetch the model on another machine with `python -m ventral model` and the same HF_HOME, or name a "
            f"folder with its files under `weights`"
        ) from error
    except EntryNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{key}: {name} of {repository} cannot be downloaded: {error}") from error


def _newest(source: Commit, name: str) -> str | None:
    """Return the newest commit of a repository that has a file; None if the hub does not answer."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        url = hf_hub_url(source.repository, name, revision=LATEST)
        return get_hf_file_metadata(url, timeout=SECONDS_FOR_AN_ANSWER).commit_hash
    except Exception:  # without a connection, each library raises another error
        return None


def _read_json(path: Path, key: str) -> dict:
    try:
        said = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{key}: {path} is no JSON ({error}); download the file again") from error
    if not isinstance(said, dict):
        raise InputError(f"{key}: {path} is no mapping; download the file again")
    return said
