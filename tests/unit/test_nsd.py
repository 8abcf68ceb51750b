"""NSD on made-up files of its layout: each area's voxels are made of one feature of the images."""

import shutil
import sys

import h5py
import nibabel
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tests.messages import message
from tests.unit.published import correlations, patches, read, responds_to_its_own
from tests.unit.synthetic_nsd import FEATURE_OF_AREA, N_IMAGES, N_SHARED, SIDE, paths_of, write_nsd, write_volume
from ventral.configuration.resolution import resolve
from ventral.datasets import nsd
from ventral.recordings.ingestion import mean_responses


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nsd")
    write_nsd(folder)
    return folder


@pytest.fixture(scope="module")
def ingested(published, tmp_path_factory):
    return read("nsd", published, tmp_path_factory.mktemp("results"), subjects=[1, 2], sessions=2)


@pytest.mark.parametrize("subject", ["subj01", "subj02"])
def test_each_area_responds_to_the_feature_that_its_voxels_are_made_of(ingested, subject):
    _, sets, recordings = ingested
    name = f"nsd_{subject}"
    recording, features = recordings[name], patches(sets[name], 5)
    assert recording["responses"].shape == (3, N_IMAGES, recording.sizes["neuroid"])
    found = correlations(recording, features)
    assert responds_to_its_own(found, FEATURE_OF_AREA)
    # The ceiling of a mean of three responses; the model is perfect.
    own = [np.median(found[area][:, feature]) for area, feature in FEATURE_OF_AREA.items()]
    np.testing.assert_allclose(own, np.sqrt(1 / (1 + 1 / 3)), atol=0.03)
    np.testing.assert_allclose(recording["given_ceiling"], np.sqrt(1 / (1 + 1 / 3)), rtol=1e-6)
    np.testing.assert_allclose(np.median(recording["reliability"]), 1 / (1 + 1 / 3), atol=0.03)
    assert set(recording["animal"].values) == {subject}
    assert set(recording["roi"].values) == {*nsd.VISUAL.values(), "ventral"}


def test_voxels_have_mean_0_and_deviation_1_within_each_session(published):
    paths = paths_of(published, "subj01")
    places, _ = nsd.chosen_voxels(paths["ncsnr"], paths["visual"], paths["streams"], 0.2)
    for file in ("betas_session01.hdf5", "betas_session02.nii.gz"):
        values = nsd.betas_of_session(paths["betas"] / file, (SIDE,) * 3, places)
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(values.std(axis=0), 1)


def test_shared_images_are_the_published_test_set(published, ingested):
    config, sets, _ = ingested
    assert config["recordings"]["nsd_subj01"]["splits"] == [{"name": "published", "partition": "part"}]
    names = {subject: sets[f"nsd_{subject}"]["stimulus"].values for subject in ("subj01", "subj02")}
    parts = {subject: sets[f"nsd_{subject}"]["part"].values for subject in ("subj01", "subj02")}
    tested = {subject: names[subject][parts[subject] == "test"].tolist() for subject in names}
    assert tested["subj01"] == tested["subj02"]
    assert len(tested["subj01"]) == N_SHARED
    assert not set(names["subj01"][parts["subj01"] == "train"]) & set(loadmat(published / nsd.DESIGN)["sharedix"][0])


def test_the_same_betas_are_the_same_in_both_formats(published, tmp_path):
    paths = paths_of(published, "subj01")
    with h5py.File(paths["betas"] / "betas_session01.hdf5") as file:
        write_volume(tmp_path / "betas_session01.nii.gz", file["betas"][()].T)
    places, _ = nsd.chosen_voxels(paths["ncsnr"], paths["visual"], paths["streams"], 0.2)
    hdf5, nifti = (
        nsd.betas_of_session(folder / f"betas_session01{suffix}", (SIDE,) * 3, places)
        for folder, suffix in ((paths["betas"], ".hdf5"), (tmp_path, ".nii.gz"))
    )
    np.testing.assert_array_equal(hdf5, nifti)


