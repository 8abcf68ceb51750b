"""Time per image of extraction against a bare forward pass of the same network, batches and threads.

    python benchmarks/extraction.py [--images 192] [--repeats 3] [--models efficientnet_lite0 resnet18_random]

The two are measured in turn, and the median of the ratios of neighbours is quoted: the machine's speed drifts. Both
run first as in any process (`default`), then with freed memory kept, as jobs of the workflow run (`kept`).
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

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
    parser.add_argument("--models", nargs="+", default=["efficientnet_lite0", "resnet18_random"])
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder:
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


def compare(name: str, stimuli: Path, folder: Path, options: argparse.Namespace, device: str) -> dict:
    """Return times per image in milliseconds, and their ratio."""
    spec = resolve_model(name)
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
    pairs = [(seconds(extraction) - once, seconds(bare)) for _ in range(options.repeats)]
    return {
        "model": name,
        "device": device,
        "threads": options.threads,
        "images": options.images,
        "extract_ms": round(1e3 * statistics.median(pair[0] for pair in pairs) / options.images, 1),
        "bare_ms": round(1e3 * statistics.median(pair[1] for pair in pairs) / options.images, 1),
        "once_s": round(once, 1),
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
    }


if __name__ == "__main__":
    main()
