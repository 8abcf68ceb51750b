"""Compare layers with recorded areas without a fit, by RSA and CKA.

An area was recorded as the responses of neuroids or as dissimilarity matrices. The neuroids' mean responses form a
representation like that of a layer. Each neuroid is standardised over stimuli, so that none counts more for its rate.

Values of RSA and CKA depend on the number of neuroids: few neuroids of a population are less similar to a layer than
many. Panels with different numbers are not comparable, except by `r_population` of debiased CKA, which is corrected.

Crossnobis distances of neurons are compared with squared Euclidean distances of layers, which have no noise.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.grams.recorded import representation_of
from ventral.grams.representations import Representation
from ventral.mappings.attenuation import (
    MatrixReliability,
    centred_matrix,
    centred_products,
    matrix_reliability,
    population_share,
    rank_reliability,
    similarities,
)
from ventral.mappings.cka import gram_of_dissimilarities, linear_cka, unit_centred_gram
from ventral.mappings.crossnobis import (
    FEWEST_REPETITIONS,
    complete_trials,
    crossvalidated_distances,
    whitened_patterns,
)
from ventral.mappings.dimensionality import dimensionality_of_signal, signal_traces
from ventral.mappings.rsa import comparable, compare, matrix_of_pairs, subject_ceilings, upper_triangle
from ventral.mappings.whitened import WHITENED, unit_whitened, whitened
from ventral.recordings.ingestion import mean_responses
from ventral.recordings.matrices import Matrices
from ventral.recordings.reliability import means_of_halves, random_halves
from ventral.recordings.time_bins import bins_of, columns_of, place_of
from ventral.statistics.matrix_influence import deleted_groups, jackknifed_influences, stimulus_influences
from ventral.statistics.two_factor import draws_of, two_factor_error

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)

CKA_COMPARISONS = ("biased", "debiased")
N_SPLITS = 20
FEWEST_STIMULI = 4
# Groups of stimuli left out one at a time for the error of tau-a.
DELETED_GROUPS = 20
# Corrected values are marked if the standard error of a perfect model's score exceeds this limit.
LARGEST_ERROR = 0.25
# Noise lengthens patterns, so that below this reliability a perfect model scores only 0.92 to 0.97 by RSA.
LOWEST_OF_DISTANCES = 0.6
UNKNOWN = MatrixReliability(np.nan, np.nan)


@dataclass(frozen=True)
class Comparison:
    """A measure of the similarity of two representations.

    Attributes
    ----------
    mapping : str
        `rsa`, `versa` or `cka`.
    distance : str
        Distance between feature vectors of stimuli: `correlation`, `cosine`, `euclidean`, or `crossnobis`, which is
        squared Euclidean distance for layers; '' for CKA.
    name : str
        `spearman`, `pearson`, `kendall`, `whitened_cosine` or `whitened_correlation`; for CKA, `biased` or `debiased`.
    """

    mapping: str
    distance: str
    name: str

    @property
    def has_ceiling(self) -> bool:
        """True if noise multiplies a value by the square root of a reliability.

        This law does not hold for Kendall's tau-a. It fails for biased CKA and squared Euclidean distances, too,
        because they contain the noise of each stimulus.
        """
        return self.name not in ("kendall", "biased") and self.distance != "euclidean"

    @property
    def distance_of_layers(self) -> str:
        """Distance between the features of a layer; '' for CKA."""
        return "euclidean" if self.distance == "crossnobis" else self.distance

    def centred(self, pairs: NDArray) -> NDArray[np.float64]:
        """Return the matrix of distances (pairs,) whose inner products this measure takes, before ranks."""
        return whitened(matrix_of_pairs(pairs), self.name) if self.name in WHITENED else centred_matrix(pairs)

    def prepared(self, representation: Representation) -> NDArray[np.float64]:
        """Return the matrix of a representation that this measure compares."""
        if self.mapping == "cka":
            return unit_centred_gram(representation.gram, self.name)
        return self.prepared_pairs(representation.dissimilarities(self.distance_of_layers))

    def prepared_pairs(self, pairs: NDArray) -> NDArray[np.float64]:
        """Return the matrix that this measure compares, given dissimilarities (pairs,)."""
        if self.mapping == "cka":
            return unit_centred_gram(gram_of_dissimilarities(matrix_of_pairs(pairs)), self.name)
        if self.name in WHITENED:
            return unit_whitened(matrix_of_pairs(pairs), self.name)
        return comparable(pairs, self.name)

    def value(self, layer: NDArray, measured: NDArray) -> float:
        """Return the similarity of two representations, given their prepared matrices."""
        if self.mapping == "cka" or self.name in WHITENED:
            return linear_cka(layer, measured)
        return float(compare(layer, measured[None], self.name)[0])

    def error(self, layer: NDArray, measured: NDArray, influences: NDArray, seed: int) -> float:
        """Return the standard error of `value` for other stimuli, from influences, or from groups of stimuli for tau-a.

        The error is NaN if the value is NaN; `seed` draws the groups.
        """
        if self.name != "kendall":
            return float(np.linalg.norm(influences))
        matrices = matrix_of_pairs(layer), matrix_of_pairs(measured)
        n = len(matrices[0])
        values = [
            self.value(*(upper_triangle(matrix[np.ix_(rows, rows)]) for matrix in matrices))
            for rows in deleted_groups(n, min(n, DELETED_GROUPS), seed)
        ]
        return float(np.linalg.norm(jackknifed_influences(np.array(values))))


@dataclass(frozen=True)
class Geometry:
    """Recorded matrices to compare layers with, from an area's neuroids or published for one or several subjects.

    Attributes
    ----------
    area, target : str
        Name of the area, and name of the target: the area's or the matrix's name.
    rows : (m,) integer array
        Rows of the stimuli of the matrix.
    subjects : list of int or None
        Numbers of the subjects; None if there is only one.
    prepared : dict of lists of arrays
        Prepared matrix of each subject, for each comparison.
    reliability : dict of MatrixReliability
        Reliability of exactly the compared matrix, for each comparison; NaN if undefined.
    ceilings : dict of (low, high)
        Arrays (subjects,) from `subject_ceilings`, for each comparison.
    dimensionality : float
        Effective dimensionality of the signal without noise; NaN without repetitions and for published matrices.
    time_bin : str
        Name of the time bin; '' without time bins.
    n_neuroids : int or None
        Number of neuroids; None for published matrices.
    population_share : float
        Result of `ventral.mappings.attenuation.population_share`; NaN for published matrices.
    n_units : int
        Number of neuroids, or of subjects.
    drawn : dict of callables
        For each distance, a function that returns the dissimilarities (matrices, n, n) of drawn neuroids or subjects.
    """

    area: str
    target: str
    rows: NDArray[np.intp]
    subjects: Sequence[int | None]
    prepared: Mapping[Comparison, Sequence[NDArray]]
    reliability: Mapping[Comparison, MatrixReliability]
    ceilings: Mapping[Comparison, tuple[NDArray, NDArray]]
    dimensionality: float
    time_bin: str = ""
    n_neuroids: int | None = None
    population_share: float = np.nan
    n_units: int = 0
    drawn: Mapping[str, Callable[[NDArray[np.intp]], NDArray]] = field(default_factory=dict)


def comparisons_of(mappings: Sequence[str], rsa: Mapping[str, Sequence[str]]) -> list[Comparison]:
    """Return the comparisons that the config asks for.

    Parameters
    ----------
    mappings : sequence of str
        Mappings; only `rsa` and `cka` give comparisons.
    rsa : dict
        Options of mapping `rsa`, with `distances` and `comparisons`.
    """
    chosen = []
    if "rsa" in mappings:
        chosen += [Comparison("rsa", distance, name) for distance in rsa["distances"] for name in rsa["comparisons"]]
    if "cka" in mappings:
        chosen += [Comparison("cka", "", name) for name in CKA_COMPARISONS]
    return chosen


def geometries_of_matrices(matrices: Matrices, comparisons: Sequence[Comparison]) -> list[Geometry]:
    """Return the geometries of published matrices.

    CKA interprets dissimilarities as squared distances (`ventral.mappings.cka.gram_of_dissimilarities`).
    """
    geometries = []
    for name in dict.fromkeys(matrices.names):
        of_subjects = matrices.dissimilarities[matrices.names == name]
        prepared = {
            comparison: [comparison.prepared_pairs(pairs) for pairs in of_subjects] for comparison in comparisons
        }
        squares = np.stack([matrix_of_pairs(pairs) for pairs in of_subjects])
        geometries.append(
            Geometry(
                area=str(matrices.areas[matrices.names == name][0]),
                target=str(name),
                rows=np.arange(matrices.n_stimuli),
                subjects=list(range(1, len(of_subjects) + 1)) if len(of_subjects) > 1 else [None],
                prepared=prepared,
                reliability=dict.fromkeys(comparisons, UNKNOWN),
                ceilings={comparison: _ceilings(each, comparison) for comparison, each in prepared.items()},
                dimensionality=np.nan,
                n_units=len(of_subjects),
                drawn=dict.fromkeys({comparison.distance for comparison in comparisons}, squares.__getitem__),
            )
        )
    return geometries


def geometries_of_neuroids(
    responses: "xr.Dataset", comparisons: Sequence[Comparison], seed: int, n_splits: int = N_SPLITS
) -> list[Geometry]:
    """Return the geometries of a recording of neuroids, one for each area in each time bin.

    Reliability refers to exactly the compared matrix (`ventral.mappings.attenuation`), over random halves of the
    repetitions. In simulations, a perfect model scored 0.97 to 1.03 by debiased CKA with reliabilities of 0.3 and more.
    By RSA, a perfect model scored 0.95 to 1.04 with reliabilities of 0.6 and more (`benchmarks/matrices.py`). If a
    stimulus was shown only once, the reliability is unknown, because the noise of that response is.

    Parameters
    ----------
    responses : Dataset
        Store of a recording.
    comparisons : sequence of Comparison
    seed, n_splits : int
        Seed and number of the random halves.
    """
    geometries = []
    for area, time_bin, population in populations(responses):
        reliability, share, dimensionality = _compare_halves(population, comparisons, n_splits, seed)
        drawn = {
            distance: population.distances_of_drawn(distance)
            for distance in {comparison.distance for comparison in comparisons if comparison.mapping == "rsa"}
        }
        every = np.arange(len(population.names))
        pairs = {distance: upper_triangle(of_drawn(every)[0]) for distance, of_drawn in drawn.items()}
        representation = representation_of(population.means)
        prepared = {
            comparison: [
                comparison.prepared_pairs(pairs[comparison.distance])
                if comparison.mapping == "rsa"
                else comparison.prepared(representation)
            ]
            for comparison in comparisons
        }
        geometries.append(
            Geometry(
                area=area,
                target=area,
                rows=population.rows,
                subjects=[None],
                prepared=prepared,
                reliability=reliability,
                ceilings={comparison: _ceilings(each, comparison) for comparison, each in prepared.items()},
                dimensionality=dimensionality,
                time_bin=time_bin,
                n_neuroids=representation.n_features,
                population_share=share,
                n_units=representation.n_features,
                drawn=drawn,
            )
        )
    return geometries


@dataclass(frozen=True)
class Population:
    """The neuroids of an area that have all of its stimuli, standardised over these stimuli.

    Attributes
    ----------
    rows : (m,) integer array
        Rows of these stimuli in the recording.
    responses : (repetitions, m, neuroids) array
        Responses; NaN if not shown.
    names : (neuroids,) array of str
    centre, scale : (neuroids,) arrays
        Mean and standard deviation of the mean responses before they were standardised.
    """

    rows: NDArray[np.intp]
    responses: NDArray[np.float64]
    names: NDArray
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean responses (m, neuroids) over repetitions."""
        return np.nanmean(self.responses, axis=0)

    def distances_of_drawn(self, distance: str) -> Callable[[NDArray[np.intp]], NDArray[np.float64]]:
        """Return a function that returns the dissimilarities (1, m, m) of drawn neuroids.

        For `crossnobis`, neuroids are whitened first and drawn then. Copies of a neuroid would whiten each other away.
        """
        if distance == "crossnobis":
            patterns = whitened_patterns(complete_trials(self.responses))
            return lambda neuroids: matrix_of_pairs(crossvalidated_distances(patterns[:, :, neuroids]))[None]
        means = self.means
        return lambda neuroids: matrix_of_pairs(representation_of(means[:, neuroids]).dissimilarities(distance))[None]

    def taken(self, stimuli: NDArray[np.intp]) -> "Population":
        """Return the same neuroids with some of the stimuli, by position, in the same units."""
        return replace(self, rows=self.rows[stimuli], responses=self.responses[:, stimuli])

    def halves(self, n_splits: int, seed: int) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
        """Yield the mean responses in two random halves, and the stimuli that all neuroids have in both halves."""
        for pair in means_of_halves(self.responses, n_splits, seed):
            both = np.flatnonzero(np.isfinite(pair).all(axis=(0, 2)))
            if len(both) >= FEWEST_STIMULI:
                yield pair[0][both], pair[1][both], both


