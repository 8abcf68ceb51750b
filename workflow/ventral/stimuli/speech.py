"""Spoken words: a vocabulary, voices, and the synthesiser espeak-ng, which speaks both.

espeak-ng (GPL-3) comes with the package `espeakng_loader`. None of it is a part of this repository, and its licence
does not cover the sounds that it makes.
"""

import ctypes
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

# Common words, of one to three syllables and of different consonants and vowels; each beginning of the list is a
# vocabulary, too.
WORDS = (
    "water", "house", "music", "elephant", "green", "window", "yellow", "chicken", "forty", "school",
    "banana", "paper", "night", "garden", "voice", "mountain", "sugar", "bread", "kitchen", "holiday",
    "doctor", "finger", "language", "north", "potato", "river", "summer", "thunder", "village", "zebra",
    "bicycle", "cotton", "family", "ghost", "jacket", "lemon", "money", "orange", "pocket", "question",
    "animal", "basket", "church", "dinner", "engine", "flower", "guitar", "history", "island", "jungle",
    "king", "ladder", "market", "needle", "ocean", "people", "quiet", "rabbit", "silver", "table",
    "umbrella", "victory", "winter", "youth", "apple", "bottle", "circle", "dragon", "evening", "farmer",
    "golden", "hammer", "iron", "journey", "letter", "mirror", "nothing", "office", "picture", "remember",
)  # fmt: skip
# Variants of espeak-ng with vocal tracts that differ, without whispers and robots. Three in ten are women.
VARIANTS = (
    "f1", "m1", "Alex", "m2", "Alicia", "boris", "m3", "f3", "Denis", "m4",
    "Andrea", "Andy", "ed", "belinda", "antonio", "Gene", "m5", "steph", "iven", "Mike",
    "f2", "m6", "gustave", "Annie", "david", "Jacky", "m7", "f4", "norbert", "Reed",
    "aunty", "Diogo", "Michael", "anika", "edward", "paul", "rob", "grandma", "ian", "travis",
)  # fmt: skip
# Accents of English, which the voices have in turn.
ACCENTS = ("en", "en-US", "en-GB-scotland", "en-GB-x-rp", "en-US-nyc", "en-GB-x-gbclan", "en-029", "en-GB-x-gbcwmd")
# Each voice by its name: its identifier for espeak-ng.
VOICES = {variant.lower(): f"gmw/{ACCENTS[number % len(ACCENTS)]}+{variant}" for number, variant in enumerate(VARIANTS)}
RATE = 22050
# Speed of espeak-ng in words per minute, and its middle pitch. Fifty units are an octave of a voice's lowest pitch.
# About five are a semitone of the pitch that is heard, because the range of the pitch stays.
WORDS_PER_MINUTE = 175
MIDDLE_PITCH, UNITS_PER_SEMITONE = 50, 5
# Samples below this share of the largest are silence before or after an utterance.
SILENCE = 0.01
# Constants of espeak-ng's speak_lib.h.
SYNCHRONOUS, DO_NOT_EXIT, UTF8, CHARACTERS = 2, 0x8000, 1, 1
SPEED, PITCH, RANGE = 1, 3, 4
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Utterance:
    """Words to speak.

    Attributes
    ----------
    text : str
        Words, with spaces between them.
    voice : str
        Name among `VOICES`.
    semitones : float
        Pitch above that of the voice, -10 to 9; the pitch that is heard differs by half a semitone or less.
    speed : float
        Speed relative to 175 words per minute.
    intonation : int
        Range of the pitch within an utterance, 0 (monotone) to 100; 50 is that of the voice.
    """

    text: str
    voice: str
    semitones: float = 0.0
    speed: float = 1.0
    intonation: int = 50


def spoken(utterances: Sequence[Utterance]) -> list[NDArray[np.float32]]:
    """Return the waveform (samples,) of each of some utterances at `RATE`, without silence at both ends.

    The waveforms depend on these utterances alone. espeak-ng keeps a state from one utterance to the next, and
    never resets this state. So every call speaks in a process of its own, forked from one that never spoke.

    Raises
    ------
    RuntimeError
        If espeak-ng fails.
    """
    _library()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        # The child never returns to the code of its parent.
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(_answer(utterances), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    # A child that crashes says nothing.
    said = pickle.loads(answer) if answer else "it crashed"
    if isinstance(said, str):
        raise RuntimeError(f"espeak-ng failed to speak {utterances}: {said}")
    return said


@cache
def _library() -> ctypes.CDLL:
    """Return espeak-ng with its data, ready to speak, and with a fixed seed instead of the time."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, DO_NOT_EXIT)
    if rate != RATE:
        raise RuntimeError(f"espeak-ng speaks at {rate} Hz with the data in {data.decode()}; {RATE} Hz are expected")
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return library


def _answer(utterances: Sequence[Utterance]) -> list[NDArray[np.float32]] | str:
    """Return the waveforms of some utterances, or what went wrong."""
    try:
        return [_spoken(utterance) for utterance in utterances]
    except Exception as error:  # raised in the parent
        return f"{type(error).__name__}: {error}"


def _spoken(utterance: Utterance) -> NDArray[np.float32]:
    library, parts = _library(), []

    @CALLBACK
    def keep(samples, n, _events):
        if samples and n > 0:
            parts.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0

    library.espeak_SetSynthCallback(keep)
    if library.espeak_SetVoiceByName(VOICES[utterance.voice].encode()):
        raise RuntimeError(f"espeak-ng has no voice {VOICES[utterance.voice]}")
    for parameter, value in (
        (SPEED, utterance.speed * WORDS_PER_MINUTE),
        (PITCH, MIDDLE_PITCH + utterance.semitones * UNITS_PER_SEMITONE),
        (RANGE, utterance.intonation),
    ):
        library.espeak_SetParameter(parameter, round(value), 0)
    text = utterance.text.encode() + b"\0"
    library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, CHARACTERS, 0, UTF8, None, None)
    library.espeak_Synchronize()
    waveform = np.concatenate(parts).astype(np.float32) / 2**15
    heard = np.flatnonzero(np.abs(waveform) > SILENCE * np.abs(waveform).max())
    return waveform[heard[0] : heard[-1] + 1]
