"""What the rules of the workflow say, by Snakemake's own reading; as a script, the same as JSON."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRAWS = {"seed": 12, "bootstrap": 345}
# With the demo's, all figures and tables; the responses, which no job reads here, count as still to be made.
TIMED = {
    "stimuli": "objects",
    "responses": "resources/timed.npy",
    "time_bins": [[-100, 0], [0, 100]],
    "baseline": [-100, 0],
    "group": "several",
    "models": ["efficientnet_lite0"],
}
PEOPLE = {"stimuli": "objects", "behaviour": {"trials": "resources/people.csv"}, "models": ["efficientnet_lite0"]}
ASKED = DRAWS | {
    "recordings": {"timed": TIMED, "people": PEOPLE},
    "reverse": ["simulated"],
    "inter_animal": ["several"],
    "banded": {"efficientnet_lite0": ["_blocks.0", "_blocks.8"]},
    "partitions": {"what_pixels_add": ["efficientnet_lite0", "pixels"]},
    "decoding_over_time": {},
    "first_layers": {"models": ["efficientnet_lite0"]},
    "in_silico": {"tuning": {"models": ["efficientnet_lite0"]}},
    "envmodules": ["one/2"],
}


@cache
def rules() -> dict[str, dict]:
    """Return what every rule says, by its name; rules change the environment of the process that reads them."""
    read = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(read.stdout.splitlines()[-1])


def rules_of_stages() -> dict[str, dict]:
    """Return the rules that run a stage, by its name."""
    return {rule["stage"]: rule for rule in rules().values() if rule["stage"]}


def said(rule) -> dict:
    """Return what tests ask of a rule."""
    given = dict(rule.params.items())
    told = given["options"].args[0] if hasattr(given.get("options"), "args") else None
    return {
        "stage": given.get("stage"),
        "told": told and {name: None if callable(value) else value for name, value in told.items()},
        "inputs": list(dict(rule.input.items())),
        "outputs": list(dict(rule.output.items())) + ["output"] * (len(rule.output) > len(dict(rule.output.items()))),
        "shell": rule.shellcmd,
        "checked": list(rule.resources["checked"]._value.args[0]) if "checked" in rule.resources else [],
        "resources": list(rule.resources),
        "conda": rule.conda_env and str(rule.conda_env),
        "envmodules": list(map(str, rule.env_modules.names)) if rule.env_modules else [],
        "handover": rule.is_handover,
    }


if __name__ == "__main__":
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        opened = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=ASKED, configfiles=[ROOT / "config" / "demo.yaml"]),
            snakefile=ROOT / "Snakefile",
            workdir=ROOT,
        )
        print(json.dumps({rule.name: said(rule) for rule in opened._workflow.rules}))
