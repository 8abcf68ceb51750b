"""Synthesised stimuli are the known best ones of simple neurons, and controls and judges stand beside them."""

from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image

import ventral
from ventral.activations.extraction import extract_shards
from ventral.configuration.resolution import driven_neuroids, readouts_of, resolve, tuned_readouts
from ventral.errors import InputError
from ventral.figures.driven import OWN_ONLY, draw_drive
from ventral.grams.streaming import gram
from ventral.in_silico import ascent, controls
from ventral.in_silico.ascent import Look, Search, ascend, matched, moved
from ventral.in_silico.driven import resampled_means, summary
from ventral.in_silico.driving import Network, drive
from ventral.in_silico.images import KINDS, TABLE, read_png
from ventral.in_silico.objectives import Aim
from ventral.models.zoo import resolve_model
from ventral.readouts.making import readout
from ventral.recordings import ingestion as recordings
from ventral.recordings.time_bins import read_recording
from ventral.report.methods import _describe_drive
from ventral.scores.fitting import fit
from ventral.stimuli.images import read_pixels, resize, resized
from ventral.stimuli.ingestion import ingest
from ventral.store import read_dataset, write_dataset
from ventral.tables import read_parquet
from ventral.targets.values import neurons

SIDE, N = 12, 500
MODULE = """
from torch import nn

def smooth():
    return nn.Sequential(nn.Conv2d(3, 4, 5, stride=2), nn.Softplus(), nn.Conv2d(4, 6, 3), nn.Tanh())

def other():
    return nn.Sequential(nn.Conv2d(3, 5, 3, stride=2), nn.Softplus(), nn.Conv2d(5, 6, 3), nn.Tanh())

def stepped():
    class Step(nn.Module):
        def forward(self, x):
            return x.sign().detach()
    return nn.Sequential(nn.Conv2d(3, 4, 5, stride=2), Step())
"""
PRECISION = {"dtype": "float32", "autocast": None, "channels_last": False}
FITTED = {"penalties": [1e-6, 1e-3, 1e-1], "reliability_threshold": 0.1, "n_folds": 3, "seed": 0}
SEARCH = {"steps": 30, "parametrisation": "pixels", "jitter": 0, "scale": 0, "rotation": 0}


def gabor(orientation: float, wavelength: float) -> np.ndarray:
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    along = np.cos(orientation) * x + np.sin(orientation) * y
    return np.exp(-(y**2 + x**2) / (2 * 2.2**2)) * np.cos(2 * np.pi * along / wavelength + 1)


GABORS = np.stack([gabor(0.4, 5), gabor(1.8, 4)])


def responses_of(pixels: np.ndarray) -> np.ndarray:
    """The drive (n, neurons) of Gabor neurons by grey images (n, 3, side, side) of bytes: linear, rectified."""
    drive = np.einsum("nyx,kyx->nk", pixels[:, 0] / 255 - 0.5, GABORS)
    return np.concatenate([drive, np.maximum(drive, 0)], axis=1)


