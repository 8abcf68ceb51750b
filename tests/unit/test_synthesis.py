"""Synthesised sounds: what is planned is heard, whichever process makes it, in voices that sets do not share."""

import hashlib
import os
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
import zarr

from ventral.configuration.doubts import doubts
from ventral.configuration.resolution import resolve
from ventral.configuration.schema import whole
from ventral.errors import InputError
from ventral.report.methods import _synthesised
from ventral.stimuli import background_sounds, music, speech, synthesis
from ventral.stimuli.ingestion import describe
from ventral.stimuli.modality import MODALITIES, modality_shown
from ventral.stimuli.music import INSTRUMENTS, Note, played, score
from ventral.stimuli.speech import VOICES, WORDS, Utterance, spoken
from ventral.stimuli.synthesis import NAMED, complete, components, plan, synthesise, synthesised
from ventral.store import read_dataset

needs_libraries = pytest.mark.skipif(
    find_spec("espeakng_loader") is None or find_spec("tinysoundfont") is None or music.soundfont() is None,
    reason="espeakng_loader, tinysoundfont or the soundfont of pretty_midi is not installed",
)
OPTIONS = {
    "kinds": ["speech", "music"],
    "words": 3,
    "voices": 2,
    "first_voice": 0,
    "instruments": 3,
    "phrases": 2,
    "first_phrase": 0,
    "sounds": 2,
    "backgrounds": ["noise", "texture", "babble", "none"],
    "snr": [-3, 0, 9],
    "seed": 5,
}
RATE = 20_000


def spec_of(**changes):
    return complete({"synthesis": OPTIONS | changes})


def records(spec):
    return plan(spec).reset_index().to_dict("records")


@pytest.fixture
def installed(monkeypatch):
    """Plans need no synthesiser."""
    monkeypatch.setattr(synthesis, "_is_installed", lambda _package: True)


# Plans.


def test_limits_of_the_schema_are_those_of_the_lists():
    options = whole()["properties"]["stimuli"]["additionalProperties"]["properties"]["synthesis"]["properties"]
    assert options["words"]["maximum"] == len(WORDS) == len(set(WORDS))
    assert options["voices"]["maximum"] == options["first_voice"]["maximum"] + 1 == len(VOICES)
    assert options["instruments"]["maximum"] == len(INSTRUMENTS)
    assert tuple(options["backgrounds"]["default"]) == background_sounds.BACKGROUNDS
    assert len({program for program, _, _ in INSTRUMENTS.values()}) == len(INSTRUMENTS)
    assert all(highest - lowest >= 12 for _, lowest, highest in INSTRUMENTS.values())


def sets_of_training(label, kinds=("speech", "music"), **tested):
    """A config of a network that is trained on one synthesised set, and tested on another."""
    small = {"words": 3, "voices": 4, "instruments": 3, "phrases": 4}
    return {
        "stimuli": {"heard": {"synthesis": small}, "tested": {"synthesis": {**small, "kinds": list(kinds), **tested}}},
        "recordings": {"rec": {"stimuli": "tested", "responses": "r.npy"}},
        "models": {"net": {"architecture": "small_cochcnn", "train": {"stimuli": "heard", "label": label}}},
    }


@pytest.mark.parametrize(
    ("label", "tested", "shared"),
    [
        ("word", {"first_voice": 4}, ()),
        ("word", {"first_voice": 2}, list(VOICES)[2:4]),
        ("instrument", {"first_voice": 2, "first_phrase": 4}, ()),
        ("instrument", {"first_phrase": 3}, ["phrase_0003"]),
        (["word", "instrument"], {"first_voice": 3, "first_phrase": 3}, [list(VOICES)[3], "phrase_0003"]),
        ("kind", {"first_voice": 4, "first_phrase": 3}, ["phrase_0003"]),
        ("kind", {"kinds": ["music"], "first_phrase": 4}, ()),
    ],
)
def test_sounds_that_are_trained_on_and_tested_are_noticed(label, tested, shared):
    """The same seed makes the same sounds, and another seed makes the same word in the same voice."""
    config = sets_of_training(label, **tested)
    other_seed = sets_of_training(label, seed=1, **tested)
    if not shared:
        assert not list(doubts(resolve(config)))
        assert not list(doubts(resolve(other_seed)))
        return
    said = f"share {', '.join(shared)}"
    with pytest.raises(
        InputError, match=f"net.train.stimuli: heard and tested, which tests .* {said} with the same seed"
    ):
        resolve(config)
    (warning,) = doubts(resolve(other_seed))
    assert f"{said}, with the same words or instruments. Only pitch, speed and background differ" in warning


