"""An ``If`` whose condition is a constant becomes the branch it takes."""

from __future__ import annotations

from rewrite.graph import Graph, Node, Tensor, value


def inline_if(graph: Graph) -> None:
    """Splice in the branch taken. Source: https://onnx.ai/onnx/operators/onnx__If.html"""
    kept: list[Node] = []
    for node in graph.nodes:
        condition = value(node.inputs[0]) if node.op == "If" and not node.domain else None
        if condition is None:
            kept.append(node)
            continue
        branch = node.attrs["then_branch" if bool(condition.reshape(-1)[0]) else "else_branch"]
        results: list[Tensor] = list(branch.outputs)
        inner = list(branch.nodes)
        for tensor in {id(o): o for n in inner for o in n.outputs if o.name}.values():
            tensor.name = graph.fresh(tensor.name)
        kept += [*inner, *graph.substitute(node, results)]
    graph.nodes = kept
