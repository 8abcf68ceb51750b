"""The script that compares score tables finds what differs, and nothing else."""

import numpy as np
import pytest

from tests.compare_scores import differences
from tests.unit.synthetic_scores import score_table


@pytest.fixture
def table():
    return score_table({"net": 2}, {"V4": 3}, labels={"object": 0.1})


def test_the_same_numbers_in_another_order(table):
    assert differences(table, table.sample(frac=1, random_state=0).assign(new=1)) == []


def test_the_last_bit_of_one_number(table):
    after = table.copy()
    after.loc[1, "r"] = np.nextafter(after.loc[1, "r"], 2)
    (said,) = differences(table, after)
    assert said.startswith("r: 1 rows, first ")


@pytest.mark.parametrize(("column", "value"), [("r", np.nan), ("layer", "other"), ("depth", 3.0)])
def test_one_value(table, column, value):
    after = table.copy()
    after.loc[0, column] = value
    assert differences(table, after)


def test_rows_and_columns_that_are_gone(table):
    assert differences(table, table.iloc[1:]) == [f"{len(table)} rows before, {len(table) - 1} after"]
    assert differences(table, table.drop(columns="r")) == ["columns that are gone: r"]
