"""Loops whose number of trips is known, and sequences whose length is, in operators on tensors.

A body is gone through once a trip, and what depends on constants alone is computed on the way: so the number of the
trip, a condition, an index are numbers before the next node is looked at. A sequence is what the SequenceConstruct
that made it says.

Source: https://onnx.ai/onnx/operators/onnx__Loop.html, https://onnx.ai/onnx/operators/onnx__Scan.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from rewrite.graph import Graph, Node, Tensor, dtype_of, shape_of, static_shape, subgraphs, value
from rewrite.passes.fold_constants import fold
from rewrite.rule import NodeView, Op, Refusal, refuse
from rewrite.sequences import SEQUENCES, Call, Inputs, Open, sequence_of, stacked

#: Nodes of bodies gone through for one loop: what takes more stays a loop.
LIMIT = 20_000
#: The same for a Scan, which a library takes whole: written out it is no faster, and as much larger as it has trips
#: (``bench/recurrent.py``). A Loop may hold sequences, which nothing but this takes.
SCANNED = 128

#: Operators that end a program, or read what is not theirs, on inputs that a condition may be there to keep away.
_MAY_FAIL = frozenset({"Div", "Mod", "Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "Loop"})

#: The operators that are expanded here, in bodies and, but for ``If``, in the graph itself.
LOOPS = frozenset({"Loop", "Scan", "SequenceMap"})
EXPANDED = LOOPS | SEQUENCES.keys()


def expanded(op: Op, node: NodeView) -> list[Tensor] | Refusal:
    """One tensor per output of a node of :data:`EXPANDED`, or what is not known about it before the model runs."""
    try:
        results = _Unroller(op).node(node.op, node.attributes, node.inputs, len(node.outputs))
    except Open as open_:
        return refuse(str(open_))
    for body in (a for a in node.attributes.values() if hasattr(a, "nodes")):
        Graph.discard(body.nodes)  # what it read of the tensors around it is read by its copies now
    return results


@dataclass
class _Unroller:
    """Goes through bodies and adds what they come to; raises :class:`Open` where that is not known."""

    op: Op
    visits: int = 0
    #: What stands for a tensor of a body, in the trip that is gone through, by its identity.
    known: dict[int, Tensor] = field(default_factory=dict)
    #: What came of a node on these inputs, which live as long as their identities are asked for: in the next trip it is
    #: the same, and a weight that the body transposes is there once.
    made: dict[tuple[int, ...], tuple[list[Tensor | None], list[Tensor]]] = field(default_factory=dict)

    def node(self, operator: str, attributes: dict[str, Any], inputs: Inputs, outputs: int) -> list[Tensor]:
        """What a node of one of the operators here comes to."""
        if operator == "Loop":
            return self._loop(attributes["body"], inputs, outputs)
        if operator == "Scan":
            return self._scan(attributes, inputs)
        if operator == "SequenceMap":
            return self._map(attributes["body"], inputs)
        if operator == "If":
            return self._if(attributes, inputs)
        return SEQUENCES[operator](Call(self.op, attributes, inputs))

    def _body(self, body: Any, given: Sequence[Tensor]) -> list[Tensor]:
        """The results of one trip through ``body``."""
        known = self.known
        known |= {id(inner): outer for inner, outer in zip(body.inputs, given, strict=True)}
        self.visits += max(len(body.nodes), 1)
        if self.visits > LIMIT:
            raise Open(f"unrolled it would be more than {LIMIT} nodes")
        for node in body.nodes:
            inputs = [known.get(id(t), t) if t.name else None for t in node.inputs]
            known |= {id(o): new for o, new in zip(node.outputs, self._copy(node, inputs), strict=False)}
        return [known.get(id(o), o) for o in body.outputs]

    def _copy(self, node: Node, inputs: list[Tensor | None]) -> list[Tensor]:
        if node.op == "Identity" and not node.domain and inputs[0] is not None:
            return [inputs[0]]
        if not node.domain and (node.op in EXPANDED or node.op == "If"):
            try:
                return self.node(node.op, node.attrs, inputs, len(node.outputs))
            except Open as open_:
                raise Open(f"{node.op} inside it: {open_}") from open_
        if any(subgraphs(node)):
            raise Open(f"{node.op} inside it has a body of its own")
        key = (id(node), *(id(t) for t in inputs))
        if key not in self.made:
            try:
                made = self.op.like(node, inputs)
            except onnx.shape_inference.InferenceError as error:
                raise Open(f"{node.op} inside it does not fit its inputs: {error}") from error
            self.made[key] = inputs, self._now(made)
        return self.made[key][1]

    def _now(self, made: list[Tensor]) -> list[Tensor]:
        """The outputs of the node built last; constants, and no node, where they can be computed."""
        values = fold(self.op.nodes[-1])
        if values is None:
            return made
        Graph.discard([self.op.nodes.pop()])
        return [self.op.const(v) for v in values]

    def _if(self, attributes: dict[str, Any], inputs: Inputs) -> list[Tensor]:
        condition = value(inputs[0])
        if condition is None:
            return self._either(inputs[0], attributes["then_branch"], attributes["else_branch"])
        return self._body(attributes["then_branch" if condition.reshape(-1)[0] else "else_branch"], [])

    def _either(self, condition: Any, then: Any, other: Any) -> list[Tensor]:
        """Both branches, and one's results: where neither can fail, and they have one shape."""
        open_ = "its condition is not known before the model runs, and"
        if any(node.op in _MAY_FAIL for branch in (then, other) for node in branch.nodes):
            raise Open(f"{open_} a branch that is not taken may divide by zero or index beyond its tensor")
        pairs = list(zip(self._body(then, []), self._body(other, []), strict=True))
        if any(shape_of(a) is None or shape_of(a) != shape_of(b) for a, b in pairs):
            raise Open(f"{open_} its branches give different shapes")
        scalar = self.op.Reshape(condition, self.op.const([], np.int64), allowzero=0)
        return [self.op.Where(scalar, a, b) for a, b in pairs]

    def _loop(self, body: Any, inputs: Inputs, outputs: int) -> list[Tensor]:
        most, asked = (inputs[k] if k < len(inputs) else None for k in (0, 1))
        goes_on = asked is None or _truth(asked, "whether it runs at all")
        trips = self._trips(most, len(body.nodes), stops=not _passes_on(body)) if goes_on else 0
        carried = [t for t in inputs[2:] if t is not None]
        stacks: list[list[Tensor]] = [[] for _ in body.outputs[1 + len(carried) :]]
        trip = 0
        while goes_on and (trips is None or trip < trips):
            # a body may declare the number of the trip and the condition as tensors of one element
            count = self.op.const(np.full(_shape(body.inputs[0]), trip), np.int64)
            condition = self.op.const(np.full(_shape(body.inputs[1]), True))
            made = self._body(body, [count, condition, *carried])
            trip += 1
            if trip != trips:
                goes_on = _truth(made[0], f"whether it goes on after trip {trip}")
            if not goes_on and asked is None:
                raise Open("its body ends it, though it is given no condition: runtimes differ in what that means")
            carried = made[1 : 1 + len(carried)]
            for stack, element in zip(stacks, made[1 + len(carried) :], strict=True):
                stack.append(element)
        likes = body.outputs[1 + len(carried) :]
        rows = [self._stack(s, 0, like) for s, like in zip(stacks, likes, strict=True)]
        return [*carried, *rows][:outputs]

    def _trips(self, most: Tensor | None, nodes: int, *, stops: bool) -> int | None:
        """At most how many; None where only the condition ends it."""
        if most is None:
            return None
        held = value(most)
        if held is None:
            raise Open("the trip count is not known before the model runs")
        trips = int(held.reshape(-1)[0])
        if not stops:
            _within_limit(trips, nodes, LIMIT)
        return trips

    def _scan(self, attributes: dict[str, Any], inputs: Inputs) -> list[Tensor]:
        body, count = attributes["body"], attributes["num_scan_inputs"]
        given = [t for t in inputs if t is not None]
        carried, scanned = given[: len(given) - count], given[len(given) - count :]
        made = body.outputs[len(carried) :]
        axes = list(attributes.get("scan_input_axes", [0] * count))
        back = list(attributes.get("scan_input_directions", [0] * count))
        trips = {_length(x, axis) for x, axis in zip(scanned, axes, strict=True)}
        if len(trips) != 1:
            raise Open(f"its inputs are of different lengths: {sorted(trips)}")
        (length,) = trips
        _within_limit(length, len(body.nodes), SCANNED)
        stacks: list[list[Tensor]] = [[] for _ in made]
        for trip in range(length):
            at = [length - 1 - trip if b else trip for b in back]
            slices = [self._element(x, k, axis) for x, k, axis in zip(scanned, at, axes, strict=True)]
            results = self._body(body, [*carried, *slices])
            carried = results[: len(carried)]
            for stack, element in zip(stacks, results[len(carried) :], strict=True):
                stack.append(element)
        backwards = attributes.get("scan_output_directions", [0] * len(made))
        stacks = [s[::-1] if b else s for s, b in zip(stacks, backwards, strict=True)]
        towards = attributes.get("scan_output_axes", [0] * len(made))
        return [*carried, *(self._stack(s, a, like) for s, a, like in zip(stacks, towards, made, strict=True))]

    def _element(self, x: Tensor, index: int, axis: int) -> Tensor:
        self.op.Gather(x, self.op.const(index, np.int64), axis=axis)
        return self._now(list(self.op.nodes[-1].outputs))[0]

    def _stack(self, elements: list[Tensor], axis: int, like: Tensor) -> Tensor:
        """The trips' results along a new axis; ``like`` says what they look like where there was no trip."""
        if elements:
            return stacked(self.op, elements, axis)
        shape, dtype = static_shape(like), dtype_of(like)
        if shape is None or dtype is None:
            raise Open("it makes no trip, and what a trip would give has no known shape")
        full = list(shape)
        full.insert(axis % (len(shape) + 1), 0)
        return self.op.const(np.empty(full), dtype)

    def _map(self, body: Any, inputs: Inputs) -> list[Tensor]:
        given = [t for t in inputs if t is not None]
        # ONNX lets further inputs be sequences, walked along, or tensors, the same each time: the body's inputs tell
        sequences = [sequence_of(t) for t in given]
        first = sequences[0]
        if first is None:
            raise Open("the length of the sequence is not known before the model runs")
        if any(len(s) != len(first) for s in sequences if s is not None):
            raise Open("its sequences are of different lengths")
        rows: list[list[Tensor]] = [[] for _ in body.outputs]
        for k in range(len(first)):
            results = self._body(body, [t if s is None else s[k] for t, s in zip(given, sequences, strict=True)])
            for row, result in zip(rows, results, strict=True):
                row.append(result)
        return [self.op.SequenceConstruct(*row) if row else self.op.SequenceEmpty() for row in rows]


def _passes_on(body: Any) -> bool:
    """Is the condition that the body makes the one it is given, or a constant?"""
    made = body.outputs[0]
    while made.inputs and made.inputs[0].op == "Identity":
        made = made.inputs[0].inputs[0]
    constant = value(made) is not None or (bool(made.inputs) and made.inputs[0].op == "Constant")
    return made is body.inputs[1] or constant


def _truth(condition: Tensor, what: str) -> bool:
    held = value(condition)
    if held is None:
        raise Open(f"{what} is not known before the model runs")
    return bool(held.reshape(-1)[0])


def _within_limit(trips: int, nodes: int, most: int) -> None:
    if trips * nodes > most:
        raise Open(f"unrolled it would be {trips} times {nodes} nodes, more than {most}")


def _shape(declared: Tensor) -> tuple[int, ...]:
    return (1,) if declared.shape is not None and len(declared.shape) == 1 else ()


def _length(x: Tensor, axis: int) -> int:
    shape = shape_of(x)
    if shape is None or not isinstance(shape[axis], int):
        raise Open("the size of the axis it scans is not known before the model runs")
    return int(shape[axis])
