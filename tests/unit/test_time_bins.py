"""A recording in three bins of time has the numbers of three untimed recordings, one a bin.

Responses, reliabilities, draws and what is computed of given scores are equal to the last bit. Fits are equal up to the
rounding of a matrix product, whose last digit depends on how many targets are fitted together.
"""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from ventral.decoding.populations import decode, decode_areas
from ventral.errors import InputError
from ventral.figures.explicitness import explicit
from ventral.figures.layer_profile import draw_layer_profile, layer_profile
from ventral.figures.ranking import ranking
from ventral.figures.reverse import reverse_figure
from ventral.grams.recorded import recorded_areas, recorded_gram
from ventral.grams.streaming import write_layer
from ventral.recordings.ingestion import check, ingest
from ventral.recordings.time_bins import bins_of, columns_of, time_order
from ventral.report.methods import read_recording
from ventral.report.summary import in_order, layer_table, read_table
from ventral.scores.banded import banded, contributions
from ventral.scores.brainscore import brainscore
from ventral.scores.fitting import fit
from ventral.scores.reverse import reverse
from ventral.scores.table import join
from ventral.statistics.best_layers import best_layers, best_layers_of
from ventral.statistics.bootstrap import RESAMPLED, draw, read_bootstraps
from ventral.statistics.claims import claims
from ventral.statistics.comparisons import compare
from ventral.statistics.summaries import area_summary, read_scores
from ventral.store import read_dataset, write_dataset
from ventral.tables import read_csv, read_parquet, write_parquet
from ventral.targets.values import neurons

N, REPETITIONS, FEATURES = 60, 6, 12
AREAS = ["V4"] * 3 + ["IT"] * 3
NEURONS = [f"n{k}" for k in range(6)]
EDGES = [[70, 90], [90, 110], [110, 130]]
BINS = ["70-90", "90-110", "110-130"]
# In this one, all neurons have a signal.
WHOLE = BINS[1]
# In which bins each neuron has a signal.
SIGNAL = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 1], [0, 1, 1]])
SPLIT = {"splits": ["stimuli"], "n_folds": 4, "seed": 3, "penalties": [1e-2, 1.0, 1e2]}
MAPPINGS = ["ridge", "pls", "one_to_one", "rsa", "cka"]
RTOL = 1e-9
ENDS = ("_low", "_high")
SUMMARY = {"reliability_threshold": 0.3, "seed": 0}
MODELS = {"net": "pretrained", "net_random": "untrained", "pixels": "classical"}
NETWORKS = {model: {"architecture": model[:3], "network": model} for model in MODELS}
DECODING = {**SPLIT, "periods": {}, "units": 1, "draws": 2, "reliability_threshold": 0.3}


def responses_in_bins():
    """Features of layers, and responses (neurons, n, repetitions, bins)."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, FEATURES))
    signal = (features @ rng.normal(size=(FEATURES, 6)) / np.sqrt(FEATURES)).T
    rates = signal[:, :, None] * SIGNAL[:, None]
    return features, rates[:, :, None] + rng.normal(size=(6, N, REPETITIONS, 3)) + 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stimuli, models, one recording in three bins (`timed`) and one of each bin alone."""
    folder = tmp_path_factory.mktemp("time_bins")
    features, responses = responses_in_bins()
    labels = {"object": np.resize(["cup", "dog", "pan", "car"], N), "category": np.resize(["tool", "other"], N)}
    stimuli = xr.Dataset(
        coords={"stimulus": [f"image{k:02d}" for k in range(N)], "size": ("stimulus", features[:, 0])}
        | {name: ("stimulus", values) for name, values in labels.items()},
        attrs={"name": "set", "sha256": "a" * 64},
    )
    write_dataset(stimuli, folder / "stimuli.zarr")
    rng = np.random.default_rng(1)
    for m, (model, family) in enumerate(MODELS.items()):
        layers = [{"name": f"layer{k}", "depth": k / 2, "shape": [FEATURES], "n_features": FEATURES} for k in range(3)]
        group = zarr.open_group(folder / f"{model}.zarr", mode="w")
        group.attrs.update(model=model, family=family, stimuli="set", stimuli_sha256="a" * 64, layers=layers)
        for k, layer in enumerate(layers):
            values = features * (k + 1) / (m + 1) + rng.normal(size=features.shape)
            write_layer(group, layer, values @ values.T, values.sum(axis=1), values, np.arange(FEATURES))
    pd.DataFrame({"neuroid": NEURONS, "area": AREAS}).to_csv(folder / "neuroids.csv", index=False)
    timed = {"axes": ["neuroid", "stimulus", "repetition", "time_bin"], "time_bins": EDGES}
    for name, array, spec in [
        ("timed", responses, timed),
        *((bin_, responses[..., k], {}) for k, bin_ in enumerate(BINS)),
    ]:
        np.save(folder / f"{name}.npy", array)
        spec |= {"stimuli": "set", "responses": str(folder / f"{name}.npy"), "neuroids": str(folder / "neuroids.csv")}
        check(spec, N)
        ingest(spec, folder / "stimuli.zarr", folder / f"{name}_rec.zarr", name="rec", n_splits=20, seed=5)
    return folder


