"""Make representations of recorded areas, to test how well one area, animal or session predicts another.

A recorded area predicts other neurons as well as a perfect model of the area with equally many, equally noisy neurons.
Its score is a reference for the layers of models, which are scored on the same stimuli, splits and targets.
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
    """Neuroids that form one representation.

    Attributes
    ----------
    name : str
        Name of the area, with animal and time bin if the recording has several: 'IT', 'IT, animal X', 'IT, 70-90'.
    area, animal : str
        Names of area and animal; `animal` is '' if unknown.
    neuroids : (p,) integer array
        Columns of the recording, numbered as in `ventral.recordings.time_bins.columns_of`.
    time_bin : str
        Name of the time bin; '' for a recording without time bins.
    """

    name: str
    area: str
    animal: str
    neuroids: NDArray[np.intp]
    time_bin: str = ""


def recorded_gram(recording: str | Path, output: str | Path) -> None:
    """Write the Gram matrix of every area of a recording, in the form of `ventral.grams.streaming.gram`.

    An area's features are the mean responses of its neuroids over all repetitions. Each neuroid is standardised over
    stimuli, because spike counts would weight a neuron by its rate. Neuroids with missing stimuli are left out and
    named in the log. An area has a separate representation in each time bin.

    Parameters
    ----------
    recording : path
        Store of a recording of neuroids.
    output : path
        Zarr store to write, packed in one file. Each layer is an area, or an area of one animal if there are several
        animals. Its `depth` is None, and its `sample` has all neuroids. The attribute `layers` lists `area`, `animal`
        and `neuroids` of each layer, and `time_bin` if the recording has time bins.

    Raises
    ------
    InputError
        If the recording has dissimilarity matrices or behaviour, or if no neuroid has responses to all stimuli.
    """
    from ventral.grams.streaming import write_layer

    responses = read_recording(recording)
    name = responses.attrs["recording"]
    if "responses" not in responses:
        content = "dissimilarity matrices" if "dissimilarities" in responses else "behaviour"
        raise InputError(f"{recording}: recording {name} has {content}; responses of neuroids are needed")
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
    """Return the areas of a recording in each time bin, with their usable neuroids that have all stimuli.

    Time bins before the stimulus are skipped, because their responses represent nothing.

    Raises
    ------
    InputError
        If there is no such area.
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
            "recording %s: %d neuroids have missing stimuli and are left out of their area's representation: %s",
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
            logger.warning("recording %s: %s: no neuroid has all stimuli; this area is left out", name, called)
    if not areas:
        raise InputError(
            f"recording {name}: no neuroid has responses to all stimuli, so none of its areas can serve as a model; "
            f"leave {name} out of `recorded_models` and `reverse`"
        )
    return areas


def representation_of(features: NDArray[np.float64]) -> Representation:
    """Return the representation made of features (n, p), keeping all of them."""
    p = features.shape[1]
    return Representation(features @ features.T, features.sum(axis=1), features, np.arange(p), p)


def area_and_bin(layer: Mapping) -> tuple[str, str]:
    """Return the area, with animal if there are several, and the time bin of a layer of `recorded_gram`."""
    time_bin = layer.get("time_bin", "")
    return layer["name"].removesuffix(place_of("", time_bin)), time_bin
