"""Reading of users' tables of stimuli and neuroids in CSV or Parquet."""

import csv
import io
import logging
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ventral.errors import InputError, shown
from ventral.stimuli.files import FILE, FOLDER, kind_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

logger = logging.getLogger("ventral")

MISSING = {"", "na", "n/a", "nan"}
# Name of the file that describes the content of a store.
OF_THE_STORE = "zarr.json"
# Largest number of bytes in a name on common file systems.
LONGEST_NAME = 255
UNNAMED = "Unnamed: "
# Separators of columns in CSV files, with their names.
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
SEPARATED_BY = "separated by"
COMMA_IN_NUMBER = re.compile(r"[+-]?[\d.]*\d(,\d+)+(e[+-]?\d+)?", re.IGNORECASE)


def read_table(
    path: str | Path, key: str, labels: Collection[str], reserved: Collection[str], strict: bool
) -> "pd.DataFrame":
    """Read a table of stimuli or neuroids.

    In CSV, a column is numeric if all its values are numbers; empty fields, NA and NaN are missing values. In Parquet,
    columns have types.

    Parameters
    ----------
    path : path
        CSV (with commas, semicolons or tabs, UTF-8) or Parquet file.
    key : str
        Config key of the table, for messages.
    labels : collection of str
        Columns that are text even if their values look like numbers.
    reserved : collection of str
        Names that no column can have.
    strict : bool
        Refuse a CSV column in which most values, but not all, are numbers. Read as text, a property with a typo would
        vanish from the targets.

    Returns
    -------
    DataFrame
        Numeric columns as float64 with NaN where missing, others as str with '' where missing.

    Raises
    ------
    InputError
        If the file cannot be read, a row differs from the header in its number of fields, or a column's name cannot be
        used. Also if a number is infinite or has a comma, or if `strict` and a value in a numeric column is no number.
    """
    import pandas as pd

    place = f"{key}: {path}"
    suffix = Path(path).suffix.lower()
    if kind_of(path) == FOLDER:
        raise InputError(f"{place}: a folder; a table is a .csv, .tsv or .parquet file")
    if kind_of(path) != FILE:
        raise InputError(f"{key}: no such file: {path}")
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}
    if suffix not in readers:
        raise InputError(f"{place}: a table is a .csv, .tsv or .parquet file")
    table = readers[suffix](Path(path), place)
    if table.empty:
        raise InputError(f"{place}: the table has no rows")
    # pandas turns a column into the named index of a Parquet table; turn it back.
    table = table.reset_index(drop=table.index.names == [None])
    table.columns = [str(column).strip() for column in table.columns]
    _check_names(list(table.columns), labels, reserved, place)
    typed = suffix == ".parquet"
    read = pd.DataFrame(
        {
            column: _text(values) if column in labels else _typed(values, typed, strict, f"{place}: column `{column}`")
            for column, values in table.items()
        }
    )
    read.attrs = table.attrs
    return read


def report_columns(table: "pd.DataFrame", place: str, labels: Sequence[str] = ()) -> None:
    """Log the types of columns, and separators other than commas; warn of likely mistakes.

    Likely mistakes are columns without a name, and labels such as NA.
    """
    import pandas as pd

    numeric = [column for column in table if pd.api.types.is_float_dtype(table[column])]
    text = [column for column in table if column not in numeric]
    separator = table.attrs.get(SEPARATED_BY, SEPARATORS[","])
    if separator != SEPARATORS[","]:
        logger.info("%s: read with a %s between columns", place, separator)
    logger.info("%s: numbers: %s; text: %s", place, shown(numeric, 50) or "none", shown(text, 50) or "none")
    if unnamed := [column for column in table if column.startswith(UNNAMED)]:
        logger.warning(
            "%s: %d columns have no name in the header, and are called `%s`; where one is only the number of the row, "
            "take it out",
            place,
            len(unnamed),
            "`, `".join(unnamed),
        )
    for label in (label for label in labels if label in table):
        odd = table[label][table[label].str.lower().isin(MISSING)]
        if len(odd):
            logger.warning(
                "%s: column `%s`: %d stimuli have the label %s, which is taken for a name like any other; name the "
                "label in another way if it means that there is none",
                place,
                label,
                len(odd),
                " or ".join(f"`{name}`" for name in sorted(set(odd))),
            )


def _read_csv(path: Path, place: str) -> "pd.DataFrame":
    import pandas as pd

    text = _decoded(path.read_bytes(), place)
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    try:
        # Spreadsheets may add empty lines at the end.
        rows = [(reader.line_num, row) for row in reader if row and not (len(row) == 1 and row[0].isspace())]
    except csv.Error as error:
        raise InputError(
            f"{place}: line {reader.line_num}: cannot be read as CSV: {error}; look for a quote"
        ) from error
    if not rows:
        raise InputError(f"{place}: the table is empty")
    (_, header), *rows = rows
    header = [name or f"{UNNAMED}{k}" for k, name in enumerate(header)]
    for number, (line, row) in enumerate(rows, 1):
        # A separator at the end of every line is harmless.
        if len(row) < len(header) or any(row[len(header) :]):
            raise InputError(
                f"{place}: data row {number} (line {line}): {len(row)} fields, where the header has {len(header)}; "
                f"a {SEPARATORS[separator]} within a field needs quotes around the field"
            )
    table = pd.DataFrame([row[: len(header)] for _, row in rows], columns=header, dtype=object)
    table.attrs[SEPARATED_BY] = SEPARATORS[separator]
    return table


