"""Choose the stimuli of the next experiment: those that tell apart models or layers that are tied today."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.in_silico.discrimination import (
    ERROR,
    chosen,
    separation,
    trials_needed,
    trials_with_random_stimuli,
    unexplained_variance,
)
from ventral.outputs import writing
from ventral.recordings.noise import Noise
from ventral.recordings.time_bins import bins_of, place_of, read_recording
from ventral.store import read_dataset
from ventral.tables import read_csv
from ventral.targets.ceilings import noise_of_neurons

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

RIDGE = "ridge"
PLACE = ["recording", "area", "time_bin"]
CHOSEN_COLUMNS = [
    *PLACE,
    "rank",
    "stimulus",
    "model",
    "layer",
    "predicted",
    "beyond",
    "log_ratio",
    "n_neuroids",
]
TRIALS_COLUMNS = [
    *PLACE,
    "model_a",
    "layer_a",
    "model_b",
    "layer_b",
    "n_neuroids",
    "n_pool",
    "n_stimuli",
    "trials",
    "repetitions",
    "random_trials",
    "random_low",
    "random_high",
    "log_ratio",
    "random_log_ratio",
    "error",
    "n_draws",
]


@dataclass(frozen=True)
class Question:
    """Which of some models or layers is right for the neurons of an area in a time bin.

    Attributes
    ----------
    place : dict of str
        `recording`, `area` and `time_bin`.
    candidates : sequence of (str, str)
        Model and layer of each candidate.
    pairs : sequence of (int, int)
        Pairs of candidates to tell apart.
    neuroids : sequence of str
        Names of the neurons.
    predicted : (candidates, n, neurons) array
        Predictions for the pool.
    noise : (neurons,) array
        Noise variance of a single trial.
    unexplained : (candidates, neurons) array
        Variance of mean responses that held-out predictions miss.
    lowest, highest : (neurons,) arrays
        Range of the mean responses in the recording.
    """

    place: Mapping[str, str]
    candidates: Sequence[tuple[str, str]]
    pairs: Sequence[tuple[int, int]]
    neuroids: Sequence[str]
    predicted: NDArray[np.float64]
    noise: NDArray[np.float64]
    unexplained: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    def compared(self, pair: tuple[int, int]) -> tuple[NDArray, NDArray, NDArray]:
        """Return differences (n, neurons), noise and unexplained variance (neurons,) of a pair of candidates.

        The unexplained variance is the mean of both candidates, because either may be right.
        """
        first, second = pair
        differences = self.predicted[first] - self.predicted[second]
        return differences, self.noise, self.unexplained[[first, second]].mean(axis=0)

    @property
    def separations(self) -> NDArray[np.float64]:
        """Contribution of a trial with each stimulus to D of each pair (pairs, n)."""
        return np.array([separation(*self.compared(pair)) for pair in self.pairs])


def choose_stimuli(
    predicted: Path,
    recording: Path,
    comparisons: Path,
    output: Path,
    *,
    tied: bool,
    n_chosen: int,
    reliability_threshold: float,
) -> None:
    """Write the stimuli of a pool that tell candidates apart, for each area and time bin.

    Parameters
    ----------
    predicted, recording : paths
        Stores of the predictions (`ventral.in_silico.pool.predict_pool`) and of the recording.
    comparisons : path
        Table of `ventral.statistics.comparisons.compare`.
    output : path
        CSV to write, with the rows of `chosen_of`.
    tied : bool
        Whether only models that the comparisons do not tell apart are asked about.
    n_chosen : int
        Number of stimuli to choose for each area and time bin.
    reliability_threshold : float
        Neuroids of a lower reliability are left out.

    Raises
    ------
    InputError
        If the recording has no repetitions.
    """
    dataset = read_dataset(predicted)
    pairs = _tied(comparisons, dataset.attrs["split"]) if tied else None
    asked = questions(dataset, read_recording(recording), reliability_threshold, pairs)
    _write(chosen_of(asked, dataset["stimulus"].values, dataset.attrs["alike"], n_chosen), output)


def count_trials(
    predicted: Path,
    recording: Path,
    comparisons: Path,
    stimuli: Path,
    output: Path,
    *,
    tied: bool,
    reliability_threshold: float,
    n_draws: int,
    seed: int,
) -> None:
    """Write the number of trials until candidates are told apart, with chosen and with random stimuli.

    Parameters
    ----------
    predicted, recording, comparisons, tied, reliability_threshold
        As for `choose_stimuli`.
    stimuli : path
        Table of `choose_stimuli`.
    output : path
        CSV to write, with the rows of `trials_of`.
    n_draws : int
        Number of draws of random stimuli.
    seed : int
        Seed of these draws.
    """
    dataset = read_dataset(predicted)
    pairs = _tied(comparisons, dataset.attrs["split"]) if tied else None
    asked = questions(dataset, read_recording(recording), reliability_threshold, pairs)
    table = read_csv(stimuli, "stimulus", "layer")
    _write(trials_of(asked, dataset["stimulus"].values, table, n_draws, seed), output)


def questions(
    predicted: "xr.Dataset",
    responses: "xr.Dataset",
    reliability_threshold: float,
    tied: pd.DataFrame | None = None,
) -> list[Question]:
    """Return a question for each area and time bin that has two candidates and reliable neuroids.

    Parameters
    ----------
    predicted : Dataset
        From `ventral.in_silico.pool.predictions_for`.
    responses : Dataset
        Recording, from `ventral.recordings.time_bins.read_recording`.
    reliability_threshold : float
        Neuroids of a lower reliability are left out.
    tied : DataFrame, optional
        Rows of `ventral.statistics.comparisons` that tell no models apart. Only these pairs are asked about.

    Raises
    ------
    InputError
        If no neuroid has repetitions, so that no noise is known.
    """
    columns = _columns(predicted, responses)
    noise = noise_of_neurons(responses).taken(columns)
    if not noise.n_repeated.any():
        raise InputError(
            f"recording {responses.attrs['recording']}: no stimulus was repeated, so that the noise of a trial is not "
            f"known, nor how many trials tell models apart; take a recording with repetitions"
        )
    of_trial, signal = _variances(noise)
    # A neuron without known noise can tell nothing apart.
    usable = (responses["reliability"].values[columns] >= reliability_threshold) & (of_trial > 0)
    unexplained = unexplained_variance(signal, predicted["predictivity"].values)
    ranges = (np.nanmin(noise.means, axis=0), np.nanmax(noise.means, axis=0))
    found = []
    for place, neurons in _places(predicted, usable):
        standing = np.flatnonzero(predicted["stands"].values[:, neurons].all(axis=1))
        names = _names(predicted, standing)
        pairs = [
            pair for pair in combinations(range(len(names)), 2) if tied is None or _is_tied(place, names, pair, tied)
        ]
        if not pairs:
            where = place_of(place["area"], place["time_bin"])
            logger.warning("%s, %s: no two candidates are tied, so no stimuli are chosen", place["recording"], where)
            continue
        values = predicted["predicted"].values[standing][:, :, neurons]
        lowest, highest = (one[neurons] for one in ranges)
        of_candidates = unexplained[np.ix_(standing, neurons)]
        neuroids = predicted["neuroid"].values[neurons].astype(str).tolist()
        found.append(Question(place, names, pairs, neuroids, values, of_trial[neurons], of_candidates, lowest, highest))
    return found


def chosen_of(asked: Sequence[Question], names: NDArray, alike: Sequence[Sequence[str]], n_chosen: int) -> pd.DataFrame:
    """Return the chosen stimuli, with a row for each candidate.

    Parameters
    ----------
    asked : sequence of Question
    names : (n,) array of str
        Names of the stimuli of the pool.
    alike : sequence of sequences of str
        Names of stimuli that are nearly the same, of which one is chosen at most.
    n_chosen : int
        Number of stimuli for each question.

    Returns
    -------
    DataFrame
        Table with these columns. `rank` is the place in the order of the choice, from 1. `predicted` is the mean over
        neuroids of the response that a candidate predicts. `beyond` is the share of neuroids for which this is beyond
        all mean responses of the recording. `log_ratio` is the expected log likelihood ratio of a trial with the
        stimulus, the mean over pairs of candidates.
    """
    row_of = {name: row for row, name in enumerate(names)}
    near: dict[int, set[int]] = {}
    for group in alike:
        for name in group:
            near.setdefault(row_of[name], set()).update(row_of[other] for other in group)
    tables = [_rows_of_chosen(question, names, chosen(question.separations, n_chosen, near)) for question in asked]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CHOSEN_COLUMNS)


def trials_of(asked: Sequence[Question], names: NDArray, table: pd.DataFrame, n_draws: int, seed: int) -> pd.DataFrame:
    """Return the trials until candidates are told apart, with a row for each pair.

    Parameters
    ----------
    asked : sequence of Question
    names : (n,) array of str
        Names of the stimuli of the pool.
    table : DataFrame
        Chosen stimuli, from `chosen_of`.
    n_draws, seed : int
        Number and seed of draws of random stimuli.

    Returns
    -------
    DataFrame
        Table with these columns. `trials` is the number of trials after which the wrong candidate is the likelier one
        with probability `error`, as `ventral.in_silico.discrimination` defines it. `repetitions` is the number of
        rounds. `random_trials` is the median over draws of as many random stimuli of the pool, with 95 % of the draws
        from `random_low` to `random_high`. `log_ratio` is the expected log likelihood ratio of a trial, the mean over
        chosen stimuli. `random_log_ratio` is the mean over the pool.
    """
    row_of = {name: row for row, name in enumerate(names)}
    rows = []
    for question in asked:
        here = (table[PLACE] == pd.Series(question.place)).all(axis=1)
        order = np.array([row_of[name] for name in table.loc[here, "stimulus"].drop_duplicates()])
        rows += [{**question.place, **_trials_of_pair(question, pair, order, n_draws, seed)} for pair in question.pairs]
    return pd.DataFrame(rows, columns=TRIALS_COLUMNS)


def _trials_of_pair(
    question: Question, pair: tuple[int, int], order: NDArray[np.intp], n_draws: int, seed: int
) -> dict[str, object]:
    differences, noise, unexplained = question.compared(pair)
    trials = trials_needed(differences[order], noise, unexplained)
    drawn = trials_with_random_stimuli(differences, noise, unexplained, len(order), n_draws, seed)
    # An interpolation between infinities is not defined.
    low, median, high = np.quantile(drawn, [0.025, 0.5, 0.975], method="inverted_cdf")
    separations = separation(differences, noise, unexplained)
    (model_a, layer_a), (model_b, layer_b) = (question.candidates[k] for k in pair)
    return {
        "model_a": model_a,
        "layer_a": layer_a,
        "model_b": model_b,
        "layer_b": layer_b,
        "n_neuroids": len(noise),
        "n_pool": len(differences),
        "n_stimuli": len(order),
        "trials": trials,
        "repetitions": np.ceil(trials / len(order)),
        "random_trials": median,
        "random_low": low,
        "random_high": high,
        "log_ratio": separations[order].mean() / 2,
        "random_log_ratio": separations.mean() / 2,
        "error": ERROR,
        "n_draws": n_draws,
    }


def _rows_of_chosen(question: Question, names: NDArray, order: NDArray[np.intp]) -> pd.DataFrame:
    values = question.predicted[:, order]
    beyond = ((values < question.lowest) | (values > question.highest)).mean(axis=2)
    log_ratios = question.separations[:, order].mean(axis=0) / 2
    tables = [
        pd.DataFrame(
            {
                **question.place,
                "rank": np.arange(1, len(order) + 1),
                "stimulus": names[order],
                "model": model,
                "layer": layer,
                "predicted": values[k].mean(axis=1),
                "beyond": beyond[k],
                "log_ratio": log_ratios,
                "n_neuroids": values.shape[2],
            }
        )
        for k, (model, layer) in enumerate(question.candidates)
    ]
    return pd.concat(tables).sort_values("rank", kind="stable")


def _columns(predicted: "xr.Dataset", responses: "xr.Dataset") -> NDArray[np.intp]:
    """Return the positions in the recording of the neuroids of predictions."""
    keys = [
        pd.MultiIndex.from_arrays([dataset["neuroid"].values.astype(str), bins_of(dataset)])
        for dataset in (responses, predicted)
    ]
    return keys[0].get_indexer(keys[1])


def _variances(noise: Noise) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the noise variance of a single trial (neurons,), and that of mean responses without noise."""
    # Stimuli shown once have no variance of their own.
    weights = np.maximum(noise.counts - 1, 0)
    sums = np.sum(weights * np.where(weights > 0, noise.variances, 0), axis=0)
    of_trial = np.divide(sums, weights.sum(axis=0), out=np.full(len(sums), np.nan), where=weights.sum(axis=0) > 0)
    shown = noise.counts > 0
    of_means = of_trial * np.sum(1 / np.maximum(noise.counts, 1), axis=0, where=shown) / shown.sum(axis=0)
    return of_trial, np.maximum(np.nanvar(noise.means, axis=0, ddof=1) - of_means, 0)


