"""Measure speed and memory of ventral and its peers side by side, in one run.

    python benchmarks/engine.py [--quick] [--only QUESTION ...] [--long] [--data-dir DIR]

Writes benchmarks/results.json: the measurements, each with its date and machine, and every package's version. Only
`--long` runs questions that need tens of gigabytes of disk. With `--only`, all other measurements stay the same. With
`--quick`, sizes are too small for useful times, and the results go to results/benchmarks_quick.json.
"""

import argparse
import json
import tempfile
from pathlib import Path

import brainscore_pls
import comparisons
import cost
import memory
import nested_ridge
import test_set
import workers
from measurement import FOLDER, cores, entry, environments

QUESTIONS = {
    "nested_ridge": nested_ridge.measure,
    "many_targets": nested_ridge.measure_many_targets,
    "test_set": test_set.measure,
    "brainscore_pls": brainscore_pls.measure,
    "comparisons": comparisons.measure,
    "workers": workers.measure,
    "cost": cost.measure,
    "memory_gram": memory.measure_gram,
    "memory_vgg16": memory.measure_vgg16,
}
LONG = ("memory_gram", "memory_vgg16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS)
    parser.add_argument("--data-dir", type=Path, help="folder with cowley2023_v4, for VGG16")
    parser.add_argument("--scratch", type=Path, help="where features go, up to 40 GB with --long")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    output = options.output or (
        FOLDER.parent / "results/benchmarks_quick.json" if options.quick else FOLDER / "results.json"
    )
    results = {"environments": environments(), "threads": options.threads, "measures": {}}
    if options.only and output.exists():
        results["measures"] = json.loads(output.read_text())["measures"]
    if options.data_dir is None and "memory_vgg16" in (options.only or []):
        parser.error("memory_vgg16 needs --data-dir: it is measured on session 210325 of cowley2023_v4")
    for name in options.only or chosen(options):
        with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
            measured = QUESTIONS[name](Path(scratch), options)
        results["measures"][name] = entry(measured)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def chosen(options: argparse.Namespace) -> list[str]:
    """Return the questions that are measured by default."""
    without = set() if options.long else set(LONG)
    return [name for name in QUESTIONS if name not in without | ({"memory_vgg16"} if not options.data_dir else set())]


if __name__ == "__main__":
    main()
