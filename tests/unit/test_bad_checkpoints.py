"""Checkpoints as people have them, and files that are none: read without running code, or refused in plain words."""

import argparse
import collections
import logging
import os
import pathlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ventral.errors import InputError
from ventral.models.description import build, weights_sha256
from ventral.models.zoo import resolve_model
from ventral.outputs import sha256

MODULE = """
from torch import nn

def make(classes=4):
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, classes))

class Headed(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 4)
        self.body = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images):
        return self.head(self.body(images)).softmax(1)

class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
        self.between = nn.ReLU()
        self.head = nn.Linear(4, 4)

    def forward(self, images):
        return self.head(self.between(self.head(self.body(images))))

def without_linear():
    return nn.Sequential(nn.Conv2d(3, 2, 3))
"""
HIDDEN = {"layers": ["0", "2"]}


@pytest.fixture
def own(importable):
    return importable("network_of_checkpoints", MODULE)


@pytest.fixture
def network(own):
    return build(spec_of(own, weights="random", seed=5))


def spec_of(own, function="make", **options):
    return resolve_model("m", {"architecture": f"{own}:{function}", "size": 8, "layers": ["0", "4"], **options})


def loaded(own, path, function="make", **options):
    return build(spec_of(own, function, weights=str(path), sha256=sha256(path), **options))


def refused(own, path, *args, **options) -> str:
    with pytest.raises(InputError) as caught:
        loaded(own, path, *args, **options)
    said = str(caught.value)
    assert said.startswith("models.m.")
    assert not any(advice in said for advice in ("weights_only", "safe_globals", "allowlist", "file an issue"))
    return said


def renamed(state, rename):
    return {rename(name): values for name, values in state.items()}


def lightning_checkpoint(state):
    about = {"hyper_parameters": argparse.Namespace(rate=0.1), "best": np.float64(0.7), "table": np.arange(3)}
    about["callbacks"] = {"folder": pathlib.PosixPath("a/b"), "log": collections.defaultdict(list, {"loss": [0.5]})}
    return {"epoch": 3, "state_dict": renamed(state, "model.{}".format), "optimizer_states": [state], **about}


FORMS = {
    "as it is": (lambda state: state, None),
    "module": (lambda state: renamed(state, "module.{}".format), "the prefix `module.` was stripped"),
    "compiled": (lambda state: renamed(state, "_orig_mod.{}".format), "`_orig_mod.` was stripped"),
    "both": (lambda state: renamed(state, "module._orig_mod.{}".format), "the prefix `module.` was stripped"),
    "part compiled": (lambda state: renamed(state, lambda name: name.replace(".", "._orig_mod.", 1)), "`_orig_mod.`"),
    "backbone": (
        lambda state: renamed(state, "backbone.{}".format) | {"projector.weight": torch.zeros(2)},
        "1 without it were left out, such as projector.weight",
    ),
    **{
        name: (lambda state, name=name: {name: state, "epoch": 3}, f"the state dict is that under `{name}`")
        for name in ("state_dict", "model_state_dict", "model", "net", "network", "module.", "module")
        if not name.endswith(".")
    },
    "nested": (
        lambda state: {"model": {"state_dict": renamed(state, "module.{}".format)}},
        "under `model`; the state dict is that under `state_dict`; the prefix `module.`",
    ),
    "average beside": (
        lambda state: {"model": state, "ema": renamed(state, "module.{}".format), "epoch": 3},
        "the state dict is that under `model`; other tensors, under ema, are not read",
    ),
    "lightning": (lightning_checkpoint, "the prefix `model.` was stripped"),
    "parameters": (lambda state: {name: values.clone() for name, values in state.items()}, None),
}