def run(folder, name, everything=True):
    """All tables of one recording, in process, or its score table alone."""
    recording, stimuli = folder / f"{name}_rec.zarr", folder / "stimuli.zarr"
    out = folder / f"results_{name}"
    out.mkdir()
    for model in MODELS:
        fit(
            *(folder / f"{model}.zarr", recording, stimuli),
            *(out / f"{model}{kind}.parquet" for kind in ("", "_boot", "_influences")),
            **SPLIT,
            mappings=MAPPINGS,
            components=3,
            n_bootstrap=20,
            reliability_threshold=0.3,
        )
    join([out / f"{model}.parquet" for model in MODELS], out / "scores.parquet")
    if not everything:
        return out
    bootstraps = [out / f"{model}_boot.parquet" for model in MODELS]
    best_layers(out / "scores.parquet", out / "best.csv", **SUMMARY)
    compare(bootstraps, out / "best.csv", out / "comparisons.csv")
    influences = [out / f"{model}_influences.parquet" for model in MODELS]
    claims(out / "scores.parquet", influences, out / "claims.csv", NETWORKS, 0.1, seed=0)
    figure = [out / f"profile.{kind}" for kind in ("svg", "pdf", "csv")]
    layer_profile(
        *(out / "scores.parquet", *figure), **SUMMARY, n_bootstrap=40, bootstraps=bootstraps, influences=influences
    )
    ranking(bootstraps, out / "best.csv", *(out / f"ranking.{kind}" for kind in ("svg", "pdf", "csv")))
    decode(folder / "net.zarr", recording, stimuli, out / "decoded.parquet", **DECODING)
    decode_areas(recording, stimuli, out / "decoded_areas.parquet", **DECODING)
    tables = [out / "decoded.parquet", out / "decoded_areas.parquet"]
    paths = [out / f"explicit.{kind}" for kind in ("csv", "md", "curves.csv", "svg", "pdf", "drawn.csv")]
    explicit(tables, *paths, seed=0)
    recorded_gram(recording, out / "areas.zarr")
    fit(out / "areas.zarr", recording, stimuli, out / "areas.parquet", **SPLIT, n_bootstrap=50)
    reverse(out / "areas.zarr", folder / "net.zarr", stimuli, out / "reverse.parquet", **SPLIT)
    paths = [out / f"reverse.{kind}" for kind in ("svg", "pdf", "csv")]
    reverse_figure(
        [out / "reverse.parquet"], [out / "areas.zarr"], out / "scores.parquet", *paths, **SUMMARY, n_bootstrap=40
    )
    layers = ["layer0", "layer2"]
    banded(folder / "net.zarr", recording, stimuli, out / "banded.parquet", layers=layers, **SPLIT)
    contributions([out / "banded.parquet"], out / "banded.csv", **SUMMARY, n_bootstrap=40)
    brainscore([folder / "net.zarr"], recording, stimuli, out / "brainscore.csv")
    return out


@pytest.fixture(scope="module")
def results(folder):
    """The folders of results by recording."""
    return {name: run(folder, name, name in ("timed", WHOLE)) for name in ("timed", *BINS)}


def read(path):
    return read_parquet(path) if path.suffix == ".parquet" else read_csv(path, "best_layer")


def in_some_order(table):
    keys = [column for column in table if table[column].dtype.kind not in "f" and column not in RESAMPLED]
    return table.sort_values([column for column in keys if column != "weights"], ignore_index=True, kind="stable")


