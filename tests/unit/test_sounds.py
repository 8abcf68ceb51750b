"""Sounds from files to inputs of networks: each check with the bad file itself, and resampling against pure tones."""

import builtins
import io
import logging
import shutil
from base64 import b64decode

import numpy as np
import pandas as pd
import pytest
import torch

from ventral.configuration.doubts import doubts
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.models.zoo import check_model, on_stimuli, preprocessing, resolve_model
from ventral.report.players import MOST_PLAYED, players_section, read_players
from ventral.stimuli import sounds
from ventral.stimuli.cochleagram import cochleagram
from ventral.stimuli.ingestion import ingest
from ventral.stimuli.modality import MODALITIES
from ventral.store import read_dataset

soundfile = pytest.importorskip("soundfile")

RATE = 8000
SHORT = {"rate": RATE, "seconds": 0.5}


def noise(seed, n=RATE // 2, level=0.1):
    return level * np.random.default_rng(seed).normal(size=n)


def tone(frequency, rate, seconds=0.3):
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate + 1)


def level_of(sound):
    """Amplitude of a tone in dB, without the ends, which the filter rounds off."""
    middle = sound[len(sound) // 4 : -len(sound) // 4]
    return 10 * np.log10(2 * np.mean(middle**2) + 1e-20)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "sounds"
    made.mkdir()
    soundfile.write(made / "good.wav", noise(0), RATE)
    return made


def stored(folder, **options):
    """Ingest a folder of sounds, and return the store."""
    output = folder.parent / "set.zarr"
    ingest({"sounds": str(folder), **SHORT, **options}, output, name="mine")
    return read_dataset(output)


def refusal(folder, **options):
    with pytest.raises(InputError) as raised:
        stored(folder, **options)
    return str(raised.value)


# Files.


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 0.9999),
        ("a.wav", {"subtype": "FLOAT"}, 0.999999),
        ("A.WAV", {"subtype": "PCM_U8"}, 0.99),
        ("a.flac", {}, 0.9999),
        ("a.ogg", {"subtype": "VORBIS"}, 0.9),
        ("a.ogg", {"subtype": "OPUS"}, 0.9),
        ("a.mp3", {}, 0.9),
    ],
)
def test_formats(folder, name, options, least):
    sound = np.convolve(noise(1), np.hanning(9) / 4, mode="same")
    soundfile.write(folder / name, sound, RATE, **options)
    values = stored(folder)["waveform"].sel(stimulus=name).values
    assert np.corrcoef(values, sound)[0, 1] > least


def test_channels_are_averaged_the_mean_subtracted_and_the_level_set(folder):
    left, right = noise(1) + 0.2, noise(2)
    soundfile.write(folder / "stereo.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    dataset = stored(folder, level=0.05)
    assert dataset["waveform"].dims == ("stimulus", "sample")
    assert dataset["waveform"].dtype == np.float32
    assert dataset.attrs["modality"] == "sounds"
    assert dataset.attrs["rate"] == RATE
    mixed = (left + right) / 2
    mixed -= mixed.mean()
    expected = 0.05 * mixed / mixed.std()
    np.testing.assert_allclose(dataset["waveform"].sel(stimulus="stereo.wav"), expected, atol=1e-6)


def test_sounds_are_cut_or_padded_at_the_end_and_the_level_is_that_of_the_sound(folder, caplog):
    long, short, nearly = noise(1, 5000), noise(2, 3000), noise(3, 3990)
    for name, sound in (("long", long), ("short", short), ("nearly", nearly)):
        soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="FLOAT")
    values = stored(folder)["waveform"]
    for name, sound in (("long", long[:4000]), ("short", short), ("nearly", nearly)):
        expected = 0.1 * (sound - sound.mean()) / sound.std()
        found = values.sel(stimulus=f"{name}.wav").values
        np.testing.assert_allclose(found[: len(sound)], expected, atol=1e-6)
        assert not found[len(sound) :].any()
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    place = f"stimuli.mine.sounds: {folder}"
    assert sorted(warned) == [
        f"{place}: cut at the end, to 0.5 s: 1 (long.wav)",
        f"{place}: padded with zeros at the end, to 0.5 s: 1 (short.wav)",
    ]


