"""A row in another order: what the products that make it become."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import prod

from rewrite.graph import Node, Tensor, is_constant, shape_of
from rewrite.passes._features import Change, Order, in_order, order_of
from rewrite.passes._moved import Perm
from rewrite.passes._operators import ELEMENTWISE


def columns_taken_in(node: Node, perm: Perm, held: set[int]) -> tuple[Change, ...] | None:
    """What changes for Transpose(node, perm), ``node`` a Reshape of rows [N, P], to be such a Reshape as well.

    (x W + b)[:, order] = x W[:, order] + b[order]; so with constants between the product and the Reshape.

    :param held: ids of tensors that must stay as they are.
    """
    sizes, rows = shape_of(node.outputs[0]) or (), node.inputs[0]
    rest = [d for d in sizes[1:] if isinstance(d, int)]
    width = shape_of(rows)
    if perm[0] != 0 or len(rest) != len(sizes) - 1 or width is None or len(width) != 2 or width[1] != prod(rest):
        return None
    made = _Made(held, prod(rest), order_of(rest, tuple(k - 1 for k in perm[1:])), {id(node)})
    return tuple(made.changes) if made.by(rows) and made.read_inside() else None


@dataclass
class _Made:
    """Goes from a row to what makes it.

    :param held: ids of tensors that must stay as they are. :param count: numbers in a row.
    :param inside: nodes that are worked on in the new order, by their ids.
    """

    held: set[int]
    count: int
    order: Order
    inside: set[int]
    tensors: list[Tensor] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def by(self, tensor: Tensor) -> bool:
        """Can what makes ``tensor`` make it in the other order?"""
        node = tensor.inputs[0] if tensor.inputs else None
        if node is None or node.domain or len(shape_of(tensor) or ()) != 2 or len(node.outputs) != 1:
            return False
        if id(node) in self.inside:
            return True
        self.inside.add(id(node))
        self.tensors.append(tensor)
        if node.op in ("MatMul", "Gemm"):
            return self._product(node)
        data = [t for i, t in enumerate(node.inputs) if not self._constant(node, i)]
        if node.op == "BatchNormalization":
            return len(data) == 1 and data[0] is node.inputs[0] and self._full(data[0]) and self.by(data[0])
        known = node.op in ELEMENTWISE and bool(data) and all(self._full(t) for t in data)
        return known and all(self.by(t) for t in data)

    def read_inside(self) -> bool:
        """Does nothing else read what comes in another order?"""
        readers = (r for t in self.tensors for r in t.outputs)
        return all(id(r) in self.inside for r in readers) and not any(id(t) in self.held for t in self.tensors)

    def _full(self, tensor: Tensor) -> bool:
        shape = shape_of(tensor)
        return shape is not None and len(shape) == 2 and shape[-1] == self.count

    def _constant(self, node: Node, place: int) -> bool:
        """Is that input the same for all of a row, or a constant that can be put in order? Then it is."""
        tensor = node.inputs[place]
        shape = shape_of(tensor) if tensor.name else ()
        if shape is not None and (not shape or shape[-1] == 1):
            return True
        if shape is None or not is_constant(tensor) or shape[-1] != self.count:
            return False
        self.changes.append((node, place, partial(in_order, tensor, self.order, -1)))
        return True

    def _product(self, node: Node) -> bool:
        weight = node.inputs[1]
        if not is_constant(weight) or len(weight.shape) != 2:
            return False
        axis = 0 if node.attrs.get("transB") else 1
        self.changes.append((node, 1, partial(in_order, weight, self.order, axis)))
        return len(node.inputs) < 3 or not node.inputs[2].name or self._constant(node, 2)
