"""The teacher of a simulated recording: the network whose layers its neurons are made of."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ventral.errors import InputError, nearest
from ventral.models.zoo import check_model, resolve_model
from ventral.provenance import read_description
from ventral.simulation.neurons import FIELDS, MARK, WHOLE

if TYPE_CHECKING:
    import zarr


def resolve_simulation(spec: dict, models: Mapping[str, dict], name: str) -> dict:
    """Return the complete description of a simulated recording.

    Parameters
    ----------
    spec : dict
        `teacher`, the name of a model or a mapping with its `architecture` and other options of `resolve_model`;
        `areas`, for each its `layer` by name, its number of `neuroids`, and `field`, which may be left out where
        `FIELDS` knows it; `repetitions`, `fano`, `spikes`, `seed`.
    models : dict of dict
        The models that are scored against the recording, from `resolve_model`, by name.
    name : str
        Name of the recording.

    Returns
    -------
    dict
        As `spec`, `teacher` from `resolve_model` and each area with its `field`.

    Raises
    ------
    InputError
        If the name does not say that it is simulated, the teacher is also a model that is scored, or an area's layer
        or field is not told.
    """
    key = f"recordings.{name}.simulate"
    if MARK not in name:
        raise InputError(
            f"config key recordings.{name}: the name of a recording that is made with `simulate` has the word `{MARK}` "
            f"in it, so that no table or figure passes it off as measured; call it `{MARK}_{name}`"
        )
    teacher = _resolved_teacher(spec["teacher"], f"{key}.teacher")
    for model, description in models.items():
        if _is_same_network(description, teacher):
            raise InputError(
                f"config key {key}.teacher: the model `{model}` is the same network, {teacher['architecture']} with "
                f"the same weights; a teacher scored against its own neurons says nothing of how well models do: take "
                f"`{model}` out of `models`, or name another teacher"
            )
    areas = {area: _resolved_area(area, options, f"{key}.areas.{area}") for area, options in spec["areas"].items()}
    return {**spec, "teacher": teacher, "areas": areas}


def check(spec: dict, key: str) -> None:
    """Check the teacher as far as this can be done without loading it.

    Parameters
    ----------
    spec : dict
        From `resolve_simulation`.
    key : str
        Place of `spec` in the config, for messages.

    Raises
    ------
    InputError
        As for `ventral.models.zoo.check_model`.
    """
    with _said_of(spec["teacher"], f"{key}.teacher"):
        check_model(spec["teacher"])


def describe_teacher(spec: dict, output: str | Path, *, name: str) -> None:
    """Write what the teacher is and which layers it has, as is done of models, and check the areas' layers.

    Parameters
    ----------
    spec : dict
        From `resolve_simulation`.
    output : path
        JSON file to write.
    name : str
        Name of the recording.

    Raises
    ------
    InputError
        If the teacher cannot be had, or has no such layers.
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
            if options["layer"] not in available:
                raise InputError(
                    f"{key}.areas.{area}.layer: {spec['teacher']['architecture']} has no layer {options['layer']!r}; "
                    f"the nearest are {nearest(options['layer'], available)}"
                )


@contextmanager
def layers_of_teacher(
    spec: dict, stimuli: str | Path, n: int, output: str | Path, key: str, **options
) -> Iterator[dict[str, tuple["zarr.Array", tuple[int, ...]]]]:
    """Show the first n stimuli to the teacher, and give features and shape of its layers for the time of a block."""
    from ventral.activations.extraction import extract
    from ventral.store import open_store

    names = list(dict.fromkeys(area["layer"] for area in spec["areas"].values()))
    store = Path(output).with_name(f".{Path(output).name}.teacher")
    try:
        with _said_of(spec["teacher"], f"{key}.teacher"):
            extract(stimuli, {**spec["teacher"], "layers": names}, 0, n, store, dtype="float32", **options)
        group = open_store(store)
        yield {layer["name"]: (group[layer["name"]], tuple(layer["shape"])) for layer in group.attrs["layers"]}
    finally:
        shutil.rmtree(store, ignore_errors=True)


def check_field(options: dict, shape: tuple[int, ...], key: str) -> None:
    """Refuse a receptive field that is a part of a map, where a layer has no map."""
    if options["field"] != WHOLE and len(shape) != 3:
        raise InputError(
            f"{key}.layer: {options['layer']!r} has no map of channels, rows and columns (its output is {shape}), "
            f"of which receptive fields could be a part; name a layer with a map, or set `field: 1`"
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
                f"config key {key}.{option}: not of a teacher, which is taken as it is, by the layers of its `areas`; "
                f"leave it out"
            )
    with _said_of({"name": name}, key):
        return resolve_model(name, options)


def _resolved_area(area: str, options: dict, key: str) -> dict:
    if any(character in options["layer"] for character in "*?["):
        raise InputError(
            f"config key {key}.layer: {options['layer']!r} stands for several layers; an area is made of one"
        )
    if options.get("field") is None and area not in FIELDS:
        raise InputError(
            f"config key {key}.field: missing; the share of the map's side that a receptive field covers is known for "
            f"{', '.join(FIELDS)} alone"
        )
    return {**options, "field": float(options.get("field") or FIELDS[area])}


def _is_same_network(first: dict, second: dict) -> bool:
    if first["architecture"] != second["architecture"]:
        return False
    if first["weights"] != second["weights"]:
        # The same checkpoint may lie in two places.
        return first["sha256"] is not None and str(first["sha256"]).lower() == str(second["sha256"]).lower()
    return first["weights"] != "random" or first["seed"] == second["seed"]


@contextmanager
def _said_of(teacher: dict, key: str) -> Iterator[None]:
    """Let messages about a model name the teacher's place in the config."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(f"models.{teacher['name']}", key)) from error
