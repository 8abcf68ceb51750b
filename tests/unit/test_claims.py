"""Verdicts on claims, from tables in which they are true, false, or cannot be told."""

import numpy as np
import pandas as pd
import pytest

from ventral.statistics.claims import claims

DEPTHS = {"early": 0.1, "middle": 0.5, "late": 0.9}


def table(levels: dict[str, dict[str, float]], n=20, noise=0.02, repetitions=True, **columns) -> pd.DataFrame:
    """Scores of neurons of area IT: for each model, the median of each layer; families by the model's name."""
    rng = np.random.default_rng(0)
    skill = rng.normal(0, 0.05, n)
    rows = []
    for model, layers in levels.items():
        for layer, level in layers.items():
            r = level + skill + rng.normal(0, noise, n)
            rows += [
                {
                    "model": model,
                    "family": {"pixels": "classical"}.get(model, model.split("_")[0]),
                    "layer": layer,
                    "depth": DEPTHS[layer],
                    "target": f"n{k}",
                    "r": r[k],
                    "predictivity": r[k] if repetitions else np.nan,
                }
                for k in range(n)
            ]
    frame = pd.DataFrame(rows)
    frame = frame.assign(
        recording="simulated", area="simulated IT", stimuli="objects", target_kind="neuron", split="stimuli",
        mapping="ridge", reliability=1.0 if repetitions else np.nan, balanced_accuracy=np.nan, chance=np.nan,
        simulated=True, distance="", comparison="", subject=pd.array([pd.NA] * len(frame), dtype="Int64"),
        ceiling_low=np.nan, ceiling_high=np.nan, n_stimuli=100, r_error=np.nan,
    )  # fmt: skip
    halves = {f"{name}_{half}": frame[name] for name in ("r", "reliability") for half in ("even", "odd")}
    return frame.assign(**halves).assign(**columns)


def verdicts(tmp_path, scores: pd.DataFrame, **options) -> pd.Series:
    scores.to_parquet(tmp_path / "scores.parquet")
    options = {"reliability_threshold": 0.1, "n_bootstrap": 1000, "seed": 0} | options
    claims(tmp_path / "scores.parquet", tmp_path / "claims.csv", **options)
    found = pd.read_csv(tmp_path / "claims.csv")
    assert found["evidence"].str.len().min() > 0
    return found.set_index("claim")["verdict"]


TRUE = {
    "pretrained_net": {"early": 0.4, "middle": 0.6, "late": 0.7},
    "trained_net": {"early": 0.4, "middle": 0.5, "late": 0.5},
    "untrained_net": {"early": 0.35, "middle": 0.3, "late": 0.3},
    "pixels": {"early": 0.2},
}


def test_what_is_true_holds(tmp_path):
    found = verdicts(tmp_path, table(TRUE))
    assert set(found) == {"holds"}
    assert len(found) == 4
    assert pd.read_csv(tmp_path / "claims.csv")["simulated"].all()


def test_what_is_false_fails(tmp_path):
    upside_down = {
        "pretrained_net": {"early": 0.3, "late": 0.2},
        "trained_net": {"early": 0.3, "late": 0.2},
        "untrained_net": {"early": 0.5, "late": 0.4},
        "pixels": {"early": 0.7},
    }
    assert set(verdicts(tmp_path, table(upside_down))) == {"fails"}


def test_nothing_is_claimed_of_a_network_of_unknown_training(tmp_path):
    levels = {"unknown_net": TRUE["pretrained_net"]} | {name: TRUE[name] for name in ("untrained_net", "pixels")}
    scores = table(levels)
    size = scores[scores["model"] == "unknown_net"].drop_duplicates("layer")
    size = size.assign(target="size", target_kind="property", area="", reliability=np.nan, predictivity=np.nan)
    rows = [("unknown_net", "unknown", 0.9, 0.3), ("untrained_net", "untrained", 0.5, 0.0)]
    pd.DataFrame(rows, columns=["model", "family", "balanced_accuracy", "selective"]).assign(
        layer="late", depth=0.9, category="faces", n_units=100, dprime=0.1
    ).to_csv(tmp_path / "selectivity.csv", index=False)
    found = verdicts(tmp_path, pd.concat([scores, size], ignore_index=True), selectivity=tmp_path / "selectivity.csv")
    unseen = "trained networks tell faces from others, whether or not they saw any (chance 0.5)"
    assert found.to_dict() == {"an untrained network predicts better than pixels": "holds", unseen: "undecided"}


def test_what_the_neurons_cannot_tell_is_undecided(tmp_path):
    equal = {"trained_net": {"late": 0.5}, "untrained_net": {"late": 0.5}}
    found = verdicts(tmp_path, table(equal, noise=0.2))
    assert found["a network trained here predicts better than an untrained network"] == "undecided"


def test_without_a_ceiling_raw_correlations_are_compared(tmp_path):
    found = verdicts(tmp_path, table(TRUE, repetitions=False))
    assert found["a network trained here predicts better than an untrained network"] == "holds"


