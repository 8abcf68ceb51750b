"""Measure the part of a run's time without computing: starting jobs, and waiting for them and for a cluster.

    python benchmarks/overhead.py NAME RESULTS COMMAND...

Times COMMAND, which runs the workflow into the empty folder RESULTS, and reads the times of its jobs from their
records. Adds to benchmarks/results.json, as `overhead_NAME`: the wall time, the sum of the jobs' times, and the time
without any computing job.
"""

import argparse
import json
import subprocess
import time
from datetime import datetime
from pathlib import Path

from measurement import FOLDER, entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("results", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if list(options.results.glob("provenance/**/*.json")):
        parser.error(f"{options.results} holds the results of another run")
    began = time.monotonic()
    subprocess.run(options.command, check=True)
    figures = {"wall_seconds": time.monotonic() - began, **computing(options.results)}
    figures["idle_seconds"] = figures["wall_seconds"] - figures["busy_seconds"]
    output = FOLDER / "results.json"
    results = json.loads(output.read_text(encoding="utf-8"))
    measured = results["measures"][f"overhead_{options.name}"] = entry(figures)
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(measured["figures"], indent=1))


def computing(results: Path) -> dict:
    """Return the number of jobs of a run, the sum of their times, and the time with at least one computing job."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in results.glob("provenance/**/*.json")]
    spans = [(datetime.fromisoformat(record["started"]).timestamp(), record["seconds"]) for record in records]
    busy, until = 0.0, 0.0
    for start, seconds in sorted(spans):
        busy += max(0.0, start + seconds - max(start, until))
        until = max(until, start + seconds)
    return {
        "jobs": len(records),
        "compute_seconds": sum(seconds for _, seconds in spans),
        "cpu_seconds": sum(record["cpu_seconds"] for record in records),
        "busy_seconds": busy,
    }


if __name__ == "__main__":
    main()
