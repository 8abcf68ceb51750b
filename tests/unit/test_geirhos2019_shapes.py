"""The data set of edges and silhouettes, on small files like the source's."""

import gzip

import pandas as pd
import pytest

from ventral.configuration.resolution import resolve
from ventral.datasets import geirhos2019_shapes
from ventral.errors import InputError
from ventral.recordings.choices import read_classes

HEADER = "subj,session,trial,rt,object_response,category,condition,imagename"
LABELS = [
    "airplane",
    "bear",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "car",
    "cat",
    "chair",
    "clock",
    "dog",
    "elephant",
    "keyboard",
    "knife",
    "oven",
    "truck",
]


def trials(mark: str, subject: str) -> str:
    answers = {"oven": "knife", "bear": "na"}
    return "\n".join(
        f"{subject},1,{k},0.8,{answers.get(label, label)},{label},0,{k:04d}_{mark}_s01_0_{label}_00_{label}10.png"
        for k, label in enumerate(("oven", "bear", "car"), 1)
    )


@pytest.fixture
def collection(tmp_path):
    """A folder of a collection, with one table of both experiments."""
    folder = tmp_path / "geirhos2019_shapes"
    folder.mkdir()
    for name in ("edges", "filled-silhouettes"):
        (folder / f"{name}.zip").touch()
    rows = [
        f"{experiment},{row}"
        for experiment, mark in (("edge-experiment", "edg"), ("silhouette-filled-experiment", "sif"))
        for subject in ("subject-01", "subject-02")
        for row in trials(mark, subject).splitlines()
    ]
    with gzip.open(folder / "human_trials.csv.gz", "wt") as file:
        file.write("\n".join([f"experiment,{HEADER}", *rows]))
    return tmp_path


@pytest.fixture
def clone(tmp_path):
    """A clone of the repository, with a table for each subject."""
    for source, experiment in geirhos2019_shapes.EXPERIMENTS.values():
        (tmp_path / "stimuli" / source).mkdir(parents=True)
        folder = tmp_path / "raw-data" / experiment
        folder.mkdir(parents=True)
        for k in range(1, 11):
            name = f"{experiment}_subject-{k:02d}_session_1.csv"
            (folder / name).write_text(f"{HEADER}\n{trials('edg', f'subject-{k:02d}')}\n")
        (folder / f"{experiment}_alexnet_session_1.csv").write_text(f"{HEADER}\n{trials('edg', 'alexnet')}\n")
    return tmp_path


def written(expanded: dict, tmp_path, kind: str) -> pd.DataFrame:
    made = next(made for path, made in expanded["unpacks"].items() if path.endswith(f"edges_{kind}.csv"))
    geirhos2019_shapes.DATASET.writers[made["writer"]](tmp_path / kind, **made["inputs"], **made["options"])
    return pd.read_csv(tmp_path / kind, keep_default_na=False)


@pytest.mark.parametrize(("given", "n_subjects"), [("collection", 2), ("clone", 10)])
def test_choices_and_stimuli_are_those_of_the_source(given, n_subjects, request, tmp_path):
    folder = request.getfixturevalue(given)
    expanded = geirhos2019_shapes.expand(str(folder), "results")
    choices, stimuli = written(expanded, tmp_path, "choices"), written(expanded, tmp_path, "stimuli")
    assert choices.columns.tolist() == ["subject", "stimulus", "choice", "rt"]
    assert choices["subject"].nunique() == n_subjects
    assert len(choices) == 3 * n_subjects
    first = choices.head(3)
    assert first["stimulus"].tolist() == ["oven/oven10.png", "bear/bear10.png", "car/car10.png"]
    assert first["choice"].tolist() == ["knife", "", "car"]
    assert stimuli["stimulus"].tolist() == ["bear/bear10.png", "car/car10.png", "oven/oven10.png"]
    assert stimuli["category"].tolist() == ["bear", "car", "oven"]


def test_the_config_is_whole(collection):
    config = resolve({"dataset": {"geirhos2019_shapes": {"folder": str(collection)}}, "models": ["pixels"]})
    assert list(config["recordings"]) == ["geirhos2019_shapes_edges", "geirhos2019_shapes_silhouettes"]
    edges = config["recordings"]["geirhos2019_shapes_edges"]
    assert edges["behaviour"]["label"] == "category"
    assert "group" not in edges
    assert config["stimuli"]["geirhos2019_shapes_edges"]["images"].endswith("edges.zip")


def test_every_category_has_classes():
    classes = read_classes(str(geirhos2019_shapes.CLASSES), LABELS, "classes")
    assert set(classes) == {-1, *range(16)}
    assert LABELS[classes[404]] == "airplane"
    assert LABELS[classes[294]] == "bear"
    assert (classes >= 0).sum() == 207


def test_a_folder_is_needed_and_has_the_files(tmp_path):
    with pytest.raises(InputError, match=r"folder: missing; geirhos2019_shapes is not downloaded: `git clone"):
        geirhos2019_shapes.expand(None, "results")
    with pytest.raises(InputError, match="folder: no such folder"):
        geirhos2019_shapes.expand(str(tmp_path / "absent"), "results")
    with pytest.raises(InputError, match=r"has neither edges\.zip and human_trials\.csv\.gz there"):
        geirhos2019_shapes.expand(str(tmp_path), "results")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("subj,rt\ns,1\n", "no column imagename, object_response, category"),
        (f"experiment,{HEADER}\n", "no trial of edge-experiment"),
        ("", "cannot be read as tables of trials"),
    ],
)
def test_other_tables_are_refused(tmp_path, content, expected):
    (tmp_path / "trials.csv").write_text(content)
    with pytest.raises(InputError, match=expected):
        geirhos2019_shapes.read(str(tmp_path / "trials.csv"), "edge-experiment")
