"""The figures and tables that a run writes for its readers: one declared entry each.

Rules, Snakemake's report, the stages' commands and the page are made from these entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """A figure or a table.

    Attributes
    ----------
    title : str
    caption : str
        For Snakemake's report; keys of the config in braces.
    function : str
        Module and function of the stage that writes the figure or table.
    reads : dict of str
        What each parameter of the function is given: a name of `workflow/rules/wanted.smk`.
    options : tuple of str
        Other parameters, whose values the rules have.
    further : dict of str
        What else the stage writes: the file in the results of each parameter.
    needs : str
        A name of `workflow/rules/wanted.smk`. Where a config makes nothing of this name, nor is the figure or table.
    still : bool
        Whether the page shows the figure as drawn; other figures are drawn anew by the page, or not shown.
    """

    title: str
    caption: str
    function: str
    reads: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    further: Mapping[str, str] = field(default_factory=dict)
    needs: str = "scores"
    still: bool = False

    @property
    def stage(self) -> str:
        """Name of the stage that writes the figure or table."""
        return self.function.rsplit(".", 1)[1]


RESAMPLED = ("reliability_threshold", "n_bootstrap", "seed")
# Figures know all models of the run, so that each has its colour and marker everywhere.
MODELS = ("models",)

FIGURES = {
    "layer_profile": Shown(
        title="Predictivity by layer",
        caption=(
            "Predictivity of each layer by its depth, the share of the network's layers with weights that have been "
            "passed. One line a model: the median over neurons, with a 95 % interval for other stimuli and other "
            "neurons. A representation of one layer is drawn as a line across. Where there are more than seven "
            "models, the best of each family on a recording stand out, and the others are thin and grey. "
            "Neurons with a reliability of {reliability_threshold} or more within half of the held-out folds are "
            "scored on the other half, both ways, and the two medians are averaged. Neurons that neither half takes "
            "are left out. They are counted above each panel, and so are those with a reliability of 0 or less, and "
            "those of the scored neurons or matrices that the score table marks: the standard error of a perfect "
            "model's score is above 0.25 or badly known, or a matrix is too unreliable, so that a single corrected "
            "score says little. Where nothing was repeated, raw r is drawn, without a ceiling; the axis says so. "
            "Panels of RSA and CKA compare a layer's dissimilarities, or its Gram matrix, with those of an area's "
            "neurons, or with published matrices. Their 95 % intervals are for other stimuli and, of several matrices, "
            "other subjects. Values are lower with few neurons: panels of areas with different numbers of neurons are "
            "not to be compared. The line of several subjects' matrices is the mean. The band is the noise ceiling, "
            "from the agreement of a subject with the mean of the others to that with the mean of all; for tau-a, the "
            "upper end is the agreement with what most subjects say of each two pairs of stimuli."
        ),
        function="figures.layer_profile.layer_profile",
        reads={"scores": "scores", "bootstraps": "bootstraps", "influences": "influences"},
        options=RESAMPLED + MODELS,
    ),
    "categorisation": Shown(
        title="Categorisation against predictivity",
        caption=(
            "How well labels can be read from a layer (balanced accuracy of a linear support vector machine on "
            "held-out stimuli) against how well the layer predicts the neurons of an area, or agrees with a recorded "
            "matrix: the numbers of the figure of predictivity by layer, of neurons with a reliability of "
            "{reliability_threshold} or more within half of the folds. Without repetitions they are raw r, as the axis "
            "says. One point a layer; the best layer of each model is outlined, with its 95 % interval. Pearson's r is "
            "over the best layers of all models, and over all layers of all models. Neither has an interval: layers of "
            "a network, and checkpoints of one training, are not independent. The table of claims has r over trained "
            "networks with an interval."
        ),
        function="figures.categorisation.categorisation",
        reads={"scores": "scores", "influences": "influences"},
        options=RESAMPLED + MODELS,
    ),
    "ranking": Shown(
        title="Ranking of the models",
        caption=(
            "Rank of each model at its best layer, which is chosen on one half of the neurons and of the folds and "
            "scored on the others: by the median over neurons of predictivity, or of raw r where nothing was repeated, "
            "as each panel says. The line is the 95 % interval over bootstrap samples of both stimuli and neurons, the "
            "same for all models, around this score. Above each panel, the mean agreement (Kendall's tau) of a "
            "sample's ranking with that of all data: 1 where no sample would change the ranking."
        ),
        function="figures.ranking.ranking",
        reads={"bootstraps": "bootstraps", "best_layers": "best_layers"},
        options=MODELS,
        needs="bootstraps",
    ),
    "unseen": Shown(
        title="A category that was never seen",
        caption=(
            "What networks that never saw a category make of it, beside networks that did, layer by layer: how well a "
            "linear support vector machine tells the category from all others on held-out stimuli; which share of "
            "units is selective for the category (d' above 0.65); and, where the config has published dissimilarity "
            "matrices, how a layer's dissimilarities agree with them (raw r, not divided by a ceiling; of several "
            "subjects, the mean)."
        ),
        function="figures.unseen.unseen",
        reads={"selectivity": "selectivity", "scores": "scores"},
        options=MODELS,
        needs="selectivity",
        still=True,
    ),
    "reverse": Shown(
        title="Reverse predictivity",
        caption=(
            "How well the recorded neurons of an area predict the units of every layer (dashed; the median over at "
            "most 2000 units of Pearson's r on held-out stimuli), beside how well the layer predicts these neurons "
            "(solid; the median over neurons with a reliability of {reliability_threshold} or more within half of the "
            "folds). Bands are 95 % intervals over bootstrap samples of units or of neurons. Both are raw r, without a "
            "ceiling: neither is corrected for the noise of the neurons, which are few beside the features of a layer. "
            "Only differences between layers and models say which layers have more in them than the neurons do."
        ),
        function="figures.reverse.reverse_figure",
        reads={"tables": "reverse", "areas": "areas", "scores": "scores"},
        options=RESAMPLED + MODELS,
        needs="reverse",
        still=True,
    ),
    "explicitness": Shown(
        title="What is explicit where",
        caption=(
            "What populations make explicit, after Hong et al. 2016: how well labels (balanced accuracy of a linear "
            "support vector machine) and properties (Pearson's r of a ridge regression; the circular correlation of "
            "circular ones) are read, on held-out stimuli, from layers of models by their depth and from recorded "
            "areas (squares beside the layers, in the order of the stream), from the same number of units each. Labels "
            "have a panel each, and properties a panel for each group: position, size, pose, and others. A panel of a "
            "group shows the mean over its properties, and, of few models, each property as a thin line. No score is "
            "divided by a ceiling. Units are drawn at random several times; the bands of labels are 95 % intervals of "
            "one draw of units, noise and stimuli, and `figures/explicitness.csv` has those of properties. Where a "
            "panel says so, the units of models have Gaussian noise that makes them as reliable as the neurons of the "
            "area that reads best. The highest of many layers flatters a model beside one area: `explicit.csv` has, as "
            "`corrected`, the score of layers that are chosen on other draws and other folds."
        ),
        function="figures.explicitness.explicit",
        reads={"tables": "decoding"},
        options=("seed", *MODELS),
        further={"summary": "explicit.csv", "text": "explicit.md", "curves": "population_curves.csv"},
        needs="decoding",
    ),
    "fitted": Shown(
        title="Networks fitted to neurons",
        caption=(
            "Networks trained on the responses of neurons themselves, by epoch: the median over neurons of raw r, "
            "Pearson's r between outputs and responses without a ceiling, on the stimuli that a network was trained on "
            "and on held-out stimuli. The dashed line is the r of ridge regression on the best layer of a network "
            "trained on objects, over the same neurons; the layer is chosen on other neurons and folds than those that "
            "score it. The two are of different stimuli: networks are tested on the first fold alone, ridge regression "
            "on all folds."
        ),
        function="figures.fitted.fitted",
        reads={"trainings": "fitted_networks", "scores": "scores"},
        options=("recordings", "seed"),
        needs="fitted_networks",
        still=True,
    ),
    "learning_curves": Shown(
        title="Learning curves",
        caption=(
            "How networks learned to tell labels apart: accuracy and cross-entropy on the stimuli that they were "
            "trained on, with their random shifts and reflections, and on other stimuli of the same objects, by which "
            "the epoch that counts was chosen."
        ),
        function="figures.learning_curves.learning_curves",
        reads={"trainings": "categorisers"},
        options=MODELS,
        needs="categorisers",
        still=True,
    ),
}

TABLES = {
    "baselines": Shown(
        title="What is predicted before the stimulus",
        caption=(
            "How well each model predicts the responses in the bin `baseline`, before the stimulus appeared, where "
            "nothing should predict anything: the median r over all neuroids at the layer that predicts them best, and "
            "the largest such value that chance makes in 5 % of experiments at most (`near_zero` where r is below). A "
            "larger one is a sign of a wrong time of onset, or of stimuli in an order that repeats."
        ),
        function="statistics.baselines.baselines",
        reads={"scores": "scores"},
        needs="baselines",
    ),
    "best_layers": Shown(
        title="Best layers",
        caption=(
            "The best layer of each model by all neurons and folds, with its score (`maximum`), and the score of "
            "layers that are chosen on one random half of the neurons in every other fold, and scored on the other "
            "neurons in the folds between (`corrected`, over all four ways; `optimism` is the rest), with how often "
            "each layer was chosen. Neurons with a reliability below {reliability_threshold} in the folds that do not "
            "score them are left out. `measure` says whether scores are predictivity or, where nothing was repeated, "
            "raw r (`r`)."
        ),
        function="statistics.best_layers.best_layers",
        reads={"scores": "scores"},
        options=("reliability_threshold", "seed"),
        needs="bootstraps",
    ),
    "comparisons": Shown(
        title="Which layers and models differ",
        caption=(
            "Every pair of layers of a model, and every pair of models at their best layers: the difference of their "
            "medians over neurons, of predictivity or, where nothing was repeated, of raw r; of models, the difference "
            "of the corrected scores of `best_layers.csv`. Each has a 95 % interval and a two-sided p from bootstrap "
            "samples of both stimuli and neurons, the same for all and spread around the printed scores. All pairs of "
            "a model's layers on one split are a family of tests, and so are all pairs of models; `differs` says which "
            "differences are below 5 % after correction for the family (Romano and Wolf's step-down test, "
            "`p_stepdown`; `p_holm` is Holm's, `q` the false discovery rate of Benjamini and Hochberg)."
        ),
        function="statistics.comparisons.compare",
        reads={"bootstraps": "bootstraps", "best_layers": "best_layers"},
        needs="bootstraps",
    ),
    "banded": Shown(
        title="What layers add to each other",
        caption=(
            "What a layer adds to the others in predicting the neuroids of an area: banded ridge regression on all "
            "layers, less that on all but this one, as the difference of medians over neuroids (`unique_r`, and "
            "`unique_r2` of the squares), each with a 95 % bootstrap interval over neuroids. They are of raw r: the "
            "reliability of a neuroid, {reliability_threshold} or more, chooses and divides nothing. `weight` is the "
            "share of the layer in the weighting that was chosen."
        ),
        function="scores.banded.contributions",
        reads={"tables": "banded"},
        options=RESAMPLED,
        needs="banded",
    ),
    "claims": Shown(
        title="Which claims hold",
        caption=(
            "Which claims of Yamins et al. 2014 and Hong et al. 2016 hold on the recordings of this run. `estimate` is "
            "the difference between the two best layers that `evidence` names, a mean of such differences over "
            "architectures, a correlation over networks, or an accuracy. A layer's score is the mean over neurons of r "
            "within folds over the root of the reliability, or of raw r where the row says so. `low` "
            "and `high` are the ends of the 95 % interval for other stimuli and neurons, subjects, held-out objects or "
            "categories, architectures or networks (`unit`). The search for the best of several layers is part of the "
            "interval. A claim `holds` or `fails` where the interval excludes 0 (of accuracies, 0.6). `p_holm` is "
            "adjusted for the number of claims in the table. Neurons with a reliability below {reliability_threshold} "
            "are left out; `n_marked` counts those of the others whose corrected scores the score table marks."
        ),
        function="statistics.claims.claims",
        reads={"scores": "scores", "influences": "influences", "selectivity": "selectivity"},
        options=("networks", "reliability_threshold", "seed"),
    ),
}
