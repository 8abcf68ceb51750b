"""Measure how well the neurons of other animals predict the neurons of an animal, as a ceiling for models.

The neurons of all other animals of a set predict the neurons of each animal. Mappings, folds and penalties are those of
the layers of models. Responses of both sides are noisy. For a target neuron with responses Y and predictions M(X; Y)
from the predicting neurons X, the consistency is

    c = r(M(X; Y), Y) / sqrt(rho_Y rho_M),

on held-out stimuli (Nayebi et al. 2021, NeurIPS 34; Nayebi et al. 2023, PLoS Computational Biology 19:e1011506; after
Cao and Yamins 2021, arXiv:2104.01490). rho_M is the reliability of the predictions, r(M(X1; Y1), M(X2; Y2)) with the
correction of Spearman and Brown. The fits use disjoint halves of the repetitions of both X and Y. rho_Y is the
reliability of exactly the scored responses (`ventral.targets.reliability`), which divides the scores of models, too.
The papers take split halves for rho_Y; with equal numbers of repetitions both have the same expectation.

More predicting neurons predict better. The consistency is measured for several numbers of them, drawn at random, and
extrapolated (`ventral.statistics.saturation`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import dask
import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray

from ventral.errors import InputError, shown
from ventral.grams.recorded import representation_of
from ventral.mappings.correlation import prediction_reliability
from ventral.mappings.registry import MAPPINGS
from ventral.mappings.standardisation import standardised
from ventral.outputs import writing
from ventral.recordings.noise import Noise
from ventral.recordings.reliability import means_of_halves
from ventral.recordings.time_bins import BASELINE, bins_of, place_of, read_recording
from ventral.running.parallel import compute, computing
from ventral.running.progress import Progress
from ventral.scores.prediction import Options, Predicted, predict
from ventral.scores.prediction_reliability import HALVINGS
from ventral.statistics.bootstrap import Predictions, Resamples, draw, resampled_medians
from ventral.statistics.inter_animal import COLUMNS, Medians, consistency_rows, with_means
from ventral.tables import write_parquet
from ventral.targets.benchmark import read_stimuli
from ventral.targets.ceilings import noise_of_neurons
from ventral.targets.selection import ceilings_of_chosen, reliability_of_half
from ventral.targets.splits import Split
from ventral.targets.values import Targets, splits_of

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

# Shares of the predicting neurons, ascending, and number of random draws of each share but the whole.
SHARES, DRAWS = (1 / 8, 1 / 4, 1 / 2, 1), 4
FEWEST_PREDICTORS = 16


@dataclass(frozen=True)
class Recorded:
    """Neurons of one animal in one recording, area and time bin.

    Attributes
    ----------
    area, time_bin, animal : str
    names : (p,) array of str
        Recording and name of each neuron.
    noise : Noise
        Mean responses (n, p) and their noise.
    halves : (halvings, 2, n, p) array
        Mean responses in the halves of the repetitions; NaN where a half has no repetition.
    """

    area: str
    time_bin: str
    animal: str
    names: NDArray
    noise: Noise
    halves: NDArray[np.float64]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Mask of the responses (n, p) with a repetition in each half."""
        return np.isfinite(self.halves).all(axis=(0, 1))

    def with_all(self, rows: NDArray[np.intp]) -> "Recorded":
        """Return the neurons that have a repetition of each of some stimuli in each half."""
        kept = np.flatnonzero(self.repeated[rows].all(axis=0))
        names, halves = self.names[kept], self.halves[..., kept]
        return Recorded(self.area, self.time_bin, self.animal, names, self.noise.taken(kept), halves)


@dataclass(frozen=True)
class Animals:
    """Neurons of several animals in one area and time bin, with repetitions of the same stimuli.

    Attributes
    ----------
    area, time_bin : str
    rows : (m,) integer array
        Rows of these stimuli.
    recorded : dict of list of Recorded
        Neurons of each animal, by recording.
    """

    area: str
    time_bin: str
    rows: NDArray[np.intp]
    recorded: Mapping[str, Sequence[Recorded]]

    def joined(self, animals: Sequence[str], of: str) -> NDArray[np.float64]:
        """Return the mean responses (n, p) or halves (halvings, 2, n, p) of some animals, NaN for other stimuli."""
        parts = [part for animal in animals for part in self.recorded[animal]]
        values = np.concatenate([part.noise.means if of == "means" else part.halves for part in parts], axis=-1)
        known = np.full_like(values, np.nan)
        known[..., self.rows, :] = values[..., self.rows, :]
        return known

    def targets(self, animal: str) -> Targets:
        """Return the neurons of an animal."""
        names = np.concatenate([part.names for part in self.recorded[animal]])
        n = len(names)
        kinds, areas, bins = (np.full(n, word) for word in ("neuron", self.area, self.time_bin))
        return Targets(self.joined([animal], "means"), kinds, names, areas, np.full(n, np.nan), bins)

    def reliabilities(self, animal: str, split: Split) -> NDArray[np.float64]:
        """Return the reliability (2, p) of an animal's responses within each half of the folds."""
        folds = [among for fold in split.folds if len(among := fold[np.isin(fold, self.rows)])]
        parts = self.recorded[animal]
        return np.stack([np.concatenate([reliability_of_half(part.noise, folds, k) for part in parts]) for k in (0, 1)])


