"""Test the claims of Yamins et al. 2014 (PNAS 111:8619) and Hong et al. 2016 (Nature Neuroscience 19:613).

Claims about first layers compare their filters with V1 of the macaque (`ventral.statistics.v1`), and claims about
tuning compare units of layers (`ventral.statistics.v1_tuning`).

Every claim has an entry with its sampled unit, its null hypothesis and an effect that most experiments detect
(`benchmarks/claims.json`). A function of the entry yields the findings.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.grams.recorded import FAMILY
from ventral.statistics.contrasts import FAILS, HOLDS, LEVEL, OPEN, contrast
from ventral.statistics.groups import (
    FEWEST_PAIRS,
    FEWEST_UNITS,
    ONLY_THESE,
    correlation_over_networks,
    judged_over_groups,
    trained_against_untrained,
    with_training,
)
from ventral.statistics.influence import Estimates
from ventral.statistics.influence_table import FIRST_FOLD, PANEL, panel_estimates
from ventral.statistics.v1 import ALL, LIKE_V1

# Claims about training skip models of family `unknown`.
TRAINED = ("pretrained", "trained")
FITTED = "fitted"
# Checkpoints count as their network, except checkpoints before training, whose family is `untrained`.
TRAINED_OR_IN_TRAINING = (*TRAINED, "checkpoint")
# Range of depths expected to predict an area best, by the last word of the area's name.
PLACES = {"EVC": (0.0, 0.6), "V1": (0.0, 0.4), "V2": (0.0, 0.6), "V4": (0.2, 0.8), "IT": (0.6, 1.0)}
# Components of auditory cortex (Kell et al. 2018, Neuron 98:630; Tuckute et al. 2023, PLoS Biology 21:e3002366).
PLACES |= {"lowfreq": (0.0, 0.5), "highfreq": (0.0, 0.5), "speech": (0.5, 1.0), "music": (0.5, 1.0)}
# Claims about training and categorisation concern V4 and IT, not these areas.
NOT_CLAIMED = ("EVC", "V1")
# Properties of rendered stimuli that Hong et al. decoded: position, size and pose.
PROPERTIES = ("position_x", "position_y", "size", "rotation_x", "rotation_y", "rotation_z")
LATE = 0.5
# Balanced accuracy above which a category counts as decoded; chance is 0.5.
DECODED = 0.6
USUAL = (["ridge", "", ""], ["rsa", "correlation", "spearman"])
# Simulations tested influences on a matrix with this many stimuli or more.
FEWEST_STIMULI = 20
# Networks are not a random sample, so layers of several networks are compared like layers of one.
THESE_NETWORKS = "these networks only"
NOT_SAMPLED = "neurons or subjects of this matrix are not sampled"
# Replaces all claims about an area without comparable neurons.
NOTHING_CLAIMED = "models differ in how well they predict this area"
# Fewer networks give no correlation.
FEWEST_NETWORKS = 3


@dataclass(frozen=True)
class Finding:
    """A finding on a claim: one row of the table of claims.

    Attributes
    ----------
    claim, recording, area, time_bin, split, evidence : str
    verdict : str
        `holds`, `fails` or `undecided`.
    estimate, low, high : float
        Estimate of the claimed effect, and its 95 % interval; NaN if missing.
    p : float
        Two-sided p value.
    unit : str
        Sampled unit, such as 'stimuli and neurons'.
    n_units : int
        Number of units; for stimuli and neurons, the smaller number.
    n_marked : int
        Number of compared neurons or matrices whose corrected score is marked in the score table.
    note : str
        Scope of the verdict, or the reason why there is none.
    measure : str
        Name of the numbers in `evidence`; `estimate` is a difference of two such numbers, or a correlation.
    """

    claim: str
    recording: str
    area: str
    time_bin: str
    split: str
    evidence: str
    verdict: str = OPEN
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    unit: str = ""
    n_units: int = 0
    n_marked: int = 0
    note: str = ""
    measure: str = ""


@dataclass(frozen=True)
class Panel:
    """All models' layers that are compared on the same stimuli and neurons.

    Attributes
    ----------
    layers : DataFrame
        Rows of the table of influences, with `architecture` and `network` of each model, and `n_marked` of the panel.
    """

    layers: pd.DataFrame

    @cached_property
    def estimates(self) -> Estimates:
        """Scores and influences of the layers."""
        return panel_estimates(self.layers)

    @property
    def word(self) -> str:
        """Last word of the area's name."""
        return self._first["area"].rpartition(" ")[2]

    @property
    def how(self) -> str:
        """Mapping in parentheses; '' for ridge regression, and for Spearman's r of correlation distances."""
        how = list(self._first[["mapping", "distance", "comparison"]])
        return "" if how in USUAL else f" ({', '.join(filter(None, how))})"

    @property
    def unit(self) -> str:
        """Sampled unit."""
        if self._first["kind"] == "groups":
            return self._first["split"]
        sampled = self._first["sampled"] if self.estimates.neurons.shape[1] else ""
        return f"stimuli and {sampled}" if sampled else "stimuli"

    @property
    def n_units(self) -> int:
        """Number of units; for stimuli and neurons, the smaller number."""
        n_units, n_neurons = (part.shape[1] for part in (self.estimates.units, self.estimates.neurons))
        return n_units if self._first["kind"] == "groups" else min(n_units, n_neurons or n_units)

    @property
    def reach(self) -> str:
        """Note on the neurons or subjects that are not sampled and limit the verdict; '' if none are."""
        kind, sampled = self._first["target_kind"], self.estimates.neurons.shape[1]
        return {"neuron": "this neuron only", "matrix": NOT_SAMPLED}.get(kind, "") if not sampled else ""

    @property
    def no_interval(self) -> str:
        """Reason why there is no interval; '' if there is one."""
        n = self.estimates.units.shape[1]
        if n == 0:
            return "no interval: too many stimuli for the influences of this comparison"
        if self._first["target_kind"] == "matrix" and n < FEWEST_STIMULI:
            return f"no interval: {n} stimuli, but {FEWEST_STIMULI} are needed"
        return f"1 of the {self.unit}: no interval" if n < 2 else ""

    def rows(self, chosen: pd.Series) -> NDArray[np.intp]:
        """Return the row numbers of the chosen layers."""
        return np.flatnonzero(chosen.to_numpy())

    def named(self, layer: int) -> str:
        """Return a layer's name with its score."""
        row = self.layers.iloc[layer]
        name = row["model"] if row["model"] == row["layer"] else f"{row['model']} {row['layer']}"
        return f"{name} {self.estimates.theta[layer]:.2f}"

    def best(self, layers: NDArray[np.intp]) -> int:
        """Return the layer with the highest score among some."""
        return int(layers[self.estimates.theta[layers].argmax()])

    def finding(self, claim: str, evidence: str, **found) -> Finding:
        """Return a finding for this panel, whose evidence begins with the measure."""
        place = {name: self._first[name] for name in ("recording", "area", "time_bin", "split")}
        said = {"unit": self.unit, "n_units": self.n_units, "n_marked": self.n_marked, "measure": self.measure} | found
        # An area may have several matrices.
        several = self._first["target_kind"] == "matrix" and self._first["target"] != place["area"]
        of_what = f"{self._first['target']}, {said['measure']}" if several else said["measure"]
        return Finding(claim, **place, evidence=f"{of_what}: {evidence}", **said)

    def compared(self, claim: str, better: NDArray, worse: NDArray, seed: int, note: str = "") -> Finding:
        """Test whether the best of some layers scores better than the best of others."""
        best, other = self.best(better), self.best(worse)
        evidence = f"{self.named(best)}, {self.named(other)}"
        if self.no_interval:
            difference = float(self.estimates.theta[best] - self.estimates.theta[other])
            return self.finding(claim, evidence, estimate=difference, note=self.no_interval)
        if self._first["kind"] == "groups":
            found, few = judged_over_groups(self.estimates, better, worse, self.unit, seed)
        else:
            found, few = contrast(self.estimates, better, worse, seed), ""
        return self.finding(
            claim,
            evidence,
            estimate=found.difference,
            **{name: getattr(found, name) for name in ("low", "high", "p", "verdict")},
            note="; ".join(filter(None, (few, self.reach, note, self.why_raw))),
        )

    @property
    def measure(self) -> str:
        """Name of the measure. Claims use the mean over neurons; tables of areas use the median."""
        measure = "predictivity" if self._first["has_ceiling"] else "r"
        if self._first["kind"] == "groups":
            return f"mean r over {self._first['split']} and neurons"
        sampled = self._first["sampled"]
        averaged = "neurons" if self._first["target_kind"] == "neuron" else sampled
        return f"mean {measure} over {averaged}" if averaged else measure

    @property
    def why_raw(self) -> str:
        """Reason why the scores of neurons are not divided by a ceiling; '' if they are."""
        first = self._first
        raw = first["target_kind"] == "neuron" and first["kind"] == "stimuli" and not first["has_ceiling"]
        return "r (no ceiling): no repetitions" if raw else ""

    @property
    def n_marked(self) -> int:
        """Number of neurons or matrices with a marked corrected score; scores of held-out groups are not corrected."""
        return 0 if self._first["kind"] == "groups" else int(self._first["n_marked"])

    @property
    def _first(self) -> pd.Series:
        return self.layers.iloc[0]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Evidence for all claims.

    Attributes
    ----------
    influences : DataFrame
        Influences from `ventral.statistics.influence_table.read_influences`, with `architecture` and `network` of each
        model, and `n_marked` of each panel.
    accuracies : DataFrame
        Balanced accuracy of every `label` on held-out stimuli: `recording`, `model`, `layer`, `label`,
        `balanced_accuracy`.
    seed : int
        Seed of the draws in `ventral.statistics.contrasts.contrast`.
    selectivity : DataFrame or None
        Table for a category that networks never saw (`ventral.scores.selectivity`).
    first_layers : DataFrame or None
        Distances of filters from V1 (`ventral.statistics.v1.filter_distances`).
    order_of_steps : DataFrame or None
        Trends of steps over time (`ventral.statistics.steps.order_of_steps`).
    tuning : DataFrame or None
        Tuning of layers to gratings (`ventral.statistics.v1_tuning.tuning_by_layer`).
    """

    influences: pd.DataFrame
    accuracies: pd.DataFrame
    seed: int
    selectivity: pd.DataFrame | None = None
    first_layers: pd.DataFrame | None = None
    order_of_steps: pd.DataFrame | None = None
    tuning: pd.DataFrame | None = None

    @cached_property
    def areas(self) -> list[Panel]:
        """Panels of recorded areas, without biased CKA, which is near 1 with few stimuli for any features."""
        rows = self.influences[self.influences["target_kind"].isin(["neuron", "matrix"])]
        rows = rows[rows["split"] != FIRST_FOLD]
        return _panels(rows[rows["comparison"] != "biased"], PANEL)

    @cached_property
    def first_folds(self) -> list[Panel]:
        """Panels of areas on fold 0 alone: layers with ridge regression, and networks fitted to the neurons."""
        rows = self.influences[self.influences["split"] == FIRST_FOLD]
        return _panels(rows, ["recording", "area", "time_bin"])

    @cached_property
    def properties(self) -> list[Panel]:
        """Panels of properties of stimuli, one for recordings that share stimuli."""
        rows = self.influences[self.influences["target_kind"] == "property"]
        rows = rows.drop_duplicates(["stimuli", "target", "split", "mapping", "model", "layer"])
        return _panels(rows, ["stimuli", "target", "split", "mapping"])


def _panels(rows: pd.DataFrame, place: list[str]) -> list[Panel]:
    return [Panel(of_panel.reset_index(drop=True)) for _, of_panel in rows.groupby(place)]


def areas_without_neurons(scores: pd.DataFrame, influences: pd.DataFrame) -> Iterator[Finding]:
    """Yield a finding for each area without claims on a split, because no layer is compared there.

    Parameters
    ----------
    scores : DataFrame
        Score table.
    influences : DataFrame
        Influences from `ventral.statistics.influence_table.read_influences`.
    """
    place = ["recording", "area", "time_bin", "split"]
    compared = set(influences[influences["target_kind"] == "neuron"][place].itertuples(index=False, name=None))
    neurons = scores[(scores["target_kind"] == "neuron") & (scores["family"] != FAMILY)]
    splits = set(influences[["recording", "split"]].itertuples(index=False, name=None))
    for of, rows in neurons.groupby(place):
        if of in compared:
            continue
        if (of[0], of[3]) not in splits:
            note = (
                "layers are not compared here: random test sets overlap, or neurons are below `reliability_threshold`"
            )
        else:
            note = "neurons need a reliability of `reliability_threshold` or more, and responses that vary in folds"
        reliability = rows.groupby("target")["reliability"].first().astype(float)
        highest = f"; the highest reliability is {reliability.max():.2f}" if reliability.notna().any() else ""
        yield Finding(
            NOTHING_CLAIMED,
            *of,
            f"none of {len(reliability)} neurons is compared{highest}",
            unit="neurons",
            note=note,
        )


def training_improves(name: str, evidence: Evidence, family: str, control: str) -> Iterator[Finding]:
    """Test whether networks of a family predict better than those of a control family of the same architectures."""
    for panel in evidence.areas:
        layers = panel.layers
        trained, controls = layers["family"] == family, layers["family"] == control
        if panel.word in NOT_CLAIMED or not (trained.any() and controls.any()):
            continue
        trained, controls = _layers_of_both(layers, trained, controls)
        claim = f"{name}{panel.how}"
        shared = sorted(set(layers.loc[trained, "architecture"]) & set(layers.loc[controls, "architecture"]))
        if len(shared) >= FEWEST_PAIRS:
            pairs = [_pair(panel, trained & of, controls & of) for of in (layers["architecture"] == a for a in shared)]
            yield _over_architectures(panel, claim, shared, pairs, evidence.seed)
            continue
        of_shared = layers["architecture"].isin(shared) if shared else pd.Series(True, index=layers.index)
        note = ONLY_THESE if shared else f"{ONLY_THESE}, whose architectures differ"
        sides = [panel.rows(side & of_shared) for side in (trained, controls)]
        if len(sides[0]) != len(sides[1]):
            note += f"; best of {len(sides[0])} layers against best of {len(sides[1])}"
        yield panel.compared(claim, *sides, evidence.seed, note)


def _layers_of_both(layers: pd.DataFrame, trained: pd.Series, controls: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Restrict both sides to the layers of an architecture that both have, or keep all layers if they share none.

    Otherwise the best of many layers would beat the best of few, regardless of training.
    """
    names = pd.MultiIndex.from_frame(layers[["architecture", "layer"]])
    in_both = pd.Series(names.isin(names[trained]) & names.isin(names[controls]), layers.index)
    kept = in_both | ~in_both.groupby(layers["architecture"]).transform("any")
    return trained & kept, controls & kept


