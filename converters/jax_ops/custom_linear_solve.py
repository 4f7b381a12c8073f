"""custom_linear_solve: systems of linear equations, which JAX solves its own way to know their gradients"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.numpy.linalg.solve(jax.numpy.eye(3) + x.T @ x, x[0]), "float32[N,3]"),
    case(lambda jax, x: jax.numpy.linalg.inv(jax.numpy.eye(3) + x.T @ x), "float32[N,3]"),
)  # fmt: skip


@primitive("custom_linear_solve")
def custom_linear_solve(*operands: Any, const_lengths: Any, jaxprs: Any) -> Any:
    """What it solves them by; the rest is for gradients"""
    from jax.extend.core import jaxpr_as_fun

    before = const_lengths.matvec + const_lengths.vecmat
    consts = operands[before : before + const_lengths.solve]
    return jaxpr_as_fun(jaxprs.solve)(*consts, *operands[sum(const_lengths) :])
