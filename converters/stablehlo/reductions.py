"""Reductions, whole and by windows, and sorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.errors import ExportFailed
from converters.stablehlo.combining import adds_exponents, keys_of_sort, only_operation, which_extreme
from converters.stablehlo.program import Op
from converters.stablehlo.registry import called, composite, operation
from converters.stablehlo.values import array_of, is_known, sizes_of

#: A region's one operation: the reduction of jax.lax, the function, and the cumulative one.
_KNOWN = {
    "add": ("reduce_sum", "add", "cumsum"),
    "multiply": ("reduce_prod", "mul", "cumprod"),
    "maximum": ("reduce_max", "max", "cummax"),
    "minimum": ("reduce_min", "min", "cummin"),
    "and": ("reduce_and", "bitwise_and", ""),
    "or": ("reduce_or", "bitwise_or", ""),
    "xor": ("reduce_xor", "bitwise_xor", ""),
    "logaddexp": ("", "logaddexp", "cumlogsumexp"),
}


def _neutral(name: str, dtype: Any) -> Any:
    """The number that changes none."""
    from jax import dtypes
    from jax import numpy as jnp

    if name in ("add", "or", "xor"):
        return np.array(0, dtype)
    if name == "multiply":
        return np.array(1, dtype)
    if dtype == np.bool_ or name == "and":
        return np.array(name != "maximum", dtype) if dtype == np.bool_ else np.array(-1).astype(dtype)
    if dtypes.issubdtype(dtype, np.floating):  # of maximum and logaddexp alike
        return np.array(np.inf if name == "minimum" else -np.inf, dtype)
    limits = jnp.iinfo(dtype)
    return np.array(limits.max if name == "minimum" else limits.min, dtype)


def _is_neutral(name: str, value: Any) -> bool:
    return is_known(value) and bool((np.asarray(value) == _neutral(name, value.dtype)).all())


@operation("stablehlo.reduce")
def reduce(op: Any, *given: Any) -> Any:
    """One of lax's own reductions, or a place of the largest or smallest, or what the region says"""
    from jax import lax

    count = len(given) // 2
    operands, first, axes = given[:count], given[count:], tuple(op["dimensions"])
    name = only_operation(op.blocks[0])
    if name in _KNOWN:
        whole, pair, _ = _KNOWN[name]
        found = getattr(lax, whole)(operands[0], axes)
        return [found if _is_neutral(name, first[0]) else getattr(lax, pair)(found, first[0])]
    extreme = _extreme(op, operands, first, axes)
    if extreme is not None:
        return extreme

    def computation(x: Any, y: Any) -> Any:
        return tuple(op.regions[0](*x, *y))

    return list(lax.reduce(tuple(operands), tuple(first), computation, axes))


def _extreme(op: Any, operands: Sequence[Any], first: Sequence[Any], axes: Sequence[int]) -> list[Any] | None:
    """The largest or smallest numbers, and their places, where the second operand counts along the axis."""
    from jax import lax

    if len(operands) != 2 or len(axes) != 1 or not _counts(op.of.operands[1], axes[0]):
        return None
    name = which_extreme(op.regions[0], [v.dtype for v in operands])
    x, places = operands
    if not name or not _is_neutral("maximum" if name == "argmax" else "minimum", first[0]):
        return None
    values = lax.reduce_max(x, axes) if name == "argmax" else lax.reduce_min(x, axes)
    return [values, getattr(lax, name)(x, axes[0], places.dtype)]


def _counts(value: Any, axis: int) -> bool:
    """Does MLIR's value come from an iota along the axis?"""
    maker = value.owner
    return getattr(maker, "name", "") in ("stablehlo.iota", "stablehlo.dynamic_iota") and axis == int(
        maker.attributes["iota_dimension"].value
    )


@operation("stablehlo.reduce_window")
def reduce_window(op: Any, *given: Any) -> Any:
    ones = [1] * given[0].ndim
    padding = op["padding"].tolist() if "padding" in op else [(0, 0)] * len(ones)
    names = ("window_dimensions", "window_strides", "base_dilations", "window_dilations")
    sizes, steps, inner, outer = (op.get(name, ones) for name in names)
    return _windowed(op, given, _Window(sizes, steps, inner, outer, padding))


