"""The files of the Algonauts Challenge 2019 are found where they are, and named where they are not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.messages import message
from ventral.configuration.resolution import check_inputs, resolve
from ventral.datasets import algonauts2019
from ventral.datasets.algonauts2019 import FOLDERS, IMAGES, MATRICES, expand
from ventral.recordings import ingestion as recordings
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset


@pytest.mark.parametrize("below", FOLDERS)
def test_files_are_found_in_their_folder_or_the_one_above(tmp_path, below):
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    for file in (IMAGES, *MATRICES.values()):
        (folder / file).touch()
    assert expand(str(tmp_path), "results") == {
        "stimuli": {"algonauts2019": {"images": str(folder / "images.zip"), "size": 400}},
        "recordings": {
            "algonauts2019": {
                "stimuli": "algonauts2019",
                "matrices": {"EVC": str(folder / "fmri_EVC_RDMs.npz"), "IT": str(folder / "fmri_IT_RDMs.npz")},
                "area": {"EVC": "human EVC", "IT": "human IT"},
                "splits": ["stimuli"],
            }
        },
    }


def test_absent_files_are_said(tmp_path):
    assert message(expand, None, "results").startswith(
        "folder: missing; the data set algonauts2019 is not downloaded by itself: "
    )
    assert message(expand, str(tmp_path / "nowhere"), "results") == f"folder: no such folder: {tmp_path / 'nowhere'}"
    folder = tmp_path / "algonauts2019_78"
    folder.mkdir()
    for file in (IMAGES, MATRICES["IT"]):
        (folder / file).touch()
    assert message(expand, str(tmp_path), "results") == (
        f"folder: {tmp_path}: data set algonauts2019 has no fmri_EVC_RDMs.npz in {folder}; it needs images.zip, "
        "fmri_EVC_RDMs.npz, fmri_IT_RDMs.npz there, or in its folder algonauts2019 or algonauts2019_78"
    )


def test_expanding_loads_nothing_slow():
    code = (
        "import sys; from ventral.datasets.algonauts2019 import expand; "
        "assert not {'torch', 'pandas', 'zarr', 'scipy', 'numpy'} & set(sys.modules)"
    )
    path = str(Path(algonauts2019.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})


@pytest.fixture(scope="module")
def published(data_dir):
    path = data_dir / FOLDERS[-1]
    if not path.is_dir():
        pytest.skip(f"no {path}: it is to have {IMAGES} and {', '.join(MATRICES.values())}")
    return path


def test_published_data_are_78_images_in_15_subjects(published, tmp_path):
    config = resolve(
        {
            "dataset": "algonauts2019",
            "data_dir": str(published),
            "models": ["pixels"],
            "results": str(tmp_path / "results"),
        }
    )
    check_inputs(config)
    stimuli.ingest(config["stimuli"]["algonauts2019"], tmp_path / "stimuli.zarr", name="algonauts2019")
    images = read_dataset(tmp_path / "stimuli.zarr")
    assert images["pixels"].shape == (78, 3, 400, 400)
    assert images["stimulus"].values[[0, -1]].tolist() == ["image_01.jpg", "image_78.jpg"]
    spec = config["recordings"]["algonauts2019"]
    recordings.ingest(spec, tmp_path / "stimuli.zarr", tmp_path / "recording.zarr", name="fmri")
    measured = read_dataset(tmp_path / "recording.zarr")
    assert measured["dissimilarities"].shape == (30, 78 * 77 // 2)
    assert list(dict.fromkeys(measured["area"].values)) == ["human EVC", "human IT"]
    np.testing.assert_array_equal(measured["subject"].values, [*range(1, 16)] * 2)