def test_a_set_has_every_word_in_every_voice_and_every_phrase_on_every_instrument(installed):
    table = plan(spec_of())
    assert table.index.is_unique
    assert set(table.columns) == {*NAMED, "pitch", "speed", "snr"}
    spoken_words, phrases = (table[table["kind"] == kind] for kind in ("speech", "music"))
    for part, columns, empty in (
        (spoken_words, ["word", "voice"], ["instrument", "phrase"]),
        (phrases, ["instrument", "phrase"], ["word", "voice"]),
    ):
        assert (part.groupby(columns).size() == 2).all()
        assert part.groupby(columns).ngroups == 6
        assert (part[empty] == "").all(axis=None)
    assert set(spoken_words["word"]) == set(WORDS[:3])
    assert set(phrases["instrument"]) == set(list(INSTRUMENTS)[:3])
    assert describe({"synthesis": OPTIONS}).equals(table)
    assert modality_shown({"synthesis": OPTIONS}) is MODALITIES["sounds"]


def test_other_halves_of_voices_and_phrases_share_none(installed):
    first, second = plan(spec_of(voices=20, phrases=20)), plan(spec_of(voices=20, first_voice=20, first_phrase=20))
    for column in ("voice", "phrase"):
        assert not set(first[column]) & set(second[column]) - {""}
    assert len(set(first["voice"]) | set(second["voice"])) == len(VOICES) + 1  # empty for music
    assert not set(first.index) & set(second.index)


def test_a_set_begins_with_the_sounds_of_a_smaller_one(installed):
    few, many = plan(spec_of()), plan(spec_of(words=9, voices=5, instruments=7, phrases=4, sounds=3))
    assert set(few.index) < set(many.index)
    assert few.equals(many.loc[few.index])


def test_pitch_speed_and_background_are_spread_evenly(installed):
    table = plan(spec_of(voices=20, words=40, instruments=40, phrases=20))
    np.testing.assert_allclose(table["background"].value_counts(normalize=True), 0.25, atol=0.03)
    np.testing.assert_allclose(table["snr"].value_counts(normalize=True), 1 / 3, atol=0.03)
    assert (table["snr"].isna() == (table["background"] == "none")).all()
    for kind, most in synthesis.PITCHES.items():
        pitch = table.loc[table["kind"] == kind, "pitch"]
        assert most - 0.5 <= pitch.max() <= most + 0.1
        assert abs(pitch.mean()) < 0.2
    assert (table.loc[table["kind"] == "music", "pitch"] % 1 == 0).all()
    assert table["speed"].between(2**-0.5, 2**0.5).all()
    assert abs(np.log(table["speed"]).mean()) < 0.02
    assert not plan(spec_of(seed=6))["speed"].isin(plan(spec_of())["speed"]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"first_voice": 30, "voices": 20},
            r"s\.synthesis\.voices: voices 30 to 49 are asked for, and there are 40, from 0; set `voices` to 10",
        ),
        ({"sounds": 10_000, "phrases": 1000}, r"s\.synthesis\.sounds: 30060000 sounds in all, 1000000 are the most"),
        (
            {"kinds": ["music"], "first_voice": 39},
            r"s\.synthesis\.voices: voices 39 to 40 are asked for",  # for babble
        ),
    ],
)
def test_what_cannot_be_synthesised(installed, changes, message):
    with pytest.raises(InputError, match=message):
        plan(spec_of(**changes), "s")


