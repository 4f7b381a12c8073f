"""scatter_reduce and index_reduce: a mean, and reductions that leave the first value out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.translations import pytorch

_REDUCTIONS = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min", "mean": "add"}


@pytorch("aten::scatter_reduce")
def scatter_reduce(
    g: Any, given: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """y[index] = reduce(src), with ``given`` itself among them or not; a mean is the sum over the count.

    The exporters take a mean for a plain scatter, or refuse whatever leaves the first value out.
    """
    reduction = _Reduction(reduce, _dtype(src), include_self)
    if _sizes(given) == []:
        flat = [g.Reshape(x, g.constant([1])) for x in (given, index, src)]
        return g.Reshape(reduction.of(g, *flat, axis=0), g.constant(np.zeros(0, np.int64)))
    return reduction.of(g, given, index, _cut(g, src, index), axis=dim)


@pytorch("aten::index_reduce")
def index_reduce(
    g: Any, given: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """y[..., index[i], ...] = reduce(source[..., i, ...]): scatter_reduce, the index spread over all other axes"""
    sizes = _sizes(source)
    if not sizes:
        raise NotImplementedError("index_reduce of a tensor without axes, or of how many is not known")
    rows = g.Reshape(index, g.constant([-1 if k == dim % len(sizes) else 1 for k in range(len(sizes))]))
    rows = g.Cast(g.Expand(rows, g.Shape(source)), to=7)  # int64
    return _Reduction(reduce, _dtype(source), include_self).of(g, given, rows, source, axis=dim)


@dataclass(frozen=True)
class _Reduction:
    """:param name: torch's. :param with_given: is what stands there before among the values?"""

    name: str
    dtype: np.dtype[Any]
    with_given: bool

    def of(self, g: Any, given: Any, index: Any, src: Any, *, axis: int) -> Any:
        """``src`` of the shape of ``index``, reduced into ``given``."""
        if not self.with_given:
            neutral = g.Expand(g.constant(self._neutral(), like=src), g.Shape(index))
            given = g.ScatterElements(given, index, neutral, axis=axis)
        reduced = g.ScatterElements(given, index, src, axis=axis, reduction=_REDUCTIONS[self.name])
        return self._mean(g, reduced, index, axis) if self.name == "mean" else reduced

    def _mean(self, g: Any, total: Any, index: Any, axis: int) -> Any:
        one = g.constant(1, like=total)
        first = g.Expand(g.constant(int(self.with_given), like=total), g.Shape(total))
        ones = g.Expand(one, g.Shape(index))
        count = g.Max(g.ScatterElements(first, index, ones, axis=axis, reduction="add"), one)
        if self.dtype.kind != "f":  # torch rounds down, ONNX towards zero
            total = g.Sub(total, g.Mod(total, count))
        return g.Div(total, count)

    def _neutral(self) -> np.ndarray[Any, Any]:
        """What the reduction does not see."""
        if self.name in ("amax", "amin"):
            lowest, highest = (-np.inf, np.inf) if self.dtype.kind == "f" else _limits(self.dtype)
            return np.array(lowest if self.name == "amax" else highest, self.dtype)
        return np.array(self.name == "prod", self.dtype)


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _cut(g: Any, src: Any, index: Any) -> Any:
    """The part of ``src`` that is used: torch lets it be larger than the index, ONNX does not."""
    used, held = _sizes(index), _sizes(src)
    if used is None or held is None or not any(
        isinstance(n, int) and isinstance(m, int) and n != m for n, m in zip(used, held, strict=True)
    ):  # fmt: skip
        return src
    every = np.arange(len(used))
    return g.Slice(src, g.constant(np.zeros_like(every)), g.Shape(index), g.constant(every))


def _dtype(value: Any) -> np.dtype[Any]:
    """Of a value of either exporter's."""
    known = value.dtype.numpy() if hasattr(value, "dtype") else str(value.type().dtype()).removeprefix("torch.")
    dtype: np.dtype[Any] = np.dtype(known)
    return dtype


def _sizes(value: Any) -> list[Any] | None:
    """Numbers; what else an open size is, of either exporter's value. None: not even how many is known."""
    if hasattr(value, "dtype"):
        return None if value.shape is None else list(value.shape)
    sizes = value.type().varyingSizes()
    return None if sizes is None else list(sizes)