def test_clipped_sounds_and_sounds_of_a_low_rate_are_named(folder, caplog):
    for name, gain in (("loud", 0.99), ("clipped_1", 3), ("clipped_2", 1.2)):
        soundfile.write(folder / f"{name}.wav", np.clip(gain * tone(100, RATE, 0.5), -1, 1), RATE)
    soundfile.write(folder / "slow.wav", noise(5, 3000), 6000)
    stored(folder)
    warned = [record.getMessage().partition(f"{folder}: ")[2] for record in caplog.records if record.levelno > 20]
    assert sorted(warned) == [
        "clipped, with 4 or more equal samples in a row at full scale: 2 (clipped_1.wav, clipped_2.wav)",
        "sampled at less than 8000 Hz, so without frequencies above half of their own rate: 1 (slow.wav)",
    ]


def _written(folder, sound, name="bad.wav", rate=RATE, **options):
    soundfile.write(folder / name, sound, rate, **options)
    return folder / name


def _shortened(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def _opposite(sound):
    return np.stack([sound, -sound], axis=1)


def _with(sound, value):
    sound[10:13] = value
    return sound


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: _written(folder, np.zeros(4000)), "bad.wav: it is silent"),
        (lambda folder: _written(folder, np.full(4000, 0.3)), "bad.wav: it is silent"),
        (lambda folder: _written(folder, _opposite(noise(1))), "bad.wav: its channels cancel each other"),
        (lambda folder: _written(folder, np.zeros((4000, 2))), "bad.wav: it is silent"),
        (
            lambda folder: _written(folder, _with(noise(1), np.nan), subtype="FLOAT"),
            "bad.wav: 3 of 4000 values are not finite",
        ),
        (
            lambda folder: _written(folder, _with(noise(1), np.inf), subtype="FLOAT"),
            "bad.wav: 3 of 4000 values are not finite",
        ),
        (
            lambda folder: _written(folder, noise(1, 1992)),
            "bad.wav: 0.249 s long, where 0.25 to 0.75 s are cut or padded to 0.5 s",
        ),
        (lambda folder: _written(folder, noise(1, 6400)), "bad.wav: 0.8 s long, where 0.25 to 0.75 s"),
        (lambda folder: _written(folder, np.zeros(0)), "bad.wav: it has no samples"),
        (lambda folder: _shortened(_written(folder, noise(1)), 0.9), "bad.wav: it ends early, after 0.4"),
        (lambda folder: _shortened(_written(folder, noise(1), "bad.flac"), 0.7), "bad.flac: not a sound, or damaged"),
        (lambda folder: _shortened(_written(folder, noise(1), "bad.ogg"), 0.95), "bad.ogg: it ends early"),
        (lambda folder: _shortened(_written(folder, noise(1), "bad.mp3"), 0.8), "bad.mp3: it ends early"),
        (lambda folder: (folder / "bad.wav").write_bytes(b""), "bad.wav: not a sound, or damaged"),
        (lambda folder: (folder / "bad.wav").write_text("no sound"), "bad.wav: not a sound, or damaged"),
    ],
)
def test_files_that_cannot_be_used(folder, make, said):
    make(folder)
    message = refusal(folder)
    assert f"stimuli.mine.sounds: {folder}: 1 of 2 sounds cannot be used; replace them:\n  {said}" in message
    assert not (folder.parent / "set.zarr").exists()


def test_all_bad_files_of_a_zip_stand_in_one_error(folder):
    _written(folder, np.zeros(4000), "silent.wav")
    _shortened(_written(folder, noise(1), "short.wav"), 0.8)
    archive = shutil.make_archive(str(folder), "zip", folder)
    with pytest.raises(InputError, match=r"2 of 3 sounds cannot be used.*\n  short\.wav: .*\n  silent\.wav: "):
        ingest({"sounds": archive, **SHORT}, folder.parent / "set.zarr", name="mine")


