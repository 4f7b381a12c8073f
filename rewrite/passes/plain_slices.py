"""Slices name the axes that they cut, and no others: exporters write whole axes as 0 to the largest number."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Graph, Node, shape_of, value

#: Exporters' "to the end", of 32 bits or 64; no axis is that long.
END = 2**31 - 1


def plain_slices(graph: Graph) -> None:
    """``x[0:end, 2:5]`` is a Slice of the second axis alone. One that cuts nothing becomes an Identity."""
    for node in graph.nodes:
        if node.op == "Slice" and not node.domain:
            _keep_cuts(graph, node)


def _keep_cuts(graph: Graph, node: Node) -> None:
    shape = shape_of(node.inputs[0])
    given = [value(t) for t in node.inputs[1:] if t.name]
    if shape is None or any(g is None for g in given) or len(given) < len(node.inputs) - 1 or len(given) < 2:
        return
    starts, ends, *rest = (np.asarray(g).reshape(-1).tolist() for g in given)
    axes = [a % len(shape) for a in rest[0]] if rest else list(range(len(starts)))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    cuts = [
        (start, end, axis, step)
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True)
        if step != 1 or start != 0 or end < _whole(shape[axis])
    ]
    if len(cuts) == len(starts):
        return
    if not cuts:
        node.op, node.attrs = "Identity", {}
        node.inputs = [node.inputs[0]]
        return
    bounds = [graph.constant(np.array(numbers, np.int64), node.inputs[1].name) for numbers in zip(*cuts, strict=True)]
    node.inputs = [node.inputs[0], *bounds]


def _whole(size: int | str | None) -> int:
    """The least end that takes all of an axis."""
    return size if isinstance(size, int) else END
