"""Which layer of which model, and which recorded area, makes a property of the stimuli most explicit."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ventral.decoding.readouts import ACCURACY
from ventral.grams.recorded import FAMILY
from ventral.statistics.summaries import range_in_words

# From this depth on a layer is late.
LATE = 0.5
READ = ["recording", "simulated", "stimuli", "target_kind", "target", "measure", "chance", "split"]
CONDITION = ["noise", "matched_area", "time_bin"]
REPRESENTATION = ["model", "family", "layer", "depth"]


def layer_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is read of every layer and area, from the number of units that all share.

    Returns
    -------
    DataFrame
        A row for each of `READ`, `CONDITION` and `REPRESENTATION`, with `units`, `draws`, `score`, the mean over draws,
        and a 95 % interval, `low` to `high`: of one draw of units and noise, and of such stimuli. It is mean plus and
        minus Student's t times the standard deviation over draws, each of which has its own bootstrap sample of
        the stimuli; NaN with a single draw. The neuroids of an area are a sample of those that it has: the interval
        is wider by what draws that share neuroids do not show, and NaN for an area with one neuroid. `angular_error`
        is the mean absolute error of circular properties.
    """
    matched = rows[rows["matched_units"].astype(bool)]
    return _over_draws(matched, unseen_variance(rows))