def inter_animal(
    recordings: Sequence[str | Path],
    stimuli: str | Path,
    output: str | Path,
    *,
    group: str,
    mappings: Sequence[str],
    splits: Sequence[str | Mapping],
    n_folds: int,
    seed: int,
    penalties: Sequence[float],
    components: int = MAPPINGS["pls"].defaults["components"],
    n_bootstrap: int,
    reliability_threshold: float,
    cores: int = 1,
) -> None:
    """Predict the neurons of each animal of a set from the neurons of the other animals, and write the consistency.

    Parameters
    ----------
    recordings : sequence of paths
        Stores of the set's recordings, of neuroids.
    stimuli : path
        Store of the stimuli of all.
    output : path
        Parquet file to write, with the rows of `consistency_rows`.
    group : str
        Name of the set.
    mappings, splits, n_folds, seed, penalties, components, cores
        As for `ventral.scores.fitting.fit`. Random test sets, which overlap, are left out.
    n_bootstrap : int
        Number of resamples of stimuli, predicted neurons and draws of predicting neurons.
    reliability_threshold : float
        Lowest reliability, within one half of the folds, of a neuron scored on the other half.

    Raises
    ------
    InputError
        If a store was made from other stimuli, or if these do not allow a split. Also as for `shared_animals`.
    """
    stimulus_set = read_stimuli(stimuli, recordings)
    made = splits_of(stimulus_set, splits, n_folds, seed)
    made = {name: split for name, split in made.items() if not split.repeated}
    recorded = [part for path in recordings for part in recorded_neurons(read_recording(path), seed)]
    options, sha256 = Options(mappings, penalties, components), stimulus_set.attrs["sha256"]
    graph = [
        _graph(animals, animal, made, options, reliability_threshold, n_bootstrap, seed, sha256)
        for animals in shared_animals(recorded, made, group)
        for animal in animals.recorded
    ]
    with writing(output) as unfinished, computing(cores):
        found = compute(graph, Progress(f"inter_animal {group}", len(graph), "animals"))
        rows = [consistency_rows(medians, seed) for of_animal in found for medians in of_animal]
        write_parquet(with_means(rows).assign(group=group)[COLUMNS], unfinished)


def recorded_neurons(responses: "xr.Dataset", seed: int) -> list[Recorded]:
    """Return the usable neurons of a recording by area, time bin and animal; those of an unknown animal have none.

    Raises
    ------
    InputError
        If the recording has dissimilarity matrices, or no repetitions.
    """
    name = responses.attrs["recording"]
    if "responses" not in responses:
        raise InputError(f"recording {name}: `inter_animal` needs responses of neuroids, not dissimilarity matrices")
    if not responses.attrs["has_repetitions"]:
        raise InputError(
            f"recording {name}: no stimulus has repetitions, which `inter_animal` needs to correct for noise; leave "
            f"the set out of `inter_animal`"
        )
    bins, areas = bins_of(responses), responses["area"].values.astype(str)
    animals = responses["animal"].values.astype(str) if "animal" in responses.coords else np.full(len(areas), "")
    usable = (responses["left_out"].values.astype(str) == "") & (bins != BASELINE)
    if (usable & (animals == "")).any():
        logger.warning(
            "recording %s: the animal of %d neuroids is unknown, so `inter_animal` leaves these out",
            name,
            (usable & (animals == "")).sum(),
        )
    usable &= animals != ""
    found = []
    for area, time_bin, animal in sorted(set(zip(areas[usable], bins[usable], animals[usable], strict=True))):
        columns = np.flatnonzero(usable & (areas == area) & (bins == time_bin) & (animals == animal))
        of_animal = responses.isel(neuroid=columns)
        values = of_animal["responses"].transpose("repetition", "stimulus", "neuroid").values
        names = np.array([f"{name}/{neuroid}" for neuroid in of_animal["neuroid"].values])
        halves = np.stack([np.stack(pair) for pair in means_of_halves(values, HALVINGS, seed)])
        found.append(Recorded(area, time_bin, animal, names, noise_of_neurons(of_animal), halves))
    return found


