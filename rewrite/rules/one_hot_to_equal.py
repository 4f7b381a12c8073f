"""Tensors of few distinct values: OneHot, EyeLike, Trilu, Size."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import helper

from rewrite.graph import Shape, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import normal_axes, reshaped, size

_FLOAT, _INT64 = 1, 7


@rule("OneHot", cases=[
    case("(int64[2,3] i) => (float[2,3,4] y) <int64 d = {4}, float[2] v = {0, 1}> { y = OneHot<axis=-1>(i, d, v) }"),
    case("(int64[3] i) => (int64[4,3] y) <int64 d = {4}, int64[2] v = {-1, 5}> { y = OneHot<axis=0>(i, d, v) }"),
    case("(float[3] i) => (float[3,2] y) <float d = {2}, float[2] v = {2.5, -1}> { y = OneHot<axis=1>(i, d, v) }"),
    case("(int32[N] i) => (float[N,3] y) <int32 d = {3}, float[2] v = {0, 1}> { y = OneHot(i, d, v) }"),
    case("(int64[3] i, float[2] v) => (float[3,3] y) <int64 d = {3}> { y = OneHot(i, d, v) }"),
    case("(int64[3] i, int64 d) => (float[3,N] y) <float[2] v = {0, 1}> { y = OneHot(i, d, v) }", refuses="not const"),
])  # fmt: skip
def one_hot_to_equal(op: Op, node: NodeView) -> Result:
    """OneHot(i; d, [off, on])_j = on where i = j or i + d = j, else off

    As onnxruntime has it, an index that is no whole number is none at all; ONNX's text would cut it off.
    """
    indices, depth, values = node.x, op.value(node.input(1)), node.inputs[2]
    rank = op.rank(indices)
    if depth is None or rank is None or values is None:
        return refuse("its depth is not constant")
    count, axis = int(depth.reshape(-1)[0]), node.attr("axis") % (rank + 1)
    if op.dtype(indices).kind in "iu" and op.dtype(indices) != np.int64:
        indices = op.Cast(indices, to=_INT64)
    column = op.Unsqueeze(indices, op.ints(axis))
    dtype = op.dtype(indices)
    column = op.Where(op.Less(column, op.const([0], dtype)), op.Add(column, op.const([count], dtype)), column)
    hit = op.Equal(column, op.const(np.arange(count).reshape(-1, *[1] * (rank - axis)), dtype))
    held = op.value(values)
    if held is None:
        off, on = (op.Slice(values, op.ints(i), op.ints(i + 1), op.ints(0), op.ints(1)) for i in (0, 1))
        return op.Where(hit, on, off)
    if held.dtype == np.bool_ and list(held) == [False, True]:
        return hit
    if list(held.astype(np.float64)) == [0, 1]:
        return op.Cast(hit, to=helper.np_dtype_to_tensor_dtype(held.dtype))
    return op.Where(hit, op.const(held[1:]), op.const(held[:1]))


@rule("EyeLike", cases=[
    case("(float[3,4] x) => (float[3,4] y) { y = EyeLike<k=1>(x) }"),
    case("(int64[3,2] x) => (float[3,2] y) { y = EyeLike<dtype=1, k=-1>(x) }"),
    case("(float[N,2] x) => (float[N,2] y) { y = EyeLike(x) }", refuses="fixed sizes"),
])  # fmt: skip
def eye_like_to_constant(op: Op, node: NodeView) -> Result:
    """EyeLike(x; k)_ij = 1 where j - i = k, else 0"""
    shape = op.static_shape(node.x)
    if shape is None:
        return refuse("it needs fixed sizes")
    rows, columns = shape
    return op.const(np.eye(rows, columns, k=node.attr("k", 0)).astype(op.dtype(node.outputs[0])))


@rule("Trilu", cases=[
    case("(float[3,4] x) => (float[3,4] y) { y = Trilu<upper=1>(x) }"),
    case("(float[2,4,3] x) => (float[2,4,3] y) <int64 k = {-1}> { y = Trilu<upper=0>(x, k) }"),
    case("(int64[2,3] x) => (int64[2,3] y) <int64 k = {1}> { y = Trilu<upper=0>(x, k) }"),
    case("(int32[3,3] x) => (int32[3,3] y) <int64 k = {5}> { y = Trilu<upper=1>(x, k) }"),
    case("(bool[3,3] x) => (bool[3,3] y) { y = Trilu<upper=0>(x) }"),
    case("(float[3,4] x, int64 k) => (float[3,4] y) { y = Trilu<upper=1>(x, k) }"),
    case("(float[N,2,3] x) => (float[N,2,3] y) { y = Trilu<upper=0>(x) }"),
    case("(float[2,N,N] x) => (float[2,N,N] y) <int64 k = {1}> { y = Trilu<upper=1>(x, k) }"),
    case("(int64[N,N] x, int64 k) => (int64[N,N] y) { y = Trilu<upper=0>(x, k) }"),
    case("(float[3,N] x) => (float[3,N] y) { y = Trilu<upper=0>(x) }"),
    case("(float[N,L] x) => (float[N,L] y) { y = Trilu<upper=1>(x) }", refuses="two different open sizes"),
])  # fmt: skip
def trilu_to_where(op: Op, node: NodeView) -> Result:
    """Trilu(x; k) = x where j - i >= k (upper) or j - i <= k (lower), else 0"""
    shape, k = op.shape(node.x), node.input(1)
    if shape is None:
        return refuse("its rank is unknown")
    held, upper = op.value(k), bool(node.attr("upper"))
    zero = op.const(np.zeros(1, op.dtype(node.x)))
    rows, columns = shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        across = np.arange(columns) - np.arange(rows)[:, None]
        if k is None or held is not None:
            shift = 0 if held is None else int(held.reshape(-1)[0])
            return op.Where(op.const(across >= shift if upper else across <= shift), node.x, zero)
        shifted = op.Reshape(k, op.ints(1), allowzero=0)
        return op.Where(_compare(op, op.const(across, np.int64), shifted, upper), node.x, zero)
    if isinstance(rows, str) and isinstance(columns, str) and rows != columns:
        return refuse("its rows and columns have two different open sizes, and it would have to count along both")
    open_axis = len(shape) - (1 if isinstance(columns, str) else 2)
    counted = _count(op, node.x, shape, open_axis)
    across = op.const(np.arange(columns), np.float32) if isinstance(columns, int) else counted
    down = (
        op.const(np.arange(rows)[:, None], np.float32) if isinstance(rows, int) else op.Unsqueeze(counted, op.ints(1))
    )
    if held is not None:
        down = op.Add(down, op.const(held.reshape(-1), np.float32))
    elif k is not None:
        down = op.Add(down, op.Cast(op.Reshape(k, op.ints(1), allowzero=0), to=_FLOAT))
    return op.Where(_compare(op, across, down, upper), node.x, zero)


def _compare(op: Op, a: Tensor, b: Tensor, upper: bool) -> Tensor:  # noqa: FBT001
    return op.GreaterOrEqual(a, b) if upper else op.LessOrEqual(a, b)


def _count(op: Op, x: Tensor, shape: Shape, axis: int) -> Tensor:
    """0, 1, 2, ... as far as an open axis of ``x`` goes, exact in float32 up to 2^24: sums of ones made of x itself.

    No operator but Range counts as far as a size that is known at run time only, and a Range alone does not tell its
    reader that its length is that of ``x``.
    """
    false = op.IsNaN(x) if op.dtype(x).kind == "f" else x  # a NaN times 0 is none
    zeros = op.Mul(op.Cast(false, to=_FLOAT), op.const([0], np.float32))
    others = [i for i in range(len(shape)) if i != axis]
    ones = op.Add(op.ReduceSum(zeros, op.ints(*others), keepdims=0), op.const([1], np.float32))
    return op.Sub(op.CumSum(ones, op.const(0, np.int64), exclusive=0, reverse=0), op.const([1], np.float32))


@rule("Size", cases=[
    case("(float[N,3,2] x) => (int64 y) { y = Size(x) }"),
    case("(float[N,3,L] x) => (int64 y) { y = Size(x) }"),
])  # fmt: skip
def size_to_product(op: Op, node: NodeView) -> Result:
    """Size(x) = the product of the sizes of its axes"""
    shape = op.shape(node.x)
    if shape is None:
        return refuse("its rank is unknown")
    total = op.ints(prod(d for d in shape if isinstance(d, int)))
    for axis, d in enumerate(shape):
        if isinstance(d, str):
            total = op.Mul(total, size(op, node.x, axis))
    return op.Squeeze(total, op.ints(0))


@rule("ReverseSequence", cases=[
    case("(float[4,3,2] x) => (float[4,3,2] y) <int64[3] l = {1, 4, 2}>"
         " { y = ReverseSequence<time_axis=0, batch_axis=1>(x, l) }"),
    case("(int64[3,4] x) => (int64[3,4] y) <int64[3] l = {0, 3, 4}>"
         " { y = ReverseSequence<time_axis=1, batch_axis=0>(x, l) }"),
    case("(float[3,4] x, int64[4] l) => (float[3,4] y) { y = ReverseSequence<time_axis=0, batch_axis=1>(x, l) }"),
    case("(float[2,3,2] x, int64[2] l) => (float[2,3,2] y) { y = ReverseSequence<time_axis=1, batch_axis=0>(x, l) }"),
    case("(float[N,3] x, int64[3] l) => (float[N,3] y) { y = ReverseSequence(x, l) }", refuses="fixed sizes"),
])  # fmt: skip
def reverse_sequence_to_gather(op: Op, node: NodeView) -> Result:
    """y[t, b] = x[l_b - 1 - t, b] where t < l_b, else x[t, b]"""
    shape, lengths = op.shape(node.x), node.inputs[1]
    time, batch = normal_axes([node.attr("time_axis"), node.attr("batch_axis")], len(shape or ()))
    if shape is None or not isinstance(shape[0], int) or not isinstance(shape[1], int):
        return refuse("it needs fixed sizes")
    steps, batches = shape[time], shape[batch]
    t, b = np.indices((shape[0], shape[1]))[[time, batch]]
    stride, offset = (shape[1], b) if time == 0 else (1, b * shape[1])
    held = op.value(lengths)
    if held is not None:
        back = held[b] - 1 - t
        places = op.const((np.where(back >= 0, back, t) * stride + offset).reshape(-1), np.int64)
    else:
        ends = op.Reshape(lengths, op.ints(*((1, -1) if time == 0 else (-1, 1))), allowzero=0)
        back = op.Sub(ends, op.const(t + 1, np.int64))
        chosen = op.Where(op.Less(back, op.ints(0)), op.const(t, np.int64), back)
        places = op.Add(op.Mul(chosen, op.ints(stride)), op.const(offset, np.int64))
        places = op.Reshape(places, op.ints(-1), allowzero=0)
    flat = reshaped(op, node.x, (int(steps) * int(batches), *shape[2:]))
    moved = None if flat is None else reshaped(op, op.Gather(flat, places, axis=0), shape)
    return refuse("it needs fixed sizes") if moved is None else moved
