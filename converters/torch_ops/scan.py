"""Running maxima, minima, products and logarithms of sums, by doubling (Hillis and Steele 1986).

After the step of width d, every place holds what the last 2 d places before it, and it itself, come to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor

#: What two neighbouring stretches come to: (left, right), each a tuple of tensors.
Join = Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]


def _scan(start: tuple[Tensor, ...], dim: int, join: Join, what: str) -> tuple[Any, ...]:
    """:raises NotImplementedError: the axis is open."""
    import torch

    size = start[0].shape[dim]
    if not isinstance(size, int):
        raise NotImplementedError(f"{what} along an axis of open size: its steps are unrolled")
    held, width = start, 1
    while width < size:
        left = tuple(t.narrow(dim, 0, size - width) for t in held)
        right = tuple(t.narrow(dim, width, size - width) for t in held)
        joined = join(left, right)
        held = tuple(torch.cat([t.narrow(dim, 0, width), j], dim) for t, j in zip(held, joined, strict=True))
        width *= 2
    return held


def _extreme(x: Tensor, dim: int, what: str, *, largest: bool) -> Any:
    """Values and the place of the last that equals; from the first NaN on it is NaN."""
    import torch

    if not x.ndim:
        return x.clone(), torch.zeros((), dtype=torch.int64)
    shape = [1] * x.ndim
    shape[dim] = x.shape[dim]
    places = torch.arange(x.shape[dim], dtype=torch.float32).reshape(shape).expand(x.shape)

    def join(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
        later = right[0] >= left[0] if largest else right[0] <= left[0]
        if x.is_floating_point():
            later = later | right[0].isnan()
        return torch.where(later, right[0], left[0]), torch.where(later, right[1], left[1])

    values, indices = _scan((x, places), dim, join, what)
    return values, indices.to(torch.int64)


@decomposition("aten::cummax")
def cummax(x: Tensor, dim: int) -> Any:
    """y_i = max(x_0 ... x_i)"""
    return _extreme(x, dim, "torch.cummax", largest=True)


@decomposition("aten::cummin")
def cummin(x: Tensor, dim: int) -> Any:
    """y_i = min(x_0 ... x_i)"""
    return _extreme(x, dim, "torch.cummin", largest=False)


@decomposition("aten::cumprod")
def cumprod(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """y_i = x_0 ... x_i

    Zeros are left out of the products and put in afterwards: large numbers before a zero would make NaN of it, where
    torch counts in float64.
    """
    import torch

    x = x.to(dtype or (x.dtype if x.is_floating_point() else torch.int64))
    if not x.ndim:
        return x.clone()

    def join(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
        return (left[0] * right[0],)

    if not x.is_floating_point():
        return _scan((x,), dim, join, "torch.cumprod")[0]  # type: ignore[no-any-return]
    none = x == 0
    product = _scan((torch.where(none, torch.ones_like(x), x),), dim, join, "torch.cumprod")[0]
    # 0 once there was a zero; but NaN where anything was not finite
    return torch.where(none.to(x.dtype).cumsum(dim) > 0, (x - x).cumsum(dim), product)


@decomposition("aten::logcumsumexp")
def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    """y_i = log(exp(x_0) + ... + exp(x_i)), of two max + log(1 + exp(-|difference|))"""
    import torch

    if not x.ndim:
        return x.clone()

    def join(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
        apart = torch.where(left[0] == right[0], torch.zeros_like(left[0]), left[0] - right[0])  # inf - inf
        return (torch.maximum(left[0], right[0]) + (1 + (-apart.abs()).exp()).log(),)

    return _scan((x,), dim, join, "torch.logcumsumexp")[0]  # type: ignore[no-any-return]
