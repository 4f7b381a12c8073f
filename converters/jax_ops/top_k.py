"""top_k and approx_top_k"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_lowering import Builder, lowering

#: The number below zero that XLA's arithmetic has next, which takes smaller ones for zeros.
_BELOW_ZERO = -np.finfo(np.float32).smallest_normal
_ZEROS = (0.0, -0.0, 0.0, -0.0)


def _mixed(jax: Any, x: Any) -> Any:
    """Zeros of both signs."""
    return x * 0 * jax.numpy.array(_ZEROS, np.float32)


CASES = (
    case(lambda jax, x: jax.lax.top_k(x, 2), "float32[N,5]"),
    case(lambda jax, x: jax.lax.top_k(_mixed(jax, x), 3), "float32[N,4]"),
    case(lambda jax, x: [1 / v for v in jax.lax.top_k(_mixed(jax, x), 3)], "float32[N,4]"),
    case(lambda jax, x: jax.lax.top_k(x, 3, axis=1), "float32[N,5,2]"),
    case(lambda jax, x: jax.lax.top_k(x, 2), "int32[N,5]"),
    case(lambda jax, x: jax.lax.approx_max_k(_mixed(jax, x), 3), "float32[N,4]"),
    case(lambda jax, x: jax.lax.approx_min_k(x, 3, reduction_dimension=1), "float32[N,5,2]"),
    case(lambda jax, x: jax.numpy.argpartition(_mixed(jax, x), 2), "float32[N,4]"),
)  # fmt: skip


@lowering("top_k")
def top_k(g: Builder, x: Any, *, k: int, axis: int, **_: Any) -> Any:
    """In XLA's total order, where 0 is above -0, and what stands first above its equals; in ONNX the zeros are equal.

    -0 is given as the number below it, and back.
    """
    signed = g.inputs[0].dtype == np.float32
    if signed:
        zero = g.constant(0, np.float32)
        negative = g.And(g.Equal(x, zero), g.Less(g.Reciprocal(x), zero))
        x = g.Where(negative, g.constant(_BELOW_ZERO, np.float32), x)
    values, places = _sorted(g, x, k, axis, largest=True)
    if signed:
        below = g.constant(_BELOW_ZERO, np.float32)
        values = g.Where(g.Equal(values, below), g.constant(-0.0, np.float32), values)
    return values, places


@lowering("approx_top_k")
def approx_top_k(g: Builder, x: Any, *, k: int, reduction_dimension: int, is_max_k: bool, **_: Any) -> Any:
    """On the CPU, where nothing is approximated: :func:`top_k`, and for the least a sort, where zeros are equal"""
    if is_max_k:
        return top_k(g, x, k=k, axis=reduction_dimension)
    return _sorted(g, x, k, reduction_dimension, largest=False)


def _sorted(g: Builder, x: Any, k: int, axis: int, *, largest: bool) -> Any:
    axis %= len(g.inputs[0].shape)
    values, places = g.TopK(x, g.constant([k]), axis=axis, largest=int(largest), sorted=1, returns=2)
    return values, g.Cast(places, to=6)  # int32