@dataclass(frozen=True)
class _Members:
    """Columns of an area's usable neuroids in a time bin, those with all stimuli, and the rows of these stimuli."""

    area: str
    time_bin: str
    columns: NDArray[np.intp]
    complete: NDArray[np.bool_]
    rows: NDArray[np.intp]

    @property
    def suffice(self) -> bool:
        return bool(self.complete.any()) and len(self.rows) >= FEWEST_STIMULI


def populations(responses: "xr.Dataset") -> Iterator[tuple[str, str, Population]]:
    """Yield the population of each area and time bin, in the order of their names.

    Stimuli that no neuroid of the area was shown are left out. Neuroids that lack one of the other stimuli are left
    out, and so are areas with fewer than four stimuli (`warn_of_left_out`).
    """
    responses = columns_of(responses)
    ids = responses["neuroid"].values.astype(str)
    for members in _members(responses):
        if not members.suffice:
            continue
        neuroids = members.columns[members.complete]
        values = responses["responses"].transpose("repetition", "stimulus", "neuroid").values
        values = values[:, members.rows][:, :, neuroids]
        means = np.nanmean(values, axis=0)
        centre, scale = means.mean(axis=0), means.std(axis=0)
        population = Population(members.rows, (values - centre) / scale, ids[neuroids], centre, scale)
        yield members.area, members.time_bin, population


