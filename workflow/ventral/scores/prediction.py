"""Predictions of targets for stimuli that were held out of the fit, by every mapping, as a Dask graph."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.grams.representations import Representation
from ventral.grams.streaming import UNITS_SAMPLED
from ventral.mappings.ols import NotDefinedError
from ventral.mappings.registry import MAPPINGS
from ventral.mappings.ridge_features import cheaper_graphs
from ventral.mappings.standardisation import varies
from ventral.targets.values import Targets, grouped_over_splits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How targets are predicted.

    Attributes
    ----------
    mappings : sequence of str
        Those of `MAPPINGS` that predict, and others, which are left to others.
    penalties : sequence of float
        Candidates of ridge, times the mean squared distance of the feature vectors from their mean.
    components : int
        Of partial least squares, which the neuroids of an area share.
    """

    mappings: Sequence[str]
    penalties: Sequence[float]
    components: int = MAPPINGS["pls"].defaults["components"]


@dataclass(frozen=True)
class Predicted:
    """Predictions of the targets that have values for the same stimuli.

    Attributes
    ----------
    split, mapping : str
    targets : Targets
        Their values of these m stimuli.
    rows : (m,) integer array
        Which stimuli these are.
    folds : list of integer arrays
        Folds among the m stimuli.
    predictions : (m, targets) array, delayed
    penalty : (folds, targets) array, delayed, or None
        Chosen penalties, of mappings that have one.
    candidate : (folds, targets) integer array, delayed, or None
        Their places among the candidates.
    """

    split: str
    mapping: str
    targets: Targets
    rows: NDArray[np.intp]
    folds: Sequence[NDArray[np.intp]]
    predictions: Delayed
    penalty: Delayed | None = None
    candidate: Delayed | None = None


def predict(
    representation: Delayed, layer: Mapping, targets: Targets, folds: Mapping[str, Sequence[NDArray]], options: Options
) -> list[Predicted]:
    """Predict targets from one representation, on every split and by every mapping that predicts.

    Parameters
    ----------
    representation : Representation, delayed
    layer : dict
        Its `name` and `n_features`.
    targets : Targets
        Of all n stimuli.
    folds : dict of lists of integer arrays
        Folds of each split.
    options : Options
    """
    scale = delayed(penalty_scale, pure=False)(representation.gram)
    penalties = [delayed(np.multiply, pure=False)(scale, penalty) for penalty in options.penalties]
    predicted = []
    for group, rows, folds_of in grouped_over_splits(targets, folds):
        part = representation.select_stimuli(rows) if len(rows) < len(targets.values) else representation
        if "ridge" in options.mappings:
            features = part.units if layer["n_features"] <= UNITS_SAMPLED else None
            ridges = cheaper_graphs(
                part.gram, features, layer["n_features"], penalties, group.values, list(folds_of.values())
            )
            predicted += [
                Predicted(
                    split, "ridge", group, rows, folds_of[split], ridge.predictions, ridge.penalty, ridge.candidate
                )
                for split, ridge in zip(folds_of, ridges, strict=True)
            ]
        for mapping in options.mappings:
            declared = MAPPINGS.get(mapping)
            if declared is None or declared.predict is None:
                continue
            given = {name: getattr(options, name) for name in declared.options}
            for split, of_split in folds_of.items():
                predictions = delayed(_predictions, pure=False)(mapping, part, layer["name"], group, of_split, given)
                predicted.append(Predicted(split, mapping, group, rows, of_split, predictions))
    return predicted


def penalty_scale(gram: NDArray) -> float:
    """Return the mean squared distance of the feature vectors from their mean, trace of the centred Gram / n.

    1 where the features do not vary between stimuli: any penalty then predicts the mean.
    """
    n = len(gram)
    scale = (np.trace(gram) - gram.sum() / n) / n
    return float(scale) if varies(scale, np.abs(gram).max()) else 1.0


def _predictions(
    mapping: str, representation: Representation, layer: str, targets: Targets, folds, options: Mapping
) -> NDArray:
    declared, responses = MAPPINGS[mapping], targets.values
    if mapping == "pls":
        _warn_of_fewer_components(representation, layer, responses, folds, **options)
    try:
        if declared.needs_all and not representation.has_all_features:
            raise NotDefinedError(f"least squares needs fewer features than stimuli: {representation.n_features}")
        features = representation.gram if declared.reads == "gram" else representation.units
        if not declared.joint:
            return declared.predict(features, responses, folds, *options.values())
        predictions = np.empty(responses.shape)
        for columns in _fitted_together(targets):
            predictions[:, columns] = declared.predict(features, responses[:, columns], folds, *options.values())
        return predictions
    except NotDefinedError as reason:
        logger.warning("layer %s: no %s: %s", layer, mapping, reason)
        return np.full(responses.shape, np.nan)


def _warn_of_fewer_components(
    representation: Representation, layer: str, responses: NDArray, folds, components: int
) -> None:
    fewest = len(responses) - max(map(len, folds)) - 1
    if components > min(representation.n_features, fewest):
        logger.warning(
            "layer %s: pls has %d components, fewer than the %d asked for: there are %d features and %d stimuli "
            "in training",
            layer,
            min(representation.n_features, fewest),
            components,
            representation.n_features,
            fewest + 1,
        )


def _fitted_together(targets: Targets) -> list[NDArray]:
    """Return the targets that share components: the neuroids of an area in a bin; each property has its own."""
    of_area = [
        np.flatnonzero((targets.kinds == "neuron") & (targets.areas == area) & (targets.time_bins == time_bin))
        for area, time_bin in sorted(set(zip(targets.areas, targets.time_bins, strict=True)))
    ]
    others = [np.array([column]) for column in np.flatnonzero(targets.kinds != "neuron")]
    return [columns for columns in of_area if len(columns)] + others