def test_a_stream_of_unknown_length_is_read(folder):
    path = _written(folder, noise(1), "streamed.wav")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    assert stored(folder).sizes["stimulus"] == 2


def test_without_the_library_one_error_says_how_to_install_it(folder, monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments):
        if name == "soundfile":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert refusal(folder) == "sounds need soundfile, which is not installed: pip install 'ventral[sound]'"


def test_a_table_names_sounds_with_or_without_their_ending(folder, tmp_path):
    _written(folder, noise(1), "other.flac")
    pd.DataFrame({"stimulus": ["other", "good.wav"], "category": ["a", "b"]}).to_csv(tmp_path / "t.csv", index=False)
    dataset = stored(folder, table=str(tmp_path / "t.csv"))
    assert dataset["stimulus"].values.tolist() == ["other", "good.wav"]
    assert dataset["category"].values.tolist() == ["a", "b"]


def test_equal_sounds_are_duplicates_and_late_or_resampled_copies_are_nearly(folder, caplog):
    (folder / "good.wav").unlink()
    pink = sounds.examples(20, (20_000,), 0)
    pink[15:, 8000:] = 0
    for k, sound in enumerate(pink):
        _written(folder, sound, f"pink{k}.wav", 20_000)
    shutil.copy(folder / "pink2.wav", folder / "same.wav")
    _written(folder, 0.5 * sounds.resampled(pink[3], 20_000, 44_100), "quiet.flac", 44_100)
    _written(folder, np.append(np.zeros(10), pink[5]), "late.wav", 20_000)
    dataset = stored(folder, rate=20_000, seconds=1)
    assert dataset.attrs["duplicates"] == [["pink2.wav", "same.wav"]]
    assert "pink2.wav = same.wav" in caplog.text
    near = sorted(map(sorted, dataset.attrs["near_duplicates"]))
    assert near == [["late.wav", "pink5.wav"], ["pink3.wav", "quiet.flac"]]


def test_the_165_natural_sounds_are_as_published(data_dir, tmp_path, caplog):
    folder = data_dir / "natsound165" / "wav"
    if not folder.is_dir():
        pytest.skip(f"no natural sounds at {folder}")
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(folder.glob("*.wav"))[::16]:
        shutil.copy(path, few)
    ingest({"sounds": str(few)}, tmp_path / "set.zarr", name="natural")
    dataset = read_dataset(tmp_path / "set.zarr")
    values = dataset["waveform"].values.astype(float)
    assert values.shape == (11, 40_000)
    np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-7)
    np.testing.assert_allclose(values.std(axis=1), 0.1, rtol=1e-5)
    assert dataset.attrs["rate"] == 20_000
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "near_duplicates" not in dataset.attrs


# Resampling.

RATES = [(44_100, 20_000), (48_000, 20_000), (22_050, 20_000), (16_000, 20_000), (20_000, 16_000), (44_100, 48_000)]


def on_device(sound, rate, new_rate):
    return sounds.resampled_on_device(torch.from_numpy(sound[None]), rate, new_rate)[0].numpy()


@pytest.mark.parametrize("resample", [sounds.resampled, on_device])
@pytest.mark.parametrize(("rate", "new_rate"), RATES)
def test_tones_keep_their_level_and_nothing_is_folded_back(resample, rate, new_rate):
    lower = min(rate, new_rate) / 2
    for share in (0.1, 0.5, 0.9):
        found = resample(tone(share * lower, rate), rate, new_rate)
        assert len(found) == -(-3 * new_rate // 10)
        assert abs(level_of(found)) < 0.005
        expected = tone(share * lower, new_rate)
        np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=1e-3)
    for share in (1.0, 1.02, 1.1, 1.5, 1.9) if new_rate < rate else ():
        if share * lower < rate / 2:
            assert level_of(resample(tone(share * lower, rate), rate, new_rate)) < -95


def test_the_two_resamplings_agree():
    sound = sounds.resampled(noise(0, 20_000), 17_000, 20_000)
    both = sounds.resampled(sound, 20_000, 44_100), on_device(sound, 20_000, 44_100)
    np.testing.assert_allclose(both[0][1000:-1000], both[1][1000:-1000], atol=1e-5)


