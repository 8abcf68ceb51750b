"""Read labels from the neuroids of an area in one bin of time, and test the reading in every bin.

A reading that fails in another bin shows that the neuroids represent the label differently there. This is temporal
generalisation (King and Dehaene 2014, Trends in Cognitive Sciences 18:203). All neuroids with responses to all stimuli
in all bins are read. Each neuroid is standardised over stimuli in each bin, without using labels.

Neuroids that were recorded one after the other make a pseudo-population: which of their trials stand in one row is
chance. Each draw shuffles the responses of each neuroid among the rows of the same stimulus.

Chance is what nearest-mean classifiers reach when labels are shuffled within each fold, the same in all bins. Distances
from the mean of the shuffles are in their standard deviations. A score is above chance where its distance exceeds the
largest over bins in 95 % of shuffles (Nichols and Holmes 2002, Human Brain Mapping 15:1).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.decoding.readouts import Readout, labels_to_read
from ventral.errors import InputError, allowed_instead
from ventral.mappings.nearest_mean import accuracies_of_shuffles, nearest_mean_predictions
from ventral.mappings.standardisation import standardised
from ventral.mappings.svm import balanced_accuracy, chosen_costs, svm_predictions_across
from ventral.outputs import writing
from ventral.recordings.axes import TIME_BIN
from ventral.recordings.ingestion import mean_responses
from ventral.running.parallel import compute, computing
from ventral.running.progress import Progress
from ventral.statistics.over_time import assessed
from ventral.store import read_dataset
from ventral.tables import write_parquet
from ventral.targets.benchmark import read_stimuli

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

COLUMNS = {
    "recording": "string",
    "simulated": "boolean",
    "stimuli": "string",
    "area": "string",
    "target": "string",
    "chance": "float64",
    "split": "string",
    "held_out": "string",
    "classifier": "string",
    "fit_bin": "string",
    "time_bin": "string",
    "n_stimuli": "int64",
    "n_neuroids": "int64",
    "draws": "int64",
    "score": "float64",
    "low": "float64",
    "high": "float64",
    "both_low": "float64",
    "both_high": "float64",
    "p": "float64",
    "critical": "float64",
    "resampled": "object",
}
NEAREST_MEAN, SVM = "nearest_mean", "svm"
# Number of shuffles of the labels.
N_SHUFFLES = 199
# Largest difference of equal accuracies.
ROUNDING = 1e-9
# Rows with the same values differ only in their bins.
LINE = ["area", "target", "split", "held_out", "classifier"]
# Purposes of random numbers, beside those that are drawn for a draw alone.
OF_NEUROIDS, OF_LABELS = 1, 2


def decode_over_time(
    recording: str | Path,
    stimuli: str | Path,
    output: str | Path,
    *,
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    classifiers: Sequence[str],
    draws: int,
    shuffled_within: str | None,
    cores: int = 1,
) -> None:
    """Read every label from every area of a recording in each bin, and test the reading in all bins.

    Parameters
    ----------
    recording, stimuli : paths
        Stores of a recording with time bins, and of its stimuli.
    output : path
        Parquet file to write, with `COLUMNS`. `fit_bin` is the bin of the fit, and `time_bin` that of the test. `score`
        is the mean balanced accuracy over draws. Its 95 % interval for other stimuli and shuffles is from `low` to
        `high`. The interval from `both_low` to `both_high` is for other neuroids, too. `held_out` is '' for all
        folds. Where both bins are the same, there is also a row for each group of stimuli that a split holds out.
        There, `resampled` has the accuracies of resampled stimuli and neuroids. Nearest-mean classifiers also have `p`,
        corrected for all bins, and `critical`, the smallest score above chance.
    splits, n_folds, seed
        As for `ventral.scores.fitting.fit`; the seed also determines all draws.
    classifiers : sequence of str
        `nearest_mean` (`ventral.mappings.nearest_mean`) and `svm` (`ventral.mappings.svm`).
    draws : int
        Number of draws. Each has its own shuffle, and its own bootstrap samples of the stimuli and of the neuroids.
    shuffled_within : str or None
        Column of the stimuli. Each draw shuffles the responses of each neuroid among the rows with the same value. None
        shuffles nothing.
    cores : int
        Number of bins that are fitted in parallel.

    Raises
    ------
    InputError
        If the recording was made from other stimuli, or has no time bins. Also if the stimuli have no such column or no
        label to read, or no neuroid has all responses.
    """
    stimulus_set, responses = read_stimuli(stimuli, [recording]), read_dataset(recording)
    name = responses.attrs["recording"]
    if TIME_BIN not in responses.dims:
        raise InputError(f"{recording}: recording {name} has no bins of time; leave `decoding_over_time` out")
    readouts = labels_to_read(stimulus_set, splits, n_folds, seed)
    if not readouts:
        raise InputError(
            f"stimuli {stimulus_set.attrs['name']}: no label `object` or `category` differs between stimuli and has "
            f"stimuli in every fit; add one, or leave `decoding_over_time` out"
        )
    groups = _groups(stimulus_set, shuffled_within)

    def orders(n_neuroids: int, draw: int) -> NDArray[np.intp]:
        return _shuffled(n_neuroids, groups=groups, seed=[seed, draw])

    populations, bins = areas_over_time(responses), responses[TIME_BIN].values.astype(str)
    progress = Progress(f"decode {name} over time", len(populations) * len(bins), "bins")

    read = partial(
        read_in_bin, readouts=readouts, classifiers=classifiers, orders=orders, draws=draws, seed=seed, names=bins
    )

    def read_area(area: str, place: int) -> pd.DataFrame:
        return read(populations[area], place).assign(area=area)

    with writing(output) as unfinished, computing(cores):
        tasks = [delayed(read_area, pure=False)(area, place) for area in populations for place in range(len(bins))]
        table = with_chance(pd.concat(compute(tasks, progress), ignore_index=True))
        table["recording"], table["stimuli"] = name, stimulus_set.attrs["name"]
        table["simulated"] = bool(responses.attrs.get("simulated", False))
        write_parquet(table[list(COLUMNS)].astype(COLUMNS), unfinished)


def read_in_bin(
    population: NDArray[np.float64],
    place: int,
    *,
    readouts: Sequence[Readout],
    classifiers: Sequence[str],
    orders: Callable[[int, int], NDArray],
    draws: int,
    seed: int,
    names: Sequence[str],
) -> pd.DataFrame:
    """Read labels from a population by fits in one bin, and test the readings in all bins.

    Parameters
    ----------
    population : (bins, n, p) array
        Responses in each bin.
    place : int
        Number of the bin of the fit.
    readouts, classifiers, draws, seed
        As for `decode_over_time`, with the labels to read.
    orders : function of the number of neuroids and the draw
        Order of the rows (n, p) of each neuroid.
    names : (bins,) sequence of str
        Names of the bins.

    Returns
    -------
    DataFrame
        Columns of `decode_over_time` without those that are the same for all bins. `shuffled` has the accuracies of
        shuffled labels, for nearest-mean classifiers in the bin of the fit; else None.
    """
    drawn = [standardised_bins(population_drawn(population, orders, draw)) for draw in range(draws)]
    resampled = [units[:, :, _neuroids_of(draw, units.shape[2], seed)] for draw, units in enumerate(drawn)]
    parts = []
    for readout in readouts:
        for classifier in classifiers:
            predictions = _predicted(classifier, readout, [*drawn, *resampled], place)
            rows = _tested(readout, predictions[:draws], predictions[draws:], seed).assign(classifier=classifier)
            shuffled = _by_chance(readout, drawn[0][place], seed) if classifier == NEAREST_MEAN else {}
            parts.append(rows.assign(shuffled=rows["held_out"].map(shuffled).astype(object)))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[(rows["held_out"] == "") | (rows["place"] == place)]
    rows.loc[rows["place"] != place, ["resampled", "shuffled"]] = None
    names = np.asarray(names)
    return rows.assign(time_bin=names[rows["place"]], fit_bin=names[place], n_neuroids=population.shape[2], draws=draws)


def areas_over_time(responses: "xr.Dataset") -> dict[str, NDArray[np.float64]]:
    """Return the mean responses (bins, stimuli, neuroids) of each area, of neuroids with all responses in all bins.

    Raises
    ------
    InputError
        If no neuroid has all responses.
    """
    # One column for each neuroid in each bin, bins varying fastest.
    columns = mean_responses(responses).transpose("stimulus", "neuroid").values.astype(np.float64)
    values = np.moveaxis(columns.reshape(len(columns), responses.sizes["neuroid"], -1), 2, 0)
    complete, area_of = np.isfinite(values).all(axis=(0, 1)), responses["area"].values.astype(str)
    name = responses.attrs["recording"]
    if not complete.all():
        logger.warning("recording %s: %d neuroids have missing responses and are not read", name, (~complete).sum())
    if not complete.any():
        raise InputError(f"recording {name}: no neuroid has responses to all stimuli in all bins; nothing can be read")
    return {area: values[:, :, complete & (area_of == area)] for area in sorted(set(area_of[complete]))}


def standardised_bins(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (bins, n, p) with mean 0 and variance 1 over stimuli in each bin."""
    return np.stack([standardised(of_bin) for of_bin in values])