def shared_animals(recorded: Sequence[Recorded], splits: Mapping[str, Split], group: str) -> list[Animals]:
    """Return the animals of each area and time bin that has several, with the stimuli that all of them saw repeatedly.

    Parameters
    ----------
    recorded : sequence of Recorded
        From `recorded_neurons`, of all recordings of a set.
    splits : mapping of Split
    group : str
        Name of the set.

    Raises
    ------
    InputError
        If no area has neurons of two animals. Also if the animals of an area share too few repeated stimuli for every
        split. Also if fewer than `FEWEST_PREDICTORS` neurons of the other animals would predict an animal.
    """

    def place(part: Recorded) -> tuple[str, str]:
        return part.area, part.time_bin

    found = []
    for (area, time_bin), of_place in groupby(sorted(recorded, key=place), key=place):
        parts = list(of_place)
        names = sorted({part.animal for part in parts})
        where = f"set {group}, {place_of(area, time_bin)}"
        if len(names) < 2:
            logger.warning("%s: only animal %s was recorded, so no other animal predicts its neurons", where, *names)
            continue
        saw = [np.any([p.repeated.any(axis=1) for p in parts if p.animal == animal], axis=0) for animal in names]
        rows = np.flatnonzero(np.all(saw, axis=0))
        known = np.isin(np.arange(len(saw[0])), rows)[:, None]
        if not any(np.all(split.suffices(known)) for split in splits.values()):
            counts = ", ".join(f"{animal} {seen.sum()}" for animal, seen in zip(names, saw, strict=True))
            raise InputError(
                f"{where}: {len(rows)} stimuli were shown at least twice to every animal (each alone: {counts}), too "
                f"few for any split; leave the set out of `inter_animal`, or record the same stimuli repeatedly"
            )
        kept = [part.with_all(rows) for part in parts]
        _warn_of_incomplete(parts, kept, where)
        of_animals = {animal: [part for part in kept if part.animal == animal] for animal in names}
        _check_numbers({animal: sum(len(p.names) for p in of) for animal, of in of_animals.items()}, where)
        found.append(Animals(area, time_bin, rows, of_animals))
    if not found:
        raise InputError(
            f"set {group}: no area was recorded in two animals or more; name the animals (`recordings.NAME.animal`, or "
            f"a column `animal` of the table of neuroids), or leave the set out of `inter_animal`"
        )
    return found


def _warn_of_incomplete(parts: Sequence[Recorded], kept: Sequence[Recorded], where: str) -> None:
    lost = [name for part, after in zip(parts, kept, strict=True) for name in np.setdiff1d(part.names, after.names)]
    if lost:
        logger.warning(
            "%s: %d neuroids lack repetitions of stimuli that all animals saw, and are left out: %s",
            where,
            len(lost),
            shown(lost),
        )


def _check_numbers(n_neurons: Mapping[str, int], where: str) -> None:
    total = sum(n_neurons.values())
    for animal, n in n_neurons.items():
        if not n:
            raise InputError(
                f"{where}: no neuroid of animal {animal} has repetitions of all stimuli that the animals share; leave "
                f"the set out of `inter_animal`"
            )
    for animal, n in n_neurons.items():
        if total - n < FEWEST_PREDICTORS:
            raise InputError(
                f"{where}: {total - n} neuroids of other animals have repetitions of all shared stimuli and would "
                f"predict those of {animal}; `inter_animal` needs {FEWEST_PREDICTORS}, because it extrapolates over "
                f"their number"
            )


def subsets(n_predictors: int, seed: int) -> list[NDArray[np.intp]]:
    """Return the sets of predicting neurons: `DRAWS` random ones of each share below 1, then all neurons."""
    rng = np.random.default_rng([seed, n_predictors])
    drawn = [
        np.sort(rng.choice(n_predictors, size=int(n_predictors * share), replace=False))
        for share in SHARES[:-1]
        for _ in range(DRAWS)
    ]
    return [*drawn, np.arange(n_predictors)]


