"""The summary of what is explicit where, on tables of which every number is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from benchmarks.population_curves import areas_of_experiments
from ventral.decoding.explicit import (
    CHOSEN,
    N_SPLITS,
    curve_table,
    drawn_rows,
    explicit_table,
    layer_table,
    score_of_chosen,
    sentences,
    unseen_variance,
)
from ventral.decoding.populations import COLUMNS
from ventral.errors import InputError
from ventral.figures.explicitness import draw_explicitness, explicit
from ventral.statistics.best_layers import halves_of

DRAWS = 8
LAYERS = {"first": (0.1, 0.2), "second": (0.3, 0.3), "third": (0.7, 0.6), "last": (1.0, 0.5)}
AREAS = {"V4": 0.35, "IT": 0.55}


def decoded(splits=("stimuli",), targets=("size", "turn", "object"), matched=("V4", "IT"), draws=DRAWS):
    """Draws of four layers and two areas; the third layer is the best, and IT; noise costs 0.05 (IT) or 0.1 (V4)."""
    rng = np.random.default_rng(0)
    rows = []
    for split, target, draw in itertools.product(splits, targets, range(draws)):
        kind, measure, chance = {
            "object": ("category", "balanced accuracy", 0.1),
            "turn": ("property", "circular r", 0.0),
            "size": ("property", "r", 0.0),
        }[target]
        common = {"recording": "rec", "simulated": False, "stimuli": "set", "target": target, "target_kind": kind}
        common |= {"measure": measure, "chance": chance, "split": split, "n_stimuli": 40, "draw": draw, "time_bin": ""}
        common |= {"angular_error": 12.0 + draw if target == "turn" else np.nan}

        def row(score, units, common=common, **columns):
            noise = rng.normal(0, 0.01)
            matched_units = units == 4
            score = score * (1 - 1 / (1 + units)) / 0.8
            score = {"score": score + noise, "resampled": score + 2 * noise}
            score |= {"score_even": score["score"] + 0.002, "score_odd": score["score"] - 0.002}
            return common | columns | score | {"units": units, "matched_units": matched_units}

        for layer, (depth, score) in LAYERS.items():
            for noise, area in [("none", ""), *(("matched", area) for area in matched)]:
                cost = {"": 0, "IT": 0.05, "V4": 0.1}[area]
                of_layer = {"model": "net", "family": "trained", "layer": layer, "depth": depth}
                sizes = (1, 2, 4, 8) if layer == "third" else (4,)
                rows += [row(score - cost, units, noise=noise, matched_area=area, **of_layer) for units in sizes]
        for area, score in AREAS.items():
            of_area = {"model": "rec", "family": "recorded", "layer": area, "depth": np.nan}
            rows += [row(score, units, noise="recorded", matched_area="", **of_area) for units in (1, 2, 4, 6)]
    return pd.DataFrame(rows)[list(COLUMNS)]


def test_a_layer_has_the_mean_over_draws_and_an_interval_of_one():
    rows = decoded()
    table = layer_table(rows)
    assert len(table) == 3 * (4 * 3 + 2)
    of_layer = rows.query("layer == 'third' and noise == 'none' and target == 'size' and units == 4")
    (found,) = table.query("layer == 'third' and noise == 'none' and target == 'size'").to_dict("records")
    reach = t.ppf(0.975, DRAWS - 1) * of_layer["resampled"].std()
    assert found["score"] == pytest.approx(of_layer["score"].mean())
    assert [found["low"], found["high"]] == pytest.approx([found["score"] - reach, found["score"] + reach])
    assert found["draws"] == DRAWS
    assert set(table.loc[table["target"] == "turn", "angular_error"]) == {12 + (DRAWS - 1) / 2}


def test_no_interval_goes_beyond_what_a_score_can_be():
    rows = decoded(draws=2)
    rows["resampled"] = rows["draw"] * 3.0
    table = layer_table(rows)
    assert (table["high"] == 1).all()
    assert set(zip(table["measure"], table["low"], strict=True)) == {
        ("r", -1),
        ("circular r", -1),
        ("balanced accuracy", 0),
    }


def test_a_single_draw_has_no_interval_and_a_missing_score_no_mean():
    assert layer_table(decoded(draws=1))["low"].isna().all()
    rows = decoded()
    rows.loc[(rows["layer"] == "last") & (rows["draw"] == 2), "score"] = np.nan
    assert layer_table(rows).set_index("layer").loc["last", "score"].isna().all()


def test_draws_that_share_neuroids_hide_a_known_part_of_the_variance():
    """Of a mean of k values with variance 0.01, the whole variance is 0.01 / k."""
    rows = areas_of_experiments(400, 12, (2, 8, 12))
    unseen = unseen_variance(rows).groupby("units")["unseen"].mean()
    seen = rows.groupby(["target", "units"])["score"].var().groupby("units").mean()
    for units in (2, 8, 12):
        assert seen[units] + unseen[units] == pytest.approx(0.01 / units, rel=0.1)
    assert seen[12] == pytest.approx(0, abs=1e-20)


def test_an_interval_from_all_neuroids_of_an_area_holds_the_score_of_the_area_at_large():
    table = layer_table(areas_of_experiments(400, 12, (4, 8, 12)))
    assert set(table["units"]) == {12}
    assert 0.9 <= ((table["low"] <= 0) & (table["high"] >= 0)).mean() <= 0.99


def test_one_neuroid_alone_says_nothing_of_its_area():
    assert layer_table(areas_of_experiments(3, 1, (1,)))["low"].isna().all()


def test_the_best_layer_of_each_noise_stands_before_the_areas():
    rows = decoded(splits=["stimuli", "categories"])
    table = explicit_table(rows, layer_table(rows), seed=0)
    models = table[table["family"] != "recorded"]
    assert set(models["layer"]) == {"third"}
    assert len(models) == 2 * 3 * 3
    areas = table[(table["family"] == "recorded") & (table["target"] == "size") & (table["split"] == "stimuli")]
    assert list(areas["layer"]) == ["IT", "V4"]
    assert list(areas["best"]) == [True, False]
    np.testing.assert_allclose(models["late_minus_early"], (0.6 + 0.5 - 0.2 - 0.3) / 2, atol=0.02)
    assert (models["late_minus_early_low"] < models["late_minus_early"]).all()
    assert areas["late_minus_early"].isna().all()


def test_the_score_of_chosen_layers_is_the_definition_by_loops():
    even, odd = np.random.default_rng(0).normal(size=(2, 3, 6))
    scores = []
    for first in halves_of(6, N_SPLITS, 7):
        for a, b in ((even, odd), (odd, even)):
            for choosing, scoring in ((first, ~first), (~first, first)):
                best = max(range(3), key=lambda k: a[k][choosing].mean())
                scores.append(b[best][scoring].mean())
    assert score_of_chosen(even, odd, seed=7) == pytest.approx(np.mean(scores))
    lacking = np.concatenate([even, [[np.nan] * 6]]), np.concatenate([odd, [[9.0] * 6]])
    assert score_of_chosen(*lacking, seed=7) == pytest.approx(np.mean(scores))
    assert np.isnan(score_of_chosen(lacking[0][3:], lacking[1][3:], seed=7))


def test_a_single_draw_is_halved_by_folds():
    even, odd = np.array([[0.5], [0.2]]), np.array([[0.1], [0.3]])
    assert score_of_chosen(even, odd, seed=0) == pytest.approx((0.1 + 0.2) / 2)


def test_the_best_of_equal_layers_has_no_head_start_over_one_area():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        # Errors of stimuli are those of all draws, errors of units and noise are those of one.
        even, odd = (0.5 + rng.normal(0, 0.05, (18, 1)) + rng.normal(0, 0.05, (18, 20)) for _ in range(2))
        found.append([((even + odd) / 2).mean(axis=1).max(), score_of_chosen(even, odd, seed=0)])
    maximum, corrected = np.mean(found, axis=0)
    assert maximum > 0.55
    assert corrected == pytest.approx(0.5, abs=0.015)


def test_the_corrected_score_of_each_model_and_of_all_models_together():
    rows = decoded(targets=("size",), matched=())
    # A model that is better by chance on even folds alone.
    other = rows[rows["family"] == "trained"].assign(model="other")
    other["score_odd"] -= 0.3
    other["score_even"] += 0.3
    table = explicit_table(pd.concat([rows, other]), layer_table(pd.concat([rows, other])), seed=0)
    table = table.set_index("model")
    # In each, the third layer is always chosen: of `net`, and of `other` on even folds, `net` on odd ones.
    assert table.loc["net", "corrected"] == pytest.approx(0.6, abs=0.02)
    assert table.loc["net", "corrected_over_models"] == pytest.approx((0.6 - 0.3 + 0.6) / 2, abs=0.02)
    of_areas = table[table["family"] == "recorded"].set_index("layer")
    np.testing.assert_allclose(of_areas["corrected"], of_areas["score"])
    assert of_areas["corrected_over_models"].isna().all()
    for name in ("corrected", "corrected_over_models"):
        width = table[f"{name}_high"] - table[f"{name}_low"]
        known = table[name].notna()
        np.testing.assert_allclose(width[known], (table["high"] - table["low"])[known])
        assert (table[f"{name}_low"][known] <= table[name][known]).all()


@pytest.mark.parametrize("kept", ["recorded", "trained"])
def test_areas_or_models_alone_have_corrected_scores(kept):
    rows = decoded(matched=())
    rows = rows[rows["family"] == kept]
    table = explicit_table(rows, layer_table(rows), seed=0)
    assert table["corrected"].notna().all()
    assert (table["corrected_over_models"].notna() == (kept == "trained")).all()
    assert CHOSEN in list(sentences(table))


def test_a_table_of_an_older_version_says_what_to_do(tmp_path):
    decoded().drop(columns="score_odd").to_parquet(tmp_path / "old.parquet")
    outputs = [tmp_path / name for name in ("s.csv", "s.md", "c.csv", "f.svg", "f.pdf", "f.csv")]
    with pytest.raises(InputError, match=r"old.parquet: the columns score_odd.*delete the file"):
        explicit([tmp_path / "old.parquet"], *outputs, seed=0)


def test_curves_have_every_size_that_was_read_and_no_other():
    rows = decoded()
    table = explicit_table(rows, layer_table(rows), seed=0)
    curves = curve_table(rows, table)
    of_area = curves.query("layer == 'IT' and target == 'size'")
    assert list(of_area["units"]) == [1, 2, 4, 6]
    expected = rows.query("layer == 'IT' and target == 'size' and units == 2")["score"].mean()
    assert of_area["score"].iloc[1] == pytest.approx(expected)


def test_words_say_what_the_table_says():
    rows = decoded(splits=["categories"])
    table = explicit_table(rows, layer_table(rows), seed=0)
    text = list(sentences(table))
    assert text[0] == CHOSEN
    assert text[2] == "## rec, held-out categories; every category is read by a fit that never saw it"
    (line,) = [line for line in text if line.startswith("- **size**")]
    found = table.query("target == 'size' and noise == 'none'").iloc[0]
    assert line.startswith(
        f"- **size** (r, 4 units): best from third (depth 0.70) of net, {found['corrected_over_models']:.2f} ("
    )
    assert "With noise as in IT: third" in line
    assert "as in V4" not in line
    assert line.index("Recorded areas: IT 0.5") < line.index("V4 0.3")
    assert any(line.startswith("- **object** (balanced accuracy, chance 0.10, 4 units)") for line in text)


def test_the_figure_draws_models_as_noisy_as_the_area_that_reads_best():
    layers = layer_table(decoded())
    drawn = drawn_rows(layers)
    assert set(drawn.loc[drawn["family"] != "recorded", "matched_area"]) == {"IT"}
    figure = draw_explicitness(drawn)
    axes = panel_of(figure, "rec, size")
    assert "held-out stimuli, 4 units, as noisy as IT" in " ".join(texts_of(axes))
    lines = {line.get_label(): line for line in axes.lines}
    expected = layers.query("target == 'size' and matched_area == 'IT'").sort_values("depth")
    np.testing.assert_allclose(lines["net"].get_ydata(), expected["score"], rtol=1e-12)
    recorded = layers.query("target == 'size'").set_index("layer")["score"]
    np.testing.assert_allclose(lines["_areas"].get_ydata(), recorded[["V4", "IT"]], rtol=1e-12)
    left_of_layers = lines["_areas"].get_xdata()
    assert left_of_layers[0] < left_of_layers[1] < 0


def panel_of(figure, title: str):
    return next(axes for axes in figure.axes if title in texts_of(axes))


def texts_of(axes) -> list[str]:
    """Lines above a panel, from the top."""
    return [text.get_text() for text in reversed(axes.texts)]


def test_properties_of_a_group_share_a_panel_that_shows_their_mean():
    drawn = drawn_rows(layer_table(decoded(splits=("stimuli", "objects"))))
    position = drawn[drawn["target"] == "size"]
    both = [position.assign(target="position_x"), position.assign(target="centroid_y", score=position["score"] + 0.2)]
    drawn = pd.concat([drawn, *both], ignore_index=True)
    figure = draw_explicitness(drawn)
    # The label, its own; position; size; and what is in no group, on each of two splits.
    assert len(figure.axes) == 8
    axes = panel_of(figure, "rec, position")
    assert "mean of centroid_y, position_x" in " ".join(texts_of(axes))
    (line,) = [line for line in axes.lines if line.get_label() == "net"]
    one = position[(position["family"] != "recorded") & (position["split"] == "stimuli")].sort_values("depth")
    np.testing.assert_allclose(line.get_ydata(), one["score"] + 0.1, rtol=1e-12)


def test_without_noise_to_match_layers_are_drawn_as_they_are():
    drawn = drawn_rows(layer_table(decoded(matched=())))
    assert set(drawn.loc[drawn["family"] != "recorded", "noise"]) == {"none"}
    assert "no noise added" in " ".join(texts_of(draw_explicitness(drawn).axes[0]))


def test_the_same_tables_give_the_same_bytes(tmp_path):
    rows = decoded()
    is_area = rows["family"] == "recorded"
    for folder, parts in (("a", [rows[~is_area], rows[is_area]]), ("b", [rows[is_area], rows[~is_area]])):
        (tmp_path / folder).mkdir()
        tables = [tmp_path / folder / f"{k}.parquet" for k in range(2)]
        for table, part in zip(tables, parts, strict=True):
            part.astype(COLUMNS).to_parquet(table)
        outputs = [tmp_path / folder / name for name in ("s.csv", "s.md", "c.csv", "f.svg", "f.pdf", "f.csv")]
        explicit(tables, *outputs, seed=0)
    for name in ("s.csv", "s.md", "c.csv", "f.svg", "f.pdf", "f.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_where_nothing_was_decoded_all_outputs_say_so(tmp_path):
    decoded().iloc[:0].astype(COLUMNS).to_parquet(tmp_path / "empty.parquet")
    outputs = [tmp_path / name for name in ("s.csv", "s.md", "c.csv", "f.svg", "f.pdf", "f.csv")]
    explicit([tmp_path / "empty.parquet"], *outputs, seed=0)
    assert pd.read_csv(tmp_path / "s.csv").empty
    assert "Nothing was decoded" in (tmp_path / "s.md").read_text()
    assert "Nothing was decoded" in (tmp_path / "f.svg").read_text()
