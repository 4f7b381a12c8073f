"""eq_to, le_to and lt_to"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.numpy.searchsorted(jax.numpy.arange(-1.0, 1, 0.25), x), "float32[N,3]"),
    case(lambda jax, x, y: jax.numpy.searchsorted(x, y, side="right"), "float32[5]", "float32[N]"),
    case(lambda jax, x: jax.numpy.digitize(x, jax.numpy.array([-0.5, 0.0, 0.5])), "float32[N,3]"),
)  # fmt: skip


@primitive("eq_to")
def eq_to(x: Any, y: Any) -> Any:
    """x = y, or both are NaN"""
    return (x == y) | ((x != x) & (y != y))


@primitive("le_to")
def le_to(x: Any, y: Any) -> Any:
    """x ≤ y, where NaN is above all; zeros are equal, whatever their sign"""
    return (x <= y) | (y != y)


@primitive("lt_to")
def lt_to(x: Any, y: Any) -> Any:
    """x < y, where NaN is above all; zeros are equal, whatever their sign"""
    return (x < y) | ((y != y) & (x == x))
