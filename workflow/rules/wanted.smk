# Outputs that the config asks for.
from ventral.report import registry

# Networks fitted to neurons, with the recording of each.
FITTED = {name: spec["recording"] for name, spec in settings["trainings"].items() if spec["recording"]}
# Labels that other networks learn to tell apart.
CATEGORISERS = {name: as_list(spec["label"]) for name, spec in settings["trainings"].items() if spec["label"]}
SCORED = [
    (recording, model)
    for recording in settings["recordings"]
    for model in models_of(settings, recording) + recorded_models_of(settings, recording)
]
# Pairs of recording and model with predictions, whose scores are resampled.
RESAMPLED = [(recording, model) for recording, model in SCORED if has_neuroids(settings["recordings"][recording])]
# Models with a factorised readout, and models with a banded fit, each with a recording of neuroids.
WITH_NEUROIDS = [
    (recording, model) for recording in settings["recordings"] for model in models_with_neuroids(settings, recording)
]
FACTORISED = [pair for pair in WITH_NEUROIDS if "factorised" in settings["mappings"]]
BANDED = [(recording, model) for recording, model in WITH_NEUROIDS if model in settings["banded"]]
# Partitions of explained variance, each with a recording of neuroids.
PARTITIONED = [
    f"<results>/partitions/{recording}/{name}.csv"
    for name in settings["partitions"]
    for recording in recordings_of_partition(settings, name)
]
# Sets of recordings that are summarised over animals, by recording.
GROUPS = {
    recording: settings["recordings"][recording]["group"]
    for recording, _ in WITH_NEUROIDS
    if settings["recordings"][recording].get("group")
}
# Models that `decoding` reads, for each recording of neuroids.
DECODED = decoded_models(settings)
TIMED = recordings_over_time(settings)
SCORED_OVER_TIME = [pair for pair in RESAMPLED if pair[0] in TIMED]
DECODED_OVER_TIME = TIMED if "decoding_over_time" in settings else []
SOLVED = pairs_of_solution_times(settings) if settings["solution_times"] else []
# Layers with readouts, by recording and model.
READ_OUT = readouts_of(settings)
READOUTS = [f"<results>/readouts/{recording}/{model}" for recording, model in READ_OUT]
PREDICTIONS = [f"<results>/predictions/{recording}/{model}.zarr" for recording, model in predictions_of(settings)]
BRAINSCORED = sorted({recording for recording, _ in WITH_NEUROIDS}) if settings["brainscore"] else []
# Models whose first layers are compared with V1.
FIRST_LAYERS = settings.get("first_layers", {"models": [], "degrees": 8})
IN_SILICO = settings.get("in_silico", {})
# Stimuli that tell models apart.
NEXT_EXPERIMENT = IN_SILICO.get("next_experiment", {})
# Images that drive neurons.
DRIVE = IN_SILICO.get("drive")
# Options of the search for images.
SEARCH = (
    "steps",
    "parametrisation",
    "learning_rate",
    "jitter",
    "scale",
    "rotation",
    "blur",
    "total_variation",
)
# Models and readouts that are shown gratings.
TUNING = IN_SILICO.get("tuning", {"models": [], "readouts": False, "neurons": None})
TUNED_READOUTS = tuned_readouts(settings)
# The rule that makes the Gram matrices of models.
GRAMS_BY = "gram" if settings["grams"]["device"] == "cpu" else "gram_on_gpu"
if settings["grams"]["from"] == "forward":
    GRAMS_BY = "gram_forward"
# Kinds of networks whose accuracy at each step is compared.
COMPARED = settings.get("recurrence", {"networks": {}, "property": None})
COMPARED_NETWORKS = [name for names in COMPARED["networks"].values() for name in names]
COMPARED_TRAINING = settings["trainings"][COMPARED_NETWORKS[0]] if COMPARED_NETWORKS else {}


def tables_of(folder, pairs):
    return [f"<results>/{folder}/{recording}/{model}.parquet" for recording, model in pairs]