class Made:
    """White noise, the responses of Gabor neurons, and the readouts of networks fitted to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "images").mkdir()
        noise = np.random.default_rng(0).normal(0.5, 0.15, (N, SIDE, SIDE)).clip(0, 1)
        for k, image in enumerate((noise * 255).round().astype(np.uint8)):
            Image.fromarray(image).save(folder / "images" / f"image{k:03}.png")
        ingest({"images": str(folder / "images"), "degrees": 6}, folder / "stimuli.zarr", name="mine")
        self.pixels = read_pixels(folder / "stimuli.zarr", 0, N)
        stored = read_dataset(folder / "stimuli.zarr")
        values = np.repeat(responses_of(self.pixels)[None], 2, axis=0)
        n = values.shape[2]
        names = {
            "neuroid": np.array([f"n{k}" for k in range(n)], object),
            "area": ("neuroid", np.array(["V1"] * n, object)),
        }
        known = {"reliability": ("neuroid", np.full(n, 0.9)), "left_out": ("neuroid", np.full(n, "", object))}
        attributes = {
            "recording": "rec",
            "stimuli": "mine",
            "stimuli_sha256": stored.attrs["sha256"],
            "has_repetitions": True,
        }
        dataset = {"responses": (("repetition", "stimulus", "neuroid"), values), **known}
        names["stimulus"] = stored["stimulus"].values
        write_dataset(xr.Dataset(dataset, names, attributes), folder / "rec.zarr")

    def readouts(self, name: str, options: dict, layer: str) -> Path:
        spec, here = resolve_model(name, {**options, "layers": [layer]} if options else None), self.folder / name
        here.mkdir()
        stores = [
            here / "gram.zarr.zip",
            self.folder / "rec.zarr",
            self.folder / "stimuli.zarr",
            here / "scores.parquet",
        ]
        extract_shards(self.folder / "stimuli.zarr", spec, {0: (0, N)}, here / "features", **PRECISION, device="cpu")
        gram([here / "features"], stores[0])
        fit(*stores, splits=["stimuli"], n_bootstrap=100, **FITTED)
        readout([here / "features"], *stores, here / "readouts", layers="all", spec=spec, **PRECISION, **FITTED)
        return here / "readouts"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "nets_driven.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        run = Made(folder)
        own = {"mean": [0.5] * 3, "std": [0.2] * 3, "weights": "random"}
        run.pixels_read_out = run.readouts("pixels", {}, "")
        run.smooth = run.readouts("smooth", {"architecture": "nets_driven:smooth", "size": 14, "seed": 1, **own}, "3")
        run.other = run.readouts("other", {"architecture": "nets_driven:other", "size": None, "seed": 2, **own}, "3")
        run.stepped = run.readouts("stepped", {"architecture": "nets_driven:stepped", "size": None, **own}, "1")
        yield run


def only(folder: Path) -> "ventral.readouts.loading.Readout":
    (file,) = folder.glob("*.zarr.zip")
    return ventral.load_readout(file)


def test_gradients_equal_finite_differences(made):
    loaded = only(made.smooth)
    respond = loaded.differentiable(["n0", "n3"], device="cpu", double=True)
    rng = np.random.default_rng(3)
    images = torch.tensor(rng.uniform(0.2, 0.8, (1, 3, SIDE, SIDE)), requires_grad=True)
    for k in range(2):
        (gradient,) = torch.autograd.grad(respond(images)[0, k], images)
        largest = gradient.abs().max().item()
        for place in rng.integers(0, images.numel(), 40):
            step = torch.zeros(images.numel(), dtype=torch.float64)
            step[place] = 1e-4
            step = step.view_as(images)
            with torch.no_grad():
                slope = (respond(images + step) - respond(images - step))[0, k].item() / 2e-4
            assert abs(slope - gradient.flatten()[place].item()) < 1e-6 * largest


def test_differentiable_predictions_are_those_of_the_readout(made):
    for folder, tolerance in ((made.other, 1e-4), (made.pixels_read_out, 1e-4), (made.smooth, 0.1)):
        loaded = only(folder)
        expected = loaded.predict(made.pixels[:20]).values
        # Resized pixels of the network with a size are rounded to bytes in the run alone.
        found = loaded.differentiable(device="cpu")(torch.tensor(made.pixels[:20] / 255)).numpy()
        assert np.abs(found - expected).max() < tolerance * expected.std()
        chosen = loaded.differentiable(["n2", "n1"], device="cpu", double=True)(torch.tensor(made.pixels[:20] / 255))
        assert np.abs(chosen.numpy() - expected[:, [2, 1]]).max() < tolerance * expected.std()


def test_floats_are_resized_as_bytes_but_not_rounded():
    images = torch.tensor(np.random.default_rng(0).integers(90, 166, (3, 3, 20, 14)), dtype=torch.uint8)
    for interpolation in ("bicubic", "bilinear"):
        for shape in ((9, 31), (33, 14), (20, 14)):
            of_bytes = resized(images, shape, interpolation).double()
            found = resized(images.double(), shape, interpolation)
            # Kernels for bytes have rounded weights.
            assert (found - of_bytes).abs().max() < 1.1
            assert (found - of_bytes).abs().mean() < 0.3
    spec = {"size": 16, "interpolation": "bilinear", "degrees": 8, "stimuli": {"degrees": 4}}
    placed = resize(images.double(), spec)
    assert placed.shape == (3, 3, 16, 16)
    assert (placed - resize(images, spec).double()).abs().max() < 1.1


def correlation(image: np.ndarray, kernel: np.ndarray) -> float:
    """The correlation of a grey image (3, side, side) with a kernel, over the kernel's support."""
    support = np.abs(kernel) > 0.05 * np.abs(kernel).max()
    return np.corrcoef(image[0][support], kernel[support])[0, 1]


