"""Transposes rise to the model's inputs, and to the products that can take them into their weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rewrite.graph import Graph, Node, Tensor, shape_of, value
from rewrite.passes._columns import columns_taken_in
from rewrite.passes._commute import commute
from rewrite.passes._commute_reshape import reshaped_behind
from rewrite.passes._features import Change
from rewrite.passes._moved import Moved, Perm, held, inverse, keeps_order, transposition
from rewrite.passes._operators import ELEMENTWISE

#: Operators that a transpose rises through: those behind which there is as much as before them, or more.
_THROUGH = ELEMENTWISE | {"Concat", "Pad"}
#: Operators that a transpose may rise through before its way up is given up.
_MOST = 64


def raise_transposes(graph: Graph) -> None:
    """Transpose(op(x)) = op'(Transpose(x)), up to inputs of the model, and up to Reshape(x W + b), which takes it in:
    Transpose(Reshape(x W + b)) = Reshape(x W' + b'), W' of W's columns in another order.

    A transpose whose way ends elsewhere stays where it is. Each way up is at most :data:`_MOST` operators long.
    """
    stay = held(graph)
    for node in list(graph.nodes):
        perm = transposition(node) if node.outputs else None  # one that another's way ended with is gone
        if perm is not None and id(node.outputs[0]) not in stay:
            way = _Way(graph, stay)
            if way.up(node.inputs[0], perm):
                way.go()
    graph.drop_dead()


@dataclass
class _Way:
    """Everything between a tensor and where it comes from, to be worked on transposed.

    :param held: ids of tensors that must stay as they are.
    :param perms: by what each tensor on the way is to be transposed, by its id.
    :param nodes: the operators, by their id, and what becomes of each.
    :param inputs: of the model. :param rows: of products, before they are reshaped: the Reshape, and what changes.
    """

    graph: Graph
    held: set[int]
    perms: dict[int, Perm] = field(default_factory=dict)
    nodes: dict[int, tuple[Node, Moved]] = field(default_factory=dict)
    inputs: dict[int, Tensor] = field(default_factory=dict)
    rows: dict[int, tuple[Node, tuple[Change, ...]]] = field(default_factory=dict)

    def up(self, tensor: Tensor, perm: Perm) -> bool:
        """Does all that the tensor is made from lead to an input, or to a product?"""
        return self._from(tensor, perm) and all(self._read_inside(t) for t in self._tensors())

    def _from(self, tensor: Tensor, perm: Perm) -> bool:
        if self.perms.setdefault(id(tensor), perm) != perm:
            return False
        if not tensor.inputs:
            known = any(tensor is i for i in self.graph.inputs)
            self.inputs |= {id(tensor): tensor} if known else {}
            return known
        node = tensor.inputs[0]
        if id(node) in self.nodes or id(node) in self.rows:
            return True
        if node.op == "Reshape" and not node.domain:
            changes = columns_taken_in(node, perm, self.held)
            if changes is not None:
                self.rows[id(node)] = node, changes
                return True
        risen = _risen(node, perm) if len(self.nodes) < _MOST else None
        if risen is None:
            return False
        moved, before = risen
        self.nodes[id(node)] = node, moved
        return all(self._from(node.inputs[i], before) for i in moved.operands)

    def _tensors(self) -> list[Tensor]:
        """What the transposes at the way's end are made of, and what is between."""
        made = [o for n, _ in (*self.nodes.values(), *self.rows.values()) for o in n.outputs if o.name]
        return [*self.inputs.values(), *made]

    def _read_inside(self, tensor: Tensor) -> bool:
        inside = all(id(r) in self.nodes or self._is_end(r, tensor) for r in tensor.outputs)
        return inside and id(tensor) not in self.held

    def _is_end(self, node: Node, tensor: Tensor) -> bool:
        return transposition(node) == self.perms[id(tensor)] and id(node.outputs[0]) not in self.held

    def go(self) -> None:
        """Transpose what comes in; work on that; drop the transposes at the end."""
        ends = {id(r): r for t in self._tensors() for r in t.outputs if self._is_end(r, t)}
        if not self.nodes and not self.rows:
            return  # it is there already
        shapes = {id(t): (t, self._moved(t)) for t in self._tensors() if id(t) not in self.inputs}
        new: dict[int, Node] = {id(t): self._transposed(t) for t in self.inputs.values()}
        for node, moved in self.nodes.values():
            for i in moved.operands:
                if id(node.inputs[i]) in new:
                    node.inputs[i] = new[id(node.inputs[i])].outputs[0]
            for i, make in moved.constants.items():
                node.inputs[i] = self.graph.constant(make(), node.inputs[i].name)
            node.attrs.update(moved.attrs)
        for node, changes in self.rows.values():
            for reader, i, make in changes:
                reader.inputs[i] = self.graph.constant(make(), reader.inputs[i].name)
            sizes = [d if isinstance(d, int) else -1 for d in self._moved(node.outputs[0])]
            node.inputs[1] = self.graph.constant(np.array(sizes, np.int64), node.outputs[0].name)
        for tensor, shape in shapes.values():
            tensor.shape = shape
        self._drop(ends, new)

    def _drop(self, ends: dict[int, Node], new: dict[int, Node]) -> None:
        kept: list[Node] = list(new.values())
        for node in self.graph.nodes:
            if id(node) in ends:
                source = node.inputs[0]
                same = new[id(source)].outputs[0] if id(source) in new else source
                kept += self.graph.substitute(node, [same])
            else:
                kept.append(node)
        self.graph.nodes = kept

    def _moved(self, tensor: Tensor) -> tuple[int | str, ...]:
        shape = shape_of(tensor) or ()
        return tuple(shape[k] for k in self.perms[id(tensor)])

    def _transposed(self, tensor: Tensor) -> Node:
        perm, shape = self.perms[id(tensor)], self._moved(tensor)
        sizes = [d if isinstance(d, int) else -1 for d in shape]
        if keeps_order(shape_of(tensor) or (), perm) and sizes.count(-1) < 2 and 0 not in sizes:
            target = self.graph.constant(np.array(sizes, np.int64), tensor.name)
            node = self.graph.node("Reshape", [tensor, target], {"allowzero": 0}, stem=tensor.name)
        else:
            node = self.graph.node("Transpose", [tensor], {"perm": list(perm)}, stem=tensor.name)
        node.outputs[0].shape = shape
        reader = next(o for r in tensor.outputs for o in r.outputs if r is not node)
        if reader.name in self.graph.origins:
            self.graph.origins[node.outputs[0].name] = self.graph.origins[reader.name]
        return node


def _risen(node: Node, perm: Perm) -> tuple[Moved, Perm] | None:
    """Transpose(node(x), perm) = node'(Transpose(x, perm')): what the node becomes, and perm'."""
    if node.op == "Unsqueeze" and not node.domain:
        return _unsqueezed(node, perm)
    if node.op == "Reshape" and not node.domain:
        return reshaped_behind(node, perm)
    back = inverse(perm)
    moved = commute(node, back) if node.op in _THROUGH else None
    return None if moved is None or set(moved.perms) != {back} else (moved, perm)


def _unsqueezed(node: Node, perm: Perm) -> tuple[Moved, Perm] | None:
    held = value(node.inputs[1])
    if held is None:
        return None
    axes = {int(a) % len(perm) for a in held.reshape(-1)}
    kept = sorted(set(perm) - axes)
    moved = np.array([k for k, axis in enumerate(perm) if axis in axes], np.int64)
    return Moved((perm,), constants={1: lambda: moved}), tuple(kept.index(a) for a in perm if a not in axes)
