"""LDL^T of symmetric matrices by Bunch and Kaufman's pivoting, as LAPACK's sytf2 does it on the lower triangle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converters.torch_ops.linalg_parts import first_of, lower_of, matrix_sizes, positions, with_batch_of
from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor

#: How much smaller than what is beside it a pivot may be: growth is least at this (Bunch and Kaufman 1977).
_ALPHA = (1 + math.sqrt(17)) / 8


@dataclass(frozen=True)
class _State:
    """What is left to be decomposed, with the columns of L that are done; flags and places are 1 x 1 matrices.

    :param second: was the coming column taken with the one before it? :param before: that one's pivot.
    """

    work: Tensor
    second: Tensor
    before: Tensor


@decomposition("aten::linalg_ldl_factor_ex")
def ldl_factor_ex(a: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """L and D in one matrix; pivots: row k was exchanged with p_k - 1, or -p_k - 1 in a block of two; info"""
    del hermitian, check_errors
    import torch

    size, _ = matrix_sizes(a, "LDL decomposition", 110)
    lower = torch.ones(size, size, dtype=torch.bool).tril()
    work = torch.where(lower, a, a.mT)
    none = torch.zeros(*a.shape[:-2], 1, 1, dtype=a.dtype)
    state = _State(work, none > 0, none)
    pivots, bad = [], []
    for k in range(size):
        state, nothing = _step(state, k, size)
        pivots.append(state.before[..., 0])
        bad.append(nothing[..., 0])
    return lower_of(state.work), torch.cat(pivots, -1).to(torch.int32), first_of(torch.cat(bad, -1))


@decomposition("aten::linalg_ldl_factor")
def ldl_factor(a: Tensor, *, hermitian: bool = False) -> Any:
    """Without info"""
    return ldl_factor_ex(a, hermitian=hermitian)[:2]


def _step(state: _State, k: int, size: int) -> tuple[_State, Tensor]:
    """Column k: choose a pivot, exchange, and take off what the column (or two of them) explains.

    :return: the state, and whether there was nothing in the column.
    """
    import torch

    work, rows = state.work, positions(size, state.work)[:, None]
    columns = rows.mT
    zero, one = torch.zeros((), dtype=work.dtype), torch.ones((), dtype=work.dtype)
    head = work[..., k : k + 1, k : k + 1].abs()
    below = torch.where(rows > k, work[..., k : k + 1].abs(), -one)
    largest = below.amax(-2, keepdim=True).clamp(min=0)
    place = _first(below == largest, rows, size) if k < size - 1 else torch.full_like(head, float(k))
    # The candidate's own row and column, among what is left.
    beside = torch.where(rows == place, work, zero).sum(-2, keepdim=True).abs()
    other = torch.where(columns == place, beside, zero).sum(-1, keepdim=True)
    around = torch.where((columns >= k) & (columns != place), beside, zero).amax(-1, keepdim=True)
    safe = torch.where(around == 0, one, around)
    stay = (head >= _ALPHA * largest) | (head >= _ALPHA * largest * (largest / safe))
    single = stay | (other >= _ALPHA * around)
    if k == size - 1:
        stay = single = head >= 0
    chosen = torch.where(stay, torch.full_like(place, float(k)), place)
    first = ~state.second
    double = first & ~single
    nothing = first & (torch.maximum(head, largest) == 0)
    # Row k, or k + 1 in a block of two, is exchanged with the chosen one, in what is left.
    moving = torch.where(double, torch.full_like(place, float(k + 1)), torch.full_like(place, float(k)))
    with_ = torch.where(first, chosen, moving)
    work = _exchanged(work, moving, with_, rows >= k)
    work = _reduced(work, k, size, single=first & single & ~nothing, double=double)
    pivot = torch.where(state.second, state.before, torch.where(double, -(place + 1), chosen + 1))
    return _State(work, double, pivot), nothing


def _first(hit: Tensor, rows: Tensor, size: int) -> Tensor:
    import torch

    return torch.where(hit, rows, torch.full((), float(size - 1), dtype=rows.dtype)).amin(-2, keepdim=True)


def _exchanged(work: Tensor, one: Tensor, other: Tensor, left: Tensor) -> Tensor:
    """Rows and columns of a symmetric matrix, exchanged where both rows and columns are left."""
    import torch

    size = int(work.shape[-1])
    rows = positions(size, work)[:, None]
    zero = torch.zeros((), dtype=work.dtype)
    for _ in range(2):  # rows, and as the matrix is symmetric, the same of its transpose
        is_one, is_other = rows == one, rows == other
        first = torch.where(is_one, work, zero).sum(-2, keepdim=True)
        second = torch.where(is_other, work, zero).sum(-2, keepdim=True)
        moved = torch.where(is_one, second, torch.where(is_other, first, work))
        work = torch.where(left.mT, moved, work).mT
        left = left.new_ones(size, 1) if _ else left
    return work


def _reduced(work: Tensor, k: int, size: int, *, single: Tensor, double: Tensor) -> Tensor:
    """Take off x x^T / d of one column, or what a block of two explains, and keep L's columns, and D's block."""
    import torch

    rows = positions(size, work)[:, None]
    columns = rows.mT
    zero, one = torch.zeros((), dtype=work.dtype), torch.ones((), dtype=work.dtype)
    if k == size - 1:
        return work
    x, d = torch.where(rows > k, work[..., k : k + 1], zero), work[..., k : k + 1, k : k + 1]
    factors = x / torch.where(single, d, one)
    by_one = torch.where((rows > k) & (columns == k), factors, work - factors * x.mT)
    work_one = torch.where(single, by_one, work)
    if k == size - 2:
        return work_one
    y, x = torch.where(rows > k + 1, work[..., k + 1 : k + 2], zero), torch.where(rows > k + 1, x, zero)
    d21 = torch.where(double, work[..., k + 1 : k + 2, k : k + 1], one)
    d11, d22 = work[..., k + 1 : k + 2, k + 1 : k + 2] / d21, d / d21
    below = torch.where(double, d11 * d22 - 1, one)
    scale = 1 / below / d21
    first, second = scale * (d11 * x - y), scale * (d22 * y - x)
    by_two = work - (first * x.mT + second * y.mT)
    by_two = torch.where((rows > k + 1) & (columns == k), first, by_two)
    by_two = torch.where((rows > k + 1) & (columns == k + 1), second, by_two)
    return torch.where(double, by_two, work_one)


@dataclass(frozen=True)
class _Column:
    """A column of L: what is exchanged before it is applied, and it itself, with the next one in a block of two.

    :param double: does a block of two begin here? :param second: does one end here?
    """

    double: Tensor
    second: Tensor
    moving: Tensor
    chosen: Tensor
    x: Tensor
    y: Tensor


def _columns(ld: Tensor, pivots: Tensor, size: int) -> list[_Column]:
    import torch

    rows = positions(size, ld)[:, None]
    zero = torch.zeros((), dtype=ld.dtype)
    columns, second = [], torch.zeros(*ld.shape[:-2], 1, 1, dtype=torch.bool)
    for k in range(size):
        pivot = pivots.to(ld.dtype)[..., k : k + 1, None]
        double = (pivot < 0) & ~second
        own = torch.full_like(pivot, float(k))
        x = torch.where(rows > k + double.to(ld.dtype), ld[..., k : k + 1], zero)
        x = torch.where(second, zero, x)
        y = torch.where((rows > k + 1) & double, ld[..., k + 1 : k + 2], zero) if k < size - 1 else x * 0
        moving = torch.where(double, own + 1, own)
        columns.append(_Column(double, second, moving, torch.where(second, own, pivot.abs() - 1), x, y))
        second = double
    return columns


@decomposition("aten::linalg_ldl_solve")
def ldl_solve(ld: Tensor, pivots: Tensor, b: Tensor, *, hermitian: bool = False) -> Tensor:
    """LAPACK's sytrs: L, D and L^T in turn, with the exchanges between"""
    del hermitian
    import torch

    size, _ = matrix_sizes(ld, "solving with LDL", 60)
    b = with_batch_of(b, ld)
    rows = positions(size, ld)[:, None]
    columns = _columns(ld, pivots, size)
    for k, column in enumerate(columns):
        b = _rows_exchanged(b, column.moving, column.chosen, rows)
        b = b - column.x * b[..., k : k + 1, :]
        if k < size - 1:
            b = b - column.y * b[..., k + 1 : k + 2, :]
    b = _by_blocks(ld, b, columns)
    for k, column in reversed(list(enumerate(columns))):
        b = torch.where(rows == k, b - (column.x * b).sum(-2, keepdim=True), b)
        if k < size - 1:
            b = torch.where(rows == k + 1, b - (column.y * b).sum(-2, keepdim=True), b)
        b = _rows_exchanged(b, column.moving, column.chosen, rows)
    return b


