"""Draw contact sheets: example stimuli of a set on one page."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ventral.figures.layout import widest, write_figure
from ventral.figures.style import MM, WIDE, figure_style
from ventral.stimuli.ingestion import LABELS
from ventral.stimuli.modality import Modality, declared_modality
from ventral.store import read_dataset

if TYPE_CHECKING:
    import xarray as xr

PLURALS = {"object": "objects", "category": "categories"}
COLUMNS = 9
MOST_ROWS = 16
LEAST_LEFT, TOP, LINE, GAP = 17.0, 4.0, 4.0, 0.4


def contact_sheet(stimuli: Path, svg: Path, pdf: Path, csv: Path) -> None:
    """Write a sheet of stimuli, with a row for every category (or object), and the table of the stimuli shown.

    Parameters
    ----------
    stimuli : path
        Store of the set.
    svg, pdf, csv : paths
        The figure; the names and properties of the stimuli in it, with their `row` and `column` from 0.
    """
    dataset = read_dataset(stimuli)
    chosen = shown(dataset)
    places = np.argwhere(chosen >= 0)
    modality = declared_modality(dataset.attrs, str(stimuli))
    table = dataset.drop_vars(modality.array).isel(stimulus=chosen[chosen >= 0]).to_dataframe()
    # A store lists its arrays in any order.
    table = table[sorted(table.columns)]
    table.insert(0, "row", places[:, 0])
    table.insert(1, "column", places[:, 1])
    write_figure(draw_contact_sheet(dataset, chosen, modality), table.reset_index(), svg, pdf, csv)


def shown(dataset: "xr.Dataset") -> NDArray[np.int64]:
    """Choose the stimulus at each place (rows, columns) of the sheet; -1 marks an empty place.

    Each row shows a category. Without categories it shows an object, and without objects a run of stimuli. Where
    stimuli have levels of variation (`variation`), all levels have the same number of columns. Within a row and level,
    stimuli are spaced evenly, so that many objects are seen.
    """
    n = dataset.sizes["stimulus"]
    label = next((name for name in reversed(LABELS) if name in dataset.coords), None)
    levels = list(dict.fromkeys(dataset["variation"].values)) if "variation" in dataset.coords else [None]
    columns_each = max(1, COLUMNS // len(levels))
    if label is None:
        rows = min(MOST_ROWS, -(-n // COLUMNS))
        groups = [[part] for part in np.array_split(np.arange(n), rows)]
        columns_each = COLUMNS
    else:
        labels = dataset[label].values
        groups = [
            [
                np.flatnonzero((labels == value) & (True if level is None else dataset["variation"].values == level))
                for level in levels
            ]
            for value in list(dict.fromkeys(labels))[:MOST_ROWS]
        ]
    return np.array([np.concatenate([_spaced(part, columns_each) for part in row]) for row in groups])


def draw_contact_sheet(dataset: "xr.Dataset", chosen: NDArray[np.int64], modality: Modality) -> Figure:
    """Draw the stimuli that `shown` chooses, their number, and the names of rows and levels."""
    rows, columns = chosen.shape
    stimuli = dataset[modality.array]
    label = next((name for name in reversed(LABELS) if name in dataset.coords), None)
    left = LEAST_LEFT if label is None else max(LEAST_LEFT, widest(dataset[label].values[chosen[:, 0]]) + 2)
    side = (WIDE - left) / columns
    top = LINE + (TOP if "variation" in dataset.coords else 0)
    height = top + rows * side
    with figure_style():
        figure = Figure(figsize=(WIDE * MM, height * MM))
        figure.text(left / WIDE, 1 - 0.5 * LINE / height, how_many(dataset, chosen, label), va="center")
        for (row, column), stimulus in np.ndenumerate(chosen):
            if stimulus < 0:
                continue
            axes = figure.add_axes(
                (
                    (left + column * side) / WIDE,
                    1 - (top + (row + 1) * side) / height,
                    (side - GAP) / WIDE,
                    (side - GAP) / height,
                )
            )
            modality.preview(axes, stimuli[stimulus].values, modality.kept(dataset.attrs))
            if column == 0 and label is not None:
                axes.annotate(
                    dataset[label].values[stimulus], (0, 0.5), (-3, 0), "axes fraction", "offset points",
                    ha="right", va="center",
                )  # fmt: skip
            if row == 0 and "variation" in dataset.coords:
                level = dataset["variation"].values[stimulus]
                if column == 0 or level != dataset["variation"].values[chosen[0, column - 1]]:
                    axes.annotate(
                        f"{level} variation", (0, 1), (0, 2), "axes fraction", "offset points", ha="left", va="bottom"
                    )
    return figure


def how_many(dataset: "xr.Dataset", chosen: NDArray[np.int64], label: str | None) -> str:
    """Say how many of a set's stimuli, and of its categories or objects, a sheet shows."""
    n = dataset.sizes["stimulus"]
    said = f"{(chosen >= 0).sum():,} of {n:,} stimuli"
    n_labels = len(set(dataset[label].values)) if label else 0
    if n_labels <= len(chosen):
        return said
    return f"{said}, of {len(chosen):,} of {n_labels:,} {PLURALS[label]}"


def _spaced(stimuli: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return `count` evenly spaced stimuli; -1 fills the places left where there are fewer."""
    if len(stimuli) > count:
        return stimuli[np.linspace(0, len(stimuli) - 1, count).round().astype(int)]
    return np.append(stimuli, np.full(count - len(stimuli), -1, dtype=int)).astype(int)
