"""Write the sentences of the page: its lead, captions and notes."""

from collections.abc import Sequence
from pathlib import Path

from ventral.report.methods import counted, listed
from ventral.report.registry import FIGURES
from ventral.report.results import Results
from ventral.report.summary import counts, has_models
from ventral.targets.splits import LABEL_OF_SPLIT, held_out

RECORDED_NOUNS = {"neurons": ("neuron",), "matrices": ("dissimilarity matrix", "dissimilarity matrices")}
BEST_MODELS = (
    "The best model and layer for each area and held-out part. The score is the median over neurons, or the mean over "
    "subjects' matrices, with its 95 % interval. Corrected is the score where the layer is chosen on one half of the "
    "neurons and of the folds, and scored on the other half. A marked neuron or matrix is one whose single corrected "
    "score is too uncertain to be read."
)
OVER_ANIMALS = (
    "The best model and layer over the animals of each set of recordings. The score is the mean over animals of each "
    "animal's median over the neurons of all its sessions. From five animals on, its 95 % interval is for other "
    "animals; with fewer animals there is no interval. All animals are scored at the same layer. The mean chose this "
    "layer, and is therefore flattered. animals.csv has all models and layers."
)
BETWEEN_ANIMALS = (
    "Inter-animal consistency: how well the neurons of the other animals of a set predict each animal's neurons. It "
    "is corrected for noise in the predicted and in the predicting neurons. It grows with the number of predicting "
    "neurons, and is extrapolated to infinitely many. The 95 % interval is for other stimuli and other neurons, of "
    "the same animals. inter_animal.csv has each number of predicting neurons."
)
CLAIMS_TESTED = (
    "Which claims of Yamins et al. 2014 and Hong et al. 2016 hold here. An estimate is the difference between the two "
    "best layers that the evidence names, or a mean of such differences over architectures. For other claims, it is a "
    "correlation over networks, or an accuracy. Its 95 % interval is for other samples of the units that are named. A "
    "layer's score is the mean over neurons of predictivity, or of r where the row says so. The interval includes the "
    "search for the best of several layers. A claim without an interval is undecided. Marked is the number of neurons "
    "or matrices whose single corrected score is too uncertain to be read."
)
PROFILE = (
    "Predictivity of each layer by its depth. Depth is the share of the network's layers with weights that lie at or "
    "before the layer. Lines are medians over neurons. Bands are 95 % intervals for other stimuli, by their influence "
    "on scores, and for other neurons, from {bootstrap:,} bootstrap samples of neurons. Neurons with a reliability of "
    "{reliability_threshold:g} or more within one half of the held-out folds are scored on the other half. The two "
    "halves then swap roles, and the two medians are averaged. Neurons below this reliability in both halves are left "
    "out. A neuron is marked where the standard error of a perfect model's score is above 0.25 or badly known. Without "
    "repetitions, no ceiling is known: the panel shows r, undivided, and the axis says 'r (no ceiling)'. A model with "
    "a single layer is a line across. With more than seven models, the best of each family on a recording stand out, "
    "and the others are thin and grey. Point at a line, or touch it, to see its model and layer."
)
OTHER_ANIMALS = (
    " The grey band is the 95 % interval of the inter-animal consistency: how well infinitely many neurons of other "
    "animals would predict these neurons."
)
NO_CEILING = (
    "Scores here are r, the correlation between predicted and measured responses, and not predictivity. No stimulus "
    "was repeated, or too few were, so the reliability that would give a ceiling is not known. "
)
NO_SCORES = (
    "No model has a score for any area: no neuron and no dissimilarity matrix has a score. With repetitions, a neuron "
    "also needs a reliability of {reliability_threshold:g} or more within half of the held-out folds."
)
NO_MODELS = "No model is scored: the config names no model to score against a recording."
SIMILARITY = (
    "RSA and CKA compare a layer's dissimilarities, or its Gram matrix, with an area's neurons or with published "
    "matrices. Nothing is fitted. The 95 % intervals are for other stimuli and, with several matrices, for other "
    "subjects. Values are lower with few neurons, so areas with different numbers of neurons must not be compared. "
    "With matrices of several subjects, the line is their mean, and the grey band is the noise ceiling. The axis says "
    "where values are divided by a ceiling. A matrix is marked where this ceiling is low or badly known."
)
CATEGORISATION = (
    "How well labels are read from a layer, against how well the layer predicts an area. Labels are read by a linear "
    "support vector machine; the score is its balanced accuracy on held-out stimuli. Each point is a layer. The best "
    "layer of each model is outlined, with its 95 % interval. The correlation is over the best layers of all models, "
    "whatever the filters show. The correlation has no interval, because checkpoints of one training are not "
    "independent. The table of claims has r over trained networks."
)
RANKING = (
    "Rank of each model at its best layer, with its 95 % interval over resamples of stimuli and neurons. The best "
    "layer is chosen on one half of the neurons and of the folds, and scored on the other half. Without repetitions, "
    "the score is r (no ceiling). Kendall's tau is the agreement of a resample's ranking with the ranking of all data: "
    "1 where no resample would change the ranking."
)
BEHAVIOUR_OF_MODELS = (
    "How well models agree with the choices of subjects, at the layer that is best by each measure, which flatters "
    "models with many layers. The readout `outputs` has the choices of a network's own outputs. Intervals are for "
    "other stimuli and other subjects. `behaviour.csv` has all layers, and the methods say what each measure is."
)
EXPLICITNESS = (
    "How well labels (balanced accuracy) and properties (r) are read from layers and from recorded areas, on held-out "
    "stimuli. Each layer and area has the same number of units. Layers are drawn by depth, and areas are squares left "
    "of the layers. A panel of several properties shows their mean. Bands in panels of a label are 95 % intervals of "
    "one draw of units, noise and stimuli. No score is divided by a ceiling. The highest of many layers flatters a "
    "model beside one area; explicit.csv has the corrected scores."
)


