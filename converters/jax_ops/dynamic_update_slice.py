"""dynamic_update_slice"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive

CASES = (
    case(lambda jax, x, y: jax.lax.dynamic_update_slice(x, y, (0, 1, 1)), "float32[N,5,4]", "float32[N,2,3]"),
    case(lambda jax, x, y: jax.lax.dynamic_update_slice(x, y, (0, 1)), "float32[3,5]", "float32[3,2]"),
    case(lambda jax, x, y: jax.lax.dynamic_update_slice(x, y, (7, 0)), "float32[4,5]", "float32[1,5]"),
    case(lambda jax, x, y: jax.lax.dynamic_update_slice(x, y, (0, 0)), "float32[4,5]", "float32[4,5]",
         gives="Identity"),
    case(lambda jax, x, y, i: jax.lax.dynamic_update_slice(x, y, (0, i)), "float32[3,5]", "float32[3,2]", "int32[]"),
    case(lambda jax, x, y, i: jax.lax.dynamic_update_slice(x, y, (i[0], i[1])), "float32[3,4]", "float32[2,2]",
         "int32[2]"),
)  # fmt: skip


@primitive("dynamic_update_slice")
def dynamic_update_slice(x: Any, update: Any, *starts: Any) -> Any:
    """What is before, the update and what is behind it, axis by axis, where the starts are known"""
    import jax

    cut = [axis for axis in range(x.ndim) if x.shape[axis] != update.shape[axis]]
    sizes = [(x.shape[axis], update.shape[axis]) for axis in cut]
    known = not any(isinstance(starts[axis], jax.core.Tracer) for axis in cut)
    if not known or not all(isinstance(size, int) for pair in sizes for size in pair):
        return NotImplemented
    places = [min(max(int(starts[axis]), 0), have - size) for axis, (have, size) in zip(cut, sizes, strict=True)]
    return _put(x, update, list(zip(cut, places, strict=True)))


@primitive("dynamic_update_slice")
def at_run_time(x: Any, update: Any, *starts: Any) -> Any:
    """Where an index lies in the window, the update's number for it; the window is moved to where it fits"""
    from jax import numpy as jnp

    cut = [axis for axis in range(x.ndim) if x.shape[axis] != update.shape[axis]]
    if not all(isinstance(update.shape[axis], int) for axis in cut):
        return NotImplemented
    inside = jnp.asarray(True)
    for axis in cut:
        have, size = x.shape[axis], update.shape[axis]
        start = jnp.clip(jnp.asarray(starts[axis], np.int32), 0, jnp.asarray(have - size, np.int32))
        places = jnp.arange(have, dtype=np.int32) - start
        mine = (places >= 0) & (places < size)
        inside = inside & jnp.expand_dims(mine, [a for a in range(x.ndim) if a != axis])
        update = jnp.take(update, jnp.clip(places, 0, size - 1), axis=axis, mode="clip")
    return jnp.where(inside, update, x)


def _put(x: Any, update: Any, places: list[tuple[int, int]]) -> Any:
    """The update at these places of the axes that are cut."""
    from jax import lax

    if not places:
        return update
    (axis, start), *others = places
    end = start + update.shape[axis]
    before, slab = lax.slice_in_dim(x, 0, start, axis=axis), lax.slice_in_dim(x, start, end, axis=axis)
    behind = lax.slice_in_dim(x, end, x.shape[axis], axis=axis)
    parts = [part for part in (before, _put(slab, update, others), behind) if part.shape[axis]]
    return lax.concatenate(parts, axis) if len(parts) > 1 else parts[0]
