"""Which stimuli stand on a contact sheet, and that they are drawn."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ventral.figures.contact_sheets import COLUMNS, MOST_ROWS, contact_sheet, how_many, shown
from ventral.store import write_dataset


def stimuli(n=60, **columns) -> xr.Dataset:
    pixels = np.random.default_rng(0).integers(0, 255, (n, 3, 8, 8), dtype=np.uint8)
    coordinates = {name: ("stimulus", np.array(values, dtype=object)) for name, values in columns.items()}
    names = np.array([f"s{k}" for k in range(n)], dtype=object)
    return xr.Dataset(
        {"pixels": (("stimulus", "channel", "pixel_row", "pixel_column"), pixels)},
        coords={"stimulus": names, **coordinates},
        attrs={"name": "mine"},
    )


def test_a_row_for_every_category_and_columns_for_every_level():
    categories, levels = [f"c{k % 5}" for k in range(60)], [("low", "high")[k // 5 % 2] for k in range(60)]
    dataset = stimuli(category=categories, object=["o"] * 60, variation=levels)
    chosen = shown(dataset)
    assert chosen.shape == (5, 8)
    assert (dataset["category"].values[chosen] == np.array([f"c{k}" for k in range(5)])[:, None]).all()
    assert (dataset["variation"].values[chosen] == np.array(["low"] * 4 + ["high"] * 4)).all()
    assert len(np.unique(chosen)) == chosen.size


def test_objects_make_rows_where_there_are_no_categories():
    assert shown(stimuli(object=[f"o{k // 20}" for k in range(60)])).shape == (3, COLUMNS)


def test_without_labels_the_whole_set_is_sampled():
    chosen = shown(stimuli(500))
    assert chosen.shape == (MOST_ROWS, COLUMNS)
    assert chosen.max() == 499
    assert (np.diff(chosen.ravel()) > 0).all()


def test_places_without_a_stimulus_stay_empty():
    chosen = shown(stimuli(4, category=["a", "a", "a", "b"]))
    assert (chosen >= 0).sum(axis=1).tolist() == [3, 1]


def test_a_sheet_says_how_many_stimuli_it_shows():
    few = stimuli(4, category=["a", "a", "a", "b"])
    assert how_many(few, shown(few), "category") == "4 of 4 stimuli"
    many = stimuli(2000, category=[f"c{k // 100}" for k in range(2000)])
    assert how_many(many, shown(many), "category") == "144 of 2,000 stimuli, of 16 of 20 categories"


@pytest.mark.parametrize("labelled", [True, False])
def test_the_sheet_and_its_table_are_written(tmp_path, labelled):
    columns = {"category": ["animals"] * 30 + ["boats"] * 30, "variation": ["low", "high"] * 30} if labelled else {}
    write_dataset(stimuli(**columns), tmp_path / "mine.zarr")
    paths = [tmp_path / f"sheet.{kind}" for kind in ("svg", "pdf", "csv")]
    contact_sheet(tmp_path / "mine.zarr", *paths)
    table = pd.read_csv(paths[2])
    svg = paths[0].read_text()
    assert len(re.findall("<image", svg)) == len(table)
    assert paths[1].read_bytes().startswith(b"%PDF")
    assert table["stimulus"].is_unique
    assert f"{len(table)} of 60 stimuli" in svg
    assert ("boats" in svg and "high variation" in svg) == labelled
    again = [tmp_path / f"again.{kind}" for kind in ("svg", "pdf", "csv")]
    contact_sheet(tmp_path / "mine.zarr", *again)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
