"""OneHot: ONNX's counts negative numbers from the end, where TensorFlow has none of it."""

from __future__ import annotations

import numpy as np

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow


@tensorflow("OneHot")
def one_hot(g: Builder, node: TfNode) -> str:
    """y[..., k, ...] = on where x = k, else off"""
    x, given, on, off = node.inputs
    depth, shape = node.value(given), node.shape(x)
    if depth is None or shape is None:
        raise NotImplementedError("how many numbers there are is known at run time only")
    axis = node.attr("axis", -1) % (len(shape) + 1)
    numbers = np.arange(int(depth)).reshape([-1] + [1] * (len(shape) - axis))
    reached = g.Equal(g.Unsqueeze(x, g.constant(np.array([axis]))), g.constant(numbers, like=x))
    return str(g.Where(reached, on, off))
