"""What the name of a model stands for, and which descriptions are refused."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest

from ventral.errors import InputError
from ventral.models.families import FIXED_FORM, mobilenet
from ventral.models.families.mobilenet import WEIGHTS
from ventral.models.registry import architectures, family_of
from ventral.models.zoo import check_model, family, resolve_model, weights_file

NOT_TRAINED = [name for name in architectures() if not family_of(name).is_trained]


def test_a_name_is_enough():
    spec = resolve_model("efficientnet_lite2")
    assert spec["architecture"] == "efficientnet_lite2"
    assert spec["weights"] == "pretrained"
    assert spec["size"] == 260
    assert spec["interpolation"] == "bicubic"
    assert "_blocks.*" in spec["layers"]
    check_model(spec)


def test_mobilenet_has_the_weights_of_its_package_whose_code_is_not_run():
    script = (
        "import sys, torch; from ventral.models.description import build; "
        "from ventral.models.families.mobilenet import WEIGHTS; "
        "from ventral.models.zoo import resolve_model; from torchvision.models import MobileNet_V2_Weights; "
        "file = WEIGHTS.path('key'); state = build(resolve_model('mobilenet_v2')).state_dict(); "
        "expected = torch.load(file, weights_only=True); assert state.keys() == expected.keys(); "
        "assert all(torch.equal(state[name], values) for name, values in expected.items()); "
        "assert WEIGHTS.sha256[:8] in MobileNet_V2_Weights.IMAGENET1K_V1.url; "
        "assert not [name for name in sys.modules if name.startswith(WEIGHTS.package.replace('-', '_'))]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_weights_of_mobilenet_that_are_not_there_or_damaged(monkeypatch, tmp_path):
    spec = resolve_model("mobilenet_v2")
    (tmp_path / "cut.pth").write_bytes(b"half")
    for changes, message in (
        ({"file": str(tmp_path / "no.pth")}, r"models\.mobilenet_v2: .*no\.pth are damaged: their SHA-256 is missing"),
        ({"file": str(tmp_path / "cut.pth")}, r"SHA-256 is a11ae064.*right is b0353104.*; install them again by `pip"),
        ({"package": "no-such-package"}, r"models\.mobilenet_v2: .*no-such-package, which is not installed; `pip inst"),
    ):
        monkeypatch.setattr(mobilenet, "WEIGHTS", replace(WEIGHTS, **changes))
        with pytest.raises(InputError, match=message):
            family_of("mobilenet_v2").build(spec)
    family_of("mobilenet_v2").build(resolve_model("mobilenet_v2_random"))


def test_random_is_the_network_before_training():
    spec = resolve_model("resnet50_random", {"seed": 3})
    assert (spec["architecture"], spec["weights"], spec["seed"]) == ("resnet50", "random", 3)
    assert spec["layers"] == "auto"
    check_model(spec)


@pytest.mark.parametrize("name", ["random", "_random", "permuted"])
def test_a_name_without_an_architecture_before_its_ending_says_nothing(name):
    spec = resolve_model(name, {"architecture": "resnet50"})
    assert spec == resolve_model("mine", {"architecture": "resnet50"}) | {"name": name}


@pytest.mark.parametrize("name", [name for name in NOT_TRAINED if FIXED_FORM.items() <= architectures()[name].items()])
def test_controls_see_pixels_in_0_to_1(name):
    spec = resolve_model(name)
    assert (spec["mean"], spec["std"], spec["size"], spec["weights"]) == ([0.0] * 3, [1.0] * 3, 128, None)
    assert weights_file(spec) is None
    check_model(spec)


@pytest.mark.parametrize("name", NOT_TRAINED)
@pytest.mark.parametrize("weights", ["random", "pretrained", "best.pth"])
def test_what_is_not_trained_has_no_weights(name, weights):
    message = rf"models.m.weights: {name} is not trained for any task, .*; name it `{name}`, without `weights`"
    with pytest.raises(InputError, match=message):
        check_model(resolve_model("m", {"architecture": name, "weights": weights}))
    with pytest.raises(InputError, match=rf"models.{name}_random.weights: {name} is not trained for any task"):
        check_model(resolve_model(f"{name}_random"))


def test_options_override_what_the_name_says():
    spec = resolve_model("small", {"architecture": "efficientnet_lite0", "size": 96, "layers": ["_bn0"]})
    assert (spec["size"], spec["layers"], spec["interpolation"]) == (96, ["_bn0"], "bicubic")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("m", {"wieghts": "random"}, "models.m: unknown option `wieghts`; did you mean `weights`? allowed: archi"),
        ("m", {"layers": []}, "models.m.layers: [] is not `auto`, or a list of names or globs"),
        ("m", {"layers": "blocks"}, "models.m.layers: 'blocks' is not `auto`"),
        ("efficientnet_lite9", {}, "no model is called 'efficientnet_lite9'; did you mean `efficientnet_lite"),
        ("Some Net", {}, "no model is called 'Some Net'; known: cochcnn9, "),
        ("m", {"architecture": "no_such_module:make"}, "module no_such_module of no_such_module:make cannot be imp"),
        ("m", {"architecture": "no.such:make"}, "module no.such of no.such:make cannot be imported"),
        (
            "m",
            {"architecture": "resnet18", "weights": "best"},
            "'best' is neither `pretrained` nor `random` nor `permuted` ",
        ),
        ("m", {"architecture": "resnet18", "weights": "best.pth"}, "models.m.weights: no such file: best.pth"),
        (
            "m",
            {"architecture": "resnet18", "weights": None},
            "models.m.weights: None is not `pretrained`, `random`, ",
        ),
    ],
)
def test_what_is_wrong_is_said(name, options, message):
    with pytest.raises(InputError) as caught:
        check_model(resolve_model(name, options))
    assert message in str(caught.value)


def test_a_checkpoint_is_the_one_that_its_hash_says(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    found = hashlib.sha256(b"weights").hexdigest()
    options = {"architecture": "resnet18", "weights": str(path)}
    with pytest.raises(InputError, match=rf"models.m.sha256: missing; .* It is {found}"):
        check_model(resolve_model("m", options))
    with pytest.raises(InputError, match=rf"has the sha256 {found}, the config says 00"):
        check_model(resolve_model("m", options | {"sha256": "0" * 64}))
    check_model(resolve_model("m", options | {"sha256": found.upper()}))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        *((resolve_model(name), "classical") for name in NOT_TRAINED),
        (resolve_model("resnet18"), "pretrained"),
        (resolve_model("resnet18_random"), "untrained"),
        (resolve_model("m", {"architecture": "resnet18", "weights": "best.pth"}), "unknown"),
        (resolve_model("m", {"architecture": "mine:make"}), "unknown"),
        (resolve_model("m", {"architecture": "mine:make", "weights": "best.pth"}), "unknown"),
        (resolve_model("m", {"architecture": "mine:make", "weights": "random"}), "untrained"),
        (resolve_model("m", {"architecture": "mine:make", "trained_on": "ImageNet"}), "pretrained"),
        (resolve_model("m", {"architecture": "mine:make", "trained_on": "nothing"}), "untrained"),
        (
            resolve_model("m", {"architecture": "conv1", "weights": "best.pth", "trained_on": "ImageNet"}),
            "pretrained",
        ),
        # Training here decides, whatever was said of the weights that it started from.
        (
            {"architecture": "m:f", "weights": "final.safetensors", "trained_by": "n", "trained_on": "nothing"},
            "trained",
        ),
        (
            {"architecture": "m:f", "weights": "e.safetensors", "trained_by": "n", "epoch": 0, "begun_as": "unknown"},
            "unknown",
        ),
        ({"architecture": "conv1", "weights": "results/models/n/final.safetensors", "trained_by": "n"}, "trained"),
        ({"architecture": "conv1", "weights": "epoch_0000.safetensors", "trained_by": "n", "epoch": 0}, "untrained"),
        ({"architecture": "conv1", "weights": "epoch_0004.safetensors", "trained_by": "n", "epoch": 4}, "checkpoint"),
        ({"architecture": "conv1", "weights": "final.safetensors", "trained_by": "n", "fitted_to": "rec"}, "fitted"),
    ],
)
def test_models_are_of_families(spec, expected):
    assert family(spec) == expected
