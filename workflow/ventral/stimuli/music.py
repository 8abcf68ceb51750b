"""Short phrases of music: scores made by number, and instruments of a soundfont that play them.

The soundfont TimGM6mb (GPL-2) comes with the package `pretty_midi`, and tinysoundfont (MIT) plays it. None of them is a
part of this repository, and their licences do not cover the sounds that they make.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.stimuli import sounds

# Each instrument's program of General MIDI, from 0, and the lowest and highest key that it plays; 60 is middle C. Each
# beginning of the list has instruments of many families.
INSTRUMENTS = {
    "piano": (0, 36, 96), "flute": (73, 60, 94), "violin": (40, 55, 94), "trumpet": (56, 54, 84),
    "nylon_guitar": (24, 40, 76), "marimba": (12, 45, 84), "church_organ": (19, 36, 88), "clarinet": (71, 50, 89),
    "acoustic_bass": (32, 28, 55), "harpsichord": (6, 41, 89), "steel_drum": (114, 52, 76), "choir": (52, 48, 79),
    "oboe": (68, 58, 89), "tuba": (58, 28, 55), "banjo": (105, 48, 79), "music_box": (10, 60, 96),
    "strings": (48, 40, 88), "accordion": (21, 53, 89), "tenor_sax": (66, 44, 74), "distortion_guitar": (30, 40, 76),
    "glockenspiel": (9, 72, 103), "bassoon": (70, 34, 67), "sitar": (104, 48, 77), "harmonica": (22, 60, 89),
    "harp": (46, 36, 96), "cello": (42, 36, 72), "french_horn": (60, 41, 77), "vibraphone": (11, 53, 89),
    "pan_flute": (75, 60, 94), "slap_bass": (36, 28, 55), "pizzicato": (45, 40, 88), "bagpipe": (109, 57, 76),
    "muted_trumpet": (59, 54, 84), "koto": (107, 55, 84), "tubular_bells": (14, 60, 77), "clavinet": (7, 36, 84),
    "recorder": (74, 60, 86), "trombone": (57, 40, 70), "kalimba": (108, 60, 84), "electric_piano": (4, 36, 96),
    "piccolo": (72, 74, 100), "jazz_guitar": (26, 40, 76), "xylophone": (13, 65, 101), "soprano_sax": (64, 56, 84),
    "timpani": (47, 36, 57), "reed_organ": (20, 41, 89), "shamisen": (106, 50, 79), "whistle": (78, 60, 89),
    "english_horn": (69, 52, 81), "dulcimer": (15, 48, 84), "baritone_sax": (67, 36, 69),
    "tremolo_strings": (44, 40, 88), "celesta": (8, 60, 96), "shehnai": (111, 57, 84), "fretless_bass": (35, 28, 55),
    "ocarina": (79, 60, 84), "steel_guitar": (25, 40, 76), "brass": (61, 40, 82), "shakuhachi": (77, 55, 84),
    "square_wave": (80, 48, 84),
}  # fmt: skip
# Semitones of the degrees of each scale above its tonic.
SCALES = (
    (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10),
    (0, 2, 4, 7, 9), (0, 3, 5, 7, 10),
)  # fmt: skip
# Lengths of notes in beats, more often short ones.
LENGTHS = (0.25, 0.5, 0.5, 0.5, 1.0, 1.0, 1.5)
# Below the melody there may be nothing, chords, or broken chords.
TEXTURES = ("melody", "chords", "broken chords")
BEATS_OF_CHORD = 2
BEATS_PER_MINUTE = 120
BEATS = 128
OCTAVE = 12
# Notes are played at the multiple of a set's rate that is this or more, because the player's interpolation is simple.
LOWEST_RATE = 40_000
SOUNDFONT, PACKAGE = "TimGM6mb.sf2", "pretty_midi"


@dataclass(frozen=True)
class Note:
    """A note of a score.

    Attributes
    ----------
    start, beats : float
        Start and length, in beats.
    semitones : int
        Pitch above the tonic in the middle of the instrument's range.
    """

    start: float
    beats: float
    semitones: int


@lru_cache(1)
def score(number: int) -> tuple[Note, ...]:
    """Return the notes of a phrase of `BEATS` beats.

    The number alone determines a phrase: a scale, a melody that walks on the scale, and what is below the melody.
    """
    rng = np.random.default_rng([number, BEATS])
    scale = SCALES[rng.integers(len(SCALES))]
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    notes, start, degree = [], 0.0, int(rng.integers(len(scale)))
    while start < BEATS:
        length = LENGTHS[rng.integers(len(LENGTHS))]
        notes.append(Note(start, length, _semitones(scale, degree)))
        start += length
        # Melodies move by small steps, and towards their middle.
        degree += int(np.round(rng.normal(-degree / len(scale), 1.6)))
    if texture == "melody":
        return tuple(notes)
    for start in range(0, BEATS, BEATS_OF_CHORD):
        root = int(rng.integers(len(scale))) - len(scale)
        for place in range(3):
            semitones = _semitones(scale, root + 2 * place)
            broken = texture == "broken chords"
            notes.append(Note(start + 0.5 * place * broken, 0.5 if broken else BEATS_OF_CHORD, semitones))
    return tuple(notes)


def played(
    notes: Sequence[Note], instrument: str, samples: int, rate: int, *, semitones: int, speed: float, velocity: int
) -> NDArray[np.float64]:
    """Return the beginning of a score as a waveform (samples,).

    Parameters
    ----------
    notes : sequence of Note
        Score.
    instrument : str
        Name among `INSTRUMENTS`. Notes beyond the instrument's range are played octaves lower or higher.
    samples, rate : int
        Length of the waveform, and its samples per second.
    semitones : int
        Transposition.
    speed : float
        Speed relative to 120 beats per minute.
    velocity : int
        How hard keys are struck, 1 to 127.
    """
    program, lowest, highest = INSTRUMENTS[instrument]
    times = -(-LOWEST_RATE // rate)
    synthesiser = _synthesiser(program, rate * times)
    beat = rate * times * 60 / (BEATS_PER_MINUTE * speed)
    events = []
    for note in notes:
        key = _in_range((lowest + highest) // 2 + semitones + note.semitones, lowest, highest)
        events += [(round(note.start * beat), True, key), (round((note.start + note.beats) * beat), False, key)]
    # At one sample, keys are released before others are struck.
    parts, now, end = [], 0, samples * times
    for start, struck, key in sorted(event for event in events if event[0] < end):
        parts.append(_heard(synthesiser, start - now))
        now = start
        if struck:
            synthesiser.noteon(0, key, velocity)
        else:
            synthesiser.noteoff(0, key)
    return sounds.resampled(np.concatenate([*parts, _heard(synthesiser, end - now)]), rate * times, rate)


def reverberant(
    waveform: NDArray[np.float64], rate: int, decay: float, share: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a waveform (samples,) as in a room, cut to its own length.

    The room's impulse response is noise that decays exponentially (Moorer 1979, Computer Music Journal 3:13).

    Parameters
    ----------
    decay : float
        Time in seconds in which the reverberation falls by 60 dB.
    share : float
        Energy of the response after the direct sound, relative to the direct sound.
    """
    from scipy.signal import fftconvolve

    time = np.arange(1, round(decay * rate)) / rate
    response = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    response *= np.sqrt(share / np.sum(response**2))
    return fftconvolve(waveform, np.concatenate([[1.0], response]))[: len(waveform)]


