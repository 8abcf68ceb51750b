"""Published stimuli and recordings, as a user would write them in the config."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Every data set has this option, beside its own.
FOLDER = {
    "description": "Folder of the published files; without it, those that can be are downloaded to `resources/`.",
    "type": ["string", "null"],
    "format": "path",
}
# Data sets whose source has terms have this one, too.
ACCEPT = "accept"
TERMS = {"description": "Whether you accept these terms: {}", "type": "boolean", "default": False}


@dataclass(frozen=True)
class Dataset:
    """What is declared of a published data set.

    Attributes
    ----------
    meaning : str
        What was recorded.
    expand : callable
        Returns `stimuli` and `recordings`, as a user would write them, each by name, and `unpacks`, the standard files
        that jobs write, by path, each with its `dataset`, `writer`, `inputs` and `options`; of the `folder`, the
        `results` folder, and the options as keywords. An error begins with the option's name.
    reference : str
        How texts cite it, such as `Cowley et al. 2023`.
    work : str
        What is cited.
    options : dict of dicts
        By name; each as the schema has it: type, `default`, and meaning as `description`.
    downloads : dict of dicts
        `url` and `sha256`, or `sha1`, by the path below the folder of downloads.
    writers : dict of callables
        By name; each writes one standard file, ``writer(output, **inputs, **options)``.
    licence : str
        Of the published files, as their source states it.
    terms : str
        What a user must accept before files are downloaded, in whole sentences; empty where nothing.
    size : str
        Of the published files, such as `2 GB`.
    source : str
        Where the files come from.
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
