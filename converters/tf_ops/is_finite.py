"""IsFinite, as logsumexp has it; tf2onnx asks for infinities and for NaN, one by one."""

from __future__ import annotations

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("IsFinite")
def is_finite(g: Builder, node: TfNode) -> str:
    """x - x = 0: of infinities and NaN it is NaN, which equals nothing"""
    x = node.inputs[0]
    return str(g.Equal(g.Sub(x, x), g.constant(0, like=x)))
