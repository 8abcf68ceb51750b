"""Backgrounds of synthesised sounds: noise with natural spectra, textures, and babble."""

import numpy as np
from numpy.typing import NDArray

from ventral.stimuli import sounds, speech

NOISE, TEXTURE, BABBLE, NONE = BACKGROUNDS = ("noise", "texture", "babble", "none")
# Power of natural sounds falls as 1 / frequency ** exponent (Voss and Clarke 1975, Nature 258:317).
EXPONENTS = (0.0, 2.0)
LOWEST_FREQUENCY = 30.0
# Textures: number of bands with envelopes of their own, and limits of the fastest modulation in Hz and of its depth.
# The depth is the standard deviation of the logarithm of an envelope.
BANDS, MODULATIONS, DEPTHS = 8, (2.0, 32.0), (0.3, 1.2)
TALKERS = (4, 8)
# Most voices speak fewer words in a second.
WORDS_PER_SECOND = 3


def noise(samples: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise (samples,) whose power falls as a power of frequency, with a random exponent."""
    return np.fft.irfft(_spectrum(samples, rate, rng), n=samples)


def texture(samples: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise (samples,) of several bands of frequency, each with a slow random envelope.

    Envelopes of bands are correlated, as in natural textures (McDermott and Simoncelli 2011, Neuron 71:926).
    """
    spectrum, depth, alike = _spectrum(samples, rate, rng), rng.uniform(*DEPTHS), rng.uniform(0, 1)
    fastest = np.exp(rng.uniform(*np.log(MODULATIONS)))
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    edges = np.geomspace(LOWEST_FREQUENCY, rate / 2, BANDS + 1)
    slow = np.fft.rfft(rng.standard_normal((BANDS + 1, samples))) * ((frequency > 0) & (frequency <= fastest))
    envelopes = np.fft.irfft(slow, n=samples)
    envelopes /= envelopes.std(axis=1, keepdims=True)
    envelopes = np.exp(depth * (np.sqrt(alike) * envelopes[:1] + np.sqrt(1 - alike) * envelopes[1:]))
    bands = (frequency >= edges[:-1, None]) & (frequency < edges[1:, None])
    return (np.fft.irfft(spectrum * bands, n=samples) * envelopes).sum(axis=0)


def babble_of(voices: list[str], word: str, seconds: float, rng: np.random.Generator) -> list[speech.Utterance]:
    """Return what each talker of a babble says: random words other than one word."""
    words = [other for other in speech.WORDS if other != word]
    n_words = int(np.ceil(WORDS_PER_SECOND * seconds)) + 2
    return [
        speech.Utterance(
            " ".join(rng.choice(words, n_words)), str(rng.choice(voices)), rng.uniform(-2, 2), rng.uniform(0.85, 1.15)
        )
        for _ in range(rng.integers(TALKERS[0], TALKERS[1] + 1))
    ]


def babble(
    talkers: list[NDArray[np.float32]], samples: int, rate: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the sum (samples,) of talkers at one level, each from a random moment on.

    Parameters
    ----------
    talkers : list of (samples,) arrays
        Waveforms of the utterances from `babble_of`, at the rate of speech. Those that are too short begin again.
    """
    n = -(-samples * speech.RATE // rate)
    mixed = np.zeros(n)
    for waveform in talkers:
        talker = np.resize(waveform, max(len(waveform), n))
        start = rng.integers(len(talker) - n + 1)
        part = talker[start : start + n].astype(np.float64)
        mixed += part / np.sqrt(np.mean(part**2))
    return sounds.resampled(mixed, speech.RATE, rate)[:samples]


def _spectrum(samples: int, rate: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Return the spectrum of noise whose power falls as a power of frequency."""
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    heard = frequency >= LOWEST_FREQUENCY
    amplitude = np.zeros_like(frequency)
    amplitude[heard] = frequency[heard] ** (-rng.uniform(*EXPONENTS) / 2)
    return np.fft.rfft(rng.standard_normal(samples)) * amplitude
