"""QR decomposition by Householder's reflections, with LAPACK's signs, and products of reflections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converters.torch_ops.linalg_parts import matrix_sizes, positions, upper_of
from converters.translations import decomposition, stand_in

if TYPE_CHECKING:
    from torch import Tensor


def _reflected(a: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """LAPACK's geqr2: H_k = 1 - tau_k v_k v_k^T, one column after the other.

    beta = -sign(a_kk) |a_k|, tau = (beta - a_kk) / beta, v = (1, a_k / (a_kk - beta)); H_k = 1 where nothing is below.

    :return: the v, as whole columns; the tau, as 1 x 1 matrices; R, with what was there below.
    """
    import torch

    m, n = matrix_sizes(a, "QR decomposition", 30)
    numbers = positions(m, a)[:, None]
    zero, one = torch.zeros((), dtype=a.dtype), torch.ones((), dtype=a.dtype)
    vectors, scales = [], []
    for k in range(min(m, n)):
        column = torch.where(numbers >= k, a[..., k : k + 1], zero)
        head = a[..., k : k + 1, k : k + 1]
        below = torch.where(numbers > k, column, zero)
        none = below.abs().amax(-2, keepdim=True) == 0
        largest = column.abs().amax(-2, keepdim=True)
        scaled = column / torch.where(largest == 0, one, largest)  # whose squares do not overflow
        norm = largest * (scaled * scaled).sum(-2, keepdim=True).sqrt()
        beta = torch.where(head < 0, norm, -norm)
        tau = torch.where(none, zero, (beta - head) / torch.where(none, one, beta))
        vector = torch.where(numbers == k, one, below / torch.where(none, one, head - beta))
        # Row k and those below, of the columns behind k; column k itself is beta, exactly.
        changed = a - (tau * vector) * (vector.mT @ a)
        behind = positions(n, a) > k
        result = torch.where(none, head, beta)
        a = torch.where(behind, changed, torch.where((numbers == k) & (positions(n, a) == k), result, a))
        vectors.append(vector)
        scales.append(tau)
    return vectors, scales, a


def _product(vectors: list[Tensor], scales: list[Tensor], q: Tensor) -> Tensor:
    """H_1 H_2 ... q."""
    for vector, tau in reversed(list(zip(vectors, scales, strict=True))):
        q = q - (tau * vector) * (vector.mT @ q)
    return q


def _of(a: Tensor, tau: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The reflections that geqrf keeps below the diagonal."""
    import torch

    m, _ = matrix_sizes(a, "product of reflections", 8)
    numbers = positions(m, a)[:, None]
    one, zero = torch.ones((), dtype=a.dtype), torch.zeros((), dtype=a.dtype)
    vectors = [
        torch.where(numbers == k, one, torch.where(numbers > k, a[..., k : k + 1], zero))
        for k in range(int(tau.shape[-1]))
    ]
    return vectors, [tau[..., k : k + 1, None] for k in range(len(vectors))]


@decomposition("aten::linalg_qr")
def qr(a: Tensor, mode: str = "reduced") -> Any:
    """Q and R, of the smaller size, of the whole ("complete"), or R alone ("r") with an empty Q"""
    import torch

    vectors, scales, r = _reflected(a)
    m = int(a.shape[-2])
    size = m if mode == "complete" else min(m, int(a.shape[-1]))
    r = upper_of(r[..., :size, :])
    if mode == "r":
        return a.new_empty(0), r
    return _product(vectors, scales, torch.eye(m, size, dtype=a.dtype)), r


def _geqrf(a: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    vectors, scales, r = _reflected(a)
    m, n = int(a.shape[-2]), int(a.shape[-1])
    columns = [torch.where(positions(m, a)[:, None] > k, v, torch.zeros_like(v)) for k, v in enumerate(vectors)]
    if n > m:
        columns.append(torch.zeros_like(r[..., m:]))
    below = torch.cat(columns, -1)
    return upper_of(r) + below, torch.cat([t[..., 0] for t in scales], -1)


@stand_in("torch.geqrf", "torch.Tensor.geqrf")
def geqrf(a: Tensor) -> Any:
    """R and below it the reflections, and their tau; torch.export knows no shapes of its results"""
    import torch

    return torch.return_types.geqrf(_geqrf(a))


@decomposition("aten::geqrf")
def geqrf_in_programs(a: Tensor) -> Any:
    """The same where torch.export has seen it"""
    return _geqrf(a)


@decomposition("aten::linalg_householder_product", "aten::orgqr")
def householder_product(a: Tensor, tau: Tensor) -> Tensor:
    """The first columns of H_1 H_2 ..., as many as ``a`` has"""
    import torch

    return _product(*_of(a, tau), torch.eye(int(a.shape[-2]), int(a.shape[-1]), dtype=a.dtype))


@decomposition("aten::ormqr")
def ormqr(
    a: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:  # fmt: skip
    """Q c, Q^T c, c Q = (Q^T c^T)^T or c Q^T"""
    if not left:
        return ormqr(a, tau, other.mT, transpose=not transpose).mT
    vectors, scales = _of(a, tau)
    if transpose:
        return _product(vectors[::-1], scales[::-1], other)
    return _product(vectors, scales, other)
