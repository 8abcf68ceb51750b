"""The whole way from spike counts and frames of movies to scores of held-out movies, made up and as published."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.workflow.conftest import run_config
from ventral.datasets.henaff2021 import COUNTS, FOLDERS, IMAGES, NEUROIDS, ROWS

MOVIES, FRAMES, UNITS, TRIALS = 6, 8, 4, 12


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Scores of units that count the brightness of quarters of the frames; the last unit sees nothing of them."""
    folder, rng = tmp_path_factory.mktemp("made_up"), np.random.default_rng(0)
    source = folder / "henaff2021"
    source.mkdir()
    frames = [(movie, frame) for movie in range(1, MOVIES + 1) for frame in range(1, FRAMES + 1)]
    quarters = rng.integers(0, 255, (len(frames), 2, 2), dtype=np.uint8)
    with zipfile.ZipFile(source / IMAGES, "w") as archive:
        for (movie, frame), pixels in zip(frames, quarters, strict=True):
            with archive.open(f"zoom1x/movie{movie}/natural{frame:02d}.png", "w") as file:
                Image.fromarray(pixels).resize((16, 16), Image.Resampling.NEAREST).save(file, format="png")
    rows = [("natural", movie, frame, f"zoom1x/movie{movie}/natural{frame:02d}.png") for movie, frame in frames]
    # The last row of a contrast series has trials of its own, which are not to be taken for those of frame 1.
    rows += [("contrast", movie, 11, f"zoom1x/movie{movie}/natural01.png") for movie in range(1, MOVIES + 1)]
    table = pd.DataFrame(rows, columns=["kind", "movie", "frame", "image"]).assign(zoom=1)
    table["title"] = [f"title{movie}" for movie in table["movie"]]
    table.to_csv(source / ROWS, index=False)
    rates = rng.uniform(0, 40, (UNITS, len(rows)))
    rates[:3, : len(frames)] = quarters.reshape(len(frames), 4).T[:3] / 6
    counts = rng.poisson(rates[:, :, None], (UNITS, len(rows), TRIALS)).astype(np.uint8)
    counts[:, ::3, -2:] = 255
    np.savez(source / COUNTS, counts=counts)
    pd.DataFrame({"animal": ["a", "a", "b", "b"]}).to_csv(source / NEUROIDS, index=False)
    config = {
        "dataset": {"henaff2021": {"folder": "henaff2021"}},
        "models": ["pixels"],
        "penalties": {"number": 5},
        "bootstrap": 100,
        "extraction": {"shards": 1},
    }
    run_config(folder, config, "results/scores.parquet")
    return pd.read_parquet(folder / "results" / "scores.parquet").query("target_kind == 'neuron'")


def test_units_made_of_frames_are_predicted_in_held_out_movies(made_up):
    assert set(made_up["split"]) == {"movie"}
    assert set(made_up["area"]) == {"V1"}
    assert (made_up["r"].iloc[:3] > 0.9).all()
    assert abs(made_up["r"].iloc[3]) < 0.5


@pytest.fixture(scope="module")
def published(data_dir, tmp_path_factory):
    """Scores of published units with a reliability above 0.5, as the independent computation took them."""
    if not (data_dir / FOLDERS[-1]).is_dir():
        pytest.skip(f"no {data_dir / FOLDERS[-1]}: it is to have {COUNTS}, {ROWS}, {IMAGES} and {NEUROIDS}")
    folder = tmp_path_factory.mktemp("henaff2021")
    config = {
        "dataset": {"henaff2021": {"folder": str(data_dir)}},
        "models": {"pixels": {"size": 64}, "v1like": {"layers": ["complex"]}},
        "bootstrap": 100,
        "extraction": {"shards": 1},
    }
    run_config(folder, config, "results/scores.parquet")
    scores = pd.read_parquet(folder / "results" / "scores.parquet")
    return scores.query("target_kind == 'neuron' and reliability > 0.5")


def test_v1like_filters_predict_v1_in_held_out_movies_and_pixels_do_not(published):
    r = published.groupby("model")["r"]
    assert (r.size() > 250).all()
    assert abs(r.median()["pixels"]) < 0.05
    assert r.median()["v1like"] > 0.2
