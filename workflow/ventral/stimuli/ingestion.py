"""Ingestion of stimulus sets: stimuli are decoded once into one store with their properties."""

import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead, shown
from ventral.running.progress import Progress
from ventral.running.slurm import allocated_cores
from ventral.stimuli.files import Listing, natural, unusable
from ventral.stimuli.modality import FIRST, Modality, is_table_alone, modality_shown
from ventral.stimuli.places import as_list, list_places, open_places
from ventral.stimuli.store import complete_set, create_set, write_properties
from ventral.stimuli.tables import UNNAMED, read_table, report_columns

if TYPE_CHECKING:
    import pandas as pd
    import zarr

logger = logging.getLogger("ventral")

LABELS = ("object", "category")
# Columns with names of stimuli in published recordings, which are text even if they look like numbers.
IDS = ("stimulus_id", "image_id")


def describe(spec: dict, key: str = "stimuli") -> "pd.DataFrame":
    """Return the names and properties of a set of stimuli, without opening any of them.

    Parameters
    ----------
    spec : dict
        The key of the modality, such as `images`, has a folder or zip of stimuli, or a list of these. Optional keys are
        `table` (a CSV or Parquet file with one row for each stimulus), `circular` (periods of circular columns), and
        options of the modality. A rendered set has `render` instead, and a set of synthesised sounds `synthesis`. A set
        without files has `table` alone.
    key : str
        Config key of `spec`, for messages.

    Returns
    -------
    DataFrame
        One row for each stimulus, in the order of the table, or else in the natural order of the file names (image2
        before image10). The index `stimulus` has the names in the table, or else the paths within the folder. Columns
        are those of the table: `object`, `category` and other text as str, numeric properties as float64.

    Raises
    ------
    InputError
        If the stimuli or the table cannot be read, or do not match.
    """
    if spec.get("render"):
        from ventral.stimuli.rendering import plan

        return plan(spec["render"], f"{key}.render")
    if spec.get("synthesis"):
        from ventral.stimuli.synthesis import plan

        return plan(spec, key)
    return _table_alone(spec, key) if is_table_alone(spec) else _described(spec, key)[0]


def shape_of(spec: dict, key: str = "stimuli") -> tuple[int, ...] | None:
    """Return the shape of the first image of a set, by its header; None for sets of other stimuli.

    Parameters
    ----------
    spec, key
        As for `describe`.
    """
    if spec.get("render"):
        return 3, spec["render"]["size"], spec["render"]["size"]
    modality = modality_shown(spec)
    if modality.name != FIRST or is_table_alone(spec):
        return None
    with open_places(spec[modality.name]) as opened:
        return modality.common_shape(spec, opened, _described(spec, key)[1][:1], map)


def periods(spec: dict) -> dict[str, float]:
    """Return the periods of the circular properties of a set.

    Parameters
    ----------
    spec : dict
        As for `describe`. In a rendered set, the rotations about each axis are circular.
    """
    if spec.get("render"):
        from ventral.stimuli.rendering import PERIODS

        return dict(PERIODS)
    return spec.get("circular") or {}


def ingest(spec: dict, output: str | Path, *, name: str, cores: int = 1) -> None:
    """Decode every stimulus once and write the store of the set.

    The store holds an array of the stimuli, such as `pixels` (stimulus, channel, pixel_row, pixel_column) uint8, RGB.
    It has the coordinate `stimulus` and one coordinate for each property. Its attributes are:

    - `name`;
    - `sha256`, of names, properties and contents;
    - `duplicates`, lists of the names of stimuli with the same content;
    - `near_duplicates`, pairs of names of stimuli that are nearly the same, if there are any;
    - `modality`, which sets of images lack;
    - the modality's options that a readout needs for new stimuli, such as `degrees`, if the set has them.

    A warning names duplicates. They are kept, because the recording has responses to both. Jobs that hold out one of a
    pair of near-duplicates warn. The store of a table alone has names and properties, without an array of stimuli.

    Parameters
    ----------
    spec : dict
        As for `describe`.
    output : path
        Store to write.
    name : str
        Name of the set.
    cores : int
        Largest number of stimuli that are decoded at the same time.

    Raises
    ------
    InputError
        As for `describe`, and if the modality refuses a file (for images, see `ventral.stimuli.images`). One error
        names all such files.
    """
    from ventral.outputs import writing

    modality, key = modality_shown(spec), f"stimuli.{name}"
    if is_table_alone(spec):
        table = _table_alone(spec, key)
        _report_table(table, spec, key)
        with writing(output) as unfinished:
            write_properties(unfinished, table)
            complete_set(unfinished, name, table, digests=[])
        return
    place = f"{key}.{modality.name}: {_in_words(spec, modality)}"
    table, files, listing = _described(spec, key)
    listing.warn(place)
    if spec.get("table"):
        _report_table(table, spec, key)
    with (
        writing(output) as unfinished,
        open_places(spec[modality.name]) as opened,
        ThreadPoolExecutor(allocated_cores(cores)) as pool,
    ):
        shape = modality.common_shape(spec, opened, files, pool.map)
        stored = create_set(unfinished, table, modality, shape)
        progress = Progress(f"ingest {name}", len(files), modality.name)
        decode = partial(_decoded, modality, spec, opened, shape)
        digests, outlines, problems, remarks = _fill(
            stored, files, lambda names: pool.map(decode, names), modality.outlines, progress
        )
        if problems:
            raise InputError(unusable(problems, place, len(files), modality.name))
        Listing(files, remarks).warn(place)
        attributes = {**modality.attributes, **modality.stored(spec)}
        duplicates = complete_set(unfinished, name, table, digests, np.concatenate(outlines), **attributes)
    if duplicates:
        logger.warning(
            "%s: %d %s occur more than once: %s. Scores are too high if one of them is held out and "
            "the other is not; better keep one of each, and give the responses to both as its "
            "repetitions",
            place,
            len(duplicates),
            modality.name,
            shown([" = ".join(names) for names in duplicates]),
        )