# Inputs of networks.


def model(**options):
    return resolve_model("net", {"architecture": "some.module:make", "modality": "sounds", **options})


def test_the_options_of_a_model():
    assert preprocessing(model()) == {"input": "waveform", "rate": None, "over_time": "mean"}
    on_set = on_stimuli(model(input="cochleagram"), {"rate": 44_100, "modality": "sounds"})
    assert preprocessing(on_set) == {
        "input": "cochleagram",
        "rate": None,
        "over_time": "mean",
        "stimuli": {"rate": 44_100},
    }
    assert resolve_model("cochleagram")["rate"] == 20_000
    with pytest.raises(InputError, match="it has no effect on `cochleagram`, which is the cochleagram of the sounds"):
        resolve_model("cochleagram", {"input": "waveform"})


def test_a_network_gets_waveforms_at_its_rate():
    waveforms = torch.from_numpy(sounds.examples(3, (2000,), 0))
    of_set = {"stimuli": {"rate": 20_000}}
    assert sounds.prepare(waveforms, model() | of_set) is waveforms
    found = sounds.prepare(waveforms, model(rate=16_000) | of_set)
    assert found.shape == (3, 1600)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[1], on_device(waveforms[1].numpy(), 20_000, 16_000), atol=1e-6)


def test_a_network_gets_cochleagrams_at_20_000_hz_unless_it_says_another_rate():
    waveforms = torch.from_numpy(sounds.examples(2, (4410,), 0))
    for options, rate in (({}, 20_000), ({"rate": 40_000}, 40_000)):
        spec = model(input="cochleagram", **options) | {"stimuli": {"rate": 44_100}}
        found = sounds.prepare(waveforms, spec)
        expected = cochleagram(sounds.resampled_on_device(waveforms, 44_100, rate), rate)
        assert found.shape == (2, 1, *expected.shape[1:])
        np.testing.assert_array_equal(found[:, 0], expected)
        np.testing.assert_array_equal(
            sounds.cochleagram_features(waveforms.numpy(), spec | {"over_time": "kept"}), expected
        )


def test_examples_are_pink_noise_of_the_usual_level():
    more = sounds.examples(4, (20_000,), 7)
    np.testing.assert_array_equal(more[:2], sounds.examples(2, (20_000,), 7))
    np.testing.assert_allclose(more.std(axis=1), 0.1, rtol=1e-5)
    power = (np.abs(np.fft.rfft(more)) ** 2).mean(axis=0)
    octaves = [power[start : 2 * start].sum() for start in 2 ** np.arange(6, 13)]
    assert max(octaves) < 1.5 * min(octaves)


# The config.


def test_a_config_takes_the_options_of_sounds_for_sounds_alone():
    sounds_set = {"sounds": "data/sounds", "rate": "16000", "seconds": 1, "level": 0.05}
    sets = {"heard": sounds_set, "plain": {"sounds": "data"}, "seen": {"images": "data"}}
    recordings = {"rec": {"stimuli": "heard", "responses": "r.npy"}}
    resolved = resolve({"stimuli": sets, "recordings": recordings})
    assert resolved["stimuli"]["heard"]["rate"] == 16_000
    for name in ("plain", "seen"):
        assert not {"rate", "seconds", "level"} & resolved["stimuli"][name].keys()
    for changed, said in (
        ({"images": "data", "rate": 20_000}, r"stimuli\.mine\.rate: belongs to `sounds`, not to `images`"),
        ({"sounds": "data", "degrees": 8}, r"stimuli\.mine\.degrees: belongs to `images`, not to `sounds`"),
        ({"sounds": "data", "rate": 500}, r"stimuli\.mine\.rate: 500 is less than the minimum of 1000"),
        ({"sounds": "data", "seconds": 0}, r"stimuli\.mine\.seconds: 0 is less than the minimum"),
        ({"sounds": "data", "level": 0}, r"stimuli\.mine\.level: 0 is less than or equal to the minimum"),
    ):
        with pytest.raises(InputError, match=said):
            resolve({"stimuli": {**sets, "mine": changed}, "recordings": recordings})


