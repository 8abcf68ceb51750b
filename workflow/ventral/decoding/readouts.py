"""Labels and properties of stimuli, read linearly from features: a few standardised units.

Labels are read by a linear support vector machine, properties by ridge regression, circular ones as sine and cosine;
each from stimuli that the fit never saw.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ventral.mappings.ridge import nested_ridge
from ventral.scores.categorisation import balanced_accuracy, svm_predictions
from ventral.scores.splits import FEWEST_FOLDS, make_folds
from ventral.scores.table import correlation_in_folds
from ventral.scores.targets import labels_of, properties
from ventral.stimuli.circular import angle_of, circular_correlation, has_direction, sine_and_cosine

logger = logging.getLogger(__name__)

ACCURACY, CORRELATION, CIRCULAR = "balanced accuracy", "r", "circular r"


@dataclass(frozen=True)
class Readout:
    """One label or property, to be read on stimuli that one split holds out.

    Attributes
    ----------
    target : str
        Its name.
    kind : str
        'category' for a label, as in the score table, or 'property'.
    split : str
        Name of the split.
    values : (n,) array
        Labels as text, or numbers, NaN where there is none.
    folds : sequence of integer arrays
        Rows of each fold, of the stimuli that have a value.
    period : float or None
        Of a circular property, after which a value is the same again.
    directed : bool
        Whether a circular property has a mean direction.
    chance : float
        Score of a representation that says nothing.
    """

    target: str
    kind: str
    split: str
    values: NDArray
    folds: Sequence[NDArray]
    period: float | None = None
    directed: bool = True
    chance: float = 0.0

    @property
    def measure(self) -> str:
        """What the score is: balanced accuracy, Pearson's r, or the circular correlation."""
        return ACCURACY if self.kind == "category" else CIRCULAR if self.period else CORRELATION


def readouts_of(
    stimulus_set: xr.Dataset, splits: Sequence[str], n_folds: int, seed: int, periods: Mapping[str, float]
) -> list[Readout]:
    """Return what can be read of a set of stimuli: its labels, where each is seen in every fit, and its properties.

    Parameters
    ----------
    stimulus_set : Dataset
        Store of the stimuli.
    splits, n_folds, seed, periods
        As for `decode`. A property that has values in fewer than three folds is named in a warning and left out.
    """
    labels, of_stimuli = labels_of(stimulus_set), properties(stimulus_set)
    n = stimulus_set.sizes["stimulus"]
    readouts = []
    for split in splits:
        folds = make_folds(split, labels, n, n_folds, seed, f"stimuli {stimulus_set.attrs['name']}")
        for name, values in labels.items():
            n_labels = len(np.unique(values))
            if n_labels > 1 and all(np.isin(values[fold], np.delete(values, fold)).all() for fold in folds):
                readouts.append(Readout(name, "category", split, values, folds, chance=1 / n_labels))
        for name, values in zip(of_stimuli.names, of_stimuli.values.T, strict=True):
            present = [fold[np.isfinite(values[fold])] for fold in folds]
            present = [fold for fold in present if len(fold)]
            period = periods.get(name)
            if len(present) < FEWEST_FOLDS:
                logger.warning("%s: not decoded on held-out %s: values in %d folds alone", name, split, len(present))
            else:
                directed = period is None or has_direction(values, period)
                readouts.append(Readout(name, "property", split, values, present, period, directed))
    if not readouts:
        logger.warning(
            "stimuli %s: no labels that differ, and no property: nothing is decoded", stimulus_set.attrs["name"]
        )
    return readouts


def predict(units: NDArray[np.float64], readouts: Sequence[Readout], penalties: Sequence[float]) -> list[NDArray]:
    """Return what is read of each held-out stimulus by the fit without its fold.

    Parameters
    ----------
    units : (n, u) array
        Standardised units.
    readouts : sequence of Readout
        What is read.
    penalties : sequence of float
        Candidates, times the mean squared distance of the units' vectors from their mean.

    Returns
    -------
    list of (n,) arrays
        Of each readout, labels or numbers; '' or NaN where there is nothing to read.
    """
    predictions: list[NDArray] = [np.full(len(units), np.nan) for _ in readouts]
    together: dict[tuple, list[int]] = {}
    gram = None
    for k, readout in enumerate(readouts):
        if readout.kind == "category":
            gram = units @ units.T if gram is None else gram
            predictions[k] = svm_predictions(gram, readout.values, readout.folds)
        else:
            # Those that are held out alike share the fit's matrices.
            together.setdefault((readout.split, np.isfinite(readout.values).tobytes()), []).append(k)
    for members in together.values():
        rows = np.flatnonzero(np.isfinite(readouts[members[0]].values))
        place = np.full(len(units), -1)
        place[rows] = np.arange(len(rows))
        columns = [
            sine_and_cosine(readouts[k].values[rows], readouts[k].period)
            if readouts[k].period
            else readouts[k].values[rows, None]
            for k in members
        ]
        folds = [place[fold] for fold in readouts[members[0]].folds]
        read = predict_from_features(units[rows], np.concatenate(columns, axis=1), folds, penalties)
        bounds = np.cumsum([0, *(column.shape[1] for column in columns)])
        for k, start, stop in zip(members, bounds[:-1], bounds[1:], strict=True):
            of_target = read[:, start:stop]
            predictions[k][rows] = angle_of(of_target, readouts[k].period) if readouts[k].period else of_target[:, 0]
    return predictions