@pytest.mark.parametrize("suffix", [".pth", ".pth.tar", ".ckpt", ".bin"])
@pytest.mark.parametrize("form", FORMS)
def test_a_checkpoint_is_read_and_what_was_stripped_is_said(own, network, tmp_path, caplog, form, suffix):
    wrapped, remark = FORMS[form]
    path = tmp_path / f"weights{suffix}"
    torch.save(wrapped(network.state_dict()), path)
    with caplog.at_level(logging.WARNING, "ventral"):
        assert weights_sha256(loaded(own, path)) == weights_sha256(network)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (remark is not None)
    assert all(remark in message and f"models.m.weights: {path}" in message for message in said)


def test_objects_of_other_libraries_are_named_and_not_made(own, network, tmp_path, caplog):
    torch.save(lightning_checkpoint(network.state_dict()), tmp_path / "last.ckpt")
    with caplog.at_level(logging.WARNING, "ventral"):
        loaded(own, tmp_path / "last.ckpt")
    assert (
        "no code of other libraries is run: argparse.Namespace, builtins.list, collections.defaultdict" in caplog.text
    )
    assert "numpy.dtype" in caplog.text


def test_the_format_of_torch_before_1_6(own, network, tmp_path):
    state = {"state_dict": network.state_dict(), "args": argparse.Namespace(), "best": np.float32(1)}
    torch.save(state, tmp_path / "old.pth.tar", _use_new_zipfile_serialization=False)
    assert weights_sha256(loaded(own, tmp_path / "old.pth.tar")) == weights_sha256(network)


def test_prefixes_in_safetensors(own, network, tmp_path):
    save_file(renamed(network.state_dict(), "module.{}".format), tmp_path / "net.safetensors")
    assert weights_sha256(loaded(own, tmp_path / "net.safetensors")) == weights_sha256(network)


class Malicious:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("place", ["alone", "weight", "beside"])
@pytest.mark.parametrize("function", [os.system, exec, eval, os.mkdir, getattr, print])
@pytest.mark.parametrize("new_format", [True, False])
def test_no_code_is_run(own, network, tmp_path, capfd, function, place, new_format):
    made = tmp_path / "made"
    argument = {
        os.system: f"touch {made}",
        exec: f"open({str(made)!r}, 'w')",
        eval: f"open({str(made)!r}, 'w')",
        os.mkdir: str(made),
    }.get(function, "code was run")
    evil = Malicious(function, argument) if function is not getattr else Malicious(getattr, pathlib.Path, "cwd")
    state = dict(network.state_dict())
    state = {"alone": evil, "weight": state | {"0.weight": evil}, "beside": {"state_dict": state, "args": evil}}[place]
    path = tmp_path / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=new_format)
    if place == "beside" and function not in (os.system, os.mkdir):
        assert weights_sha256(loaded(own, path)) == weights_sha256(network)
    else:
        said = refused(own, path)
        assert "would run `posix." in said if function in (os.system, os.mkdir) else "`builtins." in said
    assert not made.exists()
    assert "code was run" not in capfd.readouterr().out


def whole_network(_state):
    return nn.Sequential(nn.Conv2d(3, 2, 3))


