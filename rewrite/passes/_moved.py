"""Transpositions, and what an operator becomes that is worked on what was transposed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from rewrite.graph import Array, Graph, Node, Shape, Tensor, dependencies, shape_of, subgraphs

#: Axis k of the transposed tensor is axis perm[k] of the tensor it is made from.
Perm: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Moved:
    """The node on untransposed data.

    :param perms: per output, the transposition that is left to do behind it.
    :param operands: inputs that have to be untransposed, all by the same perm.
    :param attrs: attributes that change.
    :param constants: inputs that become other constants.
    :param weights: constants of nodes behind this one that change: node, input, value.
    :param reordered: tensors behind this one whose numbers come in another order then; none may be a model's output.
    :param op: the operator that the node becomes; empty where it stays what it is.
    """

    perms: tuple[Perm, ...]
    operands: tuple[int, ...] = (0,)
    attrs: dict[str, Any] = field(default_factory=dict)
    constants: dict[int, Callable[[], Array]] = field(default_factory=dict)
    weights: tuple[tuple[Node, int, Callable[[], Array]], ...] = ()
    reordered: tuple[Tensor, ...] = ()
    op: str = ""


def identity(perm: Perm) -> bool:
    return perm == tuple(range(len(perm)))


def inverse(perm: Perm) -> Perm:
    return tuple(int(k) for k in np.argsort(perm))


def compose(first: Perm, then: Perm) -> Perm:
    """Transpose(Transpose(x, first), then) = Transpose(x, compose(first, then))"""
    return tuple(first[k] for k in then)


def keeps_order(shape: Shape, perm: Perm) -> bool:
    """Do only axes of size 1 move? ``shape`` is that of the tensor before."""
    order = [k for k in perm if shape[k] != 1]
    return order == sorted(order)


def is_transpose(node: Node) -> bool:
    """Is it one that says what it does? (The pass write_defaults writes ``perm`` out where the rank is known.)"""
    known = node.op == "Transpose" and not node.domain and "perm" in node.attrs
    return known and shape_of(node.inputs[0]) is not None


def perm_of(node: Node) -> Perm:
    return tuple(node.attrs["perm"])


def held(graph: Graph) -> set[int]:
    """Ids of tensors that must stay as they are: outputs of the model, and what bodies of nodes read."""
    read = {id(t) for n in graph.nodes if any(subgraphs(n)) for t in dependencies(n)}
    return read | {id(o) for o in graph.outputs}


def transposition(node: Node) -> Perm | None:
    """By what perm the node transposes; a Reshape counts that brings an only channel from the last place to axis 1."""
    if is_transpose(node):
        return perm_of(node)
    before, after = (shape_of(t) for t in (node.inputs[0], node.outputs[0])) if node.op == "Reshape" else (None, None)
    if before is None or after is None or node.domain or not 3 <= len(before) <= 5 or before[-1] != 1:
        return None
    first = channels_first(len(before))
    return first if after == tuple(before[k] for k in first) and not identity(first) else None


def channels_first(rank: int) -> Perm:
    """[N, ..., C] to [N, C, ...]"""
    return (0, rank - 1, *range(1, rank - 1))