def explicit_table(rows: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Return the layer of every model, and every recorded area, from which a target is read best.

    The best of several layers is chosen on the scores that are shown.

    Parameters
    ----------
    rows : DataFrame
        From `ventral.decoding.populations`.
    layers : DataFrame
        From `layer_table`.

    Returns
    -------
    DataFrame
        Those rows of `layers`, best first for each of `READ` and `CONDITION`, with `best`, true of the first; and
        `late_minus_early`, the mean over the model's layers from depth 0.5 on less that over the others, with
        `late_minus_early_low` and `_high`, NaN without layers of both kinds.
    """
    is_area = layers["family"] == FAMILY
    known = layers[~is_area & layers["score"].notna()]
    best = known.loc[known.groupby([*READ, *CONDITION, "model"], dropna=False)["score"].idxmax()]
    table = pd.concat([best, layers[is_area]], ignore_index=True)
    table = table.merge(_late_minus_early(rows), on=[*READ, *CONDITION, "model"], how="left")
    table["best"] = table["score"].eq(table.groupby([*READ, *CONDITION], dropna=False)["score"].transform("max"))
    keys = [*READ, *CONDITION]
    return table.sort_values([*keys, "score", "model"], ascending=[True] * len(keys) + [False, True], ignore_index=True)


def curve_table(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the population curves of the representations of `explicit_table`: a row for each number of units.

    The columns are those of `layer_table`. Nothing is said of more units than were read.
    """
    keys = [*READ, *CONDITION, *REPRESENTATION]
    curves = _over_draws(rows, unseen_variance(rows)).merge(table[keys], on=keys)
    curves = curves[[*keys, "units", "draws", "score", "low", "high"]]
    return curves.sort_values([*keys, "units"], ignore_index=True)


def sentences(table: pd.DataFrame) -> Iterator[str]:
    """Give the summary in words: a heading for each recording and split, and a line for each target.

    Parameters
    ----------
    table : DataFrame
        From `explicit_table`.
    """
    for (recording, split), rows in table.groupby(["recording", "split"]):
        never = f"; every {split[:-1] if split == 'objects' else 'category'} is read by a fit that never saw it"
        yield f"## {recording}, held-out {split}{never if split in ('objects', 'categories') else ''}"
        yield ""
        for (_, target), of_target in rows.groupby(["target_kind", "target"]):
            yield f"- **{target}**{_describe_measure(of_target)}: {' '.join(_describe_target(of_target))}"
        yield ""


def _describe_measure(rows: pd.DataFrame) -> str:
    measure, chance = rows[["measure", "chance"]].iloc[0]
    return f" ({measure}{f', chance {chance:.2f}' if chance else ''}, {range_in_words(rows['units'])} units)"


def _describe_target(rows: pd.DataFrame) -> Iterator[str]:
    of_models, areas = rows[rows["family"] != FAMILY], rows[rows["family"] == FAMILY]
    # Of several kinds of noise that of the area which reads the target best.
    noises = ["", *(area for area in areas["layer"] if area in set(of_models["matched_area"]))][:2]
    for area in (noise for noise in noises if noise in set(of_models["matched_area"])):
        best = of_models[of_models["matched_area"] == area].iloc[0]
        named = f"{best['layer']} (depth {best['depth']:.2f}) of {best['model']}"
        if area:
            yield f"With noise as in {area}: {named}, {_with_interval(best)}."
        else:
            yield f"best from {named}, {_with_interval(best)}."
            if np.isfinite(best["late_minus_early"]):
                yield f"Its late layers less its early ones: {_with_interval(best, 'late_minus_early')}."
    if len(areas):
        read = ", ".join(f"{row['layer']} {_with_interval(row)}" for _, row in areas.iterrows())
        yield f"Of the recorded areas: {read}."


def _with_interval(row: pd.Series, name: str = "score") -> str:
    low, high = row[["low", "high"] if name == "score" else [f"{name}_low", f"{name}_high"]]
    interval = f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else ""
    return f"{row[name]:.2f}{interval}".replace("-", "\N{MINUS SIGN}")


def unseen_variance(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the variance of scores of areas that draws do not show, because they share neuroids.

    Scores of k of K neuroids vary over draws by (K - k) / K of what they would over k neuroids of the area at large.
    So k / (K - k) times the variance over draws is unseen. Draws of all K do not vary: theirs is that of the largest k
    below, which is the delete-d jackknife (Shao and Wu 1989, Annals of Statistics 17:1176).

    Parameters
    ----------
    rows : DataFrame
        From `ventral.decoding.populations`, with all numbers of units of each area.

    Returns
    -------
    DataFrame
        A row for each area and number of units, with `unseen`; NaN with a single draw or neuroid.
    """
    keys = [*READ, *CONDITION, *REPRESENTATION]
    areas = rows[rows["family"] == FAMILY]
    table = areas.groupby([*keys, "units"], dropna=False)["score"].var().rename("unseen").reset_index()
    rest = table.groupby(keys, dropna=False)["units"].transform("max") - table["units"]
    table["unseen"] = table["unseen"] * table["units"] / rest.where(rest > 0)
    table["unseen"] = table.groupby(keys, dropna=False)["unseen"].ffill()
    return table


def _over_draws(rows: pd.DataFrame, unseen: pd.DataFrame) -> pd.DataFrame:
    keys = [*READ, *CONDITION, *REPRESENTATION, "units"]
    groups = rows.groupby(keys, dropna=False)
    table = groups.agg(
        draws=("draw", "nunique"),
        score=("score", _mean),
        variance=("resampled", "var"),
        angular_error=("angular_error", _mean),
    ).reset_index()
    table = table.merge(unseen, on=keys, how="left")
    # The units of a layer are no sample.
    variance = table.pop("variance") + table.pop("unseen").where(table["family"] == FAMILY, 0.0)
    table["deviation"] = np.sqrt(variance)
    table = _with_ends(table, "score", "low", "high")
    # No score lies beyond these.
    worst = np.where(table["measure"] == ACCURACY, 0.0, -1.0)
    return table.assign(low=table["low"].clip(lower=worst), high=table["high"].clip(upper=1.0))


def _mean(values: pd.Series) -> float:
    # The mean of some draws would hide that others have no score.
    return values.mean(skipna=False)


def _with_ends(table: pd.DataFrame, centre: str, low: str, high: str) -> pd.DataFrame:
    reach = table["deviation"] * stdtrit(table["draws"] - 1, 0.975)
    place = list(table.columns).index(centre) + 1
    table.insert(place, low, table[centre] - reach)
    table.insert(place + 1, high, table[centre] + reach)
    return table.drop(columns="deviation")


def _late_minus_early(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the difference of late and early layers of each model, draw by draw."""
    matched = rows[rows["matched_units"].astype(bool) & (rows["family"] != FAMILY)]
    keys = [*READ, *CONDITION, "model"]
    of_draws = (
        matched.assign(late=np.where(matched["depth"] >= LATE, "late", "early"))
        .pivot_table(index=[*keys, "draw"], columns="late", values=["score", "resampled"], aggfunc=_mean, dropna=False)
        .dropna(how="all")
    )
    name = "late_minus_early"
    for late in ("late", "early"):
        for value in ("score", "resampled"):
            if (value, late) not in of_draws:
                of_draws[value, late] = np.nan
    differences = pd.DataFrame(
        {value: of_draws[value, "late"] - of_draws[value, "early"] for value in ("score", "resampled")}
    ).reset_index()
    table = differences.groupby(keys).agg(
        draws=("draw", "nunique"), **{name: ("score", _mean)}, deviation=("resampled", "std")
    )
    return _with_ends(table.reset_index(), name, f"{name}_low", f"{name}_high").drop(columns="draws")


def drawn_rows(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `layer_table` that the figure shows.

    All areas; and of each model the layers as noisy as the neuroids of the area that reads the target best or, where no
    noise is known, as they are.
    """
    parts = []
    for _, rows in layers.groupby(READ, dropna=False):
        areas = rows[rows["family"] == FAMILY]
        known = areas[areas["layer"].isin(rows["matched_area"]) & areas["score"].notna()]
        area = known.loc[known["score"].idxmax(), "layer"] if len(known) else ""
        parts += [rows[(rows["matched_area"] == area) & (rows["family"] != FAMILY)], areas]
    return pd.concat(parts, ignore_index=True)
