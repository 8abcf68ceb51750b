"""Compute the page's numbers from the tables behind the figures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ventral.figures.layout import along_the_stream, doubtful, place_of_split
from ventral.figures.measures import COMPARISONS, measures
from ventral.figures.style import FAMILIES
from ventral.grams.recorded import FAMILY
from ventral.mappings.registry import MAPPINGS
from ventral.recordings.time_bins import place_of, time_order
from ventral.statistics.animals import GROUP
from ventral.statistics.summaries import COMPARED, PANEL, RECORDED, drawn_measure
from ventral.tables import read_csv

# Most rows in the page's tables; the files behind the page have all rows.
MOST_LAYERS = 40_000
MOST_NEUROIDS = 20_000
LINE = [*COMPARED, "model"]
# Target kinds of models, and of recorded areas in the place of a model.
ALL_FAMILIES = [*FAMILIES, FAMILY]


def read_table(path: Path, *names: str) -> pd.DataFrame:
    """Read the table behind a figure; further columns can be named that hold names."""
    table = read_csv(path, "distance", "comparison", *names)
    table = table.fillna({column: "" for column in ("area", "distance", "comparison", "label") if column in table})
    return with_places(table)


def with_places(table: pd.DataFrame) -> pd.DataFrame:
    """Add the time bin to the name in `area`, because readers choose among areas in time bins."""
    if "area" not in table:
        return table
    places = [*map(place_of, table["area"], table["time_bin"])]
    # Without a type, an empty column would be one of numbers.
    return table.assign(area=pd.Series(places, table.index, dtype="str"))


def layer_table(profile: pd.DataFrame) -> pd.DataFrame:
    """Add the numbers and texts that the page draws to the rows of `figures/layer_profile.csv`.

    Parameters
    ----------
    profile : DataFrame
        From `ventral.figures.layer_profile.layer_profile`.

    Returns
    -------
    DataFrame
        Rows in the order of the page: by recording, area along the ventral stream, mapping, split, model and depth.
        Added are `score`, `low` and `high`: predictivity where a ceiling exists, else r, and the mean for matrices.
        Also added are `measure`, `how` (mapping, distance and comparison in words), and `alone`, whether the model
        has no other layer in the panel.
    """
    measure = drawn_measure(profile).rename(columns={"median": "score"})
    table = profile.assign(**measure, measure=measures(profile), how=_how(profile))
    for column in ("both_low", "both_high"):
        if column not in table:
            table[column] = np.nan
    for end in ("low", "high"):
        # Panels of predictions have no subjects, so the band of the ceiling is that between animals.
        if f"inter_animal_{end}" in table:
            table[f"ceiling_{end}"] = table[f"ceiling_{end}"].fillna(table[f"inter_animal_{end}"])
    table["alone"] = table.groupby(LINE)["layer"].transform("size") == 1
    return in_order(table)


def has_models(scores: pd.DataFrame) -> bool:
    """Say whether a score table has rows of models; recorded areas do not count."""
    return bool((scores["family"] != FAMILY).any())


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows of panels in the order of the page."""
    place = {
        "mapping": _place_of,
        "split": lambda values: values.map(place_of_split),
    }
    keys = [
        "group",
        "recording",
        "area",
        "time_bin",
        "mapping",
        "distance",
        "comparison",
        "split",
        "label",
        "model",
        "depth",
        "layer",
        "target",
    ]
    keys = [key for key in keys if key in table]
    order = table[keys].assign(**{key: place[key](table[key]) for key in place if key in table})
    if "area" in table:
        areas = [
            area.removesuffix(place_of("", time_bin)) for area, time_bin in table[["area", "time_bin"]].to_numpy(str)
        ]
        order["area"] = [*map(_along_the_stream, areas)]
        order["time_bin"] = [*map(time_order, table["time_bin"])]
    return table.loc[order.sort_values(keys, kind="stable").index].reset_index(drop=True)


