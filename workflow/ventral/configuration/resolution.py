"""Resolve a config: check it, complete it, and expand models and data sets. No other module reads the config."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ventral.configuration import schema
from ventral.configuration.options import expanded_datasets, mapping_options, rename_splits, without_dropped
from ventral.configuration.recordings import check_kind
from ventral.configuration.splits import named_splits
from ventral.datasets import goris2015
from ventral.errors import InputError, allowed_instead, shown
from ventral.mappings.registry import MAPPINGS, predicting
from ventral.models.layer_names import without_step
from ventral.models.registry import family_of
from ventral.models.zoo import (
    GLOB,
    are_names,
    check_model,
    check_taken,
    family,
    is_baseline,
    modality_asked,
    resolve_model,
)
from ventral.recordings import ingestion as recordings
from ventral.recordings.time_bins import windows_of
from ventral.shards import rows_of_shard
from ventral.simulation import teacher
from ventral.stimuli import ingestion as stimuli
from ventral.stimuli import rendering
from ventral.stimuli.gratings import Screen, shown_frequencies
from ventral.stimuli.modality import (
    FIRST,
    MODALITIES,
    RENDER,
    SYNTHESIS,
    WAYS_TO_MAKE,
    Modality,
    is_table_alone,
    modality_shown,
)
from ventral.stimuli.places import as_list
from ventral.training.exclusion import training_rows

# Keys of a recording that name the files of its responses or matrices.
FILES_OF_RECORDINGS = ("responses", "matrices", "trials", "spikes", "nwb")
FILES_OF_BEHAVIOUR = ("trials", "classes")
# Kinds of jobs that may use a GPU.
ON_GPU = ("extract", "train", "simulate", "gram", "fit")


def resolve(config: dict) -> dict:
    """Return the config with every default filled in, models complete and published data sets expanded.

    Reads no data, and a local folder only to find a published data set's files in it.

    Parameters
    ----------
    config : dict
        As read from YAML.

    Returns
    -------
    dict
        `stimuli`, `recordings` (each with its `splits`) and `models`, by name. Every checkpoint of a network trained
        here is a model. `trainings` has the options of each training, by the model's name. `outputs` has the layers of
        `readouts` and `predictions`, by the model's name. `dataset` has the options of each published data set.
        `unpacks` has the writer of each standard file of published data sets, and `downloads` has the source of each
        downloaded file, both by path. `mappings`, `components` and `rsa` are names and options of mappings.

    Raises
    ------
    InputError
        For anything that the schema does not allow, names that refer to nothing, and contradictions.
    """
    given = without_dropped(rename_splits(schema.typed(config)))
    config = schema.completed(given)
    schema.check(config)
    config["results"] = _as_folder(config["results"])
    for key in ("stimuli", "recordings"):
        _check_apart(config[key], key)
    _expand_datasets(config, given)
    options = mapping_options(given)
    config["mappings"] = list(config["mappings"])
    config["splits"] = named_splits(config["splits"], "splits")
    config["components"], config["rsa"] = options["pls"]["components"], options["rsa"]
    if not config["recordings"]:
        raise InputError("config: no recordings; name at least one under `recordings`, or a published `dataset`")
    for name, spec in config["stimuli"].items():
        _check_stimuli(spec, f"config key stimuli.{name}")
    for name, recording in config["recordings"].items():
        if "stimuli" not in recording:
            raise InputError(f"config: missing key in `recordings.{name}`: stimuli")
        check_kind(recording, f"recordings.{name}")
        if recording["stimuli"] not in config["stimuli"]:
            raise InputError(
                f"config key recordings.{name}.stimuli: no stimulus set is called {recording['stimuli']!r}; "
                f"{allowed_instead(recording['stimuli'], config['stimuli'])}"
            )
        recording.setdefault("splits", config["splits"])
        recording["splits"] = named_splits(recording["splits"], f"recordings.{name}.splits")
    models = config["models"]
    models = dict.fromkeys(models) if isinstance(models, list) else models
    config["models"] = {name: resolve_model(name, options) for name, options in models.items()}
    _expand_trainings(config)
    _check_apart([*config["models"], *config["recorded_models"], *config["reverse"]], "models")
    for name, recording in config["recordings"].items():
        if "simulate" in recording:
            scored = {model: _network_of(config, model) for model in models_of(config, name)}
            simulate = recording["simulate"] = teacher.resolve_simulation(recording["simulate"], scored, name)
            key = f"config key recordings.{name}.simulate.teacher"
            _refuse_other_modality(simulate["teacher"], recording, config, key)
    _check_files_to_run_on(config)
    if isinstance(config["gres"], str):
        config["gres"] = dict.fromkeys(ON_GPU, config["gres"])
    _check_unseen(config)
    _check_recurrence(config)
    _check_first_layers(config)
    _check_recorded(config)
    _check_inter_animal(config)
    _check_banded(config)
    _check_partitions(config)
    _check_decoding(config)
    _check_over_time(config)
    _check_steps(config)
    _check_solution_times(config)
    _check_versa(config)
    _check_crossnobis(config)
    _check_mappings_of_outputs(config)
    config["outputs"] = {output: _layers_by_model(config, output) for output in ("readouts", "predictions")}
    _check_drive(config)
    _check_tuning(config)
    config["grams"]["from"] = _source_of_grams(config)
    _resolve_next_experiment(config)
    _check_driven_layers(config)
    jobs, shards = config["extraction"]["jobs"], config["extraction"]["shards"]
    if jobs > shards:
        raise InputError(
            f"config key extraction.jobs: {jobs} jobs cannot share {shards} shards; set it to {shards} or less, or "
            f"extraction.shards to {jobs} or more"
        )
    penalties = config["penalties"]
    if penalties["number"] > 1 and penalties["lowest"] >= penalties["highest"]:
        raise InputError(
            f"config key penalties.lowest: {penalties['lowest']} must be below penalties.highest {penalties['highest']}"
        )
    return config


def _check_stimuli(spec: dict, key: str) -> None:
    """Refuse a stimulus set without a source or with several, and options of another source."""
    modality, ways = modality_shown(spec), [way for way in (*MODALITIES, *WAYS_TO_MAKE) if way in spec]
    if len(ways) != 1 and not is_table_alone(spec):
        either = ", ".join(f"`{name}`, a folder or zip of them" for name in MODALITIES)
        raise InputError(
            f"{key}: a stimulus set has either {either}, or `render`, options of rendering, or `synthesis`, options of "
            f"synthesised sounds, or a `table` alone, for stimuli without files"
        )
    for option in modality.set_options if is_table_alone(spec) else ():
        if option in spec:
            raise InputError(f"{key}.{option}: belongs to `{modality.name}`; the set is a table alone")
    if "render" in spec:
        for option, instead in (
            ("table", "a rendered set makes its own"),
            ("circular", "of a rendered set this is known"),
            ("size", "of a rendered set, `render.size`"),
        ):
            if option in spec and (option != "circular" or spec[option]):
                raise InputError(f"{key}.{option}: belongs to `{modality.name}`; {instead}")
    if "synthesis" in spec:
        for option in ("table", "circular"):
            if spec.get(option):
                raise InputError(f"{key}.{option}: belongs to `{modality.name}`; a synthesised set makes its own table")
    for other in MODALITIES.values():
        for option in other.set_options.keys() - modality.set_options.keys():
            if option in spec:
                raise InputError(f"{key}.{option}: belongs to `{other.name}`, not to `{modality.name}`; leave it out")


def check_inputs(config: dict, fetched: str = "resources/") -> tuple[dict[str, int], dict[str, int]]:
    """Check quickly, before any job starts, that all inputs fit together.

    Missing files under `fetched` are made later, and checked then.

    Parameters
    ----------
    config : dict
        From `resolve`.
    fetched : str
        Beginning of the paths that jobs make; empty if a job may make any file.

    Returns
    -------
    n_stimuli, n_neuroids : dicts of int
        Number of stimuli of each set, and number of neuroids times time bins of each recording, as far as present
        files have them.

    Raises
    ------
    InputError
        For missing or unreadable files, and for stimuli and responses that differ in number. For splits that the
        stimuli do not allow, wrong checkpoints, and a results folder that cannot be written.
    """
    _check_writable(Path(config["results"]))
    _check_results_apart(config)
    for spec in [training["network"] for training in config["trainings"].values()] + list(config["models"].values()):
        check_model(spec)
    # Published data sets are unpacked by the workflow, too.
    fetched = (fetched, f"{config['results']}/datasets/")
    described, n_neuroids = {}, {}
    for name, spec in config["stimuli"].items():
        files = [path for key in (*MODALITIES, "table") if spec.get(key) for path in as_list(spec[key])]
        if any(way in spec for way in WAYS_TO_MAKE) or not any(_to_be_fetched(path, fetched) for path in files):
            described[name] = stimuli.describe(spec, key=f"stimuli.{name}")
        if "render" in spec:
            rows_of_shard(len(described[name]), 0, spec["render"]["shards"], f"stimuli.{name}.render.shards")
    for name, spec in config["recordings"].items():
        table = described.get(spec["stimuli"])
        if "simulate" in spec:
            teacher.check(spec["simulate"], f"recordings.{name}.simulate")
        elif not any(_to_be_fetched(path, fetched) for path in _files_of(spec)):
            n_stimuli = None if table is None else len(table)
            names = None if table is None else {"stimulus": table.index.to_numpy(), **table}
            asked = driven_neuroids(config, name)
            found = recordings.check(spec, n_stimuli, f"recordings.{name}", names, asked)
            n_neuroids |= {} if found is None else {name: found}
        if table is not None:
            _check_splits(spec, table, config, f"stimuli.{spec['stimuli']}")
            _check_columns(config, name, table)
            if any(name == recording for recording, _ in readouts_of(config)):
                # Penalties of readouts are chosen by these folds.
                _check_splits({"splits": ["stimuli"]}, table, config, f"stimuli.{spec['stimuli']}")
    for name in described.keys() & {spec["stimuli"] for spec in config["recordings"].values()}:
        rows_of_shard(len(described[name]), 0, config["extraction"]["shards"], stimuli=f"stimuli of {name}")
    _check_repetitions(config, described, fetched)
    for experiment in ("drive", "next_experiment"):
        _check_size_of_pool(config, experiment, described)
    labels = {name: _labels(table) for name, table in described.items()}
    if "unseen" in config and config["unseen"]["stimuli"] in described:
        from ventral.targets.splits import check_category

        unseen = config["unseen"]
        check_category(unseen["category"], labels[unseen["stimuli"]], unseen["stimuli"], "unseen.category")
    compared = config.get("recurrence", {})
    trained_on = _compared_training(config)["stimuli"] if compared else None
    if trained_on in described and compared["property"]:
        from ventral.statistics.recurrence import check_levels
        from ventral.targets.columns import check_column

        column = compared["property"]
        check_column(column, described[trained_on], trained_on, "recurrence.property")
        check_levels(described[trained_on][column], column)
    for training in config["trainings"].values():
        if training["stimuli"] in described:
            table, known = described[training["stimuli"]], set(training["tested"]) & labels.keys()
            training_rows(training, _texts(table), len(table), {name: labels[name] for name in known})
            if training["recording"]:
                # The first fold of this split is the test set of the network.
                _check_splits({"splits": ["stimuli"]}, table, config, f"stimuli.{training['stimuli']}")
    return {name: len(table) for name, table in described.items()}, n_neuroids


def sets_with_files(config: dict) -> list[str]:
    """Return the names of the stimulus sets with files; sets that are a table alone have none."""
    return [name for name, spec in config["stimuli"].items() if not is_table_alone(spec)]


def sets_played(config: dict) -> list[str]:
    """Return the names of the stimulus sets that the page can play."""
    return [name for name in sets_with_files(config) if modality_shown(config["stimuli"][name]).playable is not None]


def _check_files_to_run_on(config: dict) -> None:
    """Refuse models, simulations and trainings on a stimulus set without files."""
    tables = config["stimuli"].keys() - set(sets_with_files(config))
    right = f"give {', '.join(f'`{way}`' for way in (*MODALITIES, RENDER))} or `{SYNTHESIS}` to stimuli.{{}}"
    for name, recording in config["recordings"].items():
        stimuli, models = recording["stimuli"], models_of(config, name)
        if stimuli not in tables:
            continue
        if "simulate" in recording:
            raise InputError(
                f"config key recordings.{name}.simulate: the stimuli {stimuli} are a table alone, and the teacher "
                f"needs their files; {right.format(stimuli)}, or name another set"
            )
        if models:
            raise InputError(
                f"config key recordings.{name}: the stimuli {stimuli} are a table alone, and models need their files "
                f"({', '.join(models)}); {right.format(stimuli)}, or set recordings.{name}.models to []"
            )
    for name, training in config["trainings"].items():
        if training["stimuli"] in tables:
            raise InputError(
                f"config key models.{name}.train: the stimuli {training['stimuli']} are a table alone, and a network "
                f"needs their files; {right.format(training['stimuli'])}, or train it on another set"
            )


def _check_unseen(config: dict) -> None:
    unseen = config.get("unseen")
    if unseen is None:
        return
    of_set = [name for name, recording in config["recordings"].items() if recording["stimuli"] == unseen["stimuli"]]
    if not of_set:
        tested = sorted({recording["stimuli"] for recording in config["recordings"].values()})
        raise InputError(
            f"config key unseen.stimuli: no recording is of a stimulus set called {unseen['stimuli']!r}; "
            f"{allowed_instead(unseen['stimuli'], tested)}"
        )
    scored = [model for recording in of_set for model in models_of(config, recording)]
    for model in unseen["models"]:
        if model not in scored:
            raise InputError(
                f"config key unseen.models: no model called {model!r} is scored on {unseen['stimuli']}; "
                f"{allowed_instead(model, scored)}"
            )


def _compared_training(config: dict) -> dict:
    """Return the training of the first network that `recurrence` compares."""
    return config["trainings"][next(iter(config["recurrence"]["networks"].values()))[0]]


def _check_recurrence(config: dict) -> None:
    """Refuse to compare networks that were not trained on one label, or not tested on the same stimuli."""
    key, trainings = "config key recurrence.networks", config["trainings"]
    kinds = config.get("recurrence", {}).get("networks", {})
    for kind, names in kinds.items():
        for name in names:
            if name not in trainings:
                raise InputError(
                    f"{key}.{kind}: no network called {name!r} is trained here; {allowed_instead(name, trainings)}"
                )
            if "apart" not in trainings[name]:
                raise InputError(
                    f"{key}.{kind}: {name} is tested on nothing apart from its training; give `apart` to "
                    f"models.{name}.train, such as [object]"
                )
            if len(as_list(trainings[name]["label"])) > 1:
                raise InputError(f"{key}.{kind}: {name} learns several labels; compare networks that learn one")
    for kind, names in list(kinds.items())[1:]:
        first = next(iter(kinds.values()))
        if len(names) != len(first):
            raise InputError(
                f"{key}.{kind}: {len(names)} networks, and {len(first)} of {next(iter(kinds))}; name equally many"
            )
        for name, other in zip(names, first, strict=True):
            for option in ("stimuli", "label", "apart", "validation", "exclude", "see"):
                if trainings[name][option] != trainings[other][option]:
                    raise InputError(
                        f"{key}.{kind}: {name} and {other} would be tested on other stimuli, since their "
                        f"`train.{option}` differs; make it the same"
                    )
            if trainings[name]["network"]["seed"] != trainings[other]["network"]["seed"]:
                raise InputError(
                    f"{key}.{kind}: {name} and {other} would be tested on other stimuli, since their `seed` differs; "
                    f"networks at the same place of two lists have the same seed"
                )


def _check_first_layers(config: dict) -> None:
    for name in config.get("first_layers", {}).get("models", ()):
        _check_has_degrees(config, name, "config key first_layers.models", "filters")


def _check_has_degrees(config: dict, name: str, key: str, parts: str) -> None:
    """Refuse a model whose filters, or units, have no degrees of visual angle."""
    if name not in config["models"]:
        raise InputError(f"{key}: no model is called {name!r}; {allowed_instead(name, config['models'])}")
    spec = config["models"][name]
    if is_baseline(spec):
        raise InputError(f"{key}: {name} has no network, and so no {parts}; leave it out")
    if "degrees" not in modality_asked(spec).model_options:
        raise InputError(f"{key}: {name} takes no images, so its {parts} have no degrees; leave it out")
    if not spec.get("size"):
        raise InputError(f"{key}: {parts} of {name} have degrees only with a size; give models.{name}.size")


def _check_tuning(config: dict) -> None:
    """Refuse models and readouts that cannot be shown gratings, and frequencies above Nyquist's."""
    tuning, key = _experiment(config, "tuning"), "config key in_silico.tuning"
    if tuning is None:
        return
    if tuning["readouts"] and not tuned_readouts(config):
        raise InputError(f"{key}.readouts: no readouts of images are made; name their layers in `outputs.readouts`")
    if not tuning["models"] and not tuning["readouts"]:
        raise InputError(f"{key}.models: nothing is shown gratings; name models, or set `readouts: true`")
    for name in tuning["models"]:
        _check_has_degrees(config, name, f"{key}.models", "units")
        spec = config["models"][name]
        screen = Screen(spec["size"], spec["size"], spec.get("degrees") or tuning["degrees"], spec["size"])
        try:
            shown_frequencies(tuning["frequencies"], screen)
        except InputError as error:
            raise InputError(f"{error} (model {name})") from None
    if tuning["neurons"]:
        goris2015.check_folder(tuning["neurons"], f"{key}.neurons")