def test_words_need_time(installed):
    with pytest.raises(InputError, match=r"s\.seconds: 1 s are too short .* set `seconds` to 1\.25 or more"):
        plan({"synthesis": OPTIONS, "seconds": 1}, "s")
    plan({"synthesis": OPTIONS | {"kinds": ["music"], "backgrounds": ["noise"]}, "seconds": 1}, "s")


@pytest.mark.parametrize(
    ("package", "changes", "message"),
    [
        ("espeakng_loader", {"kinds": ["speech"]}, r"speech needs espeakng_loader, .*: pip install 'ventral\[sound\]'"),
        ("espeakng_loader", {"kinds": ["music"]}, r"speech needs espeakng_loader"),  # for babble
        ("tinysoundfont", {}, r"music needs tinysoundfont, .*: pip install --no-deps tinysoundfont"),
        ("soundfile", {}, r"playing sounds on the page needs soundfile, .*: pip install 'ventral\[sound\]'"),
        ("pretty_midi", {}, r"the soundfont TimGM6mb\.sf2 needs pretty_midi, .*: pip install --no-deps pretty_midi"),
    ],
)
def test_a_missing_library_is_said_before_any_sound(monkeypatch, tmp_path, package, changes, message):
    monkeypatch.setattr(synthesis, "find_spec", lambda name: None if name == package else object())
    soundfont = None if package == "pretty_midi" else tmp_path
    monkeypatch.setattr(music, "soundfont", lambda: soundfont)
    with pytest.raises(InputError, match=r"stimuli\.s\.synthesis: " + message):
        synthesise({"synthesis": OPTIONS | changes}, tmp_path / "s.zarr", name="s")
    assert not (tmp_path / "s.zarr").exists()


def test_a_package_without_its_soundfont_counts_as_missing(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "empty_package").mkdir()
    (tmp_path / "empty_package" / "__init__.py").touch()
    monkeypatch.setattr(music, "PACKAGE", "empty_package")
    assert music.soundfont() is None
    (tmp_path / "empty_package" / music.SOUNDFONT).touch()
    assert music.soundfont() == tmp_path / "empty_package" / music.SOUNDFONT


def test_the_methods_say_what_was_synthesised():
    said = _synthesised({"stimuli": "s"}, {"synthesised": {"s": OPTIONS}})
    assert said == ", synthesised: 3 words in 2 voices and 2 phrases on 3 instruments, before unrelated backgrounds"
    alone = OPTIONS | {"kinds": ["music"], "backgrounds": ["none"]}
    assert _synthesised({"stimuli": "s"}, {"synthesised": {"s": alone}}) == ", synthesised: 2 phrases on 3 instruments"
    assert not _synthesised({"stimuli": "other"}, {"synthesised": {"s": OPTIONS}})


# Scores.


def test_phrases_differ_and_depend_on_their_number_alone():
    phrases = [score(number) for number in range(60)]
    # Two sets of phrases also share no melody in another tempo or key.
    assert (
        len({tuple((note.beats, note.semitones - phrase[0].semitones) for note in phrase) for phrase in phrases}) == 60
    )
    assert score(7) == phrases[7]
    for phrase in phrases:
        assert max(note.start + note.beats for note in phrase) >= music.BEATS
        assert all(-30 <= note.semitones <= 30 for note in phrase)


# Speech.


@needs_libraries
def test_an_utterance_is_the_same_whatever_was_spoken_before():
    utterance = Utterance("water", "belinda", 2, 1.1, 30)
    (alone,) = spoken([utterance])
    spoken([Utterance("zebra", "m1"), Utterance("house", "ian")])
    (again,) = spoken([utterance])
    assert np.array_equal(alone, again)
    assert alone.dtype == np.float32
    assert 0.2 < len(alone) / speech.RATE < 0.8
    assert abs(alone[0]) > 0.01 * abs(alone).max() <= 1


