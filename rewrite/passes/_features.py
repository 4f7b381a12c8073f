"""A flattened row in another order: what its readers become, as far as products with constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import TypeAlias

import numpy as np

from rewrite.graph import Array, Node, Tensor, is_constant, shape_of, static_shape, value
from rewrite.passes._moved import Perm
from rewrite.passes._operators import BROADCAST, ELEMENTWISE

#: A constant of a node that changes: node, input, value.
Change: TypeAlias = tuple[Node, int, Callable[[], Array]]
#: Where each number of a row comes from: ``row'[k] = row[order()[k]]``.
Order: TypeAlias = Callable[[], Array]
_REDUCTIONS = {
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
    *("ReduceProd", "ReduceSum", "ReduceSumSquare"),
}


def order_of(sizes: Sequence[int], perm: Perm) -> Order:
    """Flatten(Transpose(x, perm)) = Flatten(x)[order], for x of shape ``sizes``."""
    return lambda: np.arange(prod(sizes)).reshape(sizes).transpose(perm).reshape(-1)


@dataclass(frozen=True)
class Reordered:
    """Tensors whose rows come in another order, and the constants that change with them."""

    tensors: tuple[Tensor, ...]
    changes: tuple[Change, ...]


def features_taken_in(flat: Tensor, order: Order) -> Reordered | None:
    """What changes for ``flat``, [N, P], to come in another order, and nothing behind it; None where that cannot be.

    Products take the order into the rows of their weights: x[:, order] W[order] = x W. On the way there are operators
    on each number by itself, normalisations, concatenations with other rows.
    """
    walk = _Walk({id(flat): order}, [flat])
    return Reordered(tuple(walk.tensors), tuple(walk.changes)) if walk.on(flat) else None


@dataclass
class _Walk:
    """Goes from reader to reader.

    :param orders: the order of each tensor that comes in another, by its id.
    """

    orders: dict[int, Order]
    tensors: list[Tensor]
    changes: list[Change] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def on(self, tensor: Tensor) -> bool:
        """Do all readers go along?"""
        readers = {id(r): r for r in tensor.outputs}.values()
        # those of several tensors last: they may read what the others make of this one
        for reader in sorted(readers, key=lambda r: r.op in BROADCAST):
            if id(reader) in self._seen:
                if reader.op not in ELEMENTWISE:  # of those all operands were looked at
                    return False
            elif not self._at(reader, tensor):
                return False
            self._seen.add(id(reader))
        return bool(readers)  # else it is an output of the model

    def _at(self, node: Node, tensor: Tensor) -> bool:
        order, places = self.orders[id(tensor)], [i for i, t in enumerate(node.inputs) if t is tensor]
        if node.domain:
            return False
        if node.op in ("MatMul", "Gemm"):
            return places == [0] and self._product(node, order)
        if node.op in _REDUCTIONS:
            return places == [0] and _over_features(node)
        if node.op == "Concat":
            return len(places) == 1 and self._concat(node, places[0], order)
        if node.op == "BatchNormalization":
            fits = places == [0] and all(is_constant(t) for t in node.inputs[1:]) and len(node.outputs) == 1
            return fits and self._constants(node, order) and self._further(node, order)
        if node.op in ("Softmax", "LogSoftmax", "LayerNormalization"):
            along = places == [0] and node.attrs.get("axis", -1) in (1, -1) and len(node.outputs) == 1
            return along and self._constants(node, order) and self._further(node, order)
        return node.op in ELEMENTWISE and self._constants(node, order) and self._further(node, order)

    def _further(self, node: Node, order: Order) -> bool:
        out = node.outputs[0]
        shape = shape_of(out)
        if shape is None or len(shape) != 2:
            return False
        self._seen.add(id(node))
        self.orders[id(out)] = order
        self.tensors.append(out)
        return self.on(out)

    def _constants(self, node: Node, order: Order) -> bool:
        """Do all other operands go along: constants, one number for a whole row, rows in the same order?"""
        count = (shape_of(node.outputs[0]) or (0, 0))[-1]
        for i, tensor in enumerate(node.inputs):
            shape = shape_of(tensor) if tensor.name else ()
            if shape is None:
                return False
            if not shape or shape[-1] == 1 or self.orders.get(id(tensor)) is order:
                continue
            if not is_constant(tensor) or shape[-1] != count:
                return False
            self.changes.append((node, i, partial(in_order, tensor, order, -1)))
        return True

    def _product(self, node: Node, order: Order) -> bool:
        weight = node.inputs[1]
        shape = static_shape(weight)
        if not is_constant(weight) or shape is None or len(shape) != 2 or node.attrs.get("transA"):
            return False
        axis = 1 if node.attrs.get("transB") else 0
        self.changes.append((node, 1, partial(in_order, weight, order, axis)))
        return True

    def _concat(self, node: Node, place: int, order: Order) -> bool:
        """The others keep their order."""
        widths = [(shape_of(t) or ("",))[-1] for t in node.inputs]
        if node.attrs["axis"] not in (1, -1) or not all(isinstance(w, int) for w in widths):
            return False
        known = [w for w in widths if isinstance(w, int)]
        start, total = sum(known[:place]), sum(known)

        def longer() -> Array:
            whole = np.arange(total)
            whole[start : start + known[place]] = start + order()
            return whole

        return self._further(node, longer)


def _over_features(node: Node) -> bool:
    axes = value(node.inputs[1]) if len(node.inputs) > 1 else None
    return axes is not None and [int(a) % 2 for a in axes.reshape(-1)] == [1]


def in_order(tensor: Tensor, order: Order, axis: int) -> Array:
    """The constant with what it has along ``axis`` in another order."""
    return np.take(np.asarray(value(tensor)), order(), axis)
