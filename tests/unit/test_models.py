"""Networks with the weights that are asked for, and what they are shown."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ventral.errors import InputError
from ventral.models.description import build, describe, preprocess, trace_stimuli, weights_sha256
from ventral.models.zoo import resolve_model
from ventral.outputs import sha256
from ventral.stimuli.images import resized

MODULE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 4))

def broken():
    raise RuntimeError("no such thing")

def a_list():
    return []
"""


@pytest.fixture
def own(importable):
    return importable("mine_to_test", MODULE)


def spec_of(own, function="make", **options):
    return resolve_model("m", {"architecture": f"{own}:{function}", "size": 8, **options})


def test_random_weights_are_those_of_the_seed(own):
    state = torch.random.get_rng_state()
    first, again, other = (weights_sha256(build(spec_of(own, weights="random", seed=seed))) for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_network_is_ready_to_be_asked(own):
    network = build(spec_of(own))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("missing", "models.m.architecture: the module mine_to_test has no 'missing'; the nearest in "),
        ("broken", "mine_to_test:broken() failed: RuntimeError: no such thing"),
        ("a_list", "mine_to_test:a_list() returned list, a torch.nn.Module is needed"),
    ],
)
def test_a_function_that_gives_no_network(own, function, message):
    with pytest.raises(InputError) as caught:
        build(spec_of(own, function))
    assert message in str(caught.value)


def test_pretrained_networks_have_their_weights():
    trained = build(resolve_model("efficientnet_lite0"))
    assert weights_sha256(trained) == weights_sha256(build(resolve_model("efficientnet_lite0")))
    assert weights_sha256(trained) != weights_sha256(build(resolve_model("efficientnet_lite0_random")))


def test_an_unknown_network_of_torchvision_is_named_with_its_neighbours():
    with pytest.raises(InputError, match="torchvision has no classification network 'resnet5'; did you mean resnet50"):
        build(resolve_model("resnet5"))


@pytest.mark.parametrize(("suffix", "nested"), [(".safetensors", False), (".pth", False), (".pth", True)])
def test_a_checkpoint_is_loaded(own, tmp_path, suffix, nested):
    source = build(spec_of(own, seed=5))
    path = tmp_path / f"weights{suffix}"
    save(source.state_dict(), path, nested)
    loaded = build(spec_of(own, weights=str(path), sha256=sha256(path)))
    assert weights_sha256(loaded) == weights_sha256(source)


def save(state, path, nested=False):
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        torch.save({"state_dict": state, "epoch": 3} if nested else state, path)


def test_a_checkpoint_that_does_not_fit_says_where(own, tmp_path):
    state = build(spec_of(own)).state_dict()
    state["0.weight"] = torch.zeros(2, 3, 5, 5)
    state["head.bias"] = state.pop("2.bias")
    path = tmp_path / "weights.pth"
    save(state, path)
    with pytest.raises(InputError) as caught:
        build(spec_of(own, weights=str(path), sha256=sha256(path)))
    said = str(caught.value)
    assert "1 missing, such as 2.bias" in said
    assert "1 unexpected, such as head.bias" in said
    assert "1 of another shape, such as 0.weight (2, 3, 5, 5) instead of (2, 3, 3, 3)" in said


def test_preprocessing_is_that_of_the_network():
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(1, 3, 224, 224)
    shown = preprocess(pixels, resolve_model("efficientnet_lite0"))
    expected = (np.array([0, 127, 255]) - 127) / 128
    np.testing.assert_allclose(shown[0, :, 5, 7], expected, atol=1e-6)
    assert shown.dtype == torch.float32


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_images_are_resized_as_pillow_resizes_them(interpolation):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).resize((120, 100))
    spec = resolve_model("m", {"size": 64, "interpolation": interpolation, "mean": [0.0] * 3, "std": [1.0] * 3})
    pixels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1)[None].copy())
    shown = preprocess(pixels, spec)[0].permute(1, 2, 0).numpy() * 255
    filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    assert np.abs(shown - np.asarray(image.resize((64, 64), filters[interpolation]), float)).max() <= 1


