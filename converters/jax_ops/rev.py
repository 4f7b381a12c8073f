"""rev"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: jax.numpy.flip(x, 1), "float32[N,4]", gives="Gather"),
    case(lambda jax, x: x[:, ::-1], "float32[N,4]"),
    case(lambda jax, x: jax.numpy.flip(x, (1, 2)), "float32[N,2,3]", gives="Gather Gather"),
    case(lambda jax, x: x[::-1], "float32[N,4]"),
)  # fmt: skip


@lowering("rev")
def rev(g: Any, x: Any, *, dimensions: Any) -> Any:
    """Gather(x, n - 1 ... 0) along each axis"""
    sizes = {axis: g.inputs[0].shape[axis] for axis in dimensions}
    if not all(isinstance(size, int) for size in sizes.values()):
        return NotImplemented
    for axis, size in sizes.items():
        x = g.Gather(x, g.constant(list(range(size - 1, -1, -1))), axis=axis)
    return x if sizes else g.Identity(x)
