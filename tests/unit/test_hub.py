"""Models of timm, transformers and open_clip: of a hub on this machine, its cache, or a folder."""

import json
import logging
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.hub import ARCHITECTURES, SHOWN, VIT, Hub, make_repositories, served
from ventral.commands import parse, run
from ventral.errors import InputError
from ventral.models.description import build, describe, examples, trace_stimuli, weights_sha256
from ventral.models.families import Tokens
from ventral.models.hub import imported
from ventral.models.layers import choose_layers
from ventral.models.outputs import families_of_network, tokens_of
from ventral.models.passes import LayerOutputs
from ventral.models.zoo import check_model, completed, family, resolve_model
from ventral.outputs import sha256

BLOCKS_OF_CONVNEXT = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1)]
BLOCKS = {
    "timm/test_vit.r160_in1k": [f"blocks.{k}" for k in range(6)],
    "timm/test_convnext.r160_in1k": [f"stages.{k}.blocks.{j}" for k, j in BLOCKS_OF_CONVNEXT],
    "lab/timm-vit": ["blocks.0", "blocks.1"],
    "lab/vit": [f"vit.layers.{k}" for k in range(3)],
    "lab/convnext": [f"convnext.encoder.stages.{k}.layers.0" for k in range(4)],
    "lab/clip": [f"vision_model.encoder.layers.{k}" for k in range(3)],
    "lab/open-vit": ["visual.transformer.resblocks.0", "visual.transformer.resblocks.1"],
    "lab/open-convnext": [f"visual.trunk.stages.{k}.blocks.{j}" for k, j in BLOCKS_OF_CONVNEXT],
}
LIBRARIES = ("timm", "transformers", "open_clip", "huggingface_hub")


