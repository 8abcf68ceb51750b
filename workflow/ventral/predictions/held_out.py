"""Write the held-out predictions behind the scores of chosen layers, with the responses, to one labelled store."""

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from dask.delayed import delayed
from numpy.typing import NDArray

from ventral.grams.representations import read_representation
from ventral.mappings.registry import MAPPINGS, predicting
from ventral.outputs import writing
from ventral.predictions.size import bytes_of_predictions
from ventral.readouts.making import best_places, ridge_scores, taken_layers
from ventral.recordings.time_bins import read_recording
from ventral.running.device_queue import device_queue
from ventral.running.parallel import compute, computing
from ventral.running.progress import Progress
from ventral.scores.prediction import Options, Predicted, predict
from ventral.store import changing, create_array, open_store, write_dataset
from ventral.targets.benchmark import read_stimuli
from ventral.targets.splits import Split
from ventral.targets.values import Targets, neurons, splits_of

logger = logging.getLogger(__name__)

# Number of stimuli, and of neuroids, in a chunk.
PER_CHUNK = 1024
# Axes that a store leaves out if they have a single place.
WHERE_SEVERAL = ("layer", "mapping")
NAMES_OF_ARRAYS = ("predicted", "measured", "penalty", "held_out")
NOT_SCORED = -1
# Axes that a file spans completely.
OF_A_FILE = ("held_out", "stimulus", "neuroid")
# Attributes that a store copies from the Gram matrices.
OF_THE_MODEL = ("model", "family", "stimuli", "stimuli_sha256", "weights_sha256")


@dataclass(frozen=True)
class Axes:
    """Labels along the axes of a store of predictions.

    Attributes
    ----------
    layers, mappings : list of str
        Names of layers and mappings.
    splits : dict of Split
        Splits by name.
    targets : Targets
        Neuroids, in each time bin.
    """

    layers: list[str]
    mappings: list[str]
    splits: Mapping[str, Split]
    targets: Targets

    @property
    def folds(self) -> dict[str, list[NDArray[np.intp]]]:
        """Folds by place along the axis `split`; each random draw of a split has a separate place."""
        folds = {}
        for name, split in self.splits.items():
            of_draws = {place_of_split(name, draw): [fold] for draw, fold in enumerate(split.folds)}
            folds |= of_draws if split.repeated else {name: split.folds}
        return folds

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each axis, in the order of a store's axes."""
        return {
            "layer": len(self.layers),
            "mapping": len(self.mappings),
            "split": len(self.folds),
            "held_out": max(map(len, self.folds.values())),
            "stimulus": len(self.targets.values),
            "neuroid": len(self.targets.names),
        }

    def kept(self, *names: str) -> dict[str, int]:
        """Return the axes among `names` that a stored array has, with their sizes."""
        sizes = self.sizes
        return {name: sizes[name] for name in names if name not in WHERE_SEVERAL or sizes[name] != 1}


def place_of_split(split: str, draw: int | None) -> str:
    """Return the name of a place along the axis `split`: the split, or its random draw numbered from 1."""
    return split if draw is None else f"{split}, draw {draw + 1}"


