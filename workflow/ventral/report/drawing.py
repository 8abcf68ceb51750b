"""Choose the page's charts and their rows, and pack their data as small as possible."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ventral.figures.explicitness import areas_of, by_group, order_of_group, places_of_areas, short_names
from ventral.figures.measures import COMPARISONS, axis_ranges, named, named_on_split, rounded_outwards
from ventral.figures.style import looks_of_models, stands_out
from ventral.grams.recorded import FAMILY
from ventral.report import charts
from ventral.report.summary import in_order, number, said_of_neuroids
from ventral.statistics.summaries import COMPARED, PANEL, range_in_words
from ventral.tables import by_run
from ventral.targets.splits import held_out

DECIMALS = 4
INTERVAL = ["score", "low", "high"]


@dataclass(frozen=True)
class Panel:
    """A chart with the text above it.

    Attributes
    ----------
    chart : int
        Number of the chart in the page's data.
    title, subtitle, text : str
        Area or target; recording; and a description of the chart.
    of : dict of str
        Values that the filters compare: `recording`, `area`, `split` and `how`, as far as the chart has them.
    """

    chart: int
    title: str
    subtitle: str
    text: str
    of: dict[str, str]


@dataclass
class Drawing:
    """Charts, and the tables behind the charts and the page's lists.

    Attributes
    ----------
    tables : dict
        Columns from `columnar`, by the table's name.
    specs : dict of int
        The number of each specification in Vega-Lite, as JSON.
    charts : list of dict
        `spec` (its number), `table`, `start` and `stop` (rows), `description`.
    panels : list of dict
        Recording, area and so on of each panel of the layers' table, in the order of its column `panel`.
    """

    tables: dict[str, dict] = field(default_factory=dict)
    specs: dict[str, int] = field(default_factory=dict)
    charts: list[dict] = field(default_factory=list)
    panels: list[dict] = field(default_factory=list)

    def add(self, spec: dict, table: str, rows: pd.DataFrame, description: str) -> int:
        """Add a chart of consecutive rows of a table, and return the chart's number."""
        of_spec = self.specs.setdefault(as_json(spec), len(self.specs))
        start, stop = int(rows.index[0]), int(rows.index[-1]) + 1
        place = {"spec": of_spec, "table": table, "start": start, "stop": stop}
        self.charts.append({**place, "description": description})
        return len(self.charts) - 1

    def data(self, families: dict[str, list[str]], looks: dict[str, dict[str, str]]) -> str:
        """Return all data as JSON that is safe inside an HTML script, with the colour and shape of each model."""
        content = {
            "families": families,
            "looks": looks,
            "panels": self.panels,
            "tables": self.tables,
            "charts": self.charts,
        }
        text = as_json(content)[:-1] + f',"specs":[{",".join(self.specs)}]}}'
        # Nothing in a name can end the script.
        return text.replace("<", "\\u003c")


