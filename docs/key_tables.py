"""The tables of keys in config/README.md, made of the schema: `python docs/key_tables.py` writes them anew."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

from ventral.configuration.options import MOVED  # noqa: E402
from ventral.configuration.schema import resolved, whole  # noqa: E402

README = ROOT / "config" / "README.md"
Row = tuple[str, str, str]


def tables() -> dict[str, list[Row]]:
    """Return the rows of each table, `key`, `default` and `meaning`, by the header of its first column."""
    schema = whole()
    keys, definitions = schema["properties"], schema["$defs"]
    stimuli, recordings = (keys[key]["additionalProperties"]["properties"] for key in ("stimuli", "recordings"))
    published, mappings = (
        [
            row
            for name, entry in keys[key]["properties"].items()
            for row in rows(entry["properties"], f"{key}.{name}.", entry["description"] if key == "dataset" else "")
        ]
        for key in ("dataset", "mappings")
    )
    return {
        "key": list(keys_of_the_config(keys)),
        "key below `stimuli`": rows(stimuli, "stimuli.NAME."),
        "key below `recordings`": rows(recordings, "recordings.NAME."),
        "key below `dataset`": published,
        "key below `mappings`": mappings,
        "older key": rows({key: keys[key] for key in MOVED}),
        "key below `render`": rows(stimuli["render"]["properties"], "render."),
        "key below `synthesis`": rows(stimuli["synthesis"]["properties"], "synthesis."),
        "key below `simulate`": rows(recordings["simulate"]["properties"], "simulate."),
        "key below `behaviour`": rows(recordings["behaviour"]["properties"], "behaviour."),
        **{
            f"key below `{name}`": rows(experiment["properties"], f"{name}.")
            for name, experiment in keys["in_silico"]["properties"].items()
        },
        "option": rows(definitions["model"]["properties"]),
        "key below `train`": rows(definitions["training"]["properties"], "train."),
        "key of a split": rows(definitions["splits"]["items"]["oneOf"][1]["properties"], "splits."),
    }


def keys_of_the_config(keys: Mapping[str, dict]) -> Iterator[Row]:
    """Give the rows of all keys that have no table of their own; a group that is always there has no row itself."""
    for name, key in keys.items():
        below = {} if name in ("dataset", "mappings") else key.get("properties", {})
        if name not in MOVED:
            yield from rows({name: key} if not below or "default" not in key else {})
            yield from rows(below, f"{name}.")


def rows(keys: Mapping[str, dict], before: str = "", meaning_of_all: str = "") -> list[Row]:
    """Return a row for each of some keys.

    Parameters
    ----------
    keys : dict of dicts
        Schemas by name.
    before : str
        Put before each name.
    meaning_of_all : str
        Put before the first meaning.
    """
    made = []
    for name, key in keys.items():
        meaning = resolved(key)["description"]
        if meaning_of_all and not made:
            meaning = f"{meaning_of_all} {meaning}"
        made.append((f"`{before}{name}`", default_of(resolved(key)), meaning))
    return made


def default_of(key: dict) -> str:
    """Return what a key is without a value, as the schema words it in `without`, or the default itself."""
    if "without" in key or "default" not in key:
        return key.get("without", "")
    default = key["default"]
    if isinstance(default, float):
        return f"`{default!r}`"
    # YAML ends a scalar alone with three dots.
    written = yaml.safe_dump(default, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{written}`"


def with_tables(text: str) -> str:
    """Return a page with each table of `tables` made anew, where its header stands."""
    for header, its_rows in tables().items():
        made = "".join(" ".join(f"| {cell}".rstrip() for cell in row) + " |\n" for row in its_rows)
        start = f"| {header} | default | meaning |\n| --- | --- | --- |\n"
        text, n = re.subn(rf"^{re.escape(start)}(\|.*\n)*", lambda _, new=start + made: new, text, flags=re.MULTILINE)
        assert n == 1, f"config/README.md has {n} tables of the header {header}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
