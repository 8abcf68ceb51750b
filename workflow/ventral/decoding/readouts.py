"""Read labels and properties of stimuli linearly from a few standardised units.

A linear support vector machine reads labels, and ridge regression reads properties, circular ones as sine and cosine.
Neither the fit nor the choice of its penalty or C sees the stimuli that are read.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
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
from ventral.targets.splits import FEWEST_FOLDS, Split
from ventral.targets.values import labels_of, nested_alone, properties, splits_of

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

ACCURACY, CORRELATION, CIRCULAR = "balanced accuracy", "r", "circular r"


@dataclass(frozen=True)
class Readout:
    """One label or property to read on the held-out stimuli of one split.

    Attributes
    ----------
    target : str
        Name of the label or property.
    kind : str
        'category' for a label, as in the score table, or 'property'.
    split : str
        Name of the split.
    values : (n,) array
        Labels as text, or numbers with NaN for missing values.
    folds : sequence of integer arrays
        Rows of the stimuli with a value in each fold.
    period : float or None
        Period of a circular property, after which values repeat.
    directed : bool
        True if a circular property has a mean direction.
    chance : float
        Score of an uninformative representation.
    groups : tuple of str
        Names of the groups of stimuli that each fold holds out; empty if folds are not groups, and for properties.
    """

    target: str
    kind: str
    split: str
    values: NDArray
    folds: Sequence[NDArray]
    period: float | None = None
    directed: bool = True
    chance: float = 0.0
    groups: tuple[str, ...] = ()

    @property
    def measure(self) -> str:
        """Name of the score: balanced accuracy, Pearson's r, or the circular correlation."""
        return ACCURACY if self.kind == "category" else CIRCULAR if self.period else CORRELATION


def readouts_of(
    stimulus_set: "xr.Dataset", splits: Sequence[str], n_folds: int, seed: int, periods: Mapping[str, float]
) -> list[Readout]:
    """Return the readouts of a stimulus set: its properties, and its labels if every fit sees each label.

    Parameters
    ----------
    stimulus_set : Dataset
        Store of the stimuli.
    splits, n_folds, seed, periods
        As for `decode`. A property with values in fewer than three folds is left out with a warning. A split by a
        numeric column does not read this column as a property.
    """
    of_stimuli = properties(stimulus_set)
    made = splits_of(stimulus_set, splits, n_folds, seed)
    readouts = []
    for split, nested in nested_alone(made, f"stimuli {stimulus_set.attrs['name']}").items():
        folds = nested.folds
        readouts += _labels_read(stimulus_set, split, nested)
        for name, values in zip(of_stimuli.names, of_stimuli.values.T, strict=True):
            if name == nested.column:
                continue
            present = [fold[np.isfinite(values[fold])] for fold in folds]
            present = [fold for fold in present if len(fold)]
            period = periods.get(name)
            if len(present) < FEWEST_FOLDS:
                logger.warning("%s: not decoded on held-out %s: only %d folds have values", name, split, len(present))
            else:
                directed = period is None or has_direction(values, period)
                readouts.append(Readout(name, "property", split, values, present, period, directed))
    if not readouts:
        logger.warning(
            "stimuli %s: nothing is decoded, because labels that differ and properties are missing",
            stimulus_set.attrs["name"],
        )
    return readouts


def labels_to_read(
    stimulus_set: "xr.Dataset", splits: Sequence[str | Mapping], n_folds: int, seed: int
) -> list[Readout]:
    """Return the readouts of the labels of a stimulus set alone; parameters are as for `readouts_of`."""
    made = splits_of(stimulus_set, splits, n_folds, seed)
    nested = nested_alone(made, f"stimuli {stimulus_set.attrs['name']}")
    return [readout for split, folds in nested.items() for readout in _labels_read(stimulus_set, split, folds)]


def _labels_read(stimulus_set: "xr.Dataset", name: str, split: Split) -> Iterator[Readout]:
    """Yield the labels of which every fit sees each value that its fold holds out."""
    for label, values in labels_of(stimulus_set).items():
        n_labels = len(np.unique(values))
        if n_labels > 1 and all(np.isin(values[fold], np.delete(values, fold)).all() for fold in split.folds):
            yield Readout(label, "category", name, values, split.folds, chance=1 / n_labels, groups=split.groups)


def gram_of_labels(units: NDArray[np.float64], readouts: Sequence[Readout]) -> NDArray[np.float64] | None:
    """Return the Gram matrix (n, n) of units (n, u) for reading labels, or None if no label is read."""
    return units @ units.T if any(readout.kind == "category" for readout in readouts) else None


def costs_of_labels(gram: NDArray[np.float64] | None, readouts: Sequence[Readout]) -> list[NDArray | None]:
    """Return C (folds,) for each label, chosen within training stimuli, or None for properties.

    Parameters
    ----------
    gram : (n, n) array, or None
        Gram matrix from `gram_of_labels`.
    readouts : sequence of Readout
        Labels and properties to read.
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
    """Predict the value of each held-out stimulus by the fit without its fold.

    Parameters
    ----------
    units : (n, u) array
        Standardised units.
    gram : (n, n) array, or None
        Gram matrix from `gram_of_labels`.
    readouts : sequence of Readout
        Labels and properties to read.
    penalties : sequence of float
        Candidate penalties, in units of the mean squared distance of the stimuli's vectors from their mean.
    costs : sequence of (folds,) arrays, or None
        C from `costs_of_labels`, for these units or other units of the same population.

    Returns
    -------
    list of (n,) arrays
        Predicted labels or numbers for each readout; '' or NaN if missing.
    """
    predictions: list[NDArray] = [np.full(len(units), np.nan) for _ in readouts]
    together: dict[tuple, list[int]] = {}
    for k, readout in enumerate(readouts):
        if readout.kind == "category":
            predictions[k] = svm_predictions(gram, readout.values, readout.folds, costs[k])
        else:
            # Properties with the same held-out stimuli share the fit's matrices.
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
    # Draws and layers already run in parallel, so a task's own fits run one after the other.
    (result,) = dask.compute(*graphs, scheduler="synchronous")
    return result.predictions


def score(readout: Readout, predictions: NDArray, folds: Sequence[NDArray]) -> float:
    """Return the score of a readout's predictions.

    Balanced accuracy is averaged over folds. Correlations follow the score table: predictions and values are centred
    within folds and pooled (`ventral.mappings.correlation.pooled_r`), also for circular properties.

    Parameters
    ----------
    readout : Readout
        Label or property that was read.
    predictions : (n,) array
        Predictions from `predict`.
    folds : sequence of integer arrays
        Folds of the readout, or bootstrap samples of each fold.
    """
    if readout.kind == "category":
        return balanced_accuracy(readout.values, predictions, folds)
    if readout.period is None:
        return float(pooled_r(sums_within_folds(predictions[:, None], readout.values[:, None], folds))[0])
    return circular_correlation(predictions, readout.values, readout.period, readout.directed, folds)
