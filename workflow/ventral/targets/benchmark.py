"""Read a benchmark: a recording, its stimuli, and the splits that hold stimuli out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ventral.errors import InputError
from ventral.recordings.time_bins import read_recording
from ventral.store import open_store, read_dataset
from ventral.targets.ceilings import ceilings_of_neurons, with_ceilings
from ventral.targets.splits import Split
from ventral.targets.values import Targets, n_leaked, neurons, splits_of, warn_of_near_duplicates

if TYPE_CHECKING:
    import xarray as xr

DIGITS_SHOWN = 12


@dataclass(frozen=True)
class Benchmark:
    """A recording with its stimuli, splits and ceilings.

    Attributes
    ----------
    stimulus_set, responses : Dataset
        Stores of the stimuli and of the recording. The recording has a column for each neuroid in each time bin.
    neurons : Targets or None
        Mean responses of the neuroids that are not left out; None for a recording of dissimilarity matrices or
        behaviour.
    splits : dict of Split
        Splits by name.
    ceilings : DataFrame
        Ceilings for each split, neuroid and time bin, from `ventral.targets.ceilings`.
    n_leaked : dict of int
        Number of scored stimuli with a duplicate in the fit that predicts them, for each split.
    """

    stimulus_set: "xr.Dataset"
    responses: "xr.Dataset"
    neurons: Targets | None
    splits: dict[str, Split]
    ceilings: pd.DataFrame
    n_leaked: dict[str, int]

    @property
    def recording(self) -> str:
        """Name of the recording."""
        return self.responses.attrs["recording"]

    def described(self, rows: pd.DataFrame, model: str, family: str) -> pd.DataFrame:
        """Add the columns that identify model, recording and stimuli, and the ceilings, to rows of the score table."""
        return with_ceilings(rows, self.ceilings).assign(
            model=model,
            family=family,
            stimuli=self.stimulus_set.attrs["name"],
            recording=self.recording,
            simulated=bool(self.responses.attrs.get("simulated", False)),
            n_leaked=rows["split"].map(self.n_leaked).fillna(0) if len(rows) else 0,
        )


def read_stimuli(stimuli: str | Path, made_from_them: Iterable[str | Path]) -> "xr.Dataset":
    """Read a stimulus set, and check that other stores were made from these stimuli.

    Parameters
    ----------
    stimuli : path
        Store of the stimuli.
    made_from_them : iterable of paths
        Stores of recordings, Gram matrices or activations.

    Raises
    ------
    InputError
        If the stimuli of one store differ in number or SHA-256.
    """
    stimulus_set = read_dataset(stimuli)
    expected = (stimulus_set.sizes.get("stimulus"), stimulus_set.attrs.get("sha256"))
    for path in made_from_them:
        found = _made_from(path)
        if found != expected:
            raise InputError(
                f"{path}: made from other stimuli than {stimuli} ({_described(*found)}; not {_described(*expected)}); "
                f"delete {path}, and a rerun makes it again"
            )
    return stimulus_set


def read_benchmark(
    models: Sequence[str | Path],
    recording: str | Path,
    stimuli: str | Path,
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
) -> Benchmark:
    """Read a recording and its stimuli, check that models' stores have the same stimuli, and make the splits.

    Parameters
    ----------
    models : sequence of paths
        Stores of the models to score: Gram matrices or activations.
    recording, stimuli : paths
        Stores of the recording and of the stimuli.
    splits, n_folds, seed
        As for `ventral.targets.splits.make_splits`.

    Raises
    ------
    InputError
        If a store was made from other stimuli, or if these stimuli do not allow a split.
    """
    stimulus_set, responses = read_stimuli(stimuli, [recording, *models]), read_recording(recording)
    made = splits_of(stimulus_set, splits, n_folds, seed)
    warn_of_near_duplicates(stimulus_set, made)
    return Benchmark(
        stimulus_set=stimulus_set,
        responses=responses,
        neurons=neurons(responses) if "responses" in responses else None,
        splits=made,
        ceilings=ceilings_of_neurons(responses, made, seed=seed),
        n_leaked=n_leaked(stimulus_set, made),
    )


def _made_from(path: str | Path) -> tuple[int | None, str | None]:
    """Return number and SHA-256 of the stimuli that a store was made from; None if the store does not record them."""
    store = open_store(path)
    if "stimulus" in store:
        n_stimuli = store["stimulus"].shape[0]
    elif "n_stimuli" in store.attrs:
        n_stimuli = store.attrs["n_stimuli"]
    else:
        n_stimuli = next((store[f"{layer['name']}/gram"].shape[0] for layer in store.attrs.get("layers", [])), None)
    return n_stimuli, store.attrs.get("stimuli_sha256")


def _described(n_stimuli: int | None, sha256: str | None) -> str:
    return f"{n_stimuli} stimuli of SHA-256 {(sha256 or 'unknown')[:DIGITS_SHOWN]}"
