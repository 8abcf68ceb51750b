"""THINGS-fMRI on made-up files of its layout: each area's voxels are made of one feature of the images."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.messages import message
from tests.unit.published import correlations, patches, read, responds_to_its_own
from ventral.configuration.resolution import resolve
from ventral.datasets import things_fmri

FEATURE_OF_AREA = {"V1": 0, "V2": 1, "V3": 2, "V4": 3, "IT": 4}
N_CONCEPTS, N_EACH, N_TEST, N_SESSIONS, N_VOXELS = 20, 12, 10, 12, 1200
# Per cent of the variance of single responses that is signal, with as much noise as signal.
SINGLE, OF_TWELVE = 50.0, 100 * 12 / 13


def write_table(path: Path, key: str, frame: pd.DataFrame, values: np.ndarray) -> None:
    """Write a table of numbers as pandas does (`to_hdf`, fixed): integers and numbers in a block each."""
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group.attrs["pandas_type"] = b"frame"
        group["axis1"] = np.arange(len(frame))
        group["block0_items"], group["block0_values"] = np.arange(values.shape[1]), values
        group["block1_items"], group["block1_values"] = [b"voxel_id"], frame[["voxel_id"]].to_numpy()


def write_subject(folder: Path, number: int, grey: dict[str, np.ndarray], test: list[str]) -> None:
    rng = np.random.default_rng(number)
    rows = [(name, "train", session) for session in range(1, 13) for name in grey if f"_{session:02d}s" in name]
    rows = [row for row in rows if row[0] not in test]
    rows += [(name, "test", session) for session in range(1, 13) for name in test]
    trials = pd.DataFrame(rows, columns=["stimulus", "trial_type", "session"]).sample(frac=1, random_state=number)
    trials = trials.sort_values("session", kind="stable").reset_index(drop=True)
    trials["trial_id"] = np.arange(len(trials))
    trials.to_csv(folder / things_fmri.TRIALS.format(number))
    regions = list(things_fmri.REGIONS)
    own = rng.choice(["", "", *regions], N_VOXELS)
    voxels = pd.DataFrame(
        {"voxel_id": np.arange(N_VOXELS), "subject_id": number, "voxel_x": rng.integers(0, 70, N_VOXELS)}
    )
    voxels["nc_singletrial"], voxels["nc_testset"] = SINGLE, OF_TWELVE
    voxels.loc[::9, ["nc_singletrial", "nc_testset"]] = 1.0, 11.0
    voxels = voxels.assign(**{region: (own == region).astype(int) for region in regions}, lFFA=0, **{"LO1 (prf)": 0})
    voxels.to_csv(folder / things_fmri.VOXELS.format(number))
    features = np.array([grey[name] for name in trials["stimulus"]])
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    areas = [FEATURE_OF_AREA.get(things_fmri.REGIONS.get(region), -1) for region in own]
    values = rng.standard_normal((N_VOXELS, len(trials)))
    values += np.where(np.array(areas)[:, None] >= 0, standard[:, areas].T, 0)
    write_table(folder / things_fmri.RESPONSES.format(number), "ResponseData", voxels, values)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a folder with two subjects, 20 concepts of 12 training images, and 10 test images of 12 repetitions."""
    folder, rng = tmp_path_factory.mktemp("things"), np.random.default_rng(0)
    test = [f"thing{k}_13s.jpg" for k in range(N_TEST)]
    names = [f"concept_{k}_{j:02d}s.jpg" for k in range(N_CONCEPTS) for j in range(1, N_EACH + 1)] + test
    grey = {name: rng.integers(0, 256, 5).astype(np.uint8) for name in names}
    # One that nobody was shown.
    for name, values in {**grey, "concept_0_20s.jpg": np.zeros(5, np.uint8)}.items():
        path = folder / things_fmri.IMAGES / name.rpartition("_")[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.repeat(np.repeat(values[None], 40, axis=0), 8, axis=1)).save(path, quality=95)
    (folder / "betas_csv").mkdir()
    for number in (1, 2):
        write_subject(folder / "betas_csv", number, grey, test)
    return folder


