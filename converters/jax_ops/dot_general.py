"""dot_general"""

from __future__ import annotations

from math import prod
from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x, y: x @ y, "float32[N,3]", "float32[3,4]", gives="MatMul"),
    case(lambda jax, x, y: x @ y, "float32[N,5,3]", "float32[3,4]", gives="MatMul"),
    case(lambda jax, x, y: x @ y, "float32[N,2,3]", "float32[N,3,4]", gives="MatMul"),
    case(lambda jax, x, y: jax.numpy.einsum("nqhd,nkhd->nhqk", x, y), "float32[N,4,2,3]", "float32[N,5,2,3]"),
    case(lambda jax, x, y: jax.numpy.einsum("abcd,cde->abe", x, y), "float32[N,4,2,3]", "float32[2,3,5]"),
    case(lambda jax, x, y: jax.numpy.tensordot(x, y, 0), "float32[3]", "float32[N]"),
    case(lambda jax, x, y: jax.numpy.dot(x, y), "float32[3]", "float32[3]"),
    case(lambda jax, x, y: jax.numpy.vecdot(x, y), "float32[N,3]", "float32[N,3]"),
    case(lambda jax, x: jax.numpy.einsum("ij,ik->jk", x, x), "float32[N,3]"),
)  # fmt: skip


@primitive("dot_general")
def dot_general(x: Any, y: Any, *, dimension_numbers: Any, **others: Any) -> Any:
    """Stacks of matrices: transposed so that [batch..., rows, inner] meets [batch..., inner, columns]

    The free axes of either side become one, and so do the inner ones, where there are several.
    """
    from jax import lax
    from jax import numpy as jnp

    (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
    free_x = [a for a in range(x.ndim) if a not in (*inner_x, *batch_x)]
    free_y = [a for a in range(y.ndim) if a not in (*inner_y, *batch_y)]
    if is_plain(x.ndim, y.ndim, dimension_numbers):
        return NotImplemented
    batch, inner = [x.shape[a] for a in batch_x], [x.shape[a] for a in inner_x]
    rows, columns = [x.shape[a] for a in free_x], [y.shape[a] for a in free_y]
    left, right = _ordered(x, (*batch_x, *free_x, *inner_x)), _ordered(y, (*batch_y, *inner_y, *free_y))
    # Without a batch, MatMul takes any number of axes of rows.
    kept = rows if rows and not batch else [prod(rows)]
    left = jnp.reshape(left, (*batch, *kept, prod(inner)))
    right = jnp.reshape(right, (*batch, prod(inner), prod(columns)))
    leading = tuple(range(len(batch)))
    plain = ((left.ndim - 1,), (len(batch),)), (leading, leading)
    found = lax.dot_general_p.bind(left, right, dimension_numbers=plain, **others)
    return jnp.reshape(found, (*batch, *rows, *columns))


def is_plain(left: int, right: int, dimension_numbers: Any) -> bool:
    """Is it ONNX's MatMul of as many axes: one inner axis, last and last but one, behind equal leading batches?"""
    (inner_x, inner_y), (batch_x, batch_y) = dimension_numbers
    leading = tuple(range(right - 2))
    stack = (right == 2 and not batch_x) or left == right
    return stack and left >= 2 and right >= 2 and (
        tuple(batch_x) == tuple(batch_y) == leading
        and tuple(inner_x) == (left - 1,) and tuple(inner_y) == (right - 2,)
    )  # fmt: skip


def _ordered(x: Any, axes: tuple[int, ...]) -> Any:
    from jax import lax

    return x if axes == tuple(range(x.ndim)) else lax.transpose(x, axes)


@lowering("dot_general")
def matmul(g: Any, x: Any, y: Any, *, dimension_numbers: Any, **_: Any) -> Any:
    """MatMul(x, y)"""
    if not is_plain(g.inputs[0].ndim, g.inputs[1].ndim, dimension_numbers):
        return NotImplemented
    if not g.inputs[0].dtype == g.inputs[1].dtype == g.outputs[0].dtype:
        return NotImplemented
    return g.MatMul(x, y)
