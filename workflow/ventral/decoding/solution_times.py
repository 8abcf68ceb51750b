"""Find when labels read from neurons are as right as the choices of subjects, for each stimulus.

These are the object solution times of Kar et al. 2019 (Nature Neuroscience 22:974). The label is read from an area in
each bin by multinomial logistic regression, on held-out stimuli. Probabilities of labels and choices of subjects both
give i1, the mean d' over wrong labels. The solution time is when the neurons' i1 first reaches that of the subjects.

Challenge stimuli are those that subjects recognise better than a model by a d' of 1.5 or more. Controls differ by 0.4
at most. The model's i1 is read from its last layer, on the same held-out stimuli.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.decoding.over_time import areas_over_time
from ventral.decoding.readouts import Readout, labels_to_read
from ventral.errors import InputError
from ventral.grams.representations import read_representation
from ventral.mappings.behaviour import Choices, confusions, confusions_of, i1_of
from ventral.mappings.logistic import label_probabilities
from ventral.mappings.solution_times import first_crossings, kinds_of_stimuli, outcomes
from ventral.mappings.standardisation import standardised
from ventral.outputs import writing
from ventral.recordings.axes import NEUROID, TIME_BIN
from ventral.recordings.choices import choices_of
from ventral.recordings.time_bins import BASELINE, START, time_order, times_of
from ventral.running.parallel import compute, computing
from ventral.running.progress import Progress
from ventral.store import open_store, read_dataset
from ventral.tables import write_parquet
from ventral.targets.benchmark import read_stimuli

if TYPE_CHECKING:
    import xarray as xr

COLUMNS = {
    "recording": "string",
    "behaviour": "string",
    "simulated": "boolean",
    "stimuli": "string",
    "area": "string",
    "split": "string",
    "n_neuroids": "int64",
    "stimulus": "string",
    "i1": "float64",
    "solution_time": "float64",
    "outcome": "string",
    "reliability": "float64",
    "model": "string",
    "layer": "string",
    "i1_model": "float64",
    "kind": "string",
}
# Columns that are '' without models.
WITH_MODELS = ["model", "layer", "kind"]
N_HALVINGS = 10


class Halving(NamedTuple):
    """Responses to every stimulus, and the subjects' i1, in one half of the repetitions and trials."""

    populations: dict[str, NDArray[np.float64]]
    i1: NDArray[np.float64]


def solution_times(
    recording: str | Path,
    behaviour: str | Path,
    stimuli: str | Path,
    grams: Sequence[str | Path],
    output: str | Path,
    *,
    splits: Sequence,
    n_folds: int,
    seed: int,
    cores: int = 1,
) -> None:
    """Write the solution time of each stimulus in each area, and which stimuli are a challenge to each model.

    Parameters
    ----------
    recording, behaviour, stimuli : paths
        Stores of a recording with time bins, of choices for the same stimuli, and of these stimuli.
    grams : sequence of paths
        Gram matrices of models.
    output : path
        Parquet file to write, with `COLUMNS`, a row for each area, split, stimulus and model (one without models).
        `i1` is that of the subjects. `solution_time` is in ms, NaN for a stimulus that is `never solved`. `outcome`
        says so, or `solved`, `solved in the first bin` or `no choices`. `reliability` is Spearman's r of solution times
        from halves of repetitions and trials, stepped up to all; NaN without repetitions. `i1_model` is read from
        `layer`, the model's last. `kind` is `challenge`, `control` or ''.
    splits, n_folds, seed
        As for `ventral.scores.fitting.fit`; the seed also determines the halves.
    cores : int
        Number of bins that are read in parallel.

    Raises
    ------
    InputError
        If stores were made from other stimuli, the recording has no time bins, or its splits cannot read the label.
    """
    stimulus_set = read_stimuli(stimuli, [recording, behaviour, *grams])
    responses, chosen = read_dataset(recording), read_dataset(behaviour)
    name, choices = responses.attrs["recording"], choices_of(chosen)
    if TIME_BIN not in responses.dims:
        raise InputError(f"{recording}: recording {name} has no bins of time; leave `solution_times` out")
    label = chosen.attrs["label_column"]
    readouts = [made for made in labels_to_read(stimulus_set, splits, n_folds, seed) if made.target == label]
    if not readouts:
        raise InputError(
            f"recording {name}: no split has stimuli of each `{label}` in every fit, so it cannot be read; give "
            f"recordings.{name}.splits others, or leave `solution_times` out"
        )
    responses = after_onset(responses)
    bins, populations = responses[TIME_BIN].values.astype(str), areas_over_time(responses)
    halvings = list(_halvings(responses, choices, seed))
    progress = Progress(f"solution times of {name}", len(populations) * len(readouts) * len(bins), "bins")
    with writing(output) as unfinished, computing(cores):
        read = delayed(i1_of_neurons, pure=False)
        parts = [(area, readout) for area in populations for readout in readouts]
        courses = compute(
            [
                read(
                    [populations[area][place], *(half.populations[area][place] for both in halvings for half in both)],
                    choices,
                    readout,
                )
                for area, readout in parts
                for place in range(len(bins))
            ],
            progress,
        )
        threshold, times = i1_of_subjects(choices), times_of(list(bins))
        of_models = [_rows_of_model(path, readout, choices, threshold) for readout in readouts for path in grams]
        tables = []
        for k, (area, readout) in enumerate(parts):
            course, *of_halves = np.moveaxis(np.stack(courses[k * len(bins) : (k + 1) * len(bins)]), 1, 0)
            found = first_crossings(times, course, threshold)
            halves = [first_crossings(times, *pair) for pair in zip(of_halves, _thresholds(halvings), strict=True)]
            rows = pd.DataFrame(
                {
                    "stimulus": stimulus_set["stimulus"].values.astype(str),
                    "i1": threshold,
                    "solution_time": found,
                    "outcome": outcomes(course[0], threshold, found),
                }
            ).assign(area=area, split=readout.split, n_neuroids=populations[area].shape[2])
            rows["reliability"] = reliability_of_times(halves[::2], halves[1::2])
            mine = [made for made in of_models if made["split"].iloc[0] == readout.split]
            tables += [rows.assign(**made.drop(columns="split")) for made in mine] or [rows]
        table = pd.concat(tables, ignore_index=True).reindex(columns=list(COLUMNS))
        table[WITH_MODELS] = table[WITH_MODELS].astype(object).fillna("")
        table["recording"], table["behaviour"] = name, chosen.attrs["recording"]
        table["stimuli"] = stimulus_set.attrs["name"]
        table["simulated"] = bool(responses.attrs.get("simulated", False))
        write_parquet(table.astype(COLUMNS), unfinished)