def assert_equal(results, file, among=lambda table: table):
    """Assert that each bin of a table has the rows of the untimed recording of this bin."""
    timed = among(read(results["timed"] / file))
    assert set(BINS) <= set(timed["time_bin"]) <= {*BINS, ""}
    for time_bin in [name for name in BINS if (results[name] / file).exists()]:
        alone = among(read(results[time_bin] / file))
        assert set(alone["time_bin"]) == {""}
        of_bin = timed[timed["time_bin"] == time_bin].assign(time_bin="")
        names = [column for column in ("layer", "matched_area", "area") if column in timed]
        for column in names:
            of_bin[column] = of_bin[column].str.removesuffix(f", {time_bin}")
        pd.testing.assert_frame_equal(
            in_some_order(of_bin), in_some_order(alone[alone_of(alone)]), rtol=RTOL, atol=RTOL, check_dtype=False
        )


def alone_of(table):
    """Return which rows are of neurons: what is read of stimuli alone has no bin."""
    if "target_kind" in table and "area" in table:
        return table["target_kind"].isin(["neuron", "matrix", "unit"])
    if "noise" in table:
        return table["noise"] != "none"
    return table["area"] != ""


def test_a_store_has_reliabilities_and_reasons_of_every_neuroid_and_bin(folder):
    store = read_dataset(folder / "timed_rec.zarr")
    assert store["responses"].dims == ("repetition", "stimulus", "neuroid", "time_bin")
    assert store["reliability"].dims == store["left_out"].dims == ("neuroid", "time_bin")
    assert store["time_bin"].values.tolist() == BINS
    np.testing.assert_array_equal(np.column_stack([store["time_bin_start"], store["time_bin_end"]]), EDGES)
    for k, time_bin in enumerate(BINS):
        alone = read_dataset(folder / f"{time_bin}_rec.zarr")
        assert set(alone.dims) == {"repetition", "stimulus", "neuroid"}
        for name in ("responses", "reliability", "left_out"):
            np.testing.assert_array_equal(store[name].values[..., k], alone[name].values)
    # A neuron is reliable in the bins that have its signal.
    assert (store["reliability"].values[SIGNAL == 1] > 0.5).all()
    assert (store["reliability"].values[SIGNAL == 0] < 0.5).all()


def test_targets_are_neurons_in_bins(folder):
    targets = neurons(read_dataset(folder / "timed_rec.zarr"))
    assert list(zip(targets.names, targets.time_bins, strict=True)) == [
        (name, bin_) for name in NEURONS for bin_ in BINS
    ]
    assert targets.areas.tolist() == list(np.repeat(AREAS, 3))
    for time_bin in BINS:
        alone = neurons(read_dataset(folder / f"{time_bin}_rec.zarr"))
        assert set(alone.time_bins) == {""}
        np.testing.assert_array_equal(targets.values[:, targets.time_bins == time_bin], alone.values)


def test_resampling_draws_the_same_neurons_and_stimuli_in_all_bins(folder):
    folds = np.array_split(np.arange(N), 4)
    targets = neurons(read_dataset(folder / "timed_rec.zarr"))
    alone = neurons(read_dataset(folder / f"{BINS[0]}_rec.zarr"))
    timed, untimed = (draw(some, folds, "a" * 64, 30, seed=1) for some in (targets, alone))
    np.testing.assert_array_equal(timed.stimuli, untimed.stimuli)
    for area in ("V4", "IT"):
        expected = alone.names[untimed.neuroids[area, ""]]
        for time_bin in BINS:
            drawn = timed.neuroids[area, time_bin]
            np.testing.assert_array_equal(targets.names[drawn], expected)
            assert set(targets.time_bins[drawn].ravel()) == {time_bin}


def test_the_rows_of_the_score_table_are_those_of_the_bins_alone(results):
    assert_equal(results, "scores.parquet", lambda table: table[table["area"] != ""])
    table = read_parquet(results["timed"] / "scores.parquet")
    assert set(table.loc[table["target_kind"].isin(["category", "property"]), "time_bin"]) == {""}
    best = table[(table["mapping"] == "ridge") & (table["split"] == "stimuli") & (table["layer"] == "layer2")]
    r = best[best["model"] == "net"].pivot_table(index="target", columns="time_bin", values="r").loc[NEURONS, BINS]
    assert (r.to_numpy()[SIGNAL == 1] > 0.5).all()
    assert (np.abs(r.to_numpy()[SIGNAL == 0]) < 0.45).all()


