"""The Natural Scenes Dataset (Allen et al. 2022, Nature Neuroscience 25:116): fMRI at 7 T of eight subjects.

Each subject saw up to 10,000 images three times, in sessions of 750 trials. Betas of the preparation
`betas_fithrf_GLMdenoise_RR` at 1.8 mm are read, one session at a time. Files lie as in the bucket of the source.

The axes of betas in HDF5 are (trial, z, y, x), the reverse of those of NIfTI files, (x, y, z, trial). Here volumes are
(z, y, x), so that NIfTI files are transposed.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.datasets import Dataset, made_by
from ventral.datasets.archives import png, write_zip
from ventral.datasets.folders import folder_with
from ventral.datasets.hdf5 import array_of, opened
from ventral.errors import InputError
from ventral.mappings.standardisation import standardised
from ventral.outputs import writing

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("ventral")

NAME = "nsd"
FOLDERS = ("", NAME, "natural-scenes-dataset")
DESIGN = "nsddata/experiments/nsd/nsd_expdesign.mat"
IMAGES = "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
ROIS = "nsddata/ppdata/{}/func1pt8mm/roi"
BETAS = "nsddata_betas/ppdata/{}/func1pt8mm/betas_fithrf_GLMdenoise_RR"
# Sessions of each subject.
SESSIONS = (40, 40, 32, 30, 40, 32, 40, 30)
TRIALS, AT_ONCE = 750, 25
# Names in the source of the labels of `prf-visualrois` and `streams`, and the area of each name.
VISUAL = {1: "V1v", 2: "V1d", 3: "V2v", 4: "V2d", 5: "V3v", 6: "V3d", 7: "hV4"}
STREAMS = {5: "ventral"}
AREAS = {"V1v": "V1", "V1d": "V1", "V2v": "V2", "V2d": "V2", "V3v": "V3", "V3d": "V3", "hV4": "V4", "ventral": "IT"}
AXES = ("repetition", "stimulus", "neuroid")


def expand(folder: str | None, results: str, *, subjects: Sequence[int], sessions: int | None, ncsnr: float) -> dict:
    """Return the stimulus set and recording of each subject in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's folders `nsddata`, `nsddata_betas` and `nsddata_stimuli`.
    results : str
        Folder of all outputs. The standard files are in ``datasets/nsd`` below it.
    subjects : sequence of int
        Numbers from 1 to 8.
    sessions : int or None
        Number of first sessions; None takes all of the subject.
    ncsnr : float
        Least `ncsnr` of a voxel.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with names such as `nsd_subj01`, and `unpacks`, the writers of their files
        by path.

    Raises
    ------
    InputError
        If `folder` is missing or lacks a file, or a subject has fewer sessions.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; the data set {NAME} is not downloaded by itself, as its source asks for an agreement: "
            f"sign it at naturalscenesdataset.org, get the files that docs/set_nsd.md lists, and name their folder"
        )
    stimuli, recordings, unpacks = {}, {}, {}
    for number in subjects:
        subject = f"subj{number:02d}"
        name, unpacked = f"{NAME}_{subject}", f"{results}/datasets/{NAME}/{subject}"
        files, betas = _files(Path(folder), number, sessions)
        design, images = {"design": files[DESIGN]}, {"images": files[IMAGES]}
        volumes = {
            "ncsnr": files[f"{BETAS.format(subject)}/ncsnr.nii.gz"],
            "visual": files[f"{ROIS.format(subject)}/prf-visualrois.nii.gz"],
            "streams": files[f"{ROIS.format(subject)}/streams.nii.gz"],
        }
        seen, voxels = {"subject": number, "sessions": len(betas)}, {"least": ncsnr}
        stimuli[name] = {"images": f"{unpacked}_images.zip", "table": f"{unpacked}_stimuli.csv"}
        recordings[name] = {
            "stimuli": name,
            "responses": f"{unpacked}_responses.npy",
            "axes": list(AXES),
            "neuroids": f"{unpacked}_neuroids.csv",
            "ceiling": {"column": "ncsnr", "kind": "ncsnr"},
            "animal": subject,
            "splits": [{"partition": "part", "name": "published"}],
        }
        for path, writer, inputs, options in (
            (stimuli[name]["images"], "images", design | images, seen),
            (stimuli[name]["table"], "table", design, seen),
            (recordings[name]["responses"], "responses", design | volumes | {"betas": betas}, seen | voxels),
            (recordings[name]["neuroids"], "neuroids", volumes, voxels),
        ):
            unpacks[path] = made_by(NAME, writer, inputs, **options)
    return {"stimuli": stimuli, "recordings": recordings, "unpacks": unpacks}


