"""TVSD in its published layout: channels of each area go with a part of the images, so that a wrong area is found."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.messages import message
from tests.unit.published import correlations, patches, read, responds_to_its_own
from ventral.configuration.resolution import resolve
from ventral.datasets.tvsd import expand, write_images, write_neuroids, write_responses, write_table
from ventral.errors import InputError

N_TRAIN, N_TEST, REPETITIONS, CHANNELS = 40, 24, 6, 1024
# Which column of the images the channels follow, by what the source's readme says of MATLAB's channels, from 1.
CHANNELS_OF_AREA = {
    "F": {"V1": range(1, 513), "IT": range(513, 833), "V4": range(833, 1025)},
    "N": {"V1": range(1, 513), "V4": range(513, 769), "IT": range(769, 1025)},
}
COLUMN_OF_AREA = {"V1": 0, "V4": 1, "IT": 2}
HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan 1 00:00:00 2024 HDF5 schema 1.00 ."


def save_mat(path, write):
    """Write a file as MATLAB does in version 7.3: HDF5, with a text before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        write(file)
    with path.open("r+b") as file:
        file.write(HEADER.ljust(116) + b"\0" * 8 + b"\x00\x02IM")


def save_texts(file, group, name, texts):
    """Write a field of an array of structures: references to arrays of UTF-16."""
    references = []
    for k, text in enumerate(texts):
        path = f"#refs#/{group}_{name}_{k}"
        file[path] = np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None]
        references.append(file[path].ref)
    kind = h5py.special_dtype(ref=h5py.Reference)
    file.create_dataset(f"{group}/{name}", data=np.array(references, dtype=kind)[:, None], dtype=kind)


