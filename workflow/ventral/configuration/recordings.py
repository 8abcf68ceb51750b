"""Check which options of a recording go together."""

from ventral.errors import InputError
from ventral.recordings.volumes import is_volume


def check_kind(recording: dict, key: str) -> None:
    """Refuse a recording without responses or with several kinds of them, and options of another kind.

    Parameters
    ----------
    recording : dict
        What the config says of the recording.
    key : str
        Its key in the config, such as `recordings.mine`, for messages.

    Raises
    ------
    InputError
    """
    given = [kind for kind in ("responses", "trials", "nwb", "matrices", "behaviour", "simulate") if kind in recording]
    if len(given) != 1 and given != ["responses", "trials"]:
        raise InputError(
            f"config key {key}: it has {' and '.join(given) or 'neither'}; a recording has one of: `responses`, an "
            f"array; `trials`, a table of presentations; `nwb`, files with presentations and spikes; `matrices`, "
            f"published dissimilarity matrices; `behaviour`, a table of choices; `simulate`, options of simulated "
            f"neurons"
        )
    of_trials, of_nwb = ("counts", "spikes", "onset"), ("presentations", "stimulus_column")
    of_array = ("neuroids", "array", "axes", "time_bins", "bins", "baseline", "ceiling", "animal", "group", "mask")
    of_responses = (*of_array, *of_trials, *of_nwb)
    for option in (*of_responses, "area"):
        if "simulate" in recording and recording.get(option):
            raise InputError(f"config key {key}.{option}: belongs to `responses`; `simulate` has its own `areas`")
    for option in of_responses:
        if "matrices" in recording and recording.get(option):
            raise InputError(f"config key {key}.{option}: belongs to `responses`; of `matrices`, give the `area`")
    for option in (*of_responses, "area"):
        if "behaviour" in recording and recording.get(option):
            raise InputError(f"config key {key}.{option}: belongs to `responses`, not to `behaviour`; leave it out")
    for option in of_nwb:
        if "nwb" not in recording and recording.get(option):
            raise InputError(f"config key {key}.{option}: belongs to `nwb`, files with presentations and spikes")
    if "nwb" in recording:
        _check_nwb(recording, key)
    for option in of_trials:
        if not {"trials", "nwb"} & recording.keys() and recording.get(option):
            raise InputError(f"config key {key}.{option}: belongs to `trials`, a table of one row a presentation")
    if "trials" in recording:
        _check_trials(recording, key)
    _check_mask(recording, key)
    if "matrices" not in recording and not recording.get("mask") and isinstance(recording.get("area"), dict):
        raise InputError(
            f"config key {key}.area: one area of all neuroids; give that of each in the table `neuroids`, column `area`"
        )


def _check_mask(recording: dict, key: str) -> None:
    """Refuse volumes without a mask, a mask without volumes, and the name of an array of volumes."""
    is_volumes = is_volume(recording.get("responses", ""))
    if is_volumes and not recording.get("mask"):
        raise InputError(
            f"config key {key}.mask: missing; {recording['responses']} has volumes: give a NIfTI volume that is not 0 "
            f"where voxels are taken"
        )
    if recording.get("mask") and not is_volumes:
        raise InputError(f"config key {key}.mask: belongs to `responses` in NIfTI, .nii or .nii.gz; leave it out")
    if is_volumes and recording.get("array"):
        raise InputError(f"config key {key}.array: {recording['responses']} is one array; leave `array` out")


def _check_trials(recording: dict, key: str) -> None:
    """Refuse a trial table without responses or with several kinds of them, and options of another kind."""
    ways = [way for way in ("counts", "responses", "spikes") if recording.get(way)]
    if len(ways) != 1:
        raise InputError(
            f"config key {key}: beside `trials` it has {' and '.join(ways) or 'no responses'}; give either `counts`, "
            f"columns of the table, or `responses`, an array (presentation, neuroid), or `spikes`, a table of spikes"
        )
    if ways == ["spikes"]:
        _check_windows(recording, key)
    others = {"counts": ("array", "axes", "time_bins", "bins", "baseline", "onset"), "spikes": ("array", "axes")}
    for option in others.get(ways[0], ("onset",)):
        if recording.get(option):
            raise InputError(
                f"config key {key}.{option}: belongs to {'`spikes`' if option == 'onset' else '`responses`'}, not to "
                f"`{ways[0]}`; leave it out"
            )


def _check_nwb(recording: dict, key: str) -> None:
    """Refuse options that repeat the content of NWB files, and spikes without a window for the counts."""
    for option in ("neuroids", "array", "axes", "counts", "spikes"):
        if recording.get(option):
            raise InputError(f"config key {key}.{option}: `nwb` files have units and spikes themselves; leave it out")
    _check_windows(recording, key)


def _check_windows(recording: dict, key: str) -> None:
    if recording.get("bins") and recording.get("time_bins"):
        raise InputError(f"config key {key}.bins: spikes are counted in `bins` or in `time_bins`; give one of the two")
    if not recording.get("bins") and not recording.get("time_bins"):
        raise InputError(
            f"config key {key}.time_bins: missing; give start and end in ms of each window in which spikes are "
            f"counted, such as [[70, 170]]"
        )
