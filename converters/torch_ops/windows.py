"""Pooling over windows of any form: to a size that does not divide, and with the places of maxima."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from converters.torch_ops.series import where
from converters.torch_ops.sizes import fixed
from converters.translations import decomposition


@dataclass(frozen=True)
class _Windows:
    """Places are computed by the graph, where they are folded: a decomposition may bring no tensors of its own.

    :param axes: along each of the last axes, ``[windows, elements]``: the places, and which are inside.
    :param sizes: of those axes.
    """

    axes: tuple[tuple[Any, Any], ...]
    sizes: tuple[int, ...]

    def table(self) -> tuple[Any, Any]:
        """Places in the flat axes, ``[windows, elements]``, and which are inside."""
        places, inside = self.axes[0]
        for size, (along, real) in zip(self.sizes[1:], self.axes[1:], strict=True):
            shape = [places.shape[0] * along.shape[0], places.shape[1] * along.shape[1]]
            places = (places[:, None, :, None] * size + along[None, :, None, :]).reshape(shape)
            inside = (inside[:, None, :, None] & real[None, :, None, :]).reshape(shape)
        return places, inside

    def _values(self, x: Any, places: Any) -> Any:
        """``[..., windows, elements]``"""
        import torch

        taken = torch.index_select(x.flatten(-len(self.sizes)), -1, places.flatten())
        return taken.reshape([*taken.shape[:-1], *places.shape])

    def _unflat(self, x: Any) -> Any:
        return x.reshape([*x.shape[:-1], *(along.shape[0] for along, _ in self.axes)])

    def mean(self, x: Any) -> Any:
        places, inside = self.table()
        values = where(inside, self._values(x, places), 0.0)
        return self._unflat(values.sum(-1) / inside.to(x.dtype).sum(-1))

    def maxima(self, x: Any) -> tuple[Any, Any]:
        """The maxima and the first place of each in the flat axes."""
        import torch

        places, _ = self.table()
        values = self._values(x, places)
        first = torch.arange(places.shape[0]) * places.shape[1]
        found = places.flatten()[values.argmax(-1) + first]
        return self._unflat(values.amax(-1)), self._unflat(found)


def _adaptive(x: Any, output_size: Sequence[int], axes: int) -> _Windows:
    """Window i begins at floor(i size / n) and ends at ceil((i + 1) size / n)."""
    sizes = tuple(fixed(x, k - axes) for k in range(axes))
    wanted = [*output_size] * (axes if len(output_size) == 1 else 1)
    return _Windows(tuple(_divided(*pair) for pair in zip(sizes, wanted, strict=True)), sizes)


def _divided(size: int, windows: int) -> tuple[Any, Any]:
    """Shorter windows are filled up with their first place."""
    import torch

    begins = [i * size // windows for i in range(windows)]
    width = max(-(-(i + 1) * size // windows) - b for i, b in enumerate(begins))
    numbers = torch.arange(windows).unsqueeze(1)
    begin = torch.div(numbers * size, windows, rounding_mode="floor")
    end = torch.div((numbers + 1) * size + (windows - 1), windows, rounding_mode="floor")
    places = begin + torch.arange(width)
    inside = places < end
    return torch.where(inside, places, begin), inside


@decomposition("aten::adaptive_avg_pool1d")
def adaptive_avg_pool1d(x: Any, output_size: Sequence[int]) -> Any:
    return _mean(x, output_size, 1)


@decomposition("aten::adaptive_avg_pool2d", "aten::_adaptive_avg_pool2d")
def adaptive_avg_pool2d(x: Any, output_size: Sequence[int]) -> Any:
    return _mean(x, output_size, 2)


@decomposition("aten::adaptive_avg_pool3d", "aten::_adaptive_avg_pool3d")
def adaptive_avg_pool3d(x: Any, output_size: Sequence[int]) -> Any:
    return _mean(x, output_size, 3)


def _mean(x: Any, output_size: Sequence[int], axes: int) -> Any:
    """By ONNX's pooling where the sizes divide."""
    from torch.nn import functional

    if all(n == 1 for n in output_size):
        return x.mean(tuple(range(-axes, 0)), keepdim=True)
    kernel = _dividing(x, output_size, axes)
    if kernel is None:
        return _adaptive(x, output_size, axes).mean(x)
    return getattr(functional, f"avg_pool{axes}d")(x, kernel)


