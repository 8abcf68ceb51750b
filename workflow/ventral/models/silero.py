"""Silero's detector of speech, for sounds of 16,000 Hz (Silero Team 2025).

The published network takes a sound in chunks of 32 ms, each with 4 ms of the chunk before it, and keeps a state. This
one takes a whole sound, and gives the same numbers. The last axis of all layers is time.
"""

import warnings
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

# In samples: chunks, what each sees of the chunk before it, and the reflection at its end.
CHUNK, CONTEXT, REFLECTED = 512, 64, 64
WINDOW, HOP = 256, 128
FREQUENCIES = WINDOW // 2 + 1
# Channels before and after each convolution, frames of a chunk before it, and stride.
CONVOLUTIONS = ((FREQUENCIES, 128, 4, 1), (128, 64, 4, 2), (64, 64, 2, 2), (64, 128, 1, 1))
WIDTH = 128


class Spectra(nn.Module):
    """The absolute values of the short-time Fourier transform, whose basis is a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("basis", _fourier_basis())

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return spectra (n, 129, 4 * chunks) of waveforms (n, samples), padded with zeros to whole chunks."""
        padded = functional.pad(waveforms, (CONTEXT, -waveforms.shape[-1] % CHUNK))
        chunks = padded.unfold(-1, CONTEXT + CHUNK, CHUNK)
        reflected = functional.pad(chunks, (0, REFLECTED), mode="reflect")
        parts = functional.conv1d(reflected.flatten(0, 1)[:, None], self.basis, stride=HOP)
        real, imaginary = parts.chunk(2, dim=1)
        return _joined((real**2 + imaginary**2).sqrt(), len(waveforms))


class Convolution(nn.Module):
    """A convolution over the frames within each chunk, and rectification.

    Parameters
    ----------
    n_before, n_after : int
        Numbers of channels.
    frames : int
        Number of frames of a chunk before the convolution.
    stride : int
        Stride in frames.
    """

    def __init__(self, n_before: int, n_after: int, frames: int, stride: int) -> None:
        super().__init__()
        self.frames = frames
        self.conv = nn.Conv1d(n_before, n_after, 3, stride=stride, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return (n, n_after, chunks * frames / stride) for features (n, n_before, chunks * frames)."""
        chunks = features.unflatten(-1, (-1, self.frames)).transpose(1, 2).flatten(0, 1)
        return _joined(functional.relu(self.conv(chunks)), len(features))


class Recurrence(nn.Module):
    """The memory over chunks."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """Return states (n, 128, chunks) for features (n, 128, chunks)."""
        return self.lstm(features.transpose(1, 2))[0].transpose(1, 2)


def silero_vad() -> nn.Module:
    """Return the network: `stft`, `conv1` to `conv4`, `lstm`, and `speech` (n, 1, chunks), a probability."""
    convolutions = {f"conv{k}": Convolution(*sizes) for k, sizes in enumerate(CONVOLUTIONS, 1)}
    speech = nn.Sequential(nn.ReLU(), nn.Conv1d(WIDTH, 1, 1), nn.Sigmoid())
    return nn.Sequential(OrderedDict(stft=Spectra(), **convolutions, lstm=Recurrence(), speech=speech))


def weights_of_program(file: Path) -> dict[str, Tensor]:
    """Return the tensors of Silero's program for 16,000 Hz, a TorchScript archive, by their names in `silero_vad`.

    No function of the program runs.
    """
    with warnings.catch_warnings():
        # torch advises users of TorchScript to turn to other formats, which Silero does not offer.
        warnings.simplefilter("ignore", FutureWarning)
        state = torch.jit.load(file, map_location="cpu").state_dict()
    names = {"stft.basis": "stft.forward_basis_buffer"}
    for part in ("weight", "bias"):
        names |= {f"conv{k + 1}.conv.{part}": f"encoder.{k}.reparam_conv.{part}" for k in range(len(CONVOLUTIONS))}
        names |= {f"lstm.lstm.{part}_{side}_l0": f"decoder.rnn.{part}_{side}" for side in ("ih", "hh")}
        names[f"speech.1.{part}"] = f"decoder.decoder.2.{part}"
    return {name: state[f"_model.{of_program}"] for name, of_program in names.items()}


def _joined(chunks: Tensor, n: int) -> Tensor:
    """Return (n, channels, chunks * frames) for (n * chunks, channels, frames)."""
    return chunks.unflatten(0, (n, -1)).transpose(1, 2).flatten(2)


def _fourier_basis() -> Tensor:
    """Return cosines, then sines, of 129 frequencies (258, 1, 256) under Hann's window."""
    angles = 2 * torch.pi / WINDOW * torch.arange(FREQUENCIES)[:, None] * torch.arange(WINDOW)
    window = torch.hann_window(WINDOW)
    return (window * torch.cat([torch.cos(angles), -torch.sin(angles)]))[:, None]