# Inputs of figures and tables, by the names in their declared entries.
MADE = {
    "scores": ["<results>/scores.parquet"],
    "behaviour": [name for name, spec in settings["recordings"].items() if spec.get("behaviour")] and SCORED,
    "bootstraps": tables_of("bootstraps", RESAMPLED),
    "baselines": [name for name, spec in settings["recordings"].items() if spec.get("baseline")] and RESAMPLED,
    "timed": expand("<results>/recordings/{recording}.zarr", recording=TIMED),
    "over_time": tables_of("bootstraps", SCORED_OVER_TIME),
    "order_of_steps": ["<results>/order_of_steps.csv"] if SCORED_OVER_TIME else [],
    "influences": tables_of("influences", SCORED) + expand("<results>/fitted_networks/{model}.parquet", model=FITTED),
    "best_layers": ["<results>/best_layers.csv"] if RESAMPLED else [],
    "banded": tables_of("banded", BANDED),
    "partitioned": PARTITIONED,
    "partitions": ["<results>/partitions.csv"] if PARTITIONED else [],
    "selectivity": ["<results>/selectivity.csv"] if "unseen" in settings else [],
    "driven": ["<results>/driven"] if DRIVE else [],
    "filters": ["<results>/filters.parquet"] if FIRST_LAYERS["models"] else [],
    "filter_distances": ["<results>/filter_distances.csv"] if FIRST_LAYERS["models"] else [],
    "pool": [f"<results>/stimuli/{NEXT_EXPERIMENT['pool']}.zarr"] if NEXT_EXPERIMENT else [],
    "predicted_pool": ["<results>/next_experiment.zarr"] if NEXT_EXPERIMENT else [],
    "next_recording": [f"<results>/recordings/{NEXT_EXPERIMENT['recording']}.zarr"] if NEXT_EXPERIMENT else [],
    "comparisons": ["<results>/comparisons.csv"] if RESAMPLED else [],
    "next_experiment": ["<results>/next_experiment.csv"] if NEXT_EXPERIMENT else [],
    "next_experiment_trials": ["<results>/next_experiment_trials.csv"] if NEXT_EXPERIMENT else [],
    "tuned": expand("<results>/tuning/{model}.parquet", model=TUNING["models"])
    + tables_of("tuning_of_readouts", TUNED_READOUTS),
    "tuning": ["<results>/tuning.csv"] if TUNING["models"] or TUNED_READOUTS else [],
    "tuned_neurons": files_of_curves(TUNING["neurons"]) if TUNING["neurons"] else [],
    "grouped": expand("<results>/recordings/{recording}.zarr", recording=GROUPS),
    "inter_animal": expand("<results>/inter_animal/{group}.parquet", group=settings["inter_animal"]),
    "areas": [gram_of_areas(recording) for recording in settings["reverse"]],
    "reverse": tables_of(
        "reverse", [(recording, model) for recording in settings["reverse"] for model in models_of(settings, recording)]
    ),
    "decoding": tables_of("decoding", [(recording, model) for recording in DECODED for model in DECODED[recording]])
    + [f"<results>/decoded_areas/{recording}.parquet" for recording in DECODED],
    "decoding_over_time": expand("<results>/decoding_over_time/{recording}.parquet", recording=DECODED_OVER_TIME),
    "solution_times": tables_of("solution_times", SOLVED),
    "later_challenges": ["<results>/solution_times.csv"] if SOLVED else [],
    "fitted_networks": expand("<results>/models/{model}", model=FITTED),
    "categorisers": expand("<results>/models/{model}", model=CATEGORISERS),
    "compared": expand("<results>/models/{model}", model=COMPARED_NETWORKS),
    "compared_stimuli": [f"<results>/stimuli/{name}.zarr" for name in given(COMPARED_TRAINING, "stimuli")],
    "recurrence": ["<results>/recurrence.csv"] if COMPARED_NETWORKS else [],
}
# Values of the parameters of figures and tables, by name.
VALUES = {
    "reliability_threshold": settings["reliability_threshold"],
    "n_bootstrap": settings["bootstrap"],
    "seed": settings["seed"],
    "steps": settings["steps"],
    # Models keep the order of the config.
    "models": list(settings["models"]),
    "groups": GROUPS,
    # Sets with inter-animal consistency, by recording.
    "sets": {name: group for group in settings["inter_animal"] for name in recordings_of_set(settings, group)},
    # Recordings that networks are fitted to.
    "recordings": list(FITTED.values()),
    "labels": CATEGORISERS,
    # Pairs, because the names of options are sorted.
    "compared": list(COMPARED["networks"].items()),
    "apart": COMPARED_TRAINING.get("apart", []),
    "split_by": COMPARED["property"],
    "tied": NEXT_EXPERIMENT.get("tied"),
    "n_chosen": NEXT_EXPERIMENT.get("chosen"),
    "n_draws": settings["bootstrap"],
    "networks": {
        name: {"architecture": spec["architecture"], "network": spec.get("trained_by") or name}
        for name, spec in settings["models"].items()
    },
}
FIGURES = {name: figure for name, figure in registry.FIGURES.items() if MADE[figure.needs]}
TABLES = {name: table for name, table in registry.TABLES.items() if MADE[table.needs]}


def shown_file(path, shown, category):
    """Mark a file for the report that Snakemake makes."""
    return report(
        path, caption="../report/shown.rst", category=category, labels={category.lower().rstrip("s"): shown.title}
    )


def inputs_of(shown):
    return {parameter: MADE[made] for parameter, made in shown.reads.items()}


def told_to(shown):
    """Return the parameters of a figure's or a table's rule."""
    caption = shown.caption.format(**settings)
    return {**told(shown.stage, **{name: VALUES[name] for name in shown.options}), "caption": caption}
