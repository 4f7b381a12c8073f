"""Bincount: how often each number occurs, as encodings of categories have it."""

from __future__ import annotations

import numpy as np
from onnx import helper

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("Bincount", "DenseBincount")
def bincount(g: Builder, node: TfNode) -> str:
    """y[..., k] = the sum of the weights of all x[..., i] = k; or whether there is one"""
    x, given, weights = node.inputs
    size = node.value(given)
    if node.operator == "Bincount":  # its second input is the size, and its numbers are of one row
        x = g.Reshape(x, g.constant(np.array([-1])))
    if size is None:
        raise NotImplementedError("how many numbers are counted is known at run time only")
    last, before = g.constant(np.array([-1])), g.constant(np.array([-2]))
    reached = g.Equal(g.Unsqueeze(x, last), g.constant(np.arange(int(size.reshape(-1)[0])), like=x))
    kind = helper.np_dtype_to_tensor_dtype(node.dtype(weights))
    counted = g.Cast(reached, to=kind)
    if node.attr("binary_output", False):
        return str(g.Cast(g.Greater(g.ReduceSum(counted, before, keepdims=0), g.constant(0, like=counted)), to=kind))
    held = node.shape(weights)
    if held is None or 0 not in held:
        counted = g.Mul(counted, g.Unsqueeze(weights, last))
    return str(g.ReduceSum(counted, before, keepdims=0))
