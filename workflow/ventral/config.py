"""What the user said, checked and completed: the one place that reads the config."""

import os
from pathlib import Path

import jsonschema
import numpy as np
import yaml

from ventral import cowley2023, recordings, stimuli
from ventral.errors import InputError, allowed_instead
from ventral.zoo import check_model, resolve_model

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"


def resolve(config: dict) -> dict:
    """Return the config with every default filled in, models complete and published data sets expanded.

    Reads no data, and a local folder only to find a published data set's files in it.

    Parameters
    ----------
    config : dict
        As read from YAML.

    Returns
    -------
    dict
        With `stimuli`, `recordings` (each with its `splits`) and `models` by name.

    Raises
    ------
    InputError
        For anything that the schema does not allow, names that refer to nothing, and contradictions.
    """
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    config = _completed(config, schema, schema)
    _check_against(schema, config)
    _expand_dataset(config)
    if not config["recordings"]:
        raise InputError("config: no recordings; name at least one under `recordings`, or a published `dataset`")
    for name, recording in config["recordings"].items():
        if recording["stimuli"] not in config["stimuli"]:
            raise InputError(
                f"config key recordings.{name}.stimuli: no stimulus set is called {recording['stimuli']!r}; "
                f"{allowed_instead(recording['stimuli'], config['stimuli'])}"
            )
        recording.setdefault("splits", config["splits"])
    models = config["models"]
    models = dict.fromkeys(models) if isinstance(models, list) else models
    config["models"] = {name: resolve_model(name, options) for name, options in models.items()}
    penalties = config["penalties"]
    if penalties["number"] > 1 and penalties["lowest"] >= penalties["highest"]:
        raise InputError(
            f"config key penalties.lowest: {penalties['lowest']} must be below penalties.highest {penalties['highest']}"
        )
    return config


def check_inputs(config: dict, fetched: str = "resources/") -> None:
    """Check, in a moment, that everything the jobs will read fits together, before any of them starts.

    Files under `fetched` that are not there yet are downloaded later, and checked then.

    Parameters
    ----------
    config : dict
        From `resolve`.
    fetched : str
        Beginning of the paths that the workflow downloads.

    Raises
    ------
    InputError
        For missing or unreadable files, stimuli and responses that differ in number, splits that cannot be made of the
        stimuli, wrong checkpoints, and a results folder that cannot be written.
    """
    _check_writable(Path(config["results"]))
    for spec in config["models"].values():
        check_model(spec)
    described = {}
    for name, spec in config["stimuli"].items():
        if not _to_be_fetched(spec["images"], fetched):
            described[name] = stimuli.describe(spec, key=f"stimuli.{name}")
    for name, spec in config["recordings"].items():
        table = described.get(spec["stimuli"])
        if not _to_be_fetched(spec["responses"], fetched):
            recordings.check(spec, None if table is None else len(table), key=f"recordings.{name}")
        if table is not None:
            _check_splits(spec, table, config, f"stimuli.{spec['stimuli']}")


def penalty_grid(penalties: dict) -> list[float]:
    """Return the penalties of the config as numbers, lowest first."""
    return np.geomspace(penalties["lowest"], penalties["highest"], penalties["number"]).tolist()


def _to_be_fetched(path: str, fetched: str) -> bool:
    return path.startswith(fetched) and not Path(path).exists()


def _check_splits(recording: dict, table, config: dict, key: str) -> None:
    from ventral.splits import make_folds

    labels = {name: table[name].to_numpy() for name in ("object", "category") if name in table}
    for split in recording["splits"]:
        make_folds(split, labels, len(table), config["folds"], config["seed"], key)


def _check_writable(folder: Path) -> None:
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    if not existing.is_dir():
        raise InputError(f"config key results: {folder} cannot be made, {existing} is a file; name another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"config key results: {existing} cannot be written; name another folder or change its rights")


def _expand_dataset(config: dict) -> None:
    dataset = config.get("dataset")
    if dataset is None:
        for key in ("data_dir", "sessions"):
            if config.get(key) is not None:
                raise InputError(f"config key {key}: belongs to a published data set; name it under `dataset`")
        return
    expanded = cowley2023.expand(config.get("data_dir"), config.get("sessions", ["210325"]))
    for kind in ("stimuli", "recordings"):
        config[kind] = {**expanded[kind], **config[kind]}


def _completed(value, schema: dict, root: dict):
    """Return a copy of value with the schema's defaults filled in, level by level."""
    if "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].rpartition("/")[2]], **schema}
    if not isinstance(value, dict):
        return value
    completed = {}
    for key, content in value.items():
        below = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        completed[key] = _completed(content, below, root) if isinstance(below, dict) else content
    for key, below in schema.get("properties", {}).items():
        if key not in completed and "default" in below:
            completed[key] = _completed(below["default"], below, root)
    return completed


def _check_against(schema: dict, config: dict) -> None:
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(config), key=lambda error: list(error.path))
    if errors:
        raise InputError("\n".join(_message(error) for error in errors))


def _message(error: jsonschema.ValidationError) -> str:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        allowed = error.schema["properties"]
        unknown = [key for key in error.instance if key not in allowed]
        inside = f" in `{place}`" if place else ""
        return "\n".join(f"config: unknown key `{key}`{inside}; {allowed_instead(key, allowed)}" for key in unknown)
    if error.validator == "required":
        inside = f" in `{place}`" if place else ""
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"config: missing key{inside}: {', '.join(missing)}"
    if error.validator == "enum":
        instead = allowed_instead(error.instance, error.validator_value)
        return f"config key {place}: {error.instance!r} is not known; {instead}"
    if "propertyNames" in error.schema_path or error.validator == "pattern":
        return f"config key {place}: {error.instance!r} is no name: letters, digits, dot, hyphen and underscore only"
    if error.validator == "oneOf":
        return f"config key {place}: a list of names, or names with their options, is needed; got {error.instance!r}"
    return f"config key {place}: {error.message}"
