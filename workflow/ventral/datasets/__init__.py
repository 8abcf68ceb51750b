"""Published data sets: stimuli and recordings in the form in which a user would write them in the config."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Option of every data set, besides its own options.
FOLDER = {
    "description": "Folder of the published files; without it, files that can be downloaded go to `resources/`.",
    "type": ["string", "null"],
    "format": "path",
}
# Option of data sets whose source has terms.
ACCEPT = "accept"
TERMS = {"description": "Set to `true` to accept these terms: {}", "type": "boolean", "default": False}


@dataclass(frozen=True)
class Dataset:
    """The declaration of a published data set.

    Attributes
    ----------
    meaning : str
        Description of the recordings.
    expand : callable
        Returns `stimuli` and `recordings` as in a config, each by name, and `unpacks`, the standard files that jobs
        write, by path. Each standard file has its `dataset`, `writer`, `inputs` and `options`. The arguments are the
        `folder`, the `results` folder, and the options as keywords. An error begins with the option's name.
    reference : str
        Citation in texts, such as `Cowley et al. 2023`.
    work : str
        Reference of the cited work.
    options : dict of dicts
        Schema of each option by its name: type, `default`, and meaning as `description`.
    downloads : dict of dicts
        Has `url`, and `sha256` or `sha1`, by the path below the folder of downloads.
    writers : dict of callables
        Writers by name. Each writes one standard file: ``writer(output, **inputs, **options)``.
    licence : str
        Licence of the published files, as their source states it.
    terms : str
        Terms that a user must accept before files are downloaded, in whole sentences; empty if there are none.
    size : str
        Size of the published files, such as `2 GB`.
    source : str
        Place where the files come from.
    """

    meaning: str
    expand: Callable[..., dict]
    reference: str
    work: str
    options: Mapping[str, dict] = field(default_factory=dict)
    downloads: Mapping[str, dict] = field(default_factory=dict)
    writers: Mapping[str, Callable[..., None]] = field(default_factory=dict)
    licence: str = ""
    terms: str = ""
    size: str = ""
    source: str = ""


def made_by(dataset: str, writer: str, inputs: Mapping[str, str | list[str]], **options: object) -> dict:
    """Return an entry of `unpacks`: the data set, the name of its writer, and the writer's inputs and options."""
    return {"dataset": dataset, "writer": writer, "inputs": inputs, "options": options}
