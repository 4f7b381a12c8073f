"""ragged_dot_general"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x, y: jax.lax.ragged_dot(x, y, jax.numpy.array([1, 2])), "float32[5,3]", "float32[2,3,4]"),
    case(lambda jax, x, y, i: jax.lax.ragged_dot(x, y, abs(i)), "float32[N,3]", "float32[2,3,4]", "int32[2]"),
)  # fmt: skip


@primitive("ragged_dot_general")
def ragged_dot_general(x: Any, y: Any, sizes: Any, *, ragged_dot_dimension_numbers: Any, **_: Any) -> Any:
    """Sum over the groups of x y[group] in the group's rows, and 0 in all others"""
    from jax import numpy as jnp

    numbers = ragged_dot_dimension_numbers
    (inner, batch), ragged = numbers.dot_dimension_numbers, numbers.lhs_ragged_dimensions
    plain = tuple(map(tuple, inner)) == ((1,), (1,)) and not any(map(tuple, batch)) and tuple(ragged) == (0,)
    if not plain or x.ndim != 2 or tuple(numbers.rhs_group_dimensions) != (0,):
        return NotImplemented
    rows, ends = jnp.arange(x.shape[0])[:, None], jnp.cumsum(sizes)
    found = jnp.zeros((x.shape[0], y.shape[2]), x.dtype)
    for group in range(y.shape[0]):
        mine = (rows >= ends[group] - sizes[group]) & (rows < ends[group])
        found = found + jnp.where(mine, x @ y[group], np.zeros((), x.dtype))
    return found
