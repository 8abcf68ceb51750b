"""Responses in NIfTI: voxels of a mask, with the area of each by the mask's value."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from ventral.configuration.resolution import check_inputs, resolve
from ventral.errors import InputError
from ventral.recordings import ingestion as recordings
from ventral.stimuli import ingestion as stimuli
from ventral.store import read_dataset

# No axis can be told from another by its length.
SIDE, N_STIMULI, N_PRESENTATIONS = 5, 60, 120


def write(path, values):
    nibabel.Nifti1Image(values, np.eye(4)).to_filename(path)


@pytest.fixture
def given(tmp_path):
    """Return the config of 120 volumes of 60 stimuli, shown twice; labels 1 and 2 respond to one property each."""
    rng = np.random.default_rng(0)
    names = [f"image{k:02d}" for k in range(N_STIMULI)]
    properties = rng.standard_normal((N_STIMULI, 2))
    table = pd.DataFrame({"stimulus": names, "first": properties[:, 0], "second": properties[:, 1]})
    table.to_csv(tmp_path / "stimuli.csv", index=False)
    shown = rng.permutation(np.repeat(np.arange(N_STIMULI), 2))
    pd.DataFrame({"stimulus": [names[k] for k in shown]}).to_csv(tmp_path / "trials.csv", index=False)
    mask = rng.integers(0, 4, (SIDE,) * 3).astype(np.int16)
    signal = np.zeros((*mask.shape, N_STIMULI))
    signal[mask == 1], signal[mask == 2] = properties[:, 0], properties[:, 1]
    write(tmp_path / "mask.nii.gz", mask)
    write(tmp_path / "means.nii.gz", (signal + 0.1 * rng.standard_normal(signal.shape)).astype(np.float32))
    trials = signal[..., shown]
    write(tmp_path / "trials.nii", (trials + 0.3 * rng.standard_normal(trials.shape)).astype(np.float32))
    recording = {"stimuli": "set", "responses": str(tmp_path / "means.nii.gz"), "mask": str(tmp_path / "mask.nii.gz")}
    return {
        "stimuli": {"set": {"table": str(tmp_path / "stimuli.csv")}},
        "recordings": {"voxels": recording},
        "models": [],
        "results": str(tmp_path / "results"),
    }


def ingested(config, folder):
    config = resolve(config)
    check_inputs(config)
    stimuli.ingest(config["stimuli"]["set"], folder / "set.zarr", name="set")
    recordings.ingest(config["recordings"]["voxels"], folder / "set.zarr", folder / "voxels.zarr", name="voxels")
    return read_dataset(folder / "voxels.zarr"), pd.read_csv(folder / "stimuli.csv")


def r_of(recording, area, feature):
    means = recording["responses"].mean("repetition").values[:, recording["area"].values == area]
    return np.array([np.corrcoef(column, feature)[0, 1] for column in means.T])


@pytest.mark.parametrize("beside", ["nothing", "trials"])
def test_voxels_of_each_value_respond_to_their_property(given, tmp_path, beside):
    spec = given["recordings"]["voxels"]
    spec["area"] = {1: "V1", 2: "V2"}
    if beside == "trials":
        spec |= {"responses": str(tmp_path / "trials.nii"), "trials": str(tmp_path / "trials.csv")}
    recording, table = ingested(given, tmp_path)
    assert recording.sizes["repetition"] == (2 if beside == "trials" else 1)
    for area, own, other in (("V1", "first", "second"), ("V2", "second", "first")):
        assert r_of(recording, area, table[own]).min() > 0.9
        assert np.abs(r_of(recording, area, table[other])).max() < 0.5
    mask = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj)
    expected = {"_".join(map(str, place)): f"V{mask[tuple(place)]}" for place in np.argwhere(np.isin(mask, [1, 2]))}
    assert dict(zip(recording["neuroid"].values, recording["area"].values, strict=True)) == expected


def test_without_areas_all_voxels_of_the_mask_are_taken_in_the_order_of_the_table(given, tmp_path):
    mask = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj)
    labels = mask[mask != 0]
    rows = {"area": [f"area{label}" for label in labels], "depth": np.arange(len(labels))}
    pd.DataFrame(rows).to_csv(tmp_path / "voxels.csv", index=False)
    given["recordings"]["voxels"]["neuroids"] = str(tmp_path / "voxels.csv")
    recording, table = ingested(given, tmp_path)
    assert recording["depth"].values.tolist() == list(range(np.count_nonzero(mask)))
    assert recording["neuroid"].values[0] == "_".join(map(str, np.argwhere(mask)[0]))
    assert r_of(recording, "area1", table["first"]).min() > 0.9


def message(config):
    with pytest.raises(InputError) as caught:
        check_inputs(resolve(config))
    return str(caught.value)


def test_what_does_not_belong_to_volumes_is_refused(given, tmp_path):
    spec = given["recordings"]["voxels"]

    def said(**options):
        wanted = {name: value for name, value in (spec | options).items() if value is not None}
        return message(given | {"recordings": {"voxels": wanted}})

    mask = spec["mask"]
    assert "recordings.voxels.mask: missing; " in said(mask=None)
    assert "recordings.voxels.mask: belongs to `responses` in NIfTI" in said(responses="responses.npy")
    assert "recordings.voxels.array: " in said(array="betas")
    assert "is one array; leave `array` out" in said(array="betas")
    assert f"recordings.voxels.mask: no such file: {tmp_path / 'no.nii'}" in said(mask=str(tmp_path / "no.nii"))
    assert f"recordings.voxels.area: no voxel of {mask} has the value '7'; allowed: 0, 1, 2, 3" in said(area={7: "V4"})
    write(tmp_path / "other.nii", np.ones((SIDE, SIDE, SIDE + 1), dtype=np.int16))
    assert (
        f"recordings.voxels.responses: {spec['responses']}: volumes (5, 5, 5), where the mask is (5, 5, 6); a mask of "
        "the same space and resolution is right"
    ) in said(mask=str(tmp_path / "other.nii"))
    write(tmp_path / "other.nii", np.zeros((SIDE,) * 3, dtype=np.int16))
    assert f"recordings.voxels.mask: {tmp_path / 'other.nii'}: all its values are 0" in said(
        mask=str(tmp_path / "other.nii")
    )
    assert "its shape is (5, 5, 5); 4 axes are right" in said(responses=mask)
    write(tmp_path / "few.nii", np.zeros((*(SIDE,) * 3, 3), dtype=np.int16))
    assert "responses to 3 stimuli, where the set 'set' has 60" in said(responses=str(tmp_path / "few.nii"))
