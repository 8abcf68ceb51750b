"""Cochleagrams of sounds: the envelopes of the subbands of a model of the cochlea, compressed and sampled at 200 Hz."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

# The published `cochleagram_1` of chcochleagram (Feather et al. 2023, Nature Neuroscience 26:2017).
LOWEST, HIGHEST = 50.0, 10_000.0
BANDS = 50
SAMPLE_FACTOR = 4
FRAME_RATE = 200
FRAMES_OF_WINDOW = 10
KAISER = 5.0
LEAST_ENVELOPE = 1e-8
POWER, OFFSET, STEEPEST = 0.3, 1e-8, 5.0
BANDPASS = SAMPLE_FACTOR * (BANDS + 1) - 1
CHANNELS = BANDPASS + 2 * SAMPLE_FACTOR
# Memory for the envelopes of some channels of some sounds: on a CPU what its caches hold, on a GPU enough to fill it.
BYTES_AT_ONCE = {"cpu": 2**24, "cuda": 2**30}


def cochleagram(waveforms: "Tensor", rate: int) -> "Tensor":
    """Return the cochleagrams of waveforms, on the waveforms' device, in their type, and differentiable.

    The subbands are products of the waveform's spectrum with `cochlear_filters`. Their envelopes are the absolute
    values of the analytic signals, of which the published code omits the factor 2. `frame_window` weighs the envelopes
    of each frame. Negative values become 0, and the power 0.3 is taken. The gradient ignores that negative values
    become 0, and the slope of the power is at most 5.

    Parameters
    ----------
    waveforms : (n, samples) float tensor
    rate : int
        Samples in a second.

    Returns
    -------
    (n, 211, frames) tensor
        Frames are 5 ms apart, and lie whole within the waveform: 390 for 2 s.

    Raises
    ------
    InputError
        If the rate is below 20,000 Hz or no multiple of 200 Hz, or if the waveforms are shorter than one frame.
    """
    import torch

    samples = waveforms.shape[-1]
    check_rate(rate, "cochleagram")
    _check_length(samples, rate)
    filters, window = _constants(samples, rate, waveforms.dtype, waveforms.device)
    # The complex subband and its envelope.
    bytes_of_channel = 3 * samples * waveforms.element_size()
    channels = max(1, BYTES_AT_ONCE[waveforms.device.type] // bytes_of_channel)
    with torch.autocast(waveforms.device.type, enabled=False):
        spectra = torch.fft.rfft(waveforms)[:, None]
        return torch.cat(
            [
                torch.cat([_frames(part * some, samples, window, rate) for some in filters.split(channels)], dim=1)
                for part in spectra.split(max(1, channels // CHANNELS))
            ]
        )


def check_rate(rate: int, place: str) -> None:
    """Raise InputError if there are no cochleagrams of waveforms with such a rate; `place` begins the message."""
    if rate < 2 * HIGHEST or rate % FRAME_RATE:
        raise InputError(
            f"{place}: a rate of {rate} Hz; right is a multiple of {FRAME_RATE} from {2 * HIGHEST:.0f} on, such as "
            f"20000, because the filters of cochleagrams reach up to {HIGHEST:.0f} Hz"
        )


def _check_length(samples: int, rate: int) -> None:
    taps = len(frame_window(rate))
    if samples < taps:
        raise InputError(f"cochleagram: {samples} samples; one frame alone takes {taps} samples at {rate} Hz")


def cochlear_filters(samples: int, rate: int) -> NDArray:
    """Return the frequency responses of the filters of the cochlea.

    The filters are half periods of cosines on the ERB scale. Their centres are evenly spaced between 50 and 10,000 Hz,
    and each filter reaches to the fourth centre on either side. Four low-pass filters complement the lowest four
    filters, and four high-pass filters the highest four. So the sum of the squared responses is 1 at every frequency
    (McDermott and Simoncelli 2011, Neuron 71:926).

    Parameters
    ----------
    samples : int
        Samples of a waveform.
    rate : int
        Samples in a second.

    Returns
    -------
    (211, samples // 2 + 1) float64 array
        Low-pass, band-pass and high-pass filters, each from low to high frequencies.
    """
    scale = erb_of(np.fft.rfftfreq(samples, 1 / rate))
    edges = np.linspace(erb_of(LOWEST), erb_of(HIGHEST), BANDPASS + 2)
    centres, width = edges[1:-1, None], 2 * SAMPLE_FACTOR * (edges[1] - edges[0])
    distances = (scale - centres) / width
    bandpass = np.where(np.abs(distances) < 0.5, np.cos(np.pi * distances), 0.0)
    below, above = bandpass[:SAMPLE_FACTOR], bandpass[-SAMPLE_FACTOR:]
    lowpass = np.where(scale < centres[:SAMPLE_FACTOR], np.sqrt(1 - below**2), 0.0)
    highpass = np.where(scale > centres[-SAMPLE_FACTOR:], np.sqrt(1 - above**2), 0.0)
    return np.concatenate([lowpass, bandpass, highpass]) / np.sqrt(SAMPLE_FACTOR)


def erb_of(frequency: NDArray | float) -> NDArray:
    """Return the number of equivalent rectangular bandwidths (ERB) below a frequency in Hz.

    The scale is that of Glasberg and Moore 1990 (Hearing Research 47:103).
    """
    return 9.265 * np.log(1 + np.asarray(frequency) / (24.7 * 9.265))


def frame_window(rate: int) -> NDArray:
    """Return the weights (taps,) of the samples of one frame: a sinc function times a Kaiser window.

    At 20,000 Hz the window has 1,001 taps. As published, its times are from -500.5 to 499.5 samples, so that the peak
    lies half a sample beside the middle.
    """
    step = rate // FRAME_RATE
    taps = FRAMES_OF_WINDOW * step + 1
    times = (np.arange(taps) - taps / 2) / step
    return np.kaiser(taps, KAISER) * np.sinc(times) / step


@lru_cache(maxsize=2)
def _constants(samples: int, rate: int, dtype, device) -> tuple["Tensor", "Tensor"]:
    """Return the filters and the window, each as a tensor."""
    import torch

    arrays = cochlear_filters(samples, rate), frame_window(rate)
    # Gradients need tensors that were not made in inference mode.
    with torch.inference_mode(False):
        filters, window = (torch.from_numpy(array).to(device, dtype) for array in arrays)
    return filters, window


def _frames(subbands: "Tensor", samples: int, window: "Tensor", rate: int) -> "Tensor":
    """Return the compressed envelopes (n, channels, frames) of subbands, given their spectra (n, channels, bins)."""
    import torch

    envelopes = torch.fft.ifft(subbands, n=samples).abs().clamp_(min=LEAST_ENVELOPE)
    each = envelopes.flatten(0, 1)[:, None]
    frames = torch.nn.functional.conv1d(each, window[None, None], stride=rate // FRAME_RATE)
    return compressed(frames.view(*envelopes.shape[:2], -1))


def compressed(frames: "Tensor") -> "Tensor":
    """Return the power 0.3 of frames, with the published gradient."""
    positive = frames + (frames.clamp(min=0) - frames).detach() + OFFSET
    fixed = positive.detach()
    slope = (POWER * fixed.pow(POWER - 1)).clamp(max=STEEPEST)
    return fixed.pow(POWER) + slope * (positive - fixed)
