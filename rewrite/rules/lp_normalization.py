"""LpNormalization."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("LpNormalization", cases=[
    case("(float[2,3,4] x) => (float[2,3,4] y) { y = LpNormalization(x) }"),
    case("(float[2,3,4] x) => (float[2,3,4] y) { y = LpNormalization<axis=1, p=1>(x) }"),
    case("(float[N,2] x) => (float[N,2] y) { y = LpNormalization<axis=-2, p=2>(x) }"),
    case("(float[5] x) => (float[5] y) { y = LpNormalization<axis=0, p=1>(x) }"),
    case("(float[3,1] x) => (float[3,1] y) { y = LpNormalization(x) }"),
])  # fmt: skip
def lp_normalization_to_div(op: Op, node: NodeView) -> Result:
    """LpNormalization(x) = x / |x|_p along one axis, and 0 where |x|_p is 0"""
    rank, p = op.rank(node.x), node.attr("p")
    if rank is None:
        return refuse("the rank of the input is not known")
    if p not in (1, 2):
        return refuse(f"ONNX gives LpNormalization a p of 1 or 2, not {p}")
    axes = op.ints(node.attr("axis") % rank)
    if p == 1:
        norm = op.ReduceSum(op.Abs(node.x), axes, keepdims=1)
    else:
        norm = op.Sqrt(op.ReduceSum(op.Mul(node.x, node.x), axes, keepdims=1))
    return op.Div(node.x, op.Where(op.Equal(norm, 0.0), op.const(1, op.dtype(norm)), norm))
