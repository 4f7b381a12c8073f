"""LSTM, GRU and RNN whose optional inputs say nothing, or are better said."""

from __future__ import annotations

from rewrite.rule import NodeView, Op, Result, case, refuse, rule

_GRU = "float[1,3,2] w, float[1,3,1] r"


@rule("GRU", cases=[
    case(f"(float[3,2,2] x, {_GRU}) => (float[3,1,2,1] y)"
         " { y = GRU<hidden_size=1, linear_before_reset=1, clip=40.0>(x, w, r) }"),
    case(f"(float[3,2,2] x, {_GRU}) => (float[1,2,1] yh) <float[1,6] b={{0.5,1,-0.5,0.25,2,-1}}>"
         " { , yh = GRU<hidden_size=1, linear_before_reset=1, clip=40.0>(x, w, r, b) }"),
    case(f"(float[3,N,2] x, {_GRU}) => (float[3,1,N,1] y) {{ y = GRU<hidden_size=1>(x, w, r) }}", refuses="not fixed"),
    case(f"(float[3,2,2] x, {_GRU}, float[1,2,1] h) => (float[3,1,2,1] y) {{ y = GRU<hidden_size=1>(x, w, r, , , h) }}",
         refuses="given"),
])  # fmt: skip
def gru_to_initialised(op: Op, node: NodeView) -> Result:
    """GRU(x) = GRU(x, initial_h=0)"""
    shape, weights = op.shape(node.x), op.shape(node.inputs[2])
    if node.input(5) is not None:
        return refuse("the initial state is given")
    batch_first = node.attr("layout", 0)
    batch = None if shape is None else shape[0 if batch_first else 1]
    if not isinstance(batch, int) or weights is None or not all(isinstance(d, int) for d in weights):
        return refuse("the batch size is not fixed")
    directions, hidden = int(weights[0]), int(weights[2])
    state = (batch, directions, hidden) if batch_first else (directions, batch, hidden)
    zeros = op.Expand(op.const(0, op.dtype(node.x)), op.ints(*state))
    inputs = [*node.inputs, None, None][:5]
    return op.build("GRU", [*inputs, zeros], node.attributes, outputs=len(node.outputs))


@rule("LSTM", "GRU", "RNN", cases=[
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[3,1,2,1] y) <int32[2] l={3,3}>"
         " { y = RNN<hidden_size=1, clip=40.0>(x, w, r, , l) }"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[3,1,2,1] y) <int32[2] l={3,2}>"
         " { y = RNN<hidden_size=1>(x, w, r, , l) }", refuses="shorter"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r, int32[2] l) => (float[3,1,2,1] y)"
         " { y = RNN<hidden_size=1>(x, w, r, , l) }", refuses="not constant"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[3,1,2,1] y) { y = RNN<hidden_size=1>(x, w, r) }",
         refuses="no lengths"),
])  # fmt: skip
def full_lengths_to_none(op: Op, node: NodeView) -> Result:
    """f(x, sequence_lens) = f(x) where every sequence is as long as x"""
    if node.input(4) is None:
        return refuse("no lengths are given")
    lengths, shape = op.value(node.input(4)), op.shape(node.x)
    if lengths is None:
        return refuse("the lengths are not constant")
    steps = None if shape is None else shape[1 if node.attr("layout", 0) else 0]
    if not (lengths == steps).all():
        return refuse("a sequence is shorter than the longest")
    inputs = [None if k == 4 else t for k, t in enumerate(node.inputs)]
    return op.build(node.op, inputs, node.attributes, outputs=len(node.outputs))
