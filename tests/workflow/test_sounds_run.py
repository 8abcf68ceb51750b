"""Sounds of two rates and formats, from the files to the page, with a network of one's own and the baseline."""

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import run_config
from ventral.readouts.loading import load_readout
from ventral.readouts.predicting import predict_folder
from ventral.store import read_dataset

soundfile = pytest.importorskip("soundfile")

N = 24
NETWORK = """
from torch import nn


class Waveforms(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(1, 6, 64, stride=16)
        self.mean = nn.AdaptiveAvgPool1d(8)

    def forward(self, waveforms):
        return self.mean(self.filters(waveforms[:, None]).relu())
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Harmonic tones of 24 pitches; neurons are tuned to the pitch."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    (folder / "sounds").mkdir()
    pitch = rng.permutation(np.geomspace(200, 2000, N))
    for k, frequency in enumerate(pitch):
        rate, ending = ((44_100, "wav"), (20_000, "flac"))[k % 2]
        time = np.arange(round((0.4 if k == 0 else 0.5) * rate)) / rate
        harmonics = [np.sin(2 * np.pi * frequency * h * time) / h for h in (1, 2, 3)]
        sound = 0.1 * np.sum(harmonics, axis=0) + 0.01 * rng.normal(size=len(time))
        soundfile.write(folder / "sounds" / f"tone{k}.{ending}", sound, rate)
    rows = [f"tone{k},{np.log2(pitch[k]):.4f}" for k in range(N)]
    (folder / "sounds.csv").write_text("\n".join(["stimulus,octave", *rows]) + "\n")
    best = np.linspace(7.7, 11, 5)[:, None]
    rates = np.exp(-((np.log2(pitch) - best) ** 2))
    np.save(folder / "responses.npy", rates[:, :, None] + 0.1 * rng.normal(size=(5, N, 4)))
    (folder / "ears.py").write_text(NETWORK)
    config = {
        "results": "results",
        "stimuli": {"heard": {"sounds": "sounds", "table": "sounds.csv", "seconds": 0.5}},
        "recordings": {"rec": {"stimuli": "heard", "responses": "responses.npy", "area": "A1"}},
        "models": {
            "cochleagram": None,
            "waves": {"architecture": "ears:Waveforms", "modality": "sounds", "rate": 16000, "layers": ["mean"]},
        },
        "folds": 3,
        "penalties": {"number": 5},
        "bootstrap": 100,
        "outputs": {"readouts": {"cochleagram": ["cochleagram"]}},
    }
    run_config(folder, config)
    return folder / "results"


def test_the_store_has_waveforms_and_their_rate(results):
    dataset = read_dataset(results / "stimuli" / "heard.zarr")
    assert dataset["waveform"].shape == (N, 10_000)
    assert (dataset.attrs["modality"], dataset.attrs["rate"]) == ("sounds", 20_000)
    np.testing.assert_allclose(dataset["waveform"][1:].std("sample"), 0.1, rtol=1e-5)
    assert not dataset["waveform"][0, 8000:].any()
    assert "padded with zeros at the end, to 0.5 s: 1 (tone0.wav)" in (results / "logs/stimuli/heard.log").read_text()


def test_models_of_sounds_are_scored(results):
    scores = pd.read_parquet(results / "scores.parquet").query("target_kind == 'neuron'")
    medians = scores.groupby(["model", "layer"])["r"].median()
    assert set(medians.index) == {("cochleagram", "cochleagram"), ("waves", "mean")}
    assert medians["cochleagram", "cochleagram"] > 0.7


def test_the_contact_sheet_has_a_cochleagram_for_each_sound(results):
    sheet = (results / "figures" / "contact_sheets" / "heard.svg").read_text()
    assert sheet.count("<image") == len(pd.read_csv(results / "figures" / "contact_sheets" / "heard.csv"))


def test_a_dozen_sounds_can_be_played_on_the_page(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert page.count("<audio ") == 12
    assert "media-src data:" in page
    assert len(page) < 10e6
    assert "The features of cochleagram were the values of the cochleagrams of the stimuli" in page
    form = "Sounds of heard were waveforms of 0.5 s with one channel and 20,000 samples per second."
    assert form in page
    assert "The input of waves was the waveform of a sound at 16,000 samples per second." in page
    assert "Cochleagrams (Feather et al. 2023) had 211 channels: 203 band-pass filters" in page


def test_a_readout_reads_files_of_sounds_as_the_set_was_read(results, tmp_path):
    (file,) = (results / "readouts" / "rec" / "cochleagram").glob("*.zarr.zip")
    predict_folder(file, results.parent / "sounds", tmp_path / "predicted.csv", device="cpu", batch_size=10)
    table = pd.read_csv(tmp_path / "predicted.csv", index_col="stimulus")
    dataset, readout = read_dataset(results / "stimuli" / "heard.zarr"), load_readout(file)
    assert [name.split(".")[0] for name in table.index] == dataset["stimulus"].values.tolist()
    np.testing.assert_allclose(table, readout.predict(dataset["waveform"].values, device="cpu"), rtol=1e-5)
    assert "- Form: Sounds of heard were waveforms of 0.5 s with one channel and 20,000 samples" in readout.card
    assert "Field of view" not in readout.card
