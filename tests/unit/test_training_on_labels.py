"""Networks learn several labels at once, of stimuli of any modality, and are tested on what is held apart."""

import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from tests.unit.test_modality_seam import SIGNALS
from ventral.configuration import schema
from ventral.configuration.resolution import resolve
from ventral.errors import InputError
from ventral.models.description import build
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.store import complete_set, create_set
from ventral.store import read_dataset
from ventral.training import trainer
from ventral.training.training import train

LENGTH, WORDS, INSTRUMENTS, SOURCES = 30, ("go", "stop", "left"), ("flute", "harp"), 4
MODULE = """
from torch import cat, nn

def chain():
    return nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(104, 7))

class Branched(nn.Module):
    readouts = ("words", "instruments")

    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.Flatten())
        self.words, self.instruments = nn.Linear(104, 7), nn.Linear(104, 7)

    def forward(self, signals):
        shared = self.shared(signals)
        return cat([self.words(shared), self.instruments(shared)], dim=1)
"""


@pytest.fixture
def own(importable, monkeypatch):
    """Module of networks for a second modality, for the time of a test."""
    monkeypatch.setitem(MODALITIES, "signals", SIGNALS)
    schema.whole.cache_clear()
    schema._validator.cache_clear()
    yield importable("networks_of_signals", MODULE)
    monkeypatch.undo()
    schema.whole.cache_clear()
    schema._validator.cache_clear()


def table_of_signals(each=3):
    """Words by voices, instruments by pieces, and two signals without any label."""
    rows = [(word, "", f"v{k}", "") for k in range(SOURCES) for word in WORDS for _ in range(each)]
    rows += [("", name, "", f"p{k}") for k in range(SOURCES) for name in INSTRUMENTS for _ in range(each)]
    rows += [("", "", "", "")] * 2
    table = pd.DataFrame(rows, columns=["word", "instrument", "voice", "piece"])
    table["empty"] = ""
    table["said"] = table["word"] + table["voice"]
    return table.set_index(pd.Index([f"signal{k}" for k in range(len(rows))], name="stimulus", dtype=object))


def make_set(path, table, seed=0):
    """Write a set of signals, whose shape tells the label, and their table."""
    rng = np.random.default_rng(seed)
    shapes = {name: rng.normal(size=LENGTH) for name in (*WORDS, *INSTRUMENTS, "")}
    samples = np.stack([shapes[word or name] for word, name in zip(table["word"], table["instrument"], strict=True)])
    samples = (samples + 0.5 * rng.normal(size=samples.shape)).astype(np.float32)
    create_set(path, table, SIGNALS, (LENGTH,))[:] = samples
    complete_set(path, "heard", table, [hashlib.sha256(one).digest() for one in samples], modality="signals")
    return path


@pytest.fixture
def heard(own, tmp_path):
    return make_set(tmp_path / "heard.zarr", table_of_signals())


def spec_of(architecture, label, seed=0, **options):
    config = {
        "results": "results",
        "stimuli": {"heard": {"signals": "heard"}, "tested": {"signals": "tested"}},
        "recordings": {"rec": {"stimuli": "tested", "responses": "rec.npy"}},
        "models": {
            "net": {
                "architecture": architecture,
                "modality": "signals",
                "gain": 2,
                "seed": seed,
                "train": {"stimuli": "heard", "label": label, **options},
            }
        },
    }
    spec = resolve(config)["trainings"]["net"]
    del spec["device"]
    return spec


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def inputs_of(stimuli):
    return 2 * torch.from_numpy(read_dataset(stimuli)["samples"].values)[:, None]


def test_stimuli_of_another_modality_are_shown_as_it_prepares_them(own, heard, tmp_path):
    spec = spec_of(f"{own}:chain", "word", epochs=8, batch_size=8)
    train(heard, tmp_path / "net", spec)
    metrics, table = pd.read_csv(tmp_path / "net" / "metrics.csv"), read_dataset(heard)[["word"]].to_dataframe()
    assert metrics.columns.tolist() == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
    ]
    assert metrics["validation_accuracy"].iloc[-1] == 1
    network = build({**spec["network"], "weights": str(tmp_path / "net" / "final.safetensors"), "trained_by": "net"})
    with torch.inference_mode():
        answers = np.array(sorted(WORDS))[network(inputs_of(heard)).argmax(1)]
    words = table["word"].to_numpy()
    assert (answers == words)[words != ""].mean() > 0.95
    # Signals with another label or none were not shown.
    seen = pd.read_csv(tmp_path / "net" / "seen.csv")
    assert set(seen["word"]) == set(WORDS)
    assert (seen["times"] == 8).all()


