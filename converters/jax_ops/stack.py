"""stack"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.numpy.stack([x, 2 * x], 1), "float32[N,3]", gives="Mul Unsqueeze Unsqueeze Concat"),
    case(lambda jax, x: jax.numpy.stack([x, x, x], -1), "int32[N,3]"),
)  # fmt: skip


@primitive("stack")
def stack(*operands: Any, axis: int) -> Any:
    """Each operand with a new axis, one behind the other."""
    from jax import lax

    return lax.concatenate([lax.expand_dims(operand, (axis,)) for operand in operands], axis)
