"""Slices, gathers and scatters at computed places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convert.errors import ExportFailed
from converters.stablehlo.combining import only_operation
from converters.stablehlo.registry import operation
from converters.stablehlo.values import array_of, sizes_of

#: A region's one operation, and the scatter of jax.lax.
_SCATTERS = {
    "second": "scatter", "add": "scatter_add", "multiply": "scatter_mul", "minimum": "scatter_min",
    "maximum": "scatter_max", "subtract": "scatter_sub", "apply": "scatter_apply",
}  # fmt: skip


@operation("stablehlo.dynamic_slice")
def dynamic_slice(op: Any, x: Any, *starts: Any) -> Any:
    """Starts outside are moved inside, negative ones too, as StableHLO has it"""
    from jax import lax

    return lax.dynamic_slice(x, starts, op["slice_sizes"], allow_negative_indices=False)


@operation("stablehlo.dynamic_update_slice")
def dynamic_update_slice(op: Any, x: Any, update: Any, *starts: Any) -> Any:
    """As :func:`dynamic_slice`"""
    del op
    from jax import lax

    return lax.dynamic_update_slice(x, update, starts, allow_negative_indices=False)


@operation("stablehlo.gather")
def gather(op: Any, x: Any, indices: Any) -> Any:
    return _gathered(op, x, indices, op["slice_sizes"])


@operation("stablehlo.dynamic_gather", takes="any")
def dynamic_gather(op: Any, x: Any, indices: Any, shape: Any) -> Any:
    return _gathered(op, array_of(x), array_of(indices), sizes_of(shape, "the sizes of a gather"))


def _gathered(op: Any, x: Any, indices: Any, shape: Sequence[Any]) -> Any:
    """Places outside are moved inside, as StableHLO has it"""
    from jax import lax
    from jax.extend.mlir.dialects import stablehlo

    d = stablehlo.GatherDimensionNumbers(op["dimension_numbers"])
    numbers = lax.GatherDimensionNumbers(
        offset_dims=tuple(d.offset_dims),
        collapsed_slice_dims=tuple(d.collapsed_slice_dims),
        start_index_map=tuple(d.start_index_map),
        operand_batching_dims=tuple(d.operand_batching_dims),
        start_indices_batching_dims=tuple(d.start_indices_batching_dims),
    )
    return lax.gather(x, _vectors(indices, d.index_vector_dim), numbers, tuple(shape), mode="clip")


def _vectors(indices: Any, axis: int) -> Any:
    """
    :raises ExportFailed: the indices of one place do not stand along the last axis.
    """
    from jax import lax

    if axis == indices.ndim:  # each is a place by itself
        return lax.expand_dims(indices, (axis,))
    if axis != indices.ndim - 1:
        raise ExportFailed("the places stand along another axis than the last")
    return indices


@operation("stablehlo.scatter")
def scatter(op: Any, x: Any, indices: Any, updates: Any, *others: Any) -> Any:
    """Places outside are left out, as StableHLO has it"""
    from jax import lax
    from jax.extend.mlir.dialects import stablehlo

    (block,), (region,) = op.blocks, op.regions
    name = "apply" if not list(block.arguments[1].uses) else only_operation(block)
    if others or name not in _SCATTERS:
        raise ExportFailed("what is there and what comes are put together in a way that has no name",
                           advice="use at[...].set, add, multiply, min or max")  # fmt: skip
    d = stablehlo.ScatterDimensionNumbers(op["scatter_dimension_numbers"])
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=tuple(d.update_window_dims),
        inserted_window_dims=tuple(d.inserted_window_dims),
        scatter_dims_to_operand_dims=tuple(d.scattered_dims_to_operand_dims),
        operand_batching_dims=tuple(d.input_batching_dims),
        scatter_indices_batching_dims=tuple(d.scatter_indices_batching_dims),
    )
    places = _vectors(indices, d.index_vector_dim)
    how = {"unique_indices": bool(op.get("unique_indices", False)), "mode": lax.GatherScatterMode.FILL_OR_DROP}
    if name == "apply":
        shape = updates.shape
        return [lax.scatter_apply(x, places, lambda old: region(old, old)[0], numbers, update_shape=shape, **how)]
    return [getattr(lax, _SCATTERS[name])(x, places, updates, numbers, **how)]
