"""An ``If`` whose condition is a constant becomes the branch it takes."""

from __future__ import annotations

from rewrite.graph import Graph, Node, Tensor, is_constant, refresh_shapes, value
from rewrite.passes.fold_constants import fold_constants


def inline_if(graph: Graph) -> None:
    """Splice in the branch taken, as often as that settles a condition inside.

    Source: https://onnx.ai/onnx/operators/onnx__If.html
    """
    while _inlined(graph):
        fold_constants(graph)
        for node in graph.nodes:
            refresh_shapes(node)


def _inlined(graph: Graph) -> bool:
    kept: list[Node] = []
    found = False
    for node in graph.nodes:
        condition = value(node.inputs[0]) if node.op == "If" and not node.domain else None
        if condition is None:
            kept.append(node)
            continue
        found = True
        taken, other = ("then_branch", "else_branch")[:: 1 if bool(condition.reshape(-1)[0]) else -1]
        branch = node.attrs[taken]
        graph.discard(node.attrs[other].nodes)
        results: list[Tensor] = list(branch.outputs)
        inner = list(branch.nodes)
        _rename(graph, inner, results)
        kept += [*inner, *graph.substitute(node, results)]
    graph.nodes = kept
    return found


def _rename(graph: Graph, inner: list[Node], results: list[Tensor]) -> None:
    """Names inside the branch may be in use outside, or in another branch."""
    made = {id(o): o for n in inner for o in n.outputs if o.name}
    held = {id(t): t for t in (*(t for n in inner for t in n.inputs), *results) if is_constant(t)}
    for tensor in (made | held).values():
        origin = graph.origins.get(tensor.name)
        tensor.name = graph.fresh(tensor.name)
        if origin is not None:
            graph.origins[tensor.name] = origin
