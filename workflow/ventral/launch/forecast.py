"""Forecast a run: stimuli, features, disk and memory, and time as far as finished jobs of this folder tell."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import median

import numpy as np

from ventral.errors import InputError
from ventral.mappings.ridge import KEPT_BYTES
from ventral.predictions.size import bytes_of_predictions
from ventral.provenance import read_description, readable_records

# Measured number of float64 copies of a Gram matrix that a fit holds, and that each thread adds.
COPIES, COPIES_OF_THREAD = 2, 1.5
# Measured memory of a fit with few stimuli: 420 to 540 MB with 640 stimuli.
FEW_STIMULI = 450e6
BYTES = 8
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Planned:
    """A job that a run will start: its stage and threads, and its model, stimulus set and recording ('' if none)."""

    stage: str
    cores: int = 1
    model: str = ""
    stimuli: str = ""
    recording: str = ""


@dataclass(frozen=True)
class Predicted:
    """The predictions that a config asks for.

    Attributes
    ----------
    layers : mapping
        `best`, `all` or names of layers, by model.
    n_neuroids, n_splits : mappings of int
        Number of splits of each recording, and of neuroids times time bins if its files exist already.
    n_mappings : int
        Number of mappings that predict.
    """

    layers: Mapping[str, str | Sequence[str]]
    n_neuroids: Mapping[str, int]
    n_splits: Mapping[str, int]
    n_mappings: int


def forecast(
    results: Path,
    jobs: Sequence[Planned],
    n_stimuli: Mapping[str, int],
    kept: bool,
    dtype: str,
    n_penalties: int,
    predicted: Predicted | None = None,
) -> list[str]:
    """Return a line for each need of a run; no line without jobs.

    Parameters
    ----------
    results : path
        Folder of results. The number of features of a model is known once an earlier run has described it.
    jobs : sequence of Planned
        Jobs that the run will start.
    n_stimuli : mapping of int
        Number of stimuli of each set whose files exist already; others are looked up among ingested sets.
    kept : bool
        Whether features are kept.
    dtype : str
        Type of stored features.
    n_penalties : int
        Number of candidate penalties of ridge regression.
    predicted : Predicted, optional
        Predictions that the jobs of the stage `predictions` write.
    """
    if not jobs:
        return []
    n_of = {
        name: n_stimuli.get(name) or stimuli_in(results, name) for name in sorted({job.stimuli for job in jobs} - {""})
    }
    layers_of = {name: features_of(results, name) for name in sorted({job.model for job in jobs} - {""})}
    stimuli = _told({name: n and f"{n:,}" for name, n in n_of.items()}, "stage `stimuli` counts them")
    features = _told(
        {name: _counted(layers) for name, layers in layers_of.items()},
        "stage `model` tells, for models with a `size`",
    )
    on_disk = [*_disk(jobs, n_of, layers_of, kept, np.dtype(dtype).itemsize)]
    on_disk += _predictions(results, jobs, n_of, predicted) if predicted else []
    disk = "; ".join(on_disk) or "tables and figures alone"
    time = "; ".join(_time(jobs, seconds_of_stages(results / "provenance")))
    return [
        f"stimuli: {stimuli}",
        f"features: {features}",
        f"disk: {disk}",
        f"memory: {_memory(jobs, n_of, n_penalties)}",
        f"time: {time}",
    ]


def stimuli_in(results: Path, name: str) -> int | None:
    """Return the number of stimuli of a set, None if the set is not ingested."""
    described = _described(results / "stimuli" / f"{name}.zarr" / "stimulus" / "zarr.json")
    return described["shape"][0] if "shape" in described else None


def neuroids_in(results: Path, recording: str) -> int | None:
    """Return the number of neuroids times time bins of a recording, None if the recording is not ingested."""
    described = _described(results / "recordings" / f"{recording}.zarr" / "left_out" / "zarr.json")
    return prod(described["shape"]) if "shape" in described else None


def features_of(results: Path, model: str) -> list[int] | None:
    """Return the number of features of each layer that a model's fits read, None if its description lacks them."""
    layers = _described(results / "models" / f"{model}.json").get("layers", [])
    # Without resizing, the number of features depends on the stimulus set.
    return [prod(layer["shape"]) for layer in layers] if layers and all("shape" in layer for layer in layers) else None


def seconds_of_stages(provenance: Path) -> dict[str, list[float]]:
    """Return the seconds of each finished job from the jobs' records, by stage."""
    seconds: dict[str, list[float]] = {}
    for record in readable_records(provenance):
        seconds.setdefault(record["stage"], []).append(record["seconds"])
    return seconds