def population_drawn(values: NDArray, orders: Callable[[int, int], NDArray], draw: int) -> NDArray:
    """Return values (bins, n, p) in which the rows of each neuroid have the order of one draw, the same in all bins."""
    return np.take_along_axis(values, orders(values.shape[2], draw)[None], axis=1)


def _groups(stimulus_set: "xr.Dataset", column: str | None) -> NDArray[np.intp]:
    """Return the number (n,) of each stimulus's group, within which responses are shuffled."""
    if column is None:
        return np.arange(stimulus_set.sizes["stimulus"])
    if column not in stimulus_set.coords:
        columns = sorted(str(name) for name in stimulus_set.coords if name != "stimulus")
        raise InputError(
            f"config key decoding_over_time.shuffled_within: stimuli {stimulus_set.attrs['name']} have no column "
            f"{column!r}; {allowed_instead(column, columns)}"
        )
    return np.unique(stimulus_set[column].values.astype(str), return_inverse=True)[1]


def _shuffled(n_orders: int, *, groups: NDArray[np.intp], seed: Sequence[int]) -> NDArray[np.intp]:
    """Return orders of rows (n, orders), each shuffled within groups."""
    keys = np.random.default_rng(seed).random((len(groups), n_orders))
    order = np.empty(keys.shape, dtype=np.intp)
    # Rows sorted by group alone, and by group and key, have the same groups in the same places.
    by_group = np.argsort(groups, kind="stable")
    for k in range(n_orders):
        order[by_group, k] = np.lexsort((keys[:, k], groups))
    return order


