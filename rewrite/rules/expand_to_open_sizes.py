"""Tensors of sizes that other tensors bring: zeros (batch, units) of a recurrent layer, a token for each event."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from rewrite.graph import Shape, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.shape_arithmetic import sizes_from


@rule("Expand", cases=[
    case("(float[1,3] x, float[N,3] z) => (float[N,3] y) { s = Shape(z) y = Expand(x, s) }"),
    case("(float[3] x, float[N,2,4] z) => (float[N,5,3] y) { n = Shape<end=1>(z) c = Constant<value_ints=[5, 3]>()"
         " s = Concat<axis=0>(n, c) y = Expand(x, s) }"),
    case("(int64[1] x, float[2,N] z) => (int64[N] y) { s = Shape<start=1>(z) y = Expand(x, s) }"),
    case("(bool[1,2] x, int64[N] z) => (bool[N,2] y) { n = Shape(z) c = Constant<value_ints=[2]>()"
         " s = Concat<axis=0>(n, c) y = Expand(x, s) }"),
    case("(float[1,1] x, float[N,L] z) => (float[N,L] y) { s = Shape(z) y = Expand(x, s) }"),
    case("(float[N,1] x, float[L] z) => (float[N,L] y) { n = Shape<end=1>(x) l = Shape(z) s = Concat<axis=0>(n, l)"
         " y = Expand(x, s) }"),
    case("(float[1,2] x, float[N,3] a, float[L,3] b) => (float[M,2] y) { n = Shape<end=1>(a) l = Shape<end=1>(b)"
         " m = Add(n, l) c = Constant<value_ints=[2]>() s = Concat<axis=0>(m, c) y = Expand(x, s) }", refuses="sums"),
    case("(float[1,3] x, float[N,2] z) => (float[M,3] y) <int64[1] t = {2}, int64[1] o = {1}>"
         " { n = Shape<end=1>(z) m = Mul(n, t) s = Concat<axis=0>(m, o) y = Expand(x, s) }"),
    case("(float[N,1] x, float[N,3] z) => (float[N,3] y) { s = Shape(z) y = Expand(x, s) }", refuses="of its own"),
    case("(float[M,1] x, float[N,3] z) => (float[N,3] y) { s = Shape(z) y = Expand(x, s) }", refuses="is M in it"),
    case("(float[1] x, int64[1] s) => (float[U] y) { y = Expand(x, s) }", refuses="no sizes of tensors"),
])  # fmt: skip
def expand_to_open_sizes(op: Op, node: NodeView) -> Result:
    """Expand(x; s) = Expand(x - 0 - ...; s with 1 for the open sizes), a line of zeros along each axis of open size"""
    before, after, shape = op.shape(node.x), op.shape(node.outputs[0]), node.inputs[1]
    if before is None or after is None or shape is None:
        return refuse("how many axes it gives is not known before the model runs")
    aligned = (*[1] * (len(after) - len(before)), *before)
    open_axes = [k for k, (b, d) in enumerate(zip(aligned, after, strict=True)) if isinstance(d, str) and d != b]
    if not open_axes:
        return refuse("it keeps to sizes of its own and numbers")
    strange = [k for k in open_axes if aligned[k] != 1]
    if strange:
        return refuse(f"the size {after[strange[0]]} is {aligned[strange[0]]} in it, which may be 1 or not")
    reason = _unknown(shape)
    if reason is not None:
        return reason
    ahead = len(after) - (op.static_shape(shape) or (len(after),))[0]
    return _expanded(op, node.x, after, {k: _size(op, after[k], shape, k - ahead) for k in open_axes})


@rule("ConstantOfShape", cases=[
    case("(float[N,3] z) => (float[N,3] y) { s = Shape(z) y = ConstantOfShape<value: tensor = float[1] {2.5}>(s) }"),
    case("(float[2,N] z) => (int64[N,4] y) { n = Shape<start=1>(z) c = Constant<value_ints=[4]>()"
         " s = Concat<axis=0>(n, c) y = ConstantOfShape<value: tensor = int64[1] {-7}>(s) }"),
    case("(float[N,2] a, float[L,2] b) => (float[M,3] y) { n = Shape<end=1>(a) l = Shape<end=1>(b) m = Add(n, l)"
         " c = Constant<value_ints=[3]>() s = Concat<axis=0>(m, c) y = ConstantOfShape(s) }", refuses="sums"),
    case("(float[N,L] z) => (bool[N,L] y) { s = Shape(z) y = ConstantOfShape<value: tensor = bool[1] {1}>(s) }"),
    case("(float[2,N] z) => (bool[N] y) { s = Shape<start=1>(z) y = ConstantOfShape<value: tensor = bool[1] {1}>(s) }"),
    case("(float[2,N] z) => (float[N] y) { s = Shape<start=1>(z) y = ConstantOfShape(s) }", refuses="a line"),
    case("(int64[1] s) => (float[U] y) { y = ConstantOfShape(s) }", refuses="no sizes of tensors"),
    case("(float[2] z) => (float[2,3] y) <int64[2] s = {2, 3}> { y = ConstantOfShape(s) }", refuses="of numbers"),
])  # fmt: skip
def constant_of_open_sizes(op: Op, node: NodeView) -> Result:
    """ConstantOfShape(s; v) = Expand(v - 0 - ...; s with 1 for the open sizes), zeros along each axis of open size"""
    after = op.shape(node.outputs[0])
    if after is None:
        return refuse("how many axes it gives is not known before the model runs")
    open_axes = [k for k, d in enumerate(after) if isinstance(d, str)]
    if not open_axes:
        return refuse("its shape is of numbers")
    reason = _unknown(node.x)
    if reason is not None:
        return reason
    held = np.asarray(op.value(node.attr("value", op.const(np.zeros(1, np.float32))))).reshape([1] * len(after))
    if len(after) == 1 and held.dtype.kind != "b" and (op.source(str(after[0])) is None or _is_plain(node.x)):
        return refuse("it is a line already")
    return _expanded(op, op.const(held), after, {k: _size(op, after[k], node.x, k) for k in open_axes})


def _unknown(shape: Tensor) -> Refusal | None:
    """Why lines of the sizes in ``shape`` are not to be had; None where they are."""
    made_by = sizes_from(shape)
    if not made_by:
        return refuse("its shape is made of no sizes of tensors")
    if any(n.op in ("Add", "Sub") for n in made_by):
        return refuse("its shape is made of sums of sizes")
    return None


def _is_plain(shape: Tensor) -> bool:
    """Is it Shape of an input, which SOFIE follows?"""
    made_by = sizes_from(shape)
    return len(made_by) == 1 and not made_by[0].inputs[0].inputs


def _expanded(op: Op, x: Tensor, after: Shape, sizes: dict[int, Tensor]) -> Tensor:
    """``x`` in the shape ``after``; ``sizes`` of the axes that get an open one, each 1-D int64."""
    dtype = op.dtype(x)
    if dtype.kind == "b":  # there is no difference of bools
        return op.Cast(_expanded(op, op.Cast(x, to=TensorProto.INT32), after, sizes), to=TensorProto.BOOL)
    for axis, size in sizes.items():
        line = op.ConstantOfShape(size, value=op.const(np.zeros(1, dtype)))
        line.shape = (after[axis],)
        shaped = op.Reshape(line, op.ints(*(-1 if k == axis else 1 for k in range(len(after)))), allowzero=0)
        shaped.shape = tuple(after[k] if k == axis else 1 for k in range(len(after)))
        x = op.Sub(x, shaped)  # x - 0 is x, and its -0 too
    sized = tuple(d if isinstance(d, int) else 1 for d in after)
    known = (op.shape(x) or ())[-len(after) :]
    if all(d == 1 or d == k for d, k in zip(sized, known, strict=True)):
        return x
    return op.Expand(x, op.ints(*sized))


def _size(op: Op, size: int | str, shape: Tensor, k: int) -> Tensor:
    """Element k of ``shape``, 1-D; off an input that has the size, since SOFIE follows not every way there."""
    found = op.source(str(size))
    if found is not None:
        source, axis = found
        return op.Shape(source, start=axis, end=axis + 1)
    if op.static_shape(shape) == (1,):
        return shape
    return op.Slice(shape, op.ints(k), op.ints(k + 1), op.ints(0), op.ints(1))