@needs_libraries
def test_every_voice_speaks_and_no_two_speak_alike():
    waveforms = spoken([Utterance("water", voice) for voice in VOICES])
    assert len({waveform.tobytes() for waveform in waveforms}) == len(VOICES)
    assert all(np.abs(waveform).max() > 0.05 for waveform in waveforms)


def fundamental(waveform, rate, highest=1000):
    """Return the frequency of a periodic waveform, from the first of the highest peaks of its autocorrelation."""
    spectrum = np.fft.rfft(waveform, 2 * len(waveform))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: rate // 60]
    lags = np.arange(rate // highest, rate // 60 - 1)
    is_peak = (correlation[lags] > correlation[lags - 1]) & (correlation[lags] > correlation[lags + 1])
    peaks = lags[is_peak & (correlation[lags] >= 0.8 * correlation[lags].max())]
    return rate / peaks[0]


@needs_libraries
def test_pitch_and_speed_are_those_asked_for():
    pitches = [-4, -2, 0, 2, 4]
    vowels = [
        waveform[len(waveform) // 2 :][:1800] for waveform in spoken([Utterance("ma", "boris", x) for x in pitches])
    ]
    heard = [fundamental(vowel, speech.RATE, highest=200) for vowel in vowels]
    np.testing.assert_allclose(12 * np.log2(np.array(heard) / heard[2]), pitches, atol=0.6)
    slow, fast = (len(spoken([Utterance("elephant banana potato", "m3", 0, speed)])[0]) for speed in (0.75, 1.25))
    assert slow / fast == pytest.approx(1.25 / 0.75, rel=0.15)


@needs_libraries
def test_words_fit_into_the_shortest_sounds():
    utterances = [Utterance(word, voice, 0, 1 / synthesis.FASTEST) for voice in ("alicia", "andy") for word in WORDS]
    assert max(map(len, spoken(utterances))) / speech.RATE < synthesis.SHORTEST


@needs_libraries
def test_a_failure_of_the_synthesiser_is_an_error(monkeypatch):
    monkeypatch.setitem(VOICES, "nobody", "gmw/nothing+m1")
    with pytest.raises(RuntimeError, match=r"espeak-ng failed to speak .*nobody.*: .* has no voice gmw/nothing\+m1"):
        spoken([Utterance("water", "nobody")])


@needs_libraries
def test_a_crash_of_the_synthesiser_is_an_error(monkeypatch):
    monkeypatch.setattr(speech, "_spoken", lambda _utterance: os._exit(9))
    with pytest.raises(RuntimeError, match="espeak-ng failed to speak .*: it crashed"):
        spoken([Utterance("water", "m1")])


# Music.


@needs_libraries
@pytest.mark.parametrize("rate", [16_000, RATE])
def test_notes_have_their_pitch_and_time(rate):
    middle = sum(INSTRUMENTS["flute"][1:]) // 2
    notes = (Note(1, 1, 69 - middle), Note(2, 1, 76 - middle))
    waveform = played(notes, "flute", 2 * rate, rate, semitones=0, speed=1, velocity=90)
    assert waveform.shape == (2 * rate,)
    beat = rate // 2
    assert np.abs(waveform[: beat - 50]).max() < 1e-3 * np.abs(waveform).max()
    for start, frequency in ((beat, 440), (2 * beat, 659.3)):
        part = waveform[start + beat // 4 : start + beat]
        assert fundamental(part, rate) == pytest.approx(frequency, rel=0.03)
    higher = played(notes[:1], "flute", 2 * rate, rate, semitones=5, speed=1, velocity=90)
    assert fundamental(higher[beat + beat // 4 : 2 * beat], rate) == pytest.approx(440 * 2 ** (5 / 12), rel=0.03)
    beyond = played(notes[:1], "flute", 2 * rate, rate, semitones=48, speed=1, velocity=90)
    assert np.abs(beyond).max() > 0


@needs_libraries
def test_a_phrase_is_the_same_whatever_was_played_before():
    options = {"semitones": 0, "speed": 1.2, "velocity": 80}
    first = played(score(3), "violin", RATE, RATE, **options)
    played(score(4), "piano", RATE, RATE, **options)
    assert np.array_equal(played(score(3), "violin", RATE, RATE, **options), first)


@needs_libraries
def test_every_instrument_sounds_and_no_two_alike():
    notes = (Note(0, 1, 0),)
    waveforms = [
        played(notes, name, RATE // 4, RATE, semitones=0, speed=1, velocity=90).tobytes() for name in INSTRUMENTS
    ]
    assert len(set(waveforms)) == len(INSTRUMENTS)
    assert all(np.abs(np.frombuffer(waveform)).max() > 1e-3 for waveform in waveforms)


def test_reverberation_decays_as_asked():
    click = np.zeros(RATE)
    click[0] = 1
    heard = music.reverberant(click, RATE, 0.5, 0.3, np.random.default_rng(0))
    assert heard[0] == pytest.approx(1)
    assert np.sum(heard[1:] ** 2) == pytest.approx(0.3)
    level = [10 * np.log10(np.mean(heard[start : start + 1000] ** 2)) for start in (1, 5001)]
    assert level[0] - level[1] == pytest.approx(60 * 0.25 / 0.5, abs=1)


# Backgrounds.


def test_the_power_of_noise_falls_as_a_power_of_frequency():
    slopes = []
    for seed in range(20):
        noise = background_sounds.noise(2 * RATE, RATE, np.random.default_rng(seed))
        power, frequency = np.abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(2 * RATE, 1 / RATE)
        assert power[frequency < 30].max() < 1e-12 * power.max()
        edges = np.geomspace(60, 9000, 8)
        bands = [power[(frequency >= a) & (frequency < b)].mean() for a, b in pairwise(edges)]
        slopes.append(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(bands), 1)[0])
    assert -2.1 < min(slopes) < -1.5
    assert -0.5 < max(slopes) < 0.1


def test_envelopes_of_textures_vary_more_than_those_of_noise():
    def variation(waveform):
        return np.std(np.log(np.mean(waveform.reshape(40, -1) ** 2, axis=1)))

    kinds = [
        [variation(made(2 * RATE, RATE, np.random.default_rng(seed))) for seed in range(20)]
        for made in (background_sounds.noise, background_sounds.texture)
    ]
    assert np.median(kinds[1]) > 1.5 * np.median(kinds[0])


def test_babble_has_other_words_in_the_voices_of_the_set():
    voices = list(VOICES)[3:6]
    talkers = [
        talker
        for seed in range(30)
        for talker in background_sounds.babble_of(voices, "water", 2, np.random.default_rng(seed))
    ]
    assert {talker.voice for talker in talkers} == set(voices)
    assert {word for talker in talkers for word in talker.text.split()} == set(WORDS) - {"water"}
    assert 4 * 30 < len(talkers) < 8 * 30


# Sounds.


@needs_libraries
def test_ratios_of_word_or_phrase_to_background_are_those_asked_for():
    spec = spec_of(sounds=3, voices=1, phrases=1)
    heard = set()
    for sound in records(spec):
        target, background = components(spec, sound)
        times = np.flatnonzero(target)
        while_it_lasts = target[times[0] : times[-1] + 1]
        heard.add((sound["kind"], sound["background"]))
        if sound["background"] == "none":
            assert not background.any()
            continue
        ratio = 10 * np.log10(np.mean(while_it_lasts**2) / np.mean(background**2))
        assert ratio == pytest.approx(sound["snr"], abs=0.1)
        if sound["kind"] == "speech":
            assert 0.1 < len(while_it_lasts) / len(target) < 0.6
    assert len(heard) >= 6


@needs_libraries
@pytest.mark.parametrize("changes", [{}, {"rate": 16_000, "seconds": 1.5, "level": 0.02}])
def test_sounds_have_the_rate_length_and_level_of_the_set(changes):
    spec = complete({"synthesis": OPTIONS, **changes})
    for sound in records(spec)[::5]:
        waveform = synthesised(spec, sound)
        assert waveform.shape == (spec["rate"] * spec["seconds"],)
        assert waveform.mean() == pytest.approx(0, abs=1e-5)
        assert np.sqrt(np.mean(waveform.astype(float) ** 2)) == pytest.approx(spec["level"], rel=1e-4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The set of OPTIONS, made by one process and by two."""
    folder = tmp_path_factory.mktemp("made")
    for cores in (1, 2):
        synthesise({"synthesis": OPTIONS}, folder / f"{cores}.zarr", name="mine", cores=cores)
    return folder


@needs_libraries
def test_the_same_bytes_by_any_number_of_processes_in_any_order(made):
    one, two = (
        {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}
        for store in (made / "1.zarr", made / "2.zarr")
    )
    assert one == two
    stored = zarr.open_group(made / "1.zarr", mode="r")["waveform"][:]
    spec = spec_of()
    sounds = list(enumerate(records(spec)))
    for row, sound in sounds[::-4]:
        assert np.array_equal(synthesised(spec, sound), stored[row])


@needs_libraries
def test_a_synthesised_set_is_a_set_like_any_other(made):
    stimuli = read_dataset(made / "1.zarr")
    assert dict(stimuli.sizes) == {"stimulus": 24, "sample": 2 * RATE}
    assert stimuli["waveform"].dtype == np.float32
    table = plan(spec_of())
    assert list(stimuli["stimulus"].values) == list(table.index)
    for column in table:
        np.testing.assert_array_equal(stimuli[column].values, table[column].to_numpy())
    assert {name: stimuli.attrs[name] for name in ("name", "modality", "rate")} == {
        "name": "mine",
        "modality": "sounds",
        "rate": RATE,
    }
    assert not stimuli.attrs["duplicates"]
    assert "near_duplicates" not in stimuli.attrs
    assert "espeakng_loader" in stimuli.attrs["made_by"]
    digests = {hashlib.sha256(waveform).hexdigest() for waveform in stimuli["waveform"].values}
    assert len(digests) == 24


# Intelligibility.


def spectrogram(waveform):
    """Return the logarithm of power (frequency, time), in 24 bands."""
    windows = np.lib.stride_tricks.sliding_window_view(waveform, 512)[::256] * np.hanning(512)
    power = np.abs(np.fft.rfft(windows)) ** 2
    edges = np.unique(np.geomspace(4, 257, 25).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    return np.log(bands + 1e-3 * bands.max()).T


def nearest(features, others):
    """Return the most correlated rows of `others` (m, p) to rows of `features` (n, p), and the correlations."""
    a, b = ((x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True) for x in (features, others))
    return a @ b.T / a.shape[1]


@needs_libraries
def test_words_are_recognised_across_voices():
    words = WORDS[:12]

    def heard(first):
        voices = list(VOICES)[first : first + 6]
        waveforms = spoken([Utterance(word, voice) for voice in voices for word in words])
        # Stretched to one length, because voices differ in speed.
        bands = [spectrogram(waveform) for waveform in waveforms]
        return np.stack([x[:, np.linspace(0, x.shape[1] - 1, 40).astype(int)].ravel() for x in bands])

    labels = np.tile(np.arange(12), 6)
    accuracy = np.mean(labels[nearest(heard(20), heard(0)).argmax(axis=1)] == labels)
    assert accuracy > 0.6  # by chance 1 / 12


@needs_libraries
def test_instruments_are_recognised_across_phrases_and_keys():
    def heard(first):
        spec = spec_of(kinds=["music"], instruments=10, phrases=4, sounds=1, first_phrase=first, backgrounds=["none"])
        bands = [spectrogram(synthesised(spec, sound)) for sound in records(spec)]
        return np.stack([np.concatenate([x.mean(axis=1), x.std(axis=1)]) for x in bands])

    labels = np.tile(np.arange(10), 4)
    accuracy = np.mean(labels[nearest(heard(20), heard(0)).argmax(axis=1)] == labels)
    assert accuracy > 0.4  # by chance 1 / 10
