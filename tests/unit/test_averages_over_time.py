"""The option `over_time` of models of sounds: the axis of time, and features through the forward pass."""

import numpy as np
import pytest
import torch
from torch import nn

from ventral.activations.layer_features import LayerFeatures
from ventral.models.zoo import resolve_model
from ventral.stimuli.cochleagram import cochleagram
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.sounds import reduced

MODULE = """
from torch import nn

def make():
    first = [nn.Unflatten(1, (1, 2000)), nn.Conv1d(1, 3, 25, stride=10), nn.ReLU()]
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(3 * 198, 4))
"""
SHAPE = (2000,)


def features(spec, layer, waveforms):
    found = LayerFeatures(spec, layer, SHAPE, dtype="float32", autocast=None, channels_last=False, device="cpu")
    return found.n_features, np.concatenate(list(found.compute(waveforms, 2)))


@pytest.fixture
def waveforms():
    return MODALITIES["sounds"].examples(3, SHAPE, 0)


def test_features_are_averaged_over_time_in_the_forward_pass(importable, waveforms):
    options = {"architecture": f"{importable('net_over_time', MODULE)}:make", "modality": "sounds", "seed": 1}
    averaged, kept = (resolve_model("m", options | {"over_time": how}) for how in ("mean", "kept"))
    assert resolve_model("m", options)["over_time"] == "mean"
    n_kept, whole = features(kept, "1", waveforms)
    n_averaged, means = features(averaged, "1", waveforms)
    assert (n_kept, n_averaged) == (3 * 198, 3)
    np.testing.assert_allclose(means, whole.reshape(3, 3, 198).mean(axis=-1), rtol=1e-4, atol=1e-7)
    (n, last), (_, same) = (features(spec, "4", waveforms) for spec in (averaged, kept))
    assert n == 4
    np.testing.assert_array_equal(last, same)


@pytest.mark.parametrize("how", ["mean", "kept"])
def test_the_baseline_takes_the_option(waveforms, how):
    n, found = features(resolve_model("cochleagram", {"over_time": how}), "cochleagram", waveforms)
    expected = cochleagram(torch.from_numpy(waveforms), 20_000)
    expected = expected.mean(dim=-1) if how == "mean" else expected.flatten(1)
    assert n == expected.shape[1]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("module", "shape", "axis"),
    [
        (nn.Conv1d(1, 1, 1), (2, 3, 7), 2),
        (nn.Conv2d(1, 1, 1), (2, 3, 5, 7), 3),
        (nn.LSTM(1, 1), (2, 7, 3), 1),
        (nn.Linear(1, 1), (2, 7, 3), 1),
        (nn.LayerNorm(3), (2, 7, 3), 1),
        (nn.TransformerEncoderLayer(2, 1), (2, 7, 3), 1),
        (nn.TransformerDecoderLayer(2, 1), (2, 7, 3), 1),
        (nn.TransformerDecoder(nn.TransformerDecoderLayer(2, 1), 1), (2, 7, 3), 1),
        (nn.Linear(1, 1), (2, 3), None),
        (nn.Conv1d(1, 1, 1), (2, 3), None),
    ],
)
def test_time_is_the_last_axis_or_that_before_the_features(module, shape, axis):
    output = torch.rand(shape)
    found = reduced(module, output, {"over_time": "mean"})
    torch.testing.assert_close(found, output if axis is None else output.mean(dim=axis))
    assert reduced(module, output, {"over_time": "kept"}) is output


@pytest.mark.parametrize("output", [(torch.rand(2, 3, 4),), torch.ones(2, 3, 4, dtype=torch.int64)])
def test_outputs_that_are_no_features_stay_as_they_are(output):
    assert reduced(nn.Identity(), output, {"over_time": "mean"}) is output
