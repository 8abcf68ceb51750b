"""A config with every key at its top, and the small files that it names."""

from pathlib import Path

import numpy as np
from PIL import Image

from ventral.configuration.options import MOVED


def written(folder: Path) -> Path:
    """Write 12 images of 3 objects and their table, responses and spikes of 4 neurons, choices and matrices."""
    (folder / "images").mkdir()
    (folder / "photographs").mkdir()
    rng = np.random.default_rng(0)
    for k in range(12):
        image = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        image.save(folder / "images" / f"image{k}.png")
        image.save(folder / "photographs" / f"image{k}.png")
    rows = "".join(f"image{k},object{k % 3},category{k % 3},{k}\n" for k in range(12))
    (folder / "stimuli.csv").write_text(f"stimulus,object,category,pose\n{rows}")
    (folder / "neuroids.csv").write_text("neuroid,area\n" + "".join(f"n{k},V4\n" for k in range(4)))
    np.save(folder / "ceilings.npy", np.full(4, 0.5))
    np.save(folder / "responses.npy", rng.normal(size=(4, 12, 2)))
    trials = "".join(f"image{k % 12},{5 * k}\n" for k in range(24))
    (folder / "trials.csv").write_text(f"stimulus,photodiode\n{trials}")
    spikes = "".join(f"{k % 24 + 1},n{k % 4},{5 * (k % 24) + k}\n" for k in range(96))
    (folder / "spikes.csv").write_text(f"trial,neuroid,time\n{spikes}")
    choices = "".join(f"s{k // 12},image{k % 12},object{k % 4 % 3}\n" for k in range(24))
    (folder / "choices.csv").write_text(f"subject,stimulus,choice\n{choices}")
    np.savez(folder / "matrices.npz", it=1 - np.corrcoef(rng.normal(size=(12, 20))))
    return folder


def nested(folder: Path) -> dict:
    """Return the config of `rich` with the options of data sets and mappings where they live."""
    config = {key: value for key, value in rich(folder).items() if key not in MOVED}
    return config | {
        "dataset": {"kriegeskorte2008": {"folder": None}, "cowley2023": {"sessions": [210325]}},
        "mappings": {
            "ridge": {},
            "rsa": {"distances": ["cosine"], "comparisons": ["kendall"]},
            "pls": {"components": 3},
        },
    }


