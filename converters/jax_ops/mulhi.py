"""mulhi"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_lowering import Builder, lowering

CASES = (
    case(lambda jax, x, y: jax.lax.mulhi(x, y), "int32[N,4]", "int32[N,4]"),
    case(lambda jax, x, y: jax.lax.mulhi(x * 1234567891, y * 987654321), "int32[N,4]", "int32[N,4]"),
)  # fmt: skip


@lowering("mulhi")
def mulhi(g: Builder, x: Any, y: Any, **_: Any) -> Any:
    """floor(x y / 2^32), in 64 bits"""
    if g.inputs[0].dtype != np.int32:
        return NotImplemented
    product = g.Mul(g.Cast(x, to=7), g.Cast(y, to=7))
    half = g.constant(1 << 32)
    return g.Cast(g.Div(g.Sub(product, g.Mod(product, half)), half), to=6)