@pytest.mark.parametrize("file", [f"{model}_boot.parquet" for model in MODELS])
def test_resampled_medians_are_those_of_the_bins_alone(results, file):
    timed, alone = (read_bootstraps([results[name] / file]) for name in ("timed", WHOLE))
    timed = timed[timed["time_bin"] == WHOLE].reset_index(drop=True)
    assert len(timed) == len(alone) > 0
    for name in ("n_neuroids", "layer", "mapping"):
        assert timed[name].tolist() == alone[name].tolist()
    for name in ("median", *RESAMPLED):
        found, expected = (np.stack(table[name]) for table in (timed, alone))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("file", ["areas.parquet", "reverse.parquet", "brainscore.csv", "banded.csv"])
def test_what_is_asked_of_single_areas_is_that_of_the_bins_alone(results, file):
    # Areas predict each other in all bins; alone, in their own.
    assert_equal(results, file, lambda table: table[[*map(own_bin, table["layer"], table["time_bin"])]])


def own_bin(layer, time_bin):
    return layer.endswith(time_bin) or not any(layer.endswith(bin_) for bin_ in BINS)


def test_an_area_predicts_other_areas_in_all_bins_and_itself_in_none(results):
    table = read_parquet(results["timed"] / "areas.parquet")
    table = table[table["target_kind"] == "neuron"]
    found = set(zip(table["layer"], table["area"], table["time_bin"], strict=True))
    areas = [("IT", "V4"), ("V4", "IT")]
    assert found == {(f"{one}, {early}", other, late) for one, other in areas for early in BINS for late in BINS}


@pytest.mark.parametrize("file", ["profile.csv", "best.csv", "comparisons.csv", "claims.csv", "ranking.csv"])
def test_every_bin_has_its_own_panel(results, file):
    table = read_csv(results["timed"] / file, "best_layer")
    assert list(table.columns).index("time_bin") == list(table.columns).index("area") + 1
    assert set(BINS) <= set(table["time_bin"]) <= {*BINS, ""}
    # All neurons are taken in this bin, so that samples of them are those of the bin alone.
    of_bin = table[table["time_bin"] == WHOLE].assign(time_bin="").reset_index(drop=True)
    alone = read_csv(results[WHOLE] / file, "best_layer")
    alone = alone[alone["area"].notna()].reset_index(drop=True)
    if file == "claims.csv":
        # Of three bins there are more claims.
        of_bin, alone = of_bin.drop(columns="p_holm"), alone.drop(columns="p_holm")
    pd.testing.assert_frame_equal(of_bin, alone, rtol=1e-6, atol=1e-6, check_dtype=False)


def test_influences_of_a_bin_are_those_of_the_bin_alone(results):
    key = ["layer", "area", "target", "split", "mapping", "distance", "comparison"]
    timed, alone = (read_parquet(results[name] / "net_influences.parquet") for name in ("timed", WHOLE))
    timed = timed[timed["time_bin"] == WHOLE].set_index(key)
    alone = alone[alone["target_kind"] != "property"].set_index(key)
    assert sorted(timed.index) == sorted(alone.index)
    for place, row in alone.iterrows():
        found = timed.loc[place]
        assert found["stimuli_sha256"] == row["stimuli_sha256"]
        for column in ("theta", "units", "neurons"):
            np.testing.assert_allclose(found[column], row[column], atol=1e-6)


def test_intervals_of_areas_are_over_stimuli_and_neurons(results):
    profile = pd.read_csv(results["timed"] / "profile.csv", keep_default_na=False)
    profile = profile[profile["n_neuroids"] > 1]
    fitted = profile["mapping"].isin(["ridge", "pls"])
    assert set(profile.loc[fitted, "interval_over"]) == {"stimuli and neurons"}
    assert set(profile.loc[~fitted, "interval_over"]) <= {"stimuli", "stimuli and neurons", ""}


