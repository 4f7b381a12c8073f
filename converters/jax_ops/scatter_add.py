"""scatter-add"""

from __future__ import annotations

from typing import Any

from converters.jax_cases import case
from converters.jax_decompositions import primitive
from converters.jax_lowering import lowering

CASES = (
    case(lambda jax, x, i: jax.ops.segment_sum(x, i, num_segments=3), "float32[N,2]", "int32[N]"),
    case(lambda jax, x, y, i: y + jax.ops.segment_sum(x, i, num_segments=y.shape[0]), "float32[N,2]", "float32[M,2]",
         "int32[N]"),
    case(lambda jax, x, i: jax.numpy.zeros(2).at[i].add(x), "float32[N]", "int32[N]"),
    case(lambda jax, x: x.at[:, 1].add(2.0), "float32[N,3]"),
)  # fmt: skip


@primitive("scatter-add")
def within_bounds(operand: Any, indices: Any, updates: Any, *, dimension_numbers: Any, mode: Any, **others: Any) -> Any:
    """What falls outside adds nothing: its index is moved inside, and its update is 0

    That is for whole rows, as ``jax.ops.segment_sum`` adds them, and for single elements.
    """
    from jax import lax
    from jax import numpy as jnp

    inside = lax.GatherScatterMode.PROMISE_IN_BOUNDS
    axes = dimension_numbers.scatter_dims_to_operand_dims
    if mode == inside or not is_rows(dimension_numbers, operand.ndim) or mode != lax.GatherScatterMode.FILL_OR_DROP:
        return NotImplemented
    limits = jnp.stack([jnp.asarray(operand.shape[axis], indices.dtype) for axis in axes])
    fits = (indices >= 0) & (indices < limits)
    fits = jnp.squeeze(fits, -1) if len(axes) == 1 else fits.all(axis=-1)
    fits = jnp.reshape(fits, (*fits.shape, *(1,) * (updates.ndim - fits.ndim)))
    return lax.scatter_add_p.bind(
        operand, jnp.clip(indices, 0, limits - 1), jnp.where(fits, updates, 0), dimension_numbers=dimension_numbers,
        mode=inside, **others,
    )  # fmt: skip


def is_rows(numbers: Any, rank: int) -> bool:
    """Do the indices count the leading axes in order, and are the updates all of what is behind them?"""
    leading = tuple(range(len(numbers.scatter_dims_to_operand_dims)))
    batched = getattr(numbers, "operand_batching_dims", ())
    windows = tuple(numbers.update_window_dims)
    first = windows[0] if windows else 0
    return not batched and (
        tuple(numbers.scatter_dims_to_operand_dims) == tuple(numbers.inserted_window_dims) == leading
        and windows == tuple(range(first, first + rank - len(leading)))
    )  # fmt: skip


@lowering("scatter-add")
def scatter_nd(g: Any, operand: Any, indices: Any, updates: Any, *, dimension_numbers: Any, mode: Any, **_: Any) -> Any:
    """ScatterND<add>(operand, indices, updates)"""
    from jax import lax
    from onnx import TensorProto

    rank, indexed = g.inputs[0].ndim, g.inputs[1]
    behind = indexed.ndim - 1 == (dimension_numbers.update_window_dims or (indexed.ndim - 1,))[0]
    if mode != lax.GatherScatterMode.PROMISE_IN_BOUNDS or not is_rows(dimension_numbers, rank) or not behind:
        return NotImplemented
    places = indices if str(indexed.dtype) == "int64" else g.Cast(indices, to=TensorProto.INT64)
    return g.ScatterND(operand, places, updates, reduction="add")
