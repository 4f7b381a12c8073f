"""tile"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.numpy.tile(x, (1, 3)), "float32[N,2]", gives="Concat"),
    case(lambda jax, x: jax.numpy.tile(x, (2, 1, 3)), "float32[4,2]"),
)  # fmt: skip


@primitive("tile")
def tile(x: Any, *, reps: Any) -> Any:
    """As many copies along each axis, one behind the other"""
    from jax import lax

    for axis, count in enumerate(reps):
        if not isinstance(count, int) or not count:
            return NotImplemented
        x = lax.concatenate([x] * count, axis) if count > 1 else x
    return x
