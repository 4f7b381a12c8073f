"""rem"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_lowering import lowering
from converters.jax_ops.div import but_for_zero

CASES = (
    case(lambda jax, x, y: jax.lax.rem(x, y), "float32[N,4]", "float32[N,4]", gives="Mod"),
    case(lambda jax, x: jax.numpy.remainder(x, 0.7), "float32[N,4]"),
    case(lambda jax, x: jax.lax.rem(x, 3), "int32[N,4]"),
    case(lambda jax, x, y: jax.lax.rem(x, y), "int32[N,4]", "int32[N,4]"),
)  # fmt: skip


@lowering("rem")
def rem(g: Any, x: Any, y: Any) -> Any:
    """Mod(x, y) as C has it: with the sign of x; of integers, where XLA gives x for y = 0, and C++ ends the program"""
    if g.inputs[1].dtype.kind == "f" or y.const_value is not None:
        return g.Mod(x, y, fmod=1)
    return but_for_zero(g, y, x, lambda kept: g.Mod(x, kept, fmod=1))