def _check_recorded(config: dict) -> None:
    for key in ("recorded_models", "reverse"):
        for name in config[key]:
            if name not in config["recordings"]:
                raise InputError(
                    f"config key {key}: no recording is called {name!r}; {allowed_instead(name, config['recordings'])}"
                )
            if not has_neuroids(config["recordings"][name]):
                raise InputError(
                    f"config key {key}: {name} has {_content_of(config['recordings'][name])}, but predictions need "
                    f"responses of neuroids; leave it out"
                )
            if name in config["models"]:
                raise InputError(
                    f"config key {key}: a model is called {name}, too, and tables could not tell them apart; choose "
                    f"another name for one of them"
                )
    for name in config["reverse"]:
        if not models_of(config, name):
            raise InputError(f"config key reverse: no model is scored against {name}, so it has no units to predict")


def recordings_of_set(config: dict, group: str) -> list[str]:
    """Return the recordings of a set (`recordings.NAME.group`)."""
    return [name for name, recording in config["recordings"].items() if recording.get("group") == group]


def _check_inter_animal(config: dict) -> None:
    """Refuse sets without recordings, with matrices, or whose recordings have different stimuli or splits."""
    groups = {recording["group"] for recording in config["recordings"].values() if recording.get("group")}
    key = "config key inter_animal"
    if config["inter_animal"] and not predicting(config["mappings"]):
        raise InputError(
            f"{key}: none of the mappings {', '.join(config['mappings'])} predicts held-out stimuli; add one of "
            f"{', '.join(predicting(MAPPINGS))} to `mappings`, or leave `inter_animal` out"
        )
    for group in config["inter_animal"]:
        if group not in groups:
            raise InputError(f"{key}: no recording has the `group` {group!r}; {allowed_instead(group, groups)}")
        of_set = {name: config["recordings"][name] for name in recordings_of_set(config, group)}
        if matrices := [name for name, recording in of_set.items() if "matrices" in recording]:
            raise InputError(
                f"{key}: {group} has dissimilarity matrices ({', '.join(matrices)}), but predictions need responses of "
                f"neuroids; take these recordings out of the `group`"
            )
        for shared in ("stimuli", "splits"):
            if len({str(recording[shared]) for recording in of_set.values()}) > 1:
                raise InputError(
                    f"{key}: the recordings of {group} ({', '.join(of_set)}) have different `{shared}`; animals are "
                    f"compared on the same {shared}: give all of them the same, or leave {group} out"
                )


