"""Compare the recorded inputs of outputs with the present files.

A plain run compares sizes and times of files, and reads only files whose size or time differs. The content decides. A
copied or touched file makes no output out of date; a changed file does, even with an older time stamp.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ventral.errors import InputError
from ventral.outputs import writing
from ventral.provenance import (
    OWN_NAME,
    digest,
    digest_of_module,
    digest_of_source,
    read_record,
    readable_records,
    signature,
    source_of,
)

# File in the results folder with digests of inputs whose size or time changed, so that none is read twice.
DIGESTS = ".digests.json"


class Inputs:
    """The present state of the user's files; each is read at most once.

    Parameters
    ----------
    results : path
        Folder of the results, which keeps computed digests.
    """

    def __init__(self, results: str | Path) -> None:
        self._kept = Path(results) / DIGESTS
        self._digests: dict[str, list[str]] = _kept_digests(self._kept)
        self._signatures: dict[str, str | None] = {}
        self._modules: dict[Path, str] = {}

    def changed(self, record: str | Path, paths: Iterable[str]) -> list[str]:
        """Return the files that differ from those that a job read: inputs, and the user's own modules.

        Parameters
        ----------
        record : path
            Record of the job, from `ventral.provenance.recorded_job`.
        paths : iterable of str
            Files and folders that the job reads now. A file that the job did not read before is not compared:
            Snakemake compares the sets of inputs.

        Returns
        -------
        list of str
            Paths of changed files, or the path of an unreadable record. Empty without a record: such a job runs anyway.
        """
        if not Path(record).exists():
            return []
        try:
            said = read_record(Path(record))
        except InputError:
            return [str(record)]
        seen = said.get("signatures", {})
        known = [path for path in paths if path in said["inputs"]]
        inputs = [path for path in known if not self._same(path, seen.get(path), said["inputs"][path])]
        sources = {module: _source(module, Path(file)) for module, file in said.get("own_modules", {}).items()}
        modules = [
            str(source)
            for module, source in sources.items()
            if source.is_file() and self._digest_of_module(source) != said["code"].get(module)
        ]
        return inputs + modules

    def _digest_of_module(self, file: Path) -> str:
        if file not in self._modules:
            self._modules[file] = digest_of_module(file)
        return self._modules[file]

    def _same(self, path: str, seen: str | None, recorded: str) -> bool:
        now = self._signature(path)
        if now is None or now == seen:
            return now is not None
        if self._digests.get(path, [None])[0] != now:
            self._digests[path] = [now, digest(path)]
            # A person may read another's results without the right to write there.
            with suppress(OSError), writing(self._kept) as unfinished:
                unfinished.write_text(json.dumps(self._digests) + "\n", encoding="utf-8")
        return self._digests[path][1] == recorded

    def _signature(self, path: str) -> str | None:
        if path not in self._signatures:
            self._signatures[path] = signature(path) if Path(path).exists() else None
        return self._signatures[path]


def find_results_of_other_code(records: str | Path) -> tuple[dict[str, int], list[str]]:
    """Find the results that were made by other code of this package than the present code.

    Parameters
    ----------
    records : path
        Folder of the records of all jobs.

    Returns
    -------
    stages : dict of int
        Number of jobs whose code changed, by stage.
    modules : list of str
        Names of the modules that changed.
    """
    now: dict[str, str | None] = {}
    stages, modules = defaultdict(int), set()
    for said in readable_records(Path(records)):
        code = {name: digest for name, digest in said["code"].items() if name.split(".")[0] == OWN_NAME}
        for name in code.keys() - now.keys():
            now[name] = digest_of_source(name)
        differing = {name for name, recorded in code.items() if now[name] != recorded}
        if differing:
            stages[said["stage"]] += 1
            modules |= differing
    return dict(stages), sorted(modules)


def _source(module: str, recorded: Path) -> Path:
    """Return the file that a job would now load for a module.

    A file below the working folder has kept its place, even if a network itself puts a folder on the path. Any other
    file may belong to the folder that these results were copied from.
    """
    if recorded.is_file() and recorded.is_relative_to(Path.cwd()):
        return recorded
    return source_of(module) or recorded


def _kept_digests(path: Path) -> dict[str, list[str]]:
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
