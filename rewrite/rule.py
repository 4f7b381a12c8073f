"""How a rule is written: an equation, its cases, and twenty lines.

::

    @rule("Celu", cases=[case("(float[3] x) => (float[3] y) { y = Celu<alpha=0.7>(x) }")])
    def celu_to_elu(op: Op, node: NodeView) -> Result:
        \"\"\"Celu(x; a) = a Elu(x / a), a != 0\"\"\"
        alpha = node.attr("alpha")
        if alpha == 0:
            return refuse("alpha is 0: x / alpha has no value")
        return op.Mul(op.Elu(op.Div(node.x, alpha)), alpha)

A rule says what it needs and what it emits. It never asks what the target can do: it is called because the target
refused the node, and what it emits is judged in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx

from rewrite.graph import Array, Graph, Node, Shape, Tensor, dtype_of, node_proto, shape_of, static_shape, value


@dataclass(frozen=True)
class Refusal:
    """Why a rule does not apply to a node."""

    reason: str


def refuse(reason: str) -> Refusal:
    return Refusal(reason)


#: One tensor per output of the node, or the one where it has one; or why not.
Result: TypeAlias = Any
Body: TypeAlias = "Callable[[Op, NodeView], Result]"


@dataclass(frozen=True)
class Case:
    """A graph, as ONNX text, on which the rule is tried.

    :param text: inputs, outputs, initializers and nodes: ``(float[3] x) => (float[3] y) { y = Neg(x) }``.
    :param refuses: a part of the expected reason for refusing; empty where the rule is to fire.
    :param rtol: relative tolerance of the comparison in onnxruntime before against after, on inputs that hold the edges
        (±3e4, whose products and sums round off by much); ordinary inputs are held to 1e-4 at most.
    :param atol: absolute tolerance there; 1e-5 at most on ordinary inputs.
    """

    text: str
    refuses: str = ""
    rtol: float = 1e-5
    atol: float = 1e-6


case = Case


@dataclass(frozen=True)
class Rule:
    """A way to express an operator in others; ``merged``: where the target makes one of it and the node before it."""

    operator: str
    name: str
    equation: str
    body: Body
    cases: tuple[Case, ...]
    merged: bool = False


_RULES: dict[tuple[str, bool], list[Rule]] = {}


def rule(*operators: str, cases: Sequence[Case], merged: bool = False) -> Callable[[Body], Body]:
    """Register a rule for one or several operators.

    :param operators: their names; those of another domain than ONNX's own with it in front: "ai.onnx.ml.Binarizer".
    :param merged: it is for a node that is legal alone, but not where the target merges it with the node before it.
    :raises ValueError: a rule of that name is there already, or it has no case or no equation.
    """

    def register(body: Body) -> Body:
        name = body.__name__
        equation = (body.__doc__ or "").strip().splitlines()
        if not cases or not equation:
            raise ValueError(f"rule {name} needs a docstring with its equation, and at least one case")
        for operator in operators:
            rules = _RULES.setdefault((operator, merged), [])
            if any(r.name == name for r in rules):
                raise ValueError(f"there is a rule {name} for {operator} already")
            rules.append(Rule(operator, name, equation[0], body, tuple(cases), merged))
        return body

    return register


def rules_for(operator: str, *, merged: bool = False) -> Sequence[Rule]:
    return _RULES.get((operator, merged), ())


def operator_of(node: Node) -> str:
    """The name by which rules are for the node."""
    return f"{node.domain}.{node.op}" if node.domain else str(node.op)


def all_rules() -> list[Rule]:
    return [r for rules in _RULES.values() for r in rules]


class NodeView:
    """A node as a rule sees it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.op: str = node.op
        self.domain: str = node.domain or ""
        self.attributes: dict[str, Any] = node.attrs

    def proto(self) -> onnx.NodeProto:
        return node_proto(self._node)

    def input(self, index: int) -> Tensor | None:
        """Input ``index``, or None where it is left out."""
        inputs = self._node.inputs
        return inputs[index] if index < len(inputs) and inputs[index].name else None

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self._node.inputs[0]

    @property
    def inputs(self) -> list[Tensor | None]:
        return [t if t.name else None for t in self._node.inputs]

    @property
    def outputs(self) -> list[Tensor]:
        return list(self._node.outputs)

    def wants(self, index: int) -> bool:
        """Is output ``index`` asked for?"""
        return index < len(self._node.outputs) and bool(self._node.outputs[index].name)

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute; schema defaults are already written out."""
        return self._node.attrs.get(name, default)


class Op:
    """Builds nodes: ``op.Mul(a, 2.0)``. Python numbers take the dtype of the first tensor beside them."""

    def __init__(self, graph: Graph, stem: str) -> None:
        self._graph = graph
        self._stem = stem
        self.nodes: list[Node] = []

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if operator.startswith("_"):
            raise AttributeError(operator)

        def build(*inputs: Any, outputs: int = 1, **attrs: Any) -> Any:
            made = self.build(operator, inputs, attrs, outputs=outputs)
            return made[0] if outputs == 1 else made

        return build

    def build(self, operator: str, inputs: Sequence[Any], attrs: dict[str, Any], *, outputs: int = 1) -> list[Tensor]:
        """Add a node; its outputs. ``op.Name(…)`` is short for this."""
        tensors = [t for t in inputs if _is_tensor(t)]
        dtype = dtype_of(tensors[0]) if tensors else None
        given = [t if t is None or _is_tensor(t) else self._constant(t, dtype) for t in inputs]
        node = self._graph.node(operator, given, attrs, outputs=outputs, stem=self._stem)
        self.nodes.append(node)
        return list(node.outputs)

    def like(self, node: Node, inputs: Sequence[Tensor | None]) -> list[Tensor]:
        """Add a node as ``node`` of a body is, on other inputs; its outputs."""
        made = self._graph.like(node, inputs)
        self.nodes.append(made)
        return list(made.outputs)

    def const(self, values: Any, dtype: Any = None) -> Tensor:
        """A constant tensor."""
        return self._graph.constant(np.asarray(values, dtype), self._stem)

    def ints(self, *values: int) -> Tensor:
        """A 1-D int64 constant: axes, shapes, indices."""
        return self.const(list(values), np.int64)

    def _constant(self, given: Any, dtype: np.dtype[Any] | None) -> Tensor:
        return self.const(given) if isinstance(given, np.ndarray) else self.const(given, dtype)

    def source(self, symbol: str) -> tuple[Tensor, int] | None:
        """An input of the model and its axis whose size goes by that symbol."""
        found = ((t, k) for t in self._graph.inputs for k, d in enumerate(shape_of(t) or ()) if d == symbol)
        return next(found, None)

    # What rules ask about tensors.
    @staticmethod
    def value(tensor: Tensor | None) -> Array | None:
        return value(tensor)

    @staticmethod
    def shape(tensor: Tensor) -> Shape | None:
        return shape_of(tensor)

    @staticmethod
    def static_shape(tensor: Tensor) -> tuple[int, ...] | None:
        return static_shape(tensor)

    @staticmethod
    def dtype(tensor: Tensor) -> np.dtype[Any]:
        dtype = dtype_of(tensor)
        if dtype is None:
            raise ValueError(f"the dtype of {tensor.name} is unknown")
        return dtype

    @staticmethod
    def rank(tensor: Tensor) -> int | None:
        shape = shape_of(tensor)
        return None if shape is None else len(shape)


def _is_tensor(given: Any) -> bool:
    return hasattr(given, "inputs") and hasattr(given, "outputs")