@pytest.mark.parametrize("parametrisation", ["pixels", "fourier"])
@pytest.mark.parametrize("neuron", range(4))
def test_the_synthesis_finds_the_gabor_of_a_neuron(made, neuron, parametrisation):
    respond = only(made.pixels_read_out).differentiable([f"n{neuron}"], device="cpu")
    search = Search(60, parametrisation, jitter=0, scale=0, rotation=0)
    images = ascend(
        lambda x: respond(x)[:, 0],
        Look((3, SIDE, SIDE), 0.5, 0.15, grey=True),
        search,
        [None] * 2,
        seed=0,
        device="cpu",
    )
    for image in images:
        assert correlation(image, GABORS[neuron % 2]) > 0.9
        assert (image == image[:1]).all()
        assert abs(image.mean() / 255 - 0.5) < 0.01
        assert abs(image.std() / 255 - 0.15) < 0.01


def test_transformations_blur_and_variation_keep_a_gabor(made):
    respond = only(made.pixels_read_out).differentiable(["n0"], device="cpu")
    search = Search(60, jitter=1, scale=0.05, rotation=4, blur=1, total_variation=0.1)
    look = Look((3, SIDE, SIDE), 0.5, 0.15, grey=True)
    one = ascend(lambda x: respond(x)[:, 0], look, search, [None], seed=0, device="cpu")
    assert correlation(one[0], GABORS[0]) > 0.9
    np.testing.assert_array_equal(one, ascend(lambda x: respond(x)[:, 0], look, search, [None], seed=0, device="cpu"))
    assert (one != ascend(lambda x: respond(x)[:, 0], look, search, [None], seed=1, device="cpu")).any()
    smoother = ascend(lambda x: respond(x)[:, 0], look, Search(60, total_variation=20), [None], seed=0, device="cpu")
    variation = [ascent.total_variation(torch.tensor(images / 255)).item() for images in (one, smoother)]
    assert variation[1] < variation[0]


def test_images_move_as_said():
    spot = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    spot[0, 0, 2, 6] = 1
    still = Search(1, jitter=0, scale=0, rotation=0)
    assert moved(spot, torch.ones(1, 4), still) is spot
    numbers = torch.tensor([[1.0, -0.5, 0, 0]], dtype=torch.float64)
    shifted = moved(spot, numbers, Search(1, jitter=2, scale=0, rotation=0))
    assert shifted[0, 0, 4, 5] == 1
    assert shifted.sum() == 1
    quarter = moved(spot, torch.ones(1, 4, dtype=torch.float64), Search(1, jitter=0, scale=0, rotation=90))
    np.testing.assert_allclose(quarter[0, 0], torch.rot90(spot[0, 0], -1), atol=1e-9)
    larger = moved(spot, torch.ones(1, 4, dtype=torch.float64), Search(1, jitter=0, scale=1, rotation=0))
    # From two pixels off the centre to four.
    assert larger[0, 0, 0, 8] == 1


def test_mean_and_contrast_are_matched_within_the_range():
    images = torch.tensor(np.random.default_rng(0).exponential(size=(4, 3, 10, 8)))
    found = matched(images, 0.4, 0.2)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found.mean(dim=(1, 2, 3)) - 0.4).abs().max() < 0.01
    assert (found.std(dim=(1, 2, 3)) - 0.2).abs().max() < 0.01


def test_a_mask_has_the_place_and_extent_of_an_image():
    y, x = np.indices((40, 40))
    spot = np.exp(-((y - 25) ** 2) / (2 * 4**2) - (x - 12) ** 2 / (2 * 2**2))
    mask = controls.mask_of(np.repeat(100 + 50 * spot[None], 3, axis=0) - 50 * spot.mean())
    assert np.unravel_index(mask.argmax(), mask.shape) == (25, 12)
    # The squared spot has half its variance, and the mask is the root of a Gaussian to the power 1.875.
    width = np.sqrt(-1 / (2 * np.log(mask[26, 12])))
    assert width == pytest.approx(np.sqrt(4**2 / 2 / (controls.POWER / 2)), rel=0.1)


