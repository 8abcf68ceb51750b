"""Compare how explicit properties of the stimuli are in layers of models and in recorded areas."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.decoding.readouts import ACCURACY
from ventral.grams.recorded import FAMILY
from ventral.statistics.best_layers import chosen_and_scored, halves_of
from ventral.statistics.summaries import range_in_words

# Smallest depth of a late layer.
LATE = 0.5
READ = ["recording", "simulated", "stimuli", "target_kind", "target", "measure", "chance", "split"]
CONDITION = ["noise", "matched_area", "time_bin"]
REPRESENTATION = ["model", "family", "layer", "depth"]
N_SPLITS = 100
CHOSEN = (
    "Each named layer is the best over all draws of units and all stimuli. The score beside the name is that of "
    "layers, of any model, that were chosen on other draws and other stimuli than those that score them. This score is "
    "comparable with the score of a recorded area."
)


def layer_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the score of every layer and area, read from the same number of units.

    Returns
    -------
    DataFrame
        A row for each combination of `READ`, `CONDITION` and `REPRESENTATION`, with `units` and `draws`. `score` is the
        mean over draws, with a 95 % interval from `low` to `high`. The interval covers one draw of units and noise, and
        such stimuli. Its half-width is Student's t times the standard deviation over draws, each with its own bootstrap
        sample of the stimuli. A single draw gives NaN. The neuroids of an area are a sample of the area's neurons, and
        draws that share neuroids vary too little. The interval is widened accordingly, and is NaN for an area with one
        neuroid. `angular_error` is the mean absolute error of circular properties.
    """
    matched = rows[rows["matched_units"].astype(bool)]
    return _over_draws(matched, unseen_variance(rows))


