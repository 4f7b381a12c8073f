"""Operators that lay elements out in a larger tensor: MaxUnpool, Col2Im."""

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


@rule("Col2Im", cases=[
    case("(float[1,5,5] x) => (float[1,1,5,5] y) <int64[2] s = {5, 5}, int64[2] b = {1, 5}> { y = Col2Im(x, s, b) }"),
    case("(float[2,8,9] x) => (float[2,2,4,4] y) <int64[2] s = {4, 4}, int64[2] b = {2, 2}>"
         " { y = Col2Im<dilations=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0]>(x, s, b) }", atol=1e-5),
    case("(float[1,4,6] x) => (float[1,1,4,5] y) <int64[2] s = {4, 5}, int64[2] b = {2, 2}>"
         " { y = Col2Im<dilations=[2, 1], strides=[2, 2], pads=[1, 0, 1, 1]>(x, s, b) }", atol=1e-5),
    case("(float[N,4,6] x) => (float[N,1,3,4] y) <int64[2] s = {3, 4}, int64[2] b = {2, 2}> { y = Col2Im(x, s, b) }",
         refuses="fixed sizes"),
])  # fmt: skip
def col2im_to_scatter(op: Op, node: NodeView) -> Result:
    """y[n, c, l s + k d - p] = sum of x[n, c k, l]"""
    shape, image, block = op.static_shape(node.x), integers(op, node.input(1)), integers(op, node.input(2))
    if shape is None or image is None or block is None:
        return refuse("it needs fixed sizes")
    axes = len(image)
    dilations, strides = node.attr("dilations") or [1] * axes, node.attr("strides") or [1] * axes
    pads = node.attr("pads") or [0] * (2 * axes)
    index, inside = np.zeros([1] * (2 * axes), np.int64), np.ones([1] * (2 * axes), bool)
    for i, (size, kernel) in enumerate(zip(image, block, strict=True)):
        steps = (size + pads[i] + pads[i + axes] - dilations[i] * (kernel - 1) - 1) // strides[i] + 1
        places = np.arange(kernel)[:, None] * dilations[i] + np.arange(steps) * strides[i] - pads[i]
        places = places.reshape([kernel if a == i else steps if a == axes + i else 1 for a in range(2 * axes)])
        index, inside = index * size + places, inside & (places >= 0) & (places < size)
    count, channels = prod(image), shape[0] * shape[1] // prod(block)
    rows = np.where(inside, index, count).reshape(-1, 1)
    columns = op.Transpose(op.Reshape(node.x, op.ints(channels, len(rows)), allowzero=0), perm=[1, 0])
    # what falls into the padding is added up in a row of its own
    empty = op.const(np.zeros((count + 1, channels), op.dtype(node.x)))
    added = op.ScatterND(empty, op.const(rows, np.int64), columns, reduction="add")
    kept = op.Slice(added, op.ints(0), op.ints(count), op.ints(0), op.ints(1))
    wanted = op.ints(shape[0], channels // shape[0], *image)
    return op.Reshape(op.Transpose(kept, perm=[1, 0]), wanted, allowzero=0)