def _pair(panel: Panel, trained: pd.Series, controls: pd.Series) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the layers of one trained network and one control of an architecture."""
    layers = panel.layers
    begun = set(layers.loc[controls, "network"])
    pairs = layers.loc[trained].assign(apart=~layers.loc[trained, "network"].isin(begun))
    first = pairs.sort_values(["apart", "model"]).iloc[0]
    others = layers.loc[controls].assign(apart=layers.loc[controls, "network"] != first["network"])
    other = others.sort_values(["apart", "model"]).iloc[0]
    return tuple(
        panel.rows(side & (layers["model"] == of["model"])) for side, of in ((trained, first), (controls, other))
    )


def _over_architectures(
    panel: Panel, claim: str, architectures: Sequence[str], pairs: Sequence[tuple[NDArray, NDArray]], seed: int
) -> Finding:
    theta = panel.estimates.theta
    differences = [theta[panel.best(trained)] - theta[panel.best(untrained)] for trained, untrained in pairs]
    evidence = ", ".join(f"{name} {value:+.2f}" for name, value in zip(architectures, differences, strict=True))
    said = {"unit": "architectures", "n_units": len(pairs), "estimate": float(np.mean(differences))}
    of_groups = panel.layers["kind"].iloc[0] == "groups"
    few = of_groups and panel.n_units < FEWEST_UNITS
    if reason := panel.no_interval or (f"{panel.n_units} {panel.unit}" if few else ""):
        return panel.finding(claim, evidence, note=reason, **said)
    estimates = with_training(panel.estimates) if of_groups else panel.estimates
    judged = trained_against_untrained(estimates, pairs, seed)
    found = {name: getattr(judged, name) for name in ("estimate", "low", "high", "p", "verdict")}
    note = "; ".join(filter(None, (judged.note, panel.reach)))
    return panel.finding(claim, evidence, **said | found, note=note)


def best_beats_best(name: str, evidence: Evidence, better: Sequence[str], worse: Sequence[str]) -> Iterator[Finding]:
    """Test whether the best layer of some models beats that of others, given their families or architectures."""
    for panel in evidence.areas:
        sides = [panel.layers[["family", "architecture"]].isin(side).any(axis=1) for side in (better, worse)]
        if panel.word not in NOT_CLAIMED and all(side.any() for side in sides):
            yield panel.compared(f"{name}{panel.how}", *map(panel.rows, sides), evidence.seed, THESE_NETWORKS)


def best_layer_lies_in_range(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether the best layer of trained networks lies in the range of depths expected for an area."""
    for panel in evidence.areas:
        trained = panel.layers["family"].isin(TRAINED)
        if panel.word not in PLACES or not trained.any():
            continue
        low, high = PLACES[panel.word]
        claim = f"{name.format(area=panel.word, low=low, high=high)}{panel.how}"
        inside = panel.layers["depth"].between(low, high)
        sides = panel.rows(trained & inside), panel.rows(trained & ~inside)
        if all(map(len, sides)):
            yield panel.compared(claim, *sides, evidence.seed, THESE_NETWORKS)
        else:
            best = panel.named(panel.best(panel.rows(trained)))
            where = "inside" if len(sides[0]) else "outside"
            yield panel.finding(claim, best, note=f"all layers lie {where} this range")