def soundfont() -> Path | None:
    """Return the file of the soundfont, or None if the package that has the file is not installed."""
    # The package itself is not imported, because its own dependencies may be missing.
    package = find_spec(PACKAGE)
    path = Path(package.origin).parent / SOUNDFONT if package else None
    return path if path and path.is_file() else None


def _semitones(scale: tuple[int, ...], degree: int) -> int:
    octave, place = divmod(degree, len(scale))
    return OCTAVE * octave + scale[place]


def _in_range(key: int, lowest: int, highest: int) -> int:
    """Return a key in a range of an octave or more, moved by as few octaves as needed."""
    while key < lowest:
        key += OCTAVE
    while key > highest:
        key -= OCTAVE
    return key


@cache
def _content() -> bytes:
    return soundfont().read_bytes()


def _synthesiser(program: int, rate: int):
    """Return a new player of one instrument: an old one would remember what it played."""
    import tinysoundfont

    synthesiser = tinysoundfont.Synth(samplerate=rate)
    synthesiser.program_select(0, synthesiser.sfload(_content()), 0, program)
    return synthesiser


def _heard(synthesiser, samples: int) -> NDArray[np.float64]:
    """Return the next samples (samples,) of a player, the mean of both channels."""
    if not samples:
        return np.empty(0)
    return np.frombuffer(synthesiser.generate(samples), np.float32).reshape(-1, 2).mean(axis=1, dtype=np.float64)