def _check_banded(config: dict) -> None:
    for name in config["banded"]:
        if name not in config["models"]:
            raise InputError(
                f"config key banded: no model is called {name!r}; {allowed_instead(name, config['models'])}"
            )
        if not any(name in models_with_neuroids(config, recording) for recording in config["recordings"]):
            raise InputError(
                f"config key banded.{name}: the model is scored against no recording of neuroids, so its layers have "
                f"nothing to predict; leave it out"
            )


def _check_partitions(config: dict) -> None:
    _check_apart(config["partitions"], "partitions")
    for name, given in config["partitions"].items():
        key = f"config key partitions.{name}"
        models = models_in_partition(given)
        for model in models:
            if model not in config["models"]:
                raise InputError(f"{key}: no model is called {model!r}; {allowed_instead(model, config['models'])}")
        names = [*models, *columns_in_partition(given)]
        if twice := next((model for model in names if names.count(model) > 1), None):
            raise InputError(f"{key}: {twice} is there twice, as a model and as a column; give the model another name")
        if not recordings_of_partition(config, name):
            raise InputError(
                f"{key}: no recording of neuroids is scored against all of {', '.join(models)}; name models of the "
                f"same stimuli, or add the missing ones to `models` of a recording"
            )


def _check_decoding(config: dict) -> None:
    if "decoding" not in config:
        return
    read = [model for models in decoded_models(config).values() for model in models]
    for model in config["decoding"]["models"] or []:
        if model not in config["models"]:
            raise InputError(
                f"config key decoding.models: no model is called {model!r}; {allowed_instead(model, config['models'])}"
            )
        if model not in read:
            raise InputError(
                f"config key decoding.models: {model} is scored against no recording of neuroids, so no area can be "
                f"read beside it; leave it out"
            )
    if not decoded_models(config):
        raise InputError(
            "config key decoding: no recording has neuroids, whose areas would be read; leave `decoding` out"
        )


