"""Pseudo-inverses and least squares, by singular values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converters.torch_ops.linalg_jacobi import mirrored, one_sided, symmetric
from converters.torch_ops.linalg_parts import with_batch_of
from converters.translations import decomposition, stand_in

if TYPE_CHECKING:
    from torch import Tensor


def _limit(a: Tensor, largest: Tensor, atol: Any, rtol: Any) -> Tensor:
    """What counts as zero: the larger of atol and rtol times the largest; by default eps times the larger side."""
    import torch

    if rtol is None:
        machine = float(torch.finfo(a.dtype).eps) * max(int(a.shape[-2]), int(a.shape[-1]))
        # torch takes its default only where atol is zero
        rtol = machine if atol is None else torch.where(_tensor(atol, a) > 0, 0.0, machine)
    relative = _tensor(rtol, a)[..., None] * largest
    return relative if atol is None else torch.maximum(_tensor(atol, a)[..., None], relative)


def _tensor(number: Any, like: Tensor) -> Tensor:
    import torch

    return number.to(like.dtype) if isinstance(number, torch.Tensor) else torch.full((), number, dtype=like.dtype)


def _inverted(values: Tensor, size: Tensor, limit: Tensor) -> Tensor:
    import torch

    counts = size > limit
    one = torch.ones((), dtype=values.dtype)
    return torch.where(counts, 1 / torch.where(counts, values, one), torch.zeros((), dtype=values.dtype))


def _pinv(a: Tensor, atol: Any, rtol: Any, *, hermitian: bool = False) -> tuple[Tensor, Tensor]:
    """V diag(1/s) U^T, and which s count; W = A V = U diag(s), so that signs are of no account."""
    if hermitian:
        values, v = symmetric(mirrored(a, "L"), vectors=True)
        assert v is not None
        size = values.abs()
        limit = _limit(a, size.amax(-1, keepdim=True), atol, rtol)
        return (v * _inverted(values, size, limit)[..., None, :]) @ v.mT, size > limit
    if a.shape[-2] < a.shape[-1]:
        inverse, counts = _pinv(a.mT, atol, rtol)
        return inverse.mT, counts
    values, w, v = one_sided(a)
    limit = _limit(a, values.amax(-1, keepdim=True), atol, rtol)
    by = _inverted(values, values, limit)[..., None, :]
    return (v * by) @ (w * by).mT, values > limit


@decomposition("aten::linalg_pinv.atol_rtol_tensor", "aten::linalg_pinv.atol_rtol_float")
def pinv(a: Tensor, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """Singular values up to max(atol, rtol s_max) count as zero"""
    return _pinv(a, atol, rtol, hermitian=hermitian)[0]


@decomposition("aten::linalg_pinv.default", "aten::linalg_pinv.rcond_tensor")
def pinv_by_rcond(a: Tensor, rcond: Any, hermitian: bool = False) -> Tensor:
    """The older form: rcond is rtol"""
    return _pinv(a, 0.0, rcond, hermitian=hermitian)[0]


@decomposition("aten::pinverse")
def pinverse(a: Tensor, rcond: float = 1e-15) -> Tensor:
    """The oldest form"""
    return _pinv(a, 0.0, rcond)[0]


@stand_in("torch.linalg.lstsq")
def lstsq(a: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """pinv(A) b, with the outputs that the driver gives; torch.export knows no shapes of its results

    "gelsy", the default, and "gelsd", "gelss" give the rank, the last two singular values; "gels", which takes every
    matrix for one of full rank, gives residuals, of which there are none where the matrix is not higher than wide.
    """
    import torch

    driver = driver or "gelsy"
    m, n = int(a.shape[-2]), int(a.shape[-1])
    vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and tuple(b.shape) == tuple(a.shape[:-1]))
    right = with_batch_of(b[..., None] if vector else b, a)
    small = torch.finfo(a.dtype).eps * max(m, n) if rcond is None else rcond
    inverse, counts = _pinv(a, 0.0, 0.0 if driver == "gels" else small)
    x = inverse @ right
    residuals, rank, values = a.new_empty(0), a.new_empty(0, dtype=torch.int64), a.new_empty(0)
    if driver != "gels":
        rank = counts.to(torch.int64).sum(-1)
    if driver in ("gelsd", "gelss"):
        values = torch.linalg.svdvals(a)
    if m > n and driver == "gels":
        residuals = (a @ x - right).square().sum(-2)
    elif m > n and driver != "gelsy":
        raise NotImplementedError(
            f"torch.linalg.lstsq by {driver} of {m} x {n} matrices: how many residuals it gives depends on the values; "
            "take the default driver, or gels"
        )
    types: Any = torch.return_types  # not annotated
    return types.linalg_lstsq((x[..., 0] if vector else x, residuals, rank, values))