def _files(given: Path, number: int, sessions: int | None) -> tuple[dict[str, str], list[str]]:
    """Return the path of each file of a subject by its place in the bucket, and those of the betas of each session."""
    subject, most = f"subj{number:02d}", SESSIONS[number - 1]
    if sessions is not None and sessions > most:
        raise InputError(f"sessions: {sessions}, where {subject} has {most}; {most} or fewer are right")
    rois, folder = ROIS.format(subject), BETAS.format(subject)
    volumes = [f"{folder}/ncsnr.nii.gz", f"{rois}/prf-visualrois.nii.gz", f"{rois}/streams.nii.gz"]
    files = [DESIGN, IMAGES, *volumes]
    found = folder_with(given, files, FOLDERS, NAME)
    wanted = [f"betas_session{k:02d}" for k in range(1, (sessions or most) + 1)]
    betas = [_betas(found / folder / name) for name in wanted]
    absent = [name for name, path in zip(wanted, betas, strict=True) if path is None]
    if absent:
        raise InputError(
            f"folder: {found / folder}: no {absent[0]}.hdf5, nor {absent[0]}.nii.gz ({len(absent)} of {len(wanted)} "
            f"sessions of {subject} are absent); get them, or give the number of first sessions as `sessions`"
        )
    return {file: str(found / file) for file in files}, betas


def _betas(session: Path) -> str | None:
    paths = [session.with_name(session.name + suffix) for suffix in (".hdf5", ".nii.gz")]
    return next((str(path) for path in paths if path.is_file()), None)


def write_images(output: Path, *, design: str, images: str, subject: int, sessions: int) -> None:
    """Write a zip of PNG files such as `nsd-00013.png`, one for each image that a subject saw in the first sessions."""
    shown = np.unique(images_shown(design, subject, sessions))
    write_zip(output, zip(map(_name, shown), map(png, pixels_of(images, shown, NAME)), strict=True))
    logger.info("unpacked %s: %d images", images, len(shown))


def pixels_of(images: str | Path, numbers: NDArray[np.integer], key: str) -> Iterator[NDArray[np.uint8]]:
    """Give some images (H, W, 3) of `nsd_stimuli.hdf5`, one at a time, because the file has 39 GB.

    Parameters
    ----------
    images : path
        Path of `nsd_stimuli.hdf5`.
    numbers : (n,) array
        Numbers of the images, from 0.
    key : str
        Name of the data set that is read, for messages.

    Raises
    ------
    InputError
        If the file cannot be read, or has another array or fewer images.
    """
    right = f"{Path(IMAGES).name} of NSD, with `imgBrick` (73000, 425, 425, 3) of uint8, is right"
    with opened(images, key) as file:
        pixels = array_of(file, "imgBrick", key, right, 4)
        if pixels.dtype != np.uint8 or pixels.shape[3] != 3 or len(pixels) <= numbers.max():
            raise InputError(f"{key}: {images}: array `imgBrick` {pixels.shape} of {pixels.dtype}; {right}")
        for number in numbers:
            yield pixels[number]


def write_table(output: Path, *, design: str, subject: int, sessions: int) -> None:
    """Write a CSV with `stimulus` (name of the image) and `part` (`test` for images that all share, else `train`)."""
    import pandas as pd

    shown = np.unique(images_shown(design, subject, sessions))
    part = np.where(np.isin(shown, shared_images(design)), "test", "train")
    with writing(output) as unfinished:
        rows = pd.DataFrame({"stimulus": [_name(number) for number in shown], "part": part})
        rows.to_csv(unfinished, index=False, lineterminator="\n")


def write_neuroids(output: Path, *, ncsnr: str, visual: str, streams: str, least: float) -> None:
    """Write a CSV of the voxels with `neuroid` (x_y_z, from 0, as in NIfTI files), `area`, `roi` and `ncsnr`."""
    _, voxels = chosen_voxels(ncsnr, visual, streams, least)
    with writing(output) as unfinished:
        voxels.to_csv(unfinished, index=False, lineterminator="\n")


