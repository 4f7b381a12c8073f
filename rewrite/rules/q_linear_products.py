"""QLinearMatMul and QLinearConv: products of 8-bit integers, scaled and rounded back to 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import helper

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, rule
from rewrite.rules.integer_products import along_rows, as_int, conv_parts, mat_mul_parts

_FLOAT = 1


@rule("QLinearMatMul", cases=[
    case("(uint8[2,3] a) => (uint8[2,2] y) <float s={0.05}, uint8 z={1}, uint8[3,2] b={1,2,3,250,5,6}, float t={0.3},"
         " uint8 w={2}, float u={0.1}, uint8 v={7}> { y = QLinearMatMul(a, s, z, b, t, w, u, v) }"),
    case("(int8[N,2,3] a, int8[3,2] b) => (int8[N,2,2] y) <float s={0.5}, int8 z={1}, float[2] t={0.3,0.02},"
         " int8[2] w={2,-1}, float u={0.1}, int8 v={7}> { y = QLinearMatMul(a, s, z, b, t, w, u, v) }"),
])  # fmt: skip
def q_linear_mat_mul_to_mat_mul(op: Op, node: NodeView) -> Result:
    """QLinearMatMul(a, b) = saturate(round((a - za)(b - zb) sa sb / sy) + zy)"""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.inputs
    assert a is not None
    assert b is not None
    parts = mat_mul_parts(op, a, b, a_zero, b_zero)
    if isinstance(parts, Refusal):
        return parts
    scales = op.Mul(along_rows(op, a_scale), b_scale)
    return _requantised(op, node, parts, op.Div(scales, y_scale), y_zero)


@rule("QLinearConv", cases=[
    case("(uint8[1,1,3,3] x) => (uint8[1,2,4,4] y) <uint8[2,1,2,2] w={1,2,3,4,5,6,7,255}, float s={0.1}, uint8 z={1},"
         " float[2] t={0.5,0.25}, uint8[2] v={3,4}, float u={0.3}, uint8 o={5}, int32[2] b={100,-20}>"
         " { y = QLinearConv<pads=[1,1,1,1]>(x, s, z, w, t, v, u, o, b) }"),
    case("(int8[N,2,5] x) => (int8[N,2,3] y) <int8[2,1,3] w={1,2,3,-4,5,127}, float s={0.1}, int8 z={1},"
         " float t={0.5}, int8 v={0}, float u={0.3}, int8 o={5}>"
         " { y = QLinearConv<group=2>(x, s, z, w, t, v, u, o) }"),
])  # fmt: skip
def q_linear_conv_to_conv(op: Op, node: NodeView) -> Result:
    """QLinearConv(x, w, b) = saturate(round((Conv(x - zx, w - zw) + b) sx sw / sy) + zy)"""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = node.inputs[:8]
    rank = op.rank(node.x)
    assert x is not None
    assert w is not None
    parts = conv_parts(op, node, x, w, x_zero, w_zero)
    if isinstance(parts, Refusal) or rank is None:
        return parts
    shape = op.ints(-1, *[1] * (rank - 2))
    bias = node.input(8)
    if bias is not None:
        parts = [op.Add(as_int(op, parts), op.Reshape(bias, shape))]
    scales = op.Div(op.Mul(x_scale, w_scale), y_scale)
    if op.rank(scales):
        scales = op.Reshape(scales, shape)
    return _requantised(op, node, parts, scales, y_zero)


def _requantised(op: Op, node: NodeView, parts: Sequence[Tensor], scale: Tensor, zero: Tensor | None) -> Tensor:
    """Sums of integers in the output's type."""
    total = parts[0] if len(parts) == 1 else as_int(op, parts)
    total = total if op.dtype(total) == np.float32 else op.Cast(total, to=_FLOAT)
    steps = op.Round(op.Mul(total, scale))
    if zero is not None:
        steps = op.Add(steps, op.Cast(zero, to=_FLOAT))
    kind = op.dtype(node.outputs[0])
    held = op.Clip(steps, float(np.iinfo(kind).min), float(np.iinfo(kind).max))
    return op.Cast(held, to=helper.np_dtype_to_tensor_dtype(kind))
