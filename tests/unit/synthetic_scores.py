"""Score tables made up for tests of what is drawn from them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

FAMILIES = ("pretrained", "trained", "checkpoint", "untrained", "classical", "unknown")


def score_table(
    models: Mapping[str, int],
    areas: Mapping[str, int] | None = None,
    splits: Sequence[str] = ("stimuli",),
    recording: str = "rec",
    repetitions: bool = True,
    labels: Mapping[str, float] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Rows of a score table with rising and falling profiles.

    Parameters
    ----------
    models : mapping
        Number of layers of each model; their families are those of FAMILIES in turn.
    areas : mapping
        Number of neuroids of each area.
    splits, recording, repetitions
        What was scored, and whether neuroids have a reliability.
    labels : mapping
        Chance level of each label that is read from the layers.
    seed : int
        Of all numbers.
    """
    rng = np.random.default_rng(seed)
    areas = {"V4": 12} if areas is None else areas
    rows = []
    reliability = {area: rng.beta(6, 2, n) if repetitions else np.full(n, np.nan) for area, n in areas.items()}
    skill = {area: rng.normal(0, 0.1, n) for area, n in areas.items()}
    for m, (model, n_layers) in enumerate(models.items()):
        for k in range(n_layers):
            depth = k / max(1, n_layers - 1)
            level = 0.3 + (0.45 - 0.04 * m) * np.sin(2.4 * depth**0.8) if n_layers > 1 else 0.3
            row = {"model": model, "layer": f"blocks.{k}", "depth": depth, "stimuli": "set", "recording": recording}
            row |= {"family": FAMILIES[m % len(FAMILIES)], "time_bin": ""}
            for s, split in enumerate(splits):
                for a, (area, n) in enumerate(areas.items()):
                    ceiling = np.sqrt(reliability[area]) if repetitions else np.full(n, 0.85)
                    r = ceiling * (level - 0.06 * s - 0.05 * a + skill[area] + rng.normal(0, 0.03, n))
                    for j in range(n):
                        rho = reliability[area][j]
                        rows.append(
                            row
                            | {"area": area, "target": f"{area}_{j}", "target_kind": "neuron", "split": split}
                            | {"mapping": "ridge", "r": r[j], "reliability": rho, "predictivity": r[j] / np.sqrt(rho)}
                        )
                for label, chance in (labels or {}).items():
                    accuracy = np.clip(chance + 0.8 * (1 - chance) * depth * level + rng.normal(0, 0.02), 0, 1)
                    rows.append(
                        row
                        | {"area": "", "target": label, "target_kind": "category", "split": split, "mapping": "svm"}
                        | {"balanced_accuracy": accuracy, "chance": chance}
                    )
    for column in ("r", "reliability"):
        for row in rows:
            row |= {f"{column}_{half}": row.get(column) for half in ("even", "odd")}
    columns = [
        "n_stimuli",
        "n_neuroids",
        "r",
        "r_error",
        "r_error_both",
        "reliability",
        "predictivity",
        "share_best",
        "r_squared_best",
        "marked",
        "balanced_accuracy",
        "chance",
        "given_ceiling",
        "ceiling_low",
        "ceiling_high",
    ]
    table = pd.DataFrame(rows).assign(distance="", comparison="", subject=pd.NA)
    return table.reindex(columns=table.columns.union(columns, sort=False))


def matrix_table(
    models: Mapping[str, int],
    areas: Mapping[str, int],
    recording: str = "fmri",
    labels: Mapping[str, float] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Rows of a score table of a recording given as dissimilarity matrices.

    Parameters
    ----------
    models : mapping
        Number of layers of each model.
    areas : mapping
        Number of matrices of each area.
    recording, labels, seed
        As for `score_table`.
    """
    table = score_table(models, areas, recording=recording, repetitions=False, labels=labels, seed=seed)
    matrices = table["target_kind"] == "neuron"
    kinds = ["target_kind", "mapping", "split", "distance", "comparison"]
    table.loc[matrices, kinds] = ["matrix", "rsa", "none", "correlation", "spearman"]
    table.loc[matrices, ["n_stimuli", "r_error"]] = [20, 0.05]
    return table