def _separator(text: str) -> str:
    """Return the most frequent separator in the first row of a CSV file, preferring a comma among equals."""
    return max(SEPARATORS, key=lambda separator: _fields_of_header(text, separator))


def _fields_of_header(text: str, separator: str) -> int:
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        return len(next((row for row in rows if row), []))
    except csv.Error:
        return 0


def _decoded(content: bytes, place: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{place}: in UTF-16; save it in UTF-8")
    if content.startswith((b"PK\x03\x04", b"PAR1")):
        kind = (
            "a Parquet file: call it .parquet" if content.startswith(b"PAR1") else "a workbook or zip: save it as CSV"
        )
        raise InputError(f"{place}: no CSV, but {kind}")
    try:
        # Spreadsheets may write a byte order mark before the first column's name.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{place}: not in UTF-8: byte 0x{content[error.start]:02x} in line {line}; if it is a table in Latin-1 or "
            f"Windows-1252, save it in UTF-8"
        ) from error
    if "\0" in text:
        raise InputError(f"{place}: it has null bytes, which no text has; save it as CSV in UTF-8")
    return text


def _read_parquet(path: Path, place: str) -> "pd.DataFrame":
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        _check_twice([name.strip() for name in table.column_names], place)
        for k, field in enumerate(table.schema):
            table = table.set_column(k, field.name, table.column(k).cast(_plain(field, place)))
        return table.to_pandas()
    except (InputError, MemoryError):
        raise
    except Exception as error:  # pyarrow raises more kinds than it documents
        raise InputError(f"{place}: cannot be read as a table, damaged or no Parquet file: {error}") from error


def _plain(field: "pa.Field", place: str) -> "pa.DataType":
    """Return the type as which a column of a Parquet file is read."""
    import pyarrow as pa

    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_nested(kind) or any(
        check(kind) for check in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    ):
        raise InputError(
            f"{place}: column `{field.name}` has values of type {kind}; numbers or text are right, one in each row"
        )
    # pandas cannot represent missing values in these types.
    return pa.float64() if pa.types.is_decimal(kind) or pa.types.is_boolean(kind) else kind


def _check_names(columns: Sequence[str], labels: Collection[str], reserved: Collection[str], place: str) -> None:
    for column in columns:
        unusable = not column.isprintable() or len(column.encode()) > LONGEST_NAME or column == OF_THE_STORE
        if column in reserved or not column or column.startswith((".", "__")) or "/" in column or unusable:
            raise InputError(
                f"{place}: a column cannot be called `{_printable(column)}`; rename it (not: "
                f"{', '.join(sorted([*reserved, OF_THE_STORE]))}, nor with a slash or an invisible character, nor with "
                f"a dot or two underscores at its beginning, nor in more than {LONGEST_NAME} bytes)"
            )
    _check_twice(columns, place)
    alike = defaultdict(list)
    for column in columns:
        alike[column.casefold()].append(column)
    for name, found in alike.items():
        if len(found) > 1:
            raise InputError(f"{place}: columns `{'` and `'.join(found)}` differ only in capital letters; rename one")
        if name in labels and found != [name]:
            raise InputError(f"{place}: a column is called `{found[0]}`, where `{name}` is looked for; rename it")


def _check_twice(columns: Sequence[str], place: str) -> None:
    for k, column in enumerate(columns):
        if column in columns[:k]:
            raise InputError(f"{place}: two columns are called `{column}`; rename one")


def _printable(name: str) -> str:
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= LONGEST_NAME else f"{text[:20]}... ({len(name)} characters)"


def _text(values: "pd.Series") -> "pd.Series":
    return values.where(values.notna(), "").astype(str).str.strip()


def _typed(values: "pd.Series", typed: bool, strict: bool, place: str) -> "pd.Series":
    import pandas as pd

    if typed and (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        numbers, missing = pd.Series(values.to_numpy(float, na_value=np.nan)), values.isna()
    else:
        values = _text(values)
        numbers, missing = pd.to_numeric(values, errors="coerce"), values.str.lower().isin(MISSING)
        n_present, n_numbers = (~missing).sum(), numbers.notna().sum()
        _check_commas(values, n_present - n_numbers, n_present, place)
        numeric = 2 * n_numbers > n_present if strict else n_numbers == n_present
        if typed or (n_present and not numeric):
            return values
    wrong = np.flatnonzero(~missing & ~np.isfinite(numbers))
    if len(wrong):
        raise InputError(
            f"{place}, data row {wrong[0] + 1}: {values.iloc[wrong[0]]!r} is not a finite number, though the column is "
            f"numeric ({len(wrong)} such values); leave it empty where the value is missing (in a Parquet table, text "
            f"may look like numbers)"
        )
    return numbers.astype(float)


def _check_commas(values: "pd.Series", n_no_numbers: int, n_present: int, place: str) -> None:
    """Refuse a column that would be numeric if its numbers had no commas."""
    commas = np.flatnonzero(values.str.fullmatch(COMMA_IN_NUMBER)) if n_no_numbers else []
    if len(commas) and 2 * (n_no_numbers - len(commas)) < n_present:
        raise InputError(
            f"{place}, data row {commas[0] + 1}: {values.iloc[commas[0]]!r} has a comma, and would not be a number "
            f"({len(commas)} such values); write 1.5 and 1000; where the column is text, put another sign than a comma"
        )
