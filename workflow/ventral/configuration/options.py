"""Read older places of options and older names of splits, and leave out removed options."""

from collections.abc import Mapping
from pathlib import Path

from ventral.datasets import ACCEPT, Dataset
from ventral.datasets.registry import DATASETS
from ventral.errors import InputError, allowed_instead, shown
from ventral.mappings.registry import MAPPINGS

# Present places of options that were once top-level keys.
MOVED = {
    "sessions": "dataset.cowley2023.sessions",
    "components": "mappings.pls.components",
    "rsa": "mappings.rsa",
}
RENAMED_SPLITS = {"images": "stimuli"}
# Removed options by their key, with the reason.
DROPPED = {
    "decoding": {
        "extrapolate_to": "population curves end where their units do, because intervals beyond missed the true score"
    }
}


def moved_keys(config: Mapping) -> str:
    """Return messages about older keys and older names of splits in the config; empty without any."""
    given = [key for key in MOVED if config.get(key) is not None]
    places = ", ".join(f"`{key}` lives now in `{MOVED[key]}`" for key in given)
    said = [f"config: {places}. The older place still works; config/README.md shows both."] if given else []
    specs = (config, *(config.get("recordings") or {}).values())
    splits = {split for spec in specs for split in spec.get("splits") or [] if isinstance(split, str)}
    said += [
        f"config: split `{older}` is called `{newer}` now. The older name still works."
        for older, newer in RENAMED_SPLITS.items()
        if older in splits
    ]
    said += [
        f"config: `{key}.{option}` is not read any more: {reason}. Take the line out."
        for key, options in DROPPED.items()
        for option, reason in options.items()
        if option in (config.get(key) or {})
    ]
    return " ".join(said)


def without_dropped(config: Mapping) -> dict:
    """Return a config, not yet checked, without removed options."""
    kept = {
        key: {option: value for option, value in config[key].items() if option not in options}
        for key, options in DROPPED.items()
        if isinstance(config.get(key), dict)
    }
    return {**config, **kept}


def rename_splits(config: Mapping) -> dict:
    """Return a config, not yet checked, with the present name of every split."""
    recordings = config.get("recordings")
    if isinstance(recordings, dict):
        recordings = {name: _with_splits_renamed(spec) for name, spec in recordings.items()}
        config = {**config, "recordings": recordings}
    return _with_splits_renamed(config)


def mapping_options(config: Mapping) -> dict[str, dict]:
    """Return the complete options of every mapping that has any, from their present or older place.

    Parameters
    ----------
    config : dict
        The user's config, in the types of the schema, and checked.

    Raises
    ------
    InputError
        For an option that has different values in its two places.
    """
    named = _by_name(config.get("mappings") or {})
    older = {
        "pls": {"components": ("components", config["components"])} if "components" in config else {},
        "rsa": {option: (f"rsa.{option}", value) for option, value in config.get("rsa", {}).items()},
    }
    return {
        name: mapping.defaults | _joined(named.get(name, {}), older.get(name, {}), f"mappings.{name}")[0]
        for name, mapping in MAPPINGS.items()
        if mapping.options
    }


