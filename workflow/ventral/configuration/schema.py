"""Apply the schema to a config: convert types, fill in defaults, and explain mistakes."""

import datetime
import math
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jsonschema
import yaml

from ventral.datasets import ACCEPT, FOLDER, TERMS, Dataset
from ventral.datasets.registry import DATASETS
from ventral.errors import InputError, allowed_instead
from ventral.mappings.registry import MAPPINGS
from ventral.models.registry import FAMILIES
from ventral.stimuli.modality import MODALITIES

SCHEMA = Path(__file__).parents[2] / "schemas" / "config.schema.yaml"
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NULLS = ("null", "~")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# Snakemake mistakes such a value of a wildcard for an endless loop.
PERIODIC = re.compile(r"(.+)\1{19}$")
# Endings of files that have the user's names, which names must not have themselves.
ENDINGS = (".json", ".zarr", ".zip")
LONGEST_NAME, LONGEST_PART, LONGEST_PATH, LONGEST_TEXT = 100, 255, 2000, 4000
DEEPEST, MOST_PROBLEMS = 16, 20
WIDEST_INTEGER = 64
# One folder or zip, or several.
PLACES = {
    "type": ["string", "array"],
    "format": "path",
    "minItems": 1,
    "uniqueItems": True,
    "items": {"$ref": "#/$defs/path"},
}
FORMATS = jsonschema.FormatChecker(formats=())


def typed(config: dict) -> dict:
    """Return a config whose names are text and whose values have the type of their key, without defaults.

    Each conversion happens only if the key asks for the type. Whole-valued floats and numeric text become integers.
    Numeric text becomes a number. Words for true and false become booleans. Integers and dates become text.

    Parameters
    ----------
    config : dict
        A config from YAML or JSON, or from the command line.

    Raises
    ------
    InputError
        For names that are not text, and for values that no key takes. These are NaN, infinity, integers of more than
        64 bits, control characters, very long text, very deep nesting, and Python's own types.
    """
    problems = []
    config = _plain(config, (), problems)
    if problems:
        raise InputError("\n".join(problems))
    return _typed(config, whole())


def completed(config: dict) -> dict:
    """Return a copy of a config from `typed` with the schema's defaults filled in, level by level."""
    return _completed(config, whole())


def check(config: dict) -> None:
    """Check a config from `completed` against the schema.

    Raises
    ------
    InputError
        For any mistake; the message names every wrong key.
    """
    errors = sorted(_validator().iter_errors(config), key=lambda error: list(error.path))
    if errors:
        raise InputError("\n".join(dict.fromkeys(message for error in errors for message in _messages(error))))


@cache
def whole() -> dict:
    """Return the schema with all declared data sets, modalities and mappings, and their options."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    keys = schema["properties"]
    keys["dataset"]["properties"] = {
        name: _with_options(dataset.meaning, _options_of_dataset(dataset)) for name, dataset in DATASETS.items()
    }
    keys["mappings"]["properties"] = {
        name: _with_options(mapping.meaning, mapping.options) for name, mapping in MAPPINGS.items()
    }
    keys["mappings"]["items"] = {"enum": list(MAPPINGS)}
    keys["stimuli"]["additionalProperties"]["properties"] |= _modality_keys()
    schema["$defs"]["model"]["properties"] |= _options_of_models()
    # The older places of these options.
    keys["components"] = MAPPINGS["pls"].options["components"] | keys["components"]
    keys["rsa"]["properties"] = MAPPINGS["rsa"].options
    return schema


def _modality_keys() -> dict[str, dict]:
    """Return the schemas of a stimulus set's keys that name a modality, or an option of one."""
    keys = {}
    for name, modality in MODALITIES.items():
        keys |= {name: {"description": modality.meaning, **PLACES}}
        keys |= {option: _without_default(declared) for option, declared in modality.set_options.items()}
    return keys


def _without_default(declared: Mapping) -> dict:
    """Return the schema of a set's option with its default in words: other modalities' sets lack it."""
    said = {word: value for word, value in declared.items() if word != "default"}
    return {**said, "without": f"`{declared['default']}`"} if "default" in declared else said


def _options_of_dataset(dataset: Dataset) -> dict[str, dict]:
    """Return the options of a data set: its folder, the acceptance of its terms, and its own options."""
    terms = {ACCEPT: TERMS | {"description": TERMS["description"].format(dataset.terms)}} if dataset.terms else {}
    return {"folder": FOLDER, **terms, **dataset.options}


def _options_of_models() -> dict[str, dict]:
    """Return the schemas of modalities' options for models, without defaults, which would look like the user's."""
    return {
        option: {word: said for word, said in declared.items() if word != "default"}
        for modality in MODALITIES.values()
        for option, declared in modality.model_options.items()
    }


def _with_options(meaning: str, options: Mapping[str, dict]) -> dict:
    return {
        "description": meaning,
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": dict(options),
    }


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(whole(), format_checker=FORMATS)


