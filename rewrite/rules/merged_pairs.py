"""Nodes that are right alone, and wrong where the target makes one of them and the node before."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, rule


@rule("Add", merged=True, cases=[
    case("(float[2,3,4] x, float[2,4,5] w, float[3,5] b) => (float[2,3,5] y) { t = MatMul(x, w) y = Add(t, b) }"),
    case("(float[3,4] x, float[4,5] w, float[2,3,5] b) => (float[2,3,5] y) { t = MatMul(x, w) y = Add(b, t) }"),
    case("(float[3,4] x, float[4,5] w) => (float[3,5] y, float[3,5] t) <float[5] b = {1, 2, 3, 4, 5}>"
         " { t = MatMul(x, w) y = Add(t, b) }"),
    case("(float[1,1,5,5] x, float[3,1,3,3] w) => (float[1,3,3,3] y) <float[3] b = {1, -2, 3}>"
         " { t = Conv(x, w) y = Add(t, b) }"),
    case("(float[1,1,5,5] x, float[1,3,3,3] w) => (float[1,3,7,7] y) <float[7] b = {1, -2, 3, 4, 5, 6, 7}>"
         " { t = ConvTranspose(x, w) y = Add(t, b) }"),
])  # fmt: skip
def add_to_sub(op: Op, node: NodeView) -> Result:
    """a + b = a - (-b)"""
    a, b = node.inputs
    return op.Sub(b, op.Neg(a)) if op.value(a) is not None else op.Sub(a, op.Neg(b))


@rule("Relu", merged=True, cases=[
    case("(float[3,4] x, float[4,5] w, float[5] b) => (float[3,5] y, float[3,5] t) { t = Gemm(x, w, b) y = Relu(t) }"),
    case("(float[1,2,3,3] x) => (float[1,2,3,3] y, float[1,2,3,3] t)"
         " <float[2] s = {1, 2}, float[2] b = {0.5, -1}, float[2] m = {0, 1}, float[2] v = {1, 4}>"
         " { t = BatchNormalization(x, s, b, m, v) y = Relu(t) }"),
])  # fmt: skip
def relu_to_max(op: Op, node: NodeView) -> Result:
    """Relu(x) = Max(x, 0)"""
    return op.Max(node.x, 0)
