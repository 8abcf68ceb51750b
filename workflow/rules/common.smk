import atexit
import json
import os
import re
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.path_modifier import PathModifier


class Refused(WorkflowError):
    """A user's mistake, which Snakemake prints without lines of these files."""

    __traceback__ = property(lambda self: None, lambda self, traceback: None)

    def __init__(self, text):
        super().__init__(f"module {__name__}: {text}" if IMPORTED else text)


def folder_of_package():
    """Return the folder with the package, beside these rules or in an installed checkout."""
    beside = Path(str(workflow.current_basedir)).parent
    if (beside / "ventral").is_dir():
        return beside
    installed = find_spec("ventral")
    # A folder among installed packages would also put all packages of Snakemake's environment on the path.
    if installed is None or not (Path(installed.origin).parents[1] / "Snakefile").is_file():
        raise Refused(
            f"the package `ventral` is not beside the rules in {workflow.current_basedir}: clone the repository at the "
            "same version, and install the clone beside Snakemake, with `pip install --editable CLONE`"
        )
    return Path(installed.origin).parents[1]


# Another workflow may import these files as a module; their namespace then has the module's name.
IMPORTED = not workflow.modifier.is_main_snakefile()
# Snakemake reads a module again when the importer changes single rules.
READ_BEFORE = IMPORTED and __name__ in workflow.modifier.parent_modifier.globals
# Jobs run this checkout's package with this interpreter, unless an environment of their own comes first.
PACKAGE = str(folder_of_package())
sys.path.insert(0, PACKAGE)
for variable, folder in (("PYTHONPATH", PACKAGE), ("PATH", str(Path(sys.executable).parent))):
    os.environ[variable] = os.pathsep.join(filter(None, [folder, os.environ.get(variable)]))

# Jobs print warnings and errors; their progress is in their logs.
os.environ.setdefault("VENTRAL_TERMINAL_LEVEL", "WARNING")

import ventral

if not Path(ventral.__file__).parents[1].samefile(PACKAGE):
    raise Refused(
        f"the package `ventral` of {PACKAGE} is wanted, and that of {Path(ventral.__file__).parents[1]} is loaded: one "
        "workflow can import one version; use the same Snakefile for all modules"
    )

from ventral.launch import changes
from ventral.launch import lock as runs
from ventral.running.braces import in_braces
from ventral.configuration.resolution import (
    check_inputs,
    decoded_models,
    has_neuroids,
    models_in_partition,
    models_of,
    models_with_neuroids,
    pairs_of_solution_times,
    penalty_grid,
    predictions_of,
    readouts_of,
    recordings_over_time,
    recorded_models_of,
    recordings_of_partition,
    recordings_of_set,
    resolve,
    sets_played,
    sets_with_files,
    splits_with_options,
    tuned_readouts,
)
from ventral.configuration.doubts import doubts
from ventral.configuration.files import check_files
from ventral.configuration.options import licences_of_downloads, moved_keys
from ventral.configuration.splits import number_of_places
from ventral.datasets.goris2015 import files_of_curves
from ventral.datasets.registry import DOWNLOADS
from ventral.errors import InputError, shown
from ventral.mappings.registry import predicting
from ventral.models.zoo import modality_asked, weights_file
from ventral.configuration.schema import typed
from ventral.running.slurm import check_commands
from ventral.stimuli import rendering
from ventral.stimuli.ingestion import periods
from ventral.stimuli.modality import MODALITIES, SYNTHESIS, WAYS_TO_MAKE, modality_shown
from ventral.stimuli.places import as_list
from ventral.stimuli.sounds import rate_of_input

CONFIGFILE = "config/config.yaml"
try:
    # A module's config is a part of the importer's files, which may have other keys.
    if workflow.is_main_process and not workflow.modifier.skip_configfile:
        check_files(workflow.overwrite_configfiles or [CONFIGFILE])
except InputError as error:
    raise Refused(str(error)) from None


if not workflow.overwrite_configfiles:

    configfile: CONFIGFILE


