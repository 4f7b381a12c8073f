"""Operations that make and move numbers and change none; those with open sizes take the sizes as operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convert.errors import ExportFailed
from converters.stablehlo.registry import operation
from converters.stablehlo.values import (
    Sizes,
    Spread,
    array_of,
    is_known,
    sizes_of,
    sizes_or_numbers,
    spread,
)


@operation("stablehlo.constant", takes="any")
def constant(op: Any) -> Any:
    """The array; one number, yet to be spread, where all are the same"""
    value = op["value"]
    return spread(value.reshape(-1)[:1].reshape(()), value.shape) if op.of.attributes["value"].is_splat else value


@operation("stablehlo.get_dimension_size", takes="any")
def get_dimension_size(op: Any, x: Any) -> Any:
    return sizes_or_numbers(_scalar(x.shape[op["dimension"]]), op.types[0].dtype)


def _scalar(entry: Any) -> Any:
    found = np.empty((), object)
    found[()] = entry
    return found


@operation("stablehlo.iota", takes="any")
def iota(op: Any) -> Any:
    return _counted(op, op.types[0].shape)


@operation("stablehlo.dynamic_iota", takes="any")
def dynamic_iota(op: Any, shape: Any) -> Any:
    return _counted(op, sizes_of(shape, "the sizes of an iota"))


def _counted(op: Any, shape: Sequence[Any]) -> Any:
    """0, 1, 2 ... along the axis, spread along the others."""
    from jax import lax

    axis, dtype = op["iota_dimension"], op.types[0].dtype
    narrow = [size if i == axis else 1 for i, size in enumerate(shape)]
    if isinstance(shape[axis], int):
        return spread(np.arange(shape[axis]).astype(dtype).reshape(narrow), shape)
    return spread(lax.broadcasted_iota(dtype, narrow, axis), shape)


@operation("stablehlo.broadcast_in_dim", takes="any")
def broadcast_in_dim(op: Any, x: Any) -> Any:
    return _broadcast(x, op.types[0].shape, op["broadcast_dimensions"])


@operation("stablehlo.dynamic_broadcast_in_dim", takes="any")
def dynamic_broadcast_in_dim(op: Any, x: Any, shape: Any) -> Any:
    return _broadcast(x, sizes_of(shape, "the sizes of a broadcast"), op["broadcast_dimensions"])


def _broadcast(x: Any, shape: Sequence[Any], axes: Sequence[int]) -> Any:
    """A value that is yet to be spread: only new axes of size 1 are made."""
    from jax import lax

    narrow = x.array if isinstance(x, Spread) else array_of(x)
    if not narrow.ndim:
        return spread(narrow, shape)
    if list(axes) != sorted(axes):
        return lax.broadcast_in_dim(array_of(x), shape, axes)
    new = tuple(i for i in range(len(shape)) if i not in axes)
    return spread(np.expand_dims(narrow, new) if is_known(narrow) else lax.expand_dims(narrow, new), shape)


@operation("stablehlo.reshape", takes="any")
def reshape(op: Any, x: Any) -> Any:
    return _reshaped(x, op.types[0].shape)


@operation("stablehlo.dynamic_reshape", takes="any")
def dynamic_reshape(op: Any, x: Any, shape: Any) -> Any:
    del op
    return _reshaped(x, sizes_of(shape, "the sizes of a reshape"))


def _reshaped(x: Any, shape: Sequence[Any]) -> Any:
    from jax import lax

    if isinstance(x, Spread) and not x.array.ndim:
        return spread(x.array, shape)
    array = array_of(x)
    return np.reshape(array, shape) if is_known(array) else lax.reshape(array, shape)


@operation("stablehlo.transpose", takes="any")
def transpose(op: Any, x: Any) -> Any:
    axes = op["permutation"]
    if isinstance(x, Spread):
        return Spread(_turned(x.array, axes) if x.array.ndim else x.array, tuple(x.shape[axis] for axis in axes))
    return _turned(array_of(x), axes)


def _turned(array: Any, axes: Sequence[int]) -> Any:
    from jax import lax

    return np.transpose(array, axes) if is_known(array) else lax.transpose(array, axes)


@operation("stablehlo.concatenate")
def concatenate(op: Any, *arrays: Any) -> Any:
    from jax import lax

    return lax.concatenate(arrays, op["dimension"])


@operation("stablehlo.reverse")
def reverse(op: Any, x: Any) -> Any:
    from jax import lax

    return lax.rev(x, op["dimensions"])


@operation("stablehlo.slice")
def slice_(op: Any, x: Any) -> Any:
    from jax import lax

    return lax.slice(x, op["start_indices"], op["limit_indices"], op["strides"])


@operation("stablehlo.real_dynamic_slice", takes="any")
def real_dynamic_slice(op: Any, x: Any, starts: Any, limits: Any, strides: Any) -> Any:
    """slice(x, starts, limits, strides); where starts are computed of numbers, the limits have to be starts + sizes"""
    from jax import lax

    x, steps = array_of(x), sizes_of(strides, "the strides of a slice")
    if isinstance(starts, Sizes) or is_known(starts):
        firsts, lasts = sizes_of(starts, "the starts of a slice"), sizes_of(limits, "the ends of a slice")
        return lax.slice(x, firsts, lasts, steps)
    shape = _between(op)
    if shape is None or any(step != 1 for step in steps):
        raise ExportFailed("the size of a slice depends on an input's numbers, or on which of two sizes is larger",
                           advice="give sizes in --input, or --batch 1")  # fmt: skip
    firsts = [np.int32(0) if have == size else first
              for have, size, first in zip(x.shape, shape, _firsts(op, starts), strict=True)]  # fmt: skip
    return lax.dynamic_slice(x, firsts, shape, allow_negative_indices=False)


def _between(op: Any) -> list[Any] | None:
    """The sizes of a slice whose ends are written as starts + sizes, as JAX does; None where they are not."""
    starts, limits = op.of.operands[1], op.of.operands[2]
    summed = list(limits.owner.operands) if _made_by(limits, "stablehlo.add") else []
    if len(summed) != 2 or starts not in summed:
        return None
    return sizes_of(op.values[summed[1 - summed.index(starts)]], "the sizes of a slice")


def _firsts(op: Any, starts: Any) -> list[Any]:
    """The starts one by one; as they were before they were moved inside, which ``lax.dynamic_slice`` does itself."""
    from jax import lax

    value = op.of.operands[1]
    if _made_by(value, "stablehlo.clamp"):
        value = value.owner.operands[1]
    parts = list(value.owner.operands) if _made_by(value, "stablehlo.concatenate") else []
    scalars = [op.values[part.owner.operands[0]] if _made_by(part, "stablehlo.reshape") else op.values[part]
               for part in parts]  # fmt: skip
    if len(scalars) == starts.shape[0]:
        return [lax.reshape(x, ()) if x.ndim else x for x in map(array_of, scalars)]
    return [lax.squeeze(lax.slice_in_dim(starts, i, i + 1), (0,)) for i in range(starts.shape[0])]


def _made_by(value: Any, name: str) -> bool:
    return getattr(value.owner, "name", "") == name


@operation("stablehlo.pad")
def pad(op: Any, x: Any, value: Any) -> Any:
    return _padded(x, value, op["edge_padding_low"], op["edge_padding_high"], op["interior_padding"])


@operation("stablehlo.dynamic_pad", takes="any")
def dynamic_pad(op: Any, x: Any, value: Any, low: Any, high: Any, interior: Any) -> Any:
    del op
    widths = [sizes_of(v, "the widths of a padding") for v in (low, high, interior)]
    return _padded(array_of(x), array_of(value), *widths)


def _padded(x: Any, value: Any, low: Sequence[Any], high: Sequence[Any], interior: Sequence[Any]) -> Any:
    from jax import lax

    return lax.pad(x, value, list(zip(low, high, interior, strict=True)))
