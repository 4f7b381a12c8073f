"""Chains of Mul, or of Add, by constants become one."""

from __future__ import annotations

import numpy as np

from rewrite.graph import Array, Graph, Node, Tensor, dtype_of, is_constant, value


def merge_constants(graph: Graph) -> None:
    """(x a) b = x (a b) and (x + a) + b = x + (a + b)

    Only where that is the same to rounding: a and b of a sum have one sign (else x may have been rounded away in
    between), a product neither overflows nor vanishes, and the new constant is no larger than the old ones.
    """
    gone: set[int] = set()
    for node in graph.nodes:
        held = _split(node)
        before = held[0].inputs[0] if held is not None and held[0].inputs else None
        inner = None if before is None or before.op != node.op else _split(before)
        if held is None or inner is None or len(held[0].outputs) != 1 or graph.is_output(held[0]):
            continue
        merged = _merged(node.op, np.asarray(value(inner[1])), np.asarray(value(held[1])))
        if merged is None:
            continue
        node.inputs[0], node.inputs[1] = inner[0], graph.constant(merged, held[1].name)
        gone.add(id(before))
        graph.discard([before])
    graph.nodes = [n for n in graph.nodes if id(n) not in gone]


def _split(node: Node) -> tuple[Tensor, Tensor] | None:
    """The operand that is not constant, and the one that is."""
    if node.domain or node.op not in ("Mul", "Add") or str(dtype_of(node.outputs[0])) not in ("float32", "float64"):
        return None
    constant = [is_constant(t) for t in node.inputs]
    if sum(constant) != 1:
        return None
    return (node.inputs[1], node.inputs[0]) if constant[0] else (node.inputs[0], node.inputs[1])


def _merged(op: str, a: Array, b: Array) -> Array | None:
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return None
    if np.prod(shape, dtype=int) > max(a.size, b.size):
        return None
    if op == "Add":
        return a + b if np.all(a * b >= 0) and np.all(np.isfinite(a + b)) else None
    with np.errstate(all="ignore"):
        product = a * b
    tiny = np.finfo(product.dtype).tiny
    fine = np.isfinite(product) & ((np.abs(product) >= tiny) | (a == 0) | (b == 0))
    return product if np.all(fine) else None
