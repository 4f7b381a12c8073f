"""cumprod"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.cumprod(x, 1), "float32[N,7]"),
    case(lambda jax, x: jax.lax.cumprod(x, 1, reverse=True), "float32[N,5,2]"),
    case(lambda jax, x: jax.numpy.cumprod(x, axis=-1), "int32[N,4]"),
    case(lambda jax, x: jax.numpy.cumprod(x, axis=0), "float32[N,4]"),
    case(lambda jax, x: jax.lax.cumprod(x, 1, reverse=True), "int32[2,N]"),
)  # fmt: skip


@primitive("cumprod")
def cumprod(x: Any, *, axis: int, reverse: bool) -> Any:
    """Each number times that of 1, 2, 4 ... places before, as W. D. Hillis and G. L. Steele add (CACM 29, 1986)

    One after the other where nobody knows how many they are.
    """
    from jax import lax

    size = x.shape[axis]
    if not isinstance(size, int):
        return along(lax.mul, 1, x, axis, reverse=reverse)
    one, step = lax.full((), 1, x.dtype), 1
    while step < size:
        first, last, pads = (step, size, (0, step, 0)) if reverse else (0, size - step, (step, 0, 0))
        moved = lax.slice_in_dim(x, first, last, axis=axis)
        x = x * lax.pad(moved, one, [pads if a == axis else (0, 0, 0) for a in range(x.ndim)])
        step *= 2
    return x


def along(combine: Callable[[Any, Any], Any], first: float, x: Any, axis: int, *, reverse: bool) -> Any:
    """What the elements up to each come to along an axis, one after the other."""
    from jax import lax
    from jax import numpy as jnp

    def step(before: Any, slice_: Any) -> tuple[Any, Any]:
        after = combine(before, slice_)
        return after, after

    rows = jnp.moveaxis(x, axis, 0)
    start = jnp.full(rows.shape[1:], first, x.dtype)
    return jnp.moveaxis(lax.scan(step, start, rows, reverse=reverse)[1], 0, axis)