def _described(spec: dict, key: str) -> tuple["pd.DataFrame", list[str], Listing]:
    """Return the names and properties of the stimuli, the file of each, and the listing of files."""
    import pandas as pd

    modality = modality_shown(spec)
    listing = list_places(spec[modality.name], modality.suffixes, f"{key}.{modality.name}", modality.name)
    files = listing.files
    if not spec.get("table"):
        for column in spec.get("circular") or {}:
            raise InputError(
                f"{key}.circular.{column}: there is no table of the stimuli with such a column; give it as `table`"
            )
        names = pd.Index(_without_common_folder(files), name="stimulus", dtype=object)
        return pd.DataFrame(index=names), files, listing
    table = _read_properties(spec, key)
    files = _files_of_rows(
        list(table["stimulus"]), files, f"{key}.table: {spec['table']}", modality, _in_words(spec, modality)
    )
    return table.set_index("stimulus"), files, listing


def _in_words(spec: dict, modality: Modality) -> str:
    return ", ".join(as_list(spec[modality.name]))


def _table_alone(spec: dict, key: str) -> "pd.DataFrame":
    """Return the names and properties of stimuli without files."""
    table = _read_properties(spec, key)
    place = f"{key}.table: {spec['table']}"
    unnamed = np.flatnonzero(table["stimulus"] == "")
    if len(unnamed):
        raise InputError(f"{place}: column `stimulus`, data row {unnamed[0] + 1}: no name; every stimulus needs one")
    _refuse_repeated(list(table["stimulus"]), lambda name: f"{place}: the stimulus {name!r}")
    return table.set_index("stimulus")


def _read_properties(spec: dict, key: str) -> "pd.DataFrame":
    """Return the checked table of a set, with its column `stimulus`."""
    import pandas as pd

    modality, circular = modality_shown(spec), spec.get("circular") or {}
    place = f"{key}.table"
    # The stimuli's axes, and the stimuli themselves, have names in the same store.
    reserved = (modality.array, *modality.axes)
    table = read_table(spec["table"], place, ("stimulus", *LABELS, *IDS), reserved, strict=True)
    place = f"{place}: {spec['table']}"
    if "stimulus" not in table:
        raise InputError(
            f"{place}: no column `stimulus`, which names the stimulus of each row; columns: {', '.join(table.columns)}"
        )
    for label in LABELS:
        empty = np.flatnonzero(table[label] == "") if label in table else []
        if len(empty):
            raise InputError(
                f"{place}: column `{label}`, data row {empty[0] + 1}: no label ({len(empty)} such rows); every "
                f"stimulus needs one"
            )
    numeric = [column for column in table if pd.api.types.is_float_dtype(table[column])]
    for column in circular:
        if column not in numeric:
            raise InputError(
                f"{key}.circular.{column}: {spec['table']} has no numeric column of this name; "
                f"{allowed_instead(column, numeric)}"
            )
    return table


def _report_table(table: "pd.DataFrame", spec: dict, key: str) -> None:
    report_columns(table, f"{key}.table: {spec['table']}", LABELS)
    _report_spaces(table, f"{key}.table: {spec['table']}")


