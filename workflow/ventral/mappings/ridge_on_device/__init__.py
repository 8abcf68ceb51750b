"""Ridge regression of `ventral.mappings.ridge` and `ridge_test_set` in torch, on the CPU or on a GPU.

The identities are those of the NumPy engine. Only their order differs, because a GPU needs few large operations.
Several penalties are computed at a time. Their inverses, and those of all pairs of folds, are batches. On a device with
fast float64, all numbers are float64 and each penalty is used once. Errors and predictions of the best penalty so far
are kept. On other devices inner errors are float32, with the NumPy engine's check of precision, and predictions are
refined.

This package imports torch. So other modules of `ventral` import it only when they get tensors, never on load.
"""

from ventral.mappings.ridge_on_device.nested import nested_ridge_of_tensors, nested_ridge_on_device
from ventral.mappings.ridge_on_device.training_and_test import test_set_ridge_of_tensors, test_set_ridge_on_device

__all__ = [
    "nested_ridge_of_tensors",
    "nested_ridge_on_device",
    "test_set_ridge_of_tensors",
    "test_set_ridge_on_device",
]
