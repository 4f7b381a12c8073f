"""Which nodes compute sizes: what a model makes of the shapes of its tensors before it uses them as shapes."""

from __future__ import annotations

from math import prod

import numpy as np

from rewrite.graph import Node, Tensor, dtype_of, is_constant, static_shape, subgraphs

#: Sizes and what is made of them are few numbers, in a row or alone.
_FEW = 64
#: Nodes of shape arithmetic in front of one tensor; what takes more is judged as any other node.
_MOST = 64


def shape_arithmetic(node: Node) -> list[Node]:
    """The nodes that compute ``node``'s inputs out of Shape and constants alone, in order, those they read first.

    They mean little one by one: a target that knows symbolic sizes follows them as sizes, not as tensors, so they are
    judged with the node that reads them.
    """
    found: dict[int, Node] = {}
    for tensor in node.inputs:
        seen: dict[int, Node] = {}
        if _made_of_sizes(tensor, seen):
            found |= seen
    return list(found.values())


def computes_sizes(node: Node) -> bool:
    """Is every output made of Shape and constants alone?"""
    named = [o for o in node.outputs if o.name]
    return bool(named) and all(_made_of_sizes(o, {}) for o in named)


def reads_sizes(node: Node) -> bool:
    """Is every input constant, or made of Shape and constants alone?"""
    return all(not t.name or is_constant(t) or _made_of_sizes(t, {}) for t in node.inputs)


def sizes_from(tensor: Tensor) -> list[Node]:
    """The nodes that compute ``tensor`` out of Shape and constants alone, in order; none where it is made otherwise."""
    found: dict[int, Node] = {}
    return list(found.values()) if _made_of_sizes(tensor, found) else []


def _made_of_sizes(tensor: Tensor, seen: dict[int, Node], depth: int = _MOST) -> bool:
    """Is it? Its producers, those before them first, are added to ``seen``."""
    if not depth or not tensor.name or is_constant(tensor) or not tensor.inputs:
        return False
    producer = tensor.inputs[0]
    if id(producer) in seen:
        return True
    shape, dtype = static_shape(tensor), dtype_of(tensor)
    if shape is None or len(shape) > 1 or prod(shape) > _FEW or dtype is None or len(seen) >= _MOST:
        return False
    if dtype == np.float64:  # nobody's sizes: see rewrite.sizes_to_numbers
        return False
    if producer.domain or any(subgraphs(producer)):
        return False
    if producer.op not in ("Shape", "Size"):
        inner = [t for t in producer.inputs if t.name and not is_constant(t)]
        if not inner or not all(_made_of_sizes(t, seen, depth - 1) for t in inner):
            return False
    seen[id(producer)] = producer
    return True
