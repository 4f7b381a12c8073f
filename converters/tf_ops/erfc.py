"""Erfc(x) = 1 - erf(x), as gelu has it."""

from __future__ import annotations

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("Erfc")
def erfc(g: Builder, node: TfNode) -> str:
    """1 - erf(x)"""
    x = node.inputs[0]
    return str(g.Sub(g.constant(1, like=x), g.Erf(x)))
