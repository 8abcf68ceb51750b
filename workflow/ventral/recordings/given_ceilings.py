"""Published noise ceilings of a recording: the largest attainable correlation with a neuroid's mean responses.

A ceiling is given as one of four kinds of numbers, from which the ceiling of r is computed:

- `reliability` is the share of signal in the variance of the mean responses, such as the split-half correlation after
  the formula of Spearman and Brown. The ceiling is its square root.
- `ncsnr` is the standard deviation of the signal divided by that of the noise of one response. The ceiling is the
  square root of `ncsnr^2 / (ncsnr^2 + 1/n)`, where 1/n is the mean over stimuli of 1 / repetitions. Allen et al. (2022,
  Nature Neuroscience 25:116) give the square of this ceiling in per cent.
- `snr` is the variance of the signal divided by that of the noise of one response. The ceiling is the same, with snr in
  place of ncsnr^2.
- `oracle` is the correlation of a response with the mean over the other repetitions (Walker et al. 2019, Nature
  Neuroscience 22:2060). It is the ceiling itself, which means over repetitions can exceed.
"""

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError, allowed_instead
from ventral.recordings.arrays import open_array

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("ventral")

# Kinds of numbers, and the largest of each.
KINDS = {"reliability": 1.0, "snr": np.inf, "ncsnr": np.inf, "oracle": 1.0}
# Kinds that need the number of repetitions.
OF_ONE_RESPONSE = ("snr", "ncsnr")
EXPECTED = "an npy file with one number a neuroid, in their order, is right"
# Names of further columns that may be ceilings.
ALIKE = re.compile(r"ceiling|reliab|oracle|ncsnr|consistency|split.?half|spearman.?brown|^(rho|snr|nc)$", re.IGNORECASE)
COLUMN = "given_ceiling"
# Column of the ratio of signal variance to noise variance of one response, if the ceiling depends on the stimuli.
RATIO = "given_signal_to_noise"


@dataclass(frozen=True)
class Given:
    """Published numbers of one kind for the neuroids.

    Attributes
    ----------
    numbers : (neuroids,) array
        NaN where a number is missing.
    kind : str
        A key of `KINDS`.
    column : str
        Column of the table of neuroids; '' for a file.
    place : str
        Source of the numbers, for messages.
    """

    numbers: NDArray[np.float64]
    kind: str
    column: str
    place: str


def numbers_given(spec: dict, neuroids: "pd.DataFrame", key: str) -> Given | None:
    """Return the numbers that the config names, or else those of a column with the name of a kind.

    Parameters
    ----------
    spec : dict
        A recording. Its `ceiling` has a `column` of the table of neuroids, or a `file`. The `kind` is optional for a
        column with the name of a kind. The number of `repetitions` is given if the responses do not tell it.
    neuroids : DataFrame
        One row for each neuroid.
    key : str
        Config key of `spec`, for messages.

    Returns
    -------
    Given or None
        None if there are no such numbers.

    Raises
    ------
    InputError
        If the column or file is missing, the kind is not known, or a number is out of range. Also if there are no
        numbers, or their number is not that of neuroids.
    """
    option = spec.get("ceiling") or {}
    if option.get("column") and option.get("file"):
        raise InputError(f"{key}.ceiling: it has `column` and `file`; ceilings are in either")
    if option.get("file"):
        place = f"{key}.ceiling.file: {option['file']}"
        given = Given(_numbers_of_file(option["file"], len(neuroids), key, place), _kind(option, "", key), "", place)
    else:
        column = option.get("column") or _column_found(option, neuroids, key)
        if column is None:
            return None
        if column not in neuroids:
            raise InputError(f"{key}.ceiling.column: {column!r} is no column; {allowed_instead(column, [*neuroids])}")
        place = f"{_place_of_table(spec, key)}: column `{column}`"
        given = Given(_numbers_of_column(neuroids[column], place), _kind(option, column, key), column, place)
    _check_range(given)
    return given


def check_repetitions(given: Given, spec: dict, repeated: bool, key: str) -> None:
    """Check that the number of repetitions is known if ceilings in the config need it.

    Raises
    ------
    InputError
        If the number of repetitions is not known.
    """
    if given.kind in OF_ONE_RESPONSE and not repeated and spec.get("ceiling") and not _repetitions(spec):
        raise InputError(
            f"{key}.ceiling: {_needs_repetitions(given)}; say how many were averaged: `ceiling: "
            f"{{{_source(given, spec)}, kind: {given.kind}, repetitions: N}}`"
        )


