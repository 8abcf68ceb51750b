"""Ridge regression that is fitted on one training set and predicts one test set."""

from collections.abc import Sequence
from dataclasses import dataclass

from dask.delayed import Delayed
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class TestSetRidge:
    """Predictions of a test set.

    Attributes
    ----------
    predictions : (n_test, targets) array
        In the order of the test rows.
    penalty : (targets,) array
        The penalty chosen for each target.
    candidate : (targets,) integer array
        Its place among the candidates.
    """

    predictions: NDArray
    penalty: NDArray
    candidate: NDArray


def test_set_ridge(
    gram: ArrayLike,
    responses: ArrayLike,
    training: ArrayLike,
    test: ArrayLike,
    inner: Sequence[ArrayLike],
    penalties: ArrayLike,
) -> TestSetRidge:
    """Predict every target for the test stimuli by ridge regression on the training stimuli."""
    raise NotImplementedError


def test_set_ridge_graph(
    candidates: Sequence[tuple[NDArray | Delayed, float | Delayed]],
    responses: NDArray,
    training: NDArray,
    test: NDArray,
    inner: Sequence[NDArray],
) -> Delayed:
    """Return the computation of `test_set_ridge` as a Dask graph."""
    raise NotImplementedError


def cheaper_test_set_graph(
    gram: NDArray | Delayed,
    features: NDArray | Delayed | None,
    n_features: int,
    penalties: Sequence[float | Delayed],
    responses: NDArray,
    training: NDArray,
    test: NDArray,
    inner: Sequence[NDArray],
) -> Delayed:
    """Return the computation in whichever of the two forms takes less time."""
    raise NotImplementedError


def bytes_needed(
    n_training: int, n_test: int, n_features: int | None, n_targets: int, inner_sizes: Sequence[int], at_once: int
) -> int:
    """Return the most memory that the computation takes, the Gram matrix or the features included."""
    raise NotImplementedError