def areas(results: Results) -> list[str]:
    """Return the areas of the figures, in their order; without any score, the recorded areas."""
    recorded = (
        area for facts in results.recordings for area in facts.get("areas", facts.get("subjects", ["behaviour"]))
    )
    return list(dict.fromkeys(recorded if results.layers.empty else results.layers["area"]))


def lead(results: Results) -> str:
    """Return the sentence with the numbers of models, layers, neurons and stimuli that were compared."""
    if not has_models(results.scores):
        n_recordings = counted(len(results.recordings), "recording")
        return f"{n_recordings} of {listed(areas(results))}. No model is scored against them."
    n = counts(results.scores, results.layers)
    if results.layers.empty and results.behaviour is not None:
        n_models = counted(results.behaviour["model"].nunique(), "model")
        return f"{n_models} against choices of subjects, of {counted(n['stimuli'], 'stimulus', 'stimuli')}."
    recorded = listed([counted(n[kind], *noun) for kind, noun in RECORDED_NOUNS.items() if n[kind]])
    fitted = results.layers.loc[results.layers["split"] != "none", "split"]
    splits = list(dict.fromkeys(fitted))
    simulated = sorted({facts["recording"] for facts in results.recordings if facts["simulated"]})
    return (
        f"{counted(n['models'], 'model')}, {counted(n['layers'], 'layer')} in all, against {recorded} in "
        f"{listed(areas(results))}, recorded with {counted(n['stimuli'], 'stimulus', 'stimuli')}"
        f"{f' and scored on {_listed_splits(splits)}' if splits else ''}."
        f"{f' Simulated by a network, not measured: {listed(simulated)}.' if simulated else ''}"
    )


def _listed_splits(splits: Sequence[str]) -> str:
    """Name the held-out parts: first those that are words, then the names of other splits."""
    words = [split for split in splits if split in LABEL_OF_SPLIT]
    others = [held_out(split) for split in splits if split not in LABEL_OF_SPLIT]
    return listed([*([f"held-out {listed(words)}"] if words else []), *others])


def title_of(path: Path) -> str:
    """Return the title of a figure that the page shows unchanged."""
    return f"Stimuli: {path.stem}" if path.parent.name == "contact_sheets" else FIGURES[path.stem].title
