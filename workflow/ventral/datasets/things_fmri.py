"""The fMRI data of THINGS-data (Hebart et al. 2023, eLife 12:e82580): three subjects, 8,740 images of 820 concepts.

The reader takes single-trial responses in table format, from the folder `betas_csv` of the source. Each subject has:

- `sub-01_ResponseData.h5`: a pandas table (voxels, trials). h5py reads its block of numbers, a part at a time.
- `sub-01_StimulusMetadata.csv`: one row for each trial, with `stimulus` (file of the image) and `trial_type` (train or
  test).
- `sub-01_VoxelMetadata.csv`: one row for each voxel, with `voxel_id`, noise ceilings, and a column of 0 and 1 for each
  region.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.archives import write_zip
from ventral.datasets.folders import folder_with
from ventral.datasets.hdf5 import array_of, opened
from ventral.errors import InputError, shown
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("ventral")

NAME = "things_fmri"
# Folders below the given one that may have the files.
FOLDERS = ("", "betas_csv", NAME, f"{NAME}/betas_csv")
IMAGES = "object_images"
RESPONSES = "sub-{:02d}_ResponseData.h5"
TRIALS, VOXELS = "sub-{:02d}_StimulusMetadata.csv", "sub-{:02d}_VoxelMetadata.csv"
# Images of THINGS differ in size.
SIZE = 500
# The first region counts for a voxel in several. IT is that of Brain-Score's benchmarks of these data.
IT = ("TE1p", "TE2p", "FFC", "VVC", "VMV2", "VMV3", "PHA1", "PHA2", "PHA3")
REGIONS = {"V1": "V1", "V2": "V2", "V3": "V3", "hV4": "V4"} | {f"glasser-{region}": "IT" for region in IT}
BLOCK, IDS = "ResponseData/block0_values", "ResponseData/block1_values"
AXES = ("neuroid", "stimulus", "repetition")
AT_ONCE = 500


def expand(folder: str | None, results: str, *, subjects: Sequence[int], nc_testset: float) -> dict:
    """Return the stimulus set and the recording of each subject in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's folder `betas_csv`, and with `object_images` of THINGS.
    results : str
        Folder of all outputs. The standard files are in ``datasets/things_fmri`` below it.
    subjects : sequence of int
        Numbers from 1 to 3.
    nc_testset : float
        Least `nc_testset` of a voxel, in per cent.

    Returns
    -------
    dict
        Has `stimuli` with the only name `things_fmri`, `recordings` with names such as `things_fmri_sub01`, and
        `unpacks`, the writers of their files by path.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself: get betas_csv of "
            f"doi.org/10.25452/figshare.plus.20492835 and {IMAGES} of THINGS (osf.io/jum2f), and name their folder"
        )
    files = [file.format(number) for number in subjects for file in (RESPONSES, TRIALS, VOXELS)]
    found, unpacked = folder_with(Path(folder), files, FOLDERS, NAME), f"{results}/datasets/{NAME}"
    seen = [str(found / TRIALS.format(number)) for number in subjects]
    stimuli = {"images": f"{unpacked}/images.zip", "table": f"{unpacked}/stimuli.csv", "size": SIZE}
    recordings, unpacks = {}, {}
    unpacks[stimuli["images"]] = made_by(NAME, "images", {"trials": seen, "images": _images(Path(folder))})
    unpacks[stimuli["table"]] = made_by(NAME, "table", {"trials": seen})
    for number in subjects:
        subject = f"sub{number:02d}"
        name, voxels = f"{NAME}_{subject}", {"voxels": str(found / VOXELS.format(number))}
        recordings[name] = {
            "stimuli": NAME,
            "responses": f"{unpacked}/{subject}_responses.npy",
            "axes": list(AXES),
            "neuroids": f"{unpacked}/{subject}_neuroids.csv",
            "ceiling": {"column": "snr", "kind": "snr"},
            "animal": subject,
            "splits": [{"partition": "part", "name": "published"}],
        }
        inputs = {
            "responses": str(found / RESPONSES.format(number)),
            "own": str(found / TRIALS.format(number)),
            "trials": seen,
        }
        unpacks[recordings[name]["responses"]] = made_by(NAME, "responses", inputs | voxels, least=nc_testset)
        unpacks[recordings[name]["neuroids"]] = made_by(NAME, "neuroids", voxels, least=nc_testset)
    return {"stimuli": {NAME: stimuli}, "recordings": recordings, "unpacks": unpacks}


def _images(given: Path) -> str:
    places = [given / below / IMAGES for below in ("", NAME)]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise InputError(
            f"folder: {given}: no folder {IMAGES} there, with the images of THINGS by concept, such as "
            f"{IMAGES}/dog/dog_12s.jpg (osf.io/jum2f)"
        )
    return str(found)


