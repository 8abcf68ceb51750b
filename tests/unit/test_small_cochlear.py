"""Small networks for cochleagrams: their layers, their branches, and the variation of sounds in their training."""

import numpy as np
import pytest
import torch

from ventral.models.description import build, trace_stimuli, weights_sha256, with_outputs
from ventral.models.layers import choose_layers
from ventral.models.zoo import resolve_model
from ventral.stimuli import sounds, variation

BLOCKS = [f"block{k}" for k in range(1, 5)]
LAYERS = {
    "small_cochcnn": [*BLOCKS, "pooled"],
    "small_cochcnn_branched": [
        *BLOCKS[:2],
        *(f"branch{branch}.{block}" for block in (*BLOCKS[2:], "pooled") for branch in (1, 2)),
    ],
}
RATE, SAMPLES, FRAME = 20_000, 6000, 100


@pytest.mark.parametrize("name", LAYERS)
def test_the_end_of_each_block_is_a_layer(name):
    spec = resolve_model(name)
    network = build(spec)
    layers = choose_layers(network, trace_stimuli(network, (SAMPLES,), spec), spec)
    assert [layer.name for layer in layers] == LAYERS[name]
    assert [layer.depth for layer in layers] == sorted(layer.depth for layer in layers)
    assert spec["modality"] == "sounds"


def test_branches_share_their_first_blocks_and_nothing_else():
    network = with_outputs(build(resolve_model("small_cochcnn_branched")), [3, 5], resolve_model("small_cochcnn"))
    inputs = torch.rand(2, 1, 211, 60)
    with torch.inference_mode():
        before = network(inputs)
        assert before.shape == (2, 8)
        shared = network.block2(network.block1(inputs))
        torch.testing.assert_close(before[:, 3:], network.branch2(shared))
        network.branch1.block3[0].weight.mul_(2)
        network.branch1.readout.bias.add_(1)
        after = network(inputs)
    assert torch.equal(after[:, 3:], before[:, 3:])
    assert not torch.equal(after[:, :3], before[:, :3])


def test_they_differ_by_seed_alone():
    first, again, other = (weights_sha256(build(resolve_model("small_cochcnn", {"seed": k}))) for k in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("given", ["waveform", "cochleagram"])
def test_a_varied_input_is_that_of_a_sound_that_is_later_and_louder(given):
    spec = {"input": given, "rate": None, "stimuli": {"rate": RATE}}
    waveforms = np.zeros((3, SAMPLES), np.float32)
    # Sounds are silent at both ends, so that nothing is cut off.
    waveforms[:, 2000:4000] = np.random.default_rng(0).normal(size=(3, 2000)) * np.hanning(2000)
    delays, gains = np.array([0, 4, -3]), np.array([6.0, -6.0, 3.0], np.float32)
    changed = np.stack([np.roll(one, delay * FRAME) for one, delay in zip(waveforms, delays, strict=True)])
    changed *= 10 ** (gains[:, None] / 20)
    steps = delays * (FRAME if given == "waveform" else 1)
    kept = variation.kept_sounds(torch.from_numpy(waveforms), spec)
    found = variation.delayed_sounds(kept, [torch.from_numpy(steps), torch.from_numpy(gains)], spec)
    expected = sounds.prepare(torch.from_numpy(changed.astype(np.float32)), spec)
    assert found.dtype == torch.float32
    assert expected.std() > 0.05
    inside = (..., slice(8, -8)) if given == "cochleagram" else ...
    torch.testing.assert_close(
        found[inside], expected[inside], atol=0.02 if given == "cochleagram" else 1e-5, rtol=0.02
    )


def test_draws_stay_within_their_limits():
    delays, gains = variation.drawn_delays(np.random.default_rng(0), 5000, (1, 211, 390))
    assert (delays.min(), delays.max()) == (-48, 48)
    assert -6 <= gains.min() < -5.9 < 5.9 < gains.max() <= 6
