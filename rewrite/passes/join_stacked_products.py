"""A product written for rows becomes one of the whole stack, and rows again where nothing came of that."""

from __future__ import annotations

from math import prod

import numpy as np

from rewrite.graph import Graph, Node, Shape, Tensor, is_constant, shape_of


def join_stacked_products(graph: Graph) -> None:
    """Reshape(MatMul(Reshape(x; [-1, C]), w); [..., D]) = MatMul(x, w), w a constant matrix.

    So TensorFlow writes a Dense layer on the last axis of a tensor of any rank. As one node it can be worked on data in
    another layout (:mod:`rewrite.passes.push_transposes`); :func:`part_stacked_products` undoes what that left.
    Where the shape has more than one size that is not a number, the three stay: no constant could bring them back.
    """
    if not any(n.op == "Transpose" and not n.domain for n in graph.nodes):
        return
    kept: list[Node] = []
    for node in graph.nodes:
        found = _stacked(graph, node)
        if found is None:
            kept.append(node)
            continue
        x, product = found
        joined = graph.node("MatMul", [x, product.inputs[1]], {}, stem=node.outputs[0].name)
        kept += graph.exchange(node, joined)
    graph.nodes = kept
    graph.drop_dead()


def part_stacked_products(graph: Graph) -> None:
    """MatMul(x, w) = Reshape(MatMul(Reshape(x; [-1, C]), w); [..., D]): one product instead of one for each matrix."""
    kept: list[Node] = []
    for node in graph.nodes:
        x, out = (node.inputs[0], node.outputs[0]) if node.op == "MatMul" and not node.domain else (None, None)
        before, after = (shape_of(t) if t is not None else None for t in (x, out))
        if before is None or after is None or len(before) < 3 or not _matrix(node.inputs[1]) or not _settled(after):
            kept.append(node)
            continue
        shapes = [[-1, before[-1]], [d if isinstance(d, int) else -1 for d in after]]
        rows, back = (graph.constant(np.array(s, np.int64), out.name) for s in shapes)
        first = graph.node("Reshape", [x, rows], {"allowzero": 0}, stem=out.name)
        product = graph.node("MatMul", [first.outputs[0], node.inputs[1]], {}, stem=out.name)
        last = graph.node("Reshape", [product.outputs[0], back], {"allowzero": 0}, stem=out.name)
        if out.name in graph.origins:
            graph.origins |= {n.outputs[0].name: graph.origins[out.name] for n in (first, product)}
        kept += [first, product, *graph.exchange(node, last)]
    graph.nodes = kept


def _stacked(graph: Graph, node: Node) -> tuple[Tensor, Node] | None:
    """What the rows are of, and their product, where ``node`` makes the product of a stack again."""
    product = _before(graph, node, "Reshape", "MatMul")
    rows = None if product is None else _before(graph, product, "MatMul", "Reshape")
    if product is None or rows is None or not _matrix(product.inputs[1]):
        return None
    x, weight = rows.inputs[0], shape_of(product.inputs[1]) or ()
    before, after = shape_of(x), shape_of(node.outputs[0])
    flat = shape_of(rows.outputs[0])
    if before is None or after is None or flat is None or len(before) < 3 or not _settled(before):
        return None
    fits = len(flat) == 2 and flat[1] == before[-1] == weight[0] and after == (*before[:-1], weight[1])
    return (x, product) if fits else None


def _before(graph: Graph, node: Node, op: str, maker: str) -> Node | None:
    """The ``maker`` of the first input of ``node``, an ``op``, that nothing else reads."""
    if node.op != op or node.domain or not node.inputs[0].inputs:
        return None
    made, tensor = node.inputs[0].inputs[0], node.inputs[0]
    alone = len(tensor.outputs) == 1 and not graph.is_output(tensor)
    return made if made.op == maker and not made.domain and alone else None


def _matrix(tensor: Tensor) -> bool:
    return is_constant(tensor) and len(shape_of(tensor) or ()) == 2


def _settled(shape: Shape) -> bool:
    """Can a constant give that shape?"""
    numbers = [d for d in shape if isinstance(d, int)]
    return len(shape) - len(numbers) < 2 and prod(numbers) > 0