def thinned(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Thin `layer_table` to at most `most` rows: equally many layers of each model in each panel, evenly spaced.

    A model's best layer always remains. Where there are more lines than rows, the lines of the best models remain.
    """
    if len(table) <= most:
        return table
    lines = table.groupby(LINE, sort=False)
    best = lines["score"].transform("max").eq(table["score"]) & ~table.duplicated([*LINE, "score"])
    if lines.ngroups > most:
        top = table[best].sort_values("score", ascending=False, kind="stable").head(most)
        return table.loc[top.index.sort_values()]
    per_line = most // lines.ngroups
    place, size = lines.cumcount(), lines["layer"].transform("size")
    # The best layer takes one place; the others begin equal stretches of the network.
    stretch = place * max(1, per_line - 1) // size
    previous = (place - 1) * max(1, per_line - 1) // size
    first = (stretch != previous) & (per_line > 1)
    return table[best | first]


def best_models(table: pd.DataFrame, best_layers: pd.DataFrame | None) -> pd.DataFrame:
    """Return the best layer of the best model for every area and split, by the first available of `MAPPINGS`.

    Parameters
    ----------
    table : DataFrame
        From `layer_table`.
    best_layers : DataFrame or None
        From `ventral.statistics.best_layers.best_layers_of`.

    Returns
    -------
    DataFrame
        These rows of `table`, with `corrected`: the score of layers chosen on other neurons and other folds. It is NaN
        where unknown.
    """
    of_models = table[(table["family"] != FAMILY) & table["score"].notna()]
    if of_models.empty:
        return of_models.assign(corrected=np.nan)
    # The first comparison also wins: for CKA, the debiased form.
    way = _place_of(of_models["mapping"]) + (of_models["comparison"] == "biased") / 2
    of_models = of_models[way == way.groupby([of_models["recording"], of_models["area"]]).transform("min")]
    best = of_models.loc[of_models.groupby(COMPARED, sort=False)["score"].idxmax()]
    if best_layers is None:
        return best.assign(corrected=np.nan).reset_index(drop=True)
    return best.merge(best_layers[[*PANEL, "model", "corrected"]], on=[*PANEL, "model"], how="left")


def best_over_animals(table: pd.DataFrame) -> pd.DataFrame:
    """Return the best layer of the best model over animals for every set, area and split, by the first of `MAPPINGS`.

    Parameters
    ----------
    table : DataFrame
        From `ventral.statistics.animals.summary_over_animals`.

    Returns
    -------
    DataFrame
        The rows of these layers, one for each animal.
    """
    rows = table[table["best_layer"] & table["mean"].notna()]
    way = _place_of(rows["mapping"])
    rows = rows[way == way.groupby([rows["group"], rows["area"]]).transform("min")]
    best = rows.sort_values(["n_animals", "mean"], ascending=False, kind="stable").drop_duplicates(GROUP)
    return in_order(rows.merge(best[[*GROUP, "model"]]))


def single_neuroids(scores: pd.DataFrame, table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, int]:
    """Return the scores of single neuroids at each model's best layer in each panel, and their number.

    Parameters
    ----------
    scores : DataFrame
        Score table.
    table : DataFrame
        From `layer_table`.
    most : int
        Most rows to return; those of the best models come first.

    Returns
    -------
    rows : DataFrame
        `target`, `r`, `reliability`, `predictivity`, `marked`, the columns that identify a panel, `model`, `family`
        and `layer`.
    n_rows : int
        Number of rows without the limit.
    """
    known = table[table["score"].notna()]
    best = known.loc[known.groupby(LINE, sort=False)["score"].idxmax(), [*LINE, "layer", "score", "how"]]
    neuroids = scores.loc[scores["target_kind"].isin(RECORDED) & (scores["mapping"] != "banded")]
    columns = [*LINE, "family", "layer", "target", "subject", "r", "reliability", "predictivity", "marked"]
    rows = best.merge(neuroids[columns], on=[*LINE, "layer"])
    of_subject = rows["subject"].notna()
    named = rows["target"].astype(str) + ", subject " + rows["subject"].astype("Int64").astype(str)
    rows["target"] = rows["target"].where(~of_subject, named)
    rows = in_order(rows)
    top = rows.sort_values("score", ascending=False, kind="stable").head(most)
    return rows.loc[top.index.sort_values()].reset_index(drop=True), len(rows)


def counts(scores: pd.DataFrame, table: pd.DataFrame) -> dict[str, int]:
    """Count the models, layers, neurons, matrices and stimuli that were compared, and the scores."""
    of_models = table[table["family"] != FAMILY]
    recorded = scores[scores["target_kind"].isin(RECORDED)].drop_duplicates(
        ["recording", "area", "target", "subject", "target_kind"]
    )
    neurons = recorded[recorded["target_kind"] == "neuron"].drop_duplicates(["recording", "target"])
    # A matrix computed from an area's neurons was not itself recorded.
    own = recorded.loc[recorded["target_kind"] == "neuron", ["recording", "area"]].drop_duplicates()
    matrices = recorded[recorded["target_kind"] == "matrix"].merge(own, how="left", indicator=True)
    return {
        "models": of_models["model"].nunique(),
        "layers": len(of_models[["model", "layer"]].drop_duplicates()),
        "neurons": len(neurons),
        "matrices": int((matrices["_merge"] == "left_only").sum()),
        "stimuli": int(scores.groupby("stimuli")["n_stimuli"].max().sum()),
        "scores": len(scores),
    }


def families(table: pd.DataFrame) -> Mapping[str, list[str]]:
    """Return the names of the models of each family, in the order of the legend."""
    found = table.groupby("family")["model"].unique().map(sorted)
    families = [*ALL_FAMILIES, *sorted(set(found.index) - set(ALL_FAMILIES))]
    return {family: list(found[family]) for family in families if family in found}


def number(value: float, decimals: int = 2) -> str:
    """Format a number; a missing one is ''."""
    if value is None or not np.isfinite(value):
        return ""
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def with_interval(score: float, low: float, high: float) -> str:
    """Format a score with its interval."""
    return f"{number(score)} ({number(low)} to {number(high)})" if np.isfinite([low, high]).all() else number(score)


def said_of_neuroids(rows: pd.DataFrame) -> str:
    """Say how many neuroids, or matrices, a panel's rows summarise, and how many were left out."""
    predicted = rows[rows["family"] != FAMILY]
    known = (predicted if len(predicted) else rows).query("n_neuroids > 0")
    taken, left_out = _range(known["n_neuroids"]), _range(known["n_left_out"])
    if rows["mapping"].iloc[0] in COMPARISONS:
        said = "one dissimilarity matrix" if taken == "1" else f"mean of {taken} dissimilarity matrices"
    else:
        ceiling = "" if rows["has_ceiling"].iloc[0] else "; no repetitions, so no ceiling"
        said = f"{taken} {'neuron' if taken == '1' else 'neurons'}, {left_out} left out{ceiling}"
    return f"{said}{doubtful(known, '; ')}"


def _range(values: pd.Series) -> str:
    if values.empty:
        return "0"
    return f"{values.min()}" if values.min() == values.max() else f"{values.min()} to {values.max()}"


def _place_of(mappings: pd.Series) -> pd.Series:
    places = {name: place for place, name in enumerate(MAPPINGS)}
    return mappings.map(lambda mapping: places.get(mapping, len(places)))


def _along_the_stream(area: str) -> str:
    place, name = along_the_stream(str(area))
    return f"{place:02d} {name}"


def _how(profile: pd.DataFrame) -> list[str]:
    """Name the mapping or comparison of each row; correlation distances, the default, are not named."""
    return [
        ", ".join(filter(None, [mapping.replace("_", "-"), distance if distance != "correlation" else "", comparison]))
        for mapping, distance, comparison in profile[["mapping", "distance", "comparison"]].itertuples(index=False)
    ]
