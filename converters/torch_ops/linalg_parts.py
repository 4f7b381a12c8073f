"""What the unrolled algorithms on matrices share: sizes, positions, substitution, and what is refused.

An algorithm of n steps becomes n copies of a few operators on whole matrices, so sizes of matrices are numbers; the
axes before them, the batch, may be open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

#: Operators that one call may become.
LARGEST = 6000


def matrix_sizes(a: Tensor, what: str, each: int) -> tuple[int, int]:
    """Rows and columns.

    :param each: operators of one step, of which there are as many as the smaller side.
    :raises NotImplementedError: a size is open, or the graph would be too large.
    """
    rows: Any = a.shape[-2]  # a number, or torch's symbol of one
    columns: Any = a.shape[-1]
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise NotImplementedError(f"{what} of matrices of open size: it is unrolled, and needs numbers")
    if min(rows, columns) * each > LARGEST:
        raise NotImplementedError(
            f"{what} of {rows} x {columns} matrices: unrolled, it has more than {LARGEST} operators"
        )
    return rows, columns


def positions(size: int, like: Tensor) -> Tensor:
    """0, 1, ... as a row, of the dtype of ``like``: exact, and of a dtype that every operator takes."""
    import torch

    return torch.arange(size, dtype=like.dtype)


def unit(size: int, like: Tensor) -> Tensor:
    """The identity, with the leading axes of ``like``."""
    import torch

    return torch.eye(size, dtype=like.dtype).expand(*like.shape[:-2], size, size)


def joined(a: Tensor, b: Tensor) -> tuple[int, ...]:
    """The leading axes of two matrices that are taken together."""
    import torch

    join: Any = torch.broadcast_shapes  # not annotated
    return tuple(join(a.shape[:-2], b.shape[:-2]))


def with_batch_of(b: Tensor, a: Tensor) -> Tensor:
    """``b`` with leading axes that are joined from those of both."""
    lead = joined(a, b)
    return b if lead == tuple(b.shape[:-2]) else b.expand(*lead, *b.shape[-2:])


def first_of(bad: Tensor) -> Tensor:
    """LAPACK's ``info``: the place, counted from 1, of the first True along the last axis, or 0; int32."""
    import torch

    size = int(bad.shape[-1])
    beyond = torch.full((size,), float(size + 1))
    first = torch.where(bad, torch.arange(1.0, size + 1.0), beyond).amin(-1)
    return torch.where(first > size, torch.zeros_like(first), first).to(torch.int32)


def no_info(a: Tensor) -> Tensor:
    """LAPACK's ``info`` where nothing can fail."""
    import torch

    return torch.zeros(a.shape[:-2], dtype=torch.int32)


def diagonal_of(a: Tensor) -> Tensor:
    """The diagonal as a vector; the exporter's own works with run-time shapes."""
    import torch

    size = min(int(a.shape[-2]), int(a.shape[-1]))
    square = a[..., :size, :size]
    return torch.where(torch.eye(size, dtype=torch.bool), square, torch.zeros_like(square)).sum(-1)


def lower_of(a: Tensor, *, offset: int = 0) -> Tensor:
    """``tril``, by a mask that is constant."""
    import torch

    keep = torch.ones(a.shape[-2:], dtype=torch.bool).tril(offset)
    return torch.where(keep, a, torch.zeros_like(a))


def upper_of(a: Tensor, *, offset: int = 0) -> Tensor:
    """``triu``, by a mask that is constant."""
    import torch

    keep = torch.ones(a.shape[-2:], dtype=torch.bool).triu(offset)
    return torch.where(keep, a, torch.zeros_like(a))


def substituted(t: Tensor, b: Tensor, *, upper: bool, unitriangular: bool = False) -> Tensor:
    """The x of t x = b, t being triangular; its other triangle is not looked at.

    x_k = b_k / t_kk, and b less column k of t times x_k, row after row.
    """
    import torch

    size, _ = matrix_sizes(t, "substitution", 6)
    solved: list[Any] = []
    for k in reversed(range(size)) if upper else range(size):
        # What is left of b: rows 0 ... k, or k ... size - 1.
        here = -1 if upper else 0
        row = b[..., here:, :] if upper else b[..., :1, :]
        if not unitriangular:
            row = row / t[..., k : k + 1, k : k + 1]
        solved.append(row)
        if upper and k > 0:
            b = b[..., :here, :] - t[..., :k, k : k + 1] * row
        if not upper and k < size - 1:
            b = b[..., 1:, :] - t[..., k + 1 :, k : k + 1] * row
    if size == 1:
        return solved[0]  # type: ignore[no-any-return]
    return torch.cat(solved[::-1] if upper else solved, -2)