BAD = {
    "list": (lambda state: list(state.values()), "holds a list, not a state dict; save its weights alone"),
    "tensor": (lambda state: state["0.weight"], "holds a tensor of shape (2, 3, 3, 3), not a state dict"),
    "none": (lambda state: None, "holds None, not a state dict"),
    "number": (lambda state: 3, "holds an int, not a state dict"),
    "empty": (lambda state: {}, "is no state dict, and has none under state_dict, model_state_dict, model, net, "),
    "no tensors": (lambda state: {"epoch": 3, "loss": 0.5}, "it holds epoch (an int), loss (a float); save its"),
    "unknown wrapper": (lambda state: {"student": state, "teacher": state}, "its tensors are under student, teacher"),
    "two wrappers": (lambda state: {"model": state, "state_dict": state}, "weights under each of state_dict, model;"),
    "two parts": (
        lambda state: (
            renamed(state, "student.{}".format)
            | renamed({name: 2 * values for name, values in state.items()}, "teacher.{}".format)
        ),
        "several parts of the file fit, those whose names begin with student., teacher.",
    ),
    "whole network": (whole_network, "holds a whole pickled "),
    "whole network inside": (lambda state: {"model": whole_network(state), "epoch": 3}, "holds a whole pickled "),
    "numpy": (lambda state: {k: v.numpy() for k, v in state.items()}, "0.weight (`numpy._core.multiarray._recon"),
    "a number among tensors": (lambda state: state | {"epoch": 3}, "'epoch' is an int, where a state dict has tensors"),
    "complex": (lambda state: state | {"0.weight": state["0.weight"] * 1j}, "0.weight is of torch.complex64, where"),
    "integers": (lambda state: state | {"0.bias": torch.tensor([1, 2])}, "0.bias is of torch.int64, where real num"),
    "booleans": (lambda state: state | {"0.bias": torch.tensor([True, False])}, "0.bias is of torch.bool, where real"),
    "nan": (
        lambda state: state | {"0.bias": torch.tensor([1, float("nan")])},
        "1 of 2 values of 0.bias are not numbers (NaN); take a checkpoint from before training diverged",
    ),
    "sparse": (lambda state: state | {"0.weight": state["0.weight"].to_sparse()}, "0.weight is sparse, quantised or"),
    "meta": (lambda state: state | {"0.weight": state["0.weight"].to("meta")}, "0.weight is sparse, quantised or with"),
    "another shape": (
        lambda state: state | {"0.weight": torch.zeros(2, 3, 5, 5)},
        "1 of another shape, such as 0.weight (2, 3, 5, 5) instead of (2, 3, 3, 3)",
    ),
    "missing": (lambda state: {"0.weight": state["0.weight"]}, "does not fit network_of_checkpoints:make: 8 missing"),
    "unexpected": (lambda state: state | {"loss.weight": torch.zeros(3)}, "1 unexpected, such as loss.weight"),
    "another network": (lambda state: {"conv1.weight": torch.zeros(3)}, "9 missing, such as 0.bias; 1 unexpected"),
}


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("content", BAD)
def test_a_file_without_these_weights_is_refused_by_what_it_holds(own, network, tmp_path, content, new_format):
    made, message = BAD[content]
    path = tmp_path / "weights.pth"
    torch.save(made(dict(network.state_dict())), path, _use_new_zipfile_serialization=new_format)
    said = refused(own, path)
    assert said.startswith(f"models.m.weights: {path}")
    assert message in said


def scripted(path, network):
    torch.jit.save(torch.jit.script(nn.Sequential(nn.ReLU())), path)


def write_in_protocol_4(path, network):
    torch.save(dict(network.state_dict()), path, pickle_protocol=4)


def cut(path, network):
    torch.save(network.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-200])


