"""DeformConv of fixed sizes, over an image."""

from __future__ import annotations

from math import prod

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._grid import sampled, taps_at

_WEIGHT = "<float[2,2,2,2] w = {0.5, -1, 2, 0.25, 1, 1, -0.5, 0.75, 0, 1.5, -2, 1, 0.125, 3, 1, -1}>"
_GROUPS = "<float[2,1,1,2] w = {0.5, -1, 2, 0.25}, float[2] b = {1, -0.5}>"


@rule("DeformConv", cases=[
    case("(float[2,2,3,4] x, float[2,8,2,3] o) => (float[2,2,2,3] y) " + _WEIGHT + " { y = DeformConv(x, w, o) }",
         atol=0.05),
    case("(float[1,2,4,5] x, float[1,16,2,3] o, float[1,8,2,3] m) => (float[1,2,2,3] y) " + _WEIGHT + " { y ="
         " DeformConv<pads=[1, 1, 0, 1], strides=[2, 2], offset_group=2>(x, w, o, , m) }", rtol=1e-4, atol=4000.0),
    case("(float[1,2,3,4] x, float[1,4,3,2] o) => (float[1,2,3,2] y) " + _GROUPS +
         " { y = DeformConv<group=2, dilations=[1, 2]>(x, w, o, b) }", atol=0.05),
    case("(float[N,2,3,4] x, float[N,8,2,3] o) => (float[N,2,2,3] y) " + _WEIGHT + " { y = DeformConv(x, w, o) }",
         refuses="fixed sizes"),
    case("(float[1,1,3] x, float[1,2,2] o, float[1,1,2] w) => (float[1,1,2] y) { y = DeformConv(x, w, o) }",
         refuses="one or three axes"),
])  # fmt: skip
def deform_conv_to_gather(op: Op, node: NodeView) -> Result:
    """y[p] = b + sum over k, c of W[c, k] m[k, p] x[c, p s + k d + o[k, p]], x linear between its elements"""
    weight, offset, mask = node.input(1), node.input(2), node.input(4)
    shape, kernel = op.static_shape(node.x), node.attr("kernel_shape") or _spatial(op, weight)
    wanted = None if offset is None else op.static_shape(offset)
    if shape is None or wanted is None or kernel is None:
        return refuse("it needs fixed sizes")
    if len(shape) != 4:
        return refuse("of an image with one or three axes there is nothing to compare with")
    batch, channels, *sizes = shape
    groups, taken = node.attr("offset_group", 1), prod(kernel)
    count, places = batch * groups, taken * prod(wanted[2:])
    moved = op.Reshape(offset, op.ints(count, taken, 2, *wanted[2:]), allowzero=0)
    starts = _starts(node, kernel, wanted[2:])
    at = [
        op.Reshape(
            op.Add(op.Gather(moved, op.const(i, np.int64), axis=2), op.const(start, op.dtype(node.x))),
            op.ints(count, places),
            allowzero=0,
        )
        for i, start in enumerate(starts)
    ]
    within = channels // groups
    flat = op.Reshape(node.x, op.ints(count, within, prod(sizes)), allowzero=0)
    seen = sampled(op, op.Transpose(flat, perm=[0, 2, 1]), taps_at(op, at, sizes), sizes)
    if mask is not None:
        seen = op.Mul(seen, op.Reshape(mask, op.ints(count, places, 1), allowzero=0))
    columns = op.Transpose(seen, perm=[0, 2, 1])
    image = op.Reshape(columns, op.ints(batch, channels * taken, *wanted[2:]), allowzero=0)
    rows = op.shape(weight) or ()
    matrix = op.Reshape(weight, op.ints(int(rows[0]), int(rows[1]) * taken, 1, 1), allowzero=0)
    given = [image, matrix] if node.input(3) is None else [image, matrix, node.input(3)]
    plain = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0, 0, 0, 0]}
    return op.Conv(*given, group=node.attr("group", 1), auto_pad="NOTSET", **plain)


def _spatial(op: Op, weight: Tensor | None) -> list[int] | None:
    shape = None if weight is None else op.static_shape(weight)
    return None if shape is None else list(shape[2:])


def _starts(node: NodeView, kernel: list[int], wanted: tuple[int, ...]) -> list[np.ndarray]:
    """Per axis [kernel, *wanted]: where an element of the kernel lies before it is moved."""
    pads = node.attr("pads") or [0] * (2 * len(kernel))
    strides, dilations = node.attr("strides") or [1] * len(kernel), node.attr("dilations") or [1] * len(kernel)
    grids = np.meshgrid(*[np.arange(k) * d for k, d in zip(kernel, dilations, strict=True)], indexing="ij")
    steps = np.meshgrid(*[np.arange(w) * s - p for w, s, p in zip(wanted, strides, pads, strict=False)], indexing="ij")
    return [g.reshape(-1, *[1] * len(wanted)) + s for g, s in zip(grids, steps, strict=True)]
