"""Run the stages from the command line: parse inputs, outputs and options, and call the stage's function."""

import argparse
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import get_origin

from ventral.errors import InputError
from ventral.provenance import Command
from ventral.report.registry import FIGURES, TABLES

# Each stage imports its own module alone: torch takes seconds, and a job starts for every output.
STAGES = {
    "fetch": "datasets.download.fetch",
    "unpack": "datasets.unpacking.unpack",
    "stimuli": "stimuli.ingestion.ingest",
    "render": "stimuli.rendering.render",
    "assemble": "stimuli.rendering.assemble",
    "synthesise": "stimuli.synthesis.synthesise",
    "recording": "recordings.ingestion.ingest",
    "teacher": "simulation.teacher.describe_teacher",
    "simulate": "simulation.simulation.simulate",
    "model": "models.description.describe",
    "train": "training.training.train",
    "extract": "activations.extraction.extract_part",
    "classify": "activations.class_probabilities.classify",
    "gram": "grams.streaming.gram",
    "gram_forward": "grams.forward.gram_forward",
    "recorded_gram": "grams.recorded.recorded_gram",
    "fit": "scores.fitting.fit",
    "reverse": "scores.reverse.reverse",
    "inter_animal": "scores.inter_animal.inter_animal",
    "fitted_network": "scores.fitted_network.fitted_network",
    "factorise": "scores.factorised.factorise",
    "banded": "scores.banded.banded",
    "partition": "scores.partition.partition",
    "brainscore": "scores.brainscore.brainscore",
    "selectivity": "scores.selectivity.selectivity",
    "filters": "scores.first_layers.filters",
    "tuning": "in_silico.tuning.tuning",
    "tuning_of_readouts": "in_silico.tuning.tuning_of_readouts",
    "readout": "readouts.making.readout",
    "drive": "in_silico.driving.drive",
    "predictions": "predictions.held_out.predictions",
    "predict_pool": "in_silico.pool.predict_pool",
    "decode": "decoding.populations.decode",
    "decode_areas": "decoding.populations.decode_areas",
    "decode_over_time": "decoding.over_time.decode_over_time",
    "solution_times": "decoding.solution_times.solution_times",
    "join": "scores.table.join",
    "contact_sheet": "figures.contact_sheets.contact_sheet",
    "report": "report.page.report",
    "audit": "audit.verdicts.audit",
    "crate": "crate.packing.crate",
}
# Commands without a rule, which have arguments of their own.
PREDICT, LAYERS = "predict", "layers"
# This word is a stage; followed by a name, it is the command `layers`.
MODEL = "model"
COMMANDS = {PREDICT: "readouts.predicting.predict_folder", LAYERS: "models.listing.print_layers"}
# Inputs that are recorded but not passed on, because an option names the same files.
READS = "reads"
# Options that must be given, so that a rule that forgets one fails instead of using a constant.
DRAWS = ("seed", "n_bootstrap")
# Arguments that affect how a job runs, not its results.
HOW = {
    "cores": (int, "number of cores"),
    "dask": (str, "threads, processes, slurm or slurm:N (N further jobs), or the address of a cluster's scheduler"),
    "device": (str, "auto, cpu or cuda"),
    "batch_size": (int, "stimuli in a forward pass"),
    "memory_mb": (int, "peak memory of arrays in MiB"),
}
CHARACTERS_SHOWN = 80


