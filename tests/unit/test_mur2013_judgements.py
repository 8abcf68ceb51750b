"""The data set of similarity judgements, on files like the source's."""

import numpy as np
import pytest
import scipy.io

from ventral.configuration.resolution import resolve
from ventral.datasets import mur2013_judgements
from ventral.errors import InputError


def judgements() -> np.ndarray:
    values = np.random.default_rng(0).random(mur2013_judgements.SHAPE)
    values = values + values.transpose(0, 2, 1)
    values[:, np.arange(92), np.arange(92)] = 0
    return values


def save(path, matrices) -> str:
    people = [{"RDM": matrix, "name": f"simJudge | subject{k}"} for k, matrix in enumerate(matrices, 1)]
    scipy.io.savemat(path, {"rdms_behav_92": people})
    return str(path)


def test_matrices_of_all_people_are_written(tmp_path):
    source = save(tmp_path / mur2013_judgements.FILE, judgements())
    mur2013_judgements.write_matrices(tmp_path / "matrices.npz", source=source)
    np.testing.assert_allclose(np.load(tmp_path / "matrices.npz")["judgements"], judgements())


def test_an_array_of_a_collection_is_read(tmp_path):
    np.savez(tmp_path / mur2013_judgements.ARRAY, human_similarity=judgements())
    np.testing.assert_allclose(mur2013_judgements.read(str(tmp_path / mur2013_judgements.ARRAY)), judgements())


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.mat").write_text("text")
    with pytest.raises(InputError, match="cannot be read"):
        mur2013_judgements.read(str(tmp_path / "text.mat"))
    with pytest.raises(InputError, match=r"matrices \(3, 92, 92\); \(16, 92, 92\) is right"):
        mur2013_judgements.read(save(tmp_path / "three.mat", judgements()[:3]))


def test_the_images_are_those_of_kriegeskorte2008(tmp_path):
    for data_set, file in (
        ("kriegeskorte2008", "Kriegeskorte_Neuron2008_supplementalData.mat"),
        ("mur2013_judgements", mur2013_judgements.FILE),
    ):
        (tmp_path / data_set).mkdir()
        (tmp_path / data_set / file).touch()
    config = resolve(
        {"dataset": ["mur2013_judgements", "kriegeskorte2008"], "data_dir": str(tmp_path), "models": ["pixels"]}
    )
    assert {recording["stimuli"] for recording in config["recordings"].values()} == {"kriegeskorte2008"}
    assert config["recordings"]["mur2013_judgements"]["area"] == "judgements"
    assert len(config["unpacks"]) == 4


def test_files_are_downloaded_or_in_the_folder(tmp_path):
    config = resolve({"dataset": "mur2013_judgements", "models": ["pixels"]})
    assert sorted(config["downloads"]) == [
        "resources/kriegeskorte2008/Kriegeskorte_Neuron2008_supplementalData.mat",
        "resources/mur2013_judgements/92_behavRDMs.mat",
    ]
    (tmp_path / "Kriegeskorte_Neuron2008_supplementalData.mat").touch()
    with pytest.raises(InputError, match=r"data set mur2013_judgements has no 92_behavRDMs\.mat"):
        resolve({"dataset": "mur2013_judgements", "data_dir": str(tmp_path), "models": ["pixels"]})