def warn_of_left_out(responses: "xr.Dataset") -> None:
    """Name the neuroids and areas that `populations` leaves out."""
    responses = columns_of(responses)
    ids = responses["neuroid"].values.astype(str)
    for members in _members(responses):
        place = place_of(members.area, members.time_bin)
        if not members.complete.all():
            logger.warning(
                "recording %s, %s: %d of %d neuroids have missing stimuli and are not compared by rsa, cka or versa: "
                "%s",
                responses.attrs["recording"],
                place,
                (~members.complete).sum(),
                len(members.columns),
                ", ".join(ids[members.columns[~members.complete]]),
            )
        if not members.suffice:
            logger.warning(
                "recording %s, %s: %d neuroids have all %d stimuli, too few to compare this area by rsa, cka or versa",
                responses.attrs["recording"],
                place,
                members.complete.sum(),
                len(members.rows),
            )


def check_repetitions(responses: "xr.Dataset") -> None:
    """Refuse a recording that does not allow crossnobis distances.

    Raises
    ------
    InputError
        For published matrices. Also if a stimulus has fewer than two repetitions with responses of all neuroids of an
        area. Also if a neuroid responds to each stimulus in the same way every time.
    """
    name = responses.attrs["recording"]
    advice = "leave `crossnobis` out of config key mappings.rsa.distances, or the recording out of the config"
    if "dissimilarities" in responses:
        raise InputError(
            f"recording {name}: crossnobis distances need single repetitions, but dissimilarity matrices have none; "
            f"{advice}"
        )
    for area, time_bin, population in populations(responses):
        trials = complete_trials(population.responses)
        counts = np.isfinite(trials[:, :, 0]).sum(axis=0)
        if counts.min() < FEWEST_REPETITIONS:
            few = population.rows[counts < FEWEST_REPETITIONS]
            raise InputError(
                f"recording {name}, {place_of(area, time_bin)}: crossnobis distances need at least "
                f"{FEWEST_REPETITIONS} repetitions of each stimulus with responses of all {len(population.names)} "
                f"neuroids; {len(few)} of {len(counts)} stimuli have fewer, the first in row {few[0] + 1}; {advice}"
            )
        constant = (np.nanmax(trials, axis=0) == np.nanmin(trials, axis=0)).all(axis=0)
        if constant.any():
            raise InputError(
                f"recording {name}, {place_of(area, time_bin)}: neuroid {population.names[constant][0]} has the same "
                f"response in all repetitions of each stimulus, so its noise is unknown to crossnobis distances; "
                f"{advice}"
            )


