"""The config's `bootstrap` and `seed` reach every stage that draws, and the page says the numbers used."""

import ast
import inspect
from pathlib import Path

import pandas as pd
import pytest

import ventral
from tests.command_lines import command_line
from tests.rules_of_workflow import DRAWS as CONFIG
from tests.rules_of_workflow import rules, rules_of_stages
from tests.unit.synthetic_results import RECORDING, SETTINGS, scores_of_a_run
from tests.unit.synthetic_scores import score_table
from ventral.__main__ import main
from ventral.commands import arguments_of, function_of, stages
from ventral.errors import InputError
from ventral.provenance import Command
from ventral.report.methods import methods, plain
from ventral.report.prose import PROFILE

PACKAGE = Path(ventral.__file__).parent
DRAWN = {"seed": "seed", "n_bootstrap": "bootstrap"}


# Beside the parameters of a rule that tells the stage how to run.
HOW_TOLD = {"cores": "--cores", "device": "--device", "batch_size": "--batch-size", "memory_mb": "--memory-mb"}


@pytest.mark.parametrize("stage", [stage for stage in stages() if stage not in ("fetch", "audit")])
def test_a_rule_tells_its_stage_everything(stage):
    rule, parameters = rules_of_stages()[stage], inspect.signature(function_of(stage)).parameters
    # A function gives the options of `crate`.
    told = {"results", "config", "snakemake"} if stage == "crate" else set(rule["told"])
    given = {*rule["inputs"], *rule["outputs"], *rule["checked"], *told} - {"reads", "provenance"}
    given |= {name for name, option in HOW_TOLD.items() if option in rule["shell"]}
    assert given <= set(parameters)
    assert all(parameters[name].default is not inspect.Parameter.empty for name in set(parameters) - given)


@pytest.mark.parametrize("stage", stages())
def test_a_stage_that_draws_is_told_how_and_so_is_its_rule(stage):
    function = function_of(stage)
    drawn = DRAWN.keys() & inspect.signature(function).parameters.keys()
    told = rules()["audit"]["told"] if stage == "audit" else rules_of_stages().get(stage, {}).get("told") or {}
    assert {name: told[name] for name in DRAWN if name in told} == {name: CONFIG[DRAWN[name]] for name in drawn}
    with pytest.raises(InputError, match="it needs") as raised:
        arguments_of(Command(stage), function)
    assert drawn == {name for name in DRAWN if f"`{name}`" in str(raised.value)}


def test_no_statistic_has_a_number_of_samples_or_a_seed_of_its_own():
    for folder in ("statistics", "scores", "mappings", "decoding", "figures"):
        for path in (PACKAGE / folder).glob("*.py"):
            for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(function, ast.FunctionDef):
                    given = function.args
                    last = given.args[len(given.args) - len(given.defaults) :]
                    last += [name for name, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value]
                    assert not DRAWN.keys() & {one.arg for one in last}, f"{path}: {function.name}"


def contributions_table() -> pd.DataFrame:
    """Scores of two layers together and of each alone."""
    tables = []
    for k, layers in enumerate((["a", "b"], ["a"], ["b"])):
        rows = score_table({"net": 1}, {"V4": 15}, seed=k)
        tables.append(rows.assign(layer=" + ".join(layers), weights=[[1 / len(layers)] * len(layers)] * len(rows)))
    return pd.concat(tables, ignore_index=True)


FIGURE = {"svg": "out.svg", "pdf": "out.pdf", "csv": "out.csv"}
RESAMPLING = {
    "layer_profile": ({"scores": "scores.parquet"}, FIGURE),
    "categorisation": ({"scores": "scores.parquet"}, FIGURE),
    "contributions": ({"tables": "banded.parquet"}, {"output": "out.csv"}),
}


@pytest.mark.parametrize("stage", RESAMPLING)
def test_intervals_are_of_as_many_samples_and_of_the_seed_that_was_asked_for(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    models = {"net": 4, "trained": 3, "checkpoint": 2, "random": 4}
    score_table(models, {"V4": 40}, labels={"object": 0.1}).assign(simulated=False).to_parquet("scores.parquet")
    contributions_table().to_parquet("banded.parquet")
    found = {}
    for bootstrap, seed in ((100, 0), (100, 1), (1000, 0)):
        options = {"reliability_threshold": 0.1, "n_bootstrap": bootstrap, "seed": seed}
        assert main(command_line(stage, *RESAMPLING[stage], **options)) == 0
        found[bootstrap, seed] = Path("out.csv").read_bytes()
    assert found[100, 0] != found[100, 1]
    assert found[100, 0] != found[1000, 0]


@pytest.mark.parametrize("bootstrap", [100, 2500])
def test_the_page_and_the_methods_say_how_many_samples_were_drawn(bootstrap):
    settings = SETTINGS | {"bootstrap": bootstrap}
    text = plain(methods(scores_of_a_run(), settings, [RECORDING], {}))
    said = f"{bootstrap:,} bootstrap samples of neurons"
    assert said in text
    assert said in PROFILE.format(**settings)
    assert "1,000" not in text
