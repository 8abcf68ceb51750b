"""Recorded areas as representations: how well one area, animal or session predicts another.

What a recorded area predicts of other neurons is what a perfect model of it could, with as many neurons and as noisy:
a mark beside the layers of models, which are scored on the same stimuli, splits and targets.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.grams.representations import Representation
from ventral.mappings.standardisation import standardised
from ventral.outputs import packing
from ventral.recordings.ingestion import mean_responses
from ventral.recordings.time_bins import BASELINE, bins_of, columns_of, place_of, read_recording, time_order
from ventral.store import new_store

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

FAMILY = "recorded"


@dataclass(frozen=True)
class RecordedArea:
    """Neuroids that make one representation.

    Attributes
    ----------
    name : str
        The area, and the animal and bin of time where the recording has several: 'IT', 'IT, animal X', 'IT, 70-90'.
    area, animal : str
        `animal` is '' where it is not known.
    neuroids : (p,) integer array
        Which columns of the recording these are, as `ventral.recordings.time_bins.columns_of` has them.
    time_bin : str
        '' of an untimed recording.
    """

    name: str
    area: str
    animal: str
    neuroids: NDArray[np.intp]
    time_bin: str = ""


def recorded_gram(recording: str | Path, output: str | Path) -> None:
    """Write the Gram matrix of every area of a recording, in the form of `ventral.grams.streaming.gram`.

    An area's features are the mean responses of its neuroids over all repetitions, each standardised over stimuli:
    spike counts would weight a neuron by its rate. Neuroids that lack a stimulus are left out, and named. An area in a
    bin of time is a representation of its own.

    Parameters
    ----------
    recording : path
        Store of a recording of neuroids.
    output : path
        Zarr store to write, packed in one file. A layer is an area, of an animal where there are several; its `depth`
        is unknown (None), its `sample` has all neuroids. The attribute `layers` says of each its `area`, `animal` and
        `neuroids`, and, where the recording has bins of time, its `time_bin`.

    Raises
    ------
    InputError
        If the recording is of dissimilarity matrices, or no neuroid has responses to all stimuli.
    """
    from ventral.grams.streaming import write_layer

    responses = read_recording(recording)
    name = responses.attrs["recording"]
    if "dissimilarities" in responses:
        raise InputError(f"{recording}: recording {name} has dissimilarity matrices; responses of neuroids are needed")
    areas = recorded_areas(responses)
    values = mean_responses(responses).values
    layers = [
        {
            "name": area.name,
            "depth": None,
            "shape": [len(area.neuroids)],
            "n_features": len(area.neuroids),
            "area": area.area,
            "animal": area.animal,
            "neuroids": responses["neuroid"].values[area.neuroids].astype(str).tolist(),
            **({"time_bin": area.time_bin} if area.time_bin else {}),
        }
        for area in areas
    ]
    with packing(output) as unfinished, new_store(unfinished) as group:
        group.attrs.update(
            model=name,
            family=FAMILY,
            stimuli=responses.attrs["stimuli"],
            stimuli_sha256=responses.attrs["stimuli_sha256"],
            dtype="float64",
            simulated=bool(responses.attrs.get("simulated", False)),
            layers=layers,
        )
        for area, layer in zip(areas, layers, strict=True):
            of_area = representation_of(standardised(values[:, area.neuroids]))
            write_layer(group, layer, of_area.gram, of_area.row_sums, of_area.units, of_area.unit_features)
            logger.info("%s, %s: %d neuroids", name, area.name, len(area.neuroids))


def recorded_areas(responses: "xr.Dataset") -> list[RecordedArea]:
    """Return the areas of a recording in each bin, with the neuroids of each that can be used and have all stimuli.

    What came before the stimulus represents nothing.

    Raises
    ------
    InputError
        If there are none.
    """
    responses = columns_of(responses)
    name = responses.attrs["recording"]
    bin_of = bins_of(responses)
    ids, area_of = responses["neuroid"].values.astype(str), responses["area"].values.astype(str)
    animal_of = responses["animal"].values.astype(str) if "animal" in responses.coords else np.full(len(ids), "")
    usable = (responses["left_out"].values.astype(str) == "") & (bin_of != BASELINE)
    complete = np.isfinite(mean_responses(responses).values).all(axis=0)
    if (usable & ~complete).any():
        logger.warning(
            "recording %s: %d neuroids lack stimuli and are not part of their area's representation: %s",
            name,
            (usable & ~complete).sum(),
            ", ".join(map(place_of, ids[usable & ~complete], bin_of[usable & ~complete])),
        )
    several = len(np.unique(animal_of[usable])) > 1
    areas = []
    found = set(zip(area_of[usable], animal_of[usable], bin_of[usable], strict=True))
    for area, animal, time_bin in sorted(found, key=lambda place: (*place[:2], time_order(place[2]))):
        of_area = (area_of == area) & (animal_of == animal) & (bin_of == time_bin)
        members = np.flatnonzero(usable & complete & of_area)
        called = place_of(f"{area}, animal {animal}" if several and animal else area, time_bin)
        if len(members):
            areas.append(RecordedArea(called, area, animal, members, time_bin))
        else:
            logger.warning("recording %s: %s: no neuroid has all stimuli; it represents nothing", name, called)
    if not areas:
        raise InputError(
            f"recording {name}: no neuroid has responses to all stimuli, so none of its areas can stand for a model; "
            f"leave it out of `recorded_models` and `reverse`"
        )
    return areas


def representation_of(features: NDArray[np.float64]) -> Representation:
    """Return the representation that features (n, p) make, all of them kept."""
    p = features.shape[1]
    return Representation(features @ features.T, features.sum(axis=1), features, np.arange(p), p)


def area_and_bin(layer: Mapping) -> tuple[str, str]:
    """Return the area, of an animal where there are several, and the bin of time of a layer of `recorded_gram`."""
    time_bin = layer.get("time_bin", "")
    return layer["name"].removesuffix(place_of("", time_bin)), time_bin
