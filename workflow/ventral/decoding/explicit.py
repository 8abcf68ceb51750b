"""Which layer of which model, and which recorded area, makes a property of the stimuli most explicit."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.decoding.readouts import ACCURACY
from ventral.grams.recorded import FAMILY
from ventral.statistics.best_layers import chosen_and_scored, halves_of
from ventral.statistics.summaries import range_in_words

# From this depth on a layer is late.
LATE = 0.5
READ = ["recording", "simulated", "stimuli", "target_kind", "target", "measure", "chance", "split"]
CONDITION = ["noise", "matched_area", "time_bin"]
REPRESENTATION = ["model", "family", "layer", "depth"]
N_SPLITS = 100
CHOSEN = (
    "A layer that is named is the best over all draws of units and all stimuli. The score beside it is that of layers, "
    "of any model, that were chosen on other draws and other stimuli than those that score them. So the score can "
    "be compared with that of a recorded area."
)


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


def explicit_table(rows: pd.DataFrame, layers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the layer of every model, and every recorded area, from which a target is read best.

    The best of many layers beside an area would flatter the model. So a layer is also chosen on one random half of the
    draws in every other fold, and scored on the other draws in the folds between; all four ways, for many halves.

    Parameters
    ----------
    rows : DataFrame
        From `ventral.decoding.populations`.
    layers : DataFrame
        From `layer_table`.
    seed : int
        Seed of the halves of draws.

    Returns
    -------
    DataFrame
        Those rows of `layers`, best first for each of `READ` and `CONDITION`. `score` and its interval are of the layer
        that is named, chosen on the same draws and folds. `corrected` is the mean score of the model's layers chosen on
        other draws and folds, of an area that of its draws in either half of the folds: these two are to be compared.
        Where there is a choice of models, too, `corrected_over_models` is that of layers of whichever model. The ends
        of their intervals, `_low` and `_high`, lie as far from them as those of the named layer from its score. `best`
        is true where `corrected` is highest. `late_minus_early` is the mean over the model's layers from depth 0.5 on
        less that over the others, with
        `late_minus_early_low` and `_high`, NaN without layers of both kinds.
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
    """Return the mean score of layers that are chosen on other draws and in other folds.

    Parameters
    ----------
    even, odd : (layers, draws) arrays
        Scores in every other fold, and in the folds between. A layer with a score that is NaN is not taken.
    seed : int
        Of the random halves of the draws. A single draw is halved by folds alone.

    Returns
    -------
    float
        NaN where no layer has a score.
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
    """Return the population curves of the representations of `explicit_table`: a row for each number of units.

    The columns are those of `layer_table`. Nothing is said of more units than were read.
    """
    keys = [*READ, *CONDITION, *REPRESENTATION]
    curves = _over_draws(rows, unseen_variance(rows)).merge(table[keys], on=keys)
    curves = curves[[*keys, "units", "draws", "score", "low", "high"]]
    return curves.sort_values([*keys, "units"], ignore_index=True)


def sentences(table: pd.DataFrame) -> Iterator[str]:
    """Give the summary in words: how layers are chosen, a heading for each recording and split, a line for each target.

    Parameters
    ----------
    table : DataFrame
        From `explicit_table`.
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
    # Of several kinds of noise that of the area which reads the target best.
    noises = ["", *(area for area in areas["layer"] if area in set(of_models["matched_area"]))][:2]
    for area in (noise for noise in noises if noise in set(of_models["matched_area"])):
        best = of_models[of_models["matched_area"] == area].iloc[0]
        named = f"{best['layer']} (depth {best['depth']:.2f}) of {best['model']}"
        if area:
            yield f"With noise as in {area}: {named}, {_with_interval(best, 'corrected_over_models')}."
        else:
            yield f"best from {named}, {_with_interval(best, 'corrected_over_models')}."
            if np.isfinite(best["late_minus_early"]):
                yield f"Its late layers less its early ones: {_with_interval(best, 'late_minus_early')}."
    if len(areas):
        read = ", ".join(f"{row['layer']} {_with_interval(row, 'corrected')}" for _, row in areas.iterrows())
        yield f"Of the recorded areas: {read}."


def _with_interval(row: pd.Series, name: str) -> str:
    low, high = row[[f"{name}_low", f"{name}_high"]]
    interval = f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else ""
    return f"{row[name]:.2f}{interval}".replace("-", "\N{MINUS SIGN}")


def _means(values: NDArray, members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean (layers, splits) over the draws of values (layers, draws) that are members (splits, draws)."""
    return values @ (members / members.sum(axis=1, keepdims=True)).T


def _with_corrected(table: pd.DataFrame, rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the best layers and the areas with scores of layers that are chosen on other draws and folds."""
    matched = rows[rows["matched_units"].astype(bool)]
    keys = [*READ, *CONDITION]
    # Every area stands for itself, the layers of a model are chosen from.
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
    from scipy.special import stdtrit

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
