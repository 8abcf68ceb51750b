"""Text about a model and its layers, for a person."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from ventral.models.description import describe
from ventral.models.zoo import resolve_model


def print_layers(name: str, options: dict) -> None:
    """Print the facts about a model, the layers that are taken, and all layers that can be taken.

    Parameters
    ----------
    name : str
        Name of the model, as for `resolve_model`.
    options : dict
        Options of the model.

    Raises
    ------
    InputError
        As for `describe`.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        describe(resolve_model(name, options), path)
        said = json.loads(path.read_text(encoding="utf-8"))
    print("\n".join(listing(said)))


def listing(said: dict) -> list[str]:
    """Return lines of text with the content of a description from `describe`."""
    origin = {key: said.get("origin", {}).get(key) for key in ("repository", "folder", "revision", "sha256")}
    facts = {key: said.get(key) for key in ("architecture", "weights", "permuted")} | origin | said["preprocessing"]
    rows = [(layer["name"], f"{layer['depth']:.2f}", _features(layer)) for layer in said["layers"]]
    width = max(len(name) for name, *_ in rows)
    return [
        *(f"{name}: {value}" for name, value in facts.items() if value is not None),
        "",
        f"{'taken':{width}}  depth  features",
        *(f"{name:{width}}  {depth:5}  {features}".rstrip() for name, depth, features in rows),
        "",
        "there are: " + ", ".join(said["available"]),
    ]


def _features(layer: dict) -> str:
    return " x ".join(map(str, layer.get("shape", [])))