def _report_spaces(table: "pd.DataFrame", place: str) -> None:
    # xarray cannot mark such a variable as a coordinate, and properties are coordinates.
    spaced = [column for column in table if " " in column and not column.startswith(UNNAMED)]
    if spaced:
        logger.warning(
            "%s: columns with a space in the name are not predicted: `%s`; rename them, such as `%s`",
            place,
            "`, `".join(spaced),
            spaced[0].replace(" ", "_"),
        )


def _without_common_folder(files: Sequence[str]) -> list[str]:
    folder = os.path.commonpath([PurePosixPath(file).parent for file in files])
    return [PurePosixPath(file).relative_to(folder).as_posix() for file in files]


def _files_of_rows(
    stimuli: Sequence[str], files: Sequence[str], place: str, modality: Modality, folder: str
) -> list[str]:
    """Return the file of every row of a table; each file must have exactly one row."""
    _refuse_repeated(stimuli, lambda name: f"{place}: the stimulus {name!r}")
    by_name = defaultdict(list)
    for file in files:
        for name in _names_of(file):
            by_name[name].append(file)
    matches = [[name] if name in by_name[name] else by_name[name] for name in stimuli]
    absent = [f"{name!r} (data row {row})" for row, name in enumerate(stimuli, 1) if not matches[row - 1]]
    if absent:
        raise InputError(
            f"{place}: {len(absent)} of {len(stimuli)} stimuli have no {modality.unit} in {folder}: {shown(absent)}; "
            f"{modality.name} there are called {shown(files, 3)}"
        )
    for row, (name, found) in enumerate(zip(stimuli, matches, strict=True), 1):
        if len(found) > 1:
            raise InputError(
                f"{place}: data row {row}: {name!r} may be any of {shown(found)} in {folder}; name it with its "
                f"sub-folder and extension"
            )
    chosen = [found for (found,) in matches]
    _refuse_repeated(chosen, lambda file: f"{place}: the {modality.unit} {file}")
    left_over = sorted(set(files) - set(chosen), key=natural)
    if left_over:
        raise InputError(
            f"{place}: {len(left_over)} of {len(files)} {modality.name} in {folder} have no row: {shown(left_over)}; "
            f"add the rows, or take the {modality.name} out of the folder"
        )
    return chosen


def _names_of(file: str) -> Iterator[str]:
    """Yield every name that a table may use for a file: with and without its folders and extension."""
    parts = PurePosixPath(file).parts
    for k in range(len(parts)):
        path = PurePosixPath(*parts[k:])
        yield from {str(path), str(path.with_suffix(""))}


def _refuse_repeated(names: Sequence[str], describe_name: Callable[[str], str]) -> None:
    rows = defaultdict(list)
    for row, name in enumerate(names, 1):
        rows[name].append(row)
    repeated = {name: numbers for name, numbers in rows.items() if len(numbers) > 1}
    if repeated:
        name, numbers = next(iter(repeated.items()))
        others = f" ({len(repeated)} such names)" if len(repeated) > 1 else ""
        raise InputError(
            f"{describe_name(name)} has more than one row: data rows {', '.join(map(str, numbers))}{others}; one row "
            f"a stimulus is right"
        )


def _decoded(
    modality: Modality, spec: dict, opened: Callable[[str], BinaryIO], shape: tuple[int, ...], file: str
) -> tuple[NDArray, bytes, list[str]] | InputError:
    """Return a stimulus, its digest and the remarks on its file, or the problem with the file."""
    remarks = []
    try:
        stimulus = modality.decode(spec, opened, file, shape, remarks.append)
    except InputError as error:
        return error
    return stimulus, hashlib.sha256(stimulus).digest(), remarks


def _fill(
    stored: "zarr.Array",
    files: Sequence[str],
    decoded: Callable[[Sequence[str]], Iterator],
    outlines_of: Callable[[NDArray], NDArray],
    progress: Progress,
) -> tuple[list[bytes], list[NDArray], dict[str, str], dict[str, list[str]]]:
    """Write the stimuli (n, ...) of all files; return digests, outlines, problems by file, and files by remark."""
    digests, outlines, problems, remarks = [], [], {}, defaultdict(list)
    # A block is a whole shard, because writing a part of a shard rewrites the whole.
    rows = stored.shards[0]
    for start in range(0, len(files), rows):
        names = files[start : start + rows]
        block = np.zeros((len(names), *stored.shape[1:]), dtype=stored.dtype)
        for row, (file, result) in enumerate(zip(names, decoded(names), strict=True)):
            if isinstance(result, InputError):
                problems[file] = str(result)
            else:
                block[row], digest, noticed = result
                digests.append(digest)
                for remark in noticed:
                    remarks[remark].append(file)
            progress.advance()
        if not problems:
            stored[start : start + len(block)] = block
            outlines.append(outlines_of(block))
    return digests, outlines, problems, remarks
