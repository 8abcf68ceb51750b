"""Tokens of a layer, and the runs of a module, are what plain hooks see, on the disk and without it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ventral.activations.extraction import extract_part
from ventral.activations.features import open_features
from ventral.activations.layer_features import LayerFeatures
from ventral.errors import InputError
from ventral.grams.forward import gram_forward
from ventral.grams.streaming import gram
from ventral.models.description import build, describe, preprocess
from ventral.models.families import Tokens
from ventral.models.layer_names import LayerName, parsed, without_step
from ventral.models.layers import choose_layers, trace
from ventral.models.outputs import features_of, has_tokens, output_by, tokens_of, torch_output
from ventral.models.registry import FAMILIES
from ventral.models.zoo import check_model, resolve_model
from ventral.simulation.teacher import describe_teacher, resolve_simulation
from ventral.stimuli.ingestion import ingest
from ventral.store import open_store, read_dataset

N, SIZE, WIDTH, PATCHES = 9, 16, 8, 4
MODULE = """
import torch
from torch import nn
from torchvision.models import VisionTransformer

def transformer():
    return VisionTransformer(
        image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=5
    )

class Recurrent(nn.Module):
    def __init__(self, runs=3):
        super().__init__()
        self.runs = runs
        self.retina = nn.Conv2d(3, 4, 3, stride=2)
        self.cortex = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh())
        self.readout = nn.Linear(4, 2)

    def forward(self, x):
        x = self.retina(x)
        state = torch.zeros_like(x)
        for _ in range(self.runs if len(x) < 8 else 3):
            state = self.cortex(x + state)
        return self.readout(state.mean((2, 3)))

def recurrent():
    return Recurrent()

def once_more_at_eight():
    return Recurrent(2)

def once_less_at_eight():
    return Recurrent(4)

