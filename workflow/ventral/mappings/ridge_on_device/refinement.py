"""Errors of held-out stimuli in float64, from float64 inverses, or from float32 inverses by iterative refinement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ventral.mappings.held_out import LARGEST_DEFECT, MOST_REFINEMENTS, REFINED
from ventral.mappings.ridge_on_device.candidates import Candidate, refuse_failed
from ventral.mappings.ridge_on_device.matrices import penalised, replace_by_inverse_factor, symmetric_product


@dataclass(frozen=True)
class Group:
    """Folds to hold out together (none, one or two) as tensors of rows, and targets (n, c) for their fit."""

    members: Sequence[Tensor]
    values: Tensor


@dataclass(frozen=True)
class Dense:
    """P (n, n) of one candidate, in one precision."""

    inverse: Tensor

    def apply(self, values: Tensor) -> Tensor:
        """Return P times values (n, c)."""
        return self.inverse @ values.to(self.inverse.dtype)

    def block_factor(self, rows: Tensor) -> Tensor:
        """Return the Cholesky factor of P_SS (s, s), S some rows."""
        return _cholesky_factor(self.inverse[rows[:, None], rows])


@dataclass(frozen=True)
class Factored:
    """P (n, n) of one candidate as W^T W - 1 1^T fill, W (n, n) lower triangular, in one precision."""

    factor: Tensor
    fill: Tensor

    @classmethod
    def of(cls, candidate: Candidate, dtype: torch.dtype) -> "Factored":
        """Return the factored P of a candidate; NaN if the matrix is not positive definite in this precision."""
        factor = replace_by_inverse_factor(penalised([candidate.gram], candidate.penalty[None], dtype))[0]
        mean_direction = candidate.gram[0].sum() + candidate.penalty
        return cls(factor, (1 / (len(factor) * mean_direction)).to(dtype))

    def apply(self, values: Tensor) -> Tensor:
        """Return P times values (n, c)."""
        values = values.to(self.factor.dtype)
        return self.factor.mT @ (self.factor @ values) - self.fill * values.sum(dim=0)

    def block_factor(self, rows: Tensor) -> Tensor:
        """Return the Cholesky factor of P_SS (s, s), S some rows."""
        columns = self.factor[:, rows]
        return _cholesky_factor(columns.mT @ columns - self.fill)


def _cholesky_factor(matrix: Tensor) -> Tensor:
    """Return the lower Cholesky factor (s, s); NaN if the matrix is not positive definite in its precision."""
    factor, info = torch.linalg.cholesky_ex(matrix)
    return factor.masked_fill(info > 0, torch.nan)


def inverses_at(candidates: Sequence[Candidate], dtype: torch.dtype) -> Tensor:
    """Return P (m, n, n) of some candidates; NaN if a matrix is not positive definite in this precision."""
    penalties = torch.stack([candidate.penalty for candidate in candidates])
    grams = [candidate.gram for candidate in candidates]
    result = symmetric_product(replace_by_inverse_factor(penalised(grams, penalties, dtype)))
    # The sum of row 0 is the eigenvalue of 1, common to all rows.
    mean_direction = torch.stack([gram[0].sum() for gram in grams]) + penalties
    result -= (1 / (len(grams[0]) * mean_direction)).to(dtype)[:, None, None]
    return result


def is_precise(apply: Callable[[Tensor], Tensor], candidates: Sequence[Candidate]) -> list[bool]:
    """Tell for each candidate whether its float32 inverse is precise enough to be refined; False if it is NaN.

    Parameters
    ----------
    apply : function
        Multiplies float64 vectors (m, n, 4) by each candidate's P.
    candidates : sequence of m Candidates
    """
    gram = candidates[0].gram
    random = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(gram), 4, generator=random, dtype=torch.float64).to(gram.device)
    vectors -= vectors.mean(dim=0)
    lost = apply(torch.stack([of.gram @ vectors + of.penalty * vectors for of in candidates])) - vectors
    defect = (torch.linalg.vector_norm(lost, dim=1) / torch.linalg.vector_norm(vectors, dim=0)).amax(dim=1)
    return (defect <= LARGEST_DEFECT).tolist()


def held_out_errors(
    candidate: Candidate, groups: Sequence[Group], tolerance: float = REFINED, inverse: Dense | None = None
) -> list[list[Tensor]] | None:
    """Return the errors of held-out stimuli in float64, of fits without them.

    Parameters
    ----------
    candidate : Candidate
    groups : sequence of Group
        Groups of at least one fold.
    tolerance : float
        Largest residuals allowed, as a share of the targets.
    inverse : Dense, optional
        Inverse in float32 to refine. By default the faster of refinement and float64 is used.

    Returns
    -------
    list of lists of (rows, c) tensors
        Errors of each fold of each group. None if the given inverse cannot be refined.
    """
    n_targets = sum(group.values.shape[1] for group in groups)
    if inverse is not None or n_targets * 6 <= len(candidate.gram):
        refined = refined_fit(
            inverse or Dense(inverses_at([candidate], torch.float32)[0]), candidate, groups, tolerance
        )
        if refined is not None:
            _, errors = refined
            ends = [group.values.shape[1] for group in groups]
            parts = errors.split(ends, dim=1)
            return [[part[rows] for rows in group.members] for group, part in zip(groups, parts, strict=True)]
        if inverse is not None:
            return None
    precise = inverses_at([candidate], torch.float64)
    solved = [_solved_errors(Dense(precise[0]), group) for group in groups]
    refuse_failed([candidate], torch.stack([part.isnan().any() for parts in solved for part in parts]).any()[None])
    return solved


def _solved_errors(inverse: Dense, group: Group) -> list[Tensor]:
    rows = torch.cat(list(group.members))
    solved = torch.cholesky_solve(inverse.apply(group.values)[rows], inverse.block_factor(rows))
    return list(solved.split([len(fold) for fold in group.members]))


def refined_fit(
    inverse: Dense | Factored, candidate: Candidate, groups: Sequence[Group], tolerance: float = REFINED
) -> tuple[Tensor, Tensor] | None:
    """Return dual coefficients and errors (n, all targets) of fits without the groups, None without convergence.

    As in `ventral.mappings.held_out.refined_errors`, the residuals of float32 are fitted again until they are below
    `tolerance` times the targets. Errors of stimuli that are not held out are residuals.
    """
    responses = torch.cat([group.values for group in groups], dim=1)
    parts, start = [], 0
    trained = torch.ones_like(responses)
    for group in groups:
        columns = slice(start, start + group.values.shape[1])
        start = columns.stop
        if group.members:
            rows = torch.cat(list(group.members))
            trained[rows, columns] = 0
            parts.append((rows, columns, inverse.block_factor(rows)))
    n_training = trained.sum(dim=0)
    size = torch.linalg.vector_norm(trained * responses, dim=0)
    coefficients = torch.zeros_like(responses)
    unexplained = responses
    for _ in range(MOST_REFINEMENTS):
        # The intercept is the mean residual of the training part.
        errors = unexplained - (trained * unexplained).sum(dim=0) / n_training
        residual = trained * errors
        length = torch.linalg.vector_norm(residual, dim=0)
        if (length <= tolerance * size).all():
            return coefficients, errors
        length = torch.where(length == 0, 1.0, length)
        change = inverse.apply(residual / length)
        correction = torch.zeros_like(change)
        for rows, columns, factor in parts:
            correction[rows, columns] = torch.cholesky_solve(change[rows, columns], factor)
        change = trained * ((change - inverse.apply(correction)).double() * length)
        coefficients += trained * (change - change.sum(dim=0) / n_training)
        unexplained = responses - candidate.gram @ coefficients - candidate.penalty * coefficients
    return None


def dual_coefficients(candidate: Candidate, values: Tensor) -> Tensor:
    """Return dual coefficients (n, targets) in float64 of fits on all stimuli, by refinement if that is faster."""
    if values.shape[1] * 6 <= len(values):
        refined = refined_fit(Factored.of(candidate, torch.float32), candidate, [Group((), values)])
        if refined is not None:
            return refined[0]
    precise = Factored.of(candidate, torch.float64)
    refuse_failed([candidate], precise.factor[:1, 0].isnan())
    return precise.apply(values)