def _check_over_time(config: dict) -> None:
    if "decoding_over_time" in config and not recordings_over_time(config):
        raise InputError(
            "config key decoding_over_time: no recording has several `time_bins`, in which labels would be read; give "
            "them, or leave `decoding_over_time` out"
        )


def _check_steps(config: dict) -> None:
    for name in config["steps"]:
        if name not in config["models"]:
            raise InputError(
                f"config key steps: no model is called {name!r}; {allowed_instead(name, config['models'])}"
            )


def _check_solution_times(config: dict) -> None:
    if config["solution_times"] and not pairs_of_solution_times(config):
        raise InputError(
            "config key solution_times: no recording with several `time_bins` has the stimuli of a recording with "
            "`behaviour`; give both, or leave `solution_times` out"
        )


def _check_versa(config: dict) -> None:
    """Refuse `versa` without the ridge regression whose predictions it compares."""
    if "versa" in config["mappings"] and "ridge" not in config["mappings"]:
        raise InputError(
            "config key mappings: `versa` compares the predictions of `ridge`; add `ridge` to `mappings`, or leave "
            "`versa` out"
        )
    if "versa" in config["mappings"] and set(config["rsa"]["distances"]) == {"crossnobis"}:
        raise InputError(
            "config key mappings.rsa.distances: predictions have no repetitions, so `versa` has no distance but "
            "`crossnobis` to compare; add another distance, or leave `versa` out of `mappings`"
        )


def _check_crossnobis(config: dict) -> None:
    """Refuse crossnobis distances of recordings that cannot have repetitions."""
    matrices = [name for name, recording in config["recordings"].items() if "matrices" in recording]
    if matrices and "crossnobis" in config["rsa"]["distances"]:
        raise InputError(
            f"config key mappings.rsa.distances: `crossnobis` needs single repetitions, but {matrices[0]} has "
            f"dissimilarity matrices; compare crossnobis matrices that were published with `euclidean`"
        )


def _check_mappings_of_outputs(config: dict) -> None:
    """Refuse outputs of mappings that the config does not have."""
    outputs, mappings = config["outputs"], config["mappings"]
    if outputs.get("readouts") and "ridge" not in mappings:
        raise InputError(
            "config key outputs.readouts: readouts are of ridge regression; add `ridge` to `mappings`, or leave "
            "`readouts` out"
        )
    if outputs.get("predictions") == "best" and "ridge" not in mappings:
        raise InputError(
            "config key outputs.predictions: the best layers are those of ridge regression; add `ridge` to `mappings`, "
            "or name layers, or `all`"
        )
    if outputs.get("predictions") and not predicting(mappings):
        raise InputError(
            f"config key outputs.predictions: none of the mappings {', '.join(mappings)} predicts held-out stimuli; "
            f"add one of {', '.join(predicting(MAPPINGS))} to `mappings`, or leave `predictions` out"
        )


def _source_of_grams(config: dict) -> str:
    """Return the source of Gram matrices, `activations` or `forward`, from the config alone."""
    source = config["grams"]["from"]
    reading = [
        key
        for key, reads in (
            ("extraction.keep", config["extraction"]["keep"]),
            ("outputs.readouts", config["outputs"]["readouts"]),
            ("in_silico.drive", "drive" in config.get("in_silico", {})),
            ("in_silico.next_experiment", "next_experiment" in config.get("in_silico", {})),
            ("mappings.factorised", "factorised" in config["mappings"]),
        )
        if reads
    ]
    if source == "forward" and reading:
        raise InputError(
            f"config key grams.from: `forward` leaves no activations on the disk, and {' and '.join(reading)} would "
            f"read them; set grams.from to `activations`, or leave {'these' if len(reading) > 1 else 'that'} out"
        )
    if source == "auto":
        return "forward" if config["extraction"]["device"] == "cuda" and not reading else "activations"
    return source


def _layers_by_model(config: dict, output: str) -> dict[str, str | list[str]]:
    """Return the layers (`best`, `all` or names) with an output, for each model that has any."""
    wanted = config["outputs"].get(output, {})
    scored = [name for recording in config["recordings"] for name in models_with_neuroids(config, recording)]
    key = f"config key outputs.{output}"
    if wanted and not scored:
        raise InputError(f"{key}: no model is scored against a recording of neuroids; leave `{output}` out")
    if isinstance(wanted, list):
        networks = [name for name in dict.fromkeys(scored) if not is_baseline(config["models"][name])]
        wanted = dict.fromkeys(networks or scored, wanted)
    elif isinstance(wanted, str):
        wanted = dict.fromkeys(scored, wanted)
    for name, layers in wanted.items():
        _check_scored(name, dict.fromkeys(scored), "a recording of neuroids", key)
        if not isinstance(layers, str):
            _check_named_layers(config["models"][name], layers, f"outputs.{output}")
    return wanted


