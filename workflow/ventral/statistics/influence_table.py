"""Write and read the table of influences, which lets layers be compared without a refit.

`fit` writes this table beside scores. Layers are compared within a panel: the neurons of an area in a time bin, one
property of the stimuli, or one recorded matrix. All layers of all models have the same units and neurons in a panel.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.statistics.groups import FEWEST_UNITS, group_estimates, training_factor, varying_groups
from ventral.statistics.influence import Estimates, comparable_neurons, layer_estimates, summed_over_animals
from ventral.statistics.matrix_influence import matrix_estimates
from ventral.tables import by_run, read_parquet, write_parquet
from ventral.targets.selection import attainable
from ventral.targets.splits import Split
from ventral.targets.values import Targets

COLUMNS = {
    "model": "string",
    "family": "string",
    "recording": "string",
    "stimuli": "string",
    "layer": "string",
    "depth": "float64",
    "area": "string",
    "time_bin": "string",
    "target": "string",
    "target_kind": "string",
    "split": "string",
    "mapping": "string",
    "distance": "string",
    "comparison": "string",
    "kind": "string",
    "sampled": "string",
    "n_neurons": "int64",
    "has_ceiling": "bool",
    "theta": "float64",
    "stimuli_sha256": "string",
    "neuron_names_sha256": "string",
}
# Columns of lists: influences of units and of neurons, and the names of units that are groups.
LISTS = ["units", "neurons", "group_names"]
PANEL = ["recording", "area", "time_bin", "target", "target_kind", "split", "mapping", "distance", "comparison"]
SORTED_BY = [*PANEL, "model", "depth", "layer"]
# Split on which networks fitted to neurons are tested and compared with ridge regression.
FIRST_FOLD = "stimuli, fold 0"
# Columns that must be equal for layers to be comparable.
THE_SAME = {"stimuli_sha256": "stimuli", "neuron_names_sha256": "neurons", "group_names": "groups of stimuli"}


@dataclass(frozen=True)
class Panel:
    """Neurons, stimuli and folds on which layers are compared on one split, independent of predictions.

    Attributes
    ----------
    area, time_bin, target, target_kind : str
        Labels of the panel; `target` is the name of a property, or '' for the neurons of an area.
    columns : (K,) integer array
        Positions of these neurons among all targets.
    rows : (m,) integer array
        Rows of the stimuli that are in a fold and have a response of one of these neurons.
    responses : (m, K) array
        Responses; NaN if missing.
    folds : list of integer arrays
        Held-out folds of the m stimuli.
    group_names : (folds,) array of str
        Name of the group that each fold holds out, such as an object; empty for random folds and for a published test
        set.
    ceilings : (K,) array
        Ceilings of the neurons; 1 without repetitions.
    has_ceiling : bool
        True if r is divided by ceilings. For held-out groups, ceilings only choose neurons.
    animals : (K,) array of str
        Animal of each neuron if at least five animals were recorded; else empty.
    n_training : (K,) integer array or None
        Number of training stimuli of each neuron, for a split with a training set.
    names_sha256 : str
        Hash of the names of the targets.
    """

    area: str
    time_bin: str
    target: str
    target_kind: str
    columns: NDArray[np.intp]
    rows: NDArray[np.intp]
    responses: NDArray[np.float64]
    folds: Sequence[NDArray[np.intp]]
    group_names: NDArray
    ceilings: NDArray[np.float64]
    has_ceiling: bool
    animals: NDArray
    n_training: NDArray[np.intp] | None
    names_sha256: str

    def estimates(self, predictions: NDArray) -> Estimates:
        """Return score and influences of one layer from its held-out predictions (m, K)."""
        if len(self.group_names):
            found = group_estimates([predictions], self.responses, self.folds)
        else:
            found = layer_estimates([predictions], self.responses, self.folds, self.ceilings, self.n_training)
        return summed_over_animals(found, self.animals) if len(self.animals) else found

    def in_fold(self, fold: NDArray[np.intp]) -> "Panel":
        """Return the panel restricted to the stimuli of one fold, and to the neurons that vary there."""
        inside = np.flatnonzero(np.isin(self.rows, fold))
        responses, of_fold = self.responses[inside], [np.arange(len(inside))]
        kept = comparable_neurons(responses, of_fold, self.ceilings)
        return replace(
            self,
            columns=self.columns[kept],
            rows=self.rows[inside],
            responses=responses[:, kept],
            folds=of_fold,
            ceilings=self.ceilings[kept],
            animals=self.animals[kept] if len(self.animals) else self.animals,
            names_sha256=sha256_of(self.names_sha256, *np.flatnonzero(kept)),
            n_training=np.isfinite(np.delete(self.responses, inside, axis=0)[:, kept]).sum(axis=0),
        )

    @property
    def compared_groups(self) -> list[str]:
        """Names of the groups that are units."""
        if not len(self.group_names):
            return []
        return self.group_names[varying_groups(self.responses, self.folds)].tolist()


@dataclass(frozen=True)
class Compared:
    """Panels of one split.

    Attributes
    ----------
    split : str
    targets : Targets
        All targets.
    panels : sequence of Panel
    set_sha256 : str
        SHA-256 of the stimulus set.
    """

    split: str
    targets: Targets
    panels: Sequence[Panel]
    set_sha256: str

    def in_first_fold(self, fold: NDArray[np.intp]) -> "Compared":
        """Return the panels of areas restricted to fold 0, given its rows."""
        of_areas = [panel for panel in self.panels if panel.target_kind == "neuron" and np.isin(panel.rows, fold).any()]
        within = [panel.in_fold(fold) for panel in of_areas]
        return replace(self, split=FIRST_FOLD, panels=[panel for panel in within if len(panel.columns)])


def panels_of(
    targets: Targets,
    split: Split,
    threshold: float,
    animals: Mapping[str, str],
    given_ceilings: NDArray | None = None,
) -> list[Panel]:
    """Return the panels of one split: each area in each time bin, and each property.

    Parameters
    ----------
    targets : Targets
        All targets, with values for all n stimuli.
    split : Split
        Split with disjoint folds.
    threshold : float
        Lowest reliability of a compared neuron. In an area without any reliability, lowest square of a given ceiling.
    animals : mapping of str
        Animal of each neuron, if known.
    given_ceilings : (targets,) array, optional
        Largest attainable r that came with the data; NaN if missing, and all missing if not given.
    """
    of_neurons = targets.kinds == "neuron"
    given = np.full(len(of_neurons), np.nan) if given_ceilings is None else given_ceilings
    panels = []
    for area, time_bin in sorted(set(zip(targets.areas[of_neurons], targets.time_bins[of_neurons], strict=True))):
        columns = np.flatnonzero(of_neurons & (targets.areas == area) & (targets.time_bins == time_bin))
        ceilings, has_ceiling = _ceilings(targets.reliability[columns], given[columns], threshold)
        place = (str(area), str(time_bin), "", "neuron")
        panels.append(_panel(place, targets, columns, ceilings, has_ceiling, split, animals))
    for column in () if split.groups else np.flatnonzero(targets.kinds == "property"):
        place = ("", "", str(targets.names[column]), "property")
        panels.append(_panel(place, targets, np.array([column]), np.ones(1), False, split, {}))
    return [panel for panel in panels if len(panel.columns)]


def _ceilings(reliability: NDArray, given: NDArray, threshold: float) -> tuple[NDArray[np.float64], bool]:
    """Return the ceilings of an area's neurons (NaN if reliability is too low), and whether any neuron has one.

    Without any reliability, neurons with a high enough given ceiling are compared by r.
    """
    if np.isnan(reliability).all():
        return np.where(attainable(given, threshold), 1.0, np.nan), False
    return np.sqrt(np.where((reliability >= threshold) & (reliability > 0), reliability, np.nan)), True


def _panel(
    place: tuple[str, str, str, str],
    targets: Targets,
    columns: NDArray[np.intp],
    ceilings: NDArray,
    has_ceiling: bool,
    split: Split,
    animals: Mapping[str, str],
) -> Panel:
    known = np.isfinite(targets.values[:, columns])
    kept = split.suffices(known) & comparable_neurons(targets.values[:, columns], split.folds, ceilings)
    columns, rows = columns[kept], np.intersect1d(np.flatnonzero(known[:, kept].any(axis=1)), split.scored)
    left = [np.flatnonzero(np.isin(rows, fold)) for fold in split.folds]
    of_animals = np.array([animals.get(str(name), "") for name in targets.names[columns]])
    several = len(set(of_animals) - {""}) >= FEWEST_UNITS and "" not in of_animals
    return Panel(
        *place,
        columns=columns,
        rows=rows,
        responses=targets.values[np.ix_(rows, columns)],
        folds=[fold for fold in left if len(fold)],
        group_names=np.array([name for name, fold in zip(split.groups, left, strict=False) if len(fold)], dtype=str),
        ceilings=ceilings[kept],
        has_ceiling=has_ceiling and not split.groups,
        animals=of_animals if several else np.array([], dtype=str),
        n_training=None if split.is_nested else known[split.training][:, kept].sum(axis=0),
        names_sha256=sha256_of(*targets.names[columns]),
    )


def sha256_of(*parts: object) -> str:
    """Return the SHA-256 of a sequence of texts or numbers."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def influence_rows(parts: Sequence[tuple[NDArray, Targets, NDArray]], of_split: Compared, mapping: str) -> list[dict]:
    """Return the rows of one layer for a split and a mapping, skipping panels with unpredicted neurons.

    Parameters
    ----------
    parts : sequence of (predictions, group, rows)
        Held-out predictions, targets and stimuli of each group of targets with the same stimuli, as from
        `ventral.targets.values.grouped_by_missing`.
    of_split : Compared
    mapping : str
    """
    predictions = np.full(of_split.targets.values.shape, np.nan)
    column_of = {key: column for column, key in enumerate(_keys(of_split.targets))}
    for predicted, group, of_stimuli, *_folds in parts:
        predictions[np.ix_(of_stimuli, [column_of[key] for key in _keys(group)])] = predicted
    rows = []
    for panel in of_split.panels:
        of_panel = predictions[np.ix_(panel.rows, panel.columns)]
        if (np.isfinite(panel.responses) & ~np.isfinite(of_panel)).any():
            continue
        names = panel.compared_groups
        rows.append(
            {
                "area": panel.area,
                "time_bin": panel.time_bin,
                "target": panel.target,
                "target_kind": panel.target_kind,
                "split": of_split.split,
                "mapping": mapping,
                "kind": "groups" if names else "stimuli",
                "group_names": names,
                "sampled": "animals" if len(panel.animals) else "neurons",
                "n_neurons": len(panel.columns),
                "has_ceiling": panel.has_ceiling,
                "stimuli_sha256": sha256_of(of_split.set_sha256, *panel.rows),
                "neuron_names_sha256": panel.names_sha256,
                **_numbers(panel.estimates(of_panel)),
            }
        )
    return rows


