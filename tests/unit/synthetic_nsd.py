"""Made-up files of NSD, of its layout but for small volumes and images: each area's voxels are made of one feature."""

from pathlib import Path

import h5py
import nibabel
import numpy as np
from scipy.io import savemat

from ventral.datasets import nsd

FEATURE_OF_AREA = {"V1": 0, "V2": 1, "V3": 2, "V4": 3, "IT": 4}
# No axis can be told from another by its length.
SIDE = 6
NOISE, SIGNAL = 1.0, 1.0
N_IMAGES, N_SHARED = 500, 100


def write_volume(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(values, np.eye(4)).to_filename(path)


def paths_of(folder: Path, subject: str) -> dict[str, Path]:
    rois, betas = folder / nsd.ROIS.format(subject), folder / nsd.BETAS.format(subject)
    return {
        "visual": rois / "prf-visualrois.nii.gz",
        "streams": rois / "streams.nii.gz",
        "ncsnr": betas / "ncsnr.nii.gz",
        "betas": betas,
    }


def write_subject(folder: Path, number: int, features: np.ndarray, shown: np.ndarray) -> None:
    """Write the volumes of a subject, and two sessions of betas: the first as HDF5, the second as NIfTI."""
    rng, place = np.random.default_rng(number), paths_of(folder, f"subj{number:02d}")
    # As NIfTI files have them: (x, y, z). -1 is outside of the cortex.
    visual = rng.choice([-1, 0, 0, *range(1, 8)], (SIDE,) * 3).astype(np.int16)
    streams = rng.choice([-1, 0, 1, 2, 5, 5, 6], (SIDE,) * 3).astype(np.int16)
    areas = np.full(visual.shape, -1)
    areas[streams == 5] = FEATURE_OF_AREA["IT"]
    for label, area in enumerate(("V1", "V1", "V2", "V2", "V3", "V3", "V4"), 1):
        areas[visual == label] = FEATURE_OF_AREA[area]
    ncsnr = np.full(visual.shape, SIGNAL / NOISE, dtype=np.float32)
    ncsnr[rng.random(visual.shape) < 0.1] = 0.1
    ncsnr[0, 0, 0] = np.nan
    for name, values in (("visual", visual), ("streams", streams), ("ncsnr", ncsnr)):
        write_volume(place[name], values)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    for session in range(2):
        trials = shown[session * nsd.TRIALS : (session + 1) * nsd.TRIALS]
        signal = np.where(areas >= 0, SIGNAL * standard[trials][:, areas], 0)
        change = signal + NOISE * rng.standard_normal(signal.shape)
        # Sessions differ in the offset and gain of every voxel.
        change = rng.uniform(-9, 9, visual.shape) + rng.uniform(0.3, 3, visual.shape) * change
        betas = np.round(300 * change).astype(np.int16)
        if session == 0:
            with h5py.File(place["betas"] / "betas_session01.hdf5", "w") as file:
                file["betas"] = betas.transpose(0, 3, 2, 1)
        else:
            write_volume(place["betas"] / "betas_session02.nii.gz", betas.transpose(1, 2, 3, 0))


def write_nsd(folder: Path) -> None:
    """Write two sessions each of subjects 1 and 2, in which every image was shown three times."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((73000, 2, 5, 3), dtype=np.uint8)
    pixels[:] = rng.integers(0, 256, (73000, 1, 5, 1), dtype=np.uint8)
    (folder / nsd.IMAGES).parent.mkdir(parents=True)
    with h5py.File(folder / nsd.IMAGES, "w") as file:
        file["imgBrick"] = pixels
    shared, others = np.split(1 + rng.permutation(73000), [1000])
    ids = np.stack([np.concatenate([shared, rng.permutation(others)[:9000]]) for _ in range(8)])
    order = rng.integers(1, 10001, (1, 30000))
    # The first thousand images of a subject are those that all saw.
    seen = np.concatenate([rng.permutation(1000)[:N_SHARED], 1000 + rng.permutation(9000)[: N_IMAGES - N_SHARED]])
    order[0, : 2 * nsd.TRIALS] = 1 + rng.permutation(np.repeat(seen, 3))
    (folder / nsd.DESIGN).parent.mkdir(parents=True)
    design = {"masterordering": order, "subjectim": ids, "sharedix": np.sort(shared)[None]}
    savemat(folder / nsd.DESIGN, {name: values.astype(float) for name, values in design.items()})
    features = pixels[:, 0, :, 0].astype(float)
    for number in (1, 2):
        shown = ids[number - 1, order[0, : 2 * nsd.TRIALS] - 1] - 1
        write_subject(folder, number, features, shown)