def _experiment(config: dict, name: str) -> dict | None:
    """Return the options of an experiment in silico; None if the config does not ask for it."""
    return config.get("in_silico", {}).get(name)


def _check_scored(model: str, scored: Iterable[str], against: str, key: str) -> None:
    if model not in scored:
        raise InputError(
            f"{key}: no model called {model!r} is scored against {against}; {allowed_instead(model, scored)}"
        )


def _check_named_layers(spec: dict, layers: list[str], key: str) -> None:
    """Refuse names of layers that a model's list of layers lacks; layers from globs and `auto` are known later."""
    taken = [spec["architecture"]] if is_baseline(spec) else spec["layers"]
    if are_names(taken) and not any(GLOB.search(name) for name in taken):
        # The number of runs of a module is known later.
        known = [name for name in layers if without_step(name) in taken]
        check_taken(layers, [*taken, *known], key, spec["name"])


def _resolve_next_experiment(config: dict) -> None:
    """Check the next experiment, and name the layers of each candidate, which get readouts."""
    asked = _experiment(config, "next_experiment")
    if asked is None:
        return
    key = "config key in_silico.next_experiment"
    name, pool = asked["recording"], asked["pool"]
    for kind, given, known in (("recording", name, "recordings"), ("pool", pool, "stimuli")):
        if given not in config[known]:
            called = {"recording": "recording", "pool": "stimulus set"}[kind]
            raise InputError(f"{key}.{kind}: no {called} is called {given!r}; {allowed_instead(given, config[known])}")
    recording = config["recordings"][name]
    if not has_neuroids(recording):
        raise InputError(
            f"{key}.recording: {name} has {_content_of(recording)}; models are told apart by responses of neuroids"
        )
    if recording.get("simulate", {}).get("repetitions") == 1:
        raise InputError(_without_repetitions(name))
    _check_pool(config, pool, recording["stimuli"], f"{key}.pool")
    if "ridge" not in config["mappings"]:
        raise InputError(f"{key}: its readouts are of ridge regression; add `ridge` to `mappings`")
    scored = models_with_neuroids(config, name)
    asked["tied"] = asked["candidates"] == "tied"
    candidates = asked["candidates"] = dict.fromkeys(scored, "best") if asked["tied"] else asked["candidates"]
    for model, layers in candidates.items():
        _check_scored(model, scored, name, f"{key}.candidates")
        if not isinstance(layers, str):
            _check_named_layers(config["models"][model], layers, f"{key.removeprefix('config key ')}.candidates")
    # The number of all layers of a model is known later.
    if "all" not in candidates.values() and sum(1 if one == "best" else len(one) for one in candidates.values()) < 2:
        raise InputError(
            f"{key}.candidates: {', '.join(candidates) or 'none'} is a single candidate, and two or more are told "
            f"apart; name another model or layer{f' of {name}' if asked['tied'] else ''}"
        )
    asked["added"] = candidates


def _both(given: str | list[str], wanted: str | list[str], model: str) -> str | list[str]:
    """Return the layers with readouts of a model, given those for two keys."""
    if given == wanted:
        return given
    if "all" in (given, wanted):
        return "all"
    if isinstance(given, str) or isinstance(wanted, str):
        raise InputError(
            f"config key outputs.readouts.{model}: {given!r} (in_silico.drive takes 'best' without this key), and "
            f"in_silico.next_experiment takes {wanted!r}; set outputs.readouts.{model} to `all`"
        )
    return list(dict.fromkeys([*given, *wanted]))


def _check_pool(config: dict, pool: str, shown: str, key: str) -> None:
    """Refuse a pool that networks cannot be shown as they were shown the stimuli of the recording."""
    if pool not in sets_with_files(config):
        raise InputError(
            f"{key}: the stimuli {pool} are a table alone, and networks need their files; name another set"
        )
    kinds = [_modality_of_set(config, name).name for name in (pool, shown)]
    if kinds[0] != kinds[1]:
        raise InputError(f"{key}: {pool} has {kinds[0]}, and the recording's stimuli {shown} are {kinds[1]}")
    degrees = [config["stimuli"][name].get("degrees") for name in (pool, shown)]
    if degrees[0] != degrees[1]:
        said = [f"{name} has {value or 'none'}" for name, value in zip((pool, shown), degrees, strict=True)]
        raise InputError(
            f"{key}: `degrees` differ ({', '.join(said)}); give both sets the same degrees of visual angle"
        )


def _without_repetitions(recording: str) -> str:
    return (
        f"config key in_silico.next_experiment.recording: {recording} has one repetition of each stimulus, so that the "
        f"noise of a trial is not known, nor how many trials tell models apart; name a recording with repetitions"
    )


def _check_repetitions(config: dict, described: dict, fetched: tuple[str, ...]) -> None:
    """Refuse a next experiment for a recording whose present files have no repetitions."""
    asked = _experiment(config, "next_experiment")
    if asked is None:
        return
    name, recording = asked["recording"], config["recordings"][asked["recording"]]
    if not any(_to_be_fetched(path, fetched) for path in _files_of(recording)):
        known = described.get(recording["stimuli"])
        if recordings.n_repetitions(recording, None if known is None else len(known), f"recordings.{name}") == 1:
            raise InputError(_without_repetitions(name))


def _check_size_of_pool(config: dict, experiment: str, described: dict) -> None:
    """Refuse an experiment in silico with a pool whose present files have another size than the recording's stimuli."""
    asked = _experiment(config, experiment)
    if not asked or not asked["pool"]:
        return
    sets = [asked["pool"], config["recordings"][asked["recording"]]["stimuli"]]
    if all(one in described for one in sets):
        shapes = [stimuli.shape_of(config["stimuli"][one], f"stimuli.{one}") for one in sets]
        if None not in shapes and shapes[0] != shapes[1]:
            sizes = [" x ".join(map(str, shape)) for shape in shapes]
            said = " and ".join(f"{one} has {size}" for one, size in zip(sets, sizes, strict=True))
            raise InputError(
                f"config key in_silico.{experiment}.pool: readouts predict stimuli of the recording's size, but "
                f"{said} (colours, rows, columns); give {sets[0]} the `size` of {sets[1]}"
            )


