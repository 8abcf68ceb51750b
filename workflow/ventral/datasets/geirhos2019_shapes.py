"""The data of Geirhos et al. 2019 (ICLR): choices of ten people among 16 categories, for edges and silhouettes.

Edges and silhouettes are two experiments with 160 stimuli and ten subjects each. A choice `na` in the source is none.
"""

from pathlib import Path

from ventral.datasets import Dataset, made_by
from ventral.errors import InputError
from ventral.outputs import writing

NAME = "geirhos2019_shapes"
# Name of each recording, with the source's names of its stimuli and of its experiment.
EXPERIMENTS = {
    "edges": ("edges", "edge-experiment"),
    "silhouettes": ("filled-silhouettes", "silhouette-filled-experiment"),
}
# One table of all trials, of a collection of data; the repository has a folder of tables for each experiment.
TABLE = "human_trials.csv.gz"
SUBJECTS = 10
CLASSES = Path(__file__).parents[3] / "config" / "geirhos2019_classes.csv"
# The source's names of the columns.
COLUMNS = {"subj": "subject", "imagename": "stimulus", "object_response": "choice", "rt": "rt"}
NO_CHOICE = "na"


def expand(folder: str | None, results: str) -> dict:
    """Return the stimulus sets and recordings in the form of the config, one for each experiment.

    Parameters
    ----------
    folder : str or None
        Folder of the source's repository, or a folder with `edges.zip`, `filled-silhouettes.zip` and
        `human_trials.csv.gz`, or a folder `geirhos2019_shapes` with these.
    results : str
        Folder of all outputs. The standard files are in ``datasets/geirhos2019_shapes`` below it.

    Raises
    ------
    InputError
        If there is no folder, or files are missing.
    """
    if folder is None:
        raise InputError(
            f"folder: missing; {NAME} is not downloaded: `git clone https://github.com/rgeirhos/texture-vs-shape`, and "
            f"give the clone as `folder`"
        )
    stimuli, recordings, unpacks = {}, {}, {}
    for name, (source, experiment) in EXPERIMENTS.items():
        images, trials = _found(Path(folder), source, experiment)
        table, choices = (f"{results}/datasets/{NAME}/{name}_{kind}.csv" for kind in ("stimuli", "choices"))
        full = f"{NAME}_{name}"
        stimuli[full] = {"images": images, "table": table}
        behaviour = {"trials": choices, "label": "category", "classes": str(CLASSES)}
        recordings[full] = {"stimuli": full, "behaviour": behaviour, "splits": ["stimuli"]}
        unpacks[table] = made_by(NAME, "stimuli", {"trials": trials}, experiment=experiment)
        unpacks[choices] = made_by(NAME, "choices", {"trials": trials}, experiment=experiment)
    return {"stimuli": stimuli, "recordings": recordings, "unpacks": unpacks}


def write_stimuli(output: Path, *, trials: str | list[str], experiment: str) -> None:
    """Write the CSV of the stimuli of an experiment: `stimulus`, as in the source's folder, and `category`."""
    table = read(trials, experiment)[["stimulus", "category"]].drop_duplicates().sort_values("stimulus")
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def write_choices(output: Path, *, trials: str | list[str], experiment: str) -> None:
    """Write the CSV of the choices in an experiment: `subject`, `stimulus`, `choice` (empty for none) and `rt`."""
    table = read(trials, experiment)[list(COLUMNS.values())]
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def read(trials: str | list[str], experiment: str):
    """Read the source's trials of an experiment.

    Parameters
    ----------
    trials : str or list of str
        One table of all experiments, or the tables of the subjects of this one.
    experiment : str
        The source's name of the experiment.

    Returns
    -------
    DataFrame
        `subject`, `stimulus`, `choice`, `rt` and `category`, in the order of the source. Names of stimuli are
        CATEGORY/NAME.png, as in the source's folders. `choice` is empty where there was none.

    Raises
    ------
    InputError
        If a table cannot be read, or lacks columns or the experiment.
    """
    import pandas as pd

    paths = [trials] if isinstance(trials, str) else trials
    try:
        table = pd.concat(
            [pd.read_csv(path, dtype={"subj": str}, keep_default_na=False) for path in paths], ignore_index=True
        )
    except Exception as error:  # pandas raises whatever the bytes make it stumble over
        raise InputError(f"{NAME}: {', '.join(paths)}: cannot be read as tables of trials: {error}") from error
    missing = [column for column in (*COLUMNS, "category") if column not in table]
    if missing:
        raise InputError(f"{NAME}: {paths[0]}: no column {', '.join(missing)}; columns: {', '.join(table.columns)}")
    if "experiment" in table:
        table = table[table["experiment"] == experiment]
    if table.empty:
        raise InputError(f"{NAME}: {paths[0]}: no trial of {experiment}")
    table = table.rename(columns=COLUMNS)
    # 0001_edg_s01_0_oven_00_oven10.png
    file = table["stimulus"].str.rsplit("_", n=1).str[-1]
    choice = table["choice"].where(table["choice"] != NO_CHOICE, "")
    return table.assign(stimulus=table["category"] + "/" + file, choice=choice).reset_index(drop=True)


def _found(given: Path, source: str, experiment: str) -> tuple[str, str | list[str]]:
    """Return the place of the images of an experiment, and its tables of trials."""
    if not given.is_dir():
        raise InputError(f"folder: no such folder: {given}")
    for folder in (given, given / NAME):
        if (folder / f"{source}.zip").is_file() and (folder / TABLE).is_file():
            return str(folder / f"{source}.zip"), str(folder / TABLE)
    images = given / "stimuli" / source
    tables = sorted(map(str, (given / "raw-data" / experiment).glob(f"{experiment}_subject-*.csv")))
    if images.is_dir() and len(tables) == SUBJECTS:
        return str(images), tables
    raise InputError(
        f"folder: {given}: data set {NAME} has neither {source}.zip and {TABLE} there, or in its folder {NAME}, nor "
        f"{images} with {SUBJECTS} tables of {experiment}; it needs a clone of rgeirhos/texture-vs-shape"
    )


DATASET = Dataset(
    meaning="Choices of ten people among 16 categories, for edges and silhouettes.",
    expand=expand,
    reference="Geirhos et al. 2019",
    work="Geirhos R, Rubisch P, Michaelis C, et al. (2019). ICLR, arXiv:1811.12231.",
    writers={"stimuli": write_stimuli, "choices": write_choices},
    licence="CC BY 4.0 (stimuli)",
    size="200 MB, the whole repository",
    source="github.com/rgeirhos/texture-vs-shape",
)