try:
    # The audit and the crate need the config as the user wrote it.
    config = typed(config)
    settings = resolve(config)
    placed = workflow.modifier.path_modifier.replace_prefix(settings["results"])
    if placed != settings["results"]:
        config = {**config, "results": placed}
        settings = resolve(config)
    if workflow.is_main_process:
        # Rules of the importer may make missing files; Snakemake names the files that no rule makes.
        stimuli_now, neuroids_now = check_inputs(settings, fetched="" if IMPORTED else "resources/")
        if moved_keys(config) and not READ_BEFORE:
            logger.warning(f"module {__name__}: {moved_keys(config)}" if IMPORTED else moved_keys(config))
        for doubt in () if READ_BEFORE else doubts(settings):
            logger.warning(f"module {__name__}: {doubt}" if IMPORTED else doubt)
        for licence in [] if READ_BEFORE else licences_of_downloads(settings):
            logger.info(licence)
except InputError as error:
    raise Refused(str(error)) from None


# A module's prefix applies to results only, because commands read the config's files and downloads without it.
workflow.modifier.path_modifier = PathModifier(None, None, workflow)


def begin_run(log):
    """Lock the results, and keep the outputs of jobs that finished after their run was killed."""
    try:
        if workflow.executor_plugin.name == "slurm":
            check_commands()
        if runs.begin(settings["results"], os.getcwd(), log):
            adopt_outputs()
    except InputError as error:
        raise Refused(str(error)) from None


def end_run(log):
    runs.end(settings["results"])


def end_good_run(log):
    """Unlock the results, and print their place."""
    end_run(log)
    results = Path(settings["results"])
    for what, made in (
        ("All on one page:", "report.html"),
        ("Figures:", "figures"),
        ("Which claims hold:", "claims.csv"),
        ("Score table:", "scores.parquet"),
    ):
        if (results / made).exists():
            # The logger `ventral` prints these lines last.
            logger.info(f"{what:<19}{results / made}", extra={"results": True})


def run_beside_importer(event, handler):
    """Run a handler at an event of the run, before the importer's, because Snakemake ignores handlers of modules."""
    register = getattr(workflow, event)

    def joined(importers):
        return lambda log: (handler(log), importers(log))

    setattr(workflow, f"_{event}", joined(getattr(workflow, f"_{event}")))
    # The importer may have handlers before and after it imports this module.
    setattr(workflow, event, lambda func: register(joined(func) if workflow.modifier.is_main_snakefile() else func))


if IMPORTED and not READ_BEFORE:
    for event, handler in (("onstart", begin_run), ("onsuccess", end_run), ("onerror", end_run)):
        run_beside_importer(event, handler)

if not IMPORTED:

    onstart:
        begin_run(log)

    onsuccess:
        end_good_run(log)

    onerror:
        end_run(log)


pathvars:
    results=settings["results"],
    logs="<results>/logs",
    provenance="<results>/provenance",
    benchmarks="<results>/benchmarks",


wildcard_constraints:
    stimuli=r"[^/]+",
    recording=r"[^/]+",
    behaviour=r"[^/]+",
    model=r"[^/]+",
    partition=r"[^/]+",
    shard=r"\d+",
    part=r"\d+",


def is_own(rule):
    """Say whether a rule belongs to this workflow, not to its importer or another module."""
    return rule.module_globals["__name__"] == __name__


# Several modules share downloads: the first module has the rule.
DOWNLOADED_HERE = [
    file
    for file in DOWNLOADS
    if not any(other.is_producer(f"resources/{file}") for other in workflow.rules if not is_own(other))
]


def adopt_outputs():
    """Tell Snakemake about outputs from after its death, so that it sees later changes of their config."""
    for job in (job for job in workflow.dag.jobs if is_own(job.rule)):
        known = all(workflow.persistence.metadata(file) for file in job.output)
        if not known and not workflow.dag.needrun(job):
            runs.check_made_by(job.shellcmd)
            workflow.async_run(workflow.persistence.finished(job))


INPUTS_NOW = changes.Inputs(settings["results"])
said_to_change = set()


