"""Activation functions in terms of simpler ones."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Celu", cases=[
    case("(float[2,3] x) => (float[2,3] y) { y = Celu<alpha=0.7>(x) }"),
    case("(float[2,3] x) => (float[2,3] y) { y = Celu<alpha=-0.5>(x) }"),
    case("(float[2,3] x) => (float[2,3] y) { y = Celu<alpha=0.0>(x) }", refuses="alpha is 0"),
])  # fmt: skip
def celu_to_elu(op: Op, node: NodeView) -> Result:
    """Celu(x; a) = a Elu(x / a), a > 0; max(x, 0) + min(a (exp(x / a) - 1), 0), a < 0"""
    alpha = node.attr("alpha")
    if alpha == 0:
        return refuse("alpha is 0: x / alpha has no value")
    if alpha < 0:  # the operator's function body is wrong there
        grown = op.Sub(op.Exp(op.Div(node.x, alpha)), 1.0)
        return op.Sub(op.Relu(node.x), op.Relu(op.Mul(grown, -alpha)))
    return op.Mul(op.Elu(op.Div(node.x, alpha), alpha=1.0), alpha)


@rule("PRelu", cases=[
    case("(float[2,3,4] x) => (float[2,3,4] y) <float[4] s = {0.1, -0.2, 0.0, 2.0}> { y = PRelu(x, s) }"),
    case("(float[2,3,4] x, float[3,1] s) => (float[2,3,4] y) { y = PRelu(x, s) }"),
])  # fmt: skip
def prelu_to_relu(op: Op, node: NodeView) -> Result:
    """PRelu(x; s) = max(x, 0) + s min(x, 0) = Relu(x) - s Relu(-x)"""
    x, slope = node.inputs
    return op.Sub(op.Relu(x), op.Mul(slope, op.Relu(op.Neg(x))))
