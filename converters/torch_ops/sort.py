"""What is read off sorted values: kthvalue, medians, the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from converters.translations import decomposition

if TYPE_CHECKING:
    from torch import Tensor

#: Elements along the axis of which ``mode`` compares all with all.
LONGEST = 1024


def _size(x: Tensor, dim: int, what: str) -> int:
    size = x.shape[dim]
    if not isinstance(size, int):
        raise NotImplementedError(f"{what} along an axis of open size: it needs a number")
    return size


def _nan_last(x: Tensor) -> Tensor:
    """As numbers are sorted: NaN is the largest for torch, and has no place in ONNX."""
    import torch

    return torch.where(x.isnan(), torch.full((), float("inf"), dtype=x.dtype), x) if x.is_floating_point() else x


def _result(values: Tensor, indices: Tensor, dim: int, *, keepdim: bool) -> Any:
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


def _at(x: Tensor, dim: int, place: int, *, keepdim: bool) -> Any:
    """The value at that place of the sorted ones, and where it comes from: of equals the first first."""
    values, indices = _nan_last(x).topk(place + 1, dim, largest=False)
    return _result(values.narrow(dim, place, 1), indices.narrow(dim, place, 1), dim, keepdim=keepdim)


@decomposition("aten::sort.stable")
def sort(x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """Every sort is stable in ONNX: of equals the first comes first"""
    del stable
    return x.sort(dim, descending)


@decomposition("aten::kthvalue")
def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest, and a place where it is; which of several, torch does not say"""
    import torch

    if not x.ndim:
        return x.clone(), torch.zeros((), dtype=torch.int64)
    size = _size(x, dim, "torch.kthvalue")
    values, indices = _at(x, dim, k - 1, keepdim=True)
    if x.is_floating_point():
        beyond = x.isnan().to(x.dtype).sum(dim, keepdim=True) > size - k
        values = torch.where(beyond, torch.full((), float("nan"), dtype=x.dtype), values)
    return _result(values, indices, dim, keepdim=keepdim)


@decomposition("aten::median.dim")
def median(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    """The lower of the middle values; NaN, and the place of the first, where there is one"""
    import torch

    if not x.ndim:
        return x.clone(), torch.zeros((), dtype=torch.int64)
    size = _size(x, dim, "torch.median")
    values, indices = _at(x, dim, (size - 1) // 2, keepdim=True)
    if x.is_floating_point():
        missing = x.isnan().to(x.dtype)
        any_missing = missing.amax(dim, keepdim=True) > 0
        values = torch.where(any_missing, torch.full((), float("nan"), dtype=x.dtype), values)
        indices = torch.where(any_missing, missing.argmax(dim, keepdim=True), indices)
    return _result(values, indices, dim, keepdim=keepdim)


@decomposition("aten::nanmedian.dim")
def nanmedian(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    """The lower of the middle values that are numbers; NaN where none is"""
    import torch

    if not x.is_floating_point() or not x.ndim:
        return median(x, dim, keepdim) if x.ndim else (x.clone(), torch.zeros((), dtype=torch.int64))
    size = _size(x, dim, "torch.nanmedian")
    values, indices = _nan_last(x).topk(size, dim, largest=False)
    shape = [1] * x.ndim
    shape[dim] = size
    count = (~x.isnan()).to(torch.float32).sum(dim, keepdim=True)
    middle = torch.arange(size, dtype=torch.float32).reshape(shape) == ((count - 1) / 2).floor().clamp(min=0)
    value = torch.where(middle, values, torch.zeros_like(values)).sum(dim, keepdim=True)
    place = torch.where(middle, indices.to(torch.float32), 0.0).sum(dim, keepdim=True).to(torch.int64)
    value = torch.where(count > 0, value, torch.full((), float("nan"), dtype=x.dtype))
    return _result(value, place, dim, keepdim=keepdim)


@decomposition("aten::median.default")
def median_of_all(x: Tensor) -> Tensor:
    """Of all elements"""
    return median(x.reshape(-1), 0)[0]  # type: ignore[no-any-return]


@decomposition("aten::nanmedian.default")
def nanmedian_of_all(x: Tensor) -> Tensor:
    """Of all elements that are numbers"""
    return nanmedian(x.reshape(-1), 0)[0]  # type: ignore[no-any-return]


@decomposition("aten::mode")
def mode(x: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value, of several the smallest, and its last place; all are compared with all"""
    import torch

    if not x.ndim:
        return x.clone(), torch.zeros((), dtype=torch.int64)
    size = _size(x, dim, "torch.mode")
    if size > LONGEST:
        raise NotImplementedError(f"torch.mode along an axis of {size}: all are compared with all, up to {LONGEST}")
    last = x.movedim(dim, -1)
    same = (last[..., :, None] == last[..., None, :]).to(torch.float32).sum(-1)
    often = same == same.amax(-1, keepdim=True)
    beyond = torch.full((), float("inf") if x.is_floating_point() else torch.iinfo(x.dtype).max, dtype=x.dtype)
    value = torch.where(often, last, beyond).amin(-1, keepdim=True)
    places = torch.where(last == value, torch.arange(size, dtype=torch.float32), -1.0)
    found = _result(value, places.amax(-1, keepdim=True).to(torch.int64), -1, keepdim=keepdim)
    return tuple(t.movedim(-1, dim) for t in found) if keepdim else found
