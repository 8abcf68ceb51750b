"""The recordings of Cowley, Stan, Pillow and Smith 2023 (bioRxiv): spikes of macaque V4 to images."""

import re
from collections.abc import Sequence
from pathlib import Path

from ventral.datasets import Dataset
from ventral.errors import InputError

SOURCE = (
    "https://raw.githubusercontent.com/cowleygroup/V4_compact_models/"
    "f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses/"
)
AREA = "V4"
ANIMALS = {"190923": "WE", "201025": "PE", "210325": "PE"}
# The source has no labels. The images of this session show eight objects, with 80 consecutive views of each.
TABLES = {"210325": Path(__file__).parents[3] / "config" / "cowley2023_210325.csv"}
# Folders below the given one that may have the files: those of the source's repository and of a collection of data.
FOLDERS = ("", "data_V4_responses", "cowley2023_v4")
IMAGES = ("images_{}.zip", "images/images_{}.zip")
# Single repetitions come before averages, because only single repetitions have a ceiling.
RESPONSES = (
    "responses_raw_{}.npy",
    "responses_raw/responses_{}.npy",
    "responses_repeat_averaged_{}.npy",
    "responses_repeat_averaged/responses_{}.npy",
)
SHA256 = {
    "images/images_190923.zip": "e99a4df1c7476bdc4d565ff4408bc421976ecc3a22c41af6bfd0cfbddb508c0c",
    "images/images_201025.zip": "3abb63679107665eab7220bdeaf7863832a1df943bf3d7792501f5082a55b2e8",
    "images/images_210325.zip": "992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454",
    "responses_raw/responses_210325.npy": "4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76",
    "responses_repeat_averaged/responses_190923.npy": (
        "741672d36541ce39930c8a3b5bd1cfd33c187aa47b1549c9c5569bc21aa97a28"
    ),
    "responses_repeat_averaged/responses_201025.npy": (
        "f729f3dc0d29aa38bd380c0da9e39aba916f9e2580949929b65d1714e7217a8a"
    ),
}


def _flat(path: str) -> str:
    """Return the name of the source's file `folder/..._SESSION.ext` in a single folder of all files."""
    folder, _, file = path.partition("/")
    return f"{folder}_{file.rpartition('_')[2]}"


# Files for download, by path below the folder of downloads.
DOWNLOADS = {
    f"cowley2023/{_flat(path)}": {"url": SOURCE + path, "sha256": sha256} for path, sha256 in sorted(SHA256.items())
}


def expand(folder: str | None, results: str, *, sessions: Sequence[int | str], resources: str = "resources") -> dict:
    """Return the stimulus sets and recordings of some sessions in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's files, in the source's subfolders or flat; None downloads them.
    results : str
        Folder of all outputs, which is not used because the files need no unpacking.
    sessions : sequence of int or str
        Sessions such as 210325.
    resources : str
        Folder of downloads.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each by the name ``cowley2023_SESSION``, in the order of the sessions. Each
        recording has its `splits`. `downloads` has `url` and `sha256` by path, and is empty with a `folder`.

    Raises
    ------
    InputError
        If the files of a session are not in `folder`, or the session is not among the downloads.
    """
    stimuli, recordings, downloads = {}, {}, {}
    for session in map(str, sessions):
        if not re.fullmatch(r"\d{6}", session):
            raise InputError(f"sessions: {session!r} is not a session of six digits, such as 210325")
        if folder is None:
            images, responses = _downloaded(session)
            downloads |= {f"{resources}/{path}": DOWNLOADS[path] for path in (images, responses)}
            images, responses = f"{resources}/{images}", f"{resources}/{responses}"
        else:
            images = _found(Path(folder), IMAGES, session)
            responses = _found(Path(folder), RESPONSES, session)
        name = f"cowley2023_{session}"
        stimuli[name] = {"images": images}
        recordings[name] = {"stimuli": name, "responses": responses, "area": AREA, "splits": ["stimuli"]}
        if session in TABLES:
            stimuli[name]["table"] = str(TABLES[session])
            recordings[name]["splits"] = ["stimuli", "objects"]
        if session in ANIMALS:
            recordings[name]["animal"] = ANIMALS[session]
    return {"stimuli": stimuli, "recordings": recordings, "downloads": downloads}


def _downloaded(session: str) -> tuple[str, str]:
    def first(patterns: Sequence[str]) -> str | None:
        return next(
            (path for pattern in patterns if (path := f"cowley2023/{pattern.format(session)}") in DOWNLOADS), None
        )

    images, responses = first(IMAGES), first(RESPONSES)
    if images is None or responses is None:
        known = sorted(set(re.findall(r"_(\d{6})\.zip", " ".join(DOWNLOADS))))
        raise InputError(
            f"sessions: {session} cannot be downloaded, only {', '.join(known)}; for another one, give the folder of "
            f"the source's files as `folder`"
        )
    return images, responses


def _found(given: Path, patterns: Sequence[str], session: str) -> str:
    if not given.is_dir():
        raise InputError(f"folder: no such folder: {given}")
    names = [pattern.format(session) for pattern in patterns]
    for name in names:
        for below in FOLDERS:
            if (given / below / name).is_file():
                return str(given / below / name)
    present = sorted(
        {
            match[1]
            for below in FOLDERS
            for pattern in IMAGES
            for path in (given / below).glob(pattern.format("*"))
            if (match := re.search(r"_(\d{6})\.zip$", path.name))
        }
    )
    raise InputError(
        f"folder: {given}: session {session} has none of {', '.join(names)} there; sessions there: "
        f"{', '.join(present) or 'none'}"
    )


DATASET = Dataset(
    meaning="Spikes of macaque V4 to images.",
    expand=expand,
    reference="Cowley et al. 2023",
    work="Cowley BR, Stan PL, Pillow JW, Smith MA (2023). bioRxiv (compact models of V4).",
    options={
        "sessions": {
            "description": "Sessions. Their recordings are called `cowley2023_210325` and so on.",
            "type": "array",
            "minItems": 1,
            "items": {"type": ["integer", "string"]},
            "default": [210325],
        }
    },
    downloads=DOWNLOADS,
    licence="GPL-3.0",
    size="14 MB",
    source="github.com/cowleygroup/V4_compact_models",
)
