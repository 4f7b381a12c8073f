"""shift_right_logical"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.shift_right_logical(x, 3), "int32[N,4]"),
    case(lambda jax, x, y: jax.lax.shift_right_logical(x, abs(y)), "int32[N,4]", "int32[N,4]"),
    case(lambda jax, x: jax.lax.shift_right_logical(x, jax.numpy.full_like(x, 40)), "int32[N,4]"),
)  # fmt: skip

#: Half of what the sign's place counts.
_HALF = 1 << 30


@primitive("shift_right_logical")
def shift_right_logical(x: Any, count: Any) -> Any:
    """By one with 0 in the place of the sign, then as what is not negative; 0 for counts beyond the bits"""
    from jax import lax
    from jax import numpy as jnp

    if x.dtype != np.int32:
        return NotImplemented
    half = jnp.where(x < 0, _HALF, 0)
    moved = lax.shift_right_arithmetic(x, lax.full_like(x, 1)) + half + half
    further = jnp.clip(count - 1, 0, 31)
    shifted = jnp.where(count == 0, x, lax.shift_right_arithmetic(moved, further))
    return jnp.where((count < 0) | (count > 31), 0, shifted)
