"""MaxUnpool lays elements out in a larger tensor."""

from __future__ import annotations

from math import prod

import numpy as np

from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers


@rule("MaxUnpool", cases=[
    case("(float[1,1,2,2] x, int64[1,1,2,2] i) => (float[1,1,4,4] y)"
         " { y = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x, i) }"),
    case("(float[2,2,3] x, int64[2,2,3] i) => (float[2,2,5] y) { y = MaxUnpool<kernel_shape=[3], pads=[0, 0]>(x, i) }"),
    case("(float[1,1,2,2] x, int64[1,1,2,2] i) => (float[1,1,5,5] y) <int64[4] s = {1, 1, 5, 5}>"
         " { y = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x, i, s) }", refuses="another shape"),
    case("(float[N,1,2,2] x, int64[N,1,2,2] i) => (float[N,1,4,4] y)"
         " { y = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x, i) }", refuses="fixed sizes"),
])  # fmt: skip
def max_unpool_to_scatter(op: Op, node: NodeView) -> Result:
    """flat(y)[flat(i)] = flat(x), else 0"""
    before = op.static_shape(node.x)
    if before is None:
        return refuse("it needs fixed sizes")
    kernel = node.attr("kernel_shape")
    strides, pads = node.attr("strides") or [1] * len(kernel), node.attr("pads") or [0] * (2 * len(kernel))
    after = [
        (n - 1) * s - pads[i] - pads[i + len(kernel)] + k
        for i, (n, s, k) in enumerate(zip(before[2:], strides, kernel, strict=True))
    ]
    given = integers(op, node.input(2))
    if node.input(2) is not None and given != [*before[:2], *after]:
        return refuse("it is given another shape than the pooling's input: onnxruntime and ONNX lay out unlike")
    empty = op.const(np.zeros(prod(before[:2]) * prod(after), op.dtype(node.x)))
    flat, places = (op.Reshape(t, op.ints(-1), allowzero=0) for t in node.inputs[:2])
    scattered = op.ScatterElements(empty, places, flat, axis=0, reduction="none")
    return op.Reshape(scattered, op.ints(*before[:2], *after), allowzero=0)
