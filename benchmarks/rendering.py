"""Measure rendered images per second, and memory, by the size of the image.

    python benchmarks/rendering.py [--images 96] [--sizes 64 128 256]

One process on one core does the work of one job: objects are made, drawn, put before backgrounds and written.
"""

import argparse
import json
import logging
import resource
import tempfile
import time
from pathlib import Path

from ventral.objects import TESTED, make_object
from ventral.stimuli.rendering import render


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12, help="images of each of 16 objects")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    began = time.perf_counter()
    objects = [make_object(category, exemplar) for category in TESTED for exemplar in range(2)]
    made = time.perf_counter() - began
    triangles = sum(len(surface.triangles) for surface in objects) / len(objects)
    print(json.dumps({"ms_per_object": round(1e3 * made / len(objects), 1), "triangles_per_object": round(triangles)}))
    for size in options.sizes:
        spec = {
            "categories": list(TESTED),
            "exemplars": 2,
            "first_exemplar": 0,
            "images": options.images,
            "variation": ["low", "medium", "high"],
            "size": size,
            "backgrounds": ["photographs", "noise"],
            "seed": 0,
        }
        n = 2 * len(TESTED) * options.images
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            render(spec, Path(folder) / "0.zarr", name="benchmark", shard=0, shards=1)
            seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"size": size, "images": n, "images_per_s": round(n / seconds, 1), "peak_mb": round(peak)}))


if __name__ == "__main__":
    main()