def _keys(targets: Targets) -> Iterator[tuple[str, str, str]]:
    return zip(targets.kinds, targets.names, targets.time_bins, strict=True)


def _numbers(estimates: Estimates) -> dict:
    """Return the numbers of one layer as float32, which is more precise than their sampling errors."""
    return {
        "theta": float(estimates.theta[0]),
        "units": estimates.units[0].astype(np.float32),
        "neurons": estimates.neurons[0].astype(np.float32),
    }


def matrix_influence_rows(
    rows: pd.DataFrame, threshold: float, stimuli: Mapping[tuple[str, str, str], NDArray], set_sha256: str
) -> list[dict]:
    """Return the rows of one layer for recorded matrices, with subjects as the second unit.

    Parameters
    ----------
    rows : DataFrame
        Rows of the score table, with the column `influences` from `ventral.scores.geometry.geometry_rows`.
    threshold : float
        Lowest reliability of a compared matrix. Without a reliability, r is not divided.
    stimuli : mapping of integer arrays
        Rows of each matrix's stimuli, by area, time bin and target.
    set_sha256 : str
        SHA-256 of the stimulus set.
    """
    found = []
    place = ["area", "time_bin", "target", "mapping", "distance", "comparison"]
    for key, of_matrix in rows.groupby(place, sort=False):
        rho = of_matrix["reliability"].iloc[0]
        has_ceiling = bool(np.isfinite(rho))
        if of_matrix["r"].isna().any() or (has_ceiling and not (rho > 0 and rho >= threshold)):
            continue
        ceiling = np.sqrt(rho) if has_ceiling else 1.0
        subjects = [
            (r / ceiling, of_subject / ceiling)
            for r, of_subject in zip(of_matrix["r"], of_matrix["influences"], strict=True)
        ]
        found.append(
            {
                **dict(zip(place, key, strict=True)),
                "target_kind": "matrix",
                "split": "none",
                "kind": "stimuli",
                "group_names": [],
                "sampled": "subjects" if len(of_matrix) > 1 else "",
                "n_neurons": len(of_matrix),
                "has_ceiling": has_ceiling,
                "stimuli_sha256": sha256_of(set_sha256, *stimuli[key[:3]]),
                "neuron_names_sha256": sha256_of(key[2], *of_matrix["subject"]),
                **_numbers(matrix_estimates([subjects])),
            }
        )
    return found