def write_images(output: Path, *, trials: Sequence[str], images: str) -> None:
    """Write a zip of the shown images as the source has them, by their names without the folder of the concept.

    Parameters
    ----------
    output : path
    trials : sequence of paths
        Tables of the trials of each subject.
    images : path
        Folder of THINGS with a folder for each concept.

    Raises
    ------
    InputError
        If a shown image is missing.
    """
    names = list(parts_of_images(trials))
    paths = [Path(images, _concept(name), name) for name in names]
    if absent := [str(path.relative_to(images)) for path in paths if not path.is_file()]:
        raise InputError(
            f"{NAME}: {images}: {len(absent)} of {len(names)} images that were shown are not there: "
            f"{shown(absent, 3)}; the whole folder {IMAGES} of THINGS is right"
        )
    write_zip(output, ((name, path.read_bytes()) for name, path in zip(names, paths, strict=True)))
    logger.info("unpacked %s: %d images", images, len(names))


def write_table(output: Path, *, trials: Sequence[str]) -> None:
    """Write a CSV of the shown images with `stimulus`, `part` (train or test) and `concept`."""
    import pandas as pd

    parts = parts_of_images(trials)
    with writing(output) as unfinished:
        columns = {"stimulus": list(parts), "part": list(parts.values()), "concept": [_concept(name) for name in parts]}
        pd.DataFrame(columns).to_csv(unfinished, index=False, lineterminator="\n")


def write_neuroids(output: Path, *, voxels: str, least: float) -> None:
    """Write a CSV of the voxels of `chosen_voxels`."""
    _, _, rows = chosen_voxels(voxels, least)
    with writing(output) as unfinished:
        rows.to_csv(unfinished, index=False, lineterminator="\n")


def write_responses(
    output: Path, *, responses: str, own: str, trials: Sequence[str], voxels: str, least: float
) -> None:
    """Write the responses (neuroid, stimulus, repetition) float32, as published, NaN where not shown.

    Parameters
    ----------
    output : path
        npy file. Stimuli are in the order of `write_table`, and neuroids in that of `write_neuroids`. Repetitions are
        in the order of the trials.
    responses : path
        Table (voxels, trials) in HDF5, written by pandas.
    own : path
        Table of the subject's trials.
    trials : sequence of paths
        Tables of the trials of all chosen subjects.
    voxels : path
        Table of the subject's voxels.
    least : float
        Smallest `nc_testset`.

    Raises
    ------
    InputError
        If a file is not the file of the source, or files differ in the number of voxels or trials.
    """
    from ventral.recordings.presentations import in_turn

    places, ids, _ = chosen_voxels(voxels, least)
    names = _trials(own)["stimulus"].to_numpy()
    row_of = {name: row for row, name in enumerate(parts_of_images(trials))}
    rows, repetitions = np.array([row_of[name] for name in names]), in_turn(names, np.arange(len(names)))
    right = f"numbers ({len(ids)} voxels, {len(names)} trials), as in {voxels} and {own}, are right"
    with opened(responses, NAME) as file, writing(output) as unfinished:
        values = array_of(file, BLOCK, NAME, f"the pandas table of the source, of the kind `fixed`: {right}", 2)
        if values.shape != (len(ids), len(names)):
            raise InputError(f"{NAME}: {responses}: array `{BLOCK}` {values.shape}; {right}")
        if IDS in file and file[IDS].shape == (len(ids), 1) and not np.array_equal(file[IDS][:, 0], ids):
            raise InputError(
                f"{NAME}: {responses}: `voxel_id` differs from {voxels}; the same voxels, in order, are right"
            )
        shape = (len(places), len(row_of), int(repetitions.max()) + 1)
        np.lib.format.open_memmap(unfinished, "w+", np.float32, shape).flush()
        for start in range(0, len(ids), AT_ONCE):
            first, last = np.searchsorted(places, [start, start + AT_ONCE])
            if first == last:
                continue
            block = np.full((last - first, *shape[1:]), np.nan, dtype=np.float32)
            block[:, rows, repetitions] = values[start : start + AT_ONCE][places[first:last] - start]
            # The file is opened anew, so that its earlier pages leave the memory of this process.
            np.load(unfinished, mmap_mode="r+")[first:last] = block
    logger.info("unpacked %s: %d voxels, %d trials", responses, len(places), len(names))