def is_made(path):
    """Say whether a job of this workflow or of its importer makes a file or folder, whose changes Snakemake sees."""
    return path.startswith("<results>/") or any(maker.is_producer(path) for maker in workflow.rules)


def changes_since(record, files):
    """Return the files that changed since a job's record; files that cannot be compared count as changed."""
    try:
        return INPUTS_NOW.changed(record, files)
    except Exception as error:
        # Snakemake would skip the job after an exception in an input function.
        return [f"{record} cannot be compared ({type(error).__name__}: {error})"]


def watched(record, files):
    """Return an input function that reruns its job when the content of its files differs from the job's record.

    Snakemake compares time stamps, and the time stamp of a folder does not tell of the files in the folder.
    """

    def inputs(wildcards):
        paths = files(wildcards)
        given = [path for path in paths if not is_made(path)]
        file = f"{settings['results']}/provenance/{record.format(**dict(wildcards))}.json"
        changed = changes_since(file, given) if workflow.is_main_process else []
        if changed:
            workflow.dag.forcefiles.add(file)
            for path in sorted(set(changed) - said_to_change):
                logger.warning(f"{path} changed; the jobs that read this file or folder run again.")
            said_to_change.update(changed)
        return [ancient(path) if path in given else path for path in paths]

    return inputs


def scaled(amount):
    """Return a resource that grows with every attempt of a job."""
    return lambda wildcards, attempt: amount * attempt


def partition_of(rule):
    """Return the partition of a rule, if the profile or the command line names one, as a resource."""
    asked = workflow.resource_settings.overwrite_resources.get(rule, {})
    return {"slurm_partition": asked["slurm_partition"].raw} if "slurm_partition" in asked else {}


def on_device(rule, device):
    """Return the resources of a rule that computes on a device of the config.

    These affect speed, not results, so changing them makes nothing anew. Jobs on a GPU go to the partition of `extract`,
    and their tasks stay in the process that has the GPU.
    """
    if device == "cpu":
        return {"device": device, "gres": "", "dask": settings["dask"]}
    gres = settings["gres"].get(rule, "")
    return {"device": device, "gres": gres, "dask": "threads", **partition_of("extract")}


def as_json(value):
    """Return the text of a part of the config as a parameter, so that changing the part reruns its jobs."""
    return json.dumps(value, sort_keys=True)


def named_files(wildcards, input, output):
    """Return the part of a command that names a job's files.

    Inputs without a name are only waited for; an output without a name is the parameter `output`.
    """
    named = dict(output.items())
    unnamed = [("output", path) for path in output if path not in named.values()]
    words = [
        f"--input {name} {in_braces([files] if isinstance(files, str) else files)}" for name, files in input.items()
    ]
    words += [f"--output {name} {quote(file)}" for name, file in (*unnamed, *named.items()) if name != "provenance"]
    return " ".join(words)


def text_of_options(values, wildcards):
    return as_json({name: value(wildcards) if callable(value) else value for name, value in values.items()})


def options(**values):
    """Return a function that gives the text of options; each option is a value or a function of wildcards."""
    return partial(text_of_options, values)


def told(stage, **values):
    """Return the parameters of a rule: its stage, the stage's options, and the files."""
    return {"stage": stage, "files": named_files, "options": options(**values)}


def without(spec, *keys):
    """Return a part of the config without some of its keys."""
    return {name: value for name, value in spec.items() if name not in keys}


HOW = {
    # Options that affect speed or are only checked; changing them triggers no rerun.
    "checked": "--checked {resources.checked:q}",
    "cores": "--cores {threads}",
    "dask": "--dask {resources.dask:q}",
    "device": "--device {resources.device}",
    "batch_size": "--batch-size {resources.batch_size}",
    "memory_mb": "--memory-mb {resources.arrays_mb}",
}


def command(how=""):
    """Return the command of a rule with the parameters `told`, and the arguments of `HOW` that its stage has."""
    words = ["python -m ventral {params.stage} {params.files} --options {params.options:q}", *map(HOW.get, how.split())]
    return " ".join([*words, "--provenance {output.provenance:q} --log {log:q}"])


