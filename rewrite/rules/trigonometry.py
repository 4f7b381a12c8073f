"""Tan, Asin, Acos, and the hyperbolic Sinh and Cosh."""

from __future__ import annotations

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, rule


@rule("Tan", cases=[
    case("(float[2,3,5] x) => (float[2,3,5] y) <float c = {-20}, float d = {20}> { z = Clip(x, c, d) y = Tan(z) }"),
])  # fmt: skip
def tan_to_sin_over_cos(op: Op, node: NodeView) -> Result:
    """Tan(x) = Sin(x) / Cos(x)"""
    return op.Div(op.Sin(node.x), op.Cos(node.x))


@rule("Asin", cases=[
    case("(float[2,3,5] x) => (float[2,3,5] y) { y = Asin(x) }"),
    case("(float[N,5] x) => (float[N,5] y) <float c = {-1}, float d = {1}> { z = Clip(x, c, d) y = Asin(z) }"),
])  # fmt: skip
def asin_to_atan(op: Op, node: NodeView) -> Result:
    """Asin(x) = Atan(x / sqrt((1 - x)(1 + x))); at 1 that is Atan(inf), beyond it NaN"""
    x = node.x
    return op.Atan(op.Div(x, op.Sqrt(op.Mul(op.Sub(op.const(1, op.dtype(x)), x), op.Add(x, 1.0)))))


@rule("Acos", cases=[
    case("(float[2,3,5] x) => (float[2,3,5] y) { y = Acos(x) }"),
    case("(float[N,5] x) => (float[N,5] y) <float c = {-1}, float d = {1}> { z = Clip(x, c, d) y = Acos(z) }"),
])  # fmt: skip
def acos_to_atan(op: Op, node: NodeView) -> Result:
    """Acos(x) = 2 Atan(sqrt((1 - x) / (1 + x))); at -1 that is 2 Atan(inf), beyond it NaN"""
    x = node.x
    return op.Mul(op.Atan(op.Sqrt(op.Div(op.Sub(op.const(1, op.dtype(x)), x), op.Add(x, 1.0)))), 2.0)


@rule("Cosh", cases=[
    case("(float[2,3,5] x) => (float[2,3,5] y) { y = Cosh(x) }"),
    case("(float[N,5] x) => (float[N,5] y) <float s = {1.008}> { z = Mul(x, s) y = Cosh(z) }", rtol=3e-5),
])  # fmt: skip
def cosh_to_exp(op: Op, node: NodeView) -> Result:
    """Cosh(x) = (h/2) h + (1/2) / h², h = exp(|x| / 2), which overflows only where Cosh does"""
    return _cosh(op, node.x)


@rule("Sinh", cases=[
    case("(float[2,3,5] x) => (float[2,3,5] y) { y = Sinh(x) }"),
    case("(float[N,5] x) => (float[N,5] y) <float s = {1.008}> { z = Mul(x, s) y = Sinh(z) }", rtol=3e-5),
])  # fmt: skip
def sinh_to_tanh_cosh(op: Op, node: NodeView) -> Result:
    """Sinh(x) = Tanh(x) Cosh(x), which does not cancel near 0"""
    return op.Mul(op.Tanh(node.x), _cosh(op, node.x))


def _cosh(op: Op, x: Tensor) -> Tensor:
    root = op.Exp(op.Mul(op.Abs(x), 0.5))
    return op.Add(op.Mul(op.Mul(root, 0.5), root), op.Div(op.const(0.5, op.dtype(x)), op.Mul(root, root)))
