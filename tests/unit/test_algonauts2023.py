"""The Algonauts Challenge 2023 on made-up files of its layout: an area's vertices are made of one feature of images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.messages import message
from tests.unit.published import correlations, patches, read, responds_to_its_own
from ventral.configuration.resolution import resolve
from ventral.datasets import algonauts2023
from ventral.datasets.nsd import AREAS, STREAMS, VISUAL

FEATURE_OF_AREA = {"V1": 0, "V2": 1, "V3": 2, "V4": 3, "IT": 4}
N_IMAGES = 120
# Hemispheres differ in their number of vertices.
N_VERTICES = {"lh": 90, "rh": 100}


def write_subject(folder: Path, number: int) -> None:
    rng, place = np.random.default_rng(number), folder / f"subj{number:02d}"
    for below in (algonauts2023.IMAGES, "training_split/training_fmri", "roi_masks"):
        (place / below).mkdir(parents=True)
    grey = rng.integers(0, 256, (N_IMAGES, 5), dtype=np.uint8)
    for row, nsd in enumerate(np.sort(rng.permutation(73000)[:N_IMAGES])):
        pixels = np.repeat(np.tile(grey[row], (2, 1))[:, :, None], 3, axis=2)
        Image.fromarray(pixels).save(place / algonauts2023.IMAGES / f"train-{row + 1:04d}_nsd-{nsd:05d}.png")
    standard = (grey - grey.mean(axis=0)) / grey.std(axis=0)
    for side, n_vertices in N_VERTICES.items():
        visual, streams = rng.integers(0, 8, n_vertices), rng.integers(0, 8, n_vertices)
        responses = rng.standard_normal((N_IMAGES, n_vertices))
        for vertex in range(n_vertices):
            roi = VISUAL.get(visual[vertex]) or STREAMS.get(streams[vertex])
            if roi:
                responses[:, vertex] += 2 * standard[:, FEATURE_OF_AREA[AREAS[roi]]]
        np.save(place / algonauts2023.RESPONSES.format(side), responses.astype(np.float32))
        np.save(place / algonauts2023.ROIS.format(side, "prf-visualrois"), visual.astype(np.int32))
        np.save(place / algonauts2023.ROIS.format(side, "streams"), streams.astype(np.int32))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("algonauts")
    for number in (1, 5):
        write_subject(folder, number)
    return folder


def test_each_area_responds_to_the_feature_that_its_vertices_are_made_of(published, tmp_path):
    config, sets, recordings = read("algonauts2023", published, tmp_path, subjects=[1, 5])
    assert [*config["recordings"]] == ["algonauts2023_subj01", "algonauts2023_subj05"]
    for name, recording in recordings.items():
        assert responds_to_its_own(correlations(recording, patches(sets[name], 5)), FEATURE_OF_AREA)
        assert set(recording["animal"].values) == {name.removeprefix("algonauts2023_")}
        assert set(recording["roi"].values) == set(AREAS)
        sides = recording["hemisphere"].values.astype(str)
        assert all(
            neuroid.startswith(f"{side}_") for neuroid, side in zip(recording["neuroid"].values, sides, strict=True)
        )
        assert set(sides) == {"lh", "rh"}
        assert not recording.attrs["has_repetitions"]


@pytest.mark.parametrize("wrong", ["hemispheres", "images", "masks"])
def test_wrong_orders_are_seen_in_the_scores(published, tmp_path, wrong):
    """The files of the other test could not pass with rows or hemispheres in another order."""
    place = shutil.copytree(published, tmp_path / "algonauts") / "subj01"
    left, right = (place / algonauts2023.RESPONSES.format(side) for side in ("lh", "rh"))
    if wrong == "images":
        np.save(left, np.load(left)[::-1])
    if wrong == "masks":
        mask = place / algonauts2023.ROIS.format("lh", "prf-visualrois")
        np.save(mask, np.load(mask)[::-1])
    if wrong == "hemispheres":
        values = np.load(right)
        np.save(right, np.concatenate([np.load(left), values[:, :10]], axis=1))
        np.save(left, values[:, :90])
    _, sets, recordings = read("algonauts2023", tmp_path / "algonauts", tmp_path / "results")
    found = correlations(recordings["algonauts2023_subj01"], patches(sets["algonauts2023_subj01"], 5))
    assert not responds_to_its_own(found, FEATURE_OF_AREA)


def test_absent_files_are_said(published, tmp_path):
    def said(folder, **options):
        return message(resolve, {"dataset": {"algonauts2023": {"folder": folder, **options}}, "models": ["pixels"]})

    assert "dataset.algonauts2023.folder: missing; the data set algonauts2023 is not downloaded by itself" in said(None)
    assert "has no subj02/training_split/training_fmri/lh_training_fmri.npy" in said(str(published), subjects=[2])
    place = shutil.copytree(published, tmp_path / "algonauts")
    shutil.rmtree(place / "subj01" / algonauts2023.IMAGES)
    assert f"folder: {place}: no folder subj01/training_split/training_images" in said(str(place))


def test_arrays_that_do_not_fit_are_refused(published, tmp_path):
    place = shutil.copytree(published, tmp_path / "algonauts") / "subj01"
    rois = {
        f"{side}_{kind}": str(place / algonauts2023.ROIS.format(side, file))
        for side in ("lh", "rh")
        for kind, file in (("visual", "prf-visualrois"), ("streams", "streams"))
    }
    fmri = {side: str(place / algonauts2023.RESPONSES.format(side)) for side in ("lh", "rh")}
    output = tmp_path / "responses.npy"

    def said():
        return message(algonauts2023.write_responses, output, **fmri, **rois)

    np.save(fmri["rh"], np.zeros((N_IMAGES - 1, 100)))
    assert said() == (
        f"algonauts2023: {fmri['rh']}: responses to 119 stimuli, where {fmri['lh']} has 120; files of one subject are "
        f"right"
    )
    np.save(fmri["rh"], np.zeros((N_IMAGES, 99)))
    assert said().startswith(
        f"algonauts2023: {fmri['rh']}: 99 vertices (its shape is (120, 99)), where {rois['rh_visual']} has 100; "
    )
    np.save(fmri["rh"], np.zeros(100))
    assert said().startswith(f"algonauts2023: {fmri['rh']}: its shape is (100,), its values float64; an array (stimuli")
    np.save(rois["lh_streams"], np.zeros(89, dtype=int))
    assert message(algonauts2023.write_neuroids, output, **rois).startswith(
        f"algonauts2023: {rois['lh_streams']}: 89 vertices, where {rois['lh_visual']} has 90; masks of one subject"
    )
    for path in rois.values():
        np.save(path, np.zeros(90, dtype=int))
    assert "no vertex of V1v, V1d, V2v, V2d, V3v, V3d, hV4, ventral in any of" in message(
        algonauts2023.write_neuroids, output, **rois
    )
    Path(rois["lh_visual"]).write_text("no array")
    assert message(algonauts2023.write_neuroids, output, **rois).startswith(
        f"algonauts2023: {rois['lh_visual']}: cannot be read"
    )
    assert not output.exists()