def _predicted(classifier: str, readout: Readout, drawn: Sequence[NDArray], place: int) -> list[NDArray]:
    """Return the predicted labels (bins, n) of each draw, by fits in the bin at a place."""
    if classifier == NEAREST_MEAN:
        return [nearest_mean_predictions(units[place], units, readout.values, readout.folds) for units in drawn]
    first = drawn[0][place]
    # The first draw chooses C for all draws, because choices for each draw would take longer than all fits.
    costs = chosen_costs(first @ first.T, readout.values, readout.folds)
    return [svm_predictions_across(units[place], units, readout.values, readout.folds, costs) for units in drawn]


def _neuroids_of(draw: int, n_neuroids: int, seed: int) -> NDArray[np.intp]:
    """Return the neuroids (neuroids,) of a draw's bootstrap sample, the same in all bins."""
    return np.random.default_rng([seed, draw, 0, OF_NEUROIDS]).integers(n_neuroids, size=n_neuroids)


def _tested(
    readout: Readout, predictions: Sequence[NDArray], of_other_neuroids: Sequence[NDArray], seed: int
) -> pd.DataFrame:
    """Return the accuracy over all folds and for each group of stimuli that a fold holds out, in each bin."""
    parts = {"": readout.folds}
    parts |= {group: [fold] for group, fold in zip(readout.groups, readout.folds, strict=False)}
    rows = []
    for held_out, folds in parts.items():
        scores, resampled, both = np.empty((3, len(predictions), len(predictions[0])))
        for draw, of_draw in enumerate(zip(predictions, of_other_neuroids, strict=True)):
            rng = np.random.default_rng([seed, draw, len(folds)])
            sample = [fold[rng.integers(len(fold), size=len(fold))] for fold in folds]
            scores[draw] = [balanced_accuracy(readout.values, of_bin, folds) for of_bin in of_draw[0]]
            for found, of_bins in zip((resampled, both), of_draw, strict=True):
                found[draw] = [balanced_accuracy(readout.values, of_bin, sample) for of_bin in of_bins]
        rows.append(_with_intervals(scores, resampled, both).assign(held_out=held_out, n_stimuli=sum(map(len, folds))))
    table = pd.concat(rows, ignore_index=True)
    return table.assign(target=readout.target, split=readout.split, chance=readout.chance)


