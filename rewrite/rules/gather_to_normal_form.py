"""Gather, GatherElements and Compress in terms of Gather with plain indices."""

from __future__ import annotations

from math import prod

import numpy as np

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import reshaped, take


@rule("Gather", cases=[
    case("(float[2,3,4] x) => (float[2,2,4] y) <int32[2] i = {-1, 1}> { y = Gather<axis=-2>(x, i) }"),
    case("(int64[2,3] x) => (int64[2,2,2] y) <int32[2,2] i = {-1, 0, 1, -2}> { y = Gather<axis=1>(x, i) }"),
    case("(float[2,3,4] x, int64 i) => (float[2,4] y) { y = Gather<axis=1>(x, i) }"),
    case("(float[N,3] x, int32 i) => (float[N] y) { y = Gather<axis=1>(x, i) }"),
    case("(float[N,3,4] x) => (float[3,4] y) <int64 i = {-1}> { y = Gather<axis=0>(x, i) }"),
    case("(float[N,3,4] x) => (float[1,3,4] y) <int64[1] i = {-1}> { y = Gather<axis=0>(x, i) }"),
    case("(float[3,N] x) => (float[3,2] y) <int64[2] i = {-1, 0}> { y = Gather<axis=1>(x, i) }"),
    case("(float[N] x) => (float[1,2] y) <int64[1,2] i = {-1, 0}> { y = Gather<axis=0>(x, i) }", refuses="no fixed"),
    case("(float[2,3] x) => (float[2,2] y) <int64[2] i = {2, 0}> { y = Gather<axis=1>(x, i) }", refuses="plain"),
    case("(float[4] x, int64[2] i) => (float[2] y) { y = Gather<axis=0>(x, i) }", refuses="plain already"),
])  # fmt: skip
def gather_to_normal_form(op: Op, node: NodeView) -> Result:
    """Gather(x; i) = Gather(x; i mod size), a scalar index as one of shape [1]"""
    x, indices = node.x, node.inputs[1]
    shape, held = op.shape(x), op.value(indices)
    if shape is None or indices is None:
        return refuse("its rank is unknown")
    axis = node.attr("axis") % len(shape)
    size = shape[axis]
    if held is None:
        return _scalar(op, x, indices, axis)
    if isinstance(size, int):
        if held.dtype == np.int64 and np.all(held >= 0):
            return refuse("its indices are plain already")
        return op.Gather(x, op.const(held % size, np.int64), axis=axis)
    if np.all(held >= 0):
        return refuse("its indices are plain already")
    if held.ndim > 1:
        return refuse(f"axis {axis} has no fixed size to count from its end")
    taken = [_from_end(op, x, int(i), axis) for i in held.reshape(-1)]
    rows = taken[0] if len(taken) == 1 else op.Concat(*taken, axis=axis)
    return rows if held.ndim else op.Squeeze(rows, op.ints(axis))


def _from_end(op: Op, x: Tensor, index: int, axis: int) -> Tensor:
    """One element along an axis of any size, which stays with size 1."""
    if index < 0:
        x = op.Slice(x, op.ints(index), op.ints(index + 1 or np.iinfo(np.int64).max), op.ints(axis), op.ints(1))
        index = 0
    return op.Gather(x, op.ints(index), axis=axis)


def _scalar(op: Op, x: Tensor, indices: Tensor, axis: int) -> Result:
    """A run-time index without axes."""
    if op.rank(indices) != 0:
        return refuse("its indices are plain already")
    one = op.Reshape(indices, op.ints(1), allowzero=0)
    return op.Squeeze(op.Gather(x, one, axis=axis), op.ints(axis))


def _plain(op: Op, indices: Tensor, size: int) -> Tensor:
    """Run-time indices into an axis as int64 that count from the front: i + size where i < 0."""
    if op.dtype(indices) != np.int64:
        indices = op.Cast(indices, to=7)
    return op.Where(op.Less(indices, op.ints(0)), op.Add(indices, op.ints(size)), indices)


@rule("GatherElements", cases=[
    case("(float[2,3,4] x, int64[2,3,2] i) => (float[2,3,2] y) { y = GatherElements<axis=2>(x, i) }"),
    case("(int64[3,4] x, int32[5,4] i) => (int64[5,4] y) { y = GatherElements<axis=0>(x, i) }"),
    case("(float[3,4] x, int64[2,2] i) => (float[2,2] y) { y = GatherElements<axis=-1>(x, i) }"),
    case("(bool[3,4] x) => (bool[2,3] y) <int64[2,3] i = {0, -1, 2, -3, 1, 1}> { y = GatherElements<axis=0>(x, i) }"),
    case("(float[4] x, int64[3] i) => (float[3] y) { y = GatherElements<axis=0>(x, i) }"),
    case("(float[N,4] x, int64[M,4] i) => (float[M,4] y) { y = GatherElements<axis=0>(x, i) }", refuses="open size"),
])  # fmt: skip
def gather_elements_to_gather(op: Op, node: NodeView) -> Result:
    """y[.., j, ..] = x[.., i[.., j, ..], ..] = flat(x)[offset + stride i]"""
    x, indices = node.x, node.inputs[1]
    if indices is None:
        return refuse("its rank is unknown")
    shape, wanted = op.static_shape(x), op.static_shape(indices)
    if shape is None or wanted is None:
        return refuse("it has an open size")
    axis = node.attr("axis") % len(shape)
    stride, offset = prod(shape[axis + 1 :]), _offsets(shape, wanted, axis)
    flat = op.Reshape(x, op.ints(-1), allowzero=0)
    held = op.value(indices)
    if held is not None:
        return op.Gather(flat, op.const(offset + held % shape[axis] * stride, np.int64), axis=0)
    place = _plain(op, indices, shape[axis])
    place = op.Mul(place, op.ints(stride)) if stride != 1 else place
    return op.Gather(flat, op.Add(place, op.const(offset, np.int64)) if offset.any() else place, axis=0)


