"""The modality `sounds`: reading of files into waveforms, inputs of networks, and previews.

Every sound of a set becomes one waveform, in this order:

1. Channels are averaged.
2. The waveform is resampled to the `rate` of the set, by a filter of linear phase. Frequencies up to `PASSED` of the
   new Nyquist frequency keep their level. Those above the Nyquist frequency are down by about `STOPPED` dB.
3. A sound longer than `seconds` is cut at its end.
4. The mean is subtracted.
5. The waveform is scaled, so that the root of its mean square is `level`.
6. A sound shorter than `seconds` is padded with zeros at its end. So the level is that of the sound, without padding.

For sounds of 2 s, this is the published procedure (Tuckute et al. 2023, PLoS Biology 21:e3002366). The defaults of
`rate`, `seconds` and `level` are as published, too.

Files are refused if they cannot be read, end early, are silent, or have values that are not finite. They are also
refused if more than `TOLERATED` of `seconds` would be cut or padded. A warning names files that are clipped, cut,
padded, or sampled at a lower rate than the set.

`ventral.stimuli.modality` declares all this as the modality `sounds`.
"""

import io
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from math import gcd
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.stimuli.files import Listing, unusable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor, nn

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})
WAVEFORM, COCHLEAGRAM = "waveform", "cochleagram"
AXES = ("sample",)
# As published for networks of auditory cortex.
RATE, SECONDS, LEVEL = 20_000, 2.0, 0.1
SLOWEST, FASTEST = 1000, 192_000
# Share of the Nyquist frequency that passes, and how far everything above the Nyquist frequency is down, in dB.
PASSED, STOPPED = 0.9, 100
# Share of `seconds` that may be cut or padded, and the share that needs no warning.
TOLERATED, NEGLIGIBLE = 0.5, 0.01
# Root mean square of a silent sound, at most: a third of a step of 16 bits.
SILENT = 1e-5
# A clipped sound stays at full scale for so many samples.
FULL_SCALE, CLIPPED = 0.99, 4
# Remarks of the library on WAV files shorter than their header says (streams say the largest number), and on OGG files
# without their last page.
CUT_OFF = re.compile(r"^data : (?!4294967295)\d+ \(should be|Junk after the last page", re.MULTILINE)
# Bands of frequency and windows of time by which near-duplicates are recognised.
BANDS, WINDOWS, COMPRESSION = 32, 16, 0.3
# Rates of MP3, and how many seconds of a sound the page plays.
RATES_OF_MP3 = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
PLAYED = 4
# Previews have every fourth channel of the cochleagram, and a number of frames.
EVERY, FRAMES = 4, 50
SET_OPTIONS = {
    "rate": {
        "description": "Samples per second to which every sound is resampled. Frequencies above half of it are lost.",
        "type": "integer",
        "minimum": SLOWEST,
        "maximum": FASTEST,
        "default": RATE,
    },
    "seconds": {
        "description": "Length of every sound. Longer sounds are cut at the end, and shorter ones padded with zeros at "
        "the end. Sounds for which this is more than half of `seconds` are refused.",
        "type": "number",
        "minimum": 0.1,
        "maximum": 60,
        "default": SECONDS,
    },
    "level": {
        "description": "Root mean square to which every sound is scaled, after its mean is subtracted.",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "default": LEVEL,
    },
}
MODEL_OPTIONS = {
    "input": {
        "description": "Input of the network: `waveform` (n, samples), or `cochleagram` (n, 1, 211, frames).",
        "without": "from the architecture, else `waveform`",
        "enum": [WAVEFORM, COCHLEAGRAM],
        "default": WAVEFORM,
    },
    "rate": {
        "description": "Samples per second that the network expects. Sounds of another `rate` are resampled.",
        "without": f"from the architecture, else {RATE} for cochleagrams, else the `rate` of the set",
        "type": ["integer", "null"],
        "minimum": SLOWEST,
        "maximum": FASTEST,
        "default": None,
    },
    "over_time": {
        "description": "`mean` averages each layer's features over time, and `kept` keeps every moment. Time is the "
        "last axis of a module's output; of recurrent, attention and linear modules of torch it is the axis before "
        "their features. Outputs without an axis of time stay as they are.",
        "enum": ["mean", "kept"],
        "default": "mean",
    },
}


