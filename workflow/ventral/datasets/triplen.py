"""Triple-N (Li et al. 2026, ScienceDB 10.57760/sciencedb.33556): 1,000 natural scenes in macaque visual cortex.

The recordings are from Neuropixels in five monkeys and 90 sessions. The scenes are the images that all subjects of the
Natural Scenes Dataset (NSD) saw. 72 images of faces, bodies and objects localised areas.

Layout and areas follow the authors' code (github.com/liyipeng-moon/Triple-N, `Script/code`). `exclude_area.xls` has the
areas of each session. A unit is in the last area with y1 < position < y2 that is not called Unknown.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.archives import png, write_zip
from ventral.datasets.nsd import pixels_of
from ventral.errors import InputError, shown
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

NAME = "triplen"
AREAS, AREAS_OF_EXCEL = "exclude_area.csv", "exclude_area.xls"
STIMULI = ("StimuliNNN.zip", "StimuliNNN")
BRICKS, DESIGN = "nsd_stimuli.hdf5", "nsd_expdesign.mat"
# Folders below the given one that may have the files, as the source has them.
FOLDERS = ("", NAME, "Processed", "others", "V1/Processed", "V1/others")
SESSION = re.compile(r"Processed_ses(\d+)_(\d+)_(M\d+)_(\w+)\.mat")
SCENES, LOCALIZER = 1000, 72
# Numbers of the images of the localizer, from 1. All others show objects.
FACES = range(1, 25)
BODIES = (*range(26, 32), *range(43, 49), *range(50, 62))
# A label such as MF1 or MO1s2 ends with the number of the subject, and of a site.
OF_A_SUBJECT = re.compile(r"([A-Za-z]{2,})\d+(s\d+)?")
NO_AREA = "unknown"
NUMBERS = ("reliability_best", "pos", "UnitType")


def expand(
    folder: str | None,
    results: str,
    *,
    sessions: Sequence[int] | None,
    reliability: float,
    localizer: bool,
) -> dict:
    """Return the stimulus set and the recording of all sessions in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's files, or one above.
    results : str
        Folder of all outputs. The standard files are in ``datasets/triplen`` below it.
    sessions : sequence of int, or None
        Numbers of sessions; None takes all sessions in the folder.
    reliability : float
        Least `reliability_best` of a unit.
    localizer : bool
        True if the images of the localizer are stimuli, too.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `triplen`, and `unpacks`.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file or a session.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself: get Processed_ses*.mat, "
            f"{AREAS_OF_EXCEL} and {STIMULI[0]} of doi.org/10.57760/sciencedb.31427, save {AREAS_OF_EXCEL} as {AREAS} "
            f"in a spreadsheet, and name their folder"
        )
    given = Path(folder)
    if not given.is_dir():
        raise InputError(f"folder: no such folder: {folder}")
    processed = [str(path) for path in _sessions(given, sessions)]
    areas = _areas(given)
    images, table, responses, neuroids = (
        f"{results}/datasets/{NAME}/{file}" for file in ("images.zip", "stimuli.csv", "responses.npy", "neuroids.csv")
    )
    pictures = _images(given, localizer=localizer)
    # The names need the design of NSD alone, not its images.
    names = {keyword: path for keyword, path in pictures.items() if keyword != "bricks"}
    chosen = {"reliability": reliability}
    return {
        "stimuli": {NAME: {"images": images, "table": table}},
        "recordings": {
            NAME: {
                "stimuli": NAME,
                "responses": responses,
                "neuroids": neuroids,
                "ceiling": {"column": "reliability", "kind": "reliability"},
                "splits": ["stimuli"],
            }
        },
        "unpacks": {
            images: made_by(NAME, "images", pictures, localizer=localizer),
            table: made_by(NAME, "table", names, localizer=localizer),
            responses: made_by(NAME, "responses", {"processed": processed}, localizer=localizer, **chosen),
            neuroids: made_by(NAME, "neuroids", {"processed": processed, "areas": areas}, **chosen),
        },
    }


def _sessions(given: Path, sessions: Sequence[int] | None) -> list[Path]:
    """Return the processed files of some sessions, or of all, in the order of their numbers."""
    found = {
        int(match[1]): path
        for below in reversed(FOLDERS)
        for path in (given / below).glob("Processed_ses*.mat")
        if (match := SESSION.fullmatch(path.name))
    }
    if not found:
        raise InputError(
            f"folder: {given}: no file such as Processed_ses01_240629_M1_2.mat there, nor in its folders "
            f"{', '.join(FOLDERS[1:])}"
        )
    if absent := [number for number in sessions or [] if number not in found]:
        raise InputError(
            f"sessions: {', '.join(map(str, absent))} not in {given}; sessions there: "
            f"{', '.join(map(str, sorted(found)))}"
        )
    return [found[number] for number in sorted(sessions or found)]