def publish(folder: Path, *, n_train=N_TRAIN, n_test=N_TEST, repetitions=REPETITIONS, noise=0.2, seed=0):
    """Write files in the layout of TVSD, and of THINGS' images, of which some were not shown."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (n_train + n_test, 3)).astype(np.uint8)
    concepts = [f"concept{k // 2:03d}" for k in range(n_train + n_test)]
    # In another order than that of their names.
    names = [f"{concept}\\{concept}_{1 - k % 2:02d}s.jpg" for k, concept in enumerate(concepts)]
    rng.shuffle(names)
    concepts = [name.partition("\\")[0] for name in names]
    for name, columns in zip([*names, "unseen\\unseen_01s.jpg"], [*levels, levels[0]], strict=True):
        path = folder / "object_images" / name.replace("\\", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.broadcast_to(np.repeat(columns, 8)[None, :, None], (24, 24, 3))
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, quality=100)
    signal = levels / 128.0 - 1
    for monkey, areas in CHANNELS_OF_AREA.items():
        rates = np.empty((n_train + n_test, CHANNELS))
        for area, channels in areas.items():
            rates[:, np.array(channels) - 1] = signal[:, [COLUMN_OF_AREA[area]]]
        train = rates[:n_train] + noise * rng.normal(size=(n_train, CHANNELS))
        test = rates[n_train:] + noise * rng.normal(size=(repetitions, n_test, CHANNELS))
        pairs = np.array([(i, j) for i in range(repetitions) for j in range(i)])
        z = (test - test.mean(axis=1, keepdims=True)) / test.std(axis=1, keepdims=True)
        reliab = np.stack([(z[i] * z[j]).mean(axis=0) for i, j in pairs])

        def write(file, train=train, test=test, reliab=reliab):
            file["train_MUA"], file["test_MUA"], file["test_MUA_reps"] = train, test.mean(axis=0), test
            file["reliab"], file["oracle"] = reliab, reliab.mean(axis=0)[:, None]

        save_mat(folder / f"monkey{monkey}/THINGS_normMUA.mat", write)

        def write_logs(file):
            for group, part in (("train_imgs", slice(n_train)), ("test_imgs", slice(n_train, None))):
                save_texts(file, group, "things_path", names[part])
                save_texts(file, group, "class", concepts[part])

        save_mat(folder / f"monkey{monkey}/_logs/things_imgs.mat", write_logs)
    return names


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tvsd")
    return folder, publish(folder)


@pytest.fixture(scope="module")
def ingested(published, tmp_path_factory):
    folder, _ = published
    return read("tvsd", folder, tmp_path_factory.mktemp("results"), size=24)


@pytest.fixture
def changed(published, tmp_path):
    """A copy of the files that a test may change."""
    folder = tmp_path / "changed"
    shutil.copytree(published[0], folder)
    return folder


@pytest.mark.parametrize("monkey", ["F", "N"])
def test_each_area_goes_with_the_images_that_its_channels_were_made_of(ingested, monkey):
    _, stimuli, recordings = ingested
    features = patches(stimuli["tvsd"], 3)
    recording = recordings[f"tvsd_{monkey}"]
    found = correlations(recording, features)
    assert {area: len(r) for area, r in found.items()} == {
        area: len(channels) for area, channels in CHANNELS_OF_AREA[monkey].items()
    }
    assert responds_to_its_own(found, COLUMN_OF_AREA, least=0.9)
    # So it is in each part: an order of training stimuli alone may be wrong.
    for part in ("train", "test"):
        chosen = stimuli["tvsd"]["part"].values == part
        of_part = correlations(recording.isel(stimulus=chosen), features[chosen])
        assert min(r[:, COLUMN_OF_AREA[area]].min() for area, r in of_part.items()) > 0.8


def test_stimuli_are_those_that_were_shown_in_the_order_of_the_responses(published, ingested):
    _, stimuli, recordings = ingested
    expected = [name.replace("\\", "/") for name in published[1]]
    assert list(stimuli["tvsd"]["stimulus"].values) == expected
    assert list(stimuli["tvsd"]["concept"].values) == [name.partition("/")[0] for name in expected]
    assert list(stimuli["tvsd"]["part"].values) == ["train"] * N_TRAIN + ["test"] * N_TEST
    shown = np.isfinite(recordings["tvsd_F"]["responses"].values).sum(axis=0)
    assert (shown[:N_TRAIN] == 1).all()
    assert (shown[N_TRAIN:] == REPETITIONS).all()


def test_the_split_is_the_published_one(ingested):
    config, *_ = ingested
    assert list(config["recordings"]) == ["tvsd_F", "tvsd_N"]
    for recording in config["recordings"].values():
        assert recording["splits"] == [{"partition": "part", "name": "published"}]


def test_given_ceilings_are_those_of_the_means_over_repetitions(ingested):
    # Of a column of uniform levels, with this noise: the correlation of mean responses and rates.
    signal, noise = np.var(np.arange(256) / 128), 0.2**2
    expected = np.sqrt(signal / (signal + noise / REPETITIONS))
    for recording in ingested[2].values():
        assert recording.attrs["given_ceiling_kind"] == "snr"
        # The store has the mean over all stimuli; the ratio is what scores of the test stimuli take.
        ratio = recording["given_signal_to_noise"].values
        assert np.median(np.sqrt(ratio / (ratio + 1 / REPETITIONS))) == pytest.approx(expected, abs=0.01)
        assert {"neuroid", "animal", "array", "reliab", "oracle"} <= set(recording.coords)
    assert list(ingested[2]["tvsd_N"]["neuroid"].values[[0, -1]]) == ["N0000", "N1023"]
    assert list(ingested[2]["tvsd_N"]["array"].values[[63, 64]]) == ["array00", "array01"]


def test_one_animal_may_be_chosen(published):
    folder, _ = published
    config = resolve({"dataset": {"tvsd": {"monkeys": ["N"]}}, "data_dir": str(folder), "models": ["pixels"]})
    assert list(config["recordings"]) == ["tvsd_N"]
    assert not any("monkeyF" in str(made["inputs"]) for made in config["unpacks"].values())
    with pytest.raises(InputError, match=r"dataset\.tvsd\.monkeys\.0: 'M' is not known"):
        resolve({"dataset": {"tvsd": {"monkeys": ["M"]}}, "data_dir": str(folder), "models": ["pixels"]})


def test_absent_files_are_said(published, tmp_path):
    said = message(expand, None, "results", monkeys=["F"], size=24)
    assert said.startswith("folder: missing; the data set tvsd is not downloaded by itself: get monkeyF/THINGS_normMUA")
    said = message(expand, str(tmp_path), "results", monkeys=["F"], size=24)
    assert "data set tvsd has no monkeyF/THINGS_normMUA.mat, monkeyF/_logs/things_imgs.mat in" in said


def test_a_folder_without_images_is_said(changed):
    shutil.rmtree(changed / "object_images")
    said = message(expand, str(changed), "results", monkeys=["F"], size=24)
    assert said == f"folder: {changed}: data set tvsd has no folder object_images there, with the images of THINGS"


def test_an_absent_image_is_said(changed, published, tmp_path):
    (changed / "object_images" / published[1][3].replace("\\", "/")).unlink()
    logs = [changed / "monkeyF/_logs/things_imgs.mat"]
    said = message(write_images, tmp_path / "images.zip", logs=logs, images=changed / "object_images")
    assert "1 of 64 images are not there: concept" in said


def test_other_stimuli_of_the_other_animal_are_said(changed, tmp_path):
    logs = [changed / f"monkey{monkey}/_logs/things_imgs.mat" for monkey in "FN"]
    with h5py.File(logs[1], "r+") as file:
        paths = file["train_imgs/things_path"]
        paths[0], paths[1] = paths[1, 0], paths[0, 0]
    assert "other stimuli than in" in message(write_table, tmp_path / "stimuli.csv", logs=logs)


def test_arrays_in_the_order_of_matlab_are_refused(changed, tmp_path):
    activity = changed / "monkeyF/THINGS_normMUA.mat"
    with h5py.File(activity, "r+") as file:
        for name in ("test_MUA_reps", "reliab"):
            values = file[name][()]
            del file[name]
            file[name] = values.T
    said = message(write_responses, tmp_path / "responses.npy", activity=activity)
    assert "array `test_MUA_reps` (1024, 24, 6): 1024 channels on its last axis are right" in said
    said = message(write_neuroids, tmp_path / "neuroids.csv", activity=activity, monkey="F")
    assert "array `reliab` (1024, 15): 1024 channels on its last axis are right" in said


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.write_bytes(b"no such data"), "no HDF5 file"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "cannot be read, or cut short"),
        (lambda path: h5py.File(path, "w").close(), "no array `train_MUA`; it has nothing"),
    ],
)
def test_a_file_that_is_not_the_source_s_is_said(changed, tmp_path, damage, expected):
    activity = changed / "monkeyN/THINGS_normMUA.mat"
    damage(activity)
    said = message(write_responses, tmp_path / "responses.npy", activity=activity)
    assert said.startswith(f"tvsd: {activity}: ")
    assert expected in said
    assert not (tmp_path / "responses.npy").exists()


def test_logs_without_references_are_said(changed, tmp_path):
    logs = [changed / "monkeyF/_logs/things_imgs.mat"]
    with h5py.File(logs[0], "r+") as file:
        del file["test_imgs/class"]
    said = message(write_table, tmp_path / "stimuli.csv", logs=logs)
    assert "no array `test_imgs/class` of references to text; it has #refs#, test_imgs, train_imgs" in said