def predict_from_features(
    features: NDArray[np.float64], values: NDArray[np.float64], folds: Sequence[NDArray], penalties: Sequence[float]
) -> NDArray[np.float64]:
    """Return the held-out predictions of `ventral.mappings.ridge.nested_ridge`, from few features.

    With far fewer features u than stimuli n, matrices (u, u) serve instead of (n, n): the covariance of the stimuli
    without one fold, or without two, is what is left of that of all, and its eigenvectors serve all penalties.

    Parameters
    ----------
    features : (n, u) array
        Of mean 0 over stimuli.
    values : (n, targets) array
        Finite.
    folds : sequence of integer arrays
        As for `nested_ridge`.
    penalties : sequence of float
        Candidates, times the mean squared distance of the feature vectors from their mean.

    Returns
    -------
    (n, targets) array
    """
    n, u = features.shape
    scaled = np.asarray(penalties) * (np.square(features).sum() / n or 1.0)
    if 2 * u > n:
        return nested_ridge(features @ features.T, values, folds, scaled).predictions
    joint = np.concatenate([features, np.ones((n, 1)), values - values.mean(axis=0)], axis=1)
    of_folds = np.stack([joint[fold].T @ joint[fold] for fold in folds])
    total = of_folds.sum(axis=0)

    def fitted(*left_out: int) -> tuple[NDArray, NDArray]:
        """Return means (u + targets) and coefficients (penalties, u, targets) of the fits without some folds."""
        moments = total - of_folds[list(left_out)].sum(axis=0)
        mean = moments[u] / moments[u, u]
        covariance = moments - moments[u, u] * np.outer(mean, mean)
        eigenvalues, vectors = np.linalg.eigh(covariance[:u, :u])
        shrunk = np.maximum(eigenvalues, 0)[:, None] + scaled[:, None, None]
        return mean, vectors @ ((vectors.T @ covariance[:u, u + 1 :]) / shrunk)

    def errors(fit: tuple[NDArray, NDArray], fold: int) -> NDArray:
        """Return errors (penalties, rows, targets) of one fold."""
        mean, coefficients = fit
        centred = joint[folds[fold]] - mean
        return centred[:, u + 1 :] - centred[:, :u] @ coefficients

    inner = np.zeros((len(folds), len(scaled), values.shape[1]))
    for first, second in combinations(range(len(folds)), 2):
        fit = fitted(first, second)
        inner[first] += np.square(errors(fit, second)).sum(axis=1)
        inner[second] += np.square(errors(fit, first)).sum(axis=1)
    predictions, columns = np.empty(values.shape), np.arange(values.shape[1])
    for fold, rows in enumerate(folds):
        of_fold = errors(fitted(fold), fold)
        predictions[rows] = values[rows] - of_fold[inner[fold].argmin(axis=0), :, columns].T
    return predictions


def score(readout: Readout, predictions: NDArray, folds: Sequence[NDArray]) -> float:
    """Return how well a readout was read: its measure, within each fold, averaged over folds.

    Parameters
    ----------
    readout : Readout
        What was read.
    predictions : (n,) array
        From `predict`.
    folds : sequence of integer arrays
        Those of the readout, or bootstrap samples of each.
    """
    if readout.kind == "category":
        return balanced_accuracy(readout.values, predictions, folds)
    if readout.period is None:
        return float(correlation_in_folds(predictions[:, None], readout.values[:, None], folds)[0])
    of_folds = [
        circular_correlation(predictions[fold], readout.values[fold], readout.period, readout.directed)
        for fold in folds
    ]
    return float(np.mean(of_folds))
