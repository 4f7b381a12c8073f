"""cumlogsumexp"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_ops.cumprod import along

CASES = (
    case(lambda jax, x: jax.lax.cumlogsumexp(100 * x, 1), "float32[N,7]"),
    case(lambda jax, x: jax.lax.cumlogsumexp(x, 1, reverse=True), "float32[N,5,2]"),
    case(lambda jax, x: jax.lax.cumlogsumexp(x, 0), "float32[N,5]"),
)  # fmt: skip


@primitive("cumlogsumexp")
def cumlogsumexp(x: Any, *, axis: int, reverse: bool) -> Any:
    """log(exp(x) + exp(those 1, 2, 4 ... places before)), which keeps within range, as cumprod does it with products"""
    from jax import lax
    from jax import numpy as jnp

    size = x.shape[axis]
    if not isinstance(size, int):
        return along(jnp.logaddexp, -np.inf, x, axis, reverse=reverse)
    none, step = np.asarray(-np.inf, x.dtype), 1
    while step < size:
        first, last, pads = (step, size, (0, step, 0)) if reverse else (0, size - step, (step, 0, 0))
        moved = lax.slice_in_dim(x, first, last, axis=axis)
        x = jnp.logaddexp(x, lax.pad(moved, none, [pads if a == axis else (0, 0, 0) for a in range(x.ndim)]))
        step *= 2
    return x
