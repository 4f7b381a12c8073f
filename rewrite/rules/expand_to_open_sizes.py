"""Tensors of sizes that other tensors bring: zeros (batch, units) of a recurrent layer, a token for each event."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule


@rule("Expand", cases=[
    case("(float[1,3] x, float[N,3] z) => (float[N,3] y) { s = Shape(z) y = Expand(x, s) }"),
    case("(float[3] x, float[N,2,4] z) => (float[N,5,3] y) { n = Shape<end=1>(z) c = Constant<value_ints=[5, 3]>()"
         " s = Concat<axis=0>(n, c) y = Expand(x, s) }"),
    case("(int64[1] x, float[2,N] z) => (int64[N] y) { s = Shape<start=1>(z) y = Expand(x, s) }"),
    case("(bool[1,2] x, int64[N] z) => (bool[N,2] y) { n = Shape(z) c = Constant<value_ints=[2]>()"
         " s = Concat<axis=0>(n, c) y = Expand(x, s) }"),
    case("(float[1,1] x, float[N,L] z) => (float[N,L] y) { s = Shape(z) y = Expand(x, s) }", refuses="one open size"),
    case("(float[N,1] x, float[L] z) => (float[N,L] y) { n = Shape<end=1>(x) l = Shape(z) s = Concat<axis=0>(n, l)"
         " y = Expand(x, s) }", refuses="one open size"),
    case("(float[N,1] x, float[N,3] z) => (float[N,3] y) { s = Shape(z) y = Expand(x, s) }", refuses="of its own"),
    case("(float[1] x, int64[1] s) => (float[U] y) { y = Expand(x, s) }", refuses="no input of the model"),
])  # fmt: skip
def expand_to_open_sizes(op: Op, node: NodeView) -> Result:
    """Expand(x; s) = Expand(x - 0; s with 1 for the open sizes), 0 of the open sizes, which an input tells"""
    before, after = op.shape(node.x), op.shape(node.outputs[0])
    if before is None or after is None:
        return refuse("how many axes it gives is not known before the model runs")
    aligned = (*[1] * (len(after) - len(before)), *before)
    open_axes = [k for k, (b, d) in enumerate(zip(aligned, after, strict=True)) if isinstance(d, str) and d != b]
    if not open_axes:
        return refuse("it keeps to sizes of its own and numbers")
    return _expanded(op, node.x, after, open_axes)


@rule("ConstantOfShape", cases=[
    case("(float[N,3] z) => (float[N,3] y) { s = Shape(z) y = ConstantOfShape<value: tensor = float[1] {2.5}>(s) }"),
    case("(float[2,N] z) => (int64[N,4] y) { n = Shape<start=1>(z) c = Constant<value_ints=[4]>()"
         " s = Concat<axis=0>(n, c) y = ConstantOfShape<value: tensor = int64[1] {-7}>(s) }"),
    case("(int64[1] s) => (float[U] y) { y = ConstantOfShape(s) }", refuses="no input of the model"),
    case("(float[2] z) => (float[2,3] y) <int64[2] s = {2, 3}> { y = ConstantOfShape(s) }", refuses="of numbers"),
])  # fmt: skip
def constant_of_open_sizes(op: Op, node: NodeView) -> Result:
    """ConstantOfShape(s; v) = Expand(v - 0; s with 1 for the open sizes), 0 of the open sizes, which an input tells"""
    after = op.shape(node.outputs[0])
    if after is None:
        return refuse("how many axes it gives is not known before the model runs")
    open_axes = [k for k, d in enumerate(after) if isinstance(d, str)]
    if not open_axes:
        return refuse("its sizes are of numbers alone")
    value = node.attr("value")
    held = np.float32(0) if value is None else value.values.reshape(-1)[0]
    return _expanded(op, op.const(np.full([1] * len(after), held)), after, open_axes)


def _expanded(op: Op, x: Tensor, after: tuple[int | str, ...], open_axes: list[int]) -> Result:
    """``x`` in the shape ``after``."""
    spread = _spread(op, x, after, open_axes)
    if isinstance(spread, Refusal):
        return spread
    return op.Expand(spread, op.ints(*(1 if isinstance(d, str) else d for d in after)))


def _spread(op: Op, x: Tensor, after: tuple[int | str, ...], open_axes: list[int]) -> Tensor | Refusal:
    """``x`` with the open sizes, its elements repeated: x - 0 is x, and its -0 too."""
    if len(open_axes) > 1 or any(isinstance(d, str) for d in op.shape(x) or ()):
        return refuse("SOFIE spreads one open size, over sizes that are numbers")
    dtype = op.dtype(x)
    if dtype.kind == "b":  # SOFIE spreads no bools
        numbers = _spread(op, op.Cast(x, to=TensorProto.INT32), after, open_axes)
        return numbers if isinstance(numbers, Refusal) else op.Cast(numbers, to=TensorProto.BOOL)
    (axis,) = open_axes
    found = op.source(str(after[axis]))
    if found is None:
        return refuse(f"the size {after[axis]} is that of no input of the model")
    false = _false(op, *found, axis=axis, rank=len(after))
    return op.Sub(x, op.Cast(false, to=np_dtype_to_tensor_dtype(dtype)))


def _false(op: Op, source: Tensor, along: int, *, axis: int, rank: int) -> Tensor:
    """Bools [1, ..., N, ..., 1], all false, N the size of ``source`` along an axis: z > z, also where z is NaN."""
    shape = op.shape(source) or ()
    others = [k for k in range(len(shape)) if k != along]
    line = source
    if others:
        line = op.Slice(source, op.ints(*[0] * len(others)), op.ints(*[1] * len(others)), op.ints(*others))
    if op.dtype(source).kind == "b":
        line = op.Cast(line, to=TensorProto.INT32)
    shaped = op.Reshape(line, op.ints(*(-1 if k == axis else 1 for k in range(rank))))
    shaped.shape = tuple(shape[along] if k == axis else 1 for k in range(rank))  # inference does not follow the -1
    return op.Greater(shaped, shaped)
