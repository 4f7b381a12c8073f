"""Sizes that are read as numbers, not as shapes, are computed as numbers."""

from __future__ import annotations

from rewrite.graph import Tensor
from rewrite.passes._operators import ELEMENTWISE
from rewrite.rule import NodeView, Op, Result, refuse
from rewrite.shape_arithmetic import sizes_from

#: ONNX's numbers of the types. A float64 holds every size that memory has.
_INT64, _FLOAT64 = 7, 11
#: What takes numbers rather than a shape; of others it has to be known that they do.
_OF_NUMBERS = ELEMENTWISE | {"Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND"}


def sizes_to_numbers(op: Op, node: NodeView, *, kept: bool = False) -> Result:
    """f(N - 1) = f(n - 1), n = Cast(Cast(N) to float64) to int64

    A target follows sizes as text, and need not compute those that it takes for a shape's.

    :param kept: whether the node is left to a kernel, which reads all of its inputs as numbers.
    """
    sizes = [sizes_from(t) if t is not None else [] for t in node.inputs]
    if not any(sizes) or not (kept or node.op in _OF_NUMBERS) or node.domain:
        return refuse("")
    made: dict[int, Tensor] = {}
    for step in {id(n): n for chain in sizes for n in chain}.values():
        results = op.build(step.op, [made.get(id(t), t) for t in step.inputs], step.attrs, outputs=len(step.outputs))
        if step.op in ("Shape", "Size"):
            results = [op.Cast(op.Cast(results[0], to=_FLOAT64), to=_INT64)]
        made |= {id(old): new for old, new in zip(step.outputs, results, strict=True)}
    inputs = [None if t is None else made.get(id(t), t) for t in node.inputs]
    return op.build(node.op, inputs, node.attributes, outputs=len(node.outputs))