@called("stablehlo.dynamic_reduce_window", takes="any")
def dynamic_reduce_window(op: Any, *given: Any) -> Any:
    *arrays, window, steps, inner, outer, padding = given
    found = [sizes_of(value, "the sizes of windows") for value in (window, steps, inner, outer, padding)]
    rows = list(zip(found[4][::2], found[4][1::2], strict=True))
    return _windowed(op, [array_of(value) for value in arrays], _Window(found[0], found[1], found[2], found[3], rows))


@dataclass(frozen=True)
class _Window:
    """How windows lie on an array, each by its axes."""

    sizes: Sequence[Any]
    steps: Sequence[Any]
    inner: Sequence[Any]
    outer: Sequence[Any]
    padding: Sequence[Sequence[Any]]

    def grows(self, shape: Sequence[Any]) -> tuple[int, bool] | None:
        """The axis along which windows grow from one end to the whole, and whether from its last; None for others."""
        axes = [axis for axis, size in enumerate(self.sizes) if not (isinstance(size, int) and size == 1)]
        plain = all(isinstance(n, int) and n == 1 for n in (*self.steps, *self.inner, *self.outer))
        if len(axes) != 1 or not plain or self.sizes[axes[0]] != shape[axes[0]]:
            return None
        ends = [tuple(row) for row in self.padding]
        low, high = ends.pop(axes[0])
        most = shape[axes[0]] - 1
        if any(end != (0, 0) for end in ends) or (low, high) not in ((most, 0), (0, most)):
            return None
        return axes[0], bool(low == 0)


def _windowed(op: Any, given: Sequence[Any], window: _Window) -> list[Any]:
    """A reduction by windows; lax's cumulative one where the windows grow from one end to the whole"""
    from jax import lax

    (x, first), others = given[:2], given[2:]
    name = "" if others else only_operation(op.blocks[0])
    if not name and not others and adds_exponents(op.regions[0], x.dtype):
        name = "logaddexp"
    if name not in _KNOWN:
        raise ExportFailed("the window is reduced in a way that has no name", advice="use lax.add, max, min or mul")
    _, pair, cumulative = _KNOWN[name]
    grown = window.grows(x.shape)
    if cumulative and grown is not None and _is_neutral(name, first):
        return [getattr(lax, cumulative)(x, axis=grown[0], reverse=grown[1])]
    if not hasattr(lax, pair) or not all(isinstance(n, int) for n in (*window.sizes, *window.steps)):
        raise ExportFailed("the windows are not of a known size", advice="give sizes in --input, or --batch 1")
    lies = (window.sizes, window.steps, window.padding, window.inner, window.outer)
    return [lax.reduce_window(x, first, getattr(lax, pair), *lies)]


@operation("stablehlo.sort")
def sort(op: Any, *operands: Any) -> Any:
    """By the first operands, in JAX's order"""
    from jax import lax

    found = keys_of_sort(op.regions[0], [x.dtype for x in operands])
    if found is None or found[1]:
        raise ExportFailed("the order is not that of lax.sort", advice="sort with lax.sort or jax.numpy.sort")
    return list(lax.sort(operands, dimension=op["dimension"], is_stable=op["is_stable"], num_keys=found[0]))


@operation("chlo.top_k")
@called("mhlo.topk")
def top_k(op: Any, x: Any) -> Any:
    from jax import lax

    attributes = op.get("mhlo.attributes", {})
    if not attributes.get("largest", True):
        raise ExportFailed("the smallest numbers are asked for", advice="negate them and ask for the largest")
    return list(lax.top_k(x, attributes["k"] if attributes else op["k"]))


@called("ApproxTopK")
def approx_top_k(op: Any, x: Any, *others: Any) -> Any:
    """All of the k largest, or smallest, numbers, which is as near as can be"""
    del others
    from jax import lax

    config, k = op["mhlo.backend_config"], op.types[0].shape[-1]
    name = Op(op.blocks[0].operations[0].operation).word("comparison_direction")
    if not config["aggregate_to_topk"] or config["reduction_dim"] != x.ndim - 1 or name not in ("GT", "LT"):
        raise ExportFailed("it gives other numbers than the largest or smallest along the last axis")
    if name == "GT":
        return list(lax.top_k(x, k))
    values, places = lax.top_k(lax.neg(x), k)
    return [lax.neg(values), places]


@composite("chlo.top_k")
def composed_top_k(op: Any, x: Any) -> Any:
    from jax import lax

    return list(lax.top_k(x, op["composite_attributes"]["k"]))
