"""Tables that stages write: Parquet files that detect any damaged byte, and CSV."""

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pyarrow.parquet import read_schema

from ventral.errors import InputError

# Precedes the SHA-256 of all other bytes of a file. Both stand between the pages and the footer, where no reader of
# Parquet looks. Page checksums alone protect neither the names of columns nor the places of pages.
MARK = b"ventral: SHA-256 of all other bytes:"
# Bytes at the end of every Parquet file: the length of the footer, and the letters PAR1.
TAIL = 8

# Columns of names are text, even for names such as `0` (a layer of `torch.nn.Sequential`) or `NA`.
NAMES = ("recording", "stimuli", "area", "time_bin", "model", "family", "layer", "target", "label", "category")
# Column after that of the areas; tables of older versions lack the column, and have no time bins.
TIME_BIN = "time_bin"
AREAS = ("area", "matched_area")
# Number of a run in the name of a layer, such as `V4@10`.
RUN = re.compile(r"(?<=@)\d+")


def write_parquet(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table without its index as a Parquet file with checksums, which any reader of Parquet can read."""
    content = table.to_parquet(index=False, write_page_checksum=True)
    footer = len(content) - TAIL - int.from_bytes(content[-TAIL : 4 - TAIL], "little")
    Path(path).write_bytes(content[:footer] + MARK + hashlib.sha256(content).digest() + content[footer:])


def by_run(column: pd.Series) -> pd.Series:
    """Return the sort key of a column: layers as text, but runs by their number, so that V4@2 precedes V4@10."""
    if column.name != "layer":
        return column
    return column.map({name: RUN.sub(lambda run: run[0].zfill(9), name) for name in column.dropna().unique()})


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table that a stage has written, or some of its columns.

    A table of areas always has the column `time_bin`, which is '' without time bins. The column is added to the tables
    of older versions.

    Raises
    ------
    InputError
        If the file is missing, damaged or truncated.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: the file is missing; start the same command again to make missing outputs")
    try:
        return _with_time_bins(parse_parquet(path.read_bytes(), columns))
    except ValueError as error:
        raise InputError(
            f"{path}: cannot be read: {error}; delete the file and start the same command again: the workflow makes "
            f"the table again, as Parquet"
        ) from error


def parse_parquet(content: bytes, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the table in the bytes of a Parquet file, or some of its columns.

    Raises
    ------
    ValueError
        If a checksum does not match, or the bytes are not a Parquet file.
    """
    before, mark, after = content.rpartition(MARK)
    size = hashlib.sha256().digest_size
    if mark and hashlib.sha256(before + after[size:]).digest() != after[:size]:
        raise ValueError("the file was damaged: its bytes have changed since it was written")
    try:
        if columns is not None and TIME_BIN in columns:
            present = read_schema(io.BytesIO(content)).names
            columns = [column for column in columns if column != TIME_BIN or column in present]
        return pd.read_parquet(io.BytesIO(content), columns=columns, page_checksum_verification=True)
    except MemoryError:
        raise
    except Exception as error:
        # Damaged bytes make pyarrow and pandas raise errors of nearly any type.
        raise ValueError(f"the file was damaged, or is not in Parquet ({error})") from error


def read_csv(path: str | Path, *names: str) -> pd.DataFrame:
    """Read a table that a stage has written as CSV; `names` are further columns of text.

    The column `time_bin` is handled as in `read_parquet`.

    Raises
    ------
    InputError
        If the file is missing, truncated within a row, or not in CSV.
    """
    try:
        content = Path(path).read_bytes()
        if not content.endswith(b"\n"):
            raise ValueError("the last row is truncated")
        text = dict.fromkeys((*NAMES, *names), str)
        return _with_time_bins(pd.read_csv(io.BytesIO(content), dtype=text, keep_default_na=False, na_values=[""]))
    except (ValueError, FileNotFoundError) as error:
        raise InputError(
            f"{path}: cannot be read: {error}; delete the file and start the same command again: the workflow makes "
            f"the table again"
        ) from error


def _with_time_bins(table: pd.DataFrame) -> pd.DataFrame:
    if TIME_BIN in table:
        return table.fillna({TIME_BIN: ""})
    for column in table.columns.intersection(AREAS):
        table.insert(table.columns.get_loc(column) + 1, TIME_BIN, "")
    return table