def predictions(
    gram: str | Path,
    recording: str | Path,
    stimuli: str | Path,
    scores: str | Path,
    output: str | Path,
    *,
    layers: str | Sequence[str],
    mappings: Sequence[str],
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    components: int = MAPPINGS["pls"].defaults["components"],
    reliability_threshold: float,
    cores: int = 1,
    device: str = "cpu",
) -> None:
    """Write predictions of a model's layers for held-out stimuli, with the measured responses.

    The fits are those of the score table, and r of these predictions is the table's `r`.

    Parameters
    ----------
    gram, recording, stimuli : paths
        Stores of the model's Gram matrices, of the recording, and of the stimuli of both.
    scores : path
        Score table of this model and recording.
    output : path
        Store to write, which `xarray.open_zarr` opens. `predicted` (layer, mapping, split, stimulus, neuroid) is NaN
        for stimuli that are not scored. `measured` (stimulus, neuroid) is the mean response. `penalty` (layer, split,
        held_out, neuroid) is that of ridge regression for each held-out fold. These three arrays are float64. An axis
        `layer` or `mapping` with a single place is left out, and its name remains as a coordinate. A neuroid has a
        place for each time bin. `fold` (split, stimulus) is the fold of each stimulus, or -1 outside all folds. A split
        of random draws has a place for each draw.
    layers : str or sequence of str
        `best`, the layer with the highest score for each area and time bin, from `ventral.readouts.making.best_places`;
        `all`; or names of layers.
    mappings, splits, n_folds, seed, penalties, components
        As for `ventral.scores.fitting.fit`.
    reliability_threshold : float
        As for `ventral.statistics.best_layers.best_layers`.
    cores : int
        Threads that Dask spreads splits and penalties over.
    device : str
        As for `ventral.scores.fitting.fit`.

    Raises
    ------
    InputError
        If the stores do not fit together, the stimuli do not allow a split, or a named layer is missing. Also if the
        device is missing or its memory does not suffice.
    """
    queue = device_queue(device)
    grams = open_store(gram)
    stimulus_set, responses = read_stimuli(stimuli, [recording, gram]), read_recording(recording)
    model, targets = grams.attrs["model"], neurons(responses)
    best = best_places(ridge_scores(scores), reliability_threshold, seed)
    taken = taken_layers(layers, grams.attrs["layers"], best, model, "predictions")
    made = splits_of(stimulus_set, splits, n_folds, seed)
    axes = Axes([layer["name"] for layer in taken], predicting(mappings), made, targets)
    sizes = len(taken), len(axes.mappings), len(axes.folds)
    n_bytes = bytes_of_predictions(len(targets.values), len(targets.names), *sizes)
    logger.info(
        "predictions of %d layers for %d neuroids and %d stimuli, by %s, on %s: %.3g MB",
        len(taken),
        len(targets.names),
        len(targets.values),
        ", ".join(axes.mappings),
        ", ".join(made),
        n_bytes / 1e6,
    )
    attributes = {name: grams.attrs.get(name) for name in OF_THE_MODEL} | {"recording": responses.attrs["recording"]}
    known = {name: value for name, value in attributes.items() if value is not None}
    options = Options(axes.mappings, penalties, components, queue)
    with writing(output) as unfinished, computing(cores):
        write_dataset(labels(axes, taken, best, stimulus_set).assign_attrs(known), unfinished)
        with changing(unfinished) as store:
            fill(store, axes, gram, taken, options)
            _consolidate(store)


def fill(store: zarr.Group, axes: Axes, gram: str | Path, layers: Sequence[Mapping], options: Options) -> None:
    """Add the arrays to a store of predictions, one layer at a time.

    Parameters
    ----------
    store : zarr.Group
        Store that has the coordinates already.
    axes : Axes
        Labels along the axes.
    gram : path
        Store of the model's Gram matrices.
    layers : sequence of dicts
        The `name` and `n_features` of each chosen layer.
    options : Options
        Options of the mappings.
    """
    _new_array(store, "measured", axes.kept("stimulus", "neuroid"))[...] = axes.targets.values
    predicted = _new_array(store, "predicted", axes.kept("layer", "mapping", "split", "stimulus", "neuroid"))
    if "ridge" in axes.mappings:
        penalty = _new_array(store, "penalty", axes.kept("layer", "split", "held_out", "neuroid"))
    progress = Progress("predictions", len(layers), "layers")
    for number, layer in enumerate(layers):
        representation = delayed(read_representation, pure=False)(str(gram), layer["name"])
        parts = predict(representation, layer, axes.targets, axes.splits, options)
        graph = delayed([(part.predictions, part.penalty) for part in parts], pure=False)
        (values,) = compute([graph], progress)
        place = number if len(layers) > 1 else ...
        predicted[place] = predictions_of_layer(axes, parts, [found for found, _ in values])
        if "ridge" in axes.mappings:
            penalty[place] = penalties_of_layer(axes, parts, [chosen for _, chosen in values])


