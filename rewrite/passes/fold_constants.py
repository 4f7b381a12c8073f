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

_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}


def fold_constants(graph: Graph) -> None:
    """Evaluate nodes whose inputs are all constant, and Shape and Size of tensors of known shape. One forward sweep."""
    kept: list[Node] = []
    for node in graph.nodes:
        values = fold(node)
        if values is None:
            kept.append(node)
        else:
            named = zip(values, node.outputs, strict=True)
            kept += graph.substitute(node, [graph.constant(v, o.name or "unused") for v, o in named])
    graph.nodes = kept


def fold(node: Node) -> list[Array] | None:
    """The node's outputs as arrays where they are known now, else None."""
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
