"""Operators on numbers and expressions of sizes, as :mod:`rewrite.passes.resolve_sizes` follows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np

from rewrite.graph import Node, dtype_of, static_shape, value

#: Elements of a tensor whose values are followed; sizes and their like are few.
FEW = 64

#: An array of Python integers, floats and sympy's expressions, of dtype object.
Values: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def objects(items: Any, shape: Sequence[int]) -> Values:
    """An array of the items, which numpy is not to look into."""
    flat = np.ravel(np.array(items, dtype=object)) if not isinstance(items, list) else items
    array = np.empty(int(np.prod(shape, dtype=int)), dtype=object)
    for place, item in enumerate(np.array(flat, dtype=object).ravel()):
        array[place] = item
    return array.reshape(tuple(shape))


def _elementwise(function: Callable[..., Any]) -> Callable[[Node, list[Values]], Values | None]:
    def apply(_: Node, inputs: list[Values]) -> Values | None:
        arrays = np.broadcast_arrays(*inputs)
        results = [function(*row) for row in zip(*(a.flat for a in arrays), strict=True)]
        return None if any(r is None for r in results) else objects(results, arrays[0].shape)

    return apply


def divided(a: Any, b: Any) -> Any:
    """Integers round towards zero; here all are positive, and expressions are taken where they divide."""
    import sympy

    if isinstance(a, int) and isinstance(b, int):
        return None if b == 0 else int(a / b) if abs(a) < 2**53 else None
    if isinstance(a, float) or isinstance(b, float):
        return sympy.sympify(a) / b
    quotient = sympy.cancel(sympy.sympify(a) / b)
    numerator, denominator = sympy.fraction(quotient)
    return quotient if denominator == 1 else _whole(numerator, denominator)


def _whole(numerator: Any, denominator: Any) -> Any:
    """P (P + 1) / 2 is whole; what is not known to be is rounded down, which no expression of ours says."""
    quotient = numerator / denominator
    return quotient if quotient.is_integer else None


def _cast(node: Node, inputs: list[Values]) -> Values | None:
    kind = dtype_of(node.outputs[0])
    if kind is None:
        return None
    if kind.kind == "f":
        return inputs[0]
    if kind.kind == "b":
        return _elementwise(lambda v: v != 0 if isinstance(v, int | float) else True if v.is_positive else None)(
            node, inputs
        )
    return _elementwise(lambda v: int(v) if isinstance(v, int | float) else v if v.is_integer else None)(node, inputs)


def _gather(_: Node, inputs: list[Values]) -> Values | None:
    data, indices = inputs
    if data.ndim != 1 or not all(isinstance(i, int) and -len(data) <= i < len(data) for i in indices.flat):
        return None
    return objects([data[i] for i in indices.flat], indices.shape)


def _slice(_: Node, inputs: list[Values]) -> Values | None:
    data, bounds = inputs[0], inputs[1:]
    if data.ndim != 1 or not all(isinstance(v, int) for b in bounds for v in b.flat):
        return None
    start, end = int(bounds[0].flat[0]), int(bounds[1].flat[0])
    step = int(bounds[3].flat[0]) if len(bounds) > 3 else 1
    return data[start:end:step]


def _concat(node: Node, inputs: list[Values]) -> Values | None:
    return np.concatenate(inputs, axis=node.attrs["axis"])


def _reshaped(node: Node, inputs: list[Values]) -> Values | None:
    shape = static_shape(node.outputs[0])
    return None if shape is None else inputs[0].reshape(shape)


def _filled(node: Node, _: list[Values]) -> Values | None:
    shape = static_shape(node.outputs[0])
    held = value(node.attrs["value"]) if "value" in node.attrs else np.zeros(1, np.float32)
    if shape is None or held is None or prod(shape) > FEW:
        return None
    return objects(np.full(shape, held.reshape(-1)[0]).tolist(), shape)


def _product(node: Node, inputs: list[Values]) -> Values | None:
    shape = static_shape(node.outputs[0])
    if shape is None or prod(shape) != 1:
        return None
    return objects([prod(inputs[0].flat)], shape)


def _sum(node: Node, inputs: list[Values]) -> Values | None:
    shape = static_shape(node.outputs[0])
    if shape is None or prod(shape) != 1:
        return None
    return objects([sum(inputs[0].flat)], shape)


def _compared(name: str) -> Callable[[Node, list[Values]], Values | None]:
    def decide(a: Any, b: Any) -> Any:
        import sympy

        relation = {
            "Equal": sympy.Eq,
            "Greater": sympy.Gt,
            "Less": sympy.Lt,
            "GreaterOrEqual": sympy.Ge,
            "LessOrEqual": sympy.Le,
        }
        found = relation[name](sympy.sympify(a), sympy.sympify(b))
        return bool(found) if found in (sympy.true, sympy.false) else None

    return _elementwise(decide)


def _extreme(*, largest: bool) -> Callable[[Node, list[Values]], Values | None]:
    def decide(*given: Any) -> Any:
        import sympy

        found = (sympy.Max if largest else sympy.Min)(*given)
        return None if found.has(sympy.Max, sympy.Min) else found

    return _elementwise(decide)


#: What an operator makes of the values of its inputs; None where that is not decided.
VALUES: dict[str, Callable[[Node, list[Values]], Values | None]] = {
    "Add": _elementwise(lambda a, b: a + b),
    "Sub": _elementwise(lambda a, b: a - b),
    "Mul": _elementwise(lambda a, b: a * b),
    "Div": _elementwise(divided),
    "Neg": _elementwise(lambda a: -a),
    "Identity": _elementwise(lambda a: a),
    "Not": _elementwise(lambda a: not a),
    "And": _elementwise(lambda a, b: a and b),
    "Or": _elementwise(lambda a, b: a or b),
    "Where": _elementwise(lambda c, a, b: a if c else b),
    "Max": _extreme(largest=True),
    "Min": _extreme(largest=False),
    "Cast": _cast,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Reshape": _reshaped,
    "Squeeze": _reshaped,
    "Unsqueeze": _reshaped,
    "Flatten": _reshaped,
    "ConstantOfShape": _filled,
    "ReduceProd": _product,
    "ReduceSum": _sum,
    **{name: _compared(name) for name in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")},
}
