"""slice"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: x[:, 1:3], "float32[N,4]", gives="Slice"),
    case(lambda jax, x: x[:, ::2, -1], "float32[N,5,4]"),
    case(lambda jax, x: x[1:], "float32[N,4]"),
    case(lambda jax, x: jax.lax.slice(x, (0, 0), x.shape), "float32[N,4]", gives="Identity"),
)  # fmt: skip


@lowering("slice")
def cut(g: Any, x: Any, *_: Any, start_indices: Any, limit_indices: Any, strides: Any) -> Any:
    """Slice(x), on those axes alone that are cut"""
    own = g.inputs[0].shape
    steps = strides or (1,) * len(own)
    parts = list(zip(start_indices, limit_indices, steps, strict=True))
    axes = [a for a, part in enumerate(parts) if part != (0, own[a], 1)]
    if not axes:
        return g.Identity(x)
    chosen = [parts[a] for a in axes]
    if not all(isinstance(number, int) for part in chosen for number in part):
        return NotImplemented
    starts, ends, steps = zip(*chosen, strict=True)
    return g.Slice(x, g.constant(starts), g.constant(ends), g.constant(axes), g.constant(steps))