def test_scores_of_objectives():
    responses = np.array([[3.0, 1.0], [1.0, 5.0]])
    mean, deviation = np.array([1.0, 1.0]), np.array([2.0, 4.0])
    expected = {
        "excite": [1, 0],
        "inhibit": [-1, 0],
        "one_hot": [np.e / (np.e + 1), 1 / (1 + np.e)],
    }
    for objective, values in expected.items():
        aim = Aim(objective, 0, mean, deviation)
        np.testing.assert_allclose(aim.score(responses), values)
        found = aim.differentiable(torch.tensor(responses))
        np.testing.assert_allclose(found.exp() if objective == "one_hot" else found, values)


OPTIONS = {
    **{"neuroids": ["n0", "n3"], "time_bin": None, "objectives": ["excite", "one_hot"], "start": "noise", "seeds": 2},
    **{"seed": 0, "reliability_threshold": 0.1, "device": "cpu", "search": SEARCH},
}


def driven(made: Made, output: Path, **changed: object) -> pd.DataFrame:
    stores = {"recording": made.folder / "rec.zarr", "stimuli": made.folder / "stimuli.zarr"}
    asked = {"readouts": made.smooth, "judges": made.other, "linear": made.pixels_read_out, **stores, **OPTIONS}
    drive(output=output, **{**asked, **changed})
    return read_parquet(output / TABLE)


@pytest.fixture(scope="module")
def table(made):
    return driven(made, made.folder / "driven", pool=made.folder / "stimuli.zarr")


def test_the_table_has_every_control_and_the_responses_of_its_files(made, table):
    kinds = ["synthesised", "synthesised", "natural", "natural_matched", "natural_masked", "pool", "gabor", "linear"]
    for _, rows in table.groupby(["neuroid", "objective"], sort=False):
        assert rows["kind"].tolist() == kinds
    assert table.groupby(["neuroid", "objective"], sort=False).ngroups == 4
    files = sorted(path.name for path in (made.folder / "driven").iterdir())
    assert files == sorted([*table["image"], TABLE])
    rows = table[(table["neuroid"] == "n3") & (table["objective"] == "excite")]
    paths = [made.folder / "driven" / file for file in rows["image"]]
    for column, folder in (("response", made.smooth), ("judged_response", made.other)):
        loaded = only(folder)
        np.testing.assert_allclose(rows[column], loaded.predict(paths).sel(neuroid="n3"), rtol=1e-4, atol=1e-5)
        natural = loaded.predict(made.pixels).sel(neuroid="n3").values
        drives = rows["drive" if column == "response" else "judged_drive"]
        np.testing.assert_allclose(drives, (rows[column] - natural.mean()) / natural.std(), rtol=1e-3, atol=1e-3)
        if column == "response":
            best = rows.set_index("kind").loc["natural"]
            assert best["response"] == pytest.approx(natural.max(), rel=1e-4)
            assert best["stimulus"] == f"image{natural.argmax():03}.png"
    with Image.open(paths[0]) as image:
        assert image.size == (SIDE, SIDE)
        assert image.text == {"degrees": "6"}
    assert (rows["degrees"] == 6).all()


def test_images_have_the_mean_and_contrast_of_the_recording(made, table):
    others = table[~table["kind"].isin(["natural", "gabor"])]
    expected = [made.pixels.mean() / 255, (made.pixels / 255).std(axis=(1, 2, 3)).mean()]
    assert np.abs(others[["mean", "contrast"]] - expected).to_numpy().max() < 0.01


def test_synthesised_images_beat_the_controls_of_their_network(table):
    for _, rows in table[table["objective"] == "excite"].groupby("neuroid"):
        best = rows.groupby("kind")["score"].max()
        assert best["synthesised"] > best.drop("synthesised").max()
        # The ascent begins at the best of the grid.
        assert best["natural"] >= best["pool"] - 3


def test_verdicts_follow_both_gains(table):
    for row in table.itertuples():
        expected = "no gain" if row.gain <= 0 else "confirmed" if row.judged_gain > 0 else "own network only"
        assert row.verdict == expected
        assert row.beyond_seen == (not row.lowest_seen <= row.response <= row.highest_seen)
    reference = table[table["kind"] == "natural_matched"]
    assert (reference[["gain", "judged_gain"]] == 0).all(axis=None)


def test_the_linear_control_is_the_gabor_of_a_linear_neuron(made, table):
    row = table[(table["neuroid"] == "n0") & (table["kind"] == "linear") & (table["objective"] == "excite")].iloc[0]
    assert correlation(read_png(made.folder / "driven" / row["image"]), GABORS[0]) > 0.95


