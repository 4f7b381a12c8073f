"""Operators of ai.onnx.ml that pick or threshold features."""

from __future__ import annotations

from onnx import helper

from rewrite.rule import NodeView, Op, Result, case, rule


@rule("ai.onnx.ml.Binarizer", cases=[
    case("(float[2,3] x) => (float[2,3] y) { y = ai.onnx.ml.Binarizer<threshold=0.5>(x) }"),
    case("(float[N,3] x) => (float[N,3] y) { y = ai.onnx.ml.Binarizer(x) }"),
])  # fmt: skip
def binarizer_to_greater(op: Op, node: NodeView) -> Result:
    """Binarizer(x) = 1 where x > threshold, else 0"""
    kind = helper.np_dtype_to_tensor_dtype(op.dtype(node.x))
    return op.Cast(op.Greater(node.x, node.attr("threshold", 0.0)), to=kind)


@rule("ai.onnx.ml.ArrayFeatureExtractor", cases=[
    case("(float[3,4] x) => (float[3,2] y) <int64[2] i = {3, 0}> { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }"),
    case("(float[2,3,4] x, int64[1,2] i) => (float[2,3,2] y) { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }"),
    case("(float[4] x) => (float[1,3] y) <int64[3] i = {3, 0, 3}> { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }"),
])  # fmt: skip
def array_feature_extractor_to_gather(op: Op, node: NodeView) -> Result:
    """y[..., j] = x[..., i_j]; of one axis, a row"""
    rank = op.rank(node.x) or 1
    taken = op.Gather(node.x, op.Reshape(node.inputs[1], op.ints(-1), allowzero=0), axis=rank - 1)
    return op.Unsqueeze(taken, op.ints(0)) if rank == 1 else taken
