"""LayerNormalization and InstanceNormalization written out with means."""

from __future__ import annotations

from onnx import helper

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("LayerNormalization", cases=[
    case("(float[2,3,4] x, float[4] w) => (float[2,3,4] y) { y = LayerNormalization(x, w) }", atol=1e-4),
    case("(float[2,3,4] x, float[3,4] w) => (float[2,3,4] y) { y = LayerNormalization<axis=-2, epsilon=0.1>(x, w) }",
         atol=1e-4),
    case("(float[N,3,4] x) => (float[N,3,4] y) <float[4] w={1,2,-3,0.5}> { y = LayerNormalization(x, w) }", atol=1e-4),
    case("(float[3] x, float[3] w, float[3] b) => (float[3] y) { y = LayerNormalization(x, w, b) }",
         refuses="has a bias"),
    case("(float[3] x, float[3] w) => (float[3] y, float[1] m) { y, m = LayerNormalization(x, w) }", refuses="mean"),
])  # fmt: skip
def layer_normalization_to_biased(op: Op, node: NodeView) -> Result:
    """LayerNormalization(x, w) = LayerNormalization(x, w, 0)"""
    x, scale = node.x, node.input(1)
    assert scale is not None
    if node.input(2) is not None:
        return refuse("it has a bias already")
    if node.wants(1) or node.wants(2):
        return refuse("the mean or the deviation is asked for")
    shape = op.static_shape(scale)
    if shape is None:
        return refuse("the scale's shape is not fixed")
    zeros = op.Expand(op.const(0, op.dtype(scale)), op.ints(*shape))
    return [op.LayerNormalization(x, scale, zeros, **node.attributes), *[None] * (len(node.outputs) - 1)]


@rule("LayerNormalization", cases=[
    case("(float[2,3,4] x, float[4] w) => (float[2,3,4] y, float[2,3,1] m, float[2,3,1] i)"
         " { y, m, i = LayerNormalization(x, w) }", atol=1e-4, rtol=1e-4),
    case("(float[2,3,4] x, float[3,4] w, float[3,4] b) => (float[2,3,4] y, float[2,1,1] i)"
         " { y, , i = LayerNormalization<axis=1>(x, w, b) }", atol=1e-4, rtol=1e-4),
    case("(float[N,3,4] x, float[4] w, float[4] b) => (float[N,3,4] y, float[N,3,1] m)"
         " { y, m = LayerNormalization(x, w, b) }", atol=1e-4, rtol=1e-4),
    case("(float[2,3,4] x, float[4] w, float[4] b) => (float[2,3,4] y)"
         " { y = LayerNormalization<axis=1>(x, w, b) }", atol=1e-4),
    case("(float[4] x, float[4] w) => (float[4] y) { y = LayerNormalization<axis=0>(x, w) }", atol=1e-4),
])  # fmt: skip
def layer_normalization_to_moments(op: Op, node: NodeView) -> Result:
    """LayerNormalization(x) = (x - m) i scale + bias, m = mean(x), i = 1 / sqrt(mean((x - m)^2) + eps)"""
    scale, bias = node.input(1), node.input(2)
    rank = op.rank(node.x)
    if rank is None:
        return refuse("the rank of the input is not known")
    dtype = op.dtype(node.x)
    stash = helper.tensor_dtype_to_np_dtype(node.attr("stash_type", 1))
    x = node.x if dtype == stash else op.Cast(node.x, to=node.attr("stash_type", 1))
    mean, centred, inverse = moments(op, x, list(range(node.attr("axis") % rank, rank)), node.attr("epsilon"))
    y = op.Mul(centred, inverse)
    y = y if dtype == stash else op.CastLike(y, node.x)
    y = op.Mul(y, scale)
    y = y if bias is None else op.Add(y, bias)
    return [y, mean, inverse][: len(node.outputs)]


@rule("InstanceNormalization", cases=[
    case("(float[N,2,4] x) => (float[N,2,4] y) <float[2] w={1,-2}, float[2] b={0.5,1}>"
         " { y = InstanceNormalization(x, w, b) }", atol=1e-4),
    case("(float[N,2,3,2] x, float[2] w, float[2] b) => (float[N,2,3,2] y) { y = InstanceNormalization(x, w, b) }",
         atol=1e-4, rtol=1e-4),
])  # fmt: skip
def instance_normalization_to_moments(op: Op, node: NodeView) -> Result:
    """InstanceNormalization(x) = (x - m) i scale + bias, m and i of each sample's channel"""
    x, scale, bias = node.inputs
    assert x is not None
    rank = op.rank(x)
    if rank is None or rank < 3:
        return refuse("the rank of the input is not known, or it has no axis to average over")
    shape = op.ints(-1, *[1] * (rank - 2))
    _, centred, inverse = moments(op, x, list(range(2, rank)), node.attr("epsilon"))
    return op.Add(op.Mul(centred, op.Mul(inverse, op.Reshape(scale, shape))), op.Reshape(bias, shape))


def moments(op: Op, x: Tensor, axes: list[int], epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of ``x`` over ``axes`` (kept), ``x`` less its mean, and the inverse of its standard deviation.

    The variance is that of the centred values: E(x^2) - E(x)^2 would lose it where the mean is large.
    """
    kept = op.ints(*axes)
    mean = op.ReduceMean(x, kept, keepdims=1)
    centred = op.Sub(x, mean)
    variance = op.ReduceMean(op.Mul(centred, centred), kept, keepdims=1)
    return mean, centred, op.Reciprocal(op.Sqrt(op.Add(variance, epsilon)))