def test_a_step_on_two_labels_is_that_of_the_sum_of_their_mean_losses(own, heard, tmp_path):
    rate, decay = 0.01, 0.05
    options = {"epochs": 4, "batch_size": 64, "learning_rate": rate, "weight_decay": decay, "checkpoints": [0, 1]}
    spec = spec_of(f"{own}:Branched", ["word", "instrument"], **options)
    train(heard, tmp_path / "net", spec)
    dataset, seen = read_dataset(heard), pd.read_csv(tmp_path / "net" / "seen.csv")
    rows = np.flatnonzero(np.isin(dataset["stimulus"].values, seen["stimulus"]))
    network = build({**spec["network"], "weights": str(tmp_path / "net" / "epoch_0000.safetensors"), "trained_by": "x"})
    network.requires_grad_(True)
    assert (network.words.out_features, network.instruments.out_features) == (3, 2)
    outputs, loss, right = network(inputs_of(heard)[rows]), 0, {}
    for label, names, part in (("word", sorted(WORDS), slice(3)), ("instrument", sorted(INSTRUMENTS), slice(3, 5))):
        values = dataset[label].values[rows].astype(str)
        own_rows = np.flatnonzero(values != "")
        expected = torch.from_numpy(np.searchsorted(names, values[own_rows]))
        loss = loss + cross_entropy(outputs[own_rows][:, part], expected)
        right[label] = (outputs[own_rows][:, part].argmax(1) == expected).float().mean().item()
    parameters = list(network.parameters())
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=rate * min(1 / max(1.0, 0.05 * 4), (1 + math.cos(0)) / 2),
    )
    loss.backward()
    optimiser.step()
    written = load_file(tmp_path / "net" / "epoch_0001.safetensors")
    for name, values in network.state_dict().items():
        torch.testing.assert_close(written[name], values, atol=1e-6, rtol=1e-4)
    first = pd.read_csv(tmp_path / "net" / "metrics.csv").iloc[1]
    assert first["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
    for label, share in right.items():
        assert first[f"train_accuracy {label}"] == pytest.approx(share)
    with safe_open(tmp_path / "net" / "final.safetensors", framework="pt") as file:
        classes = json.loads(file.metadata()["ventral"])["classes"]
    assert classes == {"word": sorted(WORDS), "instrument": sorted(INSTRUMENTS)}


def test_two_labels_are_learned_at_once_and_training_goes_on_where_it_stopped(own, heard, tmp_path, monkeypatch):
    spec = spec_of(f"{own}:Branched", ["word", "instrument"], epochs=6, batch_size=8, checkpoints=[0])
    train(heard, tmp_path / "undisturbed", spec)
    last = pd.read_csv(tmp_path / "undisturbed" / "metrics.csv").iloc[-1]
    assert last["validation_accuracy word"] == last["validation_accuracy instrument"] == 1
    save, saved = trainer.Trainer._save, []

    def stopping(self, state):
        save(self, state)
        saved.append(state.epoch)
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Trainer, "_save", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(heard, tmp_path / "net", spec)
    monkeypatch.setattr(trainer.Trainer, "_save", save)
    train(heard, tmp_path / "net", spec)
    assert contents(tmp_path / "net") == contents(tmp_path / "undisturbed")


def test_a_list_of_one_label_is_that_label(own, heard, tmp_path):
    single, listed = (spec_of(f"{own}:chain", label, epochs=2, batch_size=8) for label in ("word", ["word"]))
    assert single == listed
    # A chain shares all layers between labels, and has the outputs for both.
    spec = spec_of(f"{own}:chain", ["word", "instrument"], epochs=1, batch_size=8)
    train(heard, tmp_path / "both", spec)
    assert load_file(tmp_path / "both" / "final.safetensors")["3.weight"].shape[0] == 5


def test_parts_held_apart_share_no_voice_and_no_piece(own, heard, tmp_path):
    spec = spec_of(
        f"{own}:Branched", ["word", "instrument"], epochs=3, batch_size=8, validation=0.25, apart=["voice", "piece"]
    )
    train(heard, tmp_path / "net", spec)
    table, seen = read_dataset(heard)[["word", "instrument", "voice", "piece"]].to_dataframe(), "net/seen.csv"
    table = table[(table["word"] != "") | (table["instrument"] != "")]
    seen = table.loc[pd.read_csv(tmp_path / seen)["stimulus"]]
    # A quarter of four voices is tested, and a quarter of the other three chooses the epoch.
    for source in ("voice", "piece"):
        assert seen[source][seen[source] != ""].nunique() == 2
    unseen = table.drop(seen.index)
    assert not {*seen["voice"]} & {*unseen["voice"]} - {""}
    assert not {*seen["piece"]} & {*unseen["piece"]} - {""}
    metrics = pd.read_csv(tmp_path / "net" / "metrics.csv")
    best = metrics.iloc[1:].loc[metrics["validation_loss"].iloc[1:].idxmin()]
    # Accuracy on each held-out voice by the final weights: one of them is the test part's.
    network = build({**spec["network"], "weights": str(tmp_path / "net" / "final.safetensors"), "trained_by": "net"})
    with torch.inference_mode():
        answers = np.array(sorted(WORDS))[network(inputs_of(heard))[:, :3].argmax(1)]
    right = pd.Series(answers == read_dataset(heard)["word"].values, index=read_dataset(heard)["stimulus"].values)
    of_voices = [right[rows.index].mean() for voice, rows in unseen.groupby("voice") if voice]
    measured = [best["test_accuracy word"], best["validation_accuracy word"]]
    assert sorted(measured) == pytest.approx(sorted(of_voices))


@pytest.mark.parametrize(
    ("network", "label", "options", "message"),
    [
        (
            "chain",
            "wrod",
            {},
            r"train\.label: the stimulus set 'heard' has no column of text `wrod`; did you mean `word`",
        ),
        ("chain", "empty", {}, r"train\.label: the column `empty` of the stimulus set 'heard' is empty in every row"),
        ("chain", ["word", "empty"], {}, r"train\.label: the column `empty` of .* is empty in every row"),
        ("Branched", "word", {}, r"train\.label: .*Branched has 2 branches, and `label` names 1; one label for each"),
        ("Branched", ["word", "instrument", "voice"], {}, "has 2 branches, and `label` names 3"),
        (
            "chain",
            "word",
            {"apart": ["speaker"]},
            r"train\.apart: the stimulus set 'heard' has no column of text `spea",
        ),
        (
            "chain",
            "said",
            {"apart": ["voice"], "validation": 0.25},
            r"train\.apart: said gov., leftv., stopv. would be in the test part and never trained on; every `said`",
        ),
        # Stimuli have names under both labels, and those under the second are rare.
        (
            "chain",
            ["word", "said"],
            {"validation": 0.9},
            r"train\.validation: said gov.* would be in the validation part and never trained on; every `said` needs",
        ),
        (
            "chain",
            "word",
            {"apart": ["voice"], "validation": 0.1},
            r"train\.validation: 0.1 of 4 values of voice is less",
        ),
        (
            "chain",
            ["word", "instrument"],
            {"apart": ["voice"], "validation": 0.25},
            r"train\.validation: no stimulus of the test part has a `instrument`; set a higher share",
        ),
    ],
)
def test_labels_that_cannot_be_learned_are_told(own, heard, tmp_path, network, label, options, message):
    with pytest.raises(InputError, match=message):
        train(heard, tmp_path / "net", spec_of(f"{own}:{network}", label, epochs=1, batch_size=8, **options))
    assert not (tmp_path / "net").exists()


def test_stimuli_that_are_tested_are_not_trained_on(own, heard, tmp_path, caplog):
    """Labels exclude none of them, because neither set has objects or categories."""
    spec = spec_of(f"{own}:chain", "word", epochs=1, batch_size=8)
    with pytest.raises(InputError, match=r"models\.net\.train\.stimuli: 36 stimuli of heard are tested, too, in heard"):
        train(heard, tmp_path / "net", spec, tested=[make_set(tmp_path / "same.zarr", table_of_signals())])
    train(heard, tmp_path / "net", spec, tested=[make_set(tmp_path / "other.zarr", table_of_signals(), seed=1)])
    assert "none can be excluded" not in caplog.text


@pytest.mark.parametrize(("label", "said"), [([], "should be non-empty"), (["word", "word"], "non-unique elements")])
def test_a_list_of_labels_has_each_once(own, label, said):
    with pytest.raises(InputError, match=rf"models\.net\.train\.label: .*{said}"):
        spec_of(f"{own}:chain", label)