def with_given_ceilings(
    spec: dict, neuroids: "pd.DataFrame", responses: NDArray[np.float64], key: str
) -> tuple["pd.DataFrame", dict[str, str]]:
    """Return the table of neuroids with published ceilings of r, and attributes with their origin.

    Warnings name a column that was found by its name alone, and columns that look like ceilings and are not used.

    Parameters
    ----------
    spec : dict
        As for `numbers_given`.
    neuroids : DataFrame
        One row for each neuroid.
    responses : (repetitions, n, neuroids) array, or (repetitions, n, neuroids, bins)
        NaN where not shown.
    key : str
        Config key of `spec`, for messages.

    Returns
    -------
    neuroids : DataFrame
        If ceilings are given, the table has a column `given_ceiling`, from 0 to 1 and NaN where one is missing. If the
        kind is `snr` or `ncsnr` and the responses tell the repetitions, it also has `given_signal_to_noise`. A column
        `reliability` is removed, since the store has its own.
    attributes : dict of str
        `given_ceiling_kind` and `given_ceiling_from`, if any are given.

    Raises
    ------
    InputError
        As for `numbers_given` and `check_repetitions`, and if the config names ceilings for a recording with bins of
        time.
    """
    given = numbers_given(spec, neuroids, key)
    kept = neuroids.drop(columns="reliability", errors="ignore")
    counts = np.count_nonzero(~np.isnan(responses), axis=0)
    unused = _why_unused(given, spec, counts, key) if given else ""
    _report_unused(neuroids, given, unused, spec, key)
    if given is None or unused:
        return kept, {}
    repetitions = _repetitions(spec)
    inverse = one_over_repetitions(counts) if repetitions is None else np.full(len(neuroids), 1 / repetitions)
    ceilings = ceilings_of_r(given, inverse)
    _report(given, ceilings, spec)
    of_one_response = {RATIO: ratios(given)} if given.kind in OF_ONE_RESPONSE and repetitions is None else {}
    return kept.assign(**{COLUMN: ceilings}, **of_one_response), {
        "given_ceiling_kind": given.kind,
        "given_ceiling_from": given.column or "a file of its own",
    }


