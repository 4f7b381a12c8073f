"""unstack"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.numpy.unstack(x, axis=1), "float32[N,3]"),
    case(lambda jax, x: sum(jax.numpy.unstack(x, axis=-1)), "float32[N,2,3]"),
)  # fmt: skip


@primitive("unstack")
def unstack(x: Any, *, axis: int) -> Any:
    """Every slice along the axis, without it"""
    from jax import lax

    return [lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis])]
