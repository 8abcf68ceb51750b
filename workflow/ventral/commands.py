"""The command of every stage: what it reads, writes and is told."""

import argparse
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

# What a stage that draws a figure writes.
FIGURE = ("svg", "pdf", "csv")
DESCRIPTION = "One command a stage, as the rules of the workflow call it."
JSON_KINDS = {dict: "an object", list: "a list", int: "a whole number", type(None): "null"}
CHARACTERS_SHOWN = 80


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; `outputs` of what it parses names the options that are written to."""
    parser = argparse.ArgumentParser(prog="python -m ventral", description=DESCRIPTION)
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")

    stage = _stage(stages, "fetch", _fetch, "download one file of a published data set")
    stage.add_argument("--url", required=True)
    stage.add_argument("--sha256", required=True)

    stage = _stage(
        stages,
        "unpack",
        _call("datasets.kriegeskorte2008.unpack"),
        "write images, labels and matrices of kriegeskorte2008 from its one file",
        outputs=("images", "table", "matrices"),
    )
    stage.add_argument("source", type=Path)

    stage = _stage(stages, "stimuli", _stimuli, "ingest a set of images")
    stage.add_argument("--name", required=True)
    _add_spec(stage)
    stage.add_argument("--cores", type=int, default=1)

    stage = _stage(stages, "render", _call("stimuli.rendering.render"), "render one shard of a set of images")
    stage.add_argument("--name", required=True)
    _add_spec(stage)
    stage.add_argument("--shard", type=int, required=True)
    stage.add_argument("--shards", type=int, required=True)

    stage = _stage(stages, "assemble", _call("stimuli.rendering.assemble"), "join the shards of a rendered set")
    stage.add_argument("shards", type=Path, nargs="+")
    stage.add_argument("--name", required=True)
    _add_spec(stage)

    stage = _stage(stages, "recording", _recording, "ingest a recording, with reliabilities")
    stage.add_argument("stimuli", type=Path)
    stage.add_argument("--name", required=True)
    _add_spec(stage)
    _add_seed(stage)

    stage = _stage(
        stages,
        "teacher",
        _call("simulation.teacher.describe_teacher"),
        "describe the network that a simulated recording is made of",
    )
    stage.add_argument("--name", required=True)
    _add_spec(stage)

    stage = _stage(stages, "simulate", _simulate, "make a simulated recording of a network's layers")
    stage.add_argument("stimuli", type=Path)
    stage.add_argument("--name", required=True)
    _add_spec(stage)
    stage.add_argument("--device", default="auto")
    stage.add_argument("--batch-size", type=int, default=32)
    stage.add_argument("--cores", type=int, default=1)
    _add_seed(stage)

    stage = _stage(stages, "model", _call("models.description.describe"), "describe a model and its layers")
    _add_spec(stage)
    stage.add_argument("--together", type=_json(list), default=[], help="layers that are to predict together")
    stage.set_defaults(checked=("together",))

    stage = _stage(stages, "train", _call("training.training.train"), "train a network")
    stage.add_argument("stimuli", type=Path)
    stage.add_argument("--tested", type=Path, nargs="*", default=[], help="stimuli that the network is tested on")
    stage.add_argument("--recording", type=Path, help="recording that it is fitted to")
    stage.add_argument("--layers", type=_json(dict), help="layers wanted of it, checked before training")
    stage.set_defaults(checked=("layers",))
    _add_spec(stage)
    stage.add_argument("--device", default="auto")

    stage = _stage(stages, "extract", _extract, "extract all layers of a model for a part of the stimuli")
    stage.add_argument("stimuli", type=Path)
    _add_spec(stage)
    stage.add_argument("--part", type=int, required=True)
    stage.add_argument("--parts", type=int, required=True)
    stage.add_argument("--shards", type=int, required=True, help="of the whole set, shared by the parts")
    stage.add_argument("--model", type=Path, help="the model's description, whose weights are to be the same")
    stage.add_argument("--options", type=_json(dict), default={}, help="dtype, autocast and channels_last")
    stage.add_argument("--device", default="auto")
    stage.add_argument("--batch-size", type=int, default=32)
    stage.add_argument("--cores", type=int, default=1)

    stage = _stage(
        stages,
        "gram",
        _call_with_shards("grams.streaming.gram"),
        "compute the Gram matrix of every layer from activations",
    )
    stage.add_argument("parts", type=Path, nargs="+")
    stage.add_argument("--memory-mb", type=int, default=2048)
    _add_dask(stage)
    _add_seed(stage)

    stage = _stage(stages, "fit", _call("scores.fitting.fit"), "score every layer of a model against a recording")
    stage.add_argument("gram", type=Path)
    stage.add_argument("recording", type=Path)
    stage.add_argument("stimuli", type=Path)
    stage.add_argument("--mappings", nargs="+", default=["ridge"])
    stage.add_argument("--components", type=int, default=25)
    stage.add_argument("--rsa", type=_json(dict), help="distances and comparisons")
    stage.add_argument("--splits", nargs="+", required=True)
    stage.add_argument("--folds", dest="n_folds", type=int, default=5)
    stage.add_argument("--penalties", type=_json(list), required=True)
    _add_seed(stage)
    stage.add_argument("--bootstraps", type=Path, help="also write medians of resamples to this file")
    stage.set_defaults(outputs=("output", "bootstraps"))
    _add_bootstrap(stage)
    stage.add_argument("--reliability-threshold", type=float, default=0.1)
    _add_dask(stage)

    stage = _stage(
        stages,
        "recorded_gram",
        _call("grams.recorded.recorded_gram"),
        "compute the Gram matrix of every recorded area",
    )
    stage.add_argument("recording", type=Path)

    stage = _stage(
        stages,
        "reverse",
        _call("scores.reverse.reverse"),
        "predict the units of every layer of a model from a recording's areas",
    )
    stage.add_argument("areas", type=Path)
    stage.add_argument("gram", type=Path)
    stage.add_argument("stimuli", type=Path)
    stage.add_argument("--splits", nargs="+", required=True)
    stage.add_argument("--folds", dest="n_folds", type=int, default=5)
    stage.add_argument("--penalties", type=_json(list), required=True)
    _add_seed(stage)
    _add_dask(stage)

    stage = _stage(
        stages,
        "factorise",
        _call_with_shards("scores.factorised.factorise"),
        "score the factorised readout of every layer that has maps",
    )
    stage.add_argument("parts", type=Path, nargs="+")
    stage.add_argument("--recording", type=Path, required=True)
    stage.add_argument("--stimuli", type=Path, required=True)
    stage.add_argument("--splits", nargs="+", required=True)
    stage.add_argument("--folds", dest="n_folds", type=int, default=5)
    _add_seed(stage)
    _add_dask(stage)

    stage = _stage(
        stages, "banded", _call("scores.banded.banded"), "score layers of a model together, and without each of them"
    )
    stage.add_argument("gram", type=Path)
    stage.add_argument("recording", type=Path)
    stage.add_argument("stimuli", type=Path)
    stage.add_argument("--layers", type=_json(list), required=True)
    stage.add_argument("--splits", nargs="+", required=True)
    stage.add_argument("--folds", dest="n_folds", type=int, default=5)
    stage.add_argument("--penalties", type=_json(list), required=True)
    _add_seed(stage)
    _add_dask(stage)

    for name, function, description in (
        ("decode", _call("decoding.populations.decode"), "read labels and properties from every layer of a model"),
        (
            "decode_areas",
            _call("decoding.populations.decode_areas"),
            "read labels and properties from every area of a recording",
        ),
    ):
        stage = _stage(stages, name, function, description)
        if name == "decode":
            stage.add_argument("gram", type=Path)
        stage.add_argument("recording", type=Path)
        stage.add_argument("stimuli", type=Path)
        stage.add_argument("--splits", nargs="+", required=True)
        stage.add_argument("--folds", dest="n_folds", type=int, default=5)
        stage.add_argument("--penalties", type=_json(list), required=True)
        stage.add_argument("--periods", type=_json(dict), default={}, help="periods of circular properties, by name")
        stage.add_argument(
            "--units", type=_json(int, type(None)), help="number of units; by default that of the smallest area"
        )
        stage.add_argument("--draws", type=int, default=20)
        stage.add_argument("--reliability-threshold", type=float, default=0.1)
        _add_seed(stage)
        _add_dask(stage)

    stage = _stage(
        stages,
        "explicit",
        _call("figures.explicitness.explicit"),
        "say what is explicit where",
        outputs=("summary", "text", "curves", *FIGURE),
    )
    stage.add_argument("tables", type=Path, nargs="+")
    stage.add_argument("--extrapolate-to", type=int, required=True)
    _add_seed(stage)

    stage = _stage(
        stages, "contributions", _call("scores.banded.contributions"), "say what each layer adds to the others"
    )
    stage.add_argument("tables", type=Path, nargs="+")
    stage.add_argument("--reliability-threshold", type=float, default=0.1)
    _add_bootstrap(stage)
    _add_seed(stage)

    stage = _stage(stages, "brainscore", _call("scores.brainscore.brainscore"), "score layers as Brain-Score does")
    stage.add_argument("grams", type=Path, nargs="+")
    stage.add_argument("--recording", type=Path, required=True)
    stage.add_argument("--stimuli", type=Path, required=True)

    stage = _stage(stages, "join", _call("scores.table.join"), "join score tables")
    stage.add_argument("tables", type=Path, nargs="+")

    stage = _stage(stages, "best_layers", _call("statistics.best_layers.best_layers"), "find each model's best layer")
    stage.add_argument("scores", type=Path)
    stage.add_argument("--reliability-threshold", type=float, default=0.1)
    _add_seed(stage)

    stage = _stage(
        stages, "compare", _call("statistics.comparisons.compare"), "say which layers and which models differ"
    )
    stage.add_argument("bootstraps", type=Path, nargs="+")
    stage.add_argument("--best-layers", type=Path, required=True)

    stage = _figure_stage(stages, "ranking", _call("figures.ranking.ranking"))
    stage.add_argument("bootstraps", type=Path, nargs="+")
    stage.add_argument("--best-layers", type=Path, required=True)

    for figure in ("layer_profile", "categorisation"):
        stage = _figure_stage(stages, figure, _call(f"figures.{figure}.{figure}"))
        stage.add_argument("scores", type=Path)
        stage.add_argument("--reliability-threshold", type=float, default=0.1)
        _add_bootstrap(stage)
        _add_seed(stage)
        if figure == "layer_profile":
            stage.add_argument("--bootstraps", type=Path, nargs="*", default=[])

    stage = _stage(
        stages, "selectivity", _call("scores.selectivity.selectivity"), "measure how layers treat one category"
    )
    stage.add_argument("grams", type=Path, nargs="+")
    stage.add_argument("--stimuli", type=Path, required=True)
    stage.add_argument("--category", required=True)
    stage.add_argument("--folds", dest="n_folds", type=int, default=5)
    _add_seed(stage)

    stage = _stage(stages, "claims", _call("statistics.claims.claims"), "say which published claims hold")
    stage.add_argument("scores", type=Path)
    stage.add_argument("--fitted", type=Path)
    stage.add_argument("--selectivity", type=Path)
    stage.add_argument("--reliability-threshold", type=float, default=0.1)
    _add_bootstrap(stage)
    _add_seed(stage)

    stage = _figure_stage(stages, "unseen", _call("figures.unseen.unseen"))
    stage.add_argument("selectivity", type=Path)
    stage.add_argument("--scores", type=Path, required=True)

    stage = _figure_stage(stages, "reverse_figure", _call("figures.reverse.reverse_figure"))
    stage.add_argument("tables", type=Path, nargs="+")
    stage.add_argument("--areas", type=Path, nargs="+", required=True)
    stage.add_argument("--scores", type=Path, required=True)
    stage.add_argument("--reliability-threshold", type=float, default=0.1)
    _add_bootstrap(stage)
    _add_seed(stage)

    stage = _figure_stage(stages, "fitted", _call("figures.fitted.fitted"))
    stage.add_argument("trainings", type=Path, nargs="+")
    stage.add_argument("--recordings", nargs="+", required=True)
    stage.add_argument("--scores", type=Path, required=True)
    stage.add_argument("--reliability-threshold", type=float, default=0.1)
    _add_bootstrap(stage)
    _add_seed(stage)

    stage = _figure_stage(stages, "learning_curves", _call("figures.learning_curves.learning_curves"))
    stage.add_argument("trainings", type=Path, nargs="+")

    stage = _stage(stages, "report", _call("report.page.report"), "make the page that a person looks at")
    stage.add_argument("scores", type=Path)
    for table in ("layer-profile", "categorisation", "claims"):
        stage.add_argument(f"--{table}", type=Path, required=True)
    for table in ("ranking", "best-layers", "explicitness"):
        stage.add_argument(f"--{table}", type=Path)
    stage.add_argument("--recordings", type=Path, nargs="+", required=True)
    stage.add_argument("--figures", type=Path, nargs="*", default=[], help="SVG files that are shown as they are")
    stage.add_argument("--settings", type=_json(dict), required=True)
    # The page shows what is true of all other outputs when it is made, the audit of itself among it: no part of its own
    # record, which would be out of date as soon as it was written.
    stage.add_argument("--records", required=True, help="folder of the records of all jobs")
    stage.add_argument("--audit", required=True, help="what the audit wrote, if it did")
    stage.set_defaults(checked=("records", "audit"))

    stage = _stage(
        stages,
        "audit",
        _call("audit.verdicts.audit"),
        "verify all outputs, and run some jobs again",
        outputs=("verdicts", "page"),
    )
    stage.add_argument("plan", type=Path, help="what a dry run of all jobs prints")
    stage.add_argument("--results", type=Path, required=True)
    stage.add_argument("--sample", type=int, default=3, help="number of random jobs to run again")
    stage.add_argument("--rerun", nargs="*", default=[], help="outputs whose jobs are run again in any case")
    _add_seed(stage)
    stage.add_argument("--cores", type=int, default=1)

    stage = _figure_stage(stages, "contact_sheet", _call("figures.contact_sheets.contact_sheet"))
    stage.add_argument("stimuli", type=Path)

    stage = _stage(stages, "crate", _call("crate.packing.crate"), "write a run as a Workflow Run RO-Crate")
    stage.add_argument("files", type=Path, nargs="+")
    stage.add_argument("--results", required=True, help="the results folder")
    stage.add_argument("--config", type=_json(dict), required=True)
    stage.add_argument("--snakemake", required=True, help="version of Snakemake")
    return parser


def _stage(stages, name: str, run, description: str, outputs: Sequence[str] = ("output",)) -> argparse.ArgumentParser:
    stage = stages.add_parser(name, help=description)
    stage.set_defaults(run=run, outputs=outputs, checked=())
    for output in outputs:
        stage.add_argument(f"--{output}", type=Path, required=True)
    stage.add_argument("--log", type=Path, help="also write what is reported to this file")
    stage.add_argument("--provenance", type=Path, help="also write what the outputs were made of to this file")
    return stage


def _figure_stage(stages, name: str, run) -> argparse.ArgumentParser:
    return _stage(stages, name, run, f"draw the figure {name}", outputs=FIGURE)


def _add_dask(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--cores", type=int, default=1)
    places = "threads, processes, slurm or slurm:N (N further jobs), or the address of a cluster's scheduler"
    stage.add_argument("--dask", default="threads", help=places)


# Without defaults: what a rule forgets to pass on is an error, and never a constant.


def _add_seed(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--seed", type=int, required=True, help="seed of all draws")


def _add_bootstrap(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--bootstrap", dest="n_bootstrap", type=int, required=True, help="number of resamples")


def _json(*kinds: type):
    """Return the type of an option that is JSON of some kinds."""

    def read(text: str) -> object:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"no JSON ({error}): {shorten(text, CHARACTERS_SHOWN)}") from None
        if not isinstance(value, kinds):
            right = " or ".join(JSON_KINDS[kind] for kind in kinds)
            raise argparse.ArgumentTypeError(f"JSON of {right} is right, not {shorten(text, CHARACTERS_SHOWN)}")
        return value

    return read


def _add_spec(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--spec", type=_json(dict), required=True)
    stage.add_argument("--reads", type=Path, nargs="*", default=[], help="files that --spec names, for the provenance")


# Each stage imports its own module alone: torch takes seconds, and a job starts for every output.


def _call(path: str):
    module, function = path.rsplit(".", 1)

    def run(**options) -> None:
        getattr(importlib.import_module(f"ventral.{module}"), function)(**options)

    return run


def _call_with_shards(path: str):
    def run(parts: list[Path], **options) -> None:
        from ventral.shards import stores_of_parts

        _call(path)(shards=stores_of_parts(parts), **options)

    return run


def _fetch(**options) -> None:
    from ventral.datasets.download import fetch

    fetch(options["output"], url=options["url"], sha256=options["sha256"])


def _stimuli(**options) -> None:
    from ventral.stimuli.ingestion import ingest

    ingest(options["spec"], options["output"], name=options["name"], threads=options["cores"])


def _recording(**options) -> None:
    from ventral.recordings.ingestion import ingest

    ingest(options["spec"], options["stimuli"], options["output"], name=options["name"], seed=options["seed"])


def _simulate(cores: int, **options) -> None:
    from ventral.simulation.simulation import simulate

    simulate(threads=cores, **options)


def _extract(stimuli: Path, part: int, parts: int, shards: int, options: dict, cores: int, **rest) -> None:
    from ventral.activations.extraction import extract_shards
    from ventral.shards import shards_of_part
    from ventral.store import read_dataset

    of_part = shards_of_part(read_dataset(stimuli).sizes["stimulus"], shards, part, parts)
    extract_shards(stimuli, shards=of_part, threads=cores, **options, **rest)