class Again(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = transformer()

    def forward(self, x):
        return self.network(x)

def wrapped():
    return Again()
"""
BLOCKS = [f"encoder.layers.encoder_layer_{k}" for k in range(2)]
# Of blocks and rows of simple modules, those that have tokens.
ENDS = [*BLOCKS, "encoder.ln"]


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "stimuli"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(N):
        pixels = rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"image{k}.png")
    ingest({"images": str(folder / "images")}, folder / "mine.zarr", name="mine")
    return folder / "mine.zarr"


@pytest.fixture
def own(importable):
    return importable("net_with_tokens", MODULE)


def spec_of(own, function, layers, **options):
    return resolve_model("m", {"architecture": f"{own}:{function}", "size": SIZE, "layers": layers, **options})


def extracted(stimuli, spec, folder):
    """The features of each layer (n, p), from the shards on the disk."""
    options = {"batch_size": 4, "device": "cpu", "dtype": "float32"}
    extract_part(stimuli, spec, folder / "0", part=0, parts=1, shards=2, **options)
    stores = [open_store(path) for path in sorted((folder / "0").glob("*.zarr"))]
    names = [layer["name"] for layer in stores[0].attrs["layers"]]
    return {name: np.concatenate([store[name][:] for store in stores]) for name in names}


def hooked(stimuli, spec, module):
    """The outputs of every run of a module, by a hook on the network alone."""
    network, outputs = build(spec), []
    network.get_submodule(module).register_forward_hook(lambda _module, _inputs, output: outputs.append(output.clone()))
    with torch.inference_mode():
        network(preprocess(torch.from_numpy(read_dataset(stimuli)["pixels"].values), spec))
    return outputs


def test_all_tokens_the_class_token_and_the_mean_are_those_of_hooks(stimuli, own, tmp_path):
    taken = [f"{BLOCKS[1]}{suffix}" for suffix in ("", "@cls", "@mean")]
    spec = spec_of(own, "transformer", taken)
    found = extracted(stimuli, spec, tmp_path)
    (output,) = hooked(stimuli, spec, BLOCKS[1])
    assert output.shape == (N, 1 + PATCHES, WIDTH)
    expected = [output.flatten(1), output[:, 0], output[:, 1:].sum(dim=1) / PATCHES]
    assert list(found) == taken
    for name, values in zip(taken, expected, strict=True):
        np.testing.assert_allclose(found[name], values.numpy(), rtol=1e-4, atol=1e-5)
    # None is another in disguise.
    assert not np.allclose(found[taken[1]], found[taken[2]], atol=0.01)


def test_each_run_of_a_module_is_that_of_hooks(stimuli, own, tmp_path):
    spec = spec_of(own, "recurrent", ["cortex", "readout"])
    found = extracted(stimuli, spec, tmp_path)
    outputs = hooked(stimuli, spec, "cortex")
    assert list(found) == ["cortex@1", "cortex@2", "cortex@3", "readout"]
    for run, output in enumerate(outputs, 1):
        np.testing.assert_allclose(found[f"cortex@{run}"], output.flatten(1).numpy(), rtol=1e-4, atol=1e-5)
    assert not np.allclose(found["cortex@1"], found["cortex@3"], atol=0.01)


@pytest.mark.parametrize(
    ("function", "layers"),
    [("transformer", ["*.ln", "encoder.layers.*@cls", "encoder.ln@mean"]), ("recurrent", ["cortex@3", "cortex@1"])],
)
def test_gram_matrices_without_the_disk_are_those_by_the_disk(stimuli, own, tmp_path, function, layers):
    spec = spec_of(own, function, layers)
    options = {"batch_size": 4, "device": "cpu"}
    extract_part(stimuli, spec, tmp_path / "0", part=0, parts=1, shards=2, **options)
    gram([tmp_path / "0"], tmp_path / "disk.zarr.zip", seed=4)
    gram_forward(stimuli, spec, tmp_path / "forward.zarr.zip", seed=4, **options)
    assert (tmp_path / "forward.zarr.zip").read_bytes() == (tmp_path / "disk.zarr.zip").read_bytes()
    store = open_store(tmp_path / "disk.zarr.zip")
    assert [layer.get("step") for layer in store.attrs["layers"]] == ([1, 3] if function == "recurrent" else [None] * 4)


def test_one_layer_alone_gives_what_was_stored(stimuli, own, tmp_path):
    for function, layer in (("transformer", "encoder.ln@mean"), ("recurrent", "cortex@2")):
        spec = spec_of(own, function, [layer])
        found = extracted(stimuli, spec, tmp_path / function)[layer]
        pixels = read_dataset(stimuli)["pixels"].values
        precision = {"dtype": "float32", "autocast": None, "channels_last": True, "device": "cpu"}
        alone = LayerFeatures(spec, layer, pixels.shape[1:], **precision)
        np.testing.assert_allclose(np.concatenate(list(alone.compute(pixels, 4))), found, rtol=1e-5, atol=1e-6)


def test_features_of_a_run_open_in_a_notebook(stimuli, own, tmp_path):
    spec, results = spec_of(own, "recurrent", ["cortex"]), stimuli.parents[1]
    found = extracted(stimuli, spec, results / "activations" / "m" / "mine")
    np.testing.assert_array_equal(open_features(results, "m", "mine", "cortex@2").values, found["cortex@2"])


def test_a_description_lists_runs_and_tokens(own, tmp_path):
    describe(spec_of(own, "recurrent", ["cortex", "readout"]), tmp_path / "recurrent.json")
    described = json.loads((tmp_path / "recurrent.json").read_text())
    layers = [(layer["name"], layer.get("step"), layer["depth"]) for layer in described["layers"]]
    # A module with weights is one place of the network, whichever run: one and two of three modules with weights.
    assert layers == [*((f"cortex@{k}", k, 2 / 3) for k in (1, 2, 3)), ("readout", None, 1)]
    assert {"retina", "cortex.0@1", "cortex@3"} <= set(described["available"])
    assert described["tokens"] == {}
    describe(spec_of(own, "transformer", ["encoder.ln@cls"]), tmp_path / "transformer.json")
    described = json.loads((tmp_path / "transformer.json").read_text())
    assert described["layers"] == [{"name": "encoder.ln@cls", "depth": pytest.approx(10 / 11), "shape": [WIDTH]}]
    assert "encoder.ln" in described["available"]
    assert not any("@" in name for name in described["available"])
    assert [name for name in described["tokens"]["cls"] if name.count(".") == 2] == [f"{block}@cls" for block in BLOCKS]


def taken(own, tmp_path, function, layers, **options):
    describe(spec_of(own, function, layers, **options), tmp_path / "m.json")
    return [layer["name"] for layer in json.loads((tmp_path / "m.json").read_text())["layers"]]


def test_globs_and_auto_take_suffixes(own, tmp_path):
    assert taken(own, tmp_path, "transformer", ["encoder.layers.*@cls"]) == [f"{block}@cls" for block in BLOCKS]
    # A glob without a suffix takes no parts of what it takes.
    assert taken(own, tmp_path, "transformer", ["encoder.layers.*"]) == BLOCKS
    assert taken(own, tmp_path, "transformer", "auto@mean") == [f"{name}@mean" for name in ENDS]
    assert taken(own, tmp_path, "transformer", "auto@mean", max_layers=1) == ["encoder.ln@mean"]
    # A network in one's own module is known as well.
    assert taken(own, tmp_path, "wrapped", ["network.encoder.ln@cls"]) == ["network.encoder.ln@cls"]
    assert taken(own, tmp_path, "recurrent", ["c*@2", "cortex@3"]) == ["cortex@2", "cortex@3"]
    runs = [f"cortex.1@{k}" for k in (1, 2, 3)]
    assert taken(own, tmp_path, "recurrent", "auto") == ["retina", *runs, "readout"]


@pytest.mark.parametrize(
    ("function", "layers", "message"),
    [
        ("recurrent", ["cortex@4"], "'cortex@4' is no layer: 'cortex' runs 3 times in a forward pass; the nearest"),
        ("recurrent", ["readout@1"], "'readout@1' is no layer: 'readout' runs once in a forward pass, and has no `@1`"),
        ("recurrent", ["readout@cls"], "'readout@cls' has no tokens that are known: no library documents how those of"),
        ("recurrent", "auto@cls", "`auto@cls` finds no layer: the last, 'readout', has no tokens that are known"),
        (
            "recurrent",
            ["*@mean"],
            "'*@mean' matches no layer, only retina@mean, cortex@1@mean, cortex@2@mean",
        ),
        ("transformer", ["conv_proj@cls"], "'conv_proj@cls' has no tokens of all patches: its output for one stimulus"),
        ("transformer", ["encoder.l@cls"], "there is no layer 'encoder.l@cls'; the nearest are encoder.ln@cls"),
    ],
)
def test_what_there_is_not_is_refused_by_name(own, tmp_path, function, layers, message):
    with pytest.raises(InputError) as caught:
        taken(own, tmp_path, function, layers)
    assert f"models.m.layers: {message}" in str(caught.value)


@pytest.mark.parametrize("pattern", ["a@", "a@0", "a@cls@2", "@cls", "a.*@patches", "a@2@2"])
def test_a_wrong_suffix_is_refused_before_anything_is_loaded(pattern):
    spec = resolve_model("m", {"architecture": "nowhere:make", "layers": [pattern]})
    with pytest.raises(InputError, match=r"^models.m.layers: '.*' in '.*' is no suffix of a layer; right are `@cls`"):
        check_model(spec)


def test_a_wrong_suffix_of_auto_is_refused():
    with pytest.raises(
        InputError, match="'auto@2' is not `auto`, .*; the only suffixes of `auto` are `@cls` and `@mean`"
    ):
        check_model(resolve_model("m", {"architecture": "nowhere:make", "layers": "auto@2"}))


@pytest.mark.parametrize("name", ["blocks.3", "blocks.3@2", "blocks.3@mean", "blocks.3@2@cls"])
def test_names_are_what_they_were_made_of(name):
    assert str(parsed(name)) == name
    assert without_step(name) == str(LayerName(parsed(name).module, None, parsed(name).tokens))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("once_more_at_eight", "layer 'cortex' runs more than 2 times, where the trace saw 2 runs"),
        ("once_less_at_eight", "layer 'cortex@4' does not run, or later than in the trace"),
    ],
)
def test_a_batch_with_other_runs_is_refused(own, stimuli, tmp_path, function, message):
    spec = spec_of(own, function, ["cortex", "readout"])
    with pytest.raises(InputError, match=message):
        extract_part(stimuli, spec, tmp_path / "0", part=0, parts=1, shards=1, batch_size=8, device="cpu")


def test_a_teacher_is_made_of_runs_and_tokens(own, tmp_path):
    def described(function, layer):
        given = {"architecture": f"{own}:{function}", "size": SIZE}
        areas = {"IT": {"layer": layer, "neuroids": 2, "field": 1}}
        spec = resolve_simulation({"teacher": given, "areas": areas}, {}, "simulated")
        describe_teacher(spec, tmp_path / "teacher.json", name="simulated")

    described("recurrent", "cortex@2")
    described("transformer", "encoder.ln@cls")
    with pytest.raises(InputError, match="has no layer 'cortex'; the nearest are cortex@3, cortex@2, cortex@1"):
        described("recurrent", "cortex")


class Registers(nn.Module):
    """Two prefix tokens without a class token among them, then three patches."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Flatten(2)

    def forward(self, x):
        return self.tokens(x)


def test_prefixes_are_as_the_family_says():
    tokens = Tokens(n_patches=3, n_prefix=2, has_class=False)
    network, example = Registers().eval(), torch.arange(40.0).reshape(2, 5, 4)
    traced = trace(network, example, tokens=tokens)
    assert list(traced) == ["tokens", "tokens@mean"]
    read = traced["tokens@mean"].read(network.tokens, example)
    np.testing.assert_allclose(read, example[:, 2:].mean(dim=1))
    with pytest.raises(InputError, match="'tokens@cls' has no class token; `@mean`, the mean of the patches, is right"):
        choose_layers(network, traced, {"name": "m", "layers": ["tokens@cls"]})


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 5), (2, 5, 4, 3)])
def test_outputs_with_other_axes_have_no_tokens(shape):
    tokens = Tokens(n_patches=4)
    assert not has_tokens(torch.zeros(shape), tokens)
    assert has_tokens(torch.zeros(2, 5, 3), tokens)
    assert not has_tokens(torch.zeros(2, 5, 3, dtype=torch.long), tokens)
    assert features_of(None, torch.zeros(shape), "cls", tokens, lambda _module, output: output).shape == shape


