"""A product of matrices and the bias behind it become one Gemm."""

from __future__ import annotations

from collections.abc import Callable

from rewrite.graph import Graph, Node, dtype_of, shape_of


def fuse_matmul_add(graph: Graph, takes: Callable[[Node], bool]) -> None:
    """MatMul(a, b) + c = Gemm(a, b, c), for matrices, where c broadcasts to the product and not the other way round.

    :param takes: whether the target takes a node; the pair stays where it does not take the Gemm.
    """
    kept: list[Node] = []
    for node in graph.nodes:
        fused = _gemm(graph, node)
        if fused is None or not takes(fused):
            graph.discard([] if fused is None else [fused])
            kept.append(node)
            continue
        kept += graph.exchange(node, fused)
    graph.nodes = kept
    graph.drop_dead()


def _gemm(graph: Graph, node: Node) -> Node | None:
    """The Gemm, not yet in the graph, that an Add can become."""
    if node.op != "Add" or node.domain:
        return None
    for product, bias in (node.inputs, node.inputs[::-1]):
        matmul = product.inputs[0] if product.inputs else None
        if matmul is None or matmul.op != "MatMul" or matmul.domain or graph.is_output(product):
            continue
        matrices = all(len(shape_of(t) or ()) == 2 for t in (*matmul.inputs, product))
        if len(product.outputs) != 1 or not matrices or str(dtype_of(product)) not in ("float32", "float64"):
            continue
        shape, full = shape_of(bias), shape_of(product) or ()
        fits = shape is not None and 0 < len(shape) <= 2
        if fits and all(d in (1, f) for d, f in zip(reversed(shape or ()), reversed(full), strict=False)):
            attrs = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
            return graph.node("Gemm", [*matmul.inputs, bias], attrs, stem=node.outputs[0].name)
    return None
