"""Spectrotemporal filters against two-dimensional Fourier transforms, written plainly from the published definition."""

import numpy as np
import pytest
import torch

from ventral.errors import InputError
from ventral.models.description import build, preprocess
from ventral.models.spectrotemporal import modulation_power
from ventral.models.zoo import family, resolve_model
from ventral.stimuli.modality import MODALITIES

RATES, SCALES = (0, 0.5, 1, 2, 4, 8, 16, 32, 64), (0, 0.0625, 0.125, 0.25, 0.5, 1, 2)
# The order of the filters: of rising frequencies, then of falling ones.
FILTERS = [(-1, scale, rate) for scale in SCALES for rate in RATES]
FILTERS += [(1, scale, rate) for scale in SCALES[1:] for rate in RATES[1:]]


def temporal(rate, frames):
    if rate == 0:
        return np.eye(1, 3 * frames)[0]
    t = np.arange(frames) / 200 * rate
    impulse = np.sin(2 * np.pi * t) * t**2 * np.exp(-3.5 * t)
    response = np.fft.fft(np.pad(impulse - impulse.mean(), (0, 2 * frames)))
    amplitude = np.abs(response) / np.abs(response).max()
    if rate == 64:
        half = 3 * frames // 2
        peak = amplitude[: half + 1].argmax()
        amplitude[peak : 3 * frames - peak + 1] = 1
    return amplitude * np.exp(1j * np.angle(response))


def spectral(scale, channels):
    if scale == 0:
        return np.eye(1, 2 * channels)[0]
    frequency = np.abs(np.fft.fftfreq(2 * channels, 1 / 6))
    response = (frequency / scale) ** 2 * np.exp(-((frequency / scale) ** 2))
    response /= response.max()
    if scale == 2:
        response[frequency >= frequency[response.argmax()]] = 1
    return response


def plain_power(cochleagram, sign, scale, rate):
    channels, frames = cochleagram.shape
    response = np.outer(spectral(scale, channels), temporal(rate, frames))
    along, over = np.sign(np.fft.fftfreq(2 * channels)), np.sign(np.fft.fftfreq(3 * frames))
    along[channels] = 0
    if frames % 2 == 0:
        over[3 * frames // 2] = 0
    response[np.outer(along, over) == -sign] = 0
    padded = np.pad(100 * cochleagram, [(0, channels), (0, 2 * frames)])
    filtered = np.fft.ifft2(np.fft.fft2(padded) * response)[:channels, :frames]
    np.testing.assert_allclose(filtered.imag, 0, atol=1e-9)
    return np.maximum(filtered.real**2, 1e-8).mean(axis=1)


def cochleagrams(n, channels, frames, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, channels, frames))


def test_is_the_plain_definition():
    stimuli = cochleagrams(2, 19, 31)
    found = modulation_power(torch.from_numpy(stimuli)).numpy()
    expected = [[plain_power(one, *definition) for definition in FILTERS] for one in stimuli]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_is_nearly_the_plain_definition_for_two_seconds():
    """The bin at both Nyquist frequencies, which counts twice, hardly matters; nor does float32."""
    stimulus = cochleagrams(1, 211, 390)[0]
    found = modulation_power(torch.from_numpy(stimulus)[None])[0]
    for definition in ((-1, 2, 64), (1, 0.25, 0.5), (-1, 0, 4)):
        one = found[FILTERS.index(definition)].numpy()
        np.testing.assert_allclose(one, plain_power(stimulus, *definition), rtol=1e-4)
    errors = (modulation_power(torch.from_numpy(stimulus)[None].float())[0] - found).abs() / found
    assert float(errors.median()) < 1e-6
    assert float(errors.max()) < 1e-2


def test_parts_within_a_budget_of_memory_are_the_whole(monkeypatch):
    stimuli = torch.from_numpy(cochleagrams(3, 19, 31))
    whole = modulation_power(stimuli)
    monkeypatch.setattr("ventral.models.spectrotemporal.BYTES_AT_ONCE", {"cpu": 1})
    torch.testing.assert_close(modulation_power(stimuli), whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("sweep", "sign"), [(1, -1), (-1, 1)], ids=["rising", "falling"])
def test_a_sweep_has_power_in_the_filter_of_its_direction(sweep, sign):
    channels, frames = np.arange(120)[:, None], np.arange(200)
    ripple = 1 + np.cos(2 * np.pi * (0.5 * channels / 6 - sweep * 8 * frames / 200))
    power = modulation_power(torch.from_numpy(ripple)[None])[0].mean(dim=-1)
    own, opposite = (float(power[FILTERS.index((side, 0.5, 8))]) for side in (sign, -sign))
    assert own > 20 * opposite


def test_gradients_are_those_of_finite_differences():
    stimulus, direction = (torch.from_numpy(cochleagrams(1, 6, 9, seed)) for seed in (0, 1))
    stimulus.requires_grad_()
    (gradient,) = torch.autograd.grad(modulation_power(stimulus).log().sum(), stimulus)
    with torch.no_grad():
        ahead, behind = (modulation_power(stimulus + step * direction).log().sum() for step in (1e-6, -1e-6))
    assert float((ahead - behind) / 2e-6) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


def test_there_are_gradients_after_inference_on_cochleagrams_of_the_same_size():
    stimulus = torch.from_numpy(cochleagrams(1, 6, 11, 0))
    with torch.inference_mode():
        modulation_power(stimulus)
    (gradient,) = torch.autograd.grad(modulation_power(stimulus.requires_grad_()).sum(), stimulus)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("name", ["spectemp", "spectemp_log"])
def test_models_have_the_power_of_cochleagrams_as_features(name):
    spec = resolve_model(name)
    waveforms = torch.from_numpy(MODALITIES["sounds"].examples(1, (3000,), 0))
    shown = preprocess(waveforms, spec)
    power = modulation_power(shown[:, 0]).flatten(1)
    expected = power.log() if name == "spectemp_log" else power
    found = build(spec)(shown)
    assert found.shape == (1, 111 * 211)
    torch.testing.assert_close(found, expected)
    assert family(spec) == "classical"


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [("input", "waveform", "are those of cochleagrams"), ("over_time", "kept", "is averaged over time")],
)
def test_options_without_effect_are_refused(option, value, reason):
    with pytest.raises(InputError, match=rf"models.spectemp.{option}: it has no effect on spectemp, whose .* {reason}"):
        resolve_model("spectemp", {option: value})
