"""Controls made of filters of modulations: the power of cochleagrams that vary at some rate and on some scale."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ventral.stimuli.cochleagram import FRAME_RATE

# Modulations in time, in Hz, and along frequency, in cycles per ERB.
RATES = (0, 0.5, 1, 2, 4, 8, 16, 32, 64)
SCALES = (0, 0.0625, 0.125, 0.25, 0.5, 1, 2)
CHANNELS_OF_ERB = 6
# Cochleagrams are multiplied by the gain, and smaller powers are raised to the least.
GAIN, LEAST_POWER = 100.0, 1e-8
# Memory for the filtered cochleagrams of one rate.
BYTES_AT_ONCE = {"cpu": 2**25, "cuda": 2**31}


class SpectroTemporal(nn.Module):
    """The power of each channel of filtered cochleagrams, averaged over time.

    A filter of rate r and scale s has the impulse response h over time t, without its mean. Its response to modulations
    Ω along frequency is H:

        h(t) = (rt)² exp(-3.5 rt) sin(2π rt)        H(Ω) = (Ω/s)² exp(-(Ω/s)²)

    The amplitude is 1 at its largest. The filters of the highest rate and scale keep this amplitude beyond it. Filters
    of rate 0 and scale 0 have the mean alone. Cochleagrams are padded with zeros to twice their channels and three
    times their frames. Each pair of a rate and a scale above 0 has two filters, one for rising and one for
    falling frequencies.

    The filters follow Chi, Ru and Shamma 2005 (Journal of the Acoustical Society of America 118:887). So do those of
    Norman-Haignere and McDermott 2018 (PLoS Biology 16:e2005127) and Tuckute et al. 2023 (PLoS Biology 21:e3002366).

    Parameters
    ----------
    logarithm : bool
        True for the natural logarithm of the power.

    Attributes
    ----------
    power, log_power : nn.Flatten
        The layer, of which `logarithm` decides: 111 filters x 211 channels. The first 63 filters are rising, with each
        rate of the first scale first. The other 48 are falling, without rate 0 and scale 0.
    """

    def __init__(self, *, logarithm: bool) -> None:
        super().__init__()
        self._logarithm = logarithm
        self.add_module("log_power" if logarithm else "power", nn.Flatten())

    def forward(self, cochleagrams: Tensor) -> Tensor:
        """Return the layer (n, features) for cochleagrams (n, 1, channels, frames)."""
        # Filters of opposite directions are differences, which reduced precision would spoil.
        with torch.autocast(cochleagrams.device.type, enabled=False):
            powers = modulation_power(cochleagrams[:, 0])
            return self.log_power(powers.log()) if self._logarithm else self.power(powers)


def modulation_power(cochleagrams: Tensor) -> Tensor:
    """Return the mean power of cochleagrams in each filter and channel.

    Each rate and each scale has two matrices in place of two-dimensional Fourier transforms. One matrix is for the
    modulations of both directions, and the other for their Hilbert transform. The sum and the difference of both
    products are the filters of the two directions. The bin of the Fourier plane at both Nyquist frequencies counts
    twice, which changes powers of the highest scale by a share of about 1e-5. In float32, the median error is 1e-7 of
    the power. The largest is 1e-2, where the power is near the least.

    Parameters
    ----------
    cochleagrams : (n, channels, frames) float tensor

    Returns
    -------
    (n, 111, channels) tensor
    """
    channels, frames = cochleagrams.shape[1:]
    bytes_of_sound = 4 * (len(SCALES) - 1) * channels * frames * cochleagrams.element_size()
    parts = cochleagrams.split(max(1, BYTES_AT_ONCE[cochleagrams.device.type] // bytes_of_sound))
    matrices = _matrices(channels, frames, cochleagrams.dtype, cochleagrams.device)
    return torch.cat([_power(GAIN * part, *matrices) for part in parts])


def _power(cochleagrams: Tensor, temporal: "Matrices", spectral: "Matrices") -> Tensor:
    """Return the power (n, 111, channels) of cochleagrams (n, channels, frames), given the matrices of both axes."""
    n, channels, frames = cochleagrams.shape
    n_rates, n_scales = len(RATES), len(SCALES)
    rising = cochleagrams.new_empty(n, n_scales, n_rates, channels)
    falling = cochleagrams.new_empty(n, n_scales - 1, n_rates - 1, channels)
    # Means over padded axes.
    of_channel, of_frame = cochleagrams.sum(dim=2) / (3 * frames), cochleagrams.sum(dim=1) / (2 * channels)
    mean = of_channel.sum(dim=1, keepdim=True) / (2 * channels)
    rising[:, 0, 0] = _mean_power(mean)[:, None]
    rising[:, 0, 1:] = _mean_power(torch.einsum("rta,na->nrt", temporal.whole, of_frame))[..., None]
    rising[:, 1:, 0] = _mean_power(torch.einsum("sca,na->nsc", spectral.whole, of_channel)[..., None])
    along_frequency, turned = spectral.doubled.flatten(0, 1) / 2, spectral.turned.flatten(0, 1) / 2
    for rate in range(n_rates - 1):
        both = along_frequency @ (cochleagrams @ temporal.doubled[rate].T)
        between = turned @ (cochleagrams @ temporal.turned[rate].T)
        rising[:, 1:, rate + 1] = _mean_power(both + between).unflatten(1, (-1, channels))
        falling[:, :, rate] = _mean_power(both.sub_(between)).unflatten(1, (-1, channels))
    return torch.cat([rising.flatten(1, 2), falling.flatten(1, 2)], dim=1)


def _mean_power(signals: Tensor) -> Tensor:
    """Return the mean power of signals (..., frames), whose memory it uses, with each power raised to the least."""
    return signals.square_().clamp_(min=LEAST_POWER).mean(dim=-1)


class Matrices(NamedTuple):
    """Filters along one axis, as matrices (filters, length, length) that a signal is multiplied by.

    Attributes
    ----------
    whole : tensor
        The filters.
    doubled : tensor
        The filters, with twice their mean and their modulations at the Nyquist frequency. These have no direction, so
        that half of them would be lacking in each direction.
    turned : tensor
        The filters and the Hilbert transform.
    """

    whole: Tensor
    doubled: Tensor
    turned: Tensor


@lru_cache(maxsize=2)
def _matrices(channels: int, frames: int, dtype: torch.dtype, device: torch.device) -> tuple[Matrices, Matrices]:
    """Return the matrices of the rates above 0, and those of the scales above 0."""
    axes = ((temporal_responses(frames), frames, 3 * frames), (spectral_responses(channels), channels, 2 * channels))
    # Gradients need tensors that were not made in inference mode.
    with torch.inference_mode(False):
        return tuple(
            Matrices(*(torch.from_numpy(matrix).to(device, dtype) for matrix in matrices_of(*axis))) for axis in axes
        )


def matrices_of(responses: NDArray, length: int, padded: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return `Matrices` of filters along one axis, in NumPy.

    Parameters
    ----------
    responses : (filters, padded // 2 + 1) array
        Frequency responses.
    length, padded : int
        Length of signals, and of signals padded with zeros at their end.

    Returns
    -------
    three (filters, length, length) float64 arrays
    """
    # The mean, and the Nyquist frequency where there is one.
    undirected = np.isin(np.arange(responses.shape[1]), [0, padded / 2])
    lags = (np.arange(length)[:, None] - np.arange(length)) % padded
    doubled, turned = np.where(undirected, 2, 1) * responses, np.where(undirected, 0, -1j) * responses
    return tuple(np.fft.irfft(each, padded)[:, lags] for each in (responses, doubled, turned))


def temporal_responses(frames: int) -> NDArray[np.complex128]:
    """Return the frequency responses (8, 3 * frames // 2 + 1) of the filters of rates above 0."""
    phases = np.array(RATES[1:])[:, None] * np.arange(frames) / FRAME_RATE
    impulses = phases**2 * np.exp(-3.5 * phases) * np.sin(2 * np.pi * phases)
    responses = np.fft.rfft(impulses - impulses.mean(axis=1, keepdims=True), 3 * frames)
    return _amplitudes(np.abs(responses)) * np.exp(1j * np.angle(responses))


def spectral_responses(channels: int) -> NDArray[np.float64]:
    """Return the frequency responses (6, channels + 1) of the filters of scales above 0."""
    squares = (np.fft.rfftfreq(2 * channels, 1 / CHANNELS_OF_ERB) / np.array(SCALES[1:])[:, None]) ** 2
    return _amplitudes(squares * np.exp(-squares))


def _amplitudes(responses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return amplitudes (filters, bins) of at most 1; the last filter keeps its largest one beyond it."""
    amplitudes = responses / responses.max(axis=1, keepdims=True)
    amplitudes[-1, amplitudes[-1].argmax() :] = 1
    return amplitudes