@pytest.mark.parametrize("capability", ["AVX512", "DEFAULT"])
@pytest.mark.parametrize("shape", [(64, 64), (30, 200), (224, 224)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_images_are_resized_to_the_bytes_of_torchvision(interpolation, shape, capability, monkeypatch):
    from torchvision.transforms.v2 import InterpolationMode, functional

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 90, 70), dtype=np.uint8))
    # A wider view has other strides.
    for images in (pixels, pixels[..., 5:60], pixels.to(memory_format=torch.channels_last)):
        expected = functional.resize(images, list(shape), InterpolationMode(interpolation), antialias=True)
        found = resized(images, shape, interpolation)
        assert found.dtype == torch.uint8
        assert torch.equal(found, expected)


def test_a_small_network_runs_without_loading_torchvision():
    script = (
        "import sys, torch; from ventral.models.description import build, preprocess; "
        "from ventral.models.zoo import resolve_model; "
        "spec = resolve_model('conv1', {'weights': 'random', 'size': 64}); "
        "build(spec)(preprocess(torch.zeros(2, 3, 90, 90, dtype=torch.uint8), spec)); "
        "print([name for name in ('torchvision', 'torch._dynamo') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_trace_shows_the_same_natural_images_at_the_shape_of_the_stimuli():
    shown = []
    network = nn.Sequential(nn.Identity())
    network[0].register_forward_hook(lambda _module, _inputs, output: shown.append(output.clone()))
    spec = resolve_model("m", {"size": None, "mean": [0.0] * 3, "std": [1.0] * 3})
    traced = [trace_stimuli(network, (3, 20, 30), spec) for _ in range(2)]
    assert torch.equal(*shown)
    assert shown[0].shape == (2, 3, 20, 30)
    assert (shown[0].std(dim=(2, 3)) > 0.1).all()
    assert not torch.equal(*shown[0])
    assert traced[0]["0"].largest == shown[0].max()


def test_a_description_says_which_layers_are_taken_and_which_there_are(own, tmp_path):
    describe(spec_of(own, layers=["2", "0"]), tmp_path / "m.json")
    said = json.loads((tmp_path / "m.json").read_text())
    assert said["layers"] == [
        {"name": "0", "depth": 0.5, "shape": [2, 6, 6]},
        {"name": "2", "depth": 1.0, "shape": [4]},
    ]
    assert said["available"] == ["0", "1", "2"]
    assert said["weights_sha256"] == weights_sha256(build(spec_of(own)))
    assert said["preprocessing"]["size"] == 8


def test_a_description_of_pixels_needs_no_network(tmp_path):
    describe(resolve_model("pixels"), tmp_path / "pixels.json")
    assert json.loads((tmp_path / "pixels.json").read_text())["available"] == ["pixels"]


def test_a_wrong_layer_leaves_no_description(own, tmp_path):
    with pytest.raises(InputError, match="there is no layer 'conv9'"):
        describe(spec_of(own, layers=["conv9"]), tmp_path / "m.json")
    assert not list(tmp_path.glob("*.json*"))


def test_layers_that_are_to_predict_together_are_among_those_that_are_taken(own, tmp_path):
    spec = spec_of(own, layers=["2", "0"])
    describe(spec, tmp_path / "m.json", together=["0", "2"])
    with pytest.raises(InputError, match=rf"banded\.{spec['name']}: '1' is none of the layers that are taken"):
        describe(spec, tmp_path / "other.json", together=["0", "1"])
    assert not (tmp_path / "other.json").exists()


def test_modules_without_weights_have_a_hash():
    assert weights_sha256(nn.ReLU()) == weights_sha256(nn.Identity())


def test_weights_that_cannot_be_downloaded_say_what_to_do(monkeypatch):
    from urllib.error import URLError

    from torchvision import models

    def unreachable(*_arguments, **_options):
        raise URLError("no route to host")

    monkeypatch.setattr(models, "get_model", unreachable)
    with pytest.raises(
        InputError, match="models.resnet18: torchvision's weights of resnet18 cannot be downloaded: .*no"
    ):
        build(resolve_model("resnet18"))


def test_weights_from_torchvisions_own_cache(tmp_path, monkeypatch):
    """The loading code of torchvision, with a file where its download would be."""
    from torchvision import models

    source = models.squeezenet1_1(weights=None)
    enum = models.get_model_weights("squeezenet1_1").DEFAULT
    (tmp_path / "checkpoints").mkdir()
    torch.save(source.state_dict(), tmp_path / "checkpoints" / enum.url.rpartition("/")[2])
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert weights_sha256(build(resolve_model("squeezenet1_1"))) == weights_sha256(source)
