"""What a model computes from its own open sizes is followed as an expression: numbers fall out, shapes settle."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rewrite.graph import (
    Graph,
    Node,
    Shape,
    Tensor,
    dtype_of,
    is_constant,
    refresh_shapes,
    shape_of,
    static_shape,
    value,
)
from rewrite.passes._size_shapes import SHAPES
from rewrite.passes._size_values import FEW, VALUES, Values, objects

if TYPE_CHECKING:
    import sympy


def resolve_sizes(graph: Graph) -> None:
    """Compute shapes and their arithmetic in terms of the inputs' open sizes. One forward sweep.

    A result that is a number after all becomes a constant; equal expressions become equal symbols of shapes.
    """
    if all(static_shape(t) is not None for n in graph.nodes for t in n.outputs if t.name):
        return
    sweep = _Sweep(graph)
    kept: list[Node] = []
    for node in graph.nodes:
        kept += sweep.visit(node)
    graph.nodes = kept


class _Sweep:
    """Values of small tensors by identity, and the symbols that stand for expressions."""

    def __init__(self, graph: Graph) -> None:
        import sympy

        self.sympy = sympy
        self.graph = graph
        self.values: dict[int, Values] = {}
        self.tensors: list[Tensor] = []  # kept alive, for their identities
        self.symbols: dict[str, sympy.Expr] = {}
        self.names: dict[sympy.Expr, str] = {}
        self.learned: dict[str, int | str] = {}
        self.given = {d for t in graph.inputs for d in shape_of(t) or () if isinstance(d, str)}

    def visit(self, node: Node) -> list[Node]:
        """Learn what the node gives; the nodes that are left of it."""
        known = self._forget(node)
        refresh_shapes(node)
        left = self._learn(node)
        for out, shape in known:
            self._remember(out, shape)
        return left

    def _forget(self, node: Node) -> list[tuple[Tensor, Shape]]:
        """Let open sizes be found anew: inference over the whole model names each that it could not follow."""
        known = [(o, shape_of(o) or ()) for o in node.outputs if o.name and o.shape is not None]
        for out, shape in known:
            out.shape = tuple(d if isinstance(d, int) else f"{out.name}:{k}" for k, d in enumerate(shape))
        return known

    def _remember(self, out: Tensor, before: Shape) -> None:
        """What was not found keeps its name; what was found stands for that name from now on."""
        after = shape_of(out)
        if after is None or len(after) != len(before):
            return
        sizes = list(after)
        for axis, (old, new) in enumerate(zip(before, after, strict=True)):
            if new == f"{out.name}:{axis}":
                sizes[axis] = self.learned.get(str(old), old)
            elif isinstance(old, str) and old != new and old not in self.given:
                self.learned[old] = new
        out.shape = tuple(sizes)

    def _learn(self, node: Node) -> list[Node]:
        if node.domain:
            return [node]
        for out in node.outputs if node.op in SHAPES else ():
            self._settle_shape(node, out)
        if len([o for o in node.outputs if o.name]) != 1:
            return [node]
        out = node.outputs[0]
        found = self._evaluate(node)
        if found is None or out.dtype is None:
            return [node]
        if not self.graph.is_output(out) and all(isinstance(v, int | float | bool) for v in found.flat):
            constant = self.graph.constant(np.array(found.tolist(), dtype_of(out)).reshape(found.shape), out.name)
            return self.graph.substitute(node, [constant])
        self.values[id(out)] = found
        self.tensors.append(out)
        return [node]

    def expression(self, size: int | str) -> int | sympy.Expr:
        """A dimension as a number or an expression."""
        if isinstance(size, int):
            return size
        return self.symbols.setdefault(size, self.sympy.Symbol(size, integer=True, positive=True))

    def dimension(self, given: Any) -> int | str | None:
        """An expression as a dimension: a number, or the symbol that stands for it."""
        if isinstance(given, int | np.integer):
            return int(given) if given >= 0 else None
        expression = self.sympy.expand(given)
        if expression.is_Integer:
            return int(expression) if expression >= 0 else None
        if expression.is_Symbol:
            return str(expression.name)
        if expression not in self.names:
            name = self.graph.fresh("size")
            self.names[expression] = name
            self.symbols[name] = expression
        return self.names[expression]

    def of(self, tensor: Tensor | None) -> Values | None:
        """The tensor's values, constant or followed."""
        if tensor is None or not tensor.name:
            return None
        if id(tensor) in self.values:
            return self.values[id(tensor)]
        if not is_constant(tensor) or prod(tensor.shape) > FEW:
            return None
        held = value(tensor)
        if held is None or held.dtype.kind not in "biuf":
            return None
        return objects(held.tolist(), held.shape)

    def shape(self, tensor: Tensor) -> list[Any] | None:
        shape = shape_of(tensor)
        return None if shape is None else [self.expression(d) for d in shape]

    def _settle_shape(self, node: Node, out: Tensor) -> None:
        found = SHAPES[node.op](self, node)
        if found is None:
            return
        sizes = [self.dimension(d) for d in found]
        if all(s is not None for s in sizes):
            out.shape = tuple(sizes)

    def _evaluate(self, node: Node) -> Values | None:
        if node.op in ("Shape", "Size"):
            return self._sizes(node)
        way = VALUES.get(node.op)
        inputs = [self.of(t) for t in node.inputs]
        if way is None or any(v is None and t.name for v, t in zip(inputs, node.inputs, strict=True)):
            return None
        found = way(node, [v for v in inputs if v is not None])
        if found is None or found.size > FEW:
            return None
        simple = [self._simple(v) for v in found.flat]
        return None if any(v is None for v in simple) else objects(simple, found.shape)

    def _simple(self, given: Any) -> Any:
        """A number as Python's, an expression expanded, None for what cannot be decided."""
        if isinstance(given, bool | int | float):
            return given
        if isinstance(given, np.generic):
            return given.item()
        if given in (self.sympy.true, self.sympy.false):
            return bool(given)
        if not isinstance(given, self.sympy.Expr):
            return None
        expanded = self.sympy.expand(given)
        if expanded.is_Integer:
            return int(expanded)
        return float(expanded) if expanded.is_number else expanded

    def _sizes(self, node: Node) -> Values | None:
        shape = self.shape(node.inputs[0])
        if shape is None:
            return None
        if node.op == "Size":
            return objects([prod(shape)], ())
        part = shape[node.attrs.get("start", 0) : node.attrs.get("end")]
        return objects(part, (len(part),))
