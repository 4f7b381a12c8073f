"""Conv and ConvTranspose whose bias, or over how many places it is spread, is known only at run time."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Conv", "ConvTranspose", cases=[
    case("(float[2,2,5,5] x, float[3,2,3,3] w, float[3] b) => (float[2,3,5,5] y) { y = Conv<pads=[1,1,1,1]>(x, w, b) }",
         atol=1e-1),
    case("(float[N,2,5] x, float[3] b) => (float[N,3,5] y) <float[3,2,1] w={1,2,-1,0.5,-2,1}> { y = Conv(x, w, b) }",
         atol=1e-1),
    case("(float[1,2,3] x, float[2,3,2] w, float[3] b) => (float[1,3,6] y) { y = ConvTranspose<strides=[2]>(x, w, b) }",
         atol=1e-1),
    case("(float[1,2,5] x, float[1,2,1] w) => (float[1,1,5] y) <float[1] b={1}> { y = Conv(x, w, b) }",
         refuses="constant"),
    case("(float[1,2,L] x, float[3,2,3] w) => (float[1,3,L] y) <float[3] b={1,2,3}> { y = Conv<pads=[1,1]>(x, w, b) }",
         atol=1e-1),
    case("(float[N,2,H,W] x, float[2,1,1,3] w) => (float[N,2,H,W] y) <float[2] b={1,2}>"
         " { y = Conv<dilations=[1,2], pads=[0,2,0,2], group=2>(x, w, b) }", atol=1e-1),
    case("(float[1,2,5] x, float[1,2,1] w) => (float[1,1,5] y) { y = Conv(x, w) }", refuses="no bias"),
])  # fmt: skip
def bias_to_add(op: Op, node: NodeView) -> Result:
    """Conv(x, w, b) = Conv(x, w) + b, b along the channels"""
    bias, shape = node.input(2), op.shape(node.x)
    if bias is None or shape is None:
        return refuse("it has no bias")
    if op.value(bias) is not None and all(isinstance(d, int) for d in shape[2:]):
        return refuse("the bias is constant, and the sizes of the spatial axes are fixed")
    bare = op.build(node.op, node.inputs[:2], node.attributes)[0]
    return op.Add(bare, op.Reshape(bias, op.ints(1, -1, *[1] * (len(shape) - 2))))