def _file(given: Path, names: Sequence[str]) -> str | None:
    places = (given / below / name for name in names for below in FOLDERS)
    return next((str(path) for path in places if path.exists()), None)


def _areas(given: Path) -> str:
    if areas := _file(given, [AREAS]):
        return areas
    excel = _file(given, [AREAS_OF_EXCEL])
    raise InputError(
        f"folder: {excel}: files of Excel are not read; save it as {AREAS} beside it, in a spreadsheet"
        if excel
        else f"folder: {given}: no {AREAS} there, nor in its folders {', '.join(FOLDERS[1:])}; save the source's "
        f"{AREAS_OF_EXCEL} under this name, in a spreadsheet"
    )


def _images(given: Path, *, localizer: bool) -> dict[str, str]:
    """Return the files with the images."""
    if stimuli := _file(given, STIMULI):
        return {"stimuli": stimuli}
    bricks, design = _file(given, [BRICKS]), _file(given, [DESIGN])
    if not (bricks and design):
        raise InputError(
            f"folder: {given}: no {STIMULI[0]}, the source's images, there, nor {BRICKS} and {DESIGN} of NSD, nor in "
            f"its folders {', '.join(FOLDERS[1:])}"
        )
    if localizer:
        raise InputError(f"localizer: its images are in {STIMULI[0]} alone, and {given} has {BRICKS} instead")
    return {"bricks": bricks, "design": design}


def write_images(
    output: Path,
    *,
    stimuli: str | None = None,
    bricks: str | None = None,
    design: str | None = None,
    localizer: bool,
) -> None:
    """Write a zip of the images in the order of the responses.

    Parameters
    ----------
    output : path
        The zip.
    stimuli : path, optional
        Zip or folder with 0001.bmp to 1000.bmp, and the localizer's images.
    bricks, design : path, optional
        Instead, the files `nsd_stimuli.hdf5` and `nsd_expdesign.mat` of NSD.
    localizer : bool
        True to write the images of the localizer, too.

    Raises
    ------
    InputError
        If the images are not those of the source or of NSD.
    """
    if stimuli is None:
        rows = shared(design)
        write_zip(
            output, zip(map(_name_of_nsd, range(SCENES), rows), map(png, pixels_of(bricks, rows, NAME)), strict=True)
        )
        return
    from ventral.stimuli.files import opener

    files = _files(stimuli, localizer=localizer)
    with opener(Path(stimuli)) as opened:
        write_zip(output, ((Path(file).name, opened(file).read()) for file in files))


def write_table(output: Path, *, stimuli: str | None = None, design: str | None = None, localizer: bool) -> None:
    """Write the CSV of the stimuli with `stimulus` and `kind` (`scene`, `face`, `body` or `object`).

    Parameters
    ----------
    output : path
        The CSV.
    stimuli, design, localizer
        As for `write_images`.

    Raises
    ------
    InputError
        As for `write_images`.
    """
    import pandas as pd

    if stimuli is None:
        names = [_name_of_nsd(k, row) for k, row in enumerate(shared(design))]
    else:
        names = [Path(file).name for file in _files(stimuli, localizer=localizer)]
    with writing(output) as unfinished:
        pd.DataFrame({"stimulus": names, "kind": _kinds(len(names))}).to_csv(
            unfinished, index=False, lineterminator="\n"
        )


def _kinds(n_images: int) -> list[str]:
    localizer = ["face" if k in FACES else "body" if k in BODIES else "object" for k in range(1, LOCALIZER + 1)]
    return [*["scene"] * SCENES, *localizer][:n_images]


def _files(stimuli: str, *, localizer: bool) -> list[str]:
    """Return the names of the images in a zip or folder, in the order of the responses."""
    from ventral.stimuli.images import list_images

    found = list_images(Path(stimuli), NAME).files
    scenes = [file for file in found if Path(file).stem.isdigit()]
    others = [file for file in found if file not in set(scenes)]
    numbers = sorted(int(Path(file).stem) for file in scenes)
    if numbers != list(range(1, SCENES + 1)) or len(others) != LOCALIZER:
        raise InputError(
            f"{NAME}: {stimuli}: {len(scenes)} images called by a number and {len(others)} others; {SCENES} from "
            f"0001.bmp to 1000.bmp and {LOCALIZER} of the localizer are right, as in the source's {STIMULI[0]}"
        )
    return [*sorted(scenes, key=lambda file: int(Path(file).stem)), *(others if localizer else [])]


