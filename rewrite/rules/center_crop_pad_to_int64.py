"""CenterCropPad to a shape of int32."""

from __future__ import annotations

import numpy as np
import onnx

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("CenterCropPad", cases=[
    case("(float[2,3] x) => (float[5,2] y) <int32[2] s = {5, 2}> { y = CenterCropPad(x, s) }"),
    case("(float[2,3] x) => (float[2,5] y) <int32[1] s = {5}> { y = CenterCropPad<axes=[-1]>(x, s) }"),
    case("(float[2,3] x) => (float[5,2] y) <int64[2] s = {5, 2}> { y = CenterCropPad(x, s) }", refuses="int64 already"),
])  # fmt: skip
def center_crop_pad_to_int64(op: Op, node: NodeView) -> Result:
    """CenterCropPad(x, s) = CenterCropPad(x, int64(s)): its function body is for int64 alone"""
    shape = node.inputs[1]
    assert shape is not None
    if op.dtype(shape) == np.int64:
        return refuse("its shape is int64 already")
    return op.CenterCropPad(node.x, op.Cast(shape, to=onnx.TensorProto.INT64), **node.attributes)
