"""Predict targets on held-out stimuli with every mapping, as a Dask graph."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.grams.representations import Representation
from ventral.grams.streaming import UNITS_SAMPLED
from ventral.mappings.ols import NotDefinedError
from ventral.mappings.registry import MAPPINGS
from ventral.mappings.standardisation import largest_size, varies
from ventral.running.device_queue import DeviceQueue
from ventral.scores.ridges import NestedFits, TestSetFit, as_tensor, fitting_in_memory, queued_ridges
from ventral.targets.splits import Split
from ventral.targets.values import Targets, grouped_over_splits

logger = logging.getLogger(__name__)

# Stimuli times squared targets above which a GPU computes partial least squares faster than eight cores. A component
# then takes one core about 10 ms, and a GPU a hundred calls.
PLS_ON_GPU = 1e8


@dataclass(frozen=True)
class Options:
    """Options of the mappings that predict targets.

    Attributes
    ----------
    mappings : sequence of str
        Names from `MAPPINGS`; mappings that do not predict are ignored here.
    penalties : sequence of float
        Candidate penalties of ridge, in units of the mean squared distance of the feature vectors from their mean.
    components : int
        Number of components of partial least squares, shared by the neuroids of an area.
    queue : DeviceQueue or None
        Queue of the GPU that computes ridge regressions, and partial least squares of many targets; None on the CPU.
    """

    mappings: Sequence[str]
    penalties: Sequence[float]
    components: int = MAPPINGS["pls"].defaults["components"]
    queue: DeviceQueue | None = None


@dataclass(frozen=True)
class Predicted:
    """Predictions for the m scored stimuli of targets that have values for the same stimuli.

    Attributes
    ----------
    split, mapping : str
    targets : Targets
        Targets, with values for these m stimuli.
    rows : (m,) integer array
        Rows of these stimuli.
    folds : list of integer arrays
        Folds of the m stimuli; a single test set is one fold.
    predictions : (m, targets) array, delayed
    penalty : (folds, targets) array, delayed, or None
        Chosen penalties, for mappings with penalties.
    candidate : (folds, targets) integer array, delayed, or None
        Indices of the chosen penalties among the candidates.
    matched : (folds, targets) array, delayed, or None
        Held-out correlations with matched units, for mappings that match units.
    halves : pair of lists of integer arrays, or None
        Folds of each half of a single test set, as in `ventral.targets.splits.Split`.
    draw : int or None
        Number of the random draw of training and test sets, if there are several.
    """

    split: str
    mapping: str
    targets: Targets
    rows: NDArray[np.intp]
    folds: Sequence[NDArray[np.intp]]
    predictions: Delayed
    penalty: Delayed | None = None
    candidate: Delayed | None = None
    matched: Delayed | None = None
    halves: tuple[Sequence[NDArray[np.intp]], Sequence[NDArray[np.intp]]] | None = None
    draw: int | None = None

    def without_property(self, name: str) -> "Predicted":
        """Return the predictions without the property of a given name."""
        kept = np.flatnonzero((self.targets.kinds != "property") | (self.targets.names != name))
        if len(kept) == len(self.targets.names):
            return self
        arrays = {array: getattr(self, array) for array in ("predictions", "penalty", "candidate", "matched")}
        taken = {array: values[:, kept] for array, values in arrays.items() if values is not None}
        return replace(self, targets=self.targets.taken(kept, np.arange(len(self.rows))), **taken)


def predict(
    representation: Delayed | Representation,
    layer: Mapping,
    targets: Targets,
    splits: Mapping[str, Split],
    options: Options,
) -> list[Predicted]:
    """Predict targets from one representation, on every split and with every predicting mapping.

    A split by a numeric column does not predict the property of this name, because held-out groups have values that the
    fit never saw.

    Parameters
    ----------
    representation : Representation, delayed or not
        Graphs of a representation that is not delayed are built in a fraction of the time, and hold its arrays.
    layer : dict
        `name` and `n_features` of the layer.
    targets : Targets
        Targets, with values for all n stimuli.
    splits : dict of Split
        Splits by name.
    options : Options
    """
    penalties = _scaled(options.penalties, representation)
    questions = list(_questions(targets, splits))
    parts = [representation.select_stimuli(asked.rows) for asked in questions]
    ridges = [[]] * len(questions)
    if "ridge" in options.mappings:
        ridges = _ridges(representation, parts, layer, questions, penalties, options.queue)
    predicted = []
    for asked, part, of_asked in zip(questions, parts, ridges, strict=True):
        if isinstance(asked, _HeldOutInTurn):
            predicted += _held_out_in_turn(part, layer, asked, of_asked, options)
        else:
            predicted += _test_set_predicted(representation, layer, asked, of_asked, options)
    predicted = [part.without_property(splits[part.split].column) for part in predicted]
    return [part for part in predicted if len(part.targets.names)]


@dataclass(frozen=True)
class _HeldOutInTurn:
    """Targets that have values for the same stimuli, with these rows and their folds in each split."""

    group: Targets
    rows: NDArray[np.intp]
    folds: Mapping[str, Sequence[NDArray[np.intp]]]

    @property
    def fits(self) -> NestedFits:
        return NestedFits(self.rows, self.group.values, list(self.folds.values()))


@dataclass(frozen=True)
class _TestSet:
    """Targets that have values for the same stimuli, with these rows and one test set."""

    group: Targets
    rows: NDArray[np.intp]
    n: int
    split: Split
    draw: int | None

    @property
    def fits(self) -> TestSetFit:
        """Fit that uses the matrix of all n stimuli, so that no part is copied."""
        ((training, test),) = self.split.fits
        responses = np.full((self.n, len(self.group.names)), np.nan)
        responses[self.rows] = self.group.values
        inner = [self.rows[held] for held in self.split.inner[0]]
        return TestSetFit(responses, self.rows[training], self.rows[test], inner)


def _questions(targets: Targets, splits: Mapping[str, Split]) -> Iterator[_HeldOutInTurn | _TestSet]:
    """Yield the questions to every layer, for each group of targets with values for the same stimuli."""
    for group, rows, splits_of in grouped_over_splits(targets, splits):
        if folds := {name: split.folds for name, split in splits_of.items() if split.is_nested}:
            yield _HeldOutInTurn(group, rows, folds)
        for one_or_more in (split for split in splits_of.values() if not split.is_nested):
            for draw, one in enumerate(one_or_more.sets):
                yield _TestSet(group, rows, len(targets.values), one, draw if one.repeated else None)


def _ridges(
    representation: Delayed,
    parts: Sequence[Delayed],
    layer: Mapping,
    questions: Sequence[_HeldOutInTurn | _TestSet],
    penalties: Sequence[Delayed],
    queue: DeviceQueue | None,
) -> list[Sequence[Delayed]]:
    """Return the ridge regressions of each question as lists: one for each split, or one for a test set."""
    fits = [asked.fits for asked in questions]
    if queue is None:
        read = [part if isinstance(fit, NestedFits) else representation for part, fit in zip(parts, fits, strict=True)]
        return [
            fit.graphs(of.gram, _features(of, layer), layer["n_features"], penalties)
            for fit, of in zip(fits, read, strict=True)
        ]
    return queued_ridges(queue, representation.gram, penalties, fits)


def _held_out_in_turn(
    part: Delayed, layer: Mapping, asked: _HeldOutInTurn, ridges: Sequence[Delayed], options: Options
) -> list[Predicted]:
    """Predict all stimuli for a group of targets, each by the fit without its fold."""
    group, rows, folds_of = asked.group, asked.rows, asked.folds
    predicted = [
        Predicted(name, "ridge", group, rows, folds_of[name], ridge.predictions, ridge.penalty, ridge.candidate)
        for name, ridge in zip(folds_of, ridges, strict=bool(ridges))
    ]
    for mapping, given in _others(options).items():
        asked = _asked_of(mapping, group)
        for name, folds in folds_of.items():
            fit = _graph(options.queue, mapping, part, layer["name"], asked, folds, given)
            predicted.append(
                Predicted(name, mapping, asked, rows, folds, fit.predictions, matched=_matched(mapping, fit))
            )
    return predicted


def _test_set_predicted(
    representation: Delayed, layer: Mapping, asked: _TestSet, ridges: Sequence[Delayed], options: Options
) -> list[Predicted]:
    """Predict the test stimuli for a group of targets, by the fit on the training stimuli."""
    one, group, rows = asked.split, asked.group, asked.rows
    ((training, test),), every = one.fits, np.arange(len(group.names))
    scored = group.taken(every, test)
    of_set = partial(
        Predicted,
        one.name,
        targets=scored,
        rows=rows[test],
        folds=[np.arange(len(test))],
        halves=tuple([np.searchsorted(test, fold) for fold in half] for half in one.halves),
        draw=asked.draw,
    )
    row_of = delayed(np.atleast_2d, pure=False)
    predicted = [
        of_set(
            mapping="ridge",
            predictions=ridge.predictions,
            penalty=row_of(ridge.penalty),
            candidate=row_of(ridge.candidate),
        )
        for ridge in ridges
    ]
    fitted = np.union1d(training, test)
    of_fit, places = representation.select_stimuli(rows[fitted]), np.searchsorted(fitted, test)
    for mapping, given in _others(options).items():
        asked = _asked_of(mapping, group)
        targets = asked.taken(np.arange(len(asked.names)), fitted)
        fit = _graph(options.queue, mapping, of_fit, layer["name"], targets, [places], given)
        predicted.append(
            of_set(
                mapping=mapping,
                targets=asked.taken(np.arange(len(asked.names)), test),
                predictions=fit.predictions[places],
                matched=_matched(mapping, fit),
            )
        )
    return predicted


def _asked_of(mapping: str, group: Targets) -> Targets:
    """Return the targets that a mapping predicts: neurons alone if the mapping matches units with neurons."""
    if not MAPPINGS[mapping].matches:
        return group
    return group.taken(np.flatnonzero(group.kinds == "neuron"), np.arange(len(group.values)))


def _matched(mapping: str, fit: Delayed) -> Delayed | None:
    return fit.matched if MAPPINGS[mapping].matches else None


def _features(part: Delayed, layer: Mapping) -> Delayed | None:
    """Return all features of a layer if the store of Gram matrices holds them, else None."""
    return part.units if layer["n_features"] <= UNITS_SAMPLED else None


def _others(options: Options) -> dict[str, dict]:
    """Return the options of each mapping that predicts with a function of features, responses and folds."""
    declared = {mapping: MAPPINGS[mapping] for mapping in options.mappings if mapping in MAPPINGS}
    return {
        mapping: {name: getattr(options, name) for name in of.options}
        for mapping, of in declared.items()
        if of.predict is not None
    }


def _scaled(penalties: Sequence[float], representation: Delayed | Representation) -> list[Delayed] | list[float]:
    """Return the penalties in units of the Gram matrix."""
    if not isinstance(representation, Delayed):
        return [penalty_scale(representation.gram) * penalty for penalty in penalties]
    scale = delayed(penalty_scale, pure=False)(representation.gram)
    return [delayed(np.multiply, pure=False)(scale, penalty) for penalty in penalties]


def penalty_scale(gram: NDArray) -> float:
    """Return the mean squared distance of the feature vectors from their mean, the trace of the centred Gram / n.

    The result is 1 if the features do not vary between stimuli, where any penalty predicts the mean.
    """
    n = len(gram)
    scale = (np.trace(gram) - gram.sum() / n) / n
    return float(scale) if varies(scale, largest_size(gram)) else 1.0


@dataclass(frozen=True)
class _Fit:
    """Predictions (n, targets) by a mapping, with the `matched` of `Predicted`."""

    predictions: NDArray
    matched: NDArray | None = None


def _graph(
    queue: DeviceQueue | None, mapping: str, part: Delayed, layer: str, targets: Targets, folds, options: Mapping
) -> Delayed:
    """Return a delayed `_Fit` of a mapping, on a GPU if that is available and faster."""
    arguments = mapping, part, layer, targets, folds, options
    if queue is None or mapping != "pls" or not _is_faster_on_gpu(targets, queue.device):
        return delayed(_fit, pure=False)(*arguments)
    return queue.task(_fit, *arguments)


def _is_faster_on_gpu(targets: Targets, device: str) -> bool:
    from ventral.running.devices import has_fast_float64

    n, t = len(targets.values), max(map(len, _fitted_together(targets)), default=0)
    return n * min(n, t) ** 2 >= PLS_ON_GPU and has_fast_float64(device)


def _fit(
    mapping: str,
    representation: Representation,
    layer: str,
    targets: Targets,
    folds,
    options: Mapping,
    device: str | None = None,
) -> _Fit:
    """Return the predictions of a mapping, computing partial least squares on a device if given."""
    declared, responses = MAPPINGS[mapping], targets.values
    if mapping == "pls":
        _warn_of_fewer_components(representation, layer, responses, folds, **options)
    try:
        if declared.needs_all and not representation.has_all_features:
            raise NotDefinedError(f"least squares needs fewer features than stimuli: {representation.n_features}")
        features = representation.gram if declared.reads == "gram" else representation.units
        if device is not None:
            return _Fit(_pls_on_device(features, targets, folds, device, **options))
        if not declared.joint:
            return _Fit(declared.predict(features, responses, folds, *options.values()))
        predictions, matched = np.empty(responses.shape), np.empty((len(folds), responses.shape[1]))
        for columns in _fitted_together(targets):
            found = declared.predict(features, responses[:, columns], folds, *options.values())
            predictions[:, columns], matched[:, columns] = found if declared.matches else (found, np.nan)
        return _Fit(predictions, matched)
    except NotDefinedError as reason:
        logger.warning("layer %s: no %s: %s", layer, mapping, reason)
        return _Fit(np.full(responses.shape, np.nan))


def _pls_on_device(gram: NDArray, targets: Targets, folds, device: str, components: int) -> NDArray:
    from ventral.mappings.pls_on_device import pls_predictions_on_device

    predictions = np.empty(targets.values.shape)
    with fitting_in_memory(len(gram), device):
        of_device = as_tensor(gram, device)
        for columns in _fitted_together(targets):
            found = pls_predictions_on_device(of_device, targets.values[:, columns], folds, components)
            predictions[:, columns] = found
    return predictions


def _warn_of_fewer_components(
    representation: Representation, layer: str, responses: NDArray, folds, components: int
) -> None:
    fewest = len(responses) - max(map(len, folds)) - 1
    if components > min(representation.n_features, fewest):
        logger.warning(
            "layer %s: pls has %d components, fewer than the requested %d, because there are %d features and %d "
            "training stimuli",
            layer,
            min(representation.n_features, fewest),
            components,
            representation.n_features,
            fewest + 1,
        )


def _fitted_together(targets: Targets) -> list[NDArray]:
    """Return groups of targets that share components: the neuroids of an area in a time bin, or one property."""
    of_area = [
        np.flatnonzero((targets.kinds == "neuron") & (targets.areas == area) & (targets.time_bins == time_bin))
        for area, time_bin in sorted(set(zip(targets.areas, targets.time_bins, strict=True)))
    ]
    others = [np.array([column]) for column in np.flatnonzero(targets.kinds != "neuron")]
    return [columns for columns in of_area if len(columns)] + others
