"""LU decomposition with partial pivoting, and what rests on it: inverses, solutions, determinants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converters.torch_ops.linalg_parts import (
    diagonal_of,
    first_of,
    joined,
    lower_of,
    matrix_sizes,
    positions,
    substituted,
    unit,
    upper_of,
    with_batch_of,
)
from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class _Eliminated:
    """A = P L U.

    :param lu: both factors in one matrix. :param right: L^-1 P^T B, of the B that was given.
    :param pivots: row that was swapped with row k, counted from 0, as floats. :param rows: for each row of ``lu``, the
        row of A that it was.
    """

    lu: Tensor
    right: Tensor
    pivots: Tensor
    rows: Tensor


def _eliminate(a: Tensor, b: Tensor | None = None, *, pivot: bool = True) -> _Eliminated:
    """Gauss's elimination on [A, B, numbers of the rows], the columns of A in turn; the first largest is chosen."""
    import torch

    m, n = matrix_sizes(a, "LU decomposition", 22)
    numbers = positions(m, a)[:, None]
    parts = [a, *([] if b is None else [b]), numbers.expand(*a.shape[:-1], 1)]
    work = torch.cat(parts, -1)
    columns = positions(int(work.shape[-1]), a)
    zero, small = torch.zeros((), dtype=a.dtype), torch.full((), -1.0, dtype=a.dtype)
    last = torch.full((), float(m - 1), dtype=a.dtype)
    pivots = []
    for k in range(min(m, n)):
        if pivot and k < m - 1:
            sizes = torch.where(numbers >= k, work[..., k : k + 1].abs(), small)
            largest = sizes == sizes.amax(-2, keepdim=True)
            place = torch.where(largest, numbers, last).amin(-2, keepdim=True)
            chosen = numbers == place
            row = torch.where(chosen, work, zero).sum(-2, keepdim=True)
            work = torch.where(numbers == k, row, torch.where(chosen, work[..., k : k + 1, :], work))
            pivots.append(place[..., 0])
        else:
            pivots.append(torch.full((1,), float(k), dtype=a.dtype).expand(*a.shape[:-2], 1))
        if k == m - 1:
            continue
        head = work[..., k : k + 1, k : k + 1]
        head = torch.where(head == 0, torch.ones_like(head), head)  # then all below are 0 too
        below = numbers > k
        factors = torch.where(below, work[..., k : k + 1] / head, zero)
        rest = torch.where((columns > k) & (columns < columns[-1]), work[..., k : k + 1, :], zero)
        work = torch.where(below & (columns == k), factors, work - factors * rest)
    return _Eliminated(work[..., :n], work[..., n:-1], torch.cat(pivots, -1), work[..., -1])


def _info(lu: Tensor) -> Tensor:
    return first_of(diagonal_of(lu) == 0)


def _counted(pivots: Tensor) -> Tensor:
    import torch

    return (pivots + 1).to(torch.int32)


def _permutation(rows: Tensor) -> Tensor:
    """P with P_ij = 1 where row j of LU was row i of A."""
    numbers = positions(int(rows.shape[-1]), rows)[:, None]
    return (numbers == rows[..., None, :]).to(rows.dtype)


