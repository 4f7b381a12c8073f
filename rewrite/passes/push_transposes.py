"""Transposes sink towards the outputs, cancel in pairs, and are written out where nothing cancels them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from rewrite.graph import Graph, Node, Tensor, dependencies, infer, is_constant, shape_of
from rewrite.passes._commute import commute
from rewrite.passes._moved import Moved, Perm, compose, held, identity, inverse, is_transpose, keeps_order, perm_of
from rewrite.passes._operators import INDIFFERENT
from rewrite.passes.drop_no_ops import drop_no_ops
from rewrite.passes.join_stacked_products import join_stacked_products, part_stacked_products

#: Transpositions of one rank whose way through the graph is looked at in advance: channels last and first, mostly.
_CANDIDATES = 6
#: Operators behind which a transposition is another one, which is looked at as well.
_RESHAPING = frozenset({"Reshape", "Squeeze", "Unsqueeze"})


def push_transposes(graph: Graph) -> None:
    """Work on what was transposed, and transpose what comes of it, wherever that takes no more transposes.

    Two sweeps, each visiting every node once. The first goes backwards and finds, for each tensor, what would become
    of a transposition of it: whether some reader undoes it, and whether some reader needs it. The second goes forwards
    with transpositions put off; a node's inputs are transposed where that costs less than to go on with what is
    behind them. A transposed tensor with several readers is put off for each of them, and written out at most once.
    """
    if any(is_transpose(n) for n in graph.nodes):
        joined = join_stacked_products(graph)
        _Sinking(graph).run()
        part_stacked_products(graph, joined)
        drop_no_ops(graph)


@dataclass
class _Fate:
    """What becomes of a transposition of a tensor.

    :param undone: a reader, or one behind a reader, is a transpose that this one spares.
    :param needed: a reader, or one behind a reader, wants it written out.
    :param stops: a reader of the tensor itself does.
    """

    undone: bool = False
    needed: bool = False
    stops: bool = False


class _Sinking:
    """One run of the pass."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kept: list[Node] = []
        #: Tensors that are put off: by their id, the tensor itself, what it is a transpose of, and by which perm.
        self.views: dict[int, tuple[Tensor, Tensor, Perm]] = {}
        #: Transposes that are written out, by what of and by which perm.
        self.written: dict[tuple[int, Perm], Tensor] = {}
        self.outputs = {id(o) for o in graph.outputs}
        self.held = held(graph)
        self.candidates = self._candidates()
        self.fates: dict[tuple[int, Perm], _Fate] = defaultdict(_Fate)

    def run(self) -> None:
        for output in self.graph.outputs:
            self._stop(output)
        for node in reversed(self.graph.nodes):
            self._foresee(node)
        for node in self.graph.nodes:
            self._visit(node)
        for output in self.graph.outputs:
            self._settle(output)
        self.graph.nodes = self.kept

    # ------------------------------------------------------------------------------------------------- backwards

    def _candidates(self) -> dict[int, list[Perm]]:
        counts: Counter[Perm] = Counter(perm_of(n) for n in self.graph.nodes if is_transpose(n))
        ranks: dict[int, list[Perm]] = defaultdict(list)
        for perm, _ in counts.most_common():
            known = ranks[len(perm)]
            known += [p for p in dict.fromkeys((perm, inverse(perm))) if p not in known and len(known) < _CANDIDATES]
        for node in self.graph.nodes:
            if node.op not in _RESHAPING or node.domain:
                continue
            for perm in list(ranks.get(len(shape_of(node.inputs[0]) or ()), ())):
                moved = commute(node, perm)
                left = () if moved is None else moved.perms[0]
                if not identity(left) and left not in ranks[len(left)] and len(ranks[len(left)]) < 2 * _CANDIDATES:
                    ranks[len(left)].append(left)
        return ranks

    def _stop(self, tensor: Tensor) -> None:
        for perm in self.candidates.get(len(shape_of(tensor) or ()), ()):
            fate = self.fates[id(tensor), perm]
            fate.needed = fate.stops = True

    def _foresee(self, node: Node) -> None:
        inner = {id(t): t for t in dependencies(node)}
        inputs = {id(t): t for t in node.inputs if t.name}
        ways: dict[Perm, tuple[Moved | None, frozenset[int]]] = {}
        for key, tensor in inputs.items():
            inner.pop(key, None)
            for perm in () if is_constant(tensor) else self.candidates.get(len(shape_of(tensor) or ()), ()):
                if perm not in ways:
                    moved = self._commute(node, perm)
                    ways[perm] = moved, frozenset(id(node.inputs[i]) for i in (moved.operands if moved else ()))
                moved, operands = ways[perm]
                self._add(self.fates[key, perm], node, moved if key in operands else None, perm)
        for tensor in inner.values():
            self._stop(tensor)

    def _add(self, fate: _Fate, node: Node, moved: Moved | None, perm: Perm) -> None:
        """Add to ``fate`` what ``node`` makes of an input of its being transposed by ``perm``."""
        if node.op == "Shape" and not node.domain:
            return
        if is_transpose(node):
            fate.undone = True
            both = compose(perm, perm_of(node))
            fate.needed |= not identity(both) and self._fate(node.outputs[0], both).needed
            return
        if moved is None:
            fate.needed = fate.stops = True
            return
        for out, left in zip(node.outputs, moved.perms, strict=True):
            if out.name and not identity(left):
                behind = self._fate(out, left)
                fate.undone |= behind.undone
                fate.needed |= behind.needed

    def _commute(self, node: Node, perm: Perm) -> Moved | None:
        moved = commute(node, perm)
        if moved is not None and any(id(t) in self.held for t in moved.reordered):
            return None  # others than the products read it, in the order that it has
        return moved

    def _fate(self, tensor: Tensor, perm: Perm) -> _Fate:
        """A transposition that nobody looked at in advance is taken to be needed; a Reshape in its place is free."""
        shape = shape_of(tensor) or ()
        if keeps_order(tuple(shape[k] for k in inverse(perm)), perm):
            return _Fate()
        if perm not in self.candidates.get(len(perm), ()):
            return _Fate(needed=True)
        return self.fates[id(tensor), perm]

    # -------------------------------------------------------------------------------------------------- forwards

    def _visit(self, node: Node) -> None:
        if is_transpose(node):
            self._put_off(node)
            return
        views = [self._view(t) for t in node.inputs]
        perms = dict.fromkeys(p for _, p in views if not identity(p))
        if perms and node.op == "Shape" and not node.domain:
            self._read_shape(node)
            return
        ways = [(p, m) for p in perms for m in (self._commute(node, p),) if m is not None]
        best = min(ways, key=lambda way: self._price(node, *way), default=None)
        if best is not None and self._pays(node, *best):
            self._move(node, *best)
        else:
            for tensor in dependencies(node):
                self._settle(tensor)
        self.kept.append(node)

    def _put_off(self, node: Node) -> None:
        out = node.outputs[0]
        base, perm = self._view(node.inputs[0])
        both = compose(perm, perm_of(node))
        if identity(both) and id(out) not in self.outputs:
            for reader in {id(r): r for r in out.outputs}.values():
                for i, tensor in enumerate(reader.inputs):
                    if tensor is out:
                        reader.inputs[i] = base
        self.views[id(out)] = (out, base, both)
        node.inputs.clear()
        node.outputs.clear()

    def _view(self, tensor: Tensor) -> tuple[Tensor, Perm]:
        """What the tensor is a transpose of, and by which perm: itself by none, unless it is put off."""
        view = self.views.get(id(tensor))
        return (tensor, tuple(range(len(shape_of(tensor) or ())))) if view is None else view[1:]

    def _needs(self, base: Tensor, perm: Perm) -> bool:
        """Does it take a new Transpose to have ``base`` transposed?"""
        free = identity(perm) or (id(base), perm) in self.written or is_constant(base)
        return not free and not keeps_order(shape_of(base) or (), perm)

    def _price(self, node: Node, perm: Perm, moved: Moved) -> int:
        """Transposes that it takes to go on with what is behind the inputs."""
        around = {(id(b), q): (b, q) for b, q in self._behind(node, perm, moved)}
        outs = zip(node.outputs, moved.perms, strict=True)
        needed = sum(bool(o.name) and not identity(left) and self._fate(o, left).needed for o, left in outs)
        return sum(self._needs(b, q) for b, q in around.values()) + needed

    def _behind(self, node: Node, perm: Perm, moved: Moved) -> list[tuple[Tensor, Perm]]:
        views = [self._view(node.inputs[i]) for i in moved.operands]
        return [(base, compose(own, inverse(perm))) for base, own in views]

    def _pays(self, node: Node, perm: Perm, moved: Moved) -> bool:
        """Fewer transposes; or as many, and operators that do not care come before them."""
        inputs = {id(node.inputs[i]): node.inputs[i] for i in moved.operands}
        views = {k: (t, *self._view(t)) for k, t in inputs.items()}
        put_off = [(t, b, p) for t, b, p in views.values() if not identity(p)]
        if not put_off:
            return False
        stay = sum(self._needs(b, p) and not self._fate(t, p).stops for t, b, p in put_off)
        outs = zip(node.outputs, moved.perms, strict=True)
        stay += sum(bool(o.name) and not identity(left) and self._fate(o, left).undone for o, left in outs)
        price = self._price(node, perm, moved)
        alone = all(len(t.outputs) == 1 for t, _, _ in put_off)
        return price < stay or (price == stay and alone and (node.op in INDIFFERENT or self._ends(node)))

    def _ends(self, node: Node) -> bool:
        """Does the model end with the node? Then the transpose is better at the very end."""
        return all(id(o) in self.outputs and not o.outputs for o in node.outputs if o.name)

    def _move(self, node: Node, perm: Perm, moved: Moved) -> None:
        for i, (base, both) in zip(moved.operands, self._behind(node, perm, moved), strict=True):
            node.inputs[i] = self._transposed(base, both, node)
        for i, tensor in enumerate(node.inputs):
            if i not in moved.operands:
                self._settle(tensor)
        for i, make in moved.constants.items():
            node.inputs[i] = self.graph.constant(make(), node.inputs[i].name)
        for reader, i, make in moved.weights:
            reader.inputs[i] = self.graph.constant(make(), reader.inputs[i].name)
        node.op = moved.op or node.op
        node.attrs.update(moved.attrs)
        for k, (out, left) in enumerate(zip(list(node.outputs), moved.perms, strict=True)):
            if out.name and not identity(left):
                back = inverse(left)
                shape = shape_of(out) or ()
                base = type(out)(self.graph.fresh(out.name), dtype=out.dtype, shape=tuple(shape[j] for j in back))
                self._trace(base, out)
                node.outputs[k] = base
                self.views[id(out)] = (out, base, left)

    def _read_shape(self, node: Node) -> None:
        """Shape(Transpose(b, p)) = Gather(Shape(b), p)"""
        base, perm = self._view(node.inputs[0])
        out = node.outputs[0]
        wanted = perm[node.attrs.get("start", 0) : node.attrs.get("end")]
        shape = self.graph.node("Shape", [base], {"start": 0}, stem=out.name)
        index = self.graph.constant(np.array(wanted, np.int64), out.name)
        gather = self.graph.node("Gather", [shape.outputs[0], index], {"axis": 0}, stem=out.name)
        self._trace(shape.outputs[0], out)
        self.kept += [shape, gather, *self.graph.substitute(node, [gather.outputs[0]])]

    def _settle(self, tensor: Tensor) -> None:
        """Write the tensor out if it is put off."""
        if id(tensor) not in self.views or tensor.inputs:
            return
        _, base, perm = self.views[id(tensor)]
        same = self.written.get((id(base), perm), base if identity(perm) else None)
        if same is None:
            self._write(base, perm, tensor)
            self.written[id(base), perm] = tensor
            return
        copy = self.graph.node("Identity", [same], {}, stem=tensor.name)
        self._give(copy, tensor)

    def _transposed(self, base: Tensor, perm: Perm, reader: Node) -> Tensor:
        if identity(perm):
            return base
        if (id(base), perm) not in self.written:
            shape = shape_of(base) or ()
            out = type(reader.outputs[0])(
                self.graph.fresh(base.name), dtype=base.dtype, shape=tuple(shape[k] for k in perm)
            )
            self._trace(out, reader.outputs[0])
            self._write(base, perm, out)
            self.written[id(base), perm] = out
        return self.written[id(base), perm]

    def _write(self, base: Tensor, perm: Perm, out: Tensor) -> None:
        """``out`` = Transpose(base, perm), as a Reshape where only axes of size 1 move."""
        shape = shape_of(base) or ()
        sizes = [shape[k] if isinstance(shape[k], int) else -1 for k in perm]
        if keeps_order(shape, perm) and sizes.count(-1) < 2 and 0 not in sizes:
            target = self.graph.constant(np.array(sizes, np.int64), out.name)
            node = self.graph.node("Reshape", [base, target], {"allowzero": 0}, stem=out.name)
        else:
            node = self.graph.node("Transpose", [base], {"perm": list(perm)}, stem=out.name)
        self._give(node, out)

    def _give(self, node: Node, out: Tensor) -> None:
        node.outputs[0] = out
        infer(node)
        self.kept.append(node)

    def _trace(self, new: Tensor, old: Tensor) -> None:
        if old.name in self.graph.origins:
            self.graph.origins.setdefault(new.name, self.graph.origins[old.name])