def rich(folder: Path) -> dict:
    """Return a config with every key at its top, and nearly every key below, for the files of `written`."""
    rendered = {"categories": ["cars", "faces", "trees"], "exemplars": 2, "images": 4, "size": 16, "shards": 2}
    areas = {"V4": {"layer": "_blocks.1", "neuroids": 3}, "X": {"layer": "_blocks.2", "neuroids": 3, "field": 0.5}}
    return {
        "results": str(folder / "results"),
        "dataset": ["kriegeskorte2008", "cowley2023"],
        "data_dir": None,
        "sessions": [210325],
        "stimuli": {
            "mine": {
                "images": str(folder / "images"),
                "table": str(folder / "stimuli.csv"),
                "circular": {"pose": 12},
                "size": 8,
            },
            "objects": {
                "render": {
                    **rendered,
                    "variation": ["low"],
                    "backgrounds": "noise",
                    "occlusion": [0, 0.5],
                    "clutter": [0, 2],
                    "noise": [0, 0.1],
                    "seed": 1,
                }
            },
            "training": {
                "render": {
                    **rendered,
                    "first_exemplar": 8,
                    "exemplars": 4,
                    "categories": {"boats": None, "trees": None, "planes": None},
                    "backgrounds": ["noise", str(folder / "photographs")],
                }
            },
        },
        "recordings": {
            "rec": {
                "stimuli": "mine",
                "responses": str(folder / "responses.npy"),
                "neuroids": str(folder / "neuroids.csv"),
                "ceiling": {"file": str(folder / "ceilings.npy"), "kind": "ncsnr", "repetitions": 2},
                "area": "IT",
                "animal": "M",
                "splits": ["stimuli", "objects"],
            },
            "spikes": {
                "stimuli": "mine",
                "trials": str(folder / "trials.csv"),
                "spikes": str(folder / "spikes.csv"),
                "onset": ["photodiode", 2],
                "bins": {"start": 0, "stop": 100, "width": 50, "step": 25, "counts": False},
                "baseline": [-2, 0],
                "models": ["pixels"],
            },
            "fmri": {
                "stimuli": "mine",
                "matrices": {"it": str(folder / "matrices.npz")},
                "area": {"it": "IT"},
                "models": ["pixels"],
            },
            "people": {
                "stimuli": "mine",
                "behaviour": {"trials": str(folder / "choices.csv"), "label": "object"},
                "models": ["pixels"],
            },
            "simulated": {
                "stimuli": "objects",
                "simulate": {
                    "teacher": "efficientnet_lite1",
                    "areas": areas,
                    "time_bins": [[0, 50], [50, 100]],
                    "repetitions": 3,
                    "fano": 1.0,
                    "spikes": 4,
                    "seed": 2,
                },
                "models": ["pixels", "conv1", "conv1.epoch0"],
            },
            "cowley2023_210325": {"models": ["pixels"]},
        },
        "models": {
            "pixels": None,
            "conv1": {
                "train": {
                    "stimuli": "training",
                    "label": "category",
                    "exclude": ["boats"],
                    "see": ["trees"],
                    "epochs": 3,
                    "patience": 2,
                    "batch_size": 8,
                    "learning_rate": 0.01,
                    "weight_decay": 0.1,
                    "validation": 0.5,
                    "checkpoints": [0, 1],
                    "device": "cpu",
                    "autocast": None,
                }
            },
            "apart1": {
                "architecture": "small_blt",
                "train": {"stimuli": "training", "label": "category", "apart": ["object"], "validation": 0.3},
            },
            "apart2": {
                "architecture": "small_b",
                "train": {"stimuli": "training", "label": "category", "apart": ["object"], "validation": 0.3},
            },
            "fitted": {"architecture": "conv2", "weights": "random", "train": {"recording": "rec"}},
        },
        "extraction": {
            "shards": 2,
            "jobs": 2,
            "device": "cpu",
            "batch_size": 4,
            "dtype": "float32",
            "autocast": None,
            "channels_last": False,
            "keep": True,
        },
        "grams": {"memory_mb": 100},
        "fits": {"device": "auto"},
        "recorded_models": ["rec"],
        "reverse": ["rec"],
        "inter_animal": ["cowley2023"],
        "r_squared_corrected": True,
        "decoding_over_time": {},
        "solution_times": True,
        "unseen": {"stimuli": "objects", "category": "faces", "models": ["pixels", "conv1.epoch0"]},
        "steps": {"conv1": {"start": 50, "width": 20}},
        "recurrence": {"networks": {"one": ["apart1"], "two": ["apart2"]}, "property": "variation"},
        "in_silico": {
            "tuning": {"models": ["conv1"], "readouts": True, "degrees": 4, "units": 5},
            "drive": {
                "recording": "rec",
                "neuroids": ["n0", "n1"],
                "model": "conv1",
                "judge": "pixels",
                "time_bin": None,
                "pool": "mine",
                "objectives": ["excite", "inhibit", "one_hot"],
                "seeds": 2,
                "start": "natural",
                "steps": 3,
                "parametrisation": "pixels",
                "learning_rate": 0.1,
                "jitter": 1,
                "scale": 0.1,
                "rotation": 2,
                "blur": 1,
                "total_variation": 0.1,
            },
            "next_experiment": {
                "recording": "simulated",
                "pool": "training",
                "candidates": {"pixels": ["pixels"], "conv1": "best"},
                "chosen": 3,
            },
        },
        "first_layers": {"models": ["conv1.epoch0"], "degrees": 4},
        "decoding": {"units": 3, "draws": 2, "models": ["pixels"]},
        "banded": {"pixels": ["pixels", "other"]},
        "partitions": {"what_conv1_adds": ["pixels", "conv1", {"column": "category"}]},
        "outputs": {"readouts": {"pixels": ["pixels"]}},
        "mappings": ["ridge", "rsa", "pls"],
        "rsa": {"distances": ["cosine"], "comparisons": ["kendall"]},
        "brainscore": True,
        "components": 3,
        "splits": ["stimuli"],
        "folds": 4,
        "penalties": {"lowest": 1e-3, "highest": 10, "number": 4},
        "reliability_threshold": 0.2,
        "prediction_reliability": True,
        "bootstrap": 100,
        "dask": "threads",
        "gres": {"extract": "gpu:1", "train": "gpu:a100:1"},
        "audit": {"sample": 2, "outputs": ["results/scores.parquet"]},
        "envmodules": ["cuda/12"],
        "seed": 3,
    }
