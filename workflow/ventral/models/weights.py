"""The kind of a model's weights: from its library, or others."""

import os


def is_folder(spec: dict) -> bool:
    """Tell whether the weights of a model are in a folder of the user."""
    return spec["weights"] not in (None, "pretrained", "random") and os.path.isdir(spec["weights"])  # noqa: PTH112


def has_weights_of_library(spec: dict) -> bool:
    """Tell whether a model has weights in the layout of its library, from the hub or a folder."""
    return spec["weights"] == "pretrained" or is_folder(spec)