@pytest.mark.parametrize("batch_first", [True, False])
def test_modules_of_torch_are_read_with_the_stimuli_first(batch_first):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=batch_first)
            self.block = nn.TransformerEncoderLayer(6, 2, 8, batch_first=batch_first)
            self.several = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=batch_first), 1)
            self.recurrent = nn.GRU(6, 3, batch_first=batch_first)

        def forward(self, x):
            x = x if batch_first else x.transpose(0, 1)
            self.attended = self.attention(x, x, x)[0]
            self.blocked = self.block(self.attended)
            self.encoded = self.several(self.blocked)
            self.read = self.recurrent(self.encoded)[0]

    torch.manual_seed(0)
    network, example = Network().eval(), torch.randn(2, 5, 6)
    traced = trace(network, example)
    shapes = {name: traced[name].shape for name in ("attention", "block", "several", "recurrent")}
    assert shapes == {"attention": (5, 6), "block": (5, 6), "several": (5, 6), "recurrent": (5, 3)}
    given = network.attention(*[example if batch_first else example.transpose(0, 1)] * 3)
    np.testing.assert_allclose(
        torch_output(network.attention, given).detach(),
        (given[0] if batch_first else given[0].transpose(0, 1)).detach(),
    )
    if not batch_first:
        assert "first axis is not the 2 stimuli, as of sequence-first" in traced["block.norm1"].problem