# Files.


def common_shape(
    spec: Mapping,
    opened: Callable[[str], BinaryIO],
    files: Sequence[str],
    mapped: Callable[[Callable, Sequence[str]], Iterator],
) -> tuple[int]:
    """Return the shape (samples,) of all waveforms of a set.

    Raises
    ------
    InputError
        If the library that reads sounds is not installed.
    """
    _soundfile()
    return (round(_option(spec, "rate") * _option(spec, "seconds")),)


def decode(
    spec: Mapping,
    opened: Callable[[str], BinaryIO],
    file: str,
    shape: tuple[int],
    remark: Callable[[str], None],
) -> NDArray[np.float32]:
    """Return the waveform (samples,) of a sound.

    Raises
    ------
    InputError
        If the file cannot be decoded or ends early, has values that are not finite, or is silent. Also if more than
        half of `seconds` would be cut or padded.
    """
    try:
        with opened(file) as stream:
            samples, rate = read(stream, _option(spec, "seconds"))
    except (InputError, MemoryError):
        raise
    except Exception as error:  # zipfile raises more kinds than it documents
        raise InputError(f"cannot be decoded: {error}") from error
    for text in _doubts(samples, rate, spec):
        remark(text)
    return waveform(samples, rate, spec, shape)


def read(stream: BinaryIO, seconds: float) -> tuple[NDArray[np.float32], int]:
    """Return the samples (samples, channels) of a file, from -1 to 1, and their rate.

    Raises
    ------
    InputError
        As for `decode`; a file of another length is refused before it is read.
    """
    soundfile = _soundfile()
    try:
        with soundfile.SoundFile(stream) as sound:
            n_samples, rate = sound.frames, sound.samplerate
            is_whole = not CUT_OFF.search(sound.extra_info)
            if is_whole:
                _refuse_other_length(n_samples / rate, seconds)
            samples = sound.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"not a sound, or damaged: {error.error_string}") from error
    if not is_whole or len(samples) < n_samples:
        raise InputError(f"it ends early, after {len(samples) / rate:.4g} s; copy the file again")
    return samples, rate


def waveform(samples: NDArray, rate: int, spec: Mapping, shape: tuple[int]) -> NDArray[np.float32]:
    """Return samples (samples, channels) as a waveform (samples,) of a set, by the steps in this module's docstring.

    Raises
    ------
    InputError
        If values are not finite, or the sound is silent.
    """
    n_bad = np.count_nonzero(~np.isfinite(samples))
    if n_bad:
        raise InputError(f"{n_bad} of {samples.size} values are not finite; export the sound again")
    mixed = samples.mean(axis=1, dtype=np.float64)
    sound = resampled(mixed, rate, _option(spec, "rate"))[: shape[0]]
    sound = sound - sound.mean()
    level = np.sqrt(np.mean(sound**2))
    if level < SILENT:
        raise InputError(_silence(samples))
    padded = np.zeros(shape, np.float32)
    padded[: len(sound)] = sound * (_option(spec, "level") / level)
    return padded


def resampled(sound: NDArray[np.float64], rate: int, new_rate: int) -> NDArray[np.float64]:
    """Return a sound (samples,) at another rate; a filter without delay takes out what the new rate cannot carry."""
    if rate == new_rate:
        return sound
    from scipy.signal import resample_poly

    both = gcd(rate, new_rate)
    up, down = new_rate // both, rate // both
    return resample_poly(sound, up, down, window=_filter(max(up, down)))


@cache
def _filter(factor: int) -> NDArray[np.float64]:
    """Return a low-pass filter (taps,) for a rate that is `factor` times the lower of two rates.

    The window is Kaiser's. The transition is from `PASSED` to the whole of the lower Nyquist frequency.
    """
    from scipy.signal import firwin, kaiserord

    taps, beta = kaiserord(STOPPED, (1 - PASSED) / factor)
    return firwin(taps | 1, (1 + PASSED) / 2 / factor, window=("kaiser", beta))


def _option(spec: Mapping, name: str) -> float:
    return spec.get(name, SET_OPTIONS[name]["default"])