@rule("GatherElements", cases=[
    case("(float[N,4] x, int64[N,2] i) => (float[N,2] y) { y = GatherElements<axis=1>(x, i) }"),
    case("(float[N,3,4] x, int32[N,3,2] i) => (float[N,3,2] y) { y = GatherElements<axis=-1>(x, i) }"),
    case("(bool[N,3,4] x, int64[N,1,4] i) => (bool[N,1,4] y) { y = GatherElements<axis=1>(x, i) }"),
    case("(float[N,3,4] x, int64[N,2,3] i) => (float[N,2,3] y) { y = GatherElements<axis=1>(x, i) }"),
    case("(float[N,4] x, int64[M,4] i) => (float[M,4] y) { y = GatherElements<axis=0>(x, i) }"),
    case("(float[L,N,4] x, int64[1,N,2] i) => (float[1,N,2] y) { y = GatherElements<axis=0>(x, i) }"),
    case("(float[N] x, int64[M] i) => (float[M] y) { y = GatherElements<axis=0>(x, i) }"),
    case("(float[N,4] x) => (float[2,3] y) <int64[2,3] i = {0, -1, 2, -3, 1, 1}> { y = GatherElements<axis=0>(x, i) }"),
    case("(float[N,4] x, int64[M,2] i) => (float[M,2] y) { y = GatherElements<axis=1>(x, i) }", refuses="axis 0 has"),
    case("(float[3,4] x, int64[2,4] i) => (float[2,4] y) { y = GatherElements<axis=0>(x, i) }", refuses="are fixed"),
])  # fmt: skip
def gather_elements_to_gather_nd(op: Op, node: NodeView) -> Result:
    """GatherElements(x, i; last axis) = GatherND(x, i[..., 1]), a batch for all axes before; others move there first"""
    x, indices = node.x, node.inputs[1]
    before, after = op.shape(x), op.shape(indices) if indices is not None else None
    if before is None or after is None:
        return refuse("its rank is unknown")
    if op.static_shape(x) is not None and op.static_shape(indices) is not None:
        return refuse("its sizes are fixed")
    last = len(before) - 1
    axis = node.attr("axis") % len(before)
    uneven = [k for k in range(last + 1) if k != axis and before[k] != after[k]]
    if any(isinstance(after[k], str) for k in uneven):
        return refuse(f"axis {uneven[0]} has size {before[uneven[0]]}, and {after[uneven[0]]} in the indices")
    indices = op.Cast(indices, to=7) if op.dtype(indices) != np.int64 else indices
    for k in uneven:
        x = take(op, x, np.arange(int(after[k])), k)
    if axis == last:
        return op.GatherND(x, op.Unsqueeze(indices, op.ints(last + 1)), batch_dims=last)
    moved = [k for k in range(last + 1) if k != axis] + [axis]
    places = op.Unsqueeze(op.Transpose(indices, perm=moved), op.ints(last + 1))
    taken = op.GatherND(op.Transpose(x, perm=moved), places, batch_dims=last)
    return op.Transpose(taken, perm=[moved.index(k) for k in range(last + 1)])


def _offsets(shape: tuple[int, ...], wanted: tuple[int, ...], axis: int) -> Array:
    """Where in the flat tensor of ``shape`` element 0 along ``axis`` stands, for each place of ``wanted``."""
    strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
    places = np.indices(wanted)
    return sum((places[i] * strides[i] for i in range(len(shape)) if i != axis), np.zeros(wanted, np.int64))


@rule("Compress", cases=[
    case("(float[3,4] x) => (float[2,4] y) <bool[3] c = {1, 0, 1}> { y = Compress<axis=0>(x, c) }"),
    case("(int64[3,4] x) => (int64[3,2] y) <bool[3] c = {0, 1, 1}> { y = Compress<axis=-1>(x, c) }"),
    case("(float[3,4] x) => (float[3] y) <bool[7] c = {0, 1, 0, 0, 1, 0, 1}> { y = Compress(x, c) }"),
    case("(float[3] x, bool[3] c) => (float[N] y) { y = Compress(x, c) }", refuses="computed at run time"),
    case("(float[3] x) => (float[0] y) <bool[3] c = {0, 0, 0}> { y = Compress(x, c) }", refuses="empty"),
])  # fmt: skip
def compress_to_gather(op: Op, node: NodeView) -> Result:
    """Compress(x; c) = Gather(x; indices where c is true)"""
    condition = op.value(node.input(1))
    if condition is None:
        return refuse("how much it keeps is computed at run time")
    kept = np.flatnonzero(condition)
    if not kept.size:
        return refuse("its result is empty")
    axis, rank = node.attr("axis"), op.rank(node.x)
    if axis is not None and rank is not None:
        return take(op, node.x, kept, axis % rank)
    flat = reshaped(op, node.x, (prod(op.static_shape(node.x) or ()),)) if op.static_shape(node.x) else None
    return refuse("it needs fixed sizes") if flat is None else take(op, flat, kept, 0)
