"""Write the table of claims: the verdict on each claim, with its evidence."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pandas as pd

from ventral.outputs import writing
from ventral.recordings.time_bins import BASELINE
from ventral.statistics.claimed import CLAIMS, Evidence, Finding, areas_without_neurons
from ventral.statistics.contrasts import holm_adjusted
from ventral.statistics.influence_table import PANEL, read_influences
from ventral.statistics.summaries import RECORDED, read_scores
from ventral.tables import read_csv, read_parquet

logger = logging.getLogger(__name__)

COLUMNS = ["claim", "recording", "area", "time_bin", "split", "simulated", "measure", "estimate", "low", "high", "p"]
COLUMNS += ["p_holm", "unit", "n_units", "n_marked", "evidence", "note", "verdict"]


def claims(
    scores: Path,
    influences: Sequence[Path],
    output: Path,
    networks: Mapping[str, Mapping[str, str]],
    reliability_threshold: float,
    seed: int,
    selectivity: Path | None = None,
    first_layers: Path | None = None,
    order_of_steps: Path | None = None,
    tuning: Path | None = None,
) -> None:
    """Write the table of claims, a row for each finding of `ventral.statistics.claimed`.

    The columns `claim`, `recording`, `area`, `time_bin`, `split` and `simulated` identify a finding. `measure` names
    the numbers in `evidence`. `estimate` is a difference of two such numbers, or a correlation, with its 95 % interval
    from `low` to `high`. `p` is two-sided; `p_holm` is adjusted for the number of claims in the table (Holm 1979).
    `unit` is the sampled unit, with the counts `n_units` and `n_marked`. The rest are `evidence`, `note` and `verdict`.

    Parameters
    ----------
    scores : path
        The joined score table.
    influences : sequence of paths
        Tables that `ventral.scores.fitting.fit` wrote beside scores, and tables of networks fitted to neurons from
        `ventral.scores.fitted_network`.
    output : path
        CSV to write.
    networks : mapping of mappings
        For each model, its `architecture` and its `network`; checkpoints of a network share this name.
    reliability_threshold : float
        Lowest reliability of a compared neuron or matrix.
    seed : int
        Seed for the draws of critical values.
    selectivity : path, optional
        Table for a category that networks never saw (`ventral.scores.selectivity`).
    first_layers : path, optional
        Distances of filters of first layers from V1 (`ventral.statistics.v1.filter_distances`).
    order_of_steps : path, optional
        Trends of the steps of recurrent networks over time (`ventral.statistics.steps.order_of_steps`).
    tuning : path, optional
        Tuning of layers to gratings (`ventral.statistics.v1_tuning.tuning_by_layer`).

    Raises
    ------
    InputError
        If a table cannot be read, or if compared layers were scored on different stimuli or neurons.
    """
    rows = read_scores(scores)
    marks = n_marked(read_parquet(scores, [*PANEL, "subject", "reliability", "marked"]), reliability_threshold)
    # Claims about responses before the stimulus would only make the correction for multiple claims stricter.
    rows = rows[rows["time_bin"] != BASELINE].reset_index(drop=True)
    read = read_influences(influences)
    read = read[read["time_bin"] != BASELINE].reset_index(drop=True)
    evidence = Evidence(
        influences=_with_marks(_with_networks(read, networks), marks),
        accuracies=_accuracies(rows),
        selectivity=read_csv(selectivity) if selectivity else None,
        first_layers=read_csv(first_layers) if first_layers else None,
        order_of_steps=read_csv(order_of_steps) if order_of_steps else None,
        tuning=read_csv(tuning) if tuning else None,
        seed=seed,
    )
    found = [finding for claim in CLAIMS for finding in claim.findings(evidence)]
    found += areas_without_neurons(rows, evidence.influences)
    table = pd.DataFrame(found, columns=[field.name for field in fields(Finding)])
    if table.empty:
        logger.warning("no claim can be tested: scores of an area lack two kinds of models and a trained network")
    # Claims about stimuli alone belong to no recording, and so have no value of `simulated`.
    simulated = read_parquet(scores, ["recording", "simulated"]).groupby("recording")["simulated"].first()
    table = table.assign(simulated=table["recording"].map(simulated), p_holm=holm_adjusted(table["p"].to_numpy(float)))
    with writing(output) as unfinished:
        table[COLUMNS].to_csv(unfinished, index=False, lineterminator="\n")


def _with_networks(influences: pd.DataFrame, networks: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Add `architecture` and `network` of each model to influences."""
    of_models = {key: {name: network[key] for name, network in networks.items()} for key in ("architecture", "network")}
    return influences.assign(**{key: influences["model"].map(found) for key, found in of_models.items()})


def n_marked(scores: pd.DataFrame, reliability_threshold: float) -> pd.Series:
    """Count the compared neurons or matrices that are marked, for each panel of the table of influences.

    Parameters
    ----------
    scores : DataFrame
        Score table.
    reliability_threshold : float
        Lowest reliability of a compared neuron or matrix.
    """
    rho = scores["reliability"].astype(float)
    taken = scores["target_kind"].isin(RECORDED) & (rho >= reliability_threshold) & (rho > 0)
    rows = scores[taken & scores["marked"].eq(True).fillna(False)]
    rows = rows.assign(name=rows["target"], target=rows["target"].where(rows["target_kind"] == "matrix", ""))
    rows = rows.drop_duplicates([*PANEL, "name", "subject"]).astype(dict.fromkeys(PANEL, "string"))
    return rows.groupby(PANEL).size().rename("n_marked")


def _with_marks(influences: pd.DataFrame, marks: pd.Series) -> pd.DataFrame:
    """Add `n_marked` of each panel to influences."""
    return influences.merge(marks.reset_index(), on=PANEL, how="left").fillna({"n_marked": 0})


def _accuracies(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the balanced accuracy of each label, read from each layer on held-out stimuli."""
    rows = scores.query("target_kind == 'category' and mapping == 'svm' and split == 'stimuli'")
    rows = rows.rename(columns={"target": "label"})
    return rows[["recording", "model", "layer", "label", "balanced_accuracy"]]