def as_json(value: object) -> str:
    """Return JSON without blanks; numbers must be finite."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def columnar(table: pd.DataFrame, numbers: Sequence[str], names: Sequence[str]) -> dict:
    """Pack a table by columns: numbers to four decimals, null where missing, and names as indices into a list."""
    coded = {}
    for column in names:
        codes, words = pd.factorize(table[column].astype(str), sort=True)
        coded[column] = [words.tolist(), codes.tolist()]
    return {
        "size": len(table),
        "numbers": {column: _numbers(table[column]) for column in numbers},
        "names": coded,
    }


def draw_layers(drawing: Drawing, layers: pd.DataFrame, neuroids: pd.DataFrame) -> dict[str, list[Panel]]:
    """Add the charts of scores by depth, and the tables of scores.

    Parameters
    ----------
    drawing : Drawing
        Receives the charts and tables.
    layers, neuroids : DataFrames
        From `ventral.report.summary.layer_table` and `single_neuroids`.

    Returns
    -------
    dict of lists of Panel
        `predicted`, and `compared` without a fit.
    """
    groups = layers.groupby(COMPARED, sort=False)
    first = layers.loc[~layers.duplicated(COMPARED)]
    keys = ["recording", "area", "split", "how"]
    drawing.panels.extend(first[[*keys, "measure"]].to_dict("records"))
    place = first.assign(panel=range(len(first)))[[*COMPARED, "panel"]]
    table = layers.assign(panel=groups.ngroup(), n=layers["n_neuroids"])
    table = table.assign(left=layers["n_left_out"], marked=layers["n_marked"], own=in_own_colour(layers))
    scores = ["own", "depth", "score", "low", "high", "both_low", "both_high", "ceiling_low", "ceiling_high"]
    drawing.tables["layers"] = columnar(
        table.assign(alone=table["alone"].astype(int)),
        ["panel", *scores, "n", "left", "marked", "alone"],
        ["model", "family", "layer"],
    )
    single = neuroids.merge(place, on=COMPARED).reset_index(drop=True)
    drawing.tables["neuroids"] = columnar(
        single.assign(marked=single["marked"].map({True: "marked"}).fillna("")),
        ["panel", "r", "reliability", "predictivity"],
        ["model", "family", "layer", "target", "marked"],
    )
    shown = {
        measure: [0, 1] if any_ceiling else [0]
        for measure, any_ceiling in layers.groupby("measure")["has_ceiling"].any().items()
    }
    limits = axis_ranges(layers["measure"], layers[INTERVAL], shown, rounded_outwards)
    found = {"predicted": [], "compared": []}
    for key, rows in groups:
        recording, area, _, split, mapping, *_ = key
        row = rows.iloc[0]
        of_matrices = mapping in COMPARISONS
        axis = row["measure"] if of_matrices else f"Median {row['measure']}"
        spec = charts.layer_profile(
            axis, *limits[row["measure"]], bool(row["has_ceiling"]), rows["model"].nunique() > charts.CROWDED
        )
        how = "" if of_matrices else f", {row['how']}"
        what = f"{named_on_split(row['measure'], split)}{how}"
        text = f"{what}; {said_of_neuroids(rows)}"
        chart = drawing.add(spec, "layers", rows, f"{area}, {recording}: {text}, by layer depth")
        of = {"recording": recording, "area": area, "split": split, "how": row["how"]}
        found["compared" if of_matrices else "predicted"].append(Panel(chart, area, recording, text, of))
    return found


def draw_categorisation(drawing: Drawing, points: pd.DataFrame, layers: pd.DataFrame) -> list[Panel]:
    """Add the charts of categorisation against scores.

    Parameters
    ----------
    drawing : Drawing
        Receives the charts and tables.
    points : DataFrame
        From `ventral.figures.categorisation.categorisation`.
    layers : DataFrame
        Rows of `ventral.report.summary.layer_table` that are drawn.
    """
    keys = [*COMPARED, "model", "layer"]
    known = points.loc[
        points["balanced_accuracy"].notna(),
        [*keys, "label", "balanced_accuracy", "chance", "best_layer", "models_n_points", "models_correlation"],
    ]
    table = in_order(layers.merge(known, on=keys))
    if table.empty:
        return []
    table = table.assign(
        accuracy=table["balanced_accuracy"], best=table["best_layer"].astype(int), n=table["n_neuroids"]
    )
    drawing.tables["categorisation"] = columnar(
        table.assign(left=table["n_left_out"], marked=table["n_marked"], own=in_own_colour(table)),
        ["own", "depth", "score", "low", "high", "both_low", "both_high", "n", "left", "marked", "accuracy", "best"],
        ["model", "family", "layer"],
    )
    limits = axis_ranges(
        table["measure"], table[INTERVAL], dict.fromkeys(table["measure"].unique(), ()), rounded_outwards
    )
    return list(_panels_of_categorisation(drawing, table, limits))


def _panels_of_categorisation(
    drawing: Drawing, table: pd.DataFrame, limits: dict[str, tuple[float, float]]
) -> Iterator[Panel]:
    for key, rows in table.groupby([*COMPARED, "label"], sort=False):
        recording, area, _, split, mapping, *_, label = key
        row = rows.iloc[0]
        of_label = table[table["label"] == label]
        across = rounded_outwards(of_label[["accuracy", "chance"]].to_numpy(float))
        axis = row["measure"] if mapping in COMPARISONS else f"Median {row['measure']}"
        accuracy = f"Balanced accuracy, {label}"
        spec = charts.categorisation(axis, accuracy, (*across, *limits[row["measure"]]), float(row["chance"]))
        together = (
            f"r = {number(row['models_correlation'])} over the best layers of {row['models_n_points']:.0f} models"
            if np.isfinite(row["models_correlation"])
            else "too few models for a correlation"
        )
        how = "" if mapping in COMPARISONS else f", {row['how']}"
        what = f"{named_on_split(row['measure'], split)}{how}"
        text = f"{what}; {together}"
        chart = drawing.add(spec, "categorisation", rows, f"{area}, {recording}: {text}")
        of = {"recording": recording, "area": area, "split": split, "how": row["how"]}
        yield Panel(chart, area, recording, text, of)


def draw_ranking(drawing: Drawing, ranking: pd.DataFrame) -> list[Panel]:
    """Add the charts of ranks, from the rows of `ventral.figures.ranking.ranking_of`."""
    if ranking.empty:
        return []
    ranking = in_order(ranking.rename(columns={"best_layer": "layer", "n_neuroids": "n"}))
    drawing.tables["ranking"] = columnar(ranking, ["rank", "low", "high", "score", "n"], ["model", "family", "layer"])
    panels = []
    for (recording, area, _, split, mapping), rows in ranking.groupby(PANEL, sort=False):
        tau, measure = rows[["consistency", "measure"]].iloc[0]
        how = mapping.replace("_", "-")
        sure = f"; mean Kendall's tau of resamples {number(tau)}" if np.isfinite(tau) else ""
        text = f"{named(measure)}, {held_out(split)}, {how}; {rows['n'].max()} neurons{sure}"
        chart = drawing.add(
            charts.ranking(tuple(rows["model"])), "ranking", rows, f"Ranks of models, {area}, {recording}: {text}"
        )
        of = {"recording": recording, "area": area, "split": split, "how": how}
        panels.append(Panel(chart, area, recording, text, of))
    return panels


def draw_explicitness(drawing: Drawing, drawn: pd.DataFrame) -> list[Panel]:
    """Add the charts of explicitness in layers and areas, from the rows of `figures/explicitness.csv`."""
    if drawn.empty or "depth" not in drawn:
        return []
    keys = ["recording", "split", "group"]
    table = by_group(drawn)
    groups = sorted(table.groupby(keys), key=order_of_group)
    table = pd.concat([_beside_layers(rows) for _, rows in groups], ignore_index=True)
    table["alone"] = (table.groupby([*keys, "model"])["layer"].transform("size") == 1).astype(int)
    drawing.tables["explicitness"] = columnar(
        table.assign(n=table["units"]), ["depth", "score", "low", "high", "n", "alone"], ["model", "family", "layer"]
    )
    panels = []
    for (recording, split, group), rows in table.groupby(keys, sort=False):
        measure, chance, targets, matched = rows[["measure", "chance", "targets", "matched_area"]].iloc[0]
        values = np.append(rows[INTERVAL].to_numpy(float), 0.0 if not np.isfinite(chance) else chance)
        axis = measure[0].upper() + measure[1:] if measure != "r" else "r"
        models = rows[rows["family"] != FAMILY]
        areas = areas_of(rows)
        spec = charts.explicitness(
            axis,
            *rounded_outwards(values),
            float(chance) if np.isfinite(chance) else None,
            models["model"].nunique() > charts.CROWDED,
            tuple(zip(places_of_areas(areas).values(), short_names(areas), strict=True)),
        )
        noise = f"as noisy as {matched}" if matched else "no noise added"
        mean = f"; mean of {targets}" if "," in targets else ""
        text = f"{measure}, {held_out(split)}, {range_in_words(rows['units'])} units, {noise}{mean}"
        chart = drawing.add(spec, "explicitness", rows, f"{group}, {recording}: {text}, by layer depth")
        panels.append(Panel(chart, group, recording, text, {"recording": recording, "split": split}))
    return panels


def _beside_layers(rows: pd.DataFrame) -> pd.DataFrame:
    """Place the recorded areas of a panel's rows left of the layers, in the order of drawing."""
    place = rows["layer"].map(places_of_areas(areas_of(rows)))
    rows = rows.assign(depth=rows["depth"].where(rows["family"] != FAMILY, place))
    return rows.sort_values(["model", "depth", "layer"], kind="stable", key=by_run)


def in_own_colour(table: pd.DataFrame) -> pd.Series:
    """Return 1 for models drawn in their own colour, 0 for grey ones, as in the static figures."""
    models = table[table["family"] != FAMILY]
    grey = {
        (recording, model)
        for recording, rows in models.groupby("recording")
        for model, look in looks_of_models(rows).items()
        if not stands_out(look)
    }
    return pd.Series(
        [int(key not in grey) for key in zip(table["recording"], table["model"], strict=True)], table.index
    )


def _numbers(values: pd.Series) -> list[float | int | None]:
    # 1 is shorter than 1.0.
    rounded = np.round(values.to_numpy(float), DECIMALS).tolist()
    return [None if not np.isfinite(value) else int(value) if value == int(value) else value for value in rounded]
