"""Columns of a stimulus set as representations: labels as one feature each, properties as numbers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.errors import InputError, allowed_instead
from ventral.stimuli.circular import sine_and_cosine


def column_features(values: ArrayLike, period: float | None = None) -> NDArray[np.float64]:
    """Return the features (n, p) of a column of the stimuli.

    Parameters
    ----------
    values : (n,) array
        Text has one feature for each label, 1 for stimuli with the label and 0 for others. Numbers are one feature.
    period : float, optional
        Period of a circular property, which has two features, sine and cosine.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        return (values.astype(str)[:, None] == np.unique(values.astype(str))).astype(float)
    values = values.astype(float)
    return sine_and_cosine(values, period) if period else values[:, None]


def check_column(column: str, columns: Mapping[str, ArrayLike], stimuli: str, key: str) -> None:
    """Check that a column of a stimulus set can stand for a model.

    Parameters
    ----------
    column : str
        Name of the column.
    columns : mapping of (n,) arrays
        Columns of the stimulus set, by name.
    stimuli, key : str
        Name of the set, and config key of the column, for messages.

    Raises
    ------
    InputError
        If there is no such column, or if its values are missing for some stimuli or all the same.
    """
    if column not in columns:
        raise InputError(
            f"config key {key}: the stimuli {stimuli} have no column {column!r}; "
            f"{allowed_instead(column, sorted(columns))}"
        )
    values = np.asarray(columns[column])
    missing = ~np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) == ""
    if missing.any():
        raise InputError(
            f"config key {key}: column {column!r} of the stimuli {stimuli} has no value for {missing.sum()} of "
            f"{len(values)} stimuli; fill the column in, or leave it out here"
        )
    if len(np.unique(values)) < 2:
        raise InputError(
            f"config key {key}: column {column!r} of the stimuli {stimuli} has the same value for all stimuli, and "
            f"predicts nothing; leave it out here"
        )
