"""LSTM, GRU and RNN that run backwards, both ways, or with the batch in front."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule

#: How many activations one direction takes.
ACTIVATIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}

_W2 = "<float[2,4,2] w={" + ",".join(f"{(i * 7) % 11 / 7 - 0.7:.2f}" for i in range(16)) + "}"
_R2 = "float[2,4,1] r={" + ",".join(f"{(i * 5) % 11 / 7 - 0.7:.2f}" for i in range(8)) + "}>"
_W1 = _W2.replace("[2,4,2]", "[2,1,2]").split("{")[0] + "{0.5,-0.25,0.75,1.5}, float[2,1,1] r={0.5,-0.5}>"


@rule("LSTM", "GRU", "RNN", cases=[
    case(f"(float[3,2,2] x) => (float[3,2,2,1] y) {_W2}, {_R2}"
         " { y = LSTM<hidden_size=1, direction=\"bidirectional\", clip=40.0>(x, w, r) }"),
    case(f"(float[3,2,2] x, float[2,2,1] h, float[2,2,1] c) => (float[3,2,2,1] y, float[2,2,1] yh, float[2,2,1] yc)"
         f" {_W2}, {_R2}"
         " { y, yh, yc = LSTM<hidden_size=1, direction=\"bidirectional\", clip=40.0>(x, w, r, , , h, c) }"),
    case(f"(float[3,2,2] x) => (float[2,2,1] h) {_W1} {{ , h = RNN"
         "<hidden_size=1, direction=\"bidirectional\", clip=9.0, activations=[\"Tanh\",\"Relu\"]>(x, w, r) }"),
    case("(float[3,1,2] x, float[1,4,2] w, float[1,4,1] r) => (float[3,1,1,1] y) { y = LSTM<hidden_size=1>(x, w, r) }",
         refuses="one direction"),
])  # fmt: skip
def bidirectional_to_directions(op: Op, node: NodeView) -> Result:
    """f(x; both ways) = [f(x; forward), f(x; backward)], each with its half of the weights and states"""
    if node.attr("direction") != "bidirectional":
        return refuse("it runs in one direction only")
    attributes = _halves(node)
    if isinstance(attributes, Refusal):
        return attributes
    batch_first = node.attr("layout", 0)
    runs = []
    for i, direction in enumerate(("forward", "reverse")):
        inputs = [
            t if t is None or k in (0, 4) else _half(op, t, i, axis=1 if batch_first and k in (5, 6) else 0)
            for k, t in enumerate(node.inputs)
        ]
        runs.append(op.build(node.op, inputs, {**attributes[i], "direction": direction}, outputs=len(node.outputs)))
    axes = (2, 1, 1) if batch_first else (1, 0, 0)
    return [
        op.Concat(first, second, axis=axes[k]) if node.wants(k) else None
        for k, (first, second) in enumerate(zip(*runs, strict=True))
    ]


@rule("LSTM", "GRU", "RNN", cases=[
    case("(float[3,2,2] x, float[1,4,2] w, float[1,4,1] r) => (float[3,1,2,1] y, float[1,2,1] yh, float[1,2,1] yc)"
         " { y, yh, yc = LSTM<hidden_size=1, direction=\"reverse\", clip=40.0>(x, w, r) }"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[3,1,2,1] y) <float[1,2,1] h={0.5,-1}>"
         " { y = RNN<hidden_size=1, direction=\"reverse\", clip=40.0>(x, w, r, , , h) }"),
    case("(float[T,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[1,2,1] y)"
         " { , y = RNN<hidden_size=1, direction=\"reverse\">(x, w, r) }", refuses="not fixed"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r, int32[2] l) => (float[1,2,1] y)"
         " { , y = RNN<hidden_size=1, direction=\"reverse\">(x, w, r, , l) }", refuses="lengths"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[1,2,1] y) { , y = RNN<hidden_size=1>(x, w, r) }",
         refuses="forward"),
])  # fmt: skip
def reverse_to_forward(op: Op, node: NodeView) -> Result:
    """f(x; backward) = flip(f(flip(x); forward)) along the time axis; the last states are the same"""
    if node.attr("direction") != "reverse":
        return refuse("it runs forward")
    if node.input(4) is not None:
        return refuse("with sequence lengths given, each sequence turns round at its own end")
    time = 1 if node.attr("layout", 0) else 0
    shape = op.shape(node.x)
    if shape is None or not isinstance(shape[time], int):
        return refuse("the number of time steps is not fixed")
    backwards = op.const(np.arange(shape[time])[::-1].copy(), np.int64)
    inputs = [op.Gather(node.x, backwards, axis=time), *node.inputs[1:]]
    y, *states = op.build(node.op, inputs, {**node.attributes, "direction": "forward"}, outputs=len(node.outputs))
    return [op.Gather(y, backwards, axis=time) if node.wants(0) else None, *states]


@rule("LSTM", "GRU", "RNN", cases=[
    case("(float[2,3,2] x, float[1,4,2] w, float[1,4,1] r) => (float[2,3,1,1] y, float[2,1,1] yh)"
         " { y, yh = LSTM<hidden_size=1, layout=1, clip=40.0>(x, w, r) }"),
    case("(float[2,3,2] x, float[1,1,2] w, float[1,1,1] r) => (float[2,1,1] yh)"
         " { , yh = RNN<hidden_size=1, layout=1, clip=40.0>(x, w, r) }"),
    case("(float[3,2,2] x, float[1,1,2] w, float[1,1,1] r) => (float[1,2,1] y) { , y = RNN<hidden_size=1>(x, w, r) }",
         refuses="time axis is in front"),
])  # fmt: skip
def batch_first_to_time_first(op: Op, node: NodeView) -> Result:
    """f(x; layout=1) = f(x with time in front; layout=0), with the batch brought to the front again"""
    if not node.attr("layout", 0):
        return refuse("the time axis is in front already")

    def swapped(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else op.Transpose(tensor, perm=[1, 0, 2])

    inputs = [swapped(t) if k in (0, 5, 6) else t for k, t in enumerate(node.inputs)]
    y, *states = op.build(node.op, inputs, {**node.attributes, "layout": 0}, outputs=len(node.outputs))
    states = [swapped(s) if node.wants(k) else None for k, s in enumerate(states, start=1)]
    return [op.Transpose(y, perm=[2, 0, 1, 3]) if node.wants(0) else None, *states]


def _halves(node: NodeView) -> tuple[dict[str, Any], dict[str, Any]] | Refusal:
    """The attributes of each direction: lists of activations name those of the forward direction first."""
    first, second = dict(node.attributes), dict(node.attributes)
    given = node.attr("activations")
    count = ACTIVATIONS[node.op]
    if given:
        first["activations"], second["activations"] = list(given[:count]), list(given[count:])
    for name in ("activation_alpha", "activation_beta"):
        values = node.attr(name)
        if not values:
            continue
        if given and first["activations"] != second["activations"]:
            return refuse(f"{name} does not say which direction each of its values is for")
        first[name], second[name] = list(values[: len(values) // 2]), list(values[len(values) // 2 :])
    return first, second


def _half(op: Op, tensor: Tensor, index: int, *, axis: int) -> Tensor:
    return op.Slice(tensor, op.ints(index), op.ints(index + 1), op.ints(axis), op.ints(1))
