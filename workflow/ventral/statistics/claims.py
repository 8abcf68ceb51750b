"""The table of claims: which hold on the recordings of a run, with the numbers that say so."""

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
) -> None:
    """Write the table of claims, a row for each finding of `ventral.statistics.claimed`.

    Its columns: `claim`, `recording`, `area`, `time_bin`, `split`, `simulated`; `measure`, what the numbers in
    `evidence` are; `estimate`, a difference of two of these or a correlation, with the ends `low` and `high` of its
    95 % interval; `p`, two-sided, and `p_holm`, adjusted for the number of claims in the table (Holm 1979); `unit`,
    what is sampled, `n_units`, and `n_marked`; `evidence`, `note` and `verdict`.

    Parameters
    ----------
    scores : path
        The joined score table.
    influences : sequence of paths
        Tables that `ventral.scores.fitting.fit` wrote beside scores, and `ventral.scores.fitted_network` of networks
        fitted to neurons.
    output : path
        CSV to write.
    networks : mapping of mappings
        Of each model, its `architecture`, and the `network` that it is, or is a checkpoint of.
    reliability_threshold : float
        Lowest reliability of a neuron or matrix that is compared.
    seed : int
        Of the draws of critical values.
    selectivity : path, optional
        Table of a category that was never seen (`ventral.scores.selectivity`).

    Raises
    ------
    InputError
        If a table cannot be read, or layers that are compared were scored on different stimuli or neurons.
    """
    rows = read_scores(scores)
    marks = n_marked(read_parquet(scores, [*PANEL, "subject", "reliability", "marked"]), reliability_threshold)
    # Of what came before the stimulus, no claim is made; each one more would cost the others.
    rows = rows[rows["time_bin"] != BASELINE].reset_index(drop=True)
    read = read_influences(influences)
    read = read[read["time_bin"] != BASELINE].reset_index(drop=True)
    evidence = Evidence(
        influences=_with_marks(_with_networks(read, networks), marks),
        accuracies=_accuracies(rows),
        selectivity=read_csv(selectivity) if selectivity else None,
        seed=seed,
    )
    found = [finding for claim in CLAIMS for finding in claim.findings(evidence)]
    found += areas_without_neurons(rows, evidence.influences)
    table = pd.DataFrame(found, columns=[field.name for field in fields(Finding)])
    if table.empty:
        logger.warning("no claim can be judged: no two kinds of models, and no trained network, have scores of an area")
    # What is said of stimuli alone is of no recording, simulated or not.
    simulated = read_parquet(scores, ["recording", "simulated"]).groupby("recording")["simulated"].first()
    table = table.assign(simulated=table["recording"].map(simulated), p_holm=holm_adjusted(table["p"].to_numpy(float)))
    with writing(output) as unfinished:
        table[COLUMNS].to_csv(unfinished, index=False, lineterminator="\n")


def _with_networks(influences: pd.DataFrame, networks: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return influences with `architecture` and `network` of each model."""
    of_models = {key: {name: network[key] for name, network in networks.items()} for key in ("architecture", "network")}
    return influences.assign(**{key: influences["model"].map(found) for key, found in of_models.items()})


def n_marked(scores: pd.DataFrame, reliability_threshold: float) -> pd.Series:
    """Return how many neurons or matrices that are compared are marked, by panel of the table of influences.

    Parameters
    ----------
    scores : DataFrame
        Score table. Its `target` does not tell panels of neurons apart.
    reliability_threshold : float
        Lowest reliability of what is compared.
    """
    rho = scores["reliability"].astype(float)
    taken = scores["target_kind"].isin(RECORDED) & (rho >= reliability_threshold) & (rho > 0)
    rows = scores[taken & scores["marked"].eq(True).fillna(False)]
    rows = rows.assign(name=rows["target"], target=rows["target"].where(rows["target_kind"] == "matrix", ""))
    rows = rows.drop_duplicates([*PANEL, "name", "subject"]).astype(dict.fromkeys(PANEL, "string"))
    return rows.groupby(PANEL).size().rename("n_marked")


def _with_marks(influences: pd.DataFrame, marks: pd.Series) -> pd.DataFrame:
    """Return influences with `n_marked` of each panel."""
    return influences.merge(marks.reset_index(), on=PANEL, how="left").fillna({"n_marked": 0})


def _accuracies(scores: pd.DataFrame) -> pd.DataFrame:
    """Return how well labels are read from each layer on held-out stimuli."""
    rows = scores.query("target_kind == 'category' and mapping == 'svm' and split == 'stimuli'")
    rows = rows.rename(columns={"target": "label"})
    return rows[["recording", "model", "layer", "label", "balanced_accuracy"]]
