"""dynamic_slice"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x: jax.lax.dynamic_slice(x, (0, 1), (x.shape[0], 2)), "float32[N,4]", gives="Slice"),
    case(lambda jax, x: jax.lax.dynamic_slice_in_dim(x, 9, 2, 1), "float32[N,4]", gives="Slice"),
    case(lambda jax, x, i: jax.lax.dynamic_slice_in_dim(x, i, 2, 1), "float32[N,4]", "int32[]"),
    case(lambda jax, x, i: jax.lax.dynamic_slice(x, (i[0], i[1]), (2, 3)), "float32[4,5]", "int32[2]"),
)  # fmt: skip


@primitive("dynamic_slice")
def dynamic_slice(x: Any, *starts: Any, slice_sizes: Any) -> Any:
    """slice(x, starts, starts + sizes) where the starts are known, moved to where the sizes fit

    Axes of which all is taken start at 0 whatever is asked for; along those whose start is not known, it is taken by
    indices.
    """
    import jax
    from jax import lax
    from jax import numpy as jnp

    starts = starts[: x.ndim]
    for axis, (start, have, size) in enumerate(zip(starts, x.shape, slice_sizes, strict=True)):
        if have == size:
            continue
        if isinstance(have, int) and not isinstance(start, jax.core.Tracer):
            place = min(max(int(start), 0), have - size)
            x = lax.slice_in_dim(x, place, place + size, axis=axis)
        elif isinstance(size, int):
            places = _moved_inside(start, have - size) + np.arange(size, dtype=np.int32)
            x = jnp.take(x, places, axis=axis, mode="clip")
        else:
            return NotImplemented
    return x


def _moved_inside(start: Any, most: Any) -> Any:
    from jax import numpy as jnp

    return jnp.clip(jnp.asarray(start, np.int32), 0, jnp.asarray(most, np.int32))