def _check_drive(config: dict) -> None:
    """Check `in_silico.drive`, and name the layers of the readouts that it needs beside those of the config."""
    drive = _experiment(config, "drive")
    if drive is None:
        return
    key, name = "config key in_silico.drive", drive["recording"]
    if name not in config["recordings"]:
        raise InputError(
            f"{key}.recording: no recording is called {name!r}; {allowed_instead(name, config['recordings'])}"
        )
    recording, scored = config["recordings"][name], models_of(config, name)
    if not has_neuroids(recording):
        raise InputError(f"{key}.recording: {name} has {_content_of(recording)}; name a recording of neuroids")
    for part in (recording["stimuli"], drive["pool"]):
        if part is not None and part not in config["stimuli"]:
            raise InputError(
                f"{key}.pool: no stimulus set is called {part!r}; {allowed_instead(part, config['stimuli'])}"
            )
        if part is not None and (_modality_of_set(config, part).name != FIRST or part not in sets_with_files(config)):
            raise InputError(f"{key}: the stimuli {part} are no image files; name a set of images")
    if drive["pool"] is not None:
        _check_pool(config, drive["pool"], recording["stimuli"], f"{key}.pool")
    if name in recordings_over_time(config) and drive["time_bin"] is None:
        raise InputError(f"{key}.time_bin: missing; {name} has several time bins, so name one, such as `70-170`")
    if "ridge" not in config["mappings"]:
        raise InputError(f"{key}: readouts are of ridge regression; add `ridge` to `mappings`")
    for role in ("model", "judge"):
        _check_scored(drive[role], scored, name, f"{key}.{role}")
    if drive["judge"] == drive["model"]:
        raise InputError(f"{key}.judge: {drive['judge']} is the model that is optimised; name another one")
    if not family_of(config["models"][drive["model"]]["architecture"]).has_gradients:
        raise InputError(
            f"{key}.model: features of {drive['model']} have no gradient with respect to the pixels; name another "
            f"model, and take this one as the judge"
        )
    # The readout of the baseline gives the control of a linear model.
    linear = [model for model in scored if is_baseline(config["models"][model])]
    drive["linear"] = linear[0] if linear else None
    needed = dict.fromkeys([drive["model"], drive["judge"], *linear[:1]])
    drive["added"] = {
        model: "all" if model in linear else "best" for model in needed if model not in config["outputs"]["readouts"]
    }


def _check_driven_layers(config: dict) -> None:
    """Refuse readouts of several named layers, of which `in_silico.drive` cannot take one."""
    drive, layers = _experiment(config, "drive"), readouts_of(config)
    for model in (drive["model"], drive["judge"]) if drive else ():
        named = layers[drive["recording"], model]
        if not isinstance(named, str) and len(named) > 1:
            raise InputError(
                f"config key outputs.readouts.{model}: in_silico.drive takes one layer, or the best of each area, but "
                f"readouts are of {', '.join(named)}; name one layer, `best` or `all`"
            )


def driven_neuroids(config: dict, recording: str) -> list[str]:
    """Return the names of the neuroids of a recording for which `in_silico.drive` finds images."""
    drive = _experiment(config, "drive")
    return drive["neuroids"] if drive and drive["recording"] == recording else []


def readouts_of(config: dict) -> dict[tuple[str, str], str | list[str]]:
    """Return the layers (`best`, `all` or names) with readouts, for each pair of a recording and a model.

    Experiments in silico add readouts for their own recording alone.
    """
    found = {pair: config["outputs"]["readouts"][pair[1]] for pair in _pairs_with(config, "readouts")}
    for experiment in config.get("in_silico", {}).values():
        for model, layers in experiment.get("added", {}).items():
            pair = (experiment["recording"], model)
            found[pair] = _both(found.get(pair, layers), layers, model)
    return found


def tuned_readouts(config: dict) -> list[tuple[str, str]]:
    """Return each pair of a recording and a model whose readouts in `outputs.readouts` are shown gratings."""
    asked = (_experiment(config, "tuning") or {}).get("readouts", False)
    shown = _pairs_with(config, "readouts") if asked else []
    return [pair for pair in shown if modality_asked(config["models"][pair[1]]).name == "images"]


def predictions_of(config: dict) -> list[tuple[str, str]]:
    """Return each pair of a recording of neuroids and a model with predictions."""
    return _pairs_with(config, "predictions")


def _pairs_with(config: dict, output: str) -> list[tuple[str, str]]:
    return [
        (recording, model)
        for recording in config["recordings"]
        for model in models_with_neuroids(config, recording)
        if model in config["outputs"][output]
    ]


def decoded_models(config: dict) -> dict[str, list[str]]:
    """Return the models to read labels and properties from, for each recording whose areas are read.

    Areas are read from each recording of neuroids with models, beside the models that `decoding` takes.
    """
    if "decoding" not in config:
        return {}
    names, read = config["decoding"]["models"], {}
    for recording, spec in config["recordings"].items():
        scored = models_with_neuroids(config, recording)
        taken = [model for model in scored if names is None or model in names]
        if taken or (not scored and has_neuroids(spec)):
            read[recording] = taken
    return read


def recordings_over_time(config: dict) -> list[str]:
    """Return the recordings of neuroids whose config names several bins of time.

    Raises
    ------
    InputError
        If widths or steps of bins are wrong.
    """
    specs = {name: spec.get("simulate", spec) for name, spec in config["recordings"].items()}
    timed = {name: spec for name, spec in specs.items() if spec.get("bins") or spec.get("time_bins")}
    return [name for name, spec in timed.items() if len(windows_of(spec, f"config key recordings.{name}")) > 1]


def pairs_of_solution_times(config: dict) -> list[tuple[str, str]]:
    """Return the pairs of a recording in bins of time and a recording of behaviour with the same stimuli."""
    recordings = config["recordings"]
    return [
        (timed, chosen)
        for timed in recordings_over_time(config)
        for chosen, spec in recordings.items()
        if "behaviour" in spec and spec["stimuli"] == recordings[timed]["stimuli"]
    ]


def recorded_models_of(config: dict, recording: str) -> list[str]:
    """Return the recordings whose areas are scored against a recording: all with its stimuli, itself included."""
    stimuli = config["recordings"][recording]["stimuli"]
    return [name for name in config["recorded_models"] if config["recordings"][name]["stimuli"] == stimuli]


def models_of(config: dict, recording: str) -> list[str]:
    """Return the names of the models that are scored against a recording, never one that was trained on it.

    Without names in the recording, these are the models for stimuli of its kind.
    """
    spec = config["recordings"][recording]
    names = spec.get("models")
    if names is None:
        shown = _modality_of_set(config, spec["stimuli"])
        names = [name for name, model in config["models"].items() if modality_asked(model).name == shown.name]
    return [name for name in names if _recording_of(config, name) != recording]


def models_with_neuroids(config: dict, recording: str) -> list[str]:
    """Return the names of the models that predict neuroids of a recording; none if it has matrices or behaviour."""
    return models_of(config, recording) if has_neuroids(config["recordings"][recording]) else []


