"""Compare extraction's time per image with a bare forward pass, and with plain writes of as many bytes.

    python benchmarks/extraction.py [--images 192] [--repeats 3] [--models efficientnet_lite0 wide] [--folder /tmp]

The forward pass has the same network, batches and threads. Plain writes have as many files and threads, from allocated
memory. The three are measured in turn, and the result is the median of the ratios of neighbours, because the machine's
speed drifts. The slower of the other two bounds extraction, and `of_bound` is the share of this bound. `wide` is a
network that computes little and has many features. All run first as in any process (`default`). They run again with
freed memory kept, as in jobs of the workflow (`kept`).
"""

import argparse
import json
import logging
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from ventral.activations.extraction import extract
from ventral.models.description import build, preprocess
from ventral.models.zoo import resolve_model
from ventral.running.allocator import keep_freed_memory
from ventral.stimuli.ingestion import ingest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--models", nargs="+", default=["efficientnet_lite0", "resnet18_random", "wide"])
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stimuli = images(Path(folder), options.images)
        for memory in ("default", "kept"):
            if memory == "kept":
                keep_freed_memory()
            for name in options.models:
                print(json.dumps({"memory": memory, **compare(name, stimuli, Path(folder), options, device)}))


def images(folder: Path, count: int) -> Path:
    """Ingest random images of 112 x 112 pixels."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for k in range(count):
        small = Image.fromarray(rng.integers(0, 255, (14, 14, 3), dtype=np.uint8))
        small.resize((112, 112)).save(folder / "images" / f"{k}.png")
    ingest({"images": str(folder / "images")}, folder / "stimuli.zarr", name="random")
    return folder / "stimuli.zarr"


def wide() -> nn.Module:
    """Return a network with 800,000 features in each of four layers, for images of 112 x 112 pixels."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(64), nn.Hardtanh(), nn.Flatten(), nn.Identity()
    )


def spec_of(name: str) -> dict:
    """Return a model by its name; `wide` is the network of this file."""
    if name != "wide":
        return resolve_model(name)
    return resolve_model(name, {"architecture": "extraction:wide", "size": 112, "layers": ["0", "1", "2", "3"]})


def plain_writes(written: Path, folder: Path, threads: int) -> float:
    """Return the seconds for writing as many bytes and files as a store has, with as many threads."""
    sizes = [path.stat().st_size for path in written.rglob("*") if path.is_file() and path.name != "zarr.json"]
    content = np.ones(max(sizes), np.uint8)
    folder.mkdir()

    def write(number: int) -> None:
        with (folder / str(number)).open("wb") as file:
            file.write(content[: sizes[number]])

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(len(sizes))))
    seconds = time.perf_counter() - began
    shutil.rmtree(folder)
    return seconds


def compare(name: str, stimuli: Path, folder: Path, options: argparse.Namespace, device: str) -> dict:
    """Return times per image in milliseconds, and their ratios."""
    spec = spec_of(name)
    torch.set_num_threads(options.threads)
    network = build(spec).to(device)
    shown = torch.randint(0, 255, (options.batch_size, 3, 112, 112), dtype=torch.uint8)
    inputs = preprocess(shown, spec).to(device)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(options.images // options.batch_size):
                network(inputs)
            if device == "cuda":
                torch.cuda.synchronize()

    def extraction(images: int = options.images) -> None:
        output = folder / "activations.zarr"
        settings = {"batch_size": options.batch_size, "threads": options.threads, "device": device}
        extract(stimuli, spec, 0, images, output, **settings)

    def seconds(function, *arguments) -> float:
        began = time.perf_counter()
        function(*arguments)
        return time.perf_counter() - began

    bare()
    extraction()
    # What a job pays once (loading the network, one traced pass) is no time per image.
    once = min(seconds(extraction, 1) for _ in range(2)) - seconds(bare) / options.images * options.batch_size
    runs = [
        (
            seconds(extraction) - once,
            seconds(bare),
            plain_writes(folder / "activations.zarr", folder / "plain", options.threads),
        )
        for _ in range(options.repeats)
    ]
    extracted, forward, plain = (1e3 * statistics.median(column) / options.images for column in zip(*runs, strict=True))
    return {
        "model": name,
        "device": device,
        "threads": options.threads,
        "images": options.images,
        "extract_ms": round(extracted, 1),
        "bare_ms": round(forward, 1),
        "plain_writes_ms": round(plain, 1),
        "once_s": round(once, 1),
        "ratio": round(statistics.median(a / b for a, b, _ in runs), 3),
        "of_plain_writes": round(statistics.median(c / a for a, _, c in runs), 3),
        "of_bound": round(statistics.median(max(b, c) / a for a, b, c in runs), 3),
    }


if __name__ == "__main__":
    main()
