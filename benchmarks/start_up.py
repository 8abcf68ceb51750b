"""Measure the start-up of jobs: the time of loading each stage's module in a new process.

    python benchmarks/start_up.py [--repeats N]

Adds to benchmarks/results.json, as `start_up`: the seconds of each stage's fastest start, interpreter included, and
the slow libraries that it loads.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from measurement import FOLDER, entry

LIBRARIES = ("torch", "pandas", "zarr", "xarray", "dask", "scipy", "matplotlib", "altair", "sklearn")
PACKAGE = FOLDER.parent / "workflow"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    figures = {stage: started(module, options.repeats) for stage, module in modules().items()}
    output = FOLDER / "results.json"
    results = json.loads(output.read_text(encoding="utf-8"))
    measured = results["measures"]["start_up"] = entry(figures)
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for stage, found in sorted(measured["figures"].items(), key=lambda item: -item[1]["seconds"]):
        print(f"{found['seconds']:6.2f} s  {stage:16} {', '.join(found['loaded'])}")


def modules() -> dict[str, str]:
    """Return the module of every stage."""
    sys.path.insert(0, str(PACKAGE))
    from ventral.commands import stages

    return {stage: f"ventral.{function.rsplit('.', 1)[0]}" for stage, function in stages().items()}


def started(module: str, repeats: int) -> dict:
    """Return the seconds of the fastest of several starts, and the slow libraries that were loaded."""
    script = f"import sys, ventral.__main__, {module}; print(*sys.modules.keys() & {set(LIBRARIES)}, sep=',')"
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            text=True,
            check=True,
        )
        seconds.append(time.perf_counter() - began)
    return {"seconds": min(seconds), "loaded": sorted(filter(None, done.stdout.strip().split(",")))}


if __name__ == "__main__":
    main()
