"""Pad in all its modes."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype

from rewrite.graph import Array, Shape, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers, normal_axes, take

_IMAGE = "(float[1,2,3,4] x) => (float[1,2,6,5] y) <int64[8] p = {0,0,1,1,0,0,2,0}>"


@rule("Pad", cases=[
    case(_IMAGE + " { y = Pad<mode=\"reflect\">(x, p) }"),
    case(_IMAGE + " { y = Pad<mode=\"edge\">(x, p) }"),
    case(_IMAGE + " { y = Pad<mode=\"wrap\">(x, p) }"),
    case("(float[N,3] x) => (float[N,9] y) <int64[4] p = {0, 4, 0, 2}> { y = Pad<mode=\"wrap\">(x, p) }"),
    case("(int64[2,3] x) => (int64[2,6] y) <int64[4] p = {0, 1, 0, 2}> { y = Pad<mode=\"edge\">(x, p) }"),
    case("(float[2,4] x) => (float[2,4] y) <int64[4] p = {0, -1, 0, 1}> { y = Pad<mode=\"reflect\">(x, p) }"),
    case("(float[2,3] x) => (float[2,2] y) <int64[4] p = {0, -1, 0, 0}, float v = {2}> { y = Pad(x, p, v) }"),
    case("(float[2,3] x) => (float[3,3] y) <int64[4] p = {1, -1, 0, 1}, float v = {2}> { y = Pad(x, p, v) }"),
    case("(float[2,3] x) => (float[2,5] y) <int64[2] p = {1, 1}, float v = {2}, int64[1] a = {-1}>"
         " { y = Pad(x, p, v, a) }"),
    case("(float[N,3] x) => (float[N,5] y) <int64[2] p = {1, 1}, int64[1] a = {1}> { y = Pad(x, p, , a) }"),
    case("(float[2,3] x) => (float[3,4] y) <int64[4] p = {0, 1, 1, 0}> "
         "{ o = Constant<value=float {1}>() z = Constant<value=float {0}>() v = Div(o, z) y = Pad(x, p, v) }"),
    case("(int64[2,3] x) => (int64[3,5] y) <int64[4] p = {0, 1, 1, 1}, int64 v = {-7}> { y = Pad(x, p, v) }"),
    case("(bool[2,3] x) => (bool[2,5] y) <int64[4] p = {0, 1, 0, 1}, bool v = {1}> { y = Pad(x, p, v) }"),
    case("(int32[2,3] x) => (int32[2,4] y) <int64[4] p = {0, 0, 0, 1}> { y = Pad(x, p) }"),
    case("(float[2,3] x, float v) => (float[2,4] y) <int64[4] p = {0, 1, 0, 0}> { y = Pad(x, p, v) }"),
    case("(float[3] x, int64[2] p) => (float[N] y) { y = Pad(x, p) }", refuses="not constant"),
    case("(float[N,3] x) => (float[M,3] y) <int64[4] p = {1, 0, 0, 0}> { y = Pad<mode=\"edge\">(x, p) }",
         refuses="fixed size"),
    case("(int64[N,3] x) => (int64[N,6] y) <int64[4] p = {0, 1, 0, 2}, int64 v = {-7}> { y = Pad(x, p, v) }"),
    case("(bool[N,T] x) => (bool[N,S] y) <int64[4] p = {0, 1, 0, 0}, bool v = {1}> { y = Pad(x, p, v) }"),
    case("(int32[N,T,2] x, int32 v) => (int32[M,S,2] y) <int64[6] p = {0, 0, 0, 1, 2, 0}> { y = Pad(x, p, v) }"),
    case("(uint8[N,3] x) => (uint8[N,8] y) <int64[4] p = {0, 0, 0, 5}, uint8 v = {9}> { y = Pad(x, p, v) }"),
    case("(int16[N,T] x, int16 v) => (int16[N,S] y) <int64[4] p = {0, 1, 0, 2}> { y = Pad(x, p, v) }"),
    case("(double[N,T] x) => (double[N,S] y) <int64[4] p = {0, 1, 0, 0}> { y = Pad(x, p) }"),
    case("(float[N,T] x) => (float[N,S] y) <int64[4] p = {0, -1, 0, 2}, float v = {2}> { y = Pad(x, p, v) }"),
])  # fmt: skip
def pad_to_concat(op: Op, node: NodeView) -> Result:
    """Pad(x) along an axis = Concat(block of the value, x, block), or x at mirrored, clamped or wrapped indices"""
    x, shape = node.x, op.shape(node.x)
    pads, axes = integers(op, node.input(1)), integers(op, node.input(3))
    if pads is None or shape is None or (axes is None and node.input(3) is not None):
        return refuse("its pads are not constant")
    axes = normal_axes(list(range(len(shape))) if axes is None else axes, len(shape))
    half = len(pads) // 2
    wanted = [(a, b, e) for a, b, e in zip(axes, pads[:half], pads[half:], strict=True) if b or e]
    if node.attr("mode", "constant") == "constant":
        return _constant(op, node, shape, wanted)
    for axis, begin, end in wanted:
        size = shape[axis]
        if not isinstance(size, int):
            return refuse(f"axis {axis} has no fixed size")
        x = take(op, x, _indices(node.attr("mode"), size, begin, end), axis)
    return x


def _indices(mode: str, size: int, begin: int, end: int) -> Array:
    """Where in the axis each element of the padded axis comes from. A negative pad of one side is cut off first."""
    start, stop = max(0, -begin), size - max(0, -end)
    kept = stop - start
    places = np.arange(-max(0, begin), kept + max(0, end))
    if mode == "edge":
        return start + np.clip(places, 0, kept - 1)
    if mode == "wrap":
        return start + places % kept
    period = max(1, 2 * (kept - 1))
    folded = places % period
    return start + np.minimum(folded, period - folded) if kept > 1 else start + 0 * places


def _constant(op: Op, node: NodeView, shape: Shape, wanted: list[tuple[int, int, int]]) -> Result:
    x, dtype, value = node.x, op.dtype(node.x), node.input(2)
    held = np.zeros((), dtype) if value is None else op.value(value)
    cut = [(a, min(0, b), min(0, e)) for a, b, e in wanted if b < 0 or e < 0]
    grown = [(a, max(0, b), max(0, e)) for a, b, e in wanted if b > 0 or e > 0]
    if cut:
        axes, starts, ends = [a for a, *_ in cut], [-b for _, b, _ in cut], [_end(shape[a], e) for a, _, e in cut]
        x = op.Slice(x, op.ints(*starts), op.ints(*ends), op.ints(*axes), op.ints(*[1] * len(cut)))
    if not grown:
        return x
    plain = held is not None and dtype == np.float32 and np.isfinite(held).all()
    if plain and (cut or node.input(3) is not None):
        pads = np.zeros((2, len(shape)), np.int64)
        for axis, begin, end in grown:
            pads[:, axis] = begin, end
        return op.Pad(x, op.ints(*pads.reshape(-1).tolist()), op.const(held), mode="constant")
    return _blocks(op, x, value if held is None else held, grown)


def _end(size: int | str, pad: int) -> int:
    """Where a Slice stops that leaves the last elements out: of an open axis, counted from its end."""
    if isinstance(size, int):
        return size + pad
    return pad if pad else int(np.iinfo(np.int64).max)


def _blocks(op: Op, x: Tensor, value: Tensor | Array, grown: list[tuple[int, int, int]]) -> Tensor:
    """Put blocks of ``value``, a tensor or a number, before and after ``x``, axis by axis."""
    dtype = op.dtype(x)
    if op.static_shape(x) is None and dtype.kind in "biu" and dtype.itemsize < 4:  # zeros of open sizes are sums
        held = value.astype(np.int32) if isinstance(value, np.ndarray) else op.Cast(value, to=TensorProto.INT32)
        wide = _blocks(op, op.Cast(x, to=TensorProto.INT32), held, grown)
        return op.Cast(wide, to=np_dtype_to_tensor_dtype(dtype))
    for axis, begin, end in grown:
        made = [_block(op, x, value, axis, length) if length else None for length in (begin, end)]
        x = op.Concat(*(part for part in (made[0], x, made[1]) if part is not None), axis=axis)
    return x


def _block(op: Op, x: Tensor, value: Tensor | Array, axis: int, length: int) -> Tensor:
    """``value`` in the shape of ``x``, but for ``axis``, which has that length."""
    shape = op.static_shape(x)
    if shape is None:
        return op.Gather(op.Add(_zeros(op, x, axis), value), op.ints(*[0] * length), axis=axis)
    block = (*shape[:axis], length, *shape[axis + 1 :])
    if isinstance(value, np.ndarray):
        return op.const(np.full(block, value.reshape(-1)[0], value.dtype))
    return op.Expand(value, op.ints(*block))


def _zeros(op: Op, x: Tensor, axis: int) -> Tensor:
    """Zeros of the shape of ``x``, but for ``axis``, which is one: sums of zeros, also where there are none."""
    if op.dtype(x).kind in "iu":
        return op.ReduceSum(op.Mul(x, 0), op.ints(axis), keepdims=1, noop_with_empty_axes=0)
    # of floats no multiple is always zero, but none is greater than itself
    counts = op.ReduceSum(
        op.Cast(op.Greater(x, x), to=TensorProto.INT64), op.ints(axis), keepdims=1, noop_with_empty_axes=0
    )
    return op.Cast(counts, to=np_dtype_to_tensor_dtype(op.dtype(x)))