def resolved(schema: dict) -> dict:
    """Return the schema of a key with the definition that it refers to."""
    if "$ref" not in schema:
        return schema
    return {**whole()["$defs"][schema["$ref"].rpartition("/")[2]], **schema}


def _below(schema: dict, key: str) -> dict:
    """Return the schema of a key's value; an empty one for an unknown key."""
    schema = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return schema if isinstance(schema, dict) else {}


# Reduce a config to text, numbers, booleans, null, lists and names with values.


def _plain(value, place: tuple[str, ...], problems: list[str]):
    """Return a value with names and dates as text, and append its mistakes to `problems`."""
    # An alias may contain itself, which would repeat one problem many times.
    if len(problems) == MOST_PROBLEMS:
        return None
    if len(place) > DEEPEST:
        problems.append(_said(place[:DEEPEST], f"nested more than {DEEPEST} levels deep"))
        return None
    if isinstance(value, dict):
        return _plain_mapping(value, place, problems)
    if isinstance(value, list):
        return [_plain(item, (*place, str(k)), problems) for k, item in enumerate(value)]
    value = _with_dates_as_text(value)
    problem = _problem(value)
    if problem:
        problems.append(_said(place, problem))
    return value


def _plain_mapping(value: dict, place: tuple[str, ...], problems: list[str]) -> dict:
    plain = {}
    for given, content in value.items():
        problem = _problem_of_name(given)
        if problem:
            problems.append(_said(place, problem))
            continue
        name = str(_with_dates_as_text(given))
        if name in plain:
            problems.append(_said((*place, name), "given twice, as text and as another type; keep one"))
        plain[name] = _plain(content, (*place, name), problems)
    return plain


def _with_dates_as_text(value):
    is_date = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return value.isoformat() if is_date else value


def _problem(value) -> str | None:
    """Return the reason why no key takes a scalar, or None."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a finite number"
    if isinstance(value, int) and value.bit_length() > WIDEST_INTEGER:
        return f"an integer of {value.bit_length()} bits is too large; {WIDEST_INTEGER} bits are the most"
    if isinstance(value, str):
        return _problem_of_text(value)
    if value is None or isinstance(value, bool | int | float):
        return None
    return f"{brief(value)} is {type(value).__name__} for YAML; put it in quotes if text is meant"


def _problem_of_text(value: str) -> str | None:
    if len(value) > LONGEST_TEXT:
        return f"{brief(value)} has {len(value)} characters; {LONGEST_TEXT} are the most"
    unprintable = [letter for letter in value if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    if unprintable:
        return f"{brief(value)} contains {unprintable[0]!r}, a character that no name, path or label has; remove it"
    return None


def _problem_of_name(name) -> str | None:
    """Return the reason why a key of a mapping is not a name, or None if it is or can surely become one."""
    if isinstance(name, bool | float) or name is None:
        return f"YAML reads a name here as {name}; put the name in quotes, as in \"on\" or '1.0'"
    return _problem(_with_dates_as_text(name))


def _said(place: tuple[str, ...], problem: str) -> str:
    return f"config key {'.'.join(place)}: {problem}" if place else f"config: {problem}"


def brief(value) -> str:
    """Shorten a value for messages."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:80]}... ({len(text)} characters)"


# Convert values to the types of the schema.


def _typed(value, schema: dict):
    schema = resolved(schema)
    if "oneOf" in schema:
        options = (_typed(value, option) for option in schema["oneOf"])
        fitting = (
            as_typed
            for as_typed, option in zip(options, schema["oneOf"], strict=True)
            if _validator().evolve(schema=option).is_valid(as_typed)
        )
        return next(fitting, value)
    if isinstance(value, dict):
        return {key: _typed(content, _below(schema, key)) for key, content in value.items()}
    if isinstance(value, list):
        return [_typed(item, schema.get("items", {})) for item in value]
    if "enum" in schema:
        return None if _is_null(value) and None in schema["enum"] else value
    if schema.get("format") == "path" and isinstance(value, str):
        # Snakemake does not find files below a folder with two slashes after it.
        value = re.sub("(?<!:)/+", "/", value)
    types = schema.get("type", [])
    return _as_one_of([types] if isinstance(types, str) else types, value)


def _as_one_of(types: list[str], value):
    """Convert a scalar to one of some types; a scalar that cannot surely become one stays the same."""
    if isinstance(value, str) and types and "string" not in types:
        return _parse_text(types, value)
    if isinstance(value, float) and "integer" in types and "number" not in types and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and "string" in types and "integer" not in types:
        return str(value)
    return value


def _parse_text(types: list[str], text: str):
    if "null" in types and _is_null(text):
        return None
    if "boolean" in types:
        return BOOLEANS.get(text.lower(), text)
    if not {"integer", "number"} & set(types) or not NUMBER.fullmatch(text):
        return text
    if re.fullmatch("[-+]?[0-9]+", text):
        return int(text)
    number = float(text)
    if "number" in types:
        return number if math.isfinite(number) else text
    return int(number) if number.is_integer() else text