def test_of_the_same_scores_summaries_are_those_of_the_bins_alone_to_the_last_bit(results):
    scores = read_scores(results["timed"] / "scores.parquet")
    timed, best = area_summary(scores, 0.3, n_bootstrap=50, seed=0), best_layers_of(scores, 0.3, seed=0)
    for time_bin in BINS:
        alone = scores[scores["time_bin"] == time_bin].assign(time_bin="")
        expected = area_summary(alone, 0.3, n_bootstrap=50, seed=0)
        of_bin = timed[timed["time_bin"] == time_bin].assign(time_bin="").reset_index(drop=True)
        # Samples are of all neurons of the area, also of those that are not taken in this bin.
        columns = list(of_bin) if time_bin == WHOLE else [name for name in of_bin if not name.endswith(ENDS)]
        pd.testing.assert_frame_equal(of_bin[columns], expected[columns], check_exact=True)
        of_bin = best[best["time_bin"] == time_bin].assign(time_bin="").reset_index(drop=True)
        expected = best_layers_of(alone, 0.3, seed=0)
        columns = list(of_bin) if time_bin == WHOLE else ["model", "n_neuroids", "best_layer", "maximum"]
        pd.testing.assert_frame_equal(of_bin[columns], expected[columns], check_exact=True)


def test_labels_are_read_from_areas_in_bins(results):
    assert_equal(results, "decoded_areas.parquet", lambda table: table[table["matched_units"]])
    assert_equal(results, "decoded.parquet", lambda table: table[table["matched_units"]])
    table = read_csv(results["timed"] / "explicit.csv", "matched_area")
    of_areas = table[table["family"] == "recorded"]
    assert (of_areas["layer"].str.rpartition(", ")[2] == of_areas["time_bin"]).all()
    assert set(of_areas["time_bin"]) == set(BINS)


def test_the_figure_has_a_panel_for_every_area_and_bin_in_the_order_of_time(results):
    summary = area_summary(read_scores(results["timed"] / "scores.parquet"), 0.3, n_bootstrap=50, seed=0)
    figure = draw_layer_profile(summary[(summary["mapping"] == "ridge") & (summary["split"] == "stimuli")])
    titles = [text.get_text() for axes in figure.axes for text in axes.texts if text.get_fontweight() == "bold"]
    places = sorted(
        zip(figure.axes, titles, strict=True), key=lambda one: (-one[0].get_position().y0, one[0].get_position().x0)
    )
    assert [title for _, title in places] == [f"rec, {area}, {bin_}" for area in ("V4", "IT") for bin_ in BINS]


def test_the_page_names_areas_in_bins_in_the_order_of_time(results):
    layers = layer_table(read_table(results["timed"] / "profile.csv"))
    assert list(dict.fromkeys(layers["area"])) == [f"{area}, {bin_}" for area in ("V4", "IT") for bin_ in BINS]
    assert in_order(layers.sample(frac=1, random_state=0))["area"].tolist() == layers["area"].tolist()


def test_the_methods_count_neurons_and_name_bins(folder):
    facts, alone = (read_recording(folder / f"{name}_rec.zarr") for name in ("timed", WHOLE))
    assert facts == alone | {"time_bins": BINS}
    assert alone["time_bins"] == []
    assert facts["areas"] == {"V4": 3, "IT": 3}


