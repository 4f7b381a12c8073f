"""Chains of Reshape, Squeeze, Unsqueeze and Flatten become one Reshape, or none."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Graph, Node, Tensor, shape_of

_SHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")


def collapse_shape_chains(graph: Graph) -> None:
    """Reshape(Squeeze(Unsqueeze(x))) = Reshape(x), and x itself where that has the shape already.

    Where the target shape has more than one size that is not a number, the chain stays: no constant can give it.
    One forward sweep; what others read in the middle of a chain stays for them.
    """
    kept: list[Node] = []
    for node in graph.nodes:
        source = _source(node)
        if source is None and not (_shapes(node) and _equal(node.inputs[0], node.outputs[0])):
            kept.append(node)
            continue
        source = node.inputs[0] if source is None else source
        out = node.outputs[0]
        shape = shape_of(out) or ()
        if _equal(source, out):
            kept += graph.substitute(node, [source])
            continue
        target = graph.constant(np.array([d if isinstance(d, int) else -1 for d in shape], np.int64), out.name)
        made = graph.node("Reshape", [source, target], {"allowzero": 0}, stem=out.name)
        if out.name in graph.origins:
            graph.origins[made.outputs[0].name] = graph.origins[out.name]
        kept += [made, *graph.substitute(node, [made.outputs[0]])]
    graph.nodes = kept
    graph.drop_dead()


def _source(node: Node) -> Tensor | None:
    """What stands in front of the chain that ends in ``node``, where the chain has several links and can collapse."""
    if not _shapes(node):
        return None
    before = node.inputs[0].inputs[0] if node.inputs[0].inputs else None
    if before is None or not _shapes(before):
        return None
    source, shape = before.inputs[0], shape_of(node.outputs[0])
    if shape is None or 0 in shape or shape_of(source) is None:
        return None
    expressible = sum(not isinstance(d, int) for d in shape) < 2 or _equal(source, node.outputs[0])
    return source if expressible else None


def _equal(x: Tensor, y: Tensor) -> bool:
    """Are the shapes of ``y``, which is made of the numbers of ``x``, and of ``x`` the same?

    Where all sizes but one are equal, so is the last: inference does not find that out for sizes without a name.
    """
    before, after = shape_of(x), shape_of(y)
    if before is None or after is None or len(before) != len(after) or 0 in after:
        return before == after and before is not None
    differing = [(d, e) for d, e in zip(before, after, strict=True) if d != e]
    return len(differing) < 2 and all(isinstance(d, str) and isinstance(e, str) for d, e in differing)


def _shapes(node: Node) -> bool:
    return node.op in _SHAPING and not node.domain
