"""Cholesky decomposition and triangular systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converters.torch_ops.linalg_parts import first_of, matrix_sizes, positions, substituted, unit, with_batch_of
from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor


@decomposition("aten::linalg_cholesky_ex")
def cholesky_ex(a: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """L_k = A_k / sqrt(A_kk), and A less L_k L_k^T, column after column; of one triangle only

    Where a pivot is not above zero, torch gives what LAPACK leaves, and here NaN follow; info says so in both.
    """
    del check_errors
    import torch

    size, _ = matrix_sizes(a, "Cholesky decomposition", 9)
    work = a.mT if upper else a
    numbers = positions(size, a)[:, None]
    columns, pivots = [], []
    for k in range(size):
        head = work[..., k : k + 1, k : k + 1]
        pivots.append(head[..., 0])
        column = work[..., k : k + 1] / head.sqrt()
        columns.append(torch.where(numbers >= k, column, torch.zeros_like(column)))
        if k < size - 1:
            work = work - columns[-1] * columns[-1].mT
    factor = torch.cat(columns, -1)
    return factor.mT if upper else factor, first_of(~(torch.cat(pivots, -1) > 0))


@decomposition("aten::cholesky", "aten::linalg_cholesky")
def cholesky(a: Tensor, upper: bool = False) -> Tensor:
    """The same without info"""
    return cholesky_ex(a, upper=upper)[0]  # type: ignore[no-any-return]


@decomposition("aten::cholesky_solve")
def cholesky_solve(b: Tensor, factor: Tensor, upper: bool = False) -> Tensor:
    """L (L^T x) = b"""
    lower = factor.mT if upper else factor
    once = substituted(lower, with_batch_of(b, factor), upper=False)
    return substituted(lower.mT, once, upper=True)


@decomposition("aten::cholesky_inverse")
def cholesky_inverse(factor: Tensor, upper: bool = False) -> Tensor:
    """The x of L L^T x = 1"""
    size, _ = matrix_sizes(factor, "inverse by Cholesky's factor", 12)
    return cholesky_solve(unit(size, factor), factor, upper)


@decomposition("aten::linalg_solve_triangular")
def solve_triangular(
    a: Tensor, b: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:  # fmt: skip
    """a x = b, or x a = b as a^T x^T = b^T; the batches of both are joined"""
    if not left:
        return solve_triangular(a.mT, b.mT, upper=not upper, unitriangular=unitriangular).mT
    return substituted(a, with_batch_of(b, a), upper=upper, unitriangular=unitriangular)


@decomposition("aten::triangular_solve")
def triangular_solve(
    b: Tensor, a: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:  # fmt: skip
    """a x = b or a^T x = b, and the coefficients as they were given"""
    b = with_batch_of(b, a)
    matrix = a.mT if transpose else a
    x = substituted(matrix, b, upper=upper != transpose, unitriangular=unitriangular)
    return x, with_batch_of(a, b).clone()