FILES = {
    "nothing": (lambda path, network: path.write_bytes(b""), "(it begins with b'')"),
    "text": (lambda path, network: path.write_text("weights"), "(it begins with b'weights')"),
    "git lfs": (
        lambda path, network: path.write_text("version https://git-lfs.github.com/spec/v1"),
        "b'version https:/",
    ),
    "web page": (lambda path, network: path.write_text("<!DOCTYPE html>"), "(it begins with b'<!DOCTYPE html>')"),
    "beginning of a zip": (lambda path, network: path.write_bytes(b"PK\x03\x04"), "(it begins with b'PK"),
    "cut": (cut, "cannot be read as a file that torch.save wrote"),
    "a pickle": (lambda path, network: path.write_bytes(b"\x80\x02N."), "cannot be read as a file that torch.save"),
    "scripted": (scripted, "is a TorchScript archive, a program; load it with torch.jit.load, and save its weights"),
    "protocol 4": (write_in_protocol_4, "is no file of torch.save's own pickle protocol, 2"),
    "safetensors": (lambda path, network: save_file(network.state_dict(), path), "cannot be read as a file that torch"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", FILES)
def test_a_file_that_torch_does_not_read(own, network, tmp_path, content):
    make, message = FILES[content]
    path = tmp_path / "weights.pth"
    make(path, network)
    assert message in refused(own, path)


def test_a_file_of_safetensors_that_is_none(own, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"weights")
    assert f"{path} cannot be read as a file of safetensors" in refused(own, path)


CLASSES = {
    "more": lambda state: state | {"4.weight": torch.zeros(9, 72), "4.bias": torch.zeros(9)},
    "none": lambda state: {name: values for name, values in state.items() if not name.startswith("4.")},
    "deeper": lambda state: state | {"4.0.weight": torch.zeros(5, 72)},
}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("classes", CLASSES)
def test_another_number_of_classes_is_read_up_to_the_readout(own, network, tmp_path, caplog, classes, prefix):
    path = tmp_path / "weights.pth"
    torch.save(renamed(CLASSES[classes](dict(network.state_dict())), (prefix + "{}").format), path)
    with caplog.at_level(logging.WARNING, "ventral"):
        found = loaded(own, path, **HIDDEN).state_dict()
    assert "read up to the readout 4, which is not read" in caplog.text
    expected = network.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected if not name.startswith("4."))
    assert not found["4.weight"].any()


@pytest.mark.parametrize(
    ("layers", "beyond", "instead"),
    [(["0", "4"], "4", ["0"]), (["4"], "4", ["3"]), ("auto", "4", ["2"])],
)
def test_layers_that_depend_on_a_readout_that_is_not_there(own, network, tmp_path, layers, beyond, instead):
    path = tmp_path / "weights.pth"
    torch.save(CLASSES["more"](dict(network.state_dict())), path)
    said = refused(own, path, layers=layers)
    assert said.startswith(f"models.m.layers: {beyond} may depend on the readout 4, which {path} has in another shape")
    assert str(instead).replace("'", '"') in said


def test_the_readout_is_the_last_that_runs_not_the_last_that_is_written(own, tmp_path):
    """The container of the layers before the readout is defined after it."""
    state = build(spec_of(own, "Headed")).state_dict() | {"head.weight": torch.zeros(9, 2), "head.bias": torch.zeros(9)}
    torch.save(state, tmp_path / "weights.pth")
    loaded(own, tmp_path / "weights.pth", "Headed", layers=["body.0", "body"])
    assert "models.m.layers: head may depend" in refused(own, tmp_path / "weights.pth", "Headed", layers=["head"])


def test_a_readout_that_runs_twice_tells_nothing_of_what_is_before_it(own, tmp_path):
    state = build(spec_of(own, "Twice")).state_dict()
    torch.save({name: state[name] for name in state if "head" not in name}, tmp_path / "weights.pth")
    said = refused(own, tmp_path / "weights.pth", "Twice", layers=["between"])
    assert "models.m.layers: between may depend on the readout head" in said


def test_a_network_that_is_trained_on_gets_a_new_readout_anyway(own, network, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(CLASSES["more"](dict(network.state_dict())), path)
    spec = spec_of(own, weights=str(path), sha256=sha256(path))
    found = build(spec, new_readout=True).state_dict()
    assert torch.equal(found["0.weight"], network.state_dict()["0.weight"])


def test_without_a_readout_every_shape_counts(own, tmp_path):
    torch.save({"0.weight": torch.zeros(9, 3, 3, 3), "0.bias": torch.zeros(9)}, tmp_path / "weights.pth")
    said = refused(own, tmp_path / "weights.pth", "without_linear", layers=["0"])
    assert "2 of another shape, such as 0.bias (9,) instead of (2,)" in said


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precision_are_taken_as_float32(own, network, tmp_path, dtype):
    path = tmp_path / "weights.pth"
    state = {
        name: values.to(dtype) if values.is_floating_point() else values
        for name, values in network.state_dict().items()
    }
    torch.save(state, path)
    found = loaded(own, path).state_dict()
    assert all(torch.equal(found[name], state[name].to(found[name].dtype)) for name in state)