def _name_of_nsd(k: int, row: int) -> str:
    """Return the name of a shared image in NSD, with both numbers from 1."""
    return f"shared{k + 1:04d}_nsd{row + 1:05d}.png"


def shared(design: str) -> NDArray[np.int64]:
    """Return the rows (1000,) of `imgBrick`, from 0, of the images that all subjects of NSD saw, in their order.

    Raises
    ------
    InputError
        If the file has no such numbers.
    """
    rows = _mat(design, ["sharedix"])["sharedix"].ravel()
    if len(rows) != SCENES or len(set(rows)) != SCENES or rows.min() < 1:
        raise InputError(
            f"{NAME}: {design}: `sharedix` has {len(rows)} numbers, {len(set(rows))} different; {SCENES} different "
            f"numbers from 1 are right, as in {DESIGN} of NSD"
        )
    return rows.astype(np.int64) - 1


def write_responses(output: Path, *, processed: list[str], reliability: float, localizer: bool) -> None:
    """Write an npy file with an array (units, images) float32, one session after the other.

    Parameters
    ----------
    output : path
        The npy file.
    processed : list of path
        Paths of Processed_ses*.mat.
    reliability : float
        Least `reliability_best` of a unit.
    localizer : bool
        True if the images of the localizer are among the stimuli.

    Raises
    ------
    InputError
        If a file cannot be read or has another layout, or no unit is reliable enough.
    """
    n_images = SCENES + LOCALIZER if localizer else SCENES
    found = [session[0][:, :n_images] for session in _reliable(processed, reliability, ["response_best"])]
    with writing(output) as unfinished, unfinished.open("wb") as file:
        np.save(file, np.concatenate(found).astype(np.float32))


def write_neuroids(output: Path, *, processed: list[str], areas: str, reliability: float) -> None:
    """Write the CSV of the units, in the order of the responses.

    Its columns are `neuroid`, `area` (such as MF), `label` (such as MF1), `animal`, `session`, `position` on the probe,
    `unit_type` and `reliability`. `region` is there if the table of areas has it.

    Parameters
    ----------
    output : path
        The CSV.
    processed, reliability
        As for `write_responses`.
    areas : path
        Table of areas, CSV.

    Raises
    ------
    InputError
        As for `write_responses`, and if the table of areas has other columns.
    """
    import pandas as pd

    table = read_areas(areas)
    found = [
        _units(path, kept, *numbers, table)
        for path, (*numbers, kept) in zip(processed, _reliable(processed, reliability, NUMBERS), strict=True)
    ]
    with writing(output) as unfinished:
        pd.concat(found).to_csv(unfinished, index=False, lineterminator="\n")


def _units(
    path: str, kept: NDArray[np.intp], reliability: NDArray, position: NDArray, kind: NDArray, areas: "pd.DataFrame"
) -> "pd.DataFrame":
    """Return the table of the units of a session, one row each."""
    import pandas as pd

    number, _, animal, _ = SESSION.fullmatch(Path(path).name).groups()
    labels, regions = labels_of(position, areas[areas["sesidx"] == int(number)])
    units = pd.DataFrame(
        {
            "neuroid": [f"ses{number}_{unit + 1:04d}" for unit in kept],
            "area": [match[1] if (match := OF_A_SUBJECT.fullmatch(label)) else label for label in labels],
            "label": labels,
            "region": regions,
            "animal": animal,
            "session": f"ses{number}",
            "position": position,
            "unit_type": [f"type{value:g}" for value in kind],
            "reliability": reliability,
        }
    )
    return units if "area" in areas else units.drop(columns="region")


def labels_of(positions: NDArray, areas: "pd.DataFrame") -> tuple[list[str], list[str]]:
    """Return the label and the region of the area of each unit.

    Parameters
    ----------
    positions : (units,) array
        Positions on the probe.
    areas : DataFrame
        Areas of the session, with `y1`, `y2`, `arealabel`, and optionally `area`.
    """
    labels, regions = [NO_AREA] * len(positions), [NO_AREA] * len(positions)
    regions_of = areas["area"] if "area" in areas else areas["arealabel"]
    for start, end, label, region in zip(areas["y1"], areas["y2"], areas["arealabel"], regions_of, strict=True):
        if label.lower() == NO_AREA:
            continue
        for unit in np.flatnonzero((positions > start) & (positions < end)):
            labels[unit], regions[unit] = label, region
    return labels, regions