def after_onset(responses: "xr.Dataset") -> "xr.Dataset":
    """Return a recording with the bins that start at the onset of the stimulus or later, in the order of time.

    Raises
    ------
    InputError
        If there are fewer than two such bins.
    """
    names = responses[TIME_BIN].values.astype(str)
    late = responses[START].values >= 0 if START in responses.coords else names != BASELINE
    places = sorted(np.flatnonzero(late), key=lambda place: time_order(names[place]))
    if len(places) < 2:
        raise InputError(
            f"recording {responses.attrs['recording']}: {len(places)} bins of time start at 0 ms or later; solution "
            f"times need two or more"
        )
    return responses.isel({TIME_BIN: places})


def i1_of_subjects(choices: Choices, trials: NDArray | slice = slice(None)) -> NDArray[np.float64]:
    """Return i1 (n,) of the choices in some trials."""
    distractor = None if choices.distractor is None else choices.distractor[trials]
    some = {name: getattr(choices, name)[trials] for name in ("stimulus", "subject", "choice")}
    return i1_of(confusions(replace(choices, **some, distractor=distractor)), choices.truth)


def i1_of_neurons(units: Sequence[NDArray], choices: Choices, readout: Readout) -> list[NDArray[np.float64]]:
    """Return i1 (n,) of labels that are read from neurons on held-out stimuli, for each of several responses.

    Parameters
    ----------
    units : sequence of (n, p) arrays
        Mean responses, by all repetitions first. These choose C in each fold for all.
    choices : Choices
    readout : Readout
        The label that subjects chose.
    """
    found, costs = [], None
    for values in map(standardised, units):
        probabilities, costs = label_probabilities(values @ values.T, readout.values, readout.folds, costs)
        found.append(i1_of(confusions_of(probabilities, choices), choices.truth))
    return found


def reliability_of_times(first: Sequence[NDArray], second: Sequence[NDArray]) -> float:
    """Return the mean Spearman correlation of solution times from halves, stepped up to all; NaN without halves.

    Only stimuli that both halves solve count.
    """
    if not len(first):
        return np.nan
    mean = np.mean([pd.Series(a).corr(pd.Series(b), method="spearman") for a, b in zip(first, second, strict=True)])
    return float(2 * mean / (1 + mean))


def _halvings(responses: "xr.Dataset", choices: Choices, seed: int) -> Iterator[tuple[Halving, Halving]]:
    """Yield random halves of the repetitions and of each stimulus's trials; none without repetitions."""
    n = responses.sizes["repetition"]
    if n < 2:
        return
    rng = np.random.default_rng(seed)
    values = responses["responses"].transpose("repetition", TIME_BIN, "stimulus", NEUROID).values.astype(np.float64)
    area_of = responses["area"].values.astype(str)
    for _ in range(N_HALVINGS):
        order, keys = rng.permutation(n), rng.random(len(choices.stimulus))
        first_trials = np.empty(len(keys), dtype=bool)
        first_trials[np.lexsort((keys, choices.stimulus))] = np.arange(len(keys)) % 2 == 0
        yield tuple(
            Halving(_areas(values[repetitions], area_of), i1_of_subjects(choices, trials))
            for repetitions, trials in ((order[: n // 2], first_trials), (order[n // 2 :], ~first_trials))
        )


def _areas(values: NDArray[np.float64], area_of: NDArray[np.str_]) -> dict[str, NDArray[np.float64]]:
    """Return mean responses (bins, n, p) over repetitions of each area, of neuroids with all responses."""
    counts = np.isfinite(values).sum(axis=0)
    means = np.nansum(values, axis=0) / np.maximum(counts, 1)
    complete = counts.all(axis=(0, 1))
    return {area: means[:, :, complete & (area_of == area)] for area in set(area_of)}


def _thresholds(halvings: Sequence[tuple[Halving, Halving]]) -> list[NDArray[np.float64]]:
    return [half.i1 for both in halvings for half in both]


def _rows_of_model(gram: str | Path, readout: Readout, choices: Choices, threshold: NDArray) -> pd.DataFrame:
    """Return i1 of a model's last layer for each stimulus, and whether the stimulus is a challenge or a control."""
    attrs = open_store(gram).attrs
    layer = attrs["layers"][-1]["name"]
    probabilities, _ = label_probabilities(read_representation(gram, layer).gram, readout.values, readout.folds)
    read = i1_of(confusions_of(probabilities, choices), choices.truth)
    return pd.DataFrame({"i1_model": read, "kind": kinds_of_stimuli(threshold, read)}).assign(
        model=attrs["model"], layer=layer, split=readout.split
    )
