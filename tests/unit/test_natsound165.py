"""Components of auditory cortex and recordings of the same sounds: order of sounds, names, areas, bins of time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.io.wavfile
import yaml

from tests.documentation import ROOT
from tests.messages import message
from ventral.configuration.resolution import check_inputs, resolve
from ventral.datasets import natsound165, normanhaignere2022
from ventral.datasets.unpacking import unpack
from ventral.recordings import ingestion as recordings
from ventral.recordings.ingestion import mean_responses
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset

N, COMPONENTS = 90, ["lowfreq", "highfreq", "envsounds", "pitch", "speech", "music"]
CATEGORIES = ["Music", "EngSpeech", "Nature"]
BOTH = {"dataset": ["natsound165", "normanhaignere2022"], "models": ["cochleagram"]}


@pytest.fixture(scope="module")
def sounds():
    """Names of sounds whose order in a folder is neither that of the components nor that of the electrodes."""
    return [f"stim{k}_sound" for k in np.random.default_rng(0).permutation(np.arange(1, N + 1))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, sounds):
    """Responses to sound k are k and what tells neuroids and bins apart."""
    path, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(1)
    (path / "natsound165" / "wav").mkdir(parents=True)
    (path / "normanhaignere2022_ecog").mkdir()
    for name in sounds:
        waveform = (3000 * rng.normal(size=40_000)).astype(np.int16)
        scipy.io.wavfile.write(path / "natsound165" / "wav" / f"{name}.wav", 20_000, waveform)
    number = np.array([number_of(name) for name in sounds])
    write_components(path / "natsound165" / "components.mat", sounds, number)
    order = rng.permutation(N)
    bins, fine = np.arange(75), np.arange(300)
    late = np.where(bins < 50, 1.0, 100.0)
    np.savez(
        path / "normanhaignere2022_ecog" / "song_ecog.npz",
        component_response=number[order][:, None, None] * late[:, None] + 1000 * np.arange(15),
        component_time_s=np.float32(0.04) * bins,
        hypothesis_component=-number[order][:, None] * late + 1000 * np.arange(3)[:, None, None],
        hypothesis_name=np.array(["music", "song", "speech"]),
        electrode_response=number[order][:, None] * np.where(fine < 200, 1.0, 100.0)
        + 1000 * np.arange(3)[:, None, None],
        electrode_time_s=np.float32(0.01) * fine,
        electrode=np.array(["music-elec1", "song-elec1", "speech-elec1"]),
        sound=np.array([f"{sounds[k]}.wav" for k in order]),
    )
    return path


def number_of(name):
    return int(name.removeprefix("stim").removesuffix("_sound"))


def write_components(path, sounds, number, **changes):
    content = {
        "R": number[:, None] + 1000.0 * np.arange(len(COMPONENTS)),
        "component_names": np.array(COMPONENTS, dtype=object),
        "stim_names": np.array(sounds, dtype=object),
        "category_labels": np.array([CATEGORIES[k % 3] for k in number], dtype=object),
    } | changes
    scipy.io.savemat(path, {name: values for name, values in content.items() if values is not None})


@pytest.fixture(scope="module")
def ingested(folder, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    config = resolve(BOTH | {"data_dir": str(folder), "results": str(results)})
    for path, how in config["unpacks"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        unpack(Path(path), **how)
    n_stimuli, n_neuroids = check_inputs(config)
    assert n_stimuli == {"natsound165": N}
    assert n_neuroids == {"natsound165": 6, "normanhaignere2022_components": 18, "normanhaignere2022_electrodes": 3}
    stimuli.ingest(config["stimuli"]["natsound165"], results / "sounds.zarr", name="natsound165")
    for name, spec in config["recordings"].items():
        recordings.ingest(spec, results / "sounds.zarr", results / f"{name}.zarr", name=name)
    found = {name: read_dataset(results / f"{name}.zarr") for name in config["recordings"]}
    return config, read_dataset(results / "sounds.zarr"), found


def test_every_sound_has_the_responses_to_it(ingested, sounds):
    _, stored, found = ingested
    assert list(stored["stimulus"].values) == sounds
    number = np.array([number_of(name) for name in sounds])
    assert list(stored["category"].values) == [CATEGORIES[k % 3] for k in number]
    means = {name: mean_responses(of).transpose("stimulus", ...).values.reshape(N, -1) for name, of in found.items()}
    np.testing.assert_allclose(means["natsound165"], number[:, None] + 1000 * np.arange(6))
    components = np.concatenate([number + 1000 * np.arange(15)[:, None], -number + 1000 * np.arange(3)[:, None]]).T
    np.testing.assert_allclose(means["normanhaignere2022_components"], components)
    electrodes = number[:, None] + 1000 * np.arange(3)
    np.testing.assert_allclose(means["normanhaignere2022_electrodes"], electrodes)


def test_targets_have_their_published_names(ingested):
    config, _, found = ingested
    names = {name: list(of["neuroid"].values) for name, of in found.items()}
    areas = {name: list(of["area"].values) for name, of in found.items()}
    chosen = ["music", "song", "speech"]
    assert names["natsound165"] == areas["natsound165"] == COMPONENTS
    assert names["normanhaignere2022_components"] == [*(f"component{k}" for k in range(1, 16)), *chosen]
    assert areas["normanhaignere2022_components"] == ["component"] * 15 + chosen
    assert names["normanhaignere2022_electrodes"] == ["music-elec1", "song-elec1", "speech-elec1"]
    assert areas["normanhaignere2022_electrodes"] == chosen
    assert {name: list(of["time_bin"].values) for name, of in found.items() if "time_bin" in of.dims} == {
        "normanhaignere2022_components": ["0-2000"],
        "normanhaignere2022_electrodes": ["0-2000"],
    }
    assert {spec["stimuli"] for spec in config["recordings"].values()} == {"natsound165"}
    assert not any(of.attrs["has_repetitions"] for of in found.values())


@pytest.mark.parametrize("kind", normanhaignere2022.RECORDINGS)
def test_bins_are_means_of_the_bins_of_the_file(folder, tmp_path, kind):
    published = normanhaignere2022.expand(str(folder), str(tmp_path), time_bins="all")["recordings"]
    windows = published[f"normanhaignere2022_{kind}"]["time_bins"]
    assert (windows[0], windows[-1], len(windows)) == ([0, 40], [2960, 3000], 75)
    files = {
        "source": folder / "normanhaignere2022_ecog" / "song_ecog.npz",
        "components": folder / "natsound165" / "components.mat",
    }
    normanhaignere2022.write_responses(tmp_path / "r.npy", **files, kind=kind, windows=[[1960, 2040], *windows])
    responses = np.load(tmp_path / "r.npy")
    np.testing.assert_allclose(responses[0, :, 0], 50.5 * responses[0, :, 1])
    np.testing.assert_allclose(responses[0, :, 50], responses[0, :, 1])
    np.testing.assert_allclose(responses[0, :, 51:], 100 * responses[0, :, [1] * 25].T)


@pytest.mark.parametrize("name", ["natsound165", "normanhaignere2022"])
def test_configs_are_right(folder, name):
    config = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    resolved = resolve(config | {"data_dir": str(folder)})
    (split,) = [split for split in resolved["recordings"].popitem()[1]["splits"] if split != "stimuli"]
    assert split == {"name": "random", "random": 10, "train": 83, "leave_one_out": True}
    # One category has four sounds, which five folds could not share.
    assert resolved["folds"] == 4


def test_electrodes_and_components_are_no_sessions_of_one_animal(folder):
    resolved = resolve(BOTH | {"data_dir": str(folder)})
    assert [spec["group"] for spec in resolved["recordings"].values()] == ["natsound165", None, None]


def test_folders_as_in_the_source_are_found(folder, tmp_path):
    for sounds in ("stimuli", "sounds"):
        (tmp_path / sounds / "data").mkdir(parents=True)
        (tmp_path / sounds / "data" / "components.mat").touch()
        (tmp_path / sounds / sounds / "wav").mkdir(parents=True)
        found = natsound165.published(str(tmp_path / sounds))
        assert found == (str(tmp_path / sounds / "data" / "components.mat"), str(tmp_path / sounds / sounds / "wav"))


def test_absent_files_are_said(folder, tmp_path):
    said = message(natsound165.expand, None, "results")
    assert said.startswith("folder: missing; the data set natsound165 is not downloaded by itself")
    assert message(natsound165.expand, str(tmp_path / "no"), "results") == f"folder: no such folder: {tmp_path / 'no'}"
    said = message(natsound165.expand, str(tmp_path), "results")
    assert said.startswith(f"folder: {tmp_path}: data set natsound165 needs components.mat and the folder wav, or ")
    options = {"time_bins": [[0, 2000]]}
    assert message(normanhaignere2022.expand, None, "results", **options).startswith(
        "folder: missing; the data set normanhaignere2022 is not downloaded by itself"
    )
    said = message(normanhaignere2022.expand, str(folder / "natsound165"), "results", **options)
    assert "data set normanhaignere2022 has no song_ecog.npz in " in said


@pytest.mark.parametrize("window", [[0, 30], [-40, 40], [80, 80], [2960, 3040]])
def test_windows_that_are_no_bins_of_the_file_are_said(folder, window):
    said = message(normanhaignere2022.expand, str(folder), "results", time_bins=[[0, 40], window])
    assert said == (
        f"time_bins: from {window[0]} to {window[1]} ms; multiples of 40 from 0 to 3000 are right, the end after the "
        f"start"
    )
    said = message(normanhaignere2022.expand, str(folder), "results", time_bins="static")
    assert said == "time_bins: 'static'; `all`, or start and end of each bin in ms, are right"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ": no such file; the file components.mat of the source is right"),
        (b"MATLAB 5.0", ": cannot be read, or cut short: "),
        ({"R": None}, ": it has no R; "),
        ({"R": np.zeros((4, 6))}, f": R (4, 6), {N} stim_names, {N} category_labels and 6 component_names; "),
        ({"category_labels": np.array(["a", "b"], dtype=object)}, "2 category_labels"),
    ],
)
def test_components_that_cannot_be_used_are_said(tmp_path, sounds, content, expected):
    file = tmp_path / "components.mat"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        write_components(file, sounds, np.array([number_of(name) for name in sounds]), **content)
    said = message(natsound165.write_responses, tmp_path / "r.npy", components=file)
    assert said.startswith(f"natsound165: {file}: ")
    assert expected in said
    assert not (tmp_path / "r.npy").exists()


def electrodes_with(folder, path, **changes):
    with np.load(folder / "normanhaignere2022_ecog" / "song_ecog.npz") as content:
        arrays = dict(content) | changes
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"electrode": None}, ": it has no electrode; an npz file with component_response, "),
        ({"electrode_time_s": np.zeros(4)}, ": array `electrode_response` (3, 90, 300); (3 electrode, 90 sound, "),
        ({"component_response": np.zeros((90, 75))}, ": array `component_response` (90, 75); (90 sound, "),
        ({"sound": np.array([None])}, ": cannot be read, or cut short: "),
        ({"sound": np.array([f"stim{k}_sound.wav" for k in range(N)])}, "its 90 sounds are not the 90 of "),
        ({"sound": np.array(["stim1_sound.wav"] * N)}, "its 90 sounds are not the 90 of "),
    ],
)
def test_recordings_that_cannot_be_used_are_said(folder, tmp_path, changes, expected):
    file = tmp_path / "song_ecog.npz"
    electrodes_with(folder, file, **changes)
    files = {"source": file, "components": folder / "natsound165" / "components.mat"}
    said = message(
        normanhaignere2022.write_responses, tmp_path / "r.npy", **files, kind="electrodes", windows=[[0, 2000]]
    )
    assert said.startswith(f"normanhaignere2022: {file}: ")
    assert expected in said
    file.write_bytes(b"MATLAB 7.3")
    said = message(normanhaignere2022.read, file)
    assert said.startswith(f"normanhaignere2022: {file}: cannot be read, or cut short: a MATLAB file; ")


def test_published_sounds_and_responses_belong_together(data_dir, tmp_path):
    """An independent computation found r of 0.90 for component 2 with speech, and 0.78 for component 10 with music."""
    for file in ("natsound165/components.mat", "normanhaignere2022_ecog/song_ecog.npz"):
        if not (data_dir / file).is_file():
            pytest.skip(f"no {data_dir / file}")
    config = resolve(BOTH | {"data_dir": str(data_dir), "results": str(tmp_path)})
    for path, how in config["unpacks"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        unpack(Path(path), **how)
    fmri = np.load(config["recordings"]["natsound165"]["responses"])
    ecog = np.load(config["recordings"]["normanhaignere2022_components"]["responses"])[..., 0]
    assert np.corrcoef(fmri[4], ecog[1])[0, 1] == pytest.approx(0.90, abs=0.01)
    assert np.corrcoef(fmri[5], ecog[9])[0, 1] == pytest.approx(0.78, abs=0.01)
    table = pd.read_csv(config["stimuli"]["natsound165"]["table"])
    assert table["category"].value_counts().to_dict() == {
        **{"Mechanical": 39, "EnvSound": 27, "Music": 24, "HumNonVoc": 15, "HumVoc": 13, "Song": 11},
        **{"EngSpeech": 10, "AniVoc": 10, "ForSpeech": 7, "AniNonVoc": 5, "Nature": 4},
    }
