"""The embedded experiment, as small as it can be: from objects made by code to the claims that hold."""

import pandas as pd
import pytest
import yaml

from tests.workflow.conftest import ROOT, Experiment
from tests.workflow.test_determinism import outputs

TESTED = ["cars", "faces", "fruits"]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Experiment:
    experiment = Experiment(tmp_path_factory.mktemp("embedded"))
    objects = {"categories": TESTED, "exemplars": 2, "images": 6, "size": 32, "shards": 1}
    training = {
        "categories": ["faces", "shoes", "trees"],
        "first_exemplar": 2,
        "exemplars": 2,
        "images": 12,
        "size": 32,
        "shards": 3,
    }
    train = {"stimuli": "training", "label": "category", "epochs": 2}
    small = {"architecture": "conv1", "size": 32}
    experiment.config = {
        "results": "results",
        "stimuli": {"objects": {"render": objects}, "training": {"render": training}},
        "recordings": {
            "simulated": {
                "stimuli": "objects",
                "simulate": {
                    "teacher": {"architecture": "tinynet:make", "size": 32, "weights": "random"},
                    "areas": {"V1": {"layer": "0", "neuroids": 3}, "IT": {"layer": "5", "neuroids": 3}},
                },
            }
        },
        "models": {
            "pixels": None,
            "net": {**small, "train": {**train, "checkpoints": [0, 1]}},
            "net_with_faces": {**small, "train": {**train, "see": ["faces"]}},
            "fit": {**small, "train": {"recording": "simulated", "epochs": 2, "validation": 0.3}},
        },
        "unseen": {"stimuli": "objects", "category": "faces", "models": ["net_with_faces", "net", "net.epoch0"]},
        "splits": ["stimuli", "categories"],
        "decoding": {"units": 2, "draws": 3, "models": ["net", "pixels"]},
        "extraction": {"shards": 1},
        "folds": 3,
        "penalties": {"number": 4},
    }
    experiment.run()
    return experiment


def table(experiment, path) -> pd.DataFrame:
    path = experiment.folder / "results" / path
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def test_models_checkpoints_and_controls_are_scored_and_fitted_networks_are_not(embedded):
    scores = table(embedded, "scores.parquet")
    families = scores.groupby("model")["family"].first().to_dict()
    assert families == {
        "net": "trained",
        "net.epoch0": "untrained",
        "net.epoch1": "checkpoint",
        "net_with_faces": "trained",
        "pixels": "classical",
    }
    assert set(scores.loc[scores["model"] == "net.epoch0", "layer"]) == {"block1", "pooled"}
    assert scores["simulated"].all()
    assert set(scores["split"]) == {"stimuli", "categories"}
    assert {"position_x", "size", "rotation_z", "area"} <= set(scores.query("target_kind == 'property'")["target"])


def test_no_network_saw_what_it_is_tested_on(embedded):
    seen = {name: table(embedded, f"models/{name}/seen.csv") for name in ("net", "net_with_faces")}
    assert set(seen["net"]["category"]) == {"shoes", "trees"}
    assert set(seen["net_with_faces"]["category"]) == {"faces", "shoes", "trees"}
    tested = set(table(embedded, "figures/contact_sheets/objects.csv")["object"])
    assert tested == {f"{category}_0{k}" for category in TESTED for k in range(2)}
    for of_model in seen.values():
        assert not tested & set(of_model["object"])
        assert (of_model["times"] >= 1).all()


def test_every_figure_and_table_is_made(embedded):
    results = embedded.folder / "results"
    figures = ("layer_profile", "categorisation", "explicitness", "unseen", "fitted", "learning_curves")
    for figure in (*figures, "contact_sheets/objects"):
        for kind in ("svg", "pdf", "csv"):
            assert (results / "figures" / f"{figure}.{kind}").stat().st_size > 100
    for name in ("layer_profile", "fitted"):
        assert "simulated" in (results / "figures" / f"{name}.svg").read_text()
    assert set(table(embedded, "selectivity.csv")["model"]) == {"net_with_faces", "net", "net.epoch0"}
    claims = table(embedded, "claims.csv")
    assert claims["simulated"].dropna().all()
    assert claims["claim"].str.contains("fitted to the neurons").sum() == 2
    assert claims["claim"].str.contains("tell faces from others").sum() == 1
    # Shards of rendering are deleted once the set is whole.
    assert not list(results.glob("renders/*/*.zarr"))


def test_areas_and_layers_are_read_from_as_many_units(embedded):
    read = table(embedded, "explicit.csv")
    assert set(read["model"]) == {"net", "pixels", "simulated"}
    assert set(read["units"]) == {2}
    assert set(read.loc[read["family"] == "recorded", "layer"]) <= {"simulated V1", "simulated IT"}
    assert set(read.loc[read["target"].str.startswith("rotation"), "measure"]) == {"circular r"}
    assert {"object", "category", "position_x"} <= set(read["target"])
    assert "category" not in set(read.loc[read["split"] == "categories", "target"])
    curves = table(embedded, "population_curves.csv")
    assert not curves.empty
    text = (embedded.folder / "results" / "explicit.md").read_text()
    assert "- **position_x** (r, 2 units): best from" in text


def test_another_number_of_shards_and_cores_gives_the_same_images_weights_and_neurons(embedded, tmp_path):
    again = Experiment(tmp_path / "again")
    again.config = {**embedded.config}
    again.config["stimuli"] = {
        name: {"render": spec["render"] | {"shards": 2}} for name, spec in embedded.config["stimuli"].items()
    }
    again.config["extraction"] = {"batch_size": 5}
    again.run("results/models/net", "results/recordings/simulated.zarr", "--cores", "1")
    before = outputs(embedded)
    found = outputs(again)
    stores = {f"results/{name}.zarr" for name in ("stimuli/objects", "stimuli/training", "recordings/simulated")}
    assert {*stores, "results/models/net"} <= found.keys()
    assert {path: before[path] for path in found} == found


def test_the_demo_runs_at_least_25_models(embedded):
    from ventral.configuration.resolution import resolve

    demo = resolve(yaml.safe_load((ROOT / "config" / "demo.yaml").read_text()))
    assert len(demo["models"]) >= 25
    teacher = demo["recordings"]["simulated"]["simulate"]["teacher"]
    assert teacher["architecture"] not in {spec["architecture"] for spec in demo["models"].values()}
