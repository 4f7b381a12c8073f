"""Sizes of axes: numbers, names of open dimensions, and expressions of them.

ONNX writes an open size as text. A shape function calculates with it: ``x.shape[0] * 2``, ``x.shape[0] // 3``. What it
gives becomes text again, and is recognised when it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

#: Expressions by the text that they were written as.
_WRITTEN: dict[str, sympy.Expr] = {}


@dataclass(frozen=True)
class Counted:
    """A size that only the values tell: ``Compute`` returns it.

    :param name: sizes of one name are one size.
    :param at_most: the largest that it can be: a number or an expression of sizes.
    """

    name: str
    at_most: Any


def expression(size: int | str) -> Any:
    """A size to calculate with: an int, or sympy's expression of open dimensions, none of them negative.

    >>> expression("N") * 2 // 2 == expression("N")
    True
    """
    if isinstance(size, int):
        return size
    import sympy

    return _WRITTEN.get(size) or sympy.Symbol(size, integer=True, nonnegative=True)


def dimension(size: Any) -> int | str:
    """A size as ONNX has it; a name stands for itself.

    >>> dimension(expression("N") + 1), dimension(3)
    ('N + 1', 3)

    :raises ValueError: it is neither a whole number from 0 nor an expression of sizes.
    """
    import sympy

    if isinstance(size, str):
        return size
    given = sympy.sympify(size)
    if given.is_Integer and given >= 0:
        return int(given)
    if not isinstance(given, sympy.Expr) or given.is_number or not given.is_integer:
        raise ValueError(f"{size!r} is no size")
    found = sympy.expand(given)
    if found.is_Symbol:
        return str(found.name)
    text = str(found)
    _WRITTEN[text] = found
    return text
