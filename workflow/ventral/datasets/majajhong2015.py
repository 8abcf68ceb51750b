"""The recordings of Majaj, Hong, Solomon and DiCarlo 2015 (J Neurosci 35:13402): V4 and IT to rendered objects.

The sites are in two macaques. Eight objects of each of eight categories are on natural backgrounds, which are
unrelated to the objects. Images of variations 0 and 3 are public. Images of variation 6 are private: Brain-Score tests
models on them.
"""

from pathlib import Path

from ventral.datasets import Dataset, made_by
from ventral.datasets.brainscore import SOURCE, downloads_of, files_of, read_stimuli
from ventral.errors import InputError
from ventral.outputs import writing

NAME = "majajhong2015"
# Assembly, table and images.
FILES = {
    "public": ["assy_dicarlo_MajajHong2015_public.nc", "image_dicarlo_hvm-public.csv", "image_dicarlo_hvm-public.zip"],
    "all": ["assy_dicarlo_MajajHong2015.nc", "image_dicarlo_hvm.csv", "image_dicarlo_hvm.zip"],
}
# Checksums of brain-score/vision, brainscore_vision/data/majajhong2015. Private files need an account there.
DOWNLOADS = downloads_of(
    NAME,
    {
        "assy_dicarlo_MajajHong2015_public.nc": "13d28ca0ce88ee550b54db3004374ae19096e9b9",
        "image_dicarlo_hvm-public.csv": "5ca7a3da00d8e9c694a9cd725df5ba0ad6d735af",
        "image_dicarlo_hvm-public.zip": "8aa44e038d7b551efa8077467622f9d48d72e473",
    },
)
LABELS = {"object_name": "object", "category_name": "category", "variation": "variation"}
# Variation of the test images, and the name of the split.
TESTED, SPLITS = {"public": 3, "all": 6}, {"public": "low_variation", "all": "published"}


def expand(folder: str | None, results: str, *, images: str, resources: str = "resources") -> dict:
    """Return the stimulus set and the recording in the form of the config.

    Parameters
    ----------
    folder : str or None
        Folder with the source's files, or with a folder `majajhong2015` that has them; None downloads the public ones.
    results : str
        Folder of all outputs. The table of the images is in ``datasets/majajhong2015`` below it.
    images : str
        `public` for variations 0 and 3, or `all`.
    resources : str
        Folder of downloads.

    Returns
    -------
    dict
        Has `stimuli` and `recordings`, each with the only name `majajhong2015`, `unpacks` and `downloads`.

    Raises
    ------
    InputError
        If a file is not in `folder`, or cannot be downloaded.
    """
    if folder is None and images != "public":
        raise InputError(
            f"images: {images} are not downloaded by themselves: get {', '.join(FILES[images])} of the {SOURCE} with "
            f"an account there, and name their folder as `folder`"
        )
    (assembly, source, archive), downloads = files_of(folder, FILES[images], NAME, DOWNLOADS, resources)
    table = f"{results}/datasets/{NAME}/stimuli.csv"
    split = {"partition": "part", "name": SPLITS[images]}
    return {
        "stimuli": {NAME: {"images": archive, "table": table}},
        "recordings": {NAME: {"stimuli": NAME, "responses": assembly, "splits": [split]}},
        "unpacks": {table: made_by(NAME, "table", {"source": source}, tested=TESTED[images])},
        "downloads": downloads,
    }


def write_table(output: Path, *, source: str, tested: int) -> None:
    """Write the CSV of the stimuli.

    Parameters
    ----------
    output : path
        CSV with the columns of `read_stimuli`, with `variation` such as `variation0`, and `part` (`train` or `test`).
    source : path
        CSV of the source.
    tested : int
        Variation of the images of `test`.

    Raises
    ------
    InputError
        As for `read_stimuli`, and if the column `variation` has a value that is no number, or lacks `tested`.
    """
    table = read_stimuli(source, NAME, LABELS)
    # Some files say V3 or 3.0.
    levels = table["variation"].str.removeprefix("V").str.removesuffix(".0")
    if not levels.str.isdecimal().all() or str(tested) not in set(levels):
        raise InputError(
            f"{NAME}: {source}: column `variation` has {', '.join(sorted(set(table['variation'])))}; whole numbers, "
            f"among them {tested}, are right"
        )
    table["part"] = (levels == str(tested)).map({True: "test", False: "train"})
    table["variation"] = "variation" + levels
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


DATASET = Dataset(
    meaning="Spikes of macaque V4 and IT to rendered objects on natural backgrounds.",
    expand=expand,
    reference="Majaj et al. 2015",
    work="Majaj NJ, Hong H, Solomon EA, DiCarlo JJ (2015). Journal of Neuroscience 35:13402.",
    options={
        "images": {
            "description": (
                "`public` fits on images without variation, and scores on images of medium variation. `all` fits on "
                "both, and scores on the private images of high variation, as published."
            ),
            "enum": list(FILES),
            "type": "string",
            "default": "public",
        }
    },
    downloads=DOWNLOADS,
    writers={"table": write_table},
    licence="none stated",
    size="not measured",
    source=SOURCE,
)
