"""Reading and checking of behaviour: tables of choices, one row a trial."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead, shown
from ventral.mappings.behaviour import NONE, Choices, accuracy_of_subjects
from ventral.recordings.presentations import match_ids
from ventral.stimuli.tables import read_table, report_columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

logger = logging.getLogger("ventral")

SUBJECT, STIMULUS, CHOICE, DISTRACTOR, TIME = "subject", "stimulus", "choice", "distractor", "rt"
REQUIRED = (SUBJECT, STIMULUS, CHOICE)
TEXT = (*REQUIRED, DISTRACTOR)
MEANINGS = {SUBJECT: "who chose", STIMULUS: "what was shown", CHOICE: "the chosen label"}
# Variable of the store, by which a recording of behaviour is known.
CHOSEN = "choice"
# Columns of the table of a network's classes, and number of the classes of ImageNet.
CATEGORY, CLASS = "category", "imagenet_class"
N_CLASSES = 1000


def check_choices(spec: dict, key: str, stimuli: Mapping[str, NDArray] | None = None) -> None:
    """Check the files of a recording of behaviour.

    Parameters
    ----------
    spec : dict
        A recording with `behaviour`. There, `trials` is the table of choices, and `label` the column of the stimulus
        set with the right choices. `classes`, if given, is the table of a network's classes for each label.
    key : str
        Config key of `spec`, for messages.
    stimuli : mapping of (n,) arrays, optional
        Columns of the stimulus set, including `stimulus`, if they are known.

    Raises
    ------
    InputError
        If a table cannot be read, a column is missing, there is a single subject, or a row names no stimulus or label.
    """
    table = _table(spec["behaviour"], key)
    if stimuli is not None:
        labels = _coded(table, spec, stimuli, key)[1]
        if spec["behaviour"].get("classes"):
            read_classes(spec["behaviour"]["classes"], labels, f"{key}.behaviour.classes")


def choices_dataset(spec: dict, stimulus_set: "xr.Dataset", name: str) -> "xr.Dataset":
    """Return the content of the store of a recording of behaviour.

    Parameters
    ----------
    spec : dict
        As for `check_choices`.
    stimulus_set : Dataset
        Stimuli that were shown.
    name : str
        Name of the recording.

    Returns
    -------
    Dataset
        `choice` (trial), the number of the chosen label, and -1 where none was chosen. `row` (trial) is the stimulus,
        `subject` (trial) the number of the subject and `rt` (trial) the reaction time, NaN if unknown. `distractor`
        (trial) is the number of the wrong label that was offered, if trials had one. `truth` (stimulus) is the right
        label. Coordinates are `stimulus`, `label` and `individual`, the names of labels and subjects. With a table of
        classes, `label_of_class` (class) is the number of the label of each class, and -1 for other classes.

    Raises
    ------
    InputError
        As for `check_choices`.
    """
    import xarray as xr

    key = f"recordings.{name}"
    table = _table(spec["behaviour"], key)
    columns = {column: values.values for column, values in stimulus_set.coords.items()}
    choices, labels, subjects = _coded(table, spec, columns, key)
    report_columns(table, _place(spec["behaviour"], key))
    times = table[TIME].to_numpy(float) if TIME in table else np.full(len(table), np.nan)
    variables = {
        CHOSEN: ("trial", choices.choice),
        "row": ("trial", choices.stimulus),
        "subject": ("trial", choices.subject),
        "rt": ("trial", times),
        "truth": ("stimulus", choices.truth),
    }
    if choices.distractor is not None:
        variables["distractor"] = ("trial", choices.distractor)
    if spec["behaviour"].get("classes"):
        classes = read_classes(spec["behaviour"]["classes"], labels, f"{key}.behaviour.classes")
        variables["label_of_class"] = ("class", classes)
    logger.info(
        "recording %s: %d choices by %d subjects among %d labels, of %d stimuli; right: %.3f",
        name,
        len(table),
        len(subjects),
        len(labels),
        len(choices.truth),
        choices.correct.mean(),
    )
    return xr.Dataset(
        variables,
        coords={
            "stimulus": stimulus_set["stimulus"].values.astype(object),
            "label": np.array(labels, dtype=object),
            "individual": np.array(subjects, dtype=object),
        },
        attrs={
            "recording": name,
            "stimuli": stimulus_set.attrs["name"],
            "stimuli_sha256": stimulus_set.attrs["sha256"],
            "n_repetitions": 1,
            "has_repetitions": False,
            "label_column": spec["behaviour"]["label"],
        },
    )


def choices_of(dataset: "xr.Dataset") -> Choices:
    """Return the choices in the store of a recording of behaviour."""
    return Choices(
        truth=dataset["truth"].values,
        n_labels=dataset.sizes["label"],
        n_subjects=dataset.sizes["individual"],
        stimulus=dataset["row"].values,
        subject=dataset["subject"].values,
        choice=dataset[CHOSEN].values,
        distractor=dataset["distractor"].values if "distractor" in dataset else None,
    )


def read_classes(path: str, labels: Sequence[str], key: str) -> NDArray[np.intp]:
    """Return the number of the label (1000,) of each class of ImageNet, from a table; -1 for classes of no label.

    Parameters
    ----------
    path : str
        Table with columns `category`, a label, and `imagenet_class`, from 0, one row for each class.
    labels : sequence of str
        Labels of the stimuli.
    key : str
        Config key of the table, for messages.

    Raises
    ------
    InputError
        If the table cannot be read, a label has no class, or a class is no class, or that of two labels.
    """
    table = read_table(path, key, (CATEGORY,), (), strict=False)
    place = f"{key}: {path}"
    for column in (CATEGORY, CLASS):
        if column not in table:
            raise InputError(f"{place}: no column `{column}`; columns: {', '.join(table.columns)}")
    found = np.full(N_CLASSES, NONE)
    for row, (label, number) in enumerate(zip(table[CATEGORY], table[CLASS], strict=True), 1):
        if number not in range(N_CLASSES):
            raise InputError(
                f"{place}: column `{CLASS}`, data row {row}: {number} is no class of ImageNet, a whole number from 0 "
                f"to {N_CLASSES - 1}"
            )
        if found[int(number)] != NONE:
            raise InputError(
                f"{place}: column `{CLASS}`, data row {row}: class {number:g} has a label already; each class has one"
            )
        if label in labels:
            found[int(number)] = list(labels).index(label)
    for number, label in enumerate(labels):
        if number not in found:
            raise InputError(f"{place}: column `{CATEGORY}`: no class for {label!r}, a label of the stimuli")
    return found


def _place(behaviour: Mapping, key: str) -> str:
    return f"{key}.behaviour.trials: {behaviour['trials']}"


def _table(behaviour: Mapping, key: str) -> "pd.DataFrame":
    table = read_table(behaviour["trials"], f"{key}.behaviour.trials", TEXT, (), strict=False)
    place = _place(behaviour, key)
    for column in REQUIRED:
        if column not in table:
            raise InputError(
                f"{place}: no column `{column}`, {MEANINGS[column]} in each trial; columns: {', '.join(table.columns)}"
            )
    for column in (SUBJECT, STIMULUS, *([DISTRACTOR] if DISTRACTOR in table else [])):
        _refuse(table[column] == "", table, column, "empty; every trial needs one", place)
    if TIME in table and table[TIME].dtype.kind != "f":
        raise InputError(f"{place}: column `{TIME}` has text; reaction times are numbers")
    if table[SUBJECT].nunique() < 2:
        raise InputError(
            f"{place}: column `{SUBJECT}`, data row 1: {table[SUBJECT][0]!r} is the only subject; agreement between "
            f"subjects, the ceiling, needs two"
        )
    return table


def _coded(
    table: "pd.DataFrame", spec: dict, stimuli: Mapping[str, NDArray], key: str
) -> tuple[Choices, list[str], list[str]]:
    """Return the choices as numbers, and the names of labels and of subjects."""
    place, label = _place(spec["behaviour"], key), spec["behaviour"]["label"]
    if label not in stimuli:
        raise InputError(
            f"{key}.behaviour.label: the stimuli {spec['stimuli']} have no column `{label}`, which says what choice is "
            f"right; give it in the table of the stimuli, or name another column"
        )
    names = np.asarray(stimuli[label]).astype(str)
    labels, truth = np.unique(names, return_inverse=True)
    if len(labels) < 2:
        raise InputError(f"{key}.behaviour.label: the stimuli have one `{label}`, {str(labels[0])!r}; two are needed")
    match = match_ids(table[STIMULUS].to_numpy(str), stimuli)
    if match.missing:
        _refuse(
            table[STIMULUS].isin(match.missing),
            table,
            STIMULUS,
            f"not in the stimulus set; there, they are called {shown(match.names.tolist(), 3)}",
            place,
        )
    if not match.is_unique:
        raise InputError(f"{place}: the stimulus set's {match.kind} has the stimuli, but not every one once")
    numbers = {name: number for number, name in enumerate(labels.tolist())}
    offered = [CHOICE, *([DISTRACTOR] if DISTRACTOR in table else [])]
    for column in offered:
        wrong = ~table[column].isin([*numbers, ""])
        if wrong.any():
            name = table[column][wrong.idxmax()]
            _refuse(wrong, table, column, f"no `{label}` of the stimuli; {allowed_instead(name, numbers)}", place)
    rows = match.rows(table[STIMULUS].to_numpy(str))
    choice, *distractor = (table[column].map({**numbers, "": NONE}).to_numpy(int) for column in offered)
    if distractor:
        right = table[DISTRACTOR] == names[rows]
        _refuse(right, table, DISTRACTOR, f"the right `{label}`; a distractor is wrong", place)
        neither = (choice != NONE) & (choice != distractor[0]) & (choice != truth[rows])
        _refuse(neither, table, CHOICE, f"neither the distractor nor the right `{label}`", place)
    subjects, subject = np.unique(table[SUBJECT].to_numpy(str), return_inverse=True)
    choices = Choices(truth, len(labels), len(subjects), rows, subject, choice, distractor[0] if distractor else None)
    _refuse_unconnected(choices, place)
    return choices, labels.tolist(), subjects.tolist()


def _refuse(wrong: Sequence[bool], table: "pd.DataFrame", column: str, problem: str, place: str) -> None:
    """Refuse the first row that is wrong, by its number."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        value = table[column].iloc[rows[0]]
        raise InputError(
            f"{place}: column `{column}`, data row {rows[0] + 1}: {value!r}: {problem} ({len(rows)} such rows)"
        )


def _refuse_unconnected(choices: Choices, place: str) -> None:
    """Refuse choices in which no two subjects were shown the same stimulus."""
    shown_to = np.isfinite(accuracy_of_subjects(choices)).sum(axis=0)
    if shown_to.max() < 2:
        raise InputError(
            f"{place}: column `{SUBJECT}`, data row 1: no stimulus was shown to two subjects; the ceiling is their "
            f"agreement on the same stimuli"
        )
