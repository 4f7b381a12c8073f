"""broadcast_in_dim"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x: jax.lax.broadcast_in_dim(x, (*x.shape, 1), (0, 1)), "float32[N,3]", gives="Unsqueeze"),
    case(lambda jax, x: jax.numpy.broadcast_to(x, (4, 3)), "float32[3]", gives="Unsqueeze Expand"),
    case(lambda jax, x: jax.numpy.broadcast_to(x[:, None], (x.shape[0], 5, 3)), "float32[N,3]",
         gives="Unsqueeze Expand"),
    case(lambda jax, x: jax.numpy.broadcast_to(x[0], x.shape), "float32[N,3]"),
    case(lambda jax, x: jax.numpy.full(x.shape, 3, jax.numpy.uint32) + x.astype(jax.numpy.uint32), "int32[N,3]"),
)  # fmt: skip


@primitive("broadcast_in_dim")
def as_signed(x: Any, *open_sizes: Any, shape: Any, **p: Any) -> Any:
    """A known unsigned number is as well a signed one, which more programs know how to fill an open shape with"""
    import jax
    from jax import lax

    if open_sizes or isinstance(x, jax.core.Tracer) or all(isinstance(size, int) for size in shape):
        return NotImplemented
    known = np.asarray(x)
    if known.dtype != np.uint32 or (known > np.iinfo(np.int32).max).any():
        return NotImplemented
    signed = lax.broadcast_in_dim_p.bind(jax.numpy.asarray(known.astype(np.int32)), shape=shape, **p)
    return lax.convert_element_type(signed, np.uint32)


@lowering("broadcast_in_dim")
def broadcast_in_dim(g: Any, x: Any, *open_sizes: Any, shape: Any, broadcast_dimensions: Any, **_: Any) -> Any:
    """Unsqueeze(x) where nothing grows, else Expand(Unsqueeze(x), shape)

    A size that is not known yet and is grown to is jax2onnx's to find.
    """
    own = g.inputs[0].shape
    grown = [axis for axis, size in enumerate(shape)
             if (own[broadcast_dimensions.index(axis)] if axis in broadcast_dimensions else 1) != size]  # fmt: skip
    if open_sizes or not all(isinstance(shape[axis], int) for axis in grown):
        return NotImplemented
    new = [axis for axis in range(len(shape)) if axis not in broadcast_dimensions]
    y = g.Unsqueeze(x, g.constant(new)) if new else x
    if not grown:
        return y if new else g.Identity(x)
    return g.Expand(y, g.constant([size if axis in grown else 1 for axis, size in enumerate(shape)]))
