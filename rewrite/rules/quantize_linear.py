"""QuantizeLinear and DequantizeLinear: one scale for all, one along an axis, or one per block."""

from __future__ import annotations

import numpy as np
from onnx import helper

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule

#: Integers that float32 and the result's own type hold exactly, with what the operators saturate to.
_TYPES = ("uint8", "int8", "uint16", "int16")


@rule("QuantizeLinear", cases=[
    case("(float[2,3] x) => (uint8[2,3] y) <float s={0.05}, uint8 z={128}> { y = QuantizeLinear(x, s, z) }"),
    case("(float[2,3] x) => (int8[2,3] y) <float[3] s={0.1,2,0.5}, int8[3] z={0,-3,5}>"
         " { y = QuantizeLinear(x, s, z) }"),
    case("(float[2,3,1] x, float[2] s, uint8[2] z) => (uint8[2,3,1] y) <float e={0.5}>"
         " { a = Abs(s) t = Add(a, e) y = QuantizeLinear<axis=-3>(x, t, z) }"),
    case("(float[N,3] x) => (uint8[N,3] y) <float[1] s={0.5}> { y = QuantizeLinear(x, s) }"),
    case("(float[4,2] x) => (int8[4,2] y) <float[2,2] s={0.1,0.2,0.3,0.4}, int8[2,2] z={1,2,3,4}>"
         " { y = QuantizeLinear<axis=0, block_size=2>(x, s, z) }"),
    case("(float[2] x) => (float8e4m3fn[2] y) <float s={0.5}, float8e4m3fn z={0}> { y = QuantizeLinear(x, s, z) }",
         refuses="float8"),
])  # fmt: skip
def quantize_linear_to_round(op: Op, node: NodeView) -> Result:
    """QuantizeLinear(x) = saturate(round(x / scale) + zero), halves to even"""
    x, scale, zero = node.x, node.inputs[1], node.input(2)
    kind = op.dtype(node.outputs[0])
    if kind.name not in _TYPES:
        return refuse(f"{kind.name} has no saturating conversion from float")
    scale = _spread(op, node, scale)
    if isinstance(scale, Refusal):
        return scale
    x = x if op.dtype(x) == op.dtype(scale) else op.CastLike(x, scale)
    steps = op.Round(op.Div(x, scale))
    if zero is not None:
        steps = op.Add(steps, _spread(op, node, op.CastLike(zero, scale)))
    limits = np.iinfo(kind)
    held = op.Clip(steps, float(limits.min), float(limits.max))
    return op.Cast(held, to=helper.np_dtype_to_tensor_dtype(kind))


@rule("DequantizeLinear", cases=[
    case("(uint8[2,3] x) => (float[2,3] y) <float s={0.05}, uint8 z={128}> { y = DequantizeLinear(x, s, z) }"),
    case("(int8[2,3] x, float[3] s, int8[3] z) => (float[2,3] y) { y = DequantizeLinear(x, s, z) }"),
    case("(int32[N,3] x) => (float[N,3] y) <float[1] s={0.5}> { y = DequantizeLinear(x, s) }"),
    case("(int8[4,2] x) => (float[4,2] y) <float[2,2] s={0.1,0.2,0.3,0.4}, int8[2,2] z={1,2,3,4}>"
         " { y = DequantizeLinear<axis=0, block_size=2>(x, s, z) }"),
])  # fmt: skip
def dequantize_linear_to_mul(op: Op, node: NodeView) -> Result:
    """DequantizeLinear(x) = (x - zero) scale"""
    scale, zero = _spread(op, node, node.inputs[1]), node.input(2)
    if isinstance(scale, Refusal):
        return scale
    x = op.CastLike(node.x, scale)
    if zero is not None and not is_zero(op, zero):
        x = op.Sub(x, _spread(op, node, op.CastLike(zero, scale)))
    y = op.Mul(x, scale)
    wanted = op.dtype(node.outputs[0])
    return y if op.dtype(y) == wanted else op.Cast(y, to=helper.np_dtype_to_tensor_dtype(wanted))


def is_zero(op: Op, tensor: Tensor) -> bool:
    value = op.value(tensor)
    return value is not None and not value.any()


def _spread(op: Op, node: NodeView, parameter: Tensor) -> Tensor | Refusal:
    """Scale or zero point in a shape that broadcasts to the input's."""
    shape, given, block = op.shape(node.x), op.static_shape(parameter), node.attr("block_size", 0)
    if shape is None or given is None:
        return refuse("the rank of the input or the shape of its scale is not known")
    axis = node.attr("axis") % len(shape) if shape else 0
    if block:
        size = shape[axis]
        if not isinstance(size, int):
            return refuse("the size of the axis that is cut into blocks is not fixed")
        return op.Gather(parameter, op.const(np.arange(size) // block, np.int64), axis=axis)
    if len(given) == 1 and given != (1,):
        return op.Reshape(parameter, op.ints(-1, *[1] * (len(shape) - 1 - axis)))
    return op.Reshape(parameter, op.ints()) if given else parameter