def test_one_neuron_alone_has_a_larger_share_than_its_most_exciting_image(made, table):
    files = {
        name: made.folder / "driven" / rows.loc[rows["score"].idxmax(), "image"]
        for name, rows in table[(table["neuroid"] == "n3") & (table["kind"] == "synthesised")].groupby("objective")
    }
    loaded = only(made.smooth)
    natural = loaded.predict(made.pixels).values
    drives = (loaded.predict(list(files.values())).values - natural.mean(axis=0)) / natural.std(axis=0)
    share = dict(zip(files, np.exp(drives[:, 3]) / np.exp(drives).sum(axis=1), strict=True))
    assert share["one_hot"] > share["excite"]
    row = table[table["image"] == files["one_hot"].name].iloc[0]
    assert row["score"] == pytest.approx(share["one_hot"], rel=1e-3)


def test_a_killed_search_keeps_its_finished_images(made, tmp_path, monkeypatch):
    done = []

    def dies_at_the_second(*arguments, **options):
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt
        return ascend(*arguments, **options)

    monkeypatch.setattr(ascent, "ascend", dies_at_the_second)
    asked = {"neuroids": ["n0", "n1"], "objectives": ["excite"], "seeds": 1, "linear": None}
    with pytest.raises(KeyboardInterrupt):
        driven(made, tmp_path / "driven", **asked)
    assert not (tmp_path / "driven").exists()
    first = driven(made, tmp_path / "driven", **asked)
    # The first neuron's image is there; the second's is searched.
    assert len(done) == 3
    whole = driven(made, tmp_path / "whole", **asked)
    pd.testing.assert_frame_equal(first, whole)
    for file in first["image"]:
        assert (tmp_path / "driven" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


REFUSED = {
    "unknown neuron": ({"neuroids": ["n9"]}, r"drive.neuroids: the recording has no usable neuroid called 'n9'"),
    "time bin": ({"time_bin": "70-90"}, r"drive.time_bin: '70-90' is no time bin"),
    "the same network": ({"judges": "smooth"}, r"the judge has the same weights as the model"),
    "no gradient": ({"readouts": "stepped"}, r"layer 1 of stepped: its features have no gradient with respect to"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_searched_is_refused(made, tmp_path, name):
    changed, said = REFUSED[name]
    changed = {key: getattr(made, value, value) if isinstance(value, str) else value for key, value in changed.items()}
    with pytest.raises(InputError, match=said):
        driven(made, tmp_path / "driven", **{"objectives": ["excite"], **changed})
    assert not (tmp_path / "driven").exists()


def test_readouts_have_no_gradients_of_unknown_neurons(made):
    with pytest.raises(InputError, match=r"no neuroid is called 'n9'; allowed: n0, n1"):
        only(made.smooth).differentiable(["n9"], device="cpu")


OWN = {"architecture": "a.module:make", "layers": ["conv1", "conv2"]}
CONFIG = {
    "stimuli": {
        "mine": {"images": "images"},
        "large": {"images": "images", "degrees": 8},
        "heard": {"sounds": "sounds"},
    },
    "recordings": {
        "rec": {"stimuli": "mine", "responses": "r.npy"},
        "timed": {
            "stimuli": "mine",
            "responses": "r.npy",
            "time_bins": [[0, 50], [50, 100]],
            "models": ["net", "pixels"],
        },
        "fmri": {"stimuli": "mine", "matrices": "m.npz"},
        "ear": {"stimuli": "heard", "responses": "r.npy", "models": ["cochleagram"]},
    },
    "models": {"net": OWN, "other": OWN, "sift_bag": None, "pixels": None, "cochleagram": None},
}
DRIVE = {"recording": "rec", "neuroids": ["n1"], "model": "net", "judge": "other"}


def asked(drive: dict, **changed: object) -> dict:
    return resolve({**CONFIG, "in_silico": {"drive": {**DRIVE, **drive}}, **changed})


def test_the_readouts_that_a_search_needs_are_made_for_its_recording_alone():
    assert readouts_of(resolve(CONFIG)) == {}
    config = asked({})
    needed = {("rec", "net"): "best", ("rec", "other"): "best", ("rec", "pixels"): "all"}
    assert readouts_of(config) == needed
    assert config["outputs"]["readouts"] == {}
    assert config["grams"]["from"] == "activations"
    with_readouts = asked({}, outputs={"readouts": {"net": ["conv1"]}})
    assert readouts_of(with_readouts) == {**needed, ("rec", "net"): ["conv1"], ("timed", "net"): ["conv1"]}
    assert config["in_silico"]["drive"]["objectives"] == ["excite"]


def test_readouts_of_experiments_leave_those_of_the_config_as_they_are():
    following = {"recording": "timed", "pool": "mine", "candidates": {"net": ["conv2"], "pixels": "all"}}
    tuning = {"models": [], "readouts": True}
    experiments = {"drive": DRIVE, "next_experiment": following, "tuning": tuning}
    config = resolve({**CONFIG, "in_silico": experiments, "outputs": {"readouts": {"net": ["conv1"]}}})
    assert config["outputs"]["readouts"] == {"net": ["conv1"]}
    assert readouts_of(config) == {
        ("rec", "net"): ["conv1"],
        ("rec", "other"): "best",
        ("rec", "pixels"): "all",
        ("timed", "net"): ["conv1", "conv2"],
        ("timed", "pixels"): "all",
    }
    assert tuned_readouts(config) == [("rec", "net"), ("timed", "net")]
    with pytest.raises(InputError, match=r"tuning.readouts: no readouts of images are made"):
        resolve({**CONFIG, "in_silico": experiments})
    experiments["next_experiment"] = {**following, "recording": "rec"}
    with pytest.raises(InputError, match=r"drive takes one layer, .*, but readouts are of conv1, conv2; name one"):
        resolve({**CONFIG, "in_silico": experiments, "outputs": {"readouts": {"net": ["conv1"]}}})
    del experiments["tuning"]
    with pytest.raises(InputError, match=r"takes \['conv2'\]; set outputs.readouts.net to `all`"):
        resolve({**CONFIG, "in_silico": experiments})
    with pytest.raises(InputError, match=r"grams.from: .*, and in_silico.drive would read them"):
        asked({}, grams={"from": "forward"})


def test_of_several_layers_the_best_of_a_neurons_area_is_searched(made, tmp_path):
    """A run writes all layers, and says in each readout for which areas and time bins its layer is the best."""
    (smooth,) = made.smooth.glob("*.zarr.zip")
    both = tmp_path / "both"
    both.mkdir()
    (both / "first.zarr.zip").symlink_to(next(made.other.glob("*.zarr.zip")))
    (both / "second.zarr.zip").symlink_to(smooth)
    targets = neurons(read_recording(made.folder / "rec.zarr"))
    network = Network(both, targets)
    best = network._readouts[1].attributes["best_of"]
    assert best == ["V1"]
    network._readouts[0].attributes["best_of"] = ["V4"]
    assert network.readout(0).path == both / "second.zarr.zip"
    network._readouts[1].attributes["best_of"] = []
    with pytest.raises(InputError, match=r"no readout is of the best layer for V1, because no neuron there is"):
        network.readout(0)


def test_the_defaults_of_the_config_are_those_of_a_search():
    config = asked({})["in_silico"]["drive"]
    for entry in fields(Search):
        assert entry.default in (config[entry.name], MISSING)


WRONG = {
    "recording": ({"recording": "rek"}, r"drive.recording: no recording is called 'rek'; did you mean `rec`"),
    "matrices": ({"recording": "fmri"}, r"drive.recording: fmri has dissimilarity matrices; name a recording of"),
    "sounds": ({"recording": "ear"}, r"drive: the stimuli heard are no image files"),
    "pool": ({"pool": "min"}, r"drive.pool: no stimulus set is called 'min'; did you mean `mine`"),
    "pool of other degrees": ({"pool": "large"}, r"drive.pool: `degrees` differ \(large has 8, mine has none\)"),
    "pool of sounds": ({"pool": "heard"}, r"drive: the stimuli heard are no image files"),
    "model": ({"model": "nett"}, r"drive.model: no model called 'nett' is scored against rec; did you mean `net`"),
    "judge": ({"judge": "cochleagram"}, r"drive.judge: no model called 'cochleagram' is scored against rec"),
    "the model judges": ({"judge": "net"}, r"drive.judge: net is the model that is optimised; name another one"),
    "no gradient": ({"model": "sift_bag"}, r"drive.model: features of sift_bag have no gradient"),
    "time bin": ({"recording": "timed", "judge": "pixels"}, r"drive.time_bin: missing; timed has several time bins"),
    "objective": ({"objectives": ["delight"]}, r"in_silico.drive.objectives.0: 'delight' is not known"),
    "neurons": ({"neuroids": []}, r"in_silico.drive.neuroids"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_search_is_refused_by_the_config(name):
    changed, said = WRONG[name]
    with pytest.raises(InputError, match=said):
        asked(changed)


def test_a_search_needs_ridge_and_one_layer_of_a_model():
    with pytest.raises(InputError, match=r"in_silico.drive: readouts are of ridge regression; add `ridge`"):
        asked({}, mappings=["pls"])
    with pytest.raises(InputError, match=r"outputs.readouts.net: in_silico.drive takes one layer, or the best"):
        asked({}, outputs={"readouts": {"net": ["conv1", "conv2"]}})
    # A model without gradients may judge.
    asked({"judge": "sift_bag"})


def test_an_unknown_neuron_is_told_before_any_job(tmp_path):
    np.save(tmp_path / "responses.npy", np.zeros((3, 10)))
    (tmp_path / "neuroids.csv").write_text("neuroid,area\nn1,V4\nn2,V4\nn3,V4\n")
    spec = {"responses": str(tmp_path / "responses.npy"), "neuroids": str(tmp_path / "neuroids.csv")}
    assert recordings.check(spec, 10, asked=["n3"]) == 3
    with pytest.raises(
        InputError, match=r"in_silico.drive.neuroids: no neuroid of the recording is called 'n4'; .* n3"
    ):
        recordings.check(spec, 10, asked=["n3", "n4"])
    whole = asked({"neuroids": ["n4"]})
    assert driven_neuroids(whole, "rec") == ["n4"]
    assert driven_neuroids(whole, "timed") == driven_neuroids(resolve(CONFIG), "rec") == []


def test_the_summary_averages_neurons_and_seeds(table):
    found = summary(table, n_bootstrap=200, seed=0)
    assert found["kind"].tolist() == [kind for _ in range(2) for kind in KINDS]
    rows = table[(table["objective"] == "excite") & (table["kind"] == "synthesised")]
    row = found.iloc[0]
    assert row[["n_neuroids", "n_images"]].tolist() == [2, 4]
    assert row["gain"] == pytest.approx(rows["gain"].mean())
    assert row["share"] == pytest.approx(rows["judged_gain"].mean() / rows["gain"].mean())
    assert row["n_confirmed"] == (rows["verdict"] == "confirmed").sum()
    assert row["n_beyond"] == rows["beyond_seen"].sum()
    assert row["drive_low"] <= row["drive"] <= row["drive_high"]
    controls = found[found["kind"] != "synthesised"]
    assert controls["share"].isna().all()


def test_the_interval_is_that_of_neurons_and_seeds():
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(1, 400, 1)) + 2 * rng.normal(size=(1, 400, 3))) * np.ones((2, 1, 1))
    means = resampled_means(values, 500, 0)
    np.testing.assert_array_equal(means[0], means[1])
    # The variance over neurons of the mean over three seeds, and over drawn seeds within neurons once more.
    variance = (1 + 4 / 3 + 4 / 3 * 2 / 3) / 400
    assert means[0].std() == pytest.approx(np.sqrt(variance), rel=0.15)


def test_a_sheet_shows_the_images_and_marks_those_that_one_network_likes(made, table):
    changed = table.assign(verdict="own network only", beyond_seen=True)
    figure = draw_drive(changed, made.folder / "driven")
    (axes,) = figure.axes
    assert len(axes.images) == len(table)
    texts = [text for text in axes.texts if "|" in text.get_text()]
    assert len(texts) == len(table)
    assert {text.get_color() for text in texts} == {OWN_ONLY}
    assert all(text.get_text().endswith("!") for text in texts)
    titles = [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"]
    assert titles == [f"rec, V1: {name} (smooth, judge other)" for name in ("most exciting", "this neuron alone")]


def test_the_methods_say_how_images_were_found():
    config = asked({"objectives": ["excite", "one_hot"], "blur": 1, "total_variation": 0.5})
    said = " ".join(_describe_drive(config["in_silico"]["drive"], config))
    for part in (
        "For 1 neuron of rec",
        "Fourier spectrum",
        "through net",
        "of other judged",
        "2 pixels",
        "weight of 0.5",
    ):
        assert part in said
