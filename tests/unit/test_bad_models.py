"""Descriptions of models, and networks of one's own, that are wrong: refused by key, with the true error."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ventral.activations.extraction import extract_shards
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.models.checkpoints import SAVE_WEIGHTS
from ventral.models.description import build, describe, weights_sha256
from ventral.models.zoo import check_model, resolve_model
from ventral.stimuli.ingestion import ingest

MODULE = """
import itertools
import sys

import numpy as np
import torch
from torch import nn

counted = itertools.count()
with torch.random.fork_rng(devices=[]):
    NETWORK = nn.Sequential(nn.Conv2d(3, 2, 3))

def make():
    return nn.Sequential(nn.Conv2d(3, 2, 3))

def with_arguments(depth, width=3, *, classes):
    return make()

def with_defaults(depth=3, *others, **options):
    return make()

def a_class():
    return nn.Sequential

def leaves():
    sys.exit(3)

def leaves_well():
    sys.exit()

def lacks():
    import no_such_package

def recurs():
    return recurs()

def interrupted():
    raise KeyboardInterrupt

def of_numpy():
    network = make()
    with torch.no_grad():
        network[0].weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=(2, 3, 3, 3))))
    return network

def with_other_parts():
    return nn.Sequential(*[nn.Conv2d(3, 3, 1) for _ in range(next(counted) % 2 + 1)])

def once():
    if next(counted):
        raise RuntimeError("only once")
    return make()

def the_same():
    return NETWORK

def halved():
    return make().half()

def doubled():
    return make().double()

def lazy():
    return nn.Sequential(nn.LazyConv2d(2, 3))

def of_meta():
    with torch.device("meta"):
        return make()

class Extra(nn.Module):
    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        pass
