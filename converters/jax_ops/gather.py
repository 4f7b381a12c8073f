"""gather"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering
from converters.jax_ops.dim_as_value import DIMENSION

CASES = (
    case(lambda jax, x, i: x[i], "float32[5,3]", "int32[N]", gives="Gather"),
    case(lambda jax, x, i: x[i], "float32[M,3]", "int32[N]"),
    case(lambda jax, x, i: x[:, i], "float32[N,5,3]", "int32[2,2]", gives="Gather"),
    case(lambda jax, x, i: jax.numpy.take(x, i, axis=0), "float32[2,3]", "int32[N]"),
    case(lambda jax, x, i: jax.numpy.take(x, i, axis=1, mode="clip"), "float32[N,2]", "int32[4]"),
    case(lambda jax, x, i: jax.numpy.take(x, i, axis=1), "int32[N,2]", "int32[4]"),
    case(lambda jax, x: x[:, jax.numpy.array([2, 0, -1])], "float32[N,4]", gives="Gather"),
    case(lambda jax, x: jax.numpy.take(x, jax.numpy.array([2, 9]), axis=1), "float32[N,4]"),
    case(lambda jax, x, i: jax.vmap(lambda at: jax.lax.dynamic_slice(x, (at,), (1,)))(i), "float32[5]", "int32[N]"),
    case(lambda jax, x, i: jax.vmap(lambda at: jax.lax.dynamic_slice_in_dim(x, at, 1, 1))(i), "float32[3,5]",
         "int32[2]"),
)  # fmt: skip


@primitive("gather")
def without_size_one(x: Any, indices: Any, *, dimension_numbers: Any, slice_sizes: Any, **p: Any) -> Any:
    """One place along an axis that the result keeps, with size 1: without it, and put in again"""
    from jax import lax

    numbers = dimension_numbers
    if numbers.collapsed_slice_dims or numbers.operand_batching_dims or len(numbers.start_index_map) != 1:
        return NotImplemented
    (axis,) = numbers.start_index_map
    if slice_sizes[axis] != 1:
        return NotImplemented
    kept = numbers.offset_dims[axis]
    others = tuple(place - (place > kept) for place in numbers.offset_dims if place != kept)
    plain = lax.GatherDimensionNumbers(others, (axis,), (axis,))
    found = lax.gather_p.bind(x, indices, dimension_numbers=plain, slice_sizes=slice_sizes, **p)
    return lax.expand_dims(found, (kept,))


@primitive("gather")
def within_bounds(x: Any, indices: Any, *, mode: Any, fill_value: Any, **p: Any) -> Any:
    """An index outside is moved inside, and what it gives is the fill value where that is asked for"""
    import jax
    from jax import lax
    from jax import numpy as jnp

    modes = lax.GatherScatterMode
    axis = indexed_axis(x, indices, **p)
    if axis is None or mode not in (modes.CLIP, modes.FILL_OR_DROP):
        return NotImplemented
    inside = {**p, "mode": modes.PROMISE_IN_BOUNDS, "fill_value": None}
    size = x.shape[axis]
    if not isinstance(indices, jax.core.Tracer) and isinstance(size, int) and _all_fit(indices, size):
        return lax.gather_p.bind(x, indices, **inside)
    limit = jnp.asarray(size, indices.dtype)
    found = lax.gather_p.bind(x, jnp.clip(indices, 0, limit - 1), **inside)
    if mode == modes.CLIP:
        return found
    fits = jnp.squeeze((indices >= 0) & (indices < limit), -1)
    shape = [1] * axis + list(fits.shape) + [1] * (x.ndim - axis - 1)
    return jnp.where(jnp.reshape(fits, shape), found, _filling(x, fill_value))


def _all_fit(indices: Any, size: int) -> bool:
    known = np.asarray(indices)
    return bool(((known >= 0) & (known < size)).all())


def _filling(x: Any, given: Any) -> Any:
    """As ``jnp.take`` documents it: NaN, the smallest number of a signed and the largest of an unsigned integer."""
    if given is not None:
        return np.asarray(given, x.dtype)
    if np.issubdtype(x.dtype, np.inexact):
        return np.asarray(np.nan, x.dtype)
    if x.dtype == np.bool_:
        return np.asarray(True)
    limits = np.iinfo(x.dtype)
    return np.asarray(limits.max if limits.min == 0 else limits.min, x.dtype)


def indexed_axis(x: Any, indices: Any, *, dimension_numbers: Any, slice_sizes: Any, **_: Any) -> int | None:
    """The one axis that is indexed, where it is ONNX's Gather: all of the others taken, the indices in its place."""
    numbers = dimension_numbers
    if len(numbers.start_index_map) != 1 or numbers.operand_batching_dims:
        return None
    (axis,) = numbers.start_index_map
    whole = all(size == have for a, (size, have) in enumerate(zip(slice_sizes, x.shape, strict=True)) if a != axis)
    behind = range(axis + indices.ndim - 1, x.ndim + indices.ndim - 2)
    in_place = tuple(numbers.offset_dims) == (*range(axis), *behind)
    return axis if whole and in_place and tuple(numbers.collapsed_slice_dims) == (axis,) else None


@lowering("gather")
def gather(g: Any, x: Any, indices: Any, *, mode: Any, **p: Any) -> Any:
    """Gather(x, indices), which counts negative indices from the end itself"""
    from jax import lax
    from onnx import TensorProto

    axis = indexed_axis(*g.inputs, **p)
    if axis is None or mode != lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        return NotImplemented
    places = _from_the_end(g, _flat(g, indices), g.inputs[0].shape[axis])
    if str(g.inputs[1].dtype) not in ("int32", "int64"):
        places = g.Cast(places, to=TensorProto.INT64)
    return g.Gather(x, places, axis=int(axis))


def _flat(g: Any, indices: Any) -> Any:
    """Without the last axis, which counts the axes that are indexed: one."""
    if indices.const_value is not None:
        known = indices.const_value.numpy()
        return g.constant(known[..., 0], known.dtype)
    own = g.source(indices, "Unsqueeze")
    is_last = own is not None and list(own[1].const_value.numpy()) == [g.inputs[1].ndim - 1]
    return own[0] if own is not None and is_last else g.Squeeze(indices, g.constant([-1]))


def _from_the_end(g: Any, indices: Any, size: Any) -> Any:
    """i, of Where(i < 0, i + size, i): what jax.numpy makes of an index."""
    choice = g.source(indices, "Where")
    if choice is None:
        return indices
    asked, moved, plain = choice
    less, added = g.source(asked, "Less"), g.source(moved, "Add")
    if less is None or added is None or less[0] is not plain or not _is(less[1], 0):
        return indices
    left, right = added
    other = right if left is plain else left if right is plain else None
    return plain if other is not None and (_is(other, size) or _counts(g, other, size)) else indices


def _counts(g: Any, value: Any, size: Any) -> bool:
    """Is this the size that is not known yet, in whatever integers?"""
    while (cast := g.source(value, "Cast")) is not None and DIMENSION not in value.meta:
        (value,) = cast
    return bool(value.meta.get(DIMENSION) == str(size))


def _is(value: Any, number: Any) -> bool:
    known = value.const_value
    return known is not None and isinstance(number, int) and bool((np.asarray(known.numpy()) == number).all())