def _places(predicted: "xr.Dataset", usable: NDArray[np.bool_]) -> Iterator[tuple[dict[str, str], NDArray[np.intp]]]:
    """Yield each area and time bin with its usable neuroids."""
    keys = list(zip(predicted["area"].values.astype(str), predicted["time_bin"].values.astype(str), strict=True))
    for area, time_bin in dict.fromkeys(keys):
        neurons = np.flatnonzero([key == (area, time_bin) and use for key, use in zip(keys, usable, strict=True)])
        if len(neurons):
            yield {"recording": predicted.attrs["recording"], "area": area, "time_bin": time_bin}, neurons


def _names(predicted: "xr.Dataset", candidates: NDArray[np.intp]) -> list[tuple[str, str]]:
    models, layers = (predicted[name].values[candidates].astype(str) for name in ("model", "layer"))
    return list(zip(models.tolist(), layers.tolist(), strict=True))


def _tied(comparisons: Path, split: str) -> pd.DataFrame:
    """Return the pairs of models that ridge regression does not tell apart on a split."""
    table = read_csv(comparisons, "layer_a", "layer_b")
    same = (table["compared"] == "models") & (table["mapping"] == RIDGE) & (table["split"] == split)
    return table[same & ~table["differs"].astype(bool)]


def _is_tied(
    place: Mapping[str, str], names: Sequence[tuple[str, str]], pair: tuple[int, int], tied: pd.DataFrame
) -> bool:
    here = tied[(tied[PLACE] == pd.Series(place)).all(axis=1)]
    models = {names[k][0] for k in pair}
    return any({row.model_a, row.model_b} == models for row in here.itertuples())


def _write(table: pd.DataFrame, output: Path) -> None:
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")