def any_of(names):
    """Return the regular expression of a wildcard that matches the given names only."""
    return "|".join(map(re.escape, names)) or "(?!)"


def given(spec, *keys):
    """Return the paths in a part of the config: a single path, a list, or paths by name."""
    named = [spec[key] for key in keys if spec.get(key)]
    return [path for paths in named for path in (paths.values() if isinstance(paths, dict) else as_list(paths))]


def checkpoint_of(model):
    """Return the checkpoint of a model, or the folder from its training; nothing for other models."""
    if model.get("trained_by"):
        return [f"<results>/models/{model['trained_by']}"]
    file = weights_file(model)
    return [file] if file else []


def kept_if_asked(path):
    """Mark activations for deletion after their Gram matrix is made, unless the config keeps them."""
    return path if settings["extraction"]["keep"] else temp(path)


def named_layers(choices):
    """Return the layers that choices of layers name, without those of `best` and `all`."""
    return list(dict.fromkeys(layer for layers in choices if not isinstance(layers, str) for layer in layers))


def gram_of_areas(recording):
    """Return the Gram matrices of a recording's own areas."""
    return f"<results>/grams/{recording}/{settings['recordings'][recording]['stimuli']}.zarr.zip"


def teacher_of(wildcards):
    return settings["recordings"][wildcards.recording]["simulate"]["teacher"]


def stimuli_of(wildcards):
    return f"<results>/stimuli/{settings['recordings'][wildcards.recording]['stimuli']}.zarr"


def simulated_of(wildcards):
    """Return the inputs of a simulated recording: its teacher's description and weights."""
    weights = watched("recordings/{recording}", lambda wildcards: checkpoint_of(teacher_of(wildcards)))
    return [*weights(wildcards), f"<results>/teachers/{wildcards.recording}.json"]


def unpacked_of(wildcards):
    """Return the data set, writer, inputs and options of a standard file made from published files."""
    return settings["unpacks"][f"{settings['results']}/datasets/{wildcards.unpacked}"]


def published_of(wildcards):
    """Return the published files behind a standard file."""
    return [path for paths in unpacked_of(wildcards)["inputs"].values() for path in as_list(paths)]


def splits_of(wildcards):
    return settings["recordings"][wildcards.recording]["splits"]


def of_first(group):
    """Return the first recording of a set, whose stimuli and splits all recordings of the set have."""
    return settings["recordings"][recordings_of_set(settings, group)[0]]


# Options of splitting stimuli into folds.
DEAL = {"splits": splits_of, "n_folds": settings["folds"], "seed": settings["seed"]}


def activations_of(wildcards):
    stimuli = settings["recordings"][wildcards.recording]["stimuli"]
    parts = range(settings["extraction"]["jobs"])
    return [f"<results>/activations/{wildcards.model}/{stimuli}/{part}" for part in parts]


def periods_of(wildcards):
    """Return the periods of the circular properties of a recording's stimuli, by name."""
    return periods(settings["stimuli"][settings["recordings"][wildcards.recording]["stimuli"]])


def gram_of(wildcards):
    return f"<results>/grams/{wildcards.model}/{settings['recordings'][wildcards.recording]['stimuli']}.zarr.zip"


def grams_of_behaviour(wildcards):
    stimuli = settings["recordings"][wildcards.behaviour]["stimuli"]
    return [f"<results>/grams/{model}/{stimuli}.zarr.zip" for model in models_of(settings, wildcards.behaviour)]


def probabilities_of(wildcards):
    """Return the class probabilities of a model, where its own outputs choose."""
    recording = settings["recordings"][wildcards.recording]
    chooses = recording.get("behaviour", {}).get("classes") and wildcards.model in settings["models"]
    return [f"<results>/class_probabilities/{wildcards.model}/{recording['stimuli']}.zarr"] if chooses else []


def audit_of(wildcards):
    """Return the result of the audit, if any, which makes the page out of date but is never a reason to audit."""
    verdicts = Path(settings["results"]) / "audit" / "audit.json"
    return [str(verdicts)] if verdicts.exists() else []
