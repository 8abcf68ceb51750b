"""Brain-Score's neural scores, for numbers that can be put beside theirs.

What version 2.4.2 of brainscore-vision does (Schrimpf et al. 2018, bioRxiv 407007; its
`metrics/regression_correlation`, `metrics/internal_consistency` and `benchmark_helpers/neural_common`):

- ten random splits, 90 % of the stimuli to fit and 10 % to predict, in equal parts of each object;
- partial least squares with 25 components, scikit-learn's at its default tolerance, which stops each component
  before it has converged; Pearson's r for each neuroid and split;
- a ceiling for each neuroid: r between the means over random halves of the repetitions, the same halves for all
  stimuli, in ten splits, each corrected by Spearman-Brown, 2 r / (1 + r);
- of either the median over neuroids, then the mean over splits, with its standard error;
- the score: the squared mean of the first, divided by the mean of the second. The error given with it is that of r.

It differs in three ways from what the rest of this package does: splits overlap, the ceiling divides the medians rather
than each neuroid's r, and no neuroid is left out for its reliability.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError, shown
from ventral.mappings.pls import pls_fit_predict
from ventral.outputs import writing
from ventral.recordings.time_bins import bins_of, read_recording
from ventral.running.progress import Progress
from ventral.scores.table import correlation_in_folds
from ventral.store import open_store
from ventral.targets.benchmark import read_stimuli
from ventral.targets.values import labels_of

logger = logging.getLogger(__name__)

SUMMARY = ("raw", "raw_error", "ceiling", "ceiling_error", "score")
N_SPLITS = 10
TRAINING = 0.9
SEED = 1
N_COMPONENTS = 25
# scikit-learn's defaults.
TOLERANCE = 1e-6
MOST_ITERATIONS = 500


@dataclass(frozen=True)
class Comparison:
    """One representation against one recording, as Brain-Score would have it.

    Attributes
    ----------
    r : (splits, neuroids) array
        Pearson's r between predicted and mean responses to the held-out stimuli; NaN where it is not defined.
    consistency : (splits, neuroids) array
        Corrected r between halves of the repetitions; NaN where it is not defined.
    raw, raw_error : float
        Mean over splits of the median r over neuroids, and its standard error.
    ceiling, ceiling_error : float
        The same of the consistency.
    score : float
        raw ** 2 / ceiling.
    """

    r: NDArray[np.float64]
    consistency: NDArray[np.float64]
    raw: float
    raw_error: float
    ceiling: float
    ceiling_error: float
    score: float


def brainscore(grams: Sequence[str | Path], recording: str | Path, stimuli: str | Path, output: str | Path) -> None:
    """Score every layer of every model against each area of a recording as Brain-Score does, and write a table.

    Parameters
    ----------
    grams : sequence of paths
        Stores of the models' Gram matrices.
    recording, stimuli : paths
        Stores of the recording, which has responses, and of its stimuli.
    output : path
        CSV file: `model`, `layer`, `depth`, `recording`, `area`, `time_bin`, `n_neuroids`, `raw`, `raw_error`,
        `ceiling`, `ceiling_error` and `score`, as for `Comparison`. Without repetitions there is no ceiling and no
        score.

    Raises
    ------
    InputError
        If a store is of other stimuli, or the splits cannot be made of these.
    """
    stimulus_set, dataset = read_stimuli(stimuli, [recording, *grams]), read_recording(recording)
    kept = dataset.isel(neuroid=np.flatnonzero(dataset["left_out"].values == ""))
    responses = kept["responses"].transpose("repetition", "stimulus", "neuroid").values
    areas, bins = kept["area"].values.astype(str), bins_of(kept)
    objects = labels_of(stimulus_set).get("object")
    stores = [open_store(path) for path in grams]
    layers = [(store, layer) for store in stores for layer in store.attrs["layers"]]
    progress = Progress(f"brainscore {dataset.attrs['recording']}", len(layers), "layers")
    rows = []
    for store, layer in layers:
        matrix = store[layer["name"]]["gram"][:]
        for area, time_bin in sorted(set(zip(areas, bins, strict=True))):
            chosen = (areas == area) & (bins == time_bin)
            found = compare(matrix, responses[:, :, chosen], objects, f"stimuli {stimulus_set.attrs['name']}")
            rows.append(
                {
                    "model": store.attrs["model"],
                    "layer": layer["name"],
                    "depth": layer["depth"],
                    "recording": dataset.attrs["recording"],
                    "area": area,
                    "time_bin": time_bin,
                    "n_neuroids": int(chosen.sum()),
                    **{name: getattr(found, name) for name in SUMMARY},
                }
            )
        progress.advance()
    table = pd.DataFrame(rows).sort_values(["area", "time_bin", "model", "depth", "layer"], kind="stable")
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def compare(gram: ArrayLike, responses: ArrayLike, objects: ArrayLike | None, source: str) -> Comparison:
    """Score a representation against the responses of neuroids of one area.

    The splits depend on the order of the stimuli, and on that of the sorted objects: other names draw other splits.
    Brain-Score's stimuli are in the order of its assembly after averaging: sorted by the coordinates of its
    presentations, the first of which usually is the stimulus's id.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors. With fewer than 25 independent features there are as many
        components as features, where Brain-Score stops with an error.
    responses : (repetitions, n, neuroids) array
        NaN where not shown. A neuroid that lacks a stimulus has no r.
    objects : (n,) array or None
        Label to stratify by; None draws without regard to labels.
    source : str
        What the stimuli are called in messages.

    Raises
    ------
    InputError
        If the splits cannot be made of these stimuli.
    """
    responses = np.asarray(responses, dtype=np.float64)
    splits = random_splits(objects, responses.shape[1], source)
    means = _mean(responses)
    complete = np.isfinite(means).all(axis=0)
    if not complete.all():
        logger.warning(
            "%s: neuroids without a response to some stimulus have no Brain-Score (the first column is 1): %s",
            source,
            shown([str(column + 1) for column in np.flatnonzero(~complete)]),
        )
    r = np.full((N_SPLITS, responses.shape[2]), np.nan)
    if complete.any():
        r[:, complete] = pls_correlations(gram, means[:, complete], splits)
    consistency = internal_consistency(responses)
    raw, raw_error = mean_of_medians(r)
    ceiling, ceiling_error = mean_of_medians(consistency)
    score = raw**2 / ceiling if ceiling > 0 else np.nan
    return Comparison(r, consistency, raw, raw_error, ceiling, ceiling_error, score)


def random_splits(
    objects: ArrayLike | None, n_stimuli: int, source: str
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the rows to fit and the rows to predict of each of Brain-Score's ten splits.

    Raises
    ------
    InputError
        If a tenth of the stimuli cannot hold one of every object, or an object has one stimulus alone.
    """
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    n_test = n_stimuli - int(TRAINING * n_stimuli)
    if n_test == n_stimuli or n_test < 2:
        raise InputError(f"{source}: {n_stimuli} stimuli are too few for Brain-Score's splits; 20 or more are needed")
    if objects is None:
        return list(ShuffleSplit(N_SPLITS, train_size=TRAINING, random_state=SEED).split(np.zeros(n_stimuli)))
    objects = np.asarray(objects)
    values, counts = np.unique(objects, return_counts=True)
    if counts.min() < 2:
        raise InputError(
            f"{source}: Brain-Score's splits need two stimuli or more of every object; there is one of: "
            f"{shown([str(value) for value in values[counts < 2]])}"
        )
    if n_test < len(values):
        raise InputError(
            f"{source}: Brain-Score's splits hold out a tenth of the stimuli, {n_test}, which cannot show each of "
            f"{len(values)} objects; give more stimuli, or labels of fewer objects"
        )
    splitter = StratifiedShuffleSplit(N_SPLITS, train_size=TRAINING, random_state=SEED)
    return list(splitter.split(np.zeros(n_stimuli), objects))


