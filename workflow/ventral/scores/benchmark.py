"""What the layers of a model are scored against: a recording, its stimuli, and which of them are held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.scores.fold_ceilings import fold_reliabilities, with_fold_ceilings
from ventral.scores.targets import Targets, folds_of, n_leaked, neurons
from ventral.store import read_dataset


@dataclass(frozen=True)
class Benchmark:
    """A recording, with the folds of its splits.

    Attributes
    ----------
    stimulus_set, responses : Dataset
        Stores of the stimuli and of the recording.
    neurons : Targets or None
        Mean responses of the neuroids that are not left out; None where there are dissimilarity matrices instead.
    folds : dict of lists of integer arrays
        Outer folds of each split.
    fold_reliabilities : dict of dict
        Of each split and neuroid, from `ventral.scores.fold_ceilings`.
    n_leaked : dict of int
        Of each split, stimuli with a duplicate in another fold.
    """

    stimulus_set: xr.Dataset
    responses: xr.Dataset
    neurons: Targets | None
    folds: dict[str, list[NDArray]]
    fold_reliabilities: dict[str, dict[str, float]]
    n_leaked: dict[str, int]

    @property
    def recording(self) -> str:
        """Name of the recording."""
        return self.responses.attrs["recording"]

    def check_same_stimuli(self, found: str, path: str | Path) -> None:
        """Raise InputError if a store was made from stimuli with another SHA-256."""
        if found != self.stimulus_set.attrs["sha256"]:
            raise InputError(
                f"{path}: made from other stimuli than those now called {self.stimulus_set.attrs['name']}; delete it, "
                f"and it will be made again"
            )

    def described(self, rows: pd.DataFrame, model: str, family: str) -> pd.DataFrame:
        """Return rows of the score table with the columns that say what was scored against what, and the ceilings."""
        return with_fold_ceilings(rows, self.fold_reliabilities).assign(
            model=model,
            family=family,
            stimuli=self.stimulus_set.attrs["name"],
            recording=self.recording,
            simulated=bool(self.responses.attrs.get("simulated", False)),
            n_leaked=rows["split"].map(self.n_leaked).fillna(0) if len(rows) else 0,
        )


def read_benchmark(
    recording: str | Path, stimuli: str | Path, splits: Sequence[str], n_folds: int, seed: int
) -> Benchmark:
    """Read a recording and the stimuli that it is of, and deal the folds.

    Parameters
    ----------
    recording, stimuli : paths
        Stores of the two.
    splits : sequence of str
        Of `images`, `objects`, `categories`.
    n_folds, seed : int
        Folds of split `images`, and the seed of their deal.

    Raises
    ------
    InputError
        If the recording is of other stimuli, or a split cannot be made of these.
    """
    stimulus_set, responses = read_dataset(stimuli), read_dataset(recording)
    folds = folds_of(stimulus_set, splits, n_folds, seed)
    benchmark = Benchmark(
        stimulus_set=stimulus_set,
        responses=responses,
        neurons=None if "dissimilarities" in responses else neurons(responses),
        folds=folds,
        fold_reliabilities=fold_reliabilities(responses, folds, seed=seed),
        n_leaked=n_leaked(stimulus_set, folds),
    )
    benchmark.check_same_stimuli(responses.attrs["stimuli_sha256"], recording)
    return benchmark