def has_neuroids(recording: dict) -> bool:
    """Say whether a recording has responses of neuroids, not dissimilarity matrices or behaviour."""
    return not {"matrices", "behaviour"} & recording.keys()


def _content_of(recording: dict) -> str:
    return "dissimilarity matrices" if "matrices" in recording else "behaviour"


def models_in_partition(partition: list) -> list[str]:
    """Return the names of the models of a partition, without columns of the stimuli."""
    return [model for model in partition if isinstance(model, str)]


def columns_in_partition(partition: list) -> list[str]:
    """Return the columns of the stimuli that stand for models in a partition."""
    return [model["column"] for model in partition if not isinstance(model, str)]


def recordings_of_partition(config: dict, name: str) -> list[str]:
    """Return the recordings of neuroids that are scored against all models of a partition."""
    models = set(models_in_partition(config["partitions"][name]))
    return [
        recording
        for recording, spec in config["recordings"].items()
        if "matrices" not in spec and models <= set(models_of(config, recording))
    ]


def splits_with_options(config: dict) -> list[dict]:
    """Return the splits with options of all recordings, each once."""
    every = [split for spec in config["recordings"].values() for split in spec["splits"]]
    return [split for k, split in enumerate(every) if not isinstance(split, str) and split not in every[:k]]


def penalty_grid(penalties: dict) -> list[float]:
    """Return the penalties of the config as numbers, lowest first."""
    return np.geomspace(penalties["lowest"], penalties["highest"], penalties["number"]).tolist()


def _network_of(config: dict, model: str) -> dict:
    """Return the description of a model's network; before the first epoch, it is that which training starts from."""
    spec = config["models"][model]
    training = spec.get("trained_by")
    return config["trainings"][training]["network"] if training and model == f"{training}.epoch0" else spec


def _files_of(recording: dict) -> list[str]:
    """Return the files with a recording's responses, matrices or choices."""
    files = [recording[key] for key in FILES_OF_RECORDINGS if recording.get(key)]
    files += [recording["behaviour"][key] for key in FILES_OF_BEHAVIOUR if recording.get("behaviour", {}).get(key)]
    return [path for named in files for path in (named.values() if isinstance(named, dict) else as_list(named))]


def _to_be_fetched(path: str, fetched: tuple[str, ...]) -> bool:
    return path.startswith(fetched) and not Path(path).exists()


def _expand_trainings(config: dict) -> None:
    """Take what trains a network out of its description, and add its checkpoints to the models."""
    given, models, trainings = config["models"], {}, {}
    for name, spec in given.items():
        train = spec.pop("train", None)
        models[name] = spec
        if train is None:
            continue
        permuted = train.pop("permuted")
        trainings[name] = _training(name, spec, train, config)
        folder = f"{config['results']}/models/{name}"
        models[name] = {**spec, "weights": f"{folder}/final.safetensors", "sha256": None, "trained_by": name}
        if train.get("recording"):
            models[name]["fitted_to"] = train["recording"]
        for epoch in train["checkpoints"]:
            checkpoint = f"{name}.epoch{epoch}"
            if checkpoint in given:
                raise InputError(
                    f"config key models.{checkpoint}: the checkpoint of {name} after epoch {epoch} has this name; "
                    f"choose another name"
                )
            weights = f"{folder}/epoch_{epoch:04d}.safetensors"
            models[checkpoint] = {**models[name], "name": checkpoint, "weights": weights, "epoch": epoch}
            if epoch == 0 and family(spec) != "untrained":
                models[checkpoint]["begun_as"] = family(spec)
        if permuted:
            control = f"{name}.permuted"
            if control in given:
                raise InputError(
                    f"config key models.{control}: {name} with permuted weights has this name; choose another name"
                )
            models[control] = {**models[name], "name": control, "permuted": True}
    config["models"], config["trainings"] = models, trainings
    for name, recording in config["recordings"].items():
        for model in recording.get("models") or []:
            key = f"config key recordings.{name}.models"
            if model not in models:
                raise InputError(f"{key}: no model is called {model!r}; {allowed_instead(model, models)}")
            _refuse_other_modality(models[model], recording, config, key)
            if _recording_of(config, model) == name:
                raise InputError(f"{key}: {model} is trained on this recording, and never scored on it; leave it out")
    _check_modalities(config)
    if models and not any(models_of(config, recording) for recording in config["recordings"]):
        raise InputError(
            "config: no model is scored against any recording; name models that were not trained on that recording, or "
            "set `models: []`"
        )
    for name, training in trainings.items():
        training["tested"] = _tested(name, config)
        if training["stimuli"] in training["tested"]:
            recordings_of = [
                other
                for other, recording in config["recordings"].items()
                if recording["stimuli"] == training["stimuli"] and _is_scored(name, other, config)
            ]
            raise InputError(
                f"config key models.{name}.train: it would be tested on the stimuli that it is trained on, those of "
                f"{training['stimuli']!r}, in the recordings {', '.join(recordings_of)}; train it on others, or leave "
                f"it out there: `recordings.{recordings_of[0]}.models` names those that are scored"
            )
        for tested in training["tested"]:
            _refuse_same_sounds(training, tested, config)


def _refuse_same_sounds(training: dict, tested: str, config: dict) -> None:
    """Refuse to train on synthesised sounds that the same seed makes for a tested set."""
    trained, other = (config["stimuli"][name].get(SYNTHESIS) for name in (training["stimuli"], tested))
    if not (trained and other) or trained["seed"] != other["seed"]:
        return
    from ventral.stimuli.synthesis import shared_sources

    if sources := shared_sources(trained, other, training["label"]):
        raise InputError(
            f"config key models.{training['name']}.train.stimuli: {training['stimuli']} and {tested}, which tests the "
            f"network, share {shown(sources)} with the same seed, and so the same sounds; set `first_voice` and "
            f"`first_phrase` of one set beyond those of the other"
        )


def _training(name: str, spec: dict, train: dict, config: dict) -> dict:
    """Return the complete description of a network's training, without its test sets."""
    key = f"config key models.{name}.train"
    if not family_of(spec["architecture"]).is_trained:
        raise InputError(f"{key}: {spec['architecture']} has no weights to train; leave `train` out")
    if ("label" in train) == ("recording" in train):
        raise InputError(
            f"{key}: it has {'both' if 'label' in train else 'neither'}; a network is trained on either a `label`, "
            f"category or object, or a `recording`"
        )
    if "apart" in train and "recording" in train:
        raise InputError(f"{key}.apart: belongs to `label`; the test part of a `recording` is fold 0 of `stimuli`")
    stimulus_set = _trained_on(train, config, key)
    asked, found = modality_asked(spec).name, _modality_of_set(config, stimulus_set).name
    if asked != found:
        raise InputError(f"{key}.stimuli: {spec['architecture']} is shown {asked}, and {stimulus_set} has {found}")
    labels = as_list(train.get("label", []))
    late = [epoch for epoch in train["checkpoints"] if epoch > train["epochs"]]
    if late:
        raise InputError(f"{key}.checkpoints: {late[0]}, but training ends after epoch {train['epochs']} (`epochs`)")
    training = {
        **train,
        "name": name,
        # The choice of layers does not change the network.
        "network": {**spec, "layers": "auto", "max_layers": 1},
        "stimuli": stimulus_set,
        # A list of one label is that label.
        "label": (labels if len(labels) > 1 else labels[0]) if labels else None,
        "recording": train.get("recording"),
        "checkpoints": sorted(train["checkpoints"]),
    }
    if training["recording"]:
        training |= {"folds": config["folds"], "folds_seed": config["seed"]}
    return training


