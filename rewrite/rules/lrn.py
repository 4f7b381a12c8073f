"""Local response normalisation."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule


@rule("LRN", cases=[
    # onnxruntime adds and takes away squares as the window moves on; what is left of 9e8 - 9e8 is in its numbers.
    case("(float[2,5,2,3] x) => (float[2,5,2,3] y) { y = LRN<size=3>(x) }", rtol=1e-3, atol=0.1),
    case("(float[1,5,2,3] x) => (float[1,5,2,3] y) { y = LRN<size=5, beta=0.5, bias=2.0>(x) }", rtol=1e-3, atol=0.1),
    case("(float[N,3,2,2] x) => (float[N,3,2,2] y) { y = LRN<size=5, alpha=0.1>(x) }"),
    case("(float[2,3,L,M] x) => (float[2,3,L,M] y) { y = LRN<size=3>(x) }", refuses="not fixed"),
])  # fmt: skip
def lrn_to_average_pool(op: Op, node: NodeView) -> Result:
    """LRN(x) = x / (bias + alpha mean(x^2 over size channels, zeros beyond the ends))^beta"""
    shape, size = op.shape(node.x), node.attr("size")
    if shape is None or not all(isinstance(d, int) for d in shape[1:]):
        return refuse("the shape behind the batch axis is not fixed")
    channels, *spatial = (int(d) for d in shape[1:])
    area = 1
    for d in spatial:
        area *= d
    # The sum over channels is a pool over the first axis of an image of channels x pixels.
    image = op.Reshape(op.Mul(node.x, node.x), op.ints(-1, 1, channels, area))
    before = (size - 1) // 2
    pads = [before, 0, size - 1 - before, 0]
    mean = op.AveragePool(image, kernel_shape=[size, 1], strides=[1, 1], pads=pads, count_include_pad=1)
    mean = op.Reshape(mean, op.ints(-1, channels, *spatial))
    return op.Div(node.x, op.Pow(op.Add(op.Mul(mean, node.attr("alpha")), node.attr("bias")), node.attr("beta")))
