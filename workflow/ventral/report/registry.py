"""Declare the figures and tables that a run writes for its readers, one entry each.

These entries make the rules, Snakemake's report, the stages' commands and the page.
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
        Text for Snakemake's report; keys of the config in braces.
    function : str
        Module and function of the stage that writes the figure or table.
    reads : dict of str
        Input of each parameter of the function: a name of `workflow/rules/wanted.smk`.
    options : tuple of str
        Other parameters, whose values the rules have.
    further : dict of str
        Other files that the stage writes into the results, by parameter.
    needs : str
        A name of `workflow/rules/wanted.smk`. A config that makes no files of this name makes no such figure or table.
    still : bool
        Whether the page shows the figure unchanged. The page draws other figures anew, or not at all.
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
# Figures get all models of the run, so that each model has one colour and marker everywhere.
MODELS = ("models",)

FIGURES = {
    "layer_profile": Shown(
        title="Predictivity by layer",
        caption=(
            "Predictivity of each layer by its depth. Depth is the share of the network's layers with weights that lie "
            "at or before the layer. Each model is one line: the median over neurons, with a 95 % interval for other "
            "stimuli and other neurons. A model with a single layer is a line across the panel. With more than seven "
            "models, the best of each family on a recording stand out, and the others are thin and grey. Neurons with "
            "a reliability of {reliability_threshold} or more within one half of the held-out folds are scored on the "
            "other half. The two halves then swap roles, and the two medians are averaged. Neurons below this "
            "reliability in both halves are left out. Each panel counts them, and the neurons with a reliability of 0 "
            "or less. Each panel also counts the scored neurons or matrices that the score table marks, because their "
            "single corrected score says little. A neuron is marked where the standard error of a perfect model's "
            "score is above 0.25 or badly known. A matrix is marked where it is too unreliable. Without repetitions, "
            "no ceiling is known: the panel shows r, undivided, and the axis says 'r (no ceiling)'. Panels of RSA and "
            "CKA compare a layer's dissimilarities, or its Gram matrix, with an area's neurons or with published "
            "matrices. Their 95 % intervals are for other stimuli and, with several matrices, for other subjects. "
            "Values are lower with few neurons, so areas with different numbers of neurons must not be compared. With "
            "matrices of several subjects, the line is their mean, and the band is the noise ceiling. The band begins "
            "at the agreement of a subject with the mean of the others, and ends at the agreement with the mean of "
            "all. For tau-a, the band ends at the agreement with the order that most subjects give to each two pairs "
            "of stimuli. Where `inter_animal` asks for it, the dashed line is the inter-animal consistency, and its "
            "band the 95 % interval: how well infinitely many neurons of other animals would predict these neurons."
        ),
        function="figures.layer_profile.layer_profile",
        reads={
            "scores": "scores",
            "bootstraps": "bootstraps",
            "influences": "influences",
            "inter_animal": "inter_animal",
        },
        options=(*RESAMPLED, *MODELS, "sets"),
    ),
    "categorisation": Shown(
        title="Categorisation against predictivity",
        caption=(
            "How well labels are read from a layer, against how well the layer predicts the neurons of an area or "
            "agrees with a recorded matrix. Labels are read by a linear support vector machine; the score is its "
            "balanced accuracy on held-out stimuli. Predictivity is the same as in the figure of predictivity by "
            "layer. It is the median over neurons with a reliability of {reliability_threshold} or more within half of "
            "the folds. Without repetitions, no ceiling is known, and the axis says 'r (no ceiling)'. Each point is a "
            "layer. The best layer of each model is outlined, with its 95 % interval. Pearson's r is given over the "
            "best layers of all models, and over all layers of all models. Neither has an interval, because layers of "
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
            "Rank of each model at its best layer. The best layer is chosen on one half of the neurons and of the "
            "folds, and scored on the other half. The score is the median over neurons of predictivity or, without "
            "repetitions, of r; each panel says which. The line is the 95 % interval around the score over bootstrap "
            "samples of both stimuli and neurons, the same for all models. The number above each panel is the mean "
            "agreement (Kendall's tau) of a sample's ranking with the ranking of all data. This agreement is 1 where "
            "no sample would change the ranking."
        ),
        function="figures.ranking.ranking",
        reads={"bootstraps": "bootstraps", "best_layers": "best_layers"},
        options=MODELS,
        needs="bootstraps",
    ),
    "unseen": Shown(
        title="A category that was never seen",
        caption=(
            "How networks that never saw a category represent it, beside networks that did, layer by layer. The first "
            "panel shows how well a linear support vector machine tells the category from all others on held-out "
            "stimuli. The second shows the share of units that are selective for the category (d' above 0.65). With "
            "published dissimilarity matrices in the config, further panels show how well a layer's dissimilarities "
            "agree with them. This agreement is not divided by a ceiling, so the axis says 'r (uncorrected)'. With "
            "several subjects it is their mean."
        ),
        function="figures.unseen.unseen",
        reads={"selectivity": "selectivity", "scores": "scores"},
        options=MODELS,
        needs="selectivity",
        still=True,
    ),
    "filters": Shown(
        title="Filters of first layers",
        caption=(
            "Filters of the first layers of models (above) and the Gabor functions that fit them best (below), by the "
            "quality of the fit. A colour filter is shown along its principal colour axis, where most of its "
            "variance is. Black is the most negative value of a filter, and white the most positive. The number is the "
            "fraction of variance that the Gabor explains (r2). Frames mark filters that are Gabors: r2 is above the "
            "95 % quantile over filters whose pixels were shuffled. Models with many filters show some, evenly spaced "
            "in r2. A kernel of 3 x 3 pixels has hardly more pixels than the Gabor has free numbers, so its fits "
            "say little."
        ),
        function="figures.filters.filter_gallery",
        reads={"filters": "filters"},
        needs="filters",
        still=True,
    ),
    "filter_distributions": Shown(
        title="Filters of first layers and neurons of V1",
        caption=(
            "Properties of the first layers' filters that are Gabors, beside the published distributions of neurons "
            "in V1 of the macaque (grey): orientation and spatial frequency (De Valois et al. 1982a, b), and the size "
            "of the envelope in cycles along (nx) and across (ny) the wave (Ringach 2002). Phase and aspect have no "
            "published counts here. Shares are of all filters: filters that are no Gabors, or lie outside the "
            "published bins, are missing. Spatial frequencies depend on the degrees that the input of a model is "
            "taken to span. The last two panels show the similarity to V1, with 95 % intervals over filters. It is 0 "
            "at the Kolmogorov-Smirnov distance of shuffled filters, and 1 at that of neurons drawn from the "
            "published counts. Hollow markers are kernels with too few pixels for the fit. The last panel shows the "
            "similarity in spatial frequency for other degrees."
        ),
        function="figures.filters.filter_distributions",
        reads={"filters": "filters", "distances": "filter_distances"},
        options=MODELS,
        needs="filters",
        still=True,
    ),
    "next_experiment": Shown(
        title="Stimuli of the next experiment",
        caption=(
            "Stimuli of a pool that best tell apart the models or layers that are tied, for each area, in the order of "
            "the choice. The number is the expected log likelihood ratio of a single trial, the mean over pairs. The "
            "text above counts the trials until the likelier of two models is the true one in 95 % of experiments, "
            "and how many as many random stimuli of the pool would need. Both counts rest on the predictions of the "
            "readouts, and are too low where neurons share errors. Long sets show their first stimuli."
        ),
        function="figures.next_experiment.chosen_stimuli",
        reads={"stimuli": "next_experiment", "trials": "next_experiment_trials", "pool": "pool"},
        needs="next_experiment",
        still=True,
    ),
    "driven": Shown(
        title="Images that drive neurons",
        caption=(
            "Images that a gradient ascent through a network and its fitted readout found for each neuron, beside "
            "control images. All but those as shown (natural) have the mean and contrast of the recording's stimuli. "
            "Matched is the best stimulus of the recording with this mean and contrast, and masked is the same behind "
            "the mask of the synthesised image. Pool is the best of further images, Gabor the best Gabor function, and "
            "linear the image of a linear model of the pixels. The first number is the response that the optimised "
            "network predicts, and the second is the response that the judge predicts, another network that took no "
            "part in the search. Both are in standard deviations of the predicted responses to the recording's "
            "stimuli, from their mean. Orange numbers mark images that only the optimised network prefers to the "
            "matched one. An exclamation mark says that the predicted response lies outside the measured responses. No "
            "neuron has seen these images."
        ),
        function="figures.driven.drive_figure",
        reads={"driven": "driven"},
        needs="driven",
        still=True,
    ),
    "tuning": Shown(
        title="Tuning to gratings",
        caption=(
            "Tuning of layers and readouts to gratings. The first panels show, for each model, the shares of units in "
            "the bins published for neurons in V1 of the macaque (grey): orientation and spatial frequency (De Valois "
            "et al. 1982a, b). Each line is a layer, from dark (early) to light (late); dotted lines are readouts. "
            "Shares are of all units shown gratings, so units that do not respond or are not tuned are missing. "
            "Spatial frequencies depend on the degrees that the input of a model is taken to span. The curves are of "
            "the layers most like V1: the median over tuned units and its quartiles, around the best grating and over "
            "the largest response. Thin grey lines are recorded neurons, where the config names them (Goris et al. "
            "2015). The other panels show the median over units by depth, with quartiles; hollow markers are readouts. "
            "Only orientation and spatial frequency have published counts here. Similarity is 0 at the "
            "Kolmogorov-Smirnov distance of units whose responses are in random order, and 1 at that of neurons drawn "
            "from the published counts, with 95 % intervals over units."
        ),
        function="figures.tuning.tuning_figure",
        reads={"tables": "tuned", "summary": "tuning", "neurons": "tuned_neurons"},
        options=MODELS,
        needs="tuned",
        still=True,
    ),
    "reverse": Shown(
        title="Reverse predictivity",
        caption=(
            "How well the recorded neurons of an area predict the units of every layer (dashed), beside how well the "
            "layer predicts these neurons (solid). Dashed lines are the median over at most 2000 units of Pearson's r "
            "on held-out stimuli. Solid lines are the median over neurons with a reliability of "
            "{reliability_threshold} or more within half of the folds. Bands are 95 % intervals over bootstrap samples "
            "of units or of neurons. Neither r is corrected for the noise of the neurons, so the axis says 'r "
            "(uncorrected)'. The neurons are also few beside the features of a layer. Only differences between layers "
            "and models say which layers represent more than the neurons do."
        ),
        function="figures.reverse.reverse_figure",
        reads={"tables": "reverse", "areas": "areas", "scores": "scores"},
        options=RESAMPLED + MODELS,
        needs="reverse",
        still=True,
    ),
    "partitions": Shown(
        title="What models explain together and alone",
        caption=(
            "Variance of held-out responses that whole models explain, as medians over the neurons of an area. The "
            "first rows show what each model explains by itself, and what several explain together by banded ridge "
            "regression. 'Only' is the part that no other model of the partition explains. 'Shared by' is the part "
            "that each of the named models explains, and no other. For each neuron the parts add up to what all models "
            "explain together. Medians need not add up. Explained variance is r |r| over the neuron's reliability or, "
            "without repetitions, r |r|. Lines are 95 % intervals for other stimuli and other neurons. Neurons with a "
            "reliability of {reliability_threshold} or more within half of the folds are scored on the other half. A "
            "part a little below 0 is noise."
        ),
        function="figures.partitions.partition_figure",
        reads={"table": "partitions"},
        options=MODELS,
        needs="partitions",
        still=True,
    ),
    "explicitness": Shown(
        title="Explicit properties of layers and areas",
        caption=(
            "What layers and areas make explicit, after Hong et al. 2016. Labels and properties are read, on held-out "
            "stimuli, from equally many units of each layer and area. Labels are read by a linear support vector "
            "machine (balanced accuracy), and properties by ridge regression (Pearson's r; the circular correlation "
            "for circular properties). Layers of models are drawn by their depth. Recorded areas are squares beside "
            "the layers, in the order of the stream. Each label has a panel, and so has each group of properties: "
            "position, size, pose, and others. The panel of a group shows the mean over its properties. With few "
            "models, thin lines show each property. No score is divided by a ceiling. Units are drawn at random "
            "several times. Bands of labels are 95 % intervals of one draw of units, noise and stimuli. "
            "`figures/explicitness.csv` has the intervals of properties. Where a panel says so, Gaussian noise makes "
            "the units of models as reliable as the neurons of the area that reads best. The highest of many layers "
            "flatters a model beside one area. `explicit.csv` has, as `corrected`, the score of layers that are chosen "
            "on other draws and other folds."
        ),
        function="figures.explicitness.explicit",
        reads={"tables": "decoding"},
        options=("seed", *MODELS),
        further={"summary": "explicit.csv", "text": "explicit.md", "curves": "population_curves.csv"},
        needs="decoding",
    ),
    "over_time": Shown(
        title="Predictivity over time",
        caption=(
            "How well each layer of a model predicts an area in each bin of time. Lines are layers, or runs of a "
            "module, dark from the input on. Each is the median over neurons, as in the figure of predictivity by "
            "layer. Bands are 95 % intervals for other stimuli and other neurons, drawn for six layers or fewer. The "
            "dashed line is the median over all neurons of the largest attainable r, the root of the reliability, in "
            "each bin. Predictivity is r over this ceiling. For dissimilarities, the grey band is the noise ceiling. "
            "Maps show the same medians. White dots mark the best layer of each bin, chosen by the same scores, which "
            "flatters it. White lines are the times of a network's steps, if the config has them. `best_layers.csv` "
            "has scores of layers chosen on other neurons and folds. `over_time.csv` "
            "says which bins are above the baseline, and `latencies.csv` when a layer begins to predict."
        ),
        function="figures.over_time.over_time_figure",
        reads={"scores": "scores", "influences": "influences"},
        options=(*RESAMPLED, "steps"),
        needs="over_time",
        still=True,
    ),
    "decoding_over_time": Shown(
        title="Decoding over time",
        caption=(
            "How well labels are read from the neurons of an area in each bin of time, on held-out stimuli. Lines show "
            "the balanced accuracy of a reading that is fitted and tested in the same bin. Bands are 95 % intervals "
            "for other stimuli and other shuffles of trials. The wider, lighter bands are for other neurons, too. "
            "Marks at the bottom are bins above chance, by shuffles of the labels and corrected for all bins. Thin "
            "lines show single groups of held-out stimuli. Maps show readings that are fitted in one bin and tested in "
            "another. A square above chance away from the diagonal is a code that lasts. A diagonal alone is a code "
            "that changes. 'Nearest mean' takes the label whose mean pattern correlates best."
        ),
        function="figures.decoding_over_time.decoding_over_time",
        reads={"tables": "decoding_over_time"},
        needs="decoding_over_time",
        still=True,
    ),
    "solution_times": Shown(
        title="Solution times",
        caption=(
            "When neurons recognise a stimulus as well as subjects do (Kar et al. 2019). i1 of labels that are read "
            "from an area, on held-out stimuli, then reaches i1 of the subjects. Left: the share of stimuli "
            "that are solved by each time. A line ends below 1 where stimuli are never solved. Dashed lines are "
            "challenge stimuli, which subjects recognise better than a model by a d' of 1.5 or more. Solid lines are "
            "controls, which differ by 0.4 at most. Right: how much later challenge stimuli are solved than controls, "
            "with 95 % intervals for other stimuli. Hollow markers are differences of means. Filled markers are "
            "differences at equal i1 of the subjects, since a higher accuracy is reached later. Stimuli that are never "
            "solved have no time, and are left out there; `solution_times.csv` counts them."
        ),
        function="figures.solution_times.solution_times_figure",
        reads={"tables": "solution_times", "differences": "later_challenges"},
        options=MODELS,
        needs="solution_times",
        still=True,
    ),
    "fitted": Shown(
        title="Networks fitted to neurons",
        caption=(
            "Networks trained on the responses of neurons, by epoch, on the stimuli they were trained on and on "
            "held-out stimuli. The score is the median over neurons of Pearson's r between outputs and responses. This "
            "r is not divided by a ceiling, so the axis says 'r (uncorrected)'. The dashed line is ridge regression on "
            "the best layer of a network trained on objects, over the same neurons. That layer is chosen on other "
            "neurons and folds than those that score it. The two are scored on different stimuli: networks on the "
            "first fold alone, ridge regression on all folds."
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
            "How networks learned to tell labels apart, as accuracy and cross-entropy by epoch. Dotted lines show the "
            "stimuli that they were trained on, varied at random. Solid lines show further stimuli with the same "
            "labels, which also chose the epoch that is kept. Dashed lines show stimuli that chose nothing, such as "
            "those of other speakers. The cross-entropy of a network with several labels is the sum over them."
        ),
        function="figures.learning_curves.learning_curves",
        reads={"trainings": "categorisers"},
        options=(*MODELS, "labels"),
        needs="categorisers",
        still=True,
    ),
    "recurrence": Shown(
        title="What recurrence adds",
        caption=(
            "How well networks categorise stimuli that chose nothing in training, such as those of other objects. The "
            "first panel shows accuracy at each step of recurrent networks. Dashed lines are networks with a single "
            "step, and the dotted line is chance. With a property in the config, the other panels have its levels: "
            "accuracy at the last step, and the accuracy of the first network less that of the others on the same "
            "stimuli. In the colour of the first network stands its last step less its first step. The last group, "
            "'less', is the difference at the highest level less that at the lowest. Lines are 95 % intervals for "
            "other objects, or whatever else is held apart in training. They do not cover other trainings: "
            "`recurrence.csv` pools networks that the config names together."
        ),
        function="figures.recurrence.recurrence_figure",
        reads={"table": "recurrence"},
        options=("split_by",),
        needs="recurrence",
        still=True,
    ),
}

TABLES = {
    "recurrence": Shown(
        title="Accuracy by step, and differences between networks",
        caption=(
            "How well networks categorise the test part of training. Rows without `other` have the accuracy of "
            "`network` at `step`. Other rows have the accuracy of `network` at `step` less that of `other` at "
            "`other_step`, on the same stimuli. `level` is the level of the property, or empty for all stimuli. The "
            "level 'b less a' has the difference at the highest level less that at the lowest. `low` and `high` are "
            "the ends of a 95 % interval over bootstrap samples of what training and test do not share, such as "
            "objects (`n_apart`). They do not cover other trainings."
        ),
        function="statistics.recurrence.recurrence",
        reads={"trainings": "compared", "stimuli": "compared_stimuli"},
        options=("compared", "apart", "split_by", "n_bootstrap", "seed"),
        needs="compared",
    ),
    "baselines": Shown(
        title="Predictions before the stimulus",
        caption=(
            "How well each model predicts the responses in the bin `baseline`, before the stimulus appeared, where no "
            "model should predict anything. The score is the median r over all neurons at the layer that predicts "
            "them best. Beside it stands the largest such value that chance reaches in at most 5 % of experiments. "
            "`near_zero` says whether r is below this value. A larger r is a sign of a wrong time of onset, or of "
            "stimuli in an order that repeats."
        ),
        function="statistics.baselines.baselines",
        reads={"scores": "scores"},
        needs="baselines",
    ),
    "best_layers": Shown(
        title="Best layers",
        caption=(
            "The best layer of each model by all neurons and folds, with its score (`maximum`) and the corrected score "
            "(`corrected`). For the corrected score, a layer is chosen on one random half of the neurons in every "
            "other fold. The other neurons in the folds between then score it, over all four ways. `optimism` is the "
            "difference of the two scores. The table also has how often each layer was chosen. Neurons with a "
            "reliability below {reliability_threshold} in the folds that do not score them are left out. `measure` "
            "says whether scores are `predictivity` or, without repetitions, `r`."
        ),
        function="statistics.best_layers.best_layers",
        reads={"scores": "scores"},
        options=("reliability_threshold", "seed"),
        needs="bootstraps",
    ),
    "over_time": Shown(
        title="Rises above the baseline",
        caption=(
            "The median score of each layer in each bin of time, with a 95 % interval for other stimuli and neurons. "
            "`rise` is the median less that of the bin `baseline`, or the median itself without a baseline. `p` is "
            "corrected for the bins of a layer by the maximum statistic over bootstrap samples of both stimuli and "
            "neurons. `above` says whether it is below 0.05."
        ),
        function="statistics.over_time.over_time",
        reads={"bootstraps": "over_time"},
        needs="over_time",
    ),
    "latencies": Shown(
        title="Latencies",
        caption=(
            "When a layer begins to predict an area, when a neuron begins to respond, and when labels begin to be "
            "read: the middle of the first of three bins in a row above the baseline. The baseline of a reading is "
            "what shuffled labels reach. `low` and `high` are the ends of a 95 % interval over the bootstrap samples "
            "with a latency, and `share_found` is the share of these samples. Samples are of stimuli and neurons for "
            "layers and readings, and of stimuli for neurons, whose mean response is taken."
        ),
        function="statistics.over_time.latencies",
        reads={"bootstraps": "over_time", "recordings": "timed", "decoded": "decoding_over_time"},
        options=("n_bootstrap", "seed"),
        needs="timed",
    ),
    "steps_over_time": Shown(
        title="Steps of recurrent networks over time",
        caption=(
            "Which step of a module predicts an area in each bin of time. A step is one run of the module in a forward "
            "pass, and a layer that runs once has one step. `best_step` has the highest score, `best`, which this "
            "choice flatters. For `matched`, the best step of a bin is chosen on one half of the neurons and scored on "
            "the other half. `timed_step` is the step at the middle of the bin by the key `steps` of the config, and "
            "`timed` is its score. `low` and `high` are ends of 95 % intervals for other stimuli and neurons."
        ),
        function="statistics.steps.steps_over_time",
        reads={"bootstraps": "over_time"},
        options=("steps",),
        needs="over_time",
    ),
    "order_of_steps": Shown(
        title="Order of steps",
        caption=(
            "Whether later steps of a recurrent network predict later responses, for each module with several steps. "
            "`trend` is the rise, from one bin of time to the next, of the share by which scores grow with each step. "
            "The trend is 0 if all bins prefer the same steps. `low` and `high` are the ends of its 95 % interval for "
            "other stimuli and neurons, and `p` is two-sided. `slope` is that of the best step over bins, in steps a "
            "bin."
        ),
        function="statistics.steps.order_of_steps",
        reads={"bootstraps": "over_time"},
        needs="over_time",
    ),
    "animals": Shown(
        title="Scores over animals",
        caption=(
            "The mean over animals of each animal's median over neurons, for sets of recordings of several animals or "
            "sessions. All sessions of an animal are taken together, and all animals are scored at the same layer. "
            "`measure` says whether medians are of `predictivity` or, where some animal has no repetitions, of `r`. "
            "Neurons are chosen by a reliability of {reliability_threshold} or more within one half of the folds, and "
            "scored on the other half. From five animals on, `low` and `high` are a 95 % interval for other animals. "
            "With fewer animals there is no interval, and `interval_over` says so. `best_layer` marks each model's "
            "layer with the highest mean, which this choice flatters."
        ),
        function="statistics.animals.animals",
        reads={"scores": "scores", "recordings": "grouped"},
        options=(*RESAMPLED, "groups"),
        needs="grouped",
    ),
    "inter_animal": Shown(
        title="Inter-animal consistency",
        caption=(
            "How well the neurons of the other animals of a set predict each animal's neurons, by the same mappings "
            "and held-out parts as the layers of models. The consistency is r over the square roots of the "
            "reliabilities of responses and predictions, and the median over neurons with a reliability of "
            "{reliability_threshold} or more within half of the folds. It grows with the number of predicting neurons "
            "(`n_predictors`); `inf` is its extrapolation. `low` and `high` are a 95 % interval for other stimuli and "
            "other neurons, of the same animals."
        ),
        function="statistics.inter_animal.join_inter_animal",
        reads={"tables": "inter_animal"},
        needs="inter_animal",
    ),
    "behaviour": Shown(
        title="Agreement with behaviour",
        caption=(
            "How well choices that are read from each layer, on held-out stimuli, agree with the choices of subjects. "
            "`outputs` are the choices of a network's own outputs. `accuracy` is the share of right choices. "
            "`error_consistency` is Cohen's kappa of right and wrong choices, the mean over subjects. "
            "`accuracy_by_stimulus`, `i1`, `i2n` and `o2` are Pearson's r with the pattern of all subjects' choices: "
            "accuracies, d' by stimulus, d' by stimulus and wrong label minus its mean over the stimuli of a label, "
            "and d' by pairs of labels. `low` and `high` are a 95 % interval for other stimuli and other subjects. The "
            "ceiling of a pattern is the root of its reliability over subjects, which r may be divided by "
            "(`over_ceiling`). Other ceilings are the accuracy of subjects, and the mean error consistency of pairs of "
            "subjects. The best of many layers flatters a model."
        ),
        function="scores.behaviour.behaviour",
        reads={"scores": "scores"},
        needs="behaviour",
    ),
    "solution_times": Shown(
        title="Solution times of challenge and control stimuli",
        caption=(
            "How much later the neurons of an area solve the stimuli that are a challenge to a model than controls. "
            "Times are means in ms over solved stimuli, and `n_never` counts the stimuli that are never solved. "
            "`difference` is challenge less control. `at_equal_i1` is the same at equal i1 of the subjects, by linear "
            "regression. Both have 95 % intervals over bootstrap samples of the stimuli. `reliability` is Spearman's r "
            "of solution times from halves of the repetitions and of the subjects' trials, stepped up to all."
        ),
        function="statistics.solution_times.later_challenges",
        reads={"tables": "solution_times"},
        options=("n_bootstrap", "seed"),
        needs="solution_times",
    ),
    "comparisons": Shown(
        title="Which layers and models differ",
        caption=(
            "Every pair of layers of a model, and every pair of models at their best layers. Layers differ by their "
            "medians over neurons of predictivity or, without repetitions, of r. Models differ by their corrected "
            "scores in `best_layers.csv`. Each difference has a 95 % interval and a two-sided p from bootstrap samples "
            "of both stimuli and neurons. All differences use the same samples, spread around the printed scores. All "
            "pairs of a model's layers on one split are a family of tests, and so are all pairs of models. `differs` "
            "says which differences are below 5 % after correction for the family (`p_stepdown`, the step-down test of "
            "Romano and Wolf). `p_holm` is Holm's p, and `q` is the false discovery rate of Benjamini and Hochberg."
        ),
        function="statistics.comparisons.compare",
        reads={"bootstraps": "bootstraps", "best_layers": "best_layers"},
        needs="bootstraps",
    ),
    "banded": Shown(
        title="What layers add to each other",
        caption=(
            "How much a layer adds to the others in predicting the neurons of an area. `unique_r` is the median r of "
            "banded ridge regression on all layers, less the median r on all layers but this one. `unique_r2` is the "
            "same for the squares of r. Each has a 95 % bootstrap interval over neurons. No r is divided by a "
            "ceiling: only neurons with a reliability of {reliability_threshold} or more are included, but their "
            "reliability corrects nothing. `weight` is the share of the layer in the weighting that was chosen."
        ),
        function="scores.banded.contributions",
        reads={"tables": "banded"},
        options=RESAMPLED,
        needs="banded",
    ),
    "partitions": Shown(
        title="What models explain together and alone",
        caption=(
            "Variance that two or three whole models explain, by partition, area and split. `explained` is what the "
            "named models explain together, `unique` what one of them alone explains, and `shared` what each of the "
            "named models explains and no other. `median` is the median over neurons, with the ends of its 95 % "
            "interval for other stimuli and other neurons. `measure` is `explained_variance`, which is r |r| over the "
            "reliability, or `r2`, which is r |r|, without repetitions. `partitions/` has each neuron."
        ),
        function="scores.partition.partitions",
        reads={"tables": "partitioned"},
        needs="partitioned",
    ),
    "filter_distances": Shown(
        title="Distances of filters from V1",
        caption=(
            "How far the filters of first layers are from published distributions of V1 of the macaque. `ks` is the "
            "Kolmogorov-Smirnov distance over all filters, where filters that are no Gabors lie in no bin. "
            "`ks_shuffled` and `ks_random` are the distances of shuffled and of random filters, and `ks_v1` is the "
            "mean distance of as many neurons drawn from the published counts. `similarity` is 0 at `ks_shuffled` and "
            "1 at `ks_v1`. `score_gabors` is 1 - KS / KS_max over Gabors in the published bins alone. `auc` is the "
            "chance that a filter is fitted better than a shuffled one. Intervals of 95 % are over bootstrap samples "
            "of filters. Spatial frequencies also have rows for other fields of view (`degrees_times`)."
        ),
        function="statistics.v1.filter_distances",
        reads={"filters": "filters"},
        options=("n_bootstrap", "seed"),
        needs="filters",
    ),
    "next_experiment": Shown(
        title="Stimuli of the next experiment",
        caption=(
            "Stimuli of a pool that best tell apart the models or layers that are tied, for each area, in the order of "
            "the choice (`rank`). `predicted` is the mean over neurons of the response that a model predicts, and "
            "`beyond` the share of neurons for which this is beyond all responses of the recording. `log_ratio` is the "
            "expected log likelihood ratio of a single trial, the mean over pairs of models. Neurons with a "
            "reliability below {reliability_threshold} are left out."
        ),
        function="in_silico.next_experiment.choose_stimuli",
        reads={"predicted": "predicted_pool", "recording": "next_recording", "comparisons": "comparisons"},
        options=("tied", "n_chosen", "reliability_threshold"),
        needs="predicted_pool",
    ),
    "next_experiment_trials": Shown(
        title="Trials of the next experiment",
        caption=(
            "How many trials tell two models or layers apart. `trials` is the number with the chosen stimuli, shown in "
            "rounds (`repetitions`), after which the likelier model is the true one in 95 % of experiments: "
            "alpha is 5 % and power is 95 %. `random_trials` is the median over draws of as many random stimuli, with "
            "95 % of the draws from `random_low` to `random_high`. `inf` says that no number of trials suffices. The "
            "counts rest on the noise of the repetitions and on the variance that held-out predictions miss, both "
            "taken as independent over neurons. Shared errors make the true numbers larger."
        ),
        function="in_silico.next_experiment.count_trials",
        reads={
            "predicted": "predicted_pool",
            "recording": "next_recording",
            "comparisons": "comparisons",
            "stimuli": "next_experiment",
        },
        options=("tied", "reliability_threshold", "n_draws", "seed"),
        needs="predicted_pool",
    ),
    "drive": Shown(
        title="Drive of synthesised and control images",
        caption=(
            "Means over the neurons of an area for each kind of image. `drive` is the response that the optimised "
            "network predicts, in standard deviations of its predictions for the recording's stimuli, from their mean. "
            "`judged_drive` is the same for the judge, another network. `gain` and `judged_gain` are the scores beyond "
            "that of the best stimulus of the recording with matched mean and contrast. `share` is the share of the "
            "gain that the judge confirms. `n_confirmed` counts the images whose gain both networks see, and "
            "`n_beyond` those whose predicted response lies outside the measured responses. Intervals of 95 % are for "
            "other neurons and other seeds."
        ),
        function="in_silico.driven.drive_summary",
        reads={"driven": "driven"},
        options=("n_bootstrap", "seed"),
        needs="driven",
    ),
    "tuning": Shown(
        title="Tuning to gratings, by layer",
        caption=(
            "Tuning of layers and readouts to gratings. `median`, its 95 % interval over units, and the quartiles are "
            "those of `n_known` units. `property` names the property: circular variance, bandwidth of orientation in "
            "degrees and of spatial frequency in octaves, F1/F0, suppression by size, diameter of the summation field, "
            "and the half saturation and exponent of contrast. Orientation and spatial frequency have the distance "
            "`ks` from published distributions of V1 of the macaque, where units that are not tuned lie in no bin. "
            "`ks_shuffled` is that of units whose responses are in random order, and `ks_v1` that of as many neurons. "
            "`similarity` is 0 at `ks_shuffled` and 1 at `ks_v1`, with its standard error. Spatial frequencies also "
            "have rows for other fields of view (`degrees_times`)."
        ),
        function="statistics.v1_tuning.tuning_by_layer",
        reads={"tables": "tuned"},
        options=("n_bootstrap", "seed"),
        needs="tuned",
    ),
    "claims": Shown(
        title="Which claims hold",
        caption=(
            "Which claims of Yamins et al. 2014 and Hong et al. 2016 hold on the recordings of this run. `estimate` "
            "is the difference between the two best layers that `evidence` names, or a mean of such differences over "
            "architectures. For other claims, `estimate` is a correlation over networks, an accuracy, or a similarity "
            "to V1. A layer's score is the mean over neurons of r within folds, divided by the root of the "
            "reliability. Where the row says so, r is not divided. `low` and `high` are the ends of the 95 % interval "
            "for other samples of the `unit`. Units are stimuli and neurons, subjects, held-out objects or "
            "categories, architectures or networks. The interval includes the search for the best of several layers. "
            "A claim `holds` or `fails` where the interval excludes 0, 0.6 for accuracies, or 0.5 for similarities. "
            "`p_holm` is adjusted for the number of claims in the table. Neurons with a reliability below "
            "{reliability_threshold} are left out. `n_marked` counts the other neurons whose corrected scores the "
            "score table marks."
        ),
        function="statistics.claims.claims",
        reads={
            "scores": "scores",
            "influences": "influences",
            "selectivity": "selectivity",
            "first_layers": "filter_distances",
            "order_of_steps": "order_of_steps",
            "tuning": "tuning",
        },
        options=("networks", "reliability_threshold", "seed"),
    ),
}