def test_a_single_matrix_has_no_interval_but_a_margin(tmp_path):
    columns = {"target_kind": "matrix", "mapping": "rsa", "split": "none"}
    columns |= {"distance": "correlation", "comparison": "spearman"}
    scores = table(TRUE, n=1, noise=0, repetitions=False, **columns)
    found = verdicts(tmp_path, scores)
    assert found["a pretrained network predicts better than an untrained network"] == "holds"
    assert "interval" not in pd.read_csv(tmp_path / "claims.csv")["evidence"].iloc[0]


def test_subjects_are_compared_by_the_interval_of_their_mean_difference(tmp_path):
    columns = {"target_kind": "matrix", "mapping": "rsa", "split": "none", "distance": "correlation"}
    scores = table(TRUE, n=15, repetitions=False, comparison="spearman", **columns)
    scores["subject"] = scores["target"].str[1:].astype(int).astype("Int64") + 1
    scores["target"] = "fmri_IT"
    others = {"kendall": 1, "biased": 0}
    scores = pd.concat([scores, *(scores.assign(comparison=name, r=k * scores["r"]) for name, k in others.items())])
    found = verdicts(tmp_path, scores)
    claim = "a pretrained network predicts better than an untrained network"
    assert found[claim] == "holds"
    assert found[f"{claim} (rsa, correlation, kendall)"] == "holds"
    evidence = pd.read_csv(tmp_path / "claims.csv").set_index("claim")["evidence"]
    assert "mean difference 0.3" in evidence[claim]
    assert not [name for name in evidence.index if "biased" in name]


def test_properties_are_compared_between_the_first_layer_and_late_ones(tmp_path):
    scores = table(TRUE)
    rows = [
        {"model": "trained_net", "family": "trained", "layer": layer, "depth": DEPTHS[layer], "target": target, "r": r}
        for target, values in {"position_x": (0.2, 0.5, 0.8), "size": (0.6, 0.4, 0.3), "other": (0, 0, 1)}.items()
        for layer, r in zip(DEPTHS, values, strict=True)
    ]
    properties = pd.DataFrame(rows).assign(
        recording="simulated", area="", stimuli="objects", target_kind="property", split="stimuli", mapping="ridge",
        simulated=True,
    )  # fmt: skip
    found = verdicts(tmp_path, pd.concat([scores, properties], ignore_index=True))
    assert found["position_x is more explicit in late layers than in the first"] == "holds"
    assert found["size is more explicit in late layers than in the first"] == "fails"
    assert not [claim for claim in found.index if claim.startswith("other")]


def test_categorisation_goes_with_predictivity(tmp_path):
    levels = {f"trained_{k}": {"late": 0.3 + 0.05 * k} for k in range(6)}
    scores = table(levels)
    accuracy = pd.DataFrame({"model": list(levels), "balanced_accuracy": 0.2 + 0.1 * np.arange(6)}).assign(
        family="trained", layer="late", depth=0.9, recording="simulated", area="", target="category", split="stimuli",
        target_kind="category", mapping="svm", chance=0.125, simulated=True, stimuli="objects",
    )  # fmt: skip
    claim = "the better a model categorises (category), the better it predicts"
    assert verdicts(tmp_path, pd.concat([scores, accuracy]))[claim] == "holds"
    worse = accuracy.assign(balanced_accuracy=accuracy["balanced_accuracy"].to_numpy()[::-1])
    assert verdicts(tmp_path, pd.concat([scores, worse]))[claim] == "fails"


@pytest.mark.parametrize(("ridge", "verdict"), [(0.6, "holds"), (0.2, "fails"), (0.41, "undecided")])
def test_networks_fitted_to_neurons_are_taken_at_their_best_epoch(tmp_path, ridge, verdict):
    from ventral.statistics.claims import RIDGE, TEST, TRAIN

    parts = {TRAIN: [0.1, 0.8, 0.9], TEST: [0.0, 0.4, 0.3], RIDGE: [ridge] * 3}
    rows = [{"epoch": k, "part": part, "r": r} for part, values in parts.items() for k, r in enumerate(values)]
    pd.DataFrame(rows).assign(model="fit", recording="simulated", area="simulated IT").to_csv(
        tmp_path / "fitted.csv", index=False
    )
    found = verdicts(tmp_path, table(TRUE), fitted=tmp_path / "fitted.csv")
    assert found["networks trained on objects predict better than a network fitted to the neurons"] == verdict


def test_a_category_that_was_never_seen(tmp_path):
    rows = [("saw", "trained", 0.9, 0.3), ("never", "trained", 0.8, 0.2), ("before", "untrained", 0.5, 0.0)]
    pd.DataFrame(rows, columns=["model", "family", "balanced_accuracy", "selective"]).assign(
        layer="late", depth=0.9, category="faces", n_units=100, dprime=0.1
    ).to_csv(tmp_path / "selectivity.csv", index=False)
    found = verdicts(tmp_path, table(TRUE), selectivity=tmp_path / "selectivity.csv")
    assert found["trained networks tell faces from others, whether or not they saw any (chance 0.5)"] == "holds"


def test_of_v1_only_the_place_of_its_best_layer_is_claimed(tmp_path):
    found = verdicts(tmp_path, table(TRUE, area="simulated V1"))
    assert list(found.index) == ["the best layer for V1 lies at a depth of 0 to 0.4"]
