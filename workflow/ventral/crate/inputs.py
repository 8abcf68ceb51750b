"""Find the user's own files in a config, and rewrite the config for another place."""

import json
from collections.abc import Callable, Iterable, MutableMapping, MutableSequence

from ventral.stimuli.backgrounds import NOISE, PHOTOGRAPHS
from ventral.stimuli.modality import MODALITIES

# These keys, and the option `folder` of a published data set, matter on one machine only and change no result.
OF_THIS_PLACE = ("dask", "gres", "envmodules", "data_dir", "audit")
# Values that are not paths where a folder of photographs, or a file of weights, may be named.
NO_FOLDERS = (PHOTOGRAPHS, NOISE)
NO_FILES = ("pretrained", "random", "permuted")


def own_files(config: dict) -> dict[str, str]:
    """Return the files and folders that the config names, by their key, such as `stimuli.mine.images`.

    Files that the workflow can download are included where the config names them.

    Parameters
    ----------
    config : dict
        As the user wrote it, checked by `ventral.configuration.resolution.resolve`.
    """
    return {name: holder[key] for name, holder, key in _paths(config)}


def moved(config: dict, place: Callable[[str], str]) -> dict:
    """Return the config for another place, without the keys that matter here only.

    Parameters
    ----------
    config : dict
        As the user wrote it; not changed.
    place : callable
        Gives the new path of a file or folder from its path here.
    """
    # A deep copy, because YAML aliases share values between places.
    config = json.loads(json.dumps({key: value for key, value in config.items() if key not in OF_THIS_PLACE}))
    datasets = config.get("dataset")
    for options in datasets.values() if isinstance(datasets, dict) else ():
        (options or {}).pop("folder", None)
    for _, holder, key in _paths(config):
        holder[key] = place(holder[key])
    return config


def _paths(config: dict) -> Iterable[tuple[str, MutableMapping | MutableSequence, str | int]]:
    """Yield each path's key in the config, with the mapping or list that holds the path and its key or index there."""
    for name, spec in (config.get("stimuli") or {}).items():
        yield from _given(spec, f"stimuli.{name}", (*MODALITIES, "table"))
        render, key = spec.get("render") or {}, f"stimuli.{name}.render"
        if isinstance(render.get("categories"), dict):
            yield from _given(render, key, ("categories",))
        yield from _given(render, key, ("backgrounds",), NO_FOLDERS)
    for name, spec in (config.get("recordings") or {}).items():
        files = ("responses", "neuroids", "mask", "matrices", "trials", "spikes", "nwb")
        yield from _given(spec, f"recordings.{name}", files)
        yield from _given(spec.get("ceiling") or {}, f"recordings.{name}.ceiling", ("file",))
        yield from _given(spec.get("behaviour") or {}, f"recordings.{name}.behaviour", ("trials", "classes"))
        teacher = (spec.get("simulate") or {}).get("teacher")
        if isinstance(teacher, dict):
            yield from _given(teacher, f"recordings.{name}.simulate.teacher", ("weights",), NO_FILES)
    yield from _given((config.get("in_silico") or {}).get("tuning") or {}, "in_silico.tuning", ("neurons",))
    models = config.get("models")
    for name, spec in (models if isinstance(models, dict) else {}).items():
        yield from _given(spec or {}, f"models.{name}", ("weights",), NO_FILES)


def _given(holder, name: str, keys: Iterable[str | int], but: tuple[str, ...] = ()) -> Iterable[tuple]:
    """Yield the paths under some keys; a key with several names yields each path."""
    for key in keys:
        value = holder[key] if isinstance(key, int) else holder.get(key)
        if isinstance(value, dict):
            yield from _given(value, f"{name}.{key}", tuple(value))
        elif isinstance(value, list):
            yield from _given(value, f"{name}.{key}", range(len(value)), but)
        elif isinstance(value, str) and value not in but:
            yield f"{name}.{key}", holder, key