def _soundfile() -> ModuleType:
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as error:
        raise InputError("sounds need soundfile, which is not installed: pip install 'ventral[sound]'") from error
    return soundfile


def _refuse_other_length(found: float, seconds: float) -> None:
    if not found:
        raise InputError("it has no samples")
    if abs(found - seconds) > TOLERATED * seconds:
        lowest, highest = ((1 + sign * TOLERATED) * seconds for sign in (-1, 1))
        raise InputError(
            f"{found:.4g} s long, where {lowest:.4g} to {highest:.4g} s are cut or padded to {seconds:.4g} s "
            f"(`seconds`, beside `sounds`, sets the length)"
        )


def _silence(samples: NDArray) -> str:
    if samples.shape[1] > 1 and samples.std(axis=0).max() > SILENT:
        return "its channels cancel each other; invert one of them, or save one channel"
    return "it is silent"


def _doubts(samples: NDArray[np.float32], rate: int, spec: Mapping) -> Iterator[str]:
    """Yield the remarks on a sound (samples, channels) that is used all the same."""
    seconds, of_set = _option(spec, "seconds"), _option(spec, "rate")
    difference = len(samples) / rate / seconds - 1
    if difference > NEGLIGIBLE:
        yield f"cut at the end, to {seconds:.4g} s"
    if difference < -NEGLIGIBLE:
        yield f"padded with zeros at the end, to {seconds:.4g} s"
    if rate < of_set:
        yield f"sampled at less than {of_set} Hz, so without frequencies above half of their own rate"
    if is_clipped(samples):
        yield f"clipped, with {CLIPPED} or more equal samples in a row at full scale"


def is_clipped(samples: NDArray[np.float32]) -> bool:
    """Tell whether a channel of samples (samples, channels) stays at full scale for `CLIPPED` samples."""
    loud = np.abs(samples) >= FULL_SCALE
    stays = (samples[1:] == samples[:-1]) & loud[1:]
    steps = CLIPPED - 1
    return bool(np.logical_and.reduce([stays[k : len(stays) - steps + 1 + k] for k in range(steps)]).any())


# Inputs of networks.


def prepare(waveforms: "Tensor", spec: Mapping) -> "Tensor":
    """Return the input of a network.

    Parameters
    ----------
    waveforms : (n, samples) float32 tensor
        Stimuli, on any device.
    spec : dict
        Has `input`, and `rate`: None stands for 20,000 Hz for cochleagrams, and for that of the stimuli otherwise.
        `stimuli.rate` is the rate of the stimuli.

    Returns
    -------
    (n, samples) or (n, 1, 211, frames) float32 tensor
        Waveforms, or cochleagrams.
    """
    from ventral.stimuli.cochleagram import cochleagram

    of_set = _option(spec.get("stimuli", {}), "rate")
    rate = rate_of_input(spec) or of_set
    sounds = resampled_on_device(waveforms, of_set, rate)
    return sounds if spec["input"] == WAVEFORM else cochleagram(sounds, rate)[:, None]


def rate_of_input(spec: Mapping) -> int | None:
    """Return the samples per second of the waveforms that a model gets; None if they are those of the set."""
    return spec["rate"] or (RATE if spec["input"] == COCHLEAGRAM else None)


def check_model(spec: Mapping, key: str) -> None:
    """Raise InputError if there are no cochleagrams at the `rate` of a model, whose config key is `key`."""
    if spec["input"] == COCHLEAGRAM:
        from ventral.stimuli.cochleagram import check_rate

        check_rate(rate_of_input(spec), f"{key}.rate")


def doubt(spec: Mapping, options: Mapping) -> str:
    """Return a warning if the sounds of a set lack frequencies of a model's cochleagrams; otherwise an empty text."""
    from ventral.stimuli.cochleagram import HIGHEST

    rate = _option(options, "rate")
    if spec["input"] != COCHLEAGRAM or rate >= 2 * HIGHEST:
        return ""
    return (
        f"at a `rate` of {rate}, sounds have no frequencies above {rate / 2:g} Hz, and the channels of cochleagrams "
        f"from there to {HIGHEST:.0f} Hz are empty; set `rate` to {RATE} or more if the sounds were recorded so"
    )


