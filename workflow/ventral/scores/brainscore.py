"""Compute Brain-Score's neural scores, for comparison with published numbers.

The procedure is that of brainscore-vision 2.4.2 (Schrimpf et al. 2018, bioRxiv 407007), in
`metrics/regression_correlation`, `metrics/internal_consistency` and `benchmark_helpers/neural_common`:

- Ten random splits use 90 % of the stimuli to fit and 10 % to predict, in equal parts of each object.
- Partial least squares has 25 components. scikit-learn's default tolerance stops each component before it has
  converged. The result is Pearson's r for each neuroid and split.
- A ceiling for each neuroid is r between the means over random halves of the repetitions. All stimuli share the
  halves. The ceiling is computed in ten splits, each corrected by Spearman-Brown, 2 r / (1 + r).
- Both r and ceiling are summarised by the median over neuroids, then the mean over splits, with its standard error.
- The score is the squared mean r divided by the mean ceiling. Its error is the error of r.

This procedure differs in three ways from the rest of this package. Splits overlap, the ceiling divides medians instead
of each neuroid's r, and unreliable neuroids are included.
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
from ventral.tables import by_run
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
    """Brain-Score's result for one representation and one recording.

    Attributes
    ----------
    r : (splits, neuroids) array
        Pearson's r between predicted and mean responses to the held-out stimuli; NaN if undefined.
    consistency : (splits, neuroids) array
        Corrected r between halves of the repetitions; NaN if undefined.
    raw, raw_error : float
        Mean over splits of the median r over neuroids, and its standard error.
    ceiling, ceiling_error : float
        Mean over splits of the median consistency over neuroids, and its standard error.
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
    """Write Brain-Score's score of every layer of every model for each area of a recording.

    Parameters
    ----------
    grams : sequence of paths
        Stores of the models' Gram matrices.
    recording, stimuli : paths
        Stores of a recording with responses, and of its stimuli.
    output : path
        CSV file to write. Columns `model`, `layer`, `depth`, `recording`, `area`, `time_bin` and `n_neuroids` identify
        a row. Columns `raw`, `raw_error`, `ceiling`, `ceiling_error` and `score` are those of `Comparison`. Without
        repetitions, ceiling and score are missing.

    Raises
    ------
    InputError
        If a store was made from other stimuli, or if these stimuli do not allow the splits.
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
    keys = ["area", "time_bin", "model", "depth", "layer"]
    table = pd.DataFrame(rows).sort_values(keys, kind="stable", key=by_run)
    with writing(output) as unfinished:
        table.to_csv(unfinished, index=False, lineterminator="\n")


def compare(gram: ArrayLike, responses: ArrayLike, objects: ArrayLike | None, source: str) -> Comparison:
    """Score a representation against the responses of neuroids of one area.

    The splits depend on the order of the stimuli and of the sorted objects, so that other names draw other splits.
    Brain-Score's stimuli have the order of its averaged assembly. This order sorts by the coordinates of presentations,
    usually first by the stimulus's id.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors. With fewer than 25 independent features, the number of
        components is the number of features; Brain-Score stops with an error.
    responses : (repetitions, n, neuroids) array
        Responses; NaN if not shown. A neuroid with a missing stimulus has no r.
    objects : (n,) array or None
        Label to stratify by; None ignores labels.
    source : str
        Name of the stimuli in messages.

    Raises
    ------
    InputError
        If these stimuli do not allow the splits.
    """
    responses = np.asarray(responses, dtype=np.float64)
    splits = random_splits(objects, responses.shape[1], source)
    means = _mean(responses)
    complete = np.isfinite(means).all(axis=0)
    if not complete.all():
        logger.warning(
            "%s: neuroids with missing responses to some stimuli have no Brain-Score (the first column is 1): %s",
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
    """Return the rows to fit and to predict in each of Brain-Score's ten splits.

    Raises
    ------
    InputError
        If a tenth of the stimuli is smaller than the number of objects, or if an object has a single stimulus.
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
            f"{source}: Brain-Score's splits need at least two stimuli of every object; these have one: "
            f"{shown([str(value) for value in values[counts < 2]])}"
        )
    if n_test < len(values):
        raise InputError(
            f"{source}: Brain-Score's splits hold out a tenth of the stimuli, {n_test}, which is too few to show each "
            f"of {len(values)} objects; add stimuli, or label fewer objects"
        )
    splitter = StratifiedShuffleSplit(N_SPLITS, train_size=TRAINING, random_state=SEED)
    return list(splitter.split(np.zeros(n_stimuli), objects))


def pls_correlations(
    gram: ArrayLike, responses: ArrayLike, splits: Sequence[tuple[NDArray, NDArray]]
) -> NDArray[np.float64]:
    """Return Pearson's r (splits, neuroids) between responses (n, neuroids) and Brain-Score's predictions."""
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
    """Return the direction (t,) of targets where scikit-learn's power iteration stops.

    Parameters
    ----------
    targets, covaried : (n, t) arrays
        Y and K Y, as for `pls.dominant_direction`. With weights X^T Y c, the iteration maps c to Y^T K Y c.
        scikit-learn compares successive weights of unit length by their squared distance. This is the squared distance
        of the vectors c in the metric Y^T K Y.
    """
    n, t = targets.shape
    square = targets.T @ covaried if t <= n else None
    # scikit-learn starts from the first target that is not yet explained.
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

    The result is NaN without two repetitions, and for a neuroid with a stimulus missing in some half.
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

    Neuroids without a value and splits without a neuroid are skipped.
    """
    defined = values[np.isfinite(values).any(axis=1)]
    if not len(defined):
        return np.nan, np.nan
    medians = np.nanmedian(defined, axis=1)
    return float(medians.mean()), float(medians.std() / np.sqrt(len(values)))


def _mean(responses: NDArray) -> NDArray[np.float64]:
    counts = (~np.isnan(responses)).sum(axis=0)
    return np.divide(np.nansum(responses, axis=0), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
