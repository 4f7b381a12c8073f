"""Shapes whose sizes are C++ expressions of symbolic dimensions: ``(N + M) * 3``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,  # sizes are unsigned
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {"min": min, "max": max}


def evaluate(expression: str, sizes: Mapping[str, int]) -> int | None:
    """The value of a size, or None where it is not arithmetic on known sizes.

    >>> evaluate("(N + M) / 2", {"N": 3, "M": 4})
    3
    >>> evaluate("v_NonZero_x", {}) is None
    True
    """
    if expression in sizes:
        return sizes[expression]
    try:
        return _value(ast.parse(expression.strip().replace("std::", ""), mode="eval").body, sizes)
    except (SyntaxError, KeyError, ZeroDivisionError, RecursionError, ValueError):
        return None


def _value(node: ast.expr, sizes: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return sizes[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as args, keywords=[]):
            return _FUNCTIONS[name](*(_value(a, sizes) for a in args))
    raise KeyError(type(node).__name__)


def settle(shape: Sequence[int | str | None], sizes: Mapping[str, int], count: int) -> tuple[int, ...] | None:
    """The shape of a tensor of ``count`` elements; one unknown size follows from the count.

    :returns: ``(count,)`` where more than one size is unknown, None where the sizes contradict the count.
    """
    known = [evaluate(d, sizes) if isinstance(d, str) else d for d in shape]
    if known.count(None) > 1:
        return (count,)
    rest = math.prod(d for d in known if d is not None)
    if None not in known:
        return tuple(d for d in known if d is not None) if rest == count else None
    if rest <= 0 or count % rest:
        # with a size of zero elsewhere the unknown one cannot be told
        return (count,) if rest == 0 and count == 0 else None
    return tuple(count // rest if d is None else d for d in known)
