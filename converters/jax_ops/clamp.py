"""clamp"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.clamp(-0.5, x, 0.5), "float32[N,4]"),
    case(lambda jax, x, y: jax.lax.clamp(y, x, y + 1), "float32[N,4]", "float32[N,4]"),
    case(lambda jax, x, y: jax.lax.clamp(0, x, 1), "int32[N,4]", "int32[]"),
)  # fmt: skip


@primitive("clamp")
def clamp(low: Any, x: Any, high: Any) -> Any:
    """min(max(x, low), high)"""
    from jax import lax
    from jax import numpy as jnp

    def wide(limit: Any) -> Any:
        return jnp.broadcast_to(jnp.asarray(limit, x.dtype), x.shape)

    return lax.min(lax.max(x, wide(low)), wide(high))
