"""A hub of models on this machine, as huggingface_hub asks one, and small models of each library in its layout."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SHOWN = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {"context_length": 8, "vocab_size": 99, "width": 32, "heads": 2, "layers": 1}
# By repository, as a config names them.
ARCHITECTURES = {
    "timm/test_vit.r160_in1k": "timm/test_vit.r160_in1k",
    "timm/test_convnext.r160_in1k": "timm/test_convnext.r160_in1k",
    "lab/timm-vit": "timm/lab/timm-vit",
    "lab/vit": "hf/lab/vit",
    "lab/convnext": "hf/lab/convnext",
    "lab/clip": "hf/lab/clip",
    "lab/open-vit": "open_clip/lab/open-vit",
    "lab/open-convnext": "open_clip/lab/open-convnext",
}


class Hub:
    """Repositories by name, each a list of folders: its commits, the newest last.

    Attributes
    ----------
    url : str
        The endpoint.
    asked : list of str
        Method and path of each request.
    gated : set of str
        Repositories that are given to nobody.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.asked, self.gated = url, [], set()
        self.commits: dict[str, list[Path]] = {}
        for path in sorted(folder.glob("*/*")):
            self.commits[f"{path.parent.name}/{path.name}"] = [path]

    @staticmethod
    def name_of(folder: Path) -> str:
        """Return the name of the commit that a folder is."""
        return hashlib.sha1(str(folder).encode()).hexdigest()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content of a file of a repository at a revision."""
        parts = path.strip("/").split("/")
        if len(parts) < 5 or parts[2] != "resolve":
            return 404, {}, b""
        repository, revision, file = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        if repository in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b""
        if repository not in self.commits:
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        named = {self.name_of(folder): folder for folder in self.commits[repository]}
        named["main"] = self.commits[repository][-1]
        if revision not in named:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        commit = {"X-Repo-Commit": self.name_of(named[revision])}
        path = named[revision] / file
        if not path.is_file():
            return 404, {"X-Error-Code": "EntryNotFound", **commit}, b""
        content = path.read_bytes()
        return 200, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', **commit}, content


@contextmanager
def served(folder: Path) -> Iterator[Hub]:
    """Give a hub with the repositories in a folder, OWNER/NAME."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            status, headers, content = hub.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = Hub(folder, f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def make_repositories(folder: Path) -> None:
    """Write a repository of each of `ARCHITECTURES`, with random weights, as its library saves them."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _of_timm(folder)
        _of_transformers(folder)
        _of_open_clip(folder)


def _of_timm(folder: Path) -> None:
    import timm
    from safetensors.torch import save_file
    from timm.models import save_for_hf

    for name in ("test_vit", "test_convnext"):
        path = folder / "timm" / f"{name}.r160_in1k"
        path.mkdir(parents=True)
        save_file(timm.create_model(name).state_dict(), path / "model.safetensors")
    small = timm.create_model("test_vit", img_size=32, depth=2, num_classes=3)
    config = {"mean": SHOWN["mean"], "std": SHOWN["std"], "input_size": (3, 32, 32), "interpolation": "bilinear"}
    small.pretrained_cfg = {**small.pretrained_cfg, **config}
    save_for_hf(small, folder / "lab/timm-vit", model_args={"img_size": 32, "depth": 2}, safe_serialization=True)


def _of_transformers(folder: Path) -> None:
    import transformers

    transformers.logging.set_verbosity_error()
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    text |= {"vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2}
    models = {
        "vit": transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, num_labels=5)),
        "convnext": transformers.ConvNextForImageClassification(
            transformers.ConvNextConfig(hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1], num_labels=5, image_size=32)
        ),
        "clip": transformers.CLIPModel(transformers.CLIPConfig(vision_config=VIT, text_config=text, projection_dim=16)),
    }
    shown = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
    shown |= {"resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    shown |= {f"image_{key}": value for key, value in SHOWN.items()}
    for name, model in models.items():
        model.save_pretrained(folder / "lab" / name)
        (folder / "lab" / name / "preprocessor_config.json").write_text(json.dumps(shown))


def _of_open_clip(folder: Path) -> None:
    import open_clip
    from safetensors.torch import save_file

    towers = {
        "open-vit": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "open-convnext": {"image_size": 64, "timm_model_name": "test_convnext", "timm_pool": "", "timm_proj": "linear"},
    }
    for name, tower in towers.items():
        path = folder / "lab" / name
        path.mkdir(parents=True)
        config = {"model_cfg": {"embed_dim": 16, "vision_cfg": tower, "text_cfg": TEXT}}
        config["preprocess_cfg"] = {**SHOWN, "interpolation": "bicubic"}
        (path / "open_clip_config.json").write_text(json.dumps(config))
        model = open_clip.create_model(f"local-dir:{path}", pretrained_image=False, load_weights=False)
        save_file(model.state_dict(), path / "open_clip_model.safetensors")