def _is_null(value) -> bool:
    return isinstance(value, str) and value.lower() in NULLS


def _completed(value, schema: dict):
    schema = resolved(schema)
    if not isinstance(value, dict):
        return value
    filled = {key: _completed(content, _below(schema, key)) for key, content in value.items()}
    for key, below in schema.get("properties", {}).items():
        if key not in filled and "default" in below:
            filled[key] = _completed(below["default"], below)
    return filled


# Names and paths.


@FORMATS.checks("name", raises=InputError)
def _is_name(name) -> bool:
    """Check that text can name files on any disk, and be a wildcard of Snakemake."""
    if not isinstance(name, str):
        return True
    if not NAME.fullmatch(name):
        is_network = any(family.covers(name) for family in FAMILIES.values())
        instead = f"; for this network, write `architecture: {name}` under a name of your own"
        raise InputError(
            f"{brief(name)} is no name: letters, digits, dot, hyphen and underscore only, and neither dot nor hyphen "
            f"first{instead if is_network else ''}"
        )
    if len(name) > LONGEST_NAME:
        raise InputError(f"{brief(name)} is no name: it has {len(name)} letters, {LONGEST_NAME} are the most")
    if name.lower().endswith(ENDINGS):
        raise InputError(f"{name!r} is no name: files of the results end in {', '.join(ENDINGS)}; choose another one")
    if PERIODIC.search(name):
        raise InputError(
            f"{name!r} is no name: its end repeats twenty times or more, which Snakemake takes for an endless loop"
        )
    return True


@FORMATS.checks("path", raises=InputError)
def _is_path(path) -> bool:
    """Check that text is a path that Snakemake, bash and the commands leave unchanged."""
    if not isinstance(path, str):
        return True
    if not path.strip():
        raise InputError(f"{path!r} is no path; name a file or a folder")
    if path.startswith("-"):
        raise InputError(f"{brief(path)} begins with a hyphen, as options of commands do; write ./{path[:80]}")
    if path.startswith("~"):
        raise InputError(f"{brief(path)} begins with ~, which no shell expands here; write the whole path")
    if "://" in path:
        raise InputError(f"{brief(path)} is an address, not a path: download the file, and name it here")
    taken = sorted(set(path) & set("{}<>"))
    if taken:
        raise InputError(
            f"{brief(path)} contains {' and '.join(taken)}, in which Snakemake sees wildcards; rename the folder or "
            f"file, or link to it"
        )
    longest = max(len(part.encode()) for part in path.split("/"))
    if longest > LONGEST_PART or len(path.encode()) > LONGEST_PATH:
        raise InputError(
            f"{brief(path)} is too long a path: {LONGEST_PATH} bytes are the most, and {LONGEST_PART} for each part"
        )
    return True


# Mistakes.


def _messages(error: jsonschema.ValidationError) -> list[str]:
    """Return the messages about a mistake; among several allowed forms, those of the best fitting one."""
    if error.validator == "oneOf":
        of_another = {
            below.schema_path[0] for below in error.context if below.validator == "type" and not below.relative_path
        }
        of_right_type = [below for below in error.context if below.schema_path[0] not in of_another]
        if of_right_type:
            return [message for below in of_right_type for message in _messages(below)]
    return [_message(error, ".".join(map(str, error.absolute_path)))]


def _message(error: jsonschema.ValidationError, place: str) -> str:
    inside = f" in `{place}`" if place else ""
    given = brief(error.instance)
    if error.validator == "additionalProperties":
        allowed = error.schema["properties"]
        unknown = [key for key in error.instance if key not in allowed]
        return "\n".join(
            f"config: unknown key `{brief(key)[1:-1]}`{inside}; {allowed_instead(key, allowed)}" for key in unknown
        )
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"config: missing key{inside}: {', '.join(missing)}"
    if error.validator == "enum":
        known = ["null" if value is None else value for value in error.validator_value]
        instead = allowed_instead(given if error.instance is None else error.instance, known)
        return f"config key {place}: {given} is not known; {instead}"
    if error.validator == "type" and error.instance is None:
        none = "; a list without any is []" if "array" in (error.validator_value or "") else ""
        return f"config key {place}: nothing is given; give a value, or leave the key out{none}"
    if error.validator == "format":
        return f"config key {place}: {error.cause}"
    if error.validator_value == ["array", "object"]:
        return f"config key {place}: a list of names, or names with their options, is needed; got {given}"
    if error.validator in ("pattern", "oneOf"):
        return f"config key {place}: {given} is not of the form that is needed: {error.schema.get('description', '')}"
    return f"config key {place}: {error.message.replace(repr(error.instance), given)}"