def _members(responses: "xr.Dataset") -> Iterator[_Members]:
    bin_of = bins_of(responses)
    usable = responses["left_out"].values.astype(str) == ""
    area_of = responses["area"].values.astype(str)
    present = np.isfinite(mean_responses(responses).values)
    for area, time_bin in sorted(set(zip(area_of[usable], bin_of[usable], strict=True))):
        columns = np.flatnonzero(usable & (area_of == area) & (bin_of == time_bin))
        rows = np.flatnonzero(present[:, columns].any(axis=1))
        yield _Members(area, time_bin, columns, present[np.ix_(rows, columns)].all(axis=0), rows)


def geometry_rows(
    representation: Representation,
    layer: str,
    geometries: Sequence[Geometry],
    comparisons: Sequence[Comparison],
    reliability_threshold: float,
    seed: int,
    n_bootstrap: int,
) -> pd.DataFrame:
    """Return the rows of the score table that compare a layer with recorded matrices, without a fit.

    Parameters
    ----------
    representation : Representation
        Representation of all stimuli.
    layer : str
        Name of the layer, for messages.
    geometries : sequence of Geometry
    comparisons : sequence of Comparison
    reliability_threshold : float
        Lowest reliability of a corrected value that is not marked.
    seed : int
        Seed of the groups of stimuli for the error of tau-a, and of the draws of the two-factor bootstrap.
    n_bootstrap : int
        Number of these draws; 0 for none.

    Returns
    -------
    DataFrame
        A row for each comparison, geometry and subject. `r` is the value, also for CKA, and `r_error` its standard
        error for other stimuli. `r_error_both` is the error of RSA for other stimuli and other neuroids, NaN without
        draws. For subjects, it is the error of their mean, for other stimuli and other subjects. `n_neuroids`,
        `reliability`, `predictivity` and `explained_variance` are those of the score table. `standard_error` belongs to
        the score of a perfect model. `marked` is true if this error or the reliability makes the corrected value
        unsafe. `r_population` is debiased CKA as with all neurons of the population and without noise. `ceiling_low`
        and `ceiling_high` are the subject's agreement with the mean of the other subjects, and of all subjects.
        `influences` has the influence of each stimulus on `r`.
    """
    parts = []
    for geometry in geometries:
        part = representation.select_stimuli(geometry.rows)
        for comparison in comparisons:
            prepared = comparison.prepared(part)
            if np.isnan(prepared).any():
                _warn(part, layer, comparison, geometry.rows)
            compared = [
                stimulus_influences(comparison.mapping, comparison.name, prepared, measured)
                for measured in geometry.prepared[comparison]
            ]
            r, influences = np.array([value for value, _ in compared]), [of_stimuli for _, of_stimuli in compared]
            reliability = geometry.reliability[comparison]
            low, high = geometry.ceilings[comparison]
            predictivity = over_root(r, reliability.rho)
            errors = [
                comparison.error(prepared, measured, of_stimuli, seed)
                for measured, of_stimuli in zip(geometry.prepared[comparison], influences, strict=True)
            ]
            share = geometry.population_share if comparison.name == "debiased" else np.nan
            parts.append(
                pd.DataFrame(
                    {
                        "area": geometry.area,
                        "time_bin": geometry.time_bin,
                        "target": geometry.target,
                        "target_kind": "matrix",
                        "split": "none",
                        "mapping": comparison.mapping,
                        "distance": comparison.distance,
                        "comparison": comparison.name,
                        "subject": pd.array(geometry.subjects, dtype="Int64"),
                        "n_stimuli": len(geometry.rows),
                        "n_folds": 0,
                        "n_neuroids": pd.array([geometry.n_neuroids] * len(r), dtype="Int64"),
                        "r": r,
                        "r_error": errors,
                        "r_error_both": _error_for_both(part, comparison, geometry, n_bootstrap, seed),
                        "r_population": over_root(r, share),
                        "reliability": reliability.rho,
                        "predictivity": predictivity,
                        "explained_variance": predictivity * np.abs(predictivity),
                        "standard_error": reliability.standard_error,
                        "marked": is_marked(comparison, reliability, reliability_threshold),
                        "target_dimensionality": geometry.dimensionality,
                        "ceiling_low": low,
                        "ceiling_high": high,
                        "influences": influences,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _error_for_both(
    layer: Representation, comparison: Comparison, geometry: Geometry, n_bootstrap: int, seed: int
) -> float:
    if comparison.mapping != "rsa" or not n_bootstrap:
        return np.nan
    draws = draws_of(len(geometry.rows), geometry.n_units, n_bootstrap, seed)
    distances = matrix_of_pairs(layer.dissimilarities(comparison.distance_of_layers))
    return two_factor_error(distances, geometry.drawn[comparison.distance], comparison.name, draws)


def over_root(r: NDArray, share: float) -> NDArray[np.float64]:
    """Return values divided by the root of a reliability or share; NaN if this is not positive."""
    return r / np.sqrt(share) if share > 0 else np.full(len(r), np.nan)


def is_marked(comparison: Comparison, reliability: MatrixReliability, threshold: float) -> bool:
    """Tell whether the reliability makes a corrected value unsafe; False if the reliability is unknown."""
    if np.isnan(reliability.rho):
        return False
    lowest = threshold if comparison.mapping == "cka" else max(threshold, LOWEST_OF_DISTANCES)
    return not (reliability.rho >= lowest and reliability.standard_error <= LARGEST_ERROR)


def _compare_halves(
    population: Population, comparisons: Sequence[Comparison], n_splits: int, seed: int
) -> tuple[dict[Comparison, MatrixReliability], float, float]:
    """Return the reliability of each comparison, the population share for CKA, and the signal's dimensionality."""
    whole = population.means
    traces, in_both = [], np.zeros(len(whole), dtype=bool)
    for first, second, rows in population.halves(n_splits, seed):
        traces.append(signal_traces(first, second))
        in_both[rows] = True
    dimensionality = dimensionality_of_signal(traces)
    everywhere = bool(in_both.all())
    share = np.nan
    if any(comparison.name == "debiased" for comparison in comparisons):
        halves = population.halves(n_splits, seed) if everywhere else [(whole, whole, np.arange(len(whole)))]
        share = population_share((*pair, whole[rows]) for *pair, rows in halves)
    reliability = dict.fromkeys(comparisons, UNKNOWN)
    for comparison in comparisons:
        if comparison.has_ceiling and comparison.distance == "crossnobis":
            reliability[comparison] = _crossnobis_reliability(population, comparison, n_splits, seed)
        elif comparison.has_ceiling and everywhere:
            reliability[comparison] = _reliability(population.halves(n_splits, seed), whole, comparison)
    return reliability, share, dimensionality


def reliability_of_comparison(
    population: Population, comparison: Comparison, n_splits: int, seed: int
) -> MatrixReliability:
    """Return the reliability of a population's matrix; NaN without a ceiling, or if a stimulus was shown only once."""
    if not comparison.has_ceiling:
        return UNKNOWN
    in_both = np.zeros(len(population.rows), dtype=bool)
    for *_, rows in population.halves(n_splits, seed):
        in_both[rows] = True
    if not in_both.all():
        return UNKNOWN
    return _reliability(population.halves(n_splits, seed), population.means, comparison)


def _reliability(halves: Iterable[tuple], whole: NDArray, comparison: Comparison) -> MatrixReliability:
    def compared(responses: NDArray, rows: NDArray) -> NDArray:
        if comparison.mapping == "cka":
            return centred_products(responses)
        products = similarities(responses, whole[rows], comparison.distance)
        return 1 - products if comparison.name in WHITENED else products

    splits = (
        (compared(first, rows), compared(second, rows), compared(whole[rows], rows), rows)
        for first, second, rows in halves
    )
    found = matrix_reliability(splits, len(whole), comparison.centred)
    return rank_reliability(found) if comparison.name == "spearman" else found


def _crossnobis_reliability(
    population: Population, comparison: Comparison, n_splits: int, seed: int
) -> MatrixReliability:
    """Return the reliability of crossnobis distances; NaN if a half of the repetitions has none of its own."""
    trials = complete_trials(population.responses)
    shown = np.isfinite(trials[:, :, 0])
    if shown.sum(axis=0).min() < 2 * FEWEST_REPETITIONS:
        return UNKNOWN
    patterns, every = whitened_patterns(trials), np.arange(len(population.rows))
    whole = crossvalidated_distances(patterns)
    splits = (
        (*(_distances_within(part, patterns) for part in (half, ~half)), whole, every)
        for half in random_halves(shown, n_splits, seed)
    )
    found = matrix_reliability(splits, len(every), comparison.centred)
    return rank_reliability(found) if comparison.name == "spearman" else found


def _distances_within(trials: NDArray[np.bool_], patterns: NDArray) -> NDArray[np.float64]:
    return crossvalidated_distances(np.where(trials[:, :, None], patterns, np.nan))


def _ceilings(prepared: Sequence[NDArray], comparison: Comparison) -> tuple[NDArray, NDArray]:
    measured = np.stack(prepared)
    # CKA and whitened comparisons are the cosine of two centred matrices, which is their Pearson correlation because
    # their entries have mean 0.
    of_matrices = comparison.mapping == "cka" or comparison.name in WHITENED
    return subject_ceilings(measured.reshape(len(measured), -1), "pearson" if of_matrices else comparison.name)


def _warn(representation: Representation, layer: str, comparison: Comparison, stimuli: NDArray) -> None:
    """Warn that a layer cannot be compared, with the reason; `stimuli` are the rows of the representation."""
    n = len(stimuli)
    if comparison.mapping == "cka":
        logger.warning(
            "layer %s: its %d features do not vary over %d stimuli, or these are too few; %s CKA is missing",
            layer,
            representation.n_features,
            n,
            comparison.name,
        )
        return
    distance = comparison.distance_of_layers
    undefined = np.isnan(matrix_of_pairs(representation.dissimilarities(distance)))
    constant = stimuli[undefined.sum(axis=1) == n - 1]
    if len(constant):
        logger.warning(
            "layer %s: its %d features are all %s for %d stimuli (the first in row %d); %s distances are missing",
            layer,
            representation.n_features,
            "0" if distance == "cosine" else "the same",
            len(constant),
            constant[0] + 1,
            distance,
        )
    else:
        logger.warning(
            "layer %s: its %s distances are the same for all pairs of %d stimuli; their correlation is undefined",
            layer,
            distance,
            n,
        )
