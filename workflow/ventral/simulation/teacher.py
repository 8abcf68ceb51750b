"""Describe and run the teacher of a simulated recording: the network whose layers make its neurons."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError, nearest
from ventral.models.zoo import check_model, resolve_model
from ventral.provenance import read_description
from ventral.recordings.time_bins import bins_between
from ventral.simulation.neurons import FIELDS, MARK, WHOLE
from ventral.stimuli.places import as_list

if TYPE_CHECKING:
    import zarr


def resolve_simulation(spec: dict, models: Mapping[str, dict], name: str) -> dict:
    """Return the complete description of a simulated recording.

    Parameters
    ----------
    spec : dict
        Options of the recording. `teacher` is the name of a model, or a mapping with its `architecture` and other
        options of `resolve_model`. `areas` gives each area its `layer` by name, its number of `neuroids`, and `field`,
        which is optional for areas in `FIELDS`. With `time_bins`, `layer` may name one layer for each bin. The rest are
        `repetitions`, `fano`, `spikes` and `seed`.
    models : dict of dict
        Models scored against the recording, from `resolve_model`, by name.
    name : str
        Name of the recording.

    Returns
    -------
    dict
        `spec` with `teacher` from `resolve_model` and a `field` for each area.

    Raises
    ------
    InputError
        If the recording's name lacks the word `simulated`, the teacher is also a scored model, or an area's layer or
        field is missing. Also if bins of time are wrong, or are not as many as an area's layers.
    """
    key = f"recordings.{name}.simulate"
    if MARK not in name:
        raise InputError(
            f"config key recordings.{name}: the name of a recording made with `simulate` must contain `{MARK}`, so "
            f"that no table or figure presents it as measured; rename the recording to `{MARK}_{name}`"
        )
    teacher = _resolved_teacher(spec["teacher"], f"{key}.teacher")
    for model, description in models.items():
        if _is_same_network(description, teacher):
            raise InputError(
                f"config key {key}.teacher: the model `{model}` is the same network, {teacher['architecture']} with "
                f"the same weights; a teacher scored against its own neurons does not test a model. Take "
                f"`{model}` out of `models`, or name another teacher"
            )
    n_bins = len(bins_between(spec["time_bins"], f"config key {key}.time_bins").names) if spec.get("time_bins") else 0
    areas = {
        area: _resolved_area(area, options, n_bins, f"{key}.areas.{area}") for area, options in spec["areas"].items()
    }
    return {**spec, "teacher": teacher, "areas": areas}


def check(spec: dict, key: str) -> None:
    """Check the teacher's options without loading the network.

    Parameters
    ----------
    spec : dict
        Description of the recording, from `resolve_simulation`.
    key : str
        Config key of `spec`, for messages.

    Raises
    ------
    InputError
        As for `ventral.models.zoo.check_model`.
    """
    with _said_of(spec["teacher"], f"{key}.teacher"):
        check_model(spec["teacher"])


def describe_teacher(spec: dict, output: str | Path, *, name: str) -> None:
    """Write a description of the teacher and its layers, as for models, and check the areas' layers.

    Parameters
    ----------
    spec : dict
        Description of the recording, from `resolve_simulation`.
    output : path
        JSON file to write.
    name : str
        Name of the recording.

    Raises
    ------
    InputError
        If the teacher cannot be loaded, or if a layer is missing.
    """
    from ventral.models.description import describe
    from ventral.outputs import writing

    key = f"recordings.{name}.simulate"
    with writing(output) as unfinished:
        with _said_of(spec["teacher"], f"{key}.teacher"):
            describe(spec["teacher"], unfinished)
        described = read_description(unfinished)
        available = [*described["available"], *chain.from_iterable(described["tokens"].values())]
        for area, options in spec["areas"].items():
            for layer in as_list(options["layer"]):
                if layer not in available:
                    raise InputError(
                        f"{key}.areas.{area}.layer: {spec['teacher']['architecture']} has no layer {layer!r}; the "
                        f"nearest are {nearest(layer, available)}"
                    )


@contextmanager
def layers_of_teacher(
    spec: dict, stimuli: str | Path, n: int, output: str | Path, key: str, **options
) -> Iterator[dict[str, tuple["zarr.Array", tuple[int, ...]]]]:
    """Show the first n stimuli to the teacher, and yield features and shape of its layers within a `with` block."""
    from ventral.activations.extraction import extract
    from ventral.store import open_store

    names = list(dict.fromkeys(layer for area in spec["areas"].values() for layer in as_list(area["layer"])))
    store = Path(output).with_name(f".{Path(output).name}.teacher")
    try:
        with _said_of(spec["teacher"], f"{key}.teacher"):
            extract(stimuli, {**spec["teacher"], "layers": names}, 0, n, store, dtype="float32", **options)
        group = open_store(store)
        yield {layer["name"]: (group[layer["name"]], tuple(layer["shape"])) for layer in group.attrs["layers"]}
    finally:
        shutil.rmtree(store, ignore_errors=True)


def check_field(field: float, layer: str, shape: tuple[int, ...], key: str) -> None:
    """Refuse a receptive field smaller than the map if a layer has no map."""
    if field != WHOLE and len(shape) != 3:
        raise InputError(
            f"{key}.layer: {layer!r} has no map of channels, rows and columns (its output is {shape}), "
            f"as small receptive fields need; name a layer with a map, or set `field: 1`"
        )


def _resolved_teacher(given: str | dict, key: str) -> dict:
    name, options = (given, {}) if isinstance(given, str) else ("teacher", given)
    if isinstance(given, dict) and not given.get("architecture"):
        raise InputError(
            f"config key {key}.architecture: missing; a teacher is the name of a model such as `resnet50`, or a "
            f"mapping with its `architecture`, `weights` and so on"
        )
    for option in ("layers", "max_layers", "train"):
        if option in options:
            raise InputError(
                f"config key {key}.{option}: a teacher does not have this option, because its `areas` name the "
                f"layers; remove `{option}`"
            )
    with _said_of({"name": name}, key):
        return resolve_model(name, options)


def _resolved_area(area: str, options: dict, n_bins: int, key: str) -> dict:
    layers = as_list(options["layer"])
    for layer in layers:
        if any(character in layer for character in "*?["):
            raise InputError(f"config key {key}.layer: {layer!r} stands for several layers; name a single layer")
    if isinstance(options["layer"], list) and len(layers) != n_bins:
        raise InputError(
            f"config key {key}.layer: {len(layers)} layers for {n_bins} `time_bins`; name one layer for each bin, or a "
            f"single layer for all of them"
        )
    if options.get("field") is None and area not in FIELDS:
        raise InputError(
            f"config key {key}.field: missing; set the share of the map's side that a receptive field covers, which "
            f"has a default only for {', '.join(FIELDS)}"
        )
    return {**options, "field": float(options.get("field") or FIELDS[area])}


def _is_same_network(first: dict, second: dict) -> bool:
    if any(first.get(option) != second.get(option) for option in ("architecture", "permuted")):
        return False
    is_drawn = first["weights"] == "random" or first.get("permuted")
    if is_drawn and first["seed"] != second["seed"]:
        return False
    if first["weights"] != second["weights"]:
        # Hashes are compared, because the same checkpoint may have two paths.
        return first["sha256"] is not None and str(first["sha256"]).lower() == str(second["sha256"]).lower()
    return True


@contextmanager
def _said_of(teacher: dict, key: str) -> Iterator[None]:
    """Make messages about a model name the teacher's config key."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(f"models.{teacher['name']}", key)) from error
