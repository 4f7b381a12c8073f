"""Dilated convolutions."""

from __future__ import annotations

from math import prod

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("Conv", cases=[
    case("(float[1,1,9] x) => (float[1,2,5] y) <float[2,1,3] w = {1,2,3,4,5,6}> { y = Conv<dilations=[2]>(x, w) }",
         atol=0.1),
    case("(float[N,4,7,6] x, float[2] b) => (float[N,2,6,5] y)"
         " <float[2,2,2,2] w = {1,2,3,4,5,6,7,8,-1,2,-3,4,-5,6,-7,8}>"
         " { y = Conv<dilations=[3,1], group=2, pads=[1,0,1,0]>(x, w, b) }", atol=0.1),
    case("(float[1,1,3,4,5] x, float[1,1,2,2,2] w) => (float[1,1,1,3,2] y) { y = Conv<dilations=[2,1,3]>(x, w) }",
         atol=0.1),
    case("(float[1,1,5] x, float[1,1,2] w) => (float[1,1,4] y) { y = Conv(x, w) }", refuses="no dilations"),
])  # fmt: skip
def dilated_conv_to_conv(op: Op, node: NodeView) -> Result:
    """Conv(x, w; d) = Conv(x, w with d - 1 zeros between its taps)"""
    dilations, shape = node.attr("dilations") or [], op.static_shape(node.inputs[1])
    if all(d == 1 for d in dilations):
        return refuse("it has no dilations")
    if shape is None:
        return refuse("the shape of the weights is not fixed")
    if node.attr("auto_pad", "NOTSET") != "NOTSET":
        return refuse("auto_pad could not be resolved: the sizes are not fixed")
    taps = shape[2:]
    reach = [(k - 1) * d + 1 for k, d in zip(taps, dilations, strict=True)]
    apart = op.Reshape(node.inputs[1], op.ints(prod(shape[:2]), *(n for k in taps for n in (k, 1))))
    behind = [n for d in dilations for n in (0, d - 1)]
    apart = op.Pad(apart, op.ints(*[0] * (2 + 2 * len(taps)), *behind))
    apart = op.Reshape(apart, op.ints(*shape[:2], *(k * d for k, d in zip(taps, dilations, strict=True))))
    axes = range(2, len(shape))
    weights = op.Slice(apart, op.ints(*[0] * len(taps)), op.ints(*reach), op.ints(*axes), op.ints(*[1] * len(taps)))
    attributes = node.attributes | {"dilations": [1] * len(taps), "kernel_shape": reach}
    return op.Conv(node.x, weights, node.input(2), **attributes)