def expanded_datasets(config: Mapping, results: str) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the complete options of every named data set, and the stimuli and recordings of all of them.

    Parameters
    ----------
    config : dict
        The user's config, in the types of the schema, and checked.
    results : str
        Folder of all outputs.

    Returns
    -------
    options : dict of dicts
        Options by data set, `folder` among them.
    published : dict of dicts
        Has `stimuli` and `recordings` by name, and `unpacks` and `downloads` by path. Recordings of neuroids have the
        name of the data set as `group`.

    Raises
    ------
    InputError
        For an unknown data set, a missing file, options without their data set, and options with different values in
        their two places.
    """
    named, data_dir = _by_name(config.get("dataset") or {}), config.get("data_dir")
    if data_dir is not None and not named:
        raise InputError("config key data_dir: belongs to a published data set; name it under `dataset`")
    for name in named:
        if name not in DATASETS:
            raise InputError(f"config key dataset: {name!r} is not known; {allowed_instead(name, DATASETS)}")
    older = _older_dataset_options(config, named)
    options, published = {}, {"stimuli": {}, "recordings": {}, "unpacks": {}, "downloads": {}}
    for name, given in named.items():
        dataset = DATASETS[name]
        chosen, keys = _joined(given, older.get(name, {}), f"dataset.{name}")
        defaults = {option: spec["default"] for option, spec in dataset.options.items() if "default" in spec}
        if chosen.get("folder") is None and data_dir is not None:
            keys["folder"], chosen["folder"] = "data_dir", data_dir
        options[name] = {"folder": None, **defaults, **chosen}
        try:
            known = {option: value for option, value in options[name].items() if option != ACCEPT}
            expanded = dataset.expand(results=results, **known)
            _check_accepted(dataset, options[name], expanded)
        except InputError as error:
            option, _, problem = str(error).partition(": ")
            raise InputError(f"config key {keys.get(option, f'dataset.{name}.{option}')}: {problem}") from error
        for recording in expanded.get("recordings", {}).values():
            if not {"matrices", "behaviour"} & recording.keys():
                recording.setdefault("group", name)
        for kind, found in published.items():
            found.update(expanded.get(kind, {}))
    return options, published


def licences_of_downloads(settings: Mapping) -> list[str]:
    """Return a line for each data set with files to download: the files, their source, size and licence.

    Parameters
    ----------
    settings : dict
        Settings from `ventral.configuration.resolution.resolve`.
    """
    absent = {path for path in settings["downloads"] if not Path(path).exists()}
    return [
        f"data set {name}: {shown(files, 3)} from {dataset.source}; size of all: {dataset.size}; licence: "
        f"{dataset.licence}"
        for name, dataset in DATASETS.items()
        if (files := sorted(path for path in absent if name in Path(path).parts))
    ]


def _check_accepted(dataset: Dataset, options: Mapping, expanded: Mapping) -> None:
    """Refuse downloads from a source with terms that the user has not accepted."""
    if dataset.terms and expanded.get("downloads") and not options.get(ACCEPT):
        raise InputError(
            f"{ACCEPT}: the files ({dataset.size}) are downloaded under terms: {dataset.terms} Read these, and say "
            f"`{ACCEPT}: true` to accept them"
        )


def _by_name(given: str | list | Mapping) -> dict[str, dict]:
    """Return options by name; names in a list have none."""
    if isinstance(given, Mapping):
        return {name: options or {} for name, options in given.items()}
    return {name: {} for name in ([given] if isinstance(given, str) else given)}


def _with_splits_renamed(spec: object) -> object:
    """Return a part of a config with the present names of its `splits`; other forms of `splits` stay the same."""
    if not isinstance(spec, dict) or not isinstance(spec.get("splits"), list):
        return spec
    splits = [RENAMED_SPLITS.get(split, split) if isinstance(split, str) else split for split in spec["splits"]]
    for older, newer in RENAMED_SPLITS.items():
        if older in spec["splits"] and newer in spec["splits"]:
            raise InputError(f"config key splits: `{older}` is the older name of `{newer}`; leave `{older}` out")
    return {**spec, "splits": splits}


def _older_dataset_options(config: Mapping, named: Mapping) -> dict[str, dict]:
    """Return the options of data sets at the top of the config, as their key there and their value."""
    older = {name: {} for name in named}
    if "sessions" in config:
        _, owner, option = MOVED["sessions"].split(".")
        if owner not in named:
            raise InputError(f"config key sessions: belongs to the published data set {owner}; name it under `dataset`")
        older[owner][option] = ("sessions", config["sessions"])
    return older


def _joined(options: Mapping, older: Mapping[str, tuple[str, object]], place: str) -> tuple[dict, dict]:
    """Return the value of each given option, and the key with that value.

    Parameters
    ----------
    options : dict
        Options in their present place.
    older : dict
        Key and value of each option in its older place.
    place : str
        Key of the present place.
    """
    for option, (key, value) in older.items():
        if option in options and not _same(options[option], value):
            raise InputError(
                f"config key {key}: {value!r}, but {place}.{option} is {options[option]!r}; keep {place}.{option} alone"
            )
    values = {option: value for option, (_, value) in older.items()} | dict(options)
    keys = {option: key for option, (key, _) in older.items()} | {name: f"{place}.{name}" for name in options}
    return values, keys


def _same(one: object, other: object) -> bool:
    """Say whether two values are the same; numbers in lists may be text, as on the command line."""
    if isinstance(one, list) and isinstance(other, list):
        return list(map(str, one)) == list(map(str, other))
    return one == other