def ceilings_of_r(given: Given, inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest attainable correlations (neuroids,); 0 for negative estimates, NaN for missing ones.

    Parameters
    ----------
    given : Given
    inverse : (neuroids,) array
        Mean over stimuli of 1 / repetitions, which only `snr` and `ncsnr` need.
    """
    numbers = np.maximum(given.numbers, 0)
    if given.kind == "oracle":
        return numbers
    if given.kind == "reliability":
        return np.sqrt(numbers)
    return largest_r(ratios(given), inverse)


def ratios(given: Given) -> NDArray[np.float64]:
    """Return the ratio of signal variance to noise variance of one response (neuroids,), from `snr` or `ncsnr`."""
    return given.numbers if given.kind == "snr" else given.numbers**2


def largest_r(ratio: NDArray[np.float64], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest attainable r (neuroids,), given `ratios` and the mean over stimuli of 1 / repetitions."""
    return np.sqrt(ratio / (ratio + inverse))


def one_over_repetitions(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean of 1 / repetitions (neuroids,) over the stimuli shown to each neuroid; 1 without stimuli.

    Parameters
    ----------
    counts : (n, neuroids) array
        Number of repetitions of each stimulus.
    """
    shown = counts > 0
    inverse = np.divide(1.0, counts, out=np.zeros(counts.shape), where=shown)
    return np.divide(inverse.sum(axis=0), shown.sum(axis=0), out=np.ones(counts.shape[1]), where=shown.any(axis=0))


def _column_found(option: dict, neuroids: "pd.DataFrame", key: str) -> str | None:
    found = [column for column in neuroids if column in KINDS]
    if len(found) > 1:
        raise InputError(
            f"{key}.neuroids: the columns `{'`, `'.join(found)}` may all be ceilings; say which one is: "
            f"`ceiling: {{column: {found[0]}}}`"
        )
    if option and not found:
        raise InputError(
            f"{key}.ceiling: it names neither a `column` nor a `file`, and no column of neuroids is called "
            f"{', '.join(KINDS)}"
        )
    return found[0] if found else None


def _kind(option: dict, column: str, key: str) -> str:
    kind = option.get("kind") or column
    if kind not in KINDS:
        raise InputError(f"{key}.ceiling: say which kind of numbers they are: `kind`, one of {', '.join(KINDS)}")
    return kind


def _place_of_table(spec: dict, key: str) -> str:
    name = next(name for name in ("neuroids", "responses", "trials", "nwb") if spec.get(name))
    return f"{key}.{name}: {spec[name]}"


def _numbers_of_file(path: str, n_neuroids: int, key: str, place: str) -> NDArray[np.float64]:
    array = open_array(path, f"{key}.ceiling.file", EXPECTED)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{place}: its values are {array.dtype}; {EXPECTED}")
    if array.shape != (n_neuroids,):
        raise InputError(f"{place}: its shape is {array.shape}, where there are {n_neuroids} neuroids; {EXPECTED}")
    return np.array(array, dtype=np.float64)


def _numbers_of_column(values: "pd.Series", place: str) -> NDArray[np.float64]:
    import pandas as pd

    # A column without numbers was read as text.
    values = values.replace("", np.nan) if values.dtype.kind == "O" else values
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(numbers) & values.notna().to_numpy())
    if len(wrong):
        raise InputError(
            f"{place}: data row {wrong[0] + 1}: {values.iloc[wrong[0]]!r} is no number ({len(wrong)} such rows)"
        )
    return numbers


def _check_range(given: Given) -> None:
    if np.isnan(given.numbers).all():
        raise InputError(f"{given.place}: no number; one for each neuroid, or for some of them, is right")
    # Estimates of correlations scatter around 0.
    lowest, highest = (-1.0 if KINDS[given.kind] == 1 else 0.0), KINDS[given.kind]
    numbers = np.where(np.isnan(given.numbers), 0.0, given.numbers)
    wrong = np.flatnonzero((numbers < lowest) | (numbers > highest) | np.isinf(numbers))
    if len(wrong):
        right = "a correlation, 1 at most" if highest == 1 else "a finite number, 0 or more"
        raise InputError(
            f"{given.place}: data row {wrong[0] + 1} is {given.numbers[wrong[0]]:g} ({len(wrong)} such rows); "
            f"`{given.kind}` is {right}; if the numbers are of another kind, say it: `ceiling: {{kind: ...}}`"
        )


def _why_unused(given: Given, spec: dict, counts: NDArray[np.intp], key: str) -> str:
    """Return the reason why ceilings that the config does not name cannot be used; '' if they can.

    Raises
    ------
    InputError
        If the config names ceilings that cannot be used.
    """
    if counts.ndim == 3:
        reason = "ceilings of neuroids are of no single bin of time"
        if spec.get("ceiling"):
            raise InputError(f"{key}.ceiling: {reason}, and the recording has {counts.shape[2]}; leave `ceiling` out")
        return reason
    repeated = bool((counts > 1).any())
    check_repetitions(given, spec, repeated, key)
    return "" if given.kind not in OF_ONE_RESPONSE or repeated or _repetitions(spec) else _needs_repetitions(given)


def _needs_repetitions(given: Given) -> str:
    return f"`{given.kind}` makes no ceiling without the number of repetitions, which the responses do not tell"


def _source(given: Given, spec: dict) -> str:
    return f"column: {given.column}" if given.column else f"file: {spec['ceiling']['file']}"


def _repetitions(spec: dict) -> int | None:
    return (spec.get("ceiling") or {}).get("repetitions")


def _report(given: Given, ceilings: NDArray[np.float64], spec: dict) -> None:
    level = logging.INFO if spec.get("ceiling") else logging.WARNING
    how = "" if spec.get("ceiling") else f", by its name alone; `ceiling: {{column: {given.column}}}` confirms it"
    logger.log(
        level,
        "%s: taken for ceilings of the kind `%s`%s: median of the largest attainable r %.2f; where there are no "
        "repetitions, `reliability_threshold` refers to its square",
        given.place,
        given.kind,
        how,
        np.nanmedian(ceilings),
    )
    lacking, negative = np.isnan(ceilings).sum(), (given.numbers < 0).sum()
    if lacking or negative:
        logger.warning(
            "%s: among %d neuroids, %d have no ceiling, and %d have a negative estimate, which counts as 0",
            given.place,
            len(ceilings),
            lacking,
            negative,
        )


def _report_unused(neuroids: "pd.DataFrame", given: Given | None, unused: str, spec: dict, key: str) -> None:
    if unused:
        logger.warning("%s: not used: %s", given.place, unused)
    others = [column for column in neuroids if ALIKE.search(column) and (given is None or column != given.column)]
    if "reliability" in others and spec.get("ceiling"):
        logger.warning("%s: column `reliability` left out, as the store has its own", _place_of_table(spec, key))
    if others and not spec.get("ceiling"):
        logger.warning(
            "%s: `%s`: not used; if these are ceilings, say which and of which kind: `ceiling: {column: %s, kind: %s}`",
            _place_of_table(spec, key),
            "`, `".join(others),
            others[0],
            "|".join(KINDS),
        )
