"""Published data sets: stimuli and recordings in the form in which a user would write them in the config."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# Option of every data set, besides its own options.
FOLDER = {
    "description": "Folder of the published files; without it, files that can be downloaded go to `resources/`.",
    "type": ["string", "null"],
    "format": "path",
}


@dataclass(frozen=True)
class Dataset:
    """The declaration of a published data set.

    Attributes
    ----------
    meaning : str
        Description of the recordings.
    expand : callable
        Returns `stimuli` and `recordings` as in a config, and `sources` (files to unpack), each by name. Its arguments
        are the `folder`, the `results` folder, and the options as keywords. An error begins with the option's name.
    reference : str
        Citation in texts, such as `Cowley et al. 2023`.
    work : str
        Reference of the cited work.
    options : dict of dicts
        Schema of each option by its name: type, `default`, and meaning as `description`.
    downloads : dict of dicts
        Has `url` and `sha256` by the path below the folder of downloads.
    """

    meaning: str
    expand: Callable[..., dict]
    reference: str
    work: str
    options: Mapping[str, dict] = field(default_factory=dict)
    downloads: Mapping[str, dict] = field(default_factory=dict)
