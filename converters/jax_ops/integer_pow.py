"""integer_pow"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: x**3, "float32[N,3]", gives="Mul Mul"),
    case(lambda jax, x: x**7, "float32[N,3]", gives="Mul Mul Mul Mul"),
    case(lambda jax, x: x**-2, "float32[N,3]"),
    case(lambda jax, x: x**11, "float32[N,3]", gives="Pow"),
    case(lambda jax, x: x**2, "int32[N,3]", gives="Mul"),
)  # fmt: skip

#: From here on, a power is not faster by multiplying.
_LARGEST = 8


@primitive("integer_pow")
def integer_pow(x: Any, *, y: int) -> Any:
    """x^y by squaring, as XLA computes it; 1 / x^-y for negative ones"""
    from jax import lax

    if not 0 < abs(y) <= _LARGEST:
        return NotImplemented
    power, square, left = None, x, abs(y)
    while left:
        if left % 2:
            power = square if power is None else lax.mul(power, square)
        left //= 2
        square = lax.mul(square, square) if left else square
    return lax.div(lax.full_like(power, 1), power) if y < 0 else power
