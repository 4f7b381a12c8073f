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
         refuses="training_mode"),
])  # fmt: skip
def batch_normalization_to_affine(op: Op, node: NodeView) -> Result:
    """BatchNormalization(x) = a x + (b - a mean), a = scale / sqrt(var + eps), one a per channel."""
    if node.attr("training_mode"):
        return refuse("training_mode=1 takes statistics of the batch at hand: export the model in eval mode")
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