@pytest.mark.parametrize("wrong", ["rois", "betas", "trials"])
def test_wrong_orders_are_seen_in_the_scores(published, tmp_path, wrong):
    """The files of the other tests could not pass with axes or trials in another order."""
    shutil.copytree(published, tmp_path / "nsd")
    paths = paths_of(tmp_path / "nsd", "subj01")
    if wrong == "rois":
        for name in ("visual", "streams", "ncsnr"):
            write_volume(paths[name], np.ascontiguousarray(nibabel.load(paths[name]).dataobj).T)
    with h5py.File(paths["betas"] / "betas_session01.hdf5", "r+") as file:
        if wrong == "betas":
            file["betas"][...] = file["betas"][()].transpose(0, 3, 2, 1)
        if wrong == "trials":
            file["betas"][...] = file["betas"][()][::-1]
    _, sets, recordings = read("nsd", tmp_path / "nsd", tmp_path / "results", sessions=1)
    found = correlations(recordings["nsd_subj01"], patches(sets["nsd_subj01"], 5))
    assert not responds_to_its_own(found, FEATURE_OF_AREA)


def test_images_that_were_not_shown_again_have_no_such_response(published, tmp_path):
    _, _, recordings = read("nsd", published, tmp_path, sessions=1)
    responses = recordings["nsd_subj01"]["responses"].values
    shown = ~np.isnan(responses)
    assert shown.sum(axis=(0, 1)).tolist() == [nsd.TRIALS] * responses.shape[2]
    assert set(shown.sum(axis=0).ravel()) == {1, 2, 3}
    assert mean_responses(recordings["nsd_subj01"]).notnull().all()


def test_a_voxel_that_is_constant_in_a_session_has_no_responses_there(published, tmp_path):
    shape = (3, 2, 1)
    betas = np.random.default_rng(0).integers(-900, 900, (nsd.TRIALS, *shape), dtype=np.int16)
    betas[:, 1, 0, 0] = 7
    with h5py.File(tmp_path / "betas.hdf5", "w") as file:
        file["betas"] = betas
    values = nsd.betas_of_session(tmp_path / "betas.hdf5", shape, np.array([0, 2]))
    assert np.isnan(values[:, 1]).all()
    assert np.isfinite(values[:, 0]).all()


def test_absent_files_are_said(published, tmp_path):
    def said(folder, **options):
        return message(resolve, {"dataset": {"nsd": {"folder": folder, **options}}, "models": ["pixels"]})

    assert "dataset.nsd.folder: missing; the data set nsd is not downloaded by itself" in said(None)
    assert f"no such folder: {tmp_path / 'nowhere'}" in said(str(tmp_path / "nowhere"))
    assert "has no nsddata/ppdata/subj03/func1pt8mm/roi/prf-visualrois.nii.gz" not in said(str(published))
    assert "nsddata/ppdata/subj03/func1pt8mm/roi/prf-visualrois.nii.gz" in said(str(published), subjects=[3])
    assert (
        "no betas_session03.hdf5, nor betas_session03.nii.gz (38 of 40 sessions of subj01 are absent); get them, or "
        "give the number of first sessions as `sessions`" in said(str(published))
    )
    assert "dataset.nsd.sessions: 31, where subj04 has 30" in said(str(published), subjects=[4], sessions=31)


def test_a_session_of_other_trials_or_voxels_is_refused(tmp_path):
    path = tmp_path / "betas.hdf5"
    for shape in ((nsd.TRIALS - 1, 3, 2, 1), (nsd.TRIALS, 1, 2, 3)):
        with h5py.File(path, "w") as file:
            file["betas"] = np.zeros(shape, dtype=np.int16)
        said = message(nsd.betas_of_session, path, (3, 2, 1), np.array([0]))
        assert said.startswith(f"nsd: {path}: array `betas` {shape}")
        assert said.endswith("750 trials of (3, 2, 1), as in `ncsnr` and the ROIs, are right")
    write_volume(tmp_path / "betas.nii.gz", np.zeros((1, 2, 4, nsd.TRIALS), dtype=np.int16))
    assert "the image (1, 2, 4, 750)" in message(
        nsd.betas_of_session, tmp_path / "betas.nii.gz", (3, 2, 1), np.array([0])
    )
    with h5py.File(path, "w") as file:
        file["beta"] = np.zeros(3)
    assert message(nsd.betas_of_session, path, (3, 2, 1), np.array([0])) == (
        f"nsd: {path}: no array `betas`; it has beta; betas (trials, z, y, x) are right"
    )
    path.write_bytes(path.read_bytes()[:100])
    assert f"nsd: {path}: cannot be read, or cut short" in message(nsd.betas_of_session, path, (3, 2, 1), np.array([0]))
    path.write_text("no HDF5")
    assert message(nsd.betas_of_session, path, (3, 2, 1), np.array([0])).startswith(f"nsd: {path}: no HDF5 file")


