"""A small experiment of one's own, and how to run the workflow on it."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]

NETWORK = '''
"""A network small enough for tests, which waits in extraction while there is a file called slow."""

import time
from pathlib import Path

import torch
from torch import nn


class Network(nn.Sequential):
    def forward(self, images):
        while len(images) > 3 and Path("slow").exists():
            time.sleep(0.01)
        return super().forward(images)


def make():
    torch.manual_seed(7)
    early = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()]
    late = [nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(784, 4)]
    return Network(*early, *late)
'''

TEACHER = """
from torch import nn


def make():
    early = [nn.Conv2d(3, 8, 5, stride=2), nn.ReLU()]
    late = [nn.Conv2d(8, 12, 5, stride=2), nn.ReLU()]
    return nn.Sequential(*early, *late)
"""
SIMULATED = "simulated_rec"


# As the default profile, but with Snakemake's own logger, whose table of jobs tests read.
OPTIONS = ["--workflow-profile", "none", "--rerun-incomplete", "--keep-going", "--show-failed-logs"]


def command(*arguments: str) -> list[str]:
    """The snakemake of this environment on this checkout."""
    return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *OPTIONS, *arguments]


def environment(folder: Path) -> dict[str, str]:
    """One's own network is importable from the folder; the workflow is deaf to a profile of the person testing."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    return kept | {"PYTHONPATH": str(folder)}


def run_config(folder: Path, config: dict, *targets: str) -> None:
    """Run the workflow on a config in a folder."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = command("--configfile", "config.yaml", "--cores", "2", *targets)
    done = subprocess.run(arguments, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Experiment:
    """A folder with images, responses, a network and a config; the files are made where they are not there yet.

    Attributes
    ----------
    folder : Path
        Where the workflow runs.
    config : dict
        What `run` writes to config.yaml.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "images").exists():
            self._make_files(folder)
        self.config = {
            "results": "results",
            "stimuli": {"mine": {"images": "images", "table": "stimuli.csv"}},
            "recordings": {"rec": {"stimuli": "mine", "responses": "responses.npy", "area": "V4"}},
            "models": {
                "tiny": {"architecture": "tinynet:make", "size": 32, "layers": ["0", "2", "5"]},
                "pixels": None,
            },
            "splits": ["stimuli", "objects"],
            "penalties": {"number": 6},
        }

    @staticmethod
    def _make_files(folder: Path) -> None:
        rng = np.random.default_rng(0)
        (folder / "images").mkdir(parents=True)
        pixels = rng.integers(0, 255, (48, 4, 4, 3), dtype=np.uint8)
        for k, image in enumerate(pixels):
            Image.fromarray(image).resize((32, 32)).save(folder / "images" / f"image{k}.png")
        rows = [f"image{k},object{k % 4},{k / 7:.3f}" for k in range(48)]
        (folder / "stimuli.csv").write_text("\n".join(["stimulus,object,size", *rows]) + "\n")
        signal = pixels.reshape(48, -1).astype(float) @ rng.normal(size=(48, 6))
        responses = signal.T[:, :, None] / signal.std() + 0.5 * rng.normal(size=(6, 48, 5))
        responses[:, ::3, 4] = np.nan
        np.save(folder / "responses.npy", responses)
        (folder / "tinynet.py").write_text(NETWORK)

    def start(self, *arguments: str, **changes) -> subprocess.Popen:
        """Start the workflow in the background."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config | changes))
        return subprocess.Popen(
            command("--configfile", "config.yaml", "--cores", "2", *arguments),
            cwd=self.folder,
            env=environment(self.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def copy(self, folder: Path) -> "Experiment":
        """Return a copy in another folder, whose files have the same times of change."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2)
        copied = Experiment(folder)
        copied.config = self.config
        return copied

    def run(self, *arguments: str, **changes) -> str:
        """Run the workflow, and return what it printed."""
        return finish(self.start(*arguments, **changes))

    def outputs(self) -> dict[str, float]:
        """When each whole output of a stage was made, by path."""
        results = self.folder / "results"
        patterns = ("*/*.zarr", "activations/*/*/*", "grams/*/*.zip", "scores/*/*.parquet")
        stores = [path for pattern in patterns for path in results.glob(pattern)]
        stores = [path for path in stores if not path.name.startswith(".")]
        return {str(path.relative_to(results)): _made(path) for path in stores}