@decomposition("aten::linalg_lu_factor_ex")
def lu_factor_ex(a: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """LU in one matrix, LAPACK's pivots and info; an error is info, since a header does not raise"""
    del check_errors
    done = _eliminate(a, pivot=pivot)
    return done.lu, _counted(done.pivots), _info(done.lu)


@decomposition("aten::linalg_lu_factor")
def lu_factor(a: Tensor, *, pivot: bool = True) -> Any:
    """Without info: where torch raises, as for a matrix without inverse, inf and NaN come out of what follows"""
    return lu_factor_ex(a, pivot=pivot)[:2]


@decomposition("aten::_lu_with_info")
def lu_with_info(a: Tensor, pivot: bool = True, check_errors: bool = True) -> Any:
    """torch.lu's own"""
    return lu_factor_ex(a, pivot=pivot, check_errors=check_errors)


@decomposition("aten::linalg_lu")
def lu(a: Tensor, *, pivot: bool = True) -> Any:
    """P, L, U; P is empty without pivoting, as in torch"""
    done = _eliminate(a, pivot=pivot)
    lower, upper = _factors(done.lu)
    return _permutation(done.rows) if pivot else a.new_empty(0), lower, upper


def _factors(lu: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    size = min(int(lu.shape[-2]), int(lu.shape[-1]))
    lower = lower_of(lu[..., :size], offset=-1) + torch.eye(int(lu.shape[-2]), size, dtype=lu.dtype)
    return lower, upper_of(lu[..., :size, :])


@decomposition("aten::lu_unpack")
def lu_unpack(
    lu: Tensor, pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:  # fmt: skip
    """P, L, U of what lu_factor gave; empty tensors for what is not asked"""
    none = lu.new_empty(0)
    lower, upper = _factors(lu) if unpack_data else (none, none)
    if not unpack_pivots:
        return none, lower, upper
    size = int(lu.shape[-2])
    rows = positions(size, lu)[:, None].expand(*lu.shape[:-1], 1)
    return _permutation(_swapped(rows, pivots.to(lu.dtype), range(int(pivots.shape[-1])))[..., 0]), lower, upper


def _swapped(b: Tensor, pivots: Tensor, order: range) -> Tensor:
    """Rows k and pivots_k - 1 of ``b`` exchanged, for every k in that order."""
    import torch

    numbers = positions(int(b.shape[-2]), b)[:, None]
    for k in order:
        chosen = numbers == pivots[..., k : k + 1, None] - 1
        row = torch.where(chosen, b, torch.zeros_like(b)).sum(-2, keepdim=True)
        b = torch.where(numbers == k, row, torch.where(chosen, b[..., k : k + 1, :], b))
    return b


@decomposition("aten::linalg_lu_solve")
def lu_solve(lu: Tensor, pivots: Tensor, b: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """A x = b by L (U x) = P^T b; x A = b as A^T x^T = b^T; A^T x = b by U^T (L^T P^T x) = b"""
    size, _ = matrix_sizes(lu, "solving with LU", 20)
    if not left:
        return lu_solve(lu, pivots, b.mT, adjoint=not adjoint).mT
    b, counted = with_batch_of(b, lu), pivots.to(lu.dtype)
    if adjoint:
        b = substituted(lu.mT, b, upper=False)
        b = substituted(lu.mT, b, upper=True, unitriangular=True)
        return _swapped(b, counted, range(size - 1, -1, -1))
    b = substituted(lu, _swapped(b, counted, range(size)), upper=False, unitriangular=True)
    return substituted(lu, b, upper=True)


@decomposition("aten::linalg_inv_ex")
def inv_ex(a: Tensor, *, check_errors: bool = False) -> Any:
    """A^-1 = U^-1 (L^-1 P^T)"""
    del check_errors
    done = _eliminate(a, unit(matrix_sizes(a, "inverse", 28)[0], a))
    return substituted(done.lu, done.right, upper=True), _info(done.lu)


@decomposition("aten::inverse", "aten::linalg_inv")
def inverse(a: Tensor) -> Tensor:
    """Without info"""
    return inv_ex(a)[0]  # type: ignore[no-any-return]


@decomposition("aten::linalg_tensorinv")
def tensorinv(a: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the matrix whose rows are the first ``ind`` axes"""
    first, last = a.shape[:ind], a.shape[ind:]
    return inverse(a.reshape(math.prod(first), math.prod(last))).reshape(*last, *first)


@decomposition("aten::_linalg_solve_ex")
def solve_ex(a: Tensor, b: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """U^-1 (L^-1 P^T b), with LU, pivots and info; b may be a vector, or a batch of them"""
    del check_errors
    vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and tuple(b.shape) == tuple(a.shape[:-1]))
    right = b[..., None] if vector else b
    if not left:
        a, right = a.mT, right.mT
    lead = joined(a, right)
    done = _eliminate(a.expand(*lead, *a.shape[-2:]), right.expand(*lead, *right.shape[-2:]))
    x = substituted(done.lu, done.right, upper=True)
    x = x if left else x.mT
    return x[..., 0] if vector else x, done.lu, _counted(done.pivots), _info(done.lu)


@decomposition("aten::linalg_solve")
def solve(a: Tensor, b: Tensor, *, left: bool = True) -> Tensor:
    """Without info"""
    return solve_ex(a, b, left=left)[0]  # type: ignore[no-any-return]


@decomposition("aten::_linalg_slogdet")
def slogdet(a: Tensor) -> Any:
    """sign = product of the signs of U's diagonal and of the exchanges; log of the absolute values summed"""
    done = _eliminate(a)
    diagonal = diagonal_of(done.lu)
    sign = diagonal.sign().prod(-1) * _parity(done.pivots)
    return sign, diagonal.abs().log().sum(-1), done.lu, _counted(done.pivots)


@decomposition("aten::slogdet", "aten::linalg_slogdet")
def slogdet_alone(a: Tensor) -> Any:
    """what is asked for in most cases"""
    return slogdet(a)[:2]


@decomposition("aten::logdet")
def logdet(a: Tensor) -> Tensor:
    """NaN where the determinant is below zero"""
    import torch

    sign, logarithm = slogdet_alone(a)
    return torch.where(sign < 0, torch.full((), float("nan"), dtype=a.dtype), logarithm)


@decomposition("aten::det", "aten::linalg_det")
def det(a: Tensor) -> Any:
    """By elimination, as torch does it; up to 3 x 3 the sum over minors is shorter"""
    if a.shape[-1] in (0, 1, 2, 3):
        return NotImplemented
    done = _eliminate(a)
    return diagonal_of(done.lu).prod(-1) * _parity(done.pivots)


def _parity(pivots: Tensor) -> Tensor:
    """-1 for every exchange of two rows."""
    import torch

    moved = pivots != positions(int(pivots.shape[-1]), pivots)
    return torch.where(moved, torch.full((), -1.0, dtype=pivots.dtype), torch.ones((), dtype=pivots.dtype)).prod(-1)
