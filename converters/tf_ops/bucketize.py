"""Bucketize: which of the given intervals a number is in, as Discretization has it."""

from __future__ import annotations

import numpy as np

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("Bucketize")
def bucketize(g: Builder, node: TfNode) -> str:
    """sum over boundaries b of (x >= b)"""
    x = node.inputs[0]
    boundaries = np.asarray(node.attr("boundaries"), np.float32)
    numbers = g.Cast(x, to=1)  # ONNX's FLOAT
    reached = g.GreaterOrEqual(g.Unsqueeze(numbers, g.constant(np.array([-1]))), g.constant(boundaries))
    return str(g.ReduceSum(g.Cast(reached, to=6), g.constant(np.array([-1])), keepdims=0))  # INT32