def _made(path: Path) -> float:
    content = path.rglob("zarr.json") if path.is_dir() else [path]
    return max(file.stat().st_mtime_ns for file in content)


def finish(process: subprocess.Popen, expect: int | None = 0) -> str:
    """Wait for a run of the workflow, check its exit status, and return what it printed."""
    printed, _ = process.communicate(timeout=900)
    assert expect is None or process.returncode == expect, printed
    return printed


@pytest.fixture
def experiment(tmp_path) -> Experiment:
    return Experiment(tmp_path)


def with_areas(experiment: Experiment) -> Experiment:
    """Two areas and sessions of an animal in `rec`, one area in `other` of the same images; `rec` is a model, too."""
    folder, config = experiment.folder, experiment.config
    (folder / "neuroids.csv").write_text("area,session\n" + "V4,1\nV4,2\n" * 2 + "IT,1\n" * 2)
    np.save(folder / "other.npy", np.load(folder / "responses.npy")[::-1].mean(axis=2))
    config["recordings"]["rec"] |= {"neuroids": "neuroids.csv", "animal": "F", "group": "mine"}
    config["recordings"]["rec"].pop("area")
    config["recordings"]["other"] = {"stimuli": "mine", "responses": "other.npy", "area": "V4", "models": []}
    config["models"] = {"tiny": config["models"]["tiny"]}
    config |= {"splits": ["stimuli"], "extraction": {"shards": 1}, "penalties": {"number": 3}}
    config |= {"recorded_models": ["rec"], "reverse": ["rec"]}
    return experiment


def with_animals(experiment: Experiment) -> Experiment:
    """Two recordings of 18 neurons each, of two animals of one set, that share all signals."""
    signals = np.load(experiment.folder / "responses.npy")[..., :4].mean(axis=2, keepdims=True)
    rng = np.random.default_rng(1)
    for name in ("first", "second"):
        responses = np.tile(signals, (3, 1, 6)) + rng.normal(size=(18, 48, 6))
        np.save(experiment.folder / f"{name}.npy", responses)
        recording = {"stimuli": "mine", "responses": f"{name}.npy", "area": "IT", "animal": name, "group": "pair"}
        experiment.config["recordings"][name] = recording | {"models": []}
    experiment.config["inter_animal"] = ["pair"]
    return experiment


def with_simulation(experiment: Experiment, **changes) -> Experiment:
    """A simulated recording beside the others."""
    (experiment.folder / "teachernet.py").write_text(TEACHER)
    teacher = {"architecture": "teachernet:make", "weights": "random", "size": 32}
    areas = {"V1": {"layer": "1", "neuroids": 6}, "IT": {"layer": "3", "neuroids": 4}}
    simulation = {"teacher": teacher, "areas": areas, "repetitions": 4} | changes
    experiment.config["recordings"][SIMULATED] = {"stimuli": "mine", "simulate": simulation}
    return experiment


def run_once(tmp_path_factory, name: str, prepare: Callable[[Experiment], object]) -> Experiment:
    """Return an experiment after one run from start to end, whichever workers ask for it; not to be changed."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    printed = shared / f"{name}.printed"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        experiment = Experiment(shared / name)
        prepare(experiment)
        if not printed.exists():
            printed.write_text(experiment.run())
    experiment.printed = printed.read_text()
    return experiment


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Experiment:
    """The experiment after a run from start to end; not to be changed."""
    return run_once(tmp_path_factory, "undisturbed", lambda experiment: None)


def _several_recordings(experiment: Experiment) -> Experiment:
    return with_animals(with_simulation(with_areas(experiment)))


@pytest.fixture(scope="session")
def several_recordings(tmp_path_factory) -> Experiment:
    """The experiment with recorded areas as models, and a simulated recording, after a run; not to be changed."""
    return run_once(tmp_path_factory, "several_recordings", _several_recordings)
