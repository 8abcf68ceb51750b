"""Which weights a model has: of its library, or others."""

import os


def is_folder(spec: dict) -> bool:
    """Say whether the weights of a model are those of a folder of the user's own."""
    return spec["weights"] not in (None, "pretrained", "random") and os.path.isdir(spec["weights"])  # noqa: PTH112


def has_weights_of_library(spec: dict) -> bool:
    """Say whether a model has the weights that its library saves: of the hub, or of a folder."""
    return spec["weights"] == "pretrained" or is_folder(spec)
