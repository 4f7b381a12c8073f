"""DynamicQuantizeLinear."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_UINT8, _MOST = 2, 255.0


@rule("DynamicQuantizeLinear", cases=[
    case("(float[3,4] x) => (uint8[3,4] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"),
    case("(float[N,2] x) => (uint8[N,2] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"),
    case("(float x) => (uint8 y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }"),
])  # fmt: skip
def dynamic_quantize_linear_to_round(op: Op, node: NodeView) -> Result:
    """DynamicQuantizeLinear(x) = saturate(round(x / s) + z), s = (max - min) / 255, z = round(-min / s), 0 within

    Where all of x is 0, s is 1: onnxruntime's choice, the operator's page leaves 0 / 0 open.
    """
    x, rank = node.x, op.rank(node.x)
    if rank is None:
        return refuse("the rank of the input is not known")
    if rank == 0:
        y, scale, zero = op.DynamicQuantizeLinear(op.Reshape(x, op.ints(1)), outputs=3)
        return [op.Reshape(y, op.ints()), scale, zero]
    axes = op.ints(*range(rank))
    most = op.Relu(op.ReduceMax(x, axes, keepdims=1))
    least = op.Neg(op.Relu(op.Neg(op.ReduceMin(x, axes, keepdims=1))))
    reach = op.Sub(most, least)
    scale = op.Where(op.Greater(reach, 0.0), op.Div(reach, _MOST), op.const(1, op.dtype(x)))
    zero = op.Round(op.Clip(op.Neg(op.Div(least, scale)), 0.0, _MOST))
    steps = op.Clip(op.Add(op.Round(op.Div(x, scale)), zero), 0.0, _MOST)
    scalar = op.ints()
    return [op.Cast(steps, to=_UINT8), op.Reshape(scale, scalar), op.Cast(op.Reshape(zero, scalar), to=_UINT8)]
