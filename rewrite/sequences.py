"""Operators on sequences whose length is known, as operators on the tensors in them.

Source: https://onnx.ai/onnx/operators/onnx__SequenceInsert.html and its neighbours
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewrite.graph import Graph, Tensor, shape_of, value
from rewrite.passes.fold_constants import fold
from rewrite.rule import Op

Inputs = Sequence[Tensor | None]


@dataclass(frozen=True)
class Call:
    """A node to be: its attributes and inputs, and what builds others in its place."""

    op: Op
    attributes: dict[str, Any]
    inputs: Inputs


class Open(Exception):
    """What has to be known before the model runs, and is not."""


def sequence_of(tensor: Tensor) -> list[Tensor] | None:
    """The tensors of a sequence, where the node that makes it says them."""
    producer = tensor.inputs[0] if tensor.inputs else None
    while producer is not None and producer.op == "Identity" and not producer.domain:
        source = producer.inputs[0]
        producer = source.inputs[0] if source.inputs else None
    if producer is None or producer.domain or producer.op not in ("SequenceConstruct", "SequenceEmpty"):
        return None
    return list(producer.inputs)


def stacked(op: Op, elements: Sequence[Tensor], axis: int) -> Tensor:
    """The elements along a new axis."""
    parts = [built(op, "Unsqueeze", [e, op.ints(axis)]) for e in elements]
    return _joined(op, parts, axis)


def _joined(op: Op, parts: Sequence[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else built(op, "Concat", parts, axis=axis)


def built(op: Op, operator: str, inputs: Inputs, **attributes: Any) -> Tensor:
    """The output of a new node; a constant, and no node, where it can be computed."""
    made = op.build(operator, inputs, attributes)
    values = fold(op.nodes[-1])
    if values is None:
        return made[0]
    Graph.discard([op.nodes.pop()])
    return op.const(values[0])


def _elements(call: Call) -> list[Tensor]:
    found = sequence_of(call.inputs[0]) if call.inputs[0] is not None else None
    if found is None:
        raise Open("the length of the sequence is not known before the model runs")
    return found


def _sequence(op: Op, elements: Sequence[Tensor]) -> list[Tensor]:
    return op.build("SequenceConstruct" if elements else "SequenceEmpty", elements, {})


def _place(call: Call, k: int, length: int, default: int) -> int:
    """The position that input ``k`` says, from the front."""
    if k >= len(call.inputs) or call.inputs[k] is None:
        return default
    held = value(call.inputs[k])
    if held is None:
        raise Open("the position in the sequence is not known before the model runs")
    place = int(held.reshape(-1)[0])
    if not -length <= place <= length:
        raise Open(f"its position {place} is outside of a sequence of {length}")
    return place + length if place < 0 else place


def _insert(call: Call) -> list[Tensor]:
    elements = _elements(call)
    elements.insert(_place(call, 2, len(elements), len(elements)), call.inputs[1])
    return _sequence(call.op, elements)


def _erase(call: Call) -> list[Tensor]:
    elements = _elements(call)
    _taken(elements, _place(call, 1, len(elements), len(elements) - 1))
    return _sequence(call.op, elements)


def _at(call: Call) -> list[Tensor]:
    elements = _elements(call)
    return [_taken(elements, _place(call, 1, len(elements), 0))]


def _taken(elements: list[Tensor], place: int) -> Tensor:
    if not 0 <= place < len(elements):
        raise Open(f"its position {place} is outside of a sequence of {len(elements)}")
    return elements.pop(place)


def _count(call: Call) -> list[Tensor]:
    return [call.op.const(len(_elements(call)), np.int64)]


def _concat(call: Call) -> list[Tensor]:
    elements, axis = _elements(call), call.attributes["axis"]
    if not elements:
        raise Open("the sequence is empty")
    new = call.attributes.get("new_axis", 0)
    return [stacked(call.op, elements, axis) if new else _joined(call.op, elements, axis)]


def _split(call: Call) -> list[Tensor]:
    """The last part is the shorter one; of parts of one element, the axis goes where ``keepdims`` is 0."""
    op, x, axis = call.op, call.inputs[0], call.attributes.get("axis", 0)
    sizes = _sizes(call, x, axis)
    parts = op.build("Split", [x, op.ints(*sizes)], {"axis": axis}, outputs=len(sizes)) if len(sizes) > 1 else [x]
    if not _says_sizes(call) and not call.attributes.get("keepdims", 1):
        parts = [built(op, "Squeeze", [p, op.ints(axis)]) for p in parts]
    return _sequence(op, parts)


def _says_sizes(call: Call) -> bool:
    return len(call.inputs) > 1 and call.inputs[1] is not None


def _sizes(call: Call, x: Tensor, axis: int) -> list[int]:
    shape = shape_of(x)
    if shape is None or not isinstance(shape[axis], int):
        raise Open("the size of the axis it splits is not known before the model runs")
    held = value(call.inputs[1]) if _says_sizes(call) else np.array(1)
    if held is None:
        raise Open("the sizes of the parts are not known before the model runs")
    if held.ndim:
        return [int(v) for v in held]
    step, size = int(held), int(shape[axis])
    return [min(step, size - k) for k in range(0, size, step)]


def _element(call: Call) -> list[Tensor]:
    """What an optional value holds; a tensor or a sequence is taken for one that holds itself."""
    x = call.inputs[0]
    producer = x.inputs[0] if x is not None and x.inputs else None
    if producer is not None and producer.op == "Optional" and not producer.domain and producer.inputs:
        return [producer.inputs[0]]
    if x is None or x.type == "optional_type" or (x.type == "sequence_type" and sequence_of(x) is None):
        raise Open("whether there is a value is not known before the model runs")
    return [x]


#: What each operator on sequences or optional values comes to. What makes one of tensors dies with its last reader.
SEQUENCES: dict[str, Callable[[Call], list[Tensor]]] = {
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "SequenceAt": _at,
    "SequenceLength": _count,
    "ConcatFromSequence": _concat,
    "SplitToSequence": _split,
    "OptionalGetElement": _element,
}
