"""What depends on constants alone is computed now."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
import onnx.reference

from rewrite.graph import (
    OPSET,
    Array,
    Graph,
    Node,
    Tensor,
    dtype_of,
    is_constant,
    node_proto,
    shape_of,
    static_shape,
    subgraphs,
    value,
)

#: Results with more elements than this, and than what they are made from, stay nodes: they would bloat the weights.
LIMIT = 1 << 22

_RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
    "Dropout",
}


def fold_constants(graph: Graph) -> None:
    """Evaluate nodes whose inputs are all constant, and Shape and Size of tensors of known shape. One forward sweep.

    What makes an output of the model needs a node: it stays, unless the target will not have it.
    """
    kept: list[Node] = []
    for node in graph.nodes:
        left = folded(graph, node)
        kept += [node] if left is None else left
    graph.nodes = kept


def folded(graph: Graph, node: Node) -> list[Node] | None:
    """Put constants in the place of the node's outputs where they are known now.

    :returns: nodes that are left of it; None where it stays.
    """
    values = None if _makes_output(graph, node) else fold(node)
    if values is None:
        return None
    named = zip(values, node.outputs, strict=True)
    return graph.substitute(node, [graph.constant(v, o.name or "unused") for v, o in named])


def _makes_output(graph: Graph, node: Node) -> bool:
    """Does the node make an output of the model, whose shape is known whatever it computes?"""
    if node.op == "Constant":
        return False
    return any(graph.is_output(o) and static_shape(o) is not None for o in node.outputs)


def fold(node: Node) -> list[Array] | None:
    """The node's outputs as arrays where they are known now, else None."""
    if all(_has_no_elements(o) for o in node.outputs if o.name):
        return [np.empty(static_shape(o) or (), dtype_of(o)) for o in node.outputs]
    if node.domain or node.op in _RANDOM or any(subgraphs(node)):
        return None
    if node.op in ("Shape", "Size"):
        return _shape_or_size(node)
    if not all(is_constant(t) or not t.name for t in node.inputs):
        return None
    if node.op == "Constant" and "value" in node.attrs:
        return _as_declared(node, [np.asarray(value(node.attrs["value"]))])
    if _too_large(node):
        return None
    return _as_declared(node, evaluate(node))


def _has_no_elements(tensor: Tensor) -> bool:
    shape = static_shape(tensor)
    return shape is not None and 0 in shape and dtype_of(tensor) is not None


def _as_declared(node: Node, values: list[Array] | None) -> list[Array] | None:
    """The values, unless they are text, or of another dtype than ONNX says: the evaluator goes by numpy's rules."""
    if values is None or any(v.dtype.kind in "OSU" for v in values):
        return None
    pairs = zip(values, node.outputs, strict=True)
    return values if all(not o.name or dtype_of(o) in (None, v.dtype) for v, o in pairs) else None


def _too_large(node: Node) -> bool:
    held = max((prod(t.shape) for t in node.inputs if t.name), default=0)
    made = [static_shape(o) for o in node.outputs if o.name]
    if any(s is None for s in made):  # NonZero, Unique and their like: what they are made from bounds them
        return held > LIMIT
    return max((prod(s) for s in made if s is not None), default=0) > max(LIMIT, held)


def evaluate(node: Node) -> list[Array] | None:
    """Run one node on its constant inputs in ONNX's reference evaluator; None where that cannot run it."""
    proto = node_proto(node)
    feeds = {t.name: np.asarray(value(t)) for t in node.inputs if t.name}
    wanted = [o.name for o in node.outputs if o.name]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [proto],
            "fold",
            [_info(name, array) for name, array in feeds.items()],
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in wanted],
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )
    try:
        with np.errstate(all="ignore"):
            results = dict(zip(wanted, onnx.reference.ReferenceEvaluator(model).run(None, feeds), strict=True))
    except (NotImplementedError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # it is numpy underneath, and raises whatever that does, for bfloat16 above all; the node stays
    if any(isinstance(r, list) for r in results.values()):
        return None  # a sequence of tensors is no constant
    return [np.asarray(results[o.name]) if o.name else np.empty(0) for o in node.outputs]


def _info(name: str, array: Array) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _shape_or_size(node: Node) -> list[Array] | None:
    shape = shape_of(node.inputs[0])
    if shape is None:
        return None
    if node.op == "Shape":
        shape = shape[node.attrs.get("start", 0) : node.attrs.get("end")]
    if not all(isinstance(d, int) for d in shape):
        return None
    return [np.array(shape if node.op == "Shape" else prod(int(d) for d in shape), np.int64)]