def test_volumes_that_do_not_fit_are_refused(published, tmp_path):
    paths = {name: str(path) for name, path in paths_of(published, "subj01").items()}
    del paths["betas"]
    assert "none of" in message(nsd.chosen_voxels, **paths, least=99)
    assert "has an ncsnr of 99 or more; set `ncsnr` lower" in message(nsd.chosen_voxels, **paths, least=99)
    other = tmp_path / "streams.nii.gz"
    write_volume(other, np.zeros((SIDE, SIDE, SIDE + 1), dtype=np.int16))
    said = message(nsd.chosen_voxels, **paths | {"streams": str(other)}, least=0.2)
    assert said.startswith(f"nsd: {other}: its shape is (6, 6, 7), where {paths['ncsnr']} has (6, 6, 6)")
    write_volume(other, np.zeros((SIDE, SIDE, SIDE, 2), dtype=np.int16))
    said = message(nsd.chosen_voxels, **paths | {"streams": str(other)}, least=0.2)
    assert said == f"nsd: {other}: its shape is (6, 6, 6, 2); 3 axes are right"
    other.write_bytes(b"\x1f\x8b broken")
    said = message(nsd.chosen_voxels, **paths | {"streams": str(other)}, least=0.2)
    assert said.startswith(f"nsd: {other}: cannot be read as NIfTI, damaged or cut short")


def test_a_compressed_volume_that_is_cut_short_is_named(tmp_path):
    path = tmp_path / "betas.nii.gz"
    noise = np.random.default_rng(0).integers(-900, 900, (1, 2, 3, nsd.TRIALS), dtype=np.int16)
    write_volume(path, noise)
    path.write_bytes(path.read_bytes()[:5000])
    said = message(nsd.betas_of_session, path, (3, 2, 1), np.array([0]))
    assert said.startswith(f"nsd: {path}: damaged or cut short")


def test_without_nibabel_the_extra_is_named(published, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    path = paths_of(published, "subj01")["ncsnr"]
    assert message(nsd.chosen_voxels, path, path, path, 0.2) == (
        f"nsd: {path}: NIfTI files need nibabel, which is not installed: pip install 'ventral[fmri]'"
    )


def test_another_design_or_brick_is_refused(published, tmp_path):
    design, brick = tmp_path / "nsd_expdesign.mat", tmp_path / "nsd_stimuli.hdf5"
    content = {name: loadmat(published / nsd.DESIGN)[name] for name in ("masterordering", "subjectim", "sharedix")}
    savemat(design, {name: values for name, values in content.items() if name != "sharedix"})
    assert message(nsd.shared_images, design) == (
        f"nsd: {design}: no array of numbers `sharedix`; the source's nsd_expdesign.mat is right"
    )
    savemat(design, content | {"masterordering": 0 * content["masterordering"]})
    assert "do not say what subject 1 saw in 1500 trials; (1, 30000) and (8, 10000), from 1, are right" in message(
        nsd.images_shown, design, 1, 2
    )
    design.write_text("no MATLAB")
    assert message(nsd.images_shown, design, 1, 2).startswith(f"nsd: {design}: cannot be read, or cut short")
    with h5py.File(brick, "w") as file:
        file["imgBrick"] = np.zeros((9, 3, 2, 2), dtype=np.uint8)
    options = {"design": str(published / nsd.DESIGN), "images": str(brick), "subject": 1, "sessions": 2}
    said = message(nsd.write_images, tmp_path / "images.zip", **options)
    assert said.startswith(
        f"nsd: {brick}: array `imgBrick` (9, 3, 2, 2) of uint8; nsd_stimuli.hdf5 of NSD, with `imgBrick` "
    )
    assert not (tmp_path / "images.zip").exists()


def test_an_image_keeps_its_pixels_under_its_number(published, ingested, tmp_path):
    _, sets, _ = ingested
    names = sets["nsd_subj01"]["stimulus"].values
    number = int(names[7].removeprefix("nsd-").removesuffix(".png"))
    with h5py.File(published / nsd.IMAGES) as file:
        expected = file["imgBrick"][number]
    np.testing.assert_array_equal(sets["nsd_subj01"]["pixels"].values[7].transpose(1, 2, 0), expected)