def bytes_of_fit(n: int, cores: int, n_penalties: int) -> float:
    """Estimate the memory of a fit with n stimuli: Gram matrices, and kept inverses (float32)."""
    square = BYTES * n**2
    return FEW_STIMULI + (COPIES + COPIES_OF_THREAD * cores) * square + min(n_penalties * square / 2, KEPT_BYTES)


def size(n_bytes: float) -> str:
    """Format a number of bytes, in powers of 1,000."""
    for unit in UNITS[:-1]:
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.3g} {UNITS[-1]}"


def _described(path: Path) -> dict:
    try:
        return read_description(path)
    except (OSError, InputError):
        return {}


def _counted(layers: Sequence[int] | None) -> str | None:
    return layers and f"{sum(layers):,} in {len(layers)} layers"


def _told(known: Mapping[str, str | None], when: str) -> str:
    said = ", ".join(f"{name} {value}" for name, value in known.items() if value)
    unknown = ", ".join(name for name, value in known.items() if not value)
    return "; ".join(filter(None, [said, f"not known yet: {unknown} ({when})" if unknown else ""]))


def _disk(jobs: Sequence[Planned], n_of: Mapping, layers_of: Mapping, kept: bool, itemsize: int) -> Iterator[str]:
    for stages, what, n_bytes in (
        (("extract",), f"features{'' if kept else ', deleted model by model'}", lambda n, p: n * sum(p) * itemsize),
        (("gram", "gram_forward"), "Gram matrices", lambda n, p: BYTES * n**2 * len(p)),
    ):
        pairs = {(job.model, job.stimuli) for job in jobs if job.stage in stages}
        known = [(n_of[stimuli], layers_of[model]) for model, stimuli in pairs if n_of[stimuli] and layers_of[model]]
        if pairs:
            yield f"{what}: {_summed([n_bytes(n, p) for n, p in known], len(pairs), 'sets')}"


def _summed(known: Sequence[float], number: int, of_what: str) -> str:
    unknown = f"not known yet of {number - len(known)} {of_what} by models" if len(known) < number else ""
    return ", ".join(filter(None, [size(sum(known)) if known else "", unknown]))


def _predictions(results: Path, jobs: Sequence[Planned], n_of: Mapping, predicted: Predicted) -> Iterator[str]:
    planned = [job for job in jobs if job.stage == "predictions"]
    sizes = [_bytes_predicted(results, job, n_of[job.stimuli], predicted) for job in planned]
    known = [n_bytes for n_bytes in sizes if n_bytes]
    if planned:
        one = ", with one best layer for all areas" if "best" in predicted.layers.values() else ""
        yield f"predictions{one}: {_summed(known, len(planned), 'recordings')}"


def _bytes_predicted(results: Path, job: Planned, n: int | None, predicted: Predicted) -> int | None:
    n_neuroids = predicted.n_neuroids.get(job.recording) or neuroids_in(results, job.recording)
    n_layers = _layers_asked(results, job.model, predicted.layers[job.model])
    if not (n and n_neuroids and n_layers):
        return None
    return bytes_of_predictions(n, n_neuroids, n_layers, predicted.n_mappings, predicted.n_splits[job.recording])


def _layers_asked(results: Path, model: str, wanted: str | Sequence[str]) -> int | None:
    """Return the number of requested layers; for best layers, which are known later, the fewest."""
    if wanted == "all":
        return len(_described(results / "models" / f"{model}.json").get("layers", [])) or None
    return 1 if wanted == "best" else len(wanted)


def _memory(jobs: Sequence[Planned], n_of: Mapping[str, int | None], n_penalties: int) -> str:
    fits = {(n_of[job.stimuli], job.cores) for job in jobs if job.stage == "fit" and n_of[job.stimuli]}
    if not fits:
        return "what the rules ask for"
    n, cores = max(fits, key=lambda fit: bytes_of_fit(*fit, n_penalties))
    return f"about {size(bytes_of_fit(n, cores, n_penalties))} for a fit with {n:,} stimuli on {cores} threads"


def _time(jobs: Sequence[Planned], seconds: Mapping[str, Sequence[float]]) -> Iterator[str]:
    planned = Counter(sorted(job.stage for job in jobs))
    measured = {stage: (number, median(seconds[stage])) for stage, number in planned.items() if stage in seconds}
    if measured:
        total = sum(number * each for number, each in measured.values())
        parts = ", ".join(f"{stage} {number} x {each:.3g} s" for stage, (number, each) in measured.items())
        yield f"{total:,.0f} s of jobs one after another, by the median of finished ones ({parts})"
    unknown = [f"{stage} ({number})" for stage, number in planned.items() if stage not in measured]
    if unknown:
        yield f"no finished job here has measured {', '.join(unknown)}"
