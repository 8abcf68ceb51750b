"""The sentences of the page: its lead, captions and notes."""

from collections.abc import Sequence
from pathlib import Path

from ventral.report.methods import counted, listed
from ventral.report.registry import FIGURES
from ventral.report.results import Results
from ventral.report.summary import counts, has_models
from ventral.targets.splits import LABEL_OF_SPLIT, held_out

RECORDED_NOUNS = {"neurons": ("neuron",), "matrices": ("dissimilarity matrix", "dissimilarity matrices")}
BEST_MODELS = (
    "The best model and layer for each area and what was held out: the median over neurons (of subjects' matrices "
    "the mean), with its 95 % interval; and, corrected, what is left of it where the layer is chosen on one half of "
    "the neurons and of the folds, and scored on the others. Of marked neurons or matrices, a single corrected score "
    "is too uncertain to be read."
)
CLAIMS_TESTED = (
    "Which claims of Yamins et al. 2014 and Hong et al. 2016 hold here. An estimate is the difference between the two "
    "best layers that the evidence names, a mean of such differences over architectures, a correlation over networks, "
    "or an accuracy; its 95 % interval is for others of the units that are named. A layer's score is the mean over "
    "neurons of predictivity, or of raw r where the row says so. The search for the best of several layers is part of "
    "the interval. A claim without an interval is undecided. Marked are those of the neurons or matrices whose single "
    "corrected score is too uncertain to be read."
)
PROFILE = (
    "Predictivity of each layer by its depth, the share of the network's layers with weights that have been passed: "
    "the median over neurons, with a 95 % interval for other stimuli, by their influence on scores, and other neurons, "
    "from {bootstrap:,} bootstrap samples of neurons. Neurons with a "
    "reliability of {reliability_threshold:g} or more within half of the held-out folds are scored on the other half, "
    "both ways, and the two medians are averaged. Neurons that neither half takes are left out. Of marked neurons, "
    "the standard error of a perfect model's score is above 0.25 or badly known. Where nothing was repeated, raw r is "
    "drawn, without a ceiling. A model of one layer is a line across. Where there are more than seven models, the best "
    "of each family on a recording stand out, and the others are thin and grey. Point at a line, or touch it, to see "
    "which model and layer it is."
)
NO_CEILING = (
    "Scores here are r, the correlation between predicted and measured responses, and not predictivity: no stimulus "
    "was repeated, so no reliability is known by which r could be divided. "
)
NO_SCORES = (
    "No model has a score of any area: there is no neuron with a score and, where there are repetitions, a reliability "
    "of {reliability_threshold:g} or more within half of the held-out folds, and no dissimilarity matrix with a score."
)
NO_MODELS = "No model is scored: the config names none that is scored against a recording."
SIMILARITY = (
    "RSA and CKA compare a layer's dissimilarities, or its Gram matrix, with those of an area's neurons or with "
    "published matrices, without any fit. The 95 % intervals are for other stimuli and, of several matrices, other "
    "subjects. Values are lower with few neurons: areas with different numbers of neurons are not to be compared. Of "
    "several subjects' matrices, the line is the mean, and the grey band the noise ceiling. The axis says where values "
    "are divided by a ceiling. Of marked matrices, this ceiling is low or badly known."
)
CATEGORISATION = (
    "How well labels are read from a layer (balanced accuracy of a linear support vector machine on held-out stimuli) "
    "against how well the layer predicts an area. One point a layer; the best layer of each model is outlined, with "
    "its 95 % interval. The correlation is over the best layers of all models, whatever is shown. The correlation has "
    "no interval: checkpoints of one training are not independent. The table of claims has r over trained networks."
)
RANKING = (
    "Rank of each model at its best layer, which is chosen on one half of the neurons and of the folds and scored on "
    "the others (raw r where nothing was repeated), with its 95 % interval over resamples of stimuli and neurons. "
    "Kendall's tau says how far a resample's ranking agrees with that of all data: 1 where no resample would change it."
)
EXPLICITNESS = (
    "How well labels (balanced accuracy) and properties (r) are read, on held-out stimuli, from equally many units of "
    "layers, by depth, and of recorded areas (squares left of the layers). A panel of several properties shows their "
    "mean. Bands, in panels of a label, are 95 % intervals of one draw of units, noise and stimuli. No score is "
    "divided by a ceiling. The highest of many layers flatters a model beside one area; "
    "explicit.csv has the corrected scores."
)


def areas(results: Results) -> list[str]:
    """Return the areas of the figures, in their order; where nothing is scored, those that were recorded."""
    recorded = (area for facts in results.recordings for area in facts.get("areas", facts.get("subjects")))
    return list(dict.fromkeys(recorded if results.layers.empty else results.layers["area"]))


def lead(results: Results) -> str:
    """Return the sentence that says how many models were compared with what."""
    if not has_models(results.scores):
        return (
            f"{counted(len(results.recordings), 'recording')} of {listed(areas(results))}, against which no model is "
            f"scored."
        )
    n = counts(results.scores, results.layers)
    recorded = listed([counted(n[kind], *noun) for kind, noun in RECORDED_NOUNS.items() if n[kind]])
    fitted = results.layers.loc[results.layers["split"] != "none", "split"]
    splits = list(dict.fromkeys(fitted))
    simulated = sorted({facts["recording"] for facts in results.recordings if facts["simulated"]})
    return (
        f"{counted(n['models'], 'model')}, {counted(n['layers'], 'layer')} in all, against {recorded} in "
        f"{listed(areas(results))}, recorded with {counted(n['stimuli'], 'stimulus', 'stimuli')}"
        f"{f' and scored on {_listed_splits(splits)}' if splits else ''}."
        f"{f' Made of a network, not measured: {listed(simulated)}.' if simulated else ''}"
    )


def _listed_splits(splits: Sequence[str]) -> str:
    """Return in words what is held out: those that are words, then the names of others."""
    words = [split for split in splits if split in LABEL_OF_SPLIT]
    others = [held_out(split) for split in splits if split not in LABEL_OF_SPLIT]
    return listed([*([f"held-out {listed(words)}"] if words else []), *others])


def title_of(path: Path) -> str:
    """Return the title of a figure that is shown as it is."""
    return f"Stimuli: {path.stem}" if path.parent.name == "contact_sheets" else FIGURES[path.stem].title
