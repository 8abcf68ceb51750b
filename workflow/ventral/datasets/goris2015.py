"""Tuning curves of neurons in V1 and V2 of the macaque (Goris, Simoncelli and Movshon 2015, Neuron 88:819).

The tables are those of a folder `goris2015_tuning`: responses to gratings of several spatial frequencies, and to
mixtures of orientations.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FREQUENCIES, ORIENTATIONS = FILES = ("sf_tuning.csv", "orientation_mixture_tuning.csv")
# Values of `family` and `contrast` for a single grating of high contrast.
SINGLE, HIGH = 0, 0
COLUMNS = {
    FREQUENCIES: ("unit", "area", "value", "rate_hz"),
    ORIENTATIONS: ("unit", "area", "family", "contrast", "orientation_deg", "rate_hz"),
}


def files_of_curves(folder: str) -> list[str]:
    """Return the paths of the two tables in a folder."""
    return [f"{folder}/{name}" for name in FILES]


def check_folder(folder: str, key: str) -> None:
    """Refuse a folder without the two tables and their columns.

    Raises
    ------
    InputError
        If a table or a column is missing.
    """
    for path in files_of_curves(folder):
        _read(Path(path), key)


def read_curves(files: Sequence[Path]) -> "pd.DataFrame":
    """Return the tuning curves of the two tables.

    Responses to opposite directions are averaged, as gratings that stand still have no direction.

    Returns
    -------
    DataFrame
        A row for each point, with `unit`, `area` and `property`, which is `orientation` or `spatial frequency`. `x` is
        in degrees or cycles per degree. `rate` is in spikes per second, above the unit's lowest.

    Raises
    ------
    InputError
        If a table or a column is missing.
    """
    import pandas as pd

    frequencies, orientations = (
        _read(next(path for path in map(Path, files) if path.name == name), "tuning curves") for name in FILES
    )
    single = orientations[(orientations["family"] == SINGLE) & (orientations["contrast"] == HIGH)]
    curves = {
        "orientation": single.assign(x=single["orientation_deg"] % 180),
        "spatial frequency": frequencies.assign(x=frequencies["value"]),
    }
    points = pd.concat([table.assign(property=name) for name, table in curves.items()])
    place = ["property", "area", "unit", "x"]
    means = points.groupby(place, as_index=False)["rate_hz"].mean()
    lowest = means.groupby(place[:-1])["rate_hz"].transform("min")
    return means.assign(rate=means["rate_hz"] - lowest).drop(columns="rate_hz")


def _read(path: Path, key: str) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{key}: {path} is missing; the folder has {' and '.join(FILES)}")
    table = pd.read_csv(path)
    missing = [name for name in COLUMNS[path.name] if name not in table]
    if missing:
        raise InputError(f"{key}: {path} has no column {missing[0]}; it has {', '.join(map(str, table.columns))}")
    return table