def explicit_table(rows: pd.DataFrame, layers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the layer of every model that reads a target best, and every recorded area.

    Comparing the best of many layers with an area would favour the model. One random half of the draws, in every other
    fold, therefore also chooses a layer. The other draws, in the folds between, score this layer. All four combinations
    are used, for many random halves.

    Parameters
    ----------
    rows : DataFrame
        Rows from `ventral.decoding.populations`.
    layers : DataFrame
        Table of layers from `layer_table`.
    seed : int
        Seed of the random halves of draws.

    Returns
    -------
    DataFrame
        Rows of `layers`, best first for each combination of `READ` and `CONDITION`. `score` and its interval belong to
        the named layer, chosen on the same draws and folds. `corrected` is comparable between models and areas. For a
        model, `corrected` is the mean score of layers chosen on other draws and folds. For an area, `corrected` is the
        mean score of its draws in each half of the folds. With several models, `corrected_over_models` is the corrected
        score of layers of any model. The ends of their intervals, `_low` and `_high`, have the same distances as those
        of the named layer from its score. `best` is true if `corrected` is highest. `late_minus_early` is the mean over
        the model's layers from depth 0.5 on, minus the mean over the others. Its interval is `late_minus_early_low` to
        `late_minus_early_high`; NaN without layers of both kinds.
    """
    is_area = layers["family"] == FAMILY
    known = layers[~is_area & layers["score"].notna()]
    best = known.loc[known.groupby([*READ, *CONDITION, "model"], dropna=False)["score"].idxmax()]
    table = _with_corrected(pd.concat([best, layers[is_area]], ignore_index=True), rows, seed)
    table = table.merge(_late_minus_early(rows), on=[*READ, *CONDITION, "model"], how="left")
    keys = [*READ, *CONDITION]
    table["best"] = table["corrected"].eq(table.groupby(keys, dropna=False)["corrected"].transform("max"))
    return table.sort_values(
        [*keys, "corrected", "model"], ascending=[True] * len(keys) + [False, True], ignore_index=True
    )


def score_of_chosen(even: NDArray, odd: NDArray, seed: int) -> float:
    """Return the mean score of layers chosen on other draws and in other folds.

    Parameters
    ----------
    even, odd : (layers, draws) arrays
        Scores in every other fold, and in the folds between. Layers with a NaN score are skipped.
    seed : int
        Seed of the random halves of the draws. A single draw is halved by folds alone.

    Returns
    -------
    float
        Mean score; NaN if no layer has a score.
    """
    known = np.isfinite(even + odd).all(axis=1)
    if not known.any():
        return float("nan")
    even, odd = even[known], odd[known]
    n_draws = even.shape[1]
    first = halves_of(n_draws, N_SPLITS, seed) if n_draws > 1 else np.ones((1, 1), bool)
    second = ~first if n_draws > 1 else first
    ways = [(a, b, f, g) for a, b in ((even, odd), (odd, even)) for f, g in ((first, second), (second, first))]
    return float(np.mean([chosen_and_scored(_means(a, f), _means(b, g))[2] for a, b, f, g in ways]))


def curve_table(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the population curves of the representations in `explicit_table`, a row for each number of units.

    The columns are those of `layer_table`. Curves end at the largest number of units that were read.
    """
    keys = [*READ, *CONDITION, *REPRESENTATION]
    curves = _over_draws(rows, unseen_variance(rows)).merge(table[keys], on=keys)
    curves = curves[[*keys, "units", "draws", "score", "low", "high"]]
    return curves.sort_values([*keys, "units"], ignore_index=True)


def sentences(table: pd.DataFrame) -> Iterator[str]:
    """Yield the summary as text: the choice of layers, headings by recording and split, and a line for each target.

    Parameters
    ----------
    table : DataFrame
        Table from `explicit_table`.
    """
    yield CHOSEN
    yield ""
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
    # Among several kinds of noise, the text uses that of the area that reads the target best.
    noises = ["", *(area for area in areas["layer"] if area in set(of_models["matched_area"]))][:2]
    for area in (noise for noise in noises if noise in set(of_models["matched_area"])):
        best = of_models[of_models["matched_area"] == area].iloc[0]
        named = f"{best['layer']} (depth {best['depth']:.2f}) of {best['model']}"
        if area:
            yield f"With noise as in {area}: {named}, {_with_interval(best, 'corrected_over_models')}."
        else:
            yield f"best from {named}, {_with_interval(best, 'corrected_over_models')}."
            if np.isfinite(best["late_minus_early"]):
                yield f"Late layers minus early layers: {_with_interval(best, 'late_minus_early')}."
    if len(areas):
        read = ", ".join(f"{row['layer']} {_with_interval(row, 'corrected')}" for _, row in areas.iterrows())
        yield f"Recorded areas: {read}."


def _with_interval(row: pd.Series, name: str) -> str:
    low, high = row[[f"{name}_low", f"{name}_high"]]
    interval = f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else ""
    return f"{row[name]:.2f}{interval}".replace("-", "\N{MINUS SIGN}")


def _means(values: NDArray, members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean (layers, splits) over the draws of values (layers, draws) that are members (splits, draws)."""
    return values @ (members / members.sum(axis=1, keepdims=True)).T


def _with_corrected(table: pd.DataFrame, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Add corrected scores, of layers chosen on other draws and folds, to the best layers and areas."""
    matched = rows[rows["matched_units"].astype(bool)]
    keys = [*READ, *CONDITION]
    # Layers of a model compete with each other, but each area stands alone.
    chosen_from = matched["layer"].where(matched["family"] == FAMILY, "")
    matched = matched.assign(chosen_from=chosen_from)
    corrected = _corrected(matched, [*keys, "model", "chosen_from"], "corrected", seed)
    over_models = _corrected(matched[matched["family"] != FAMILY], keys, "corrected_over_models", seed)
    table = table.assign(chosen_from=table["layer"].where(table["family"] == FAMILY, ""))
    table = table.merge(corrected, on=[*keys, "model", "chosen_from"], how="left").drop(columns="chosen_from")
    table = table.merge(over_models, on=keys, how="left")
    table.loc[table["family"] == FAMILY, "corrected_over_models"] = np.nan
    for name in ("corrected", "corrected_over_models"):
        for end in ("low", "high"):
            table[f"{name}_{end}"] = table[name] + table[end] - table["score"]
    return table


def _corrected(rows: pd.DataFrame, keys: Sequence[str], name: str, seed: int) -> pd.DataFrame:
    found = []
    for place, of_place in rows.groupby(list(keys), dropna=False):
        halves = (
            of_place.pivot(index=["model", "layer"], columns="draw", values=f"score_{half}").to_numpy(float)
            for half in ("even", "odd")
        )
        found.append((*place, score_of_chosen(*halves, seed)))
    return pd.DataFrame(found, columns=[*keys, name])


def unseen_variance(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the variance of areas' scores that is missing over draws, because draws share neuroids.

    The variance over draws of k of K neuroids is (K - k) / K of the variance over k neurons of the whole area. k / (K -
    k) times the variance over draws is therefore unseen. Draws of all K neuroids do not vary, and take the unseen
    variance of the largest smaller k. This is the delete-d jackknife (Shao and Wu 1989, Annals of Statistics 17:1176).

    Parameters
    ----------
    rows : DataFrame
        Rows from `ventral.decoding.populations`, with all numbers of units of each area.

    Returns
    -------
    DataFrame
        A row for each area and number of units, with the column `unseen`; NaN with a single draw or neuroid.
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
    # The units of a layer are not a sample, so their draws show the whole variance.
    variance = table.pop("variance") + table.pop("unseen").where(table["family"] == FAMILY, 0.0)
    table["deviation"] = np.sqrt(variance)
    table = _with_ends(table, "score", "low", "high")
    # Lowest possible scores, which limit the interval.
    worst = np.where(table["measure"] == ACCURACY, 0.0, -1.0)
    return table.assign(low=table["low"].clip(lower=worst), high=table["high"].clip(upper=1.0))


def _mean(values: pd.Series) -> float:
    # A mean over the remaining draws would hide missing scores.
    return values.mean(skipna=False)


def _with_ends(table: pd.DataFrame, centre: str, low: str, high: str) -> pd.DataFrame:
    from scipy.special import stdtrit

    reach = table["deviation"] * stdtrit(table["draws"] - 1, 0.975)
    place = list(table.columns).index(centre) + 1
    table.insert(place, low, table[centre] - reach)
    table.insert(place + 1, high, table[centre] + reach)
    return table.drop(columns="deviation")


def _late_minus_early(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the difference between late and early layers of each model, for each draw."""
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
    """Return the rows of `layer_table` for the figure.

    The rows include all areas. A model's layers have the noise of the area that reads the target best, or no noise if
    none is known.
    """
    parts = []
    for _, rows in layers.groupby(READ, dropna=False):
        areas = rows[rows["family"] == FAMILY]
        known = areas[areas["layer"].isin(rows["matched_area"]) & areas["score"].notna()]
        area = known.loc[known["score"].idxmax(), "layer"] if len(known) else ""
        parts += [rows[(rows["matched_area"] == area) & (rows["family"] != FAMILY)], areas]
    return pd.concat(parts, ignore_index=True)
