"""Resize of fixed shapes: along each axis a matrix, or plain indices where each result is one element."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Array, Shape, Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules._resize import Axis, Taps, indices_of, taps_of
from rewrite.rules._shapes import normal_axes, take
from rewrite.rules._sizes import sizes_in

#: Linear interpolation takes two elements, cubic four, antialiasing more.
MOST_TAPS = 4

#: What divides by the length less one: ONNX's evaluator takes the product of size and scale for it, onnxruntime the
#: size that comes out.
_BY_LENGTH = ("align_corners", "tf_crop_and_resize")

_UP = "(float[1,2,3,4] x) => (float[1,2,6,8] y) <float[4] s = {1, 1, 2, 2}>"
_ODD = "(float[1,1,4,5] x) => (float[1,1,7,3] y) <int64[4] s = {1, 1, 7, 3}>"


@rule("Resize", cases=[
    case(_UP + " { y = Resize(x, , s) }"),
    case(_UP + " { y = Resize<mode=\"linear\">(x, , s) }"),
    case(_UP + " { y = Resize<mode=\"cubic\", coordinate_transformation_mode=\"align_corners\">(x, , s) }", atol=0.03),
    case(_ODD + " { y = Resize<mode=\"cubic\", exclude_outside=1, cubic_coeff_a=-0.5>(x, , , s) }", atol=0.03),
    case(_ODD + " { y = Resize<mode=\"linear\", antialias=1>(x, , , s) }", atol=0.03),
    case(_ODD + " { y = Resize<mode=\"cubic\", antialias=1>(x, , , s) }", atol=0.03),
    case(_ODD + " { y = Resize<mode=\"linear\", coordinate_transformation_mode=\"pytorch_half_pixel\">(x, , , s) }"),
    case(_ODD + " { y = Resize<mode=\"nearest\", nearest_mode=\"floor\","
                " coordinate_transformation_mode=\"asymmetric\">(x, , , s) }"),
    case(_ODD + " { y = Resize<mode=\"nearest\", nearest_mode=\"floor\","
         " coordinate_transformation_mode=\"tf_half_pixel_for_nn\">(x, , , s) }"),
    case(_ODD + " { y = Resize<mode=\"nearest\", nearest_mode=\"ceil\","
                " coordinate_transformation_mode=\"half_pixel_symmetric\">(x, , , s) }"),
    case(_ODD + " { y = Resize<mode=\"nearest\", nearest_mode=\"round_prefer_ceil\">(x, , , s) }"),
    case("(int64[1,1,2,3] x) => (int64[1,1,4,3] y) <float[4] s = {1, 1, 2, 1}> { y = Resize(x, , s) }"),
    case("(float[N,2,3,3] x) => (float[N,2,6,6] y) <float[2] s = {2, 2}> { y = Resize<axes=[2, 3]>(x, , s) }"),
    case("(float[N,2,3,3] x) => (float[N,2,5,5] y) <int64[2] s = {5, 7}>"
         " { y = Resize<axes=[2, 3], mode=\"linear\", keep_aspect_ratio_policy=\"not_larger\">(x, , , s) }"),
    case("(float[1,1,4,4] x) => (float[1,1,3,5] y) <float[8] r = {0, 0, 0.25, -0.2, 1, 1, 0.75, 1.3},"
         " int64[4] s = {1, 1, 3, 5}>"
         " { y = Resize<mode=\"linear\", coordinate_transformation_mode=\"tf_crop_and_resize\","
         " extrapolation_value=2.5>(x, r, , s) }"),
    case("(float[1,4] x) => (float[1,4] y) <float[4] r = {0, 0.2, 1, 0.8}, int64[2] s = {1, 4}>"
         " { y = Resize<mode=\"linear\", coordinate_transformation_mode=\"tf_crop_and_resize\">(x, r, , s) }",
         refuses="keeps its size"),
    case("(float[2,5] x) => (float[2,3] y) <float[2] s = {1, 0.6}> { y = Resize<mode=\"linear\">(x, , s) }"),
    case("(float[N,3,2,4] x) => (float[N,3,4,4] y) { n = Shape<end=2>(x) c = Constant<value_ints=[4, 4]>()"
         " s = Concat<axis=0>(n, c) y = Resize<mode=\"linear\">(x, , , s) }"),
    case("(float[1,1,2,4] x) => (float[1,1,1,2] y) <float[4] s = {1, 1, 0.6, 0.6}>"
         " { y = Resize<mode=\"linear\", coordinate_transformation_mode=\"align_corners\">(x, , s) }",
         refuses="give sizes"),
    case("(float[1,1,2,5] x) => (float[1,1,2,4] y) <float[4] s = {1, 1, 1, 0.8}>"
         " { y = Resize<mode=\"linear\", coordinate_transformation_mode=\"align_corners\">(x, , s) }"),
    case("(float[N,2,3] x, int64[3] s) => (float[K,L,M] y) { y = Resize(x, , , s) }", refuses="not constant"),
    case("(float[1,1,H,3] x) => (float[1,1,K,6] y) <float[4] s = {1, 1, 2, 2}> { y = Resize(x, , s) }",
         refuses="no fixed size"),
    case("(uint8[2,3] x) => (uint8[2,1] y) <float[2] s = {1, 0.5}> { y = Resize<mode=\"linear\">(x, , s) }",
         refuses="between integers"),
    case("(double[2,3] x) => (double[2,6] y) <float[2] s = {1, 2}> { y = Resize<mode=\"linear\">(x, , s) }"),
])  # fmt: skip
def resize_to_sum(op: Op, node: NodeView) -> Result:
    """Resize(x)_i = sum_k w_ik x[j_ik] along each axis, or a matrix times x; of the nearest mode, x[j_i]"""
    axes = _axes(op, node)
    if isinstance(axes, Refusal):
        return axes
    if node.attr("mode", "nearest") != "nearest" and op.dtype(node.x).kind in "iu":
        return refuse("between integers: how they are rounded back ONNX does not say")
    x = node.x
    outside: list[tuple[int, Array]] = []
    # the axis that shrinks most first, the last one before others: whole rows are copied then
    for axis in sorted(axes, key=lambda a: (a.length / a.size, -a.axis)):
        if node.attr("mode", "nearest") == "nearest":
            places, beyond = indices_of(axis, node.attributes)
            x = take(op, x, places, axis.axis)
        else:
            taps = taps_of(axis, node.attributes)
            x, beyond = _interpolated(op, x, taps, axis), taps.beyond
        if beyond.any():
            outside.append((axis.axis, beyond))
    if not outside:
        return x
    rank = op.rank(node.x) or 0
    masks = [b.reshape([-1 if i == a else 1 for i in range(rank)]) for a, b in outside]
    mask = np.logical_or.reduce(np.broadcast_arrays(*masks))
    fill = np.full(1, node.attr("extrapolation_value", 0.0), op.dtype(node.x))
    return op.Where(op.const(mask), op.const(fill), x)


def _axes(op: Op, node: NodeView) -> list[Axis] | Refusal:
    """The axes that change, with their regions of interest."""
    shape, result = op.shape(node.x), op.shape(node.outputs[0])
    scales, sizes, region = op.value(node.input(2)), sizes_in(node.input(3)), op.value(node.input(1))
    if shape is None or result is None:
        return refuse("its rank is unknown")
    transform = node.attr("coordinate_transformation_mode")
    crops, by_length = transform == "tf_crop_and_resize", transform in _BY_LENGTH
    if (sizes is None and (scales is None or not scales.size)) or (crops and region is None):
        return refuse("its scales, sizes or region of interest are not constant")
    axes = normal_axes(list(node.attr("axes") or range(len(shape))), len(shape))
    found = []
    for i, axis in enumerate(axes):
        size, length = shape[axis], result[axis] if sizes is None or isinstance(result[axis], int) else sizes[i]
        given = None if sizes is not None or scales is None else float(scales[i])
        start, end = (float(region[i]), float(region[i + len(axes)])) if crops and region is not None else (0.0, 1.0)
        if isinstance(size, str) or isinstance(length, str):
            if (given == 1 or size == length) and (start, end) == (0.0, 1.0):
                continue
            return refuse(f"axis {axis} has no fixed size")
        scale = given if given is not None else _scale(node, shape, axes, sizes or (), i)
        if given is not None and by_length and np.float32(scale) * np.float32(size) != length:
            return refuse(
                f"{scale:g} times the {size} of axis {axis} is not whole: ONNX's evaluator and onnxruntime disagree"
                " about where the last corner is: give sizes instead of scales"
            )
        if scale == 1 and (start, end) != (0.0, 1.0):
            return refuse(f"axis {axis} is cropped and keeps its size: onnxruntime leaves it then, ONNX does not")
        if size != length or scale != 1:
            found.append(Axis(axis, size, length, scale, start, end))
    return found


def _scale(node: NodeView, shape: Shape, axes: list[int], sizes: Shape, i: int) -> float:
    """The scale that a size stands for: one for all axes where the aspect ratio is kept."""
    policy = node.attr("keep_aspect_ratio_policy", "stretch")
    pairs = [(s, shape[a]) for s, a in zip(sizes, axes, strict=True)]
    if policy == "stretch":
        pairs = [pairs[i]]
    ratios = [s / d for s, d in pairs if isinstance(s, int) and isinstance(d, int)]
    return min(ratios) if policy == "not_larger" else max(ratios)


def _interpolated(op: Op, x: Tensor, taps: Taps, axis: Axis) -> Tensor:
    """Few taps as a sum of weighted copies: that costs less than a matrix, and lets no infinity spread."""
    rank = op.rank(x) or 0
    if taps.places.shape[1] > MOST_TAPS:
        return _along(op, x, taps.matrix(axis.size), axis.axis)
    total: Tensor = None
    for places, weights in zip(taps.places.T, taps.weights.T, strict=True):
        weight = op.const(weights.reshape([-1 if i == axis.axis else 1 for i in range(rank)]), op.dtype(x))
        part = op.Mul(op.Gather(x, op.const(places, np.int64), axis=axis.axis), weight)
        total = part if total is None else op.Add(total, part)
    return total


def _along(op: Op, x: Tensor, matrix: Array, axis: int) -> Tensor:
    """``matrix`` times ``x`` along ``axis``: from the right for the last axis, else from the left."""
    shape = op.shape(x) or ()
    constant = matrix.astype(op.dtype(x))
    if axis == len(shape) - 1:
        return op.MatMul(x, op.const(np.ascontiguousarray(constant.T)))
    if axis == len(shape) - 2:
        return op.MatMul(op.const(constant), x)
    perm = [i for i in range(len(shape)) if i != axis] + [axis]
    moved = op.MatMul(op.Transpose(x, perm=perm), op.const(np.ascontiguousarray(constant.T)))
    return op.Transpose(moved, perm=[perm.index(i) for i in range(len(shape))])
