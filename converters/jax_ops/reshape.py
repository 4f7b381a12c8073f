"""reshape"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: x.reshape(x.shape[0], -1), "float32[N,2,3]", gives="Reshape"),
    case(lambda jax, x: x.reshape(-1, 3), "float32[N,2,3]", gives="Reshape"),
    case(lambda jax, x: x.reshape(x.shape[1], x.shape[0], 2), "float32[N,M,2]"),
    case(lambda jax, x: x.reshape(3, 2), "float32[2,3]", gives="Reshape"),
    case(lambda jax, x: jax.numpy.reshape(x, (3, 2), order="F"), "float32[2,3]"),
)  # fmt: skip


@primitive("reshape")
def in_another_order(x: Any, *_: Any, new_sizes: Any, dimensions: Any, **__: Any) -> Any:
    """reshape(transpose(x))"""
    from jax import lax

    return NotImplemented if dimensions is None else lax.reshape(lax.transpose(x, dimensions), new_sizes)


@lowering("reshape")
def reshape(g: Any, x: Any, *open_sizes: Any, new_sizes: Any, dimensions: Any, **_: Any) -> Any:
    """Reshape(x, sizes) with 0 for an open size that stays in its place, and -1 for one that does not"""
    if open_sizes or dimensions is not None:
        return NotImplemented
    own = g.inputs[0].shape
    if tuple(own) == tuple(new_sizes):
        return g.Identity(x)
    sizes = [size if isinstance(size, int) else 0 if own[axis : axis + 1] == (size,) else -1
             for axis, size in enumerate(new_sizes)]  # fmt: skip
    if sizes.count(-1) > 1:
        return NotImplemented
    if sizes.count(0) and not sizes.count(-1):
        kept = sizes.index(0)  # -1 says the same, and is what SOFIE's own readers know best
        sizes = [-1 if axis == kept else size for axis, size in enumerate(sizes)]
    return g.Reshape(x, g.constant(sizes))