def given(waveforms: NDArray | Sequence, shape: tuple[int], options: Mapping) -> NDArray[np.float32]:
    """Return the waveforms (n, samples) of sounds given in Python.

    Parameters
    ----------
    waveforms : array or sequence
        A list of paths or opened files, which are read like files of the set. Or an array (n, samples) with the rate,
        the length and the level of the set.
    shape : tuple of int
        Shape (samples,) of every waveform.
    options : mapping
        Has the `rate`, `seconds` and `level` of the set.

    Raises
    ------
    InputError
        As for `decode`, and if an array has another length or type, or values that are not finite.
    """
    if isinstance(waveforms, list | tuple) and any(map(_is_file, waveforms)):
        return _read_given(waveforms, shape, options)
    found = np.asarray(waveforms)
    if found.dtype.kind not in "iuf" or found.shape[1:] != tuple(shape) or not np.isfinite(found).all():
        raise InputError(
            f"stimuli: an array of {found.dtype} of shape {found.shape}; right are files of sounds, or finite "
            f"waveforms (n, {shape[0]}), with the rate and the level of the set"
        )
    return found.astype(np.float32)


def _is_file(given: object) -> bool:
    return isinstance(given, str | Path) or hasattr(given, "read")


def _read_given(files: Sequence, shape: tuple[int], options: Mapping) -> NDArray[np.float32]:
    found, problems, remarks = [], {}, defaultdict(list)
    for number, file in enumerate(files):
        name = str(file) if isinstance(file, str | Path) else getattr(file, "name", f"sound {number}")
        noticed = []
        try:
            found.append(decode(options, _opened, file, shape, noticed.append))
        except InputError as error:
            problems[name] = str(error)
        for remark in noticed:
            remarks[remark].append(name)
    if problems:
        raise InputError(unusable(problems, "stimuli", len(files), "sounds"))
    Listing(remarks=remarks).warn("stimuli")
    return np.stack(found)


