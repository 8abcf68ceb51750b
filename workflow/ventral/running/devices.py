"""Where a job computes: on the CPU, or on the GPU that it was given."""

from ventral.errors import InputError


def choose_device(name: str, key: str = "config key extraction.device") -> str:
    """Return `cpu` or `cuda`: the device that `auto`, `cpu` or `cuda` means here. For `cpu`, torch is not loaded.

    Parameters
    ----------
    name : str
        'auto', 'cpu' or 'cuda'.
    key : str
        Place of the name in the config, for messages.

    Raises
    ------
    InputError
        If a GPU is asked for and torch sees none.
    """
    if name == "cpu" or (name == "auto" and not _has_gpu()):
        return "cpu"
    if not _has_gpu():
        raise InputError(f"{key}: `cuda`, but torch sees no GPU here; set it to `auto` or `cpu`")
    return "cuda"


def _has_gpu() -> bool:
    try:
        import torch
    except ImportError:
        # The environment of jobs that need no network has no torch.
        return False
    return torch.cuda.is_available()