@pytest.mark.parametrize(("name", "rate"), [("cochleagram", 16_000), ("spectemp", 20_100), ("small_cochcnn", 44_100)])
def test_rates_without_cochleagrams_are_refused_before_a_run(name, rate):
    with pytest.raises(
        InputError, match=rf"models\.{name}\.rate: a rate of {rate} Hz; right is a multiple of 200 from"
    ):
        check_model(resolve_model(name, {"rate": rate}))
    check_model(resolve_model(name, {"rate": 40_000}))
    check_model(resolve_model("crepe_tiny"))


def test_a_warning_says_which_channels_of_cochleagrams_are_empty():
    def said(rate):
        config = {
            "stimuli": {"heard": {"sounds": "data", "rate": rate}, "trained": {"sounds": "data", "rate": rate}},
            "recordings": {"rec": {"stimuli": "heard", "responses": "r.npy"}},
            "models": {
                "cochleagram": None,
                "crepe_tiny": None,
                "spectemp": None,
                "net": {"architecture": "small_cochcnn", "train": {"stimuli": "trained", "label": "word"}},
            },
        }
        return list(doubts(resolve(config)))

    assert said(20_000) == []
    heard, trained = said(15_001)
    assert heard.startswith(
        "config key stimuli.heard: at a `rate` of 15001, sounds have no frequencies above 7500.5 Hz"
    )
    assert "from there to 10000 Hz are empty" in heard
    assert heard.endswith("(models: cochleagram, spectemp, net)")
    assert trained.startswith("config key stimuli.trained: ")
    assert trained.endswith("(models: net)")


# The page.


@pytest.fixture
def of_tones(tmp_path):
    """The store of 20 tones, and their frequencies."""
    folder, frequencies = tmp_path / "tones", 500 + 100 * np.arange(20)
    folder.mkdir()
    for k, frequency in enumerate(frequencies):
        soundfile.write(folder / f"<b>{k}.wav", 0.2 * tone(frequency, RATE, 0.5), RATE)
    ingest({"sounds": str(folder), **SHORT}, tmp_path / "tones.zarr", name="tones")
    return tmp_path / "tones.zarr", frequencies


def test_a_dozen_sounds_can_be_played(of_tones):
    path, frequencies = of_tones
    players = read_players([path])
    assert len(players) == MOST_PLAYED == 12
    assert read_players([path]) == players
    for name, source in players:
        kind, content = source.split(",")
        assert kind == "data:audio/mpeg;base64"
        sound, rate = soundfile.read(io.BytesIO(b64decode(content)))
        expected = frequencies[int(name.removeprefix("tones: <b>").removesuffix(".wav"))]
        assert rate == 16_000
        assert abs(np.abs(np.fft.rfft(sound)).argmax() * rate / len(sound) - expected) < 3
        assert abs(sound.std() - 0.1) < 0.01
    section = players_section(players)
    assert section.count("<audio ") == 12
    assert "tones: &lt;b&gt;0.wav" in section
    assert len(read_players([path] * 5)) == 10


def test_long_and_loud_sounds_stay_small_and_whole():
    spikes = np.zeros((12, 6 * 48_000), np.float32)
    spikes[:, ::4000] = 20
    spikes[:] += noise(0, spikes.shape[1]).astype(np.float32)
    played = MODALITIES["sounds"].playable(spikes, {"rate": 48_000})
    assert sum(map(len, played)) < 1.5e6
    sound, rate = soundfile.read(io.BytesIO(b64decode(played[0].partition(",")[2])))
    assert len(sound) / rate == pytest.approx(sounds.PLAYED, abs=0.1)
    assert np.abs(sound).max() <= 1