def _with_intervals(scores: NDArray, resampled: NDArray, both: NDArray) -> pd.DataFrame:
    """Return mean and 95 % intervals over draws of scores (draws, bins), by Student's t and the spread of resamples."""
    from scipy.special import stdtrit

    n, mean = len(scores), scores.mean(axis=0)
    table = pd.DataFrame({"place": np.arange(len(mean)), "score": mean, "resampled": list(both.T)})
    for prefix, values in (("", resampled), ("both_", both)):
        reach = values.std(axis=0, ddof=1) * stdtrit(n - 1, 0.975) if n > 1 else np.full(len(mean), np.nan)
        table[f"{prefix}low"], table[f"{prefix}high"] = np.clip(mean - reach, 0, 1), np.clip(mean + reach, 0, 1)
    return table


def _by_chance(readout: Readout, units: NDArray, seed: int) -> dict[str, NDArray]:
    """Return the accuracies (shuffles,) of shuffled labels for each part of the stimuli, from units (n, p) of one draw.

    Those of one draw vary more than the mean over draws, so the test is conservative.
    """
    codes = np.unique(readout.values, return_inverse=True)[1]
    orders = _shuffled(N_SHUFFLES, groups=_fold_of(readout), seed=[seed, 0, 0, OF_LABELS]).T
    accuracies = accuracies_of_shuffles(units, codes, readout.folds, orders)
    return {"": accuracies.mean(axis=0)} | dict(zip(readout.groups, accuracies, strict=False))


def _fold_of(readout: Readout) -> NDArray[np.intp]:
    """Return the number (n,) of each stimulus's fold; -1 without one."""
    fold_of = np.full(len(readout.values), -1)
    for k, fold in enumerate(readout.folds):
        fold_of[fold] = k
    return fold_of


def with_chance(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows with `p` and `critical`, by the maximum statistic over the bins of each line.

    Parameters
    ----------
    table : DataFrame
        Rows with `LINE`, `score`, and `shuffled`, the accuracies (shuffles,) of shuffled labels; None for rows that are
        not tested.
    """
    table = table.assign(p=np.nan, critical=np.nan)
    for _, line in table[table["shuffled"].notna()].groupby(LINE, sort=False):
        score, shuffled = line["score"].to_numpy(float), np.stack(line["shuffled"])
        mean = shuffled.mean(axis=1)
        # Equal accuracies differ by rounding, and must not count as above each other.
        rise = score - mean - ROUNDING
        found = assessed(rise, shuffled - mean[:, None] + rise[:, None])
        table.loc[line.index, ["p", "critical"]] = np.column_stack([found.p, mean + found.critical + ROUNDING])
    return table
