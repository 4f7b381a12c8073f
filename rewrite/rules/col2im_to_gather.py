"""Col2Im: columns of windows added up to the image that they are of."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from rewrite.graph import Array
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers, reshaped


@rule("Col2Im", cases=[
    case("(float[1,5,5] x) => (float[1,1,5,5] y) <int64[2] s = {5, 5}, int64[2] b = {1, 5}> { y = Col2Im(x, s, b) }"),
    case("(float[2,8,9] x) => (float[2,2,4,4] y) <int64[2] s = {4, 4}, int64[2] b = {2, 2}>"
         " { y = Col2Im<dilations=[1, 1], strides=[1, 1], pads=[0, 0, 0, 0]>(x, s, b) }", atol=1e-5),
    case("(float[N,4,6] x) => (float[N,1,4,5] y) <int64[2] s = {4, 5}, int64[2] b = {2, 2}>"
         " { y = Col2Im<dilations=[2, 1], strides=[2, 2], pads=[1, 0, 1, 1]>(x, s, b) }", atol=1e-5),
    case("(float[N,8,6] x) => (float[N,2,3,4] y) <int64[2] s = {3, 4}, int64[2] b = {2, 2}> { y = Col2Im(x, s, b) }",
         atol=1e-5),
    case("(float[N,8,4] x) => (float[N,2,4,4] y) <int64[2] s = {4, 4}, int64[2] b = {2, 2}>"
         " { y = Col2Im<strides=[2, 2]>(x, s, b) }"),
    case("(float[N,3,2] x) => (float[N,1,4,1,2] y) <int64[3] s = {4, 1, 2}, int64[3] b = {3, 1, 1}>"
         " { y = Col2Im<strides=[1, 1, 2]>(x, s, b) }"),
    case("(float[1,4,6] x, int64[2] s) => (float[1,1,A,B] y) <int64[2] b = {2, 2}> { y = Col2Im(x, s, b) }",
         refuses="not constant"),
    case("(float[1,4,L] x) => (float[1,1,3,4] y) <int64[2] s = {3, 4}, int64[2] b = {2, 2}> { y = Col2Im(x, s, b) }",
         refuses="no fixed size"),
])  # fmt: skip
def col2im_to_gather(op: Op, node: NodeView) -> Result:
    """y[n, c, l s + k d - p] = sum of x[n, c k, l], the columns of each place of the image gathered"""
    shape, image, block = op.shape(node.x), integers(op, node.input(1)), integers(op, node.input(2))
    if shape is None or image is None or block is None:
        return refuse("the image's shape or the block's is not constant")
    n, depth, length = shape
    if not isinstance(depth, int) or not isinstance(length, int):
        return refuse("the columns have no fixed size")
    channels, columns = depth // prod(block), prod(block) * length
    taken = _columns(node, image, block)
    x = reshaped(op, node.x, (n, channels, columns))
    if x is None:
        return refuse("the columns have no fixed size")
    if (taken == columns).any():  # a place that fewer windows cover than others reads a zero behind the columns
        x = op.Pad(x, op.ints(0, 0, 0, 0, 0, 1), op.const(0, op.dtype(x)), mode="constant")
    parts = op.Gather(x, op.const(taken, np.int64), axis=2)
    return reshaped(op, op.ReduceSum(parts, op.ints(3), keepdims=0), (n, channels, *image))


def _columns(node: NodeView, image: list[int], block: list[int]) -> Array:
    """For each place of the image the columns [block, windows], flattened, that have it; filled up with their count."""
    axes = len(image)
    dilations, strides = node.attr("dilations") or [1] * axes, node.attr("strides") or [1] * axes
    pads = node.attr("pads") or [0] * (2 * axes)
    steps = [
        (image[i] + pads[i] + pads[i + axes] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in range(axes)
    ]
    columns = prod(block) * prod(steps)
    found: list[list[int]] = [[] for _ in range(prod(image))]
    offsets = product(*(range(b) for b in block))
    for column, (offset, window) in enumerate(product(offsets, list(product(*(range(s) for s in steps))))):
        at = [w * strides[i] + o * dilations[i] - pads[i] for i, (o, w) in enumerate(zip(offset, window, strict=True))]
        if all(0 <= a < size for a, size in zip(at, image, strict=True)):
            found[int(np.ravel_multi_index(at, image))].append(column)
    most = max(1, *(len(f) for f in found))
    return np.array([f + [columns] * (most - len(f)) for f in found], np.int64)
