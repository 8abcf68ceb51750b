"""Sets of synthesised sounds: spoken words and played phrases, before backgrounds that are unrelated to them.

The seed and the name of a sound determine its waveform bit for bit, in any process, on one kind of processor.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.outputs import writing
from ventral.provenance import loaded_elsewhere
from ventral.running.progress import Progress
from ventral.running.slurm import allocated_cores
from ventral.stimuli import background_sounds, music, sounds, speech
from ventral.stimuli.background_sounds import BABBLE, NOISE, NONE, TEXTURE
from ventral.stimuli.draws import named_generator
from ventral.stimuli.modality import SYNTHESIS, modality_shown
from ventral.stimuli.places import as_list
from ventral.stimuli.store import complete_set, create_set

if TYPE_CHECKING:
    import pandas as pd

SPEECH, MUSIC = "speech", "music"
# Properties with names, empty where a kind has none.
NAMED = ("kind", "word", "voice", "instrument", "phrase", "background")
# Largest pitch of each kind in semitones above or below its middle, and largest speed relative to a usual one.
PITCHES = {SPEECH: 4.0, MUSIC: 6.0}
FASTEST = 2**0.5
# Ranges of what else differs between renditions: intonation of words; velocity, and time and energy of reverberation.
INTONATIONS = (25, 75)
VELOCITIES, DECAYS, REVERBERATIONS = (50, 115), (0.15, 1.5), (0.0, 0.5)
# The slowest voice needs so long for the longest word.
SHORTEST = 1.25
# A table of more sounds would not fit into memory while the config is checked.
MOST_SOUNDS = 1_000_000
SOUNDS_PER_TASK = 16
# Kind of sounds with each label; other labels belong to both kinds.
KIND_OF_LABEL = {"word": SPEECH, "voice": SPEECH, "instrument": MUSIC, "phrase": MUSIC}
# The page of results is made last, and needs this package, too.
PLAYER = "soundfile"
# What needs each package, and the command that installs it. Dependencies of the last two are for playing and for files.
USED_FOR = {
    "espeakng_loader": ("speech", "pip install 'ventral[sound]'"),
    PLAYER: ("playing sounds on the page", "pip install 'ventral[sound]'"),
    "tinysoundfont": ("music", "pip install --no-deps tinysoundfont"),
    music.PACKAGE: (f"the soundfont {music.SOUNDFONT}", f"pip install --no-deps {music.PACKAGE}"),
}


def plan(spec: Mapping, key: str = "stimuli") -> "pd.DataFrame":
    """Return the names and properties of each sound of a set, without synthesis.

    Parameters
    ----------
    spec : dict
        Has `synthesis`, with `kinds`, `words`, `first_voice`, `voices`, `instruments`, `first_phrase`, `phrases`,
        `sounds`, `backgrounds`, `snr` and `seed`, as in the config, and optionally `rate`, `seconds` and `level`.
    key : str
        Config key of `spec`, for messages.

    Returns
    -------
    DataFrame
        One row for each sound, each voice and each phrase in order; the index `stimulus` has the names. Text columns
        are those of `NAMED`. The column `pitch` is in semitones above the middle of the voice or instrument. `speed` is
        relative to 175 words or 120 beats per minute. `snr` is in dB, and NaN without a background.

    Raises
    ------
    InputError
        If a library is not installed, there are fewer voices than asked for, sounds are too short for words, or there
        are too many.
    """
    import pandas as pd

    options = spec[SYNTHESIS]
    _check(spec, key)
    kinds = [_rows(options, kind) for kind in options["kinds"]]
    columns = {column: np.concatenate([rows[column] for rows in kinds]) for column in kinds[0]}
    return pd.DataFrame(columns).set_index("stimulus")


def shared_sources(trained: Mapping, tested: Mapping, label: str | Sequence[str] | None) -> list[str]:
    """Return the voices and phrases that two sets share, with the same words and instruments.

    Parameters
    ----------
    trained, tested : mapping
        The `synthesis` of each set.
    label : str or sequence of str, optional
        What is learned of the first set. Sounds of a kind without this label are not trained on.
    """
    labels = as_list(label or "kind")
    learned = {KIND_OF_LABEL.get(name, kind) for name in labels for kind in (SPEECH, MUSIC)}
    shared = []
    for kind in trained["kinds"]:
        if kind in tested["kinds"] and kind in learned:
            shared += [source for source in _sources(trained, kind) if source in _sources(tested, kind)]
    return shared


def synthesise(spec: Mapping, output: str | Path, *, name: str, cores: int = 1) -> None:
    """Synthesise the sounds of a set, and write a store like that of an ingested one.

    Parameters
    ----------
    spec : dict
        As for `plan`.
    output : path
        Store to write, as `ventral.stimuli.store` describes, with the columns of `plan`. The attribute `made_by` has
        the versions of the synthesisers.
    name : str
        Name of the set.
    cores : int
        Largest number of processes that synthesise. The sounds do not depend on it.

    Raises
    ------
    InputError
        As for `plan`.
    """
    key = f"stimuli.{name}"
    spec = complete(spec)
    table, modality = plan(spec, key), modality_shown(spec)
    digests, outlines = [], []
    packages = _packages(spec[SYNTHESIS])
    made_by = [f"{package} {version(package)}" for package in packages]
    # Only the processes that synthesise load them.
    loaded_elsewhere([*packages, "scipy"])
    progress = Progress(f"synthesise {name}", len(table), modality.name)
    records = table.reset_index().to_dict("records")
    # A new interpreter has no threads, which forking would break.
    with (
        ProcessPoolExecutor(allocated_cores(cores), get_context("spawn")) as pool,
        writing(output) as unfinished,
    ):
        stored = create_set(unfinished, table, modality, (_samples(spec),))
        step = stored.shards[0]
        for start in range(0, len(table), step):
            made = pool.map(partial(synthesised, spec), records[start : start + step], chunksize=SOUNDS_PER_TASK)
            block = np.stack(list(_counted(made, progress)))
            stored[start : start + len(block)] = block
            digests += [hashlib.sha256(waveform).digest() for waveform in block]
            outlines.append(modality.outlines(block))
        attributes = {**modality.attributes, **modality.stored(spec), "made_by": ", ".join(made_by)}
        complete_set(unfinished, name, table, digests, np.concatenate(outlines), **attributes)


def synthesised(spec: Mapping, sound: Mapping) -> NDArray[np.float32]:
    """Return the waveform (samples,) of a sound, with mean 0 and the level of the set.

    Parameters
    ----------
    spec : dict
        From `complete`.
    sound : mapping
        Properties of the sound from `plan`, and its name as `stimulus`.
    """
    target, background = components(spec, sound)
    mixed = (target + background)[:, None]
    return sounds.waveform(mixed, spec["rate"], spec, target.shape)


def components(spec: Mapping, sound: Mapping) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a sound consists of, before its level is set: a word or phrase, and its background.

    The ratio of their powers is `snr`. The power of a word is that while it lasts.

    Parameters
    ----------
    spec, sound
        As for `synthesised`.

    Returns
    -------
    target, background : (samples,) arrays
        Zero where the word is not spoken; the background is zero if there is none.
    """
    seed, name = spec[SYNTHESIS]["seed"], sound["stimulus"]
    rng = named_generator(seed, name, "background")
    talkers = _talkers(spec, sound, rng) if sound["background"] == BABBLE else []
    rng_of_target = named_generator(seed, name, "target")
    if sound["kind"] == SPEECH:
        # One process speaks all of them, the word first.
        waveform, *talkers = speech.spoken([_utterance(sound, rng_of_target), *talkers])
        target = sounds.resampled(waveform.astype(np.float64), speech.RATE, spec["rate"])
    else:
        talkers = speech.spoken(talkers) if talkers else []
        target = _played(spec, sound, rng_of_target)
    target /= np.sqrt(np.mean(target**2))
    placed = np.zeros(_samples(spec))
    free = len(placed) - len(target)
    start = rng_of_target.integers(free // 4, free - free // 4 + 1)
    placed[start : start + len(target)] = target
    return placed, _background(spec, sound, talkers, rng)


def complete(spec: Mapping) -> dict:
    """Return the description of a set with the defaults of its rate, length and level."""
    return {name: option["default"] for name, option in sounds.SET_OPTIONS.items()} | dict(spec)


def _check(spec: Mapping, key: str) -> None:
    options, at = spec[SYNTHESIS], f"{key}.{SYNTHESIS}"
    for package in [*_packages(options), PLAYER]:
        if not _is_installed(package):
            what, advice = USED_FOR[package]
            raise InputError(f"{at}: {what} needs {package}, which is not installed: {advice}")
    n_sounds = options["sounds"] * (
        (SPEECH in options["kinds"]) * options["words"] * options["voices"]
        + (MUSIC in options["kinds"]) * options["instruments"] * options["phrases"]
    )
    if n_sounds > MOST_SOUNDS:
        raise InputError(f"{at}.sounds: {n_sounds} sounds in all, {MOST_SOUNDS} are the most; ask for fewer of one")
    if SPEECH not in options["kinds"] and BABBLE not in options["backgrounds"]:
        return
    first, after = options["first_voice"], options["first_voice"] + options["voices"]
    if after > len(speech.VOICES):
        raise InputError(
            f"{at}.voices: voices {first} to {after - 1} are asked for, and there are {len(speech.VOICES)}, from 0; "
            f"set `voices` to {max(0, len(speech.VOICES) - first)} or less, or `first_voice` to less"
        )
    if complete(spec)["seconds"] < SHORTEST:
        raise InputError(
            f"{key}.seconds: {spec['seconds']:g} s are too short for the longest words of the slowest voice; set "
            f"`seconds` to {SHORTEST} or more"
        )


def _packages(options: Mapping) -> list[str]:
    """Return the packages that synthesise a set."""
    speaks = SPEECH in options["kinds"] or BABBLE in options["backgrounds"]
    return ["espeakng_loader"] * speaks + ["tinysoundfont", music.PACKAGE] * (MUSIC in options["kinds"])


def _is_installed(package: str) -> bool:
    return (music.soundfont() if package == music.PACKAGE else find_spec(package)) is not None


def _rows(options: Mapping, kind: str) -> dict[str, NDArray]:
    """Return the columns of the sounds of one kind: each word by each voice, or each phrase on each instrument."""
    if kind == SPEECH:
        everything, n_labels = speech.WORDS, options["words"]
        label_column, source_column = "word", "voice"
    else:
        everything, n_labels = list(music.INSTRUMENTS), options["instruments"]
        label_column, source_column = "instrument", "phrase"
    sources, n_sounds = _sources(options, kind), options["sounds"]
    # Draw for all words and instruments that there are, sound by sound, so that the first do not depend on numbers.
    drawn = np.concatenate(
        [
            named_generator(options["seed"], source, "plan")
            .uniform(size=(n_sounds, len(everything), 4))[:, :n_labels]
            .transpose(1, 0, 2)
            .reshape(-1, 4)
            for source in sources
        ]
    )
    source = np.repeat(sources, n_labels * n_sounds)
    label = np.tile(np.repeat(everything[:n_labels], n_sounds), len(sources))
    number = np.tile(np.arange(n_sounds), len(sources) * n_labels)
    named = {"kind": np.repeat(kind, len(label)), label_column: label, source_column: source}
    named["background"] = np.array(options["backgrounds"])[_place(drawn[:, 0], options["backgrounds"])]
    snr = np.array(options["snr"], float)[_place(drawn[:, 1], options["snr"])]
    digits = len(str(n_sounds - 1))
    return {
        "stimulus": np.array([f"{a}_{b}_{k:0{digits}d}" for a, b, k in zip(label, source, number, strict=True)]),
        **{column: named.get(column, np.repeat("", len(label))) for column in NAMED},
        "pitch": _pitches(kind, drawn[:, 2]),
        "speed": FASTEST ** (2 * drawn[:, 3] - 1),
        "snr": np.where(named["background"] == NONE, np.nan, snr),
    }


def _sources(options: Mapping, kind: str) -> list[str]:
    """Return the voices or the phrases of a set."""
    if kind == SPEECH:
        return _voices(options)
    return [f"phrase_{options['first_phrase'] + number:04d}" for number in range(options["phrases"])]


def _place(drawn: NDArray[np.float64], values: Sequence) -> NDArray[np.intp]:
    """Return the positions (n,) among some values of numbers (n,) drawn from 0 to 1."""
    return (drawn * len(values)).astype(np.intp)


def _pitches(kind: str, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pitches in semitones, in the steps of the synthesiser: keys of music, and a unit of espeak-ng."""
    steps = speech.UNITS_PER_SEMITONE if kind == SPEECH else 1
    return np.round(PITCHES[kind] * (2 * drawn - 1) * steps) / steps


def _voices(options: Mapping) -> list[str]:
    return list(speech.VOICES)[options["first_voice"] :][: options["voices"]]


def _samples(spec: Mapping) -> int:
    return round(spec["rate"] * spec["seconds"])


def _utterance(sound: Mapping, rng: np.random.Generator) -> speech.Utterance:
    return speech.Utterance(
        sound["word"], sound["voice"], sound["pitch"], sound["speed"], int(rng.integers(*INTONATIONS, endpoint=True))
    )


def _played(spec: Mapping, sound: Mapping, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the waveform (samples,) of a phrase in a room."""
    velocity, decay, share = (rng.uniform(*limits) for limits in (VELOCITIES, DECAYS, REVERBERATIONS))
    waveform = music.played(
        music.score(int(sound["phrase"].rpartition("_")[2])),
        sound["instrument"],
        _samples(spec),
        spec["rate"],
        semitones=int(sound["pitch"]),
        speed=sound["speed"],
        velocity=round(velocity),
    )
    return music.reverberant(waveform, spec["rate"], decay, share, rng)


def _talkers(spec: Mapping, sound: Mapping, rng: np.random.Generator) -> list[speech.Utterance]:
    return background_sounds.babble_of(_voices(spec[SYNTHESIS]), sound["word"], spec["seconds"], rng)


def _background(
    spec: Mapping, sound: Mapping, talkers: list[NDArray[np.float32]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the background (samples,) of a word or phrase with power 1, at the signal-to-noise ratio of a sound."""
    samples, rate = _samples(spec), spec["rate"]
    if sound["background"] == NONE:
        return np.zeros(samples)
    if sound["background"] == BABBLE:
        background = background_sounds.babble(talkers, samples, rate, rng)
    else:
        background = {NOISE: background_sounds.noise, TEXTURE: background_sounds.texture}[sound["background"]](
            samples, rate, rng
        )
    background -= background.mean()
    return background * 10 ** (-sound["snr"] / 20) / background.std()


def _counted(waveforms: Iterator[NDArray], progress: Progress) -> Iterator[NDArray]:
    for waveform in waveforms:
        yield waveform
        progress.advance()
