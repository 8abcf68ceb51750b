"""Read representations, of model layers or recorded areas, from Gram matrices and samples of features."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ventral.mappings import rsa
from ventral.store import open_store


@dataclass(frozen=True)
class Representation:
    """Inner products of the stimuli's feature vectors, and a sample of the features.

    Attributes
    ----------
    gram : (n, n) array
        X X^T of all p features.
    row_sums : (n,) array
        Sum of each stimulus's features.
    units : (n, u) array
        Columns of X, drawn at random; all columns, in order, if p does not exceed the number kept.
    unit_features : (u,) integer array
        Numbers of these columns, ascending.
    n_features : int
        Number p of features.
    """

    gram: NDArray[np.float64]
    row_sums: NDArray[np.float64]
    units: NDArray
    unit_features: NDArray[np.intp]
    n_features: int

    @property
    def has_all_features(self) -> bool:
        """True if `units` holds all columns of X."""
        return self.units.shape[1] == self.n_features

    def select_stimuli(self, rows: NDArray) -> "Representation":
        """Return the representation of a subset of stimuli, or `self` if `rows` lists all stimuli in order."""
        if np.array_equal(rows, np.arange(len(self.gram))):
            return self
        return replace(self, gram=self.gram[np.ix_(rows, rows)], row_sums=self.row_sums[rows], units=self.units[rows])

    def dissimilarities(self, distance: str) -> NDArray[np.float64]:
        """Return the dissimilarity of every pair of stimuli, as `ventral.mappings.rsa.dissimilarities` does."""
        return rsa.dissimilarities(self.gram, self.row_sums, self.n_features, distance)


def read_representation(path: str | Path, layer: str) -> Representation:
    """Read a layer from a store of Gram matrices, as `ventral.grams.streaming.gram` writes it."""
    group = open_store(path)[layer]
    return Representation(
        gram=group["gram"][:],
        row_sums=group["row_sums"][:],
        units=group["sample"][:],
        unit_features=group["sampled_features"][:],
        n_features=group.attrs["n_features"],
    )
