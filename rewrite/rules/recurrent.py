"""LSTM, GRU and RNN."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

#: tanh(40) and sigmoid(40) are 1 in float64, sigmoid(-40) is 4e-18: no float32 sum sees the difference.
SATURATED = 40.0

_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


@rule("LSTM", "GRU", "RNN", cases=[
    case("(float[3,1,2] x, float[1,4,2] w, float[1,4,1] r) => (float[3,1,1,1] y) { y = LSTM<hidden_size=1>(x, w, r) }"),
    case("(float[3,1,2] x, float[1,4,2] w, float[1,4,1] r) => (float[3,1,1,1] y)"
         " { y = LSTM<hidden_size=1, clip=9.0>(x, w, r) }",
         refuses="bounded already"),
])  # fmt: skip
def recurrent_to_bounded(op: Op, node: NodeView) -> Result:
    """f(x) = f(clip(x, -40, 40)) in float32 for f = tanh, sigmoid; ONNX's ``clip`` bounds what activations take.

    An implementation that computes tanh(x) = (1 - exp(-2x)) / (1 + exp(-2x)) gives NaN beyond |x| = 44.
    """
    activations = node.attr("activations") or _DEFAULTS[node.op]
    if node.attr("clip") is not None:
        return refuse("the activations are bounded already")
    if not {a.lower() for a in activations} <= {"sigmoid", "tanh"}:
        return refuse(f"activations {', '.join(activations)} do not saturate")
    return op.build(node.op, node.inputs, {**node.attributes, "clip": SATURATED}, outputs=len(node.outputs))