def _graph(
    animals: Animals,
    animal: str,
    splits: Mapping[str, Split],
    options: Options,
    threshold: float,
    n_bootstrap: int,
    seed: int,
    sha256: str,
) -> Delayed:
    """Return a delayed list of `Medians` of one animal, one for each split and mapping."""
    targets, others = animals.targets(animal), [name for name in animals.recorded if name != animal]
    means, halves = (animals.joined(others, of) for of in ("means", "halves"))
    responses = animals.joined([animal], "halves")
    divisors = {
        name: ceilings_of_chosen(animals.reliabilities(animal, split), threshold) for name, split in splits.items()
    }
    drawn = {name: draw(targets, split.folds, sha256, n_bootstrap, seed) for name, split in splits.items()}
    chosen = subsets(means.shape[1], seed)
    shared = delayed((targets, responses, splits, options, divisors, drawn), pure=False, traverse=False)
    of_subsets = [
        delayed(_medians_by, pure=False, traverse=False)(means[:, some], halves[..., some], shared) for some in chosen
    ]
    described = {"area": animals.area, "time_bin": animals.time_bin, "animal": animal, "n_stimuli": len(animals.rows)}
    sizes = np.array([len(some) for some in chosen])
    n_neuroids = {name: int(np.isfinite(rho).any(axis=0).sum()) for name, rho in divisors.items()}
    return delayed(_joined, pure=False)(described, sizes, of_subsets, n_neuroids)


def _medians_by(means: NDArray, halves: NDArray, shared: tuple) -> dict[tuple[str, str], tuple[NDArray, float, float]]:
    """Return the results of `_medians` for some predicting neurons, by split and mapping.

    Parameters
    ----------
    means : (n, p) array
        Mean responses of the predicting neurons.
    halves : (halvings, 2, n, p) array
        Their mean responses in the halves of the repetitions.
    shared : tuple
        The predicted neurons, and their responses (halvings, 2, n, targets) in the halves. Also the splits, the options
        of mappings, and the ceilings and resamples of each split.
    """
    targets, responses, splits, options, divisors, drawn = shared
    pairs = [(halves[k, side], responses[k, side]) for k in range(len(halves)) for side in (0, 1)]
    fits = [
        _predicted(features, targets, values, splits, options) for features, values in [(means, targets.values), *pairs]
    ]
    # This task is one of many that run at once, and its own graph runs in its thread.
    predictions = dask.compute([[part.predictions for part in fit] for fit in fits], scheduler="synchronous")[0]
    found = {}
    for k, part in enumerate(fits[0]):
        whole, *of_halves = (of_fit[k] for of_fit in predictions)
        columns = np.arange(len(part.targets.names))
        whole = Predictions(whole, part.targets.values, part.rows, part.folds, columns)
        found[part.split, part.mapping] = _medians(whole, of_halves, divisors[part.split], drawn[part.split])
    return found


def _predicted(
    features: NDArray, targets: Targets, values: NDArray, splits: Mapping[str, Split], options: Options
) -> list[Predicted]:
    """Return the predictions of an animal's neurons from features (n, p), which are NaN for unshared stimuli."""
    known = np.isfinite(features).all(axis=1)
    used = np.zeros(features.shape)
    used[known] = standardised(features[known])
    layer = {"name": f"{features.shape[1]} neurons", "n_features": features.shape[1]}
    return predict(representation_of(used), layer, replace(targets, values=values), splits, options)


def _medians(
    whole: Predictions, halves: Sequence[NDArray], divisors: NDArray, drawn: Resamples
) -> tuple[NDArray, float, float]:
    """Return the median consistency in every resample, and the medians of r and of the predictions' reliability."""
    reliability = prediction_reliability(np.stack(halves[::2]), np.stack(halves[1::2]), whole.folds)
    of_both = divisors * np.sqrt(np.maximum(reliability, 0))
    none = np.zeros(len(reliability), dtype=bool)
    (medians,) = resampled_medians([whole], of_both, none, drawn).values()
    original = Resamples(drawn.stimuli[:1], {place: columns[:1] for place, columns in drawn.neuroids.items()})
    (r,) = resampled_medians([whole], np.where(np.isfinite(divisors), 1.0, np.nan), none, original).values()
    taken = np.isfinite(divisors).any(axis=0)
    return medians[0], float(r[0, 0]), float(np.median(reliability[taken])) if taken.any() else np.nan


def _joined(
    described: Mapping, sizes: NDArray, of_subsets: Sequence[Mapping[tuple[str, str], tuple]], n_neuroids: Mapping
) -> list[Medians]:
    joined = []
    for split, mapping in of_subsets[0]:
        medians, r, reliability = map(np.array, zip(*(found[split, mapping] for found in of_subsets), strict=True))
        of_both = {**described, "split": split, "mapping": mapping}
        joined.append(Medians(of_both, sizes, medians, r, reliability, n_neuroids[split]))
    return joined
