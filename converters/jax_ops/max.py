"""max"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: jax.nn.relu(x), "float32[N,3]", gives="Relu"),
    case(lambda jax, x: jax.numpy.maximum(0.0, x), "float32[N,3]", gives="Relu"),
    case(lambda jax, x: jax.numpy.maximum(x, -jax.numpy.inf), "float32[N,3]", gives="Identity"),
    case(lambda jax, x: jax.numpy.maximum(x, 0), "int32[N,3]", gives="Max"),
    case(lambda jax, x, y: jax.numpy.maximum(x, y), "float32[N,3]", "float32[N,3]", gives="Max"),
)  # fmt: skip


@lowering("max")
def maximum(g: Any, x: Any, y: Any) -> Any:
    """Relu(x) for max(x, 0), and x for max(x, -inf), in either order"""
    for value, other, aval in ((x, y, g.inputs[0]), (y, x, g.inputs[1])):
        known = np.asarray(other.const_value.numpy()) if other.const_value is not None else np.zeros(0)
        if known.size != 1 or aval.shape != g.outputs[0].shape or not np.issubdtype(aval.dtype, np.floating):
            continue
        if np.isneginf(known).all():
            return g.Identity(value)
        if aval.ndim and not known.any():
            return g.Relu(value)
    return NotImplemented
