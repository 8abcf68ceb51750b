"""Results of a whole run made up for tests of the page."""

import numpy as np
import pandas as pd

from tests.unit.synthetic_scores import matrix_table, score_table
from ventral.grams.recorded import FAMILY
from ventral.report.results import Results
from ventral.report.summary import layer_table
from ventral.statistics.animals import summary_over_animals
from ventral.statistics.best_layers import best_layers_of
from ventral.statistics.inter_animal import MEAN
from ventral.statistics.summaries import area_summary, categorisation_summary

MODELS = {"net": 6, "net_trained": 5, "net.epoch4": 5, "net_random": 6, "pixels": 1}
SETTINGS = {
    "mappings": ["ridge"],
    "components": 25,
    "penalties": {"lowest": 1e-4, "highest": 1e4, "number": 20},
    "reliability_threshold": 0.1,
    "bootstrap": 1000,
    "seed": 0,
    "folds": 5,
    "splits": [],
    "recorded_models": [],
    "reverse": [],
    "banded": {},
    "partitions": {},
    "brainscore": False,
    "solution_times": False,
    "features": "float16",
    "decoding": {"units": None, "draws": 20},
    "first_layers": None,
    "recurrence": {"compared": [], "apart": [], "split_by": None},
    "next_experiment": {},
    "drive": None,
    "tuning": None,
    "rendered": {},
    "synthesised": {},
    "simulated": {},
    "trained": {"net_trained": {"modality": ["images"], "labels": ["category"], "apart": []}},
    "degrees": {"stimuli": {}, "models": {}},
    "forms": {},
    "inputs": {},
    "averaged_over_time": [],
    "architectures": {},
    "groups": [],
    "inter_animal": [],
}
RECORDING = {
    "recording": "rec",
    "stimuli": "set",
    "n_stimuli": 640,
    "n_repetitions": 8,
    "has_repetitions": True,
    "simulated": False,
    "areas": {"V4": 12, "IT": 10},
    "n_unusable": 1,
}
MATRICES = {key: RECORDING[key] for key in ("stimuli", "n_stimuli", "simulated")} | {
    "recording": "fmri",
    "n_repetitions": 1,
    "has_repetitions": False,
    "subjects": {"human IT": 3},
}


def scores_of_a_run(**changes) -> pd.DataFrame:
    """Rows of neurons in two areas, and of three subjects' matrices in one."""
    neurons = score_table(MODELS, {"V4": 12, "IT": 10}, ["stimuli", "objects"], labels={"object": 0.125}, **changes)
    matrices = matrix_table(MODELS, {"human IT": 3}, labels={"object": 0.125}, seed=1)
    of_subject = matrices["target_kind"] == "matrix"
    matrices.loc[of_subject, "subject"] = matrices.loc[of_subject, "target"].str.rpartition("_")[2].astype(int) + 1
    matrices.loc[of_subject, "target"] = "IT"
    matrices.loc[of_subject, ["ceiling_low", "ceiling_high"]] = [0.4, 0.6]
    table = pd.concat([neurons, matrices], ignore_index=True).astype({"subject": "Int64"})
    folds = table["split"].map({"stimuli": 5, "objects": 8, "none": 0})
    return table.assign(simulated=False, n_stimuli=640, n_folds=folds, n_leaked=0)


def record(stage: str, output: str, **changes) -> dict:
    """What a job leaves behind."""
    return {
        "stage": stage,
        "config": {"seed": 0},
        "inputs": {},
        "outputs": {output: "0" * 64},
        "weights": {"net": "abcdef" + "0" * 58},
        "code": {"ventral": "1" * 64},
        "packages": {"numpy": "2.4.6"},
        "python": "3.11.7",
        "hardware": {"machine": "x86_64", "processor": "A processor", "cores": 2, "blas": [], "gpu": None},
        "how": {"cores": 1},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 61.5,
        "cpu_seconds": 100.25,
        "peak_mb": 512,
        "warnings": [],
        "sha256": "2" * 64,
    } | changes