@pytest.fixture(scope="module")
def repositories(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("repositories")
    make_repositories(folder)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub, which tests fill."""
    from huggingface_hub import constants

    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def hub(repositories, cache, monkeypatch):
    from huggingface_hub import constants

    with served(repositories) as served_hub:
        monkeypatch.setattr(constants, "ENDPOINT", served_hub.url)
        template = "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", served_hub.url + template)
        yield served_hub


@pytest.fixture
def offline(monkeypatch):
    """A function after whose call the hub cannot be reached."""
    from huggingface_hub import constants

    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def spec_of(architecture: str, **options) -> dict:
    return resolve_model("m", {"architecture": architecture, **options})


def described(spec: dict, folder: Path) -> dict:
    describe(spec, folder / "m.json")
    return json.loads((folder / "m.json").read_text())


def said_by(function, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return str(caught.value)


def warnings_of(caplog) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("ventral")
    ]


def copy_of(repositories: Path, name: str, folder: Path) -> Path:
    """A repository that a test may change."""
    return Path(shutil.copytree(repositories / name, folder / "mine"))


def weights_of(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def by_library(folder: Path, repository: str, images: torch.Tensor) -> torch.Tensor:
    """What the library gives for some images, by the code of its own documentation."""
    architecture = ARCHITECTURES[repository]
    with torch.inference_mode():
        if architecture.startswith("timm/"):
            import timm

            if (folder / "config.json").exists():
                return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()(images)
            name = repository.removeprefix("timm/").partition(".")[0]
            return timm.create_model(name, checkpoint_path=weights_of(folder)).eval()(images)
        if architecture.startswith("open_clip/"):
            import open_clip

            return open_clip.create_model(f"local-dir:{folder}").eval().encode_image(images)
        import transformers

        if repository == "lab/clip":
            return transformers.CLIPModel.from_pretrained(folder).eval().get_image_features(images).pooler_output
        return transformers.AutoModelForImageClassification.from_pretrained(folder).eval()(images).logits


@pytest.mark.parametrize("repository", ARCHITECTURES)
def test_a_network_gives_what_its_library_gives(repositories, hub, tmp_path, repository):
    spec = completed(spec_of(ARCHITECTURES[repository]))
    images = examples(2, (3, spec["size"], spec["size"]), spec)
    with torch.inference_mode():
        found = build(spec)(images)
    found = getattr(found, "logits", found)
    torch.testing.assert_close(found, by_library(repositories / repository, repository, images), rtol=1e-5, atol=1e-5)
    assert found.std() > 0


@pytest.mark.parametrize("repository", ARCHITECTURES)
def test_the_record_of_a_model(repositories, hub, tmp_path, repository):
    spec, folder = spec_of(ARCHITECTURES[repository]), repositories / repository
    said = described({**spec, "max_layers": 30}, tmp_path)
    file = weights_of(folder)
    assert said["origin"] == {
        "repository": repository,
        "revision": Hub.name_of(folder),
        "files": [file.name],
        "sha256": sha256(file),
    }
    shown = said["preprocessing"]
    if not repository.startswith("timm/"):
        assert {key: shown[key] for key in SHOWN} == SHOWN
        assert shown["interpolation"] == ("bilinear" if repository == "lab/timm-vit" else "bicubic")
        assert shown["size"] == (64 if repository == "lab/open-convnext" else 32)
    else:
        assert (shown["size"], shown["interpolation"]) == (160, "bicubic")
    taken = [layer["name"] for layer in said["layers"]]
    assert [name for name in taken if re.search(r"(blocks|layers)\.\d+", name)] == BLOCKS[repository]
    assert family(spec) == "unknown"
    assert family({**spec, "trained_on": "ImageNet"}) == "pretrained"


@pytest.mark.parametrize("repository", ["timm/test_vit.r160_in1k", "lab/vit", "lab/open-vit"])
def test_the_cache_is_asked_before_the_hub(hub, offline, tmp_path, repository):
    spec = spec_of(ARCHITECTURES[repository])
    first = described(spec, tmp_path)
    assert hub.asked
    hub.asked.clear()
    build(spec)
    assert not hub.asked
    offline()
    assert described(spec, tmp_path) == first


def test_without_a_hub_the_message_says_what_to_do(hub, offline):
    offline()
    said = said_by(build, spec_of("hf/lab/vit"))
    assert (
        "models.m: config.json of lab/vit at main is not in the hub's cache, and this machine cannot reach the hub"
        in said
    )
    assert "`python -m ventral model`" in said


def test_a_hub_that_moved(repositories, hub, cache, tmp_path, caplog):
    spec, before = spec_of("hf/lab/vit"), Hub.name_of(repositories / "lab/vit")
    first = described(spec, tmp_path)
    newer = copy_of(repositories, "lab/vit", tmp_path)
    state = {name: 2 * values for name, values in load_file(newer / "model.safetensors").items()}
    save_file(state, newer / "model.safetensors", {"format": "pt"})
    hub.commits["lab/vit"].append(newer)
    assert not warnings_of(caplog)
    assert described(spec, tmp_path) == first
    (warning,) = warnings_of(caplog)
    assert f"has the newer commit {Hub.name_of(newer)}, but this run takes {before} from the cache" in warning
    later = described(spec_of("hf/lab/vit", revision=Hub.name_of(newer)), tmp_path)
    assert later["weights_sha256"] != first["weights_sha256"]
    assert later["origin"]["sha256"] == sha256(newer / "model.safetensors")
    # Elsewhere, where nothing was downloaded before.
    shutil.rmtree(cache)
    caplog.clear()
    assert described(spec, tmp_path) == later
    assert described(spec_of("hf/lab/vit", revision=before), tmp_path) == first
    assert not warnings_of(caplog)


def test_weights_of_a_commit_that_is_not_the_described_one(hub, cache, tmp_path, monkeypatch):
    from ventral.activations.extraction import Extraction

    spec = spec_of("hf/lab/vit")
    described(spec, tmp_path)
    extraction = Extraction.__new__(Extraction)
    extraction._spec = spec

    class Other:
        weights_sha256 = "f" * 64

    extraction._representation = Other
    said = said_by(extraction.refuse_other_weights, tmp_path / "m.json")
    assert f"Set `revision: {Hub.name_of(hub.commits['lab/vit'][0])}`" in said


@pytest.mark.parametrize("repository", ["timm/test_vit.r160_in1k", "lab/timm-vit", "lab/clip", "lab/open-convnext"])
def test_a_folder_of_ones_own(repositories, tmp_path, offline, cache, repository):
    offline()
    folder = copy_of(repositories, repository, tmp_path)
    if repository == "timm/test_vit.r160_in1k":
        (folder / "config.json").write_text('{"architecture": "test_vit", "input_size": [3, 160, 160]}')
    digest = sha256(weights_of(folder))
    spec = spec_of(ARCHITECTURES[repository], weights=str(folder))
    assert said_by(check_model, spec) == (
        f"models.m.sha256: missing; a checkpoint is read only if its hash is known. It is {digest}"
    )
    said = described({**spec, "sha256": digest}, tmp_path)
    assert said["origin"] == {"folder": str(folder), "files": [weights_of(folder).name], "sha256": digest}
    assert "the config says 0000" in said_by(check_model, {**spec, "sha256": "0" * 64})
    weights_of(folder).unlink()
    assert "has none of the files" in said_by(check_model, {**spec, "sha256": digest})


def test_a_folder_of_another_network(repositories, tmp_path, cache):
    folder = copy_of(repositories, "lab/timm-vit", tmp_path)
    spec = spec_of("timm/resnet18", weights=str(folder), sha256=sha256(weights_of(folder)))
    assert "has a network 'test_vit', the config says timm/resnet18" in said_by(build, spec)
    assert "nor an existing folder" in said_by(check_model, spec_of("timm/resnet18", weights="nowhere"))


def test_weights_in_parts(repositories, tmp_path, cache):
    from transformers import AutoModelForImageClassification

    whole = AutoModelForImageClassification.from_pretrained(repositories / "lab/vit")
    folder = copy_of(repositories, "lab/vit", tmp_path)
    (folder / "model.safetensors").unlink()
    whole.save_pretrained(folder, max_shard_size="40KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    printed = subprocess.run(["sha256sum", *(p.name for p in parts)], cwd=folder, capture_output=True, check=True)
    digest = subprocess.run(["sha256sum"], input=printed.stdout, capture_output=True, check=True).stdout.decode()[:64]
    network = build(spec_of("hf/lab/vit", weights=str(folder), sha256=digest))
    assert weights_sha256(network) == weights_sha256(whole)
    parts[0].unlink()
    said = said_by(check_model, spec_of("hf/lab/vit", weights=str(folder), sha256=digest))
    assert "lacks parts of its weights" in said


class Program:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("lab/timm-vit", "pytorch_model.bin"),
        ("lab/vit", "pytorch_model.bin"),
        ("lab/open-vit", "open_clip_pytorch_model.bin"),
    ],
)
def test_pickled_weights_are_read_and_no_code_in_them_is_run(repositories, hub, tmp_path, capsys, repository, name):
    folder = copy_of(repositories, repository, tmp_path)
    state = load_file(weights_of(folder))
    weights_of(folder).unlink()
    hub.commits[repository] = [folder]
    torch.save(state, folder / name)
    spec = spec_of(ARCHITECTURES[repository])
    built = weights_sha256(build(spec))
    hub.commits[repository] = [repositories / repository]
    assert built == weights_sha256(build({**spec, "revision": Hub.name_of(repositories / repository)}))
    with (folder / name).open("wb") as file:
        pickle.dump({**state, "x": Program()}, file)
    bad = {**spec, "weights": str(folder), "sha256": sha256(folder / name)}
    assert "cannot be loaded" in said_by(build, bad)
    assert "run" not in capsys.readouterr().out.split()


def test_the_sha256_of_the_hubs_file(repositories, hub):
    digest = sha256(repositories / "lab/vit" / "model.safetensors")
    build(spec_of("hf/lab/vit", sha256=digest.upper()))
    said = said_by(build, spec_of("hf/lab/vit", sha256="0" * 64))
    assert f"models.m.sha256: the weights of lab/vit at {Hub.name_of(repositories / 'lab/vit')} have" in said
    assert said.endswith(f"the sha256 {digest}, the config says {'0' * 64}")


@pytest.mark.parametrize("repository", ["timm/test_vit.r160_in1k", "lab/timm-vit", "lab/convnext", "lab/open-vit"])
def test_random_weights_need_no_weights(hub, repository):
    first, again, other = (
        weights_sha256(build(spec_of(ARCHITECTURES[repository], weights="random", seed=seed))) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert not [path for path in hub.asked if "safetensors" in path]
    # What timm knows by itself is asked of nobody.
    assert bool(hub.asked) == (repository != "timm/test_vit.r160_in1k")


def test_a_name_with_random_at_its_end(hub):
    spec = resolve_model("vit_random", {"architecture": "hf/lab/vit"})
    assert spec["weights"] == "random"
    assert family(spec) == "untrained"


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("hf/lab/none", "models.m.architecture: the hub has no public repository lab/none"),
        ("timm/test_vitt", "models.m.architecture: timm has no network 'test_vitt'; the nearest are test_vit"),
        ("timm/test_vit.mine", "timm has no weights 'mine' of test_vit; the nearest are test_vit.r160_in1k"),
        ("timm/gcvit_tiny.in1k", "has no weights of its own on the hub; download them (https://"),
        ("open_clip/ViT-B-33", "open_clip has no model 'ViT-B-33'; the nearest are ViT-B-32"),
        ("open_clip/ViT-B-32/mine", "open_clip has no weights 'mine' of ViT-B-32; known are openai, "),
        (
            "open_clip/ViT-B-32",
            "names no weights; take open_clip/ViT-B-32/TAG with one of these tags, or set `weights: random`: openai, ",
        ),
        ("open_clip/ViT-B-32/openai", "trained with QuickGELU; take open_clip/ViT-B-32-quickgelu/openai"),
    ],
)
def test_what_nobody_has(hub, architecture, said):
    found = said_by(build, spec_of(architecture))
    assert said in found
    assert found.startswith("models.m")


@pytest.mark.parametrize("architecture", ["timm/", "timm/a/b/c", "hf/vit", "hf/lab/vit@main", "open_clip/", "timm/a b"])
def test_a_name_of_another_form(architecture):
    assert f"models.m.architecture: {architecture!r} is not of the form" in said_by(check_model, spec_of(architecture))


def test_a_name_of_a_model_with_a_slash():
    from ventral.configuration.resolution import resolve

    said = said_by(resolve, {"dataset": "cowley2023", "models": ["hf/openai/clip-vit-base-patch32"]})
    assert "`architecture: hf/openai/clip-vit-base-patch32`" in said


def test_a_revision_that_is_not_there(hub):
    assert "the repository lab/vit has no revision 'v9'" in said_by(build, spec_of("hf/lab/vit", revision="v9"))
    with pytest.raises(InputError, match="models.m.revision: it has no effect where no repository of the hub is read"):
        spec_of("resnet18", revision="v9")


def test_a_repository_that_is_given_to_some_only(hub):
    hub.gated.add("lab/vit")
    assert "gives lab/vit only to users whom its owner admits" in said_by(build, spec_of("hf/lab/vit"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_not_installed(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    said = said_by(imported, library, spec_of("timm/resnet18"))
    assert said == f"models.m: timm/resnet18 needs {library}, which is not installed: pip install 'ventral[hub]'"


def changed(folder: Path, file: str, **changes) -> None:
    said = json.loads((folder / file).read_text())
    said.update(changes)
    (folder / file).write_text(json.dumps({key: value for key, value in said.items() if value is not None}))


@pytest.mark.parametrize(
    ("file", "changes", "said"),
    [
        ("preprocessor_config.json", {"rescale_factor": 0.007}, "scales pixels to other values than 0 to 1"),
        ("preprocessor_config.json", {"resample": 1}, "by Pillow's filter 1; set `interpolation`"),
        ("preprocessor_config.json", {"crop_size": {"height": 32, "width": 24}}, "images of 32 x 24"),
        (
            "config.json",
            {"model_type": "lab", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}},
            "it needs code of its repository, which is never run",
        ),
        ("config.json", {"hidden_size": 64}, "cannot be loaded"),
        ("config.json", {"num_hidden_layers": 4}, "weights are missing in lab/vit at"),
    ],
)
def test_a_repository_that_cannot_be_used(repositories, hub, tmp_path, file, changes, said):
    folder = copy_of(repositories, "lab/vit", tmp_path)
    hub.commits["lab/vit"] = [folder]
    changed(folder, file, **changes)
    (folder / "code.py").write_text("raise SystemExit('code of the repository was run')")
    spec = spec_of("hf/lab/vit")
    found = said_by(lambda: described(spec, tmp_path))
    assert said in found
    assert found.startswith("models.m")


def test_what_is_not_in_a_repository(repositories, hub, tmp_path):
    folder = copy_of(repositories, "lab/vit", tmp_path)
    hub.commits["lab/vit"] = [folder]
    (folder / "preprocessor_config.json").unlink()
    assert "set `size`, `interpolation`, `mean` and `std`" in said_by(completed, spec_of("hf/lab/vit"))
    given = spec_of("hf/lab/vit", size=32, interpolation="bicubic", **SHOWN)
    assert described(given, tmp_path)["preprocessing"]["size"] == 32
    (folder / "config.json").write_text("{")
    local = {**given, "weights": str(folder), "sha256": sha256(weights_of(folder))}
    assert "config.json is no JSON" in said_by(build, local)


def test_what_a_user_says_needs_no_record(repositories, hub, tmp_path):
    folder = copy_of(repositories, "lab/vit", tmp_path)
    hub.commits["lab/vit"] = [folder]
    changed(folder, "preprocessor_config.json", rescale_factor=0.007, image_mean=None)
    assert "scales pixels to other values" in said_by(completed, spec_of("hf/lab/vit"))
    assert completed(spec_of("hf/lab/vit", **SHOWN))["size"] == 32
    changed(folder, "preprocessor_config.json", rescale_factor=1 / 255)
    (folder / "preprocessor_config.json").touch()
    local = {"weights": str(folder), "sha256": sha256(weights_of(folder))}
    assert "does not say image_mean" in said_by(completed, spec_of("hf/lab/vit", **local))


def test_newer_and_other_records_of_the_preprocessing(repositories, hub, tmp_path):
    folder = copy_of(repositories, "lab/vit", tmp_path)
    hub.commits["lab/vit"] = [folder]
    said = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    plain = {**said, "do_center_crop": False, "size": {"height": 32, "width": 32}, "do_normalize": False, "resample": 2}
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": plain}))
    found = completed(spec_of("hf/lab/vit", size=64))
    assert {key: found[key] for key in ("size", "interpolation", "mean", "std")} == {
        "size": 64,
        "interpolation": "bilinear",
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
    }
    assert completed(spec_of("hf/lab/vit"))["size"] == VIT["image_size"]


def test_a_body_that_was_trained_without_its_pooler(repositories, tmp_path, cache):
    import transformers

    masked = transformers.ViTForMaskedImageModeling(transformers.ViTConfig(**VIT, encoder_stride=8))
    folder = copy_of(repositories, "lab/vit", tmp_path)
    masked.save_pretrained(folder)
    network = build(spec_of("hf/lab/vit", weights=str(folder), sha256=sha256(weights_of(folder))))
    assert "pooler" not in dict(network.named_children())
    body = {name.removeprefix("vit."): values for name, values in masked.state_dict().items()}
    assert all(torch.equal(values, body[name]) for name, values in network.state_dict().items())


def test_a_model_that_is_not_shown_images(repositories, tmp_path, cache):
    import transformers

    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.BertModel(transformers.BertConfig(**text, vocab_size=50)).save_pretrained(tmp_path / "bert")
    spec = spec_of("hf/lab/bert", weights=str(tmp_path / "bert"), sha256=sha256(weights_of(tmp_path / "bert")))
    assert "models.m.architecture: hf/lab/bert takes input_ids, not images" in said_by(build, spec)


def test_a_model_and_a_tag_of_open_clip(repositories, hub, tmp_path, monkeypatch):
    import open_clip
    from open_clip import factory, pretrained

    config = json.loads((repositories / "lab/open-vit" / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "Tiny.json").write_text(json.dumps(config))
    monkeypatch.setattr(factory, "_MODEL_CONFIG_PATHS", [*factory._MODEL_CONFIG_PATHS])
    monkeypatch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
    open_clip.add_model_config(tmp_path / "Tiny.json")
    tag = {"hf_hub": "lab/open-vit/", "mean": [0.1, 0.2, 0.3], "std": [0.4] * 3, "interpolation": "bilinear"}
    monkeypatch.setitem(pretrained._PRETRAINED, "Tiny", {"mine": tag})
    said = described(spec_of("open_clip/Tiny/mine"), tmp_path)
    assert said["preprocessing"] == {
        "size": 32,
        "interpolation": "bilinear",
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4] * 3,
        "degrees": None,
    }
    assert said["weights_sha256"] == described(spec_of("open_clip/lab/open-vit"), tmp_path)["weights_sha256"]
    assert said["origin"]["repository"] == "lab/open-vit"
    untrained = described(spec_of("open_clip/Tiny", weights="random"), tmp_path)
    assert untrained["preprocessing"]["size"] == 32


def test_the_command_that_lists_layers(hub, capsys):
    run(parse(["model", "hf/lab/clip"]))
    printed = capsys.readouterr().out
    assert f"revision: {Hub.name_of(hub.commits['lab/clip'][0])}" in printed
    assert "size: 32" in printed
    assert "vision_model.encoder.layers.2" in printed.partition("there are: ")[0]
    assert "vision_model.encoder.layers.2.mlp.fc1" in printed.partition("there are: ")[2]
    run(parse(["model", "timm/test_vit", "--options", '{"weights": "random", "layers": ["blocks.1"]}']))
    taken = capsys.readouterr().out.partition("there are: ")[0]
    assert "blocks.1 " in taken
    assert "blocks.2" not in taken
    run(parse(["model", "pixels"]))
    assert "there are: pixels" in capsys.readouterr().out


def test_models_of_no_library_load_none():
    code = (
        "import sys; from ventral.models.zoo import check_model, resolve_model; "
        "[check_model(resolve_model('m', {'architecture': a})) for a in ('timm/a.b', 'hf/a/b', 'open_clip/a/b')]; "
        "print('torch' in sys.modules); "
        "import ventral.activations.forward, ventral.models.listing, ventral.configuration.resolution; "
        "from ventral.models.description import build; build(resolve_model('conv1')); "
        f"print(*(name for name in {LIBRARIES} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", ""]


@pytest.mark.parametrize(
    ("repository", "layer", "n_patches", "n_prefix"),
    [
        ("timm/test_vit.r160_in1k", "blocks.5", 100, 1),
        ("lab/vit", "vit.layers.2", 16, 1),
        ("lab/clip", "vision_model.encoder.layers.0", 16, 1),
        ("lab/open-vit", "visual.transformer.resblocks.1", 16, 1),
    ],
)
def test_the_class_token_and_the_mean_of_the_patches(hub, repository, layer, n_patches, n_prefix):
    spec = completed(spec_of(ARCHITECTURES[repository], layers=[layer, f"{layer}@cls", f"{layer}@mean"]))
    shape = (3, spec["size"], spec["size"])
    network = build(spec)
    chosen = choose_layers(network, trace_stimuli(network, shape, spec), spec)
    images, found, plain = examples(3, shape, spec), {}, []
    outputs = LayerOutputs(network, chosen)
    outputs.run(images, found.__setitem__)
    outputs.remove()
    handle = network.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: plain.append(output))
    with torch.inference_mode():
        network(images)
    handle.remove()
    assert plain[0].shape[:2] == (3, n_prefix + n_patches)
    torch.testing.assert_close(found[layer], plain[0])
    torch.testing.assert_close(found[f"{layer}@cls"], plain[0][:, 0])
    torch.testing.assert_close(found[f"{layer}@mean"], plain[0][:, n_prefix:].mean(dim=1))


@pytest.mark.parametrize(
    ("name", "options", "n_prefix", "n_patches", "has_class"),
    [
        ("timm/test_vit", {}, 1, 100, True),
        ("timm/vit_small_patch14_reg4_dinov2", {"size": 518}, 5, 1369, True),
        ("timm/deit_tiny_distilled_patch16_224", {}, 2, 196, True),
        ("timm/vit_tiny_patch16_224", {}, 1, 196, True),
        ("timm/test_convnext", {}, None, None, None),
    ],
)
def test_how_tokens_of_timm_lie(name, options, n_prefix, n_patches, has_class):
    spec = spec_of(name, weights="random", **options)
    found = tokens_of(build(spec), families_of_network(spec))
    assert found == (n_prefix and Tokens(n_patches, n_prefix, has_class))


@pytest.mark.parametrize(
    ("config", "changes", "expected"),
    [
        ("Dinov2Config", {"image_size": 64}, Tokens(16, 1)),
        ("Dinov2WithRegistersConfig", {"num_register_tokens": 3}, Tokens(16, 4)),
        ("DINOv3ViTConfig", {"num_register_tokens": 2}, Tokens(16, 3)),
        ("DeiTConfig", {}, Tokens(16, 2)),
        ("SiglipVisionConfig", {}, Tokens(16, 0, has_class=False)),
        ("SwinConfig", {"embed_dim": 8, "depths": [1], "num_heads": [1], "window_size": 2}, None),
    ],
)
def test_how_tokens_of_transformers_lie(repositories, tmp_path, cache, config, changes, expected):
    """Also where positions are interpolated, as images are of another size than the config says."""
    import transformers

    options = {
        key: value for key, value in VIT.items() if config != "SwinConfig" or key in ("image_size", "patch_size")
    }
    model = transformers.AutoModel.from_config(getattr(transformers, config)(**options | changes))
    folder = copy_of(repositories, "lab/vit", tmp_path)
    model.save_pretrained(folder)
    spec = completed(spec_of("hf/lab/mine", weights=str(folder), sha256=sha256(weights_of(folder))))
    network = build(spec)
    assert tokens_of(network, families_of_network(spec)) == expected
    traced = trace_stimuli(network, (3, 32, 32), spec)
    assert any(layer.tokens == "mean" for layer in traced.values()) == (expected is not None)
    if expected is None:
        # Its blocks give a tuple with the states first.
        blocks = [layer for name, layer in traced.items() if re.fullmatch(r".*blocks\.\d+", name)]
        assert [layer.problem for layer in blocks] == [""]