def _opened(file: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Return a file for reading; files that the caller opened stay open."""
    return Path(file).open("rb") if isinstance(file, str | Path) else nullcontext(file)


def reduced(module: "nn.Module", output: "Tensor", spec: Mapping) -> "Tensor":
    """Return the features of a layer, given its output (n, ...): the mean over time, unless `over_time` keeps time.

    Outputs with fewer than three axes, such as those of fully connected layers, have no time. Modules with axes (time,
    features) have time on the last axis but one. Others have time on the last axis, as in (channels, time) and
    (channels, frequencies, time).
    """
    import torch
    from torch import nn

    if spec["over_time"] == "kept" or not isinstance(output, torch.Tensor):
        return output
    if output.ndim < 3 or not output.is_floating_point():
        return output
    features_last = (
        nn.Linear,
        nn.LayerNorm,
        nn.RNNBase,
        nn.MultiheadAttention,
        nn.TransformerEncoder,
        nn.TransformerEncoderLayer,
        nn.TransformerDecoder,
        nn.TransformerDecoderLayer,
    )
    return output.mean(dim=-2 if isinstance(module, features_last) else -1)


def resampled_on_device(waveforms: "Tensor", rate: int, new_rate: int) -> "Tensor":
    """Return waveforms (n, samples) at another rate, on their device.

    Spectra are cut at the lower Nyquist frequency, with a cosine ramp from `PASSED` of it. Zeros after the sounds keep
    their ends apart from their beginnings.
    """
    import torch

    if rate == new_rate:
        return waveforms
    both, n = gcd(rate, new_rate), waveforms.shape[-1]
    up, down = new_rate // both, rate // both
    # At least a tenth of a second of zeros, and a whole number of periods of both rates.
    periods = -(-(n + rate // 10) // down)
    spectra = torch.fft.rfft(waveforms, n=periods * down)
    lower = periods * min(up, down)
    n_kept = lower // 2 + 1
    share = torch.arange(n_kept, device=waveforms.device) / (lower / 2)
    ramp = ((1 - share) / (1 - PASSED)).clamp(0, 1)
    kept = spectra[..., :n_kept] * (0.5 - 0.5 * torch.cos(torch.pi * ramp))
    return torch.fft.irfft(kept, n=periods * up)[..., : -(-n * up // down)] * (up / down)


def examples(n: int, shape: tuple[int], seed: int) -> NDArray[np.float32]:
    """Return waveforms (n, samples) of pink noise at the usual level; fewer are the first of more."""
    rng = np.random.default_rng(seed)
    spectra = np.fft.rfft(rng.normal(size=(n, *shape)))
    spectra[:, 0] = 0
    spectra[:, 1:] /= np.sqrt(np.arange(1, spectra.shape[1]))
    noise = np.fft.irfft(spectra, n=shape[0])
    return (LEVEL * noise / noise.std(axis=1, keepdims=True)).astype(np.float32)


def cochleagram_features(waveforms: NDArray[np.float32], spec: Mapping) -> NDArray[np.float32]:
    """Return the cochleagrams (n, 211, frames) of waveforms (n, samples), or their means (n, 211) over time."""
    import torch

    features = prepare(torch.from_numpy(waveforms), spec)[:, 0]
    return (features.mean(dim=-1) if spec["over_time"] == "mean" else features).numpy()


def outlines(waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the spectrograms (n, at most 512) of waveforms (n, samples): the power in 32 bands at 16 times.

    Bands are a quarter of an octave wide, up to the frequencies that resampling attenuates. The power is compressed, so
    that a part of silence does not make two sounds alike.
    """
    size = max(1, waveforms.shape[1] // WINDOWS)
    windows = waveforms[:, : size * WINDOWS].reshape(len(waveforms), -1, size)
    power = np.abs(np.fft.rfft(windows * np.hanning(size).astype(np.float32))) ** 2
    power = power[..., : max(1, int(PASSED * power.shape[-1]))]
    edges = power.shape[-1] * 2.0 ** (-np.arange(BANDS, 0, -1) / 4)
    starts = np.unique(edges.astype(int))
    return (np.add.reduceat(power, starts, axis=-1) ** COMPRESSION).reshape(len(waveforms), -1).astype(np.float32)


# Previews and players.


def preview(axes: "Axes", waveform: NDArray[np.float32], kept: Mapping) -> None:
    """Draw the `coarse_cochleagram` of a waveform (samples,), to fill the axes, with low frequencies at the bottom."""
    coarse = coarse_cochleagram(resampled(waveform.astype(np.float64), kept["rate"], RATE))
    axes.imshow(coarse, origin="lower", aspect="auto", interpolation="none", cmap="magma")
    axes.set_axis_off()


def coarse_cochleagram(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return every fourth channel of the cochleagram (53, 50) of a sound (samples,) at `RATE`.

    Each frame is the mean of the envelopes over a fiftieth of the sound. A sheet has up to 144 previews, and the job
    has no library of networks.
    """
    from ventral.stimuli.cochleagram import POWER

    spectrum = np.fft.rfft(sound).astype(np.complex64)
    envelopes = np.abs(np.fft.ifft(_coarse_filters(len(sound)) * spectrum, n=len(sound)))
    size = len(sound) // FRAMES
    return envelopes[:, : FRAMES * size].reshape(len(envelopes), FRAMES, size).mean(axis=2) ** POWER


@cache
def _coarse_filters(samples: int) -> NDArray[np.float32]:
    from ventral.stimuli.cochleagram import cochlear_filters

    return cochlear_filters(samples, RATE)[::EVERY].astype(np.float32)


def playable(waveforms: NDArray[np.float32], kept: Mapping) -> list[str]:
    """Return the first seconds of waveforms (n, samples) as data URIs of MP3 files, all at the same volume."""
    rate = kept["rate"]
    rate_of_file = next((one for one in RATES_OF_MP3 if one >= rate), RATES_OF_MP3[-1])
    sounds = [resampled(sound[: PLAYED * rate].astype(np.float64), rate, rate_of_file) for sound in waveforms]
    loudest = max(np.abs(sound).max() for sound in sounds)
    played = []
    for sound in sounds:
        file = io.BytesIO()
        _soundfile().write(file, sound / max(1, loudest / FULL_SCALE), rate_of_file, format="MP3")
        played.append(f"data:audio/mpeg;base64,{b64encode(file.getvalue()).decode()}")
    return played