@pytest.fixture(scope="module")
def ingested(published, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Images of 500 pixels take seconds.
        patch.setattr(things_fmri, "SIZE", 40)
        return read("things_fmri", published, tmp_path_factory.mktemp("results"), subjects=[1, 2])


@pytest.mark.parametrize("subject", ["sub01", "sub02"])
def test_each_area_responds_to_the_feature_that_its_voxels_are_made_of(ingested, subject):
    _, sets, recordings = ingested
    recording, features = recordings[f"things_fmri_{subject}"], patches(sets["things_fmri"], 5)
    assert recording["responses"].shape == (12, N_CONCEPTS * N_EACH + N_TEST, recording.sizes["neuroid"])
    found = correlations(recording, features)
    assert responds_to_its_own(found, FEATURE_OF_AREA, least=0.5)
    assert set(recording["animal"].values) == {subject}
    assert set(recording["roi"].values) == set(things_fmri.REGIONS)


def test_test_images_have_twelve_repetitions_and_their_ceiling(ingested):
    config, sets, recordings = ingested
    is_test = sets["things_fmri"]["part"].values == "test"
    assert config["recordings"]["things_fmri_sub01"]["splits"] == [{"name": "published", "partition": "part"}]
    recording = recordings["things_fmri_sub01"]
    counts = (~np.isnan(recording["responses"].values)).sum(axis=0)
    assert set(counts[is_test].ravel()) == {12}
    assert set(counts[~is_test].ravel()) == {1}
    # As much noise as signal: snr 1.
    np.testing.assert_allclose(recording["given_signal_to_noise"], 1)
    features = patches(sets["things_fmri"], 5)[is_test]
    found = correlations(recording.isel(stimulus=np.flatnonzero(is_test)), features)
    own = [np.median(found[area][:, feature]) for area, feature in FEATURE_OF_AREA.items()]
    np.testing.assert_allclose(own, np.sqrt(OF_TWELVE / 100), atol=0.02)


def test_the_concept_is_a_column_and_images_that_nobody_saw_are_left_out(ingested):
    _, sets, _ = ingested
    concepts = dict(zip(sets["things_fmri"]["stimulus"].values, sets["things_fmri"]["concept"].values, strict=True))
    assert concepts["concept_3_07s.jpg"] == "concept_3"
    assert concepts["thing4_13s.jpg"] == "thing4"
    assert "concept_0_20s.jpg" not in concepts


@pytest.mark.parametrize("wrong", ["trials", "voxels"])
def test_wrong_orders_are_seen_in_the_scores(published, tmp_path, monkeypatch, wrong):
    """The files of the other tests could not pass with rows in another order."""
    monkeypatch.setattr(things_fmri, "SIZE", 40)
    shutil.copytree(published, tmp_path / "things")
    with h5py.File(tmp_path / "things" / "betas_csv" / "sub-01_ResponseData.h5", "r+") as file:
        values = file[things_fmri.BLOCK]
        values[...] = values[()][:, ::-1] if wrong == "trials" else values[()][::-1]
    _, sets, recordings = read("things_fmri", tmp_path / "things", tmp_path / "results")
    found = correlations(recordings["things_fmri_sub01"], patches(sets["things_fmri"], 5))
    assert not responds_to_its_own(found, FEATURE_OF_AREA, least=0.5)


def test_absent_files_are_said(published, tmp_path):
    def said(folder, **options):
        return message(resolve, {"dataset": {"things_fmri": {"folder": folder, **options}}, "models": ["pixels"]})

    assert "dataset.things_fmri.folder: missing; the data set things_fmri is not downloaded by itself" in said(None)
    assert "has no sub-03_ResponseData.h5, sub-03_StimulusMetadata.csv, sub-03_VoxelMetadata.csv" in said(
        str(published), subjects=[1, 3]
    )
    shutil.copytree(published / "betas_csv", tmp_path / "betas_csv")
    assert f"{tmp_path}: no folder object_images there, with the images of THINGS by concept" in said(str(tmp_path))


def test_an_image_that_is_not_there_is_named(published, tmp_path):
    trials = [str(published / "betas_csv" / "sub-01_StimulusMetadata.csv")]
    shutil.copytree(published / things_fmri.IMAGES, tmp_path / "images")
    (tmp_path / "images" / "thing4" / "thing4_13s.jpg").unlink()
    said = message(things_fmri.write_images, tmp_path / "images.zip", trials=trials, images=str(tmp_path / "images"))
    assert said.startswith(
        f"things_fmri: {tmp_path / 'images'}: 1 of 250 images that were shown are not there: thing4/"
    )
    assert not (tmp_path / "images.zip").exists()


def test_tables_that_are_not_the_source_s_are_refused(published, tmp_path):
    path = tmp_path / "table.csv"
    trials = pd.read_csv(published / "betas_csv" / "sub-01_StimulusMetadata.csv")
    voxels = pd.read_csv(published / "betas_csv" / "sub-01_VoxelMetadata.csv")
    trials.assign(trial_type=["catch", *trials["trial_type"][1:]]).to_csv(path)
    assert message(things_fmri.parts_of_images, [path]) == (
        f"things_fmri: {path}: column `trial_type`, data row 1: 'catch'; train or test is right"
    )
    trials.assign(trial_type=["test" if part == "train" else "train" for part in trials["trial_type"]]).to_csv(path)
    both = [published / "betas_csv" / "sub-01_StimulusMetadata.csv", path]
    assert "is train here, and test before; one is right" in message(things_fmri.parts_of_images, both).replace(
        "is test here, and train before", "is train here, and test before"
    )
    trials.drop(columns="stimulus").to_csv(path)
    assert f"{path}: no column `stimulus`; columns: " in message(things_fmri.parts_of_images, [path])
    voxels.drop(columns="glasser-FFC").to_csv(path)
    assert f"{path}: no column `glasser-FFC`; columns: " in message(things_fmri.chosen_voxels, path, 30)
    voxels.astype({"hV4": str}).assign(hV4=["?", *voxels["hV4"].astype(str)[1:]]).to_csv(path)
    assert message(things_fmri.chosen_voxels, path, 30) == (
        f"things_fmri: {path}: column `hV4`, data row 1: '?' is no number"
    )
    voxels.to_csv(path)
    assert "has an `nc_testset` of 99 or more; set it lower (in per cent)" in message(
        things_fmri.chosen_voxels, path, 99
    )
    path.write_text("")
    assert f"{path}: cannot be read as a table" in message(things_fmri.chosen_voxels, path, 30)
    path.unlink()
    assert f"{path}: cannot be read as a table" in message(things_fmri.chosen_voxels, path, 30)


def test_responses_that_do_not_fit_the_tables_are_refused(published, tmp_path):
    betas, path = published / "betas_csv", tmp_path / "sub-01_ResponseData.h5"
    inputs = {"own": str(betas / "sub-01_StimulusMetadata.csv"), "voxels": str(betas / "sub-01_VoxelMetadata.csv")}
    inputs |= {"trials": [inputs["own"]], "responses": str(path)}

    def said():
        return message(things_fmri.write_responses, tmp_path / "responses.npy", **inputs, least=30)

    frame = pd.read_csv(inputs["voxels"])
    write_table(path, "ResponseData", frame, np.zeros((N_VOXELS, 7)))
    assert f"{path}: array `ResponseData/block0_values` (1200, 7); numbers (1200 voxels, 360 trials), as in" in said()
    write_table(path, "ResponseData", frame[::-1], np.zeros((N_VOXELS, 360)))
    assert f"{path}: `voxel_id` differs from {inputs['voxels']}" in said()
    write_table(path, "Other", frame, np.zeros((N_VOXELS, 360)))
    assert f"{path}: no array `ResponseData/block0_values`; it has Other; the pandas table of the source" in said()
    path.write_text("no HDF5")
    assert f"{path}: no HDF5 file" in said()
    assert not (tmp_path / "responses.npy").exists()
