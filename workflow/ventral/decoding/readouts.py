"""Labels and properties of stimuli, read linearly from features: a few standardised units.

Labels are read by a linear support vector machine, properties by ridge regression, circular ones as sine and cosine;
each from stimuli that the fit, and the choice of its penalty or C, never saw.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask
import numpy as np
from numpy.typing import NDArray

from ventral.mappings.correlation import pooled_r, sums_within_folds
from ventral.mappings.ridge import nested_ridge_graphs
from ventral.mappings.ridge_features import few_enough, nested_ridge_in_turn
from ventral.mappings.svm import balanced_accuracy, chosen_costs, svm_predictions
from ventral.stimuli.circular import angle_of, circular_correlation, has_direction, sine_and_cosine
from ventral.targets.splits import FEWEST_FOLDS
from ventral.targets.values import labels_of, nested_alone, properties, splits_of

if TYPE_CHECKING:
    import xarray as xr

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
    stimulus_set: "xr.Dataset", splits: Sequence[str], n_folds: int, seed: int, periods: Mapping[str, float]
) -> list[Readout]:
    """Return what can be read of a set of stimuli: its labels, where each is seen in every fit, and its properties.

    Parameters
    ----------
    stimulus_set : Dataset
        Store of the stimuli.
    splits, n_folds, seed, periods
        As for `decode`. A property that has values in fewer than three folds is named in a warning and left out. Of a
        split by a numeric column, this column is no property.
    """
    labels, of_stimuli = labels_of(stimulus_set), properties(stimulus_set)
    made = splits_of(stimulus_set, splits, n_folds, seed)
    readouts = []
    for split, nested in nested_alone(made, f"stimuli {stimulus_set.attrs['name']}").items():
        folds = nested.folds
        for name, values in labels.items():
            n_labels = len(np.unique(values))
            if n_labels > 1 and all(np.isin(values[fold], np.delete(values, fold)).all() for fold in folds):
                readouts.append(Readout(name, "category", split, values, folds, chance=1 / n_labels))
        for name, values in zip(of_stimuli.names, of_stimuli.values.T, strict=True):
            if name == nested.column:
                continue
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


def gram_of_labels(units: NDArray[np.float64], readouts: Sequence[Readout]) -> NDArray[np.float64] | None:
    """Return the Gram matrix (n, n) of units (n, u), by which labels are read; None where no label is."""
    return units @ units.T if any(readout.kind == "category" for readout in readouts) else None


def costs_of_labels(gram: NDArray[np.float64] | None, readouts: Sequence[Readout]) -> list[NDArray | None]:
    """Return the C (folds,) with which each label is read, chosen within training; None for properties.

    Parameters
    ----------
    gram : (n, n) array, or None
        From `gram_of_labels`.
    readouts : sequence of Readout
        What is read.
    """
    return [
        chosen_costs(gram, readout.values, readout.folds) if readout.kind == "category" else None
        for readout in readouts
    ]


def predict(
    units: NDArray[np.float64],
    gram: NDArray[np.float64] | None,
    readouts: Sequence[Readout],
    penalties: Sequence[float],
    costs: Sequence[NDArray | None],
) -> list[NDArray]:
    """Return what is read of each held-out stimulus by the fit without its fold.

    Parameters
    ----------
    units : (n, u) array
        Standardised units.
    gram : (n, n) array, or None
        From `gram_of_labels`.
    readouts : sequence of Readout
        What is read.
    penalties : sequence of float
        Candidates, times the mean squared distance of the units' vectors from their mean.
    costs : sequence of (folds,) arrays, or None
        From `costs_of_labels`, of these units or of others of the same population.

    Returns
    -------
    list of (n,) arrays
        Of each readout, labels or numbers; '' or NaN where there is nothing to read.
    """
    predictions: list[NDArray] = [np.full(len(units), np.nan) for _ in readouts]
    together: dict[tuple, list[int]] = {}
    for k, readout in enumerate(readouts):
        if readout.kind == "category":
            predictions[k] = svm_predictions(gram, readout.values, readout.folds, costs[k])
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
        read = _read(units[rows], np.concatenate(columns, axis=1), folds, penalties)
        bounds = np.cumsum([0, *(column.shape[1] for column in columns)])
        for k, start, stop in zip(members, bounds[:-1], bounds[1:], strict=True):
            of_target = read[:, start:stop]
            predictions[k][rows] = angle_of(of_target, readouts[k].period) if readouts[k].period else of_target[:, 0]
    return predictions


def _read(units: NDArray, values: NDArray, folds: Sequence[NDArray], penalties: Sequence[float]) -> NDArray:
    """Return the held-out predictions (n, targets) of ridge regression."""
    scaled = np.asarray(penalties) * (np.square(units - units.mean(axis=0)).sum() / len(units) or 1.0)
    if few_enough(units.shape[1], [len(fold) for fold in folds], values.shape[1], len(scaled)):
        return nested_ridge_in_turn(units, values, folds, list(scaled)).predictions
    gram = units @ units.T
    graphs = nested_ridge_graphs([(gram, penalty) for penalty in scaled], values, [folds])
    # These fits are a part of a task: draws and layers run side by side.
    (result,) = dask.compute(*graphs, scheduler="synchronous")
    return result.predictions


def score(readout: Readout, predictions: NDArray, folds: Sequence[NDArray]) -> float:
    """Return how well a readout was read.

    Balanced accuracy is averaged over folds. Correlations are those of the score table: predictions and values are
    centred within folds and taken together (`ventral.mappings.correlation.pooled_r`), circular ones alike.

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
        return float(pooled_r(sums_within_folds(predictions[:, None], readout.values[:, None], folds))[0])
    return circular_correlation(predictions, readout.values, readout.period, readout.directed, folds)
