"""Nodes that give back what they get are taken out."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Graph, Node, Tensor, dtype_of, shape_of, static_shape, value


def drop_no_ops(graph: Graph) -> None:
    """Identity, Dropout at inference, Cast to the same dtype, shape operators that leave the shape, and what a Concat
    of open sizes joins that has no elements."""
    kept: list[Node] = []
    for node in graph.nodes:
        if node.op == "Concat" and not node.domain:
            _join_what_is_there(node)
        source = _same_as(graph, node)
        if source is None or (node.op == "Identity" and _joins_input_to_output(graph, node)):
            kept.append(node)
        else:
            kept += graph.substitute(node, [source, *[None] * (len(node.outputs) - 1)])
    graph.nodes = kept


def _join_what_is_there(node: Node) -> None:
    """Concat(a, [], b) = Concat(a, b), where a target would add the 0 to an open size each time it speaks of it."""
    left = [t for t in node.inputs if 0 not in (shape_of(t) or ())]
    if left and len(left) < len(node.inputs) and static_shape(node.outputs[0]) is None:
        node.inputs.clear()
        node.inputs.extend(left)


def _joins_input_to_output(graph: Graph, node: Node) -> bool:
    """An Identity that must stay: between an input or a constant and an output of the model."""
    return graph.is_output(node.outputs[0]) and not node.inputs[0].inputs


def _same_as(graph: Graph, node: Node) -> Tensor | None:
    """The input that the node's first output is equal to, if there is one."""
    x = node.inputs[0] if node.inputs else None
    if x is None or not x.name or node.domain or any(o.outputs or graph.is_output(o) for o in node.outputs[1:]):
        return None
    match node.op:
        case "Identity":
            return x
        case "Dropout":
            training = node.inputs[2] if len(node.inputs) > 2 and node.inputs[2].name else None
            return x if training is None or (value(training) is not None and not np.any(value(training))) else None
        case "Cast":
            return x if dtype_of(x) is not None and dtype_of(x) == dtype_of(node.outputs[0]) else None
        case "Concat" | "Sum" | "Max" | "Min" | "Mean":
            return x if len(node.inputs) == 1 else None
        case "Transpose":
            perm = node.attrs.get("perm")
            return x if perm is not None and list(perm) == sorted(perm) else None
        case "Reshape" | "Flatten" | "Expand" | "Squeeze" | "Unsqueeze":
            before, after = shape_of(x), shape_of(node.outputs[0])
            return x if before is not None and before == after else None
        case "Pad":
            pads = value(node.inputs[1])
            return x if pads is not None and not np.any(pads) else None
        case "Slice":
            steps = value(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4].name else np.ones(1)
            before, after = static_shape(x), static_shape(node.outputs[0])
            whole = before is not None and before == after
            return x if whole and steps is not None and bool(np.all(steps == 1)) else None
    return None
