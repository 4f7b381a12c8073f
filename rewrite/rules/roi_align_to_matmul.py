"""RoiAlign of regions that are known before the model runs."""

from __future__ import annotations

from math import ceil

import numpy as np

from rewrite.graph import Array, Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule
from rewrite.rules._shapes import integers

_ROIS = "<float[2,4] r = {0, 0, 3, 2, 1.2, 0.5, 3.4, 2.9}, int64[2] b = {1, 0}>"


@rule("RoiAlign", cases=[
    case("(float[2,2,4,5] x) => (float[2,2,2,3] y) " + _ROIS +
         " { y = RoiAlign<output_height=2, output_width=3, sampling_ratio=2, spatial_scale=0.9>(x, r, b) }",
         atol=0.005),
    case("(float[2,1,4,5] x) => (float[2,1,1,1] y) " + _ROIS +
         " { y = RoiAlign<coordinate_transformation_mode=\"output_half_pixel\">(x, r, b) }", atol=0.005),
    case("(float[1,2,3,4] x) => (float[1,2,3,2] y) <float[1,4] r = {0, 2, 2, 4}, int64[1] b = {0}>"
         " { y = RoiAlign<output_height=3, output_width=2, sampling_ratio=2>(x, r, b) }", atol=0.005),
    case("(float[2,1,4,5] x) => (float[2,1,1,1] y) " + _ROIS + " { y = RoiAlign<mode=\"max\">(x, r, b) }",
         refuses="max of samples"),
    case("(float[2,1,4,5] x, float[2,4] r, int64[2] b) => (float[2,1,1,1] y) { y = RoiAlign(x, r, b) }",
         refuses="run time"),
])  # fmt: skip
def roi_align_to_matmul(op: Op, node: NodeView) -> Result:
    """y[r, c] = x[b_r, c] M_r, where M_r averages bilinear samples of a region"""
    shape, rois, batches = op.static_shape(node.x), op.value(node.input(1)), integers(op, node.input(2))
    if rois is None or batches is None or shape is None:
        return refuse("its regions are computed at run time, or a size is")
    if node.attr("mode", "avg") != "avg":
        return refuse("of the max of samples onnxruntime and ONNX have different notions")
    count, channels, height, width = shape
    bins = node.attr("output_height", 1), node.attr("output_width", 1)
    parts: list[Tensor] = []
    order: list[int] = []
    for batch in sorted(set(batches)):
        own = [i for i, b in enumerate(batches) if b == batch]
        matrix = np.stack([_matrix(rois[i], (height, width), bins, node) for i in own], axis=1)
        image = node.x if count == 1 else op.Slice(node.x, op.ints(batch), op.ints(batch + 1), op.ints(0), op.ints(1))
        flat = op.Reshape(image, op.ints(channels, height * width), allowzero=0)
        sampled = op.MatMul(flat, op.const(matrix.reshape(height * width, -1), np.float32))
        split = op.Reshape(sampled, op.ints(channels, len(own), *bins), allowzero=0)
        parts.append(op.Transpose(split, perm=[1, 0, 2, 3]))
        order += own
    joined = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=0)
    return joined if order == sorted(order) else op.Gather(joined, op.const(np.argsort(order), np.int64), axis=0)


def _matrix(roi: Array, sizes: tuple[int, int], bins: tuple[int, int], node: NodeView) -> Array:
    """The weights [height * width, bins] of one region."""
    half = 0.5 if node.attr("coordinate_transformation_mode", "half_pixel") == "half_pixel" else 0.0
    scale, ratio = np.float32(node.attr("spatial_scale", 1.0)), node.attr("sampling_ratio", 0)
    left, top, right, bottom = (float(np.float32(v) * scale - np.float32(half)) for v in roi)
    weights = []
    for start, end, size, count in ((top, bottom, sizes[0], bins[0]), (left, right, sizes[1], bins[1])):
        length = end - start if half else max(end - start, 1.0)
        samples = ratio if ratio > 0 else max(1, ceil(length / count))
        # in float32 and in onnxruntime's order: whether a sample on the border is inside hangs on the last bit
        step, within = np.float32(length) / np.float32(count), np.arange(samples, dtype=np.float32) + np.float32(0.5)
        bin_ = np.arange(count, dtype=np.float32)[:, None]
        at = np.float32(start) + bin_ * step + within * step / np.float32(samples)
        inside = (at >= -1) & (at <= size)
        at = np.clip(at, 0, size - 1)
        low = np.minimum(np.floor(at).astype(np.int64), size - 1)
        share = at - low
        along = np.zeros((count, size))
        rows = np.broadcast_to(np.arange(count)[:, None], at.shape)
        np.add.at(along, (rows, low), np.where(inside, 1 - share, 0) / samples)
        np.add.at(along, (rows, np.minimum(low + 1, size - 1)), np.where(inside, share, 0) / samples)
        weights.append(along)
    matrix: Array = np.einsum("ph,qw->hwpq", *weights).reshape(sizes[0] * sizes[1], -1)
    return matrix
