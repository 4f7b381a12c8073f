"""pad"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: jax.lax.pad(x, 2.0, ((0, 0, 0), (1, 2, 0))), "float32[N,3]", gives="Pad"),
    case(lambda jax, x: jax.lax.pad(x, 2.0, ((0, 0, 0), (1, -2, 0))), "float32[N,4]", gives="Slice Pad"),
    case(lambda jax, x: jax.lax.pad(x, 2.0, ((0, 0, 0), (-1, 1, 2))), "float32[N,4]"),
    case(lambda jax, x: jax.lax.pad(x, 0, ((1, 1, 1), (0, 0, 1))), "int32[3,4]"),
    case(lambda jax, x, y: jax.lax.pad(x, y, ((0, 0, 0), (1, 2, 0))), "float32[N,3]", "float32[]", gives="Pad"),
)  # fmt: skip


@primitive("pad")
def spread_and_cut(x: Any, value: Any, *, padding_config: Any) -> Any:
    """Values in between are padding of a new axis; what is negative is a slice"""
    from jax import lax

    wanted = [tuple(pads) for pads in padding_config]
    if all(low >= 0 and high >= 0 and not between for low, high, between in wanted):
        return NotImplemented
    for axis, (low, high, between) in enumerate(wanted):
        if between:
            x = _spread(x, value, axis, between)
        if low < 0 or high < 0:
            x = lax.slice_in_dim(x, max(-low, 0), x.shape[axis] + min(high, 0), axis=axis)
    left = [(max(low, 0), max(high, 0), 0) for low, high, _ in wanted]
    return lax.pad(x, value, left) if any(low or high for low, high, _ in left) else x


def _spread(x: Any, value: Any, axis: int, between: int) -> Any:
    """``between`` values behind each along the axis, but for the last."""
    from jax import lax
    from jax import numpy as jnp

    size = x.shape[axis]
    new = [(0, 0, 0)] * (axis + 1) + [(0, between, 0)] + [(0, 0, 0)] * (x.ndim - axis - 1)
    many = lax.pad(lax.expand_dims(x, (axis + 1,)), value, new)
    wide = jnp.reshape(many, (*x.shape[:axis], size * (between + 1), *x.shape[axis + 1 :]))
    return lax.slice_in_dim(wide, 0, size * (between + 1) - between, axis=axis)


@lowering("pad")
def pad(g: Any, x: Any, value: Any, *, padding_config: Any) -> Any:
    """Pad(x, before and behind, value)"""
    low, high, between = zip(*padding_config, strict=True)
    if any(between) or min((*low, *high)) < 0:
        return NotImplemented
    return g.Pad(x, g.constant([*low, *high]), value, mode="constant")
