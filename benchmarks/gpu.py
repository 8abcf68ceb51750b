"""Measure speed and precision on a GPU, from pixels to scores, with a table of goals, in at most four minutes.

    python benchmarks/gpu.py [--wheels FOLDER] [--device cuda] [--small] [--only QUESTION ...] [--output FILE]

Runs in ventral's own environment, or in any with Python, torch and NumPy. Without a network, the other packages come
from a folder of wheels. A machine with a network and the same Python fills this folder first:

    python benchmarks/gpu.py --fetch FOLDER

Writes `gpu` into benchmarks/results.json: the measurements with the date, the machine and the card. With `--small`,
sizes are too small for useful times, and a CPU is enough. The results then go to results/benchmarks_gpu_small.json.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
# Seconds after which no further question is begun.
PATIENCE_S = 200
NETWORKS = {"resnet50_random": 1024, "vit_b_16_random": 1024, "efficientnet_lite0_random": 1024}
BATCH = 128
# How far a prediction on the GPU may be from that on the CPU, in standard deviations of the target.
BOUND_SD = 1e-8


@dataclass(frozen=True)
class Goal:
    """A goal, and its measurement."""

    name: str
    measured: float
    goal: float
    unit: str = "s"
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", default="", help="folder of wheels, for an environment made for this run alone")
    parser.add_argument("--fetch", type=Path, help="folder to put the wheels in, and do no more")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.fetch is not None:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", options.fetch]
        raise SystemExit(subprocess.run([*command, *_requirements()], check=False).returncode)
    if options.wheels:
        raise SystemExit(_in_new_environment(Path(options.wheels)))
    if find_spec("ventral") is None:
        sys.path.insert(0, str(FOLDER.parent / "workflow"))
    small = FOLDER.parent / "results/benchmarks_gpu_small.json"
    output = options.output or (small if options.small else FOLDER / "results.json")
    figures, goals = {}, []
    began = time.perf_counter()
    for name in options.only or QUESTIONS:
        if time.perf_counter() - began > PATIENCE_S:
            figures[name] = "not begun: the time was over"
            continue
        figures[name], found = answered(name, options)
        goals += found
        _write(output, figures, goals, options.device)
    print(table(goals))


def answered(name: str, options: argparse.Namespace) -> tuple[dict, list[Goal]]:
    """Return the measurements and goals of a question; an error is stored, and the other questions continue."""
    began = time.perf_counter()
    print(f"{name} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            figures, goals = QUESTIONS[name](Path(scratch), options)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            figures, goals = {"error": f"{type(error).__name__}: {error}"}, [Goal(f"{name}: ended", 1, 0, "errors")]
    print(f"{name}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    return figures, goals


def forward_way(scratch: Path, options) -> tuple[dict, list[Goal]]:
    """Measure pixels to Gram matrices, with and without the disk, against the forward pass and products alone."""
    figures, goals = {}, []
    for model, images in NETWORKS.items():
        images, size = (8, 64) if options.small else (images, 224)
        found = _forward_way(scratch, model, images, size, options)
        figures[model] = found
        goals += [
            Goal(f"{model}: pixels to Gram matrices / (forward pass + products)", found["times_bound"], 1.5, "x"),
            Goal(f"{model}: Gram matrices, of their size, from those by the disk", found["difference"], 1e-10, ""),
            Goal(f"{model}: extraction, of what is possible", found["extraction_share"], 0.8, "x", at_least=True),
        ]
        if model.startswith("resnet50"):
            goals.append(Goal(f"{model}: pixels to Gram matrices, 1,024 images", found["forward_way_s"], 1.0))
    return figures, goals


def _forward_way(folder: Path, model: str, images: int, size: int, options) -> dict:
    import numpy as np

    from ventral.activations.extraction import extract
    from ventral.grams.forward import gram_forward
    from ventral.grams.representations import read_representation
    from ventral.grams.streaming import gram
    from ventral.models.zoo import resolve_model

    spec = resolve_model(model)
    stimuli, one = (_stimuli(folder / f"{n}", n, size) for n in (images, 1))
    folder = folder / model
    folder.mkdir()
    how = {"device": options.device, "batch_size": min(BATCH, images)}

    def by_forward(shown: Path) -> None:
        gram_forward(shown, spec, folder / "forward.zarr.zip", seed=0, cores=_cores(), **how)

    def by_disk(shown: Path, n: int) -> None:
        extract(shown, spec, 0, n, folder / "activations.zarr", threads=_cores(), **how)

    _seconds(by_forward, stimuli, device=options.device)
    once = min(_seconds(by_forward, one, device=options.device) for _ in range(2))
    whole = min(_seconds(by_forward, stimuli, device=options.device) for _ in range(2))
    once_by_disk = _seconds(by_disk, one, 1, device=options.device)
    extraction = _seconds(by_disk, stimuli, images, device=options.device) - once_by_disk
    grams = _seconds(
        lambda: gram(
            [folder / "activations.zarr"], folder / "disk.zarr.zip", seed=0, cores=_cores(), device=options.device
        ),
        device=options.device,
    )
    layers = _layers(folder / "activations.zarr")
    n_bytes = 2 * images * sum(layers.values())
    plain = n_bytes / _plain_writes(folder, n_bytes, _cores())
    bare = _bare_forward(spec, images, size, options)
    products = _bare_products(layers, images, options.device)
    of_layers = [
        [read_representation(folder / f"{way}.zarr.zip", layer).gram for way in ("disk", "forward")] for layer in layers
    ]
    return {
        "images": images,
        "features": sum(layers.values()),
        "bare_forward_s": bare,
        "bare_products_s": products,
        "start_up_s": once,
        "forward_way_s": whole - once,
        "times_bound": (whole - once) / (bare + products),
        "difference": max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-300)) for a, b in of_layers),
        "extraction_s": extraction,
        "extraction_gb_per_s": n_bytes / extraction / 1e9,
        "plain_writes_gb_per_s": plain / 1e9,
        # The slower of the two bounds it.
        "extraction_share": max(n_bytes / plain, bare) / extraction,
        "gram_from_disk_s": grams,
    }


def _stimuli(folder: Path, n: int, size: int) -> Path:
    """Return a set of random images, made once for all networks."""
    import numpy as np
    from PIL import Image

    from ventral.stimuli.ingestion import ingest

    if (folder / "stimuli.zarr").exists():
        return folder / "stimuli.zarr"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor() as pool:
        for k, small in enumerate(rng.integers(0, 255, (n, size // 8, size // 8, 3), dtype=np.uint8)):
            pool.submit(
                Image.fromarray(small).resize((size, size)).save, folder / "images" / f"{k:05}.png", compress_level=1
            )
    ingest({"images": str(folder / "images")}, folder / "stimuli.zarr", name="random")
    return folder / "stimuli.zarr"


def _layers(store: Path) -> dict[str, int]:
    from ventral.store import open_store

    return {layer["name"]: layer["n_features"] for layer in open_store(store).attrs["layers"]}


def _plain_writes(folder: Path, n_bytes: int, threads: int) -> float:
    """Return the seconds for plain writes of `n_bytes` bytes with several threads."""
    piece = memoryview(os.urandom(2**24))
    files = max(1, n_bytes // len(piece))

    def write(k: int) -> None:
        with (folder / f"plain{k}").open("wb") as file:
            file.write(piece)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(files)))
    taken = time.perf_counter() - began
    for k in range(files):
        (folder / f"plain{k}").unlink()
    return taken * n_bytes / (files * len(piece))


def _bare_forward(spec: dict, images: int, size: int, options) -> float:
    """Return the seconds of the forward pass alone, with extraction's precision, for stimuli on the device."""
    import torch

    from ventral.activations.forward import exact_products
    from ventral.models.description import build, preprocess

    batch = min(BATCH, images)
    network = build(spec).to(options.device, memory_format=torch.channels_last)
    shown = torch.randint(0, 255, (batch, 3, size, size), dtype=torch.uint8, device=options.device)

    def bare() -> None:
        with torch.inference_mode(), exact_products(_cores()):
            for _ in range(-(-images // batch)):
                network(preprocess(shown, spec).contiguous(memory_format=torch.channels_last))

    _seconds(bare, device=options.device)
    return min(_seconds(bare, device=options.device) for _ in range(2))


def _bare_products(layers: dict[str, int], n: int, device: str) -> float:
    """Return the seconds of float64 products of blocks of float16 features that are on the device."""
    import torch

    block = torch.randn((n, 4096), device=device).half()

    def products() -> None:
        total = torch.zeros((n, n), dtype=torch.float64, device=device)
        for _ in range(sum(-(-n_features // 4096) for n_features in layers.values())):
            wide = block.double()
            total.addmm_(wide, wide.T)

    return min(_seconds(products, device=device) for _ in range(2))


def nested(scratch: Path, options) -> tuple[dict, list[Goal]]:
    """Measure nested ridge from the Gram matrix, against ventral on the CPU and himalaya on the same card."""
    size = {"n": 200, "p": 500, "targets": 16} if options.small else {"n": 2560, "p": 60_000, "targets": 256}
    figures = {**size, **_nested(scratch, size, options, check=True)}
    goals = [
        Goal("nested ridge, n 2,560, 256 targets, from the Gram matrix", figures["seconds"], 0.2),
        Goal("nested ridge: other penalties than on the CPU", figures["other_penalties"], 0, "fits"),
        Goal("nested ridge: predictions from those of the CPU", figures["difference_sd"], BOUND_SD, "SD"),
    ]
    if find_spec("himalaya"):
        figures["himalaya"] = {form: _himalaya(scratch, form, options.device) for form in ("features", "kernel")}
        for form, goal in (("features", 15), ("kernel", 3)):
            ours = figures["seconds"] + (figures["gram_seconds"] if form == "features" else 0)
            ratio = figures["himalaya"][form] / ours
            goals.append(Goal(f"himalaya, from {form}, float32, takes", ratio, goal, "x as long", at_least=True))
    return figures, goals


def many_targets(scratch: Path, options) -> tuple[dict, list[Goal]]:
    """Measure regressions per second: targets times penalties times folds times (1 + inner folds)."""
    size = {"n": 200, "p": 500, "targets": 400} if options.small else {"n": 1000, "p": 4000, "targets": 20_000}
    figures = {**size, **_nested(scratch, size, options, check=False)}
    figures["regressions_per_second"] = size["targets"] * 20 * 25 / figures["seconds"]
    millions = figures["regressions_per_second"] / 1e6
    return figures, [Goal("20,000 targets, n 1,000", millions, 50, "million regressions a second", at_least=True)]


def _nested(scratch: Path, size: dict, options, check: bool) -> dict:
    import numpy as np
    import torch
    from synthetic import read_problem, write_problem

    from ventral.mappings.ridge import nested_ridge

    write_problem(scratch, **size, n_folds=5, n_penalties=20)
    responses, folds, penalties = read_problem(scratch)
    features = torch.from_numpy(np.load(scratch / "features.npy"))
    on_device = {"device": options.device, "dtype": torch.float64}
    shown = features.to(options.device)

    def product() -> torch.Tensor:
        total = torch.zeros((size["n"], size["n"]), **on_device)
        for part in shown.split(4096, dim=1):
            wide = part.double()
            total.addmm_(wide, wide.T)
        return total

    gram, targets = product(), torch.as_tensor(responses, **on_device)
    gram_seconds = min(_seconds(product, device=options.device) for _ in range(2))
    found = nested_ridge(gram, targets, folds, penalties)
    timings = [_seconds(nested_ridge, gram, targets, folds, penalties, device=options.device) for _ in range(3)]
    figures = {"gram_seconds": gram_seconds, "seconds": sorted(timings)[1]}
    if check:
        with_cpu = nested_ridge(gram.cpu().numpy(), responses, folds, penalties)
        figures["other_penalties"] = int((found.candidate.cpu().numpy() != with_cpu.candidate).sum())
        difference = np.abs(found.predictions.cpu().numpy() - with_cpu.predictions) / responses.std(axis=0)
        figures["difference_sd"] = float(difference.max())
    return figures


def _himalaya(scratch: Path, form: str, device: str) -> float:
    import nested_ridge

    backend = "torch_cuda" if device == "cuda" else "torch"
    timings = [
        nested_ridge.TASKS["himalaya"](
            folder=str(scratch), form=form, dtype="float32", threads=_cores(), backend=backend
        )
        for _ in range(2)
    ]
    return min(taken["seconds"] for taken in timings)


def training_and_test_set(_: Path, options) -> tuple[dict, list[Goal]]:
    """Measure one layer with a training and a test set as large as the THINGS recordings, from its Gram matrix."""
    import numpy as np
    import torch

    from ventral.mappings.ridge_test_set import test_set_ridge

    n, n_test, targets, p = (300, 20, 16, 400) if options.small else (22_248, 100, 1024, 30_000)
    torch.manual_seed(0)
    gram = torch.zeros((n + n_test, n + n_test), dtype=torch.float64, device=options.device)
    signal = torch.zeros((n + n_test, targets), dtype=torch.float64, device=options.device)
    for _ in range(0, p, 2000):
        part = torch.randn((n + n_test, min(p, 2000)), dtype=torch.float64, device=options.device)
        gram.addmm_(part, part.T)
        signal.addmm_(part, torch.randn((part.shape[1], targets), dtype=torch.float64, device=options.device))
    responses = signal / signal.std(dim=0) + torch.randn_like(signal)
    training, test = np.arange(n), np.arange(n, n + n_test)
    inner = np.array_split(np.random.default_rng(0).permutation(n), 5)
    penalties = gram.diagonal().sum().item() / n * np.geomspace(1e-4, 1e4, 20)
    result = []
    seconds = _seconds(
        lambda: result.append(test_set_ridge(gram, responses, training, test, inner, penalties)), device=options.device
    )
    r = float(
        np.median(
            [
                np.corrcoef(a, b)[0, 1]
                for a, b in zip(result[0].predictions.cpu().numpy().T, responses[n:].cpu().numpy().T, strict=True)
            ]
        )
    )
    figures = {"n": n, "n_test": n_test, "targets": targets, "penalties": 20, "seconds": seconds, "median_r": r}
    return figures, [Goal("n 22,248, 1,024 targets, 20 penalties, 100 test stimuli", seconds, 60)]


def session(scratch: Path, options) -> tuple[dict, list[Goal]]:
    """Measure the jobs of a session as large as the V4 recordings, from images to scores."""
    import numpy as np

    from ventral.grams.forward import gram_forward
    from ventral.models.zoo import resolve_model
    from ventral.recordings.ingestion import ingest as ingest_recording
    from ventral.scores.fitting import fit

    n, neuroids, repetitions, size = (60, 6, 4, 64) if options.small else (640, 50, 10, 224)
    spec, figures = resolve_model("efficientnet_lite0_random"), {}
    figures["stimuli_s"] = _seconds(lambda: _stimuli(scratch / "set", n, size), device="cpu")
    rng = np.random.default_rng(0)
    np.save(scratch / "responses.npy", rng.normal(size=(neuroids, n, 1)) + rng.normal(size=(neuroids, n, repetitions)))
    stimuli, recording = scratch / "set/stimuli.zarr", scratch / "recording.zarr"
    spec_of_recording = {"stimuli": "random", "responses": str(scratch / "responses.npy"), "area": "V4"}
    figures["recording_s"] = _seconds(
        lambda: ingest_recording(spec_of_recording, stimuli, recording, name="session"), device="cpu"
    )
    grams, one = scratch / "grams.zarr.zip", _stimuli(scratch / "one", 1, size)
    how = {"device": options.device, "batch_size": min(BATCH, n), "cores": _cores()}
    # The first call of all loads libraries, too, which the whole set does not wait for again.
    once = [_seconds(lambda: gram_forward(one, spec, grams, seed=0, **how), device=options.device) for _ in range(2)]
    start_up = min(once)
    taken = _seconds(lambda: gram_forward(stimuli, spec, grams, seed=0, **how), device=options.device)
    figures["grams_s"] = taken - start_up
    figures["fit_s"] = _seconds(
        lambda: fit(
            grams,
            recording,
            stimuli,
            scratch / "scores.parquet",
            scratch / "bootstraps.parquet",
            scratch / "influences.parquet",
            splits=["stimuli"],
            n_folds=5,
            seed=0,
            penalties=np.geomspace(1e-4, 1e4, 20).tolist(),
            n_bootstrap=20 if options.small else 1000,
            device=options.device,
            cores=_cores(),
        ),
        device=options.device,
    )
    figures["sum_s"] = sum(figures.values())
    return figures, [Goal("a V4 session, one network, from images to scores", figures["sum_s"], 30)]


QUESTIONS: dict[str, Callable] = {
    "nested_ridge": nested,
    "many_targets": many_targets,
    "forward_way": forward_way,
    "session": session,
    "test_set": training_and_test_set,
}


def table(goals: list[Goal]) -> str:
    """Return a line for each goal, reached or missed."""
    lines = [f"{'':12} {'measured':>12} {'goal':>12}"]
    for goal in goals:
        verdict = "holds" if goal.holds else "FALLS SHORT"
        sign = ">=" if goal.at_least else "<="
        lines.append(f"{verdict:12} {goal.measured:12.3g} {sign}{goal.goal:>10.3g} {goal.unit:8} {goal.name}")
    return "\n".join(lines)


def _seconds(function: Callable, *arguments, device: str) -> float:
    _wait(device)
    began = time.perf_counter()
    function(*arguments)
    _wait(device)
    return time.perf_counter() - began


def _wait(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def _cores() -> int:
    from measurement import cores

    return cores()


def _write(output: Path, figures: dict, goals: list[Goal], device: str) -> None:
    from measurement import entry

    kept = {"figures": figures, "goals": [{**asdict(goal), "holds": goal.holds} for goal in goals]}
    results = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
    results["gpu"] = {**entry(kept), **_card(device)}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _card(device: str) -> dict:
    import torch

    if device != "cuda":
        return {"card": None, "torch": torch.__version__}
    free, total = torch.cuda.mem_get_info()
    return {
        "card": torch.cuda.get_device_name(),
        "memory_gib": round(total / 2**30, 1),
        "free_gib": round(free / 2**30, 1),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }


def _requirements() -> list[str]:
    """Return the pinned packages of GPU jobs and himalaya, without torch, NumPy and torch's own packages."""
    needed = (FOLDER.parent / "envs/gpu.yaml").read_text(encoding="utf-8")
    pins = re.findall(r"^  - (.+==.+)$", needed, re.MULTILINE)
    peers = re.findall(r"^himalaya==.+$", (FOLDER / "peers.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return [pin for pin in [*pins, *peers] if not re.match("(torch|numpy|triton)==|nvidia-|cuda-", pin)]


def _in_new_environment(wheels: Path) -> int:
    """Rerun in an environment with packages from the wheels first, and then this environment's packages."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "bin/python")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        # What is compiled for one torch does not run with another.
        files = [file for file in wheels.glob("*.whl") if not (find_spec("torchvision") and _is_of_torchvision(file))]
        if files:
            subprocess.run([*install, *files], check=True)
        _share_packages(python)
        # The last of two equal options counts.
        return subprocess.run([python, __file__, *sys.argv[1:], "--wheels", ""], check=False).returncode


def _is_of_torchvision(wheel: Path) -> bool:
    return wheel.name.startswith("torchvision-")


def _share_packages(python: Path) -> None:
    """Let an environment find this one's packages; `--system-site-packages` leaves out those of environments."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", ask], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    shared = [path for path in dict.fromkeys(sys.path) if Path(path).name in ("site-packages", "dist-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in shared]
    Path(own, "shared.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