def _trained_on(train: dict, config: dict, key: str) -> str:
    """Return the name of the stimulus set that a network is trained on."""
    given = train.get("stimuli")
    if "recording" in train:
        recording = config["recordings"].get(train["recording"])
        if recording is None:
            raise InputError(
                f"{key}.recording: no recording is called {train['recording']!r}; "
                f"{allowed_instead(train['recording'], config['recordings'])}"
            )
        if not has_neuroids(recording):
            raise InputError(
                f"{key}.recording: {train['recording']} has {_content_of(recording)}; a network is fitted to the "
                f"responses of neuroids"
            )
        if given not in (None, recording["stimuli"]):
            raise InputError(
                f"{key}.stimuli: {given!r}, but the stimuli of the recording {train['recording']} are "
                f"{recording['stimuli']!r}; leave it out"
            )
        return recording["stimuli"]
    if given is None:
        raise InputError(f"{key}.stimuli: missing; name the stimulus set to train on, one of those under `stimuli`")
    if given not in config["stimuli"]:
        raise InputError(
            f"{key}.stimuli: no stimulus set is called {given!r}; {allowed_instead(given, config['stimuli'])}"
        )
    return given


def _modality_of_set(config: dict, stimuli: str) -> Modality:
    return modality_shown(config["stimuli"][stimuli])


def _refuse_other_modality(model: dict, recording: dict, config: dict, key: str) -> None:
    shown, asked = _modality_of_set(config, recording["stimuli"]), modality_asked(model)
    if shown.name != asked.name:
        raise InputError(f"{key}: {model['name']} is shown {asked.name}, and the recording is of {shown.name}")


def _check_modalities(config: dict) -> None:
    """Refuse models that no recording could be scored with, because the stimuli of all are of another modality."""
    there = {_modality_of_set(config, recording["stimuli"]).name for recording in config["recordings"].values()}
    for name, model in config["models"].items():
        asked = modality_asked(model).name
        if there and asked not in there:
            raise InputError(
                f"config key models.{name}: it is shown {asked}, and all recordings are of "
                f"{' and '.join(sorted(there))}; leave it out, or state the `modality` of a network of your own"
            )


def _recording_of(config: dict, model: str) -> str | None:
    """Return the recording that a model was trained on, where there is one."""
    trained_by = config["models"][model].get("trained_by")
    return config["trainings"][trained_by]["recording"] if trained_by else None


def _is_scored(trained: str, recording: str, config: dict) -> bool:
    """Say whether a network trained here, or one of its checkpoints, is scored against a recording."""
    return any(config["models"][name].get("trained_by") == trained for name in models_of(config, recording))


def _tested(trained: str, config: dict) -> list[str]:
    """Return the names of the stimulus sets that test a network trained here."""
    return sorted({spec["stimuli"] for name, spec in config["recordings"].items() if _is_scored(trained, name, config)})


def _texts(table) -> dict:
    return {name: values.to_numpy() for name, values in table.items() if values.dtype.kind != "f"}


def _labels(table) -> dict:
    return {name: table[name].to_numpy() for name in ("object", "category") if name in table}


def _check_splits(recording: dict, table, config: dict, key: str) -> None:
    from ventral.targets.splits import make_splits

    columns = {name: table[name].to_numpy() for name in table}
    make_splits(recording["splits"], columns, len(table), config["folds"], config["seed"], key)


def _check_columns(config: dict, recording: str, table) -> None:
    """Refuse columns of a recording's stimuli that cannot stand for a model in its partitions."""
    for name, partition in config["partitions"].items():
        if not columns_in_partition(partition) or recording not in recordings_of_partition(config, name):
            continue
        from ventral.targets.columns import check_column

        columns = {column: table[column].to_numpy() for column in table}
        for column in columns_in_partition(partition):
            check_column(column, columns, config["recordings"][recording]["stimuli"], f"partitions.{name}")


def _as_folder(path: str) -> str:
    """Return a folder in the form in which Snakemake matches paths: `./results/` is `results`."""
    folder = re.sub(r"^(\./+)+(?!-)", "", path).rstrip("/")
    if not folder and path.startswith("/"):
        raise InputError("config key results: / is the whole disk; name a folder")
    return folder or "."


def _check_apart(names: Iterable[str], key: str) -> None:
    """Check that names also differ on disks that do not distinguish capital letters."""
    known = {}
    for name in names:
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise InputError(
                f"config key {key}: {other} and {name} differ in capitals alone, and are the same file on some disks; "
                f"choose another name for one of them"
            )


def _check_results_apart(config: dict) -> None:
    """Refuse results below a folder of inputs, because the folder's content would change with every run."""
    results = Path(config["results"]).resolve()
    for name, spec in config["stimuli"].items():
        shown = modality_shown(spec).name
        folders = rendering.folders(spec["render"]) if "render" in spec else as_list(spec.get(shown, []))
        for folder in map(Path, folders):
            if folder.is_dir() and results.is_relative_to(folder.resolve()):
                raise InputError(
                    f"config key results: {results} lies in {folder}, a folder of stimuli.{name}, whose content would "
                    f"change with every run; set `results` to a folder elsewhere"
                )


def _check_writable(folder: Path) -> None:
    existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
    if not existing.is_dir():
        raise InputError(f"config key results: {folder} cannot be made, {existing} is a file; name another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"config key results: {existing} cannot be written; name another folder or change its rights")


def _expand_datasets(config: dict, given: dict) -> None:
    """Add the stimuli and recordings of published data sets, and move the data sets' options apart."""
    config["dataset"], published = expanded_datasets(given, config["results"])
    config.pop("data_dir", None)
    config.pop("sessions", None)
    # The user may add keys to a published recording, such as its models.
    config["recordings"] = {
        name: {**published["recordings"].get(name, {}), **recording} for name, recording in config["recordings"].items()
    }
    for kind, found in published.items():
        config[kind] = {**found, **config.get(kind, {})}