def test_a_neuron_without_a_response_in_one_bin_is_left_out_there_alone(folder, tmp_path, caplog):
    _, responses = responses_in_bins()
    responses[4, :, :, 0] = 2.0
    np.save(tmp_path / "r.npy", responses)
    spec = {"stimuli": "set", "responses": str(tmp_path / "r.npy"), "neuroids": str(folder / "neuroids.csv")}
    with caplog.at_level(logging.WARNING):
        ingest(spec, folder / "stimuli.zarr", tmp_path / "rec.zarr", name="rec", n_splits=20, seed=5)
    assert "1 of 18 neuroids left out: n4 in 1 (constant)" in caplog.text
    store = read_dataset(tmp_path / "rec.zarr")
    assert store["time_bin"].values.tolist() == ["1", "2", "3"]
    assert "time_bin_start" not in store
    assert np.isnan(store["reliability"].values[4, 0])
    assert store["left_out"].values[4].tolist() == ["constant", "", ""]
    assert [area.neuroids.size for area in recorded_areas(store)] == [2, 3, 3, 3, 3, 3]
    targets = neurons(store)
    resamples = draw(targets, np.array_split(np.arange(N), 4), "a" * 64, 30, seed=1)
    first, second = resamples.neuroids["IT", "1"], resamples.neuroids["IT", "2"]
    # The samples are of all three neurons, and n4 is no target in the first bin.
    gone = targets.names[second] == "n4"
    assert gone.any()
    assert (first[gone] == -1).all()
    np.testing.assert_array_equal(targets.names[first[~gone]], targets.names[second[~gone]])
    fit(
        *(folder / "net.zarr", tmp_path / "rec.zarr", folder / "stimuli.zarr"),
        *(tmp_path / "scores.parquet", tmp_path / "boot.parquet"),
        **SPLIT,
        n_bootstrap=20,
        reliability_threshold=0.0,
    )
    counts = read_bootstraps([tmp_path / "boot.parquet"]).groupby(["area", "time_bin"])["n_neuroids"].max()
    table = read_parquet(tmp_path / "scores.parquet")
    either = "(reliability_even > 0 or reliability_odd > 0)"
    for area, time_bin in counts.index:
        of_bin = table.query(f"area == '{area}' and time_bin == '{time_bin}' and reliability == reliability")
        assert counts[area, time_bin] == of_bin.query(either)["target"].nunique()
    assert "n4" not in set(table.query("time_bin == '1'")["target"])
    assert "n4" in set(table.query("time_bin == '2'")["target"])


def test_tables_from_before_the_column_are_of_untimed_targets(results, tmp_path):
    for name in (BINS[0], "timed"):
        table = read_parquet(results[name] / "scores.parquet")
        write_parquet(table.drop(columns="time_bin"), tmp_path / "scores.parquet")
        old = read_parquet(tmp_path / "scores.parquet")
        assert list(old.columns) == list(table.columns)
        assert set(old["time_bin"]) == {""}
        assert set(read_parquet(tmp_path / "scores.parquet", ["area", "time_bin"])["time_bin"]) == {""}
    best = pd.read_csv(results[WHOLE] / "best.csv").drop(columns="time_bin")
    best.to_csv(tmp_path / "best.csv", index=False)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "best.csv"), read_csv(results[WHOLE] / "best.csv"))


def test_a_single_bin_that_is_not_named_is_no_time(folder, tmp_path):
    _, responses = responses_in_bins()
    np.save(tmp_path / "r.npy", responses[..., :1])
    spec = {"stimuli": "set", "responses": str(tmp_path / "r.npy"), "neuroids": str(folder / "neuroids.csv")}
    for name, edges in (("untimed", {}), ("named", {"time_bins": [[70, 90]]})):
        ingest(spec | edges, folder / "stimuli.zarr", tmp_path / name, name="rec", n_splits=20, seed=5)
    xr.testing.assert_identical(read_dataset(tmp_path / "untimed"), read_dataset(folder / f"{BINS[0]}_rec.zarr"))
    assert bins_of(columns_of(read_dataset(tmp_path / "named"))).tolist() == [BINS[0]] * 6


@pytest.mark.parametrize(
    ("shape", "spec", "expected"),
    [
        (
            (6, N, 2),
            {"time_bins": EDGES},
            "time_bins: .* neuroid, stimulus, repetition, and none of time; ",
        ),
        ((6, N, 2, 2), {"time_bins": EDGES}, r"time_bins: 3 bins, where .* has 2 \(shape \(6, 60, 2, 2\), read as 6 "),
        (
            (6, N, 2, 2),
            {"time_bins": [[0, 1], [3, 3]]},
            "time_bins: bin 2 is from 3 to 3 ms; a bin ends ",
        ),
        ((6, N, 2, 2), {"time_bins": [[0, 1], [0, 1]]}, "time_bins: bins 1 and 2 of time are both '0-1'; "),
    ],
)
def test_bins_that_do_not_fit_are_refused(tmp_path, shape, spec, expected):
    np.save(tmp_path / "r.npy", np.zeros(shape))
    with pytest.raises(InputError, match=rf"recordings\.rec\.{expected}"):
        check({"stimuli": "set", "responses": str(tmp_path / "r.npy"), **spec}, N, "recordings.rec")


def test_bins_are_in_the_order_of_time():
    assert sorted(["110-130", "late", "70-90", "-20-0", "2.5-5"], key=time_order) == [
        *("-20-0", "2.5-5", "70-90", "110-130", "late"),
    ]
