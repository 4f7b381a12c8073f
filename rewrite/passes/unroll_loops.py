"""Loops of a known number of trips become the nodes of their trips; sequences become the tensors in them."""

from __future__ import annotations

from rewrite.control_flow import EXPANDED, expanded
from rewrite.graph import Graph, Node, refresh_shapes
from rewrite.passes.fold_constants import folded
from rewrite.passes.inline_if import inline_if
from rewrite.rule import NodeView, Op, Refusal


def unroll_loops(graph: Graph) -> None:
    """Unroll, as often as that settles a trip count or a condition further on.

    What stays is refused, with the reason, by a rule.
    """
    while _unrolled(graph):
        inline_if(graph)


def _unrolled(graph: Graph) -> bool:
    """One forward sweep; whether it unrolled anything."""
    if not any(n.op in EXPANDED and not n.domain for n in graph.nodes):
        return False
    kept: list[Node] = []
    found = False
    for node in graph.nodes:
        made = _expanded(graph, node) if node.op in EXPANDED and not node.domain else None
        if made is not None:
            found = True
        elif found:  # what was unrolled settles shapes, and these numbers
            refresh_shapes(node)
            made = folded(graph, node)
        kept += [node] if made is None else made
    graph.nodes = kept
    graph.drop_dead()
    return found


def _expanded(graph: Graph, node: Node) -> list[Node] | None:
    """The nodes in the place of ``node``; None where it stays."""
    op = Op(graph, node.outputs[0].name)
    results = expanded(op, NodeView(node))
    if isinstance(results, Refusal):
        graph.discard(op.nodes)
        return None
    origin = graph.origin(node)
    for out in (o for made in op.nodes for o in made.outputs if o.name):
        graph.origins.setdefault(out.name, origin)
    return [*op.nodes, *graph.substitute(node, results)]
