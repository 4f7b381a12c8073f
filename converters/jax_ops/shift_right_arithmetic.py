"""shift_right_arithmetic"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: x >> 1, "int32[N,4]"),
    case(lambda jax, x, y: x >> abs(y), "int32[N,4]", "int32[N,4]"),
    case(lambda jax, x: (1234567 * x) >> 9, "int32[N,4]"),
    case(lambda jax, x: jax.lax.shift_right_arithmetic(x, jax.numpy.full_like(x, 33)), "int32[N,4]"),
)  # fmt: skip

_LARGEST = 30
_POWERS = np.asarray([1 << k for k in range(_LARGEST + 1)], np.int32)


@primitive("shift_right_arithmetic")
def shift_right_arithmetic(x: Any, count: Any) -> Any:
    """x / 2^count, and ~(~x / 2^count) for a negative x: rounded down; counts beyond the bits leave the sign"""
    import jax
    from jax import lax
    from jax import numpy as jnp

    if x.dtype != np.int32:
        return NotImplemented
    if isinstance(count, jax.core.Tracer):
        beyond = (count < 0) | (count > _LARGEST)
        power = jnp.take(jnp.asarray(_POWERS), jnp.clip(count, 0, _LARGEST), mode="clip")
    else:
        known = np.asarray(count)
        beyond, power = (known < 0) | (known > _LARGEST), _POWERS[np.clip(known, 0, _LARGEST)]
    negative = x < 0
    size = jnp.where(negative, -1 - x, x)
    moved = lax.div(size, jnp.broadcast_to(power, x.shape))
    if isinstance(beyond, jax.core.Tracer) or beyond.any():
        moved = jnp.where(beyond, 0, moved)
    return jnp.where(negative, -1 - moved, moved)