def animals_of_a_run(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores over two animals, to which the neurons of every recording belong in turn."""
    neuroids = scores.loc[scores["target_kind"] == "neuron", ["recording", "target"]].drop_duplicates()
    animal = ["FN"[k % 2] for k in range(len(neuroids))]
    neuroids = neuroids.assign(group="both", animal=animal, session=neuroids["recording"])
    return summary_over_animals(scores, neuroids.set_index(["recording", "target"]), 0.1, n_bootstrap=100, seed=0)


def inter_animal_of_a_run() -> pd.DataFrame:
    """Consistency between two animals, to which the neurons of `rec` belong."""
    place = {"group": "both", "area": "IT", "time_bin": "", "split": "objects", "mapping": "ridge"}
    numbers = {"F": (0.71, 0.82), "N": (0.73, 0.84), MEAN: (None, 0.83)}
    rows = [
        place | {"animal": animal, "n_predictors": size, "consistency": value, "low": value - 0.1, "high": value + 0.1}
        for animal, of_animal in numbers.items()
        for size, value in zip((16, np.inf), of_animal, strict=True)
        if value is not None
    ]
    return pd.DataFrame(rows)


def results_of_a_run(scores: pd.DataFrame | None = None, **changes) -> Results:
    """The contents of the page."""
    scores = scores_of_a_run() if scores is None else scores
    # As `read_scores` has them.
    of_subject = scores["subject"].notna()
    named = scores["target"] + ", subject " + scores["subject"].astype("string")
    summary = area_summary(
        scores.assign(target=scores["target"].where(~of_subject, named)), 0.1, n_bootstrap=100, seed=0
    )
    best = best_layers_of(scores, 0.1, n_splits=10, seed=0)
    ranks = best.groupby(["recording", "area", "split", "mapping"])["corrected"].rank(ascending=False)
    ranking = best.assign(rank=ranks, low=ranks - 0.5, high=ranks + 0.5, score=best["corrected"], consistency=0.9)
    explicit = summary[summary["recording"] == "rec"].query("area == 'V4'").rename(columns={"predictivity": "score"})
    explicit = explicit.assign(target="object", target_kind="category", measure="balanced accuracy", chance=0.125)
    explicit = explicit.assign(matched_area="V4", units=10, low=explicit["score"] - 0.1, high=explicit["score"] + 0.1)
    area = (
        explicit.query("split == 'stimuli'")
        .head(1)
        .assign(model="rec", family=FAMILY, layer="V4", depth=float("nan"), matched_area="")
    )
    claims = {
        "claim": ["a network predicts better than pixels", "the best layer for IT lies late"],
        "recording": "rec",
        "area": ["V4", "IT"],
        "split": "stimuli",
        "simulated": False,
        "estimate": [0.38, float("nan")],
        "low": [0.3, float("nan")],
        "high": [0.45, float("nan")],
        "p": [0.001, float("nan")],
        "p_holm": [0.001, float("nan")],
        "unit": ["stimuli and neurons", ""],
        "n_units": [12, 0],
        "n_marked": [3, 0],
        "evidence": "net blocks.3 0.68, pixels 0.30",
        "note": ["these networks only", float("nan")],
        "verdict": ["holds", "undecided"],
    }
    made = {
        "scores": scores,
        "layers": layer_table(summary),
        "categorisation": categorisation_summary(scores, summary),
        "claims": pd.DataFrame(claims),
        "recordings": [RECORDING, MATRICES],
        "settings": SETTINGS,
        "records": [record("fit", "results/scores/rec/net.parquet"), record("join", "results/scores.parquet")],
        "ranking": ranking,
        "best_layers": best,
        "animals": animals_of_a_run(scores),
        "inter_animal": inter_animal_of_a_run(),
        "explicitness": pd.concat([explicit, area], ignore_index=True),
    }
    return Results(**made | changes)
