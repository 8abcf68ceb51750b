"""Measure time and memory of planning a run of many models, and count the files that such a run leaves.

    python benchmarks/scale.py [--quick]

Plans with `snakemake --dry-run` 100 models of 20 layers against 10 recordings. Each recording has a stimulus set of its
own, in 50 shards, which is the worst case: a model is extracted once for every set. Then 2 such models and 2 such
recordings run to the end, and their files are counted. Every file belongs to a model and a recording, to one of the
two, or to the run. This gives the number of files with 100 models and 10 recordings. Adds both to
benchmarks/results.json as `dry_run`; the other measurements stay. With `--quick`, fewer are planned, and the results go
to results/benchmarks_quick.json.
"""

import argparse
import base64
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import yaml
from measurement import FOLDER, entry
from PIL import Image

SNAKEFILE = FOLDER.parent / "Snakefile"
LAYERS = 20
STIMULI = 60
NETWORK = """
import collections
import torch

def make():
    torch.manual_seed(0)
    layers = ((f"conv{{k}}", torch.nn.Conv2d(3, 3, 1)) for k in range({layers}))
    return torch.nn.Sequential(collections.OrderedDict(layers))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    models, recordings = (4, 2) if options.quick else (100, 10)
    with tempfile.TemporaryDirectory() as scratch:
        planned = plan(Path(scratch) / "planned", models, recordings, shards=50)
        kinds = count(Path(scratch) / "run", models, recordings)
    figures = {
        **{"models": models, "layers": LAYERS, "recordings": recordings, "shards": 50},
        **planned,
        "files": sum(kinds.values()),
        "files_by_kind": dict(kinds),
    }
    output = FOLDER.parent / "results/benchmarks_quick.json" if options.quick else FOLDER / "results.json"
    results = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {"measures": {}}
    results["measures"]["dry_run"] = entry(figures)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results["measures"]["dry_run"], indent=1))


def plan(folder: Path, models: int, recordings: int, shards: int) -> dict:
    """Return the time and peak memory of a dry run, its number of jobs, and the load of the machine before."""
    write_experiment(folder, models, recordings, shards)
    load = os.getloadavg()[0]
    start = time.perf_counter()
    printed = snakemake(folder, "--dry-run", "--quiet", "rules")
    seconds = time.perf_counter() - start
    # The sum over all ended processes is right, because none ran before.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE)}
    return {
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "load_average": load,
        "peak_mb": used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        "jobs": jobs.pop("total"),
        "jobs_by_rule": jobs,
    }


def count(folder: Path, models: int, recordings: int) -> Counter:
    """Return the number of files of each kind after a run of many models and recordings, from a run of 2 and 2."""
    write_experiment(folder, models=2, recordings=2, shards=2)
    given = {path for path in folder.rglob("*") if path.is_file()}
    snakemake(folder, "--cores", "2")
    kinds = Counter()
    for path in {path for path in folder.rglob("*") if path.is_file()} - given:
        kind, name = describe(path.relative_to(folder))
        kinds[kind] += (models / 2 if re.search(r"model\d", name) else 1) * (
            recordings / 2 if re.search(r"(recording|stimuli)\d", name) else 1
        )
    return Counter({kind: round(number) for kind, number in kinds.most_common()})


def describe(path: Path) -> tuple[str, str]:
    """Return the kind of a file, and its name, which says where it belongs."""
    kind, name = "/".join(path.parts[:2]), path.as_posix()
    if kind == ".snakemake/metadata":
        # Snakemake names what it knows of an output by that output's path; a long one is cut into folders.
        return kind, base64.b64decode("".join(part.removeprefix("@") for part in path.parts[2:])).decode()
    if path.parts[0] == ".snakemake":
        return kind, name
    return kind if len(path.parts) > 2 else "results", name


def snakemake(folder: Path, *arguments: str) -> str:
    """Run the workflow in a folder, and return its printed text."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", SNAKEFILE, "--configfile", "config.yaml"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "SNAKEMAKE_PROFILE": "none"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout)
    return done.stdout


def write_experiment(folder: Path, models: int, recordings: int, shards: int) -> None:
    """Write images, responses, a network and the config of a run."""
    rng = np.random.default_rng(0)
    config = {"results": "results", "stimuli": {}, "recordings": {}, "extraction": {"shards": shards}}
    for k in range(recordings):
        images = folder / f"images{k}"
        images.mkdir(parents=True)
        for row, pixels in enumerate(rng.integers(0, 255, (STIMULI, 8, 8, 3), dtype=np.uint8)):
            Image.fromarray(pixels).save(images / f"{row}.png")
        np.save(folder / f"responses{k}.npy", rng.normal(size=(4, STIMULI, 6)))
        responses = {"stimuli": f"stimuli{k}", "responses": f"responses{k}.npy", "area": "IT"}
        config["stimuli"][f"stimuli{k}"] = {"images": images.name}
        config["recordings"][f"recording{k}"] = responses
    (folder / "network.py").write_text(NETWORK.format(layers=LAYERS), encoding="utf-8")
    layers = [f"conv{k}" for k in range(LAYERS)]
    network = {"architecture": "network:make", "size": 8, "layers": layers}
    config["models"] = {f"model{k}": {**network, "seed": k} for k in range(models)}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


if __name__ == "__main__":
    main()
