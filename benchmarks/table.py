"""Make the tables of docs/benchmarks.md from benchmarks/results.json.

    python benchmarks/table.py [--results FILE] [--page docs/benchmarks.md | --print]

Puts them into the page between the lines `<!-- benchmarks -->` and `<!-- /benchmarks -->`, or prints them.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
COLUMNS = ("what", "ventral", "beside it", "ratio", "agreement")
MARKED = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)
# Whose versions the machine's line gives, and in which environment.
NAMED = {
    "ventral": ("numpy", "scipy", "dask"),
    "peers": ("himalaya", "scikit-learn", "rsatoolbox", "ikpls", "numpy"),
    "brainscore": ("brainscore_vision", "scikit-learn", "numpy"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=FOLDER / "results.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--print", action="store_true", help="print the tables instead")
    options = parser.parse_args()
    text = markdown(json.loads(options.results.read_text(encoding="utf-8")))
    if options.print:
        print(text)
        return
    page = options.page.read_text(encoding="utf-8")
    if not MARKED.search(page):
        raise SystemExit(f"{options.page}: no line <!-- benchmarks --> followed by <!-- /benchmarks -->")
    options.page.write_text(MARKED.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page), encoding="utf-8")


def markdown(results: dict) -> str:
    rows = [row for name, figures in _figures(results) if name in ROWS for row in ROWS[name](figures)]
    lines = [f"| {' | '.join(COLUMNS)} |", "| --- | ---: | --- | ---: | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    for name, figures in _figures(results):
        if name == "workers":
            lines += ["", *_worker_lines(figures)]
        if name == "cost":
            lines += ["", _crossover(figures["crossover"])]
    return "\n".join([*lines, "", _machines(results)])


def _figures(results: dict) -> Iterator[tuple[str, dict | list]]:
    for name, measure in results["measures"].items():
        yield name, measure["figures"]


def _machines(results: dict) -> str:
    environments, parts = results["environments"], []
    for name, packages in NAMED.items():
        versions = environments[name]["packages"]
        parts.append(", ".join(f"{package} {versions[package]}" for package in packages))
    blas = " and ".join(
        sorted({f"{library['internal_api']} {library['version']}" for library in environments["ventral"]["blas"]})
    )
    dates = sorted({measure["date"][:10] for measure in results["measures"].values()})
    rows = {
        "measured": " to ".join(dict.fromkeys((dates[0], dates[-1]))),
        "machine": _places(results["measures"]),
        "BLAS": blas,
        "ventral on": parts[0],
        "beside it": parts[1],
        "Brain-Score": parts[2],
    }
    return "\n".join(
        [
            "Times are wall time, with inputs in memory unless said otherwise. Memory is the peak of the process.",
            "",
            "| | |",
            "| --- | --- |",
            *(f"| {name} | {value} |" for name, value in rows.items()),
        ]
    )


def _places(measures: dict) -> str:
    """Return the machines; with several, name the measurements on each except the first."""
    names: dict[str, list[str]] = {}
    for name, measure in measures.items():
        machine = measure["machine"]
        place = f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']:g} GiB"
        names.setdefault(place, []).append(name.replace("_", " "))
    first, *others = sorted(names, key=lambda place: -len(names[place]))
    return "; ".join([first, *(f"{', '.join(names[place])} on {place}" for place in others)])


def _ridge_rows(problems: list[dict]) -> Iterator[tuple[str, ...]]:
    for problem in problems:
        what = (
            f"nested ridge, n = {problem['n']:,}, p = {problem['p']:,}, {problem['targets']:,} targets, Gram included"
        )
        yield from _against_himalaya(what, problem)
        for dtype, timing in problem["product"].items():
            times = _times(problem["times_product"][dtype])
            yield what, _cost(problem["ventral"]), f"X Xᵀ alone, {dtype}: {_cost(timing)}", times + " as long", ""


def _many_targets_rows(problem: dict) -> Iterator[tuple[str, ...]]:
    yield from _against_himalaya(f"nested ridge, n = {problem['n']:,}, {problem['targets']:,} targets", problem)
    rates = [f"{name}: {timing['regressions_per_second']:,.0f}" for name, timing in problem["himalaya"].items()]
    yield (
        f"the same, regressions a second (1.8 billion in {problem['hours_for_1800_million']:.2g} h)",
        f"{problem['ventral']['regressions_per_second']:,.0f}",
        f"himalaya, {'; '.join(rates)}",
        "",
        "",
    )


def _test_set_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    ours = figures["ridge"]
    yield (
        f"ridge on one training set, n = {figures['n']:,}, p = {figures['p']:,}, {figures['targets']:,} targets, "
        f"{figures['n_penalties']} penalties, given the Gram matrix",
        f"{_cost(ours)}, of processors {_seconds(ours['cpu_seconds'])}",
        f"{ours['stated_mb'] / 1024:.2g} GiB stated before the run for {ours['at_once']} tasks at once",
        "",
        f"{_sd(figures['scikit_learn']['largest_difference_sd'])} from scikit-learn's Ridge",
    )


def _against_himalaya(what: str, problem: dict) -> Iterator[tuple[str, ...]]:
    for way, timing in problem["himalaya"].items():
        agreement = problem["agreement"][way]
        said = f"{agreement['same_penalties']:.1%} same penalties, there {_sd(agreement['largest_difference_sd'])}"
        if way == "kernel float64":
            said += f"; {_sd(problem['agreement']['scikit_learn']['largest_difference_sd'])} from scikit-learn's Ridge"
        times = _times(problem["times_faster"][way])
        yield what, _cost(problem["ventral"]), f"himalaya, {_way(way)}: {_cost(timing)}", times, said
    for way, gib in problem["himalaya_needs_gib"].items():
        yield what, _cost(problem["ventral"]), f"himalaya, {_way(way)}: would need {gib:.0f} GiB", "", ""


def _way(way: str) -> str:
    form, dtype = way.split()
    return f"{dtype}, {'kernel computed once' if form == 'kernel' else 'given features'}"


def _pls_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    called, *converged = figures["brainscore_one_split"].items()
    yield (
        f"PLS-{figures['components']}, {figures['splits']} splits, n = {figures['n']}, p = {figures['p']:,}, "
        f"{figures['neurons']} neurons, features on disk",
        _cost(figures["ventral"]),
        f"Brain-Score: {_cost(called[1])} for one split",
        _times(figures["times_faster"]),
        "; ".join(f"{_sd(timing['largest_difference_sd'])} with `tol` {tol}" for tol, timing in (called, *converged)),
    )


def _comparison_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    of = f"n = {figures['n']}, p = {figures['p']:,}"
    shared = figures["gram"]["seconds"]
    for name, what, other, grams in (
        ("rsa", "RSA of two layers, Spearman of correlation distances", "rsatoolbox", 2),
        ("cka", "CKA of two layers", "plain", 2),
        ("pls", f"PLS, 25 components, 5 folds, {figures['targets']} targets", "ikpls", 1),
    ):
        ours, theirs = figures[name]["ventral"], figures[name][other]
        total = ours["seconds"] + grams * shared
        if name == "pls":
            agreement = _sd(figures[name]["largest_difference_sd"])
        else:
            agreement = f"{figures[name]['largest_difference']:.1g}"
        yield (
            f"{what}, {of}",
            f"{_seconds(total)}, of it {_seconds(ours['seconds'])} after the Gram matrix",
            f"{'NumPy' if other == 'plain' else other}: {_cost(theirs)}",
            _times(theirs["seconds"] / total),
            agreement,
        )


def _gram_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    yield f"Gram matrix, n = {figures['n']:,}, p = {figures['p']:,}, from disk", _cost(figures), "", "", ""


def _vgg16_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    jobs = ", ".join(f"{job} {figures['jobs'][job] / 1024:.2g} GiB" for job in ("extract", "gram", "fit"))
    yield (
        f"VGG16, all {figures['layers']} layers, {figures['features']:,} features, {figures['images']} images, from "
        f"images to scores",
        f"{figures['seconds'] / 60:.0f} min, {max(figures['jobs'].values()) / 1024:.2g} GiB",
        "",
        "",
        f"most memory of a job: {jobs}",
    )


def _dry_run_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    yield (
        f"dry-run of {figures['models']} models of {figures['layers']} layers, {figures['shards']} shards, "
        f"{figures['recordings']} recordings of as many stimulus sets: {figures['jobs']:,} jobs",
        f"{_cost(figures)}",
        "",
        "",
        f"the run leaves {figures['files']:,} files",
    )


def _overhead_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    yield (
        f"V4 session 210325 on SLURM, four layers, from images to figures, {figures['jobs']} jobs",
        f"{_seconds(figures['wall_seconds'])} on the clock",
        f"all jobs' computing in sum: {_seconds(figures['compute_seconds'])}",
        "",
        f"at least one job computed for {_seconds(figures['busy_seconds'])}",
    )


def _worker_lines(figures: dict) -> Iterator[str]:
    yield "| Dask on | 1 worker | all workers | speed-up | BLAS threads of a task |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for place, of in figures["scheduler"].items():
        one, several = of["workers"].values()
        count = list(of["workers"])[-1]
        threads = max(one["blas_threads_of_a_task"], several["blas_threads_of_a_task"])
        cells = (place, _seconds(one["seconds"]), f"{count}: {_seconds(several['seconds'])}", f"{of['speed_up']:.2f}")
        yield f"| {' | '.join(cells)} | {threads} |"
    overhead = figures["scheduler_overhead"]
    same = "the same to the last bit" if figures["same_bits"] else "not the same"
    yield ""
    yield (
        f"Scheduler: {overhead['tasks']} empty tasks take {_seconds(overhead['empty_seconds'])}, "
        f"{overhead['share']:.1%} of the {_seconds(overhead['seconds'])} of as many that fit {figures['layers']} "
        f"layers, n = {figures['n']:,}, {figures['targets']:,} targets. Predictions are {same} on all of these."
    )


def _crossover(figures: dict) -> str:
    faster, chosen = [], []
    for k, p in enumerate(figures["p"]):
        if figures["on_features_seconds"][k] < figures["on_stimuli_seconds"][k]:
            faster.append(p)
        if figures["chosen"][k] == "on_features":
            chosen.append(p)
    return (
        f"The p x p form was tried with n = {figures['n']:,}, {figures['targets']:,} targets, and p = "
        f"{', '.join(map(str, figures['p']))}. It was faster up to p = {max(faster, default='none')}, and is chosen up "
        f"to {max(chosen, default='none')}."
    )


def _sound_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    of = f"{figures['sounds']} sounds of {figures['seconds_of_sound']:g} s"
    for name, what in (
        ("cochleagrams", "cochleagrams"),
        ("modulations", "spectrotemporal filters, given cochleagrams"),
    ):
        timing = figures[name] | {"peak_mb": figures["peak_mb"]}
        yield f"{what}, {of}", f"{_cost(timing)}, of processors {_seconds(timing['cpu_seconds'])}", "", "", ""


def _time_bins_rows(figures: dict) -> Iterator[tuple[str, ...]]:
    many, one = figures["many"], figures["one"]
    yield (
        f"`fit` of {figures['bins']} time bins with intervals, {figures['stimuli']} stimuli, {figures['neurons']} "
        f"neurons, {figures['repetitions']} repetitions, {figures['layers']} layers",
        f"{_cost(many)}, of processors {_seconds(many['cpu_seconds'])}",
        f"one bin: {_cost(one)}, of processors {_seconds(one['cpu_seconds'])}",
        f"{_times(figures['times_cpu_seconds'])} as long, of processors",
        "",
    )


ROWS = {
    "nested_ridge": _ridge_rows,
    "many_targets": _many_targets_rows,
    "test_set": _test_set_rows,
    "brainscore_pls": _pls_rows,
    "comparisons": _comparison_rows,
    "memory_gram": _gram_rows,
    "memory_vgg16": _vgg16_rows,
    "dry_run": _dry_run_rows,
    "overhead_v4_slurm": _overhead_rows,
    "sounds": _sound_rows,
    "time_bins": _time_bins_rows,
}


def _cost(timing: dict) -> str:
    return f"{_seconds(timing['seconds'])}, {timing['peak_mb'] / 1024:.2g} GiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def _sd(difference: float | None) -> str:
    return "-" if difference is None else f"{difference:.0e} sd"


if __name__ == "__main__":
    main()