"""
LINE = {name: k for k, line in enumerate(MODULE.splitlines(), 1) for name in [line.strip()]}


@pytest.fixture
def own(importable):
    return importable("networks_of_ones_own", MODULE)


def said_by(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def spec_of(architecture, **options):
    return resolve_model("m", {"architecture": architecture, "size": 8, "layers": ["0"], **options})


SCALARS = [
    ("architecture", 5, "5 is neither the name of an architecture nor package.module:function"),
    ("architecture", ["resnet18"], "['resnet18'] is neither the name"),
    ("architecture", None, "None is neither the name"),
    ("architecture", True, "True is neither the name"),
    ("architecture", "", "no model is called ''; known: cochcnn9, "),
    ("architecture", "resnet18 ", "no model is called 'resnet18 '"),
    ("architecture", "json:", "'json:' is not of the form package.module:function, such as mylab.networks:make"),
    ("architecture", ":make", "':make' is not of the form package.module:function"),
    ("architecture", "json:a:b", "'json:a:b' is not of the form"),
    ("architecture", "json:a.b", "'json:a.b' is not of the form"),
    ("architecture", "my lab:make", "'my lab:make' is not of the form"),
    ("architecture", "json: make", "'json: make' is not of the form"),
    ("architecture", ".networks:make", "'.networks:make' is not of the form"),
    ("architecture", "mylab..networks:make", "'mylab..networks:make' is not of the form"),
    ("architecture", "/lab/networks.py:make", "put its folder on PYTHONPATH, and name it `networks:make`"),
    ("architecture", "networks.py:make", "put its folder on PYTHONPATH, and name it `networks:make`"),
    ("architecture", "json.decoder.deeper:make", "json.decoder ("),
    (
        "weights",
        "",
        "'' is neither `pretrained` nor `random` nor `permuted` nor a checkpoint (.safetensors, .pth,",
    ),
    ("weights", None, "None is not `pretrained`, `random`, `permuted`, or the path"),
    ("weights", 5, "5 is not `pretrained`, `random`, `permuted`, or the path"),
    ("weights", ["a.pth"], "['a.pth'] is not `pretrained`"),
    ("weights", "a\0.pth", "no such file: a\0.pth"),
    ("weights", "a" * 300 + ".pth", "no such file: aaaa"),
    ("sha256", "0" * 64, "belongs to a checkpoint; name its file under `weights`"),
    ("sha256", 12, "belongs to a checkpoint"),
    ("layers", [], "[] is not `auto`, or a list of names or globs"),
    ("layers", ["", 3], "['', 3] is not `auto`, or a list of names or globs, in quotes where they look like numbers"),
    ("layers", None, "None is not `auto`"),
    ("layers", {"a": 1}, "{'a': 1} is not `auto`"),
    ("layers", ["[c"], "'[c' in '[c' is no set of characters, such as [0-3]"),
    ("layers", ["block[]"], "'[]' in 'block[]' is no set of characters"),
    ("layers", ["block[z-a]"], "'[z-a]' in 'block[z-a]' is no set of characters"),
    ("layers", ["block[!a]"], "'[!a]' in 'block[!a]' is no set of characters, such as [0-3], or [^0-3] for all but"),
    ("trained_on", "Ecoset", "'Ecoset' is not known; allowed: ImageNet, sounds, nothing. Leave it out for"),
    ("trained_on", "imagenet", "'imagenet' is not known; did you mean `ImageNet`?"),
    ("trained_on", ["ImageNet"], "['ImageNet'] is not known"),
    ("trained_on", "ImageNet", "it is for weights from elsewhere, of a function of your own or a checkpoint"),
]


NUMBERS = [
    ("size", True, "True is not of type 'integer', 'null'"),
    ("size", 0, "0 is less than the minimum of 1"),
    ("size", -3.0, "-3 is less than the minimum of 1"),
    ("size", 10**9, "1000000000 is greater than the maximum of 10000"),
    ("size", 224.5, "224.5 is not of type"),
    ("size", "large", "'large' is not of type"),
    ("size", float("nan"), "nan is not a finite number"),
    ("size", [224, 224], "[224, 224] is not of type"),
    ("seed", True, "True is not of type 'integer'"),
    ("seed", -1, "-1 is less than the minimum of 0"),
    ("seed", 1.5, "1.5 is not of type"),
    ("seed", 2**63, f"{2**63} is greater than the maximum of {2**63 - 1}"),
    ("seed", None, "nothing is given"),
    ("seed", float("inf"), "inf is not a finite number"),
    ("max_layers", True, "True is not of type 'integer'"),
    ("max_layers", 0, "0 is less than the minimum of 1"),
    ("max_layers", 2.5, "2.5 is not of type"),
    ("max_layers", None, "nothing is given"),
    ("mean", "0.5", "'0.5' is not of type 'array'"),
    ("mean", 0.5, "0.5 is not of type 'array'"),
    ("mean", None, "nothing is given"),
    ("mean", [0.5], "[0.5] is too short"),
    ("mean", [0.5, True, 0.5], "True is not of type 'number'"),
    ("mean", [0.5, "half", 0.5], "'half' is not of type 'number'"),
    ("mean", [0.5, "nan", 0.5], "'nan' is not of type 'number'"),
    ("mean", [10**7, 0, 0], "10000000 is greater than the maximum"),
    ("std", [0.2, 0, 0.2], "0 is less than the minimum"),
    ("std", [0.2, -0.2, 0.2], "-0.2 is less than the minimum"),
    ("std", [0.2, 1e-300, 0.2], "1e-300 is less than the minimum"),
    ("std", [0.2] * 4, "[0.2, 0.2, 0.2, 0.2] is too long"),
    ("interpolation", "nearest", "'nearest' is not known; allowed: bicubic, bilinear"),
    ("interpolation", None, "None is not known"),
    ("interpolation", ["bicubic"], "['bicubic'] is not known"),
]


@pytest.mark.parametrize(("option", "value", "message"), NUMBERS)
@pytest.mark.parametrize("of", ["model", "teacher"])
def test_a_value_that_the_schema_does_not_take_is_refused_by_key(option, value, message, of):
    options = {"architecture": "resnet18", "weights": "random", option: value}
    simulated = {"stimuli": "s", "simulate": {"teacher": options, "areas": {"V4": {"layer": "x", "neuroids": 1}}}}
    config = {"dataset": "cowley2023", "models": {"m": options if of == "model" else {}}}
    config |= {"recordings": {"simulated": simulated}} if of == "teacher" else {}
    said = said_by(resolve, config)
    place = "models.m" if of == "model" else "recordings.simulated.simulate.teacher"
    assert re.match(rf"config key {place}\.{option}(\.\d)?: ", said)
    assert message in said


@pytest.mark.parametrize(("option", "value", "message"), SCALARS)
def test_an_option_of_the_wrong_kind_is_refused_by_key(option, value, message):
    options = {"architecture": "resnet18", "weights": "random" if option == "seed" else "pretrained", option: value}
    said = said_by(lambda: check_model(resolve_model("m", options)))
    assert said.startswith(f"models.m.{option}: ")
    assert message in said


@pytest.mark.parametrize("value", [12, "12", "x" * 64, ["a"], True])
def test_what_is_no_sha256(tmp_path, value):
    (tmp_path / "w.pth").write_bytes(b"weights")
    options = {"architecture": "resnet18", "weights": str(tmp_path / "w.pth"), "sha256": value}
    said = said_by(lambda: check_model(resolve_model("m", options)))
    assert said == f"models.m.sha256: {value!r} is no SHA-256, a text of 64 hexadecimal digits (in quotes)"


def test_weights_that_are_a_folder(tmp_path):
    (tmp_path / "w.pth").mkdir()
    options = {"architecture": "resnet18", "weights": str(tmp_path / "w.pth")}
    said = said_by(lambda: check_model(resolve_model("m", options)))
    assert said == f"models.m.weights: a folder, not a file: {tmp_path / 'w.pth'}"


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("pixels", {"seed": 1}, "seed: it has no effect on `pixels`, which are taken as they are"),
        ("pixels", {"mean": [0.5] * 3}, "mean: it has no effect on `pixels`"),
        ("pixels", {"std": [0.5] * 3}, "std: it has no effect on `pixels`"),
        ("pixels", {"layers": ["pixels"]}, "layers: it has no effect on `pixels`"),
        ("pixels", {"max_layers": 3}, "max_layers: it has no effect on `pixels`"),
        ("pixels", {"sha256": "0" * 64}, "sha256: it has no effect on `pixels`"),
        ("pixels", {"trained_on": "nothing"}, "trained_on: it has no effect on `pixels`"),
        ("pixels", {"interpolation": "bicubic"}, "interpolation: it has no effect without a `size`"),
        ("pixels", {"degrees": 8}, "degrees: it has no effect without a `size`"),
        ("v1like", {"seed": 1}, "seed: it has no effect on v1like, in which nothing is random"),
        ("v2like", {"seed": 1}, "seed: it has no effect on v2like, in which nothing is random"),
        ("resnet18", {"seed": 1}, "seed: it has no effect on weights that are `pretrained`"),
        ("hmax", {"max_layers": 2}, "max_layers: it has no effect without `layers: auto`"),
        ("efficientnet_lite0", {"max_layers": 2}, "max_layers: it has no effect without `layers: auto`"),
        ("resnet18", {"size": None, "interpolation": "bicubic"}, "interpolation: it has no effect without a `size`"),
    ],
)
def test_an_option_without_effect_is_refused(name, options, reason):
    said = said_by(resolve_model, name, options)
    assert said == f"models.{name}.{said.partition('.')[2].partition('.')[2]}"
    assert reason in said
    assert said.endswith("leave it out")


def test_options_that_have_an_effect_on_controls_are_taken():
    check_model(resolve_model("pixels", {"size": 32, "interpolation": "bicubic", "degrees": 8}))
    check_model(resolve_model("hmax", {"size": 64, "seed": 3, "layers": ["c2"], "mean": [0.1] * 3}))


def test_other_spellings_of_numbers_are_those_numbers():
    options = {"size": 224.0, "seed": "1e3", "max_layers": "4", "mean": ["0.5", "5e-1", 0], "std": ["1e-1", 1, 1]}
    spec = resolve({"dataset": "cowley2023", "models": {"resnet18_random": options}})["models"]["resnet18_random"]
    check_model(spec)
    found = [spec[option] for option in ("size", "seed", "max_layers", "mean", "std")]
    assert found == [224, 1000, 4, [0.5, 0.5, 0], [0.1, 1, 1]]
    assert all(isinstance(number, int) for number in found[:3])


def test_own_networks_have_no_pretrained_weights_by_that_name(own):
    said = said_by(lambda: check_model(spec_of(f"{own}:make", weights="pretrained")))
    assert "leave `weights` out, and give `trained_on: ImageNet`" in said
    assert resolve_model("m", {"architecture": f"{own}:make"})["weights"] is None


@pytest.mark.parametrize(
    ("begun", "family"),
    [
        ({"weights": "random"}, None),
        ({"architecture": "resnet18", "weights": "pretrained"}, "pretrained"),
        ({"architecture": "mine:make"}, "unknown"),
        ({"architecture": "mine:make", "weights": "random"}, None),
        ({"architecture": "mine:make", "trained_on": "ImageNet"}, "pretrained"),
        ({"weights": "mine.pth"}, "unknown"),
    ],
)
def test_the_state_before_training_is_what_training_started_from(begun, family):
    train = {"stimuli": "shown", "label": "category", "checkpoints": [0, 1]}
    config = {
        "stimuli": {"shown": {"images": "a"}, "tested": {"images": "b"}},
        "recordings": {"rec": {"stimuli": "tested", "responses": "r.npy"}},
        "models": {"net": {"architecture": "conv1", **begun, "train": train}},
    }
    models = resolve(config)["models"]
    assert models["net.epoch0"].get("begun_as") == family
    assert not any("begun_as" in models[name] for name in ("net", "net.epoch1"))


# Networks of one's own: errors in their modules.

SOURCES = {
    "a missing package": (
        "import torch\nimport no_such_package\n",
        "importing",
        "No module named 'no_such_package'",
        2,
    ),
    "an error": ("x = 1\n\ny = x / 0\n", "importing", "ZeroDivisionError: division by zero", 3),
    "sys.exit": ("import sys\nsys.exit(2)\n", "importing", "SystemExit: 2", 2),
    "a clean exit": ("import sys\nsys.exit()\n", "importing", "SystemExit", 2),
    "an error far below": ("import json\njson.loads('{')\n", "importing", "JSONDecodeError: Expecting property", 2),
    "a base exception": ("class E(BaseException): pass\nraise E('no')\n", "importing", "E: no", 2),
    "no end to it": ("def f():\n    f()\nf()\n", "importing", "RecursionError: maximum recursion depth exceeded", 2),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_an_error_in_ones_own_module_is_told_as_it_is(importable, tmp_path, kind):
    source, stage, error, line = SOURCES[kind]
    name = importable("module_with_an_error", source)
    # It is not run by the check at the start.
    check_model(spec_of(f"{name}:make"))
    said = said_by(build, spec_of(f"{name}:make"))
    assert said.startswith(f"models.m.architecture: {stage} {name} failed: ")
    assert error in said
    assert said.endswith(f"({tmp_path / name}.py, line {line})")


UNREADABLE = {
    "syntax": (b"x = 1\ndef make(:\n    pass\n", "SyntaxError: invalid syntax", 2),
    "indentation": (b"def make():\nreturn 1\n", "IndentationError: expected an indented block", 2),
    "encoding": (b"x = '\xff'\n", "SyntaxError: (unicode error)", None),
    "zero bytes": (b"x = 1\0\n", "SyntaxError: source code string cannot contain null bytes", None),
}


@pytest.mark.parametrize("place", ["module", "package", "inside"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_python_is_told_at_the_start_without_running_it(tmp_path, monkeypatch, kind, place):
    source, error, line = UNREADABLE[kind]
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "package_with_an_error"
    package.mkdir()
    for file in ("__init__", "networks"):
        (package / f"{file}.py").write_text("raise RuntimeError('was run')\n")
    (tmp_path / "module_with_an_error.py").write_bytes(source)
    broken, architecture = {
        "module": (tmp_path / "module_with_an_error.py", "module_with_an_error:make"),
        "package": (package / "__init__.py", "package_with_an_error.networks:make"),
        "inside": (package / "networks.py", "package_with_an_error.networks:make"),
    }[place]
    broken.write_bytes(source)
    said = said_by(lambda: check_model(spec_of(architecture)))
    assert said.startswith(f"models.m.architecture: {broken} cannot be read as Python: {error}")
    assert line is None or said.endswith(f"({broken}, line {line})")


@pytest.mark.parametrize(
    "init", ["raise RuntimeError('no')", "import sys; sys.exit(0)", "import no_such_package", "def f(): f()\nf()"]
)
def test_a_package_with_a_bad_init(tmp_path, monkeypatch, init):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "package_with_a_bad_init"
    package.mkdir()
    (package / "__init__.py").write_text(init)
    (package / "networks.py").write_text(MODULE)
    check_model(spec_of("package_with_a_bad_init.networks:make"))
    said = said_by(build, spec_of("package_with_a_bad_init.networks:make"))
    assert said.startswith("models.m.architecture: importing package_with_a_bad_init.networks failed: ")
    assert f"{package / '__init__.py'}, line 1)" in said
    # Nor does looking for a module that is not there.
    assert "models.m.architecture: " in said_by(lambda: check_model(spec_of("package_with_a_bad_init.other:make")))


def test_a_package_that_says_where_its_modules_are(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for folder in ("package_elsewhere", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "package_elsewhere" / "__init__.py").write_text(f"__path__.append({str(tmp_path / 'elsewhere')!r})")
    (tmp_path / "elsewhere" / "networks.py").write_text(MODULE)
    assert isinstance(build(spec_of("package_elsewhere.networks:make")), nn.Module)


def test_a_module_that_is_no_package(own):
    said = said_by(lambda: check_model(spec_of(f"{own}.deeper:make")))
    assert f"the module {own}.deeper of {own}.deeper:make cannot be imported: {own} (" in said
    assert said.endswith("is a module, not a package")


FUNCTIONS = {
    "missing": "has no 'missing'; the nearest in ",
    "with_arguments": "needs the arguments depth, classes; name a function that needs none, such as `def make()",
    "NETWORK": "networks_of_ones_own:NETWORK is an object of type Sequential; name a function without arguments that",
    "LINE": "has no 'LINE'",
    "a_class": "a_class() returned the class Sequential, a torch.nn.Module is needed",
    "leaves": "leaves() failed: SystemExit: 3 (",
    "leaves_well": "leaves_well() failed: SystemExit (",
    "lacks": "lacks() failed: ModuleNotFoundError: No module named 'no_such_package' (",
    "recurs": "recurs() failed: RecursionError: maximum recursion depth exceeded",
    "of_numpy": "of_numpy() returns another network each time: 0.weight differs in two calls, so that every job would",
    "with_other_parts": "with_other_parts() returns another network each time: 1.bias differs in two calls",
    "lazy": "lazy() returned a network with lazy modules, whose shapes are not known yet; show it a stimulus before",
    "of_meta": "of_meta() returned a network on the device meta, without values; build it on the CPU",
    "Extra": "Extra() returned a network whose state dict has _extra_state, which is no tensor",
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_gives_no_network(own, function):
    said = said_by(build, spec_of(f"{own}:{function}"))
    assert said.startswith("models.m.architecture: ")
    assert FUNCTIONS[function] in said


def test_the_place_of_an_error_is_in_ones_own_code(own, tmp_path):
    said = said_by(build, spec_of(f"{own}:lacks"))
    assert said.endswith(f"({tmp_path / own}.py, line {LINE['import no_such_package']})")


def test_an_interruption_passes(own):
    with pytest.raises(KeyboardInterrupt):
        build(spec_of(f"{own}:interrupted"))


@pytest.mark.parametrize("function", ["make", "with_defaults", "the_same", "once"])
def test_functions_that_return_the_same_network_each_time(own, function):
    spec = spec_of(f"{own}:{function}")
    first = weights_sha256(build(spec))
    sys.modules.pop(own)
    assert weights_sha256(build(spec)) == first


def test_a_checkpoint_makes_a_function_repeatable(own, tmp_path):
    from ventral.outputs import sha256

    state = build(spec_of(f"{own}:make")).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    weights = {"weights": str(tmp_path / "weights.pth"), "sha256": sha256(tmp_path / "weights.pth")}
    assert torch.equal(build(spec_of(f"{own}:of_numpy", **weights)).state_dict()["0.weight"], state["0.weight"])


@pytest.mark.parametrize(("function", "dtype"), [("halved", "float16"), ("doubled", "float64")])
def test_weights_of_other_precision_become_float32(own, caplog, function, dtype):
    with caplog.at_level(logging.WARNING, "ventral"):
        network = build(spec_of(f"{own}:{function}"))
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    assert f"{function}() returned weights of torch.{dtype} on cpu; they are taken as float32" in caplog.text


def test_features_of_other_weights_than_those_described_are_refused(own, tmp_path):
    from PIL import Image

    for k in range(3):
        Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(tmp_path / f"image{k}.png")
    ingest({"images": str(tmp_path)}, tmp_path / "stimuli.zarr", name="mine")
    describe(spec_of(f"{own}:make"), tmp_path / "m.json")
    arguments = (tmp_path / "stimuli.zarr", spec_of(f"{own}:make"), {0: (0, 3)}, tmp_path / "out")
    extract_shards(*arguments, model=tmp_path / "m.json", device="cpu")
    description = json.loads((tmp_path / "m.json").read_text()) | {"weights_sha256": "0" * 64}
    (tmp_path / "m.json").write_text(json.dumps(description))
    said = said_by(extract_shards, *arguments, model=tmp_path / "m.json", device="cpu")
    assert said.startswith(f"models.m.architecture: the weights of {own}:make differ from those that were described")


def test_a_damaged_download_is_named(tmp_path, monkeypatch):
    from torchvision import models

    file = models.get_model_weights("squeezenet1_1").DEFAULT.url.rpartition("/")[2]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / file).write_bytes(b"<html>")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    said = said_by(build, resolve_model("squeezenet1_1"))
    assert said.startswith(
        "models.squeezenet1_1: torchvision's weights of squeezenet1_1 are damaged; delete their file"
    )
    assert "weights_only" not in said
    assert SAVE_WEIGHTS not in said


def test_the_check_at_the_start_needs_no_torch(own, tmp_path):
    command = (
        "import sys; sys.path.insert(0, sys.argv[1]); from ventral.models.zoo import check_model, resolve_model; "
        "check_model(resolve_model('m', {'architecture': sys.argv[2]})); print('torch' in sys.modules)"
    )
    arguments = [sys.executable, "-c", command, str(tmp_path), f"{own}:make"]
    package = Path(__file__).parents[2] / "workflow"
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(package)})
    assert ran.stdout.strip() == "False"
