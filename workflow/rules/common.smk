import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Jobs run this checkout's package with this interpreter, unless an environment of their own comes first.
PACKAGE = str(Path(workflow.basedir) / "workflow")
sys.path.insert(0, PACKAGE)
for variable, folder in (("PYTHONPATH", PACKAGE), ("PATH", str(Path(sys.executable).parent))):
    os.environ[variable] = os.pathsep.join(filter(None, [folder, os.environ.get(variable)]))

from ventral.config import check_inputs, penalty_grid, resolve
from ventral.cowley2023 import DOWNLOADS
from ventral.errors import InputError

try:
    settings = resolve(config)
    if workflow.is_main_process:
        check_inputs(settings)
except InputError as error:
    raise WorkflowError(str(error)) from None


pathvars:
    results=settings["results"],
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


wildcard_constraints:
    stimuli=r"[^/]+",
    recording=r"[^/]+",
    model=r"[^/]+",
    shard=r"\d+",


FIGURES = ["layer_profile", "categorisation"]


def as_json(value):
    """Return the text of a part of the config, the same for the same content: a changed part makes its jobs anew."""
    return json.dumps(value, sort_keys=True)


def given(spec, *keys):
    """Return the paths that a part of the config names."""
    return [spec[key] for key in keys if spec.get(key)]


def checkpoint_of(model):
    """Return the file that a model's weights come from, where there is one."""
    return [] if model["weights"] in ("pretrained", "random") else [model["weights"]]


def activations(path):
    """Mark activations to be deleted once the Gram matrix is made, unless the config keeps them."""
    return path if settings["extraction"]["keep"] else temp(path)


def stimuli_of(wildcards):
    return f"<results>/stimuli/{settings['recordings'][wildcards.recording]['stimuli']}.zarr"


def gram_of(wildcards):
    return f"<results>/grams/{wildcards.model}/{settings['recordings'][wildcards.recording]['stimuli']}.zarr"
