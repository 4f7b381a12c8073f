"""Losses, where a better way than ONNX's own function body is known."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_IN = "(float[N,5] x, int64[N] t)"


@rule("SoftmaxCrossEntropyLoss", cases=[
    case(_IN + " => (float y) { y = SoftmaxCrossEntropyLoss(x, t) }", atol=1e-4),
    case(_IN + " => (float[N] y, float[N,5] p)"
         " { y, p = SoftmaxCrossEntropyLoss<reduction=\"none\", ignore_index=2>(x, t) }", atol=1e-4),
    case(_IN + " => (float y) <float[5] w = {1, 2, 0.5, 3, 1}>"
         " { y = SoftmaxCrossEntropyLoss<reduction=\"sum\">(x, t, w) }", atol=1e-3),
    case("(float[2,5,3,4] x, int64[2,3,4] t) => (float y) { y = SoftmaxCrossEntropyLoss<ignore_index=1>(x, t) }",
         atol=1e-3),
    case("(float[N,5] x, int64[N,5] t) => (float y) { y = SoftmaxCrossEntropyLoss(x, t) }", refuses="labels"),
])  # fmt: skip
def softmax_cross_entropy_to_likelihood(op: Op, node: NodeView) -> Result:
    """SoftmaxCrossEntropyLoss(x, t; w) = NegativeLogLikelihoodLoss(LogSoftmax(x), t; w), over the classes, axis 1"""
    labels = node.inputs[1]
    rank = op.rank(node.x)
    if rank is None or labels is None or op.rank(labels) != rank - 1:
        return refuse("the labels are not one less in rank than the scores")
    logarithms = op.LogSoftmax(node.x, axis=1)
    loss = op.build("NegativeLogLikelihoodLoss", [logarithms, *node.inputs[1:]], node.attributes)[0]
    return [loss, logarithms][: len(node.outputs)]