def categorisation_goes_with_prediction(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether trained networks that categorise better predict better, at each network's best layer."""
    for panel in evidence.areas:
        layers = panel.layers[panel.layers["family"].isin(TRAINED_OR_IN_TRAINING)]
        if panel.word in NOT_CLAIMED or layers.empty:
            continue
        best = layers.loc[layers.groupby("model")["theta"].idxmax()]
        points = best.merge(evidence.accuracies, on=["recording", "model", "layer"])
        for label, of_label in points.groupby("label"):
            judged = correlation_over_networks(
                of_label["balanced_accuracy"].to_numpy(float), of_label["theta"].to_numpy(), of_label["network"]
            )
            n_networks = of_label.loc[of_label["balanced_accuracy"].notna(), "network"].nunique()
            if n_networks < FEWEST_NETWORKS:
                continue
            found = {name: getattr(judged, name) for name in ("estimate", "low", "high", "p", "verdict", "note")}
            evidently = f"{n_networks} networks in {len(of_label)} states of training"
            units = {"unit": "networks", "n_units": n_networks}
            units["measure"] = f"r of balanced accuracy and {panel.measure}"
            yield panel.finding(f"{name.format(label=label)}{panel.how}", evidently, **found, **units)


def late_layers_are_more_explicit(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether late layers of trained networks predict a property better than their first layers."""
    for panel in evidence.properties:
        layers, target = panel.layers, panel.layers["target"].iloc[0]
        trained = layers["family"].isin(TRAINED)
        first = layers["depth"] == layers.groupby("model")["depth"].transform("min")
        late = trained & ~first & (layers["depth"] >= LATE)
        early = trained & first & layers["model"].isin(layers.loc[late, "model"])
        if target not in PROPERTIES or not late.any():
            continue
        sides = panel.rows(late), panel.rows(early)
        found = panel.compared(f"{name.format(target=target)}{panel.how}", *sides, evidence.seed, THESE_NETWORKS)
        yield replace(found, recording=f"{layers['stimuli'].iloc[0]} (stimuli)")


def objects_beat_neurons(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether ridge regression on networks trained on objects beats each network fitted to neurons.

    Both were fitted to stimuli outside fold 0, and are compared on fold 0.
    """
    for panel in evidence.first_folds:
        layers = panel.layers
        trained, fitted = layers["family"].isin(TRAINED), layers["family"] == FITTED
        for network in layers.loc[fitted, "model"] if trained.any() else ():
            sides = panel.rows(trained), panel.rows(fitted & (layers["model"] == network))
            yield panel.compared(name, *sides, evidence.seed, THESE_NETWORKS)


def trained_networks_tell_unseen(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether every trained network has a layer from which a category is decoded.

    The verdict is "holds" if each network has a layer above the criterion, and "fails" if all layers of one network are
    below. Quantiles of the normal distribution are corrected for the number of layers or of networks (Bonferroni).
    """
    if evidence.selectivity is None:
        return
    layers = evidence.selectivity
    claim = name.format(category=layers["category"].iloc[0])
    best = layers.loc[layers.groupby("model", sort=False)["balanced_accuracy"].idxmax()]
    evidently = "; ".join(
        f"{row['model']} {row['balanced_accuracy']:.2f}, {100 * row['selective']:.0f} % of units selective"
        for _, row in best.iterrows()
    )
    of_networks = [rows for _, rows in layers[layers["family"].isin(TRAINED)].groupby("model")]
    found = _decoded_by_all(of_networks) if of_networks else {"note": "no trained network"}
    yield Finding(
        *(claim, "", "", "", "stimuli", evidently),
        unit="stimuli",
        n_units=int(layers["n_stimuli"].iloc[0]),
        measure="balanced accuracy",
        **found,
    )


def _decoded_by_all(networks: Sequence[pd.DataFrame]) -> dict:
    """Return estimate, interval, p and verdict for the worst network's best layer, from rows of `selectivity`."""
    tests = [_best_decoded(rows["balanced_accuracy"], rows["standard_error"], len(networks)) for rows in networks]
    estimate, low, high = (min(values) for values in zip(*(test[:3] for test in tests), strict=True))
    # The claim holds if every network is above the criterion, and fails if any network is below.
    p_above, p_below = max(test[3] for test in tests), min(test[4] for test in tests)
    return {
        "estimate": estimate,
        "low": low,
        "high": high,
        "p": min(1.0, 2 * min(p_above, p_below)),
        "verdict": HOLDS if low > DECODED else FAILS if high < DECODED else OPEN,
        "note": f"{THESE_NETWORKS}; decoded means above {DECODED:g}",
    }


def _best_decoded(accuracy: pd.Series, error: pd.Series, n_networks: int) -> tuple[float, float, float, float, float]:
    """Return the best layer's accuracy, its interval, and one-sided p values above and below the criterion."""
    from scipy.special import ndtr, ndtri

    accuracy, error = accuracy.to_numpy(float), error.to_numpy(float)
    z = (accuracy - DECODED) / error
    return (
        float(accuracy.max()),
        float((accuracy + ndtri(LEVEL / len(z)) * error).max()),
        float((accuracy - ndtri(LEVEL / n_networks) * error).max()),
        float(min(1.0, len(z) * ndtr(-z.max()))),
        float(min(1.0, n_networks * ndtr(z.max()))),
    )


def filters_resemble_v1(name: str, evidence: Evidence, family: str, alike: bool) -> Iterator[Finding]:
    """Test whether the filters of a family's first layers are like those of V1, or are not.

    Filters are like those of V1 if their similarity, 0 for shuffled filters and 1 for V1, is above 0.5.
    """
    if evidence.first_layers is None:
        return
    table = evidence.first_layers
    for _, row in table[(table["property"] == ALL) & (table["family"] == family)].iterrows():
        evidently = (
            f"{row['model']} {row['similarity']:.2f}; {row['n_gabors']} of {row['n_filters']} filters are Gabors"
        )
        found = {"estimate": row["similarity"]}
        if row["determined"]:
            low, high = row["similarity_low"], row["similarity_high"]
            above, below = (HOLDS, FAILS) if alike else (FAILS, HOLDS)
            verdict = above if low > LIKE_V1 else below if high < LIKE_V1 else OPEN
            note = f"this network only; like means above {LIKE_V1:g}"
            found |= {"low": low, "high": high, "p": row["p"], "verdict": verdict, "note": note}
        else:
            found["note"] = f"no interval: a kernel of {row['kernel']} has too few pixels for the fit of a Gabor"
        claim = name.format(model=row["model"])
        units = {"unit": "filters", "n_units": int(row["n_filters"]), "measure": "similarity of filters to V1"}
        yield Finding(claim, "", "", "", "", evidently, **units, **found)


def later_steps_predict_later(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether later steps of a module of a recurrent network predict later responses of an area."""
    if evidence.order_of_steps is None:
        return
    for row in evidence.order_of_steps.to_dict("records"):
        verdict = HOLDS if row["low"] > 0 else FAILS if row["high"] < 0 else OPEN
        how = "" if row["mapping"] == "ridge" else f" ({row['mapping']})"
        # Without the sign of a change that rounds to 0.
        change = round(row["slope"], 2) + 0
        yield Finding(
            f"{name.format(model=row['model'], layer=row['layer'])}{how}",
            row["recording"],
            row["area"],
            "",
            row["split"],
            f"{row['n_steps']} steps in {row['n_bins']} bins; the best step changes by {change:.2f} a bin",
            verdict=verdict,
            estimate=row["trend"],
            **{column: row[column] for column in ("low", "high", "p")},
            unit="stimuli and neurons",
            n_units=row["n_neuroids"],
            measure="trend of the growth of scores with each step",
        )


def early_layers_are_tuned_like_v1(name: str, evidence: Evidence) -> Iterator[Finding]:
    """Test whether the layer of a trained network whose tuning is most like that of V1 lies where V1 is expected.

    Similarities are means over orientation and spatial frequency. Units of layers are independent samples.
    """
    if evidence.tuning is None:
        return
    low, high = PLACES["V1"]
    table = evidence.tuning[(evidence.tuning["property"] == ALL) & evidence.tuning["family"].isin(TRAINED)]
    # Readouts have a recording.
    for model, layers in table[table["recording"].isna()].groupby("model", sort=False):
        early = layers["depth"].between(low, high)
        sides = [layers[early], layers[~early]]
        claim = name.format(model=model, low=low, high=high)
        units = {"unit": "units", "n_units": int(layers["n_units"].min()), "measure": "similarity of tuning to V1"}
        if any(side.empty for side in sides):
            note = f"no layer {'inside' if sides[0].empty else 'outside'} this range was shown gratings"
            yield Finding(claim, "", "", "", "", "", **units, note=note)
            continue
        best = [side.loc[side["similarity"].idxmax()] for side in sides]
        evidently = ", ".join(f"{row['layer']} (depth {row['depth']:.2f}) {row['similarity']:.2f}" for row in best)
        found = _best_of_independent(*sides)
        yield Finding(claim, "", "", "", "", evidently, **units, **found, note="this network only")


def _best_of_independent(better: pd.DataFrame, worse: pd.DataFrame) -> dict:
    """Return the difference of the best similarities of two sets of layers, its interval, p and verdict.

    One side is better if one of its layers is better than every layer of the other. The level is divided by the number
    of layers that are tried (Bonferroni), and all comparisons of a layer must hold (intersection-union test).
    """
    from scipy.special import ndtr, ndtri

    value, error = (
        [side[column].to_numpy(float) for side in (better, worse)] for column in ("similarity", "standard_error")
    )
    difference = value[0][:, None] - value[1]
    errors = np.hypot(error[0][:, None], error[1])
    z = difference / errors
    n_better, n_worse = difference.shape
    low = (difference + ndtri(LEVEL / n_better) * errors).min(axis=1).max()
    high = (difference - ndtri(LEVEL / n_worse) * errors).max(axis=0).min()
    p_above, p_below = n_better * ndtr(-z.min(axis=1).max()), n_worse * ndtr(z.max(axis=0).min())
    return {
        "estimate": float(value[0].max() - value[1].max()),
        "low": float(low),
        "high": float(high),
        "p": float(min(1.0, 2 * min(p_above, p_below))),
        "verdict": HOLDS if low > 0 else FAILS if high < 0 else OPEN,
    }


@dataclass(frozen=True)
class Claim:
    """A claim and its test.

    Attributes
    ----------
    name : str
        Text of the claim, with braces for the parts that differ between panels.
    judge : callable
        Function of name and evidence that yields the findings.
    unit : str
        Sampled unit.
    null : str
        Null hypothesis.
    effect : str
        Effect that most experiments detect.
    """

    name: str
    judge: Callable[[str, Evidence], Iterator[Finding]]
    unit: str
    null: str
    effect: str

    def findings(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield the findings on the claim, panel by panel."""
        return self.judge(self.name, evidence)


_TRAINING = {
    "unit": "architectures; stimuli and neurons if there are fewer than three",
    "null": "training changes the best layer of an architecture by 0 on average",
    "effect": "0.2 over 4 architectures; with fewer, 18 layers 0.05 above 18 others",
}
_PERMUTATION = {
    **_TRAINING,
    "null": "the arrangement of weights changes the best layer of an architecture by 0 on average",
}
_FILTERS = {
    "unit": "stimuli and neurons; stimuli for a single component",
    "null": "the best layer and the filters score the same",
    "effect": "for one component and 165 stimuli, 9 layers with r of 0.85 and filters with 0.7",
}
CLAIMS = (
    Claim(
        "a pretrained network predicts better than an untrained network",
        judge=partial(training_improves, family="pretrained", control="untrained"),
        **_TRAINING,
    ),
    Claim(
        "a network trained here predicts better than an untrained network",
        judge=partial(training_improves, family="trained", control="untrained"),
        **_TRAINING,
    ),
    Claim(
        "a pretrained network predicts better than a network with permuted weights",
        judge=partial(training_improves, family="pretrained", control="permuted"),
        **_PERMUTATION,
    ),
    Claim(
        "a network trained here predicts better than a network with permuted weights",
        judge=partial(training_improves, family="trained", control="permuted"),
        **_PERMUTATION,
    ),
    Claim(
        "a trained network predicts better than spectrotemporal filters",
        judge=partial(best_beats_best, better=TRAINED, worse=["spectemp"]),
        **_FILTERS,
    ),
    Claim(
        "a trained network predicts better than spectrotemporal filters of log power",
        judge=partial(best_beats_best, better=TRAINED, worse=["spectemp_log"]),
        **_FILTERS,
    ),
    Claim(
        "spectrotemporal filters predict better than networks with permuted weights",
        judge=partial(best_beats_best, better=["spectemp"], worse=["permuted"]),
        **_FILTERS,
    ),
    Claim(
        "an untrained network predicts better than pixels",
        judge=partial(best_beats_best, better=["untrained"], worse=["pixels"]),
        unit="stimuli and neurons; held-out objects or categories in place of stimuli",
        null="the best untrained layer and pixels score the same",
        effect="0.05",
    ),
    Claim(
        "the best layer for {area} lies at a depth of {low:g} to {high:g}",
        judge=best_layer_lies_in_range,
        unit="stimuli and neurons; held-out objects or categories in place of stimuli",
        null="the best layers inside and outside the range score the same",
        effect="a layer inside 0.05 above 17 outside",
    ),
    Claim(
        "the better a model categorises ({label}), the better it predicts",
        judge=categorisation_goes_with_prediction,
        unit="trained networks; checkpoints of one network count as one",
        null="accuracy and score are unrelated over networks",
        effect="r of 0.85 over 8 networks",
    ),
    Claim(
        "{target} is more explicit in late layers than in the first",
        judge=late_layers_are_more_explicit,
        unit="stimuli",
        null="the best late layer and the best first layer score the same",
        effect="one of 9 late layers 0.15 above, with 640 stimuli",
    ),
    Claim(
        "networks trained on objects predict better than a network fitted to the neurons",
        judge=objects_beat_neurons,
        unit="stimuli of fold 0, and neurons",
        null="ridge regression on the best layer of networks trained on objects scores as the fitted network does",
        effect="0.11 above one layer, on fold 0 of 640 stimuli",
    ),
    Claim(
        "trained networks tell {category} from others, whether or not they saw any (chance 0.5)",
        judge=trained_networks_tell_unseen,
        unit="stimuli",
        null="the best layer of a network has a balanced accuracy of 0.6",
        effect="0.7, with 10 layers and 80 of 640 stimuli in the category",
    ),
    Claim(
        "later steps of {layer} of {model} predict later responses",
        judge=later_steps_predict_later,
        unit="stimuli and neurons",
        null="every bin of time prefers the same steps",
        effect="a trend of 0.02 a bin, with 4 steps, 5 bins, 160 stimuli and 48 neurons",
    ),
    Claim(
        "filters of {model}, trained on photographs, are like those of V1",
        judge=partial(filters_resemble_v1, family="pretrained", alike=True),
        unit="filters",
        null="the similarity of filters to V1 is 0.5",
        effect="0.7, with 64 filters",
    ),
    Claim(
        "filters of {model}, before training, are not like those of V1",
        judge=partial(filters_resemble_v1, family="untrained", alike=False),
        unit="filters",
        null="the similarity of filters to V1 is 0.5",
        effect="0.3, with 64 filters",
    ),
    Claim(
        "the layer of {model} whose tuning is most like that of V1 lies at a depth of {low:g} to {high:g}",
        judge=early_layers_are_tuned_like_v1,
        unit="units",
        null="the best layers inside and outside the range are equally similar to V1",
        effect="one of 4 early layers 0.35 above 6 late ones, with 64 units",
    ),
)