def labels(axes: Axes, layers: Sequence[Mapping], best: Mapping[str, Sequence[str]], stimuli: xr.Dataset) -> xr.Dataset:
    """Return the coordinates of a store of predictions.

    Parameters
    ----------
    axes : Axes
        Labels along the axes.
    layers : sequence of dicts
        The `name` and `depth` of each layer.
    best : mapping of sequences of str
        Areas with their time bins, by best layer.
    stimuli : Dataset
        Names and columns of the stimuli. A column with the name of another coordinate gets the prefix `stimulus_`.
    """
    targets = axes.targets
    named = {
        "layer": ("layer", np.array(axes.layers, object)),
        "depth": ("layer", np.array([layer["depth"] for layer in layers], float)),
        "best_of": ("layer", np.array(["; ".join(best.get(name, [])) for name in axes.layers], object)),
        "mapping": ("mapping", np.array(axes.mappings, object)),
        "split": ("split", np.array(list(axes.folds), object)),
        "fold": (("split", "stimulus"), numbers_of_folds(axes)),
        "neuroid": ("neuroid", targets.names.astype(object)),
        "area": ("neuroid", targets.areas.astype(object)),
        "time_bin": ("neuroid", targets.time_bins.astype(object)),
    }
    columns = {name: column for name, column in stimuli.coords.items() if column.dims == ("stimulus",)}
    for name in sorted(columns.keys() & {*named, *NAMES_OF_ARRAYS}):
        columns[_named_apart(name, columns)] = columns.pop(name)
    named |= {name: ("stimulus", column.values) for name, column in columns.items()}
    return xr.Dataset(coords=named).squeeze([name for name in WHERE_SEVERAL if axes.sizes[name] == 1])


def numbers_of_folds(axes: Axes) -> NDArray[np.intp]:
    """Return the number of each stimulus's fold in each split (splits, n), or -1 outside all folds."""
    numbers = np.full((len(axes.folds), len(axes.targets.values)), NOT_SCORED)
    for of_split, folds in zip(numbers, axes.folds.values(), strict=True):
        for number, fold in enumerate(folds):
            of_split[fold] = number
    return numbers


def predictions_of_layer(
    axes: Axes, parts: Sequence[Predicted], predictions: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return the predictions of a layer, with the axes mapping (if several), split, stimulus and neuroid.

    Parameters
    ----------
    axes : Axes
        Labels along the axes.
    parts : sequence of Predicted
        Targets, stimuli, split and mapping of each array of predictions.
    predictions : sequence of (m, targets) arrays
        Computed predictions.
    """
    values = np.full((len(axes.mappings), len(axes.folds), *axes.targets.values.shape), np.nan)
    splits = list(axes.folds)
    for part, of_part in zip(parts, predictions, strict=True):
        place = values[axes.mappings.index(part.mapping), splits.index(place_of_split(part.split, part.draw))]
        # Stimuli outside all folds are not scored.
        scored = np.concatenate(part.folds)
        place[np.ix_(part.rows[scored], _columns(part, axes))] = of_part[scored]
    return values[0] if len(axes.mappings) == 1 else values


def penalties_of_layer(
    axes: Axes, parts: Sequence[Predicted], penalties: Sequence[NDArray[np.float64] | None]
) -> NDArray[np.float64]:
    """Return the penalties (splits, folds, neuroids) of a layer; NaN for folds in which a neuroid has no response.

    Parameters
    ----------
    axes : Axes
        Labels along the axes.
    parts : sequence of Predicted
        Targets, folds and split of each array of penalties.
    penalties : sequence of (folds, targets) arrays or None
        Computed penalties; None for a mapping without penalties.
    """
    sizes = axes.sizes
    values = np.full((sizes["split"], sizes["held_out"], sizes["neuroid"]), np.nan)
    splits, numbers = list(axes.folds), numbers_of_folds(axes)
    for part, of_part in zip(parts, penalties, strict=True):
        if of_part is not None:
            split = splits.index(place_of_split(part.split, part.draw))
            held_out = [numbers[split, part.rows[fold[0]]] for fold in part.folds]
            values[split][np.ix_(held_out, _columns(part, axes))] = of_part
    return values


def _columns(part: Predicted, axes: Axes) -> NDArray[np.intp]:
    return axes.targets.places_of(part.targets.names, part.targets.time_bins)


def _named_apart(name: str, taken: Collection[str]) -> str:
    """Prefix the name of a column with `stimulus_` until the name is unique."""
    name = f"stimulus_{name}"
    return _named_apart(name, taken) if name in taken else name


def _consolidate(store: zarr.Group) -> None:
    """Consolidate the metadata at the top of a store, without which `xarray.open_zarr` warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
        zarr.consolidate_metadata(store.store)


def _new_array(store: zarr.Group, name: str, sizes: Mapping[str, int]) -> zarr.Array:
    """Create an array over axes of given sizes, with one file for each split, layer and mapping."""
    alone = tuple(size if axis in OF_A_FILE else 1 for axis, size in sizes.items())
    chunks = tuple(min(size, PER_CHUNK) for size in alone)
    return create_array(store, name, tuple(sizes.values()), "float64", chunks, alone, dimension_names=tuple(sizes))
