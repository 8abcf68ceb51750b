"""Measure training images per second, and memory, by network.

    python benchmarks/training.py [--epochs 1] [--networks conv1 conv2 conv4 conv4_wide small_resnet]

Training runs as in a job of the workflow: on a GPU if there is one, otherwise on one core. Reading, augmentation,
validation and writing the state are included.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import psutil

from ventral.models.zoo import resolve_model
from ventral.objects import OTHERS
from ventral.running.allocator import keep_freed_memory
from ventral.stimuli.rendering import assemble, render
from ventral.training.training import train

RENDER = {
    "categories": list(OTHERS),
    "exemplars": 2,
    "first_exemplar": 0,
    "images": 64,
    "variation": ["low", "medium"],
    "size": 64,
    "backgrounds": ["noise"],
    "seed": 0,
}
OPTIONS = {
    "stimuli": "training",
    "label": "category",
    "recording": None,
    "exclude": [],
    "see": [],
    "patience": None,
    "batch_size": 64,
    "learning_rate": 0.003,
    "weight_decay": 0.05,
    "validation": 0.1,
    "checkpoints": [],
    "autocast": "auto",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--networks", nargs="+", default=["conv1", "conv2", "conv4", "conv4_wide", "small_resnet"])
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render(RENDER, folder / "0.zarr", name="training", shard=0, shards=1)
        assemble(RENDER, [folder / "0.zarr"], folder / "training.zarr", name="training")
        n = len(OTHERS) * RENDER["exemplars"] * RENDER["images"]
        for network in options.networks:
            spec = {**OPTIONS, "name": network, "network": resolve_model(network), "epochs": options.epochs}
            began, cpu = time.perf_counter(), time.process_time()
            train(folder / "training.zarr", folder / network, spec)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            shown = n * (1 - OPTIONS["validation"]) * options.epochs
            rates = {"images_per_s": round(shown / seconds), "images_per_cpu_s": round(shown / cpu)}
            print(
                json.dumps({"network": network, **rates, "rss_mb": round(psutil.Process().memory_info().rss / 2**20)})
            )


if __name__ == "__main__":
    main()