def write_responses(
    output: Path,
    *,
    design: str,
    betas: Sequence[str],
    ncsnr: str,
    visual: str,
    streams: str,
    subject: int,
    sessions: int,
    least: float,
) -> None:
    """Write the responses (repetition, stimulus, neuroid) float32, NaN where not shown.

    The betas of each voxel have mean 0 and standard deviation 1 over the trials of a session. The factor 300 of the
    source cancels. A voxel that is constant in a session has no responses there. Memory holds the chosen voxels of one
    session, for any number of sessions.

    Parameters
    ----------
    output : path
        npy file. Stimuli are in the order of their numbers, and neuroids in that of `write_neuroids`.
    design : path
        Path of nsd_expdesign.mat.
    betas : sequence of paths
        Betas of each session, HDF5 or NIfTI.
    ncsnr, visual, streams : paths
        NIfTI volumes.
    subject, sessions : int
    least : float
        Smallest `ncsnr` of a voxel.

    Raises
    ------
    InputError
        If a file is not the file of the source: it cannot be read, lacks an array, or has another shape.
    """
    from ventral.recordings.presentations import in_turn

    places, voxels = chosen_voxels(ncsnr, visual, streams, least)
    shape = _volume(ncsnr).shape
    shown = images_shown(design, subject, sessions)
    stimuli, rows = np.unique(shown, return_inverse=True)
    repetitions = in_turn(shown, np.arange(len(shown)))
    absent = np.ones((repetitions.max() + 1, len(stimuli)), dtype=bool)
    absent[repetitions, rows] = False
    with writing(output) as unfinished:
        np.lib.format.open_memmap(unfinished, "w+", np.float32, (*absent.shape, len(voxels))).flush()
        # The file is opened anew for each part, so that its pages leave the memory of this process.
        for start in range(0, len(stimuli), TRIALS):
            part = slice(start, start + TRIALS)
            np.load(unfinished, mmap_mode="r+")[:, part][absent[:, part]] = np.nan
        for session, path in enumerate(betas):
            trials = slice(session * TRIALS, (session + 1) * TRIALS)
            values = betas_of_session(path, shape, places)
            np.load(unfinished, mmap_mode="r+")[repetitions[trials], rows[trials]] = values
            logger.info("unpacked %s", path)


