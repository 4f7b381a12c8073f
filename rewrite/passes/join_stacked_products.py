"""A product written for rows becomes one of the whole stack, and rows again where nothing came of that."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from rewrite.graph import Graph, Node, Shape, Tensor, is_constant, shape_of, value


def join_stacked_products(graph: Graph) -> list[Node]:
    """Reshape(MatMul(Reshape(x; [-1, C]), w); [..., D]) = MatMul(x, w), w a constant matrix.

    So TensorFlow writes a Dense layer on the last axis of a tensor of any rank. As one node it can be worked on data in
    another layout (:mod:`rewrite.passes.push_transposes`); :func:`part_stacked_products` undoes what that left.
    A Reshape to another shape than that, because it stands for two, stays behind the product. Where the stack has
    more than one size that is not a number, the three stay: no constant could bring them back.

    :returns: the products made.
    """
    made: list[Node] = []
    kept: list[Node] = []
    for node in graph.nodes:
        found = _stacked(graph, node)
        if found is None:
            kept.append(node)
            continue
        x, product = found
        joined = graph.node("MatMul", [x, product.inputs[1]], {}, stem=node.outputs[0].name)
        made.append(joined)
        if shape_of(joined.outputs[0]) == shape_of(node.outputs[0]):
            kept += graph.exchange(node, joined)
            continue
        if product.outputs[0].name in graph.origins:
            graph.origins[joined.outputs[0].name] = graph.origins[product.outputs[0].name]
        node.inputs[0] = joined.outputs[0]
        kept += [joined, node]
    graph.nodes = kept
    graph.drop_dead()
    return made


def part_stacked_products(graph: Graph, joined: Sequence[Node]) -> None:
    """MatMul(x, w) = Reshape(MatMul(Reshape(x; [-1, C]), w); [..., D]): one product instead of one for each matrix.

    :param joined: what :func:`join_stacked_products` made; those that something else has come of stay.
    """
    known = {id(n) for n in joined}
    kept: list[Node] = []
    for node in graph.nodes:
        if id(node) not in known or node.op != "MatMul":
            kept.append(node)
            continue
        x, out = node.inputs[0], node.outputs[0]
        sizes = [d if isinstance(d, int) else -1 for d in shape_of(out) or ()]
        shapes = [[-1, (shape_of(x) or ())[-1]], sizes]
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
    before, flat, after = shape_of(x), shape_of(rows.outputs[0]), shape_of(node.outputs[0])
    if before is None or flat is None or after is None or len(before) < 3 or not _settled(before):
        return None
    held = value(node.inputs[1])  # a 0 stands for a size of the product's rows
    stays = after == (*before[:-1], weight[1]) or (held is not None and 0 not in held)
    return (x, product) if stays and len(flat) == 2 and flat[1] == before[-1] == weight[0] else None


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
