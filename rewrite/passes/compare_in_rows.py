"""Single numbers that nodes compute are compared as rows of one.

SOFIE's comparisons know a tensor without axes only as an input of the model: of one that is computed they say
"called to Generate without being initialized first", and only when the whole is emitted.
"""

from __future__ import annotations

from rewrite.graph import Graph, Node, is_constant, shape_of
from rewrite.rule import Op

_COMPARISONS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})


def compare_in_rows(graph: Graph) -> None:
    """c = compare(a, b) becomes c = Reshape(compare(Reshape(a, [1]), Reshape(b, [1])), [])"""
    kept: list[Node] = []
    for node in graph.nodes:
        kept += _in_rows(graph, node) if _is_single(node) else [node]
    graph.nodes = kept


def _is_single(node: Node) -> bool:
    """Does it compare single numbers, one of which a node makes?"""
    if node.op not in _COMPARISONS or node.domain or any(shape_of(t) != () for t in node.inputs):
        return False
    return any(t.inputs for t in node.inputs if not is_constant(t))


def _in_rows(graph: Graph, node: Node) -> list[Node]:
    op = Op(graph, node.outputs[0].name)
    rows = [op.Reshape(t, op.ints(1)) for t in node.inputs]
    compared = op.Reshape(op.build(node.op, rows, {})[0], op.ints())
    origin = graph.origin(node)
    for out in (o for made in op.nodes for o in made.outputs if o.name):
        graph.origins.setdefault(out.name, origin)
    return [*op.nodes, *graph.substitute(node, [compared])]