def chosen_voxels(path: str | Path, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp], "pd.DataFrame"]:
    """Return the rows of the chosen voxels, the `voxel_id` of all, and the table of the chosen voxels.

    Parameters
    ----------
    path : path
        Table of voxels.
    least : float
        Smallest `nc_testset`, the noise ceiling of means over 12 trials in per cent of their variance.

    Returns
    -------
    places : (taken,) array
        Rows of the table.
    ids : (voxels,) array
        Numbers of all voxels of the table.
    voxels : DataFrame
        One row for each chosen voxel, with `neuroid`, `area`, `roi`, `nc_testset` in per cent, and `snr`. `snr` is the
        variance of the signal over that of the noise of one response: nc / (100 - nc) with nc = `nc_singletrial`.

    Raises
    ------
    InputError
        If a column is missing or has a value that is no number, or no voxel is left.
    """
    import pandas as pd

    needed = ("voxel_id", "nc_singletrial", "nc_testset", *REGIONS)
    rows = _read(path, needed)
    for column in needed:
        numbers = pd.to_numeric(rows[column], errors="coerce")
        wrong = np.flatnonzero(numbers.isna() & rows[column].notna())
        if len(wrong):
            raise InputError(
                f"{NAME}: {path}: column `{column}`, data row {wrong[0] + 1}: {rows[column].iloc[wrong[0]]!r} is no "
                f"number"
            )
        rows[column] = numbers
    is_in = rows[list(REGIONS)].to_numpy() > 0
    regions = np.where(is_in.any(axis=1), np.array(list(REGIONS))[is_in.argmax(axis=1)], "")
    places = np.flatnonzero((regions != "") & (rows["nc_testset"] >= least))
    if not len(places):
        raise InputError(
            f"{NAME}: {path}: none of {np.count_nonzero(regions)} voxels of the regions has an "
            f"`nc_testset` of {least:g} or more; set it lower (in per cent)"
        )
    taken = rows.iloc[places]
    known = pd.DataFrame(
        {
            "neuroid": [f"voxel_{number:.0f}" for number in taken["voxel_id"]],
            "area": [REGIONS[region] for region in regions[places]],
            "roi": regions[places],
            "nc_testset": taken["nc_testset"].to_numpy(),
            "snr": (taken["nc_singletrial"] / (100 - taken["nc_singletrial"])).to_numpy(),
        }
    )
    return places, rows["voxel_id"].to_numpy(np.intp), known


def parts_of_images(trials: Sequence[str | Path]) -> dict[str, str]:
    """Return the part (train or test) of each image that any subject saw, in the order of the names.

    Raises
    ------
    InputError
        If an image is in both parts.
    """
    parts: dict[str, str] = {}
    for path in trials:
        rows = _trials(path)
        for name, part in zip(rows["stimulus"], rows["trial_type"], strict=True):
            if parts.setdefault(name, part) != part:
                raise InputError(f"{NAME}: {path}: `{name}` is {part} here, and {parts[name]} before; one is right")
    return dict(sorted(parts.items()))


def _trials(path: str | Path) -> "pd.DataFrame":
    rows = _read(path, ("stimulus", "trial_type"))
    wrong = np.flatnonzero(~rows["trial_type"].isin(["train", "test"]))
    if len(wrong):
        raise InputError(
            f"{NAME}: {path}: column `trial_type`, data row {wrong[0] + 1}: {rows['trial_type'].iloc[wrong[0]]!r}; "
            f"train or test is right"
        )
    return rows


def _read(path: str | Path, columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    try:
        header = pd.read_csv(path, nrows=0)
        if absent := [column for column in columns if column not in header]:
            raise InputError(
                f"{NAME}: {path}: no column {', '.join(f'`{column}`' for column in absent)}; columns: "
                f"{shown([str(column) for column in header], 20)}"
            )
        rows = pd.read_csv(path, usecols=list(columns))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{NAME}: {path}: cannot be read as a table: {error}; the source's file is right") from error
    return rows


def _concept(image: str) -> str:
    """Return the concept and folder of an image of THINGS: `dog` for `dog_12s.jpg`."""
    return image.rpartition("_")[0]


DATASET = Dataset(
    meaning="Responses of human visual cortex (fMRI) to images of THINGS, three subjects, to be downloaded by hand.",
    expand=expand,
    reference="Hebart et al. 2023",
    work="Hebart MN, Contier O, Teichmann L, et al. (2023). eLife 12:e82580.",
    options={
        "subjects": {
            "description": "Subjects, 1 to 3; the recordings are called `things_fmri_sub01` and so on.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 1, "maximum": 3},
            "default": [1],
        },
        "nc_testset": {
            "description": "Smallest `nc_testset` of the chosen voxels, in per cent.",
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "default": 30,
        },
    },
    licence="as the pages of both sources state",
    size="43 GB, packed, of all three subjects",
    source="betas_csv of doi.org/10.25452/figshare.plus.20492835; object_images of osf.io/jum2f",
    writers={"images": write_images, "table": write_table, "responses": write_responses, "neuroids": write_neuroids},
)
