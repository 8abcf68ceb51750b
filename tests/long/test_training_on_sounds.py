"""Two labels learned at once from sounds."""

import hashlib

import numpy as np
import pandas as pd

from ventral.configuration.resolution import resolve
from ventral.models.description import build
from ventral.stimuli.modality import MODALITIES
from ventral.stimuli.store import complete_set, create_set
from ventral.training.training import train

RATE = 20_000


def test_words_and_instruments_are_learned_at_once_from_sounds(tmp_path):
    """Tones at two pitches stand for words, and noise that grows or fades for instruments."""
    rng, time = np.random.default_rng(0), np.arange(4000) / RATE
    tones = [np.sin(2 * np.pi * (pitch * time + rng.random())) for pitch in (300, 2000) for _ in range(10)]
    noises = [rng.normal(size=len(time)) * ramp for ramp in (time, time[::-1]) for _ in range(10)]
    waveforms = np.array([*tones, *noises], np.float32)
    waveforms *= 0.1 / waveforms.std(axis=1, keepdims=True)
    columns = {"word": ["low", "high", "", ""], "instrument": ["", "", "grows", "fades"]}
    names = pd.Index([f"s{k}" for k in range(40)], name="stimulus", dtype=object)
    table = pd.DataFrame({column: np.repeat(values, 10) for column, values in columns.items()}, index=names)
    table["voice"] = np.tile([f"v{k}" for k in range(10)], 4)
    create_set(tmp_path / "made.zarr", table, MODALITIES["sounds"], time.shape)[:] = waveforms
    digests = [hashlib.sha256(one).digest() for one in waveforms]
    complete_set(tmp_path / "made.zarr", "made", table, digests, modality="sounds", rate=RATE)
    training = {"stimuli": "made", "label": ["word", "instrument"], "apart": ["voice"], "epochs": 15, "batch_size": 8}
    config = {
        "results": "results",
        "stimuli": {"made": {"sounds": "made"}, "tested": {"sounds": "tested"}},
        "recordings": {"rec": {"stimuli": "tested", "responses": "rec.npy"}},
        "models": {"both": {"architecture": "small_cochcnn_branched", "train": training}},
    }
    spec = resolve(config)["trainings"]["both"]
    del spec["device"]
    train(tmp_path / "made.zarr", tmp_path / "both", spec)
    metrics = pd.read_csv(tmp_path / "both" / "metrics.csv")
    assert metrics["epoch"].tolist() == list(range(16))
    last = metrics.iloc[-1]
    assert last[["test_accuracy word", "test_accuracy instrument"]].tolist() == [1, 1]
    final = {"weights": str(tmp_path / "both" / "final.safetensors"), "trained_by": "both"}
    assert build({**spec["network"], **final}).branch2.readout.out_features == 2