def parse(arguments: Sequence[str] | None = None) -> Command:
    """Parse a command line, by default that of this process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == [PREDICT]:
        return _parse_predict(arguments[1:])
    if arguments[:1] == [MODEL] and arguments[1:] and not arguments[1].startswith("-"):
        return _parse_layers(arguments[1:])
    parser = _parser()
    told = vars(parser.parse_args(arguments))
    inputs: dict[str, tuple[Path, ...]] = {}
    for name, *paths in told["input"]:
        inputs[name] = (*inputs.get(name, ()), *map(Path, paths))
    outputs = {name: Path(path) for name, path in told["output"]}
    if len(outputs) < len(told["output"]):
        parser.error(f"--output: a name is given twice; each has one path: {', '.join(outputs)}")
    return Command(
        inputs=inputs,
        outputs=outputs,
        how={name: told[name] for name in HOW if told[name] is not None},
        **{name: told[name] for name in ("stage", "options", "checked", "log", "provenance")},
    )


def run(command: Command) -> None:
    """Run a stage.

    Raises
    ------
    InputError
        If the stage has no argument of some name, or an argument is missing.
    """
    function = function_of(command.stage)
    function(**arguments_of(command, function))


def stages() -> dict[str, str]:
    """Return the module and function of every stage; figures and tables declare their own."""
    return STAGES | {shown.stage: shown.function for shown in (*FIGURES.values(), *TABLES.values())}


def function_of(stage: str) -> Callable:
    """Return the function of a stage; its parameters are the names on the command line."""
    module, function = (stages() | COMMANDS)[stage].rsplit(".", 1)
    return getattr(importlib.import_module(f"ventral.{module}"), function)


def arguments_of(command: Command, function: Callable) -> dict:
    """Return the arguments for a stage's function.

    Raises
    ------
    InputError
        If the function has no argument of some name, an argument is missing, or one has several paths where one is
        right.
    """
    parameters = inspect.signature(function).parameters
    how = {name: value for name, value in command.how.items() if name != "dask"}
    given = {**command.outputs, **command.options, **command.checked, **how}
    for name, paths in command.inputs.items():
        if name == READS:
            continue
        several = name in parameters and get_origin(parameters[name].annotation) is Sequence
        if not several and len(paths) > 1:
            raise InputError(f"--input {name}: one path is right, not {len(paths)}")
        # An input that the config does not use has no path.
        if several or paths:
            given[name] = list(paths) if several else paths[0]
    unknown = [f"`{name}`" for name in given if name not in parameters]
    misplaced = [f"`{name}`" for name in HOW if name in command.options or name in command.checked]
    missing = [
        f"`{name}`"
        for name, parameter in parameters.items()
        if name not in given and (parameter.default is parameter.empty or name in DRAWS)
    ]
    takes = f"stage {command.stage} takes {', '.join(f'`{name}`' for name in parameters)}"
    if misplaced:
        raise InputError(
            f"{', '.join(misplaced)}: give an argument of its own, such as --cores 2, not an entry of --options"
        )
    if unknown:
        raise InputError(f"unknown: {', '.join(unknown)}; {takes}")
    if missing:
        raise InputError(f"it needs {', '.join(missing)}; {takes}")
    if "seed" in given and not isinstance(given["seed"], int):
        raise InputError(f"option `seed`: a whole number is right, not {given['seed']!r}")
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ventral",
        description="Run one stage, as the rules of the workflow do.",
        epilog=(
            "Names are those of the parameters of the stage's function; a stage without arguments lists them. "
            f"Stages: {', '.join(stages())}. Further commands, each with its own --help, are {PREDICT}, and "
            f"{MODEL} NAME, which lists the layers of a model."
        ),
        allow_abbrev=False,
    )
    parser.add_argument("stage", choices=stages(), metavar="STAGE")
    parser.add_argument("--input", nargs="+", action="append", default=[], metavar=("NAME", "PATH"))
    parser.add_argument("--output", nargs=2, action="append", default=[], metavar=("NAME", "PATH"))
    parser.add_argument(
        "--options", type=_json_object, default={}, help="options that affect the outputs, a JSON object"
    )
    parser.add_argument(
        "--checked", type=_json_object, default={}, help="values that are only checked, and not recorded"
    )
    for name, (kind, meaning) in HOW.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=meaning)
    parser.add_argument("--log", type=Path, help="also write messages to this file")
    parser.add_argument(
        "--provenance", type=Path, help="also write the record of inputs, code and packages to this file"
    )
    return parser


def _parse_predict(arguments: Sequence[str]) -> Command:
    parser = argparse.ArgumentParser(
        prog=f"python -m ventral {PREDICT}",
        description="Predict the responses of recorded neuroids to new stimuli, by a readout that the workflow wrote.",
        allow_abbrev=False,
    )
    path = {"type": Path, "metavar": "PATH"}
    parser.add_argument("--readout", required=True, **path, help="a file LAYER.zarr.zip in results/readouts")
    parser.add_argument("--stimuli", required=True, **path, help="folder or zip of stimuli")
    parser.add_argument("--output", required=True, **path, help="CSV or Parquet file to write")
    parser.add_argument("--weights", **path, help="checkpoint of the network, if it has moved")
    for name in ("device", "batch_size"):
        kind, meaning = HOW[name]
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=meaning)
    parser.add_argument("--log", **path, help="also write messages to this file")
    told = vars(parser.parse_args(arguments))
    return Command(
        PREDICT,
        inputs={name: (told[name],) for name in ("readout", "stimuli", "weights") if told[name] is not None},
        outputs={"output": told["output"]},
        how={name: told[name] for name in ("device", "batch_size") if told[name] is not None},
        log=told["log"],
    )


def _parse_layers(arguments: Sequence[str]) -> Command:
    parser = argparse.ArgumentParser(
        prog=f"python -m ventral {MODEL}",
        description="Print the facts about a model and its layers. Missing weights are downloaded.",
        allow_abbrev=False,
    )
    parser.add_argument("name", help="name under `models` in a config, or an `architecture`")
    parser.add_argument("--options", type=_json_object, default={}, help="options of the model, a JSON object")
    told = parser.parse_args(arguments)
    return Command(LAYERS, options={"name": told.name, "options": told.options})


def _json_object(text: str) -> dict:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON ({error}): {shorten(text, CHARACTERS_SHOWN)}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"a JSON object is right, not {shorten(text, CHARACTERS_SHOWN)}")
    return value
