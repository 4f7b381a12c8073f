"""Operators that choose or move elements, by way of a type that holds each of theirs exactly."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Tensor
from rewrite.rule import NodeView, Op, Result, case, refuse, rule

#: ONNX's numbers of the types, and which of float32 and int64 holds every value of them.
_FLOAT, _INT64 = 1, 7
WIDER = {
    "bool": _FLOAT, "uint8": _FLOAT, "int8": _FLOAT, "uint16": _FLOAT, "int16": _FLOAT, "float16": _FLOAT,
    "bfloat16": _FLOAT, "int32": _INT64, "uint32": _INT64,
}  # fmt: skip
NUMBERS = {
    "bool": 9, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "float16": 10, "bfloat16": 16, "int32": 6, "uint32": 12,
}  # fmt: skip


@rule("Where", cases=[
    case("(bool[2,3] c, int32[2,3] x, int32[2,3] z) => (int32[2,3] y) { y = Where(c, x, z) }"),
    case("(bool[2,1] c, bool[3] x, bool[2,3] z) => (bool[2,3] y) { y = Where(c, x, z) }"),
    case("(bool[2,3] c, uint8[2,3] x) => (uint8[2,3] y) <uint8[1] z = {7}> { y = Where(c, x, z) }"),
    case("(bool[N,3] c, bool[N,3] x) => (bool[N,3] y) <bool[1] z = {1}> { y = Where(c, x, z) }"),
    case("(bool[3] c, int64[3] x, int64[3] z) => (int64[3] y) { y = Where(c, x, z) }", refuses="no wider type"),
])  # fmt: skip
def where_to_wider_type(op: Op, node: NodeView) -> Result:
    """Where(c, x, z) = narrow(Where(c, wide(x), wide(z)))"""
    condition, x, z = node.inputs
    if x is None or z is None or op.dtype(x).name not in WIDER:
        return refuse(f"there is no wider type to choose from {op.dtype(node.inputs[1]).name} in")
    name = op.dtype(x).name
    return op.Cast(op.Where(condition, widened(op, x), widened(op, z)), to=NUMBERS[name])


def widened(op: Op, x: Tensor) -> Tensor:
    """``x`` in a type that holds all its values; a constant is converted now."""
    wide = WIDER[op.dtype(x).name]
    held = op.value(x)
    if held is not None:
        return op.const(held.astype(np.float32 if wide == _FLOAT else np.int64))
    return op.Cast(x, to=wide)
