"""Resizing of images as TensorFlow weighs its neighbours: linear, cubic, area, Lanczos, nearest, and with antialiasing.

ONNX's Resize has other weights, or none, and other sizes where a scale is no whole number. Each is a sum along the
height and one along the width: two matrices, which TensorFlow itself is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.tf_builder import Builder, TfNode
from converters.translations import tensorflow

#: Those that ONNX has too.
_PLAIN = ("ResizeBilinear", "ResizeNearestNeighbor")


@tensorflow("ResizeBilinear", "ResizeBicubic", "ResizeArea", "ResizeNearestNeighbor", "ScaleAndTranslate")
def resize(g: Builder, node: TfNode) -> str:
    """y[n, i, j, c] = sum over h and w of H[i, h] W[j, w] x[n, h, w, c]"""
    x = node.inputs[0]
    shape, wanted = node.shape(x), node.value(node.inputs[1])
    if shape is None or None in shape[1:3] or wanted is None:
        if node.operator in _PLAIN:
            return _of_any_size(g, node)
        raise NotImplementedError("an image whose size before or after resizing is known at run time only")
    scales = [node.value(i) for i in node.inputs[2:]]
    if any(s is None for s in scales):
        raise NotImplementedError("a scale that is known at run time only")
    # channels first, as convolutions around it have them: the transposes meet theirs
    done = g.Transpose(x, perm=[0, 3, 1, 2])
    if node.operator in ("ResizeArea", "ScaleAndTranslate", "ResizeBilinear") and node.dtype(x) != np.float32:
        done = g.Cast(done, to=1)  # the result of these is float32, ONNX's FLOAT
    for axis in (0, 1):
        before, after = int(shape[axis + 1] or 0), int(wanted.reshape(-1)[axis])
        matrix = _matrix(node, axis, before, after, scales)
        if not np.array_equal(matrix, np.eye(before)):
            done = _along(g, done, axis, matrix)
    return str(g.Transpose(done, perm=[0, 2, 3, 1]))


def _of_any_size(g: Builder, node: TfNode) -> str:
    """ONNX's Resize: sizes that shape arithmetic gives are found out later."""
    linear = node.operator == "ResizeBilinear"
    mode = "align_corners" if node.attr("align_corners", False) else "asymmetric"
    mode = "half_pixel" if node.attr("half_pixel_centers", False) else mode
    rounding = {"align_corners": "round_prefer_ceil", "half_pixel": "round_prefer_ceil", "asymmetric": "floor"}[mode]
    x = g.Transpose(node.inputs[0], perm=[0, 3, 1, 2])
    x = g.Cast(x, to=1) if linear and node.dtype(node.inputs[0]) != np.float32 else x
    kept = g.Slice(g.Shape(x), g.constant(np.array([0])), g.constant(np.array([2])))
    sizes = g.Concat(kept, g.Cast(node.inputs[1], to=7), axis=0)  # INT64
    given = {"coordinate_transformation_mode": mode, "mode": "linear" if linear else "nearest"}
    done = g.Resize(x, "", "", sizes, nearest_mode=rounding, **given)
    return str(g.Transpose(done, perm=[0, 2, 3, 1]))


def _along(g: Builder, x: str, axis: int, matrix: np.ndarray[Any, Any]) -> str:
    """The matrix times x along its height (0) or width (1); where each row has one 1, what it picks."""
    if np.array_equal(np.sort(matrix), np.eye(1, matrix.shape[1], matrix.shape[1] - 1).repeat(len(matrix), 0)):
        return str(g.Gather(x, g.constant(matrix.argmax(1)), axis=2 + axis))
    weights = g.constant(matrix if axis == 0 else matrix.T, like=x)
    return str(g.MatMul(weights, x) if axis == 0 else g.MatMul(x, weights))


def _matrix(node: TfNode, axis: int, before: int, after: int, scales: list[Any]) -> np.ndarray[Any, Any]:
    """(after, before): what the operator makes of each unit vector, one a channel, as an image of one row or column."""
    import tensorflow as tf

    images = np.eye(before, dtype=np.float32).reshape((1, before, 1, before) if axis == 0 else (1, 1, before, before))
    given: dict[str, Any] = {"images": images, "size": [after, 1] if axis == 0 else [1, after]}
    if node.operator == "ScaleAndTranslate":
        for name, values, other in zip(("scale", "translation"), scales, (1.0, 0.0), strict=True):
            given[name] = np.asarray([values[0], other] if axis == 0 else [other, values[1]], np.float32)
        kind = node.attr("kernel_type", b"lanczos3")
        given["kernel_type"] = kind.decode() if isinstance(kind, bytes) else kind
        given["antialias"] = bool(node.attr("antialias", True))
    else:
        given["align_corners"] = bool(node.attr("align_corners", False))
        if node.operator != "ResizeArea":
            given["half_pixel_centers"] = bool(node.attr("half_pixel_centers", False))
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        done = session.run(getattr(tf.raw_ops, node.operator)(**given))
    return np.asarray(done).reshape(after, before)