def _rows_exchanged(b: Tensor, one: Tensor, other: Tensor, rows: Tensor) -> Tensor:
    import torch

    zero = torch.zeros((), dtype=b.dtype)
    is_one, is_other = rows == one, rows == other
    first = torch.where(is_one, b, zero).sum(-2, keepdim=True)
    second = torch.where(is_other, b, zero).sum(-2, keepdim=True)
    return torch.where(is_one, second, torch.where(is_other, first, b))


def _by_blocks(ld: Tensor, b: Tensor, columns: list[_Column]) -> Tensor:
    """D^-1 b, of numbers and of blocks of two."""
    import torch

    rows, done = [], None
    one = torch.ones((), dtype=ld.dtype)
    for k, column in enumerate(columns):
        double, second = column.double, column.second
        value = b[..., k : k + 1, :]
        alone = value / torch.where(double | second, one, ld[..., k : k + 1, k : k + 1])
        row = alone if done is None else torch.where(second, done, alone)
        if k < len(columns) - 1:
            d21 = torch.where(double, ld[..., k + 1 : k + 2, k : k + 1], one)
            d11, d22 = ld[..., k : k + 1, k : k + 1] / d21, ld[..., k + 1 : k + 2, k + 1 : k + 2] / d21
            below = torch.where(double, d11 * d22 - 1, one)
            first, next_ = value / d21, b[..., k + 1 : k + 2, :] / d21
            row = torch.where(double, (d22 * first - next_) / below, row)
            done = (d11 * next_ - first) / below
        rows.append(row)
    return torch.cat(rows, -2)
