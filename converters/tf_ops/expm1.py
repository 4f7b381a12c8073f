"""Expm1(x) = exp(x) - 1, as celu has it."""

from __future__ import annotations

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("Expm1")
def expm1(g: Builder, node: TfNode) -> str:
    """exp(x) - 1 = 2 sinh(x/2) exp(x/2), which keeps its digits near 0"""
    x = node.inputs[0]
    half = g.Mul(x, g.constant(0.5, like=x))
    return str(g.Mul(g.Mul(g.Sinh(half), g.Exp(half)), g.constant(2, like=x)))