def write_influences(table: pd.DataFrame, path: Path) -> None:
    """Write a table of influences with sorted rows."""
    table = table.reindex(columns=[*COLUMNS, *LISTS]).astype(COLUMNS).fillna({"distance": "", "comparison": ""})
    write_parquet(table.sort_values(SORTED_BY, ignore_index=True, kind="stable", key=by_run), path)


def read_influences(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read and join the tables that `ventral.scores.fitting.fit` wrote, adding the column `file`.

    Raises
    ------
    InputError
        If a file is not such a table.
    """
    tables = [pd.DataFrame(columns=[*COLUMNS, *LISTS, "file"]).astype(COLUMNS)]
    for path in paths:
        table = read_parquet(path)
        if missing := [column for column in (*COLUMNS, *LISTS) if column not in table]:
            raise InputError(f"{path}: not a table of influences: the columns {', '.join(missing)} are missing")
        if len(table):
            tables.append(table.assign(file=str(path)))
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    return table.sort_values(SORTED_BY, ignore_index=True, kind="stable", key=by_run)


def sampling_errors(influences: pd.DataFrame) -> pd.DataFrame:
    """Return the standard error of each layer's score of an area, for other stimuli or other held-out groups.

    Parameters
    ----------
    influences : DataFrame
        Influences from `read_influences`.

    Returns
    -------
    DataFrame
        Columns `recording`, `area`, `time_bin`, `split`, `mapping`, `model` and `layer`, and four more. `unit_error` is
        the standard error of r over the ceiling if `over_ceiling`, else of r. `unit` is the sampled unit, and `n_units`
        its number. Rows with fewer than two units are left out.
    """
    keys = ["recording", "area", "time_bin", "split", "mapping", "model", "layer"]
    n_units = influences["units"].map(len)
    rows = influences[(influences["target_kind"] == "neuron") & (n_units > 1)]
    # Influences of stimuli already include the error from training sets.
    factor = np.where(rows["kind"] == "groups", training_factor(n_units[rows.index]), 1.0)
    return rows[keys].assign(
        unit_error=rows["units"].map(np.linalg.norm).astype(float) * np.sqrt(factor),
        over_ceiling=rows["has_ceiling"],
        unit=rows["kind"].where(rows["kind"] == "stimuli", rows["split"]),
        n_units=n_units,
    )


def panel_estimates(rows: pd.DataFrame) -> Estimates:
    """Return the estimates of a panel's layers for `ventral.statistics.contrasts.contrast`.

    Parameters
    ----------
    rows : DataFrame
        Rows of one panel, from `read_influences`.

    Raises
    ------
    InputError
        If layers were scored on different stimuli, neurons or groups, or if a layer has two scores.
    """
    for column, noun in THE_SAME.items():
        values = [tuple(value) if column == "group_names" else value for value in rows[column]]
        other = next((k for k, value in enumerate(values) if value != values[0]), None)
        if other is not None:
            raise _not_joined(rows, other, f"scores of different {noun}")
    for column in ("units", "neurons"):
        sizes = rows[column].map(len).to_numpy()
        if (sizes != sizes[0]).any():
            other = int(np.flatnonzero(sizes != sizes[0])[0])
            raise _not_joined(rows, other, f"influences of {sizes[0]} and {sizes[other]} {column}")
    if (twice := rows.duplicated(["model", "layer"])).any():
        raise _not_joined(rows, int(np.flatnonzero(twice)[0]), "two scores of the same layer")
    units, neurons = (np.stack(rows[column].to_list()).astype(float) for column in ("units", "neurons"))
    return Estimates(rows["theta"].to_numpy(float), units, neurons)


def _not_joined(rows: pd.DataFrame, other: int, reason: str) -> InputError:
    place = ", ".join(filter(None, rows.iloc[0][["area", "time_bin", "target", "split", "mapping"]]))
    files = " and ".join(dict.fromkeys(rows["file"].iloc[[0, other]]))
    return InputError(
        f"{files}: {place}: {reason} cannot be compared; delete these files, and a rerun makes them again"
    )