def test_families_say_what_stands_for_an_output():
    class Pair(nn.Module):
        def forward(self, x):
            return {"last": x, "other": 2 * x}

    class Family:
        @staticmethod
        def output(module, output):
            return output["last"] if isinstance(module, Pair) else output

    network, example = nn.Sequential(Pair()).eval(), torch.ones(2, 3)
    assert trace(network, example)["0"].problem == "gives a dict, not a tensor"
    known = trace(network, example, output_of=output_by([Family]))["0"]
    assert (known.problem, known.shape) == ("", (3,))


def test_every_family_bears_networks_of_every_library():
    for family in FAMILIES.values():
        assert family.tokens(nn.Sequential(nn.ReLU())) is None
        assert family.output(nn.ReLU(), (1, 2)) == (1, 2)


def test_torchvision_s_transformers_have_their_tokens():
    from torchvision.models import vit_b_32

    with torch.device("meta"):
        network = vit_b_32()
    assert tokens_of(network, [FAMILIES["torchvision"]]) == Tokens(n_patches=49, n_prefix=1)


def test_a_module_with_the_mark_in_its_name_is_no_layer():
    network = nn.Sequential()
    network.add_module("a@b", nn.Flatten())
    traced = trace(network.eval(), torch.ones(2, 3))
    assert traced["a@b"].problem == "has '@' in its name, which marks runs and tokens"
