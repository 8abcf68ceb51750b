"""What the layers of a model are scored against: the neuroids of a recording, and the stimuli that are held out."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.scores.fold_ceilings import fold_reliabilities, with_fold_ceilings
from ventral.scores.targets import Targets, folds_of, n_leaked, neurons
from ventral.store import read_dataset


@dataclass(frozen=True)
class Benchmark:
    """A recording of neuroids, with the folds of its splits.

    Attributes
    ----------
    neurons : Targets
        Mean responses of the neuroids that are not left out.
    folds : dict of lists of integer arrays
        Outer folds of each split.
    fold_reliabilities : dict of dict
        Of each split and neuroid, from `ventral.scores.fold_ceilings`.
    n_leaked : dict of int
        Of each split, stimuli with a duplicate in another fold.
    n_stimuli : int
    stimuli, recording : str
        Names.
    simulated : bool
        Whether the neuroids are made of a network.
    stimuli_sha256 : str
        Of the pixels.
    """

    neurons: Targets
    folds: dict[str, list[NDArray]]
    fold_reliabilities: dict[str, dict[str, float]]
    n_leaked: dict[str, int]
    n_stimuli: int
    stimuli: str
    recording: str
    simulated: bool
    stimuli_sha256: str

    def check_same_stimuli(self, found: str, path: str | Path) -> None:
        """Raise InputError if a store was made from stimuli with another SHA-256."""
        if found != self.stimuli_sha256:
            raise InputError(
                f"{path}: made from other stimuli than those now called {self.stimuli}; delete it, and it will be "
                f"made again"
            )

    def described(self, rows: pd.DataFrame, model: str, family: str) -> pd.DataFrame:
        """Return rows of the score table with the columns that say what was scored against what, and the ceilings."""
        return with_fold_ceilings(rows, self.fold_reliabilities).assign(
            model=model,
            family=family,
            stimuli=self.stimuli,
            recording=self.recording,
            simulated=self.simulated,
            n_leaked=rows["split"].map(self.n_leaked) if len(rows) else 0,
        )


def read_benchmark(recording: str | Path, stimuli: str | Path, splits: list[str], n_folds: int, seed: int) -> Benchmark:
    """Read a recording of neuroids and the stimuli that it is of, and deal the folds.

    Parameters
    ----------
    recording, stimuli : paths
        Stores of the two.
    splits : list of str
        Of `images`, `objects`, `categories`.
    n_folds, seed : int
        Folds of split `images`, and the seed of their deal.

    Raises
    ------
    InputError
        If the recording is of other stimuli, or a split cannot be made of these.
    """
    stimulus_set, responses = read_dataset(stimuli), read_dataset(recording)
    n, name = stimulus_set.sizes["stimulus"], stimulus_set.attrs["name"]
    folds = folds_of(stimulus_set, splits, n_folds, seed)
    benchmark = Benchmark(
        neurons=neurons(responses),
        folds=folds,
        fold_reliabilities=fold_reliabilities(responses, folds, seed=seed),
        n_leaked=n_leaked(stimulus_set, folds),
        n_stimuli=n,
        stimuli=name,
        recording=responses.attrs["recording"],
        simulated=bool(responses.attrs.get("simulated", False)),
        stimuli_sha256=stimulus_set.attrs["sha256"],
    )
    benchmark.check_same_stimuli(responses.attrs["stimuli_sha256"], recording)
    return benchmark
