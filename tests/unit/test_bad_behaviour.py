"""Users' mistakes in tables of choices and of classes, each with the bad table itself."""

import numpy as np
import pandas as pd
import pytest

from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.recordings.choices import choices_of
from ventral.recordings.ingestion import check, ingest
from ventral.store import read_dataset, write_dataset

STIMULI = {
    "stimulus": np.array(["boat/a.png", "boat/b.png", "car/c.png", "car/d.png"]),
    "category": np.array(["boat", "boat", "car", "car"]),
}
ROWS = [
    {"subject": person, "stimulus": name, "choice": label, "rt": 0.5}
    for person in ("s1", "s2")
    for name, label in zip(STIMULI["stimulus"], STIMULI["category"], strict=True)
]


def changed(row: int, **values) -> list[dict]:
    return [{**old, **(values if k == row else {})} for k, old in enumerate(ROWS)]


def with_distractors(**values) -> list[dict]:
    wrong = {"boat": "car", "car": "boat"}
    rows = [{**row, "distractor": wrong[row["choice"]]} for row in ROWS]
    return [{**row, **(values if k == 2 else {})} for k, row in enumerate(rows)]


@pytest.fixture
def recording(tmp_path):
    def save(rows, **options) -> dict:
        pd.DataFrame(rows).to_csv(tmp_path / "choices.csv", index=False)
        return {
            "stimuli": "mine",
            "behaviour": {"trials": str(tmp_path / "choices.csv"), "label": "category", **options},
        }

    return save


BAD = {
    "no subject": ([{k: v for k, v in row.items() if k != "subject"} for row in ROWS], "no column `subject`"),
    "no stimulus": ([{k: v for k, v in row.items() if k != "stimulus"} for row in ROWS], "no column `stimulus`"),
    "no choice": ([{k: v for k, v in row.items() if k != "choice"} for row in ROWS], "no column `choice`"),
    "unknown stimulus": (
        changed(2, stimulus="car/z.png"),
        "column `stimulus`, data row 3: 'car/z.png': not in the stimulus set; there, they are called",
    ),
    "choice of no label": (changed(5, choice="ship"), "column `choice`, data row 6: 'ship': no `category`"),
    "subject without a name": (changed(1, subject=""), "column `subject`, data row 2: '': empty"),
    "single subject": (ROWS[:4], "column `subject`, data row 1: 's1' is the only subject"),
    "subjects apart": (ROWS[:2] + ROWS[6:], "column `subject`, data row 1: no stimulus was shown to two subjects"),
    "time in words": (changed(0, rt="fast"), "column `rt` has text"),
    "distractor of no label": (
        with_distractors(distractor="ship"),
        "column `distractor`, data row 3: 'ship': no `category`",
    ),
    "right distractor": (
        with_distractors(distractor="car"),
        "column `distractor`, data row 3: 'car': the right `category`",
    ),
    "no distractor": (with_distractors(distractor=""), "column `distractor`, data row 3: '': empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_of_choices_are_refused_by_file_and_row(recording, name):
    rows, expected = BAD[name]
    with pytest.raises(InputError) as refused:
        check(recording(rows), stimuli=STIMULI)
    assert expected in str(refused.value)
    assert "recordings.behaviour.trials: " in str(refused.value)
    assert "choices.csv" in str(refused.value)


def test_a_third_choice_of_two_is_refused(recording):
    stimuli = {
        "stimulus": np.array([*STIMULI["stimulus"], "dog/e.png"]),
        "category": np.array([*STIMULI["category"], "dog"]),
    }
    with pytest.raises(InputError, match="column `choice`, data row 3: 'dog': neither the distractor nor the right"):
        check(recording(with_distractors(choice="dog")), stimuli=stimuli)


def test_stimuli_without_labels_are_refused(recording):
    with pytest.raises(InputError, match=r"behaviour\.label: the stimuli mine have no column `object`"):
        check(recording(ROWS, label="object"), stimuli=STIMULI)
    one = {**STIMULI, "category": np.full(4, "car")}
    with pytest.raises(InputError, match="the stimuli have one `category`, 'car'; two are needed"):
        check(recording(ROWS), stimuli=one)


CLASSES = {
    "no column": ([{"category": "car", "number": 1}], "no column `imagenet_class`"),
    "class of no network": ([{"category": "car", "imagenet_class": 1000}], "data row 1: 1000.0 is no class"),
    "class twice": (
        [{"category": "car", "imagenet_class": 3}, {"category": "boat", "imagenet_class": 3}],
        "data row 2: class 3 has a label already",
    ),
    "label without a class": ([{"category": "car", "imagenet_class": 3}], "no class for 'boat'"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_bad_tables_of_classes_are_refused(recording, tmp_path, name):
    rows, expected = CLASSES[name]
    pd.DataFrame(rows).to_csv(tmp_path / "classes.csv", index=False)
    with pytest.raises(InputError) as refused:
        check(recording(ROWS, classes=str(tmp_path / "classes.csv")), stimuli=STIMULI)
    assert expected in str(refused.value)
    assert "recordings.behaviour.classes: " in str(refused.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"responses": "r.npy"}, "it has responses and behaviour"),
        ({"area": "IT"}, "area: belongs to `responses`, not to `behaviour`"),
    ],
)
def test_other_responses_beside_behaviour_are_refused(options, expected):
    config = {
        "stimuli": {"mine": {"images": "images"}},
        "recordings": {"r": {"stimuli": "mine", "behaviour": {"trials": "choices.csv"}, **options}},
        "models": ["pixels"],
    }
    with pytest.raises(InputError, match=expected):
        resolve(config)


@pytest.mark.parametrize("key", ["recorded_models", "reverse"])
def test_behaviour_is_no_model(key):
    config = {
        "stimuli": {"mine": {"images": "images"}},
        "recordings": {"r": {"stimuli": "mine", "behaviour": {"trials": "choices.csv"}}},
        "models": ["pixels"],
        key: ["r"],
    }
    with pytest.raises(InputError, match="r has behaviour, but predictions need responses of neuroids"):
        resolve(config)


def test_choices_are_stored_as_they_are_in_the_table(recording, tmp_path):
    import xarray as xr

    stimuli = xr.Dataset(
        coords={name: ("stimulus", values.astype(object)) for name, values in STIMULI.items()},
        attrs={"name": "mine", "sha256": "0" * 64},
    )
    write_dataset(stimuli, tmp_path / "stimuli.zarr")
    # Names without folders and extension, and a trial without a choice.
    rows = [{**row, "stimulus": row["stimulus"][-5]} for row in changed(6, choice="")]
    ingest(recording(rows), tmp_path / "stimuli.zarr", tmp_path / "r.zarr", name="r")
    stored = read_dataset(tmp_path / "r.zarr")
    choices = choices_of(stored)
    assert stored["label"].values.tolist() == ["boat", "car"]
    assert stored["individual"].values.tolist() == ["s1", "s2"]
    np.testing.assert_array_equal(choices.stimulus, [0, 1, 2, 3] * 2)
    np.testing.assert_array_equal(choices.subject, [0] * 4 + [1] * 4)
    np.testing.assert_array_equal(choices.choice, [0, 0, 1, 1, 0, 0, -1, 1])
    np.testing.assert_array_equal(stored["rt"].values, 0.5)
    assert choices.correct.sum() == 7
