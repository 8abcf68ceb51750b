"""Say whether two score tables have the same numbers, to the last bit: ``python tests/compare_scores.py BEFORE AFTER``.

Columns that only the second table has are listed, and are no difference. Values that were renamed on purpose are stated
as ``--renamed COLUMN OLD NEW``.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

KEYS = ("model", "layer", "recording", "area", "time_bin", "target", "target_kind", "split", "mapping")
KEYS = (*KEYS, "distance", "comparison", "subject")


def differences(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return a sentence for every column in which two score tables differ.

    Parameters
    ----------
    before, after : DataFrame
        Score tables, as `ventral.scores.table.write_table` writes them.
    """
    lost = [column for column in before if column not in after]
    if lost:
        return [f"columns that are gone: {', '.join(lost)}"]
    keys = [column for column in KEYS if column in before]
    first, second = (table.sort_values(keys, ignore_index=True, kind="stable") for table in (before, after))
    if len(first) != len(second):
        return [f"{len(first)} rows before, {len(second)} after"]
    found = []
    for column in before:
        x, y = first[column], second[column]
        same = (x == y) | (x.isna() & y.isna())
        if pd.api.types.is_float_dtype(x):
            # Equal bits: two numbers that differ by rounding are not equal, and -0.0 is not 0.0.
            a, b = x.to_numpy(float, na_value=np.nan), y.to_numpy(float, na_value=np.nan)
            same = (a.view("u8") == b.view("u8")) | (np.isnan(a) & np.isnan(b))
        rows = np.flatnonzero(~np.asarray(same.fillna(False) if hasattr(same, "fillna") else same, dtype=bool))
        if len(rows):
            row = first.loc[rows[0], keys].to_dict()
            found.append(f"{column}: {len(rows)} rows, first {x[rows[0]]!r} before, {y[rows[0]]!r} after, in {row}")
    return found


def main() -> int:
    """Compare the two tables of the command line, and return 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--renamed", nargs=3, action="append", default=[], metavar=("COLUMN", "OLD", "NEW"))
    arguments = parser.parse_args()
    before, after = pd.read_parquet(arguments.before), pd.read_parquet(arguments.after)
    for column, old, new in arguments.renamed:
        before[column] = before[column].replace(old, new)
    added = [column for column in after if column not in before]
    print(f"{len(before)} rows; columns that were added: {', '.join(added) or 'none'}")
    found = differences(before, after)
    print("\n".join(found) or "every number is the same, to the last bit")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