def _dividing(x: Any, output_size: Sequence[int], axes: int) -> list[int] | None:
    wanted = [*output_size] * (axes if len(output_size) == 1 else 1)
    sizes = [fixed(x, k - axes) for k in range(axes)]
    return None if any(s % n for s, n in zip(sizes, wanted, strict=True)) else [
        s // n for s, n in zip(sizes, wanted, strict=True)
    ]  # fmt: skip


@decomposition("aten::adaptive_max_pool1d")
def adaptive_max_pool1d(x: Any, output_size: Sequence[int]) -> Any:
    return _adaptive_maxima(x, output_size, 1)


@decomposition("aten::adaptive_max_pool2d")
def adaptive_max_pool2d(x: Any, output_size: Sequence[int]) -> Any:
    return _adaptive_maxima(x, output_size, 2)


@decomposition("aten::adaptive_max_pool3d")
def adaptive_max_pool3d(x: Any, output_size: Sequence[int]) -> Any:
    return _adaptive_maxima(x, output_size, 3)


def _adaptive_maxima(x: Any, output_size: Sequence[int], axes: int) -> Any:
    """By ONNX's pooling where the sizes divide; the places are dead code where they are not asked for."""
    from torch.nn import functional

    maxima, places = _adaptive(x, output_size, axes).maxima(x)
    kernel = _dividing(x, output_size, axes)
    if kernel is not None:
        maxima = getattr(functional, f"max_pool{axes}d")(x, kernel)
    return maxima, places


@decomposition("aten::max_pool1d_with_indices")
def max_pool1d_with_indices(
    x: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    return _maxima(x, 1, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)


@decomposition("aten::max_pool2d_with_indices")
def max_pool2d_with_indices(
    x: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    return _maxima(x, 2, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)


@decomposition("aten::max_pool3d_with_indices")
def max_pool3d_with_indices(
    x: Any, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    return _maxima(x, 3, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)


def _maxima(x: Any, axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any, *, ceil_mode: bool) -> Any:
    """ONNX's MaxPool gives places in the whole tensor, and SOFIE's none at all."""
    kernels, strides = _each(kernel, axes), _each(stride or kernel, axes)
    sizes = tuple(fixed(x, k - axes) for k in range(axes))
    along = tuple(
        _sliding(*given, ceil_mode=ceil_mode)
        for given in zip(sizes, kernels, strides, _each(padding, axes), _each(dilation, axes), strict=True)
    )
    return _Windows(along, sizes).maxima(x)


def _each(given: Any, axes: int) -> list[int]:
    listed = [given] if isinstance(given, int) else [int(k) for k in given]
    return listed * axes if len(listed) == 1 else listed


def _sliding(size: int, kernel: int, stride: int, pad: int, dilation: int, *, ceil_mode: bool) -> tuple[Any, Any]:
    """The windows that begin inside the tensor or its left padding; what is padding gives its window's first place."""
    import torch

    last = (size + 2 * pad - dilation * (kernel - 1) - 1) / stride
    count = (math.ceil(last) if ceil_mode else math.floor(last)) + 1
    if ceil_mode and (count - 1) * stride >= size + pad:
        count -= 1
    begins = (torch.arange(count) * stride - pad).unsqueeze(1)
    places = begins + torch.arange(kernel) * dilation
    inside = (places >= 0) & (places < size)
    outside = torch.div((-begins).clamp(min=0) + (dilation - 1), dilation, rounding_mode="floor")
    return torch.where(inside, places, begins + outside * dilation), inside