def read_areas(path: str | Path) -> "pd.DataFrame":
    """Read the table of areas with `sesidx`, `y1`, `y2`, `arealabel`, and `area` if it has one, in small letters.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, or has text instead of numbers.
    """
    import pandas as pd

    from ventral.stimuli.tables import read_table

    table = read_table(path, NAME, labels=(), reserved=(), strict=False)
    columns = ", ".join(table.columns)
    table.columns = [column.casefold() for column in table.columns]
    for column in ("SesIdx", "y1", "y2", "AREALABEL"):
        if column.casefold() not in table:
            raise InputError(
                f"{NAME}: {path}: no column `{column}`; columns: {columns}; SesIdx, y1, y2 and AREALABEL are right, "
                f"as in the source's {AREAS_OF_EXCEL}"
            )
        values = table[column.casefold()]
        if pd.api.types.is_float_dtype(values) == (column == "AREALABEL") or values.isna().any():
            kind = "text, such as MF1, is" if column == "AREALABEL" else "a number in each row is"
            raise InputError(f"{NAME}: {path}: column `{column}`: {kind} right")
    return table


def _reliable(processed: Sequence[str], least: float, names: Sequence[str]) -> Iterator[list[NDArray]]:
    """Give arrays of the reliable units of each session, and last the numbers of these units, from 0.

    Raises
    ------
    InputError
        If a file is not as published, or no session has a reliable unit.
    """
    n_units = 0
    for path in processed:
        session = _session(path)
        kept = np.flatnonzero(session["reliability_best"] >= least)
        n_units += len(kept)
        yield [*(session[name][kept] for name in names), kept]
    if not n_units:
        raise InputError(
            f"{NAME}: {shown(list(processed))}: no unit has a `reliability_best` of {least:g} or more; give a lower "
            f"dataset.{NAME}.reliability"
        )


def _session(path: str) -> dict[str, NDArray]:
    """Return the checked arrays of a session: `response_best` (units, 1072), and the others (units,)."""
    found = _mat(path, ["response_best", *NUMBERS])
    responses, numbers = found["response_best"], {name: found[name].ravel() for name in NUMBERS}
    right = f"(units, {SCENES + LOCALIZER}) is right"
    if responses.ndim != 2 or responses.shape[1] != SCENES + LOCALIZER:
        raise InputError(f"{NAME}: {path}: `response_best` {responses.shape}; {right}")
    for name, values in numbers.items():
        if len(values) != len(responses):
            raise InputError(
                f"{NAME}: {path}: `{name}` has {len(values)} numbers, where `response_best` {responses.shape} has "
                f"{len(responses)} units; as many are right"
            )
    return {"response_best": responses, **numbers}


def _mat(path: str, names: Sequence[str]) -> dict[str, NDArray]:
    """Return some numeric arrays of a MAT file of version 5.

    Raises
    ------
    InputError
        If the file cannot be read, or has no such arrays.
    """
    import scipy.io

    from ventral.recordings.arrays import MAT_73, start_of

    place = f"{NAME}: {path}"
    if start_of(path, NAME).startswith(MAT_73):
        raise InputError(f"{place}: a MAT file of version 7.3; version 5, as the source has it, is right")
    try:
        content = scipy.io.loadmat(path, variable_names=names)
    except Exception as error:  # SciPy's reader raises whatever the bytes make it stumble over
        raise InputError(
            f"{place}: cannot be read, or cut short: {error}; a MAT file of version 5 with {', '.join(names)} is right"
        ) from error
    for name in names:
        if name not in content:
            known = ", ".join(key for key, *_ in scipy.io.whosmat(path))
            raise InputError(f"{place}: no `{name}`; it has {known}; {', '.join(names)} are right")
        if content[name].dtype.kind not in "fiu":
            raise InputError(f"{place}: `{name}` is of {content[name].dtype}; numbers are right")
    return {name: content[name] for name in names}


DATASET = Dataset(
    meaning="Neuropixels recordings of five macaques, 1,000 natural scenes of NSD, to be downloaded by hand.",
    expand=expand,
    reference="Li et al. 2026",
    work="Li Y, et al. (2026). Nature Neuroscience (the Triple-N dataset; bioRxiv 2025.05.06.652408).",
    options={
        "sessions": {
            "description": "Numbers of sessions, such as `[1, 7]`; `null` takes all that are in the folder.",
            "type": ["array", "null"],
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 1},
            "default": None,
        },
        "reliability": {
            "description": "Least split-half reliability of a unit, `reliability_best`.",
            "type": "number",
            "minimum": -1,
            "maximum": 1,
            "default": 0.4,
        },
        "localizer": {
            "description": "Adds the 72 images of the localizer to the stimuli.",
            "type": "boolean",
            "default": False,
        },
    },
    writers={
        "images": write_images,
        "table": write_table,
        "responses": write_responses,
        "neuroids": write_neuroids,
    },
    licence="as ScienceDB states it with the files",
    size="not measured",
    source="doi.org/10.57760/sciencedb.31427",
)