def test_the_preview_is_a_cochleagram_with_low_frequencies_at_the_bottom(of_tones):
    from matplotlib.figure import Figure

    values = read_dataset(of_tones[0])["waveform"].sel(stimulus=["<b>0.wav", "<b>19.wav"]).values
    rows = []
    for waveform in values:
        axes = Figure().add_subplot()
        sounds.preview(axes, waveform, {"rate": RATE})
        (image,) = axes.images
        assert image.origin == "lower"
        rows.append(image.get_array().mean(axis=1).argmax())
    assert rows[0] < rows[1]


def test_the_preview_agrees_with_the_cochleagram():
    sound = sounds.examples(1, (40_000,), 0)[0] * np.linspace(0.1, 1, 40_000, dtype=np.float32)
    coarse = sounds.coarse_cochleagram(sound.astype(np.float64))
    fine = cochleagram(torch.from_numpy(sound[None]), 20_000)[0, ::4].numpy()
    assert coarse.shape == (53, 50)
    # The first frame of the cochleagram is that at 25 ms, and there are 8 in each of the preview.
    same = fine[:, 3:387].reshape(53, 48, 8).mean(axis=2)
    assert np.corrcoef(same.ravel(), coarse[:, 1:49].ravel())[0, 1] > 0.97


def test_waveforms_given_in_python_are_those_of_the_store():
    waveforms = np.random.default_rng(0).normal(size=(2, 7))
    found = MODALITIES["sounds"].given(waveforms, (7,), {})
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, waveforms.astype(np.float32))
    for wrong in (waveforms[:, :6], np.full((2, 7), np.nan), [["a.wav"], ["b.wav"]]):
        with pytest.raises(
            InputError, match=r"files of sounds, or finite waveforms \(n, 7\), with the rate and the level"
        ):
            MODALITIES["sounds"].given(wrong, (7,), {})


OF_SET = {"rate": RATE, "seconds": 0.5, "level": 0.02}


def given(files):
    return MODALITIES["sounds"].given(files, (RATE // 2,), OF_SET)


def test_files_given_in_python_become_the_waveforms_of_a_set_with_their_rate_length_and_level(folder, caplog):
    stereo = np.stack([noise(1, 24_000), noise(2, 24_000)], axis=1)
    soundfile.write(folder / "other.flac", stereo, 48_000)
    soundfile.write(folder / "short.ogg", noise(3, 6_000), 16_000)
    soundfile.write(folder / "song.mp3", noise(4, 24_000), 48_000)
    files = [folder / name for name in ("good.wav", "other.flac", "short.ogg", "song.mp3")]
    expected = stored(folder, level=OF_SET["level"])
    caplog.clear()
    np.testing.assert_array_equal(given(files), expected["waveform"])
    assert f"stimuli: padded with zeros at the end, to 0.5 s: 1 ({files[2]})" in caplog.text
    np.testing.assert_array_equal(given([str(file) for file in files]), expected["waveform"])
    with files[1].open("rb") as first, io.BytesIO(files[0].read_bytes()) as second:
        np.testing.assert_array_equal(given([first, second]), expected["waveform"][[1, 0]])
        assert not first.closed
    assert {name: expected.attrs[name] for name in OF_SET} == OF_SET


def test_files_given_in_python_are_refused_together(folder):
    soundfile.write(folder / "silent.wav", np.zeros(RATE // 2), RATE)
    soundfile.write(folder / "short.wav", noise(1, RATE // 8), RATE)
    (folder / "no.wav").write_bytes(b"no sound")
    files = [folder / name for name in ("silent.wav", "good.wav", "short.wav", "no.wav", "missing.wav")]
    with pytest.raises(InputError, match="stimuli: 5 of 6 sounds cannot be used; replace them:") as raised:
        given([*files, io.BytesIO()])
    for said in (
        f"{files[0]}: it is silent",
        f"{files[2]}: 0.125 s long, where 0.25 to 0.75 s are cut or padded to 0.5 s",
        f"{files[3]}: not a sound, or damaged",
        f"{files[4]}: cannot be decoded: [Errno 2] No such file",
        "sound 5: not a sound, or damaged",
    ):
        assert said in str(raised.value)
    assert "good.wav" not in str(raised.value)
