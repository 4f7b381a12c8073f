"""BatchNormalization of any rank, with parameters known only at run time, and in training mode."""

from __future__ import annotations

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_CONSTANT = "<float[2] s={1.5,-2.0}, float[2] b={0.5,0.25}, float[2] m={1.0,-1.0}, float[2] v={0.5,2.0}>"


@rule("BatchNormalization", cases=[
    case(f"(float[2,2,2,1,3] x) => (float[2,2,2,1,3] y) {_CONSTANT} {{ y = BatchNormalization(x, s, b, m, v) }}"),
    case(f"(float[N,2,2,1,3] x) => (float[N,2,2,1,3] y) {_CONSTANT}"
         " { y = BatchNormalization<epsilon=0.1>(x, s, b, m, v) }"),
    case("(float[2,2,3] x, float[2] s, float[2] b) => (float[2,2,3] y) <float[2] m={1.0,-1.0}, float[2] v={0.5,2.0}>"
         " { y = BatchNormalization(x, s, b, m, v) }", atol=1e-2),
    case("(float[3,2] x, float[2] s, float[2] b) => (float[3,2] y) <float[2] m={1.0,-1.0}, float[2] v={0.5,2.0}>"
         " { y = BatchNormalization(x, s, b, m, v) }", atol=1e-2),
    case("(float[2,2,3] x) => (float[2,2,3] y, float[2] om, float[2] ov)"
         f" {_CONSTANT} {{ y, om, ov = BatchNormalization<training_mode=1>(x, s, b, m, v) }}",
         refuses="of the batch"),
])  # fmt: skip
def batch_normalization_to_affine(op: Op, node: NodeView) -> Result:
    """BatchNormalization(x) = a x + (b - a mean), a = scale / sqrt(var + eps), one a per channel."""
    if node.attr("training_mode"):
        return refuse("in training mode the statistics are those of the batch")
    x, scale, bias, mean, variance = node.inputs
    assert x is not None
    rank = op.rank(x)
    if rank is None or rank < 2:
        return refuse("the rank of the input is not known, or it has no channel axis")
    shape = op.ints(-1, *[1] * (rank - 2))

    def of_channel(tensor: Tensor) -> Tensor:
        return tensor if op.dtype(tensor) == op.dtype(x) else op.CastLike(tensor, x)

    scale, bias, mean, variance = (of_channel(t) for t in (scale, bias, mean, variance))
    factor = op.Div(scale, op.Sqrt(op.Add(variance, node.attr("epsilon"))))
    offset = op.Sub(bias, op.Mul(mean, factor))
    return op.Add(op.Mul(x, op.Reshape(factor, shape)), op.Reshape(offset, shape))


@rule("BatchNormalization", cases=[
    case("(float[2,2,3] x) => (float[2,2,3] y, float[2] om, float[2] ov)"
         f" {_CONSTANT} {{ y, om, ov = BatchNormalization<training_mode=1>(x, s, b, m, v) }}", rtol=1e-4, atol=2e-3),
    case("(float[3,2] x, float[2] m, float[2] v) => (float[3,2] y, float[2] om, float[2] ov) <float[2] s={1.5,-2.0},"
         " float[2] b={0.5,0.25}> { y, om, ov = BatchNormalization<training_mode=1, momentum=0.5, epsilon=0.01>"
         "(x, s, b, m, v) }", rtol=1e-4, atol=2e-3),
    case("(float[N,2,2,3] x) => (float[N,2,2,3] y)"
         f" {_CONSTANT} {{ y, om, ov = BatchNormalization<training_mode=1>(x, s, b, m, v) }}", rtol=1e-4, atol=2e-3),
    case(f"(float[2,2,3] x) => (float[2,2,3] y) {_CONSTANT} {{ y = BatchNormalization(x, s, b, m, v) }}",
         refuses="inference"),
])  # fmt: skip
def batch_normalization_to_moments(op: Op, node: NodeView) -> Result:
    """y = scale (x - mean) / sqrt(var + eps) + b, with the batch's own mean and variance

    The running ones are momentum times those before plus 1 - momentum times the batch's.
    """
    if not node.attr("training_mode"):
        return refuse("at inference the statistics are given")
    x, scale, bias, mean, variance = node.inputs
    assert x is not None
    rank = op.rank(x)
    if rank is None or rank < 2:
        return refuse("the rank of the input is not known, or it has no channel axis")
    axes, shape = op.ints(0, *range(2, rank)), op.ints(-1, *[1] * (rank - 2))
    own = op.ReduceMean(x, axes, keepdims=1)
    centred = op.Sub(x, own)
    spread = op.ReduceMean(op.Mul(centred, centred), axes, keepdims=1)
    normal = op.Div(centred, op.Sqrt(op.Add(spread, node.attr("epsilon"))))
    result = op.Add(op.Mul(normal, op.Reshape(scale, shape)), op.Reshape(bias, shape))
    share = node.attr("momentum")
    running = [
        op.Add(op.Mul(before, share), op.Mul(op.Reshape(now, op.ints(-1)), 1 - share)) if node.wants(i) else None
        for i, (before, now) in enumerate(((mean, own), (variance, spread)), 1)
    ]
    return [result, *running[: len(node.outputs) - 1]]
