"""Cochleagrams against a plain reference, written from the published parameters with loops, in float64."""

import numpy as np
import pytest
import torch

from ventral.errors import InputError
from ventral.stimuli import cochleagram as module
from ventral.stimuli.cochleagram import CHANNELS, cochleagram, cochlear_filters, frame_window

RATE = 20_000


def erb(hertz):
    return 9.265 * np.log(1 + hertz / (24.7 * 9.265))


def plain_filters(samples, rate):
    """The published bank: each filter in a loop over frequencies."""
    hertz = (
        np.linspace(0, rate / 2, samples // 2 + 1) if samples % 2 == 0 else np.arange(samples // 2 + 1) * rate / samples
    )
    spacing = (erb(10_000) - erb(50)) / 204
    bandpass = np.zeros((203, len(hertz)))
    for k in range(203):
        centre = erb(50) + (k + 1) * spacing
        for i, f in enumerate(hertz):
            if centre - 4 * spacing < erb(f) < centre + 4 * spacing:
                bandpass[k, i] = np.cos((erb(f) - centre) / (8 * spacing) * np.pi)
    low, high = np.zeros((4, len(hertz))), np.zeros((4, len(hertz)))
    for k in range(4):
        for i, f in enumerate(hertz):
            if erb(f) < erb(50) + (k + 1) * spacing:
                low[k, i] = np.sqrt(1 - bandpass[k, i] ** 2)
            if erb(f) > erb(10_000) - (k + 1) * spacing:
                high[3 - k, i] = np.sqrt(1 - bandpass[-1 - k, i] ** 2)
    return np.concatenate([low, bandpass, high]) / 2


def plain_cochleagram(waveform, rate):
    """The definition: half of the Hilbert envelope of each subband, weighed, and compressed."""
    samples, step = len(waveform), rate // 200
    taps = 10 * step + 1
    window = np.kaiser(taps, 5) * np.array([np.sinc((k - taps / 2) / step) / step for k in range(taps)])
    frames = []
    for response in plain_filters(samples, rate):
        spectrum = np.zeros(samples, complex)
        spectrum[: len(response)] = np.fft.rfft(waveform) * response
        envelope = np.maximum(np.abs(np.fft.ifft(spectrum)), 1e-8)
        starts = range(0, samples - taps + 1, step)
        frames.append([(max(0.0, window @ envelope[start : start + taps]) + 1e-8) ** 0.3 for start in starts])
    return np.array(frames)


def noise(n, samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((n, samples))


@pytest.mark.parametrize(("samples", "rate"), [(2000, 20_000), (2501, 20_000), (2400, 24_000)])
def test_is_the_plain_reference(samples, rate):
    waveforms = noise(2, samples)
    found = cochleagram(torch.from_numpy(waveforms), rate).numpy()
    expected = np.stack([plain_cochleagram(waveform, rate) for waveform in waveforms])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_float32_is_close_to_float64():
    waveforms = torch.from_numpy(noise(1, 4000))
    single, double = cochleagram(waveforms.float(), RATE), cochleagram(waveforms, RATE)
    assert single.dtype == torch.float32
    assert (single - double).abs().max() < 1e-5 * double.max()


def test_two_seconds_give_the_published_size():
    assert cochleagram(torch.zeros(1, 2 * RATE), RATE).shape == (1, 211, 390)


def test_silence_is_the_compressed_offset():
    found = cochleagram(torch.zeros(1, 2000, dtype=torch.float64), RATE).numpy()
    np.testing.assert_allclose(found, (1e-8 * frame_window(RATE).sum() + 1e-8) ** 0.3, rtol=1e-9)


def test_filters_keep_the_energy_at_every_frequency():
    np.testing.assert_allclose((cochlear_filters(4000, RATE) ** 2).sum(axis=0), 1.0, rtol=1e-12)


def test_a_tone_is_loudest_at_the_channel_of_its_frequency():
    seconds = np.arange(RATE // 2) / RATE
    tone = torch.from_numpy(0.1 * np.sin(2 * np.pi * 1000 * seconds))[None]
    channel = int(cochleagram(tone, RATE)[0].mean(dim=-1).argmax())
    centre = erb(50) + (channel - 4 + 1) * (erb(10_000) - erb(50)) / 204
    assert abs(centre - erb(1000)) < 0.1


def test_parts_within_a_budget_of_memory_are_the_whole(monkeypatch):
    waveforms = torch.from_numpy(noise(3, 1200))
    whole = cochleagram(waveforms, RATE)
    for budget in (1, 10 * 3 * 1200 * 8, 2 * CHANNELS * 3 * 1200 * 8):
        monkeypatch.setattr(module, "BYTES_AT_ONCE", {"cpu": budget})
        torch.testing.assert_close(cochleagram(waveforms, RATE), whole, rtol=1e-12, atol=0)


def test_gradient_is_that_of_finite_differences():
    """Where frames are positive and the slope of the power is below 5, the published gradient is the true one."""
    waveform = torch.from_numpy(100 * noise(1, 1500)).requires_grad_()
    shallow = cochleagram(waveform, RATE).detach() > 0.5
    assert shallow.double().mean() > 0.9
    (gradient,) = torch.autograd.grad(cochleagram(waveform, RATE)[shallow].sum(), waveform)
    direction = torch.from_numpy(noise(1, 1500, seed=2))
    with torch.no_grad():
        ahead, behind = (cochleagram(waveform + step * direction, RATE)[shallow].sum() for step in (1e-3, -1e-3))
    assert float((ahead - behind) / 2e-3) == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_there_are_gradients_after_inference_on_sounds_of_the_same_length():
    waveform = torch.from_numpy(noise(1, 1507))
    with torch.inference_mode():
        cochleagram(waveform, RATE)
    (gradient,) = torch.autograd.grad(cochleagram(waveform.requires_grad_(), RATE).sum(), waveform)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("value", "slope"), [(1.0, 0.3), (0.001, 5.0), (0.0, 5.0), (-1.0, 5.0)], ids=["true", "steep", "zero", "negative"]
)
def test_gradient_of_the_power_is_the_published_one(value, slope):
    frames = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    result = module.compressed(frames)
    result.sum().backward()
    assert float(result.detach()) == pytest.approx((max(value, 0) + 1e-8) ** 0.3)
    assert float(frames.grad) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_rate_without_cochleagrams_is_named(rate):
    with pytest.raises(InputError, match=rf"a rate of {rate} Hz; right is a multiple of 200 from 20000 on"):
        cochleagram(torch.zeros(1, 40_000), rate)


def test_waveforms_shorter_than_a_frame_are_named():
    with pytest.raises(InputError, match=r"1000 samples; one frame alone takes 1001 samples at 20000 Hz"):
        cochleagram(torch.zeros(1, 1000), RATE)