def betas_of_session(path: str | Path, shape: tuple[int, int, int], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the betas (trials, voxels) of a session with mean 0 and variance 1 over its trials; NaN if constant.

    Parameters
    ----------
    path : path
        HDF5 or NIfTI file.
    shape : tuple of int
        Shape (z, y, x) of a volume.
    places : (voxels,) array
        Places of the voxels in a volume (z, y, x), row by row.
    """
    values = np.concatenate([block.reshape(len(block), -1)[:, places] for block in _trials(path, shape)])
    values = standardised(values.astype(np.float64))
    values[:, ~values.any(axis=0)] = np.nan
    return values


def _trials(path: str | Path, shape: tuple[int, int, int]) -> Iterator[NDArray]:
    """Give the betas of a session, some trials (trial, z, y, x) at a time."""
    from ventral.recordings.volumes import is_volume, open_volume, values_of

    parts = [slice(start, start + AT_ONCE) for start in range(0, TRIALS, AT_ONCE)]
    if is_volume(path):
        image = open_volume(path, NAME, 4)
        _check_shape(path, "the image", image.shape[::-1], shape, image.shape)
        for part in parts:
            yield values_of(image, NAME, part).T
        return
    with opened(path, NAME) as file:
        betas = array_of(file, "betas", NAME, "betas (trials, z, y, x) are right", 4)
        _check_shape(path, "array `betas`", betas.shape, shape, betas.shape)
        for part in parts:
            yield betas[part]


def _check_shape(path: str | Path, what: str, found: tuple[int, ...], shape: tuple[int, ...], said: tuple) -> None:
    if found != (TRIALS, *shape):
        raise InputError(
            f"{NAME}: {path}: {what} {said}, that is {found[0]} trials of volumes (z, y, x) {found[1:]}; {TRIALS} "
            f"trials of {shape}, as in `ncsnr` and the ROIs, are right"
        )


def chosen_voxels(
    ncsnr: str | Path, visual: str | Path, streams: str | Path, least: float
) -> tuple[NDArray[np.intp], "pd.DataFrame"]:
    """Return the chosen voxels and their table.

    Parameters
    ----------
    ncsnr, visual, streams : paths
        NIfTI volumes; the latter two have labels. Labels of visual areas come first.
    least : float
        Smallest `ncsnr`.

    Returns
    -------
    places : (voxels,) array
        Places in a volume (z, y, x), row by row.
    voxels : DataFrame
        One row for each voxel, with `neuroid`, `area`, `roi` and `ncsnr`.

    Raises
    ------
    InputError
        If volumes differ in shape, or no voxel is left.
    """
    import pandas as pd

    numbers, rois = _volume(ncsnr), {path: _volume(path) for path in (visual, streams)}
    for path, labels in rois.items():
        if labels.shape != numbers.shape:
            raise InputError(
                f"{NAME}: {path}: its shape is {labels.shape[::-1]}, where {ncsnr} has {numbers.shape[::-1]}; volumes "
                f"of one subject and resolution are right"
            )
    named = named_rois(rois[visual], rois[streams])
    places = np.flatnonzero((named != "") & (numbers >= least))
    if not len(places):
        raise InputError(
            f"{NAME}: {ncsnr}: none of {np.count_nonzero(named)} voxels of the visual areas and the ventral stream has "
            f"an ncsnr of {least:g} or more; set `ncsnr` lower"
        )
    z, y, x = np.unravel_index(places, numbers.shape)
    found = named.ravel()[places]
    names = [f"{i}_{j}_{k}" for i, j, k in zip(x, y, z, strict=True)]
    areas = [AREAS[roi] for roi in found]
    return places, pd.DataFrame(
        {"neuroid": names, "area": areas, "roi": found, "ncsnr": numbers.ravel()[places].astype(np.float64)}
    )


def named_rois(visual: NDArray, streams: NDArray) -> NDArray[np.object_]:
    """Return the name of the region at each place, '' where there is none; labels of visual areas come first.

    Parameters
    ----------
    visual, streams : arrays of one shape
        Labels of `prf-visualrois` and of `streams`.
    """
    named = np.full(visual.shape, "", dtype=object)
    for labels, names in ((streams, STREAMS), (visual, VISUAL)):
        for label, name in names.items():
            named[labels == label] = name
    return named


def _volume(path: str | Path) -> NDArray:
    """Return a NIfTI volume as (z, y, x)."""
    from ventral.recordings.volumes import read_volume

    return read_volume(path, NAME).T


def images_shown(design: str | Path, subject: int, sessions: int) -> NDArray[np.intp]:
    """Return the number of the image, from 0, in each trial of the first sessions of a subject.

    Raises
    ------
    InputError
        If the design is not the file of the source.
    """
    arrays = _design(design)
    order, shown = arrays["masterordering"].ravel(), arrays["subjectim"]
    n_trials = sessions * TRIALS
    wrong = shown.ndim != 2 or len(shown) < subject or len(order) < n_trials
    if wrong or order[:n_trials].min() < 1 or order[:n_trials].max() > shown.shape[1] or shown.min() < 1:
        raise InputError(
            f"{NAME}: {design}: `masterordering` {arrays['masterordering'].shape} and `subjectim` {shown.shape} do not "
            f"say what subject {subject} saw in {n_trials} trials; (1, 30000) and (8, 10000), from 1, are right"
        )
    return shown[subject - 1, order[:n_trials] - 1] - 1


def shared_images(design: str | Path) -> NDArray[np.intp]:
    """Return the numbers, from 0, of the images that all subjects were to see."""
    return _design(design)["sharedix"].ravel() - 1


def _design(path: str | Path) -> dict[str, NDArray[np.intp]]:
    from scipy.io import loadmat

    from ventral.recordings.arrays import start_of

    right = "the source's nsd_expdesign.mat is right"
    start_of(path, NAME)
    try:
        content = loadmat(path, variable_names=["masterordering", "subjectim", "sharedix"])
    except Exception as error:  # SciPy's reader raises whatever the bytes make it stumble over
        raise InputError(f"{NAME}: {path}: cannot be read, or cut short: {error}; {right}") from error
    for name in ("masterordering", "subjectim", "sharedix"):
        if name not in content or content[name].dtype.kind not in "fiu":
            raise InputError(f"{NAME}: {path}: no array of numbers `{name}`; {right}")
    return {name: values.astype(np.intp) for name, values in content.items() if not name.startswith("__")}


def _name(number: int) -> str:
    return f"nsd-{number:05d}.png"


DATASET = Dataset(
    meaning="Responses of human visual cortex (fMRI, 7 T) to natural images, eight subjects, to be downloaded by hand.",
    expand=expand,
    reference="Allen et al. 2022",
    work="Allen EJ, St-Yves G, Wu Y, et al. (2022). Nature Neuroscience 25:116-126.",
    options={
        "subjects": {
            "description": "Subjects, 1 to 8; the recordings are called `nsd_subj01` and so on.",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "integer", "minimum": 1, "maximum": 8},
            "default": [1],
        },
        "sessions": {
            "description": "Number of first sessions of each subject; without it, all.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 40,
            "default": None,
        },
        "ncsnr": {
            "description": "Smallest `ncsnr` of the chosen voxels.",
            "type": "number",
            "minimum": 0,
            "default": 0.2,
        },
    },
    licence="terms and conditions of the source, to be agreed to (naturalscenesdataset.org)",
    size="1 GB of betas a session, up to 42 GB a subject, and 40 GB of images",
    source="s3://natural-scenes-dataset",
    writers={"images": write_images, "table": write_table, "responses": write_responses, "neuroids": write_neuroids},
)
