"""Eigenvalues of symmetric matrices and singular values, by Jacobi's rotations of many pairs at once.

A round rotates pairs that have no row in common, all of them by one product of matrices; a sweep is as many rounds as
bring each pair together once (Brent and Luk 1985). The pairs of a round are constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converters.torch_ops.linalg_parts import LARGEST, diagonal_of, matrix_sizes, positions
from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor

#: Operators of a round.
_ROUND = 24
#: Of the smallest matrices; the logarithm of the size comes on top.
_SWEEPS = 5


@dataclass(frozen=True)
class _Round:
    """Pairs that are rotated at once.

    :param pairs: 1 at (i, partner of i). :param ahead: for each row 1 where its partner comes later, else -1.
    """

    pairs: Tensor
    ahead: Tensor


def _rounds(a: Tensor, what: str) -> list[_Round]:
    """Sweeps over all pairs of columns: i and j meet in round i + j modulo an odd number.

    :raises NotImplementedError: the graph would be too large.
    """
    import torch

    size = int(a.shape[-1])
    sweeps = _SWEEPS + math.ceil(math.log2(size))
    many = size - 1 + size % 2
    if many * sweeps * _ROUND > LARGEST:
        raise NotImplementedError(
            f"{what} of matrices with a smaller side of {size}: unrolled, they have more than {LARGEST} operators"
        )
    column, one = positions(size, a), torch.ones((), dtype=a.dtype)
    row = column[:, None]
    # An even size has a last column, which meets whichever would meet itself.
    last = many if size > many else size
    within = (row < last) & (column < last) & (row != column)
    meets = torch.where(within, row + column, torch.where(row == last, 2 * column, 2 * row))
    possible = within | ((row == last) != (column == last))
    sweep = []
    for number in range(many if size > 1 else 0):
        pairs = possible & ((meets == number) | (meets == number + many))
        later = (pairs & (column > row)).to(a.dtype).sum(-1)
        sweep.append(_Round(pairs.to(a.dtype), torch.where(later > 0, one, -one)))
    return sweep * sweeps


def _rotation(gram: Tensor, turn: _Round) -> Tensor:
    """The J for which J^T G J has zeros at all places (i, partner of i)."""
    import torch

    diagonal = diagonal_of(gram)
    # Of rounding, G is not quite symmetric; but both rows of a pair must find one and the same angle.
    twice = ((gram + gram.mT) * turn.pairs).sum(-1)
    apart = (turn.pairs * diagonal[..., None, :]).sum(-1) - diagonal
    one = torch.ones((), dtype=gram.dtype)
    sign = torch.where(apart > 0, one, torch.where(apart < 0, -one, turn.ahead))
    below = apart.abs() + (apart * apart + twice * twice).sqrt()
    tangent = sign * twice / torch.where(below == 0, one, below)
    cosine = 1 / (1 + tangent * tangent).sqrt()
    eye = torch.eye(int(gram.shape[-1]), dtype=gram.dtype)
    return eye * cosine[..., None, :] - turn.pairs * (tangent * cosine)[..., None, :]


def _scaled(a: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix with entries up to 1, whose squares do not overflow, and what it was divided by."""
    import torch

    largest = a.abs().amax((-2, -1), keepdim=True)
    scale = torch.where(largest == 0, torch.ones_like(largest), largest)
    return a / scale, scale


def symmetric(a: Tensor, *, vectors: bool) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues, in no order, and the columns of V with A V = V diag(values), whose signs are of no meaning."""
    import torch

    size, _ = matrix_sizes(a, "eigenvalues", _ROUND)
    work, scale = _scaled(a)
    v = torch.eye(size, dtype=a.dtype) if vectors else None
    for pairs in _rounds(a, "eigenvalues"):
        turn = _rotation(work, pairs)
        work = turn.mT @ work @ turn
        v = None if v is None else v @ turn
    return diagonal_of(work) * scale[..., 0], v


def one_sided(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Singular values, in no order, and W = A V with columns that stand upright on each other (Hestenes 1958), and V.

    The matrix must not be wider than high.
    """
    import torch

    _, size = matrix_sizes(a, "singular values", _ROUND)
    work, scale = _scaled(a)
    v = torch.eye(size, dtype=a.dtype)
    for pairs in _rounds(a, "singular values"):
        turn = _rotation(work.mT @ work, pairs)
        work, v = work @ turn, v @ turn
    return (work * work).sum(-2).sqrt() * scale[..., 0], work * scale, v


def singular_values(a: Tensor) -> Tensor:
    """The largest first."""
    values = one_sided(a if a.shape[-2] >= a.shape[-1] else a.mT)[0]
    return values.sort(-1, descending=True)[0]


@decomposition("aten::_linalg_svd")
def svd(
    a: Tensor, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None
) -> Any:  # fmt: skip
    """The singular values; vectors are refused where they are used, since their signs are LAPACK's choice"""
    del driver
    m, n = int(a.shape[-2]), int(a.shape[-1])
    left, right = (m, n) if full_matrices else (min(m, n), min(m, n))
    none = a.new_empty(0)
    u, vh = (free_of_sign(a, m, left), free_of_sign(a, right, n)) if compute_uv else (none, none)
    return u, singular_values(a), vh


@decomposition("aten::linalg_svdvals")
def svdvals(a: Tensor, *, driver: str | None = None) -> Tensor:
    """Without vectors, also where torch would compute them for the gradient"""
    del driver
    return singular_values(a)


@decomposition("aten::_linalg_eigh")
def eigh(a: Tensor, uplo: str = "L", compute_v: bool = True) -> Any:
    """The eigenvalues of a symmetric matrix, by one triangle, the smallest first; vectors as above"""
    vectors = free_of_sign(a, int(a.shape[-1]), int(a.shape[-1])) if compute_v else a.new_empty(0)
    return eigvalsh(a, uplo), vectors


@decomposition("aten::linalg_eigvalsh")
def eigvalsh(a: Tensor, uplo: str = "L") -> Tensor:
    """Without vectors, also where torch would compute them for the gradient"""
    return symmetric(mirrored(a, uplo), vectors=False)[0].sort(-1)[0]


def mirrored(a: Tensor, uplo: str) -> Tensor:
    """The symmetric matrix whose triangle that is."""
    import torch

    size, _ = matrix_sizes(a, "eigenvalues", _ROUND)
    lower = torch.ones(size, size, dtype=torch.bool).tril()
    return torch.where(lower if uplo.upper() == "L" else lower.mT, a, a.mT)


def free_of_sign(a: Tensor, rows: int, columns: int) -> Tensor:
    """Vectors that stay a call of an operator which has no translation; it goes where nobody reads it."""
    import torch

    _define()
    return torch.ops.sofie_convert.vectors_of_free_sign(a, rows, columns)  # type: ignore[no-any-return]


def _define() -> None:
    import torch

    if hasattr(torch.ops.sofie_convert, "vectors_of_free_sign"):
        return

    def unknown(a: Tensor, rows: int, columns: int) -> Tensor:
        raise NotImplementedError("the signs of these vectors are LAPACK's choice")

    def shaped(a: Tensor, rows: int, columns: int) -> Tensor:
        return a.new_empty(*a.shape[:-2], rows, columns)

    schema = "(Tensor a, int rows, int columns) -> Tensor"  # annotations that are text cannot be read from in here
    name = "sofie_convert::vectors_of_free_sign"
    torch.library.custom_op(name, unknown, mutates_args=(), schema=schema).register_fake(shaped)
