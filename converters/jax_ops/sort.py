"""sort"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_lowering import Builder, lowering

_SPECIAL = (1.0, float("nan"), float("inf"), -1.0)

CASES = (
    case(lambda jax, x: jax.numpy.sort(x, axis=0), "float32[N,3]"),
    case(lambda jax, x: jax.numpy.argsort(x, axis=None), "float32[N,3]"),
    case(lambda jax, x: jax.numpy.argsort(x, axis=0, descending=True), "int32[N]"),
    case(lambda jax, x: jax.lax.sort((x > 0, x), dimension=0, num_keys=2), "float32[N,2]"),
    case(lambda jax, x: jax.lax.sort((jax.numpy.round(x), x), dimension=0, num_keys=1), "float32[N]"),
    case(lambda jax, x: jax.numpy.sort(x[:, None] * jax.numpy.array(_SPECIAL), axis=None), "float32[N]"),
    case(lambda jax, x: jax.numpy.sort(x, axis=1), "float32[N,4]"),
)  # fmt: skip

#: ONNX's number for it.
_INT32 = 6


@lowering("sort")
def sort(g: Builder, *operands: Any, dimension: int, num_keys: int, **_: Any) -> Any:
    """TopK, all of an axis, by one key after the other, the last first, as equals stay in order; and the rest along

    Of an axis whose size is open; others are jax2onnx's. NaN stands behind infinity in XLA's order: whether it is one
    is a key of its own, in front of the number.
    """
    size = g.inputs[0].shape[dimension]
    if isinstance(size, int):
        return NotImplemented
    count = g.sizes([size])
    sorted_: list[Any] = list(operands)
    for number in reversed(range(num_keys)):
        dtype = g.inputs[number].dtype
        floats = np.issubdtype(dtype, np.floating)
        if floats:
            zero = g.constant(0, dtype)
            sorted_ = _by(g, g.Where(g.IsNaN(sorted_[number]), zero, sorted_[number]), count, dimension, sorted_)
        key = g.IsNaN(sorted_[number]) if floats else sorted_[number]
        whole = floats or dtype == np.bool_
        sorted_ = _by(g, g.Cast(key, to=_INT32) if whole else key, count, dimension, sorted_)
    return sorted_


def _by(g: Builder, key: Any, count: Any, axis: int, operands: list[Any]) -> list[Any]:
    """The operands in the order of the key."""
    _, places = g.TopK(key, count, axis=axis, largest=0, sorted=1, returns=2)
    return [g.GatherElements(operand, places, axis=axis) for operand in operands]
