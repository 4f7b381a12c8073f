"""LSTM, GRU and RNN of a fixed number of steps, written out step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Refusal, Result, case, refuse, rule
from rewrite.rules.recurrent import SATURATED
from rewrite.rules.recurrent_activations import Activation, activations_of

#: Steps beyond which the graph would grow too large: each is a dozen nodes.
STEPS = 512

_LSTM = "float[1,8,2] w, float[1,8,2] r"
_GRU = "float[1,6,2] w, float[1,6,2] r"
_RNN = "float[1,2,2] w, float[1,2,2] r"


@rule("LSTM", "GRU", "RNN", cases=[
    case(f"(float[3,2,2] x, {_GRU}, float[1,12] b) => (float[3,1,2,2] y, float[1,2,2] yh)"
         " { y, yh = GRU<hidden_size=2>(x, w, r, b) }"),
    case(f"(float[2,N,2] x, {_GRU}, float[1,N,2] h) => (float[2,1,N,2] y)"
         " { y = GRU<hidden_size=2>(x, w, r, , , h) }", atol=1e-2),  # onnxruntime's sigmoid ends at 1e-7, times 3e4
    case(f"(float[3,N,2] x, {_GRU}) => (float[3,1,N,2] y) <float[1,12] b={{1,2,3,4,5,6,0.1,0.2,0.3,0.4,0.5,-1}}>"
         " { y = GRU<hidden_size=2, linear_before_reset=1>(x, w, r, b) }"),
    case(f"(float[2,N,2] x, {_LSTM}, float[1,16] b, float[1,6] p) => (float[2,1,N,2] y, float[1,N,2] yc)"
         " { y, , yc = LSTM<hidden_size=2>(x, w, r, b, , , , p) }"),
    case(f"(float[3,2,2] x, {_LSTM}, float[1,2,2] h, float[1,2,2] c) => (float[3,1,2,2] y)"
         " { y = LSTM<hidden_size=2, clip=0.5, input_forget=1>(x, w, r, , , h, c) }"),
    case(f"(float[3,3,2] x, {_LSTM}) => (float[3,1,3,2] y, float[1,3,2] h) <int32[3] l={{1,3,2}}>"
         " { y, h = LSTM<hidden_size=2, direction=\"reverse\">(x, w, r, , l) }"),
    case(f"(float[2,2,2] x, {_LSTM}) => (float[2,1,2,2] y)"
         " { y = LSTM<hidden_size=2, activations=[\"HardSigmoid\",\"Softsign\",\"ScaledTanh\"],"
         " activation_alpha=[0.3,1.5], activation_beta=[0.4,0.7]>(x, w, r) }"),
    case(f"(float[3,N,2] x, {_RNN}, float[1,4] b, int32[N] l) => (float[3,1,N,2] y, float[1,N,2] h)"
         " { y, h = RNN<hidden_size=2>(x, w, r, b, l) }"),
    case(f"(float[T,2,2] x, {_RNN}) => (float[T,1,2,2] y) {{ y = RNN<hidden_size=2>(x, w, r) }}", refuses="T, is open"),
    case("(float[2,2,2] x, float[2,2,2] w, float[2,2,2] r) => (float[2,2,2,2] y)"
         " { y = RNN<hidden_size=2, direction=\"bidirectional\">(x, w, r) }", refuses="two directions"),
])  # fmt: skip
def recurrent_to_steps(op: Op, node: NodeView) -> Result:
    """h[t] = step(x[t] W' + b, h[t-1]), t = 0 ... T-1; the product with W of all steps in one MatMul"""
    shape, recurrence = op.shape(node.x), op.shape(node.inputs[2])
    steps = None if shape is None else shape[0]
    if isinstance(steps, str):
        return refuse(f"the number of time steps, {steps}, is open, and a step is operators of its own: fix that size")
    if steps is None or steps > STEPS or node.attr("layout", 0):
        return refuse(f"the number of time steps, in front, is not a fixed one up to {STEPS}")
    if node.attr("direction") == "bidirectional" or recurrence is None or not isinstance(recurrence[2], int):
        return refuse("it has two directions, or a state of unknown size")
    activations = activations_of(node)
    if isinstance(activations, Refusal):
        return activations
    cell = Cell(op, node, int(recurrence[2]), activations)
    order = range(steps)
    return cell.run(order if node.attr("direction") == "forward" else order[::-1])


@dataclass(frozen=True)
class State:
    """Hidden state and, of an LSTM, cell state [batch, hidden]; None for zeros."""

    h: Tensor | None
    c: Tensor | None = None


class Cell:
    """Builds the steps of one recurrent node."""

    def __init__(self, op: Op, node: NodeView, hidden: int, activations: list[Activation]) -> None:
        self.op, self.node, self.hidden, self.activations = op, node, hidden, activations
        self.weights = self._matrix(node.inputs[1])
        self.recurrent = self._matrix(node.inputs[2])
        bias = node.input(3)
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[node.op] * hidden
        biases = [None, None] if bias is None else self.parts(self._first(bias), [gates, gates], 0)
        self.bias: Tensor | None = biases[0]
        self.recurrent_bias: Tensor | None = biases[1]
        peepholes = node.input(7)
        self.peepholes = None if peepholes is None else self.parts(self._first(peepholes), [hidden] * 3, 0)

    def run(self, order: range) -> list[Tensor | None]:
        """All steps in the given order; the node's outputs."""
        op, node = self.op, self.node
        inputs = op.MatMul(node.x, self.weights)
        together = self._input_bias()
        inputs = inputs if together is None else op.Add(inputs, together)
        state = State(*(None if t is None else self._first(t) for t in (node.input(5), node.input(6))))
        step: Callable[[Tensor, State], State] = {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}[node.op]
        seen: dict[int, Tensor] = {}
        for t in order:
            after = step(op.Gather(inputs, op.const(t, np.int64), axis=0), state)
            inside = self._inside(t)
            if inside is not None:
                seen[t] = op.Where(inside, after.h, self._zero())
                after = State(self._masked(inside, after.h, state.h), self._masked(inside, after.c, state.c))
            else:
                seen[t] = after.h
            state = after
        y = self._stacked([seen[t] for t in sorted(seen)]) if node.wants(0) else None
        last = [op.Unsqueeze(s, op.ints(0)) if node.wants(k) else None for k, s in ((1, state.h), (2, state.c))]
        return [y, *last][: len(node.outputs)]

    def _stacked(self, steps: list[Tensor]) -> Tensor:
        """[batch, hidden] of each step as [steps, 1, batch, hidden]"""
        op = self.op
        if any(op.static_shape(s) is None for s in steps):  # so that the open batch keeps its name
            return op.Concat(*(op.Unsqueeze(s, op.ints(0, 1)) for s in steps), axis=0)
        return op.Reshape(op.Concat(*steps, axis=0), op.ints(len(steps), 1, -1, self.hidden))

    def _rnn(self, x: Tensor, before: State) -> State:
        return State(self._activate(0, self._sum(x, self._product(before.h, self.recurrent))))

    def _lstm(self, x: Tensor, before: State) -> State:
        op, hidden = self.op, self.hidden
        gates = self._sum(x, self._product(before.h, self.recurrent))
        if self.peepholes is None:
            three, candidate = self.parts(gates, [3 * hidden, hidden], 1)
            i, o, f = self.parts(self._activate(0, three), [hidden] * 3, 1)
        else:
            i, o, f, candidate = self.parts(gates, [hidden] * 4, 1)
            i = self._activate(0, self._sum(i, self._product(before.c, self.peepholes[0], "Mul")))
            f = self._activate(0, self._sum(f, self._product(before.c, self.peepholes[2], "Mul")))
        c = op.Mul(i, self._activate(1, candidate))
        if before.c is not None:
            c = op.Add(c, op.Mul(op.Sub(self._one(), i) if self.node.attr("input_forget") else f, before.c))
        if self.peepholes is not None:
            o = self._activate(0, self._sum(o, op.Mul(c, self.peepholes[1])))
        return State(op.Mul(o, self.activations[2](op, c)), c)

    def _gru(self, x: Tensor, before: State) -> State:
        op, hidden = self.op, self.hidden
        first, last = self.parts(x, [2 * hidden, hidden], 1)
        matrices = self.parts(self.recurrent, [2 * hidden, hidden], 1)
        both = self._activate(0, self._sum(first, self._product(before.h, matrices[0])))
        z, r = self.parts(both, [hidden, hidden], 1)
        if self.node.attr("linear_before_reset"):
            linear = self._product(before.h, matrices[1])
            bias = None if self.recurrent_bias is None else self.parts(self.recurrent_bias, [2 * hidden, hidden], 0)[1]
            known = [t for t in (linear, bias) if t is not None]
            linear = op.Mul(r, known[0] if len(known) == 1 else op.Add(*known)) if known else None
        else:
            linear = None if before.h is None else op.MatMul(op.Mul(r, before.h), matrices[1])
        candidate = self._activate(1, self._sum(last, linear))
        fresh = op.Mul(op.Sub(self._one(), z), candidate)
        return State(fresh if before.h is None else op.Add(fresh, op.Mul(z, before.h)))

    def _input_bias(self) -> Tensor | None:
        """What is added to x W' once for all steps: both biases, but what GRU multiplies by the reset gate."""
        if self.bias is None or self.recurrent_bias is None:
            return None
        if not (self.node.op == "GRU" and self.node.attr("linear_before_reset")):
            return self.op.Add(self.bias, self.recurrent_bias)
        gates = self.parts(self.recurrent_bias, [2 * self.hidden, self.hidden], 0)[0]
        zeros = self.op.const(np.zeros(self.hidden), self.op.dtype(self.bias))
        return self.op.Add(self.bias, self.op.Concat(gates, zeros, axis=0))

    def _inside(self, t: int) -> Tensor | None:
        """bool[batch, 1]: is step ``t`` within its sequence? None where there are no lengths."""
        lengths, op = self.node.input(4), self.op
        if lengths is None:
            return None
        column = op.Unsqueeze(op.Cast(lengths, to=1), op.ints(1))  # float32 holds any length
        return op.Greater(column, op.const(t, np.float32))

    def _masked(self, inside: Tensor, after: Tensor | None, before: Tensor | None) -> Tensor | None:
        return None if after is None else self.op.Where(inside, after, self._zero() if before is None else before)

    def _activate(self, which: int, x: Tensor) -> Tensor:
        clip = self.node.attr("clip")
        if clip is not None and not (clip >= SATURATED and self.activations[which].saturates):
            x = self.op.Clip(x, float(-clip), float(clip))
        return self.activations[which](self.op, x)

    def _sum(self, x: Tensor, more: Tensor | None) -> Tensor:
        return x if more is None else self.op.Add(more, x)

    def _product(self, state: Tensor | None, factor: Tensor, operator: str = "MatMul") -> Tensor | None:
        return None if state is None else getattr(self.op, operator)(state, factor)

    def parts(self, x: Tensor, sizes: list[int], axis: int) -> Any:
        return self.op.build("Split", [x, self.op.ints(*sizes)], {"axis": axis}, outputs=len(sizes))

    def _matrix(self, weights: Tensor) -> Tensor:
        return self.op.Transpose(self._first(weights), perm=[1, 0])

    def _first(self, tensor: Tensor) -> Tensor:
        return self.op.Squeeze(tensor, self.op.ints(0))

    def _zero(self) -> Tensor:
        return self.op.const(0, self.op.dtype(self.node.x))

    def _one(self) -> Tensor:
        return self.op.const(1, self.op.dtype(self.node.x))
