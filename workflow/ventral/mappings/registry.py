"""The mappings that a config may name: predictions of targets, and comparisons without a fit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from numpy.typing import NDArray

from ventral.mappings.ols import ols_predictions
from ventral.mappings.one_to_one import one_to_one_predictions
from ventral.mappings.pls import pls_predictions
from ventral.mappings.soft_matching import soft_matching_predictions


@dataclass(frozen=True)
class Mapping:
    """The declaration of a mapping.

    Attributes
    ----------
    meaning : str
        Summary of the mapping in one line.
    sentence : str
        Sentence for the methods. Names in braces stand for values of a run, such as `{components}`.
    options : dict of dicts
        Schema of each option by its name: type, `default`, and meaning as `description`.
    references : dict of str
        References, by their citations in the methods.
    fits : bool
        True for predictions, False for comparisons without a fit.
    predict : callable, optional
        Returns predictions (n, targets), given features, responses (n, targets), folds, and the options in their order.
        None for a mapping with a stage, or a graph of jobs, of its own.
    reads : str
        Input of `predict`: `gram` (inner products of stimuli) or `units` (at most about 2,000 units of a layer).
    needs_all : bool
        True if the mapping is not defined on a sample of a layer's units.
    samples : bool
        True if the mapping uses only a part of a layer's features, or reduces them.
    joint : bool
        True if the neurons of an area are predicted together.
    matches : bool
        True if `predict` matches units with neurons, and also returns the held-out correlations (folds, targets) with
        the matched units. Properties are then not predicted.
    """

    meaning: str
    sentence: str
    options: dict[str, dict] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    fits: bool = True
    predict: Callable[..., NDArray | tuple[NDArray, NDArray]] | None = None
    reads: str = "gram"
    needs_all: bool = False
    samples: bool = False
    joint: bool = False
    matches: bool = False

    @property
    def defaults(self) -> dict:
        """Default of each option."""
        return {name: option["default"] for name, option in self.options.items()}


def _several(description: str, allowed: list[str], default: list[str]) -> dict:
    return {
        "description": description,
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"enum": allowed},
        "default": default,
    }


MAPPINGS: dict[str, Mapping] = {
    "ridge": Mapping(
        meaning="Ridge regression on all features, with the penalty chosen by nested cross-validation.",
        sentence=(
            "Ridge regression on all features of a layer, with an intercept that was not penalised, predicted "
            "{targets}. The penalty was chosen for each target and each held-out part by cross-validation within the "
            "other parts alone (nested cross-validation), {grid}; every fit was computed from the Gram matrix."
        ),
    ),
    "pls": Mapping(
        meaning="Partial least squares.",
        sentence=(
            "Partial least squares (pls; Wold et al. 1984) took {components}, shared by the neurons of an area, on all "
            "features of a layer, computed from the Gram matrix."
        ),
        options={
            "components": {
                "description": "Number of components, shared by the neuroids of an area; each property has its own.",
                "type": "integer",
                "minimum": 1,
                "maximum": 10000,
                "default": 25,
            }
        },
        references={
            "Wold et al. 1984": "Wold S, Ruhe A, Wold H, Dunn WJ (1984). SIAM J. Sci. Stat. Comput. 5:735.",
        },
        predict=pls_predictions,
        joint=True,
    ),
    "ols": Mapping(
        meaning="Ordinary least squares, for layers with fewer features than training stimuli.",
        sentence=(
            "Ordinary least squares with an intercept (ols) was fitted where a layer has fewer features than there "
            "were stimuli in training."
        ),
        predict=ols_predictions,
        reads="units",
        needs_all=True,
    ),
    "one_to_one": Mapping(
        meaning="The single unit that correlates best with a neuroid.",
        sentence=(
            "One-to-one mapping (one-to-one) predicted each target by the single unit, of at most 2,000 drawn at "
            "random from a layer, that correlated best with it in training."
        ),
        predict=one_to_one_predictions,
        reads="units",
        samples=True,
    ),
    "soft_matching": Mapping(
        meaning="Matching of all units with all neuroids of an area, by optimal transport.",
        sentence=(
            "Soft matching (Khosla and Williams 2024) matched the neurons of an area with all units of a layer, of at "
            "most 2,000 drawn at random, by optimal transport with equal masses. The exact plan with the highest "
            "correlations in training predicted each neuron by the weighted mean of its units."
        ),
        references={"Khosla and Williams 2024": "Khosla M, Williams AH (2024). UniReps, PMLR 243:326."},
        predict=soft_matching_predictions,
        reads="units",
        samples=True,
        joint=True,
        matches=True,
    ),
    "factorised": Mapping(
        meaning="One spatial mask times one weighting of channels for each neuroid.",
        sentence=(
            "The factorised readout (Klindt et al. 2017) predicted each neuron by one spatial mask times one weighting "
            "of channels, on maps averaged to at most 8 by 8 positions and reduced to at most 256 principal components "
            "of channels; layers without maps were left out."
        ),
        references={"Klindt et al. 2017": "Klindt DA, Ecker AS, Euler T, Bethge M (2017). NeurIPS 30:3506."},
        samples=True,
    ),
    "rsa": Mapping(
        meaning="Representational similarity analysis, without a fit.",
        sentence=(
            "By representational similarity analysis (RSA; Kriegeskorte et al. 2008), a layer's dissimilarities of all "
            "pairs of stimuli ({distances}) were compared with those of an area by {comparisons}. Nothing was fitted."
        ),
        options={
            "distances": _several(
                "Dissimilarities between the features of two stimuli: `correlation` (1 minus Pearson's r), `cosine` "
                "(1 minus cosine), `euclidean` or `crossnobis`. As in rsatoolbox, `euclidean` is squared and divided "
                "by the number of features. It has no ceiling, because noise adds to these distances. `crossnobis` "
                "takes that noise out, and needs repetitions. For layers, `crossnobis` is `euclidean`.",
                ["correlation", "cosine", "euclidean", "crossnobis"],
                ["correlation"],
            ),
            "comparisons": _several(
                "Correlation of the dissimilarities of a layer and of an area: `spearman`, `pearson`, `kendall` "
                "(tau-a), `whitened_cosine` or `whitened_correlation`. The last two suit `crossnobis` best.",
                ["spearman", "pearson", "kendall", "whitened_cosine", "whitened_correlation"],
                ["spearman"],
            ),
            "two_factor": {
                "description": "True also draws stimuli and neuroids (or subjects) together, `bootstrap` times. The "
                "column `r_error_both` then has the error of RSA for other stimuli and other neuroids, and intervals "
                "use it. On one core, 1000 draws of 300 stimuli take 16 s for each layer, area and comparison.",
                "type": "boolean",
                "default": False,
            },
        },
        references={
            "Kriegeskorte et al. 2008": (
                "Kriegeskorte N, Mur M, Bandettini P (2008). Frontiers in Systems Neuroscience 2:4."
            ),
            "Diedrichsen et al. 2021": (
                "Diedrichsen J, Berlot E, Mur M, et al. (2021). Neurons, Behavior, Data Analysis, and Theory 5:3."
            ),
            "Schäfer and Strimmer 2005": (
                "Schäfer J, Strimmer K (2005). Statistical Applications in Genetics and Molecular Biology 4:32."
            ),
            "Schütt et al. 2023": "Schütt HH, Kipnis AD, Diedrichsen J, Kriegeskorte N (2023). eLife 12:e82566.",
            "Walther et al. 2016": "Walther A, Nili H, Ejaz N, et al. (2016). NeuroImage 137:188.",
        },
        fits=False,
    ),
    "cka": Mapping(
        meaning="Linear centred kernel alignment, without a fit.",
        sentence="Linear centred kernel alignment (CKA) compared Gram matrices, {forms}.",
        references={
            "Kornblith et al. 2019": "Kornblith S, Norouzi M, Lee H, Hinton G (2019). ICML, PMLR 97:3519.",
            "Nguyen et al. 2021": "Nguyen T, Raghu M, Kornblith S (2021). ICLR.",
            "Song et al. 2012": (
                "Song L, Smola A, Gretton A, et al. (2012). Journal of Machine Learning Research 13:1393."
            ),
        },
        fits=False,
    ),
    "versa": Mapping(
        meaning="RSA of an area's responses with their held-out predictions by `ridge`, which the config also needs.",
        sentence=(
            "By voxel-encoding RSA (veRSA; Khaligh-Razavi et al. 2017; Conwell et al. 2024), the dissimilarities of "
            "predicted patterns of an area's neurons ({distances}) were compared with those of measured patterns by "
            "{comparisons}. Ridge regression gave the predictions. Only pairs of stimuli held out together were "
            "compared, because one fit predicted both and saw neither. Values are means over held-out parts, weighted "
            "by pairs."
        ),
        references={
            "Khaligh-Razavi et al. 2017": (
                "Khaligh-Razavi S-M, Henriksson L, Kay K, Kriegeskorte N (2017). J. Math. Psychol. 76:184."
            ),
            "Conwell et al. 2024": "Conwell C, Prince JS, Kay KN, et al. (2024). Nature Communications 15:9383.",
        },
    ),
}


def predicting(names: Iterable[str]) -> list[str]:
    """Return the mappings among `names` with which `ventral.scores.prediction.predict` predicts held-out stimuli."""
    return [name for name in names if name == "ridge" or MAPPINGS[name].predict is not None]