def pls_correlations(
    gram: ArrayLike, responses: ArrayLike, splits: Sequence[tuple[NDArray, NDArray]]
) -> NDArray[np.float64]:
    """Return Pearson's r (splits, neuroids) between responses (n, neuroids) and Brain-Score's predictions of them."""
    responses = np.asarray(responses, dtype=np.float64)
    return np.stack(
        [
            correlation_in_folds(
                pls_fit_predict(gram, responses, training, test, N_COMPONENTS, early_direction),
                responses[test],
                [np.arange(len(test))],
            )
            for training, test in splits
        ]
    )


def early_direction(targets: NDArray, covaried: NDArray) -> NDArray[np.float64]:
    """Return the direction (t,) of targets at which scikit-learn's power iteration stops.

    Parameters
    ----------
    targets, covaried : (n, t) arrays
        Y and K Y, as for `pls.dominant_direction`. With weights X^T Y c the iteration takes c to Y^T K Y c, and what it
        compares, the squared distance of successive weights of unit length, is that of the c in the metric Y^T K Y.
    """
    n, t = targets.shape
    square = targets.T @ covaried if t <= n else None
    # It starts from the first target that is not explained yet.
    following = (np.arange(t) == np.any(targets != 0, axis=0).argmax()).astype(float)
    previous = None
    for _ in range(MOST_ITERATIONS):
        product = targets.T @ (covaried @ following) if square is None else square @ following
        length = np.sqrt(max(following @ product, 0))
        if length == 0:
            return following
        direction, following = following / length, product / length
        if previous is not None and (direction - previous[0]) @ (following - previous[1]) < TOLERANCE:
            break
        previous = direction, following
    return direction


def internal_consistency(responses: NDArray) -> NDArray[np.float64]:
    """Return the corrected r (splits, neuroids) between halves of the repetitions (repetitions, n, neuroids).

    NaN without two repetitions, and for a neuroid that in some half was not shown a stimulus at all.
    """
    from sklearn.model_selection import ShuffleSplit

    repetitions, _, n_neuroids = responses.shape
    if repetitions < 2:
        return np.full((N_SPLITS, n_neuroids), np.nan)
    consistency = []
    for halves in ShuffleSplit(N_SPLITS, train_size=0.5, random_state=SEED).split(np.zeros(repetitions)):
        first, second = (_mean(responses[half]) for half in halves)
        r = correlation_in_folds(first, second, [np.arange(len(first))])
        consistency.append(np.divide(2 * r, 1 + r, out=np.full(n_neuroids, np.nan), where=1 + r > 1e-9))
    return np.stack(consistency)


def mean_of_medians(values: NDArray) -> tuple[float, float]:
    """Return the mean over splits of the median over neuroids (splits, neuroids), and its standard error.

    Neuroids without a value are passed over, as are splits without any neuroid.
    """
    defined = values[np.isfinite(values).any(axis=1)]
    if not len(defined):
        return np.nan, np.nan
    medians = np.nanmedian(defined, axis=1)
    return float(medians.mean()), float(medians.std() / np.sqrt(len(values)))


def _mean(responses: NDArray) -> NDArray[np.float64]:
    counts = (~np.isnan(responses)).sum(axis=0)
    return np.divide(np.nansum(responses, axis=0), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
